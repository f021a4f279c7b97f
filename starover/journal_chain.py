"""The chain over runs: each run's first record names the head of the run before it; knows no record and no engine.

`index/chain` lists every run of a folder in the order in which they were begun. A run that is begun takes its place
there, and what it finds of the one before it goes into its first record. So a run that is taken away leaves the one
after it naming something that is not there, and the last one is still listed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from starover.errors import Locked
from starover.journal_lock import hold

__all__ = ["Former", "chain_of", "listed", "take_place"]

PATIENCE = 10.0
"""Seconds to wait for another process that begins a run in the same folder: it takes milliseconds."""


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """The run before, as it was when this one was begun: it may have gone on since, but not otherwise."""

    run: str = ""
    """Empty: this is the first run of its folder."""
    records: int = 0
    head: str = ""
    """SHA-256 of its last record then."""


def chain_of(folder: Path) -> Path:
    """Where the list lies."""
    return folder / "index" / "chain"


def listed(folder: Path) -> list[str]:
    """Every run in the order in which they were begun; empty where nothing is listed."""
    try:
        text = chain_of(folder).read_text("ascii", "replace")
    except OSError:
        return []
    return [line for line in text.split("\n") if line]


def take_place(folder: Path, run: str, head: Callable[[str], tuple[int, str]]) -> Former:
    """List a run, and give the one before it; `head` gives a run's number of records and its last one's hash.

    Raises `Locked` when another process holds the list for too long, and `OSError`.
    """
    lock = hold(folder / "index" / "chain.lock", seconds=PATIENCE)
    if lock is None:
        raise Locked(
            f"another process has been beginning a run in {folder} for {PATIENCE:g} s",
            certain=("nothing was sent",),
            next=("is one of them stopped, in a debugger or by Ctrl-Z?",),
        )
    try:
        before = listed(folder)
        with chain_of(folder).open("ab", buffering=0) as file:
            if not _ends_well(folder):
                file.write(b"\n")  # a process died within its line
            file.write(f"{run}\n".encode())
            os.fsync(file.fileno())
        if not before:
            return Former()
        records, digest = _steady(lambda: head(before[-1]))
        return Former(run=before[-1], records=records, head=digest)
    finally:
        lock.close()


def _ends_well(folder: Path) -> bool:
    data = chain_of(folder).read_bytes()
    return not data or data.endswith(b"\n")


def _steady(look: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """The same twice: the run before may be writing its head at this very moment."""
    last = look()
    while (again := look()) != last:
        last = again
    return last
