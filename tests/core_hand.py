"""Drives the machine by hand: no thread, no socket, no file, no clock. Effects are performed by a FakeTransport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from starover import envelope
from starover.effects import (
    Approval,
    Approve,
    Done,
    Effect,
    Facts,
    Failed,
    Find,
    Found,
    Held,
    Ok,
    Poll,
    Reaction,
    Record,
    Result,
    Script,
    Send,
    Until,
    digest_of,
)
from starover.engine import Run, machine
from starover.errors import ErrorRecord, Fault, NotVerified, StaroverError
from starover.estate import Dag, Estate, Server
from starover.events import Event, RunEnded, StepEnded
from starover.plan import Plan
from starover.runbook import Beyond, Bound
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, Steps, step
from starover.testing import FakeContent, FakeTransport, PowerShellError
from starover.transport import Script as WireScript

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
KEY = "5f6e0ad5-8f0b-4b13-9d62-0d1c7f1f9a01"

NODE = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",))
NODES = tuple(Server(name=f"EX{n}", fqdn=f"EX{n}.example.com", roles=("mailbox",)) for n in range(1, 5))
NOTHING_BEYOND = Beyond()
ESTATE = Estate(name="unit", lab=True, servers=NODES, dags=(Dag(name="DAG1", members=tuple(n.name for n in NODES)),))


# -- a small world: lamps that are off or on ---------------------------------------------------------------------------


class Lamp(Report):
    """A lamp."""

    lit: bool
    broken: bool = False
    left: int = 0


class Colour(Report):
    """Something to read that is no check."""

    colour: str


lamp = Query("lamp/read.ps1.j2", Lamp)
colour = Query("lamp/colour.ps1.j2", Colour)


def put_out(prev: Lamp, server: Server, /, *, name: str) -> Step | None:
    return None if prev.lit else dark.on(server, name=name)


@step(check=lamp, apply="lamp/on.ps1.j2", risk=Risk.LOW, settle=Settle(5, 60), undo=put_out)
def lit(now: Lamp, /, *, name: str) -> Change | Blocked | None:
    """A lamp that shines."""
    if now.broken:
        return Blocked(f"{name} is broken", guard="G-BULB", next=("buy a new one",))
    return None if now.lit else Change(name, "off", "on")


@step(check=lamp, apply="lamp/off.ps1.j2", risk=Risk.LOW)
def dark(now: Lamp, /, *, name: str) -> Change | Blocked | None:
    """A lamp that does not shine."""
    return Change(name, "on", "off") if now.lit else None


@step(check=lamp, apply="lamp/smash.ps1.j2", risk=Risk.DATA)
def smashed(now: Lamp, /, *, name: str) -> Change | Blocked | None:
    """A lamp in pieces."""
    return None if now.broken else Change(name, "whole", "pieces", "glass everywhere", "remove")


@dataclass
class Lamps:
    """Which lamps shine, by host and name, and what was done to them."""

    on: set[tuple[str, str]] = field(default_factory=set)
    broken: set[tuple[str, str]] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    stuck: bool = False
    """Switching changes nothing."""

    def read(self, host: str, name: str) -> dict[str, object]:
        return {"lit": (host, name) in self.on, "broken": (host, name) in self.broken, "left": 0}

    def colour(self, host: str, **_: object) -> dict[str, object]:
        return {"colour": f"red {sorted(name for at, name in self.on if at == host)}"}

    def switch_on(self, host: str, name: str) -> None:
        self.done.append(f"on {host}/{name}")
        if not self.stuck:
            self.on.add((host, name))

    def switch_off(self, host: str, name: str) -> None:
        self.done.append(f"off {host}/{name}")
        self.on.discard((host, name))

    def smash(self, host: str, name: str) -> None:
        self.done.append(f"smash {host}/{name}")
        self.broken.add((host, name))

    def hosts(self) -> FakeTransport:
        return FakeTransport(
            {
                "lamp/read.ps1.j2": self.read,
                "lamp/colour.ps1.j2": self.colour,
                "lamp/on.ps1.j2": self.switch_on,
                "lamp/off.ps1.j2": self.switch_off,
                "lamp/smash.ps1.j2": self.smash,
            }
        )


# -- the hand ----------------------------------------------------------------------------------------------------------


@dataclass
class Hand:
    """One machine on its way, and everything that was seen of it."""

    hosts: FakeTransport
    approval: Approval | None = None
    found: Callable[[Find], Found] = field(default=lambda _: Found())
    batches: list[tuple[Effect, ...]] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    """In the order they were performed."""
    events: list[Event] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    waited: float = 0.0
    take: Callable[[list[tuple[int, Effect]]], int] = field(default=lambda _: 0)
    """Which of the open effects ends next."""
    judges: Mapping[int, Any] = field(default_factory=dict)

    def drive(self, run: Run, runbook: Steps[object]) -> Result:
        engine = machine(run, runbook)
        self.judges = run.judges
        open_: list[tuple[int, Effect]] = []
        try:
            batch = next(engine)
            while True:
                self.batches.append(tuple(effect for _, effect in batch))
                open_ += batch
                assert open_, "the machine waits for nothing"
                number, effect = open_.pop(self.take(open_))
                done = Done(number=number, digest=digest_of(effect), answer=self.perform(number, effect))
                assert msgspec.json.decode(msgspec.json.encode(done), type=Done).number == number  # so is its answer
                self.effects.append(effect)
                self.done.append(done)
                batch = engine.send(done)
        except StopIteration as stop:
            assert not open_, f"effects left open: {open_}"
            result = stop.value
            assert isinstance(result, Result)
            return result

    def perform(self, number: int, effect: Effect) -> Reaction:
        msgspec.json.decode(msgspec.json.encode(effect), type=Effect)  # an effect is data
        if isinstance(effect, Send):
            return self.send(effect.script, effect.what, effect.operation)
        if isinstance(effect, Poll):
            return self.poll(number, effect)
        if isinstance(effect, Record):
            self.events.append(effect.event)
            return Ok()
        if isinstance(effect, Until):
            self.waited += effect.seconds
            return Ok()
        if isinstance(effect, Find):
            return self.found(effect)
        assert isinstance(effect, Approve)
        if self.approval is None:
            return Failed(fault=Fault(error="NotApproved", what="nobody asked"))
        return self.approval

    def send(self, script: Script, what: str, operation: str) -> Reaction:
        wire = WireScript(
            id="x",
            server=next(node for node in NODES if node.name == script.host),
            text=script.text,
            arguments=script.arguments,
            deadline=script.deadline,
            mutates=what == "write",
            parts=script.parts,
            operation=operation,
            nonce=script.nonce,
        )
        (answer,) = self.hosts.run([wire])
        if answer.error is not None:
            return Failed(fault=Fault.of(answer.error))
        try:
            decoded = envelope.decode(answer.output, script.nonce)
        except StaroverError as error:
            return Failed(fault=Fault.of(error))
        return Facts(
            host=decoded.host,
            results={part: msgspec.Raw(facts) for part, facts in decoded.results.items() if isinstance(facts, bytes)},
            errors={part: error for part, error in decoded.results.items() if isinstance(error, ErrorRecord)},
            receipts={name: Held(state=receipt.state) for name, receipt in decoded.receipts.items()},
        )

    def poll(self, number: int, effect: Poll) -> Reaction:
        waited = 0.0
        while True:
            answer = self.send(effect.script, "read", "")
            if isinstance(answer, Facts):
                verdict = self.judges[number](bytes(answer.results[effect.script.parts[0].id]))
                if verdict.done:
                    return answer
                if verdict.blocked is not None:
                    return Failed(fault=Fault.of(NotVerified("blocked")), blocked=verdict.blocked.why)
            waited += effect.settle.every
            if waited > effect.settle.limit:
                if isinstance(answer, Failed):
                    return answer
                return Failed(fault=Fault.of(NotVerified(f"not so after {effect.settle.limit:g} s")))

    # -- what was seen ---------------------------------------------------------------------------------------------

    def ended(self) -> list[str]:
        return [f"{one.what} {one.state}" for one in self.events if isinstance(one, StepEnded)]

    @property
    def end(self) -> RunEnded:
        last = self.events[-1]
        assert isinstance(last, RunEnded)
        return last


def make_run(
    *, plan: Plan | None = None, started: datetime = START, beyond: Beyond = NOTHING_BEYOND, key: str = KEY, **more: Any
) -> Run:
    bound: Bound[object] = Bound(
        runbook="unit",
        summary="For tests.",
        parameters={"a": 1},
        beyond=beyond,
        start=lambda: None,  # type: ignore[arg-type, return-value]
    )
    return Run(
        id="00000000.1" if plan is None else f"{plan.id}.1",
        key=key,
        content=FakeContent(),
        version="0",
        bound=bound,
        estate="unit",
        lab=True,
        started=started,
        plan=plan,
        **more,
    )


def plan_it(lamps: Lamps, runbook: Callable[[], Steps[Any]], **more: Any) -> Plan:
    """Plan with hosts of its own, so that what is counted later is the applying alone."""
    result = Hand(lamps.hosts()).drive(make_run(**more), runbook())
    assert result.error is None, result.error
    assert result.plan is not None
    return result.plan


def approval_of(plan: Plan, how: Any = "confirmed") -> Approval:
    return Approval(by="unit", digest=plan.id, how=how, at=START, ticket="INC1")


def apply_it(
    plan: Plan, hosts: FakeTransport, runbook: Callable[[], Steps[Any]], *, late: float = 60, **hand: Any
) -> tuple[Result, Hand]:
    seen = Hand(hosts, **{"approval": approval_of(plan, "digest"), **hand})
    result = seen.drive(make_run(plan=plan, started=START + timedelta(seconds=late), beyond=plan.beyond), runbook())
    return result, seen


__all__ = [name for name in dir() if not name.startswith("_")]
_ = PowerShellError
