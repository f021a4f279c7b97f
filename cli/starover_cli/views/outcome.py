"""How a run ended: its steps, its verdict in one sentence, what is certain and what is not, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starover import events
from starover.command_line import word
from starover.step import Risk
from starover_cli.views.head import next_block
from starover_cli.views.story import Row
from starover_cli.views.text import clock_time, label_block, plural, wrap

if TYPE_CHECKING:
    from starover.drivers.local import Ran

__all__ = ["approved_pairs", "glass_lines", "ran_data", "ran_next", "ran_text"]


def ran_text(
    ran: Ran, rows: Mapping[int, Row], width: int = 100, approved: events.Approved | None = None, stands: str = ""
) -> str:
    """The steps and the last sentence; for a run that ended well also what to type next.

    A broken glass stands first. `stands`: how things are after it.
    """
    said = ran.error.what if ran.error is not None else ""
    parts: list[str] = [*glass_lines(approved, width)]
    for _, row in sorted(rows.items()):
        parts += [row.text(width=width), *row.said(width)]
        if row.fault is not None and row.fault.what != said:
            parts += wrap(f"         {row.fault.what}", width, " " * 9)
    parts += wrap(_sentence(ran), width, "  ")
    if stands:
        parts += ["", stands]
    lines = ran_next(ran) if ran.error is None else []
    return "\n".join(parts) + (f"\n\n{next_block(lines)}" if lines else "")


def glass_lines(approved: events.Approved | None, width: int = 100) -> list[str]:
    """Loud: that nobody else had approved it, who did it alone, and why."""
    if approved is None or not approved.break_glass:
        return []
    return wrap(f"BREAK GLASS by {approved.by}, without a second person: {approved.break_glass}", width, "  ")


def approved_pairs(approved: events.Approved | None, *, simulated: bool) -> list[tuple[str, str]]:
    """Who approved it, and what was accepted, as labelled lines."""
    if approved is None:
        return []
    if not (approved.how == "digest" or approved.second or approved.break_glass or approved.waivers):
        return []  # a yes to what needs no more
    pairs = [("approved by", f"{approved.by}, who applied it")]
    if approved.second:
        at = f" at {clock_time(approved.second_at, simulated=simulated)}" if approved.second_at else ""
        how = "signed" if approved.signed else "unsigned"
        pairs.append(("", f"{approved.second}{at}, as the second person ({how})"))
    if approved.break_glass:
        pairs.append(("", f"nobody else: glass broken, {approved.break_glass}"))
    pairs += [("policy" if at == 0 else "", text) for at, text in enumerate(approved.rests_on)]
    pairs += [("waived" if at == 0 else "", text) for at, text in enumerate(approved.waivers)]
    if approved.accepted:
        pairs.append(("accepted", f"a loss of {', '.join(approved.accepted)} logs at most"))
    return pairs


def _sentence(ran: Ran) -> str:
    tail = f"run {ran.run}   journal {ran.journal.as_posix()}"
    if ran.state == "nothing":
        return f"Nothing to do: everything holds already.   {tail}"
    if ran.state == "done":
        return f"changed {ran.changed}, checked again: {'holds' if ran.changed < 2 else 'all hold'}.   {tail}"
    if ran.state == "stopped":
        return f"stopped by Ctrl-C: changed {ran.changed}{_under_way(ran)}{_lease(ran)}.   {tail}"
    return f"changed {ran.changed}, then {ran.error.word if ran.error is not None else ran.state}.   {tail}"


def _under_way(ran: Ran) -> str:
    if not ran.under_way:
        return ", nothing is under way"
    return f"; sent and not known to be done: {', '.join(ran.under_way)}"


def _lease(ran: Ran) -> str:
    """What becomes of the DAG's lease; empty: nobody has to wait for it."""
    if not ran.leased:
        return ""
    until = f" until {clock_time(ran.until, simulated=ran.plan.lab)} at the latest" if ran.until is not None else ""
    return f"; the lease of {ran.leased} stays with it{until}, and nobody else changes {ran.leased} so long"


def ran_next(ran: Ran) -> list[tuple[str, str]]:
    """What to type after a run."""
    lines: list[tuple[str, str]] = []
    if ran.resumable:
        meaning = "looks first, goes on only from what it finds" if ran.state == "unknown" else "go on from here"
        lines.append((f"starover resume {ran.run}", meaning))
    unsure = [step.step for step in ran.steps if step.state == "unknown"]
    if unsure:
        command = f'starover settle {ran.run} --step {unsure[0]} --as not-applied --reason "..."'
        lines.append((command, "if nobody can ever find out"))
    elif ran.plan.risk.rank >= Risk.DATA.rank and ran.changed:
        # No undo is offered in passing: what was forced or lost does not come back by the steps that have one.
        lines.append(("starover watch", "leave it open"))
        lines.append((f"starover report {ran.run} --html report.html", "timeline, proof, approval, every script"))
    elif ran.changed and any(step.undo for step in ran.plan.steps):
        lines.append((f"starover undo {ran.run}", "back to what this run found"))
    if ran.leased:
        release = f"starover lease release {ran.run} --dag {word(ran.leased)}"
        lines.append((release, "if others must go on before that; what is not known stays so"))
    if lines and ran.state != "done":
        lines.append((f"starover runs show {ran.run}", "every step of it"))
    return lines


def what_stands(ran: Ran, width: int = 100) -> str:
    """For a run that did not end well: what is done and what is not known."""
    done = [step for step in ran.steps if step.state == "changed"]
    pairs = [("done so far", f"{plural(len(done), 'step')}, each read again and holding" if done else "nothing")]
    unknown: Sequence[str] = ran.under_way
    pairs += [("" if position else "not certain", text) for position, text in enumerate(unknown)]
    if ran.leased:
        pairs.append(("lease", _lease(ran).removeprefix("; ")))
    return "\n".join(label_block(pairs, width))


def ran_data(ran: Ran) -> dict[str, object]:
    """The same for a machine: the last line of a run."""
    return {
        "result": ran.state,
        "exit": ran.exit,
        "changed": ran.changed,
        "run": ran.run,
        "plan": ran.plan.id,
        "digest": ran.plan.digest,
        "journal": ran.journal.as_posix(),
        "steps": list(ran.steps),
        "under_way": list(ran.under_way),
        "resumable": ran.resumable,
        **({"lease": {"dag": ran.leased, "until": ran.until}} if ran.leased else {}),
        "value": ran.value,
        "next": [command for command, _ in ran_next(ran)],
    }
