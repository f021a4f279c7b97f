"""Values in the canonical form in which a real engine's answers were written down; knows no script."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from starover_lab.powershell import dates, numbers
from starover_lab.powershell.convert import default_text, to_string
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import (
    Char,
    DateTime,
    Long,
    Nothing,
    OrderedHashtable,
    Property,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    Single,
    Sized,
    TimeSpan,
    Value,
    base,
    type_name,
)

__all__ = ["Json", "canonical", "error_row"]

Json = dict[str, object]
ReadProperty = Callable[[PSObject, Property], Value]


def canonical(value: Value, read: ReadProperty) -> Json:
    """One value; `read` gives the value of an object's property, computed ones too."""
    inner = base(value)
    match inner:
        case None | Nothing():
            return {"t": "null"}
        case bool():
            return {"t": "bool", "v": inner}
        case Long():
            return {"t": "long", "v": int(inner)}
        case int() if not isinstance(inner, Sized):
            return {"t": "int", "v": inner}
        case float() if not isinstance(inner, Single):
            return {"t": "double", "v": numbers.round_trip(inner)}
        case Decimal():
            return {"t": "decimal", "v": numbers.plain_decimal(inner)}
        case Char():
            return {"t": "char", "v": str(inner)}
        case str():
            return {"t": "string", "v": str(inner)}
        case PSArray():
            return {"t": "array", "type": inner.type_name, "v": [canonical(item, read) for item in inner.items]}
        case PSList():
            return {"t": "list", "type": inner.type_name, "v": [canonical(item, read) for item in inner.items]}
        case PSHashtable() | OrderedHashtable():
            return _dictionary(inner, read)
        case DateTime():
            return {"t": "datetime", "v": dates.format_date(inner, "o")}
        case TimeSpan():
            return {"t": "timespan", "v": dates.format_span(inner, "c")}
        case PSObject() if type_name(inner) == PSObject.CUSTOM:
            pairs = [[p.name, canonical(read(inner, p), read)] for p in inner.properties.values() if _shown(p)]
            return {"t": "pscustomobject", "v": pairs}
        case _:
            return {"t": "other", "type": type_name(inner), "v": default_text(inner)}


def _shown(found: Property) -> bool:
    return found.kind != "ScriptMethod"


def _dictionary(table: PSHashtable | OrderedHashtable, read: ReadProperty) -> Json:
    pairs = [(to_string(key), [canonical(key, read), canonical(value, read)]) for key, value in table.pairs()]
    if isinstance(table, OrderedHashtable):
        return {"t": "ordered", "v": [pair for _, pair in pairs]}
    return {"t": "hashtable", "v": [pair for _, pair in sorted(pairs, key=lambda one: one[0])]}


def error_row(record: ErrorRecord) -> Json:
    """An error record."""
    return {
        "fqid": record.fqid,
        "category": record.category,
        "message": record.message,
        "type": record.exception.type_name,
    }
