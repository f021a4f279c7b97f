r"""The virtual directories of Exchange servers: Get- and Set-*VirtualDirectory; knows no web server.

An identity is `SERVER\owa (Default Web Site)`. Without -ADPropertiesOnly a Get asks the web server of each host, which
must answer; authentication methods and Extended Protection are blank with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from starover_lab.cmdlets.dag_tasks import NOTHING_CHANGED
from starover_lab.cmdlets.databases import ad_columns
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, given_list, machine, mutate, reading, switch
from starover_lab.cmdlets.objects import (
    DATA,
    ad_id,
    enum,
    guid_of,
    list_of,
    make,
    members,
    server_version,
    shape,
    text_of,
)
from starover_lab.cmdlets.uris import uri
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, Unsupported, Value
from starover_lab.world.client_access import VirtualDirectory
from starover_lab.world.client_settings import ExtendedProtection
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same

__all__ = ["AUTHENTICATION", "BODIES", "boolean", "own_columns", "servers_asked", "split_identity"]

AUTHENTICATION = "AuthenticationMethod"
_SITE = "Default Web Site"
_METHODS = f"{DATA}Directory.ADMultiValuedProperty`1[[{DATA}Directory.SystemConfiguration.{AUTHENTICATION}]]"


@dataclass(frozen=True)
class _Kind:
    """One sort of virtual directory."""

    noun: str
    """As in Get-OwaVirtualDirectory."""
    name: str
    """As IIS has it."""
    schema: str


_KINDS = (
    _Kind("Owa", "owa", "ms-Exch-OWA-Virtual-Directory"),
    _Kind("Ecp", "ecp", "ms-Exch-ECP-Virtual-Directory"),
    _Kind("WebServices", "EWS", "ms-Exch-Web-Services-Virtual-Directory"),
    _Kind("ActiveSync", "Microsoft-Server-ActiveSync", "ms-Exch-Mobile-Virtual-Directory"),
    _Kind("Oab", "OAB", "ms-Exch-OAB-Virtual-Directory"),
    _Kind("Mapi", "mapi", "ms-Exch-Mapi-Virtual-Directory"),
    _Kind("PowerShell", "PowerShell", "ms-Exch-Power-Shell-Virtual-Directory"),
    _Kind("Autodiscover", "Autodiscover", "ms-Exch-Auto-Discover-Virtual-Directory"),
)
_FLAGS = {
    "BasicAuthentication": "Basic",
    "BasicAuthEnabled": "Basic",
    "WindowsAuthentication": "WindowsIntegrated",
    "WindowsAuthEnabled": "WindowsIntegrated",
    "DigestAuthentication": "Digest",
    "FormsAuthentication": "Fba",
    "OAuthAuthentication": "OAuth",
    "WSSecurityAuthentication": "WSSecurity",
}
"""Parameters and properties that say whether one authentication method is on."""
_NO_IIS = (
    "The task wasn't able to connect to IIS on the server '{0}'. Make sure that the server exists and can be reached "
    "from this computer: The RPC server is unavailable."
)
_ECP_TOO = (
    "You've changed the InternalURL or ExternalURL for the OWA virtual directory. Please make the same change for the "
    "ECP virtual directory in the same website."
)
"""Both from memory."""


def split_identity(identity: str, here: Machine) -> tuple[str, str]:
    r"""Server and name of `SERVER\owa (Default Web Site)`; without a server this one."""
    server, slash, name = identity.rpartition("\\")
    return (server if slash else here.host), name.partition(" (")[0]


def servers_asked(here: Machine, bound: Mapping[str, Value]) -> list[str]:
    r"""The Exchange servers that -Server or -Identity means, all without. Raises `not_found`."""
    server, identity = text_of(bound.get("Server")), text_of(bound.get("Identity"))
    if server or identity:
        return [known_server(here, server or split_identity(identity, here)[0])]
    return sorted((one.name for one in here.world.state.servers if one.exchange is not None), key=str.casefold)


def own_columns(here: Machine, server: str, label: str, schema: str, dc: str) -> dict[str, Value]:
    r"""What every object below a server's protocols shows about itself; `label` is its name in AD."""
    domain = here.world.state.dns_name
    columns = ad_columns(here, label, "server", guid_of("vdir", server, label).text, dc, schema)
    of_server = ad_id(server, "server", domain)
    identity = columns["Identity"]
    assert isinstance(identity, PSObject)
    dn = f"CN={label},CN=HTTP,CN=Protocols,{text_of(of_server.get('DistinguishedName'))}"
    identity.set("DistinguishedName", dn)
    identity.set("Name", label)
    identity.text = f"{server}\\{label}"
    build = here.world.server(server).exchange
    return columns | {
        "DistinguishedName": dn,
        "Server": of_server,
        "AdminDisplayVersion": server_version(build.build) if build is not None else None,
    }


def methods(names: tuple[str, ...], type_name: str = _METHODS) -> Value:
    """A list of authentication methods."""
    known = {name.casefold(): name for name in members(DATA + "Directory.SystemConfiguration." + AUTHENTICATION)}
    return list_of([enum(AUTHENTICATION, known[name.casefold()]) for name in names], type_name)


def _object(here: Machine, kind: _Kind, view: VirtualDirectory, dc: str, *, ad_only: bool) -> PSObject:
    cmdlet = f"Get-{kind.noun}VirtualDirectory"
    known = {row.name for row in shape(cmdlet).properties}
    label = f"{view.name} ({_SITE})"
    live = () if ad_only else view.internal_auth
    values: dict[str, Value] = own_columns(here, view.server, label, kind.schema, dc) | {
        "InternalUrl": uri(view.internal_url),
        "ExternalUrl": uri(view.external_url),
        "InternalAuthenticationMethods": methods(live),
        "ExternalAuthenticationMethods": methods(view.external_auth),
        "IISAuthenticationMethods": methods(view.iis_auth),
        "ExtendedProtectionTokenChecking": "None" if ad_only else view.extended_protection,
        "MetabasePath": f"IIS://{here.world.server(view.server).fqdn}/W3SVC/1/ROOT/{view.name}",
        "ServerName": view.server,
        "VirtualDirectoryName": view.name,
    }
    values |= {flag: method in live for flag, method in _FLAGS.items()}
    return make(
        cmdlet, {name: value for name, value in values.items() if name in known}, text=f"{view.server}\\{label}"
    )


def _answers(call: Invocation, here: Machine, server: str) -> bool:
    """Whether the web server of a host can be asked; if not, that is reported."""
    try:
        here.world.reach(here.host, server)
    except WorldError as error:
        call.wait(error.blocked_s)
    else:
        if here.world.state.runs(here.world.server(server), "W3SVC"):
            return True
    message = _NO_IIS.format(here.world.server(server).fqdn)
    kind = "Microsoft.Exchange.Management.Metabase.IISGeneralCOMException"
    call.error(call.record("IISGeneralCOMException", "ReadError", message, type_name=kind, target=server))
    return False


def _reader(kind: _Kind) -> Body:
    def body(call: Invocation) -> Iterator[Value]:
        for bound in call.records():
            here = reading(call)
            dc = here.dc(bound.get("DomainController"))
            identity = text_of(bound.get("Identity"))
            ad_only = switch(bound.get("ADPropertiesOnly"))
            try:
                name = split_identity(identity, here)[1] if identity else kind.name
                if not same(name, kind.name):
                    raise WorldError("not_found", f"no {identity}", object="vdir", name=identity)
                origin = here.world.dc_of(here.host, dc).name
                for server in servers_asked(here, bound):
                    if ad_only or _answers(call, here, server):
                        view = here.world.client_access.vdir(server, kind.name)
                        yield _object(here, kind, view, origin, ad_only=ad_only)
            except WorldError as error:
                call.error(exchange_error(call, error, identity or text_of(bound.get("Server")), dc))

    return body


def boolean(value: Value) -> bool | None:
    """A switch-like argument; None: not given."""
    return None if value is None else bool(value)


def _protection(text: str) -> ExtendedProtection | None:
    for one in ("None", "Allow", "Require"):
        if text == one:
            return one
    return None


_SETTABLE = {
    "Identity",
    "DomainController",
    "InternalUrl",
    "ExternalUrl",
    "ExternalAuthenticationMethods",
    "InternalAuthenticationMethods",
    "IISAuthenticationMethods",
    "ExtendedProtectionTokenChecking",
    "Force",
    *_FLAGS,
}


def _authentication(bound: Mapping[str, Value], now: tuple[str, ...]) -> list[str] | None:
    """The internal methods after the flags that a call sets; None: it sets none."""
    if "InternalAuthenticationMethods" in bound:
        return given_list(bound["InternalAuthenticationMethods"])
    set_ = {method: bool(bound[flag]) for flag, method in _FLAGS.items() if bound.get(flag) is not None}
    if not set_:
        return None
    kept = [one for one in now if set_.get(one, True)]
    return [*kept, *(one for one, on in set_.items() if on and one not in kept)]


def _text(bound: Mapping[str, Value], name: str) -> str | None:
    """A text that was given; `$null` clears."""
    return text_of(bound[name]) if name in bound else None


def _writer(kind: _Kind) -> Body:
    def body(call: Invocation) -> Iterator[Value]:
        for bound in call.records():
            other = sorted(name for name in bound if name not in _SETTABLE)
            if other:
                raise Unsupported(f"{call.spec.name} -{other[0]}: the lab does not simulate it")
            here = machine(call)
            dc = here.dc(bound.get("DomainController"))
            identity = text_of(bound.get("Identity"))
            try:
                server = known_server(here, split_identity(identity, here)[0])
                if not same(split_identity(identity, here)[1], kind.name):
                    raise WorldError("not_found", f"no {identity}", object="vdir", name=identity)
                before = here.world.client_access.vdir(server, kind.name)
            except WorldError as error:
                reading(call)
                call.error(exchange_error(call, error, identity, dc))
                continue
            urls = [name for name in ("InternalUrl", "ExternalUrl") if name in bound]
            if kind.name == "mapi" and urls and "IISAuthenticationMethods" not in bound:
                message = (
                    "Specify the IISAuthenticationMethods parameter when you change the InternalUrl or ExternalUrl."
                )
                call.error(
                    call.record("ArgumentException", "InvalidArgument", message, type_name="System.ArgumentException")
                )
                continue
            _write(call, here, kind, before, bound, dc)
        yield from ()

    return body


def _write(
    call: Invocation, here: Machine, kind: _Kind, before: VirtualDirectory, bound: Mapping[str, Value], dc: str | None
) -> None:
    external, iis = (
        given_list(bound[name]) if name in bound else None
        for name in ("ExternalAuthenticationMethods", "IISAuthenticationMethods")
    )
    act = partial(
        here.world.client_access.set_vdir,
        before.server,
        kind.name,
        here.host,
        internal_url=_text(bound, "InternalUrl"),
        external_url=_text(bound, "ExternalUrl"),
        internal_auth=_authentication(bound, before.internal_auth),
        external_auth=external,
        iis_auth=iis,
        extended_protection=_protection(text_of(bound.get("ExtendedProtectionTokenChecking"))),
    )
    target = f"{before.server}\\{before.name} ({_SITE})"
    if not mutate(call, target, bound, act, dc=dc):
        return
    after = here.world.client_access.vdir(before.server, kind.name)
    if after == before:
        call.warning(NOTHING_CHANGED.format(target))
    elif kind.name == "owa" and (after.internal_url, after.external_url) != (before.internal_url, before.external_url):
        ecp = here.world.client_access.vdir(before.server, "ecp")
        if any(
            _host(own) != _host(other)
            for own, other in ((after.internal_url, ecp.internal_url), (after.external_url, ecp.external_url))
        ):
            call.warning(_ECP_TOO)


def _host(url: str) -> str:
    return url.partition("//")[2].partition("/")[0].casefold()


BODIES: dict[str, Body] = {f"Get-{kind.noun}VirtualDirectory": _reader(kind) for kind in _KINDS} | {
    f"Set-{kind.noun}VirtualDirectory": _writer(kind) for kind in _KINDS
}
