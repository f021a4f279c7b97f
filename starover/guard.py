"""What must hold before anything is changed: freshness, approval by risk; pure, knows no clock, no host and no screen.

Guards about copies, quorum or lag are ordinary queries and pure functions of the step library: they need facts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starover.effects import Approval
from starover.errors import NotApproved, NotSafe, PlanIsStale
from starover.plan import Plan
from starover.step import Risk

__all__ = [
    "FRESH",
    "check_applicable",
    "check_approval",
    "check_fresh",
    "is_reason",
    "needs_digest",
    "needs_second",
    "same_person",
]

FRESH = timedelta(minutes=30)
"""How long the facts of a plan are good for."""


def needs_digest(risk: Risk) -> bool:
    """Whether an approval must name the plan's digest and a ticket; a lower risk is confirmed, READ needs nothing."""
    return risk in (Risk.DATA, Risk.SPLIT)


def needs_second(risk: Risk) -> bool:
    """Whether somebody other than who asked must have approved the plan."""
    return risk is Risk.SPLIT


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
    """Raises `PlanIsStale` when the plan's facts are older than `FRESH`, or when nobody can say how old they are."""
    age = now - plan.made
    if age < -FRESH:
        raise PlanIsStale(
            f"plan {plan.id} was made at {plan.made:%Y-%m-%d %H:%M} UTC, and here it is {now:%Y-%m-%d %H:%M}: "
            "a clock was put back, or is wrong",
            certain=("nothing was sent",),
            next=("set the clock right", f"{plan.command}   looks again"),
        )
    if age > FRESH:
        raise PlanIsStale(
            f"the facts of plan {plan.id} are {int(age.total_seconds() // 60)} minutes old; "
            f"they are good for {int(FRESH.total_seconds() // 60)}",
            certain=("nothing was sent",),
            next=(f"{plan.command}   looks again",),
        )


def check_approval(plan: Plan, approval: Approval | None, now: datetime) -> None:
    """Raises `NotApproved` when the approval is not for this plan, or not of the strength its risk needs at `now`.

    DATA and SPLIT need the digest and a ticket; SPLIT needs a second person too (catalogue, section 1).
    """
    if plan.risk is Risk.READ:
        return
    if approval is None:
        raise _not_approved(f"plan {plan.id} (risk {plan.risk.value}) was not approved", f"starover apply {plan.id}")
    _check_names(plan, approval.digest)
    if not needs_digest(plan.risk):
        return
    if approval.how != "digest":
        raise _not_approved(
            f"plan {plan.id} has risk {plan.risk.value}: its digest must be named",
            f"starover apply {plan.id} --approve {plan.id}",
        )
    if not approval.ticket:
        raise _not_approved(
            f"plan {plan.id} has risk {plan.risk.value}: it needs the change or incident that it belongs to",
            f"starover apply {plan.id} --ticket ID",
        )
    if needs_second(plan.risk):
        _check_second(plan, approval, now)


def _check_names(plan: Plan, digest: str) -> None:
    if len(digest) < 8 or not plan.digest.startswith(digest):
        raise _not_approved(
            f"the approval is for {digest[:16] or 'nothing'}, not for plan {plan.id}", f"starover plans show {plan.id}"
        )


def _check_second(plan: Plan, approval: Approval, now: datetime) -> None:
    """Raises `NotApproved` unless somebody else has approved it, or the glass was broken."""
    second = approval.second
    if second is None:
        if not approval.break_glass:
            asked = f", and {approval.by} asks for it" if approval.by else ""
            raise _not_approved(
                f"risk {plan.risk.value} needs a second person{asked}",
                *_WHO,
                f"starover approve {plan.id}   somebody else runs this; for another machine: "
                f"starover plans show {plan.id} --to FILE",
                _ALONE,
            )
        if not is_reason(approval.break_glass):
            raise _not_approved("the reason for breaking the glass must be 10 to 200 characters", _ALONE)
        return
    if second.digest != plan.digest:
        raise _not_approved(
            f"the approval of {second.by} is for plan {second.plan} ({second.digest[:16]}), not for {plan.id}",
            f"starover approve {plan.id}   for this one",
        )
    if now > second.expires:
        raise _not_approved(
            f"the approval of {second.by} is over since {second.expires:%H:%M:%S} UTC, as the plan's facts are",
            f"{plan.command}   looks again",
        )
    for role, name in (("applies", approval.by), ("asked for", plan.by)):
        if same_person(second.by, name):
            raise _not_approved(
                f"{second.by} {role} this plan and cannot be its second person",
                *_WHO,
                f"starover approve {plan.id}   somebody else runs this",
                _ALONE,
            )


_WHO = ("who may approve: nobody is named yet (no policy), so anybody but whoever asked for the plan or applies it",)
_ALONE = (
    '--break-glass "REASON"   if nobody can be reached: it replaces the approval only, stands first in every report, '
    "and every proof of the plan stays"
)
_REASON = range(10, 201)


def is_reason(text: str) -> bool:
    """Whether a reason for breaking the glass says something: 10 to 200 characters (catalogue 6.1)."""
    return len(text.strip()) in _REASON


def same_person(one: str, other: str) -> bool:
    r"""Whether two names mean one person: neither case counts nor the domain of `DOMAIN\name` and `name@domain`."""
    return bool(one) and _person(one) == _person(other)


def _person(name: str) -> str:
    return name.rpartition("\\")[2].partition("@")[0].strip().casefold()


def _not_approved(what: str, *following: str) -> NotApproved:
    return NotApproved(what, certain=("nothing was sent but reads",), next=following)
