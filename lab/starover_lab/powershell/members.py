"""Properties, methods and brackets of values: `x.Name`, `x.Method()`, `x[key]`; the types' own tables are elsewhere.

A member that .NET has and the lab does not know is `Unsupported`; one that does not exist is `$null` or an error as in
PowerShell. `strict` is the version of Set-StrictMode in force, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from starover_lab.powershell import netnames
from starover_lab.powershell.collection_methods import COLLECTION_METHODS, collection_property, kind_of
from starover_lab.powershell.convert import cast, to_string
from starover_lab.powershell.dotnet import DOTNET_METHODS, set_property
from starover_lab.powershell.error_members import error_property
from starover_lab.powershell.errors import Divided, ErrorRecord, InvocationInfo, PSException, Terminated, failure
from starover_lab.powershell.invoke import Method, Site, call_method, method_missing, on_null
from starover_lab.powershell.object_methods import OBJECT_METHODS, object_property
from starover_lab.powershell.static_members import static_call, static_get, static_set
from starover_lab.powershell.string_methods import STRING_METHODS
from starover_lab.powershell.types import element_type
from starover_lab.powershell.values import (
    NOTHING,
    Char,
    DateTime,
    Guid,
    NetObject,
    Nothing,
    OrderedHashtable,
    Property,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    ScriptBlock,
    TimeSpan,
    Unsupported,
    Value,
    Version,
    base,
    type_name,
    units,
)

__all__ = ["call", "find", "get", "has_method", "index", "set", "set_index", "static_call", "static_get", "static_set"]

RunThis: TypeAlias = Callable[[ScriptBlock, Value], Value]
"""Runs the block of a ScriptProperty or ScriptMethod; the second argument is `$this`."""

_PROPERTIES = "System.Management.Automation.PSMemberInfoIntegratingCollection`1"


def _strict(version: str | None, least: int) -> bool:
    return version is not None and (version.casefold() == "latest" or int(version.partition(".")[0]) >= least)


def _missing(name: str, strict: str | None) -> Value:
    if _strict(strict, 2):
        raise failure(
            "PropertyNotFoundStrict",
            "NotSpecified",
            f"The property '{name}' cannot be found on this object. Verify that the property exists.",
            type_name="System.Management.Automation.PropertyNotFoundException",
            target=name,
        )
    return None


# -- properties


def get(value: Value, name: str, *, strict: str | None = None, run: RunThis | None = None) -> Value:
    """`value.name`. Collections answer for their items when they have no such property themselves."""
    inner = base(value)
    if inner is None or isinstance(inner, Nothing):
        if not _strict(strict, 2) and name.lower() in ("count", "length"):
            return 0
        return _missing(name, strict)
    found = _own(value, inner, name, run)
    if found is not None:
        return found[0]
    if isinstance(inner, PSArray | PSList):
        return _of_items(inner, name, strict, run)
    if name.lower() in ("count", "length") and not _strict(strict, 2):
        if isinstance(inner, PSObject) and type_name(inner) == PSObject.CUSTOM:
            raise Divided(f"the {name} of a custom object: 1 in 7, $null in 5.1")
        return 1
    return _missing(name, strict)


def find(value: Value, name: str, *, run: RunThis | None = None) -> tuple[Value] | None:
    """A property of the value itself (in a tuple), or None when it has none of that name."""
    inner = base(value)
    return None if inner is None or isinstance(inner, Nothing) else _own(value, inner, name, run)


def has_method(value: Value, name: str) -> bool:
    """Whether the value has a method of that name that is known here."""
    inner = base(value)
    return inner is not None and bool(_methods(inner, name))


def _own(value: Value, inner: Value, name: str, run: RunThis | None) -> tuple[Value] | None:
    """A property of the value itself, in a tuple; None when it has none of that name."""
    if isinstance(value, PSObject):
        found = value.find(name)
        if found is not None and found.kind != "ScriptMethod":
            return (_value_of(value, found, run),)
    if isinstance(inner, PSHashtable | OrderedHashtable) and name in inner:
        return (inner.get(name),)
    special = _special(value, name)
    if special is not None:
        return special
    match inner:
        case PSArray() | PSList() | PSHashtable() | OrderedHashtable():
            if isinstance(inner, PSList) and inner.type_name.startswith(_PROPERTIES) and name.lower() == "count":
                raise Unsupported("the Count of PSObject.Properties")
            return collection_property(inner, name)
        case ErrorRecord() | PSException() | InvocationInfo():
            return error_property(inner, name)
        case PSObject():
            if inner is not value:
                return _own(inner, inner, name, run)
            return None
        case NetObject():
            known = object_property(inner, name)
            if known is None and inner.type_name not in _COMPLETE:
                raise Unsupported(f"the {name} of a {inner.type_name}")
            return known
        case _:
            return object_property(inner, name)


_COMPLETE = frozenset({"System.Collections.DictionaryEntry", "System.Management.Automation.ErrorDetails"})


def _value_of(owner: PSObject, found: Property, run: RunThis | None) -> Value:
    if found.kind == "ScriptProperty":
        if run is None or not isinstance(found.value, ScriptBlock):
            raise Unsupported("a script property here")
        return run(found.value, owner)
    if found.kind == "AliasProperty":
        return get(owner, to_string(found.value), run=run)
    return found.value


def _special(value: Value, name: str) -> tuple[Value] | None:
    match name.lower():
        case "psobject":
            return (_psobject(value),)
        case "pstypenames":
            if isinstance(value, PSObject) and isinstance(value.base_value, Nothing):
                return (PSList(list(value.type_names), "System.Collections.ObjectModel.Collection`1[System.String]"),)
            raise Unsupported("pstypenames of this")
        case "psbase" | "psadapted" | "psextended" | "pscomputername" if not isinstance(value, PSObject):
            raise Unsupported(name)
        case _:
            return None


def _psobject(value: Value) -> NetObject:
    if not isinstance(value, PSObject) or not isinstance(value.base_value, Nothing):
        raise Unsupported(".PSObject of something else than an object with properties")
    owner = value
    properties = PSList(
        [
            NetObject(
                f"System.Management.Automation.PS{p.kind}",
                p.name,
                (owner, p),
                {"Name": p.name, "Value": p.value, "MemberType": p.kind},
            )
            for p in owner.properties.values()
            if p.kind == "NoteProperty"
        ],
        f"{_PROPERTIES}[System.Management.Automation.PSPropertyInfo]",
    )
    if any(p.kind != "NoteProperty" for p in owner.properties.values()):
        raise Unsupported(".PSObject of an object with other members than note properties")
    names = PSList(list(owner.type_names), "System.Collections.ObjectModel.Collection`1[System.String]")
    members: dict[str, Value] = {"Properties": properties, "TypeNames": names}
    return NetObject("System.Management.Automation.PSObject", "", owner, members)


def _of_items(collection: PSArray | PSList, name: str, strict: str | None, run: RunThis | None) -> Value:
    """Member enumeration."""
    found: list[Value] = []
    for item in _walk(collection, name, run, found):
        raise Unsupported(f"the {name} of items of a {item}")
    if len(found) == 1:
        return found[0]
    return PSArray(found) if found else _missing(name, strict)


def _walk(collection: PSArray | PSList, name: str, run: RunThis | None, found: list[Value]) -> Iterator[str]:
    for item in collection.items:
        inner = base(item)
        if inner is None or isinstance(inner, Nothing):
            yield "null"
            continue
        own = _own(item, inner, name, run)
        if own is not None:
            value = base(own[0])
            found.extend(value.items if isinstance(value, PSArray | PSList) else [own[0]])
        elif isinstance(inner, PSArray | PSList):
            yield from _walk(inner, name, run, found)
        elif isinstance(inner, PSObject):
            if name.lower() in ("count", "length"):
                yield "custom object"
            # A custom object without the property answers $null.
            found.append(None)
        elif isinstance(inner, PSHashtable | OrderedHashtable):
            yield "dictionary"
        elif name.lower() in ("count", "length"):
            found.append(1)


def set(value: Value, name: str, new: Value) -> None:  # noqa: A001 - the operation's name
    """`value.name = new`."""
    inner = base(value)
    if inner is None or isinstance(inner, Nothing):
        raise _not_found(name)
    if isinstance(inner, PSHashtable | OrderedHashtable):
        inner.set(name, new)
        return
    if isinstance(value, PSObject):
        found = value.find(name)
        if found is not None:
            if found.kind not in ("NoteProperty", "Property"):
                raise Unsupported("setting this kind of member")
            found.value = new
            return
        if isinstance(value.base_value, Nothing):
            if not value.is_custom and type_name(value) != PSObject.CUSTOM:
                raise Unsupported("a new property of a product object")
            raise _setting(name)
    if isinstance(inner, NetObject):
        set_property(inner, name, new)
        return
    if isinstance(inner, PSArray | PSList):
        raise Unsupported("setting a property of a collection's items")
    raise failure(
        "PropertyAssignmentException",
        "InvalidOperation",
        f"'{name}' is a ReadOnly property."
        if object_property(inner, name) is not None
        else f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set.",
        target=name,
    )


def _not_found(name: str) -> Terminated:
    text = f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set."
    return failure("PropertyNotFound", "InvalidOperation", text, target=name)


def _setting(name: str) -> Terminated:
    reason = f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set."
    return failure(
        "ExceptionWhenSetting",
        "NotSpecified",
        f'Exception setting "{name}": "{reason}"',
        type_name="System.Management.Automation.SetValueInvocationException",
        inner=PSException("System.Management.Automation.SetValueException", reason),
        target=name,
    )


# -- methods


def call(
    value: Value, name: str, arguments: Sequence[Value], *, site: Site | None = None, run: RunThis | None = None
) -> Value:
    """`value.name(arguments)`; NOTHING for a method without a result."""
    inner = base(value)
    given: list[Value] = [None if isinstance(argument, Nothing) else argument for argument in arguments]
    if inner is None or isinstance(inner, Nothing):
        raise on_null()
    if isinstance(value, PSObject):
        member = value.find(name)
        if member is not None and member.kind == "ScriptMethod" and isinstance(member.value, ScriptBlock):
            if run is None or given:
                raise Unsupported("a script method here")
            return run(member.value, value)
        method = value.methods.get(name.casefold())
        if method is not None:
            return method(given)
    methods = _methods(inner, name)
    if methods:
        return call_method(methods, value, given, site)
    if isinstance(inner, PSArray | PSList):
        return _call_items(inner, name, given, site, run)
    owner = type_name(inner)
    known = netnames.has_method(owner, name)
    if known is None and isinstance(inner, PSObject) and owner != PSObject.CUSTOM:
        raise Unsupported(f"the method {name} of a live {owner}")
    if known is not False or isinstance(inner, NetObject | PSException | ErrorRecord | InvocationInfo):
        raise Unsupported(f"the method {name} of a {owner}")
    raise method_missing(owner, name)


def _methods(inner: Value, name: str) -> list[Method]:
    match inner:
        case PSArray() | PSList() | PSHashtable() | OrderedHashtable():
            found = COLLECTION_METHODS.find(kind_of(inner), name)
        case Char():
            found = []
        case str():
            found = STRING_METHODS.find("System.String", name)
        case NetObject():
            found = DOTNET_METHODS.find(inner.type_name, name)
        case _:
            found = OBJECT_METHODS.find(type_name(inner), name)
    if isinstance(inner, DateTime | TimeSpan | Version | Guid | int | float) and not found:
        return OBJECT_METHODS.find("", name)
    return [*found, *(m for m in OBJECT_METHODS.find("", name) if not _has_count(found, m))]


def _has_count(methods: list[Method], method: Method) -> bool:
    return any(len(m.parameters) == len(method.parameters) for m in methods)


def _call_items(
    collection: PSArray | PSList, name: str, arguments: list[Value], site: Site | None, run: RunThis | None
) -> Value:
    """A method that the collection does not have: called on every item."""
    if netnames.has_method("[]", name):
        raise Unsupported(f"the method {name} of a {collection.type_name}")
    if not collection.items:
        raise method_missing(collection.type_name, name)
    made: list[Value] = []
    for item in list(collection.items):
        if base(item) is None:
            raise Unsupported("a method on items that are $null")
        result = call(item, name, arguments, site=site, run=run)
        if not isinstance(result, Nothing):
            inner = base(result)
            made.extend(inner.items if isinstance(inner, PSArray | PSList) else [result])
    if len(made) == 1:
        return made[0]
    return PSArray(made) if made else NOTHING


# -- brackets


def _null_index() -> Terminated:
    text = "Index operation failed; the array index evaluated to null."
    return failure("NullArrayIndex", "InvalidOperation", text)


def _null_array() -> Terminated:
    return failure("NullArray", "InvalidOperation", "Cannot index into a null array.")


def index(value: Value, key: Value, *, strict: str | None = None) -> Value:
    """`value[key]`."""
    inner, at = base(value), base(key)
    if inner is None or isinstance(inner, Nothing):
        raise _null_array()
    if at is None or isinstance(at, Nothing):
        raise _null_index()
    match inner:
        case PSHashtable() | OrderedHashtable():
            if isinstance(at, PSArray | PSList):
                return PSArray([index(inner, item) for item in at.items])
            if isinstance(inner, OrderedHashtable) and type(at) is int:
                pairs = inner.pairs()
                return pairs[at][1] if 0 <= at < len(pairs) else None
            return inner.get(at)
        case PSList() if inner.type_name.startswith(_PROPERTIES):
            wanted = to_string(at).casefold()
            return next((p for p in inner.items if isinstance(p, NetObject) and p.text.casefold() == wanted), None)
        case PSArray() | PSList():
            if isinstance(inner, PSList) and "+" in inner.type_name:
                raise Unsupported(f"[] on a {inner.type_name}")
            return _item(inner.items, at, strict)
        case str() if not isinstance(inner, Char):
            return _item([Char(c) for c in units(inner)], at, strict)
        case _:
            raise Unsupported("[] on a single value: 5.1 and 7 differ")


def _position(at: Value) -> int | None:
    try:
        number = cast(at, "System.Int32")
    except Terminated:
        return None
    assert isinstance(number, int)
    return int(number)


def _item(items: Sequence[Value], at: Value, strict: str | None) -> Value:
    if isinstance(at, PSArray | PSList):
        found: list[Value] = []
        for one in at.items:
            place = _position(one)
            if base(one) is None or isinstance(base(one), PSArray | PSList):
                raise Unsupported("an odd list of indices")
            if place is not None and -len(items) <= place < len(items):
                found.append(items[place])
            elif _strict(strict, 3):
                raise Unsupported("several indices out of range in strict mode")
        return PSArray(found)
    place = _position(at)
    if place is not None and -len(items) <= place < len(items):
        return items[place]
    if _strict(strict, 3):
        if place is None:
            raise Unsupported("an index that is no number in strict mode")
        raise _out_of_bounds()
    return None


def _out_of_bounds() -> Terminated:
    return failure(
        "System.IndexOutOfRangeException",
        "OperationStopped",
        "Index was outside the bounds of the array.",
        type_name="System.IndexOutOfRangeException",
    )


def set_index(value: Value, key: Value, new: Value) -> None:
    """`value[key] = new`."""
    inner, at = base(value), base(key)
    new = None if isinstance(new, Nothing) else new
    if inner is None or isinstance(inner, Nothing):
        raise _null_array()
    if at is None or isinstance(at, Nothing):
        raise _null_index()
    match inner:
        case OrderedHashtable() if type(at) is int:
            pairs = inner.pairs()
            if not 0 <= at < len(pairs):
                raise Unsupported("an index out of range in an ordered dictionary")
            inner.set(pairs[at][0], new)
        case PSHashtable() | OrderedHashtable():
            if isinstance(at, PSArray | PSList):
                raise Unsupported("assigning to several keys")
            inner.set(at, new)
        case PSArray() | PSList():
            if isinstance(at, PSArray | PSList) or (isinstance(inner, PSList) and "+" in inner.type_name):
                raise Unsupported("assigning to several indices")
            place = _position(at)
            if place is None or (isinstance(inner, PSList) and not 0 <= place < len(inner.items)):
                raise Unsupported("assigning to this index")
            if not -len(inner.items) <= place < len(inner.items):
                raise _out_of_bounds()
            inner.items[place] = cast(new, element_type(inner.type_name))
        case _:
            raise Unsupported("assigning to [] of this")
