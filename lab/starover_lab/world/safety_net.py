"""Safety Net: mail of lost logs delivered once more from the copies that transport keeps; knows no log and no cmdlet.

simulator.md sections 4 and 6. The primary Safety Net of a message is with the server that had the database mounted when
it was delivered, its shadow with another member [model]. Active Manager asks by itself after every loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from starover_lab.world.database_parts import Database
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.state import State, first_label

__all__ = ["TRANSPORT", "ResubmitRequest", "SafetyNet"]

TRANSPORT = "MSExchangeTransport"
_MARGIN = timedelta(minutes=5)
"""How much further back Active Manager asks than the last log that is left [model]."""


@dataclass(eq=False)
class ResubmitRequest:
    """One request."""

    id: int
    database: str
    server: str
    """Where it was asked, and where it is seen."""
    start: datetime
    end: datetime
    created: datetime
    primaries: tuple[str, ...]
    """Servers whose primary Safety Net holds the messages of that time."""
    retry_until: datetime
    """From then on the shadow of a primary that does not answer is asked."""
    due: datetime | None = None
    """When it will be done; None: a primary does not answer."""
    state: Literal["Running", "Completed"] = "Running"
    by_itself: bool = False


@dataclass(eq=False)
class _Loss:
    """Mail lost with its logs."""

    logs: int
    start: datetime
    end: datetime
    recovered: bool = False


class SafetyNet:
    """All requests, and which losses they made good."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._losses: dict[str, list[_Loss]] = {}
        self.requests: list[ResubmitRequest] = []

    def lost(self, database: Database, logs: int, last_kept: datetime | None) -> None:
        """Logs were lost: Active Manager asks for what was delivered since the last log that is left."""
        now = self._state.now
        start = last_kept if last_kept is not None else now
        self._losses.setdefault(database.name.casefold(), []).append(_Loss(logs, start, now))
        request = self._add(database, database.active, start - _MARGIN, now, unresponsive=())
        request.by_itself = True

    def ask(
        self, guid: str, server: Server, start: datetime, end: datetime, *, unresponsive: Sequence[str] = ()
    ) -> ResubmitRequest:
        """Add-ResubmitRequest. Raises `not_found` (no such database), `invalid` (times), `service_down`."""
        state = self._state
        database = next((one for one in state.databases if str(one.guid) == guid.casefold()), None)
        if database is None:
            raise WorldError("not_found", f"there is no database {guid}", object="database", name=guid)
        for parameter, value in (("StartTime", start), ("EndTime", end)):
            if value > state.now:
                raise WorldError(
                    "invalid", f"{parameter} must be in the past", parameter=parameter, value=value.isoformat()
                )
        if start >= end:
            raise WorldError(
                "invalid", "StartTime must be before EndTime", parameter="StartTime", value=start.isoformat()
            )
        if not state.runs(server, TRANSPORT):
            raise WorldError(
                "service_down", f"{TRANSPORT} does not run on {server.name}", server=server.name, service=TRANSPORT
            )
        request = self._add(database, server.name, start, end, unresponsive=unresponsive)
        state.review()
        return request

    def of(self, server: str) -> list[ResubmitRequest]:
        """The requests asked of one server, oldest first."""
        return [one for one in self.requests if one.server.casefold() == server.casefold()]

    def _add(
        self, database: Database, server: str, start: datetime, end: datetime, *, unresponsive: Sequence[str]
    ) -> ResubmitRequest:
        state = self._state
        named = {first_label(name).casefold() for name in unresponsive}
        held = [one for one in database.stream.writers(start, end) if one.casefold() not in named]
        request = ResubmitRequest(
            id=len(self.requests) + 1,
            database=database.name,
            server=server,
            start=start,
            end=end,
            created=state.now,
            primaries=tuple(held),
            retry_until=state.now + timedelta(seconds=state.tuning.resubmit_retry_s),
        )
        self.requests.append(request)
        state.log.add(
            "resubmit_asked", database.name, server=server, id=request.id, primaries=list(held), unresponsive=len(named)
        )
        state.poke(request.retry_until)
        state.again()
        return request

    def review(self) -> None:
        """Carry on what is running."""
        state = self._state
        for request in self.requests:
            if request.state == "Completed":
                continue
            if request.due is None:
                silent = [name for name in request.primaries if not self._answers(name)]
                if not silent or state.now >= request.retry_until:
                    request.due = state.poke_after(state.tuning.resubmit_s)
            elif state.now >= request.due:
                self._complete(request)

    def _answers(self, name: str) -> bool:
        server = self._state.servers.get(name)
        return server is not None and self._state.runs(server, TRANSPORT)

    def _complete(self, request: ResubmitRequest) -> None:
        """What the net holds of that time is delivered once more: lost mail comes back, the rest is there twice."""
        state, tuning = self._state, self._state.tuning
        request.state = "Completed"
        database = state.databases.get(request.database)
        if database is None:
            return
        held_since = request.created - timedelta(seconds=state.organization.safety_net_hold_s)
        since = max(request.start, held_since)
        back = 0
        for loss in self._losses.get(database.name.casefold(), []):
            covered = since <= loss.start and loss.end <= request.end
            if loss.recovered or not covered:
                continue
            chance = state.dice.between(0.0, 1.0, database.active, f"safety net {database.name}")
            loss.recovered = chance < tuning.safety_net_recovers
            back += loss.logs if loss.recovered else 0
            state.log.add(
                "safety_net", database.name, request=request.id, lost=loss.logs, recovered_by_safety_net=loss.recovered
            )
        written = database.stream.rate.logs(since, request.end) if since < request.end else 0.0
        twice = max(int(written) - back, 0) * tuning.messages_per_log
        state.log.add("duplicates", database.name, request=request.id, messages=twice)
        state.log.add("resubmit_completed", database.name, id=request.id, server=request.server, logs=back)
