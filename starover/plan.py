"""A plan as data: what would change, bound by a digest, to and from JSON; knows no engine, no clock and no file."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from starover.command_line import command_of
from starover.errors import BadParameter
from starover.runbook import Beyond
from starover.step import Blocked, Change, Risk
from starover.values import Plain

__all__ = ["Plan", "PlannedStep", "Position", "digest_of", "read_plan", "write_plan"]

Position = tuple[int, ...]
"""Where in a runbook a step stands: its number in the sequence, and within `together` the part and the number there."""


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a plan."""

    number: int
    """From 1, in the order of the runbook."""
    position: Position
    kind: str
    """Name of the step kind: a state, such as `suspended`."""
    title: str
    """The kind's first line of documentation."""
    host: str
    """Server the script runs on."""
    risk: Risk
    change: Change | None = None
    """None: right already, or blocked."""
    blocked: Blocked | None = None
    template: str = ""
    arguments: dict[str, Plain] = {}
    script: str = ""
    """The body, without prologue and epilogue; empty when nothing is to be done."""
    sha256: str = ""
    """Of the body."""
    undo: bool = False
    """`starover undo` can restore what was before."""

    @property
    def mark(self) -> str:
        """`=` right already, `+` add, `~` change, `-` remove, `!` blocked."""
        if self.blocked is not None:
            return "!"
        return {"add": "+", "change": "~", "remove": "-"}[self.change.action] if self.change else "="

    @property
    def what(self) -> str:
        """The thing that is changed, in the field's words; the kind's title when it is right already."""
        return str(self.change.what) if self.change else self.title or self.kind


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a runbook would do now. `complete`, `blocked` and `changes` are three different facts."""

    digest: str
    """64 hex digits over all that an approval binds (`digest_of`)."""
    runbook: str
    summary: str
    parameters: dict[str, Plain]
    content: str
    """Hash of the content it was made with."""
    version: str
    """Of starover."""
    estate: str
    lab: bool = False
    made: datetime
    """When reading began: the facts are not older."""
    run: str = ""
    """The journal of the planning itself."""
    by: str = ""
    """Who asked for it: not somebody who can approve it as the second person."""
    steps: tuple[PlannedStep, ...] = ()
    frontier: str = ""
    """The reading at which the plan ends because it follows a change; empty: the plan is complete."""
    stops: tuple[Position, ...] = ()
    """Positions from which on steps are not foreseen, one for each sequence that ended early."""
    beyond: Beyond = Beyond()
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The first 8 digits of the digest."""
        return self.digest[:8]

    @property
    def command(self) -> str:
        """The line that plans it anew, as it can be pasted (bash, PowerShell)."""
        return command_of(self.runbook, self.parameters)

    @property
    def complete(self) -> bool:
        """Every step is foreseen."""
        return not self.stops

    @property
    def changes(self) -> tuple[PlannedStep, ...]:
        """The steps to be done."""
        return tuple(step for step in self.steps if step.change is not None)

    @property
    def blocked(self) -> tuple[PlannedStep, ...]:
        """The steps that need a human first: such a plan cannot be applied."""
        return tuple(step for step in self.steps if step.blocked is not None)

    @property
    def nothing(self) -> bool:
        """Nothing is to be done."""
        return not self.changes and not self.blocked and self.complete

    @property
    def risk(self) -> Risk:
        """The highest risk of what would be done, foreseen or not."""
        return Risk.highest(*(step.risk for step in self.changes), self.beyond.risk if self.stops else Risk.READ)

    def at(self, position: Position) -> PlannedStep | None:
        """The step planned at this position."""
        return next((step for step in self.steps if step.position == position), None)

    def foresees(self, position: Position) -> bool:
        """Whether the plan reaches this position; a step beyond needs `beyond` to allow it."""
        return not any(
            len(position) >= len(stop) and position[:depth] == stop[:depth] and position[depth] >= stop[depth]
            for stop in self.stops
            for depth in (len(stop) - 1,)
        )


def digest_of(plan: Plan) -> str:
    """What an approval binds: content, parameters and, per step, kind, host, risk, change and the body's hash.

    Facts, times, ids and texts stay outside: the same plan made twice has the same digest.
    """
    bound = {
        "runbook": plan.runbook,
        "content": plan.content,
        "version": plan.version,
        "estate": plan.estate,
        "parameters": plan.parameters,
        "steps": [
            [
                step.kind,
                step.host,
                step.risk,
                step.change.bound if step.change is not None else None,
                step.blocked,
                step.arguments,
                step.sha256,
            ]
            for step in plan.steps
        ],
        "complete": plan.complete,
        "beyond": plan.beyond,
    }
    return hashlib.sha256(msgspec.json.encode(bound, order="deterministic")).hexdigest()


def write_plan(plan: Plan) -> bytes:
    """The plan as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def read_plan(data: bytes) -> Plan:
    """A plan from JSON. Raises `BadParameter` when it is none, or when its content does not have its digest."""
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadParameter(f"this is not a plan of starover: {error}") from error
    scripts = (hashlib.sha256(step.script.encode()).hexdigest() == step.sha256 for step in plan.steps if step.script)
    if digest_of(plan) != plan.digest or not all(scripts):
        raise BadParameter(
            f"the plan {plan.id} was changed after it was made",
            certain=("nothing was sent",),
            next=("ask for it anew: nothing in it can be believed, its parameters neither",),
        )
    return plan
