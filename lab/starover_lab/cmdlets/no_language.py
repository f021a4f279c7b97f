"""A session straight at `/PowerShell`: no language, one pipeline of Exchange's commands with literal parameters.

A script, a script block or a second statement gives *ScriptsNotAllowed* (simulator.md section 11). Beside Exchange's
cmdlets there are only the few that implicit remoting needs; what selects by script block is not among them.
"""

from __future__ import annotations

from starover_lab.cmdlets import commands, reference
from starover_lab.cmdlets.client_commands import ready
from starover_lab.cmdlets.exchange_session import ExchangeSession, broken_session
from starover_lab.cmdlets.objects import moment
from starover_lab.cmdlets.remote_values import for_the_wire
from starover_lab.powershell.command import CommandTable
from starover_lab.powershell.errors import ErrorRecord, PSException, Stopped, Terminated
from starover_lab.powershell.session import Host, Session
from starover_lab.powershell.values import DateTime, ScriptBlock, Value
from starover_lab.wire.endpoint import Emit, Pipeline, Stream
from starover_lab.world.clock import Task

__all__ = ["DirectRunspace"]

_SMA = "System.Management.Automation"
_NO_LANGUAGE = "The syntax is not supported by this runspace. This might be because it is in no-language mode."
"""As published (conformance tr-5e1c849e67)."""
_HELPERS = ("Select-Object", "Measure-Object", "Out-Default", "Out-Null")
"""Cmdlets of PowerShell itself that such a session has, beside Get-Command."""


def _scripts_not_allowed(text: str) -> Terminated:
    exception = PSException(f"{_SMA}.ParseException", _NO_LANGUAGE)
    record = ErrorRecord(exception=exception, error_id="ScriptsNotAllowed", category="ParserError", target=text)
    exception.record = record
    return Terminated(record, script=True)


class DirectRunspace:
    """Implements `wire.endpoint.Runspace`."""

    def __init__(self, session: ExchangeSession, own: CommandTable) -> None:
        """`own` are PowerShell's own cmdlets, of which the session gets a few."""
        self.session = session
        self._world = session.machine.world
        self._task: Task | None = None
        table = session.commands.copy()
        get_command = reference.spec("Get-Command", commands.BODIES["Get-Command"])
        for spec in (get_command, *(own.find(name) for name in _HELPERS)):
            if spec is not None:
                table.add(spec)
        session.machine.commands = table
        host = Host(user=session.account.down_level, administrator=False, now=self._now)
        self._session = Session(table, session.machine, self._world.scheduler.wait, host=host)

    def _now(self) -> DateTime:
        found = moment(self._world.now, utc=True)
        assert found is not None
        return found

    def invoke(self, pipeline: Pipeline, emit: Emit, /) -> None:
        """Run one pipeline of commands."""
        if not self.session.alive():
            raise Terminated(broken_session(self.session.fqdn), script=True)
        for at, command in enumerate(pipeline.commands, 1):
            blocks = any(isinstance(value, ScriptBlock) for _, value in command.parameters)
            if command.is_script or blocks or (command.end_of_statement and at < len(pipeline.commands)):
                raise _scripts_not_allowed(command.text)
        self.session.used = self._world.now
        self._task = self._world.scheduler.current

        def send(stream: Stream, value: Value) -> None:
            emit(stream, for_the_wire(value) if stream == "output" else value)

        try:
            self._session.run_commands(
                [ready(self._session.commands, one) for one in pipeline.commands],
                emit=send,
                input_=pipeline.input,
            )
        finally:
            self._task = None
            self.session.used = self._world.now

    def stop(self) -> None:
        """End the pipeline under way at its next object or wait."""
        self._session.stop()
        if self._task is not None:
            self._task.stop(Stopped())

    def close(self) -> None:
        """The session is over."""
        self.session.closed = True
