"""What a PowerShell value is: scalars, collections and objects as Python types; knows no operator and no cmdlet.

| PowerShell | here |
| --- | --- |
| `$null` | `None` |
| nothing (a command without output) | `NOTHING`, not the same as `None` |
| Boolean, Int32, Double, Decimal, String | `bool`, `int`, `float`, `decimal.Decimal`, `str` |
| the other integers | `Long` (Int64), `Byte`, `Int16`, `UInt32`, `UInt64`...: subclasses of `int` |
| Single | `Single`, a subclass of `float` |
| Char | `Char`, a `str` of one UTF-16 unit |
| arrays | `PSArray`; ArrayList, List<T>, Collection<T>: `PSList` |
| Hashtable, OrderedDictionary | `PSHashtable`, `OrderedHashtable` |
| custom objects, product objects, wrapped values with extra members | `PSObject` |
| enums | `PSEnum` live; deserialised a `PSObject` around an `int`, see `deserialised_enum`; or a plain `str` |

Never compare values with Python's `==`: `True == 1 == 1.0` there, and not here. Use `operators`. Dispatch with
`type(value) is ...` or `isinstance` in the order bool, Char, Sized, int, str.
A string is a Python string in which surrogate pairs are always joined; `units` gives .NET's UTF-16 view of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, Literal, TypeAlias, Union
from zlib import crc32

from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, PSException, Stopped, Terminated, Unsupported
from starover_lab.powershell.scalars import (
    NOTHING,
    Byte,
    Char,
    DateTime,
    Guid,
    Int16,
    Long,
    Nothing,
    PSEnum,
    SByte,
    Single,
    Sized,
    SwitchParameter,
    TimeSpan,
    TypeLiteral,
    UInt16,
    UInt32,
    UInt64,
    Version,
    fold,
    from_units,
    units,
)

__all__ = [
    "NOTHING",
    "Byte",
    "Char",
    "DateTime",
    "ErrorRecord",
    "Guid",
    "Int16",
    "InvocationInfo",
    "Long",
    "NetObject",
    "Nothing",
    "OrderedHashtable",
    "PSArray",
    "PSCredential",
    "PSEnum",
    "PSException",
    "PSHashtable",
    "PSList",
    "PSObject",
    "Property",
    "SByte",
    "ScriptBlock",
    "SecureString",
    "Single",
    "Sized",
    "Stopped",
    "SwitchParameter",
    "Terminated",
    "TimeSpan",
    "TypeLiteral",
    "UInt16",
    "UInt32",
    "UInt64",
    "Unsupported",
    "Value",
    "Version",
    "base",
    "custom_object",
    "deserialised_enum",
    "enumerate_",
    "fold",
    "from_units",
    "type_name",
    "units",
]


@dataclass(eq=False)
class ScriptBlock:
    """`{ ... }`: its text and what the evaluator made of it."""

    text: str
    """Between the braces, as written."""
    node: object = None
    """The evaluator's tree; nobody else looks inside."""
    scope: object = None
    """The evaluator's session state the block was made in."""


@dataclass(eq=False)
class SecureString:
    """System.Security.SecureString; prints as its type name, so that nothing shows the secret."""

    secret: str = field(repr=False)


@dataclass(eq=False)
class PSCredential:
    """System.Management.Automation.PSCredential."""

    user_name: str
    password: SecureString


@dataclass(eq=False)
class NetObject:
    """A live .NET object of a type that has no class of its own here (MemoryStream, SHA256, Match, IPAddress...)."""

    type_name: str
    text: str
    """What `ToString()` gives."""
    state: object = None
    """What its members work on; `members` knows by `type_name`."""
    properties: dict[str, Value] = field(default_factory=dict[str, "Value"])
    """Read-only properties by their exact name."""


@dataclass(eq=False)
class PSArray:
    """A .NET array of one dimension. Fixed size: `items` is replaced in place only by index."""

    items: list[Value] = field(default_factory=list["Value"])
    type_name: str = "System.Object[]"


@dataclass(eq=False)
class PSList:
    """A growing list: ArrayList, `List[T]`, `Collection[T]`."""

    items: list[Value] = field(default_factory=list["Value"])
    type_name: str = "System.Collections.ArrayList"


def _key(key: Value) -> tuple[str, object]:
    """The identity of a dictionary key: strings ignore case, numbers keep their type (1 is not 1L)."""
    key = base(key)
    if isinstance(key, Char):
        return "System.Char", str(key)
    if isinstance(key, str):
        return "System.String", fold(key)
    if key is None or isinstance(key, bool | int | float | Decimal | DateTime | TimeSpan | Version | Guid | PSEnum):
        return type_name(key), key
    return type_name(key), id(key)


@dataclass(eq=False)
class _Dictionary:
    """What the two dictionaries share: entries by key identity, in order of insertion."""

    entries: dict[tuple[str, object], tuple[Value, Value]] = field(
        default_factory=dict[tuple[str, object], tuple["Value", "Value"]]
    )

    def get(self, key: Value) -> Value:
        """The value of a key, or None."""
        found = self.entries.get(_key(key))
        return None if found is None else found[1]

    def __contains__(self, key: Value) -> bool:
        return _key(key) in self.entries

    def set(self, key: Value, value: Value) -> None:
        """Add or replace; a replaced key keeps its place and its first spelling."""
        identity = _key(key)
        old = self.entries.get(identity)
        self.entries[identity] = (key if old is None else old[0], value)

    def remove(self, key: Value) -> None:
        """Remove the key if it is there."""
        self.entries.pop(_key(key), None)

    def __len__(self) -> int:
        return len(self.entries)

    def pairs(self) -> list[tuple[Value, Value]]:
        """Key and value, in the order in which the dictionary enumerates."""
        return list(self.entries.values())


class PSHashtable(_Dictionary):
    """System.Collections.Hashtable with PowerShell's case-insensitive keys.

    A real Hashtable enumerates in the order of its hash codes, which no script may rely upon. Ours enumerates in an
    order of its own that is stable, but is not the order of insertion, so that a script that relies on it shows.
    """

    type_name: ClassVar[str] = "System.Collections.Hashtable"

    def pairs(self) -> list[tuple[Value, Value]]:
        """Key and value, in an order that only looks random."""
        return [self.entries[k] for k in sorted(self.entries, key=lambda k: crc32(repr((k[0], str(k[1]))).encode()))]


class OrderedHashtable(_Dictionary):
    """System.Collections.Specialized.OrderedDictionary with case-insensitive keys."""

    type_name: ClassVar[str] = "System.Collections.Specialized.OrderedDictionary"

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Value]]) -> OrderedHashtable:
        """From Python pairs."""
        made = cls()
        for name, value in pairs:
            made.set(name, value)
        return made


@dataclass(eq=False, slots=True)
class Property:
    """One member of a `PSObject`."""

    name: str
    value: Value
    """The value; of a ScriptProperty or ScriptMethod its script block; of an alias the other name."""
    kind: Literal["NoteProperty", "Property", "ScriptProperty", "AliasProperty", "ScriptMethod"] = "NoteProperty"
    setter: ScriptBlock | None = None


class PSObject:
    """An object with members by name: custom objects, product objects (live or deserialised), wrapped values.

    `base_value` is what is wrapped (a string with a note property); NOTHING when the object is only its members.
    `text` is what `ToString()` gives; None: the rule of the type (a custom object gives `@{a=1}` in strings).
    """

    CUSTOM: ClassVar[str] = "System.Management.Automation.PSCustomObject"

    def __init__(
        self,
        properties: Iterable[tuple[str, Value]] = (),
        *,
        type_names: Iterable[str] = (CUSTOM, "System.Object"),
        text: str | None = None,
        base_value: Value = NOTHING,
    ) -> None:
        self.properties: dict[str, Property] = {fold(name): Property(name, value) for name, value in properties}
        self.type_names = list(type_names)
        self.text = text
        self.base_value = base_value
        self.methods: dict[str, Callable[[list[Value]], Value]] = {}
        """Methods of a live product object, by lower-cased name."""

    def __repr__(self) -> str:
        return f"PSObject({[(p.name, p.value) for p in self.properties.values()]}, {self.type_names[:1]})"

    @property
    def is_custom(self) -> bool:
        """Whether this is what `[pscustomobject]` makes (a wrapped value and a product object are not)."""
        return isinstance(self.base_value, Nothing) and self.CUSTOM in self.type_names

    def find(self, name: str) -> Property | None:
        """The member of that name, in any case."""
        return self.properties.get(fold(name))

    def get(self, name: str, default: Value = None) -> Value:
        """The plain value of a member. Script properties are `members.get`'s business."""
        found = self.find(name)
        return default if found is None else found.value

    def set(self, name: str, value: Value) -> None:
        """Set the member's value, or add a note property."""
        found = self.find(name)
        if found is None:
            self.properties[fold(name)] = Property(name, value)
        else:
            found.value = value

    def remove(self, name: str) -> None:
        """Remove the member if it is there."""
        self.properties.pop(fold(name), None)


Value: TypeAlias = Union[  # noqa: UP007 - forward references
    Nothing,
    bool,
    int,
    float,
    Decimal,
    str,
    DateTime,
    TimeSpan,
    Version,
    Guid,
    TypeLiteral,
    PSEnum,
    SwitchParameter,
    ScriptBlock,
    SecureString,
    PSCredential,
    NetObject,
    PSArray,
    PSList,
    PSHashtable,
    OrderedHashtable,
    PSObject,
    ErrorRecord,
    InvocationInfo,
    PSException,
    None,
]
"""Any PowerShell value."""


def custom_object(pairs: Iterable[tuple[str, Value]]) -> PSObject:
    """`[pscustomobject]@{...}` from Python pairs, in order."""
    return PSObject(pairs)


def deserialised_enum(enum_type: str, name: str, number: int) -> PSObject:
    """An enum as it comes back over remoting: a wrapped Int32 whose text is the name (facts/exchange.md, point 1).

    `-eq 'Name'` is False and `"$x"` is the number, but `[string]$x`, `-like`, `-f` and `.Value` give the name.
    """
    return PSObject(
        [("Value", name)],
        type_names=[f"Deserialized.{enum_type}", "Deserialized.System.Enum", "Deserialized.System.ValueType"],
        text=name,
        base_value=number,
    )


def base(value: Value) -> Value:
    """The value itself without its PSObject wrapper; an object that is only its members stays what it is."""
    while isinstance(value, PSObject) and not isinstance(value.base_value, Nothing):
        value = value.base_value
    return value


_NAMES: dict[type, str] = {
    bool: "System.Boolean",
    int: "System.Int32",
    float: "System.Double",
    Single: "System.Single",
    Decimal: "System.Decimal",
    str: "System.String",
    Char: "System.Char",
    DateTime: "System.DateTime",
    TimeSpan: "System.TimeSpan",
    Version: "System.Version",
    Guid: "System.Guid",
    TypeLiteral: "System.RuntimeType",
    SwitchParameter: "System.Management.Automation.SwitchParameter",
    ScriptBlock: "System.Management.Automation.ScriptBlock",
    SecureString: "System.Security.SecureString",
    PSCredential: "System.Management.Automation.PSCredential",
    ErrorRecord: "System.Management.Automation.ErrorRecord",
    InvocationInfo: "System.Management.Automation.InvocationInfo",
}


def type_name(value: Value) -> str:
    """The full .NET name of a value's type (`GetType().FullName`); `$null` and nothing give an empty string."""
    value = base(value)
    if value is None or isinstance(value, Nothing):
        return ""
    if isinstance(value, PSObject):
        # A deserialised object is a property bag for .NET; a live product object is of its own type.
        first = value.type_names[0] if value.type_names else PSObject.CUSTOM
        return PSObject.CUSTOM if value.is_custom or first.startswith(("Deserialized.", "Selected.")) else first
    if isinstance(value, Sized) and " " in value.type_name:
        line = getattr(value, "line", 0)
        raise Unsupported(f"the type of a number out of JSON: {value.type_name}", line)
    if isinstance(value, Sized | PSArray | PSList | PSHashtable | OrderedHashtable | PSEnum | PSException | NetObject):
        return value.type_name
    return _NAMES[type(value)]


def enumerate_(value: Value) -> Iterator[Value]:
    """What a value sends down a pipeline: the items of a collection, otherwise the value itself; nothing for NOTHING.

    Strings, dictionaries and objects are sent whole; `$null` is sent as one `$null`.
    """
    if isinstance(value, Nothing):
        return
    inner = base(value)
    if isinstance(inner, PSArray | PSList):
        yield from list(inner.items)
    else:
        yield value
