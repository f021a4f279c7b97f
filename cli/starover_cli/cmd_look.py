"""`starover` unadorned and `starover status`: what there is and how it is; changes nothing."""

from __future__ import annotations

import contextlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from starover.errors import BadInventory, Mistake, StaroverError, Unreachable
from starover_cli.look import dag_map, plain_where, where
from starover_cli.report import heading
from starover_cli.room import Room
from starover_cli.settings import NoInventory, Settings, common, settings_of
from starover_cli.views import dag_map as map_view
from starover_cli.views import json as machine
from starover_cli.views.error import exit_line
from starover_cli.views.head import Where
from starover_cli.views.overview import overview_text
from starover_cli.views.text import ago

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starover.steps.dag import DagFacts

__all__ = ["COMMANDS", "overview", "read_where"]

STATUS = "dag-status"
"""The runbook that reads what the map draws."""


@click.command()
@common()
@click.pass_context
def status(ctx: click.Context) -> int:
    """The DAG as a map, on one screen."""
    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room, heading(room):
        dag = room.dag
        if dag is None:
            raise Mistake(
                f"the inventory of {room.estate.name} has no DAG to draw.",
                certain=["nothing was contacted; a DAG that was just built can be named."],
                next=["starover --dag NAME status", "starover inventory check"],
            )
        facts = read_facts(room, settings)
        drawn = dag_map(facts, room.estate, dag, room.clock.now())
    code = 0 if drawn.heard else Unreachable.exit  # a bad fact is no failure of the look, to see nothing is one
    if settings.json:
        verdict = map_view.judge(drawn)
        following = [command for command, _ in map_view.advice(drawn)]
        settings.console.raw(machine.document({"map": drawn, "verdict": verdict, "exit": code, "next": following}))
    else:
        settings.console.result(map_view.render(drawn, settings.console.width))
    if code:
        settings.console.note(exit_line(code, Unreachable.word))
    return code


def read_facts(room: Room, settings: Settings, *, told: bool = True) -> DagFacts:
    """Ask every host of the DAG, side by side; keeps no plan and no journal of it. `told`: who is asked is shown."""
    from starover.steps.dag import DagFacts as Facts
    from starover_cli.progress import Teller

    given = {"dag": room.settings.dag} if room.settings.dag else {}
    with tempfile.TemporaryDirectory(prefix="starover-") as folder, contextlib.ExitStack() as open_:
        console = settings.console  # on a terminal who answers is seen as it comes; a pipe gets the whole
        teller = Teller(console, simulated=room.estate.lab, json=False, eager=console.live) if told else None
        sinks = [open_.enter_context(teller)] if teller is not None else []
        planned = room.local(sinks, Path(folder)).plan(STATUS, given)
    value = planned.value
    if not isinstance(value, Facts):
        raise Mistake(f"the runbook {STATUS} of this home does not return a DAG's facts.")
    return value


def read_where(room: Room, hosts: Sequence[str] = (), named: str = "") -> Where:
    """The first line, with votes and DAC mode as one member sees them; `?` where none of two answers.

    `hosts` are those that have just answered: members among them are asked first. `named`: a DAG that the inventory may
    not know; it stands in the line if a member knows it.
    """
    from starover_cli.where import read_head

    listed = room.dag_of(hosts)
    name = named or room.settings.dag
    dag = room.estate.dag(name) if listed is None and name and not room.estate.dags else listed
    now = room.clock.now()
    if dag is None:
        return plain_where(room.estate, None, now)
    try:
        cluster, state, heard = read_head(room, dag, hosts)
    except StaroverError:
        return plain_where(room.estate, listed, now)
    if listed is None and state is None:
        return plain_where(room.estate, None, now)
    return where(room.estate, dag, now, cluster, state, heard=heard)


def overview(settings: Settings) -> int:
    """All commands on one page, and which estate they would act on."""
    line = ""
    try:
        estate, file = settings.parts.estate(settings)
        age = ""
        with contextlib.suppress(OSError):
            age = f", {ago(datetime.now(UTC) - datetime.fromtimestamp(file.stat().st_mtime, UTC))}"
        word = "LAB" if estate.lab else "LIVE"
        dags = ", ".join(dag.name for dag in estate.dags) or "no DAG"
        line = f"{word} {estate.name}  {dags}  ({file.name}{age})"
    except NoInventory:
        line = "no estate yet: starover lab up aws-2az-nodac --detach, or --inventory FILE"
    except BadInventory as error:
        line = f"no estate: {error.what.splitlines()[0]}"
    if settings.json:
        settings.console.raw(machine.document({"estate": line}))
    else:
        settings.console.result(overview_text(line))
    return 0


COMMANDS = (status,)
