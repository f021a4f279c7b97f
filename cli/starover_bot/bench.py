"""What everybody at the desk shares: who asked, the settings, the ledger, the channel; performs nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from starover_cli.settings import Settings
from starover_cli.views.error import error_text

from starover_bot.asks import Ask
from starover_bot.cards import Card, in_chat, short
from starover_bot.ledger import Ledger
from starover_bot.rooms import WIDTH, ChatRoom, Kept, Secrets
from starover_bot.saying import Channel

if TYPE_CHECKING:
    from starover.drivers.local import Local
    from starover.errors import StaroverError

__all__ = ["AtWork", "Bench", "Heard", "error_card", "for_chat"]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One delivery of the chat."""

    key: str
    """The same for every copy of it, and for nothing else."""
    person: str
    """As the policy may name them: `slack:U0123ABCD`."""
    channel: str
    text: str
    """What was typed; of a button, what it stands for."""
    ask: Ask | None = None
    """What a button means; None: it was typed."""
    message: str = ""
    """The message whose button was pressed."""
    reply: str = ""
    """Where the chat takes an answer to this person, whatever the bot may do in the channel."""


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """A run that this process performs now."""

    plan: str
    """Its id."""
    local: Local | None
    """None: it is about to begin."""


@dataclass(kw_only=True)
class Bench:
    """One bot's things."""

    settings: Settings
    channel: Channel
    ledger: Ledger
    secrets: Secrets
    pace: float
    """Seconds between two edits of a message."""
    at_work: dict[int, AtWork] = field(default_factory=dict[int, AtWork])
    """By leg."""
    guard: threading.Lock = field(default_factory=threading.Lock)

    def room(self, heard: Heard) -> ChatRoom:
        """A room with this person in it."""
        own = replace(self.settings, by=heard.person, ticket="", reason="", dag="", console=Kept())
        return ChatRoom(own, own.parts, believed=self.ledger.heard)

    def whisper(self, heard: Heard, card: Card) -> None:
        """To whoever asked, alone. Raises `NotTold`."""
        self.channel.whisper(heard.channel, heard.person, card, reply=heard.reply)

    def post(self, heard: Heard, card: Card) -> str:
        """Where it was asked. Raises `NotTold`."""
        return self.channel.post(heard.channel, card)


def for_chat(error: StaroverError) -> StaroverError:
    """The same error without advice that is none in a chat: no glass is broken there."""
    error.next = tuple(line for line in error.next if not line.startswith("--break-glass"))
    return error


def error_card(error: StaroverError) -> Card:
    """An error in its four parts."""
    return short(f"! {error.word}", in_chat(error_text(for_chat(error), WIDTH)))
