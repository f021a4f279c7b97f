"""What was brought into a folder of journals from another one, after an outage; knows no record and brings nothing.

`index/from-RUN.json` stands for one other folder, named by the first run of its list. It keeps that list, which the
audit holds the runs against as it does with `index/chain`, who brought them and when, and what was not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from starover import durable
from starover.journal_chain import listed

__all__ = ["Arrival", "Brought", "Order", "brought", "brought_file", "orders", "write_brought"]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that came, or went on since, at one time."""

    at: datetime
    who: str
    runs: tuple[str, ...]


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """One other folder, as far as it is known here."""

    order: tuple[str, ...]
    """Its runs in the order in which they were begun there."""
    away: dict[str, str]
    """Runs of the list that were not taken, and why. A run of the same id may be here: it is another one."""
    arrivals: tuple[Arrival, ...]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A list of runs, in the order in which they were begun in one folder."""

    file: str
    """Where it stands, from the folder."""
    runs: tuple[str, ...]
    away: Mapping[str, str] = {}
    """As `Brought.away`."""


def brought_file(first: str) -> str:
    """Where the folder whose list begins with that run is kept, from the folder of journals."""
    return f"index/from-{first}.json"


def brought(folder: Path) -> dict[str, Brought | None]:
    """Every folder from which runs were brought, by its file; None: the file cannot be read."""
    found: dict[str, Brought | None] = {}
    for path in sorted((folder / "index").glob("from-*.json")):
        try:
            found[f"index/{path.name}"] = msgspec.json.decode(path.read_bytes(), type=Brought)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            found[f"index/{path.name}"] = None
    return found


def orders(folder: Path) -> list[Order]:
    """The folder's own list, and those of the folders whose runs were brought here."""
    own = Order(file="index/chain", runs=tuple(listed(folder)))
    others = [Order(file=file, runs=one.order, away=one.away) for file, one in brought(folder).items() if one]
    return [own, *others]


def write_brought(folder: Path, file: str, known: Brought) -> None:
    """Keep it; whole and on the disk when this returns."""
    durable.replace(folder / file, msgspec.json.format(msgspec.json.encode(known)) + b"\n")
