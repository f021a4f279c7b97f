"""What an estate's client access looks like as a whole: every server's settings, names and answers, graded; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

import msgspec

from starover.estate import Estate
from starover.names import first_label
from starover.runbook import Finding
from starover.steps.client_access import ClientSettings, MapiHttp, Protection
from starover.steps.dns import Answer

__all__ = ["Days", "access_findings", "client_hosts", "hosts_of", "name_findings"]

Days: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=365, description="1 to 365 days")]
LONG_TTL = 300
"""Seconds above which clients would stay away too long (P31)."""


def hosts_of(now: ClientSettings) -> tuple[str, ...]:
    """Every host that a server sends its clients to."""
    urls = [url for one in now.directories for url in (one.internal, one.external)] + [now.autodiscover]
    hosts = [urlsplit(url).hostname or "" for url in urls]
    hosts += [host for one in now.anywhere for host in (one.internal, one.external)]
    return tuple(dict.fromkeys(host.casefold() for host in hosts if host))


def client_hosts(estate: Estate, settings: Mapping[str, ClientSettings | str]) -> list[str]:
    """The names that clients use: those of the inventory, and those that servers send them to, but for servers' own."""
    own = {server.fqdn.casefold() for server in estate.servers}
    sent = [host for now in settings.values() if not isinstance(now, str) for host in hosts_of(now)]
    names = [*(one.name.casefold() for one in estate.client_names), *sent]
    return [name for name in dict.fromkeys(names) if name not in own]


def access_findings(
    seen: Mapping[str, ClientSettings | str],
    protected: Mapping[str, Protection | str],
    mapi: MapiHttp | str,
    names: Sequence[str],
) -> Iterator[Finding]:
    """P44, P53, MAPI over HTTP, and where servers differ. `names` are those of all servers with Exchange."""
    known = {server: now for server, now in seen.items() if isinstance(now, ClientSettings)}
    for server, now in seen.items():
        if isinstance(now, str):
            yield Finding(check="P44", on=server, level="unknown", says=now)
        else:
            yield _own_names(server, now, names)
    yield from _differences(known)
    yield from _offloading(known, protected)
    if isinstance(mapi, str):
        yield Finding(check="MAPI", on="organization", level="unknown", says=mapi)
    else:
        says = "MAPI over HTTP is " + ("enabled" if mapi.enabled else "disabled: Outlook speaks RPC over HTTP")
        yield Finding(check="MAPI", on="organization", level="ok" if mapi.enabled else "warn", says=says)


def _own_names(server: str, now: ClientSettings, names: Sequence[str]) -> Finding:
    """Clients that know a server's name follow it, and not the service."""
    servers = {first_label(name) for name in names}
    own = [host for host in hosts_of(now) if first_label(host) in servers]
    missing = [one.vdir for one in now.directories if not one.internal]
    if own:
        says = f"clients are sent to a server's own name: {', '.join(own)}"
        return Finding(check="P44", on=server, level="warn", says=says)
    if missing:
        return Finding(check="P44", on=server, level="warn", says=f"no internal URL: {', '.join(missing)}")
    return Finding(check="P44", on=server, level="ok", says=f"clients are sent to {', '.join(hosts_of(now))}")


def _differences(known: Mapping[str, ClientSettings]) -> Iterator[Finding]:
    """Behind one name all servers must answer alike."""
    settings: dict[str, dict[str, list[str]]] = {}
    for server, now in known.items():
        own = {one.protocol: f"{one.internal} {one.external}".strip() or "no URL" for one in now.directories}
        own["Autodiscover"] = now.autodiscover or "none"
        for one in now.anywhere:
            offload = " TLS ended before it" if one.offloading else ""
            own["Outlook Anywhere"] = f"{one.internal} {one.external} {one.external_auth}{offload}".strip()
        for what, value in own.items():
            settings.setdefault(what, {}).setdefault(value.casefold(), []).append(server)
    for what, values in settings.items():
        if len(values) > 1:
            each = "; ".join(f"{', '.join(servers)}: {value}" for value, servers in values.items())
            yield Finding(check="P44", on=what, level="warn", says=f"servers differ: {each}")


def _offloading(known: Mapping[str, ClientSettings], protected: Mapping[str, Protection | str]) -> Iterator[Finding]:
    for server, now in known.items():
        found = protected.get(server, "not asked")
        offloading = any(one.offloading for one in now.anywhere)
        if isinstance(found, str):
            yield Finding(check="P53", on=server, level="unknown", says=found)
        elif found.protected and offloading:
            says = "Extended Protection is on, and Outlook Anywhere has TLS ended before it"
            yield Finding(check="P53", on=server, level="fail", says=says)
        elif found.protected:
            says = "Extended Protection is on: the balancer must pass TLS through, or show the servers' own certificate"
            yield Finding(check="P53", on=server, level="info", says=says)
        else:
            yield Finding(check="P53", on=server, level="ok", says="Extended Protection is off")


def name_findings(answers: Mapping[str, Mapping[str, Answer | str]]) -> Iterator[Finding]:
    """P31: what each DNS server answers for each client name, and for how long it is kept."""
    for name, by_server in answers.items():
        for server, found in by_server.items():
            if isinstance(found, str):
                yield Finding(check="P31", on=name, level="unknown", says=f"{server}: {found}")
        known = {server: found for server, found in by_server.items() if isinstance(found, Answer)}
        silent = [server for server, found in known.items() if not found.addresses]
        if silent:
            yield Finding(check="P31", on=name, level="fail", says=f"{', '.join(silent)} gives no address")
        told = {(found.aliases, tuple(sorted(found.addresses))) for found in known.values() if found.addresses}
        if len(told) > 1:
            yield Finding(check="P31", on=name, level="warn", says="the DNS servers answer differently")
        ttl = max((ttl for found in known.values() for ttl in found.ttls), default=None)
        if ttl is None:
            continue
        first = next(found for found in known.values() if found.ttls)
        aim = first.aliases[0] if first.aliases else ", ".join(first.addresses)
        says = f"{aim}, kept for {ttl} s" + (f": more than {LONG_TTL}" if ttl > LONG_TTL else "")
        yield Finding(check="P31", on=name, level="warn" if ttl > LONG_TTL else "ok", says=says)
