"""What a preflight looks at: reports, queries, and gathering only what the chosen checks need; judges nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from starover.errors import StaroverError, Unreachable
from starover.estate import Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.step import R, Report
from starover.steps.cluster_name import account
from starover.steps.dag import databases, short, volumes
from starover.steps.dag_object import DagObject, Seen, askable, seen
from starover.steps.dns import Records, records
from starover.steps.membership import Resolved, resolved
from starover.steps.preflight_reports import (
    controllers,
    exchange,
    features,
    groups,
    host,
    network,
    pings,
    replication,
    servers,
    services,
    subnets,
)
from starover.steps.witness import (
    FIREWALL_GROUPS,
    WITNESS_PORTS,
    Probe,
    administrators,
    domain_administrators,
    firewall,
    probe,
)

__all__ = ["Facts", "Of", "WitnessFacts", "gather"]

FEATURES = ("Failover-Clustering", "RSAT-Clustering-PowerShell", "NLB")
SERVICES = ("NTDS", "RemoteRegistry")


@dataclass(frozen=True)
class Of:
    """What one host answered. A report that is not there was not asked for, or could not be read: see `errors`."""

    server: Server
    reports: tuple[Report, ...]
    errors: tuple[StaroverError, ...]

    def get(self, kind: type[R]) -> R | None:
        """The report of that type."""
        return next((one for one in self.reports if isinstance(one, kind)), None)

    @property
    def silent(self) -> bool:
        """It could not be reached."""
        return any(isinstance(error, Unreachable) for error in self.errors)

    @property
    def why(self) -> str:
        """What went wrong first; a host that is silent is told of once, by the check that looks at access."""
        if self.silent:
            return "did not answer: see P49"
        return self.errors[0].what if self.errors else "not read"


@dataclass(frozen=True)
class WitnessFacts:
    """A witness host, and how a member sees it."""

    name: str
    role: str
    """`witness` or `alternate witness`."""
    host: Of | None
    """None: the inventory does not have it."""
    ports: Probe | None


@dataclass(frozen=True)
class Facts:
    """Everything that was gathered; what no chosen check needs is not there."""

    estate: Estate
    dag: str
    """The DAG that is looked at, there or not; empty: none is named."""
    members: tuple[Of, ...] = ()
    controllers: tuple[Of, ...] = ()
    witnesses: tuple[WitnessFacts, ...] = ()
    seen: Seen | None = None
    """The DAG as the server that sees most has it; None: no server with Exchange answered, or nobody asked."""
    organization: tuple[Report, ...] = ()
    """What one server says of all: `Servers`, `Databases`, `Groups`."""
    addresses: tuple[tuple[str, Resolved | None], ...] = ()
    """What the first member finds in DNS for each server's FQDN."""
    unread: tuple[str, ...] = ()
    """What went wrong with what is nobody's own."""
    reached: tuple[tuple[str, str, Probe | None], ...] = field(default=())
    """From member to member: who answers on the replication port."""
    client_names: tuple[tuple[str, Records | None], ...] = ()
    """What the first domain controller that answers has for each name of the clients."""

    def said(self, kind: type[R]) -> R | None:
        """What one server said of all."""
        return next((one for one in self.organization if isinstance(one, kind)), None)

    @property
    def object(self) -> DagObject | None:
        """The DAG, if it is there."""
        return self.seen.dag if self.seen is not None and self.seen.dag.found else None


def gather(
    estate: Estate, dag: str, members: Sequence[Server], needs: Collection[str], *, known: Seen | None = None
) -> Steps[Facts]:
    """Ask for what `needs` names, hosts side by side; `known` is the DAG where somebody has read it already.

    Groups of needs: host, features, network, services, ping, exchange, volumes, dag, ports, witness, directory,
    organization, names, clients.
    """
    first = known or (yield from _dag(estate, dag, members, needs))
    parts = [_member(server, members, needs) for server in members]
    parts += [_controller(server, estate, dag, needs) for server in estate.having("dc")]
    answers = yield from together(parts)
    own, others = answers[: len(members)], answers[len(members) :]
    live = [one.server for one in own if one.reports]
    witnesses: tuple[WitnessFacts, ...] = ()
    if "witness" in needs:
        witnesses = tuple((yield from _witnesses(estate, dag, first, live)))
    addresses: list[tuple[str, Resolved | None]] = []
    if "names" in needs and live:
        found = yield from together(attempt(resolved.read(live[0], name=server.fqdn)) for server in members)
        addresses = [(s.fqdn, r if isinstance(r, Resolved) else None) for s, r in zip(members, found, strict=True)]
    organization, unread = yield from _organization(first, live, needs)
    reached = yield from _reached(live, first, needs)
    names: tuple[tuple[str, Records | None], ...] = ()
    if "clients" in needs:
        names = yield from _client_names(estate)
    return Facts(
        estate=estate,
        dag=dag,
        members=tuple(own),
        controllers=tuple(others),
        witnesses=witnesses,
        seen=first,
        organization=organization,
        addresses=tuple(addresses),
        unread=unread,
        reached=reached,
        client_names=names,
    )


def _dag(estate: Estate, dag: str, members: Sequence[Server], needs: Collection[str]) -> Steps[Seen | None]:
    if not dag or not {"dag", "witness", "ports", "organization"} & set(needs):
        return None
    found = yield from attempt(seen(dag, askable(dag, estate, first=members)))
    return found if isinstance(found, Seen) else None


def _member(server: Server, members: Sequence[Server], needs: Collection[str]) -> Steps[Of]:
    others = tuple(other.fqdn for other in members if other is not server)
    wanted: list[tuple[bool, Steps[Report]]] = [
        (True, _widen(host.read(server))),
        ("features" in needs, _widen(features.read(server, names=FEATURES))),
        ("network" in needs, _widen(network.read(server))),
        ("services" in needs, _widen(services.read(server, names=SERVICES))),
        ("ping" in needs and bool(others), _widen(pings.read(server, names=others))),
        ("exchange" in needs, _widen(exchange.read(server, name=server.name))),
        ("volumes" in needs, _widen(volumes.read(server))),
    ]
    return (yield from _of(server, [part for asked, part in wanted if asked]))


def _controller(server: Server, estate: Estate, dag: str, needs: Collection[str]) -> Steps[Of]:
    if "directory" not in needs:
        return Of(server, (), ())
    parts: list[Steps[Report]] = [
        _widen(host.read(server)),
        _widen(controllers.read(server)),
        _widen(subnets.read(server)),
    ]
    if estate.forest.name:
        parts.append(_widen(replication.read(server, forest=estate.forest.name)))
    if dag:
        parts.append(_widen(account.read(server, name=dag)))
    return (yield from _of(server, parts))


def _widen(part: Steps[R]) -> Steps[Report]:
    """A reading as one of any report."""
    return (yield from part)


def _of(server: Server, parts: Iterable[Steps[Report]]) -> Steps[Of]:
    answers = yield from together(attempt(part) for part in parts)
    reports = tuple(answer for answer in answers if isinstance(answer, Report))
    errors = tuple(answer for answer in answers if isinstance(answer, StaroverError))
    return Of(server, reports, errors)


def _witnesses(estate: Estate, dag: str, first: Seen | None, live: Sequence[Server]) -> Steps[list[WitnessFacts]]:
    """The witness hosts that the DAG names, else those that the inventory names for it."""
    known = next((one for one in estate.dags if one.name.casefold() == dag.casefold()), None)
    now = first.dag if first is not None and first.dag.found else None
    pairs = [
        ("witness", (now.witness_server if now else "") or (known.witness if known else "")),
        ("alternate witness", (now.alternate_server if now else "") or (known.alternate_witness if known else "")),
    ]
    found: list[WitnessFacts] = []
    for role, name in pairs:
        if not name:
            continue
        server = next((one for one in estate.servers if same_host(one.name, short(name))), None)
        of: Of | None = None
        if server is not None:
            rights = domain_administrators if "dc" in server.roles else administrators
            parts = [_widen(rights.read(server)), _widen(firewall.read(server, groups=FIREWALL_GROUPS))]
            of = yield from _of(server, parts)
        ports: Probe | None = None
        if live:
            answer = yield from attempt(
                probe.read(live[0], address=server.fqdn if server else name, ports=WITNESS_PORTS)
            )
            ports = answer if isinstance(answer, Probe) else None
        found.append(WitnessFacts(short(name), role, of, ports))
    return found


def _client_names(estate: Estate) -> Steps[tuple[tuple[str, Records | None], ...]]:
    found: list[tuple[str, Records | None]] = []
    for one in estate.client_names:
        name, _, zone = one.name.partition(".")
        here: Records | None = None
        for server in estate.having("dc"):
            answer = yield from attempt(records.read(server, zone=zone, name=name))
            if isinstance(answer, Records):
                here = answer
                break
        found.append((one.name, here))
    return tuple(found)


def _organization(
    first: Seen | None, live: Sequence[Server], needs: Collection[str]
) -> Steps[tuple[tuple[Report, ...], tuple[str, ...]]]:
    asked = [server for server in live if server.exchange is not None]
    if "organization" not in needs or not asked:
        return (), ()
    parts = [_widen(servers.read(asked[0])), _widen(databases.read(asked[0]))]
    if first is not None and first.dag.cluster is not None:
        parts.append(_widen(groups.read(first.server)))
    of = yield from _of(asked[0], parts)
    return of.reports, tuple(error.what for error in of.errors)


def _reached(
    live: Sequence[Server], first: Seen | None, needs: Collection[str]
) -> Steps[tuple[tuple[str, str, Probe | None], ...]]:
    """Whether members reach each other on the DAG's replication port; only a DAG that is there listens."""
    now = first.dag if first is not None and first.dag.found else None
    if "ports" not in needs or now is None:
        return ()
    inside = [server for server in live if now.has(server.name)]
    port = now.replication_port or 64327
    pairs = [(one, other) for one in inside for other in inside if one is not other]
    answers = yield from together(attempt(probe.read(one, address=other.fqdn, ports=(port,))) for one, other in pairs)
    return tuple(
        (one.name, other.name, answer if isinstance(answer, Probe) else None)
        for (one, other), answer in zip(pairs, answers, strict=True)
    )
