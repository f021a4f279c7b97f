"""The command line's parts as the bot uses them: a console that keeps what is said, a room that believes this chat."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from starover_cli.console import Console
from starover_cli.room import Room
from starover_cli.settings import Settings

from starover.approval import Second
from starover.house import House
from starover.policy import Policy
from starover.transport import Transport

__all__ = ["WIDTH", "ChatRoom", "Kept", "Secrets", "kept_of"]

WIDTH = 84
"""Columns of a message: what a desk shows without a bar below it; a phone turns."""


class Kept(Console):
    """Keeps what is said instead of printing it; nobody can be asked."""

    def __init__(self) -> None:
        self.results: list[str] = []
        self.notes: list[str] = []

    def result(self, text: str) -> None:
        """What was asked for."""
        self.results.append(text)

    def note(self, text: str) -> None:
        """Progress and errors."""
        self.notes.append(text)

    def raw(self, text: str) -> None:
        """A document: nobody asks for one in a chat."""

    def ask(self, question: str) -> str:
        """Nobody answers."""
        del question
        return ""

    @property
    def width(self) -> int:
        """Columns to draw for."""
        return WIDTH

    @property
    def live(self) -> bool:
        """Nothing redraws itself."""
        return False

    @property
    def draws(self) -> bool:
        """Nothing redraws itself."""
        return False

    @property
    def interactive(self) -> bool:
        """Nobody is there to be asked."""
        return False

    def text(self) -> str:
        """All results."""
        return "\n".join(self.results).strip("\n")


@dataclass
class ChatRoom(Room):
    """A room whose house believes the approvals that were given in this chat."""

    believed: Callable[[Second], bool] = lambda _second: False

    @cached_property
    def house(self) -> House:
        """The policy beside the inventory. Raises `BadInventory`."""
        return super().house.with_heard(self.believed)

    @property
    def policy(self) -> Policy | None:
        """Who may do what; None: nothing is written down."""
        return self.house.agreed.policy if self.house.agreed is not None else None


class Secrets:
    """Every secret that this process has used, for whoever masks what is said."""

    def __init__(self, own: tuple[str, ...]) -> None:
        """`own`: the bot's tokens."""
        self._known = set(own)
        self._open: dict[int, Room] = {}

    def __call__(self) -> list[str]:
        """All of them, now."""
        for room in list(self._open.values()):
            made: Transport | None = room.__dict__.get("transport")
            if made is not None:  # what was never made has learnt nothing
                self._known.update(made.secrets())
        return list(self._known)

    @contextmanager
    def of(self, room: ChatRoom) -> Generator[ChatRoom]:
        """The room, opened; what it learns counts from now on, and after it too."""
        with room:
            self._open[id(room)] = room
            try:
                yield room
            finally:
                self()
                del self._open[id(room)]


def kept_of(settings: Settings) -> Kept:
    """The console of a settings of ours."""
    assert isinstance(settings.console, Kept)
    return settings.console
