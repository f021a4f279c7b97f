"""A lock between processes that dies with its holder, on every system; knows nothing of what it keeps apart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from starover.errors import Mistake

__all__ = ["hold"]

_TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def hold(path: Path, *, seconds: float = 0.0) -> sqlite3.Connection | None:
    """Hold the lock of this file until it is closed; None: somebody else has it, even after so many seconds.

    Raises `Mistake` where there can be no lock: nobody else has it then.

    SQLite's lock on an empty file is the portable one: the system frees it when the process ends, however it ends.
    """
    lock: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(path, timeout=seconds, isolation_level=None, check_same_thread=False)
        lock.execute("BEGIN EXCLUSIVE")
    except (OSError, sqlite3.Error) as error:
        if lock is not None:
            lock.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _TAKEN:
            return None
        raise Mistake(
            f"{path} cannot be locked: {error}",
            certain=("nothing was sent",),
            next=("is the folder writable, and is there room on its disk?",),
        ) from error
    return lock
