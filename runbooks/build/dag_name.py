"""What a DAG with an access point needs before it is made: its account in Active Directory, its addresses on AWS."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, DagName, Estate, NotSafe, Steps, attempt, runbook, together
from starover.steps.cluster_name import DistinguishedName, controllers_near, master_of, staged
from starover.steps.dag_object import Seen, askable, dag_named, seen
from starover.steps.interface_addresses import Interfaces, address_assigned, interfaces_of
from starover.steps.secondary_addresses import AddressOf, AddressText, read_addresses, usable


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
    """Give members' network interfaces on EC2 the addresses of a DAG's access point, one in each of their subnets.

    Windows does not get them: the cluster brings the one online that fits the node which owns it. An address that
    anybody has or answers at is refused, and none is ever taken from another interface. Undo takes them back.

    ip: SERVER=ADDRESS, one for each subnet of the members; may be repeated
    """
    wanted = read_addresses(ip, estate)
    foreign = [one.server.name for one in wanted if not one.server.instance]
    if foreign:
        raise NotSafe(
            f"{', '.join(foreign)} is no EC2 instance as far as the inventory knows",
            certain=("nothing was changed",),
            next=("the inventory's `instance:`", "elsewhere whoever runs the network keeps the address free for it"),
        )
    found = yield from together(interfaces_of.read(one.server, instance=one.server.instance) for one in wanted)
    new: list[tuple[AddressOf, str]] = []
    for one, now in zip(wanted, found, strict=True):
        own = now.at(one.server.address)
        if own is None:
            raise NotSafe(
                f"G-INV: {one.server.instance} has no interface with {one.server.name}'s address {one.server.address}",
                certain=("nothing was changed",),
                host=one.server.name,
            )
        new.append((one, own.id))
    missing = [one for one, now in zip(wanted, found, strict=True) if not _has(now, one.address)]
    free = dict(zip((one.address for one in missing), (yield from usable(missing)), strict=True)) if missing else {}
    for one, interface in new:
        yield address_assigned.on(
            one.server,
            instance=one.server.instance,
            interface=interface,
            address=one.address,
            note=free.get(one.address, ""),
        )


def _has(now: Interfaces, address: str) -> bool:
    return any(address in one.addresses for one in now.interfaces)
