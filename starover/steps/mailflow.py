"""Mail between servers after a loss: Send connectors without a living source, and mail that can be sent again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starover.estate import Server
from starover.names import same_host
from starover.step import Blocked, Change, Query, Report, Risk, Step, step
from starover.steps.dag import short

__all__ = ["SendConnector", "SendConnectors", "orphaned", "said", "send_connectors", "sent_from"]


class SendConnector(Report):
    """A Send connector."""

    name: str
    identity: str
    enabled: bool
    sources: tuple[str, ...]
    """SourceTransportServers, in whatever form Exchange names them."""
    smart_hosts: tuple[str, ...]

    def living(self, lost: Collection[str]) -> list[str]:
        """Its sources that are not lost."""
        return [short(one) for one in self.sources if not any(same_host(short(one), name) for name in lost)]


class SendConnectors(Report):
    """Every Send connector of the organization (`disaster/send_connectors.ps1.j2`)."""

    connectors: tuple[SendConnector, ...]

    def named(self, name: str) -> SendConnector | None:
        """The connector of that name."""
        return next((one for one in self.connectors if one.name.casefold() == name.casefold()), None)


send_connectors = Query("disaster/send_connectors.ps1.j2", SendConnectors)
"""Of the whole organization."""


def orphaned(connectors: Sequence[SendConnector], lost: Collection[str]) -> list[SendConnector]:
    """Enabled connectors whose every source is lost: their mail waits."""
    return [one for one in connectors if one.enabled and one.sources and not one.living(lost)]


def said(connectors: Sequence[SendConnector], lost: Collection[str]) -> list[str]:
    """Line 9 of the proof: which connectors have lost every source, and which some."""
    gone = orphaned(connectors, lost)
    lines = [f"Send connector {one.name}: every source is lost ({', '.join(map(short, one.sources))})" for one in gone]
    return lines or [f"{len(connectors)} Send connectors, each with a living source"] * bool(connectors)


def _sources_back(
    prev: SendConnectors, server: Server, /, *, connector: str, sources: Sequence[str], lost: Sequence[str]
) -> Step | None:
    del lost
    was = prev.named(connector)
    old = tuple(map(short, was.sources)) if was is not None else ()
    if not old or same_sources(old, sources):
        return None
    return sent_from.on(server, connector=connector, sources=old, lost=())


@step(check=send_connectors, apply="recovery/connector.ps1.j2", risk=Risk.SERVICE, undo=_sources_back)
def sent_from(
    now: SendConnectors, /, *, connector: str, sources: Sequence[str], lost: Sequence[str]
) -> Change | Blocked | None:
    """A Send connector sends from living servers (S-MAILFLOW).

    With `lost` given any connector that has a source beside them is right; without, exactly `sources` are.
    """
    one = now.named(connector)
    if one is None:
        return Blocked(f"there is no Send connector {connector} any more", certain=("nothing was changed",))
    if one.living(lost) if lost else same_sources(tuple(map(short, one.sources)), sources):
        return None
    before = ", ".join(map(short, one.sources)) or "nobody"
    return Change(f"Send connector {connector}", f"from {before}", f"from {', '.join(sources)}")


def same_sources(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two lists name the same servers."""
    return len(one) == len(other) and all(any(same_host(a, b) for b in other) for a in one)
