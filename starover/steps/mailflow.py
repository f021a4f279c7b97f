"""Mail between servers after a loss: Send connectors without a living source, and mail that can be sent again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starover.estate import Server
from starover.names import same_host
from starover.step import Blocked, Change, Query, Report, Risk, Step, step
from starover.steps.dag import short

__all__ = [
    "EdgeSubscription",
    "EdgeSubscriptions",
    "SendConnector",
    "SendConnectors",
    "edge_subscriptions",
    "orphaned",
    "resubscribe",
    "said",
    "send_connectors",
    "sent_from",
    "severed",
]


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


class EdgeSubscription(Report):
    """An Edge server, and the AD site whose servers carry its mail."""

    name: str
    site: str


class EdgeSubscriptions(Report):
    """Every Edge subscription (`disaster/edge_subscriptions.ps1.j2`)."""

    edges: tuple[EdgeSubscription, ...]


edge_subscriptions = Query("disaster/edge_subscriptions.ps1.j2", EdgeSubscriptions)
"""Of the whole organization."""


def severed(edges: Sequence[EdgeSubscription], sites: Collection[str]) -> list[EdgeSubscription]:
    """Subscriptions to sites that are lost whole: nobody there takes or gives their mail."""
    lost = {one.casefold() for one in sites}
    return [one for one in edges if one.site.rpartition("/")[2].casefold() in lost]


def resubscribe(edge: EdgeSubscription, site: str) -> str:
    """What a person does about one, in order: Edge's own file cannot be written from here."""
    gone = edge.site.rpartition("/")[2]
    return (
        f"Edge {edge.name} is subscribed to {gone}, which is lost: mail goes by a second Edge or another"
        f" MX until it is subscribed to a living site: 1. on {edge.name}: New-EdgeSubscription -FileName"
        f" C:\\edge.xml  2. on a server of {site or 'the surviving site'}: New-EdgeSubscription -FileData (its bytes)"
        f" -Site {site or 'SITE'}  3. Start-EdgeSynchronization  4. Test-EdgeSynchronization"
    )


def orphaned(connectors: Sequence[SendConnector], lost: Collection[str]) -> list[SendConnector]:
    """Enabled connectors whose every source is lost: their mail waits."""
    return [one for one in connectors if one.enabled and one.sources and not one.living(lost)]


def said(
    connectors: Sequence[SendConnector],
    lost: Collection[str],
    edges: Sequence[EdgeSubscription] | None = (),
    sites: Collection[str] = (),
) -> list[str]:
    """Line 9 of the proof: which connectors have lost every source, which some, and which Edge servers their site.

    `edges` None: they could not be read. `sites`: AD sites that are lost whole.
    """
    gone = orphaned(connectors, lost)
    lines = [f"Send connector {one.name}: every source is lost ({', '.join(map(short, one.sources))})" for one in gone]
    lines += [
        f"Send connector {one.name}: sends from {', '.join(one.living(lost))} only"
        for one in connectors
        if one.enabled and one not in gone and 0 < len(one.living(lost)) < len(one.sources)
    ]
    lines = lines or [f"{len(connectors)} Send connectors, each with a living source"] * bool(connectors)
    if edges is None:
        return [*lines, "Edge subscriptions could not be read"]
    cut = [f"Edge {one.name}: its site {one.site.rpartition('/')[2]} is lost" for one in severed(edges, sites)]
    return [*lines, *cut]


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
