"""Which DNS server a survivor asks first: a living one (S-PREFDC); knows no Exchange and no cluster."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from starover.estate import Server
from starover.runbook import Steps, attempt, recall, together
from starover.step import Blocked, Change, Query, Report, Risk, Step, step

__all__ = ["Asking", "Reordered", "Resolvers", "living_first", "resolvers", "resolvers_back", "resolvers_ordered"]


class Asking(Report):
    """An adapter and the addresses of the DNS servers it asks, the first one first."""

    name: str
    servers: tuple[str, ...]


class Resolvers(Report):
    """Of one host (`recovery/resolvers.ps1.j2`)."""

    adapters: tuple[Asking, ...]

    def of(self, adapter: str) -> Asking | None:
        """Those of one adapter."""
        return next((one for one in self.adapters if one.name == adapter), None)


resolvers = Query("recovery/resolvers.ps1.j2", Resolvers)
"""Of the host that is asked."""


def _as_before(prev: Resolvers, server: Server, /, *, adapter: str, order: tuple[str, ...]) -> Step | None:
    before = prev.of(adapter)
    if before is None or before.servers == order:
        return None
    return resolvers_ordered.on(server, adapter=adapter, order=before.servers)


@step(check=resolvers, apply="recovery/order_resolvers.ps1.j2", risk=Risk.LOW, undo=_as_before)
def resolvers_ordered(now: Resolvers, /, *, adapter: str, order: tuple[str, ...]) -> Change | Blocked | None:
    """An adapter asks its DNS servers in this order: names must not wait for one that is lost."""
    found = now.of(adapter)
    if found is None:
        return Blocked(f"it has no adapter {adapter} with DNS servers any more", certain=("nothing was changed",))
    if found.servers == tuple(order):
        return None
    return Change(f"DNS servers of {adapter}", ", ".join(found.servers), ", ".join(order))


@dataclass(frozen=True)
class Reordered:
    """What one adapter of a server should ask."""

    server: Server
    adapter: str
    order: tuple[str, ...]


def living_first(servers: Sequence[Server], lost: Collection[str]) -> Steps[list[Reordered]]:
    """The adapters that ask a lost address first, living ones before it; who does not say is left alone."""
    answers = yield from together(attempt(resolvers.read(server)) for server in servers)
    return [
        Reordered(server, one.name, order)
        for server, now in zip(servers, answers, strict=True)
        if isinstance(now, Resolvers)
        for one in now.adapters
        if one.servers[0] in lost
        and (order := tuple(sorted(one.servers, key=lambda address: address in lost))) != one.servers
    ]


def resolvers_back(servers: Sequence[Server]) -> Steps:
    """The order that each adapter had before a run of ours changed it (failback 2)."""
    answers = yield from together(attempt(resolvers.read(server)) for server in servers)
    for server, now in zip(servers, answers, strict=True):
        for one in now.adapters if isinstance(now, Resolvers) else ():
            before = yield from recall(server, resolvers_ordered, adapter=one.name)
            kept = before.of(one.name) if before is not None else None
            if kept is not None and set(kept.servers) == set(one.servers) and kept.servers != one.servers:
                yield resolvers_ordered.on(server, adapter=one.name, order=kept.servers)
