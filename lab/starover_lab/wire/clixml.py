"""Our values as CLIXML, as a Windows server writes them into PSRP (rules G and R57); reads nothing, knows no message.

Depth and references follow PowerShell's own serialiser: primitives and containers are written at every depth, note
properties keep the depth of their object, adapted properties have one less, and at depth 0 an object is its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, PSException
from starover_lab.powershell.values import (
    NetObject,
    Nothing,
    OrderedHashtable,
    Property,
    PSArray,
    PSCredential,
    PSEnum,
    PSHashtable,
    PSList,
    PSObject,
    SecureString,
    SwitchParameter,
    Value,
    type_name,
)
from starover_lab.wire import records
from starover_lab.wire.clixml_text import escape, plain_text, primitive
from starover_lab.wire.keys import SessionKey

__all__ = ["Writer", "properties", "serialize"]

_DEPTH = 1
"""PSRP's depth of one top object."""
_TOO_DEEP = 50
_ENUM_TAIL = ("System.Enum", "System.ValueType", "System.Object")


def serialize(value: Value, key: SessionKey | None = None) -> str:
    """One value as a document without declaration."""
    writer = Writer(key)
    writer.write(value)
    return writer.text()


_X509 = "System.Security.Cryptography.X509Certificates.X509Certificate2"


def _travels(owner: PSObject, member: Property) -> bool:
    """Whether a member is written. types.ps1xml has certificates sent as their encoded form alone; notes that the
    provider made (PSPath and its like) and Exchange's blob go along (facts/exchange.md, point 3).
    """
    if _X509 not in owner.type_names:
        return True
    return member.name in ("RawData", "SerializationData", "RunspaceId") or member.name.startswith("PS")


def properties(pairs: Iterable[tuple[str, Value]], key: SessionKey | None = None) -> str:
    """A property bag without type names: the form of PSRP's own messages."""
    return serialize(PSObject(pairs, type_names=()), key)


class Writer:
    """One document: references and type name references count from 0 in it."""

    def __init__(self, key: SessionKey | None = None) -> None:
        """`key` encrypts SecureStrings; without an exchanged one they cannot be written and come as null."""
        self._key = key
        self._parts: list[str] = []
        self._types: dict[tuple[str, ...], int] = {}
        self._refs: dict[int, int] = {}
        self._kept: list[object] = []
        self._nested = 0

    def text(self) -> str:
        """What was written."""
        return "".join(self._parts)

    def write(self, value: Value, name: str | None = None, depth: int = _DEPTH) -> None:
        """One value; `name` is its property's name."""
        self._put(value, "" if name is None else f' N="{escape(name).replace(chr(34), "&quot;")}"', depth)

    def _put(self, value: Value, attribute: str, depth: int) -> None:
        if value is None or isinstance(value, Nothing):
            self._parts.append(f"<Nil{attribute} />")
            return
        tag, text = primitive(value)
        if tag is not None:
            self._parts.append(f"<{tag}{attribute}>{text}</{tag}>")
            return
        if isinstance(value, SecureString):
            self._secure(value, attribute)
            return
        ref = self._refs.get(id(value))
        if ref is not None:
            self._parts.append(f'<Ref{attribute} RefId="{ref}" />')
            return
        if self._nested >= _TOO_DEEP:
            self._parts.append(f"<S{attribute}>Serialized XML is nested too deeply.</S>")
            return
        self._nested += 1
        self._compound(value, attribute, depth)
        self._nested -= 1

    def _secure(self, value: SecureString, attribute: str) -> None:
        if self._key is None or not self._key.exchanged:
            self._parts.append(f"<Nil{attribute} />")
        else:
            self._parts.append(f"<SS{attribute}>{self._key.encrypt(value.secret)}</SS>")

    def _compound(self, value: Value, attribute: str, depth: int) -> None:
        if isinstance(value, PSArray):
            self._open(value, attribute, (value.type_name, "System.Array", "System.Object"))
            self._items("LST", value.items, depth)
        elif isinstance(value, PSList):
            array = ("System.Array",) if value.type_name.endswith("[]") else ()
            self._open(value, attribute, (value.type_name, *array, "System.Object"))
            self._items("LST", value.items, depth)
        elif isinstance(value, PSHashtable | OrderedHashtable):
            hashtable = ("System.Collections.Hashtable",) if isinstance(value, records.PrimitiveDictionary) else ()
            self._open(value, attribute, (value.type_name, *hashtable, "System.Object"))
            self._entries(value.pairs(), depth)
        elif isinstance(value, PSObject):
            self._object(value, attribute, depth)
            return
        elif isinstance(value, SwitchParameter | PSCredential):
            # These two keep depth 1 wherever they are (PowerShell's GetDepthOfSerialization).
            self._object(records.as_object(value), attribute, 1)
            return
        elif isinstance(value, PSEnum):
            if depth == 0:
                self._parts.append(f"<S{attribute}>{escape(value.name)}</S>")
                return
            self._open(value, attribute, (value.type_name, *_ENUM_TAIL), value.name)
            self._parts.append(f"<I32>{value.number}</I32>")
        else:
            assert isinstance(value, ErrorRecord | PSException | InvocationInfo | NetObject)
            self._object(records.as_object(value), attribute, depth, value)
            return
        self._parts.append("</Obj>")

    def _object(self, value: PSObject, attribute: str, depth: int, source: object | None = None) -> None:
        inner = value.base_value
        if not isinstance(inner, Nothing):
            self._wrapped(value, inner, attribute, depth)
            return
        deserialised = bool(value.type_names) and value.type_names[0].startswith("Deserialized.")
        if depth <= 0:
            if not deserialised:
                self._parts.append(f"<S{attribute}>{escape(plain_text(value))}</S>")
                return
            depth = 1  # PreserveSerializationSettingOfOriginal
        bag = value.text is None and (value.is_custom or deserialised or not value.type_names)
        text = None if bag else plain_text(value)
        self._open(value if source is None else source, attribute, tuple(value.type_names), text)
        members = [one for one in value.properties.values() if _travels(value, one)]
        self._members("Props", [one for one in members if one.kind == "Property"], value, depth - 1)
        self._members("MS", [one for one in members if one.kind in ("NoteProperty", "AliasProperty")], value, depth)
        self._parts.append("</Obj>")

    def _wrapped(self, value: PSObject, inner: Value, attribute: str, depth: int) -> None:
        """A primitive or container with members, or with a text of its own, around it."""
        members = [one for one in value.properties.values() if one.kind == "NoteProperty"]
        enum = "Deserialized.System.Enum" in value.type_names
        if enum:
            members = []  # its `Value` comes from the type table
        if not members and value.text is None:
            self._put(inner, attribute, depth)
            return
        tag, text = primitive(inner)
        if tag is None:
            self._put(inner, attribute, depth)
            if members and self._parts[-1] == "</Obj>":
                self._parts.pop()
                self._members("MS", members, value, depth)
                self._parts.append("</Obj>")
            return
        modified = enum or value.type_names[:1] not in ([PSObject.CUSTOM], [type_name(inner)])
        self._open(value, attribute, tuple(value.type_names) if modified else (), value.text)
        self._parts.append(f"<{tag}>{text}</{tag}>")
        self._members("MS", members, value, depth)
        self._parts.append("</Obj>")

    def _open(self, value: object, attribute: str, names: tuple[str, ...], text: str | None = None) -> None:
        ref = self._refs[id(value)] = len(self._refs)
        self._kept.append(value)  # an id may not be used again while the document is written
        self._parts.append(f'<Obj{attribute} RefId="{ref}">')
        if names:
            known = self._types.get(names)
            if known is None:
                self._types[names] = known = len(self._types)
                types = "".join(f"<T>{escape(one)}</T>" for one in names)
                self._parts.append(f'<TN RefId="{known}">{types}</TN>')
            else:
                self._parts.append(f'<TNRef RefId="{known}" />')
        if text is not None:
            self._parts.append(f"<ToString>{escape(text)}</ToString>")

    def _items(self, tag: str, items: Sequence[Value], depth: int) -> None:
        if not items:
            self._parts.append(f"<{tag} />")
            return
        self._parts.append(f"<{tag}>")
        for item in items:
            self.write(item, None, depth)
        self._parts.append(f"</{tag}>")

    def _entries(self, pairs: Sequence[tuple[Value, Value]], depth: int) -> None:
        if not pairs:
            self._parts.append("<DCT />")
            return
        self._parts.append("<DCT>")
        for one, value in pairs:
            self._parts.append("<En>")
            self.write(one, "Key", depth)
            self.write(value, "Value", depth)
            self._parts.append("</En>")
        self._parts.append("</DCT>")

    def _members(self, tag: str, members: Sequence[Property], owner: PSObject, depth: int) -> None:
        if not members:
            return
        self._parts.append(f"<{tag}>")
        for one in members:
            if one.kind == "AliasProperty":
                self.write(owner.get(str(one.value)), one.name, depth - 1)
            else:
                self.write(one.value, one.name, depth)
        self._parts.append(f"</{tag}>")
