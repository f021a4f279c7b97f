"""The last part of a failback: databases at home again, everything else as it was before that day; knows no fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

from starover.errors import NotSafe
from starover.estate import Dag
from starover.names import same_host
from starover.runbook import Finding, Steps, recall, together
from starover.steps import guards
from starover.steps.activation import activations
from starover.steps.dag import DatabaseInfo, databases, short
from starover.steps.failback_side import ReturningSide
from starover.steps.gate import admit
from starover.steps.mailflow import send_connectors, sent_from
from starover.steps.moves import LOSSLESS, home, homeward, moment_of, moved, paused
from starover.steps.placement import placements
from starover.steps.preferences import policies, policy_set
from starover.steps.rebalancing import rebalancing_set
from starover.steps.resolvers import resolvers_back, resolvers_ordered
from starover.steps.strict_moves import down_for_move, mounted_again, moved_down
from starover.steps.survivors import controllers_excluded, used_controllers

__all__ = [
    "BEYOND",
    "Batch",
    "brought_home",
    "controllers_asked_again",
    "frequency_back",
    "majority_home",
    "others_back",
]

Batch: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=100, description="a number from 1 to 100")]
"""Databases that move in one window."""
BETWEEN = 10.0
"""Seconds between two moves (S-REBALANCE)."""


# -- what the survivors may ask again ----------------------------------------------------------------------------------


def controllers_asked_again(side: ReturningSide) -> Steps:
    """The domain controllers of that side are left out no more, and DNS is asked in the old order (lifts S-PREFDC)."""
    back = [host.server.fqdn for host in side.controllers]
    found = yield from together(used_controllers.read(side.asked, server=one.name) for one in side.survivors)
    for server, now in zip(side.survivors, found, strict=True):
        left = tuple(one for one in now.excluded if not any(same_host(short(one), short(name)) for name in back))
        if len(left) < len(now.excluded):
            yield controllers_excluded.on(side.asked, server=server.name, excluded=left)
    yield from resolvers_back(side.survivors)


# -- databases ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _View:
    """Databases and where they could go."""

    databases: tuple[DatabaseInfo, ...]
    going: list[tuple[str, str]]
    staying: list[tuple[str, str, str]]
    down: list[str]
    """At home, and not mounted."""


def _look(side: ReturningSide, tried: Sequence[str]) -> Steps[_View]:
    """Databases of that side that are not active at home."""
    here = {one.server.name for one in side.members}
    known = tuple(
        one for one in (yield from databases.read(side.asked)).databases if any(same_host(home(one), n) for n in here)
    )
    if not known:
        return _View((), [], [], [])
    answer = yield from placements.read(side.asked, databases=tuple(one.name for one in known))
    servers = (yield from activations.read(side.asked)).servers
    copies = {now.name: now.copies for now in answer.databases}
    astray = [one for one in homeward(known, copies, servers) if one[0] not in tried]
    return _View(
        known,
        [(name, target) for name, target, why in astray if not why],
        [(name, target, why) for name, target, why in astray if why],
        [
            now.name
            for now in answer.databases
            if any(one.active and not one.mounted and any(same_host(one.server, n) for n in here) for one in now.copies)
        ],
    )


def brought_home(side: ReturningSide, dag: Dag, *, batch: int, now: bool, strict: bool) -> Steps[list[Finding]]:
    """Databases whose first preference is on that side go there, losing nothing, so many in a window (S-REBALANCE).

    `strict`: each is dismounted before its move and mounted after it, as the documented order has it.
    Raises `OutsideWindow` before a batch for which no window is open.
    """
    tried: list[str] = []
    while True:
        view = yield from _look(side, tried)
        for name in view.down if strict else ():  # an earlier run was cut off between its move and its mount
            yield mounted_again.on(side.asked, database=name)
        if not view.going:
            return [
                Finding(check="home", on=name, level="warn", says=f"stays away from {target}: {why}")
                for name, target, why in view.staying
            ]
        moment = yield from moment_of.read(side.asked)
        admit(
            f"moving {len(view.going)} databases back to {side.site}",
            [guards.window_open(dag, moment.utc, override=now)],
            host=side.asked.name,
        )
        group = view.going[:batch]
        if strict:
            for name, target in group:
                yield down_for_move.on(side.asked, database=name, target=target)
            yield from moment_of.read(side.asked)  # here a plan ends: what is mounted now is not to be mounted again
            for name, target in group:
                yield moved_down.on(
                    side.asked, database=name, target=target, dial=LOSSLESS, comment="failback", skip=()
                )
                yield mounted_again.on(side.asked, database=name)
        else:
            for number, (name, target) in enumerate(group):
                if number:
                    yield from paused(side.asked, BETWEEN)
                yield moved.on(
                    side.asked, database=name, target=target, dial=LOSSLESS, comment="failback", skip=(), note=""
                )
        tried += [name for name, _ in group]


def majority_home(side: ReturningSide) -> Steps:
    """Raises `NotSafe` unless most databases of that side are active and mounted at home (failback step 9)."""
    view = yield from _look(side, ())
    away = [name for name, *_ in (*view.going, *view.staying)]
    if 2 * len(away) >= max(len(view.databases), 1):
        raise NotSafe(
            f"{', '.join(away)} not at home: the witness changes only when most databases are",
            certain=("members, copies and lists are as they should be; the witness of the recovery is kept",),
            next=("starover plan redistribute   says why each stays", "then this again"),
        )


# -- everything else as it was -----------------------------------------------------------------------------------------


def others_back(side: ReturningSide) -> Steps:
    """Activation policies that held everything back, and Send connectors, are what they were."""
    known = yield from policies.read(side.asked)
    own = [one for one in known.servers if any(same_host(one.name, server.name) for server in side.survivors)]
    if own and all(one.policy == "Blocked" for one in own):  # nobody means that for ever: --hold-mount did it
        for one in own:
            was = yield from _first(side, one.name)
            if was and was != "Blocked":
                yield policy_set.on(side.asked, server=one.name, policy=was)
    here = [one.server.name for one in side.members]
    for connector in (yield from send_connectors.read(side.asked)).connectors:
        sources = tuple(map(short, connector.sources))
        if any(same_host(name, source) for name in here for source in sources):
            continue
        before = yield from _sources(side, connector.name, sources)
        if any(same_host(name, source) for name in here for source in before):
            yield sent_from.on(side.asked, connector=connector.name, sources=before, lost=())


def _first(side: ReturningSide, server: str) -> Steps[str]:
    """The policy before an earlier run of ours set it to Blocked; empty: no journal tells."""
    for at in side.survivors:
        kept = yield from recall(at, policy_set, server=server, policy="Blocked")
        found = kept.find(server) if kept is not None else None
        if found is not None:
            return found.policy
    return ""


def _sources(side: ReturningSide, connector: str, now: tuple[str, ...]) -> Steps[tuple[str, ...]]:
    """The sources before an earlier run of ours gave it those of now; none: no journal tells."""
    for at in side.survivors:
        kept = yield from recall(at, sent_from, connector=connector, sources=now)
        found = kept.named(connector) if kept is not None else None
        if found is not None:
            return tuple(map(short, found.sources))
    return ()


def frequency_back(side: ReturningSide, dag: str) -> Steps:
    """Databases go home by themselves as often as before."""
    every = guards.frequency_of(side.before)
    if every is not None:
        yield rebalancing_set.on(side.asked, dag=dag, frequency=every)


BEYOND = (
    controllers_excluded,
    resolvers_ordered,
    moved,
    down_for_move,
    moved_down,
    mounted_again,
    policy_set,
    sent_from,
    rebalancing_set,
)
