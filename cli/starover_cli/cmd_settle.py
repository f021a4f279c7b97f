"""`settle` and `attest`: what only a person can know, said by name and kept; sends nothing to any host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import click

from starover.errors import BadParameter, Mistake, StaroverError
from starover_cli.acknowledging import keep_read
from starover_cli.cmd_approve import clock_of
from starover_cli.room import Room, who
from starover_cli.settings import Settings, common, settings_of
from starover_cli.views import json as machine

if TYPE_CHECKING:
    from datetime import datetime

    from starover.events import StepBegan

__all__ = ["COMMANDS"]


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--step", metavar="N", type=int, required=True, help="The step that is unknown.")
@click.option(
    "--as", "outcome", type=click.Choice(["applied", "not-applied"]), required=True, help="What became of it."
)
@common(record=True)
@click.pass_context
def settle(ctx: click.Context, run_id: str, step: int, outcome: str) -> int:
    """Decide an outcome that nobody can find out; --reason says how you know.

    It is journalled under your name. `resume` then goes on from it, and `undo` restores what was applied. A decision
    is over as soon as the step is sent again.
    """
    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room:
        word = cast('Literal["applied", "not-applied"]', outcome)
        run, found = room.local().settle(run_id, step, word)
    _tell_settled(settings, run, found, outcome)
    return 0


def _tell_settled(settings: Settings, run: str, found: StepBegan, outcome: str) -> None:
    from starover_cli.views.settle import settled_text

    if settings.json:
        data = {"run": run, "step": found.step, "operation": found.operation, "outcome": outcome, "by": who()}
        settings.console.raw(machine.document(data | {"reason": settings.reason, "next": [f"starover resume {run}"]}))
    else:
        settings.console.result(settled_text(run, found, outcome, who(), settings.reason, settings.console.width))


@click.group()
@common()
def attest() -> None:
    """A named person's statement, where no machine can answer: down SERVER, warnings RUN."""


@attest.command()
@click.argument("server", metavar="SERVER")
@click.option("--seen", metavar="TEXT", required=True, help="What you have seen, and where: it is kept word for word.")
@click.option("--as", "name", metavar="NAME", default="", help="Your name; default: who this machine says you are.")
@common()
@click.pass_context
def down(ctx: click.Context, server: str, seen: str, name: str) -> int:
    """Say that a server is off. It counts when a second person says it too, and for an hour."""
    from starover.attestation import Attestation, certifiers
    from starover_cli.attestations import keep, statements
    from starover_cli.views.settle import attested_text

    settings = settings_of(ctx)
    seen = " ".join(seen.split())
    if len(seen) < 10:
        raise BadParameter("--seen must say what was seen, in 10 characters at least", certain=["nothing was kept"])
    with Room(settings, settings.parts) as room:
        estate = room.estate
        known = estate.server(server)
        now = _now(room, settings)
    one = Attestation(says="down", server=known.name, estate=estate.name, seen=seen, by=name or who(), at=now)
    file = keep(settings.state, one)
    people = certifiers(statements(settings.state, estate.name), known.name, now)
    if settings.json:
        data = {"attestation": one, "file": file.as_posix(), "certified_by": list(people), "enough": len(people) > 1}
        settings.console.raw(machine.document(data))
    else:
        settings.console.result(attested_text(one, people, file.as_posix(), settings.console.width))
    return 0


@attest.command()
@click.argument("run_id", metavar="RUN")
@click.option("--as", "name", metavar="NAME", default="", help="Your name; default: who this machine says you are.")
@common(record=True)
@click.pass_context
def warnings(ctx: click.Context, run_id: str, name: str) -> int:
    """Say that you have read the warnings of a run that forced something: they are listed, and it is journalled."""
    from starover_cli.views.settle import acknowledged_text

    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room:
        by = name or settings.by or who()
        run, read = keep_read(room, run_id, "later", by)
    if settings.json:
        settings.console.raw(machine.document({"run": run, "acknowledged_by": by, "warnings": read}))
    else:
        settings.console.result(acknowledged_text(run, by, read, settings.console.width))
    return 0


def _now(room: Room, settings: Settings) -> datetime:
    """The lab's time, else this machine's. Raises what the lab's clock raises: a statement without a time is none."""
    try:
        return room.clock.now()
    except StaroverError:
        if room.estate.lab:
            raise Mistake("the lab does not run, so nobody can say when this was seen.") from None
        return clock_of(settings, lab_time=None)


COMMANDS = (settle, attest)
