"""A plan as a person reads it: the verdict, the steps with what is and what is wanted, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starover.approval import Second
from starover.command_line import options, with_dag, word
from starover.guard import needs_digest, needs_second
from starover.loss import bounds
from starover.loss import words as loss_words
from starover.plan import Plan, PlannedStep
from starover.step import Risk
from starover_cli.views.head import Where, first_line, next_block
from starover_cli.views.text import clip, clock_time, label_block, plural, table, wrap

if TYPE_CHECKING:
    from starover.policy import Decision

__all__ = ["next_of_plan", "plan_danger", "plan_id_line", "plan_text", "plan_verdict", "plans_text", "step_script"]

RISKS = {
    Risk.READ: "reads only",
    Risk.LOW: "low",
    Risk.SERVICE: "interrupts service",
    Risk.DATA: "may lose data",
    Risk.SPLIT: "may split the brain",
}


def subject(step: PlannedStep) -> str:
    """The thing a step is about: what changes; when nothing does, its first argument that is a name, else the host."""
    if step.change is not None:
        return str(step.change.what)
    for name, value in step.arguments.items():
        if isinstance(value, str) and value and name != "note":
            return value
    return step.host or words(step.kind)


def words(kind: str) -> str:
    """A step kind's name as words: `activation_blocked` is `activation blocked`."""
    return kind.replace("_", " ")


def plan_id_line(plan: Plan, good_for: str = "", width: int = 100) -> str:
    """`plan  b3f1c07a        copies-add        risk L            facts of 14:02:09, good for 30 min`."""
    facts = f"facts of {clock_time(plan.made, simulated=plan.lab)}"
    if good_for:
        facts += f", {good_for}"
    line = f"plan  {plan.id.ljust(15)} {plan.runbook.ljust(17)} risk {plan.risk.value}            {facts}"
    return line if len(line) <= width else f"plan  {plan.id}  {plan.runbook}  risk {plan.risk.value}\n      {facts}"


def plan_verdict(plan: Plan, done_by: str = "") -> str:
    """One sentence: what would happen, or that nothing needs to, or what stands in the way."""
    if plan.nothing:
        return f"Nothing to do: {_what_holds(plan)}{done_by}."
    if plan.blocked:
        first = plan.blocked[0]
        more = f" ({len(plan.blocked)} steps are blocked)" if len(plan.blocked) > 1 else ""
        assert first.blocked is not None
        return f"! refused: {first.blocked.why.rstrip('.')}{more}."
    sentence = _what_changes(plan)
    if not plan.complete:
        sentence += (
            ", and more that only shows once these are done" if sentence else "What it does only shows on the way"
        )
    return f"{sentence}."


def _what_changes(plan: Plan) -> str:
    """`DB01/EX3 and DB02/EX3 go from Healthy to Suspended`, or the changes by number where they differ."""
    moves = {(step.change.now, step.change.wanted) for step in plan.changes if step.change is not None}
    names = [subject(step) for step in plan.changes]
    if len(moves) == 1 and len(names) <= 4:
        ((now, wanted),) = moves
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        return f"{listed} {'goes' if len(names) == 1 else 'go'} from {now} to {wanted}"
    if not plan.changes:
        return ""
    hosts = list(dict.fromkeys(step.host for step in plan.changes))
    return f"{plural(len(plan.changes), 'change')} on {', '.join(hosts[:4])}{' and others' if len(hosts) > 4 else ''}"


def _what_holds(plan: Plan) -> str:
    count = len(plan.steps)
    if not count:
        return f"{plan.runbook} found nothing that it applies to"
    if count == 1:
        only = plan.steps[0]
        return f"{subject(only)} is {words(only.kind)} already"
    return f"{plural(count, 'step')} hold already"


def plan_lines(plan: Plan, width: int = 100) -> list[str]:
    """The table of steps."""
    head = ("#", "", "on", "step", "now", "wanted")
    rows: list[tuple[str, ...]] = []
    for step in plan.steps:
        change = step.change
        if step.blocked is not None:
            rows.append((str(step.number), "!", step.host, subject(step), "blocked", words(step.kind)))
        elif change is None:
            rows.append((str(step.number), "=", step.host, subject(step), "right already", words(step.kind)))
        else:
            rows.append((str(step.number), step.mark, step.host, subject(step), change.now, change.wanted))
    if not rows:
        return []
    notes = ["", *(step.change.shown if step.change is not None else "" for step in plan.steps)]
    flat = [
        (*row[:-1], f"{row[-1]}   {note}" if note else row[-1]) for row, note in zip([head, *rows], notes, strict=True)
    ]
    lines = table(flat, indent=2)
    return _folded([head, *rows], notes, width) if any(len(line) > width for line in lines) else lines


_CHANGING = ("+", "~", "-")
NARROW = 20
"""Columns that the last column needs, to be one; with less room what is wanted stands in a line below."""


def _folded(rows: Sequence[Sequence[str]], notes: Sequence[str], width: int) -> list[str]:
    """The table where it is too wide: what is wanted wrapped in its own column, each note in lines below its step."""
    count = len(rows[0]) - 1
    widths = [max(len(row[column]) for row in rows) for column in range(count)]
    under = 2 + sum(width + 2 for width in widths[: count - 2])
    room = width - (2 + sum(width + 2 for width in widths))
    lines: list[str] = []
    for row, note in zip(rows, notes, strict=True):
        if room >= NARROW:
            left = "  " + "".join(cell.ljust(size + 2) for cell, size in zip(row, widths, strict=False))
            lines += wrap(left + row[-1], width, " " * len(left))
        else:
            left = "  " + "".join(cell.ljust(size + 2) for cell, size in zip(row[: count - 2], widths, strict=False))
            lines += wrap(left + row[count - 2], width, " " * under)
            arrow = "->" if row[1] in _CHANGING else ""
            lines += wrap(f"{' ' * under}{row[count - 1]}  {arrow.rjust(2)} {row[-1]}", width, " " * (under + 2))
        lines += wrap(" " * under + note, width, " " * under) if note else []
    return [line.rstrip() for line in lines]


def plan_text(
    plan: Plan,
    where: Where,
    *,
    width: int = 100,
    done_by: str = "",
    good_for: str = "",
    asking: bool = False,
    ticket: str = "",
    second: Second | None = None,
    several: bool = False,
    house: Decision | None = None,
    certificate: str = "",
) -> str:
    """The whole screen of `starover plan` and `starover plans show`; `asking`: a question follows it.

    `ticket` is repeated in what to type next; `second` is the second person's approval; `several`: the inventory has
    more than one DAG, so that advice must name it; `house`: what the policy says now; `certificate`: that it has none.
    """
    if plan.nothing and len(plan.steps) <= 1:
        return f"{first_line(where, width)}\n\n" + "\n".join(wrap(plan_verdict(plan, done_by), width))
    rough = [("certificate", certificate)] if certificate else []
    remarks = [*rough, *_remarks(plan, several=several), *plan_danger(plan, second), *_policy(plan, house)]
    parts = [
        f"{first_line(where, width)}\n{plan_id_line(plan, good_for, width)}",
        "\n".join(wrap(plan_verdict(plan, done_by), width)),
        "\n".join(plan_lines(plan, width)),
        "\n".join(label_block(remarks, width)),
        "" if asking else _count(plan),
        "" if asking else next_block(next_of_plan(plan, ticket, house)),
    ]
    return "\n\n".join(part for part in parts if part)


def _remarks(plan: Plan, *, several: bool) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    dag = str(plan.parameters.get("dag") or "") if several else ""
    for step in plan.blocked:
        assert step.blocked is not None
        label = step.blocked.guard or "blocked"
        pairs.append((label, f"step {step.number}: {step.blocked.why}"))
        pairs += [("", line) for line in step.blocked.certain]
        lines = [with_dag(line, dag) if dag else line for line in step.blocked.next]
        pairs += [("" if position else "passes if", line) for position, line in enumerate(lines)]
    pairs += [("note", note) for note in plan.notes]
    if not plan.complete:
        kinds = ", ".join(dict.fromkeys(words(kind) for kind in plan.beyond.kinds)) or "nothing more than this"
        on = f" on {', '.join(plan.beyond.targets)}" if plan.beyond.targets else ""
        pairs.append(("ends at", f"{plan.frontier}: read only after what is above is done."))
        pairs.append(("beyond it", f"at most {kinds}{on}, risk {plan.beyond.risk.value}; anything else is refused."))
    undone = [step for step in plan.changes if step.undo]
    if plan.changes:
        if len(undone) == len(plan.changes):
            text = "starover undo RUN restores what was before"
        elif undone:
            numbers = ", ".join(str(step.number) for step in undone)
            text = f"starover undo RUN restores step {numbers}; the others have no way back"
        else:
            text = "there is no way back by starover undo"
        pairs.append(("undo", text))
    return pairs


def _count(plan: Plan) -> str:
    right = len(plan.steps) - len(plan.changes) - len(plan.blocked)
    parts = [plural(len(plan.changes), "change")]
    if right:
        parts.append(f"{right} already right")
    if plan.blocked:
        parts.append(f"{len(plan.blocked)} blocked")
    return f"{', '.join(parts)}. Nothing was sent but reads."


def plan_danger(plan: Plan, second: Second | None = None) -> list[tuple[str, str]]:
    """What may be lost, and who must agree."""
    if plan.nothing or plan.blocked:
        return []
    pairs: list[tuple[str, str]] = []
    if needs_digest(plan.risk):
        pairs += [("may lose", f"{loss_words(loss)}; if it is more, the run stops") for loss in bounds(plan).values()]
        needs = "a ticket, and the loss or the plan's id typed"
        if needs_second(plan.risk):
            needs = "a ticket, a second person's approval, and the DAG's name typed"
        pairs.append(("needs", f"{needs} (risk {plan.risk.value}: {RISKS[plan.risk]})"))
    if second is not None:
        at, until = (clock_time(when, simulated=plan.lab) for when in (second.at, second.expires))
        pairs.append(
            ("approved", f"by {second.by} at {at}, good until {until}; {'signed' if second.is_signed else 'unsigned'}")
        )
    return pairs


def _policy(plan: Plan, house: Decision | None) -> list[tuple[str, str]]:
    """What the policy would say if it were applied now."""
    if house is None or plan.nothing or plan.blocked:
        return []
    said = [f"{house.verdict}{f': {house.why[0]}' if house.why else ''}", *house.why[1:]]
    if house.verdict == "needs approval":
        said.append(f"who may approve: {', '.join(house.approvers) or 'nobody is left'}")
    return [("policy" if at == 0 else "", text) for at, text in enumerate(said)]


def next_of_plan(plan: Plan, ticket: str = "", house: Decision | None = None) -> list[tuple[str, str]]:
    """What to type after a plan; `house`: what the policy says now."""
    if plan.nothing:
        return []
    lines: list[tuple[str, str]] = []
    if not plan.blocked:
        if needs_second(plan.risk) or (house is not None and house.verdict == "needs approval"):
            lines.append((f"starover approve {plan.id}", "a second person runs this (export: plans show --to FILE)"))
        words = f" --ticket {ticket}" if ticket and needs_digest(plan.risk) else ""
        if loss := ",".join(str(one) for one in bounds(plan).values()):
            words += f" --accept-data-loss {word(loss)}"
        lines.append((f"starover apply {plan.id}{words}", "exactly this, if the facts still hold"))
    if plan.changes:
        lines.append((f"starover plans show {plan.id} --step {plan.changes[0].number} --script", "what would be sent"))
    return lines


def step_script(plan: Plan, step: PlannedStep, text: str, hidden_lines: int) -> str:
    """`plans show --script`: the script of a step under a comment that says whose it is."""
    head = f"# step {step.number} of {plan.id}   on {step.host}   sha256 {step.sha256[:8]}   template {step.template}"
    tail = ""
    if hidden_lines:
        tail = f"\n# (+ {hidden_lines} lines of prologue and epilogue, the same in every script: --full shows them)"
    return f"{head}\n{text.rstrip()}{tail}"


def plans_text(rows: Sequence[tuple[Plan, int]], width: int = 100) -> str:
    """The list of saved plans, newest first, with how many runs each had."""
    body = [("plan", "runbook", "parameters", "changes", "risk", "facts of", "runs")]
    for plan, runs in rows:
        given = options({name: value for name, value in plan.parameters.items() if value})
        when = clock_time(plan.made, simulated=plan.lab)
        body.append((plan.id, plan.runbook, clip(given, 40), str(len(plan.changes)), plan.risk.value, when, str(runs)))
    return "\n".join(clip(line, width) for line in table(body))
