"""What must hold before anything is changed: freshness, approval by risk; pure, knows no clock, no host and no screen.

Guards about copies, quorum or lag are ordinary queries and pure functions of the step library: they need facts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starover.effects import Approval
from starover.errors import NotApproved, NotSafe, PlanIsStale
from starover.plan import Plan
from starover.step import Risk

__all__ = ["FRESH", "check_applicable", "check_approval", "check_fresh", "needs_digest"]

FRESH = timedelta(minutes=30)
"""How long the facts of a plan are good for."""


def needs_digest(risk: Risk) -> bool:
    """Whether an approval must name the plan's digest; a lower risk is confirmed, READ needs nothing."""
    return risk in (Risk.DATA, Risk.SPLIT)


def check_applicable(plan: Plan) -> None:
    """Raises `NotSafe` for a plan with a step that needs a human first."""
    if not plan.blocked:
        return
    first = plan.blocked[0]
    assert first.blocked is not None
    raise NotSafe(
        first.blocked.why if not first.blocked.guard else f"{first.blocked.guard}: {first.blocked.why}",
        certain=(*first.blocked.certain, "nothing was sent but reads"),
        next=first.blocked.next,
        host=first.host,
    )


def check_fresh(plan: Plan, now: datetime) -> None:
    """Raises `PlanIsStale` when the plan's facts are older than `FRESH`."""
    age = now - plan.made
    if age > FRESH:
        raise PlanIsStale(
            f"the facts of plan {plan.id} are {int(age.total_seconds() // 60)} minutes old; "
            f"they are good for {int(FRESH.total_seconds() // 60)}",
            certain=("nothing was sent",),
            next=(f"starover plan {plan.runbook} ...   looks again",),
        )


def check_approval(plan: Plan, approval: Approval | None) -> None:
    """Raises `NotApproved` when the approval is not for this plan, or not of the strength its risk needs."""
    if plan.risk is Risk.READ:
        return
    if approval is None:
        raise NotApproved(
            f"plan {plan.id} (risk {plan.risk.value}) was not approved",
            certain=("nothing was sent but reads",),
            next=(f"starover apply {plan.id}",),
        )
    if len(approval.digest) < 8 or not plan.digest.startswith(approval.digest):
        raise NotApproved(
            f"the approval is for {approval.digest[:16] or 'nothing'}, not for plan {plan.id}",
            certain=("nothing was sent but reads",),
            next=(f"starover plans show {plan.id}",),
        )
    if needs_digest(plan.risk) and approval.how != "digest":
        raise NotApproved(
            f"plan {plan.id} has risk {plan.risk.value}: its digest must be named",
            certain=("nothing was sent but reads",),
            next=(f"starover apply {plan.id} --approve {plan.id}",),
        )
