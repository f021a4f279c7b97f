"""What follows an error: again, a look at the receipt, or the end; pure, carries nothing out and knows no transport."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starover.errors import (
    AuthFailed,
    ErrorRecord,
    OutcomeUnknown,
    RemoteFailure,
    ReplyLost,
    StaroverError,
    Throttled,
    Unreachable,
)
from starover.remote_errors import classify_all

__all__ = ["Again", "Decision", "GiveUp", "Probe", "decide", "decide_failed", "decide_probe"]

BACKOFF = (5.0, 20.0, 60.0)
"""Seconds before the second, third and fourth try (catalogue, section 1)."""
READ_TRIES = 3
PROBE_TRIES = 3


@dataclass(frozen=True)
class Again:
    """Try the same once more after this many seconds."""

    seconds: float


@dataclass(frozen=True)
class Probe:
    """It was sent and may have been done: look for the receipt before anything else."""


@dataclass(frozen=True)
class GiveUp:
    """The error stands."""


Decision = Again | Probe | GiveUp


def decide(error: StaroverError, *, mutates: bool, attempt: int) -> Decision:
    """What follows `error` on the attempt with this number, counted from 1.

    A write is tried again only when it is certain that nothing was sent and the other side asked for patience; what
    may have been sent is probed. Connecting has been retried by the transport already, so `Unreachable` stands.
    """
    if isinstance(error, Throttled) and attempt <= len(BACKOFF):
        return Again(error.after if error.after is not None else BACKOFF[attempt - 1])
    if mutates:
        return Probe() if isinstance(error, OutcomeUnknown | RemoteFailure) else GiveUp()
    if isinstance(error, ReplyLost) and attempt < READ_TRIES:
        return Again(BACKOFF[0] if attempt > 1 else 0.0)
    return GiveUp()


def decide_probe(error: StaroverError, *, attempt: int) -> Decision:
    """What follows a probe that failed: a host that just lost its connection gets a little time to come back."""
    if isinstance(error, AuthFailed) or attempt >= PROBE_TRIES:
        return GiveUp()
    if isinstance(error, Unreachable | OutcomeUnknown):
        return Again(BACKOFF[attempt - 1])
    return GiveUp()


def decide_failed(records: Sequence[ErrorRecord], *, attempt: int) -> Again | GiveUp:
    """What follows when PowerShell ended a write with these errors; a try comes after the fact was read again only.

    What passes only after longer than the longest back-off is not waited for: the error says when to come again.
    """
    meaning = classify_all(records)
    if not meaning.retryable or attempt > meaning.times:
        return GiveUp()
    wait = BACKOFF[min(attempt, len(BACKOFF)) - 1] if meaning.after is None else meaning.after
    return Again(wait) if wait <= BACKOFF[-1] else GiveUp()
