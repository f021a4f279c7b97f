"""Resolve-DnsName and Clear-DnsClientCache: what a host learns from DNS; knows no zone.

Error ids are the same in every language, texts are not.
"""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.changes import change
from starover_lab.cmdlets.dns_records import record_type
from starover_lab.cmdlets.machine import Machine, given_list, machine, switch
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import product, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, UInt16, UInt32, Unsupported, Value
from starover_lab.world.dns import Answer, Record, RecordType
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]

_NS = "Microsoft.DnsClient.Commands."
_TEXTS = {
    "NXDOMAIN": {"en-US": "DNS name does not exist", "de-DE": "Der DNS-Name ist nicht vorhanden"},
    "SERVFAIL": {"en-US": "DNS server failure", "de-DE": "DNS-Serverfehler"},
    "REFUSED": {"en-US": "DNS operation refused", "de-DE": "DNS-Vorgang verweigert"},
    "TIMEOUT": {
        "en-US": "This operation returned because the timeout period expired",
        "de-DE": "Dieser Vorgang wurde wegen Zeitüberschreitung zurückgegeben",
    },
}
_IDS = {
    "NXDOMAIN": ("DNS_ERROR_RCODE_NAME_ERROR", "ResourceUnavailable"),
    "SERVFAIL": ("DNS_ERROR_RCODE_SERVER_FAILURE", "ResourceUnavailable"),
    "REFUSED": ("DNS_ERROR_RCODE_REFUSED", "ResourceUnavailable"),
    "TIMEOUT": ("ERROR_TIMEOUT", "OperationTimeout"),
}


def _failed(call: Invocation, here: Machine, name: str, code: str) -> None:
    error_id, category = _IDS[code]
    words = _TEXTS[code]
    text = words.get(here.world.state.ui_culture, words["en-US"])
    kind = "System.ComponentModel.Win32Exception"
    call.error(call.record(error_id, category, f"{name} : {text}", type_name=kind, target=name))


def _record(record: Record, section: str) -> PSObject:
    common: list[tuple[str, Value]] = [
        ("Name", record.name.rstrip(".")),
        ("Type", net_enum("Microsoft.DnsClient.Commands.RecordType", record.type)),
        ("CharacterSet", "Unicode"),
        ("Section", net_enum("DNSSection", section)),
        ("DataLength", UInt16(4 if record.type == "A" else len(record.data) + 1)),
        ("TTL", UInt32(record.ttl_s)),
        ("QueryType", net_enum("Microsoft.DnsClient.Commands.RecordType", record.type)),
    ]
    own: list[tuple[str, Value]]
    kind: str = record.type
    match record.type:
        case "A":
            own = [("Address", record.data), ("IPAddress", record.data), ("IP4Address", record.data)]
        case "AAAA":
            own = [("Address", record.data), ("IPAddress", record.data), ("IP6Address", record.data)]
        case "CNAME" | "NS" | "PTR":
            # All of these are one class: its name is that of PTR.
            kind = "PTR"
            own = [("NameHost", record.data.rstrip(".")), ("Server", record.data.rstrip("."))]
        case "MX":
            preference, _, host = record.data.partition(" ")
            own = [
                ("NameExchange", host.rstrip(".")),
                ("Exchange", host.rstrip(".")),
                ("Preference", UInt16(int(preference))),
            ]
        case "TXT":
            own = [("Strings", record.data)]
        case "SOA":
            primary, person, serial, refresh, retry, expire, minimum = record.data.split()
            own = [
                ("PrimaryServer", primary.rstrip(".")),
                ("NameAdministrator", person.rstrip(".")),
                ("SerialNumber", UInt32(int(serial))),
                ("TimeToZoneRefresh", UInt32(int(refresh))),
                ("TimeToZoneFailureRetry", UInt32(int(retry))),
                ("TimeToExpiration", UInt32(int(expire))),
                ("DefaultTTL", UInt32(int(minimum))),
            ]
        case _:
            own = [("Data", record.data)]
    return product(
        [f"{_NS}DnsRecord_{kind}", _NS + "DnsRecord", "System.Object"], [*common, *own], text=f"{_NS}DnsRecord_{kind}"
    )


def _asked(call: Invocation) -> list[RecordType]:
    text = text_of(call.bound.get("Type")).upper() or "A_AAAA"
    if text == "A_AAAA":
        return ["A", "AAAA"]
    found = record_type(text)
    if found is None:
        raise Unsupported(f"Resolve-DnsName -Type {text}: the lab does not simulate it")
    return [found]


def _ask(here: Machine, name: str, kind: RecordType, servers: list[str]) -> Answer:
    """The first answer of the servers given, in turn, or of the host's own."""
    for at, server in enumerate(servers or [""], 1):
        try:
            return here.world.dns.resolve(here.host, name, kind, server=server)
        except WorldError:
            if at == len(servers or [""]):
                raise
    raise AssertionError("unreachable")


def resolve(call: Invocation) -> Iterator[Value]:
    """Resolve-DnsName: a name without records of the type gives the zone's SOA, one that is not there an error."""
    for bound in call.records():
        here = machine(call)
        if switch(bound.get("CacheOnly")) or switch(bound.get("LlmnrOnly")):
            raise Unsupported("Resolve-DnsName -CacheOnly and -LlmnrOnly: the lab does not simulate them")
        asked = text_of(bound.get("Name"))
        name = asked if "." in asked else f"{asked}.{here.world.state.dns_name}"
        call.wait(here.pace(here.world.state.tuning.read_s))
        answers: list[Answer] = []
        try:
            answers = [_ask(here, name, kind, given_list(bound.get("Server"))) for kind in _asked(call)]
        except WorldError as error:
            call.wait(error.blocked_s)
            _failed(call, here, asked, "TIMEOUT")
            continue
        failed = next((one.rcode for one in answers if one.rcode != "NOERROR"), None)
        if failed is not None:
            _failed(call, here, asked, failed)
            continue
        shown: list[Record] = []
        for answer in answers:
            for record in answer.answers:
                if record not in shown:
                    shown.append(record)
                    yield _record(record, "Answer")
        if not shown:
            yield from (_record(record, "Authority") for record in answers[0].authority)


def clear_cache(call: Invocation) -> Iterator[Value]:
    """Clear-DnsClientCache: the lab's hosts keep none."""
    change(call, "DNS client cache", lambda: None, lambda error: call.record("Failed", "NotSpecified", error.message))
    yield from ()


BODIES: dict[str, Body] = {"Resolve-DnsName": resolve, "Clear-DnsClientCache": clear_cache}
