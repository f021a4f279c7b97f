"""The certificate store of a host, `Cert:\\LocalMachine\\My`, with Exchange's certificates; knows no service."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.machine import Machine, machine
from starover_lab.cmdlets.objects import guid_of, list_of, moment, product
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.values import Byte, PSArray, PSObject, Value
from starover_lab.world.client_access import Certificate

__all__ = ["X509", "children", "exists", "item", "raw_data", "x509_columns"]

X509 = "System.Security.Cryptography.X509Certificates.X509Certificate2"
_PROVIDER = "Microsoft.PowerShell.Security\\Certificate"
_STORE = "LocalMachine\\My"


def raw_data(one: Certificate) -> PSArray:
    """Stands for the encoded certificate; nothing can be read from it here."""
    filler = guid_of("certificate", one.thumbprint).text.encode()
    return PSArray([Byte(byte) for byte in b"0\x82\x02\xee" + filler], "System.Byte[]")


def x509_columns(one: Certificate) -> list[tuple[str, Value]]:
    """What an X509Certificate2 shows."""
    return [
        ("Thumbprint", one.thumbprint.upper()),
        ("Subject", one.subject),
        ("Issuer", one.issuer),
        ("NotBefore", moment(one.not_before)),
        ("NotAfter", moment(one.not_after)),
        ("FriendlyName", one.friendly_name),
        ("HasPrivateKey", True),
        ("SerialNumber", f"{one.serial:030X}"),
        ("Version", 3),
        ("Archived", False),
        ("RawData", raw_data(one)),
    ]


def _certificates(here: Machine) -> list[Certificate]:
    return here.world.client_access.certificates(here.host) if here.server.exchange is not None else []


def _object(one: Certificate) -> PSObject:
    made = product(
        [X509, X509.removesuffix("2"), "System.Object"],
        x509_columns(one),
        text=f"[Subject]\r\n  {one.subject}\r\n\r\n[Thumbprint]\r\n  {one.thumbprint.upper()}\r\n",
    )
    names = [
        product(
            ["Microsoft.PowerShell.Commands.DnsNameRepresentation"], [("Punycode", name), ("Unicode", name)], text=name
        )
        for name in one.domains
    ]
    made.set("DnsNameList", list_of(names, "System.Collections.Generic.List`1[[DnsNameRepresentation]]"))
    made.set("PSPath", f"{_PROVIDER}::{_STORE}\\{one.thumbprint.upper()}")
    made.set("PSParentPath", f"{_PROVIDER}::{_STORE}")
    made.set("PSChildName", one.thumbprint.upper())
    return made


def _below(path: str) -> list[str]:
    """The parts of a path below the drive."""
    text = path.replace("/", "\\")
    text = text.rpartition("::")[2] if "::" in text else text.partition(":")[2]
    return [part for part in text.split("\\") if part]


def _found(here: Machine, path: str) -> list[Certificate] | None:
    """The certificates of a path; None when there is no such store."""
    parts = _below(path)
    if [part.casefold() for part in parts[:2]] != ["localmachine", "my"] or len(parts) > 3:
        return None
    every = _certificates(here)
    if len(parts) == 2:
        return every
    return [one for one in every if one.thumbprint.casefold() == parts[2].casefold()]


def exists(here: Machine, path: str) -> bool:
    """Whether there is such a store or certificate."""
    parts = _below(path)
    return bool(_found(here, path)) or [part.casefold() for part in parts] in (
        [],
        ["localmachine"],
        ["localmachine", "my"],
    )


def _missing(call: Invocation, path: str) -> None:
    record = call.record(
        "PathNotFound",
        "ObjectNotFound",
        f"Cannot find path '{path}' because it does not exist.",
        type_name="System.Management.Automation.ItemNotFoundException",
        target=path,
    )
    call.error(record)


def children(call: Invocation, path: str) -> Iterator[Value]:
    """Get-ChildItem of the machine's own store."""
    found = _found(machine(call), path)
    if found is None:
        _missing(call, path)
        return
    yield from (_object(one) for one in found)


def item(call: Invocation, path: str) -> Iterator[Value]:
    """Get-Item of one certificate."""
    found = _found(machine(call), path)
    if not found or len(_below(path)) != 3:
        _missing(call, path)
        return
    yield from (_object(one) for one in found)
