"""`drill`: what a loss would cost, played in a lab made from the estate as it is now; live hosts are only read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from starover.errors import BadParameter, Mistake
from starover_cli.report import heading
from starover_cli.room import Room
from starover_cli.settings import common, settings_of
from starover_cli.views import json as machine
from starover_cli.wrong_usage import as_mistake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starover.estate import Dag, Estate
    from starover_cli.drill import Drilled

__all__ = ["COMMANDS", "check_drill", "drill_words"]

MISSED = 1
GIVEN = ("lose", "db", "rto", "rpo")
"""What a job may give."""


@click.command()
@click.option("--lose", metavar="WHAT", multiple=True, help="A server, witness, or az:NAME; default: each AZ in turn.")
@click.option("--db", metavar="DB", multiple=True, help="Only these databases; default: all.")
@click.option(
    "--rto",
    metavar="MIN",
    type=click.IntRange(min=1),
    default=None,
    help="Minutes until mail is back; default: the DAG's goal.",
)
@click.option(
    "--rpo",
    metavar="LOGS",
    type=click.IntRange(min=0),
    default=None,
    help="Logs that may be lost; default: the DAG's goal.",
)
@click.option("--live", is_flag=True, help="Not done by this command: see `starover plan server-switchover`.")
@common()
@click.pass_context
def drill(
    ctx: click.Context,
    lose: tuple[str, ...],
    db: tuple[str, ...],
    rto: int | None,
    rpo: int | None,
    live: bool,
) -> int:
    """Play a loss in a lab made from this estate, and measure how long mail is down and what it loses."""
    from starover_cli.cmd_look import read_facts
    from starover_cli.drill import play
    from starover_cli.drill_topology import topology_of

    if live:
        raise BadParameter(
            "--live: a drill on live servers is a switchover in the window, and is planned as one",
            certain=("nothing was contacted",),
            next=("starover plan server-switchover --server SERVER",),
        )
    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room, heading(room):
        dag = room.dag
        if dag is None:
            raise Mistake(f"the inventory of {room.estate.name} has no DAG", next=("starover inventory check",))
        facts = read_facts(room, settings)
        if facts.databases is None:
            raise Mistake(
                f"no member of {dag.name} could list its databases, so there is nothing to play",
                certain=("only reads were sent",),
                next=("starover status",),
            )
        rto, rpo = dag.rto if rto is None else rto, dag.rpo if rpo is None else rpo
        losses = _losses(lose, room.estate, dag)
        topology = topology_of(room.estate, dag, facts)
        _known(db, [str(one["name"]) for one in topology["databases"]])
    done: list[Drilled] = []
    for what, fault in losses:
        settings.console.note(f"playing the loss of {what} in a lab of its own")
        done.append(play(topology, dag.name, what, fault))
    missed = [gap for one in done for gap in _gaps(one, db, rto, rpo)]
    if settings.json:
        shown = [{"lost": one.lost, "answer": one.answer, "typed": one.typed, "stopped": one.stopped,
                  "rto_s": one.rto, "rpo_logs": one.rpo,
                  "databases": [{"name": d.name, "back_s": d.back, "lost": d.lost} for d in one.databases]}
                 for one in done]  # fmt: skip
        settings.console.raw(machine.document({"drills": shown, "gaps": missed, "exit": MISSED if missed else 0}))
    else:
        for one in done:
            settings.console.result(_text(one, db))
        settings.console.result("\n".join(f"  ! {gap}" for gap in missed) or _met(rto, rpo))
    return MISSED if missed else 0


def drill_words(parameters: Mapping[str, Sequence[str]]) -> list[str]:
    """A job's parameters as they are typed."""
    return [word for key, values in parameters.items() for one in values for word in (f"--{key}", one)]


def check_drill(room: Room, parameters: Mapping[str, Sequence[str]]) -> None:
    """Whether a job could be typed so, as far as the inventory tells; contacts nothing. Raises `BadParameter`."""
    unknown = [key for key in parameters if key not in GIVEN]
    if unknown:
        raise BadParameter(
            f"dr-drill does not take {', '.join(unknown)}",
            certain=(f"it takes: {', '.join(GIVEN)}", "nothing was contacted"),
            next=("starover drill --help",),
        )
    try:
        with drill.make_context("drill", drill_words(parameters), obj=replace(room.settings)) as typed:
            lose: tuple[str, ...] = typed.params["lose"]
    except click.UsageError as error:
        raise as_mistake(error) from None
    if room.dag is None:
        raise BadParameter("which DAG? The inventory has none", next=("starover inventory check",))
    _losses(lose, room.estate, room.dag, certain="nothing was contacted")


def _losses(
    words: Sequence[str], estate: Estate, dag: Dag, certain: str = "only reads were sent"
) -> list[tuple[str, tuple[str, str]]]:
    """What is lost, with the lab's fault for it. Raises `BadParameter`."""
    zones = list(dict.fromkeys(one.az for one in estate.members(dag) if one.az))
    servers = {one.name.casefold(): one.name for one in estate.servers}
    found: list[tuple[str, tuple[str, str]]] = []
    for word in words or [f"az:{zone}" for zone in zones]:
        zone = next((one for one in zones if word[3:] and one.endswith(word[3:])), "")
        if word.casefold().startswith("az:") and zone:
            found.append((f"az:{zone}", ("az", zone)))
        elif word.casefold() == "witness" and dag.witness:
            found.append(("witness", ("witness", dag.witness)))
        elif word.casefold() in servers:
            found.append((servers[word.casefold()], ("host", servers[word.casefold()])))
        else:
            raise BadParameter(
                f"--lose {word}: the inventory has nothing of that name",
                certain=(certain,),
                next=(f"az:{' az:'.join(zones)}, witness, or one of {', '.join(servers.values())}",),
            )
    if not found:
        raise BadParameter("the inventory names no AZ of a member", next=("--lose SERVER",))
    return found


def _known(db: Sequence[str], names: Sequence[str]) -> None:
    unknown = [one for one in db if one != "*" and one.casefold() not in {name.casefold() for name in names}]
    if unknown:
        raise BadParameter(f"--db {', '.join(unknown)}: no such database", next=(f"it has: {', '.join(names)}",))


def _gaps(one: Drilled, db: Sequence[str], rto: int | None, rpo: int | None) -> list[str]:
    """What was missed."""
    found: list[str] = []
    for database in one.databases:
        if db and "*" not in db and database.name.casefold() not in {name.casefold() for name in db}:
            continue
        if database.back is None:
            found.append(f"{one.lost}: {database.name} does not serve" + (f" ({one.stopped})" if one.stopped else ""))
        elif rto is not None and database.back > rto * 60:
            found.append(f"{one.lost}: {database.name} was back after {_minutes(database.back)}, the goal is {rto} min")
        if rpo is not None and database.lost > rpo:
            found.append(f"{one.lost}: {database.name} lost {database.lost} logs, the goal is {rpo}")
    return found


def _text(one: Drilled, db: Sequence[str]) -> str:
    down = "mail never came back whole" if one.rto is None else f"mail was back after {_minutes(one.rto)}"
    lines = [f"{one.lost}   {one.answer}; {down}; at most {one.rpo} logs lost", f"  typed   {', '.join(one.typed)}"]
    for database in one.databases:
        if db and "*" not in db and database.name.casefold() not in {name.casefold() for name in db}:
            continue
        back = "does not serve" if database.back is None else _minutes(database.back) if database.back else "never down"
        lines.append(f"  {database.name:<12} {back:<16} {database.lost} logs lost")
    return "\n".join(lines)


def _met(rto: int | None, rpo: int | None) -> str:
    goals = [f"RTO {rto} min" for _ in [1] if rto is not None] + [f"RPO {rpo} logs" for _ in [1] if rpo is not None]
    return (
        f"  {' and '.join(goals)}: met"
        if goals
        else "  no goal was given: `rto:`, `rpo:` of the DAG in the inventory, or --rto, --rpo"
    )


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}m {int(seconds % 60):02d}s"


COMMANDS = (drill,)
