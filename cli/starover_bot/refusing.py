"""What somebody was refused in a chat before it was a run: kept in the journal with the words it was asked in."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from starover.errors import StaroverError
from starover.journal import Begun, read_journal, resolve, run_ids
from starover_bot import asks
from starover_bot.planning import find, load

if TYPE_CHECKING:
    from starover.plan import Plan
    from starover_bot.bench import Bench, Heard
    from starover_bot.rooms import ChatRoom

__all__ = ["keep"]

_log = logging.getLogger("starover_bot")
WORDS = 200
"""Characters of what was typed that are kept."""


def keep(bench: Bench, room: ChatRoom, heard: Heard, ask: asks.Ask, refused: StaroverError) -> None:
    """Keep it. Whoever is refused hears so in any case: what cannot be kept is in the bot's log."""
    text = " ".join(heard.text.split())[:WORDS]
    words = ask.words if isinstance(ask, asks.Plan) else ()
    runbook = words[0] if words and words[0] in room.content.runbooks else ""
    asked = f"{type(ask).__name__.lower()} (in chat: {text})"
    try:
        room.local().refusals.keep(asked, refused, _of(bench, room, ask), runbook)
    except StaroverError as error:
        _log.warning("a refusal is not in the journal: %s", error.what)


def _of(bench: Bench, room: ChatRoom, ask: asks.Ask) -> Plan | None:
    """The plan that was meant; None: it is not known here, or the ask is about none."""
    with suppress(StaroverError, OSError):
        if isinstance(ask, asks.Apply | asks.Approve | asks.Drop):
            found = find(bench, ask.card) if ask.card else None
            named = "" if isinstance(ask, asks.Drop) else ask.plan
            return load(room, found.plan if found is not None else named)
        if isinstance(ask, asks.Cancel):
            return load(room, ask.what.partition(".")[0])
        if isinstance(ask, asks.Resume):
            state = room.settings.state
            begun = read_journal(state, resolve(ask.run, run_ids(state), "run"))[0].body
            return begun.plan if isinstance(begun, Begun) else None
    return None
