"""Who carries a run that no process of this machine owns for its whole length; knows no journal and no workflow.

`index/ID.carried` names the workflow that goes on with a run, wherever its next step is done. A lock ends with its
process, so it cannot say that. While the file is there nobody else goes on with the run, nor takes it for dead.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from uuid import uuid4

__all__ = ["carried_by", "carry", "let_go", "place_of"]


def place_of(folder: Path, run: str) -> Path:
    """Where it is written down."""
    return folder / "index" / f"{run}.carried"


def carried_by(folder: Path, run: str) -> tuple[str, int]:
    """Who carries a run, and how far whoever wrote last knew its history; ("", 0): nobody."""
    try:
        by, _, epoch = place_of(folder, run).read_text("utf-8").strip().partition("\n")
        return by, int(epoch or 0)
    except (OSError, ValueError):
        return "", 0


def carry(folder: Path, run: str, by: str, epoch: int) -> None:
    """Say so."""
    place = place_of(folder, run)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_suffix(f".{uuid4().hex}.new")
    fresh.write_text(f"{by}\n{epoch}\n", "utf-8")
    fresh.replace(place)


def let_go(folder: Path, run: str) -> None:
    """Nobody carries it any more."""
    with contextlib.suppress(FileNotFoundError):
        place_of(folder, run).unlink()
