"""Sessions at `/PowerShell` of an Exchange server: who may open one, what is in it, when it breaks; knows no script.

simulator.md section 11. Such a session has only the cmdlets of its owner's roles. The server acts for its owner, so
nothing in it is a second hop. It ends with the server, with `/PowerShell`, and after a quarter of an hour unused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from starover_lab.cmdlets.catalogue import exchange_commands
from starover_lab.cmdlets.machine import Machine
from starover_lab.cmdlets.objects import guid_of
from starover_lab.cmdlets.rbac import roles_of
from starover_lab.cmdlets.remote_values import EnumForm
from starover_lab.cmdlets.task_runs import TaskRuns
from starover_lab.cmdlets.windows import setup_runs
from starover_lab.powershell.command import CommandTable
from starover_lab.powershell.errors import ErrorRecord, PSException
from starover_lab.powershell.values import Guid
from starover_lab.world.clock import Timer
from starover_lab.world.entities import Account
from starover_lab.world.names import same
from starover_lab.world.world import World

__all__ = ["ExchangeSession", "Registry", "SessionRefused", "Why", "broken_session"]

Why = Literal["no_exchange", "unavailable", "no_role", "too_many"]
_IDLE = timedelta(minutes=15)
"""How long a forgotten session counts [mem]."""


class SessionRefused(Exception):
    """`/PowerShell` does not open a session."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}")
        self.why: Why = why
        self.detail = detail


@dataclass(eq=False, repr=False)
class ExchangeSession:
    """One session of one person at one server."""

    server: str
    """Short name."""
    account: Account
    machine: Machine
    commands: CommandTable
    boot: datetime
    used: datetime
    runspace: Guid
    closed: bool = False
    broken: bool = False

    @property
    def fqdn(self) -> str:
        """The server's full name: what remote objects carry as PSComputerName."""
        return self.machine.server.fqdn

    def alive(self) -> bool:
        """Whether it still works; once broken it stays so."""
        world = self.machine.world
        if not self.closed and not self.broken:
            gone = (
                not world.state.answers(world.server(self.server)) or world.server(self.server).boot_time != self.boot
            )
            idle = world.now - self.used > _IDLE
            self.broken = gone or idle or not world.exchange_answers(self.server)
        return not self.closed and not self.broken


def broken_session(fqdn: str) -> ErrorRecord:
    """The other end of a session is gone."""
    message = (
        f"Starting a command on the remote server {fqdn} failed with the following error message : The session is "
        "broken: the remote end has closed it or does not answer any more. For more information, see the "
        "about_Remote_Troubleshooting Help topic."
    )
    return ErrorRecord(
        exception=PSException("System.Management.Automation.Remoting.PSRemotingTransportException", message),
        error_id="PSSessionStateBroken",
        category="OpenError",
        target=fqdn,
    )


@dataclass(eq=False)
class Registry:
    """Every session of a lab, for the limits that count them."""

    world: World
    exchange: list[ExchangeSession] = field(default_factory=list[ExchangeSession])
    shells: dict[object, tuple[str, str]] = field(default_factory=dict[object, tuple[str, str]])
    """Open WinRM shells: host and person."""
    shutdowns: dict[str, Timer] = field(default_factory=dict[str, Timer])
    """Hosts for which `shutdown.exe` has been told a time, and what does it then."""
    opened: int = 0
    task_runs: TaskRuns | None = None
    """Scheduled tasks at work; None where none can be started."""
    enum_form: EnumForm = "wrapped"
    """How enums arrive in a session that imported them (facts/exchange.md, point 1)."""

    def shells_of(self, host: str, person: str) -> int:
        """How many shells somebody has open on a host."""
        return sum(same(one, host) and same(who, person) for one, who in self.shells.values())

    def open_exchange(self, server: str, account: Account) -> ExchangeSession:
        """Open a session for somebody at `/PowerShell` of a server that answers. Raises `SessionRefused`."""
        world = self.world
        found = world.server(server)
        if found.exchange is None:
            raise SessionRefused("no_exchange", found.fqdn)
        if setup_runs(self._machine(found.name, account), found.name):
            # A session in the middle of a setup can break it (powershell.md section 2).
            world.state.log.add("setup_broken", found.name, caller=account.down_level)
            raise SessionRefused("unavailable", found.fqdn)
        if not world.exchange_answers(found.name):
            raise SessionRefused("unavailable", found.fqdn)
        roles = roles_of(account, world.state.rbac_missing)
        if not roles:
            raise SessionRefused("no_role", account.name)
        limit = world.state.tuning.exchange_sessions_per_user
        if sum(one.account is account and one.alive() for one in self.exchange) >= limit:
            raise SessionRefused("too_many", str(limit))
        self.exchange = [one for one in self.exchange if one.alive()]
        self.opened += 1
        session = ExchangeSession(
            server=found.name,
            account=account,
            machine=self._machine(found.name, account),
            commands=CommandTable(exchange_commands(found.exchange.year, roles, world.state.rbac_missing)),
            boot=found.boot_time,
            used=world.now,
            runspace=guid_of("runspace", found.name, account.name, str(self.opened)),
        )
        self.exchange.append(session)
        return session

    def _machine(self, server: str, account: Account) -> Machine:
        return Machine(self.world, server, account.down_level, network_logon=False, provider="exchange", registry=self)
