"""Copies that have logs of their own, which the stream went on without; knows no activation, no seed and no cmdlet.

The own logs of such a copy are the only place of the mail in them (simulator.md section 6).
"""

from __future__ import annotations

from starover_lab.world.database_parts import Copy, CopyError, Database
from starover_lab.world.state import State

__all__ = ["DIVERGED", "branch_point", "diverged_error", "part", "preserve", "sacrifice"]

DIVERGED = (
    "The log file stream of database copy '{copy}' has diverged from the active copy: it has {logs} log files beyond "
    "the point where the active copy continued, the first of them generation 0x{first:X}. An incremental reseed isn't "
    "possible. The copy must be seeded again."
)
"""Unverified wording: nobody has published it whole."""


def branch_point(copy: Copy) -> int:
    """The newest log that the copy has in common with the stream; its counters must be settled."""
    return copy.inspected - copy.diverged


def diverged_error(database: Database, copy: Copy) -> CopyError:
    """What the replication service says of a copy that is too far gone to be mended."""
    name = f"{database.name}\\{copy.server}"
    text = DIVERGED.format(copy=name, logs=copy.diverged, first=branch_point(copy) + 1)
    return CopyError(text, 2070, needs_reseed=True, cause="divergence")


def part(state: State, database: Database, new: Copy, point: int) -> None:
    """The stream goes on from `point` with what `new` has: all that others have beyond it is their own.

    A copy that had parted earlier keeps its older branch point. All counters must be settled.
    """
    database.stream.branch += 1
    for copy in database.copies:
        if copy is new:
            continue
        copy.inspected = copy.copied
        own = copy.inspected - min(branch_point(copy), point)
        if own > copy.diverged:
            copy.diverged_at = state.now
        copy.diverged = own
        if not own:
            copy.branch = database.stream.branch
    new.copied = new.inspected
    new.diverged, new.diverged_at, new.branch = 0, None, database.stream.branch


def _key(database: str, server: str) -> tuple[str, str]:
    return database.casefold(), server.casefold()


def preserve(state: State, database: Database, server: str, how: str) -> None:
    """Note that the files of a copy were kept safe just now, or that they may go (`discard`)."""
    state.preserved[_key(database.name, server)] = (how, state.now)
    state.log.add("preserved", f"{database.name}\\{server}", how=how)


def sacrifice(state: State, database: Database, copy: Copy) -> None:
    """The copy's files are about to be overwritten: say what is lost with them for good (I16)."""
    key = _key(database.name, copy.server)
    state.left_diverged.pop(key, None)
    how, when = state.preserved.pop(key, ("", None))
    if not copy.diverged:
        return
    fresh = when is not None and (copy.diverged_at is None or when >= copy.diverged_at)
    kept = how if fresh else ""
    if kept not in ("snapshot", "copy-aside"):
        state.log.add("lost_for_good", database.name, server=copy.server, lost=copy.diverged, signed=kept == "discard")
