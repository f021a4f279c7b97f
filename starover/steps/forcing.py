"""Whether, and how, quorum may be forced: the way that fits the facts, and every guard before it; changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from starover.command_line import command_of
from starover.errors import NotSafe
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Findings
from starover.steps.assessing import Assessed
from starover.steps.dag import short
from starover.steps.dag_object import DagObject, listed
from starover.steps.dag_recovery import standing
from starover.steps.disaster import Heard
from starover.steps.losses import Loss, log_space
from starover.steps.situation import force_node

__all__ = ["ForceReport", "Mode", "Way", "pinned", "survivor_warnings", "way_of"]

Mode = Literal["dac", "nodac", "temporary"]
UNTOUCHED = ("nothing was changed",)


@dataclass(frozen=True)
class Way:
    """How quorum comes back."""

    mode: Mode
    lost: tuple[str, ...]
    """Members that are given up for now."""
    survivors: tuple[Server, ...]
    asked: Server
    """A survivor with an Exchange session: Exchange is asked there."""
    node: Server
    """Where quorum is forced; with DAC, where the cluster is looked at."""
    controller: str
    """A domain controller of this side; empty: none answers."""
    lost_controllers: tuple[str, ...]
    """FQDNs of domain controllers that do not answer."""
    done: bool
    """The cluster of the survivors stands already: a second run."""


class ForceReport(Findings, frozen=True, kw_only=True):
    """What force-quorum did, and what is left to do."""

    dag: str
    mode: str
    lost: tuple[str, ...]
    cost: tuple[Loss, ...] = ()
    """As they were before anything was forced."""
    notice: tuple[str, ...] = ()


def way_of(
    found: Assessed,
    dag: Dag,
    estate: Estate,
    *,
    mode: str,
    lost: Sequence[str],
    node: Server | None,
    surviving_site: str,
) -> Way:
    """The way that the decision table allows. Raises `NotSafe` with the right runbook where it is another one.

    `lost`: what a person named; empty: whoever does not answer.
    """
    gone = tuple(lost) or found.situation.lost_members
    members = estate.members(dag)
    survivors = tuple(one for one in members if not any(same_host(one.name, name) for name in gone))
    object_ = found.seen.object
    if not gone and mode != "temporary":
        _refuse_by_table(found)
    if not survivors:
        raise NotSafe(f"G-ADSITE: no member of {dag.name} would be left", certain=UNTOUCHED)
    silent = [one.name for one in survivors if (host := found.seen.host(one.name)) is None or not host.answers]
    if silent:
        raise NotSafe(
            f"G-ACCESS: {', '.join(silent)} would survive, and does not answer",
            certain=UNTOUCHED,
            uncertain=tuple(f"whether {name} runs" for name in silent),
            next=(f"--lost-server {','.join([*gone, *silent])}   if it is lost too",),
        )
    if surviving_site and any(one.site.casefold() != surviving_site.casefold() for one in survivors):
        others = ", ".join(one.name for one in survivors if one.site.casefold() != surviving_site.casefold())
        raise NotSafe(
            f"G-ADSITE: {others} would survive too and is not in {surviving_site}",
            certain=UNTOUCHED,
            next=("leave --surviving-site out where survivors lie in several sites",),
        )
    done = _done(object_, found, survivors, gone)
    chosen = _mode(mode, object_, found, done=done)
    _refuse_living(found, gone, done=done)
    return Way(
        mode=chosen,
        lost=gone,
        survivors=survivors,
        asked=_asked(found, survivors),
        node=_node(found, survivors, node, estate),
        controller=_controller(found, survivors, estate),
        lost_controllers=tuple(
            estate.server(one.server).fqdn for one in found.seen.others if one.role == "dc" and not one.answers
        ),
        done=done,
    )


def pinned(way: Way, estate: Estate) -> tuple[Estate, Way]:
    """S-PREFDC: every Exchange session from here on with the domain controller of this side.

    A person's own pin (`--dc`) stays; a session without a language (`direct`) cannot be pinned.
    """
    kinds = [one.exchange for one in way.survivors if one.exchange is not None]
    if not way.controller or any(one.provider == "direct" or one.controller for one in kinds):
        return estate, way
    here = estate.pinned(way.controller)
    survivors = tuple(here.server(one.name) for one in way.survivors)
    asked, node = here.server(way.asked.name), here.server(way.node.name)
    return here, dataclasses.replace(way, survivors=survivors, asked=asked, node=node)


def _done(found: DagObject | None, seen: Assessed, survivors: Sequence[Server], lost: Sequence[str]) -> bool:
    """Whether the survivors are the cluster already, with none of the lost ones in it."""
    names = [one.name for one in survivors]
    if found is not None and standing(found, names, lost):
        return bool(lost)
    views = [host.cluster for host in seen.seen.members if host.cluster is not None]
    return bool(lost) and any(
        not any(listed(node.name, lost) for node in view.nodes)
        and any(node.state in ("Up", "Paused") for node in view.nodes)
        for view in views
    )


def _mode(mode: str, found: DagObject | None, seen: Assessed, *, done: bool) -> Mode:
    """`--mode`, or what DAC says. Raises `NotSafe` for one that contradicts the table."""
    decision = seen.decision
    dac = found.activation_mode if found is not None else ""
    if dac not in ("DagOnly", "Off"):
        raise NotSafe(
            "nobody could read whether DAC is on, so no way is safe",
            certain=UNTOUCHED,
            next=("starover assess   names who is missing",),
        )
    own: Mode = "dac" if dac == "DagOnly" else "nodac"
    if mode == "temporary":
        if seen.situation.clusters and not done:
            _refuse_by_table(seen)
        running = [one for one in seen.situation.lost if one.role == "member" and one.level != "F1"]
        if running:
            raise NotSafe(
                f"the cluster service of {', '.join(one.name for one in running)} is not proven stopped",
                certain=(*(f"{one.name}: {one.why}" for one in running), *UNTOUCHED),
                next=("starover plan start-nodes", f"starover plan fence --lost-server {running[0].name}"),
            )
        return "temporary"
    if mode not in ("auto", own):
        raise NotSafe(
            f"--mode {mode} contradicts the DAG: DatacenterActivationMode is {dac}",
            certain=UNTOUCHED,
            next=(f"--mode {own}, or auto",),
        )
    if not done and decision.answer != "force-quorum":
        _refuse_by_table(seen)
    return own


def _refuse_by_table(found: Assessed) -> None:
    decision = found.decision
    command = command_of(decision.runbook, decision.parameters) if decision.runbook else "starover watch"
    raise NotSafe(
        f"az-loss-assess answers `{decision.answer}`, not force-quorum: {decision.verdict}",
        certain=(*decision.certain, *UNTOUCHED),
        uncertain=decision.uncertain,
        next=(command,),
    )


def _refuse_living(found: Assessed, lost: Sequence[str], *, done: bool) -> None:
    """Never force while another cluster has quorum, or while anything is mounted."""
    for one in found.situation.clusters:
        outside = [name for name in one.nodes if listed(name, lost)]
        if outside:
            raise NotSafe(
                f"G-QUORUM: {', '.join(map(short, one.nodes))} have quorum, and {', '.join(outside)} is among them",
                certain=(f"{one.seen_by} says so", *UNTOUCHED),
                next=("starover assess",),
            )
    if found.situation.mounted and not done:
        raise NotSafe(
            f"{', '.join(found.situation.mounted)} mounted: quorum is never forced while a database serves",
            certain=UNTOUCHED,
            next=("starover assess",),
        )


def _asked(found: Assessed, survivors: Sequence[Server]) -> Server:
    for one in survivors:
        host = found.seen.host(one.name)
        if host is not None and host.dag is not None and host.copies is not None:
            return one
    errors = [text for one in survivors if (host := found.seen.host(one.name)) for text in host.errors]
    raise NotSafe(
        "G-SURVIVE: no survivor has an Exchange session that answers",
        certain=(*errors, *UNTOUCHED),
        next=("exchange.provider snapin under --break-glass, where IIS is dead", "starover assess"),
    )


def _node(found: Assessed, survivors: Sequence[Server], given: Server | None, estate: Estate) -> Server:
    if given is not None:
        if given not in survivors:
            raise NotSafe(f"--force-node {given.name} is not among the survivors", certain=UNTOUCHED)
        return given
    own = found.seen
    up = [name for one in found.situation.clusters for name in one.nodes]
    if up:
        return estate.server(short(up[0]))
    best = force_node(msgspec.structs.replace(own, members=tuple(_hosts(found, survivors))))
    return estate.server(best) if best else survivors[0]


def _hosts(found: Assessed, survivors: Sequence[Server]) -> list[Heard]:
    return [host for one in survivors if (host := found.seen.host(one.name)) is not None]


def _controller(found: Assessed, survivors: Sequence[Server], estate: Estate) -> str:
    """A domain controller that answers, in a survivor's site before others (S-PREFDC). Raises `NotSafe`."""
    sites = {one.site for one in survivors}
    living = [one for one in found.seen.others if one.role == "dc" and one.answers]
    if not living:
        if not any(one.role == "dc" for one in found.seen.others):
            return ""
        raise NotSafe(
            "G-SURVIVE: no domain controller answers",
            certain=UNTOUCHED,
            next=("bring one of this side back first: starover assess",),
        )
    best = min(living, key=lambda one: one.site not in sites)
    return estate.server(best.server).fqdn


def survivor_warnings(found: Assessed, way: Way) -> list[str]:
    """G-SURVIVE: what is not as it should be on this side, though it stops nobody."""
    warnings: list[str] = []
    for host in _hosts(found, way.survivors):
        warnings += [one.text for one in log_space(host, found.seen) if one.low]
        for service in ("MSExchangeRepl", "MSExchangeIS", "MSExchangeADTopology"):
            if host.machine is not None and host.machine.running(service) is False:
                warnings.append(f"{service} on {host.server} does not run")
    warnings += [f"{one.database} has no copy on this side: it stays down" for one in found.page.cost if not one.target]
    return warnings
