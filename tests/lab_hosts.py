"""Sessions on the hosts of a simulated estate, without wire: what a test runs there and what came back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from starover_lab.cmdlets.sessions import Sessions
from starover_lab.powershell.errors import ErrorRecord, Terminated
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import PSCredential, PSObject, SecureString, Value
from starover_lab.wire.endpoint import Command, Pipeline, Principal, Runspace
from starover_lab.world.entities import Account
from starover_lab.world.world import World

OPEN = (
    "param($Credential) $s = New-PSSession -Name 'starover-exchange' -ConfigurationName 'Microsoft.Exchange' "
    "-ConnectionUri 'http://{0}/PowerShell/' -Authentication Kerberos -Credential $Credential -ErrorAction Stop"
)
"""A script that opens an Exchange session in `$s`."""


@dataclass
class Told:
    """What one pipeline put out."""

    output: list[Value] = field(default_factory=list[Value])
    errors: list[ErrorRecord] = field(default_factory=list[ErrorRecord])
    warnings: list[str] = field(default_factory=list[str])
    ended: ErrorRecord | None = None
    """The terminating error."""
    seconds: float = 0.0
    """Simulated."""

    @property
    def texts(self) -> list[str]:
        return [to_string(value) for value in self.output]

    @property
    def objects(self) -> list[PSObject]:
        return [value for value in self.output if isinstance(value, PSObject)]

    @property
    def ids(self) -> list[str]:
        """The ids of all errors, the terminating one last."""
        return [one.fqid for one in (*self.errors, *([self.ended] if self.ended is not None else []))]


class Estate:
    """A world with its sessions."""

    def __init__(self, topology: str = "pa-4x2", **options: bool) -> None:
        self.world = World.from_topology(topology, **options)
        self.sessions = Sessions(self.world)

    @property
    def operator(self) -> Account:
        return next(iter(self.world.state.accounts))

    @property
    def credential(self) -> PSCredential:
        return PSCredential(self.operator.down_level, SecureString(self.operator.password))

    def pass_time(self, seconds: float) -> None:
        """Let the estate live on for a while."""
        self.world.scheduler.advance_to(self.world.now + timedelta(seconds=seconds))

    def open(self, host: str = "EX1", configuration: str = "Microsoft.PowerShell", user: str = "") -> Shell:
        made: list[Runspace] = []
        principal = Principal(name=user or self.operator.down_level)
        self.world.scheduler.run(host, lambda: made.append(self.sessions.open(host, configuration, principal)))
        return Shell(self, host, made[0])

    def exchange(self, *cmdlets: str, host: str = "EX1", fqdn: str = "") -> Shell:
        """A plain session that has imported these cmdlets."""
        shell = self.open(host)
        names = ",".join(f"'{name}'" for name in cmdlets)
        script = (
            OPEN.format(fqdn or self.world.server(host).fqdn)
            + f"; $m = Import-PSSession -Session $s -CommandName {names} -DisableNameChecking -AllowClobber "
            "-ErrorAction Stop; Import-Module -ModuleInfo $m -Global"
        )
        told = shell.run(script, self.credential)
        assert told.ids == []
        return shell


class Shell:
    """One open session."""

    def __init__(self, estate: Estate, host: str, runspace: Runspace) -> None:
        self.estate = estate
        self.host = host
        self.runspace = runspace

    def run(self, script: str, *arguments: Value) -> Told:
        """Run a script in its own scope, as the product does."""
        parameters = tuple((None, argument) for argument in arguments)
        return self.pipeline(Command(text=script, is_script=True, use_local_scope=True, parameters=parameters))

    def command(self, name: str, **parameters: Value) -> Told:
        """Run one command without a script."""
        return self.pipeline(Command(text=name, is_script=False, parameters=tuple(parameters.items())))

    def pipeline(self, *commands: Command) -> Told:
        told = Told()

        def emit(stream: str, value: Value) -> None:
            if stream == "output":
                told.output.append(value)
            elif isinstance(value, ErrorRecord):
                told.errors.append(value)
            elif stream == "warning":
                told.warnings.append(to_string(value))

        def body() -> None:
            try:
                self.runspace.invoke(Pipeline(commands=commands), emit)
            except Terminated as error:
                told.ended = error.record

        before = self.estate.world.now
        self.estate.world.scheduler.run(self.host, body)
        told.seconds = (self.estate.world.now - before).total_seconds()
        return told
