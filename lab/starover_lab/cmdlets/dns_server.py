"""The DnsServer module on a DC: zones and records, read and written by way of its own DNS server; knows no client.

Another DC's server is a second hop, refused to a network logon. Errors carry the numbers of Windows (`WIN32 9714`),
which are the same in every language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from starover_lab.cmdlets.changes import change
from starover_lab.cmdlets.cim_objects import cim, objects_of
from starover_lab.cmdlets.dns_records import (
    NAMESPACE,
    TYPES,
    record_object,
    record_of,
    record_type,
    seconds_of,
)
from starover_lab.cmdlets.machine import Machine, given_list, machine, reading, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import NetObject, PSArray, PSList, PSObject, Unsupported, Value, enumerate_
from starover_lab.world.dns import Record, RecordType
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_DEFAULT_TTL_S = 3600


class _Code(NamedTuple):
    number: int
    category: str


_CODES = {
    "access_denied": _Code(5, "PermissionDenied"),
    "zone_readonly": _Code(5, "PermissionDenied"),
    "service_down": _Code(1722, "ResourceUnavailable"),
    "server_down": _Code(1722, "ResourceUnavailable"),
    "record_exists": _Code(9711, "ResourceExists"),
    "cname_conflict": _Code(9709, "ResourceExists"),
    "syntax": _Code(9560, "InvalidArgument"),
    "not_found": _Code(9714, "ObjectNotFound"),
}


def _refusal(call: Invocation, server: str, zone: str, name: str, error: WorldError) -> ErrorRecord:
    """What the module says; the beginning of the sentence is that of the cmdlet."""
    code = _CODES.get(error.kind, _Code(87, "InvalidArgument"))
    verb = call.spec.name.partition("-")[0]
    if error.data.get("object") == "zone":
        code, message = _Code(9601, "ObjectNotFound"), f"The zone {zone} was not found on server {server}."
    elif not zone:
        message = f"Failed to get information for server {server}."
    elif error.kind == "not_found" and verb == "Set":
        message = f"Resource record in OldInputObject not found in {zone} zone on {server} server."
    elif verb == "Add":
        message = f"Failed to create resource record {name} in zone {zone} on server {server}."
    elif verb == "Set":
        message = f"Failed to update resource record {name} in zone {zone} on server {server}."
    else:
        message = f"Failed to get {name} record in {zone} zone on {server} server."
    kind = "Microsoft.Management.Infrastructure.CimException"
    return call.record(f"WIN32 {code.number}", code.category, message, type_name=kind, target=name or zone or server)


def _server(call: Invocation, here: Machine, bound: Mapping[str, Value], zone: str, name: str) -> str | None:
    """The DNS server that is asked: this host's own; another one may not be asked from a network logon."""
    asked = text_of(bound.get("ComputerName"))
    if bound.get("CimSession") is not None or bound.get("ZoneScope") is not None:
        raise Unsupported(f"{call.spec.name} -CimSession and -ZoneScope: the lab does not simulate them")
    if not asked or asked in {".", "localhost"} or same(first_label(asked), here.host) or asked == here.server.address:
        return here.host
    if here.network_logon:
        call.error(_refusal(call, asked, zone, name, WorldError("access_denied", "a second hop")))
        return None
    return asked


def get_zone(call: Invocation) -> Iterator[Value]:
    """Get-DnsServerZone."""
    for bound in call.records():
        here = reading(call)
        server = _server(call, here, bound, "", "")
        if server is None:
            continue
        names = given_list(bound.get("Name"))
        try:
            every = here.world.dns.zones(server)
        except WorldError as error:
            call.wait(error.blocked_s)
            call.error(_refusal(call, server, "", "", error))
            continue
        for name in names:
            if not is_pattern(name) and not any(same(one.name, name) for one in every):
                missing = WorldError("not_found", "no zone", object="zone")
                call.error(_refusal(call, server, name, "", missing))
        for one in every:
            if names and not any(fits(one.name, name) for name in names):
                continue
            yield cim(
                "DnsServerPrimaryZone",
                [
                    ("ZoneName", one.name),
                    ("ZoneType", "Primary"),
                    ("IsAutoCreated", False),
                    ("IsDsIntegrated", one.ad_integrated),
                    ("IsReverseLookupZone", one.reverse),
                    ("IsSigned", False),
                    ("IsReadOnly", False),
                    ("IsPaused", False),
                    ("IsShutdown", False),
                    ("DynamicUpdate", one.dynamic_update),
                    ("ReplicationScope", "Domain"),
                    ("DirectoryPartitionName", f"DomainDnsZones.{here.world.state.dns_name}"),
                    ("ZoneFile", None),
                    ("Notify", "NotifyServers"),
                    ("SecureSecondaries", "NoTransfer"),
                ],
                namespace=NAMESPACE,
                text="DnsServerPrimaryZone",
            )


def _asked_type(call: Invocation, bound: Mapping[str, Value]) -> RecordType | None:
    text = text_of(bound.get("RRType"))
    if not text:
        number = bound.get("Type")
        return next((name for name, own in TYPES.items() if own == number), None)
    found = record_type(text)
    if found is None:
        raise Unsupported(f"{call.spec.name} -RRType {text}: the lab does not simulate it")
    return found


def get_record(call: Invocation) -> Iterator[Value]:
    """Get-DnsServerResourceRecord: of one name, or all of a zone; none of a name is an error."""
    for bound in call.records():
        here = reading(call)
        zone, name = text_of(bound.get("ZoneName")), text_of(bound.get("Name"))
        server = _server(call, here, bound, zone, name)
        if server is None:
            continue
        try:
            found = here.world.dns.records(server, zone, name, _asked_type(call, bound))
            if name and not found:
                raise WorldError("not_found", "no such record", object="record")
        except WorldError as error:
            call.wait(error.blocked_s)
            call.error(_refusal(call, server, zone, name, error))
            continue
        yield from (record_object(one, zone) for one in found)


def _write(
    call: Invocation,
    bound: Mapping[str, Value],
    zone: str,
    name: str,
    act: Callable[[Machine, str], object],
    action: str,
) -> bool:
    here = machine(call)
    server = _server(call, here, bound, zone, name)
    if server is None:
        return False
    return change(
        call,
        f"{server}",
        partial(act, here, server),
        partial(_refusal, call, server, zone, name),
        action=action,
    )


def _add(call: Invocation, bound: Mapping[str, Value], kind: RecordType, data: list[str]) -> Iterator[Value]:
    """Write new records of one name, each by itself."""
    zone, name = text_of(bound.get("ZoneName")), text_of(bound.get("Name"))
    if switch(bound.get("CreatePtr")):
        raise Unsupported(f"{call.spec.name} -CreatePtr: the lab does not simulate it")
    for one in data:
        record = Record(name=name, type=kind, data=one, ttl_s=seconds_of(bound.get("TimeToLive"), _DEFAULT_TTL_S))

        def act(here: Machine, server: str, record: Record = record) -> None:
            here.world.dns.add(server, zone, record)

        done = _write(call, bound, zone, name, act, f"Adding DNS resource record {name} of type {kind} in zone {zone}")
        if done and switch(bound.get("PassThru")):
            yield record_object(record, zone)


def _addresses(value: Value) -> list[str]:
    items = enumerate_(value) if isinstance(value, PSArray | PSList) else [value]
    return [item.text if isinstance(item, NetObject) else text_of(item) for item in items]


def add_a(call: Invocation) -> Iterator[Value]:
    """Add-DnsServerResourceRecordA."""
    for bound in call.records():
        yield from _add(call, bound, "A", _addresses(bound.get("IPv4Address")))


def add_cname(call: Invocation) -> Iterator[Value]:
    """Add-DnsServerResourceRecordCName; without a final dot the alias is taken as absolute all the same."""
    for bound in call.records():
        yield from _add(call, bound, "CNAME", [text_of(bound.get("HostNameAlias")).rstrip(".") + "."])


def add_record(call: Invocation) -> Iterator[Value]:
    """Add-DnsServerResourceRecord -A, -AAAA and -CName."""
    for bound in call.records():
        if switch(bound.get("A")):
            yield from _add(call, bound, "A", _addresses(bound.get("IPv4Address")))
        elif switch(bound.get("AAAA")):
            yield from _add(call, bound, "AAAA", _addresses(bound.get("IPv6Address")))
        elif switch(bound.get("CName")):
            yield from _add(call, bound, "CNAME", [text_of(bound.get("HostNameAlias")).rstrip(".") + "."])
        else:
            raise Unsupported("Add-DnsServerResourceRecord of this type: the lab does not simulate it")


def set_record(call: Invocation) -> Iterator[Value]:
    """Set-DnsServerResourceRecord: a record as it was is replaced by one of the same name and type."""
    for bound in call.records():
        zone = text_of(bound.get("ZoneName"))
        old, new = (
            record_of(value) if isinstance(value, PSObject) else None
            for value in (bound.get("OldInputObject"), bound.get("NewInputObject"))
        )
        if old is None or new is None:
            message = "The input object cannot be bound: it is no DnsServerResourceRecord."
            call.error(call.record("InvalidArgument", "InvalidArgument", message))
            continue

        def act(here: Machine, server: str, zone: str = zone, old: Record = old, new: Record = new) -> None:
            here.world.dns.replace(server, zone, old, new)

        done = _write(call, bound, zone, old.name, act, f"Setting DNS resource record {old.name} in zone {zone}")
        if done and switch(bound.get("PassThru")):
            yield record_object(new, zone)


def _removed(here: Machine, server: str, *, zone: str, name: str, kind: RecordType, data: str) -> None:
    here.world.dns.remove(server, zone, name, kind, data)


def remove_record(call: Invocation) -> Iterator[Value]:
    """Remove-DnsServerResourceRecord: asks first unless -Force; without -RecordData all of a name and type go."""
    for bound in call.records():
        zone = text_of(bound.get("ZoneName"))
        if switch(bound.get("Force")):
            call.common.setdefault("Confirm", False)
        given = [one for one in map(record_of, objects_of(bound.get("InputObject"))) if one is not None]
        data = "".join(given_list(bound.get("RecordData"))[:1])
        kind = _asked_type(call, bound)
        asked: list[tuple[str, RecordType, str]] = [(one.name, one.type, one.data) for one in given]
        if not given and kind is not None:
            asked = [(text_of(bound.get("Name")), kind, data)]
        for name, type_, value in asked:
            act = partial(_removed, zone=zone, name=name, kind=type_, data=value)
            _write(call, bound, zone, name, act, f"Removing DNS resource record set {name} from zone {zone}")
    yield from ()


def _nothing(action: str) -> Body:
    """A cmdlet that has nothing to do here: zones are AD's, and caches are empty."""

    def body(call: Invocation) -> Iterator[Value]:
        for bound in call.records():
            if switch(bound.get("Force")):
                call.common.setdefault("Confirm", False)

            def act(_here: Machine, _server: str) -> None:
                return

            _write(call, bound, text_of(bound.get("Name")), "", act, action)
        yield from ()

    return body


BODIES: dict[str, Body] = {
    "Get-DnsServerZone": get_zone,
    "Get-DnsServerResourceRecord": get_record,
    "Add-DnsServerResourceRecord": add_record,
    "Add-DnsServerResourceRecordA": add_a,
    "Add-DnsServerResourceRecordCName": add_cname,
    "Set-DnsServerResourceRecord": set_record,
    "Remove-DnsServerResourceRecord": remove_record,
    "Sync-DnsServerZone": _nothing("Synchronizing zone"),
    "Clear-DnsServerCache": _nothing("Clearing the cache"),
}
