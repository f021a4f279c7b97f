"""What is asked of a person before a plan is applied, here or by workers, with what the room knows; applies nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starover_cli.experimental import asks_of_experiment, with_waiver
from starover_cli.plan_files import find_approval
from starover_cli.prompt import Answers, agree_to_experiment, consent
from starover_cli.room import Room, who

if TYPE_CHECKING:
    from starover.approval import Second
    from starover.effects import Approval
    from starover.plan import Plan

__all__ = ["ask", "dag_of_plan", "second_for"]


def dag_of_plan(room: Room, made: Plan) -> str:
    """The DAG that a plan is about; empty where it is about none."""
    known = room.dag_of(step.host for step in made.steps)
    return str(made.parameters.get("dag") or "") or (known.name if known is not None else room.settings.dag)


def second_for(room: Room, made: Plan, given: Mapping[str, Any], named: str) -> Second | None:
    """The second person's approval, where the plan needs one and it is found. `named`: how the plan was named.

    Raises `BadParameter`.
    """
    from starover.guard import needs_digest

    if not (room.house.wants_second(made) or needs_digest(made.risk)):
        return None
    return find_approval(room.settings, named or made.id, made, str(given.get("approval") or ""))


def ask(
    room: Room,
    made: Plan,
    given: Mapping[str, Any],
    *,
    dag: str,
    now: datetime,
    second: Second | None,
    again: str = "",
    before: Callable[[], None] | None = None,
) -> Approval | None:
    """Ask what the line (`given`) did not answer; None: there is nothing to ask.

    `again`: what is typed to answer on the line; empty: `starover apply PLAN`. `before`: done before the last question.
    A ticket that was typed just now is the room's from here on. Raises what `consent` does.
    """
    settings = room.settings
    rough = asks_of_experiment(room, made)
    if rough:
        agree_to_experiment(made, settings.console, answered=bool(given.get("experimental")), again=again)
    if before is not None:
        before()
    answers = Answers(
        yes=bool(given.get("yes")),
        approve=str(given.get("approve") or ""),
        accept=tuple(given.get("accept_data_loss") or ()),
        ticket=settings.ticket,
        second=second,
        approval=str(given.get("approval") or ""),
        break_glass=str(given.get("break_glass") or ""),
        dag=settings.dag,
        again=again,
    )
    approval = consent(
        made,
        settings.console,
        answers,
        dag=dag,
        now=now,
        who=settings.by or who(),
        held=lambda one: room.house.check(made, one, now),
        second=room.house.wants_second(made),
    )
    if approval is not None and rough:
        approval = with_waiver(approval, made)
    if approval is not None:
        settings.ticket = approval.ticket  # typed just now, maybe: the journal keeps it
    return approval
