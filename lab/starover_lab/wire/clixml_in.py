"""A client's CLIXML as our values; writes nothing, knows no message.

What comes from outside is deserialised, as in life: objects become property bags whose type names begin with
`Deserialized.`, lists become ArrayLists, and only a few types come back alive (SwitchParameter, PSCredential).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree as ET

from starover_lab.powershell.values import (
    Byte,
    Char,
    Guid,
    Int16,
    Long,
    Property,
    PSArray,
    PSCredential,
    PSHashtable,
    PSList,
    PSObject,
    SByte,
    SecureString,
    Single,
    SwitchParameter,
    UInt16,
    UInt32,
    UInt64,
    Value,
    Version,
    deserialised_enum,
)
from starover_lab.wire.clixml_text import read_date, read_duration, read_float, unescape
from starover_lab.wire.keys import SessionKey

__all__ = ["BadClixml", "Element", "Reader", "parse"]

Element = ET.Element
_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_DEEPEST = 60


class BadClixml(Exception):
    """The document is no CLIXML that a client may send."""


def parse(document: bytes) -> Element:
    """The root of a document; a DTD is refused. Raises `BadClixml`."""
    if _DTD.search(document):
        raise BadClixml("the document has a DTD")
    try:
        return ET.fromstring(document)  # noqa: S314 - no DTD, hence no entity can be declared
    except ET.ParseError as error:
        raise BadClixml(str(error)) from None


def _version(text: str) -> Value:
    parts = [int(part) for part in text.split(".")]
    if not 2 <= len(parts) <= 4:
        raise ValueError(f"not a version: {text[:40]}")
    return Version(*parts)


_PRIMITIVES: dict[str, Callable[[str], Value]] = {
    "S": unescape,
    "B": lambda text: text.strip().lower() == "true",
    "I32": int,
    "I64": lambda text: Long(int(text)),
    "By": lambda text: Byte(int(text)),
    "SB": lambda text: SByte(int(text)),
    "I16": lambda text: Int16(int(text)),
    "U16": lambda text: UInt16(int(text)),
    "U32": lambda text: UInt32(int(text)),
    "U64": lambda text: UInt64(int(text)),
    "Sg": lambda text: Single(read_float(text)),
    "Db": read_float,
    "D": Decimal,
    "C": lambda text: Char(chr(int(text))),
    "DT": read_date,
    "TS": read_duration,
    "Version": _version,
    "G": lambda text: Guid(text.strip().lower()),
    "BA": lambda text: PSArray([Byte(one) for one in base64.b64decode(text)], "System.Byte[]"),
    # A script block arrives as its text, a document and an address as theirs (remoting makes nothing run by itself).
    "SBK": unescape,
    "URI": unescape,
    "XD": unescape,
}


class Reader:
    """Values of one document; references are looked up in the whole of it."""

    def __init__(self, root: Element, key: SessionKey | None = None) -> None:
        """`key` decrypts SecureStrings."""
        self._root = root
        self._key = key
        self._objects: dict[str, Element] | None = None
        self._names: dict[str, list[str]] | None = None
        self._made: dict[str, Value] = {}
        self._nested = 0

    def members(self, element: Element) -> dict[str, Element]:
        """Extended members (MS) of an object by name in lower case: clients differ in case (`CI`, `ci`)."""
        bag = element.find("MS")
        return {} if bag is None else {one.get("N", "").lower(): one for one in bag}

    def value(self, element: Element) -> Value:
        """One element as a value. Raises `BadClixml`."""
        tag = element.tag
        if tag == "Nil":
            return None
        if tag == "Ref":
            return self._reference(element.get("RefId", ""))
        if tag == "SS":
            return SecureString(self._secret(element.text or ""))
        if tag == "Obj":
            if self._nested >= _DEEPEST:
                raise BadClixml("objects are nested too deeply")
            self._nested += 1
            made = self._object(element)
            self._nested -= 1
            if (ref := element.get("RefId")) is not None:
                self._made[ref] = made
            return made
        read = _PRIMITIVES.get(tag)
        if read is None:
            raise BadClixml(f"element {tag[:40]} is not known")
        try:
            return read(element.text or "")
        except (ValueError, InvalidOperation) as error:
            raise BadClixml(str(error)) from None

    def type_names(self, element: Element) -> list[str]:
        """Type names of an object, those given by reference too; empty when it has none."""
        names = element.find("TN")
        if names is not None:
            return [unescape(one.text or "") for one in names]
        reference = element.find("TNRef")
        if reference is None:
            return []
        if self._names is None:
            self._names = {
                one.get("RefId", ""): [unescape(name.text or "") for name in one] for one in self._root.iter("TN")
            }
        return self._names.get(reference.get("RefId", ""), [])

    def number(self, element: Element | None) -> int | None:
        """The integer in an enum object or a plain integer element."""
        if element is None:
            return None
        found = element.find("I32") if element.tag == "Obj" else element
        return int(found.text or "0") if found is not None and found.tag in ("I32", "I64") else None

    def _reference(self, ref: str) -> Value:
        if ref not in self._made:
            if self._objects is None:
                self._objects = {one.get("RefId", ""): one for one in self._root.iter("Obj")}
            if ref not in self._objects:
                raise BadClixml(f"nothing has the reference {ref[:20]}")
            self._made[ref] = self.value(self._objects[ref])
        return self._made[ref]

    def _secret(self, text: str) -> str:
        if self._key is None or not self._key.exchanged:
            raise BadClixml("a SecureString came before the session key")
        try:
            return self._key.decrypt(text)
        except ValueError:
            raise BadClixml("a SecureString was not encrypted with the session key") from None

    def _object(self, element: Element) -> Value:
        names = self.type_names(element)
        first = names[0] if names else ""
        for child in element:
            if child.tag in ("LST", "IE", "QUE", "STK"):
                return PSList([self.value(item) for item in child])
            if child.tag == "DCT":
                return self._dictionary(child)
        to_string = element.find("ToString")
        text = None if to_string is None else unescape(to_string.text or "")
        if "System.Enum" in names and (number := self.number(element)) is not None:
            return deserialised_enum(first, text or str(number), number)
        adapted = [(unescape(one.get("N", "")), self.value(one)) for one in element.findall("Props/*")]
        extended = [(unescape(one.get("N", "")), self.value(one)) for one in element.findall("MS/*") if one.tag != "MS"]
        alive = self._alive(first, dict(adapted) | dict(extended))
        if alive is not None:
            return alive
        inner = next((one for one in element if one.tag in _PRIMITIVES or one.tag in ("SS", "Obj", "Nil")), None)
        deserialised = [one if one.startswith("Deserialized.") else f"Deserialized.{one}" for one in names]
        if inner is not None:
            # A primitive with notes, or with a type or text of its own, around it.
            return PSObject(extended, type_names=names, text=text, base_value=self.value(inner))
        made = PSObject(type_names=deserialised or (PSObject.CUSTOM, "System.Object"), text=text)
        for name, value in adapted:
            made.properties[name.upper()] = Property(name, value, "Property")
        for name, value in extended:
            made.set(name, value)
        return made

    def _dictionary(self, element: Element) -> Value:
        made = PSHashtable()
        for entry in element.findall("En"):
            parts = {one.get("N"): one for one in entry}
            if parts.keys() != {"Key", "Value"}:
                raise BadClixml("an entry of a dictionary has no key or no value")
            made.set(self.value(parts["Key"]), self.value(parts["Value"]))
        return made

    def _alive(self, name: str, members: dict[str, Value]) -> Value:
        """The types that PowerShell rehydrates, as far as scripts here meet them; None for all others."""
        if name == "System.Management.Automation.PSCredential":
            user, password = members.get("UserName"), members.get("Password")
            if isinstance(user, str) and isinstance(password, SecureString):
                return PSCredential(user, password)
        if name == "System.Management.Automation.SwitchParameter":
            return SwitchParameter(members.get("IsPresent") is True)
        return None
