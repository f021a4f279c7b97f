"""Statements: loops, branches, try, flow; knows commands only by what `Core` names."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

from starover_lab.powershell import nodes, operators
from starover_lab.powershell.assignments import Assignments
from starover_lab.powershell.collation import equal_text
from starover_lab.powershell.context import Context, collected
from starover_lab.powershell.convert import cast, to_bool, to_string
from starover_lab.powershell.errors import Stopped, Terminated, failure
from starover_lab.powershell.expressions import pure
from starover_lab.powershell.failures import Failures, thrown
from starover_lab.powershell.flow import Break, Continue, Exit, Flow, Halted, Return, Thrown
from starover_lab.powershell.scopes import Slot, parse_name
from starover_lab.powershell.values import (
    NetObject,
    Nothing,
    PSHashtable,
    PSList,
    ScriptBlock,
    Unsupported,
    Value,
    base,
    enumerate_,
)

__all__ = ["Statements"]

_BRACKETS = (nodes.Paren, nodes.SubExpression, nodes.ArrayExpression)


class Statements(Assignments, Failures):
    """Statements."""

    def __init__(self) -> None:
        super().__init__()
        self._runners: dict[type[nodes.Statement], Callable[[Any, Context], Iterator[Value]]] = {
            nodes.Pipeline: self.run_pipeline,
            nodes.If: self._if,
            nodes.ForEach: self._foreach,
            nodes.While: self._while,
            nodes.DoLoop: self._do,
            nodes.For: self._for,
            nodes.Switch: self._switch,
            nodes.Try: self._try,
            nodes.Flow: self._flow,
        }

    # -- running

    def run_statements(self, block: nodes.Block, ctx: Context) -> Iterator[Value]:
        """The output of statements; an error ends its statement, is reported, and the next one goes on."""
        if block.traps:
            raise Unsupported("trap", block.traps[0].line)
        for statement in block.statements:
            if self.state.stopping:
                raise Stopped
            ctx.line = statement.line
            try:
                yield from self._statement(statement, ctx, alone=True)
            except Terminated as error:
                self.report(error, ctx, statement.line)
            except Flow as flow:
                kept, flow.kept = flow.kept, []
                yield from kept
                raise
            except Unsupported as error:
                if error.line == 0:
                    raise Unsupported(error.construct, statement.line) from error
                raise

    def _statement(self, statement: nodes.Statement, ctx: Context, *, alone: bool = False) -> Iterator[Value]:
        """The output of one statement; `alone`: it stands in a block, and is no part of another statement."""
        if isinstance(statement, nodes.Assignment):
            self.state.success = True
            self.assign(statement, ctx)
            return
        expression = pure(statement)
        if expression is not None:
            if isinstance(expression, nodes.Increment):
                self.increment(expression, ctx, as_statement=True)
            else:
                value = (yield from self.brackets(expression, ctx)) if alone else self.evaluate(expression, ctx)
                if isinstance(expression, _BRACKETS) and _has_command(expression):
                    if self.state.success is False:
                        self.state.success = None
                else:
                    self.state.success = True
                yield from enumerate_(value)
                return
            self.state.success = True
            return
        if isinstance(statement, nodes.Function):
            self.define_function(statement, ctx)
            return
        runner = self._runners.get(type(statement))
        if runner is None:
            raise Unsupported(type(statement).__name__, statement.line)
        yield from runner(statement, ctx)

    def brackets(self, expression: nodes.Expression, ctx: Context) -> Generator[Value, None, Value]:
        """The value of an expression that is a statement by itself.

        What brackets had got goes out when an error or control leaves them.
        """
        inner = expression
        while isinstance(inner, nodes.Paren) and isinstance(
            within := pure(inner.pipeline), nodes.Paren | nodes.SubExpression
        ):
            inner = within
        if isinstance(inner, nodes.SubExpression):
            items = self.run_statements(inner.body, ctx)
        elif (
            isinstance(inner, nodes.Paren)
            and isinstance(inner.pipeline, nodes.Pipeline)
            and pure(inner.pipeline) is None
        ):
            items = self._statement(inner.pipeline, ctx)
        else:
            return self.evaluate(expression, ctx)
        found: list[Value] = []
        try:
            for item in items:
                found.append(item)  # noqa: PERF402 - what there is counts when an exception ends it
        except (Flow, Terminated):
            yield from found
            raise
        return collected(found)

    def gathered(self, items: Iterator[Value], *, keep: bool = True) -> list[Value]:
        """All items; when control leaves meanwhile it takes them along, unless they are not kept."""
        found: list[Value] = []
        try:
            for item in items:
                found.append(item)  # noqa: PERF402 - what there is counts when an exception ends it
        except Flow as flow:
            flow.kept = found + flow.kept if keep else []
            raise
        return found

    def statement_value(self, node: nodes.Statement, ctx: Context, *, keep: bool = True) -> Value:
        """The value of a statement, as an assignment, a condition or brackets get it."""
        expression = pure(node)
        if expression is not None:
            return self.evaluate(expression, ctx)
        if isinstance(node, nodes.Assignment):
            return self.assign(node, ctx)
        return collected(self.gathered(self._statement(node, ctx), keep=keep))

    def _holds(self, node: nodes.Statement, ctx: Context) -> bool:
        holds = to_bool(self.statement_value(node, ctx, keep=False))
        if _has_command(node):
            self.state.success = True
        return holds

    # -- branches and loops

    def _if(self, node: nodes.If, ctx: Context) -> Iterator[Value]:
        for condition, body in node.clauses:
            if self._holds(condition, ctx):
                yield from self.run_statements(body, ctx)
                return
        if node.otherwise is not None:
            yield from self.run_statements(node.otherwise, ctx)

    def _foreach(self, node: nodes.ForEach, ctx: Context) -> Iterator[Value]:
        values = self.statement_value(node.values, ctx, keep=False)
        name = parse_name(node.variable.name)
        with _enumerating("foreach", ctx) as enumerator:
            try:
                for item in _walked(values):
                    enumerator.properties = {"Current": item}
                    ctx.scope.set(name, item)
                    yield from self._body(node.body, node.label, ctx)
            except Break as flow:
                if not flow.meant_for(node.label):
                    raise

    def _body(self, body: nodes.Block, label: str, ctx: Context) -> Iterator[Value]:
        """One round of a loop; `continue` ends it, `break` goes on up."""
        if self.state.stopping:
            raise Stopped
        try:
            yield from self.run_statements(body, ctx)
        except Continue as flow:
            if not flow.meant_for(label):
                raise

    def _while(self, node: nodes.While, ctx: Context) -> Iterator[Value]:
        try:
            while self._holds(node.condition, ctx):
                yield from self._body(node.body, node.label, ctx)
        except Break as flow:
            if not flow.meant_for(node.label):
                raise

    def _do(self, node: nodes.DoLoop, ctx: Context) -> Iterator[Value]:
        try:
            while True:
                yield from self._body(node.body, node.label, ctx)
                if self._holds(node.condition, ctx) is node.until:
                    break
        except Break as flow:
            if not flow.meant_for(node.label):
                raise

    def _silent(self, node: nodes.Statement | None, ctx: Context) -> None:
        if node is None:
            return
        expression = pure(node)
        if isinstance(expression, nodes.Increment):
            self.increment(expression, ctx, as_statement=True)
        else:
            self.statement_value(node, ctx)

    def _for(self, node: nodes.For, ctx: Context) -> Iterator[Value]:
        self._silent(node.first, ctx)
        try:
            while node.condition is None or self._holds(node.condition, ctx):
                yield from self._body(node.body, node.label, ctx)
                self._silent(node.following, ctx)
        except Break as flow:
            if not flow.meant_for(node.label):
                raise

    # -- switch

    def _switch(self, node: nodes.Switch, ctx: Context) -> Iterator[Value]:
        if node.condition is None:
            raise Unsupported(node.refused, node.line)
        value = self.statement_value(node.condition, ctx, keep=False)
        outer = ctx.scope.variables.get("_")
        saved = None if outer is None else outer.value
        with _enumerating("switch", ctx) as enumerator:
            try:
                for item in enumerate_(value):
                    enumerator.properties = {"Current": item}
                    ctx.scope.put("_", item)
                    try:
                        yield from self._switch_item(node, ctx)
                    except Continue as flow:
                        if not flow.meant_for(node.label):
                            raise
            except Break as flow:
                if not flow.meant_for(node.label):
                    raise
            finally:
                if outer is None:
                    ctx.scope.variables.pop("_", None)
                else:
                    outer.value = saved

    def _switch_item(self, node: nodes.Switch, ctx: Context) -> Iterator[Value]:
        found = False
        for test, body in node.clauses:
            # Each clause looks at `$_` as the bodies before it left it.
            if self._switch_matches(node, test, ctx.scope.get("_"), ctx):
                found = True
                yield from self.run_statements(body, ctx)
        if not found and node.default is not None:
            yield from self.run_statements(node.default, ctx)

    def _switch_matches(self, node: nodes.Switch, test: nodes.Expression, item: Value, ctx: Context) -> bool:
        wanted = self.evaluate(test, ctx)
        clause = base(wanted)
        if isinstance(clause, ScriptBlock):
            return to_bool(collected(list(self.call_block(clause, ctx, item=item, new_scope=True))))
        if clause is None or isinstance(clause, Nothing):
            return item is None
        separator = self.separator(ctx)
        text = to_string(item, separator)
        if node.mode == "regex":
            if isinstance(clause, NetObject):
                raise Unsupported("switch -Regex with a regular expression object", test.line)

            def set_matches(table: PSHashtable) -> None:
                ctx.scope.put("Matches", table)

            operator = "-cmatch" if node.case_sensitive else "-match"
            pattern = to_string(wanted, separator)
            return to_bool(operators.binary(operator, text, pattern, set_matches=set_matches))
        if node.mode == "wildcard":
            operator = "-clike" if node.case_sensitive else "-like"
            return to_bool(operators.binary(operator, text, to_string(wanted, separator)))
        # Both sides count as text, whatever they are.
        return equal_text(text, to_string(wanted, separator), ignore_case=not node.case_sensitive)

    # -- try

    def _try(self, node: nodes.Try, ctx: Context) -> Iterator[Value]:
        pending: BaseException | None = None
        try:
            yield from self._try_and_catch(node, ctx)
        except GeneratorExit:
            self._finally_on_close(node, ctx)
            raise
        except (Terminated, Flow, Stopped) as error:
            pending = error
        if node.final is not None:
            yield from self.run_statements(node.final, ctx)
        if pending is not None:
            raise pending

    def _finally_on_close(self, node: nodes.Try, ctx: Context) -> None:
        """The pipeline was ended from behind (Select-Object -First): the finally runs, with nobody to write to."""
        if node.final is not None and list(self.run_statements(node.final, ctx)):
            raise Unsupported("output of a finally in a pipeline that was ended", node.line)

    def _try_and_catch(self, node: nodes.Try, ctx: Context) -> Iterator[Value]:
        # The engine takes a handler to be in scope in the body, with or without a catch, and in the catches too.
        inside = ctx.inside_try()
        try:
            yield from self.run_statements(node.body, inside)
            return
        except Terminated as error:
            caught = error
        found = self.matching_catch(node, caught)
        if found is None:
            raise caught
        clause, record = found
        outer = ctx.scope.variables.get("_")
        saved = None if outer is None else outer.value
        ctx.scope.put("_", record)
        try:
            yield from self.run_statements(clause.body, replace(inside, handling=caught))
        finally:
            if outer is None:
                ctx.scope.variables.pop("_", None)
            else:
                outer.value = saved

    # -- flow

    def _flow(self, node: nodes.Flow, ctx: Context) -> Iterator[Value]:
        if node.kind in ("break", "continue"):
            label = "" if node.label is None else to_string(self.evaluate(node.label, ctx))
            raise Break(label) if node.kind == "break" else Continue(label)
        if node.kind == "return":
            if node.value is not None:
                yield from self._statement(node.value, ctx)
            raise Return
        if node.kind == "exit":
            code = 0 if node.value is None else self._exit_code(self.statement_value(node.value, ctx))
            raise Exit(code)
        if node.value is None:
            if ctx.handling is None:
                raise thrown(None)
            raise ctx.handling if isinstance(ctx.handling, Halted) else Thrown(ctx.handling.record)
        raise thrown(self.statement_value(node.value, ctx))

    @staticmethod
    def _exit_code(value: Value) -> int:
        """The process's exit code: what is no whole number counts as 0."""
        if value is None or isinstance(value, Nothing):
            return 0
        try:
            code = cast(value, "System.Int32")
        except Terminated:
            return 0
        return code if isinstance(code, int) else 0


@contextmanager
def _enumerating(variable: str, ctx: Context) -> Generator[NetObject]:
    """`$foreach` or `$switch` during the loop."""
    enumerator = NetObject("System.Array+SZArrayEnumerator", "System.Array+SZArrayEnumerator")
    outer = ctx.scope.variables.get(variable)
    ctx.scope.variables[variable] = Slot(variable, enumerator)
    try:
        yield enumerator
    finally:
        if outer is None:
            ctx.scope.variables.pop(variable, None)
        else:
            ctx.scope.variables[variable] = outer


def _walked(values: Value) -> Iterator[Value]:
    """The items that a foreach walks. Raises `Terminated` when a list changes meanwhile."""
    if values is None:
        return
    inner = base(values)
    if not isinstance(inner, PSList):
        yield from enumerate_(values)
        return
    before = list(inner.items)
    for item in before:
        if len(inner.items) != len(before) or any(a is not b for a, b in zip(inner.items, before, strict=True)):
            raise failure(
                "System.InvalidOperationException",
                "OperationStopped",
                "Collection was modified; enumeration operation may not execute.",
                type_name="System.InvalidOperationException",
            )
        yield item


@lru_cache(maxsize=4096)
def _has_command(node: nodes.Node) -> bool:
    """Whether a command stands in it, script blocks apart."""
    inside = (child for child in nodes.children(node) if not isinstance(child, nodes.Script))
    return isinstance(node, nodes.Command) or any(_has_command(child) for child in inside)
