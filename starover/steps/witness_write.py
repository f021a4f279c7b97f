"""Whether a witness host takes writes, tried by a real file before quorum is to hang on it (catalogue 6.2, line 7).

The file is written on the host itself: a session over the network has no right to go on to another host's share. That
members reach the host on 445 is looked at beside it (`witness.prepared`).
"""

from __future__ import annotations

from datetime import timedelta

from starover.names import WitnessDirectory
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps.disaster import at

__all__ = ["WitnessWrite", "path_beside", "tested", "witness_write", "written_to"]

FRESH = timedelta(hours=6)
"""How long a write that went well still says something."""


class WitnessWrite(Report):
    """A file beside the witness directory (`witness/written.ps1.j2`)."""

    utc: str
    """The host's clock."""
    written: str
    """When the file was written; empty: there is none."""
    readable: bool

    @property
    def fresh(self) -> bool:
        """It was written not long ago, and can be read."""
        now, then = at(self.utc), at(self.written)
        return self.readable and now is not None and then is not None and now - then <= FRESH


witness_write = Query("witness/written.ps1.j2", WitnessWrite, deadline=8)
"""Argument: `test_file`, its whole path."""


def path_beside(directory: WitnessDirectory) -> str:
    """The file that is written: beside the directory, whose content is Exchange's own."""
    return directory.rstrip("\\") + "-starover-write-test.txt"


def tested(host: str, now: WitnessWrite) -> str:
    """What line 7 of the proof says; empty: nothing was tried lately."""
    return f"alternate witness {host}: a file was written and read there at {now.written[:19]}Z" if now.fresh else ""


@step(check=witness_write, apply="witness/write.ps1.j2", risk=Risk.LOW, settle=Settle(every=5, limit=30))
def written_to(now: WitnessWrite, /, *, test_file: str) -> Change | Blocked | None:
    """The volume of a witness takes writes: a small file lies beside its directory."""
    return None if now.fresh else Change(test_file, "not tried", "written and read", action="add")
