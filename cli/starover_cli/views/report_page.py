"""A run as one HTML page that needs nothing else: approvals first, mail, maps, decisions, timeline, scripts. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from starover.runbook import Finding
from starover_cli.views.dag_map import CopyCell, DagMap, HostCell, judge, silent_text
from starover_cli.views.html import Html, Part, page, table, tag
from starover_cli.views.outcome import approved_pairs
from starover_cli.views.runs import facts_of_run, verdict_of_run
from starover_cli.views.text import clock_time, day_time, duration, moment, plural

if TYPE_CHECKING:
    from starover_cli.run_report import RunReport, Sending
    from starover_cli.views.story import Row

__all__ = ["outage_pairs", "report_page", "timeline_lines"]

STYLE = """
:root { --back: #fff; --text: #1c2024; --soft: #5b6670; --line: #d9dee3; --box: #f5f7f9;
  --good: #18794e; --bad: #c62a2f; --odd: #9a5b00; --blue: #0b68cb; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --text: #e6e9ec; --soft: #9aa5af; --line: #333a41;
  --box: #1d2226; --good: #4cc38a; --bad: #ff7b80; --odd: #f1a10d; --blue: #6cb6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--back); color: var(--text);
  font: 16px/1.45 system-ui, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; margin: .2rem 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1rem 0 .4rem; }
p { margin: .4rem 0; } code, pre { font: 13px/1.4 ui-monospace, Consolas, monospace; }
pre { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; overflow-x: auto;
  white-space: pre-wrap; margin: .4rem 0; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); } .odd { color: var(--odd); }
.where { font-weight: 600; } .live { color: var(--bad); } .lab { color: var(--blue); }
.verdict { font-size: 1.1rem; }
.glass { border: 2px solid var(--bad); border-radius: 8px; padding: .6rem .8rem; margin: .8rem 0; font-weight: 600; }
.tiles, .zones { display: flex; flex-wrap: wrap; gap: .6rem; margin: .8rem 0; }
.tile, .zone { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .8rem; background: var(--box); }
.tile b { display: block; font-size: 1.25rem; } .zone { flex: 1 1 15rem; }
.zone h4 { margin: 0 0 .3rem; } .zone p { margin: .15rem 0; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
ol.time { list-style: none; margin: 0; padding: 0; border-left: 2px solid var(--line); }
ol.time li { padding: .15rem 0 .15rem .9rem; } ol.time time { color: var(--soft); margin-right: .6rem; }
.bars div { height: 1.35rem; margin: 2px 0; font-size: .8rem; white-space: nowrap; }
.bars i { display: block; height: 100%; min-width: 2px; background: var(--blue); opacity: .35; border-radius: 3px; }
.bars span { position: relative; top: -1.3rem; left: .3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .4rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
details { border: 1px solid var(--line); border-radius: 6px; padding: .3rem .6rem; margin: .4rem 0; }
summary { cursor: pointer; } footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .6rem; }
@media (max-width: 640px) {
  body { padding: .7rem; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin: 0 0 .5rem; }
  thead { display: none; } tr { display: block; border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0;
    padding: .3rem .6rem; } td { display: block; border: 0; padding: .1rem 0; }
  td:empty { display: none; } td::before { content: attr(data-of) " "; color: var(--soft); }
}
@media print { details { border: 0; } body { max-width: none; } }
"""
_COLOURS = {"ok": "good", "=": "good", "!": "bad", "?": "odd", ">": ""}


def report_page(report: RunReport, maps: Sequence[tuple[str, DagMap]], certificate: str = "") -> str:
    """The page. `maps`: the DAG at each stage that is known, with its title; `certificate`: that it has none."""
    one = report.one
    kind = "LAB" if one.lab else "LIVE"
    when = f"{day_time(one.begun, simulated=one.lab)} - {clock_time(one.last, simulated=one.lab)}"
    where = tag(
        "p",
        tag("span", kind, class_=kind.lower()),
        f"  {one.estate}{f'   DAG {report.dag}' if report.dag else ''}   {moment(one.begun, simulated=one.lab)}",
        class_="where",
    )
    sections: list[Part] = [
        where,
        tag("h1", f"{one.runbook}, run {one.run}"),
        tag("p", f"{when}, by {one.who}{f', ticket {one.ticket}' if one.ticket else ''}", class_="soft"),
        _agreed(report),
        tag("p", f"Certificate: {certificate}", class_="odd") if certificate else None,
        tag("p", verdict_of_run(one), class_=f"verdict {'bad' if one.ended is None or one.ended.exit else 'good'}"),
        _tiles(report),
        _section("Unknown", _unknown(report)),
        _section("Warnings", _warnings(report)),
        _section("Mail", _pairs(outage_pairs(report))),
        _section("The DAG at each stage", [_map(title, drawn) for title, drawn in maps]),
        _section("Decisions and their facts", _decisions(report)),
        _section("Timeline", [_bars(report), _timeline(report)]),
        _section("Steps", _steps(report)),
        _section("Everything that was read", _readings(report)),
        _section("The record", _pairs([*facts_of_run(one), *_record(report)])),
        tag("footer", "Made by starover from its journal. It is not signed.", class_="soft"),
    ]
    return page(f"{one.runbook} {one.run}", STYLE, *sections)


def _section(title: str, content: Part) -> Part:
    return tag("section", tag("h2", title), content) if content else None


def _pairs(pairs: Sequence[tuple[str, str]]) -> Part:
    return tag("dl", *((tag("dt", name), tag("dd", text)) for name, text in pairs)) if pairs else None


def _agreed(report: RunReport) -> Part:
    """Who agreed; a broken glass is loud."""
    approved = report.one.approved
    if approved is not None and approved.break_glass:
        loud = f"BREAK GLASS by {approved.by}, without a second person: {approved.break_glass}"
        return [tag("div", loud, class_="glass bad"), _pairs(approved_pairs(approved, simulated=report.one.lab))]
    return _pairs(approved_pairs(approved, simulated=report.one.lab))


def _tiles(report: RunReport) -> Part:
    one = report.one
    tiles = [(str(one.changed), "changed"), (duration((one.last - one.begun).total_seconds()), "took")]
    if report.down is not None and report.back is not None:
        tiles.append((duration((report.back - report.down).total_seconds()), "mail was down (RTO)"))
    known = [loss.known for loss in report.cost]
    if report.cost:
        lost = "unknown" if None in known else str(sum(number or 0 for number in known))
        tiles.append((lost, "logs known missing (RPO)"))
    return tag("div", *(tag("div", tag("b", number), text, class_="tile") for number, text in tiles), class_="tiles")


def outage_pairs(report: RunReport) -> list[tuple[str, str]]:
    """Down, back, what was lost and until when mail was saved: RTO and RPO in words."""
    lab = report.one.lab
    pairs: list[tuple[str, str]] = []
    if report.down is not None:
        pairs.append(("down since", f"{moment(report.down, simulated=lab)}, when the last log was written"))
        if report.back is not None:
            took = duration((report.back - report.down).total_seconds())
            pairs += [("back at", moment(report.back, simulated=lab)), ("RTO", took)]
        else:
            pairs.append(("back at", "not seen by this run"))
    for loss in report.cost:
        if loss.active:
            text = f"complete on {loss.target}: nothing is lost"
        elif loss.known is None:
            text = f"unknown how much: {loss.why}"
        else:
            text = f"{plural(loss.known, 'log')} known missing; what came after the last notice cannot be counted"
        saved = f"; mail is saved until {loss.inspected[:19]}Z" if loss.inspected and not loss.active else ""
        pairs.append((f"RPO {loss.database}", text + saved))
    return pairs


# -- maps --------------------------------------------------------------------------------------------------------------


def _map(title: str, dag: DagMap) -> Part:
    at = f", {moment(dag.where.at, simulated=dag.where.lab)}" if dag.where.at is not None else ""
    verdict = [tag("p", sentence) for sentence in judge(dag)]
    silent = silent_text(dag)
    return tag(
        "div",
        tag("h3", f"{title}{at}"),
        tag("p", f"{dag.where.quorum}, DAC {dag.where.dac or '?'}", class_="soft"),
        verdict,
        tag("div", *(_zone(dag, zone) for zone in dag.zones), class_="zones"),
        tag("pre", silent) if silent else None,
    )


def _zone(dag: DagMap, zone: str) -> Html:
    lines: list[Part] = [tag("h4", zone)]
    for kind, cells in (("member", dag.members), ("witness", dag.witnesses), ("DC", dag.controllers)):
        lines += [_host(kind, cell) for cell in cells if (cell.az or "-") == zone]
    for row in dag.databases:
        lines += [_copy(row.name, copy) for copy in row.copies if (copy.az or "-") == zone]
    return tag("div", *lines, class_="zone")


def _host(kind: str, cell: HostCell) -> Html:
    colour = "odd" if cell.state is None else "good" if cell.state in ("Up", "ok") else ""
    votes = f", {plural(cell.votes, 'vote')}" if cell.votes is not None else ""
    note = f", {cell.note}" if cell.note else ""
    return tag(
        "p",
        tag("span", f"{kind} ", class_="soft"),
        cell.name,
        " ",
        tag("span", cell.state or "?", class_=colour),
        votes,
        note,
    )


def _copy(database: str, copy: CopyCell) -> Html:
    word = (
        f"ACTIVE{'' if copy.status == 'Mounted' else f' {copy.status or chr(63)}'}"
        if copy.active
        else copy.status or "?"
    )
    colour = "good" if copy.good else "odd" if copy.status is None else "bad"
    lag = f", lag {duration(copy.lag.total_seconds())}" if copy.lag else ""
    return tag("p", f"{database}/{copy.server} ", tag("span", word, class_=colour), lag)


# -- what was decided --------------------------------------------------------------------------------------------------


def _unknown(report: RunReport) -> Part:
    rows = [row for row in report.one.rows.values() if row.mark == "?"]
    lines = [
        f"step {row.number} on {row.host}: {row.what}, {row.now} -> {row.wanted}: sent, and nobody knows"
        for row in rows
    ]
    lines += [f"settled: {text}" for text in report.one.settled]
    return tag("ul", *(tag("li", line, class_="odd") for line in lines)) if lines else None


def _warnings(report: RunReport) -> Part:
    lines = [f"step {row.number} on {row.host}: {text}" for row in report.one.rows.values() for text in row.warnings]
    lines += _texts(report.value.get("notice"))
    items = [tag("li", line) for line in lines]
    items += [tag("li", line, class_="good") for line in report.one.acknowledged]
    if report.one.unread:
        items.append(tag("li", f"{plural(report.one.unread, 'warning')} NOT acknowledged by anybody", class_="bad"))
    return tag("ul", *items) if items else None


def _texts(value: object) -> list[str]:
    try:
        return msgspec.convert(value, list[str])
    except msgspec.ValidationError:
        return []


def _decisions(report: RunReport) -> Part:
    parts: list[Part] = []
    page_ = report.assessment
    if page_ is not None:
        parts.append(tag("h3", f"az-loss-assess answered: {page_.answer}"))
        parts.append(tag("p", page_.verdict))
        pairs = [("certain", line) for line in dict.fromkeys(page_.certain)]
        pairs += [("not certain", line) for line in page_.uncertain]
        pairs += [("cost", loss.text) for loss in page_.cost]
        pairs += [("or wait", page_.wait)] if page_.wait else []
        parts.append(_pairs(pairs))
        rows = [
            (str(line.number), line.what, f"{line.says}{f' ({line.unknown})' if line.unknown else ''}")
            for line in page_.proof
        ]
        parts.append([tag("h3", "The proof"), table(("", "what", "says"), rows)] if rows else None)
    for row in sorted(report.one.rows.values(), key=lambda row: row.number):
        if row.fault is not None:
            parts.append(tag("h3", f"Step {row.number} on {row.host}: {row.state or 'ended'}"))
            parts.append(_fault(row))
    plan = report.one.plan
    for step in plan.blocked if plan is not None else ():
        assert step.blocked is not None
        parts.append(
            tag("h3", f"Step {step.number} was blocked{f' by {step.blocked.guard}' if step.blocked.guard else ''}")
        )
        parts.append(_pairs([("why", step.blocked.why), *(("certain", line) for line in step.blocked.certain)]))
    ended = report.one.ended
    if (
        ended is not None
        and ended.fault is not None
        and not any(row.fault == ended.fault for row in report.one.rows.values())
    ):
        fault = ended.fault
        parts.append(tag("h3", "It ended because"))
        parts.append(
            _pairs(
                [
                    ("what", fault.what),
                    *(("certain", line) for line in fault.certain),
                    *(("not certain", line) for line in fault.uncertain),
                ]
            )
        )
    found = _findings(report.value.get("findings"))
    if found:
        lines = [(one.level, one.check, one.on, one.says) for one in found]
        parts.append([tag("h3", "Findings"), table(("level", "check", "on", "says"), lines)])
    return [part for part in parts if part]


def _findings(value: object) -> tuple[Finding, ...]:
    try:
        return msgspec.convert(value, tuple[Finding, ...])
    except msgspec.ValidationError:
        return ()


def _fault(row: Row) -> Part:
    fault = row.fault
    assert fault is not None
    pairs = [("what", fault.what), *(("certain", line) for line in fault.certain)]
    pairs += [("not certain", line) for line in fault.uncertain]
    pairs += [("said", record.message) for record in fault.records]
    return _pairs(pairs)


# -- what was done -----------------------------------------------------------------------------------------------------


def _bars(report: RunReport) -> Part:
    """Each step as a bar on the run's time."""
    one = report.one
    whole = (one.last - one.begun).total_seconds()
    rows = [row for row in sorted(one.rows.values(), key=lambda row: row.number) if row.began is not None]
    if whole <= 0 or not rows:
        return None
    return tag("div", *(_bar(row, one.begun, whole) for row in rows), class_="bars")


def _bar(row: Row, begun: datetime, whole: float) -> Html:
    assert row.began is not None
    start = 100 * (row.began - begun).total_seconds() / whole
    wide = 100 * ((row.ended or row.began) - row.began).total_seconds() / whole
    start, wide = min(max(start, 0), 99), min(max(wide, 0), 100)
    style = f"margin-left:{start:.1f}%;width:{min(wide, 100 - start):.1f}%"
    return tag("div", tag("i", style=style), tag("span", f"{row.number}  {row.what}"))


def _timeline(report: RunReport) -> Html:
    lab = report.one.lab
    items = [
        tag(
            "li",
            tag("time", clock_time(one.at, simulated=lab)),
            tag("span", f"{one.mark} ".lstrip() + one.text, class_=_COLOURS.get(one.mark, "")),
        )
        for one in report.timeline
    ]
    return tag("ol", *items, class_="time")


def timeline_lines(report: RunReport) -> list[tuple[str, str, str]]:
    """The same for a terminal: time, mark, text."""
    return [(clock_time(one.at, simulated=report.one.lab), one.mark, one.text) for one in report.timeline]


def _steps(report: RunReport) -> Part:
    rows = sorted(report.one.rows.values(), key=lambda row: row.number)
    if not rows:
        return None
    head = ("#", "", "on", "what", "was", "became", "took", "note")
    lines: list[tuple[Part, ...]] = []
    for row in rows:
        took = duration((row.ended - row.began).total_seconds()) if row.ended and row.began else ""
        mark = tag("span", row.mark, class_=_COLOURS.get(row.mark, ""))
        lines.append((str(row.number), mark, row.host, row.what, row.now, row.wanted, took, row.note))
    details = [
        _sending(sending, f"Step {sending.step} on {sending.host}: the script, and what came back")
        for sending in sorted(report.sendings, key=lambda one: (one.step, one.number))
        if sending.step
    ]
    return [table(head, lines), *details]


def _readings(report: RunReport) -> Part:
    lab = report.one.lab
    return [
        _sending(
            one,
            f"{clock_time(one.at, simulated=lab)}  {one.what} on {one.host}, {one.road or 'no road'}, "
            f"{duration(one.seconds)}",
        )
        for one in report.sendings
        if not one.step
    ]


def _sending(one: Sending, title: str) -> Html:
    return tag(
        "details",
        tag("summary", title),
        tag("p", tag("code", f"sha256 {one.sha256}"), class_="soft"),
        tag("pre", one.script.rstrip()),
        tag("pre", one.answer or "no answer came"),
    )


def _record(report: RunReport) -> list[tuple[str, str]]:
    pairs = [("journal", f"{plural(report.lines, 'record')}, the last one's hash is {report.head}")]
    pairs += [("look", f"{look.run} at {moment(look.at, simulated=report.one.lab)}") for look in report.looks]
    return pairs
