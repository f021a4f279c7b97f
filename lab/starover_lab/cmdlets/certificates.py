"""Get- and Enable-ExchangeCertificate, and the bindings of a web server; knows no store.

Over remoting a certificate keeps nothing but its encoded form, from which the caller's side makes a plain X.509
certificate: services and status are gone (facts/exchange.md point 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starover_lab.cmdlets.certificate_store import X509, x509_columns
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, exchange_record, given_list, machine, mutate, reading
from starover_lab.cmdlets.objects import enum, list_of, members, product, text_of
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Long, PSEnum, PSList, PSObject, Value
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
    every = here.world.client_access.certificates(here.host)
    front = [one for one in every if "IIS" in one.services]
    back = [one for one in every if one.self_signed and "Auth" not in one.subject]
    chosen = front if site.startswith("Default") else back or front
    return chosen[0].thumbprint.upper() if chosen else ""


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


BODIES: dict[str, Body] = {"Get-ExchangeCertificate": get_certificate, "Enable-ExchangeCertificate": enable}
WEB_BODIES: dict[str, Body] = {"Get-WebBinding": get_binding}
"""Of the module WebAdministration, which every Exchange server has."""
