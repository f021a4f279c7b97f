"""Takes what people ask for in a chat, once each, and has it performed with their rights; knows no chat by name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

from starover_cli.crash import write_crash
from starover_cli.prompt import NotConfirmed
from starover_cli.settings import Settings

from starover.errors import Locked, NotApproved, Refused, StaroverError
from starover.journal_lock import hold
from starover.policy import Policy, person_of
from starover.redact import Redactor
from starover_bot import asks, looking, planning, refusing, running
from starover_bot.bench import Bench, Heard, error_card
from starover_bot.cards import Card, help_card, masked, short, stranger
from starover_bot.ledger import Ledger, Open
from starover_bot.rooms import ChatRoom, Secrets
from starover_bot.saying import Channel, NotTold

__all__ = ["Desk"]

_log = logging.getLogger("starover_bot")
_Act: TypeAlias = asks.Apply | asks.Approve | asks.Drop | asks.Cancel
"""What is refused before it is a run, and has no journal of its own."""


class Desk:
    """The bot without its chat. `wake` it before it takes anything; `close` waits for what is under way."""

    def __init__(self, settings: Settings, channel: Channel, *, secrets: Sequence[str] = (), pace: float = 1.5) -> None:
        """`secrets`: the bot's own tokens; `pace`: seconds between two edits of a message. Raises `Locked`."""
        folder = settings.state / "chat"
        lock = hold(folder / "bot.lock")
        if lock is None:
            raise Locked(
                f"another bot works on this folder of state, {settings.state.as_posix()}",
                certain=("nothing was contacted",),
                next=("starover-bot --dir DIR   a folder of its own; or stop the other one first",),
            )
        self._lock = lock
        known = Secrets(tuple(secrets))
        self.bench = Bench(
            settings=settings,
            channel=_Masked(channel, Redactor(known).text),
            ledger=Ledger(folder / "chat.sqlite"),
            secrets=known,
            pace=pace,
        )
        self._turns: set[threading.Thread] = set()
        self._guard = threading.Lock()

    def take(self, heard: Heard) -> bool:
        """Perform it, in a thread of its own; False: it was taken before. Never raises for what becomes of it."""
        delivery = Open(key=heard.key, person=heard.person, channel=heard.channel, text=heard.text)
        if not self.bench.ledger.first(delivery):
            _log.info("delivered twice: %s", heard.key)
            return False
        turn = threading.Thread(target=self._turn, args=(heard,), name=f"turn {heard.key}", daemon=True)
        with self._guard:
            self._turns.add(turn)
        turn.start()
        return True

    def wait(self) -> None:
        """Until nothing is under way."""
        while True:
            with self._guard:
                turn = next(iter(self._turns), None)
            if turn is None:
                return
            turn.join()

    def wake(self) -> None:
        """After a start: people are told what was not done for them, the threads what became of what was cut off."""
        for one in self.bench.ledger.undone():
            said = short(
                "the bot was started anew in the middle of this",
                f"{one.text}\n\nIf a run of it had begun, its thread says how it stands. Else nothing was done,\n"
                "and it can be said again.",
            )
            with suppress(NotTold):
                self.bench.channel.whisper(one.channel, one.person, said)
                self.bench.ledger.done(one.key)  # who could not be told is told at the next start
        self.catch_up()

    def catch_up(self) -> None:
        """Tell the threads what they do not know yet. Never raises."""
        running.catch_up(self.bench)

    def close(self) -> None:
        """Ends what is under way after its steps, waits for it, and gives the files back."""
        running.stop_all(self.bench)
        self.wait()
        self.bench.ledger.close()
        self._lock.close()

    def _turn(self, heard: Heard) -> None:
        try:
            self._answer(heard)
        except Exception:
            _log.exception("a turn ended badly")
        finally:
            with suppress(Exception):
                self.bench.ledger.done(heard.key)
            with self._guard:
                self._turns.discard(threading.current_thread())

    def _answer(self, heard: Heard) -> None:
        try:
            self._perform(heard, heard.ask if heard.ask is not None else asks.read(heard.text))
        except NotTold as error:
            _log.warning("could not be told: %s", error)
            advice = "The bot has to be in the channel where it is asked: /invite it, and say it again."
            with suppress(NotTold):
                self.bench.whisper(heard, short(f"! the chat did not take a message: {error}", advice))
        except StaroverError as error:
            self._failed(heard, error)
        except Exception as error:  # a bug of ours: said in one sentence, kept in a file
            self._failed(heard, write_crash(error, self.bench.settings.state, self.bench.secrets))

    def _failed(self, heard: Heard, error: StaroverError) -> None:
        with suppress(NotTold):
            self.bench.whisper(heard, error_card(Redactor(self.bench.secrets).error(error)))

    def _perform(self, heard: Heard, ask: asks.Ask) -> None:
        """Do it. Raises `StaroverError` for what the person has to be told, and `NotTold`."""
        bench = self.bench
        with bench.secrets.of(bench.room(heard)) as room:
            policy = room.policy
            if policy is None or person_of(policy, heard.person) is None:
                said = stranger(heard.person, policy=policy is not None)
                if isinstance(ask, asks.Plan | asks.Resume | _Act):
                    refusing.keep(bench, room, heard, ask, NotApproved(said.title.removeprefix("! refused: ")))
                bench.whisper(heard, said)
                return
            if isinstance(ask, asks.Apply | asks.Approve | asks.Scripts | asks.Drop) and ask.card and heard.message:
                bench.ledger.posted(ask.card, heard.message)  # quicker than whoever posted it, or he died just then
            try:
                self._do(room, heard, ask, policy)
            except (Refused, NotConfirmed) as refused:
                if isinstance(ask, _Act):  # what was refused to a planning or a resume is in its journal
                    refusing.keep(bench, room, heard, ask, refused)
                raise

    def _do(self, room: ChatRoom, heard: Heard, ask: asks.Ask, policy: Policy) -> None:
        """As `_perform`, for somebody whom the policy knows."""
        bench = self.bench
        match ask:
            case asks.Help():
                bench.whisper(heard, help_card(policy, [dag.name for dag in room.estate.dags], heard.person))
            case asks.Status():
                looking.status(bench, room, heard, ask)
            case asks.Assess():
                looking.assess(bench, room, heard, ask)
            case asks.Runs():
                looking.runs(bench, room, heard, ask)
            case asks.Report():
                looking.report(bench, room, heard, ask.run)
            case asks.Scripts():
                planning.scripts(bench, room, ask.card)
            case asks.Plan():
                planning.plan(bench, room, heard, ask)
            case asks.Approve():
                planning.approve(bench, room, heard, ask)
            case asks.Drop():
                planning.drop(bench, room, heard, ask.card)
            case asks.Apply():
                running.apply(bench, room, heard, ask)
            case asks.Resume():
                running.resume(bench, room, heard, ask.run)
            case asks.Cancel():
                running.cancel(bench, room, heard, ask.what)


class _Masked:
    """A channel that never says a secret."""

    def __init__(self, channel: Channel, mask: Callable[[str], str]) -> None:
        self._channel, self._mask = channel, mask

    def post(self, channel: str, card: Card, *, thread: str = "") -> str:
        return self._channel.post(channel, masked(card, self._mask), thread=thread)

    def edit(self, channel: str, message: str, card: Card) -> None:
        self._channel.edit(channel, message, masked(card, self._mask))

    def whisper(self, channel: str, person: str, card: Card, *, reply: str = "") -> None:
        self._channel.whisper(channel, person, masked(card, self._mask), reply=reply)

    def attach(self, channel: str, thread: str, name: str, title: str, data: bytes) -> None:
        self._channel.attach(channel, thread, name, title, self._mask(data.decode()).encode())
