"""Everything that is known of one run, from the journals of a folder: its story, its scripts, the looks around it.

Reads files, writes nothing and contacts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from starover import events, journal
from starover.effects import Facts, Failed
from starover.errors import StaroverError
from starover.journal import Entry
from starover.steps.assessment import Assessment
from starover.steps.dag import DagFacts
from starover.steps.losses import Loss
from starover_cli.views.runs import RunSummary, summary_of
from starover_cli.views.story import right_already
from starover_cli.views.text import plural

if TYPE_CHECKING:
    from starover.plan import Plan
    from starover.values import Plain

__all__ = ["LOOKS", "Look", "Moment", "RunReport", "Sending", "gather", "looks"]

LOOKS = ("dag-status", "az-loss-assess")
"""Runbooks whose journals hold the facts of a map."""
AROUND = timedelta(hours=2)
"""A look this much before or after a run still belongs to its story."""
RECENT = 200
"""How many of the latest journals are looked through for looks."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A line of the timeline."""

    at: datetime
    mark: str
    """As in a plan: `ok`, `!`, `?`, `>`, `=`; empty: neither good nor bad."""
    text: str
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class Sending:
    """A script as it was sent, and what came back."""

    number: int
    what: str
    host: str
    at: datetime
    step: int
    """0: of no step."""
    script: str
    sha256: str
    answer: str
    """JSON, an error, or empty: none came."""
    seconds: float
    road: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """A DAG as it was seen at some moment."""

    at: datetime
    run: str
    facts: DagFacts
    assessment: Assessment | None = None


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """One run, whole."""

    one: RunSummary
    dag: str
    timeline: tuple[Moment, ...]
    sendings: tuple[Sending, ...]
    looks: tuple[Look, ...]
    """Before, and after; the latest before and the first after."""
    assessment: Assessment | None
    """The latest before the run."""
    cost: tuple[Loss, ...]
    """What databases were to lose, when that was last reckoned."""
    down: datetime | None
    """When mail stopped, as far as anybody knows; None: it did not, or nobody knows."""
    back: datetime | None
    """When the last database was mounted by this run, or seen mounted after it."""
    value: Mapping[str, object]
    """What the runbook returned, as JSON has it."""
    lines: int
    head: str
    """Hash of the journal's last line: `audit verify` proves that the page tells of that journal."""


def gather(folder: Path, run: str) -> RunReport:
    """Read it. Raises `BadParameter` where there is no such run, `Cut` for a journal that cannot be trusted."""
    entries = journal.read_journal(folder, run)
    one = summary_of(run, entries)
    if one is None:
        raise StaroverError(f"the journal of {run} has no first line", next=("starover audit verify",))
    value = _value(one.report)
    dag = _dag_of(one, value)
    around = _around(looks(folder, one.estate, dag), one)
    own = next((look.assessment for look in reversed(around) if look.at <= one.begun and look.assessment), None)
    cost = _cost(value) or (own.cost if own is not None else ())
    lines, head = journal.read_head(folder, run)
    timeline = tuple(_timeline(entries, one.plan))
    down = _down(own)
    return RunReport(
        one=one,
        dag=dag,
        timeline=timeline,
        sendings=tuple(_sendings(entries)),
        looks=tuple(around),
        assessment=own,
        cost=tuple(cost),
        down=down,
        back=_back(entries, around, one) if down is not None else None,
        value=value,
        lines=lines,
        head=head,
    )


def _value(report: bytes | None) -> dict[str, object]:
    try:
        return msgspec.json.decode(report, type=dict[str, object]) if report is not None else {}
    except msgspec.MsgspecError:
        return {}


def _dag_of(one: RunSummary, value: Mapping[str, object]) -> str:
    given: Plain = one.parameters.get("dag")
    if not given and one.plan is not None:
        given = one.plan.parameters.get("dag")
    return str(given or value.get("dag") or "")


# -- looks -------------------------------------------------------------------------------------------------------------


def looks(folder: Path, estate: str, dag: str = "") -> list[Look]:
    """What was seen of a DAG (empty: of any) by the looks kept in this folder, oldest first."""
    files = [(journal.path_of(folder, run), run) for run in journal.run_ids(folder)]
    latest = sorted((file.stat().st_mtime, run) for file, run in files if file.is_file())[-RECENT:]
    found = [look for _, run in latest for look in _look(folder, run, estate)]
    wanted = [look for look in found if not dag or look.facts.name.casefold() == dag.casefold()]
    return sorted(wanted, key=lambda look: look.at)


def _look(folder: Path, run: str, estate: str) -> Iterator[Look]:
    try:
        if not any(journal.mentions(folder, run, name) for name in LOOKS):
            return
        entries = journal.read_journal(folder, run)
    except (StaroverError, OSError):
        return
    begun = entries[0].body
    if not isinstance(begun, journal.Begun) or begun.runbook not in LOOKS or begun.estate != estate:
        return
    for entry in entries:
        if isinstance(entry.body, journal.Recorded) and isinstance(entry.body.event, events.Looked):
            facts, page = _seen(bytes(entry.body.event.report))
            if facts is not None:
                yield Look(at=begun_at(entries), run=run, facts=facts, assessment=page)


def begun_at(entries: Sequence[Entry]) -> datetime:
    """When reading began: the facts are not older."""
    return entries[0].at


def _seen(report: bytes) -> tuple[DagFacts | None, Assessment | None]:
    try:
        page = msgspec.json.decode(report, type=Assessment)
    except msgspec.MsgspecError:
        pass
    else:
        return page.facts, page
    try:
        return msgspec.json.decode(report, type=DagFacts), None
    except msgspec.MsgspecError:
        return None, None


def _around(found: Sequence[Look], one: RunSummary) -> list[Look]:
    before = [look for look in found if one.begun - AROUND <= look.at <= one.begun]
    after = [look for look in found if one.last <= look.at <= one.last + AROUND]
    return [*before[-1:], *after[:1]]


# -- mail --------------------------------------------------------------------------------------------------------------


def _cost(value: Mapping[str, object]) -> tuple[Loss, ...]:
    try:
        return msgspec.convert(value.get("cost"), tuple[Loss, ...])
    except msgspec.ValidationError:
        return ()


def _down(page: Assessment | None) -> datetime | None:
    if page is None or not page.since or page.mail_down is False:
        return None
    try:
        return datetime.fromisoformat(page.since)
    except ValueError:
        return None


def _back(entries: Iterable[Entry], around: Sequence[Look], one: RunSummary) -> datetime | None:
    """The last mount that this run saw; else the first look after it, when that shows every database mounted."""
    times = [
        entry.at
        for entry in entries
        if isinstance(entry.body, journal.Recorded)
        and (
            (isinstance(event := entry.body.event, events.StepEnded) and event.state in ("changed", "right"))
            or (isinstance(event, events.WaitEnded) and event.state == "held")
        )
        and "mounted" in f"{getattr(event, 'kind', '')} {event.what}".casefold()
    ]
    if times:
        return max(times)
    after = [look for look in around if look.at >= one.last]
    good = [look.at for look in after if look.facts.databases and all(each.mounted for each in look.facts.databases)]
    return good[0] if good else None


# -- what was sent -----------------------------------------------------------------------------------------------------


def _sendings(entries: Sequence[Entry]) -> Iterator[Sending]:
    steps = {
        entry.body.event.operation: entry.body.event.step
        for entry in entries
        if isinstance(entry.body, journal.Recorded) and isinstance(entry.body.event, events.StepBegan)
    }
    answers: dict[int, list[tuple[int, journal.Answered]]] = {}
    for entry in entries:
        if isinstance(entry.body, journal.Answered):
            answers.setdefault(entry.body.number, []).append((entry.n, entry.body))
    for entry in entries:
        sent = entry.body
        if not isinstance(sent, journal.Sent):
            continue
        answer = next((one for n, one in answers.get(sent.number, []) if n > entry.n), None)
        yield Sending(
            number=sent.number,
            what=sent.what,
            host=sent.host,
            at=entry.at,
            step=steps.get(sent.operation, 0),
            script=sent.script,
            sha256=sent.sha256,
            answer=_answer(answer),
            seconds=answer.seconds if answer is not None else 0.0,
            road=answer.road if answer is not None else "",
        )


def _answer(answered: journal.Answered | None) -> str:
    if answered is None:
        return ""
    if isinstance(answered.answer, Failed):
        return f"{answered.answer.fault.error}: {answered.answer.fault.what}"
    if not isinstance(answered.answer, Facts):
        return ""
    facts = answered.answer
    said: dict[str, object] = {}
    if facts.results:
        said["facts"] = list(facts.results.values())
    if facts.errors:
        said["errors"] = [record.message for record in facts.errors.values()]
    if facts.receipts:
        said["receipt"] = {name: held.state for name, held in facts.receipts.items()}
    if facts.warnings:
        said["warnings"] = list(facts.warnings)
    return msgspec.json.format(msgspec.json.encode(said), indent=1).decode("utf-8", "replace")


# -- the timeline ------------------------------------------------------------------------------------------------------

_MARKS = {"changed": "ok", "right": "=", "unknown": "?"}


def _timeline(entries: Iterable[Entry], plan: Plan | None) -> Iterator[Moment]:
    for entry in entries:
        match entry.body:
            case journal.Recorded(event=event):
                yield from _told(entry.at, event, plan)
            case journal.Resumed(who=who):
                yield Moment(at=entry.at, mark=">", text=f"{who} went on with the run")
            case journal.Declined(who=who, fault=fault):
                yield Moment(at=entry.at, mark="!", text=f"{who} was not let go on with the run: {fault.what}")
            case journal.Settled() as settled:
                text = f"{settled.who} settled step {settled.step} as {settled.outcome}: {settled.reason}"
                yield Moment(at=entry.at, mark="?", text=text, step=settled.step)
            case journal.Acknowledged(who=who, warnings=read):
                yield Moment(at=entry.at, mark="", text=f"{who} acknowledged {plural(len(read), 'warning')}")
            case journal.Stopped(now=now, under_way=under_way):
                left = f"; sent and not known to be done: {', '.join(under_way)}" if under_way else ""
                yield Moment(at=entry.at, mark="!", text=f"stopped by Ctrl-C{' at once' if now else ''}{left}")
            case journal.Answered(host=host, tries=tries) if tries:
                for tried in tries:
                    yield Moment(at=entry.at, mark="?", text=f"{host}: {tried.what}")
            case _:
                pass


def _told(at: datetime, event: events.Event, plan: Plan | None) -> Iterator[Moment]:
    match event:
        case events.RunBegan():
            yield Moment(at=at, mark="", text=f"{event.who or 'somebody'} began {event.runbook}")
        case events.Approved():
            yield Moment(at=at, mark="", text=_approved(event))
        case events.StepBegan():
            change = f"{event.now} -> {event.wanted}" if event.now else event.wanted
            text = f"step {event.step} on {event.host}: {event.what}, {change}"
            yield Moment(at=at, mark=">", text=f"{text}{' (undoing)' if event.undoing else ''}", step=event.step)
        case events.StepUnsure():
            text = f"step {event.step} on {event.host}: sent, no answer ({event.fault.what}); looked for its receipt"
            yield Moment(at=at, mark="?", text=text, step=event.step)
        case events.StepEnded():
            what, word = event.what, {"changed": event.wanted or "done"}.get(event.state, event.state)
            if event.state == "right":
                what, kind = (event.what, event.wanted) if event.wanted else right_already(event, plan)
                word = f"{kind} already".strip()
            why = f": {event.fault.what}" if event.fault is not None else ""
            note = f" ({event.note})" if event.note else ""
            text = f"step {event.step} on {event.host}: {what}, {word}{why}{note}"
            yield Moment(at=at, mark=_MARKS.get(event.state, "!"), text=text, step=event.step)
        case events.WaitEnded():
            held = event.state == "held"
            why = f": {event.fault.what}" if event.fault is not None else "" if held else f": {event.state}"
            yield Moment(at=at, mark="ok" if held else "!", text=f"waited on {event.host} for {event.what}{why}")
        case events.RunEnded():
            why = f": {event.fault.what}" if event.fault is not None else ""
            yield Moment(at=at, mark="!" if event.exit else "ok", text=f"ended: {event.state}{why}")
        case _:
            pass


def _approved(event: events.Approved) -> str:
    text = f"{event.by} agreed"
    if event.second:
        text += f"; {event.second} had approved it as the second person ({'signed' if event.signed else 'unsigned'})"
    if event.break_glass:
        text += f"; GLASS BROKEN, nobody else had approved it: {event.break_glass}"
    return text + (f"; accepted a loss of {', '.join(event.accepted)}" if event.accepted else "")
