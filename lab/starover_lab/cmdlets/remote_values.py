"""What remoting makes of live objects and error records on their way into another session; knows no session."""

from __future__ import annotations

from typing import Literal, TypeAlias

from starover_lab.powershell.values import (
    Byte,
    ErrorRecord,
    NetObject,
    Nothing,
    PSArray,
    PSEnum,
    PSException,
    PSList,
    PSObject,
    ScriptBlock,
    Value,
    deserialised_enum,
)

__all__ = ["EnumForm", "deserialise", "for_the_wire", "remote_error"]

EnumForm: TypeAlias = Literal["wrapped", "text"]
"""How an enum arrives: a wrapped Int32 (measured on exports of real servers), or its plain name (seen once, in a
session without Exchange's types). facts/exchange.md, point 1."""

_X509 = "System.Security.Cryptography.X509Certificates.X509Certificate2"
_ENCODED = ("Thumbprint", "Subject", "Issuer", "NotBefore", "NotAfter", "SerialNumber", "Version", "RawData")
"""What a certificate that is made again from its encoded form can say (facts/exchange.md, point 3)."""

_DEPTH = 3
"""Exchange has its objects sent some levels deep (`Key.Name` of a preference was seen working); deeper lies text."""

_PLAIN = frozenset({str, int, bool, float, type(None)})
_ALL_BYTES = [Byte(b) for b in range(256)]


def _serialization_data(text: str) -> PSArray:
    """Stands for the BinaryFormatter blob that Exchange's types carry along (2 to 90 kB in life, facts point 2)."""
    return PSArray([_ALL_BYTES[b] for b in text.encode()[:32].ljust(32, b"\0")], "System.Byte[]")


def deserialise(value: Value, form: EnumForm = "wrapped", depth: int = _DEPTH) -> Value:
    """The value as the other side has it: properties only, type names prefixed, collections as ArrayList.

    Scalars that remoting knows (numbers, text, times, GUIDs, versions, addresses) come through as they are.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, PSEnum):
        return value.name if form == "text" else deserialised_enum(value.type_name, value.name, value.number)
    if isinstance(value, PSList):
        return PSList([deserialise(item, form, depth) for item in value.items])
    if isinstance(value, PSArray):
        if value.type_name == "System.Byte[]":
            return value
        return PSArray([deserialise(item, form, depth) for item in value.items], value.type_name)
    if isinstance(value, NetObject):
        if value.type_name == "System.Uri":
            return value
        pairs = [(name, deserialise(item, form, depth - 1)) for name, item in value.properties.items()]
        return _bag([value.type_name, "System.Object"], pairs, value.text)
    if isinstance(value, ScriptBlock):
        return value.text
    if isinstance(value, PSObject):
        return _object(value, form, depth)
    return value


def _bag(types: list[str], pairs: list[tuple[str, Value]], text: str | None) -> PSObject:
    made = PSObject(
        pairs, type_names=[t if t.startswith("Deserialized.") else "Deserialized." + t for t in types], text=text
    )
    for member in made.properties.values():
        member.kind = "Property"
    return made


def _object(value: PSObject, form: EnumForm, depth: int) -> Value:
    if value.type_names[:1] and value.type_names[0].startswith("Deserialized."):
        return value
    if _X509 in value.type_names:
        return _certificate(value, _ENCODED)
    if depth <= 0 and not value.is_custom:
        return value.text if value.text is not None else value.type_names[0]
    pairs = [(member.name, deserialise(member.value, form, depth - 1)) for member in value.properties.values()]
    if value.is_custom:
        return PSObject(pairs, type_names=["Deserialized." + t for t in value.type_names], text=value.text)
    made = _bag(value.type_names, pairs, value.text)
    if value.type_names[0].startswith("Microsoft.Exchange."):
        made.set("SerializationData", _serialization_data(value.text or ""))
    return made


def _certificate(value: PSObject, kept: tuple[str, ...]) -> PSObject:
    """A certificate with some of its members: what Exchange adds to one does not travel."""
    made = PSObject(
        [(member.name, member.value) for member in value.properties.values() if member.name in kept],
        type_names=value.type_names,
        text=value.text,
    )
    for member in made.properties.values():
        member.kind = "Property"
    if value.type_names[0].startswith("Microsoft.Exchange."):
        made.set("SerializationData", _serialization_data(value.text or ""))
    return made


def for_the_wire(value: Value, depth: int = _DEPTH) -> Value:
    """The live value as a server sends it: as deep as Exchange has it sent, with the blob of its types."""
    if isinstance(value, PSList):
        return PSList([for_the_wire(item, depth) for item in value.items], value.type_name)
    if isinstance(value, PSArray) and value.type_name != "System.Byte[]":
        return PSArray([for_the_wire(item, depth) for item in value.items], value.type_name)
    if isinstance(value, NetObject):
        if value.type_name == "System.Uri":
            return value
        pairs = [(name, for_the_wire(item, depth - 1)) for name, item in value.properties.items()]
        return PSObject(pairs, type_names=[value.type_name, "System.Object"], text=value.text)
    if not isinstance(value, PSObject) or not isinstance(value.base_value, Nothing):
        return value
    if _X509 in value.type_names:
        return _certificate(value, ("RawData",))
    if depth <= 0 and not value.is_custom:
        return value.text if value.text is not None else value.type_names[0]
    made = PSObject(
        [(member.name, for_the_wire(member.value, depth - 1)) for member in value.properties.values()],
        type_names=value.type_names,
        text=value.text,
    )
    for name, member in value.properties.items():
        made.properties[name].kind = member.kind
    if value.type_names[0].startswith("Microsoft.Exchange."):
        made.set("SerializationData", _serialization_data(value.text or ""))
    return made


def remote_error(record: ErrorRecord, server: str) -> ErrorRecord:
    """An error record as the calling session shows it: its exception a RemoteException that keeps the real one."""
    real = record.exception
    shown = PSException(
        "System.Management.Automation.RemoteException",
        real.message,
        hresult=real.hresult,
        properties={
            "SerializedRemoteException": PSObject(
                [("Message", real.message)],
                type_names=["Deserialized." + real.type_name],
                text=f"{real.type_name}: {real.message}",
            )
        },
    )
    target = deserialise(record.target, depth=0)
    made = ErrorRecord(
        exception=shown,
        error_id=record.error_id,
        command=record.command,
        category=record.category,
        target=target,
        reason=record.reason or real.type_name.rpartition(".")[2],
        activity=record.activity,
        details=record.details,
        recommended_action=record.recommended_action,
    )
    made.target_name = record.target_name
    made.target_type = record.target_type
    shown.properties["PSComputerName"] = server
    return made
