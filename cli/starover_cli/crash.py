"""What becomes of a bug of ours: the whole trace goes to a file, the person gets one sentence."""

from __future__ import annotations

import platform
import tempfile
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from starover.errors import StaroverError

__all__ = ["Bug", "write_crash"]


class Bug(StaroverError):
    """starover itself failed in a way that it does not know."""

    word = "failed"


def write_crash(error: BaseException, state: Path, secrets: Callable[[], Sequence[str]] = tuple) -> Bug:
    """Write the trace to a file below `state` (or where temporary files go) and tell where it is.

    `secrets` are masked: what a library says of its own failure may repeat what it was given.
    """
    from starover.redact import Redactor

    text = Redactor(secrets).text("".join(traceback.format_exception(error)))
    now = datetime.now(UTC)
    body = f"{now:%Y-%m-%d %H:%M:%S}Z  Python {platform.python_version()} on {platform.system()}\n\n{text}"
    name = f"{now:crash-%Y%m%d-%H%M%S-%f}.txt"
    where = ""
    for folder in (state / "crash", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(body, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        where = (folder / name).as_posix()
        break
    kept = f"the whole trace is in {where}" if where else "no file could be written for the trace"
    return Bug(
        f"a fault in starover itself ({type(error).__name__}); {kept}.",
        uncertain=["whether what was under way was sent: the journal knows."],
        next=["starover runs"],
    )
