"""What a line of the journal may hold: data alone; knows no file, no head and no chain."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from starover.effects import Aside, Reaction
from starover.errors import Fault
from starover.events import Event
from starover.journal_chain import Former
from starover.lease import Scope
from starover.plan import Plan
from starover.transport import Part
from starover.values import Plain

__all__ = [
    "Acknowledged",
    "Answered",
    "Begun",
    "Body",
    "Declined",
    "Entry",
    "Recorded",
    "Resumed",
    "Saved",
    "Sent",
    "Settled",
    "Stopped",
    "Tried",
    "Warned",
]


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun", tag_field="entry"):
    """First line: what was started, why, and with what; enough to do it again."""

    run: str
    key: str
    """UUID of the run: operation ids derive from it."""
    runbook: str
    summary: str
    parameters: dict[str, Plain]
    content: str
    version: str
    estate: str
    lab: bool
    who: str
    ticket: str = ""
    reason: str = ""
    plan: Plan | None = None
    """The plan that is applied; None: this is a planning."""
    former: Former | None = None
    """The run before this one in the same folder; None: it was kept before runs were chained."""
    signing: bool = False
    """Its head is to be signed when a leg of it has ended."""
    lease: Scope | None = None
    """Who must grant the DAG's lease; None: it needs none."""
    asked: str = ""
    """What was refused before anything began, as it is typed (`drivers.refusals`): `approve`; empty: it began."""


class Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="sent", tag_field="entry"):
    """A script, whole, before it is sent."""

    number: int
    digest: str
    what: str
    """`read`, `write`, `probe`, or `poll`: the same reading until it satisfies."""
    host: str
    script: str
    sha256: str
    operation: str = ""
    parts: tuple[Part, ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    deadline: float = 0.0


class Tried(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A try of the transport that did not succeed."""

    what: str
    sent: bool = False
    waited: float = 0.0


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="answered", tag_field="entry"):
    """What came back for an effect, redacted; the digest is that of the effect."""

    number: int
    digest: str
    answer: Reaction
    operation: str = ""
    """Of a write."""
    host: str = ""
    road: str = ""
    seconds: float = 0.0
    """Real time from sending to the answer's end; of a poll, of its last reading."""
    tries: tuple[Tried, ...] = ()
    readings: int = 0
    """How often a poll read."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True, tag="recorded", tag_field="entry"):
    """An event of the engine."""

    number: int
    digest: str
    event: Event


class Resumed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="resumed", tag_field="entry"):
    """Somebody goes on with the run. Answers and events after line `keep` (up to here) do not count for the replay."""

    who: str
    keep: int
    ticket: str = ""
    reason: str = ""
    earlier: dict[str, msgspec.Raw] = {}
    """Operations that were sent and whose answers do not count, with what was before each (`engine.Run.earlier`)."""
    aside: tuple[Aside, ...] = ()
    """Those whose beginning does not count either, by what was to be done (`engine.Run.aside`)."""
    settled: dict[str, str] = {}
    """What people have decided in between (`engine.Run.settled`)."""
    leg: str = ""
    """UUID of what begins here: it takes the DAG's lease anew."""
    asked: int = 0
    """Number of the last effect that was asked for before."""


class Settled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="settled", tag_field="entry"):
    """A person has decided what became of a step that stayed unknown. It counts until the step is sent again."""

    who: str
    operation: str
    step: int
    outcome: Literal["applied", "not-applied"]
    reason: str
    ticket: str = ""


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """A warning of a step."""

    step: int
    host: str
    text: str


class Acknowledged(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="acknowledged", tag_field="entry"
):
    """Somebody has read the warnings of a run that has ended. It changes nothing of the run."""

    who: str
    warnings: tuple[Warned, ...]
    how: str
    """`typed` at its end, `flag` on its line, `later` by a command of its own."""
    ticket: str = ""


class Declined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="declined", tag_field="entry"):
    """Somebody asked to go on with the run and was refused. It changes nothing of the run."""

    who: str
    fault: Fault
    ticket: str = ""
    reason: str = ""


class Saved(msgspec.Struct, frozen=True, kw_only=True, tag="saved", tag_field="entry"):
    """The plan that was made lies in its file."""

    plan: str
    """Its id."""
    sha256: str
    """Of the file, whole: what the digest leaves out is in it too."""


class Stopped(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="stopped", tag_field="entry"):
    """Ctrl-C."""

    now: bool
    """At once, with something under way."""
    under_way: tuple[str, ...] = ()
    leased: tuple[str, ...] = ()
    """Hosts that keep the DAG's lease for the run; none where it was given back."""


Body: TypeAlias = Begun | Sent | Answered | Recorded | Resumed | Settled | Acknowledged | Declined | Saved | Stopped


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line."""

    n: int
    """From 0."""
    at: datetime
    before: str
    """SHA-256 of the line before it; zeros for the first."""
    body: Body
