"""Product objects by the shapes that real servers printed: names, kinds, enum numbers, texts; knows no world.

`data/shapes.json` holds, for each cmdlet, the .NET types of its output and every property in order: name, kind and a
default where one value is what every server printed. Names and kinds come from exports and listings of real servers;
where none exists (DAG, mailbox database, replication health, queue, health entry) from the reference pages, and the
numbers of enum members that no export showed are unverified.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from starover_lab.powershell.values import (
    DateTime,
    Guid,
    Long,
    NetObject,
    PSEnum,
    PSList,
    PSObject,
    Single,
    TimeSpan,
    UInt16,
    UInt32,
    Value,
    Version,
)

__all__ = [
    "Shape",
    "ad_id",
    "enhanced_timespan",
    "enum",
    "enums",
    "extend",
    "guid_of",
    "list_of",
    "make",
    "members",
    "moment",
    "path",
    "product",
    "server_version",
    "shape",
    "shapes",
    "size",
    "span",
    "text_of",
    "unverified",
    "us_time",
]

DATA = "Microsoft.Exchange.Data."
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_TICKS = 10_000_000


class _Row(msgspec.Struct, frozen=True, array_like=True):
    name: str
    kind: str
    default: str | None


class Shape(msgspec.Struct, frozen=True):
    """What a cmdlet puts out: .NET types, most derived first, and properties in order."""

    types: tuple[str, ...]
    properties: tuple[_Row, ...]
    extended: tuple[str, ...] = ()
    """Those that PowerShell's own type table adds: remoting writes them apart from the object's own."""


class _File(msgspec.Struct, frozen=True):
    enums: dict[str, dict[str, int]]
    unverified: dict[str, tuple[str, ...]]
    shapes: dict[str, Shape]


@cache
def _file() -> _File:
    raw = (files("starover_lab.cmdlets") / "data" / "shapes.json").read_bytes()
    return msgspec.json.decode(raw, type=_File)


def shape(cmdlet: str) -> Shape:
    """The shape of a cmdlet's output."""
    return _file().shapes[cmdlet]


def shapes() -> list[str]:
    """The cmdlets whose output has a shape here."""
    return list(_file().shapes)


def enums() -> list[str]:
    """The enum types that cmdlets print."""
    return list(_file().enums)


def members(type_name: str) -> list[str]:
    """The members of an enum, by the full name of its type."""
    return list(_file().enums[type_name])


def enum(type_name: str, member: str) -> PSEnum:
    """A live enum value; the type may be given by the end of its name (`ServiceState`)."""
    members = _file().enums
    if type_name not in members:
        (type_name,) = (name for name in members if name.endswith(("." + type_name, "+" + type_name)))
    return PSEnum(type_name, member, members[type_name][member])


def unverified(type_name: str) -> tuple[str, ...]:
    """The members of an enum that no output of a real server has shown."""
    return _file().unverified.get(type_name, ())


def product(
    types: Iterable[str], properties: Iterable[tuple[str, Value]], *, text: str | None = None, base_value: Value = None
) -> PSObject:
    """A live object of a product's own type; without `text` its `ToString()` is the name of its type."""
    types = list(types)
    wrapped = {} if base_value is None else {"base_value": base_value}
    made = PSObject(properties, type_names=types, text=types[0] if text is None else text, **wrapped)
    for member in made.properties.values():
        member.kind = "Property"
    return made


def make(cmdlet: str, values: Mapping[str, Value], *, text: str | None = None) -> PSObject:
    """An output object of a cmdlet: every property of its shape, those of `values` as given, the others by default.

    A text given for an enum property becomes its member. Raises `KeyError` for a name that the shape does not have.
    """
    known = shape(cmdlet)
    unknown = set(values) - {row.name for row in known.properties}
    if unknown:
        raise KeyError(f"{cmdlet} has no {sorted(unknown)}")
    pairs = [
        (row.name, _value(row, values[row.name]) if row.name in values else _default(row)) for row in known.properties
    ]
    made = product(known.types, pairs, text=text)
    extend(made, *known.extended)
    return made


def extend(made: PSObject, *names: str) -> None:
    """Say of some properties that they are not the object's own but were added to it (`Message` of an event, say)."""
    for name in names:
        member = made.find(name)
        assert member is not None, name
        member.kind = "NoteProperty"


def _value(row: _Row, value: Value) -> Value:
    if isinstance(value, str) and row.kind.startswith("enum "):
        return enum(row.kind.removeprefix("enum "), value)
    return value


def _default(row: _Row) -> Value:
    kind, text = row.kind, row.default
    if kind.startswith("list "):
        return list_of((), kind.removeprefix("list "))
    if text is None:
        return None
    if kind.startswith("enum "):
        return enum(kind.removeprefix("enum "), text)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple(text)
    kind = kind.removeprefix("object ")
    if kind.endswith("EnhancedTimeSpan"):
        return enhanced_timespan(_parse_span(text))
    if kind.endswith("FullPath"):
        return path(text, kind)
    if kind == "System.Version":
        major, minor = text.split(".")
        return Version(int(major), int(minor))
    return product([kind, "System.Object"], [], text=text)


def _parse_span(text: str) -> timedelta:
    days, _, clock = text.rpartition(".")
    hours, minutes, seconds = clock.split(":")
    return timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds))


_SIMPLE: dict[str, Callable[[str], Value]] = {
    "String": str,
    "Boolean": lambda text: text.casefold() == "true",
    "Int32": int,
    "Int64": lambda text: Long(int(text)),
    "UInt32": lambda text: UInt32(int(text)),
    "UInt16": lambda text: UInt16(int(text)),
    "Single": lambda text: Single(float(text)),
    "Double": float,
}


def moment(when: datetime | None, *, utc: bool = False) -> DateTime | None:
    """A time as Exchange prints it: local time of the host (the lab's hosts keep UTC), or of kind Utc."""
    if when is None:
        return None
    delta = when - _EPOCH
    ticks = (delta.days * 86400 + delta.seconds) * _TICKS + delta.microseconds * 10
    return DateTime(ticks, "Utc" if utc else "Local")


def us_time(when: datetime) -> str:
    """A time as Exchange writes it into its texts: `9/28/2021 5:32:01 PM`."""
    half = "AM" if when.hour < 12 else "PM"
    return f"{when.month}/{when.day}/{when.year} {(when.hour - 1) % 12 + 1}:{when:%M:%S} {half}"


def span(length: timedelta) -> TimeSpan:
    """A System.TimeSpan."""
    return TimeSpan((length.days * 86400 + length.seconds) * _TICKS + length.microseconds * 10)


def _span_text(length: timedelta) -> str:
    sign, length = ("-", -length) if length < timedelta(0) else ("", length)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{length.days}." if length.days else ""
    fraction = f".{length.microseconds * 10:07d}" if length.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def enhanced_timespan(length: timedelta) -> PSObject:
    """Exchange's EnhancedTimeSpan, with the members an export shows."""
    total = length.total_seconds()
    whole = abs(length)
    sign = -1 if length < timedelta(0) else 1
    return product(
        [DATA + "EnhancedTimeSpan", "System.ValueType", "System.Object"],
        [
            ("Days", sign * whole.days),
            ("Hours", sign * (whole.seconds // 3600)),
            ("Milliseconds", sign * (whole.microseconds // 1000)),
            ("Minutes", sign * (whole.seconds // 60 % 60)),
            ("Seconds", sign * (whole.seconds % 60)),
            ("Ticks", Long(span(length).ticks)),
            ("TotalDays", total / 86400),
            ("TotalHours", total / 3600),
            ("TotalMilliseconds", total * 1000),
            ("TotalMinutes", total / 60),
            ("TotalSeconds", total),
            ("Sign", (length > timedelta(0)) - (length < timedelta(0))),
        ],
        text=_span_text(length),
    )


def size(count: int) -> PSObject:
    """Exchange's ByteQuantifiedSize: `152.1 MB (159,449,088 bytes)`. It has no property that carries the number."""
    unit, scaled = "B", float(count)
    for name in ("KB", "MB", "GB", "TB", "PB"):
        if scaled < 1024:
            break
        unit, scaled = name, scaled / 1024
    return product(
        [DATA + "ByteQuantifiedSize", "System.ValueType", "System.Object"],
        [],
        text=f"{scaled:.4g} {unit} ({count:,} bytes)",
    )


def path(text: str, type_name: str = DATA + "LocalLongFullPath") -> PSObject:
    """One of Exchange's path types."""
    return product(
        [type_name, "System.Object"],
        [
            ("PathName", text),
            ("IsLocalFull", text[1:3] == ":\\"),
            ("IsUnc", text.startswith("\\\\")),
            ("DriveName", text[:2]),
        ],
        text=text,
    )


def server_version(version: str) -> PSObject:
    """Exchange's ServerVersion of `15.2.2562.37`: `Version 15.2 (Build 2562.37)`."""
    major, minor, build, revision = (int(part) for part in version.split("."))
    return product(
        [DATA + "ServerVersion", "System.Object"],
        [
            ("Major", major),
            ("Minor", minor),
            ("Build", build),
            ("Revision", revision),
            ("FilePatchLevelDescription", None),
        ],
        text=f"Version {major}.{minor} (Build {build}.{revision})",
    )


@lru_cache(maxsize=16384)
def guid_of(*names: str) -> Guid:
    """A GUID that is always the same for the same names, in any case."""
    digest = hashlib.sha256("\0".join(name.casefold() for name in names).encode()).digest()
    return Guid(str(uuid.UUID(bytes=digest[:16], version=4)))


@dataclass(frozen=True)
class _Place:
    """Where an object stands in the configuration partition."""

    container: str
    parent: str
    depth: int


_ORG = (
    "CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,CN={org},CN=Microsoft Exchange,"
    "CN=Services"
)
_PLACES = {
    "server": _Place(f"CN=Servers,{_ORG}", "Servers", 9),
    "database": _Place(f"CN=Databases,{_ORG}", "Databases", 9),
    "dag": _Place(f"CN=Database Availability Groups,{_ORG}", "Database Availability Groups", 9),
    "site": _Place("CN=Sites", "{domain}/Configuration/Sites", 4),
    "schema": _Place("CN=Schema", "{domain}/Configuration/Schema", 4),
}


def ad_id(name: str, kind: str, domain: str, *, org: str = "Exchange") -> PSObject:
    """An ADObjectId: of a `server`, `database`, `dag`, `site` or `schema` class in the forest `domain`.

    Its text is the plain name; of a site and a schema class the canonical name.
    """
    place = _PLACES[kind]
    root = ",".join(f"DC={part}" for part in domain.split("."))
    container = place.container.format(org=org)
    parent = place.parent.format(domain=domain)
    canonical = kind in {"site", "schema"}
    return product(
        [DATA + "Directory.ADObjectId", DATA + "ObjectId", "System.Object"],
        [
            ("OrgHierarchyToIgnore", None),
            ("IsDeleted", False),
            ("Rdn", f"CN={name}"),
            ("Parent", parent),
            ("Depth", place.depth),
            ("DistinguishedName", f"CN={name},{container},CN=Configuration,{root}"),
            ("IsRelativeDn", False),
            ("DomainId", domain),
            ("PartitionGuid", guid_of("partition", domain)),
            ("PartitionFQDN", domain),
            ("ObjectGuid", guid_of(kind, name)),
            ("Name", name),
        ],
        text=f"{parent}/{name}" if canonical else name,
    )


def list_of(items: Iterable[Value], type_name: str = DATA + "MultiValuedProperty`1[[System.String]]") -> PSList:
    """One of Exchange's multi-valued properties."""
    return PSList(list(items), type_name)


def text_of(value: Value) -> str:
    """The text by which a value names an object: of a string itself, of an object its identity or its text."""
    if isinstance(value, PSObject):
        for name in ("Identity", "Name"):
            inner = value.get(name)
            if inner is not None:
                return text_of(inner)
        return value.text or ""
    if isinstance(value, Guid | NetObject):
        return value.text
    return "" if value is None else str(value)
