"""Whether a step still fits its plan; pure: a plan, a step and a reading in, silence or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping

from starover.errors import NotSafe, PlanIsStale
from starover.plan import Plan, PlannedStep, Position
from starover.render import Body
from starover.step import Blocked, Change, Step
from starover.values import Plain

__all__ = ["check_change", "check_foreseen", "check_script"]


def check_foreseen(
    plan: Plan,
    planned: PlannedStep | None,
    position: Position,
    step: Step,
    arguments: Mapping[str, Plain],
    *,
    undoing: bool,
) -> None:
    """Raises `PlanIsStale` when the plan does not know the step, or knows another one in its place.

    What a runbook yields to put right a failure (`undoing`) is in no plan: it may not be more dangerous than the plan,
    nor touch other hosts.
    """
    kind, host = step.kind, step.server.name
    if undoing:
        hosts = {one.host for one in plan.steps} | set(plan.beyond.targets)
        if kind.risk.rank > plan.risk.rank or host not in hosts:
            raise _stale(plan, host, f"undoing would need {kind.name} on {host}, which the plan does not allow")
        return
    if planned is None:
        if plan.foresees(position):
            raise _stale(plan, host, f"the runbook now wants {kind.name} on {host}, which the plan does not have")
        beyond = plan.beyond
        if kind.name not in beyond.kinds or host not in beyond.targets or kind.risk.rank > beyond.risk.rank:
            raise _stale(
                plan,
                host,
                f"the runbook wants {kind.name} (risk {kind.risk.value}) on {host}, which exceeds what the plan "
                "allows beyond its end",
            )
        return
    if (planned.kind, planned.host, planned.risk, planned.arguments) != (kind.name, host, kind.risk, dict(arguments)):
        raise _stale(
            plan,
            host,
            f"step {planned.number} of the plan is {planned.kind} on {planned.host} with {_shown(planned.arguments)}; "
            f"the runbook now wants {kind.name} on {host} with {_shown(arguments)}",
        )


def check_change(plan: Plan, change: Change | Blocked, was: Change | None, host: str, *, known: bool) -> None:
    """Raises `NotSafe` for a step that needs a human, `PlanIsStale` when it would change something else than `was`.

    `known`: somebody has said what the change would be, be it nothing.
    """
    if isinstance(change, Blocked):
        raise NotSafe(
            f"{change.guard}: {change.why}" if change.guard else change.why,
            certain=(*change.certain, "this step was not begun"),
            next=change.next,
            host=host,
        )
    if not known or (was is not None and change.bound == was.bound):
        return
    if was is None:
        raise _stale(plan, host, f"{change.what} was right when the plan was made; now it is {change.now}")
    notes = f" ({was.note or 'no note'} became {change.note or 'no note'})" if was.note != change.note else ""
    raise _stale(
        plan,
        host,
        f"{change.what} is not as planned: planned {was.now} -> {was.wanted}, "
        f"now {change.now} -> {change.wanted}{notes}",
    )


def check_script(plan: Plan, planned: PlannedStep | None, body: Body) -> None:
    """Raises `PlanIsStale` when the script is not the one that was planned."""
    if planned is not None and body.sha256 != planned.sha256:
        raise _stale(plan, planned.host, f"the script of step {planned.number} is not the one that was planned")


def _stale(plan: Plan, host: str, what: str) -> PlanIsStale:
    return PlanIsStale(
        what,
        certain=("this step was not begun",),
        next=(f"{plan.command}   looks again",),
        host=host,
    )


def _shown(arguments: Mapping[str, Plain]) -> str:
    return ", ".join(f"{name} {value}" for name, value in arguments.items()) or "nothing"
