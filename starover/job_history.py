"""What has become of a job's times: one line each, kept beside the journals; decides nothing, contacts nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from starover.jobs import Past

__all__ = ["Began", "Ended", "Line", "Missed", "Overlapped", "append", "lock_of", "past_of", "read", "under_way"]


class Began(msgspec.Struct, frozen=True, kw_only=True, tag="began"):
    """It began; without an `Ended` behind it, it is under way or was cut off."""

    at: datetime
    due: datetime | None
    """None: by hand."""
    late: float = 0.0
    """Seconds."""


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """It ended."""

    at: datetime
    due: datetime | None
    exit: int
    run: str = ""
    """Empty: it came to no run."""
    subject: str = ""
    told: tuple[str, ...] = ()
    """Who could not be told, and why; empty: everybody was."""


class Missed(msgspec.Struct, frozen=True, kw_only=True, tag="missed"):
    """Times passed without it, and that was noticed and told now."""

    at: datetime
    due: tuple[datetime, ...]


class Overlapped(msgspec.Struct, frozen=True, kw_only=True, tag="overlapped"):
    """It was started while it was still under way."""

    at: datetime


Line: TypeAlias = "Began | Ended | Missed | Overlapped"


def _file(state: Path, name: str) -> Path:
    return state / "jobs" / f"{name}.jsonl"


def lock_of(state: Path, name: str) -> Path:
    """The file whose lock is held while a job is under way."""
    return state / "jobs" / f"{name}.lock"


def append(state: Path, name: str, line: Line) -> None:
    """Keep a line; it is on the disk when this returns."""
    file = _file(state, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.is_file() and file.stat().st_size > 0 and not file.read_bytes().endswith(b"\n")
    with file.open("ab") as out:
        out.write((b"\n" if torn else b"") + msgspec.json.encode(line) + b"\n")
        out.flush()
        os.fsync(out.fileno())


def read(state: Path, name: str) -> list[Line]:
    """Everything kept of a job, oldest first. A line that a crash cut off is left out."""
    file = _file(state, name)
    if not file.is_file():
        return []
    found: list[Line] = []
    for line in file.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Began | Ended | Missed | Overlapped))
        except msgspec.MsgspecError:
            continue
    return found


def past_of(lines: Sequence[Line]) -> Past:
    """What `jobs.decide` has to know of them."""
    ran = [one.due for one in lines if isinstance(one, Began) and one.due is not None]
    told = [due for one in lines if isinstance(one, Missed) for due in one.due]
    first = [one.at for one in lines[:1]]
    known = [*ran, *told, *first]
    return Past(since=max(known, default=None), last_due=max(ran, default=None))


def under_way(lines: Sequence[Line]) -> Began | None:
    """The last beginning without an end, or None."""
    open_: Began | None = None
    for one in lines:
        if isinstance(one, Began):
            open_ = one
        elif isinstance(one, Ended):
            open_ = None
    return open_
