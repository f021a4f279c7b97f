"""Fence the lost side, and prove it, before anything that could make two brains; forces and evicts nothing itself."""

from __future__ import annotations

from collections.abc import Sequence

from starover.errors import NotSafe
from starover.estate import Dag, Estate, Server
from starover.runbook import Steps, together
from starover.steps.fence_hosts import fence_facts, lost_hosts, power_off, sides
from starover.steps.fencing import level_of, shortfall
from starover.steps.instances import OFF

__all__ = ["fenced_first"]


def fenced_first(
    dag: Dag,
    estate: Estate,
    lost: Sequence[str],
    certified_by: Sequence[str],
    break_glass: str,
    *,
    dac: bool,
    answering: Sequence[str],
) -> Steps[bool]:
    """S-FENCE for the lost members and their witness host, and G-FENCE behind it.

    `answering`: members whose Windows answers; those of the lost side are asked whether they serve. True: this is a
    plan, and somebody is still to be stopped: the proof is read when it is applied. Raises `NotSafe` where a host of
    the lost side is not fenced enough.
    """
    gone, survivors, others = sides(dag, estate, lost, witness=True)
    asked = [name for name in lost if name in answering]
    hosts = yield from lost_hosts(gone, asked)
    planning = yield from power_off(hosts, dag.name)
    proof = [] if planning else [_proven(gone, survivors, others, lost, asked, certified_by, break_glass, dac=dac)]
    yield from together(proof)  # one place in the sequence, whatever is read in it
    return planning


def _proven(
    gone: Sequence[Server],
    survivors: Sequence[Server],
    others: Sequence[Server],
    lost: Sequence[str],
    asked: Sequence[str],
    certified_by: Sequence[str],
    break_glass: str,
    *,
    dac: bool,
) -> Steps:
    states = yield from lost_hosts(gone, ())
    running = [host.server for host in states if host.instance is None or host.instance.state not in OFF]
    if not running:
        return
    hosts = yield from lost_hosts(running, asked)
    facts = yield from fence_facts(hosts, survivors, others, certified_by=certified_by)
    people = len({name.strip().casefold() for name in certified_by} - {""}) > 1
    levels = [level_of(one) for one in facts]
    missing = [
        (one, why)
        for one in levels
        if (why := shortfall(one, dac=dac, second=people or not break_glass, break_glass=bool(break_glass)))
    ]
    if not missing:
        return
    raise NotSafe(
        f"G-FENCE: {'; '.join(why for _, why in missing)}",
        certain=(
            *(f"{one.host}: {fact}" for one, _ in missing for fact in one.why),
            "quorum untouched, nothing forced, nothing mounted",
        ),
        uncertain=tuple(f"whether {one.host} still runs, or comes back" for one, _ in missing),
        next=(
            f"starover plan fence --lost-server {','.join(lost)}   and then this again",
            *dict.fromkeys(line for one, _ in missing for line in one.further),
        ),
    )
