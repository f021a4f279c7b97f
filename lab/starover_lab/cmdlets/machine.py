"""What a cmdlet's body stands on: the host it runs on, the person it runs as, simulated time; knows no single cmdlet.

A session hands one `Machine` to the evaluator, which hands it to every body as `Invocation.machine`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from starover_lab.cmdlets.objects import guid_of, text_of, us_time
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.wordings import kind_of, wording
from starover_lab.powershell.command import CommandTable, Invocation
from starover_lab.powershell.errors import ErrorRecord, PSException, Terminated
from starover_lab.powershell.values import PSArray, PSList, SwitchParameter, Value
from starover_lab.wire.endpoint import ClientHost
from starover_lab.world.entities import AuditRecord, Server, Year
from starover_lab.world.errors import WorldError
from starover_lab.world.world import World

if TYPE_CHECKING:
    from starover_lab.cmdlets.exchange_session import Registry
    from starover_lab.cmdlets.psremoting import RemoteSession

__all__ = [
    "Machine",
    "Provider",
    "exchange_error",
    "exchange_record",
    "given_list",
    "machine",
    "mutate",
    "mutate_until",
    "reading",
    "switch",
    "table",
]

Provider = Literal["plain", "exchange", "snapin"]
"""How Exchange cmdlets are there: not at all (or as proxies), over `/PowerShell`, or loaded into the session."""


@dataclass(eq=False, repr=False)
class Machine:
    """One session's view of its host."""

    world: World
    host: str
    """Short name of the server the session runs on."""
    caller: str
    r"""`EXAMPLE\operator`."""
    network_logon: bool = True
    """Nothing to delegate: the session reaches no second host as its caller."""
    provider: Provider = "plain"
    preferred_dc: str | None = None
    """Set-ADServerSettings -PreferredServer of this session."""
    view_entire_forest: bool = False
    registry: Registry | None = None
    """Every session of the lab; None where none can be opened from here."""
    sessions: list[RemoteSession] = field(default_factory=list["RemoteSession"])
    """PSSessions opened from here."""
    commands: CommandTable | None = None
    """The session's own table: what imports add to and removals take from. A call sees a copy of it."""
    requests: int = 0
    session_ids: int = 0
    """How many PSSessions were opened from here: the last one's Id."""
    snapins: list[str] = field(default_factory=list[str])
    client: ClientHost | None = None
    """The host of the client whose pipeline runs, if it has one."""

    @property
    def server(self) -> Server:
        """The host."""
        return self.world.server(self.host)

    @property
    def year(self) -> Year | Literal[""]:
        """The host's Exchange version; empty without Exchange."""
        exchange = self.server.exchange
        return exchange.year if exchange is not None else ""

    @property
    def auditor(self) -> str:
        """Whom the admin audit log names: the person over `/PowerShell`, the computer account over the snap-in."""
        return self.caller if self.provider == "exchange" else f"{self.world.state.netbios}\\{self.server.name}$"

    def dc(self, named: Value = None) -> str | None:
        """The domain controller that a cmdlet asks: -DomainController, else the session's preferred one, else None."""
        return text_of(named) if named is not None else self.preferred_dc

    def pace(self, seconds: float) -> float:
        """How long something of that length takes on this host now."""
        slow = "slow" in self.server.listener_faults
        return seconds * self.world.state.tuning.slow_factor if slow else seconds


def machine(call: Invocation) -> Machine:
    """The machine of a call."""
    if not isinstance(call.machine, Machine):
        raise TypeError(f"{call.spec.name} was called without a machine")
    return call.machine


def table(call: Invocation) -> CommandTable:
    """The session's own commands, for whoever adds to them."""
    own = machine(call).commands
    return call.runner.commands if own is None else own


def switch(value: Value) -> bool:
    """Whether a switch parameter is on."""
    return value.present if isinstance(value, SwitchParameter) else bool(value)


def given_list(value: Value) -> list[str]:
    """The texts of an argument that may be one text or an array of them; empty for none."""
    if value is None:
        return []
    items = value.items if isinstance(value, PSArray | PSList) else [value]
    return [text_of(item) for item in items]


def reading(call: Invocation) -> Machine:
    """Begin a reading cmdlet: its time passes, then the machine is handed out."""
    here = machine(call)
    call.wait(here.pace(here.world.state.tuning.read_s))
    return here


def exchange_error(call: Invocation, error: WorldError, target: str, dc: str | None = None) -> ErrorRecord:
    """A refusal as Exchange reports it, after the time that it takes to learn of it."""
    here = machine(call)
    if error.blocked_s > 0:
        call.wait(error.blocked_s)
    type_name, category = kind_of(error)
    return exchange_record(call, type_name, category, wording(call.spec.name, error, target, _asked(here, dc)))


def _asked(here: Machine, dc: str | None) -> str:
    """The DC that an error names: the one asked for, else that of the host's site."""
    found = here.world.state.directory.controllers.get(dc) if dc else None
    try:
        name = found.name if found is not None else here.world.dc_of(here.host).name
    except WorldError:
        name = here.host
    return f"{name}.{here.world.state.dns_name}"


def exchange_record(call: Invocation, type_name: str, category: str, message: str) -> ErrorRecord:
    """An error record with the id that Exchange's cmdlets give theirs: server, request, time, failure, a hash."""
    here = machine(call)
    here.requests += 1
    now = here.world.now
    short = type_name.rpartition(".")[2]
    request = guid_of("request", here.host, here.caller, str(here.requests), now.isoformat()).text
    digest = zlib.crc32(f"{call.spec.name} {short}".encode())
    record = ErrorRecord(
        exception=PSException(type_name, message),
        error_id=f"[Server={here.server.name},RequestId={request},TimeStamp={us_time(now)}] "
        f"[FailureCategory=Cmdlet-{short}] {digest:X}",
        category=category,
    )
    record.exception.record = record
    return record


def mutate(
    call: Invocation,
    target: str,
    bound: Mapping[str, Value],
    act: Callable[[], object],
    *,
    action: str = "",
    dc: str | None = None,
    seconds: float | None = None,
) -> bool:
    """Carry out one change: ask (-WhatIf, -Confirm), let time pass, do it, write the admin audit log.

    Returns whether it was done; a refusal has been reported then. `target` names what is changed.
    """
    here = machine(call)
    if not may(call, target, action):
        return False
    call.wait(here.pace(here.world.state.tuning.write_s if seconds is None else seconds))
    failure = ""
    try:
        act()
    except WorldError as error:
        record = exchange_error(call, error, target, dc)
        failure = record.message
        _audit(call, here, target, bound, failure)
        call.error(record)
        return False
    _audit(call, here, target, bound, failure)
    return True


def mutate_until(call: Invocation, target: str, bound: Mapping[str, Value], act: Callable[[], datetime]) -> bool:
    """As `mutate`, for what goes on by itself until a moment that `act` tells: the call lasts until then."""
    ends: list[datetime] = []
    done = mutate(call, target, bound, lambda: ends.append(act()))
    if done:
        call.wait(max((ends[0] - machine(call).world.now).total_seconds(), 0.0))
    return done


def _audit(call: Invocation, here: Machine, target: str, bound: Mapping[str, Value], failure: str) -> None:
    here.world.record_audit(
        AuditRecord(
            cmdlet=call.spec.name,
            parameters={name: text_of(value) for name, value in bound.items() if value is not None},
            caller=here.auditor,
            server=here.server.name,
            time=here.world.now,
            succeeded=not failure,
            error=failure,
            object_modified=target,
        )
    )


def nothing() -> Iterator[Value]:
    """The output of a body that has none."""
    return iter(())


def terminated(call: Invocation, record: ErrorRecord) -> Terminated:
    """A terminating error of this call."""
    return call.fail(record)
