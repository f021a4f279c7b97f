"""DNS records as the DnsServer module's CIM objects, and back; knows no server and changes nothing.

`RecordData` holds an instance of its own: A has an IPAddress, an alias its host name with the final dot.
"""

from __future__ import annotations

from datetime import timedelta

from starover_lab.cmdlets.cim_objects import cim
from starover_lab.cmdlets.objects import moment, span, text_of
from starover_lab.powershell.values import NetObject, PSObject, TimeSpan, UInt16, UInt32, Value
from starover_lab.world.dns import Record, RecordType

__all__ = ["NAMESPACE", "TYPES", "ip_address", "record_object", "record_of", "record_type", "seconds_of"]

NAMESPACE = "root/Microsoft/Windows/DNS"
TYPES: dict[RecordType, int] = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
}
_COLUMNS: dict[RecordType, tuple[str, ...]] = {
    "A": ("IPv4Address",),
    "AAAA": ("IPv6Address",),
    "CNAME": ("HostNameAlias",),
    "NS": ("NameServer",),
    "PTR": ("PtrDomainName",),
    "TXT": ("DescriptiveText",),
    "MX": ("Preference", "MailExchange"),
    "SRV": ("Priority", "Weight", "Port", "DomainName"),
    "SOA": (
        "PrimaryServer",
        "ResponsiblePerson",
        "SerialNumber",
        "RefreshInterval",
        "RetryDelay",
        "ExpireLimit",
        "MinimumTimeToLive",
    ),
}
"""The properties of `RecordData`, in the order of a record's text form."""
_CLASSES = {"CNAME": "CName", "PTR": "Ptr"}
_INTERVALS = {"RefreshInterval", "RetryDelay", "ExpireLimit", "MinimumTimeToLive"}


def ip_address(text: str) -> NetObject:
    """A System.Net.IPAddress."""
    return NetObject("System.Net.IPAddress", text, properties={"IPAddressToString": text})


def _column(name: str, text: str) -> Value:
    if name in {"IPv4Address", "IPv6Address"}:
        return ip_address(text)
    if name in _INTERVALS:
        return span(timedelta(seconds=int(text)))
    if name == "SerialNumber":
        return UInt32(int(text))
    return UInt16(int(text)) if name in {"Preference", "Priority", "Weight", "Port"} else text


def record_object(record: Record, zone: str) -> PSObject:
    """A record of a zone."""
    columns = _COLUMNS[record.type]
    parts = record.data.split() if len(columns) > 1 else [record.data]
    data = cim(
        f"DnsServerResourceRecord{_CLASSES.get(record.type, record.type)}",
        [(name, _column(name, part)) for name, part in zip(columns, parts, strict=True)],
        namespace=NAMESPACE,
        text=f"DnsServerResourceRecord{_CLASSES.get(record.type, record.type)}",
    )
    container = f"DC={zone},cn=MicrosoftDNS,DC=DomainDnsZones," + ",".join(f"DC={part}" for part in zone.split("."))
    return cim(
        "DnsServerResourceRecord",
        [
            ("DistinguishedName", f"DC={record.name},{container}"),
            ("HostName", record.name),
            ("RecordClass", "IN"),
            ("RecordData", data),
            ("RecordType", record.type),
            ("Timestamp", moment(record.timestamp)),
            ("TimeToLive", span(timedelta(seconds=record.ttl_s))),
            ("Type", UInt16(TYPES[record.type])),
        ],
        namespace=NAMESPACE,
        text="DnsServerResourceRecord",
    )


def record_type(text: str) -> RecordType | None:
    """A record type by its name in any case; None: the lab has no such records."""
    return next((name for name in TYPES if name == text.upper()), None)


def seconds_of(value: Value, otherwise: int) -> int:
    """Whole seconds of a TimeSpan; `otherwise` where none is given."""
    return value.ticks // 10_000_000 if isinstance(value, TimeSpan) else otherwise


def record_of(given: PSObject) -> Record | None:
    """What a record object says now; None when it is no record."""
    kind = record_type(text_of(given.get("RecordType")))
    data = given.get("RecordData")
    if kind is None or not isinstance(data, PSObject):
        return None
    parts: list[str] = []
    for name in _COLUMNS[kind]:
        value = data.get(name)
        if isinstance(value, TimeSpan):
            parts.append(str(value.ticks // 10_000_000))
        else:
            parts.append(value.text if isinstance(value, NetObject) else text_of(value))
    return Record(
        name=text_of(given.get("HostName")),
        type=kind,
        data=" ".join(parts),
        ttl_s=seconds_of(given.get("TimeToLive"), 3600),
    )
