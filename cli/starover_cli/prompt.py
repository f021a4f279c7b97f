"""The question before anything is changed, by danger: what is asked, what counts as yes, and the flag that answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from starover.errors import Mistake

if TYPE_CHECKING:
    from starover.effects import Approval
    from starover.plan import Plan
    from starover_cli.console import Console

__all__ = ["NotConfirmed", "consent"]


class NotConfirmed(Mistake):
    """The person answered no, or nobody could be asked; nothing was sent."""

    word = "not confirmed"


def consent(
    plan: Plan, console: Console, *, yes: bool, approve: str, dag: str, now: datetime, who: str
) -> Approval | None:
    """Ask whether to apply `plan`; None where nothing needs to be asked (it changes nothing).

    `yes` answers for low risk and for interruptions of service; what may lose data or split the brain is answered by
    `approve`, the plan's digest or id. Raises `NotConfirmed` for a no, and where nobody is there to be asked.
    """
    from starover.effects import Approval
    from starover.guard import needs_digest
    from starover.step import Risk

    if plan.risk is Risk.READ:
        return None
    grave = needs_digest(plan.risk)
    if approve:
        return Approval(by=who, digest=approve, how="digest", at=now)
    if yes and not grave:
        return Approval(by=who, digest=plan.id, how="confirmed", at=now)
    flag = f"--approve {plan.id}" if grave else "--yes"
    if not console.interactive:
        raise NotConfirmed(
            "nobody is here to be asked, and this changes something.",
            certain=["nothing was sent but reads."],
            next=[f"starover apply {plan.id} {flag}"],
        )
    if not grave:
        said = console.ask("Do it? [y/N] ")
        if said.casefold() in ("y", "yes"):
            return Approval(by=who, digest=plan.id, how="confirmed", at=now)
    else:
        wanted = dag if plan.risk is Risk.SPLIT and dag else plan.id
        what = "the DAG's name to begin" if wanted == dag else "the plan's id to accept what it may lose"
        if console.ask(f"Type {what}: ") == wanted:
            return Approval(by=who, digest=plan.digest, how="digest", at=now)
    raise NotConfirmed(
        "the answer was not yes.", certain=["nothing was sent but reads."], next=[f"starover apply {plan.id} {flag}"]
    )
