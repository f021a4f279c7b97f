"""Approvals for tests: everything that a plan of any danger needs, given by two people."""

from __future__ import annotations

from datetime import UTC, datetime

from starover.approval import Second
from starover.effects import Approval
from starover.guard import FRESH
from starover.plan import Plan

AT = datetime(2026, 11, 20, tzinfo=UTC)


def second(plan: Plan, by: str = "oncall-b") -> Second:
    """A second person has looked at it."""
    return Second(
        digest=plan.digest,
        plan=plan.id,
        runbook=plan.runbook,
        estate=plan.estate,
        by=by,
        at=plan.made,
        expires=plan.made + FRESH,
    )


def approved(plan: Plan, by: str = "tester") -> Approval:
    """The digest named, a ticket, and a second person."""
    return Approval(digest=plan.digest, by=by, how="digest", at=AT, ticket="INC1", second=second(plan))
