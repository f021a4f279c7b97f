r"""The cmdlets of a DAG's networks; knows no card and no replication. A network's identity is `DAG\NAME`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, given_list, machine, mutate, reading
from starover_lab.cmdlets.objects import DATA, enum, list_of, make, product, text_of
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import NetObject, PSObject, Value
from starover_lab.world.dag_networks import InterfaceView, NetworkView, SubnetView
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]

_IDENTITY = "Microsoft.Exchange.Management.SystemConfigurationTasks.DatabaseAvailabilityGroupNetworkIdParameter"
_SUBNET = DATA + "DatabaseAvailabilityGroupNetworkSubnet"
_INTERFACE = DATA + "DatabaseAvailabilityGroupNetworkInterface"


def _subnet(view: SubnetView) -> PSObject:
    subnet = product([DATA + "DatabaseAvailabilityGroupSubnetId", "System.Object"], [], text=view.subnet)
    return product(
        [_SUBNET, "System.Object"],
        [("SubnetId", subnet), ("State", enum(f"{_SUBNET}+SubnetState", view.state))],
        text=f"{{{view.subnet},{view.state}}}",
    )


def _interface(view: InterfaceView) -> PSObject:
    return product(
        [_INTERFACE, "System.Object"],
        [
            ("NodeName", view.server),
            ("State", enum(f"{_INTERFACE}+InterfaceState", view.state)),
            ("IPAddress", NetObject("System.Net.IPAddress", view.address)),
        ],
        text=f"{{{view.server},{view.state},{view.address}}}",
    )


def _network(dag: str, view: NetworkView) -> PSObject:
    name = f"{dag}\\{view.name}"
    return make(
        "Get-DatabaseAvailabilityGroupNetwork",
        {
            "Name": view.name,
            "Description": view.description,
            "Subnets": list_of([_subnet(one) for one in view.subnets], f"{_SUBNET}[]"),
            "Interfaces": list_of([_interface(one) for one in view.interfaces], f"{_INTERFACE}[]"),
            "MapiAccessEnabled": view.mapi_access,
            "ReplicationEnabled": view.replication,
            "IgnoreNetwork": view.ignored,
            "Identity": product([_IDENTITY, "System.Object"], [], text=name),
        },
        text=name,
    )


def _asked_dags(here: Machine, bound: Mapping[str, Value], pattern: str, dc: str | None) -> list[str]:
    """The DAGs that -Identity or -Server means. Raises `WorldError`."""
    server = text_of(bound.get("Server"))
    names = here.world.dag_names(here.host, dc)
    if server:
        own = here.world.dag_of(known_server(here, server))
        return [own] if own else []
    found = [name for name in names if fits(name, pattern or "*")]
    if not found and "*" not in pattern and pattern:
        raise WorldError("not_found", f"there is no DAG {pattern}", object="dag", name=pattern)
    return found


def get_network(call: Invocation) -> Iterator[Value]:
    """Get-DatabaseAvailabilityGroupNetwork: of all DAGs, one, a server's, or one network by name."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        dag_name, _, name = identity.partition("\\")
        try:
            for dag in _asked_dags(here, bound, dag_name, dc):
                found = [one for one in here.world.networks.of(dag, here.host, dc=dc) if fits(one.name, name or "*")]
                if not found and name and "*" not in name:
                    raise WorldError("not_found", f"no network {identity}", object="network", name=identity)
                yield from (_network(dag, one) for one in found)
        except WorldError as error:
            call.error(exchange_error(call, error, identity or text_of(bound.get("Server")), dc))


def _boolean(value: Value) -> bool | None:
    return None if value is None else bool(value)


def _subnets(bound: Mapping[str, Value]) -> list[str] | None:
    return None if "Subnets" not in bound else given_list(bound["Subnets"])


def new_network(call: Invocation) -> Iterator[Value]:
    """New-DatabaseAvailabilityGroupNetwork: gives the network that it made."""
    for bound in call.records():
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        dag, name = text_of(bound.get("DatabaseAvailabilityGroup")), text_of(bound.get("Name"))
        replication = _boolean(bound.get("ReplicationEnabled"))
        act = partial(
            here.world.networks.create,
            dag,
            name,
            here.host,
            subnets=_subnets(bound) or [],
            description=text_of(bound.get("Description")),
            replication=True if replication is None else replication,
            ignored=bool(bound.get("IgnoreNetwork")),
            dc=dc,
        )
        if mutate(call, f"{dag}\\{name}", bound, act, dc=dc):
            found = here.world.networks.of(dag, here.host, dc=dc)
            yield from (_network(dag, one) for one in found if one.name.casefold() == name.casefold())


def set_network(call: Invocation) -> Iterator[Value]:
    """Set-DatabaseAvailabilityGroupNetwork."""
    for bound in call.records():
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        dag, _, name = identity.partition("\\")
        new_name, description = bound.get("Name"), bound.get("Description")
        act = partial(
            here.world.networks.change,
            dag,
            name,
            here.host,
            new_name=None if new_name is None else text_of(new_name),
            subnets=_subnets(bound),
            description=None if description is None else text_of(description),
            replication=_boolean(bound.get("ReplicationEnabled")),
            ignored=_boolean(bound.get("IgnoreNetwork")),
            dc=dc,
        )
        mutate(call, identity, bound, act, dc=dc)
    yield from ()


def remove_network(call: Invocation) -> Iterator[Value]:
    """Remove-DatabaseAvailabilityGroupNetwork."""
    for bound in call.records():
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        dag, _, name = identity.partition("\\")
        mutate(call, identity, bound, partial(here.world.networks.remove, dag, name, here.host, dc=dc), dc=dc)
    yield from ()


BODIES: dict[str, Body] = {
    "Get-DatabaseAvailabilityGroupNetwork": get_network,
    "New-DatabaseAvailabilityGroupNetwork": new_network,
    "Set-DatabaseAvailabilityGroupNetwork": set_network,
    "Remove-DatabaseAvailabilityGroupNetwork": remove_network,
}
