"""Make a DAG: the object, its members, its DAC mode."""

from collections.abc import Sequence
from typing import Literal

from starover import (
    BadParameter,
    DagName,
    Estate,
    IPv4,
    NotSafe,
    Server,
    Steps,
    WitnessDirectory,
    WitnessServer,
    runbook,
    same_host,
    together,
)
from starover.steps.access_point import access_point
from starover.steps.ad_wait import controllers_of, replicated, those_of
from starover.steps.cluster_name import controllers_near, master_of, staged
from starover.steps.dag import short
from starover.steps.dag_object import Seen, askable, dag_named, default_directory, existing, seen
from starover.steps.dag_settings import activation_mode_set, dag_created
from starover.steps.feature_restarts import clustering_waits
from starover.steps.membership import joined
from starover.steps.new_member import notes_of
from starover.steps.out_on_purpose import still_in
from starover.steps.preflight import CREATING, JOINING, passed
from starover.steps.witness import check_witness, other_az, prepared, unprepared, witness_host
from starover.steps.witness_setting import alternate_witness_set, witness_set

CERTAIN = ("nothing was contacted",)


@runbook
def dag_create(
    estate: Estate,
    dag: DagName,
    witness_server: WitnessServer,
    witness_directory: WitnessDirectory | None = None,
    alternate_witness_server: WitnessServer | None = None,
    alternate_witness_directory: WitnessDirectory | None = None,
    aap: Literal["none", "static", "dhcp"] = "none",
    ip: Sequence[IPv4] = (),
    members: Sequence[Server] = (),
    dac: bool = True,
    filesystem: Literal["NTFS", "ReFS"] = "NTFS",
    skip_witness_prepare: bool = False,
) -> Steps:
    """Create a DAG, and bring its members in.

    Prepares the witness hosts, creates the DAG without an access point (or with a static one), waits until Active
    Directory knows it, names the alternate witness, and adds the members one after the other. A second run goes on
    where the first one stopped.

    dag: the new DAG's name
    witness_server: holds the witness share; never a member, best in a zone without members
    witness_directory: on the witness; default C:\\DAGFileShareWitnesses\\DAG.DOMAIN
    alternate_witness_server: the witness of a datacenter that is restored
    alternate_witness_directory: on the alternate witness
    aap: the cluster's access point: none, static addresses, or DHCP
    ip: one address in each subnet of the members, for --aap static
    members: servers to bring in, in this order
    dac: DAC mode DagOnly once two members have joined
    filesystem: of the database volumes; Exchange 2016 and later
    skip_witness_prepare: others prepare the witness hosts
    """
    fqdn = members[0].fqdn if members else f"x.{estate.forest.name}"
    directory = witness_directory or default_directory(dag, estate, fqdn)
    other = alternate_witness_directory or default_directory(dag, estate, fqdn)
    names = [server.name for server in members]
    _check_members(members)
    check_witness(witness_server, directory, members=names, estate=estate, dag=dag)
    if alternate_witness_server is not None:
        check_witness(
            alternate_witness_server,
            other,
            members=names,
            estate=estate,
            dag=dag,
            other=(witness_server, directory),
        )
    elif alternate_witness_directory is not None:
        raise BadParameter("--alternate-witness-directory needs --alternate-witness-server", certain=CERTAIN)
    if filesystem == "ReFS" and any(one.exchange and one.exchange.version.startswith("15.0") for one in members):
        raise BadParameter("--filesystem ReFS: Exchange 2013 does not know it", certain=CERTAIN)
    addresses = access_point(aap, ip, members, estate)
    near = [] if aap == "none" else controllers_near(members, estate)
    hosts = [name for name in (witness_server, alternate_witness_server) if name is not None]
    witnesses = [] if skip_witness_prepare else [witness_host(name, estate) for name in hosts]

    found = yield from seen(dag, askable(dag, estate, first=members))
    _check_known(dag, found, names)
    asked, now = found.server, found.dag
    yield from passed(estate, dag, members, [short(name) for name in now.members], found, CREATING)
    controllers = yield from controllers_of(members or [asked], estate, asked)

    lacking = (yield from unprepared(hosts, estate)) if skip_witness_prepare else []
    waiting = yield from clustering_waits(asked, members, now.members)
    yield from together(prepared(host, estate, seen_from=asked) for host in dict.fromkeys(witnesses))
    if aap != "none" and not now.members:  # needed on 2012 and 2012 R2, and wherever few may create computers
        yield from staged(dag, near, master_of("ets", estate, None), used=False)
    yield dag_created.on(
        asked,
        dag=dag,
        witness_server=witness_server,
        witness_directory=directory,
        addresses=addresses,
        file_system="" if filesystem == "NTFS" else filesystem,
        warning="; ".join([*_zones(hosts, names, estate), *lacking]),
    )
    if now.found:
        yield witness_set.on(asked, dag=dag, server=witness_server, directory=directory)
    if not members:
        yield from replicated(asked, dag, those_of(controllers, [asked]))
    if alternate_witness_server is not None:
        yield alternate_witness_set.on(asked, dag=dag, server=alternate_witness_server, directory=other)
    if members:
        every = {short(name).casefold() for name in (*now.members, *names)}
        yield from joined(
            asked,
            dag,
            members,
            now.members,
            controllers,
            dac=dac and len(every) > 1,
            access_point=aap != "none",
            waiting=waiting,
        )


@runbook
def dag_add_members(estate: Estate, members: Sequence[Server], dag: DagName | None = None) -> Steps:
    """Add members to a DAG, one after the other, each only when its domain controllers know those before it.

    What clients would meet on a new member and not on the others (certificate, names, Extended Protection) is said with
    its step. A second run goes on at the first one that is missing. Typically five minutes a server. Where the feature
    waits for a restart the plan holds that restart too; while a database is mounted there it is refused.

    members: servers to bring in, in this order
    dag: the DAG; need not be named where the inventory has one
    """
    name = dag_named(dag, estate)
    names = [server.name for server in members]
    _check_members(members)
    found = yield from existing(name, estate)
    _check_known(name, found, names)
    now = found.dag
    yield from passed(estate, name, members, [short(one) for one in now.members], found, JOINING)
    controllers = yield from controllers_of(members, estate, found.server)
    coming = [server for server in members if not now.has(server.name)]
    peer = next((server for server in estate.servers if now.has(server.name)), None)
    notes = (yield from notes_of(coming, peer)) if coming and peer is not None else {}
    waiting = yield from clustering_waits(found.server, members, now.members)
    yield from joined(
        found.server,
        name,
        members,
        now.members,
        controllers,
        access_point=now.access_point != "none",
        notes=notes,
        waiting=waiting,
    )


@runbook
def dac_mode(estate: Estate, dag: DagName | None = None, off: bool = False) -> Steps:
    """Turn datacenter activation coordination on, so that two halves of a DAG never both mount; or off.

    dag: the DAG; need not be named where the inventory has one
    off: turn it off; refused while a datacenter is stopped
    """
    name = dag_named(dag, estate)
    found = yield from existing(name, estate)
    members = yield from still_in([one for one in estate.servers if found.dag.has(one.name)], found.dag)
    controllers = yield from controllers_of(members, estate, found.server)
    mode = "Off" if off else "DagOnly"
    yield activation_mode_set.on(found.server, dag=name, mode=mode, members=())
    yield from replicated(found.server, name, those_of(controllers, members), mode=mode)


def _check_members(members: Sequence[Server]) -> None:
    """Raises `BadParameter` where servers can be no members, as far as the inventory knows."""
    names = [server.name for server in members]
    twice = {name for at, name in enumerate(names) if any(same_host(name, one) for one in names[:at])}
    if twice:
        raise BadParameter(f"--members names {', '.join(sorted(twice))} twice", certain=CERTAIN)
    if len(names) > 16:
        raise BadParameter(f"P02: a DAG has at most 16 members, and --members names {len(names)}", certain=CERTAIN)
    for server in members:
        if "dc" in server.roles:
            raise BadParameter(
                f"P07: {server.name} is a domain controller, and those cannot join a DAG", certain=CERTAIN
            )
        if server.exchange is None:
            raise BadParameter(f"{server.name} has no Exchange, as the inventory says", certain=CERTAIN)


def _check_known(dag: str, found: Seen, names: Sequence[str]) -> None:
    """Raises `NotSafe` where joining could make a second cluster, or too many members."""
    every = {short(name).casefold() for name in (*found.dag.members, *names)}
    if len(every) > 16:
        raise NotSafe(f"P02: {dag} would have {len(every)} members, and a DAG has at most 16")
    if found.silent and not found.dag.members and names:
        raise NotSafe(
            f"G-ACCESS: {', '.join(found.silent)} did not answer, so nobody knows whether {dag} has a cluster there",
            certain=("nothing was changed", "a member added past a cluster that is not seen makes a second one"),
            next=("starover run health-report", "try again when every server with Exchange answers"),
        )


def _zones(witnesses: Sequence[str], members: Sequence[str], estate: Estate) -> list[str]:
    """What P21 has to say of the witnesses."""
    found = [other_az(name, members, estate) for name in witnesses]
    return [f"{one.on} {one.says}" for one in found if one.level == "warn"]
