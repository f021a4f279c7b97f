"""How often a DAG moves databases back to their first preference by itself (2016 and later); knows no runbook."""

from __future__ import annotations

from datetime import timedelta

from starover.estate import Server
from starover.names import DagName
from starover.step import Blocked, Change, Query, Report, Risk, Step, step
from starover.steps import guards

__all__ = ["Rebalancing", "rebalancing", "rebalancing_set"]

LONGEST = timedelta(days=49)
"""More than 49.7 days would crash MSExchangeRepl on every member."""


class Rebalancing(Report):
    """What the DAG object says of it (`dag/rebalancing.ps1.j2`)."""

    frequency: str
    """PreferenceMoveFrequency; `-00:00:00.0010000` is never; empty: the version has none."""
    witness_share: str

    @property
    def every(self) -> timedelta | None:
        """How often; None: never."""
        return guards.frequency_of(self.frequency)


rebalancing = Query("dag/rebalancing.ps1.j2", Rebalancing)
"""Argument: `dag`."""


def _back(prev: Rebalancing, at: Server, /, *, dag: DagName, frequency: timedelta | None) -> Step | None:
    return None if prev.every == frequency else rebalancing_set.on(at, dag=dag, frequency=prev.every)


@step(check=rebalancing, apply="dag/set_rebalancing.ps1.j2", risk=Risk.SERVICE, undo=_back)
def rebalancing_set(now: Rebalancing, /, *, dag: DagName, frequency: timedelta | None) -> Change | Blocked | None:
    """How often databases go back to their first preference by themselves; None: never."""
    if now.every == frequency:
        return None
    if not now.frequency:
        return Blocked(
            f"this version of Exchange moves nothing back by itself, so {dag} has no such setting",
            certain=("nothing was changed",),
        )
    if frequency is not None and frequency > LONGEST:
        return Blocked(
            "a PreferenceMoveFrequency of more than 49 days crashes MSExchangeRepl on every member",
            certain=("nothing was changed",),
        )
    blocked = guards.set_dag_unless_alternate(now.witness_share)
    return blocked or Change(f"automatic rebalancing of {dag}", _spoken(now.every), _spoken(frequency))


def _spoken(every: timedelta | None) -> str:
    return "never" if every is None else f"every {every}"
