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

__all__ = ["Again", "Decision", "GiveUp", "Probe", "decide", "decide_probe", "transient"]

BACKOFF = (5.0, 20.0, 60.0)
"""Seconds before the second, third and fourth try (catalogue, section 1)."""
READ_TRIES = 3
PROBE_TRIES = 3

_TRANSIENT = (
    "0x800706ba",  # the RPC server is unavailable
    "0x800706d9",  # no more endpoints from the endpoint mapper
    "0x8007203a",  # AD: the server is not operational
    "0x80240016",  # Windows Update: another installation is in progress
    "seedinprogressexception",
)


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


def transient(records: Sequence[ErrorRecord]) -> bool:
    """Whether PowerShell failed with an error that passes by itself: a step still to be done may then be tried again.

    Decided by error ids and codes, because messages are localised.
    """
    return any(
        mark in text.casefold() for one in records for text in (one.fqid, one.type, one.message) for mark in _TRANSIENT
    )
