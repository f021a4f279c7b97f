"""What a DAG with an access point needs before it is made: its account in Active Directory, its addresses on AWS."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, DagName, Estate, NotSafe, Steps, attempt, runbook
from starover.steps.cluster_name import DistinguishedName, controllers_near, master_of, staged
from starover.steps.dag_object import Seen, askable, dag_named, seen
from starover.steps.secondary_addresses import AddressText, read_addresses, usable


@runbook
def cno_prestage(
    estate: Estate,
    dag: DagName | None = None,
    ou: DistinguishedName | None = None,
    grant: Literal["ets", "first-node"] = "ets",
) -> Steps:
    """Stage the computer account of a DAG's cluster, disabled, for a DAG that gets an access point.

    A DAG without an access point has no such account and needs none.

    dag: the DAG, there or to be; need not be named where the inventory has one
    ou: the organizational unit, as a distinguished name; default the Computers container
    grant: who gets full control: Exchange's group, or the account of the inventory's first member
    """
    name = dag_named(dag, estate)
    known = next((one for one in estate.dags if one.name == name), None)
    members = [estate.server(one) for one in known.members] if known is not None else []
    if grant == "first-node" and not members:
        raise BadParameter(f"--grant first-node: the inventory names no member of {name}")
    master = master_of(grant, estate, members[0] if members else None)
    controllers = controllers_near(members, estate)
    found = yield from attempt(seen(name, askable(name, estate)))
    used = isinstance(found, Seen) and bool(found.dag.members)
    yield from staged(name, controllers, master, path=ou or "", used=used)


@runbook
def dag_secondary_ips(estate: Estate, ip: Sequence[AddressText]) -> Steps:
    """Look whether addresses are free for a DAG's access point; only AWS can put them on the instances.

    starover has no road to AWS yet: when the addresses are free, it refuses and says what to type.

    ip: SERVER=ADDRESS, one for each subnet of the members; may be repeated
    """
    wanted = read_addresses(ip, estate)
    free = yield from usable(wanted)
    raise NotSafe(
        "only AWS can put a secondary private address on an instance, and starover has no road to AWS yet",
        certain=(*free, "nothing was changed"),
        next=tuple(
            f"aws ec2 assign-private-ip-addresses --private-ip-addresses {one.address} --network-interface-id ENI   "
            f"of {one.server.name} {one.server.instance}".rstrip()
            for one in wanted
        ),
    )
