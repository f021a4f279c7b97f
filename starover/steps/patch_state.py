"""What members lack: updates, restarts, one build of Exchange for all; looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from starover.errors import BadParameter, StaroverError
from starover.estate import Dag, Estate, Server
from starover.runbook import Finding, Steps, attempt, together
from starover.steps.dag import members_of
from starover.steps.preflight_reports import ExchangeFacts, exchange
from starover.steps.update_task import Scan, Setup, scan, setup_of
from starover.steps.updates import Wish

__all__ = ["PARALLEL", "Patches", "looked_at", "of_members", "patch_findings", "scanned"]

PARALLEL = 4
"""Hosts that search at the same time (S-WU-SCAN)."""


@dataclass(frozen=True, kw_only=True)
class Patches:
    """What one host answered; an error where it did not."""

    server: str
    scan: Scan | StaroverError
    setup: Setup | StaroverError
    exchange: ExchangeFacts | StaroverError


def of_members(dag: Dag, estate: Estate, servers: Sequence[Server]) -> list[Server]:
    """These members, or all. Raises `BadParameter` for one that is none."""
    members = members_of(dag, estate)
    foreign = [server.name for server in servers if server not in members]
    if foreign:
        raise BadParameter(
            f"{', '.join(foreign)}: no member of {dag.name}", next=(f"its members: {', '.join(dag.members) or 'none'}",)
        )
    return list(servers) or members


def scanned(servers: Sequence[Server]) -> Steps[dict[str, Scan]]:
    """Search on several hosts, four at a time; all must answer."""
    found: dict[str, Scan] = {}
    for first in range(0, len(servers), PARALLEL):
        some = servers[first : first + PARALLEL]
        found |= dict(
            zip([one.name for one in some], (yield from together(scan.read(one) for one in some)), strict=True)
        )
    return found


def looked_at(servers: Sequence[Server]) -> Steps[tuple[Finding, ...]]:
    """Ask members, four at a time; one that does not answer is a fact."""
    seen: list[Patches] = []
    for first in range(0, len(servers), PARALLEL):
        seen += yield from together(_one(server) for server in servers[first : first + PARALLEL])
    return tuple(patch_findings(seen))


def _one(server: Server) -> Steps[Patches]:
    offered = yield from attempt(scan.read(server))
    left = yield from attempt(setup_of.read(server))
    build = yield from attempt(exchange.read(server, name=server.name))
    return Patches(server=server.name, scan=offered, setup=left, exchange=build)


def patch_findings(seen: Sequence[Patches]) -> Iterator[Finding]:
    """What is to be said of each host, and of all together."""
    for one in seen:
        yield from _of(one)
    builds: dict[str, list[str]] = {}
    for one in seen:
        if isinstance(one.exchange, ExchangeFacts):
            builds.setdefault(one.exchange.file or one.exchange.version, []).append(one.server)
    if len(builds) > 1:
        said = "; ".join(f"{build} on {', '.join(names)}" for build, names in sorted(builds.items()))
        yield Finding(check="build", on="all", level="warn", says=f"members differ: {said}")
    elif builds:
        yield Finding(check="build", on="all", level="ok", says=f"Exchange {next(iter(builds))} everywhere")


def _of(one: Patches) -> Iterator[Finding]:
    if isinstance(one.scan, StaroverError):
        yield Finding(check="updates", on=one.server, level="unknown", says=one.scan.what)
    else:
        wish = Wish()
        wanted = wish.chosen(one.scan.updates)
        by = " (searched as SYSTEM)" if one.scan.how == "system" else ""
        says = f"{len(wanted)} wanted, {len(one.scan.updates) - len(wanted)} more offered{by}"
        yield Finding(check="updates", on=one.server, level="warn" if wanted else "ok", says=says)
        for offer in one.scan.updates:
            why = wish.why_not(offer)
            size = f"{offer.size / 2**20:.0f} MB"
            said = f"{offer.title} ({offer.severity or 'no severity'}, {size}{f', {why}' if why else ''})"
            yield Finding(check=offer.name, on=one.server, level="info" if why else "warn", says=said)
        strong = {"servicing", "windows-update"} & set(one.scan.pending)
        if one.scan.pending:
            says = f"a restart is pending: {', '.join(one.scan.pending)}"
            yield Finding(check="restart", on=one.server, level="warn" if strong else "info", says=says)
        else:
            yield Finding(check="restart", on=one.server, level="ok", says=f"none due; up since {one.scan.boot_time}")
    if isinstance(one.setup, Setup) and one.setup.unfinished:
        says = f"Setup has not ended for {', '.join(one.setup.unfinished)}: starover plan update-repair --server "
        yield Finding(check="setup", on=one.server, level="fail", says=says + one.server)
    if isinstance(one.exchange, ExchangeFacts):
        build = one.exchange.file or one.exchange.version
        yield Finding(check="build", on=one.server, level="info", says=f"Exchange {build}")
    else:
        yield Finding(check="build", on=one.server, level="unknown", says=one.exchange.what)
