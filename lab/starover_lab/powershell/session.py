"""A PowerShell session: what lives over several invocations, and how scripts and commands run in it; knows no wire.

A session keeps variables, functions and `$Error`. It is used by one coroutine at a time; cmdlets may wait in the middle
of a plain call, and `stop` may be called meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from starover_lab.powershell import nodes
from starover_lab.powershell.automatic import (
    PREFERENCES,
    READ_ONLY,
    automatic_variables,
    confirm_impact,
    preference,
)
from starover_lab.powershell.binder import bind
from starover_lab.powershell.command import Argument, CommandTable
from starover_lab.powershell.context import Context, Edition, State
from starover_lab.powershell.convert import to_string
from starover_lab.powershell.errors import Stopped, Terminated, Unsupported, failure
from starover_lab.powershell.failures import ACTIONS
from starover_lab.powershell.flow import Break, Continue, Exit, Return
from starover_lab.powershell.function_specs import ScriptBody
from starover_lab.powershell.functions import Functions
from starover_lab.powershell.parser import ParseError, parse
from starover_lab.powershell.pipelines import Stage, not_found
from starover_lab.powershell.refusals import refuse
from starover_lab.powershell.runner import CallRunner, PipelineState
from starover_lab.powershell.scopes import Scope, Slot
from starover_lab.powershell.streams import StreamName, Streams
from starover_lab.powershell.values import NOTHING, DateTime, PSList, ScriptBlock, Value

__all__ = ["Emit", "Engine", "Host", "ParseError", "Session", "SessionCommand"]

Emit = Callable[[StreamName, Value], None]
"""Takes one record of one stream as soon as it exists. Error records are `ErrorRecord`, warnings are text."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """What a session knows of the host it runs on."""

    user: str = "EXAMPLE\\operator"
    administrator: bool = True
    environment: Mapping[str, str] | None = None
    now: Callable[[], DateTime] = lambda: DateTime(638396640000000000, "Utc")
    """The host's time, UTC."""
    process: int = 4242


@dataclass(frozen=True, kw_only=True)
class SessionCommand:
    """One command with its arguments, as clients send them without a script."""

    name: str
    parameters: tuple[tuple[str | None, Value], ...] = ()
    """Name (None: positional) and value."""


class Engine(Functions):
    """The evaluator with its state; one for each session."""

    def __init__(
        self, commands: CommandTable, machine: object, wait: Callable[[float], None], host: Host, emit: Emit
    ) -> None:
        super().__init__()
        self.state = State(commands, PSList())
        self._machine = machine
        self._wait = wait
        self.host = host
        self.emit = emit
        self.state.environment_known = host.environment is not None
        for name, text in (host.environment or {}).items():
            self.state.environment[name.casefold()] = (name, text)
        self.globals = Scope(local_function=False)
        for name, value in automatic_variables(self.state.errors, process=host.process).items():
            option = "AllScope" if name.casefold() in READ_ONLY else "None"
            convert = _to_impact if name == "ConfirmPreference" else _to_preference if name in PREFERENCES else None
            self.globals.variables[name.casefold()] = Slot(name, value, convert, option)

    @property
    def machine(self) -> object:
        """The host's object, for cmdlets."""
        return self._machine

    def wait(self, seconds: float) -> None:
        """Let the session's time pass. Raises `Stopped` when the pipeline was stopped meanwhile."""
        self._wait(seconds)
        if self.state.stopping:
            raise Stopped

    def now(self) -> DateTime:
        """The host's time, UTC."""
        return self.host.now()

    def streams(self) -> Streams:
        """The session's own streams."""
        return Streams(self.write)

    def write(self, name: StreamName, record: Value) -> None:
        """Hand a record to whoever invoked the script under way."""
        self.emit(name, record)

    def site(self, ctx: Context) -> _Site:
        """What .NET methods may ask of the session."""
        return _Site(self, ctx)


class _Site:
    """What .NET methods may ask of the session, at one place of a script."""

    def __init__(self, engine: Engine, ctx: Context) -> None:
        self._engine = engine
        self._ctx = ctx

    def now(self) -> DateTime:
        """The session's time, UTC."""
        return self._engine.now()

    def environment(self, name: str) -> str | None:
        """An environment variable of the host."""
        return self._engine.state.environment_variable(name)

    def user_name(self) -> str:
        """The session's user, `DOMAIN\\name`."""
        return self._engine.host.user

    def is_administrator(self) -> bool:
        """Whether the session's user is in the role Administrator of the host."""
        return self._engine.host.administrator

    def call_block(
        self, block: ScriptBlock, *, item: Value = NOTHING, args: Sequence[Value] = (), new_scope: bool = False
    ) -> Iterator[Value]:
        """Run a script block."""
        return self._engine.call_block(block, self._ctx, item=item, args=args, new_scope=new_scope)


def _to_preference(value: Value) -> Value:
    """The type constraint of the preference variables."""
    given = to_string(value).strip().casefold()
    for name in ACTIONS:
        if name.casefold() == given:
            return preference(name)
    raise _no_member(given)


def _to_impact(value: Value) -> Value:
    """The type constraint of `$ConfirmPreference`."""
    given = to_string(value).strip().casefold()
    for name in ("None", "Low", "Medium", "High"):
        if name.casefold() == given:
            return confirm_impact(name)
    raise _no_member(given)


def _no_member(given: str) -> Terminated:
    if not given or given[0].isdigit():
        raise Unsupported("a preference by number")
    return failure(
        "RuntimeException",
        "MetadataError",
        f'Cannot convert value "{given}" to the type of this preference variable.',
        type_name="System.Management.Automation.ArgumentTransformationMetadataException",
    )


def _silent(_name: StreamName, _record: Value) -> None:
    """Where records go between invocations."""


class Session:
    """One open session."""

    def __init__(
        self,
        commands: CommandTable,
        machine: object = None,
        wait: Callable[[float], None] = lambda _: None,
        *,
        host: Host | None = None,
        edition: Edition | None = None,
    ) -> None:
        """`machine` is handed through to cmdlets; `wait` lets the session's time pass, in seconds.

        A session with a machine behind it is a Windows PowerShell 5.1 unless `edition` says otherwise.
        """
        self.engine = Engine(commands, machine, wait, host or Host(), _silent)
        self.engine.state.edition = ("" if machine is None else "5.1") if edition is None else edition

    @property
    def commands(self) -> CommandTable:
        """The session's commands; cmdlets that import others add to it."""
        return self.engine.state.commands

    def stop(self) -> None:
        """Ask the script under way to stop at its next statement, object or wait."""
        self.engine.state.stopping = True

    def variable(self, name: str) -> Value:
        """A global variable's value; NOTHING when it does not exist."""
        return self.engine.globals.get(name)

    def run_script(
        self,
        text: str,
        parameters: Mapping[str, Value] | None = None,
        arguments: Sequence[Value] = (),
        input_: Sequence[Value] | None = None,
        *,
        local_scope: bool = False,
        emit: Emit,
    ) -> int | None:
        """Run a script to its end; gives the code of `exit`, or None when the script did not exit.

        Raises `ParseError` before anything runs, `Unsupported` when the script is refused (as a rule before anything
        runs), `Terminated` with the record when an error ended the script, `Stopped` after `stop`.
        """
        script = parse(text)
        refuse(script)
        given = [Argument(name, value, text=f"-{name}:") for name, value in (parameters or {}).items()]
        given.extend(Argument(None, value) for value in arguments)
        return self._run(lambda: self._script_output(script, given, input_, local_scope), emit)

    def _script_output(
        self, script: nodes.Script, given: list[Argument], input_: Sequence[Value] | None, local_scope: bool
    ) -> Generator[Value]:
        engine = self.engine
        spec = engine.block_spec(ScriptBlock(script.text, script), new_scope=local_scope)
        body = spec.body
        assert isinstance(body, ScriptBody)
        ctx = Context(engine.globals, engine.streams())
        runner = CallRunner(engine, ctx, PipelineState(), 1)
        call = bind(spec, given, runner, machine=engine.machine, line=1)
        runner.attach(call)
        call.input = None if input_ is None else iter(input_)
        yield from engine.run_body(body, call)

    def run_commands(self, commands: Sequence[SessionCommand], *, emit: Emit, input_: Sequence[Value] = ()) -> None:
        """Run a pipeline of commands with ready arguments, without any script (no-language endpoints).

        Raises `Terminated` for an unknown command, a wrong argument, or an error that ended the pipeline.
        """
        self._run(lambda: self._commands_output(commands, input_), emit)

    def _commands_output(self, commands: Sequence[SessionCommand], input_: Sequence[Value]) -> Generator[Value]:
        engine = self.engine
        ctx = Context(engine.globals, engine.streams())
        stages: list[Stage] = []
        for command in commands:
            spec = engine.find_command(command.name, ctx)
            if spec is None:
                raise not_found(command.name)
            arguments = [
                Argument(name, value, text="" if name is None else f"-{name}:") for name, value in command.parameters
            ]
            stages.append(Stage(spec, arguments))
        yield from engine.run_stages(stages, iter(input_) if input_ else None, ctx)

    def _run(self, output: Callable[[], Generator[Value]], emit: Emit) -> int | None:
        engine = self.engine
        engine.emit = emit
        engine.state.stopping = False
        items = output()
        try:
            for item in items:
                emit("output", item)
        except Exit as flow:
            return flow.code
        except (Break, Continue, Return):
            return None
        except RecursionError as error:
            raise Unsupported("a recursion as deep as this") from error
        finally:
            items.close()
            engine.emit = _silent
        return None
