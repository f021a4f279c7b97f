"""What a run tells, gathered event by event into lines and a block of rows; prints nothing and asks no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from starover import events
from starover.errors import Fault
from starover.events import Told
from starover.plan import Plan
from starover_cli.views.plan import subject, words
from starover_cli.views.text import clip, clock_time, duration, plural, wrap

__all__ = ["Row", "Story", "progress_text", "right_already"]

_MARKS = {
    "right": "=",
    "changed": "ok",
    "failed": "!",
    "refused": "!",
    "unreachable": "!",
    "not-verified": "!",
    "unknown": "?",
}
BLOCK_LINES = 12
SLOW = 3.0
"""Seconds after which an answer is worth a word."""


@dataclass
class Row:
    """One step as it stands."""

    number: int
    host: str
    what: str
    now: str = ""
    wanted: str = ""
    note: str = ""
    kind: str = ""
    mark: str = ">"
    state: str = ""
    """How it ended, in a word: `not-verified`."""
    began: datetime | None = None
    ended: datetime | None = None
    waiting: str = ""
    """What it waits for, while it does."""
    fault: Fault | None = None
    warnings: tuple[str, ...] = ()
    """What PowerShell said without failing."""

    def said(self, width: int = 100) -> list[str]:
        """Its warnings, as lines below it."""
        return [line for one in self.warnings for line in wrap(f"         warning: {one}", width, " " * 9)]

    def text(self, at: datetime | None = None, width: int = 100) -> str:
        """`  1  ok  DB1/EX2    Suspended    0.2 s`; `at` gives the time that a running step has taken."""
        if self.mark == ">":
            body = f"{self.now} -> {self.wanted}" if self.now else self.wanted
        elif self.mark in ("ok", "="):
            body = self.wanted or "right already"
        else:
            change = f"{self.now} -> {self.wanted}   " if self.wanted else ""
            body = f"{change}{self.state.replace('-', ' ')}"
        until = self.ended or at
        took = duration((until - self.began).total_seconds()) if self.began and until else ""
        notes = [note for note in (self.note if self.mark != ">" else "", self.waiting) if note]
        left = "   ".join([f"{self.number:>3}  {self.mark:<2}  {self.what.ljust(22)}  {body}", *notes])
        return f"{left.ljust(width - 16)}  {took}" if took else left


@dataclass
class Story:
    """Everything worth showing of the legs of a run. Give it every event; it says what to print."""

    simulated: bool = False
    eager: bool = False
    """Every host's first answer is worth a line, not only a slow one."""
    plan: Plan | None = None
    """The plan that is applied: it knows what a step is about that changes nothing."""
    rows: dict[int, Row] = field(default_factory=dict[int, Row])
    run: str = ""
    mode: str = ""
    ended: events.RunEnded | None = None
    approved: events.Approved | None = None
    report: bytes | None = None
    """What a runbook that looks returned, as JSON."""
    silent: dict[str, Fault] = field(default_factory=dict[str, Fault])
    """Hosts whose last answer was a fault."""
    said: dict[str, Fault] = field(default_factory=dict[str, Fault])
    """The fault that was told last of each host: not told again while it stays the same."""
    asking: tuple[str, ...] = ()
    """Hosts that have been asked and have not answered."""
    answered: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds of each host's first answer."""
    heard: datetime | None = None
    _waits: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])

    def take(self, told: Told) -> list[str]:
        """Remember one event; what comes back are lines for somebody who reads along without a live block."""
        self.run, self.heard = told.run, told.at
        event = told.event
        match event:
            case events.RunBegan():
                self.mode, self.ended = event.mode, None
            case events.RunResumed():
                return self._resumed(event)
            case events.Approved():
                self.approved = event
            case events.Asked():
                return self._asked(event)
            case events.Answered():
                return self._answered(event)
            case events.Retrying():
                again = f", again in {duration(event.wait)}" if event.wait else ", again at once"
                return [f"     {event.host}: {event.why}{again}"]
            case events.StepBegan():
                return self._began(event, told.at)
            case events.StepUnsure():
                return self._unsure(event)
            case events.StepEnded():
                return self._step_ended(event, told.at)
            case events.WaitBegan():
                return self._wait_began(event)
            case events.Progress():
                self._progress(event)
            case events.WaitEnded():
                return self._wait_ended(event)
            case events.Looked():
                self.report = bytes(event.report)
            case events.Stopping():
                return self._stopping(event)
            case events.RunEnded():
                self.ended = event
            case _:
                pass
        return []

    def heartbeat(self) -> str:
        """One line on what is waited for, after a long silence; empty when nothing is under way."""
        running = [row for row in self.rows.values() if row.mark == ">"]
        if running:
            parts = [
                f"step {row.number} {row.what}" + (f", {row.waiting}" if row.waiting else "") for row in running[:3]
            ]
            return f"     still: {'; '.join(parts)}"
        if self._waits:
            return f"     still: {'; '.join(list(self._waits.values())[:3])}"
        return f"     still asking {_hosts(self.asking)}" if self.asking else ""

    def block(self, at: datetime | None, width: int, height: int = BLOCK_LINES) -> list[str]:
        """The live block: the latest steps, those under way last, at most `height` lines."""
        rows = sorted(self.rows.values(), key=lambda row: (row.mark == ">", row.number))
        lines = [clip(row.text(at, width), width) for row in rows]
        lines += [clip(f"     {text}", width) for text in self._waits.values()]
        if self.eager and self.answered:
            heard = "  ".join(f"{host} {duration(seconds)}" for host, seconds in self.answered.items())
            lines.append(clip(f"     {heard}", width))
        if self.asking:
            lines.append(clip(f"     asking {_hosts(self.asking)}", width))
        if len(lines) > height:
            hidden = len(lines) - height + 1
            lines = [f"     ... {plural(hidden, 'line')} above", *lines[hidden:]]
        return lines

    def _resumed(self, event: events.RunResumed) -> list[str]:
        lines = [f"     {plural(event.replayed, 'answer')} taken from the journal"]
        if event.under_way:
            lines.append(f"     {plural(len(event.under_way), 'step')} had been sent without an answer: looking first")
        return lines

    def _asked(self, event: events.Asked) -> list[str]:
        fresh = [host for host in event.hosts if host not in self.answered and host not in self.asking]
        self.asking = (*self.asking, *(host for host in event.hosts if host not in self.asking))
        return [f"asking {plural(len(event.hosts), 'host')}: {', '.join(event.hosts)}"] if fresh else []

    def _answered(self, event: events.Answered) -> list[str]:
        self.asking = tuple(host for host in self.asking if host != event.host)
        if event.call:  # the host itself was not asked, and may well be dead
            return self._fault(event.host, event.fault, event.seconds) if event.fault is not None else []
        first = self.answered.setdefault(event.host, event.seconds) == event.seconds
        if event.fault is not None:
            self.silent[event.host] = event.fault
            return self._fault(event.host, event.fault, event.seconds)
        self.silent.pop(event.host, None)
        told = first and (self.eager or event.seconds > SLOW)
        return [f"     {event.host} answered after {duration(event.seconds)}"] if told else []

    def _fault(self, host: str, fault: Fault, seconds: float) -> list[str]:
        """A fault is told once, until another one takes its place."""
        known, self.said[host] = self.said.get(host), fault
        return [] if known == fault else [f"     {host}: {fault.what} ({duration(seconds)})"]

    @property
    def unreachable(self) -> list[str]:
        """Hosts that did not answer when they were asked last."""
        return [host for host, fault in self.silent.items() if fault.error == "ConnectFailed"]

    def _began(self, event: events.StepBegan, at: datetime) -> list[str]:
        row = Row(
            number=event.step,
            host=event.host,
            what=event.what,
            now=event.now,
            wanted=event.wanted,
            note=event.note,
            kind=event.kind,
            began=at,
        )
        self.rows[event.step] = row
        sent = f"on {event.host}  {clock_time(at, simulated=self.simulated)}"
        return [f"{row.text().rstrip()}   {sent}"]

    def _unsure(self, event: events.StepUnsure) -> list[str]:
        row = self.rows.get(event.step)
        if row is not None:
            row.waiting = "answer lost, looking at what was done"
        return [
            f"{event.step:>3}  ?   {event.fault.what}",
            f"         {event.host} may or may not have done it. Not sending again; looking for its receipt.",
        ]

    def _step_ended(self, event: events.StepEnded, at: datetime) -> list[str]:
        row = self.rows.get(event.step)
        if row is None:
            row = self.rows[event.step] = Row(number=event.step, host=event.host, what=event.what, kind=event.kind)
        row.mark, row.state = _MARKS.get(event.state, "!"), event.state
        row.now, row.wanted = event.now or row.now, event.wanted or row.wanted
        if event.state == "right" and not row.wanted:
            row.what, row.wanted = right_already(event, self.plan)
        elif not event.wanted and event.kind and not row.wanted:
            row.what = words(event.kind)  # refused before anybody knew what it would change
        row.note, row.fault, row.waiting, row.warnings = event.note, event.fault, "", event.warnings
        row.ended = at if row.began else None
        self._waits = {key: text for key, text in self._waits.items() if key[1] != event.step or not event.step}
        return [row.text(), *row.said(), *([f"         {event.fault.what}"] if event.fault is not None else [])]

    def _wait_began(self, event: events.WaitBegan) -> list[str]:
        text = f"waiting for {event.what} on {event.host}, at most {duration(event.limit)}"
        if event.step:
            if row := self.rows.get(event.step):
                row.waiting = f"waiting for it, at most {duration(event.limit)}"
            return []
        self._waits[event.what, 0] = text
        return [f"     {text}"]

    def _progress(self, event: events.Progress) -> None:
        text = progress_text(event)
        row = self.rows.get(event.step) if event.step else None
        if row is not None:
            row.waiting = text
        elif not event.step:
            self._waits[event.what, 0] = f"waiting for {event.what} on {event.host}: {text}"

    def _wait_ended(self, event: events.WaitEnded) -> list[str]:
        self._waits.pop((event.what, 0), None)
        if event.state == "held":
            return [f"     {event.what} on {event.host}: holds"]
        return [f"     {event.what} on {event.host}: {event.fault.what if event.fault else event.state}"]

    def _stopping(self, event: events.Stopping) -> list[str]:
        if event.when == "after-step":
            return ["stopping after the step that is under way (Ctrl-C again: at once)"]
        under_way = ", ".join(event.under_way) or "nothing"
        return wrap(f"stopping at once; sent and not known to be done: {under_way}", 100, "    ")


STILL = 900.0
"""Seconds without progress from which on a person is told (S-SEED)."""


def right_already(event: events.StepEnded, plan: Plan | None) -> tuple[str, str]:
    """What a step is about that changed nothing, and the state it is in, as the plan says it."""
    step = next((one for one in plan.steps if one.position == event.position), None) if plan is not None else None
    return (subject(step), words(step.kind)) if step is not None else (event.what, "")


UNKNOWN = 2**30
"""So much is left only where nobody knows how much is."""
GB = 1024
"""In MB."""


def progress_text(event: events.Progress) -> str:
    """`seeding 41 of 60 GB, 68%, 60 MB/s, about 5m 24s left`; what is not known is not said.

    Pace and time left are those of the present phase, as they were since it began.
    """
    left = max(0, event.left) if event.left is not None and event.left < UNKNOWN else None
    if left is None:
        return f"{event.phase or 'waiting'} {duration(event.seconds)}"
    unit = f" {event.unit}" if event.unit else ""
    if event.whole:
        done = max(0, event.whole - left)
        percent = min(99, 100 * done // event.whole) if left else 100
        amount = f"{_amount(done, event.whole, event.unit)}, {percent}%"
    else:
        amount = f"{left}{unit} left"
    parts = [f"{event.phase} {amount}" if event.phase else amount]
    if event.eta is not None and event.eta > 0 and left:
        pace = left / event.eta
        parts.append(f"{pace:.0f}{unit}/s" if pace >= 1 else f"{pace * 60:.1f}{unit}/min")
        parts.append(f"about {duration(event.eta)} left")
    else:
        parts.append(f"for {duration(event.seconds)}")
    if event.still >= STILL:
        parts.append(f"NO PROGRESS for {duration(event.still)}")
    return ", ".join(parts)


def _amount(done: int, whole: int, unit: str) -> str:
    if unit == "MB" and whole >= 10 * GB:
        return f"{done / GB:.0f} of {whole / GB:.0f} GB"
    return f"{done} of {whole}{f' {unit}' if unit else ''}"


def _hosts(hosts: Sequence[str]) -> str:
    return ", ".join(hosts[:4]) + (f" and {len(hosts) - 4} more" if len(hosts) > 4 else "")
