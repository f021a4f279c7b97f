"""New-, Set- and Remove-DatabaseAvailabilityGroup, and members: the configuration of a DAG; reads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from starover_lab.cmdlets.dag_tasks import NOTHING_CHANGED, run_task
from starover_lab.cmdlets.databases import dag_object
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, machine, mutate, reading, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSArray, PSList, TimeSpan, Unsupported, Value, enumerate_
from starover_lab.world.dags import DagChanges, NetworkOption
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]

_NEW = {"Name", "WitnessServer", "WitnessDirectory", "DatabaseAvailabilityGroupIpAddresses", "FileSystem"}
_SET = {
    "Identity",
    "WitnessServer",
    "WitnessDirectory",
    "AlternateWitnessServer",
    "AlternateWitnessDirectory",
    "DatacenterActivationMode",
    "DatabaseAvailabilityGroupIpAddresses",
    "ManualDagNetworkConfiguration",
    "DiscoverNetworks",
    "NetworkCompression",
    "NetworkEncryption",
    "ReplicationPort",
    "PreferenceMoveFrequency",
    "ReplayLagManagerEnabled",
    "AutoDagAutoReseedEnabled",
    "AutoDagAutoRedistributeEnabled",
    "FileSystem",
}
_COMMON = {"DomainController", "SkipDagValidation"}


def refuse_other(call: Invocation, bound: Mapping[str, Value], known: set[str]) -> None:
    """A parameter that Exchange has and the lab does not simulate is refused, not ignored."""
    other = sorted(name for name in bound if name not in known | _COMMON and bound[name] is not None)
    if other:
        raise Unsupported(f"{call.spec.name} -{other[0]}: the lab does not simulate it")


def _addresses(value: Value) -> list[str]:
    items = enumerate_(value) if isinstance(value, PSArray | PSList) else [value]
    return [text_of(item) for item in items if item is not None]


def _file_system(text: str) -> Literal["NTFS", "ReFS"] | None:
    return "ReFS" if text == "ReFS" else "NTFS" if text == "NTFS" else None


def new_dag(call: Invocation) -> Iterator[Value]:
    """New-DatabaseAvailabilityGroup: gives the object that it made."""
    for bound in call.records():
        if text_of(bound.get("ThirdPartyReplication")) not in {"", "Disabled"}:
            raise Unsupported("New-DatabaseAvailabilityGroup -ThirdPartyReplication: the lab does not simulate it")
        refuse_other(call, bound, _NEW | {"ThirdPartyReplication"})
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        name = text_of(bound.get("Name"))
        begin = partial(
            here.world.dags.create,
            name,
            here.host,
            witness_server=text_of(bound.get("WitnessServer")),
            witness_directory=text_of(bound.get("WitnessDirectory")),
            ip_addresses=_addresses(bound.get("DatabaseAvailabilityGroupIpAddresses")),
            file_system=_file_system(text_of(bound.get("FileSystem"))) or "NTFS",
            dc=dc,
        )
        if run_task(call, name, bound, begin, dc=dc):
            yield dag_object(call, here, name, dc)


def _option(text: str) -> NetworkOption | None:
    for option in ("Disabled", "Enabled", "InterSubnetOnly", "SeedOnly"):
        if text == option:
            return option
    return None


def _frequency(value: Value) -> float | Literal["never"] | None:
    """Seconds; an infinite span is minus one millisecond."""
    if not isinstance(value, TimeSpan):
        return None
    return "never" if value.ticks < 0 else value.ticks / 10_000_000


def _boolean(value: Value) -> bool | None:
    return None if value is None else bool(value)


def _changes(bound: Mapping[str, Value]) -> DagChanges:
    def text(name: str) -> str | None:
        return text_of(bound[name]) if name in bound else None

    addresses = bound.get("DatabaseAvailabilityGroupIpAddresses")
    mode = text("DatacenterActivationMode")
    port = bound.get("ReplicationPort")
    return DagChanges(
        witness_server=text("WitnessServer"),
        witness_directory=text("WitnessDirectory"),
        alternate_witness_server=text("AlternateWitnessServer"),
        alternate_witness_directory=text("AlternateWitnessDirectory"),
        dac_mode="DagOnly" if mode == "DagOnly" else "Off" if mode == "Off" else None,
        ip_addresses=None if addresses is None else _addresses(addresses),
        manual_networks=_boolean(bound.get("ManualDagNetworkConfiguration")),
        discover_networks=switch(bound.get("DiscoverNetworks")),
        network_compression=_option(text("NetworkCompression") or ""),
        network_encryption=_option(text("NetworkEncryption") or ""),
        replication_port=int(port) if isinstance(port, int) else None,
        preference_move_frequency_s=_frequency(bound.get("PreferenceMoveFrequency")),
        replay_lag_manager=_boolean(bound.get("ReplayLagManagerEnabled")),
        auto_reseed=_boolean(bound.get("AutoDagAutoReseedEnabled")),
        auto_redistribute=_boolean(bound.get("AutoDagAutoRedistributeEnabled")),
        file_system=_file_system(text("FileSystem") or ""),
    )


def set_dag(call: Invocation) -> Iterator[Value]:
    """Set-DatabaseAvailabilityGroup: any call, also one that names nothing, sets quorum type and witness anew."""
    for bound in call.records():
        refuse_other(call, bound, _SET)
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        before = _known(here, identity, dc)
        begin = partial(here.world.dags.change, identity, here.host, _changes(bound), dc=dc)
        if run_task(call, identity, bound, begin, dc=dc) and before == _known(here, identity, dc):
            call.warning(NOTHING_CHANGED.format(identity))
    yield from ()


def _known(here: Machine, name: str, dc: str | None) -> object:
    """What a DC knows of the DAG beside the time of its last change; None when it cannot tell."""
    try:
        found = here.world.dag(name, here.host, dc)
    except WorldError:
        return None
    return {key: value for key, value in vars(found).items() if key != "changed"}


def remove_dag(call: Invocation) -> Iterator[Value]:
    """Remove-DatabaseAvailabilityGroup."""
    for bound in call.records():
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        mutate(call, identity, bound, partial(here.world.dags.remove, identity, here.host, dc=dc), dc=dc)
    yield from ()


def _member(call: Invocation, here: Machine, bound: Mapping[str, Value], dc: str | None) -> str | None:
    """The server that joins or leaves; an unknown one is reported."""
    asked = text_of(bound.get("MailboxServer"))
    try:
        return known_server(here, asked)
    except WorldError as error:
        reading(call)
        call.error(exchange_error(call, error, asked, dc))
        return None


def add_server(call: Invocation) -> Iterator[Value]:
    """Add-DatabaseAvailabilityGroupServer: minutes; the first member forms the cluster."""
    for bound in call.records():
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        server = _member(call, here, bound, dc)
        if server is not None:
            identity = text_of(bound.get("Identity"))
            begin = partial(here.world.members.add, identity, server, here.host, dc=dc)
            run_task(call, identity, bound, begin, dc=dc)
    yield from ()


def remove_server(call: Invocation) -> Iterator[Value]:
    """Remove-DatabaseAvailabilityGroupServer; with -ConfigurationOnly in AD alone."""
    for bound in call.records():
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        server = _member(call, here, bound, dc)
        if server is not None:
            identity = text_of(bound.get("Identity"))
            only = switch(bound.get("ConfigurationOnly"))
            remove = here.world.members.remove
            begin = partial(remove, identity, server, here.host, configuration_only=only, dc=dc)
            run_task(call, identity, bound, begin, dc=dc)
    yield from ()


BODIES: dict[str, Body] = {
    "New-DatabaseAvailabilityGroup": new_dag,
    "Set-DatabaseAvailabilityGroup": set_dag,
    "Remove-DatabaseAvailabilityGroup": remove_dag,
    "Add-DatabaseAvailabilityGroupServer": add_server,
    "Remove-DatabaseAvailabilityGroupServer": remove_server,
}
