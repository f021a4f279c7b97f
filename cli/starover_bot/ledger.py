"""What the bot must not forget when it dies: deliveries, cards, approvals, runs it began; a file beside the journals.

SQLite, because each of its rows is on the disk or not there at all. Decides nothing, knows no chat and no estate.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from starover.approval import Second, read_approval, write_approval

__all__ = ["Ledger", "Leg", "Open", "PlanCard"]

_TABLES = """
CREATE TABLE IF NOT EXISTS deliveries (
  key TEXT PRIMARY KEY, person TEXT NOT NULL, channel TEXT NOT NULL, text TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS cards (
  card TEXT PRIMARY KEY, plan TEXT NOT NULL, ticket TEXT NOT NULL, channel TEXT NOT NULL,
  message TEXT NOT NULL DEFAULT '', dropped TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS approvals (card TEXT NOT NULL, person TEXT NOT NULL, approval BLOB NOT NULL,
  PRIMARY KEY (card, person));
CREATE TABLE IF NOT EXISTS legs (
  leg INTEGER PRIMARY KEY, key TEXT NOT NULL, plan TEXT NOT NULL, run TEXT NOT NULL DEFAULT '', person TEXT NOT NULL,
  channel TEXT NOT NULL DEFAULT '', thread TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
  before TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open', told INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS once ON legs (key) WHERE state != 'released';
"""
_KEPT = 20_000
"""So many deliveries are remembered; a chat repeats one for minutes."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """A delivery that was taken and never finished."""

    key: str
    person: str
    channel: str
    text: str


@dataclass(frozen=True, kw_only=True)
class PlanCard:
    """A plan as it was posted. Its name is the journal of its planning, so that a plan made again is another card."""

    card: str
    plan: str
    """Its digest."""
    ticket: str
    """Given when it was planned."""
    channel: str
    message: str
    """Empty: the bot died while it posted it."""
    dropped: str
    """By whom; empty: it was not."""


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A run, or its resumption, that the bot began."""

    leg: int
    key: str
    plan: str
    """Id of the plan."""
    run: str
    """Empty: not yet known."""
    person: str
    channel: str
    thread: str
    message: str
    """The message that is edited; empty: not posted."""
    before: tuple[str, ...]
    """Runs that there were before it began, so that its own can be found."""
    state: str
    """`open`, `ended`, `released` (nothing was done, it may be begun again)."""


class Ledger:
    """The file. Safe to share between threads."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._base = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=30.0)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.executescript(_TABLES)

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._base.close()

    def _do(self, statement: str, *values: object) -> sqlite3.Cursor:
        with self._lock:
            return self._base.execute(statement, values)

    def _rows(self, statement: str, *values: object) -> list[tuple[str, ...]]:
        with self._lock:
            return self._base.execute(statement, values).fetchall()

    # -- deliveries ----------------------------------------------------------------------------------------------

    def first(self, delivery: Open) -> bool:
        """Take a delivery; False: it was taken before."""
        taken = self._do(
            "INSERT OR IGNORE INTO deliveries (key, person, channel, text) VALUES (?, ?, ?, ?)",
            delivery.key,
            delivery.person,
            delivery.channel,
            delivery.text,
        )
        return taken.rowcount == 1

    def done(self, key: str) -> None:
        """A delivery was answered."""
        self._do("UPDATE deliveries SET done = 1 WHERE key = ?", key)

    def undone(self) -> list[Open]:
        """Deliveries that were taken and never answered. Forgets the oldest of the others."""
        self._do("DELETE FROM deliveries WHERE done = 1 AND rowid <= (SELECT MAX(rowid) FROM deliveries) - ?", _KEPT)
        rows = self._rows("SELECT key, person, channel, text FROM deliveries WHERE done = 0 ORDER BY rowid")
        return [Open(key=key, person=person, channel=channel, text=text) for key, person, channel, text in rows]

    # -- cards ---------------------------------------------------------------------------------------------------

    def card(self, card: str, plan: str, ticket: str, channel: str) -> None:
        """A card is about to be posted."""
        self._do(
            "INSERT OR IGNORE INTO cards (card, plan, ticket, channel) VALUES (?, ?, ?, ?)", card, plan, ticket, channel
        )

    def posted(self, card: str, message: str) -> None:
        """It was."""
        self._do("UPDATE cards SET message = ? WHERE card = ?", message, card)

    def drop(self, card: str, person: str) -> None:
        """It is put away."""
        self._do("UPDATE cards SET dropped = ? WHERE card = ?", person, card)

    def find_card(self, card: str) -> PlanCard | None:
        """A card by its name."""
        rows = self._rows("SELECT card, plan, ticket, channel, message, dropped FROM cards WHERE card = ?", card)
        if not rows:
            return None
        card, plan, ticket, channel, message, dropped = rows[0]
        return PlanCard(card=card, plan=plan, ticket=ticket, channel=channel, message=message, dropped=dropped)

    # -- approvals -----------------------------------------------------------------------------------------------

    def approve(self, card: str, person: str, approval: Second) -> None:
        """Somebody has approved it, here."""
        self._do("INSERT OR REPLACE INTO approvals VALUES (?, ?, ?)", card, person, write_approval(approval))

    def approvals(self, card: str) -> list[Second]:
        """Who has."""
        rows = self._rows("SELECT approval FROM approvals WHERE card = ? ORDER BY rowid", card)
        return [read_approval(cast(bytes, row[0])) for row in rows]  # a blob

    def heard(self, approval: Second) -> bool:
        """Whether exactly this approval was given here."""
        data = write_approval(approval)
        return bool(self._rows("SELECT card FROM approvals WHERE approval = ?", data))

    # -- runs ----------------------------------------------------------------------------------------------------

    def begin(self, key: str, plan: str, person: str, before: Sequence[str]) -> int | None:
        """A run is to begin; None: one has, for this key."""
        try:
            made = self._do(
                "INSERT INTO legs (key, plan, person, before) VALUES (?, ?, ?, ?)",
                key,
                plan,
                person,
                json.dumps(list(before)),
            )
        except sqlite3.IntegrityError:
            return None
        return made.lastrowid

    def place(self, leg: int, channel: str, thread: str, message: str) -> None:
        """Where it is told."""
        self._do("UPDATE legs SET channel = ?, thread = ?, message = ? WHERE leg = ?", channel, thread, message, leg)

    def named(self, leg: int, run: str) -> None:
        """Its run has an id."""
        self._do("UPDATE legs SET run = ? WHERE leg = ?", run, leg)

    def end(self, leg: int, *, released: bool) -> None:
        """It is over; `released`: nothing was done, so that it may be begun again."""
        self._do("UPDATE legs SET state = ? WHERE leg = ?", "released" if released else "ended", leg)

    def told(self, leg: int) -> None:
        """The thread says how it ended."""
        self._do("UPDATE legs SET told = 1 WHERE leg = ?", leg)

    def leg(self, leg: int) -> Leg | None:
        """One by its number."""
        return next(iter(self._legs("WHERE leg = ?", leg)), None)

    def leg_of(self, key: str) -> Leg | None:
        """What was begun for a key and not released."""
        return next(iter(self._legs("WHERE key = ? AND state != 'released'", key)), None)

    def leg_by_run(self, run: str) -> Leg | None:
        """The latest leg of a run."""
        return next(iter(self._legs("WHERE run = ? ORDER BY leg DESC", run)), None)

    def untold(self) -> list[Leg]:
        """What was begun, and the thread does not say how it ended."""
        return self._legs("WHERE told = 0 AND (message != '' OR state = 'open') ORDER BY leg")

    def _legs(self, where: str, *values: object) -> list[Leg]:
        names = ("leg", "key", "plan", "run", "person", "channel", "thread", "message", "before", "state")
        found: list[Leg] = []
        for row in self._rows(f"SELECT {', '.join(names)} FROM legs {where}", *values):  # noqa: S608 - our own words
            leg, key, plan, run, person, channel, thread, message, before, state = row
            found.append(
                Leg(
                    leg=int(leg),
                    key=key,
                    plan=plan,
                    run=run,
                    person=person,
                    channel=channel,
                    thread=thread,
                    message=message,
                    before=tuple(json.loads(before)),
                    state=state,
                )
            )
        return found
