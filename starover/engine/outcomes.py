"""What is known of a write, and how it is said when something went wrong; pure, knows no plan and no scheduler."""

from __future__ import annotations

from dataclasses import dataclass

from starover.effects import Facts
from starover.errors import (
    CmdletFailed,
    ErrorRecord,
    Fault,
    NotVerified,
    OutcomeUnknown,
    Refused,
    StaroverError,
    Unreachable,
)
from starover.events import StepState
from starover.remote_errors import advice

__all__ = ["Known", "broke_off", "left_alone", "never_began", "said_of", "state_of", "unknown"]


@dataclass(frozen=True)
class Known:
    """What is known of a write."""

    done: bool
    """It ran, or the fact holds; False: certainly not applied."""
    holds: bool = False
    """A reading after it has found nothing missing: no need to verify again."""
    note: str = ""
    record: ErrorRecord | None = None
    """PowerShell's error, when it ran and failed."""
    earlier: bool = False
    """It was an earlier leg of the run that sent it."""
    said: bytes = b""
    """As `Outcome.said`."""
    lost: bool = False
    """Nothing is known: the host has lost what it kept."""


def said_of(answer: Facts, operation: str) -> bytes:
    """What a call said of what it did; a script says nothing."""
    said = bytes(answer.results.get(operation, b"null"))
    return b"" if said == b"null" else said


def state_of(error: StaroverError, *, sent: bool) -> StepState:
    """The word for a step that ended so."""
    if isinstance(error, NotVerified):
        return "not-verified"
    if isinstance(error, OutcomeUnknown):
        return "unknown" if sent else "unreachable"
    if isinstance(error, Unreachable):
        return "unreachable"
    return "refused" if isinstance(error, Refused) else "failed"


def unknown(step: int, host: str, run: str, fault: Fault, change: str, why: str, times: str) -> OutcomeUnknown:
    """It was sent `times` (`once`, `twice`), and nobody knows whether it was done: `why`."""
    return OutcomeUnknown(
        f"step {step} was sent {times} to {host} and may have been applied: {fault.what}",
        certain=(f"it was sent {times} and will not be sent again before its receipt and the fact were read",),
        uncertain=(f"whether it was done ({change}); {why}",),
        next=(f"starover resume {run}   reads {host} first",),
        host=host,
    )


def broke_off(kind: str, host: str, run: str, cause: StaroverError) -> NotVerified:
    """What had run did not come to its end, and something went wrong while it was to be done again."""
    return NotVerified(
        f"{kind} was applied on {host} and broke off; doing it again came to nothing: {cause.what}",
        certain=("the script ran and reported no error",),
        uncertain=("how far it had come",),
        next=(f"starover resume {run}   looks again", *cause.next),
        host=host,
    )


def left_alone(count: int, run: str) -> OutcomeUnknown:
    """Steps that an earlier leg had sent, and that this one failed before it came to."""
    steps = "a step" if count == 1 else f"{count} steps"
    return OutcomeUnknown(
        f"{steps} that an earlier leg of this run had sent: this one failed before it came to them again",
        certain=("they were not sent again",),
        uncertain=("what became of them since",),
        next=(f"starover resume {run}   comes to them", f"starover report {run}   what that leg had said of them"),
    )


def never_began(kind: str, host: str, record: ErrorRecord | None) -> CmdletFailed:
    """The host could not even make the receipt."""
    what = f"{kind} could not begin on {host}"
    records = (record,) if record is not None else ()
    return CmdletFailed(
        f"{what}: {record.message}" if record is not None else what,
        records=records,
        certain=("the step is not applied",),
        next=advice(records),
        host=host,
    )
