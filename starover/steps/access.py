"""Every right that a run may need, tried beforehand (catalogue, access-check): readings, dry runs and verdicts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from starover.errors import BadParameter, CmdletFailed, StaroverError
from starover.estate import Estate, Server
from starover.rights import TEMPLATE
from starover.runbook import Finding, attempt, together
from starover.step import Query, Report, Steps
from starover.steps.farms import farms_of
from starover.steps.instances import instance_of

__all__ = ["ALL", "RIGHTS", "Hosts", "balancer_rights", "cloud_rights", "rights_of", "skew"]

RIGHTS = ("hello", "clock", "exchange", "cmdlets", "cluster", "dns read", "dns write", "aws describe", "aws stop")
"""What is tried of a host, in the order in which it is tried."""
BALANCERS = "balancer"
"""What is tried of a balancer that has farms."""
SKEW_SECONDS = (60.0, 240.0)
"""From where a clock is told of, and from where Kerberos is about to refuse (300)."""
_ALTERNATIVES = {"ClientAccessServer": "ClientAccessService", "ClientAccessService": "ClientAccessServer"}
"""Nouns of which each version of Exchange has one or both."""


class Hello(Report):
    """Who answers, as whom."""

    name: str
    version: str
    edition: str
    user: str
    utc: datetime


class Exchange(Report):
    """What Exchange says of the server."""

    name: str
    version: str


class Rights(Report):
    """Cmdlets and parameters that the templates need."""

    cmdlets: int
    lacking: tuple[str, ...]
    """`Set-MailboxServer -DatabaseCopyAutoActivationPolicy`."""


class Cluster(Report):
    """The cluster; empty: none runs here."""

    cluster: str


class Dns(Report):
    """A zone, and why a record could not be written to it; empty: it could."""

    zone: str
    refused: str


class Identity(Report):
    """Whose credentials AWS sees."""

    account: str
    arn: str


class Stopping(Report):
    """What a dry run answers where AWS takes it for real: it never does."""

    stopping: tuple[str, ...]


hello = Query("access/hello.ps1.j2", Hello)
exchange_view = Query("access/exchange.ps1.j2", Exchange, deadline=180.0)
rights = Query(TEMPLATE, Rights, deadline=180.0)
cluster = Query("access/cluster.ps1.j2", Cluster)
dns_zone = Query("access/dns.ps1.j2", Dns)
identity = Query("access/identity.call.j2", Identity)
dry_stop = Query("access/stop.call.j2", Stopping)


@dataclass(frozen=True)
class Hosts:
    """`all`, or some by name: `EX1,EX2`."""

    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Hosts:
        """Read it. Raises `BadParameter`."""
        names = tuple(part.strip() for part in text.split(","))
        if not all(names):
            raise BadParameter(f"`{text}` names no hosts", next=("all, or EX1,EX2",))
        return cls() if text.strip().casefold() == "all" else cls(names)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return ",".join(self.names) or "all"

    def of(self, estate: Estate) -> list[Server]:
        """The servers meant. Raises `BadParameter`."""
        return [estate.server(name) for name in self.names] or list(estate.servers)


ALL = Hosts()


def rights_of(server: Server, estate: Estate) -> Steps[tuple[list[Finding], Hello | None]]:
    """Everything that the host itself can tell, one thing after the other; its own clock beside."""
    told = yield from attempt(hello.read(server))
    if isinstance(told, StaroverError):
        return [_missing("hello", server, told)], None
    found = [_hello(server, told)]
    if server.exchange is not None:
        view = yield from attempt(exchange_view.read(server, server=server.name))
        if isinstance(view, StaroverError):
            found.append(_missing("exchange", server, view))
        else:
            says = f"{view.version} by {server.exchange.provider}"
            found.append(_ok("exchange", server, says))
            found.append(_cmdlets(server, (yield from attempt(rights.read(server)))))
    if "mailbox" in server.roles:
        seen = yield from attempt(cluster.read(server))
        if isinstance(seen, StaroverError):
            found.append(_missing("cluster", server, seen))
        else:
            found.append(_ok("cluster", server, seen.cluster or "no cluster runs here"))
    if "dc" in server.roles and estate.forest.name:
        zone = estate.forest.name
        written = yield from attempt(dns_zone.read(server, zone=zone, target=server.fqdn.rstrip(".") + "."))
        found += _dns(server, written)
    return found, told


def cloud_rights(servers: Sequence[Server]) -> Steps[list[Finding]]:
    """What AWS lets its caller do: who he is, what he sees, what he might stop."""
    theirs = [server for server in servers if server.instance]
    if not theirs:
        return []
    who = yield from attempt(identity.read(theirs[0]))
    if isinstance(who, StaroverError):
        found = [Finding(check="aws identity", on="AWS", level="fail", says=who.what)]
    else:
        found = [Finding(check="aws identity", on="AWS", level="ok", says=f"{who.arn} in account {who.account}")]
    for each in (yield from together(_instance(server) for server in theirs)):
        found += each
    return found


def balancer_rights(estate: Estate, servers: Sequence[Server]) -> Steps[list[Finding]]:
    """Whether the API of each balancer with farms answers to its key. The calls are about the first server."""
    able = [one for one in estate.balancers if one.farms]
    told = yield from together(attempt(farms_of.read(servers[0], balancer=one.name)) for one in able)
    return [
        Finding(check=BALANCERS, on=one.name, level="fail", says=seen.what)
        if isinstance(seen, StaroverError)
        else Finding(check=BALANCERS, on=one.name, level="ok", says=f"{len(seen.farms)} farms")
        for one, seen in zip(able, told, strict=True)
    ]


def _instance(server: Server) -> Steps[list[Finding]]:
    seen = yield from attempt(instance_of.read(server, instance=server.instance))
    tried = yield from attempt(dry_stop.read(server, instance=server.instance))
    first = (
        _missing("aws describe", server, seen)
        if isinstance(seen, StaroverError)
        else _ok("aws describe", server, server.instance)
    )
    allowed = isinstance(tried, CmdletFailed) and any(one.fqid == "DryRunOperation" for one in tried.records)
    if allowed:
        return [first, _ok("aws stop", server, "a dry run was allowed")]
    if isinstance(tried, CmdletFailed) and tried.records:
        return [
            first,
            _missing("aws stop", server, StaroverError(f"AWS refuses stop_instances: {tried.records[0].fqid}")),
        ]
    why = tried if isinstance(tried, StaroverError) else StaroverError("the dry run was no dry run")
    return [first, _missing("aws stop", server, why)]


def skew(heard: Sequence[tuple[Server, Hello]]) -> list[Finding]:
    """Clocks that are far from the middle of all: Kerberos refuses at five minutes. Asked side by side, so seconds of
    difference say nothing.
    """
    if not heard:
        return []
    middle = statistics.median(one.utc.timestamp() for _, one in heard)
    found: list[Finding] = []
    for server, one in heard:
        off = one.utc.timestamp() - middle
        level: Literal["ok", "warn", "fail"] = "ok"
        if abs(off) >= SKEW_SECONDS[0]:
            level = "warn" if abs(off) < SKEW_SECONDS[1] else "fail"
        says = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the middle of {len(heard)} hosts"
        found.append(Finding(check="clock", on=server.name, level=level, says=says))
    return found


# -- verdicts ----------------------------------------------------------------------------------------------------------


def _hello(server: Server, told: Hello) -> Finding:
    who = f"PowerShell {told.version} as {told.user}"
    if told.edition.casefold() == "core":
        return Finding(
            check="hello", on=server.name, level="fail", says=f"{who}: PowerShell Core, which has no Exchange"
        )
    return _ok("hello", server, who)


def _cmdlets(server: Server, told: Rights | StaroverError) -> Finding:
    if isinstance(told, Rights):
        if told.lacking:
            return Finding(
                check="cmdlets", on=server.name, level="fail", says=f"RBAC gives no {', '.join(told.lacking)}"
            )
        return _ok("cmdlets", server, f"{told.cmdlets} cmdlets with their parameters")
    said = next((one.message for one in getattr(told, "records", ()) if one.message.startswith("rbac-missing ")), "")
    missing = [name for name in said.removeprefix("rbac-missing ").split(",") if name]
    lost = [name for name in missing if not _replaced(name, missing)]
    if lost:
        return Finding(check="cmdlets", on=server.name, level="fail", says=f"RBAC gives no {', '.join(lost)}")
    if missing:
        return _ok("cmdlets", server, f"all that this version has (not {', '.join(missing)}); parameters not looked at")
    return _missing("cmdlets", server, told)


def _replaced(name: str, missing: Sequence[str]) -> bool:
    """Whether another cmdlet does the same in this version."""
    verb, _, noun = name.partition("-")
    return noun in _ALTERNATIVES and f"{verb}-{_ALTERNATIVES[noun]}" not in missing


def _dns(server: Server, told: Dns | StaroverError) -> list[Finding]:
    if isinstance(told, StaroverError):
        return [_missing("dns read", server, told)]
    read = _ok("dns read", server, told.zone)
    if told.refused:
        return [read, Finding(check="dns write", on=server.name, level="fail", says=told.refused)]
    return [read, _ok("dns write", server, "a record was tried with -WhatIf")]


def _ok(check: str, server: Server, says: str) -> Finding:
    return Finding(check=check, on=server.name, level="ok", says=says)


def _missing(check: str, server: Server, error: StaroverError) -> Finding:
    return Finding(check=check, on=server.name, level="fail", says=error.what)
