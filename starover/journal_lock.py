"""A lock between processes that dies with its holder, on every system; knows nothing of what it keeps apart."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from starover.errors import Mistake

__all__ = ["hold", "is_held"]

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


def is_held(path: Path) -> bool:
    """Whether a process that lives has this lock; only looks, and makes no file."""
    if not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.0)) as lock:
            lock.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _TAKEN
    return False
