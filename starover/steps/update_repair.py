"""What an update of Exchange that broke off has left, put back: start types and components; knows no runbook.

Catalogue, update-repair. What Setup itself has not ended only Setup can end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starover.errors import NotSafe, NotVerified, StaroverError
from starover.estate import Dag, Server
from starover.runbook import Steps, attempt, recall
from starover.step import Blocked, Change, Risk, Settle, step
from starover.steps import guards
from starover.steps.components import ComponentState
from starover.steps.dag_object import dag_facts
from starover.steps.gate import admit, judged
from starover.steps.moves import moment_of
from starover.steps.queues import hub_drained
from starover.steps.update_task import Setup, setup_of
from starover.steps.updates import judge_setup

__all__ = ["FUNCTIONAL", "Starts", "held_back", "may_restart", "start_types_restored", "unfinished", "wanted_starts"]

FUNCTIONAL = "Functional"
"""The requester by which Setup holds components Inactive while it works."""
SETUP = "Setup.exe /IAcceptExchangeServerLicenseTerms_DiagnosticDataOFF /Mode:Upgrade"


@step(check=setup_of, apply="update/start_types.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=60))
def start_types_restored(
    now: Setup, /, *, server: str, starts: Mapping[str, str], note: str
) -> Change | Blocked | None:
    """Services that a broken update has left Disabled start again as they did. `starts`: start types by name."""
    disabled = {name.casefold() for name in now.disabled}
    wrong = [name for name in starts if name.casefold() in disabled]
    if not wrong:
        return None
    return Change(f"services of {server}: {', '.join(wrong)}", "Disabled", "as before", note=note)


@dataclass(frozen=True, kw_only=True)
class Starts:
    """How services that are Disabled started before."""

    types: Mapping[str, str]
    source: str
    """Where that is known from."""


def wanted_starts(peers: Sequence[Server], server: Server, now: Setup) -> Steps[Starts]:
    """From what maintenance-start found here; without that, from a healthy peer. Raises `NotSafe` without either."""
    if not now.disabled:
        return Starts(types={}, source="")
    prev = yield from recall(server, hub_drained, server=server.name)
    before = {one.name.casefold(): one.start for one in prev.services} if prev is not None else {}
    sources = ["as maintenance-start found them"] if prev is not None else []
    left = [name for name in now.disabled if name.casefold() not in before]
    for member in peers if left else ():
        peer = yield from attempt(setup_of.read(member))
        if isinstance(peer, StaroverError) or peer.unfinished:
            continue
        theirs = {one.name.casefold(): one.start for one in peer.services}
        before |= {name.casefold(): theirs.get(name.casefold(), "Disabled") for name in left}
        sources.append(f"as on {member.name}, where no run of ours knows how they were")
        left = []
        break
    if not left:
        known = {name: before[name.casefold()] for name in now.disabled}
        return Starts(types=_not_disabled(known), source="; ".join(sources))
    raise NotSafe(
        f"nobody knows how the Disabled services of {server.name} started: {', '.join(now.disabled)}",
        certain=("no run of ours had taken it out, and no other member is whole", "nothing was changed"),
        next=("run it where the journal of maintenance-start is",),
        host=server.name,
    )


def _not_disabled(known: Mapping[str, str]) -> dict[str, str]:
    return {name: start for name, start in sorted(known.items()) if start in ("Automatic", "Manual")}


def may_restart(dag: Dag, peers: Sequence[Server], server: Server, *, now: bool) -> Steps[tuple[str, ...]]:
    """Guards of a restart by what other members see: Exchange on the server may not answer. Raises `NotSafe`."""
    for peer in peers:
        seen = yield from attempt(dag_facts.read(peer, dag=dag.name))
        if isinstance(seen, StaroverError) or seen.cluster is None:
            continue
        moment = yield from moment_of.read(peer)
        return admit(
            f"restarting {server.name}",
            [
                guards.nobody_else_out(server.name, seen),
                judged("G-QUORUM", guards.quorum_without(seen.cluster, nodes=[server.name])),
                guards.window_open(dag, moment.utc, override=now),
            ],
            host=server.name,
        )
    raise NotSafe(
        f"no other member of {dag.name} sees the cluster", certain=("nothing was changed",), next=("starover assess",)
    )


def held_back(components: Sequence[ComponentState]) -> tuple[str, ...]:
    """Components that requester Functional holds Inactive."""
    return tuple(one.name for one in components if one.by(FUNCTIONAL) == "Inactive")


def unfinished(server: str, now: Setup) -> NotVerified | None:
    """What is to be raised while Setup has not ended: start types are right then, Exchange is not."""
    verdict = judge_setup(server, now.unfinished, ())
    if verdict is None:
        return None
    return NotVerified(
        f"{verdict.word}: {verdict.says}",
        certain=(
            f"{server} is not brought back: services may run, but its files and its configuration are of two builds",
        ),
        uncertain=("whether the update can be ended, or has to be taken back",),
        next=(
            f"on {server}, with the media of the update: {SETUP}",
            "a security update: run its package once more, as an administrator",
            f"starover run update-repair --server {server}   then brings it back",
        ),
        host=server,
    )
