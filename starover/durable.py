"""Files that are whole and on the disk, or not there at all; knows nothing of what they hold."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace", "sync_folder", "write"]


def write(path: Path, data: bytes) -> None:
    """Write a file; it is on the disk when this returns. Windows puts down only what was opened for writing."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes, fresh: Path | None = None) -> None:
    """Put a file in the place of another, if there is one: after a loss of power there is one of the two.

    `fresh`: what it is called until then. Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = fresh or path.with_suffix(".new")
    write(fresh, data)
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a new name durable; Windows does so by itself and cannot open a folder."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
