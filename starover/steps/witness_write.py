"""Whether survivors can write on a witness host, tried by a real file before quorum hangs on it (6.2, line 7).

A session over the network has no right to go on to another host. So a task of SYSTEM writes on each survivor: over the
network that is the server's own account, which is in Exchange Trusted Subsystem, and which will lock the witness. The
share is made by Exchange only when it needs it: the file goes to the administrative share of the directory's drive.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from starover.names import WitnessDirectory
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps.disaster import at

__all__ = ["WitnessWrite", "path_beside", "tested", "witness_write", "written_to"]

FRESH = timedelta(hours=6)
"""How long a write that went well still says something."""


class WitnessWrite(Report):
    """What one server last tried (`witness/written.ps1.j2`)."""

    name: str
    """The server."""
    utc: str
    """Its clock."""
    file: str
    """The file; empty: none was tried."""
    written: str
    """When it was written and read; empty: it could not be."""
    problem: str

    def fresh(self, file: str) -> bool:
        """It wrote this file not long ago."""
        now, then = at(self.utc), at(self.written)
        same = self.file.casefold() == file.casefold()
        return same and now is not None and then is not None and now - then <= FRESH


witness_write = Query("witness/written.ps1.j2", WitnessWrite, deadline=8)
"""Of the server that is asked."""


def path_beside(fqdn: str, directory: WitnessDirectory) -> str:
    """The file that is written: beside the directory, whose content is Exchange's own, on its host."""
    drive, _, rest = directory.rstrip("\\").partition(":")
    return rf"\\{fqdn}\{drive}${rest}-starover-write-test.txt"


def tested(host: str, file: str, answers: Sequence[WitnessWrite]) -> str:
    """What line 7 of the proof says; empty: nothing was tried lately."""
    done = [one for one in answers if one.fresh(file)]
    if not done:
        return ""
    first = min(one.written for one in done)[:19]
    return f"alternate witness {host}: {', '.join(one.name for one in done)} wrote and read a file there at {first}Z"


def _refused(now: WitnessWrite) -> Blocked | None:
    if not now.problem:
        return None
    return Blocked(
        f"{now.name} cannot write on the witness host: {now.problem}",
        guard="S-WIT-ADMIN",
        certain=(f"tried: {now.file}", "nothing was restored or forced"),
        next=("starover plan witness-prepare   its rights, firewall and role", "--witness new:SERVER:DIRECTORY"),
    )


@step(
    check=witness_write,
    apply="witness/write.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=5, limit=120),
    broken=_refused,
)
def written_to(now: WitnessWrite, /, *, test_file: str) -> Change | Blocked | None:
    """A survivor can write on the witness host: a small file lies beside the witness directory."""
    return None if now.fresh(test_file) else Change(test_file, "not tried", "written and read", action="add")
