"""A lock between processes that dies with its holder, on every system; knows nothing of what it keeps apart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["hold"]


def hold(path: Path, *, seconds: float = 0.0) -> sqlite3.Connection | None:
    """Hold the lock of this file until it is closed; None: somebody else has it, even after so many seconds.

    SQLite's lock on an empty file is the portable one: the system frees it when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = sqlite3.connect(path, timeout=seconds, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        return None
    return lock
