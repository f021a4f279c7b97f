"""What changes an estate and no DAG: one run at a time of a folder of state; knows no host.

The lease of a DAG lies on its hosts, and this does not: it keeps no two machines apart (docs/decisions/lease.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from starover.errors import Locked
from starover.journal import at_work, run_ids
from starover.journal_lock import hold
from starover.lease import FREE, Scope
from starover.plan import Plan
from starover.step import Risk

__all__ = ["alone"]

_GLANCE = 0.2
"""Seconds for whoever is just letting it go."""


@contextmanager
def alone(folder: Path, plan: Plan | None, scope: Scope | None) -> Generator[None]:
    """Keep other runs of this folder out while one without a lease changes something. Raises `Locked`.

    `scope`: whom the run asks for a DAG's lease; None: it is about none.
    """
    changes = plan is not None and plan.risk is not Risk.READ and bool(plan.changes or plan.stops)
    if plan is None or scope is not None or not changes or plan.runbook in FREE:
        yield
        return
    name = hashlib.sha256(plan.estate.encode()).hexdigest()[:8]
    lock = hold(folder / "index" / f"estate-{name}.lock", seconds=_GLANCE)
    if lock is None:
        busy = ", ".join(run for run in run_ids(folder) if at_work(folder, run))
        raise Locked(
            f"another run that changes {plan.estate} as a whole, and no DAG, is under way here"
            + (f": of {busy} one" if "," in busy else f": {busy}" if busy else ""),
            certain=("nothing was sent",),
            next=("wait for it, or stop it where it was begun",),
        )
    with closing(lock):
        yield
