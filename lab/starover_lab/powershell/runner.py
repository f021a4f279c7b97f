"""What a command asks of the session that runs it: errors, streams, preferences, variables, script blocks.

Implements `command.Runner` for one call; knows no particular command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from starover_lab.powershell.command import Invocation
from starover_lab.powershell.context import Context, Core
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.errors import Divided, ErrorRecord, InvocationInfo, PSException, Terminated
from starover_lab.powershell.failures import action_preference, remember
from starover_lab.powershell.flow import Halted, Thrown
from starover_lab.powershell.scopes import Name, Scope, Slot, parse_name
from starover_lab.powershell.streams import Collected, StreamName, information_record, stream_record
from starover_lab.powershell.values import (
    NOTHING,
    DateTime,
    NetObject,
    PSEnum,
    PSList,
    ScriptBlock,
    Unsupported,
    Value,
    base,
    enumerate_,
)

if TYPE_CHECKING:
    from starover_lab.powershell.command import CommandTable

__all__ = ["CallRunner", "PipelineState"]

_SMA = "System.Management.Automation"
_VARIABLES: dict[str, StreamName] = {
    "ErrorVariable": "error",
    "WarningVariable": "warning",
    "InformationVariable": "information",
    "OutVariable": "output",
}
_SHOWN = frozenset({"Continue", "Stop", "Inquire"})
_IMPACTS = ("None", "Low", "Medium", "High")


@dataclass(eq=False)
class PipelineState:
    """What the commands of one pipeline share."""

    failed: bool = False


class CallRunner:
    """The session as one call sees it."""

    def __init__(self, engine: Core, ctx: Context, pipe: PipelineState, line: int) -> None:
        self.engine = engine
        self.ctx = ctx
        self.pipe = pipe
        self.line = line
        self.lists: dict[StreamName, Collected] = {}
        """What -ErrorVariable, -OutVariable and their like collect."""
        self._common: dict[str, Value] = {}

    def attach(self, call: Invocation) -> None:
        """Take the call's common parameters and make the variables that they name."""
        self._common = call.common
        for parameter, name in _VARIABLES.items():
            given = call.common.get(parameter)
            if given is None:
                continue
            variable = to_string(given)
            collected = Collected()
            if variable.startswith("+"):
                variable = variable[1:]
                slot = self.ctx.scope.lookup(parse_name(variable))
                old = None if slot is None else base(slot.value)
                if isinstance(old, Collected):
                    collected = old
                elif isinstance(old, PSList):
                    raise Unsupported(f"-{parameter} +{variable} of a list made elsewhere", self.line)
                elif old is not None:
                    collected.items.extend(enumerate_(old))
            self.ctx.scope.set(parse_name(variable), collected)
            self.lists[name] = collected
        for refused in ("PipelineVariable", "OutBuffer"):
            if refused in call.common:
                raise Unsupported(f"-{refused}", self.line)

    # -- errors

    def error_action(self) -> str:
        """What becomes of this call's errors."""
        return self._action("ErrorAction", "ErrorActionPreference")

    def _action(self, parameter: str, variable: str) -> str:
        """An action preference: of the call, or of the scope; -Verbose shows errors and warnings in any case."""
        given = self._common.get(parameter)
        if given is None and parameter != "InformationAction" and to_bool(self._common.get("Verbose")):
            return "Continue"
        return action_preference(self.ctx.scope.get(variable) if given is None else given)

    def report(self, call: Invocation, record: ErrorRecord) -> None:
        """A non-terminating error: written to the error stream, collected, or raised under Stop."""
        self.pipe.failed = True
        if record.invocation is None:
            record.invocation = self.invocation_info(call)
        if not record.stack_trace:
            self.ctx.line = self.line
            record.stack_trace = self.ctx.stack_trace()
        action = self.error_action()
        if action == "Ignore":
            return
        if action in ("Inquire", "Suspend"):
            raise Unsupported(f"-ErrorAction {action}", self.line)
        remember(self.engine.state.errors.items, record)
        if action == "Stop":
            self._doubt()
            raise Halted(record, by_preference=True)
        self._collect("error", record)
        if action == "Continue":
            self.ctx.streams.write("error", record)

    def failed(self, error: Terminated) -> None:
        """The call ended with an error."""
        self.pipe.failed = True
        if not isinstance(error, Thrown):
            self.engine.state.errors_known = False
        self._doubt()

    def _doubt(self) -> None:
        if "error" in self.lists:
            self.lists["error"].doubtful = True
        self.ctx.streams.doubt()

    def _collect(self, name: StreamName, record: Value) -> None:
        if name in self.lists:
            self.lists[name].items.append(record)
        self.ctx.streams.note(name, record)

    def note_output(self, item: Value) -> None:
        """An object that the call put out."""
        if "output" in self.lists:
            self.lists["output"].items.append(item)

    # -- streams

    def _stream_action(self, name: StreamName) -> str:
        if name in ("verbose", "debug"):
            given = self._common.get("Verbose" if name == "verbose" else "Debug")
            if given is not None:
                if name == "debug" and to_bool(given):
                    raise Unsupported("-Debug: asks in 5.1, does not in 7", self.line)
                return "Continue" if to_bool(given) else "SilentlyContinue"
            variable = "VerbosePreference" if name == "verbose" else "DebugPreference"
            return action_preference(self.ctx.scope.get(variable))
        if name == "warning":
            return self._action("WarningAction", "WarningPreference")
        return self._action("InformationAction", "InformationPreference")

    def stream(
        self, call: Invocation, name: Literal["warning", "verbose", "debug", "information"], value: Value
    ) -> None:
        """Write to a stream as the preferences and the call's common parameters say."""
        action = self._stream_action(name)
        if action in ("Inquire", "Suspend"):
            raise Unsupported(f"{name} preference {action}", self.line)
        text = to_string(value)
        if name == "information":
            record: Value = value if _is_record(value) else information_record(value, text)
            shown = action != "Ignore"
        else:
            record = stream_record(name, text)
            shown = action in _SHOWN
        if shown:
            self.ctx.streams.write(name, record)
        self._collect(name, record)
        if action == "Stop":
            raise self._stopped_by(call, name, text)

    def _stopped_by(self, call: Invocation, name: str, text: str) -> Terminated:
        exception = PSException(
            f"{_SMA}.ActionPreferenceStopException",
            f'The running command stopped because the preference variable "{name.capitalize()}Preference" or common '
            f"parameter is set to Stop: {text}",
        )
        record = ErrorRecord(
            exception=exception,
            error_id="ActionPreferenceStop",
            category="OperationStopped",
            command=call.spec.class_name,
            activity=call.spec.name,
            invocation=self.invocation_info(call),
        )
        exception.record = record
        return Halted(record)

    # -- asking

    def should_process(self, call: Invocation, target: str, action: str) -> bool:
        """-WhatIf and -Confirm: False when the body must not act. There is nobody to ask: a prompt is refused."""
        what_if = self._common.get("WhatIf")
        if to_bool(self.ctx.scope.get("WhatIfPreference") if what_if is None else what_if):
            return False
        confirm = self._common.get("Confirm")
        if confirm is not None:
            if to_bool(confirm):
                raise Unsupported(f"-Confirm: {action} on {target}", self.line)
            return self._told(call, target, action)
        wanted = base(self.ctx.scope.get("ConfirmPreference"))
        level = wanted.name if isinstance(wanted, PSEnum) else to_string(wanted).strip().capitalize()
        if level not in _IMPACTS:
            raise Unsupported("a $ConfirmPreference that is none", self.line)
        impact = _IMPACTS.index(call.spec.confirm_impact)
        if level != "None" and impact >= _IMPACTS.index(level):
            raise Unsupported(f"a prompt: {action} on {target}", self.line)
        return self._told(call, target, action)

    def _told(self, call: Invocation, target: str, action: str) -> bool:
        """With -Verbose an act says what it is."""
        if to_bool(self._common.get("Verbose")):
            self.stream(call, "verbose", f'Performing the operation "{action}" on target "{target}".')
        return True

    # -- script blocks and variables

    def call_block(
        self,
        block: ScriptBlock,
        *,
        item: Value = NOTHING,
        args: Sequence[Value] = (),
        new_scope: bool = False,
        quiet: bool = False,
        this: Value = NOTHING,
    ) -> Iterator[Value]:
        """Run a script block in the caller's scope; with `quiet` its errors are raised instead of reported."""
        return self.engine.call_block(
            block, self.ctx, item=item, args=args, new_scope=new_scope, quiet=quiet, this=this
        )

    def invocation_info(self, call: Invocation) -> InvocationInfo:
        """Where the command stands in the script."""
        info = self.ctx.position(self.line)
        info.command = call.spec.name
        info.bound = dict(call.bound)
        return info

    def _scope(self, scope: str | None) -> Scope:
        if scope is None or scope.casefold() == "local" or scope == "0":
            return self.ctx.scope
        if scope.casefold() in ("global", "script"):
            return self.ctx.scope.top()
        if scope.isdigit():
            found: Scope | None = self.ctx.scope
            for _ in range(int(scope)):
                found = None if found is None else found.parent
            if found is not None:
                return found
        raise Unsupported(f"-Scope {scope}", self.line)

    def get_variable(self, name: str, scope: str | None = None) -> Value:
        """A variable's value as the caller of the cmdlet sees it; NOTHING when it does not exist."""
        key = name.casefold()
        slot = self.ctx.scope.find(key) if scope is None else self._scope(scope).variables.get(key)
        return NOTHING if slot is None else self.engine.known(slot.value, self.line)

    def set_variable(self, name: str, value: Value, scope: str | None = None, *, option: str = "None") -> None:
        """Set a variable in the caller's scope, or in the named or numbered one."""
        where = self._scope(scope)
        where.set(Name("", name, name.casefold()), value)
        if option != "None":
            slot: Slot = where.variables[name.casefold()]
            slot.option = option

    def remove_variable(self, name: str, scope: str | None = None) -> bool:
        """Remove it; False when it did not exist."""
        where = self._scope(scope)
        return where.variables.pop(name.casefold(), None) is not None

    def set_strict(self, version: str | None) -> None:
        """Set-StrictMode for the caller's scope."""
        self.ctx.scope.strict = "" if version is None else version

    def now(self) -> DateTime:
        """The session's time, UTC."""
        return self.engine.now()

    def wait(self, seconds: float) -> None:
        """Let the session's time pass."""
        self.engine.wait(seconds)

    def environment(self, name: str) -> str | None:
        """An environment variable of the session; None when it is not set."""
        return self.engine.state.environment_variable(name)

    def is_51(self, what: str) -> bool:
        """Whether Windows PowerShell 5.1's answer is wanted, or 7's. Raises `Divided` when neither is meant."""
        if not self.engine.state.edition:
            raise Divided(f"{what}: 5.1 and 7 differ", self.line)
        return self.engine.state.edition == "5.1"

    @property
    def commands(self) -> CommandTable:
        """What the session knows by name, its functions included."""
        return self.engine.visible_commands(self.ctx)


def _is_record(value: Value) -> bool:
    return isinstance(value, NetObject) and value.type_name == f"{_SMA}.InformationRecord"
