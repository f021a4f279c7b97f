"""What the command line says, and asks, of plans and runs whose runbook has no certificate; decides nothing else.

It is no part of a plan: a certificate is about the tests of these bytes, an approval about what they do to mail.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from starover.errors import StaroverError
from starover.step import Risk

if TYPE_CHECKING:
    from starover.content import Content
    from starover.effects import Approval
    from starover.plan import Plan
    from starover_cli.room import Room
    from starover_cli.settings import Settings

__all__ = ["asks_of_experiment", "remark", "remark_of_run", "with_waiver"]

OTHER = "not known here: it was made with other runbooks or templates"


def asks_of_experiment(room: Room, made: Plan) -> bool:
    """Whether the plan changes something on LIVE by a runbook that has no certificate (docs/decisions/gold.md)."""
    return not room.estate.lab and _is_rough(room.content, made)


def with_waiver(approval: Approval, made: Plan) -> Approval:
    """The approval of somebody who was asked and said yes: what was given away stands in the journal with it."""
    import msgspec

    waived = f"{made.runbook} is experimental: used on LIVE without a certificate"
    return msgspec.structs.replace(approval, waivers=(*approval.waivers, waived))


def remark(content: Content, plan: Plan | None) -> str:
    """What a page says of the certificate of a plan, or of its run, that changes something; empty: it has one."""
    if plan is None or plan.nothing:
        return ""
    if content.sha256 != plan.content:
        return OTHER
    if not _is_rough(content, plan):
        return ""
    name = plan.runbook
    return f"none: {name} is experimental, gold's trials are not held with it (starover runbooks show {name})"


def remark_of_run(settings: Settings, plan: Plan | None) -> str:
    """The same where only what is kept here is read. A home that cannot be read says nothing of its runbooks."""
    with suppress(StaroverError):
        return remark(settings.parts.content(settings), plan)
    return ""


def _is_rough(content: Content, plan: Plan) -> bool:
    from starover.certificates import is_experimental
    from starover.drivers.past import UNDO

    # nobody is held up on the way back
    return plan.risk is not Risk.READ and plan.runbook != UNDO and is_experimental(content, plan.runbook)
