"""What was done: the list of runs and the page of one, from journals. Data in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from starover import events, journal
from starover.acknowledging import acknowledged, open_warnings
from starover.events import Told
from starover.journal import Entry
from starover.plan import Plan
from starover.runbook import Findings
from starover.values import Plain
from starover_cli.views.findings import value_text
from starover_cli.views.head import Where, first_line, next_block
from starover_cli.views.outcome import approved_pairs, glass_lines
from starover_cli.views.story import Row, Story
from starover_cli.views.text import clip, clock_time, day_time, duration, label_block, plural, table, wrap

__all__ = [
    "RunSummary",
    "facts_of_run",
    "report_text",
    "run_data",
    "run_text",
    "runs_text",
    "scripts_text",
    "summary_of",
    "verdict_of_run",
]


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One run, as its journal tells it."""

    run: str
    begun: datetime
    last: datetime
    runbook: str
    summary: str
    parameters: dict[str, Plain]
    estate: str
    lab: bool
    who: str
    ticket: str
    reason: str
    content: str
    version: str
    plan: Plan | None
    """The plan that was applied; None for one that only planned or looked."""
    ended: events.RunEnded | None
    """None: it was interrupted, or is under way."""
    at_work: bool
    """Somebody is at it now."""
    rows: dict[int, Row]
    report: bytes | None
    resumed: tuple[str, ...] = ()
    """Who went on with it."""
    declined: tuple[str, ...] = ()
    """Who was not let go on with it, and why."""
    asked: str = ""
    """What was asked for and refused before it was a run; empty: it is one."""
    settled: tuple[str, ...] = ()
    """What people decided of outcomes that stayed unknown."""
    acknowledged: tuple[str, ...] = ()
    """Who has read its warnings, where somebody had to."""
    unread: int = 0
    """Warnings that nobody has acknowledged, and somebody must."""
    scripts: tuple[journal.Sent, ...] = ()
    roads: dict[str, tuple[str, int, float]] = field(default_factory=dict[str, tuple[str, int, float]])
    """By host: the last road, how many answers, their seconds."""
    retries: tuple[str, ...] = ()
    approved: events.Approved | None = None

    @property
    def result(self) -> str:
        """In a word or two: `done`, `STOPPED 3/5`, `nothing`, `under way`, `interrupted`."""
        if self.ended is None:
            return "under way" if self.at_work else "interrupted"
        if self.asked:
            return self.ended.state
        if self.plan is not None and self.ended.exit:
            done = sum(row.mark in ("ok", "=") for row in self.rows.values())
            foreseen = f"/{len(self.plan.steps)}" if self.plan.complete else ""  # behind its frontier nobody counts
            return f"{self.ended.state} {done}{foreseen}"
        return self.ended.state

    @property
    def changed(self) -> int:
        """Steps that changed something, over all legs."""
        return sum(row.mark == "ok" for row in self.rows.values())

    @property
    def planning(self) -> bool:
        """It made a plan and nothing else, so that the plan is what to look at; or it is the map kept with a run."""
        ended = self.ended
        if self.runbook == "dag-status":
            return True
        return self.plan is None and ended is not None and (ended.state in ("planned", "nothing") or ended.exit == 2)


_AFTERWARDS = (journal.Acknowledged, journal.Declined)
"""What people say and ask of a run that is over: it took no longer for that."""


def summary_of(run: str, entries: Sequence[Entry], *, at_work: bool = False) -> RunSummary | None:
    """A journal in short; None for one without a first line. `at_work`: somebody is at the run now."""
    if not entries or not isinstance(entries[0].body, journal.Begun):
        return None
    begun = entries[0].body
    story = Story(simulated=begun.lab, plan=begun.plan)
    roads: dict[str, tuple[str, int, float]] = {}
    retries: list[str] = []
    resumed: list[str] = []
    declined: list[str] = []
    settled: list[str] = []
    scripts: list[journal.Sent] = []
    for entry in entries:
        match entry.body:
            case journal.Recorded(event=event):
                story.take(Told(at=entry.at, run=run, event=event))
            case journal.Settled() as decided:
                settled.append(f"step {decided.step} {decided.outcome}, by {decided.who}: {decided.reason}")
            case journal.Declined(who=who, fault=fault):
                declined.append(f"{who} at {clock_time(entry.at, simulated=begun.lab)}: {fault.what}")
            case journal.Resumed(who=who):
                resumed.append(who)
                story.ended = None
            case journal.Sent() as sent:
                scripts.append(sent)
            case journal.Answered() as answer if answer.host:
                _, count, seconds = roads.get(answer.host, ("", 0, 0.0))
                roads[answer.host] = (answer.road, count + 1, seconds + answer.seconds)
                retries += [f"{answer.host}: {tried.what}" for tried in answer.tries]
            case _:
                pass
    return RunSummary(
        run=run,
        begun=entries[0].at,
        last=next((one.at for one in reversed(entries) if not isinstance(one.body, _AFTERWARDS)), entries[-1].at),
        runbook=begun.runbook,
        summary=begun.summary,
        parameters=begun.parameters,
        estate=begun.estate,
        lab=begun.lab,
        who=begun.who,
        ticket=begun.ticket,
        reason=begun.reason,
        content=begun.content,
        version=begun.version,
        plan=begun.plan,
        ended=story.ended,
        at_work=at_work,
        rows=story.rows,
        report=story.report,
        resumed=tuple(resumed),
        declined=tuple(declined),
        asked=begun.asked,
        settled=tuple(settled),
        acknowledged=tuple(
            f"{plural(len(body.warnings), 'warning')} acknowledged by {body.who} at "
            f"{clock_time(entry.at, simulated=begun.lab)}{_HOW.get(body.how, '')}"
            for entry, body in acknowledged(entries)
        ),
        unread=len(open_warnings(entries)),
        scripts=tuple(scripts),
        roads=roads,
        retries=tuple(retries),
        approved=story.approved,
    )


_HOW = {"flag": ", by --acknowledge-warnings", "later": ", afterwards"}


def runs_text(runs: Sequence[RunSummary], broken: Sequence[str], width: int = 100) -> str:
    """The list, latest last as in a log; `broken` are runs whose journal is not as it was written."""
    if not runs and not broken:
        return "Nothing was run here yet.\n\n" + next_block([("starover runbooks", "what can be done")])
    rows = [("when", "run", "runbook", "by", "result", "changed", "took")]
    rows += [
        (
            day_time(one.begun, simulated=one.lab),
            one.run,
            one.runbook,
            one.who,
            one.result,
            str(one.changed),
            duration((one.last - one.begun).total_seconds()),
        )
        for one in runs
    ]
    lines = [clip(line, width) for line in table(rows)]
    lines += [f"! {run}: its journal is not as it was written" for run in broken]
    following = [(f"starover runs show {runs[-1].run}", "every step of the latest")] if runs else []
    if broken:
        following.append(("starover audit verify", "what is wrong with the record"))
    return "\n".join(lines) + ("\n\n" + next_block(following) if following else "")


def run_text(one: RunSummary, where: Where, width: int = 100, head: str = "", certificate: str = "") -> str:
    """The page of one run.

    `head`: what its journal ends with, and whether that is signed; `certificate`: that its runbook has none.
    """
    rough = wrap(f"certificate  {certificate}", width, "  ") if certificate else []
    when = f"{day_time(one.begun, simulated=one.lab)} - {clock_time(one.last, simulated=one.lab)}"
    parts = [
        f"{first_line(where, width)}\nrun   {one.run.ljust(14)}  {one.runbook}   {when}   {one.result}",
        "\n".join([*glass_lines(one.approved, width), *rough, *wrap(verdict_of_run(one), width)]),
        "\n".join(line for _, row in sorted(one.rows.items()) for line in (row.text(width=width), *row.said(width))),
        report_text(one.report, width),
        "\n".join(label_block([*facts_of_run(one), *([("head", head)] if head else [])], width)),
        next_block(_next(one)),
    ]
    return "\n\n".join(part for part in parts if part)


class _Looked(Findings, frozen=True, kw_only=True):
    """What of any report can be shown without its runbook."""

    verdict: str = ""


def report_text(report: bytes | None, width: int) -> str:
    """What a runbook that looks returned, as JSON, for a person; empty: there is none that can be shown."""
    if report is None:
        return ""
    try:
        return value_text(msgspec.json.decode(report, type=_Looked), width)
    except msgspec.MsgspecError:
        return ""  # of a kind of its own: `--format json` has it whole


def verdict_of_run(one: RunSummary) -> str:
    """How it ended, in a sentence."""
    if one.ended is None:
        running = [row for row in one.rows.values() if row.mark == ">"]
        tail = f"; sent and not known to be done: {', '.join(row.what for row in running)}" if running else ""
        if one.at_work:
            return f"Under way: {plural(one.changed, 'change')} so far{tail}."
        return f"Interrupted after {plural(one.changed, 'change')}{tail}."
    if one.ended.fault is not None:
        word = one.ended.fault.raised().word
        if one.asked:
            return f"Asked for, and {word}: {one.ended.fault.what.rstrip('.')}. Nothing was begun."
        return f"{word.capitalize()} after {plural(one.ended.changed, 'change')}: {one.ended.fault.what.rstrip('.')}."
    if one.ended.state == "nothing":
        return "Nothing to do: everything held already."
    if one.ended.state == "looked":
        return f"{one.summary.rstrip('.')}: looked, changed nothing."
    if one.ended.state == "planned":
        return "A plan was made; nothing was changed."
    return f"Changed {one.changed}, {'each ' if one.changed > 1 else ''}checked again and holding."


def facts_of_run(one: RunSummary) -> list[tuple[str, str]]:
    """With what, by whom, why, over which roads: labelled lines."""
    given = [f"--{name.replace('_', '-')} {_shown(value)}" for name, value in one.parameters.items() if value]
    pairs = [("with", " ".join(given) or "no parameters"), ("by", one.who)]
    if one.asked:
        pairs.append(("asked for", one.asked))
    if one.ticket:
        pairs.append(("ticket", one.ticket))
    if one.reason:
        pairs.append(("reason", one.reason))
    pairs += approved_pairs(one.approved, simulated=one.lab)
    pairs += [("settled" if position == 0 else "", text) for position, text in enumerate(one.settled)]
    pairs += [("read" if position == 0 else "", text) for position, text in enumerate(one.acknowledged)]
    if one.unread:
        pairs.append(("NOT read", f"{plural(one.unread, 'warning')} that nobody has acknowledged"))
    pairs += [("resumed by", who) for who in one.resumed]
    pairs += [("not resumed", text) for text in one.declined]
    if one.plan is not None:
        pairs.append(("plan", one.plan.digest))
    pairs.append(("content", f"{one.content[:16]} of starover {one.version}"))
    for host, (road, count, seconds) in one.roads.items():
        pairs.append((host, f"{plural(count, 'script')} by {road or 'no road'}, {duration(seconds)}"))
    pairs += [("retried" if position == 0 else "", text) for position, text in enumerate(one.retries)]
    return pairs


def _shown(value: Plain) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _next(one: RunSummary) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    if one.unread:
        lines.append((f"starover attest warnings {one.run}", "whoever has read its warnings types this"))
    if one.ended is None and one.at_work:
        return [("starover watch", "the DAG meanwhile; whoever runs it has its progress")]
    if one.plan is not None and (one.ended is None or one.ended.resume):
        lines.append((f"starover resume {one.run}", "looks first, goes on only from what it finds"))
    if one.changed and one.plan is not None and any(step.undo for step in one.plan.steps):
        lines.append((f"starover undo {one.run}", "back to what this run found"))
    if one.scripts:
        lines.append((f"starover runs show {one.run} --scripts", "every script that was sent"))
    return lines


def scripts_text(one: RunSummary) -> str:
    """Every script that was handed over, as it was sent."""
    parts = [
        f"# {sent.number}   {sent.what} on {sent.host}   sha256 {sent.sha256}\n{sent.script.rstrip()}"
        for sent in one.scripts
    ]
    return "\n\n".join(parts) or "# nothing was sent"


def run_data(one: RunSummary, certificate: str = "") -> dict[str, object]:
    """The same for a machine."""
    return {
        **({"certificate": certificate} if certificate else {}),
        "run": one.run,
        **({"asked": one.asked} if one.asked else {}),
        "runbook": one.runbook,
        "parameters": one.parameters,
        "estate": one.estate,
        "lab": one.lab,
        "who": one.who,
        "ticket": one.ticket,
        "reason": one.reason,
        "begun": one.begun,
        "last": one.last,
        "seconds": (one.last - one.begun) / timedelta(seconds=1),
        "result": one.result,
        "state": one.ended.state if one.ended else one.result,
        "exit": one.ended.exit if one.ended else None,
        "fault": one.ended.fault if one.ended else None,
        "changed": one.changed,
        "plan": one.plan.digest if one.plan else None,
        "content": one.content,
        "version": one.version,
        "steps": [
            {
                "step": row.number,
                "mark": row.mark,
                "host": row.host,
                "what": row.what,
                "now": row.now,
                "wanted": row.wanted,
                "note": row.note,
                "began": row.began,
                "ended": row.ended,
                "fault": row.fault,
                "warnings": list(row.warnings),
            }
            for _, row in sorted(one.rows.items())
        ],
        "approved": one.approved,
        "resumed_by": list(one.resumed),
        "not_resumed": list(one.declined),
        "settled": list(one.settled),
        "acknowledged": list(one.acknowledged),
        "unread_warnings": one.unread,
        "retries": list(one.retries),
        "next": [command for command, _ in _next(one)],
    }
