"""The map before and after a run that interrupts, may lose or may split: read, kept as a look, and drawn."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from starover.errors import StaroverError
from starover_cli.look import dag_map
from starover_cli.views.dag_map import judge, map_lines
from starover_cli.views.text import clock_time, duration, wrap

if TYPE_CHECKING:
    from starover.estate import Dag
    from starover.plan import Plan
    from starover.values import Plain
    from starover_cli.room import Room
    from starover_cli.views.dag_map import DagMap

__all__ = ["after_text", "look_after", "look_before", "map_text"]

STATUS = "dag-status"
FRESH = timedelta(minutes=10)
"""A look that is no older need not be made again before a run."""


def look_before(room: Room, plan: Plan, dag: str) -> DagMap | None:
    """The DAG as it is before the run; None where the plan interrupts nobody, or there is no DAG yet.

    It is read where somebody is about to be asked or mail may be lost, and kept: the report shows it.
    """
    from starover.step import Risk

    known = _dag(room, dag)
    if known is None or plan.risk.rank < Risk.SERVICE.rank:
        return None
    if not room.settings.console.interactive and plan.risk.rank < Risk.DATA.rank:
        return None
    return _recent(room, known) or _look(room, known)


def look_after(room: Room, plan: Plan, dag: str, *, changed: int) -> DagMap | None:
    """The DAG as it is after the run, where that has interrupted somebody, or may have."""
    from starover.step import Risk

    known = _dag(room, dag)
    return _look(room, known) if known is not None and changed and plan.risk.rank >= Risk.SERVICE.rank else None


def _dag(room: Room, name: str) -> Dag | None:
    if name and not room.estate.dags:
        return room.estate.dag(name)  # built after the inventory was written
    return next((one for one in room.estate.dags if one.name.casefold() == name.casefold()), None)


def _recent(room: Room, dag: Dag) -> DagMap | None:
    from starover_cli.run_report import looks

    now = room.clock.now()
    found = [one for one in looks(room.settings.state, room.estate.name, dag.name) if now - FRESH <= one.at <= now]
    return dag_map(found[-1].facts, room.estate, dag, found[-1].at) if found else None


def _look(room: Room, dag: Dag) -> DagMap | None:
    from starover.steps.dag import DagFacts

    try:
        skip: list[Plain] = [one.name for one in room.estate.servers if one.name in room.silent]
        value = room.local().plan(STATUS, {"dag": dag.name, **({"skip": skip} if skip else {})}).value
    except StaroverError:
        return None  # the run is what matters; its own errors say what is wrong
    return dag_map(value, room.estate, dag, room.clock.now()) if isinstance(value, DagFacts) else None


def map_text(drawn: DagMap, width: int = 100) -> str:
    """Verdict and map, without the first line."""
    verdict = [line for sentence in judge(drawn) for line in wrap(sentence, width)]
    return "\n".join([*verdict, "", *map_lines(drawn, width)])


def after_text(room: Room, run: str, drawn: DagMap, width: int = 100) -> str:
    """The map after a run, and since when mail is back, where it was down."""
    from starover_cli.run_report import gather

    try:
        told = gather(room.settings.state, run)
    except StaroverError:
        return map_text(drawn, width)
    mounted = bool(drawn.databases) and all(row.mounted for row in drawn.databases)
    if told.down is None or told.back is None or not mounted:
        return map_text(drawn, width)
    took = duration((told.back - told.down).total_seconds())
    known = _dag(room, drawn.where.dag)
    goal = f" (RTO goal {known.rto} min)" if known is not None and known.rto is not None else ""
    back = f"MAIL IS BACK at {clock_time(told.back, simulated=drawn.where.lab)}. Down {took}{goal}."
    return f"{back}\n{map_text(drawn, width)}"
