"""A session with a few probing commands for the evaluator's tests; holds no test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from starover_lab.powershell.command import CommandSpec, CommandTable, Invocation, Parameter
from starover_lab.powershell.core import core_commands
from starover_lab.powershell.errors import ErrorRecord, Terminated
from starover_lab.powershell.session import Session, SessionCommand
from starover_lab.powershell.streams import StreamName
from starover_lab.powershell.values import PSArray, Value

__all__ = ["Ran", "Trial"]


@dataclass
class Ran:
    """What one invocation gave."""

    records: list[tuple[StreamName, Value]] = field(default_factory=list[tuple[StreamName, Value]])
    """Every record of every stream, in order."""
    ended: ErrorRecord | None = None
    """The error that ended it."""
    code: int | None = None
    """What `exit` gave."""

    def emit(self, name: StreamName, record: Value) -> None:
        """Take one record."""
        self.records.append((name, record))

    def stream(self, name: StreamName) -> list[object]:
        """One stream, arrays as lists."""
        return [list(r.items) if isinstance(r, PSArray) else r for n, r in self.records if n == name]

    @property
    def ended_by(self) -> str:
        """The id of the error that ended it; empty when none did."""
        return "" if self.ended is None else self.ended.fqid

    @property
    def output(self) -> list[object]:
        """The output."""
        return self.stream("output")

    @property
    def errors(self) -> list[str]:
        """The ids of the errors written."""
        return [r.fqid for r in self.stream("error") if isinstance(r, ErrorRecord)]


def _probe(call: Invocation) -> Iterator[Value]:
    note = call.machine
    assert isinstance(note, Trial)
    for given in call.records():
        note.notes.append(given.get("Name"))
        yield given.get("Name")


def _source(call: Invocation) -> Iterator[Value]:
    note = call.machine
    assert isinstance(note, Trial)
    try:
        for number in range(1, 1001):
            note.notes.append(f"made {number}")
            yield number
    finally:
        note.notes.append("source closed")


def _pause(call: Invocation) -> Iterator[Value]:
    for given in call.records():
        seconds = given.get("Seconds")
        assert isinstance(seconds, int)
        call.wait(seconds)
    yield from ()


def _complain(call: Invocation) -> Iterator[Value]:
    for given in call.records():
        name = given.get("Name")
        call.warning(f"about {name}")
        call.error(call.record("Complaint", "ObjectNotFound", f"{name} is wrong.", target=name))
        yield name


def _refuse(call: Invocation) -> Iterator[Value]:
    yield from ()
    raise call.fail(call.record("Refusal", "InvalidOperation", "No."))


def _change(call: Invocation) -> Iterator[Value]:
    for given in call.records():
        if call.should_process(str(given.get("Name")), "Change"):
            yield f"changed {given.get('Name')}"


_NAME = Parameter.of("Name", "string", mandatory=True, position=0, by_value=True)

_COMMANDS = (
    CommandSpec(name="Get-Probe", class_name="GetProbe", body=_probe, parameters=(_NAME,)),
    CommandSpec(name="Get-Source", class_name="GetSource", body=_source),
    CommandSpec(
        name="Wait-Pause",
        class_name="WaitPause",
        body=_pause,
        parameters=(Parameter.of("Seconds", "int", mandatory=True, position=0, by_value=True),),
    ),
    CommandSpec(name="Write-Complaint", class_name="WriteComplaint", body=_complain, parameters=(_NAME,)),
    CommandSpec(name="Deny-Everything", class_name="DenyEverything", body=_refuse),
    CommandSpec(name="Set-Thing", class_name="SetThing", body=_change, parameters=(_NAME,), should_process=True),
)


class Trial:
    """A session, what its commands noted, and how long they waited."""

    def __init__(self) -> None:
        commands: CommandTable = core_commands()
        for spec in _COMMANDS:
            commands.add(spec)
        self.notes: list[Value] = []
        self.waits: list[float] = []
        self.stop_in_wait = False
        self.session = Session(commands, self, self._wait)

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self.stop_in_wait:
            self.session.stop()

    def run(
        self,
        text: str,
        parameters: dict[str, Value] | None = None,
        arguments: tuple[Value, ...] = (),
        input_: tuple[Value, ...] | None = None,
        *,
        local_scope: bool = False,
    ) -> Ran:
        """Run a script to its end, or to the error that ends it."""
        ran = Ran()
        try:
            ran.code = self.session.run_script(
                text, parameters, arguments, input_, local_scope=local_scope, emit=ran.emit
            )
        except Terminated as end:
            ran.ended = end.record
        return ran

    def commands(self, *commands: SessionCommand, input_: tuple[Value, ...] = ()) -> Ran:
        """Run ready commands."""
        ran = Ran()
        try:
            self.session.run_commands(commands, emit=ran.emit, input_=input_)
        except Terminated as end:
            ran.ended = end.record
        return ran
