"""`reconcile`: what a laptop did alone in an outage comes into the team's record; contacts no host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from starover.errors import StaroverError
from starover_cli.room import Room, who
from starover_cli.settings import Settings, common, settings_of
from starover_cli.team.line import Line, connected, need_temporal
from starover_cli.views import json as machine
from starover_cli.views.error import exit_line

if TYPE_CHECKING:
    from starover_cli.views.runs import RunSummary

__all__ = ["COMMANDS"]


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--signers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Allowed signers, as ssh-keygen(1) has them: whose signed journals are taken.",
)
@connected
@common()
@click.pass_context
def reconcile(ctx: click.Context, folder: Path, signers: Path | None, line: Line) -> int:
    """Take the journals of another machine into this record: checked first, whole, and nothing is overwritten.

    FOLDER is that machine's .starover, or the directory it lies in. Typed again, it takes what is new there. Exit 4
    when a journal is not as it was written, or cannot stand beside one that is here: that one stays where it is.
    """
    from starover.journal import read_journal
    from starover.reconcile import reconcile as bring
    from starover_cli.views.reconcile import reconciled_data, reconciled_text
    from starover_cli.views.runs import summary_of

    settings = settings_of(ctx)
    done = bring(folder, settings.state, who=who(), at=datetime.now(UTC), signers=signers)
    came = [summary_of(one.run, read_journal(settings.state, one.run)) for one in done.took]
    runs = sorted((one for one in came if one is not None and not one.planning), key=lambda one: one.begun)
    more, unasked = _server(settings, line, runs)
    code = 4 if done.refused else 0
    if settings.json:
        settings.console.raw(machine.document(reconciled_data(done, more, unasked)))
    else:
        settings.console.result(reconciled_text(done, runs, more, unasked, settings.console.width))
    if code:
        settings.console.note(exit_line(code))
    return code


def _server(settings: Settings, line: Line, runs: Sequence[RunSummary]) -> tuple[list[str], list[str]]:
    """What the server had at the same time, and what it was not asked."""
    what = "whether the team's Temporal server had a run of the same DAG at that time"
    if not runs:
        return [], []
    if not line.named:
        return [], [f"{what}: none is named (--address)"]
    try:
        need_temporal()
        from starover_cli.team.handling import at_the_same_time

        with Room(settings, settings.parts) as room:
            return at_the_same_time(room, line, runs), []
    except StaroverError as error:
        return [], [f"{what}: {error.what}"]


COMMANDS = (reconcile,)
