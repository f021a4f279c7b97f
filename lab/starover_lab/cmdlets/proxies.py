"""Proxies of a remote Exchange session's cmdlets: run there, shown here deserialised; knows no way to open a session.

A proxy lives in a module of its own, so it does not see the `$ErrorActionPreference` of the script that calls it, only
that of the session's global scope; `-ErrorAction` on the call is what counts (powershell.md section 10).
"""

# ruff: noqa: ARG002 - a runner answers as its protocol says

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from starover_lab.cmdlets.exchange_session import ExchangeSession, broken_session
from starover_lab.cmdlets.prompts import is_on
from starover_lab.cmdlets.remote_values import EnumForm, deserialise, remote_error
from starover_lab.powershell.command import CommandSpec, CommandTable, Invocation
from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, Terminated
from starover_lab.powershell.values import (
    NOTHING,
    DateTime,
    Nothing,
    PSObject,
    ScriptBlock,
    Unsupported,
    Value,
)

__all__ = ["ProxyRunner", "proxy"]

_PREFERENCES = {"ErrorAction": "ErrorActionPreference", "WarningAction": "WarningPreference"}


class ProxyRunner:
    """The runner of the remote side: everything ends in the local call."""

    def __init__(self, session: ExchangeSession, local: Invocation) -> None:
        self._session = session
        self._local = local
        self.raised: Terminated | None = None
        """What the local side made of an error under -ErrorAction Stop."""

    def report(self, call: Invocation, record: ErrorRecord) -> None:
        """A remote error, as the local call's."""
        try:
            self._local.error(remote_error(record, self._session.fqdn))
        except Terminated as error:
            self.raised = error
            raise

    def stream(
        self, call: Invocation, name: Literal["warning", "verbose", "debug", "information"], value: Value
    ) -> None:
        """On to the local call's stream."""
        self._local.runner.stream(self._local, name, value)

    def should_process(self, call: Invocation, target: str, action: str) -> bool:
        """-WhatIf is answered here; what would ask has failed before (`machine.mutate`)."""
        if is_on(call.common.get("WhatIf")):
            return self._local.runner.should_process(self._local, target, action)
        return True

    def call_block(
        self,
        block: ScriptBlock,
        *,
        item: Value = NOTHING,
        args: Sequence[Value] = (),
        new_scope: bool = False,
        quiet: bool = False,
    ) -> Iterator[Value]:
        """There is no language on that side."""
        raise Unsupported("a script block in a session without language")

    def invocation_info(self, call: Invocation) -> InvocationInfo:
        """Where the proxy stands."""
        return self._local.runner.invocation_info(self._local)

    def get_variable(self, name: str, scope: str | None = None) -> Value:
        """The remote session keeps none."""
        return NOTHING

    def set_variable(self, name: str, value: Value, scope: str | None = None) -> None:
        """The remote session keeps none."""

    def remove_variable(self, name: str, scope: str | None = None) -> bool:
        """The remote session keeps none."""
        return False

    def set_strict(self, version: str | None) -> None:
        """The remote session has no language."""

    def environment(self, name: str) -> str | None:
        """There is no env: drive on that side."""
        raise Unsupported("an environment variable in a session without language")

    def is_51(self, what: str) -> bool:
        """Exchange's sessions are Windows PowerShell."""
        return True

    def now(self) -> DateTime:
        """The time is one."""
        return self._local.runner.now()

    def wait(self, seconds: float) -> None:
        """The time is one."""
        self._local.runner.wait(seconds)

    @property
    def commands(self) -> CommandTable:
        """The remote session's."""
        return self._session.commands


def proxy(session: ExchangeSession, spec: CommandSpec, module: str, form: EnumForm) -> CommandSpec:
    """The local function that stands for a cmdlet of the session."""

    def body(call: Invocation) -> Iterator[Value]:
        if not session.alive():
            raise call.fail(broken_session(session.fqdn))
        session.used = session.machine.world.now
        for given, variable in _PREFERENCES.items():
            outer = call.runner.get_variable(variable, "global")
            if given not in call.common and not isinstance(outer, Nothing):
                call.common[given] = outer
        runner = ProxyRunner(session, call)
        inner = Invocation(
            spec=spec,
            runner=runner,
            machine=session.machine,
            bound=dict(call.bound),
            common={name: value for name, value in call.common.items() if name in {"WhatIf", "Confirm"}},
            set_name=call.set_name,
            input=call.input,
            make_records=lambda _: call.records(),
            line=call.line,
        )
        try:
            yield from _told(call, spec.body(inner), runner)
        finally:
            session.used = session.machine.world.now

    def _told(call: Invocation, outputs: Iterator[Value], runner: ProxyRunner) -> Iterator[Value]:
        while True:
            try:
                item = next(outputs)
            except StopIteration:
                return
            except Terminated as error:
                if error is runner.raised:
                    raise
                # What ends a remote pipeline arrives as a plain error of the proxy.
                call.error(remote_error(error.record, session.fqdn))
                return
            yield arrived(item, session, form)

    return replace(spec, body=body, kind="Function", class_name=spec.name, module=module, version="1.0")


def arrived(item: Value, session: ExchangeSession, form: EnumForm) -> Value:
    """A remote object as the calling session has it: deserialised, and marked with where it came from."""
    made = deserialise(item, form)
    if isinstance(made, PSObject):
        for name, value in (
            ("PSComputerName", session.fqdn),
            ("RunspaceId", session.runspace),
            ("PSShowComputerName", False),
        ):
            made.set(name, value)
    return made
