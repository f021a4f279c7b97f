"""Exchange's certificate cmdlets, and the bindings of a web server; knows no store.

Over remoting a certificate keeps nothing but its encoded form, from which the caller's side makes a plain X.509
certificate: services and status are gone (facts/exchange.md point 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from starover_lab.cmdlets.certificate_store import X509, x509_columns
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import (
    Machine,
    exchange_error,
    exchange_record,
    given_list,
    machine,
    mutate,
    reading,
    switch,
)
from starover_lab.cmdlets.objects import enum, list_of, members, product, text_of
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import (
    Byte,
    Long,
    PSArray,
    PSEnum,
    PSList,
    PSObject,
    SecureString,
    Unsupported,
    Value,
    enumerate_,
)
from starover_lab.world.client_access import Certificate
from starover_lab.world.errors import WorldError

__all__ = ["BODIES", "WEB_BODIES"]

_NS = "Microsoft.Exchange.Management.SystemConfigurationTasks."
_SERVICES = f"{_NS}AllowedServices"
_RPC = "A special Rpc error occurs on server {0}: The certificate with thumbprint {1} was not found."
"""As published (tr-b68060fa16)."""


def _flags(names: tuple[str, ...]) -> PSEnum:
    """AllowedServices, as it is printed: `IMAP, POP, IIS, SMTP`."""
    known = [name for name in members(_SERVICES) if name in names]
    if not known:
        return enum(_SERVICES, "None")
    return PSEnum(_SERVICES, ", ".join(known), sum(enum(_SERVICES, name).number for name in known))


def _certificate(here: Machine, one: Certificate) -> PSObject:
    valid = one.not_before <= here.world.now < one.not_after
    domain = "Microsoft.Exchange.Data.SmtpDomainWithSubdomains"
    return product(
        [_NS + "ExchangeCertificate", X509, X509.removesuffix("2"), "System.Object"],
        [
            *x509_columns(one),
            ("CertificateDomains", list_of([product([domain], [], text=name) for name in one.domains])),
            ("IsSelfSigned", one.self_signed),
            ("PublicKeySize", 2048),
            ("RootCAType", "None" if one.self_signed else "Enterprise"),
            ("Services", _flags(one.services)),
            ("Status", enum(f"{_NS}CertificateStatus", "Valid" if valid else "DateInvalid")),
        ],
        text=f"[Subject]\r\n  {one.subject}\r\n\r\n[Thumbprint]\r\n  {one.thumbprint.upper()}\r\n",
    )


def get_certificate(call: Invocation) -> Iterator[Value]:
    """Get-ExchangeCertificate of a server, or the one with a thumbprint; Exchange asks the other server itself."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        server, _, thumbprint = text_of(bound.get("Identity")).rpartition("\\")
        thumbprint = text_of(bound.get("Thumbprint")) or thumbprint
        asked = text_of(bound.get("Server")) or server or here.host
        try:
            host = here.world.reach(here.host, known_server(here, asked))
        except WorldError as error:
            call.error(exchange_error(call, error, asked, dc))
            continue
        every = here.world.client_access.certificates(host.name)
        found = [one for one in every if not thumbprint or one.thumbprint.casefold() == thumbprint.casefold()]
        if thumbprint and not found:
            kind = "System.InvalidOperationException"
            message = _RPC.format(host.name, thumbprint)
            call.error(exchange_record(call, kind, "NotSpecified", message))
        names = given_list(bound.get("DomainName"))
        for one in found:
            if not names or any(fits(domain, name) for domain in one.domains for name in names):
                yield _certificate(here, one)


def enable(call: Invocation) -> Iterator[Value]:
    """Enable-ExchangeCertificate: adds services to those that a certificate has."""
    for bound in call.records():
        here = machine(call)
        thumbprint = text_of(bound.get("Thumbprint") or bound.get("Identity")).rpartition("\\")[2]
        given = bound.get("Services")
        texts = given_list(given) if isinstance(given, PSList) or not isinstance(given, str) else [given]
        services = [one.strip().upper() for text in texts for one in text.split(",")]
        wanted = [name for name in members(_SERVICES) if name.upper() in services]
        asked = text_of(bound.get("Server")) or here.host
        try:
            host = here.world.reach(here.host, known_server(here, asked))
            every = here.world.client_access.certificates(host.name)
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, asked))
            continue
        if not any(one.thumbprint.casefold() == thumbprint.casefold() for one in every):
            reading(call)
            kind = "System.InvalidOperationException"
            call.error(exchange_record(call, kind, "NotSpecified", _RPC.format(host.name, thumbprint)))
            continue
        act = partial(here.world.client_access.enable_certificate, host.name, here.host, thumbprint, wanted)
        mutate(call, thumbprint, bound, act)
    yield from ()


# -- from one store into another

_PFX = b"starover-lab-pfx "
"""Before the pretended content of a PFX: thumbprint, and a hash of its password."""
_KEY = (
    "A special Rpc error occurs on server {0}: Cannot export the certificate. The private key couldn't be exported as "
    "PKCS-12. Either it couldn't be accessed by Exchange or it isn't exportable."
)
_IMPORT = "A special Rpc error occurs on server {0}: Cannot import certificate. "
_THERE = _IMPORT + "A certificate with the thumbprint {1} already exists."
_LOCKED = _IMPORT + "The specified network password is not correct."


def _lock(thumbprint: str, password: SecureString) -> bytes:
    return hashlib.sha256(f"{thumbprint} {password.secret}".encode()).hexdigest().encode()


def _pfx(one: Certificate, password: SecureString) -> PSArray:
    content = _PFX + one.thumbprint.upper().encode() + b" " + _lock(one.thumbprint.upper(), password)
    return PSArray([Byte(byte) for byte in content], "System.Byte[]")


def _reached(call: Invocation, here: Machine, bound: Mapping[str, Value]) -> str | None:
    """The server that is meant; None: the error has been told."""
    asked = text_of(bound.get("Server")) or here.host
    try:
        return here.world.reach(here.host, known_server(here, asked)).name
    except WorldError as error:
        reading(call)
        call.error(exchange_error(call, error, asked))
        return None


def _failed(call: Invocation, message: str) -> None:
    call.error(exchange_record(call, "System.InvalidOperationException", "NotSpecified", message))


def export(call: Invocation) -> Iterator[Value]:
    """Export-ExchangeCertificate -BinaryEncoded: the PFX as bytes. Into a file it is not simulated."""
    for bound in call.records():
        here = reading(call)
        if "FileName" in bound or not switch(bound.get("BinaryEncoded")):
            raise Unsupported("Export-ExchangeCertificate without -BinaryEncoded: the lab does not simulate it")
        thumbprint = text_of(bound.get("Thumbprint") or bound.get("Identity")).rpartition("\\")[2]
        host, password = _reached(call, here, bound), bound.get("Password")
        if host is None:
            continue
        if not isinstance(password, SecureString):
            raise Unsupported("Export-ExchangeCertificate without -Password: the lab does not simulate it")
        try:
            found = here.world.client_access.export_certificate(host, thumbprint)
        except WorldError as error:
            _failed(call, (_RPC if error.kind == "not_found" else _KEY).format(host, thumbprint))
            continue
        kind = "Microsoft.Exchange.Management.SystemConfigurationTasks.BinaryFileDataObject"
        yield product([kind, "System.Object"], [("FileData", _pfx(found, password))], text=kind)


def import_(call: Invocation) -> Iterator[Value]:
    """Import-ExchangeCertificate -FileData: what was exported, with the password it was exported with."""
    for bound in call.records():
        here = machine(call)
        data, password = bound.get("FileData"), bound.get("Password")
        if not isinstance(data, PSArray) or not isinstance(password, SecureString):
            raise Unsupported(
                "Import-ExchangeCertificate without -FileData and -Password: the lab does not simulate it"
            )
        host = _reached(call, here, bound)
        if host is None:
            continue
        content = bytes(int(one) for one in enumerate_(data) if isinstance(one, Byte))
        thumbprint, _, lock = content.removeprefix(_PFX).partition(b" ")
        found = _anywhere(here, thumbprint.decode("ascii", "replace"))
        if found is None:
            raise Unsupported("Import-ExchangeCertificate of a file that the lab has not exported")
        if lock != _lock(found.thumbprint.upper(), password):
            reading(call)
            _failed(call, _LOCKED.format(host))
            continue
        if any(one.thumbprint == found.thumbprint for one in here.world.client_access.certificates(host)):
            reading(call)
            _failed(call, _THERE.format(host, found.thumbprint.upper()))
            continue
        exportable = switch(bound.get("PrivateKeyExportable")) or bound.get("PrivateKeyExportable") is True
        new = replace(found, exportable=exportable, services=())
        told = {name: value for name, value in bound.items() if name != "FileData"}
        act = partial(here.world.client_access.import_certificate, host, here.host, new)
        if mutate(call, found.thumbprint, told, act):
            yield _certificate(here, new)


def _anywhere(here: Machine, thumbprint: str) -> Certificate | None:
    servers = [one.name for one in here.world.state.servers if one.exchange is not None]
    every = (one for name in servers for one in here.world.client_access.certificates(name))
    return next((one for one in every if one.thumbprint.casefold() == thumbprint.casefold()), None)


# -- the web server's bindings

_SITES = (
    (
        "Default Web Site",
        1,
        (("http", "*:80:"), ("https", ":443:"), ("http", "127.0.0.1:80:"), ("https", "127.0.0.1:443:")),
    ),
    ("Exchange Back End", 2, (("http", "*:81:"), ("https", "*:444:"))),
)
_ELEMENT = "Microsoft.IIs.PowerShell.Framework.ConfigurationElement"


def _hash(here: Machine, site: str) -> str:
    """The thumbprint that a site serves: the front end IIS's certificate, the back end the self-signed one."""
    access = here.world.client_access
    front = next((one for one in access.certificates(here.host) if "IIS" in one.services), None)
    chosen = front if site.startswith("Default") else access.back_end(here.host)
    return chosen.thumbprint.upper() if chosen is not None else ""


def get_binding(call: Invocation) -> Iterator[Value]:
    """Get-WebBinding of this host."""
    here = reading(call)
    bound = call.bound
    names, protocols = given_list(bound.get("Name")), given_list(bound.get("Protocol"))
    port = text_of(bound.get("Port"))
    for site, number, bindings in _SITES:
        if names and not any(fits(site, name) for name in names):
            continue
        for protocol, information in bindings:
            if (protocols and protocol not in {one.casefold() for one in protocols}) or (
                port and information.split(":")[1] != port
            ):
                continue
            secure = protocol == "https"
            made = product(
                [f"{_ELEMENT}#bindings#binding", _ELEMENT, "System.Object"],
                [
                    ("Attributes", list_of([], f"{_ELEMENT[:-7]}AttributeCollection")),
                    ("ChildElements", list_of([], f"{_ELEMENT[:-7]}ChildElementCollection")),
                    ("ElementTagName", "binding"),
                    ("Methods", list_of([], f"{_ELEMENT[:-7]}MethodCollection")),
                    ("Schema", product([f"{_ELEMENT}Schema", "System.Object"], [])),
                ],
                text=_ELEMENT,
            )
            for name, value in (
                ("protocol", protocol),
                ("bindingInformation", information),
                ("sslFlags", Long(0)),
                ("isDsMapperEnabled", False),
                ("certificateHash", _hash(here, site) if secure else ""),
                ("certificateStoreName", "MY" if secure else ""),
                ("ItemXPath", f"/system.applicationHost/sites/site[@name='{site}' and @id='{number}']"),
            ):
                made.set(name, value)
            yield made


BODIES: dict[str, Body] = {
    "Get-ExchangeCertificate": get_certificate,
    "Enable-ExchangeCertificate": enable,
    "Export-ExchangeCertificate": export,
    "Import-ExchangeCertificate": import_,
}
WEB_BODIES: dict[str, Body] = {"Get-WebBinding": get_binding}
"""Of the module WebAdministration, which every Exchange server has."""
