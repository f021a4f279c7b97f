"""How the bot speaks: a channel as the desk sees it, and one message that follows a run; knows no chat by name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from starover_cli.views.story import Story

from starover.events import Told
from starover_bot.cards import Card

__all__ = ["Channel", "Following", "Gone", "NotTold"]

_log = logging.getLogger("starover_bot")


class NotTold(Exception):
    """The chat did not take a message."""


class Gone(NotTold):
    """The message is not there any more: somebody took it away."""


class Channel(Protocol):
    """A chat. Every method raises `NotTold`."""

    def post(self, channel: str, card: Card, *, thread: str = "") -> str:
        """A new message; in the thread of another, where one is named. Gives its name."""
        ...

    def edit(self, channel: str, message: str, card: Card) -> None:
        """Another text for a message."""
        ...

    def whisper(self, channel: str, person: str, card: Card, *, reply: str = "") -> None:
        """To one person alone; `reply`: the chat's address for an answer to what they have just said."""
        ...

    def attach(self, channel: str, thread: str, name: str, title: str, data: bytes) -> None:
        """A file in a thread."""
        ...


class Following:
    """A sink that keeps one message at what a run has come to. A context; the run never waits for the chat.

    `draw` makes the card of now, `say` edits the message, and not more often than every `pace` seconds.
    """

    def __init__(
        self,
        story: Story,
        draw: Callable[[], Card],
        say: Callable[[Card], None],
        named: Callable[[str], None],
        pace: float,
    ) -> None:
        self.story = story
        self._draw, self._say, self._named, self._pace = draw, say, named, pace
        self._lock = threading.Lock()
        self._news, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)

    def tell(self, told: Told, /) -> None:
        """Take one event; called by the driver."""
        with self._lock:
            if not self.story.run:
                self._named(told.run)
            self.story.take(told)
        self._news.set()

    def __enter__(self) -> Following:
        """Begin to follow."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """The message is the caller's again."""
        self._over.set()
        self._news.set()
        self._thread.join()

    def _follow(self) -> None:
        while True:
            self._news.wait()
            if self._over.is_set():
                return
            self._news.clear()
            with self._lock:
                card = self._draw()
            try:
                self._say(card)
            except NotTold as error:
                _log.warning("a message could not be edited: %s", error)
            self._over.wait(self._pace)
