"""What somebody at this machine was refused, or did not confirm, before it was a run: kept; asks nobody."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from starover.errors import Refused
from starover_cli.prompt import NotConfirmed

if TYPE_CHECKING:
    from starover.plan import Plan
    from starover.values import Plain
    from starover_cli.room import Room
    from starover_cli.settings import Settings

__all__ = ["approval_refusals_kept", "refusals_kept"]


@contextmanager
def refusals_kept(
    room: Room, asked: str, plan: Plan | None = None, runbook: str = "", parameters: Mapping[str, Plain] | None = None
) -> Generator[None]:
    """Whoever is refused in here, or says no, stands in the journal as somebody who acts does.

    For what comes before the driver is asked: what it refuses is in the journal already.
    """
    try:
        yield
    except (Refused, NotConfirmed) as error:
        from starover.drivers.refusals import kept_by

        kept_by(error, lambda refused: room.local().refusals.keep(asked, refused, plan, runbook, parameters))
        raise


@contextmanager
def approval_refusals_kept(settings: Settings, plan: Plan, who: str, at: datetime) -> Generator[None]:
    """The same of an approval, which needs neither the inventory nor the content."""
    try:
        yield
    except (Refused, NotConfirmed) as error:
        from starover.drivers.refusals import keep_refusal, kept_by
        from starover.errors import Fault
        from starover_cli.room import SIGNING_KEY, signer

        kept_by(
            error,
            lambda refused: keep_refusal(
                settings.state,
                at,
                Fault.of(refused),
                asked="approve",
                who=who,
                estate=plan.estate,
                lab=plan.lab,
                content=plan.content,
                exit=refused.exit,
                plan=plan,
                ticket=settings.ticket,
                reason=settings.reason,
                sign=signer(os.environ.get(SIGNING_KEY, "")),
            ),
        )
        raise
