"""What may never be untrue of logs and copies (simulator.md section 9: I3, I8, I10, I16); changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.events import Event
from starover_lab.world.replication import REPL, is_active
from starover_lab.world.state import State

__all__ = ["untrue"]

Untrue = tuple[str, str, str]
_GOOD = ("Healthy", "Mounted", "Mounting", "Dismounting", "SeedingSource")


def untrue(state: State, event: Event) -> Iterator[Untrue]:
    """What that event has made untrue."""
    if event.kind == "data_loss":
        yield from _loss(event)
    elif event.kind == "lost_for_good" and not event.data.get("signed"):
        text = f"{event.data.get('lost')} logs that only {event.data.get('server')} had were overwritten unsaved"
        yield "I16", event.subject, text
    elif event.kind == "copy_resumed" and event.data.get("block_lost"):
        yield "I10", event.subject, "a lagged copy lost the block that it had before it was suspended"
    if _by_hand(event):
        for database in state.databases:
            before = sum(copy.status in _GOOD for copy in database.copies)
            if len(database.copies) > 1 and before and not any(_good(state, database, one) for one in database.copies):
                yield "I8", database.name, f"no good copy is left after {event.kind} {event.subject}"


def _loss(event: Event) -> Iterator[Untrue]:
    lost, allowed = event.data.get("lost"), event.data.get("allowed")
    if not event.data.get("decision"):
        yield "I3", event.subject, f"{lost} logs were lost and nobody decided so"
    elif isinstance(allowed, int) and isinstance(lost, int) and lost > allowed:
        yield "I3", event.subject, f"{lost} logs were lost where {event.data['decision']} allows {allowed}"


def _by_hand(event: Event) -> bool:
    """Whether somebody did that, and no fault."""
    match event.kind:
        case "copy_removed" | "seed_started":
            return True
        case "copy_suspended":
            return event.data.get("initiator") == "Administrator"
        case "database_dismounted":
            return event.data.get("reason") == "asked"
        case "host_off":
            return event.data.get("reason") == "restart"
        case _:
            return False


def _good(state: State, database: Database, copy: Copy) -> bool:
    """Whether a copy is still Healthy or Mounted; its recorded status is that of before the event."""
    server = state.servers[copy.server]
    if not state.runs(server, REPL):
        return False
    if is_active(database, copy):
        return database.state in ("Mounted", "Mounting", "Dismounting") or bool(database.moving_to)
    return copy.status in _GOOD and not copy.replication_suspended and copy.seed is None and copy.files_present
