"""What a second person is shown before approving a plan, and after. Data in, text out."""

from __future__ import annotations

from starover.approval import Second
from starover.guard import FRESH, needs_digest
from starover.loss import bounds
from starover.loss import words as loss_words
from starover.plan import Plan, PlannedStep
from starover.step import Risk
from starover_cli.views.head import next_block
from starover_cli.views.plan import subject, words
from starover_cli.views.text import clock_time, label_block, wrap

__all__ = ["approval_data", "approval_text", "approved_text"]

_LABELS = {Risk.SPLIT: "forces", Risk.DATA: "changes", Risk.SERVICE: "interrupts", Risk.LOW: "also"}


def approval_text(plan: Plan, width: int = 100) -> str:
    """What the approval binds: stops, forces, may lose, void if (in the order of danger)."""
    by = f"   by {plan.by} at {clock_time(plan.made, simulated=plan.lab)}" if plan.by else ""
    dag = str(plan.parameters.get("dag") or "")
    kind = "LAB " if plan.lab else "LIVE"
    head = f"{kind}  {plan.estate}{f'   DAG {dag}' if dag else ''}   {plan.runbook}{by}   risk {plan.risk.value}"
    pairs: list[tuple[str, str]] = []
    for risk in sorted(_LABELS, key=lambda one: -one.rank):
        steps = [step for step in plan.changes if step.risk is risk]
        pairs += [(_LABELS[risk] if at == 0 else "", _line(step)) for at, step in enumerate(steps)]
    losses = [f"{loss_words(loss)}; the run stops if it is more" for loss in bounds(plan).values()]
    if not losses and needs_digest(plan.risk):
        losses = ["no bound is named in this plan"]
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


def _line(step: PlannedStep) -> str:
    change = step.change
    assert change is not None
    what = subject(step)
    on = "" if step.host in what else f" on {step.host}"
    return f"{what}{on}: {change.now or 'nothing'} -> {change.wanted}"


def approved_text(plan: Plan, made: Second, place: str, *, beside: bool, width: int = 100) -> str:
    """That it is approved, where it lies, and what the first person types."""
    at, until = (clock_time(when, simulated=plan.lab) for when in (made.at, made.expires))
    said = f"approved   plan {plan.id} by {made.by} at {at}, good until {until}   {place}"
    warning = "It is not signed: whoever can write this file can write any name into it."
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
