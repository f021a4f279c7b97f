"""The witness of a DAG: its host prepared, another one named, the one there mended."""

from typing import Literal

from starover import BadParameter, DagName, Estate, NotSafe, Steps, WitnessDirectory, WitnessServer, runbook
from starover.steps.dag import short
from starover.steps.dag_object import dag_named, default_directory, existing
from starover.steps.witness import check_witness, prepared, witness_host
from starover.steps.witness_setting import alternate_witness_set, witness_repaired, witness_set


@runbook
def witness_prepare(
    estate: Estate,
    server: WitnessServer,
    dag: DagName | None = None,
    role: Literal["primary", "alternate"] = "primary",
    directory: WitnessDirectory | None = None,
    allow_dc: bool = False,
) -> Steps:
    """Make a server usable as witness: file server role, Exchange's rights, firewall. The share is Exchange's to make.

    server: the witness host; never a member
    dag: whose witness; need not be named where the inventory has one
    role: the witness, or the one for a datacenter that is restored
    directory: on that host, to be checked against other witnesses' directories
    allow_dc: also a domain controller, which makes Exchange an administrator of the domain
    """
    known = next((one for one in estate.dags if dag is None or one.name.casefold() == dag.casefold()), None)
    members = known.members if known is not None else ()
    other: tuple[str, str] | None = None
    if known is not None and role == "alternate":
        other = (known.witness, known.witness_directory)
    check_witness(
        server,
        directory or "",
        members=members,
        estate=estate,
        dag=known.name if known is not None else dag or "",
        allow_dc=allow_dc,
        other=other,
    )
    host = witness_host(server, estate)
    seen_from = next((one for one in estate.servers if one.name in members), None)
    yield from prepared(host, estate, seen_from=seen_from)


@runbook
def dag_set_witness(
    estate: Estate,
    server: WitnessServer,
    dag: DagName | None = None,
    directory: WitnessDirectory | None = None,
    alternate: bool = False,
    skip_witness_prepare: bool = False,
) -> Steps:
    """Give a DAG another witness, best in an Availability Zone without members. The old share stays.

    server: the new witness; never a member
    dag: the DAG; need not be named where the inventory has one
    directory: on the new witness; default C:\\DAGFileShareWitnesses\\DAG.DOMAIN
    alternate: change the alternate witness instead
    skip_witness_prepare: others prepare the host
    """
    name = dag_named(dag, estate)
    known = [one for one in estate.dags if one.name.casefold() == name.casefold()]
    members = [member for one in known for member in one.members]
    check_witness(server, directory or "", members=members, estate=estate, dag=name)
    host = None if skip_witness_prepare else witness_host(server, estate)
    found = yield from existing(name, estate)
    asked, now = found.server, found.dag
    folder = directory or default_directory(name, estate, asked.fqdn)
    pair = (now.witness_server, now.witness_directory)
    other = pair if alternate else (now.alternate_server, now.alternate_directory)
    try:
        check_witness(server, folder, members=[short(one) for one in now.members], estate=estate, dag=name, other=other)
    except BadParameter as error:
        raise NotSafe(error.what, certain=("nothing was changed",), next=error.next) from error
    if host is not None:
        yield from prepared(host, estate, seen_from=asked)
    kind = alternate_witness_set if alternate else witness_set
    yield kind.on(asked, dag=name, server=server, directory=folder)


@runbook
def dag_witness_repair(estate: Estate, dag: DagName | None = None) -> Steps:
    """Mend the witness that a DAG names: its host's role, rights and firewall, then the share and the resource.

    dag: the DAG; need not be named where the inventory has one
    """
    name = dag_named(dag, estate)
    found = yield from existing(name, estate)
    now = found.dag
    host = next((one for one in estate.servers if one.name.casefold() == short(now.witness_server).casefold()), None)
    if host is None:
        raise NotSafe(
            f"the inventory has no server {short(now.witness_server) or '(none named)'}, the witness of {name}",
            certain=("nothing was changed",),
            next=("add it to the inventory with the role witness",),
        )
    yield from prepared(host, estate, seen_from=found.server)
    yield witness_repaired.on(found.server, dag=name, server=now.witness_server, directory=now.witness_directory)
