"""The outer seam: what the engine wants done and what it is told, as data; knows neither engine nor driver.

The engine emits batches of numbered effects and is told of one that ended at a time (`Done`). Everything here can be
written as JSON, so a journal or a workflow engine's history can hold it. An answer carries the digest of the effect it
answers: on replay a mismatch stops the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from starover.approval import Second
from starover.errors import ErrorRecord, Fault, StaroverError
from starover.events import Event, RunState, StepEnded
from starover.plan import Plan
from starover.step import Settle
from starover.transport import Part, Way
from starover.values import Plain

NOBODY = "nobody approved it"
"""What a driver answers for a plan that nobody approved, and nobody refused."""

__all__ = [
    "NOBODY",
    "Approval",
    "Approve",
    "Aside",
    "Dead",
    "Done",
    "Effect",
    "Facts",
    "Failed",
    "Find",
    "Found",
    "Keep",
    "Machine",
    "Ok",
    "Poll",
    "Reaction",
    "Record",
    "Result",
    "Script",
    "Send",
    "Until",
    "digest_of",
]


NOTHING = msgspec.Raw(b"null")


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A whole rendered script for one server."""

    host: str
    """Name of the server in the inventory."""
    text: str
    arguments: tuple[tuple[str, str], ...] = ()
    """As `transport.Script.arguments`: names of credentials, never secrets."""
    nonce: str
    """Finds the report in the output."""
    deadline: float
    """Seconds of real time."""
    parts: tuple[Part, ...] = ()
    """What the script is made of, for people and for fakes."""
    way: Way = "script"
    """As `transport.Script.way`."""


class Send(msgspec.Struct, frozen=True, kw_only=True, tag="send", tag_field="effect"):
    """Run a script once. Answered by `Facts` or `Failed`."""

    what: Literal["read", "write", "probe", "lease"]
    script: Script
    operation: str = ""
    """UUID of a write; a write is sent at most once, whatever happens. Empty for others."""

    @property
    def mutates(self) -> bool:
        """Whether it changes something."""
        return self.what == "write"


class Poll(msgspec.Struct, frozen=True, kw_only=True, tag="poll", tag_field="effect"):
    """Run a reading again and again until it satisfies. Answered by `Facts` of the last one, or `Failed`.

    One effect however long it takes, so that a long wait is not history.
    """

    what: str
    step: int
    script: Script
    settle: Settle


class Keep(msgspec.Struct, frozen=True, kw_only=True, tag="keep", tag_field="effect"):
    """Renew the lease on one host every so often, until the run ends. Answered by `Facts` when it is ours no more.

    One effect however long the run is; a renewal without an answer is no news, since the host counts the time itself.
    """

    script: Script
    every: float
    """Seconds, by the clock handed in; when nothing else happens it may be later."""


class Dead(msgspec.Struct, frozen=True, kw_only=True, tag="dead", tag_field="effect"):
    """Ask whether a run of this very folder has ended, or its process has, with nothing unknown left. Answered by `Ok`,
    or `Failed` where it has not, or nobody knows.
    """

    run: str
    key: str
    """Its UUID: another machine may have a run of the same id."""


class Until(msgspec.Struct, frozen=True, kw_only=True, tag="until", tag_field="effect"):
    """Let time pass. Answered by `Ok`."""

    seconds: float


class Approve(msgspec.Struct, frozen=True, kw_only=True, tag="approve", tag_field="effect"):
    """Ask for the approval of a plan. Answered by `Approval`, or `Failed` when there is none."""

    digest: str
    risk: str


class Find(msgspec.Struct, frozen=True, kw_only=True, tag="find", tag_field="effect"):
    """Look into the journals of earlier runs for what was before a change (`step.Recall`). Answered by `Found`."""

    host: str
    kind: str
    arguments: dict[str, Plain]
    run: str = ""
    """Only runs whose id begins so; empty: any."""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag="record", tag_field="effect"):
    """Write an event into the journal, durably, before anything that follows from it. Answered by `Ok`."""

    event: Event


Effect: TypeAlias = Send | Poll | Keep | Dead | Until | Approve | Find | Record


class Facts(msgspec.Struct, frozen=True, kw_only=True, tag="facts", tag_field="answer"):
    """What a script said, decoded and redacted."""

    host: str = ""
    results: dict[str, msgspec.Raw] = {}
    """Facts as JSON, by id of the part."""
    errors: dict[str, ErrorRecord] = {}
    """Parts that ended with an error."""
    receipts: dict[str, Held] = {}
    """By operation id, for writes and probes."""
    warnings: tuple[str, ...] = ()
    provider: str = ""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a host knows of an operation, as `envelope.Receipt`."""

    state: Literal["ran", "ran-before", "in-progress", "absent", "lost", "refused"]
    prev: msgspec.Raw = NOTHING
    """As JSON; `null`: none is kept."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", tag_field="answer"):
    """No whole answer."""

    fault: Fault
    earlier: bool = False
    """Not sent now, because an earlier leg of this run, whose answer does not count, had sent the operation."""
    blocked: str = ""
    """A poll ended because waiting longer is of no use; why."""
    stalled: bool = False
    """A poll ended because nothing moved any more."""


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found", tag_field="answer"):
    """What a `Find` found."""

    run: str = ""
    """Empty: nothing."""
    prev: msgspec.Raw = NOTHING
    """As JSON."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="approval", tag_field="answer"):
    """Who approved which digest, and how."""

    by: str
    digest: str
    """What the person gave or was shown: the plan's id (8 digits) or its full digest."""
    how: Literal["confirmed", "digest"]
    at: datetime
    ticket: str = ""
    """The change or incident; must be there for DATA and SPLIT."""
    second: Second | None = None
    """The second person; must be there for SPLIT."""
    break_glass: str = ""
    """Why nobody else approved. It replaces the second person, and nothing else."""
    accepted: tuple[str, ...] = ()
    """What may be lost: `DB1=3`."""
    signed: bool = False
    """The second person's signature was checked against the allowed signers."""
    policy: str = ""
    """SHA-256 of the policy that allowed it; empty: there is none."""
    rests_on: tuple[str, ...] = ()
    """What the policy allowed it for: the window that is open."""
    waivers: tuple[str, ...] = ()
    """What was given away, and why."""


class Ok(msgspec.Struct, frozen=True, kw_only=True, tag="ok", tag_field="answer"):
    """Done, with nothing to say."""


Reaction: TypeAlias = Facts | Failed | Found | Approval | Ok


class Aside(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The tries of one step that an earlier leg sent, and a resume put aside."""

    what: str
    """Kind, host and arguments, as an operation id has them."""
    operations: tuple[str, ...]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One effect has ended."""

    number: int
    digest: str
    """Of the effect (`digest_of`)."""
    answer: Reaction


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run (or one leg of it) ended."""

    state: RunState
    plan: Plan | None = None
    """The plan that was made, when planning; without `run`."""
    value: msgspec.Struct | None = None
    """What the runbook returned."""
    error: StaroverError | None = None
    """The gravest failure."""
    changed: int = 0
    exit: int = 0
    resume: int = 0
    """Number of the effect from which a later leg goes on; 0: there is nothing to resume."""
    ended: tuple[StepEnded, ...] = ()
    """Every `StepEnded`, in the order they ended."""


Machine: TypeAlias = Generator[tuple[tuple[int, Effect], ...], Done, Result]
"""Batches of new effects out, one ended effect in, a result at last."""


def digest_of(effect: Effect) -> str:
    """Hex digest of an effect as JSON."""
    return hashlib.sha256(msgspec.json.encode(effect, order="deterministic")).hexdigest()
