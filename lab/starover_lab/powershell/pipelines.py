"""Pipelines: which command is meant, its arguments, its stages, its redirections; knows no cmdlet.

A pipeline is pulled from its end: each command is a generator that takes what the one before it yields. All arguments
are evaluated, then all names looked up, then all arguments bound, before anything runs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from starover_lab.powershell import nodes
from starover_lab.powershell.absent import is_alias, is_refused
from starover_lab.powershell.binder import bind
from starover_lab.powershell.command import Argument, CommandSpec, Invocation
from starover_lab.powershell.context import Context
from starover_lab.powershell.convert import default_text, to_string
from starover_lab.powershell.errors import PSException, Stopped, Terminated, failure
from starover_lab.powershell.expressions import pure
from starover_lab.powershell.flow import Break, Continue, Halted, Thrown
from starover_lab.powershell.runner import CallRunner, PipelineState
from starover_lab.powershell.statements import Statements
from starover_lab.powershell.streams import STREAM_NAMES, Apart, Redirected, StreamName
from starover_lab.powershell.values import (
    NOTHING,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    ScriptBlock,
    Unsupported,
    Value,
    base,
    enumerate_,
)

__all__ = ["CommandPlan", "Pipelines", "Stage", "not_found"]

_NOT_FOUND = "System.Management.Automation.CommandNotFoundException"
# Ends its pipeline when it has what it wants; every other command takes all that comes.
_HISTORY = frozenset({"h", "history", "ghy", "get-history"})
_STOPS_EARLY = frozenset({"select-object"})


@dataclass(eq=False)
class Stage:
    """A command of a pipeline, found, with its arguments."""

    spec: CommandSpec
    arguments: list[Argument]
    redirections: tuple[nodes.Redirection, ...] = ()
    line: int = 0


@dataclass(eq=False)
class CommandPlan:
    """A command of a pipeline with its arguments evaluated."""

    node: nodes.Command
    target: Value
    """Its name, or the script block that is called."""
    arguments: list[Argument]


def not_found(name: str) -> Terminated:
    """The error of a name that is no command."""
    exception = PSException(
        _NOT_FOUND,
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
        "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
        properties={"CommandName": name},
    )
    error = failure("CommandNotFoundException", "ObjectNotFound", exception.message, type_name=_NOT_FOUND, target=name)
    error.record.exception = exception
    exception.record = error.record
    return error


class Pipelines(Statements):
    """Pipelines."""

    # -- arguments

    def _argument_value(self, node: nodes.Expression, ctx: Context) -> Value:
        value = self.evaluate(node, ctx)
        if isinstance(value, Nothing):
            return None
        if isinstance(node, nodes.Constant) and not isinstance(value, str) and node.text != default_text(value):
            # A number keeps how it was written: `[string](Write-Output 0x10)` is `0x10`.
            return PSObject(type_names=(), text=node.text, base_value=value)
        return value

    def _splatted(self, node: nodes.Variable, ctx: Context) -> Iterator[Argument]:
        value = base(self.evaluate(node, ctx))
        if isinstance(value, PSHashtable | OrderedHashtable):
            for key, item in value.pairs():
                name = to_string(key)
                yield Argument(name, item, text=f"-{name}:", splatted=True)
        elif isinstance(value, PSArray | PSList):
            for item in value.items:
                yield self.splatted_item(item)
        else:
            yield Argument(None, None if isinstance(value, Nothing) else value, splatted=True)

    def splatted_item(self, item: Value) -> Argument:
        """An item of a splatted array: an argument, or a parameter's name that `$args` kept (functions)."""
        raise NotImplementedError

    def arguments(self, elements: Sequence[nodes.Expression | nodes.ParameterElement], ctx: Context) -> list[Argument]:
        """What stands behind a command's name, evaluated."""
        found: list[Argument] = []
        for element in elements:
            if isinstance(element, nodes.ParameterElement):
                if element.name == "-":
                    # `--` only tells the parser that what follows are arguments.
                    continue
                if element.argument is None:
                    found.append(Argument(element.name, NOTHING, has_value=False, text=element.text))
                else:
                    value = self._argument_value(element.argument, ctx)
                    found.append(Argument(element.name, value, text=element.text))
            elif isinstance(element, nodes.Variable) and element.splatted:
                found.extend(self._splatted(element, ctx))
            else:
                found.append(Argument(None, self._argument_value(element, ctx)))
        return found

    # -- names

    def _plan(self, node: nodes.Command, ctx: Context) -> CommandPlan:
        first, *rest = node.elements
        if isinstance(first, nodes.ParameterElement):
            target: Value = first.text
        else:
            target = self.evaluate(first, ctx)
        return CommandPlan(node, target, self.arguments(rest, ctx))

    def resolve(self, plan: CommandPlan, ctx: Context) -> CommandSpec:
        """What a command's name or script block means here."""
        target = base(plan.target)
        if isinstance(target, ScriptBlock):
            return self.block_spec(target, new_scope=plan.node.invocation != ".")
        name = self.command_name(target)
        if name is None:
            if isinstance(target, PSObject):
                raise Unsupported("a call of an object", plan.node.line)
            name = "" if target is None or isinstance(target, Nothing) else to_string(target)
        if not name:
            raise failure(
                "BadExpression",
                "InvalidOperation",
                f"The expression after '{plan.node.invocation}' in a pipeline element produced an object that was not "
                "valid. It must result in a command name, a script block, or a CommandInfo object.",
            )
        if name.casefold() in _HISTORY and not plan.arguments:
            # An alias goes before a function of that name; the history of such a session is empty.
            return CommandSpec(name="Get-History", body=lambda _: iter(()))
        spec = None if is_alias(name) else self.find_command(name, ctx)
        if spec is None:
            # A name without a verb stands for the Get- command when there is nothing else of that name.
            reader = f"Get-{name}"
            if is_refused(name) or ("-" not in name and (is_refused(reader) or self.find_command(reader, ctx))):
                raise Unsupported(f"command {name}", plan.node.line)
            raise not_found(name)
        if plan.node.invocation == "." and spec.kind == "Function":
            raise Unsupported("a dot-sourced function", plan.node.line)
        if ctx.scope.strictness() is not None and _called_like_a_method(plan.node):
            if spec.kind != "Function":
                raise Unsupported("a cmdlet called like a method in strict mode", plan.node.line)
            raise failure(
                "StrictModeFunctionCallWithParens",
                "InvalidOperation",
                "The function or command was called as if it were a method. Parameters should be separated by spaces.",
            )
        return spec

    def command_name(self, target: Value) -> str | None:
        """The name that a CommandInfo object stands for, or the name itself (functions)."""
        raise NotImplementedError

    def block_spec(self, block: ScriptBlock, *, new_scope: bool) -> CommandSpec:
        """A script block as a command (functions)."""
        raise NotImplementedError

    # -- redirection

    def _redirected(
        self, redirections: Sequence[nodes.Redirection], ctx: Context
    ) -> tuple[Context, list[Value] | None, bool]:
        """The context behind redirections, the queue of merged records, and whether output is dropped."""
        targets: dict[StreamName, list[Value] | None] = {}
        queue: list[Value] | None = None
        silent = False
        for one in redirections:
            names: list[StreamName] = [STREAM_NAMES[one.stream]] if one.stream else [*STREAM_NAMES.values()]
            if one.to is None:
                is_null = isinstance(one.target, nodes.Variable) and one.target.name.casefold() == "null"
                if not is_null:
                    raise Unsupported("redirection to a file", one.line)
                silent = silent or "output" in names
                for name in names:
                    targets[name] = None
            else:
                queue = [] if queue is None else queue
                for name in names:
                    targets[name] = queue
        targets.pop("output", None)
        if silent and queue is not None:
            # What is merged into the output goes where the output goes.
            targets = dict.fromkeys(targets)
            queue = None
        if not targets:
            return ctx, queue, silent
        return replace(ctx, streams=Redirected(ctx.streams, targets)), queue, silent

    # -- running

    def run_pipeline(self, node: nodes.Pipeline, ctx: Context) -> Iterator[Value]:
        """The output of a pipeline."""
        first = node.elements[0]
        source: Iterator[Value] | None = None
        if isinstance(first, nodes.ExpressionCommand):
            inner, queue, silent = self._redirected(first.redirections, ctx)
            if queue is not None:
                raise Unsupported("a merged stream of an expression", first.line)
            if len(node.elements) == 1:
                value = yield from self.brackets(first.expression, inner)
                self.state.success = True
                yield from [] if silent else enumerate_(value)
                return
            value = self.evaluate(first.expression, inner)
            source = iter(()) if silent else enumerate_(value)
        commands = [element for element in node.elements if isinstance(element, nodes.Command)]
        plans = [self._plan(command, ctx) for command in commands]
        specs = [self.resolve(plan, ctx) for plan in plans]
        self._check_order(plans, specs)
        stages = [
            Stage(spec, plan.arguments, plan.node.redirections, plan.node.line)
            for plan, spec in zip(plans, specs, strict=True)
        ]
        try:
            yield from self.run_stages(stages, source, ctx)
        except Terminated as error:
            hidden = any(one.stream in (0, 2) for stage in stages for one in stage.redirections)
            if hidden and not (ctx.propagate or ctx.swallow or isinstance(error, Thrown | Halted)):
                raise Unsupported("an error that ends a command whose errors are redirected", node.line) from error
            raise

    def _check_order(self, plans: list[CommandPlan], specs: list[CommandSpec]) -> None:
        """Begin blocks of a real pipeline all run before the first object; here each runs when its command starts."""
        starting = [plan.node for plan, spec in zip(plans, specs, strict=True) if self.begins(plan, spec)]
        if len(starting) > 1:
            raise Unsupported("a pipeline with several begin blocks", starting[1].line)

    def begins(self, plan: CommandPlan, spec: CommandSpec) -> bool:
        """Whether a command runs script before it takes its first object (functions)."""
        raise NotImplementedError

    def run_stages(self, planned: list[Stage], source: Iterator[Value] | None, ctx: Context) -> Iterator[Value]:
        """Bind all commands, then pull objects through them."""
        pipe = PipelineState()
        calls: list[tuple[Invocation, list[Value] | None, bool]] = []
        for one in planned:
            around = ctx if one is planned[-1] else replace(ctx, streams=Apart(ctx.streams))
            inner, queue, silent = self._redirected(one.redirections, around)
            runner = CallRunner(self, inner, pipe, one.line)
            call = bind(one.spec, one.arguments, runner, machine=self.machine, line=one.line)
            runner.attach(call)
            calls.append((call, queue, silent))
        stages: list[Generator[Value]] = []
        current = source
        for call, queue, silent in calls:
            call.input = current
            stages.append(self._stage(call, queue, silent))
            current = stages[-1]
        assert current is not None, "a pipeline has a command"
        try:
            yield from current
            self.state.success = not pipe.failed
        except Terminated:
            pipe.failed = True
            raise
        except (Break, Continue):
            self._check_loops(planned, ctx)
            raise
        finally:
            for stage in reversed(stages):
                stage.close()

    def _check_loops(self, planned: list[Stage], ctx: Context) -> None:
        """`break` in a later command leaves the loop that an earlier one is in, which generators do not show."""
        for one in planned[:-1]:
            for script in self.scripts(one):
                for node in nodes.walk(script):
                    loop = isinstance(node, nodes.ForEach | nodes.For | nodes.While | nodes.DoLoop | nodes.Switch)
                    name = node.elements[0] if isinstance(node, nodes.Command) else None
                    calls = isinstance(name, nodes.Constant) and ctx.scope.find_function(str(name.value).casefold())
                    if loop or calls:
                        raise Unsupported("break or continue behind a command that is in a loop", one.line)

    def scripts(self, stage: Stage) -> list[nodes.Script]:
        """The script blocks that a command runs (functions)."""
        raise NotImplementedError

    @property
    def machine(self) -> object:
        """The host's object, for cmdlets (session)."""
        raise NotImplementedError

    def _stage(self, call: Invocation, queue: list[Value] | None, silent: bool) -> Generator[Value]:
        """One command's output, with merged records in between."""
        runner = call.runner
        assert isinstance(runner, CallRunner)
        body = iter(call.spec.body(call))
        try:
            while True:
                if self.state.stopping:
                    raise Stopped
                try:
                    item = next(body)
                except StopIteration:
                    break
                except Terminated as error:
                    runner.failed(error)
                    raise
                if queue:
                    yield from _flush(queue)
                runner.note_output(item)
                if not silent:
                    yield item
            if queue:
                yield from _flush(queue)
            if call.input is not None and call.spec.name.casefold() not in _STOPS_EARLY:
                for _ in call.input:
                    pass
        finally:
            if isinstance(body, Generator):
                body.close()


def _called_like_a_method(node: nodes.Command) -> bool:
    """`f(1, 2)`: one array in brackets right behind the name."""
    if len(node.elements) != 2:
        return False
    name, argument = node.elements
    if not isinstance(argument, nodes.Paren) or argument.start != name.end:
        return False
    inner = pure(argument.pipeline)
    if not isinstance(inner, nodes.ArrayLiteral):
        raise Unsupported("a call with one argument in brackets in strict mode", node.line)
    return True


def _flush(queue: list[Value]) -> Iterator[Value]:
    while queue:
        yield queue.pop(0)
