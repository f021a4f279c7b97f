"""`lease` and `policy`: who may change a DAG now, and what the team has agreed on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from starover.errors import BadInventory, BadParameter
from starover_cli.cmd_do import perform_runbook
from starover_cli.cmd_look import read_where
from starover_cli.report import heading
from starover_cli.room import Room
from starover_cli.settings import common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.head import first_line
from starover_cli.views.text import plural

if TYPE_CHECKING:
    from starover.policy_file import Agreed
    from starover.steps.lease import LeaseReport

__all__ = ["COMMANDS"]


@click.group()
@common()
def lease() -> None:
    """Who may change a DAG now: show, release."""


@lease.command("show")
@common()
@click.pass_context
def lease_show(ctx: click.Context) -> int:
    """Who holds the lease of the DAG, since when, and when it is over, as each of its hosts keeps it."""
    from starover_cli.views.lease import lease_text

    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room, heading(room):
        report, dag = _report(room)
        now = room.clock.now()
        if settings.json:
            settings.console.raw(machine.document({"lease": report, "exit": 0}))
            return 0
        where = read_where(room, [one.on for one in report.findings if one.level != "unknown"], dag)
        until = now + timedelta(seconds=report.until)
        text = lease_text(report, until, simulated=room.estate.lab, width=settings.console.width)
        settings.console.result(f"{first_line(where, settings.console.width)}\n\n{text}")
    return 0


@lease.command("release")
@click.argument("run_id", metavar="RUN")
@click.option("--yes", "-y", is_flag=True, help="Answer the question whether to do it.")
@common(record=True)
@click.pass_context
def lease_release(ctx: click.Context, run_id: str, yes: bool) -> int:
    """Take the lease from a run that will not come back; what it still sends is refused from then on.

    A run gives its lease back itself, and a lease that nobody renews is over after half an hour. RUN is whose it is, as
    `starover lease show` says.
    """
    settings = settings_of(ctx)
    runbook = settings.parts.content(settings).runbook("lease-release")
    given: dict[str, Any] = {"yes": yes, "approve": "", "accept_data_loss": (), "approval": "", "break_glass": ""}
    return perform_runbook(settings, runbook, {"run": run_id}, **given)


def _report(room: Room) -> tuple[LeaseReport, str]:
    from starover.steps.lease import LeaseReport

    dag = room.dag
    if dag is None:
        raise BadParameter("which DAG? The inventory has none", next=("starover lease show --dag NAME",))
    value = room.local().plan("lease-show", {"dag": dag.name}).value
    assert isinstance(value, LeaseReport)
    return value, dag.name


@click.group()
@common()
def policy() -> None:
    """What the team has agreed on: show, check, schema."""


@policy.command("show")
@common()
@click.pass_context
def policy_show(ctx: click.Context) -> int:
    """The policy beside the inventory: who may do what, which window is open, which one comes next."""
    from starover_cli.views.lease import policy_text

    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room:
        house, now = room.house, room.clock.now()
        agreed = house.agreed
        if settings.json:
            data = {"policy": agreed.policy, "sha256": agreed.sha256} if agreed is not None else {"policy": None}
            settings.console.raw(machine.document(data | {"exit": 0}))
        else:
            settings.console.result(policy_text(agreed, house.signers, now, settings.console.width))
            try:
                if agreed is not None:
                    _check_names(room, agreed)
            except BadInventory as error:
                settings.console.note(f"! {error.what}")
    return 0


def _check_names(room: Room, agreed: Agreed) -> None:
    """Raises `BadInventory` for DAGs and runbooks that the policy names and nobody has."""
    from starover.drivers.past import UNDO
    from starover.policy_file import check_names

    check_names(agreed, [dag.name for dag in room.estate.dags], [*room.content.runbooks, UNDO])


@policy.command("check")
@common()
@click.pass_context
def policy_check(ctx: click.Context) -> int:
    """Whether the policy beside the inventory can be read, with the line of everything that is wrong.

    DAGs and runbooks that it names must be there: rules for a DAG that is misspelled are nobody's.
    """
    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room:
        agreed = room.house.agreed
        if agreed is None:
            following = ("docs/policy.md   how to write one",)
            raise BadParameter("there is no policy.yaml beside the inventory", next=following)
        _check_names(room, agreed)
    counted = [plural(len(agreed.policy.windows), "window"), plural(len(agreed.policy.freezes), "freeze")]
    people = f"{len(agreed.policy.people)} people"
    settings.console.result(f"{agreed.file.as_posix()} can be read: {', '.join([people, *counted])}.")
    return 0


@policy.command("schema")
@common()
@click.pass_context
def policy_schema(ctx: click.Context) -> int:
    """The JSON Schema of a policy, for editors."""
    from starover.policy_file import policy_schema as schema

    settings_of(ctx).console.raw(machine.document(schema()))
    return 0


COMMANDS = (lease, policy)
