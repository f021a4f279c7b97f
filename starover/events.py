"""What a run tells, as a closed list of structs, and who listens; knows no step, no plan and no way to show anything.

An event is data for a live view, JSON lines, a chat thread. Those that the journal keeps come from the engine as
records (`effects.Record`); the others are only told. Times come beside the event, from the clock handed in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol, TypeAlias

import msgspec

from starover.errors import Fault

__all__ = [
    "Answered",
    "Approved",
    "Asked",
    "Event",
    "Leased",
    "Looked",
    "Progress",
    "Retrying",
    "RunBegan",
    "RunEnded",
    "RunResumed",
    "RunState",
    "Sink",
    "StepBegan",
    "StepEnded",
    "StepSent",
    "StepState",
    "StepUnsure",
    "Stopping",
    "Told",
    "WaitBegan",
    "WaitEnded",
]


StepState: TypeAlias = Literal["right", "changed", "failed", "refused", "unreachable", "unknown", "not-verified"]
RunState: TypeAlias = Literal["done", "nothing", "planned", "looked", "failed", "refused", "unreachable", "unknown"]


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    pass


class RunBegan(_Event, frozen=True, kw_only=True, tag="run-began"):
    """First of every run."""

    runbook: str
    mode: Literal["plan", "apply"]
    plan: str = ""
    """Id of the plan that is applied."""
    who: str = ""
    ticket: str = ""
    reason: str = ""


class RunResumed(_Event, frozen=True, kw_only=True, tag="run-resumed"):
    """A run goes on, after its journal was replayed."""

    who: str = ""
    replayed: int = 0
    """Answers taken from the journal."""
    under_way: tuple[str, ...] = ()
    """Operations that were sent and have no answer; each is probed before anything else is done on its host."""


class Approved(_Event, frozen=True, kw_only=True, tag="approved"):
    """The plan was approved."""

    digest: str
    by: str
    how: str
    """`confirmed` at the terminal, or `digest` given."""
    ticket: str = ""
    second: str = ""
    """The second person, where the plan needs one."""
    second_at: datetime | None = None
    break_glass: str = ""
    """Why there was no second person."""
    accepted: tuple[str, ...] = ()
    """What may be lost: `DB1=3`."""
    signed: bool = False
    """The second person's signature was checked."""
    policy: str = ""
    """SHA-256 of the policy that allowed it."""
    rests_on: tuple[str, ...] = ()
    """What the policy allowed it for."""
    waivers: tuple[str, ...] = ()
    """What was given away, and why."""


class Leased(_Event, frozen=True, kw_only=True, tag="leased"):
    """The run holds the lease of a DAG: nobody else changes it."""

    dag: str
    tokens: dict[str, int]
    """The number that each host keeps for it; scripts with a lower one are refused there."""
    silent: tuple[str, ...] = ()
    """Hosts that were asked and did not grant it."""
    lost: tuple[str, ...] = ()
    """Members that are given up, and were not asked."""


class Asked(_Event, frozen=True, kw_only=True, tag="asked"):
    """Hosts are asked, side by side. Not journalled by itself."""

    hosts: tuple[str, ...]
    what: Literal["read", "write", "probe"] = "read"


class Answered(_Event, frozen=True, kw_only=True, tag="answered"):
    """One host answered, or did not. Not journalled by itself."""

    host: str
    what: Literal["read", "write", "probe"] = "read"
    road: str = ""
    seconds: float = 0.0
    """Real time."""
    fault: Fault | None = None
    call: bool = False
    """AWS, or a look over the network, answered about the host; the host itself was not asked."""


class Retrying(_Event, frozen=True, kw_only=True, tag="retrying"):
    """A try did not succeed and another follows."""

    host: str
    why: str
    wait: float = 0.0
    """Seconds until the next try."""


class StepBegan(_Event, frozen=True, kw_only=True, tag="step-began"):
    """The intent: journalled before the script is sent."""

    step: int
    """Number in the plan; beyond its frontier numbers go on."""
    position: tuple[int, ...]
    host: str
    kind: str
    title: str
    risk: str
    what: str
    now: str
    wanted: str
    note: str = ""
    operation: str
    """UUID of the receipt on the host."""
    attempt: int = 1
    sha256: str
    """Of the script's body."""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    prev: msgspec.Raw = msgspec.Raw(b"null")
    """What the first reading found: what an undo restores."""
    undoing: bool = False
    """Yielded by the runbook after something failed, to put it right."""


class StepSent(_Event, frozen=True, kw_only=True, tag="step-sent"):
    """The script is on its way, once. Not journalled by itself: the sending is."""

    step: int
    host: str
    operation: str


class StepUnsure(_Event, frozen=True, kw_only=True, tag="step-unsure"):
    """Sent, and no answer: the step may or may not be done. The receipt is looked for next."""

    step: int
    host: str
    operation: str
    fault: Fault


class StepEnded(_Event, frozen=True, kw_only=True, tag="step-ended"):
    """What became of a step."""

    step: int
    position: tuple[int, ...]
    host: str
    kind: str
    title: str
    state: StepState
    """`right`: nothing had to be done. Failed and refused: not applied, as far as is known."""
    what: str
    now: str = ""
    wanted: str = ""
    note: str = ""
    """How it was found out, where that was not the usual way."""
    warnings: tuple[str, ...] = ()
    """What PowerShell warned of."""
    operation: str = ""
    """Empty when nothing was sent."""
    fault: Fault | None = None


class WaitBegan(_Event, frozen=True, kw_only=True, tag="wait-began"):
    """The runbook, or a step's verification, waits for a fact."""

    host: str
    what: str
    limit: float
    """Seconds."""
    step: int = 0
    """0: a wait of the runbook's own."""


class Progress(_Event, frozen=True, kw_only=True, tag="progress"):
    """One reading while waiting; the heartbeat of a long step. Not journalled."""

    host: str
    what: str
    step: int = 0
    seconds: float
    """Since the wait began, by the clock handed in."""
    left: int | None = None
    """How much is left of this phase."""
    unit: str = ""
    """Of `left` and `whole`."""
    whole: int | None = None
    """Of how much; None: nobody knows."""
    phase: str = ""
    eta: float | None = None
    """Seconds that `left` will take at the pace of this phase so far."""
    still: float = 0.0
    """Seconds since something moved, where the wait ends one day when nothing does."""


class WaitEnded(_Event, frozen=True, kw_only=True, tag="wait-ended"):
    """A wait of the runbook's own is over."""

    host: str
    what: str
    state: Literal["held", "not-verified", "unreachable", "failed"]
    fault: Fault | None = None


class Looked(_Event, frozen=True, kw_only=True, tag="looked"):
    """What a runbook that looks returned, as JSON."""

    report: msgspec.Raw


class Stopping(_Event, frozen=True, kw_only=True, tag="stopping"):
    """Ctrl-C: `after-step` ends when the steps under way are done, `now` at once."""

    when: Literal["after-step", "now"]
    under_way: tuple[str, ...] = ()
    """What was sent and is not known to be done."""


class RunEnded(_Event, frozen=True, kw_only=True, tag="run-ended"):
    """Last of every leg of a run that ended by itself."""

    state: RunState
    exit: int
    changed: int = 0
    plan: str = ""
    """Digest of the plan that was made."""
    fault: Fault | None = None
    resume: int = 0
    """Number of the effect whose answer ended it: a resume asks again from there. 0: nothing to resume."""
    also: tuple[int, ...] = ()
    """The same of the other failures, where several parts failed: a resume goes back behind the earliest answer."""


Event: TypeAlias = (
    RunBegan
    | RunResumed
    | Approved
    | Leased
    | Asked
    | Answered
    | Retrying
    | StepBegan
    | StepSent
    | StepUnsure
    | StepEnded
    | WaitBegan
    | Progress
    | WaitEnded
    | Looked
    | Stopping
    | RunEnded
)
"""Everything a run can tell."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a sink gets it."""

    at: datetime
    run: str
    event: Event


class Sink(Protocol):
    """Somebody who listens. Called from the driver's thread, one event at a time.

    Who cannot take an event (`OSError`, `ValueError`: a pipe is closed, a console has no such letter) is told nothing
    more, and the run goes on; whatever else it raises ends the run.
    """

    def tell(self, told: Told, /) -> None:
        """Take one event. Must be quick."""
        ...
