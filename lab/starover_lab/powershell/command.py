"""What a command is: its parameters, what its body is handed, and the table of commands; knows no particular cmdlet.

A command's body is a Python generator function. It takes an `Invocation` and yields its output objects:

    def suspend(call: Invocation) -> Iterator[Value]:
        for given in call.records():
            ...
            if wrong:
                call.error(call.record("CopyNotFound", "ObjectNotFound", "The copy ... was not found."))
                continue
            if call.should_process(name, "Suspend"):
                call.wait(2)
        return
        yield  # a body without output is a generator all the same

`records()` gives one mapping of bound parameters per pipeline object (ProcessRecord), or one altogether when nothing
is piped in. The binder (`binder`) has looked at types, sets, validation and missing parameters before the body runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, TypeAlias

from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, PSException, Terminated, Unsupported
from starover_lab.powershell.values import NOTHING, DateTime, ScriptBlock, Value

__all__ = [
    "ALL_SETS",
    "COMMON_ALIASES",
    "Argument",
    "Body",
    "CommandSpec",
    "CommandTable",
    "InSet",
    "Invocation",
    "Parameter",
    "Runner",
    "Validation",
]

ALL_SETS = "__AllParameterSets"
"""The name of a parameter set that stands for every set."""

COMMON_ALIASES: dict[str, str] = {
    "ErrorAction": "ea",
    "WarningAction": "wa",
    "InformationAction": "infa",
    "ErrorVariable": "ev",
    "WarningVariable": "wv",
    "InformationVariable": "iv",
    "OutVariable": "ov",
    "OutBuffer": "ob",
    "PipelineVariable": "pv",
    "Verbose": "vb",
    "Debug": "db",
}
"""Common parameters of every cmdlet and advanced function, with their aliases."""

RISK_ALIASES: dict[str, str] = {"WhatIf": "wi", "Confirm": "cf"}
"""What SupportsShouldProcess adds."""
_COMMON_AND_RISK = COMMON_ALIASES | RISK_ALIASES

Validation: TypeAlias = Callable[[Value], str | None]
"""Looks at a bound (already converted) value; answers None, or the sentence that says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class InSet:
    """How a parameter takes part in one parameter set."""

    mandatory: bool = False
    position: int | None = None
    by_value: bool = False
    by_property: bool = False
    remaining: bool = False
    """ValueFromRemainingArguments."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a command."""

    name: str
    type: str = "object"
    """A type name as in a type literal: `string`, `string[]`, `int`, `switch`, `object`, `System.TimeSpan`..."""
    aliases: tuple[str, ...] = ()
    sets: Mapping[str, InSet] = field(default_factory=lambda: {ALL_SETS: InSet()})
    """By parameter set; the key `ALL_SETS` alone means every set."""
    allow_null: bool = False
    allow_empty_string: bool = False
    allow_empty_collection: bool = False
    not_null: bool = False
    """ValidateNotNull."""
    not_empty: bool = False
    """ValidateNotNullOrEmpty."""
    validations: tuple[Validation, ...] = ()
    """Further validation, each item of a collection by itself where the attribute in .NET does so (the maker's job)."""
    transform: Callable[[Value], Value] | None = None
    """Converts instead of a cast to `type`; raises `Terminated`, whose message becomes part of the binder's error."""

    @cached_property
    def takes_pipeline(self) -> bool:
        """Whether a pipeline object may be bound to it, in any set."""
        return any(how.by_value or how.by_property for how in self.sets.values())

    @cached_property
    def is_switch(self) -> bool:
        """Whether it takes no argument."""
        return self.type.casefold() in {
            "switch",
            "switchparameter",
            "system.management.automation.switchparameter",
        }

    @staticmethod
    def of(
        name: str,
        type: str = "object",  # noqa: A002 - the field's name
        *,
        aliases: Sequence[str] = (),
        sets: Sequence[str] = (ALL_SETS,),
        mandatory: bool = False,
        position: int | None = None,
        by_value: bool = False,
        by_property: bool = False,
        remaining: bool = False,
        **rest: object,
    ) -> Parameter:
        """The short way, for a parameter that is the same in each of its sets; `rest` are further fields."""
        how = InSet(
            mandatory=mandatory, position=position, by_value=by_value, by_property=by_property, remaining=remaining
        )
        made = Parameter(name=name, type=type, aliases=tuple(aliases), sets=dict.fromkeys(sets, how))
        for key, value in rest.items():
            if key not in Parameter.__dataclass_fields__:
                raise TypeError(key)
            object.__setattr__(made, key, value)
        return made


@dataclass(frozen=True)
class Argument:
    """One element after a command's name, as the evaluator hands it to the binder.

    `-Name` alone has no value (the binder takes the next element unless the parameter is a switch); `-Name:value` and
    splatted names have one. A positional argument has no name.
    """

    name: str | None = None
    value: Value = NOTHING
    has_value: bool = True
    text: str = ""
    """As written, for names that are handed on as text (`-Z:`)."""
    splatted: bool = False


class Runner(Protocol):
    """What the session that runs a command offers to it; the evaluator implements this."""

    def report(self, call: Invocation, record: ErrorRecord) -> None:
        """A non-terminating error: written to the error stream, collected, or raised as `Terminated` under Stop."""
        ...

    def stream(
        self, call: Invocation, name: Literal["warning", "verbose", "debug", "information"], value: Value
    ) -> None:
        """Write to a stream as the preferences and the call's common parameters say."""
        ...

    def should_process(self, call: Invocation, target: str, action: str) -> bool:
        """-WhatIf and -Confirm: False when the body must not act."""
        ...

    def call_block(
        self,
        block: ScriptBlock,
        *,
        item: Value = NOTHING,
        args: Sequence[Value] = (),
        new_scope: bool = False,
        quiet: bool = False,
    ) -> Iterator[Value]:
        """Run a script block, `$_` being `item` unless NOTHING; yields its output as it comes.

        The block of Where-Object and its like runs in the caller's scope, `new_scope=True` gives it one of its own;
        `quiet`: its errors are raised instead of reported (a calculated property).
        """
        ...

    def invocation_info(self, call: Invocation) -> InvocationInfo:
        """Where the command stands in the script."""
        ...

    def get_variable(self, name: str, scope: str | None = None) -> Value:
        """A variable's value as the caller of the cmdlet sees it; NOTHING when it does not exist."""
        ...

    def set_variable(self, name: str, value: Value, scope: str | None = None) -> None:
        """Set a variable in the caller's scope, or in the named or numbered one."""
        ...

    def remove_variable(self, name: str, scope: str | None = None) -> bool:
        """Remove it; False when it did not exist."""
        ...

    def set_strict(self, version: str | None) -> None:
        """Set-StrictMode for the caller's scope: `1.0`, `2.0`, `3.0`, `latest`; None turns it off."""
        ...

    def now(self) -> DateTime:
        """The session's time, UTC."""
        ...

    def wait(self, seconds: float) -> None:
        """Let the session's time pass."""
        ...

    def environment(self, name: str) -> str | None:
        """An environment variable of the session; None when it is not set."""
        ...

    def is_51(self, what: str) -> bool:
        """Whether Windows PowerShell 5.1's answer is wanted, or 7's. Raises `Divided` when neither is meant."""
        ...

    @property
    def commands(self) -> CommandTable:
        """What the session knows by name."""
        ...


@dataclass(kw_only=True)
class Invocation:
    """One call of a command: what its body is handed."""

    spec: CommandSpec
    runner: Runner
    machine: object = None
    """The host's object, handed through from whoever opened the session; core cmdlets never look at it."""
    bound: dict[str, Value] = field(default_factory=dict[str, Value])
    """Parameters bound on the command line, by their declared names. Switches are `bool`."""
    common: dict[str, Value] = field(default_factory=dict[str, Value])
    """Common parameters given (`ErrorAction`, `Verbose`, `WhatIf`...), by their declared names."""
    rest: list[Argument] = field(default_factory=list["Argument"])
    """What a simple function's command line holds beyond its parameters."""
    set_name: str = ALL_SETS
    """The parameter set, as far as the command line decides it."""
    input: Iterator[Value] | None = None
    """The objects piped in; None when the command is first in its pipeline."""
    make_records: Callable[[Invocation], Iterator[Mapping[str, Value]]] | None = None
    """The binder's second half; set by `binder.bind`."""
    line: int = 0

    def records(self) -> Iterator[Mapping[str, Value]]:
        """The bound parameters, once per pipeline object that could be bound, or once when nothing is piped in.

        An object that cannot be bound is reported as PowerShell does (InputObjectNotBound) and left out.
        """
        if self.make_records is None:
            return iter([self.bound])
        return self.make_records(self)

    def record(
        self,
        error_id: str,
        category: str,
        message: str,
        *,
        type_name: str = "System.InvalidOperationException",
        inner: PSException | None = None,
        target: Value = None,
    ) -> ErrorRecord:
        """An error record of this command."""
        return ErrorRecord(
            exception=PSException(type_name, message, inner), error_id=error_id, category=category, target=target
        )

    def _signed(self, record: ErrorRecord) -> ErrorRecord:
        if not record.unsigned:
            record.command = record.command or self.spec.class_name
        record.activity = record.activity or self.spec.name
        if record.invocation is None:
            record.invocation = self.runner.invocation_info(self)
        return record

    def error(self, record: ErrorRecord) -> None:
        """Write a non-terminating error (WriteError). Raises `Terminated` when the error action is Stop."""
        self.runner.report(self, self._signed(record))

    def fail(self, record: ErrorRecord) -> Terminated:
        """A terminating error of this command (ThrowTerminatingError), to be raised: `raise call.fail(...)`."""
        return Terminated(self._signed(record))

    def warning(self, text: str) -> None:
        """Write a warning."""
        self.runner.stream(self, "warning", text)

    def verbose(self, text: str) -> None:
        """Write to the verbose stream."""
        self.runner.stream(self, "verbose", text)

    def should_process(self, target: str, action: str = "") -> bool:
        """Whether to act (-WhatIf, -Confirm); `action` defaults to the command's name."""
        return self.runner.should_process(self, target, action or self.spec.name)

    def wait(self, seconds: float) -> None:
        """Let the session's time pass."""
        self.runner.wait(seconds)

    def differs(self, what: str) -> None:
        """Say that Windows PowerShell 5.1 and 7 answer differently: refused where no host stands behind the session.

        With a host the session is a Windows PowerShell, and the body goes on as 5.1 does.
        """
        if self.machine is None:
            raise Unsupported(f"{what}: 5.1 and 7 differ")

    def run_member(self, block: ScriptBlock, this: Value) -> Value:
        """Run the block of a script property or script method, for `members`."""
        raise Unsupported(f"a script member seen by a cmdlet: {block.text.strip()} of {this!r}")

    def call_block(self, block: ScriptBlock, item: Value = NOTHING, args: Sequence[Value] = ()) -> Iterator[Value]:
        """Run a script block with `$_` = item in the caller's scope."""
        return self.runner.call_block(block, item=item, args=args)


Body: TypeAlias = Callable[[Invocation], Iterator[Value]]


@dataclass(frozen=True, kw_only=True)
class CommandSpec:
    """A cmdlet or function: how it is called, and what it does."""

    name: str
    body: Body
    module: str = ""
    """`Microsoft.PowerShell.Utility`; empty for functions of the session."""
    class_name: str = ""
    """What the engine appends to error ids: the implementing class of a cmdlet, the name of a function."""
    parameters: tuple[Parameter, ...] = ()
    default_set: str = ""
    """The default parameter set; empty when there is none."""
    cmdlet_binding: bool = True
    """False for a simple function: no common parameters, and what cannot be bound goes to `$args`."""
    should_process: bool = False
    """Whether -WhatIf and -Confirm exist."""
    confirm_impact: Literal["None", "Low", "Medium", "High"] = "Medium"
    kind: Literal["Cmdlet", "Function"] = "Cmdlet"
    version: str = ""

    @cached_property
    def set_names(self) -> tuple[str, ...]:
        """The named parameter sets in order of first mention; `ALL_SETS` alone when there are none."""
        names = dict.fromkeys(s for p in self.parameters for s in p.sets if s != ALL_SETS)
        if self.default_set and self.default_set not in names:
            names[self.default_set] = None
        return tuple(names) or (ALL_SETS,)

    @cached_property
    def parameters_by_name(self) -> Mapping[str, Parameter]:
        """Its own parameters by name and alias in lower case; the first of a name is meant."""
        found: dict[str, Parameter] = {}
        for parameter in self.parameters:
            for name in (parameter.name, *parameter.aliases):
                found.setdefault(name.casefold(), parameter)
        return found

    @cached_property
    def places(self) -> Mapping[int, tuple[Parameter, ...]]:
        """Its parameters by position, the first position first."""
        found: dict[int, list[Parameter]] = {}
        for parameter in self.parameters:
            for place in {how.position for how in parameter.sets.values() if how.position is not None}:
                found.setdefault(place, []).append(parameter)
        return {place: tuple(found[place]) for place in sorted(found)}

    @cached_property
    def takes_pipeline(self) -> bool:
        """Whether any of its parameters takes pipeline objects."""
        return any(parameter.takes_pipeline for parameter in self.parameters)

    def common_names(self) -> dict[str, str]:
        """The common parameters this command has, with their aliases."""
        if not self.cmdlet_binding:
            return {}
        return _COMMON_AND_RISK if self.should_process else COMMON_ALIASES


class CommandTable:
    """Commands by name, in any case. Aliases are not kept: scripts must not use them."""

    def __init__(self, commands: Iterable[CommandSpec] = ()) -> None:
        self._commands: dict[str, CommandSpec] = {}
        for spec in commands:
            self.add(spec)

    def add(self, spec: CommandSpec) -> None:
        """Add a command, or replace the one of that name."""
        self._commands[spec.name.casefold()] = spec

    def remove(self, name: str) -> None:
        """Take a command away, if it is there."""
        self._commands.pop(name.casefold(), None)

    def find(self, name: str) -> CommandSpec | None:
        """The command of that name, with or without its module (`Microsoft.PowerShell.Utility\\Get-Date`)."""
        module, _, plain = name.rpartition("\\")
        found = self._commands.get(plain.casefold())
        if found is None or (module and found.module.casefold() != module.casefold()):
            return None
        return found

    def __iter__(self) -> Iterator[CommandSpec]:
        return iter(list(self._commands.values()))

    def copy(self) -> CommandTable:
        """A table of its own for a session or scope that defines more."""
        made = CommandTable()
        made._commands = self._commands.copy()
        return made
