"""The endpoints of all hosts of a lab: who may log on, which session opens, what a listener's faults are.

Implements `wire.endpoint.Endpoint`. simulator.md section 11: `Microsoft.PowerShell` is a plain session without Exchange
cmdlets, `Microsoft.Exchange` is `/PowerShell` of the host, without language; command shells run plain sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starover_lab.cmdlets import refusals
from starover_lab.cmdlets.command_shell import CommandShell
from starover_lab.cmdlets.exchange_session import Registry, SessionRefused
from starover_lab.cmdlets.no_language import DirectRunspace
from starover_lab.cmdlets.plain_session import PlainRunspace, environment_of
from starover_lab.cmdlets.system_shell import run_file
from starover_lab.cmdlets.task_runs import TaskRuns
from starover_lab.powershell.core import core_commands
from starover_lab.wire.endpoint import EndpointRefused, Principal, Runspace, ShellOptions, Write
from starover_lab.world.entities import Account
from starover_lab.world.world import World

__all__ = ["Sessions"]

_ACCESS_DENIED = 5
_TOO_MANY_SHELLS = 2150859173
_INVALID_CONFIGURATION = 2150858811
_EXCHANGE = "microsoft.exchange"
_PLAIN = "microsoft.powershell"


class Sessions:
    """Opens sessions on the hosts of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.registry = Registry(world)
        self._own = core_commands()
        self.registry.task_runs = TaskRuns(world, self._local)

    def authenticate(self, host: str, user: str, /) -> str | None:  # noqa: ARG002 - one domain, the same on every host
        """The password of `user`, or None when nobody of that name may log on."""
        account = self.world.account(user)
        return None if account is None else account.password

    def clock_error(self, host: str, /) -> float:
        """Seconds by which the host's clock is ahead of its domain's."""
        return self.world.server(host).time_skew_s

    def open(self, host: str, configuration: str, principal: Principal, /) -> Runspace:
        """Open a session for somebody who has logged on. Raises `EndpointRefused`."""
        account = self.world.account(principal.name)
        if account is None:
            raise EndpointRefused(_ACCESS_DENIED, "")
        name = configuration.casefold().rpartition("/")[2]
        if name == _EXCHANGE:
            return self._exchange(host, account)
        if name != _PLAIN:
            raise EndpointRefused(
                _INVALID_CONFIGURATION,
                f"The WS-Management service cannot process the request. Cannot find the {configuration} session "
                f"configuration in the WSMan: drive on the {self.world.server(host).name} computer.",
            )
        self._admit(host, account)
        network = principal.logon == "network"
        return PlainRunspace(self.registry, host, account, self._own, network=network)

    def open_commands(self, host: str, principal: Principal, options: ShellOptions, /) -> CommandShell:
        """Open a command shell (WinRS) for somebody who has logged on. Raises `EndpointRefused`."""
        account = self.world.account(principal.name)
        if account is None:
            raise EndpointRefused(_ACCESS_DENIED, "")
        self._admit(host, account)
        server = self.world.server(host)

        def session() -> PlainRunspace:
            made = PlainRunspace(self.registry, host, account, self._own, network=principal.logon == "network")
            self.registry.shells.pop(made, None)  # a process of the shell, which is counted already
            return made

        shell = CommandShell(
            server,
            account,
            options,
            environment_of(server, account),
            session,
            lambda closed: self.registry.shells.pop(closed, None),
        )
        self.registry.shells[shell] = (server.name, account.down_level)
        return shell

    def run_as_system(self, host: str, script: str, environment: Mapping[str, str], write: Write, /) -> int:
        """What the SSM agent of a host does with a script (`cloud.invocations.Agent`); the exit code."""
        account = Account(name="SYSTEM", netbios="NT AUTHORITY", dns_name=self.world.state.dns_name, password="")
        return run_file(self._local(host, account), script, environment, write)

    def _local(self, host: str, account: Account) -> PlainRunspace:
        """A session of a process of the host itself: no shell of WinRM, and not what WinRM calls a network logon."""
        made = PlainRunspace(self.registry, host, account, self._own, network=False)
        self.registry.shells.pop(made, None)
        return made

    def _admit(self, host: str, account: Account) -> None:
        """WinRM's own rules: administrators only, and not too many shells of one person."""
        if not account.administrator:
            raise EndpointRefused(_ACCESS_DENIED, "")
        limit = self.world.state.tuning.shells_per_user
        if self.registry.shells_of(host, account.down_level) >= limit:
            raise EndpointRefused(
                _TOO_MANY_SHELLS,
                "The WS-Management service cannot process the request. This user is allowed a maximum number of "
                f"{limit} concurrent shells, which has been exceeded. Close existing shells or raise the quota for "
                "this user.",
            )

    def _exchange(self, host: str, account: Account) -> DirectRunspace:
        self.world.scheduler.wait(self.world.state.tuning.exchange_open_s)
        try:
            session = self.registry.open_exchange(host, account)
        except SessionRefused as refused:
            code = {"no_role": _ACCESS_DENIED, "too_many": _TOO_MANY_SHELLS}.get(refused.why, 2150858793)
            reason = refusals.of_session(refused, self.world.state.dns_name)
            raise EndpointRefused(code, reason.text) from refused
        return DirectRunspace(session, self._own)

    def boot(self, host: str, /) -> int:
        """Changes with every boot of the host."""
        return int(self.world.server(host).boot_time.timestamp())

    def modes(self, host: str, /) -> Sequence[str]:
        """Faults of the host's listener."""
        return self.world.listener(host)
