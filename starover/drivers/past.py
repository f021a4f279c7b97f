"""What a journal says about going on with a run, or undoing it; reads entries and sends nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from starover.command_line import command_of
from starover.effects import Aside, Done, Effect, Find, Found, Ok, Poll, Record, Send, digest_of
from starover.engine import Run, machine, what_of
from starover.envelope import RECEIPT_DAYS
from starover.errors import BadParameter, NotSafe, PlanIsStale, StaroverError
from starover.estate import Server
from starover.events import RunEnded, StepBegan, StepEnded, StepState, StepUnsure
from starover.journal import (
    Answered,
    Begun,
    Entry,
    Journal,
    Recorded,
    Resumed,
    Sent,
    Settled,
    kept,
    mentions,
    read_journal,
    run_ids,
)
from starover.plan import Position
from starover.runbook import Beyond, Bound, Content
from starover.step import Step, Steps
from starover.values import Plain

__all__ = [
    "Past",
    "check_receipts",
    "earlier_prev",
    "find_in",
    "found_in",
    "is_dead",
    "other_roads",
    "put_aside",
    "run_of",
    "settled_of",
    "unanswered",
    "undo_of",
    "unknown_steps",
]

UNDO = "undo"
SOONER = 7
"""Days before receipts are removed that they are not counted on any more: hosts' clocks differ from ours."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """A run as its journal has it, with its runbook bound anew."""

    run: str
    begun: Begun
    every: Sequence[Entry]
    """Its whole journal."""
    entries: Sequence[Entry]
    """Those that count."""
    bound: Bound[object]
    content: Content
    servers: Mapping[str, Server]

    @property
    def started(self) -> datetime:
        """When the first leg began."""
        return self.entries[0].at

    def resume_from(self) -> int:
        """The last line that counts when the run goes on. Raises `BadParameter`, and `PlanIsStale` after an undoing."""
        if self.begun.plan is None:
            raise BadParameter(
                f"{self.run} is the making of a plan: it is made anew, not resumed",
                next=(command_of(self.begun.runbook, self.begun.parameters),),
            )
        ends = [one for one in self.events() if isinstance(one[1], RunEnded)]
        if not ends:
            return self.entries[-1].n
        end = ends[-1][1]
        assert isinstance(end, RunEnded)
        if end.exit == 0:
            raise BadParameter(f"run {self.run} has ended well: there is nothing to resume")
        lines = {one.body.number: one.n for one in self.entries if isinstance(one.body, Answered)}
        fatal = [lines[number] for number in (end.resume, *end.also) if number in lines]
        if end.resume not in lines:
            raise BadParameter(
                f"run {self.run} was refused before it began: there is nothing to resume",
                next=(command_of(self.begun.runbook, self.begun.parameters),),
            )
        keep = min(fatal) - 1
        if any(isinstance(event, StepBegan) and event.undoing for n, event in self.events() if n > keep):
            raise PlanIsStale(
                f"run {self.run} began to put back what it had done when it failed: going on would not fit",
                certain=("nothing was sent",),
                next=(
                    f"starover report {self.run}   whether anything is left as it was then",
                    f"{command_of(self.begun.runbook, self.begun.parameters)}   makes a new plan",
                ),
            )
        return keep

    def events(self) -> list[tuple[int, object]]:
        """The engine's events with their line numbers."""
        return [(one.n, one.body.event) for one in self.entries if isinstance(one.body, Recorded)]


def unanswered(every: Sequence[Entry], entries: Sequence[Entry]) -> dict[str, bool]:
    """Operations that were sent and that no answer among `entries` counts for; True where one came all the same.

    They may have been done: whoever would send one again must look for its receipt first.
    """
    answers: dict[str, int] = {}
    for one in entries:
        if isinstance(one.body, Answered) and one.body.operation:
            answers[one.body.operation] = one.n
    sent = {
        one.body.operation
        for one in every
        if isinstance(one.body, Sent) and one.body.what == "write" and one.n > answers.get(one.body.operation, -1)
    }
    came = {one.body.operation for one in every if isinstance(one.body, Answered)}
    return {operation: operation in came for operation in sorted(sent)}


def check_receipts(run: str, every: Sequence[Entry], sent: Mapping[str, bool], now: datetime) -> None:
    """Raises `PlanIsStale` where hosts may have removed the receipts that a resume would look for: without them nobody
    can say that it was not done, and it would be sent again. What a person has decided needs none.
    """
    wanted = ({*sent} | {one.operation for one in unknown_steps(every)}) - decisions(every).keys()
    first: dict[str, datetime] = {}
    for one in every:
        if isinstance(one.body, Sent) and one.body.operation in wanted:
            first.setdefault(one.body.operation, one.at)
    days = max(((now - at).days for at in first.values()), default=0)
    if days >= RECEIPT_DAYS - SOONER:
        raise PlanIsStale(
            f"run {run} was left {days} days ago, and hosts keep receipts for {RECEIPT_DAYS}: "
            "whether what it had sent was done cannot be found out any more",
            certain=("nothing was sent",),
            next=(f"starover report {run}   what it had done, and what it left unknown", "then a new plan"),
        )


def earlier_prev(every: Sequence[Entry], sent: Mapping[str, bool]) -> dict[str, bytes]:
    """What was before each operation that was sent: as it was read for the first sending, not for a leg before it that
    began the step and was refused.
    """
    begun: dict[str, bytes] = {}
    found: dict[str, bytes] = {}
    for one in every:
        if isinstance(one.body, Recorded) and isinstance(one.body.event, StepBegan):
            begun[one.body.event.operation] = bytes(one.body.event.prev)
        elif isinstance(one.body, Sent) and one.body.what == "write" and one.body.operation in begun:
            found.setdefault(one.body.operation, begun[one.body.operation])
    return {operation: prev for operation, prev in found.items() if operation in sent}


def put_aside(every: Sequence[Entry], entries: Sequence[Entry]) -> tuple[Aside, ...]:
    """Steps that were sent and whose beginning is not among `entries`."""
    tries: dict[Position, list[StepBegan]] = {}
    for begun, _ in loose_ends(every, entries):
        tries.setdefault(begun.position, []).append(begun)
    return tuple(
        Aside(
            what=what_of(some[0].kind, some[0].host, bytes(some[0].arguments)),
            operations=tuple(one.operation for one in some),
        )
        for some in tries.values()
    )


def loose_ends(every: Sequence[Entry], entries: Sequence[Entry]) -> list[tuple[StepBegan, StepState]]:
    """Operations that were sent and of which `entries` know nothing: an earlier leg did, and the last one did not come
    to them again. What that leg had said of each; `unknown` where it said nothing.
    """
    known = _lives(entries).keys()
    sent = {one.body.operation for one in every if isinstance(one.body, Sent) and one.body.what == "write"}
    return [life for operation, life in _lives(every).items() if operation in sent and operation not in known]


def _lives(entries: Sequence[Entry]) -> dict[str, tuple[StepBegan, StepState]]:
    """Of each operation: how it began for the first time, and the last word on it, `unknown` where there is none."""
    found: dict[str, tuple[StepBegan, StepState]] = {}
    for one in entries:
        event = one.body.event if isinstance(one.body, Recorded) else None
        if isinstance(event, StepBegan):
            found[event.operation] = (found.get(event.operation, (event,))[0], "unknown")
        elif isinstance(event, StepEnded) and event.operation in found:
            found[event.operation] = (found[event.operation][0], event.state)
    return found


def unknown_steps(every: Sequence[Entry]) -> list[StepBegan]:
    """Steps that were sent, and nobody could find out what became of them. A person may decide it, and once more."""
    entries = kept(every)
    begun: dict[Position, StepBegan] = {}
    ended: dict[Position, StepEnded] = {}
    for one in entries:
        if isinstance(one.body, Recorded) and isinstance(one.body.event, StepBegan):
            begun[one.body.event.position] = one.body.event
            ended.pop(one.body.event.position, None)
        elif isinstance(one.body, Recorded) and isinstance(one.body.event, StepEnded):
            ended[one.body.event.position] = one.body.event
    unknown = [one for at, one in begun.items() if at not in ended or ended[at].state == "unknown"]
    return [*unknown, *(one for one, state in loose_ends(every, entries) if state == "unknown")]


def decisions(entries: Sequence[Entry]) -> dict[str, Settled]:
    """What people have decided, by operation; a decision is over as soon as the operation is sent again."""
    found: dict[str, Settled] = {}
    for one in entries:
        if isinstance(one.body, Settled):
            found[one.body.operation] = one.body
        elif isinstance(one.body, Sent) and one.body.what == "write":
            found.pop(one.body.operation, None)
    return found


def settled_of(every: Sequence[Entry], entries: Sequence[Entry]) -> dict[str, str]:
    """People's decisions as the engine takes them (`Run.settled`), when `entries` are replayed.

    The number behind an operation is how often it will have been unsure when the decision is asked for: as often as
    `entries` say, and once more where the last word on it is that it was sent.
    """
    found: dict[str, str] = {}
    for operation, decision in decisions(every).items():
        unsure, sent = [-1], -1
        for one in entries:
            if isinstance(one.body, Recorded) and isinstance(one.body.event, StepUnsure):
                unsure += [one.n] if one.body.event.operation == operation else []
            elif isinstance(one.body, Sent) and one.body.operation == operation and one.body.what == "write":
                sent = one.n
        times = len(unsure) - 1
        found[f"{operation}#{times if unsure[-1] > sent else times + 1}"] = decision.outcome
    return found


def run_of(past: Past, entries: Sequence[Entry]) -> Run:
    """The run as it was started, with what its resumes (those among `entries`) had put aside."""
    begun = past.begun
    resumed = [one.body for one in entries if isinstance(one.body, Resumed)]
    return Run(
        id=past.run,
        key=begun.key,
        content=past.content,
        version=begun.version,
        bound=past.bound,
        estate=begun.estate,
        lab=begun.lab,
        started=past.started,
        plan=begun.plan,
        who=begun.who,
        ticket=begun.ticket,
        reason=begun.reason,
        earlier={name: bytes(prev) for one in resumed for name, prev in one.earlier.items()},
        sent={name: one.asked for one in reversed(resumed) for name in one.earlier},
        aside=tuple(aside for one in resumed for aside in one.aside),
        settled={name: outcome for one in resumed for name, outcome in one.settled.items()},
        lease=begun.lease,
        servers=past.servers,
        legs=tuple((one.asked, one.leg) for one in resumed if one.leg),
    )


# -- undo --------------------------------------------------------------------------------------------------------------


def undo_of(past: Past) -> tuple[Bound[object], tuple[str, ...]]:
    """A runbook of the steps that undo what a run changed, last first, and what cannot be undone, in words.

    Raises `BadParameter` for the making of a plan, `NotSafe` while a step is unknown, `PlanIsStale` when the runbook
    is not any more the one that ran.
    """
    if past.begun.plan is None:
        raise BadParameter(f"{past.run} made a plan and changed nothing: there is nothing to undo")
    ended = {one.position: one for _, one in past.events() if isinstance(one, StepEnded)}
    decided = decisions(past.every)
    ends = [one for _, one in past.events() if isinstance(one, RunEnded)]
    notes: list[str] = []
    for loose, state in loose_ends(past.every, past.entries):
        if state not in ("changed", "not-verified", "unknown") or loose.operation in decided:
            continue
        if ends and not ends[-1].exit:  # nothing was missing when the run came to its end
            notes.append(
                f"step {loose.step}, {loose.kind} on {loose.host}, was sent by an earlier leg, and is not undone: "
                f"{loose.what} stays {loose.wanted}"
            )
        else:
            raise NotSafe(
                f"an earlier leg of run {past.run} sent step {loose.step} to {loose.host}; the last one "
                "did not come to it",
                certain=("nothing was sent",),
                uncertain=(f"{loose.what}: {loose.now} -> {loose.wanted}",),
                next=(f"starover resume {past.run}   comes to it, and then it can be undone",),
                host=loose.host,
            )
    begun: dict[Position, StepBegan] = {}
    for _, one in past.events():
        if isinstance(one, StepBegan):
            begun.setdefault(one.position, one)
    for position, one in begun.items():
        if one.operation not in decided and (position not in ended or ended[position].state == "unknown"):
            raise NotSafe(
                f"step {one.step} on {one.host} of run {past.run} was sent, and nobody knows whether it was done",
                certain=("nothing was sent",),
                uncertain=(f"{one.what}: {one.now} -> {one.wanted}",),
                next=(
                    f"starover resume {past.run}   finds it out",
                    f"starover settle {past.run} --step {one.step} --as applied --reason TEXT   if nobody ever can",
                ),
                host=one.host,
            )
    changed = [
        one
        for at, one in begun.items()
        if (
            decided[one.operation].outcome == "applied"
            if one.operation in decided
            else ended[at].state in ("changed", "not-verified")
        )
    ]
    steps = _steps_of(past) if changed else {}
    undo: list[Step] = []
    if not changed and not notes:
        notes.append(f"run {past.run} changed nothing")
    for one in reversed(changed):
        step = steps[one.position]
        back = step.revert(bytes(one.prev)) if step.revert is not None else None
        if step.revert is None:
            notes.append(f"step {one.step}, {one.kind} on {one.host}, has no undo: {one.what} stays {one.wanted}")
        elif back is not None:
            undo.append(back)

    def start() -> Steps:
        for one in undo:  # noqa: UP028 - a list takes no answers
            yield one

    parameters: dict[str, Plain] = {"run": past.run, "lines": len(past.entries)}
    bound: Bound[object] = Bound(
        runbook=UNDO,
        summary=f"Restore what run {past.run} of {past.begun.runbook} found.",
        parameters=parameters,
        beyond=Beyond(),
        start=start,
    )
    return bound, tuple(notes)


def _steps_of(past: Past) -> dict[Position, Step]:
    """The steps of a run, by running its runbook on the recorded answers.

    Templates may have changed since, as long as the runbook still asks the same questions in the same order.
    """
    run = run_of(past, past.entries)
    engine = machine(run, past.bound.start())
    open_ = dict(next(engine))
    sent = {one.body.number: one.body for one in past.entries if isinstance(one.body, Sent)}
    for one in past.entries:
        if not isinstance(one.body, Recorded | Answered):
            continue
        effect = open_.pop(one.body.number, None)
        if effect is None or not _fits(effect, one.body, sent.get(one.body.number)):
            raise PlanIsStale(
                f"the runbook {past.begun.runbook} is not any more the one that ran as {past.run}",
                certain=("nothing was sent",),
                next=(f"with the content {past.begun.content[:12]} of then (--home), undo works",),
            )
        answer = one.body.answer if isinstance(one.body, Answered) else Ok()
        try:
            open_ |= dict(engine.send(Done(number=one.body.number, digest=digest_of(effect), answer=answer)))
        except StopIteration:
            break
    return run.steps


def _fits(effect: Effect, body: Recorded | Answered, sent: Sent | None) -> bool:
    """Whether what was recorded answers what is asked now, apart from the text of scripts."""
    if isinstance(body, Recorded):
        if not isinstance(effect, Record) or type(effect.event) is not type(body.event):
            return False
        then, now = body.event, effect.event
        if isinstance(then, StepBegan) and isinstance(now, StepBegan):
            return (then.position, then.kind, then.host, bytes(then.arguments)) == (
                now.position,
                now.kind,
                now.host,
                bytes(now.arguments),
            )
        return True
    if not isinstance(effect, Send | Poll):
        return not isinstance(effect, Record)
    if sent is None:  # answered without being sent: an earlier leg had sent it
        return isinstance(effect, Send) and effect.operation == body.operation
    asked = [(part.template, bytes(part.arguments)) for part in effect.script.parts]
    then_asked = [(part.template, bytes(part.arguments)) for part in sent.parts]
    return effect.script.host == sent.host and asked == then_asked


# -- the lease ---------------------------------------------------------------------------------------------------------


def is_dead(folder: Path, run: str, key: str, *, but: str) -> bool:
    """Whether no process of this machine carries that run any more, and nothing it did is unknown and undecided. It is
    not `but`.
    """
    if run == but or run not in run_ids(folder):
        return False
    try:
        with Journal.open(folder, run) as journal:
            entries = journal.entries
    except StaroverError:  # it is under way, or its journal cannot be believed
        return False
    begun, decided = entries[0].body, decisions(entries)
    unknown = [one for one in unknown_steps(entries) if one.operation not in decided]
    return isinstance(begun, Begun) and begun.key == key and not unknown


# -- recall ------------------------------------------------------------------------------------------------------------


def found_in(runs: Sequence[tuple[str, Sequence[Entry]]], find: Find) -> Found:
    """The first reading before the latest change of that kind, on that host, with those arguments."""
    best: tuple[datetime, Found] | None = None
    for run, entries in runs:
        if not run.startswith(find.run):
            continue
        ended = {
            one.body.event.position: one.body.event.state
            for one in entries
            if isinstance(one.body, Recorded) and isinstance(one.body.event, StepEnded)
        }
        seen: set[Position] = set()
        for one in entries:
            if not isinstance(one.body, Recorded) or not isinstance(one.body.event, StepBegan):
                continue
            event = one.body.event
            first = event.position not in seen
            seen.add(event.position)
            if not first or event.kind != find.kind or event.host != find.host:
                continue
            arguments = msgspec.json.decode(event.arguments, type=dict[str, object])
            same = all(key in arguments and arguments[key] == value for key, value in find.arguments.items())
            changed = ended.get(event.position) in ("changed", "not-verified")
            if same and changed and (best is None or one.at >= best[0]):
                best = (one.at, Found(run=run, prev=event.prev))
    return best[1] if best is not None else Found()


def find_in(folder: Path, find: Find, *, but: str) -> Found:
    """What an earlier run of this folder found before it changed something. It is not `but`."""
    runs: list[tuple[str, Sequence[Entry]]] = []
    for run in run_ids(folder):
        with contextlib.suppress(BadParameter, FileNotFoundError):  # a damaged journal is the audit's concern
            if run != but and mentions(folder, run, find.kind):
                runs.append((run, kept(read_journal(folder, run))))
    return found_in(runs, find)


# -- notes of a plan ---------------------------------------------------------------------------------------------------


def other_roads(entries: Sequence[Entry], servers: Mapping[str, Server]) -> list[str]:
    """Hosts that answered by another road than the inventory prefers, and why the last one was left."""
    found: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry.body, Answered) and entry.body.road and entry.body.tries:
            host, road = entry.body.host, entry.body.road
            server = servers.get(host)
            first = server.roads[0].kind if server is not None and server.roads else ""
            if first and not road.startswith(first):
                kind = road.partition("+")[0].partition(" ")[0]
                found[host] = f"{host} was read by {kind}: {entry.body.tries[-1].what}"
    return list(found.values())
