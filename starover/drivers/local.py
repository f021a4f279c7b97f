"""The driver that needs no server: threads, a journal and a transport; the only place that performs effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from starover.clock import Clock
from starover.effects import Approval
from starover.errors import StaroverError
from starover.events import Sink, StepEnded
from starover.estate import Estate
from starover.plan import Plan
from starover.runbook import Content
from starover.transport import Transport
from starover.values import Plain

__all__ = ["Approver", "Local", "Planned", "Ran", "Why"]

Approver: TypeAlias = Callable[[Plan], Approval | None]
"""Asked once, before the first change of a plan whose risk is above READ; None: not approved."""


@dataclass(frozen=True, kw_only=True)
class Why:
    """Who does it and what for, as the journal keeps it."""

    who: str
    ticket: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan that was made and saved."""

    plan: Plan
    run: str
    """Id of the planning's own journal, `88f0c1d2.1`."""
    value: msgspec.Struct | None
    """What a runbook that looks returned."""
    exit: int
    """0, or 4 when a step of the plan is blocked."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a run ended, or stopped."""

    run: str
    """Id, such as `9d20e6f4.1`."""
    plan: Plan
    state: Literal["done", "nothing", "failed", "refused", "unreachable", "unknown", "stopped"]
    """`stopped`: by Ctrl-C."""
    exit: int
    steps: tuple[StepEnded, ...]
    """What became of each step, in the order they ended, over all legs of the run."""
    changed: int
    error: StaroverError | None
    """The gravest failure."""
    under_way: tuple[str, ...]
    """Steps that were sent and are not known to be done, in words."""
    resumable: bool
    value: msgspec.Struct | None
    journal: Path


class Local:
    """Plans, applies, resumes and undoes on this machine."""

    def __init__(
        self,
        *,
        estate: Estate,
        content: Content,
        transport: Transport,
        clock: Clock,
        folder: Path,
        why: Why,
        sinks: Sequence[Sink] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        """`folder` holds `plans/` and `runs/`; `secrets` are masked in whatever comes back, beside what looks like one.

        The transport stays the caller's: it is not closed here.
        """
        raise NotImplementedError

    def plan(self, runbook: str, parameters: Mapping[str, Plain], /) -> Planned:
        """Find out what the runbook would change now, sending reads only, and save the plan.

        Raises `BadParameter`, and whatever ended the runbook (`Unreachable`, `RemoteFailure`, `Refused`...).
        """
        raise NotImplementedError

    def load(self, plan: str, /) -> Plan:
        """A saved plan by id, or a unique prefix of at least 4 digits. Raises `BadParameter`."""
        raise NotImplementedError

    def apply(self, plan: Plan | str, /, *, approve: Approver | None = None) -> Ran:
        """Do exactly what the plan says, if the facts still hold. What goes wrong in the run is in the result.

        Raises `BadParameter` for a plan that is not there or was changed, `PlanIsStale` for one of other content.
        """
        raise NotImplementedError

    def resume(self, run: str, /) -> Ran:
        """Go on with a run after a crash, a stop, a failure or an unknown: by its journal, then live.

        Raises `BadParameter` (no such run, nothing to resume) and `PlanIsStale` (other content or version).
        """
        raise NotImplementedError

    def undo(self, run: str, /) -> Planned:
        """Plan what restores that which the run's first readings found; apply it like any plan.

        Steps without an undo, and those nothing is known of, are named in the plan's notes; never guesses.
        Raises `BadParameter`, and `NotSafe` while a step of the run is unknown.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Once: end after the steps under way. Twice: end now. What Ctrl-C does; may be called from any thread."""
        raise NotImplementedError
