"""Send clients to the service's name instead of a server's."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, DagName, Estate, NotSafe, Server, Settle, Steps, runbook, together, wait
from starover.steps.certificates import Certificates, certificates, shows, uncovered
from starover.steps.client_access import (
    EXTERNAL_AUTH,
    PATHS,
    ClientSettings,
    PrincipalName,
    autodiscover_set,
    autodiscover_uri,
    client_settings,
    mapi_http_set,
    mapi_probe,
    outlook_anywhere_set,
    protection,
    provider_set,
    same_url,
    urls_set,
)
from starover.steps.client_servers import client_servers, legacy_of
from starover.steps.dns import Fqdn
from starover.steps.membership import resolved


@runbook
def namespace_configure(
    estate: Estate,
    internal_fqdn: Fqdn,
    external_fqdn: Fqdn | None = None,
    autodiscover_fqdn: Fqdn | None = None,
    servers: Sequence[Server] = (),
    oa: bool = True,
    ssl_offload: bool = False,
    dag: DagName | None = None,
) -> Steps:
    """Set the URLs of every server to the service's name: virtual directories, Outlook Anywhere, Autodiscover.

    One server first; the others when it has everything as wanted. The certificate that each server shows must be good
    for all names, and DNS must know them. PowerShell's URL stays. Undo puts back what was found.

    internal_fqdn: what clients inside use
    external_fqdn: what clients outside use; the internal name where it is not given
    autodiscover_fqdn: where Outlook looks for its settings; autodiscover.DOMAIN where it is not given
    servers: only these; else every member
    oa: set Outlook Anywhere too
    ssl_offload: TLS ends at a balancer in front, and servers are spoken to in clear; not with Extended Protection
    dag: the DAG; need not be named where the inventory has one
    """
    inside = internal_fqdn.rstrip(".")
    outside = (external_fqdn or internal_fqdn).rstrip(".")
    auto = (autodiscover_fqdn or f"autodiscover.{inside.partition('.')[2]}").rstrip(".")
    if ssl_offload and not oa:
        raise BadParameter(
            "--ssl-offload is about Outlook Anywhere: --oa false leaves it out", certain=("nothing was contacted",)
        )
    chosen = yield from client_servers(estate, servers, dag)
    legacy = yield from legacy_of(chosen)
    yield from _names_fit(chosen, [inside, outside, auto])
    if ssl_offload:
        yield from _not_protected(chosen)
    now = yield from together(
        client_settings.read(server, name=server.name, legacy=legacy[server.name]) for server in chosen
    )

    def part(server: Server, before: ClientSettings) -> Steps:
        yield from _directories(server, before, inside, outside, legacy[server.name])
        for one in before.anywhere if oa else ():
            yield outlook_anywhere_set.on(
                server,
                name=server.name,
                legacy=legacy[server.name],
                vdir=one.vdir,
                internal=inside,
                external=outside,
                internal_ssl=True,
                external_ssl=True,
                external_auth=EXTERNAL_AUTH,
                offloading=ssl_offload,
            )
        yield autodiscover_set.on(server, name=server.name, legacy=legacy[server.name], uri=autodiscover_uri(auto))

    yield from part(chosen[0], now[0])
    yield from wait(
        client_settings,
        chosen[0],
        until=lambda seen: _all_there(seen, inside, outside),
        settle=Settle(every=15, limit=300),
        what=f"{chosen[0].name} sends its clients to {inside}",
        name=chosen[0].name,
        legacy=legacy[chosen[0].name],
    )
    yield from together(part(server, before) for server, before in zip(chosen[1:], now[1:], strict=True))


def _directories(server: Server, before: ClientSettings, inside: str, outside: str, legacy: bool) -> Steps:
    for protocol, path in PATHS.items():
        for one in before.directories:
            if one.protocol == protocol:
                yield urls_set.on(
                    server,
                    name=server.name,
                    legacy=legacy,
                    protocol=protocol,
                    vdir=one.vdir,
                    internal=f"https://{inside}{path}",
                    external=f"https://{outside}{path}",
                )


def _all_there(now: ClientSettings, inside: str, outside: str) -> bool:
    return all(
        same_url(one.internal, f"https://{inside}{PATHS[one.protocol]}")
        and same_url(one.external, f"https://{outside}{PATHS[one.protocol]}")
        for one in now.directories
        if one.protocol in PATHS
    )


def _names_fit(servers: Sequence[Server], names: Sequence[str]) -> Steps:
    """Raises `NotSafe` where a certificate is not good for a name (P42), or DNS does not know it."""
    seen = yield from together(certificates.read(server) for server in servers)
    for server, found in zip(servers, seen, strict=True):
        missing = uncovered(found, names)
        if missing:
            shown = found.shown
            raise NotSafe(
                f"P42: the certificate that {server.name} shows is not good for {', '.join(missing)}",
                certain=(f"it is good for {', '.join(shown.covered) if shown else 'nothing: none is shown'}",),
                next=("starover run cert-check", "import a certificate with these names and enable it for IIS"),
                host=server.name,
            )
    answers = yield from together(resolved.read(servers[0], name=name) for name in dict.fromkeys(names))
    unknown = [name for name, found in zip(dict.fromkeys(names), answers, strict=True) if not found.addresses]
    if unknown:
        raise NotSafe(
            f"DNS does not know {', '.join(unknown)}: clients would be sent nowhere",
            certain=("nothing was changed",),
            next=("starover plan dns-cname --zone ... --name ... --target ...",),
            host=servers[0].name,
        )


def _not_protected(servers: Sequence[Server]) -> Steps:
    """Raises `NotSafe` where Extended Protection is on: it and TLS that ends before the server exclude each other."""
    seen = yield from together(protection.read(server, name=server.name) for server in servers)
    for server, found in zip(servers, seen, strict=True):
        if found.protected:
            raise NotSafe(
                f"P53: Extended Protection is on for {found.protected[0]}"
                + (f" and {len(found.protected) - 1} more" if found.protected[1:] else "")
                + ": TLS must not end before the server",
                certain=("nothing was changed",),
                next=("let the balancer pass TLS through, and leave out --ssl-offload",),
                host=server.name,
            )


@runbook
def mapi_http(estate: Estate, enable: bool = True, dag: DagName | None = None) -> Steps:
    """Let Outlook speak MAPI over HTTP, for the whole organization, and see every member answer it.

    Outlook asks its users to restart it. Undo puts back what was found.

    enable: false goes back to RPC over HTTP
    dag: the DAG; need not be named where the inventory has one
    """
    members = yield from client_servers(estate, (), dag)
    yield mapi_http_set.on(members[0], enabled=enable)
    if enable:
        yield from together(
            wait(
                mapi_probe,
                server,
                until=lambda now: now.succeeded,
                settle=Settle(every=30, limit=600),
                what=f"{server.name} answers MAPI over HTTP",
                expected=True,
                name=server.name,
            )
            for server in members
        )


@runbook
def outlook_provider(
    estate: Estate,
    cert_principal_name: PrincipalName,
    provider: Literal["EXPR", "EXCH", "WEB"] = "EXPR",
    dag: DagName | None = None,
) -> Steps:
    """Tell Outlook which name to expect in the certificate.

    A name that a member does not show locks out everybody who uses Outlook Anywhere, so each member is looked at first.
    Undo puts back what was found.

    cert_principal_name: msstd:mail.example.com, msstd:*.example.com, or none
    provider: EXPR is the one for Outlook Anywhere
    dag: the DAG; need not be named where the inventory has one
    """
    members = yield from client_servers(estate, (), dag)
    wanted = cert_principal_name.partition(":")[2]
    seen = yield from together(certificates.read(server) for server in members)
    wrong = [server.name for server, found in zip(members, seen, strict=True) if not _shows(found, wanted)]
    if wanted and wrong:
        raise NotSafe(
            f"P42: {', '.join(wrong)} shows no certificate with the name {wanted}",
            certain=("nothing was changed",),
            next=("starover run cert-check",),
            host=wrong[0],
        )
    yield provider_set.on(members[0], provider=provider, principal=cert_principal_name)


def _shows(found: Certificates, name: str) -> bool:
    return found.shown is not None and shows(found.shown, name)
