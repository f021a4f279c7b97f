"""The end of a grave run: its warnings are listed, and somebody acknowledges them; contacts no host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starover.errors import StaroverError
from starover_cli.room import SIGNING_KEY, Room, signer, who

if TYPE_CHECKING:
    from starover.journal import Warned

__all__ = ["COMMAND", "ask_for_them", "keep_read", "waiting", "warning_lines"]

COMMAND = "starover attest warnings"


def waiting(room: Room, run: str) -> tuple[Warned, ...]:
    """The warnings of a run that nobody has acknowledged; none where its journal lies elsewhere."""
    from starover.acknowledging import open_warnings
    from starover.journal import path_of, read_journal

    if not path_of(room.settings.state, run).exists():
        return ()
    return open_warnings(read_journal(room.settings.state, run))


def keep_read(room: Room, run: str, how: str, name: str = "") -> tuple[str, tuple[Warned, ...]]:
    """Keep in the run's journal that somebody has read them. Raises `BadParameter` where nothing waits."""
    from starover.acknowledging import acknowledge

    settings = room.settings
    return acknowledge(
        settings.state,
        run,
        name or settings.by or who(),
        how,
        room.clock,
        ticket=settings.ticket,
        sign=signer(os.environ.get(SIGNING_KEY, "")),
    )


def warning_lines(warnings: Sequence[Warned], width: int) -> list[str]:
    """One for each, of many the first."""
    from starover_cli.views.settle import warned_lines

    return warned_lines(warnings, width)


def ask_for_them(room: Room, run: str, warnings: Sequence[Warned]) -> None:
    """List them, and ask whether they were read, where somebody is there. The run is over: no answer changes that."""
    console = room.settings.console
    console.note(
        "\n" + "\n".join(["Warnings of this run, to be acknowledged:", *warning_lines(warnings, console.width)])
    )
    try:
        read = console.interactive and console.ask("Have you read them? [y/N] ").casefold() in ("y", "yes")
    except KeyboardInterrupt:
        read = False
    if read:
        try:
            keep_read(room, run, "typed")
        except StaroverError as error:
            console.note(f"! not kept: {error.what}")
        else:
            console.note(f"acknowledged by {room.settings.by or who()}; it stands in the journal")
            return
    console.note(f"! not acknowledged. Whoever reads them types: {COMMAND} {run}")
