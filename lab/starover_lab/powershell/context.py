"""Where evaluation stands: scope, streams, what surrounds it; and what the parts of the evaluator ask of each other."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from starover_lab.powershell import nodes
from starover_lab.powershell.errors import InvocationInfo, Terminated
from starover_lab.powershell.scopes import Scope
from starover_lab.powershell.streams import Streams
from starover_lab.powershell.values import NOTHING, DateTime, PSArray, PSList, ScriptBlock, Unsupported, Value

if TYPE_CHECKING:
    from starover_lab.powershell.command import CommandSpec, CommandTable

__all__ = ["Context", "Core", "Edition", "State", "collected"]

Edition: TypeAlias = Literal["", "5.1", "7"]
"""Whose answers are given where 5.1 and 7 differ; empty: neither's, such a script is refused."""


@dataclass(eq=False)
class State:
    """What a session keeps over all its scripts."""

    commands: CommandTable
    errors: PSList
    """`$Error`, newest first."""
    environment: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """`$env:`, by folded name."""
    environment_known: bool = False
    """Whether it is a host's: then what is not there is not set."""
    success: bool | None = True
    """`$?`; None where 5.1 and 7 set it differently."""
    errors_known: bool = True
    """Whether `$Error` is exact beyond its first entry: the engine notes some errors more than once on their way."""
    stopping: bool = False
    edition: Edition = ""

    def environment_variable(self, name: str) -> str | None:
        """A variable of `$env:`; None when it is not set. Raises `Unsupported` for one that any process has."""
        found = self.environment.get(name.casefold())
        if found is None and not self.environment_known and name.casefold() in _INHERITED:
            raise Unsupported(f"$env:{name} of an unknown host")
        return None if found is None else found[1]


# What a process gets from its system or its shell, on Windows or elsewhere.
_INHERITED = frozenset(
    """allusersprofile appdata commonprogramfiles computername comspec display dotnet_root editor home homedrive
    homepath hostname lang language lc_all localappdata logname logonserver mail number_of_processors oldpwd os
    path pathext processor_architecture programdata programfiles psmodulepath public pwd sessionname shell shlvl
    systemdrive systemroot temp term tmp tmpdir tz user userdnsdomain userdomain username userprofile windir
    _""".split()  # noqa: SIM905
)


@dataclass(slots=True, eq=False)
class Context:
    """The surroundings of a statement. Handed down, never kept, so that generators may interleave."""

    scope: Scope
    streams: Streams
    script: nodes.Script | None = None
    """Whose text the lines are of."""
    propagate: bool = False
    """Inside a try: statement-terminating errors go to it instead of being reported."""
    function: str = ""
    caller: Context | None = None
    line: int = 0
    handling: Terminated | None = None
    """The error that a catch is at work on, for a bare `throw`."""
    swallow: bool = False
    """Inside a block that a cmdlet evaluates quietly (a calculated property): errors go to the cmdlet."""

    def inside_try(self) -> Context:
        """The same, in the body of a try."""
        return replace(self, propagate=True)

    def position(self, line: int) -> InvocationInfo:
        """Where a line of this script is."""
        lines = _lines("" if self.script is None else self.script.source)
        return InvocationInfo(line_number=line, line=lines[line - 1] if 0 < line <= len(lines) else "")

    def stack_trace(self) -> str:
        """`ScriptStackTrace`."""
        rows: list[str] = []
        at: Context | None = self
        while at is not None:
            rows.append(f"at {at.function or '<ScriptBlock>'}, <No file>: line {at.line}")
            at = at.caller
        return "\n".join(rows)


@lru_cache(maxsize=64)
def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def collected(items: Sequence[Value]) -> Value:
    """What a variable gets from a statement's output: nothing, the one object, or an array."""
    if len(items) == 1:
        return items[0]
    return PSArray(list(items)) if items else NOTHING


class Core:
    """What the parts of the evaluator ask of each other; each is answered in the file that its comment names."""

    state: State

    def evaluate(self, node: nodes.Expression, ctx: Context) -> Value:
        """The value of an expression (expressions)."""
        raise NotImplementedError

    def brackets(self, expression: nodes.Expression, ctx: Context) -> Generator[Value, None, Value]:
        """The value of an expression that is a statement by itself (statements)."""
        raise NotImplementedError

    def statement_value(self, node: nodes.Statement, ctx: Context, *, keep: bool = True) -> Value:
        """The value of a statement, as an assignment gets it (statements)."""
        raise NotImplementedError

    def gathered(self, items: Iterator[Value], *, keep: bool = True) -> list[Value]:
        """All items; when control leaves meanwhile it takes them along, unless they are not kept (statements)."""
        raise NotImplementedError

    def run_statements(self, block: nodes.Block, ctx: Context) -> Iterator[Value]:
        """The output of statements; errors are reported and the next statement goes on (statements)."""
        raise NotImplementedError

    def run_pipeline(self, node: nodes.Pipeline, ctx: Context) -> Iterator[Value]:
        """The output of a pipeline (pipelines)."""
        raise NotImplementedError

    def assign(self, node: nodes.Assignment, ctx: Context) -> Value:
        """Assign, and give what was assigned (assignments)."""
        raise NotImplementedError

    def increment(self, node: nodes.Increment, ctx: Context, *, as_statement: bool = False) -> Value:
        """`++` and `--` (assignments)."""
        raise NotImplementedError

    def define_function(self, node: nodes.Function, ctx: Context) -> None:
        """Make a function known (functions)."""
        raise NotImplementedError

    def call_block(
        self,
        block: ScriptBlock,
        ctx: Context,
        *,
        item: Value = NOTHING,
        args: Sequence[Value] = (),
        new_scope: bool = False,
        quiet: bool = False,
        this: Value = NOTHING,
    ) -> Iterator[Value]:
        """The output of a script block (functions)."""
        raise NotImplementedError

    def report(self, error: Terminated, ctx: Context, line: int) -> None:
        """Report an error that ended a statement, or raise it again (failures)."""
        raise NotImplementedError

    def known(self, value: Value, line: int) -> Value:
        """A variable's value; refused when it is a list of errors that may not be exact (failures)."""
        raise NotImplementedError

    def visible_commands(self, ctx: Context) -> CommandTable:
        """The session's commands and the functions that this place sees (functions)."""
        raise NotImplementedError

    def find_command(self, name: str, ctx: Context) -> CommandSpec | None:
        """The function or cmdlet of that name (functions)."""
        raise NotImplementedError

    def now(self) -> DateTime:
        """The host's time, UTC (session)."""
        raise NotImplementedError

    def wait(self, seconds: float) -> None:
        """Let the session's time pass (session)."""
        raise NotImplementedError

    def separator(self, ctx: Context) -> str:
        """What stands between the items of a collection in a string: `$OFS` (expressions)."""
        raise NotImplementedError
