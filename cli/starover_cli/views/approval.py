"""What a second person is shown before approving a plan, and after. Data in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from starover.approval import Second
from starover.guard import FRESH, needs_digest
from starover.loss import bounds
from starover.loss import words as loss_words
from starover.plan import Plan, PlannedStep
from starover.step import Risk
from starover_cli.views.head import next_block
from starover_cli.views.plan import subject, words
from starover_cli.views.text import clock_time, label_block, wrap

__all__ = ["approval_data", "approval_text", "approved_text", "grave_pairs"]

_LABELS = {Risk.SPLIT: "forces", Risk.DATA: "risks", Risk.SERVICE: "interrupts", Risk.LOW: "also"}
_VERBS = (
    ("instance_force_stopped", "by force"),
    ("instance_stop", "stops"),
    ("subnet_denied", "cuts off"),
    ("evicted", "evicts"),
    ("stopped", "stops"),
)
"""What step kinds of a disaster do, in a word, by a part of their name; the first that fits."""


def approval_text(plan: Plan, width: int = 100) -> str:
    """What the approval binds: stops, forces, may lose, void if (in the order of danger)."""
    by = f"   by {plan.by} at {clock_time(plan.made, simulated=plan.lab)}" if plan.by else ""
    dag = str(plan.parameters.get("dag") or "")
    kind = "LAB " if plan.lab else "LIVE"
    head = f"{kind}  {plan.estate}{f'   DAG {dag}' if dag else ''}   {plan.runbook}{by}   risk {plan.risk.value}"
    pairs = [*grave_pairs(plan), *_grouped(plan, (Risk.SERVICE, Risk.LOW))]
    losses = [f"{loss_words(loss)}; the run stops if it is more" for loss in bounds(plan).values()]
    if not losses and needs_digest(plan.risk):
        losses = ["nothing that a person had to accept; what is known to be missing stands above"]
    pairs += [("may lose" if at == 0 else "", text) for at, text in enumerate(losses)]
    if not plan.complete:
        kinds = ", ".join(words(kind) for kind in plan.beyond.kinds) or "nothing"
        on = f" on {', '.join(plan.beyond.targets)}" if plan.beyond.targets else ""
        pairs.append(("then", f"at most {kinds}{on}, risk {plan.beyond.risk.value}"))
    until = clock_time(plan.made + FRESH, simulated=plan.lab)
    facts = "the fact changes" if len(plan.steps) == 1 else f"any of {len(plan.steps)} facts changes"
    pairs.append(("void if", f"{facts}, or after {until}"))
    pairs.append(("digest", plan.digest))
    return "\n".join([*wrap(head, width, "      "), *label_block(pairs, width)])


def grave_pairs(plan: Plan) -> list[tuple[str, str]]:
    """What may split the brain or lose mail, step by step, as labelled lines."""
    return _grouped(plan, (Risk.SPLIT, Risk.DATA))


def _grouped(plan: Plan, risks: Sequence[Risk]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for risk in risks:
        by_label: dict[str, list[str]] = {}
        for step in plan.changes:
            if step.risk is risk:
                verb = next((word for part, word in _VERBS if part in step.kind), "") if risk is Risk.SPLIT else ""
                by_label.setdefault(verb or _LABELS[risk], []).append(_line(step))
        found += [
            (label if at == 0 else "", text) for label, lines in by_label.items() for at, text in enumerate(lines)
        ]
    return found


def _line(step: PlannedStep) -> str:
    change = step.change
    assert change is not None
    what = subject(step)
    on = "" if step.host in what else f" on {step.host}"
    note = f" ({change.shown})" if change.shown and step.risk in (Risk.SPLIT, Risk.DATA) else ""
    return f"{what}{on}: {change.now or 'nothing'} -> {change.wanted}{note}"


def approved_text(plan: Plan, made: Second, place: str, *, beside: bool, width: int = 100) -> str:
    """That it is approved, where it lies, and what the first person types."""
    at, until = (clock_time(when, simulated=plan.lab) for when in (made.at, made.expires))
    said = f"approved   plan {plan.id} by {made.by} at {at}, good until {until}   {place}"
    warning = "It is not signed: whoever can write this file can write any name into it."
    if made.is_signed:
        warning = f"Signed as {made.by}: it counts where that key stands under that name among the allowed signers."
    file = "" if beside else f" --approval {place}"
    return "\n\n".join(
        [
            "\n".join([*wrap(said, width, " " * 11), *wrap(warning, width)]),
            next_block([(f"starover apply {plan.id}{file}", f"{plan.by or 'who asked for it'} runs this")]),
        ]
    )


def approval_data(made: Second, place: str) -> dict[str, object]:
    """The same for a machine."""
    return {"approval": made, "file": place, "signature": made.signature, "exit": 0}
