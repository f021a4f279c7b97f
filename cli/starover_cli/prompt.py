"""The questions before anything is changed, by danger: what is asked, what counts as yes, and the flag that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from starover.errors import BadParameter, Mistake

if TYPE_CHECKING:
    from starover.approval import Second
    from starover.effects import Approval
    from starover.plan import Plan
    from starover.steps.losses import AcceptedLoss
    from starover_cli.console import Console

__all__ = ["TICKET", "Answers", "NotConfirmed", "agree_to_experiment", "consent"]

TICKET = re.compile(r"[A-Za-z0-9._#-]{1,64}")
BREAK_GLASS = "break_glass"
"""Parameter of runbooks that do something else when the glass is broken; it counts as the option does."""


class NotConfirmed(Mistake):
    """The person answered no, or nobody could be asked; nothing was sent."""

    word = "not confirmed"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was answered on the line that was typed."""

    yes: bool = False
    """Low risk, and interruptions of service."""
    approve: str = ""
    """The plan's id or digest: what may lose data or split the brain."""
    accept: tuple[str, ...] = ()
    """What may be lost: `DB1=3`."""
    ticket: str = ""
    second: Second | None = None
    """The second person's approval, where one was found."""
    approval: str = ""
    """The file that it was read from, where that was named."""
    break_glass: str = ""
    """Why there is no second person."""
    dag: str = ""
    """The DAG's name as it was typed: stands for typing it when nobody can be asked."""
    again: str = ""
    """What is typed to answer on the line; empty: `starover apply PLAN`."""


def consent(
    plan: Plan,
    console: Console,
    answers: Answers,
    *,
    dag: str,
    now: datetime,
    who: str,
    held: Callable[[Approval], object] | None = None,
    second: bool = False,
) -> Approval | None:
    """Ask whether to apply `plan`; None where nothing needs to be asked (it changes nothing).

    `second`: the policy wants a second person for it, whatever its risk. What would be refused anyway (no second
    person, another digest, what the policy forbids: `held` raises) is not asked for: the driver refuses it, and keeps
    that in the journal. Raises `NotConfirmed` for a no, and where nobody is there to be asked; `BadParameter` for
    answers that do not fit the plan.
    """
    from starover.effects import Approval
    from starover.guard import needs_digest
    from starover.loss import agreed, bounds
    from starover.step import Risk

    if plan.risk is Risk.READ:
        return None
    losses = bounds(plan)
    taken = agreed(losses, answers.accept) if answers.accept else ()
    grave = needs_digest(plan.risk)
    glass = _glass(plan, answers) if second or grave else ""
    approval = Approval(
        by=who,
        digest=answers.approve or (plan.digest if grave else plan.id),
        how="digest" if grave else "confirmed",
        at=now,
        ticket=answers.ticket,
        second=None if glass else answers.second,
        break_glass=glass,
        accepted=tuple(str(loss) for loss in taken) if grave else (),
    )
    if not grave:
        if not _forbidden(approval, held):
            _ask_plain(plan, console, answers, glass, dag)
        return approval
    asks_ticket = console.interactive and not approval.ticket
    if _refused(plan, approval, now) or (not asks_ticket and _forbidden(approval, held)):
        return approval
    return _ask_grave(plan, console, answers, approval, losses, dag)


def agree_to_experiment(plan: Plan, console: Console, *, answered: bool, again: str = "") -> None:
    """Ask whether a runbook without a certificate may change something on LIVE; `answered`: with `--experimental`.

    Raises `NotConfirmed` for a no, and where nobody is there to be asked.
    """
    if answered:
        return
    if not console.interactive:
        raise NotConfirmed(
            f"{plan.runbook} is experimental, nobody is here to be asked, and this is LIVE.",
            certain=[
                "nothing was sent but reads.",
                "it has no certificate: see starover runbooks show " + plan.runbook,
            ],
            next=[f"{_again(plan, again)} --experimental"],
        )
    console.note(f"{plan.runbook} is experimental: it has no certificate (starover runbooks show {plan.runbook}).")
    if console.ask("Use it on LIVE all the same? [y/N] ").casefold() not in ("y", "yes"):
        raise _no(plan, again, "--experimental")


def _glass(plan: Plan, answers: Answers) -> str:
    """Why there is no second person; empty where one has approved."""
    from starover.guard import is_reason

    reason = answers.break_glass or str(plan.parameters.get(BREAK_GLASS) or "")
    if not reason or (answers.second is not None and not answers.break_glass):
        return ""
    if not is_reason(reason):
        raise BadParameter("--break-glass takes a reason of 10 to 200 characters", certain=["nothing was sent"])
    return " ".join(reason.split())


def _forbidden(approval: Approval, held: Callable[[Approval], object] | None) -> bool:
    """Whether the policy forbids it, whatever else is answered."""
    from starover.errors import Refused

    try:
        if held is not None:
            held(approval)
    except Refused:
        return True
    return False


def _refused(plan: Plan, approval: Approval, now: datetime) -> bool:
    """Whether it would be refused whatever else is answered."""
    import msgspec

    from starover.errors import NotApproved
    from starover.guard import check_approval

    try:
        check_approval(plan, msgspec.structs.replace(approval, ticket=approval.ticket or "?"), now)
    except NotApproved:
        return True
    return False


def _ask_plain(plan: Plan, console: Console, answers: Answers, glass: str, dag: str) -> None:
    """Ask for a yes, and where the glass is broken for the DAG's name, as ever."""
    from starover.command_line import word

    if not glass and (answers.yes or answers.approve):
        return
    if glass and not console.interactive and _names(answers, dag):
        return
    flags = ["--yes"]
    if glass:
        flags = [f"--break-glass {word(glass)}", f"--dag {dag}" if dag else f"--approve {plan.id}"]
    flags += [f"--ticket {answers.ticket}"] if answers.ticket else []
    flags += [f"--approval {word(answers.approval)}"] if answers.approval else []
    if not console.interactive:
        raise _nobody(plan, answers.again, *flags)
    if glass:
        console.note(_alone(glass))
        what = "the DAG's name" if dag else "the plan's id"
        said = console.ask(f"Type {what} to begin: ") == (dag or plan.id)
    else:
        said = console.ask("Do it? [y/N] ").casefold() in ("y", "yes")
    if not said:
        raise _no(plan, answers.again, *flags)


def _names(answers: Answers, dag: str) -> bool:
    """Whether the line itself names what the glass is broken for: the DAG, or the plan where it is about none."""
    return answers.dag.casefold() == dag.casefold() if dag else bool(answers.approve)


def _alone(glass: str) -> str:
    return f"BREAK GLASS: nobody else has approved this. {glass}"


def _ask_grave(
    plan: Plan, console: Console, answers: Answers, approval: Approval, losses: Mapping[str, AcceptedLoss], dag: str
) -> Approval:
    """Ask for whatever the line did not answer; the approval with what was said."""
    import msgspec

    from starover.command_line import word
    from starover.loss import ACCEPTED, agreed, words
    from starover.step import Risk

    split = plan.risk is Risk.SPLIT
    said_before = bool(answers.approve) and bool(plan.parameters.get(ACCEPTED))  # typed when the plan was made
    loss = ",".join(str(one) for one in losses.values())
    wants_loss = bool(losses) and not approval.accepted and not said_before
    if approval.break_glass:
        wants_name = console.interactive or not _names(answers, dag)
    else:
        wants_name = not answers.approve and (split or not losses)
    flags = [f"--ticket {approval.ticket or 'ID'}"]
    flags += [f"--accept-data-loss {word(loss)}"] if wants_loss or approval.accepted else []
    if approval.break_glass:
        flags += [f"--break-glass {word(approval.break_glass)}", f"--dag {dag}" if dag else f"--approve {plan.id}"]
    elif wants_name or answers.approve:
        flags += [f"--approve {plan.id}"]
    flags += [f"--approval {word(answers.approval)}"] if answers.approval else []
    if not (wants_loss or wants_name or not approval.ticket):
        return approval
    if not console.interactive:
        raise _nobody(plan, answers.again, *flags)
    if not approval.ticket:
        ticket = console.ask("Ticket of the change or incident: ")
        if not TICKET.fullmatch(ticket):
            raise _no(plan, answers.again, *flags)
        approval = msgspec.structs.replace(approval, ticket=ticket)
    if wants_loss:
        console.note("\n".join(f"may lose  {words(one)}; if it is more, the run stops" for one in losses.values()))
        try:
            taken = agreed(losses, [console.ask(f"Type the loss that is accepted ({loss}): ")])
        except BadParameter:
            raise _no(plan, answers.again, *flags) from None
        approval = msgspec.structs.replace(approval, accepted=tuple(str(one) for one in taken))
    if wants_name:
        if approval.break_glass:
            console.note(_alone(approval.break_glass))
        named = split and bool(dag)
        what = "the DAG's name to begin" if named else "the plan's id to accept what it may lose"
        if console.ask(f"Type {what}: ") != (dag if named else plan.id):
            raise _no(plan, answers.again, *flags)
    return approval


def _again(plan: Plan, again: str) -> str:
    return again or f"starover apply {plan.id}"


def _nobody(plan: Plan, again: str, *flags: str) -> NotConfirmed:
    return NotConfirmed(
        "nobody is here to be asked, and this changes something.",
        certain=["nothing was sent but reads."],
        next=[f"{_again(plan, again)} {' '.join(flags)}"],
    )


def _no(plan: Plan, again: str, *flags: str) -> NotConfirmed:
    return NotConfirmed(
        "the answer was not yes.",
        certain=["nothing was sent but reads."],
        next=[f"{_again(plan, again)} {' '.join(flags)}"],
    )
