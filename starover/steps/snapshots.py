"""Keeping the only copy of something before it is destroyed: snapshots of a host's data volumes (S-SNAP).

The copy of a database that has logs of its own may be the only place of the mail in them; a seed overwrites it. Nothing
here ever deletes a snapshot.
"""

from __future__ import annotations

from starover.errors import NotSafe
from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step, wait

__all__ = ["Snapshot", "Snapshots", "kept", "snapshots_begun", "snapshots_of"]

_DONE = "completed"
COPIED = Settle(every=60, limit=21_600, stall=3600)
"""P(60s,6h)."""


class Snapshot(Report):
    """A snapshot of one volume."""

    id: str
    volume: str
    state: str
    """`pending`, `completed`, `error`."""
    progress: str | None
    """`42%`."""
    started: str
    """ISO 8601, UTC."""


class Snapshots(Report):
    """Snapshots made for one host, database and reason (`ec2/snapshots.call.j2`)."""

    snapshots: tuple[Snapshot, ...]

    @property
    def kept(self) -> bool:
        """There are some, and all of them are complete."""
        return bool(self.snapshots) and all(one.state == _DONE for one in self.snapshots)

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids, for journal and report."""
        return tuple(one.id for one in self.snapshots)


def left(now: Snapshots) -> int:
    """Percent that are missing, of all of them."""
    return sum(0 if one.state == _DONE else 100 - int((one.progress or "0").rstrip("%") or 0) for one in now.snapshots)


snapshots_of = Query("ec2/snapshots.call.j2", Snapshots)
"""Arguments: `host`, `database`, `reason`."""


@step(check=snapshots_of, apply="ec2/snap.call.j2", risk=Risk.LOW)
def snapshots_begun(
    now: Snapshots, /, *, instance: str, host: str, database: str, reason: str
) -> Change | Blocked | None:
    """Snapshots of a host's data volumes, all of one moment."""
    broken = [one.id for one in now.snapshots if one.state == "error"]
    if broken:
        return Blocked(
            f"{', '.join(broken)}: the snapshot ended with an error, so {database} on {host} is not kept",
            guard="S-SNAP",
            next=("take it again under another reason",),
        )
    if now.snapshots:
        return None
    return Change(
        f"data volumes of {host} for {database}", "no snapshot", "snapshots", f"{instance}, {reason}", action="add"
    )


def kept(server: Server, database: str, reason: str) -> Steps:
    """Keep the data volumes of `server` as snapshots, and wait until they are complete: for what is then destroyed.

    `reason` tells this set from those of other times, such as `DB01 diverged 2026-11-20`, and goes into its tags.
    Raises `NotSafe` where the server is no instance.
    """
    if not server.instance:
        raise NotSafe(
            f"S-SNAP: {server.name} is no EC2 instance, so there is no snapshot to keep {database} by",
            certain=("nothing was changed",),
            next=("copy its files aside first", f"--discard-diverged {database}   gives up what is in them"),
            host=server.name,
        )
    yield snapshots_begun.on(server, instance=server.instance, host=server.name, database=database, reason=reason)
    yield from wait(
        snapshots_of,
        server,
        until=lambda now: now.kept,
        settle=COPIED,
        what="complete snapshots",
        progress=left,
        host=server.name,
        database=database,
        reason=reason,
    )
