"""Properties and methods of arrays, lists and dictionaries; knows no single value."""

from __future__ import annotations

from starover_lab.powershell.compare import equals
from starover_lab.powershell.convert import cast, to_bool, to_string
from starover_lab.powershell.invoke import NetError, Registry, Site
from starover_lab.powershell.types import element_type
from starover_lab.powershell.values import (
    NOTHING,
    Long,
    NetObject,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    PSList,
    ScriptBlock,
    Unsupported,
    Value,
    base,
    type_name,
)

__all__ = ["COLLECTION_METHODS", "collection_property", "entries", "keys", "kind_of", "values_of"]

COLLECTION_METHODS = Registry()
_add = COLLECTION_METHODS.add
_O = "System.Object"
_I = "System.Int32"
ARRAY = "[]"
LIST = "list"
TABLE = "System.Collections.Hashtable"
ORDERED = "System.Collections.Specialized.OrderedDictionary"
_KEYS = {
    TABLE: "System.Collections.Hashtable+KeyCollection",
    ORDERED: "System.Collections.Specialized.OrderedDictionary+OrderedDictionaryKeyValueCollection",
}
_VALUES = {TABLE: "System.Collections.Hashtable+ValueCollection", ORDERED: _KEYS[ORDERED]}


def _ordered(table: PSHashtable | OrderedHashtable) -> list[tuple[Value, Value]]:
    """The pairs for an enumeration that shows their order: that of a Hashtable with number keys is not random."""
    pairs = table.pairs()
    if len(pairs) > 1 and isinstance(table, PSHashtable) and not all(isinstance(base(key), str) for key, _ in pairs):
        raise Unsupported("the order of a hashtable whose keys are no strings")
    return pairs


def keys(table: PSHashtable | OrderedHashtable) -> PSList:
    """`.Keys`."""
    return PSList([key for key, _ in _ordered(table)], _KEYS[table.type_name])


def values_of(table: PSHashtable | OrderedHashtable) -> PSList:
    """`.Values`."""
    return PSList([value for _, value in _ordered(table)], _VALUES[table.type_name])


def entries(table: PSHashtable | OrderedHashtable) -> PSArray:
    """What `GetEnumerator()` goes through: DictionaryEntry objects."""
    return PSArray(
        [
            NetObject(
                "System.Collections.DictionaryEntry",
                "System.Collections.DictionaryEntry",
                None,
                {"Key": key, "Value": value, "Name": key},
            )
            for key, value in _ordered(table)
        ],
        "System.Collections.DictionaryEntry[]",
    )


def collection_property(value: Value, name: str) -> tuple[Value] | None:
    """A property of the collection itself (in a tuple), or None."""
    key = name.lower()
    match value:
        case PSArray():
            count: Value = len(value.items)
            known: dict[str, Value] = {"count": count, "length": count, "longlength": Long(len(value.items))}
            known |= {"rank": 1, "isfixedsize": True, "isreadonly": False, "issynchronized": False}
        case PSList():
            known = {"count": len(value.items)}
            if value.type_name == "System.Collections.ArrayList":
                known |= {"isfixedsize": False, "isreadonly": False, "issynchronized": False}
                if key == "capacity":
                    raise Unsupported("a list's Capacity")
            elif key in ("length", "longlength"):
                return None
        case PSHashtable() | OrderedHashtable():
            known = {"count": len(value), "isreadonly": False}
            if key == "keys":
                return (keys(value),)
            if key == "values":
                return (values_of(value),)
            if isinstance(value, PSHashtable):
                known |= {"isfixedsize": False, "issynchronized": False}
        case _:
            return None
    if key == "syncroot":
        raise Unsupported("SyncRoot")
    return (known[key],) if key in known else None


def _items(value: Value) -> list[Value]:
    assert isinstance(value, PSArray | PSList)
    return value.items


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return int(value)


# -- arrays and lists

_FIXED = ("System.NotSupportedException", "Collection was of a fixed size.")
for _name, _parameters in (("Add", (_O,)), ("Remove", (_O,)), ("RemoveAt", (_I,)), ("Insert", (_I, _O))):

    @_add(ARRAY, _name, *_parameters)
    def _(_value: Value, _arguments: list[Value], _site: Site | None) -> Value:
        raise NetError(*_FIXED)


def _net_equal(left: Value, right: Value) -> bool:
    """`Object.Equals`: same type, same value."""
    left, right = base(left), base(right)
    if left is None or right is None:
        return left is right
    if type(left) is not type(right):
        return False
    if isinstance(left, str):
        return left == right
    return equals(left, right, ignore_case=False)


for _kind in (ARRAY, LIST):

    @_add(_kind, "Contains", _O)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        return any(_net_equal(item, arguments[0]) for item in _items(value))

    @_add(_kind, "IndexOf", _O)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        return next((i for i, item in enumerate(_items(value)) if _net_equal(item, arguments[0])), -1)

    @_add(_kind, "Clone")
    def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
        assert isinstance(value, PSArray | PSList)
        return type(value)(list(value.items), value.type_name)

    @_add(_kind, "Where", "System.Object")
    def _(value: Value, arguments: list[Value], site: Site | None) -> Value:
        block = base(arguments[0])
        if not isinstance(block, ScriptBlock) or site is None:
            raise Unsupported(".Where() with something else than a script block")
        kept: list[Value] = []
        for item in list(_items(value)):
            said = list(site.call_block(block, item=item))
            if to_bool(said[0] if len(said) == 1 else PSArray(said)):
                kept.append(item)
        return PSList(kept, "System.Collections.ObjectModel.Collection`1[System.Management.Automation.PSObject]")

    @_add(_kind, "ForEach", "System.Object")
    def _(value: Value, arguments: list[Value], site: Site | None) -> Value:
        block = base(arguments[0])
        if not isinstance(block, ScriptBlock) or site is None:
            raise Unsupported(".ForEach() with something else than a script block")
        made: list[Value] = []
        for item in list(_items(value)):
            made.extend(site.call_block(block, item=item))
        return PSList(made, "System.Collections.ObjectModel.Collection`1[System.Management.Automation.PSObject]")


@_add(ARRAY, "GetValue", _I)
@_add(LIST, "Item", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    index = _number(arguments[0])
    if not 0 <= index < len(_items(value)):
        raise Unsupported("an index out of range in a method")
    return _items(value)[index]


@_add(ARRAY, "SetValue", _O, _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSArray)
    index = _number(arguments[1])
    if not 0 <= index < len(value.items):
        raise NetError("System.IndexOutOfRangeException", "Index was outside the bounds of the array.")
    value.items[index] = cast(arguments[0], element_type(value.type_name))
    return NOTHING


@_add(LIST, "Add", _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    _growing(value)
    value.items.append(cast(arguments[0], element_type(value.type_name)))
    return len(value.items) - 1 if value.type_name == "System.Collections.ArrayList" else NOTHING


def _growing(value: PSList) -> None:
    if not value.type_name.startswith(("System.Collections.ArrayList", "System.Collections.Generic.List")):
        raise Unsupported(f"changing a {value.type_name}")


@_add(LIST, "AddRange", _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    _growing(value)
    more = base(arguments[0])
    if not isinstance(more, PSArray | PSList):
        raise Unsupported("AddRange of something else than a collection")
    element = element_type(value.type_name)
    value.items.extend([cast(item, element) for item in more.items])
    return NOTHING


@_add(LIST, "Remove", _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    _growing(value)
    index = next((i for i, item in enumerate(value.items) if _net_equal(item, arguments[0])), None)
    if index is not None:
        del value.items[index]
    return NOTHING if value.type_name == "System.Collections.ArrayList" else index is not None


@_add(LIST, "RemoveAt", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    _growing(value)
    index = _number(arguments[0])
    if not 0 <= index < len(value.items):
        message = "Index was out of range. Must be non-negative and less than the size of the collection."
        raise NetError("System.ArgumentOutOfRangeException", f"{message} (Parameter 'index')")
    del value.items[index]
    return NOTHING


@_add(LIST, "Insert", _I, _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    _growing(value)
    index = _number(arguments[0])
    if not 0 <= index <= len(value.items):
        message = "Insertion index was out of range. Must be non-negative and less than or equal to size."
        raise NetError("System.ArgumentOutOfRangeException", f"{message} (Parameter 'index')")
    value.items.insert(index, cast(arguments[1], element_type(value.type_name)))
    return NOTHING


@_add(LIST, "Clear")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    _growing(value)
    value.items.clear()
    return NOTHING


@_add(LIST, "Reverse")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    _growing(value)
    value.items.reverse()
    return NOTHING


@_add(LIST, "ToArray")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSList)
    return PSArray(list(value.items), f"{element_type(value.type_name)}[]")


# -- dictionaries


def _table(value: Value) -> PSHashtable | OrderedHashtable:
    assert isinstance(value, PSHashtable | OrderedHashtable)
    return value


def _key(value: Value) -> Value:
    if base(value) is None:
        raise NetError("System.ArgumentNullException", "Key cannot be null. (Parameter 'key')")
    return value


for _kind in (TABLE, ORDERED):

    @_add(_kind, "Contains", _O)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        return _key(arguments[0]) in _table(value)

    @_add(_kind, "Add", _O, _O)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        table, key = _table(value), _key(arguments[0])
        if key in table:
            name = to_string(key)
            message = f"Item has already been added. Key in dictionary: '{name}'  Key being added: '{name}'"
            raise NetError("System.ArgumentException", message)
        table.set(key, arguments[1])
        return NOTHING

    @_add(_kind, "Remove", _O)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        _table(value).remove(_key(arguments[0]))
        return NOTHING

    @_add(_kind, "Clear")
    def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
        _table(value).entries.clear()
        return NOTHING

    @_add(_kind, "GetEnumerator")
    def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
        return entries(_table(value))


@_add(TABLE, "Item", _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _table(value).get(_key(arguments[0]))


@_add(TABLE, "ContainsKey", _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _key(arguments[0]) in _table(value)


@_add(TABLE, "ContainsValue", _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return any(_net_equal(item, arguments[0]) for _, item in _table(value).pairs())


@_add(TABLE, "Clone")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return PSHashtable(dict(_table(value).entries))


@_add(ORDERED, "Insert", _I, _O, _O)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    table, index = _table(value), _number(arguments[0])
    pairs = table.pairs()
    if arguments[1] in table or not 0 <= index <= len(pairs):
        raise Unsupported("Insert into an ordered dictionary at this place")
    pairs.insert(index, (arguments[1], arguments[2]))
    table.entries.clear()
    for key, item in pairs:
        table.set(key, item)
    return NOTHING


@_add(ORDERED, "RemoveAt", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    table, index = _table(value), _number(arguments[0])
    pairs = table.pairs()
    if not 0 <= index < len(pairs):
        raise Unsupported("RemoveAt out of range")
    table.remove(pairs[index][0])
    return NOTHING


def kind_of(value: Value) -> str:
    """The owner's name under which methods of a collection are registered."""
    if isinstance(value, PSArray):
        return ARRAY
    return LIST if isinstance(value, PSList) else type_name(value)
