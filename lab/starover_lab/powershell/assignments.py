"""Assignments: targets, typed variables, `+=`, `++`; knows statements only by what `Core` names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starover_lab.powershell import members, nodes, operators, types
from starover_lab.powershell.attributes import validations
from starover_lab.powershell.context import Context
from starover_lab.powershell.convert import cast
from starover_lab.powershell.errors import PSException, Terminated, failure
from starover_lab.powershell.expressions import Expressions
from starover_lab.powershell.scopes import STEERING, Name, Slot, not_writable, parse_name
from starover_lab.powershell.values import (
    Nothing,
    PSArray,
    PSList,
    Unsupported,
    Value,
    base,
)

__all__ = ["Assignments", "constrained"]

_SMA = "System.Management.Automation"


@dataclass(eq=False)
class _Place:
    """Where a value goes, with its objects evaluated once."""

    read: Callable[[], Value]
    write: Callable[[Value], None]


def constrained(
    types_: list[str], checks: list[Callable[[Value], str | None]], *, in_function: bool
) -> Callable[[Value], Value]:
    """What a typed or validated variable does with each value that is assigned to it."""

    def convert(value: Value) -> Value:
        for name in types_:
            try:
                value = cast(value, name)
            except Terminated as error:
                if in_function:
                    raise
                raise _transformation(error) from error
        for check in checks:
            wrong = check(value)
            if wrong is not None:
                raise failure(
                    "ValidateSetFailure",
                    "MetadataError",
                    wrong,
                    type_name=f"{_SMA}.ValidationMetadataException",
                )
        return value

    return convert


def _transformation(error: Terminated) -> Terminated:
    inner = error.record.exception
    return failure(
        "RuntimeException",
        "MetadataError",
        inner.message,
        type_name=f"{_SMA}.ArgumentTransformationMetadataException",
        inner=PSException(inner.type_name, inner.message, inner.inner),
    )


class Assignments(Expressions):
    """Assignments."""

    def assign(self, node: nodes.Assignment, ctx: Context) -> Value:
        """Assign, and give what was assigned."""
        if node.operator == "=":
            if isinstance(node.target, nodes.ArrayLiteral):
                value = self.statement_value(node.value, ctx)
                self._spread(node.target, value, ctx)
                return value
            place = self._place(node.target, ctx)
            value = self.statement_value(node.value, ctx)
            place.write(value)
            # A typed variable passes on what it made of the value.
            return place.read() if isinstance(node.target, nodes.Convert) else value
        place = self._place(node.target, ctx)
        right = self.statement_value(node.value, ctx)
        value = operators.binary(node.operator[0], place.read(), right)
        place.write(value)
        return value

    def _spread(self, target: nodes.ArrayLiteral, value: Value, ctx: Context) -> None:
        """`$a, $b = values`: the last one gets all that is left."""
        inner = base(value)
        items = list(inner.items) if isinstance(inner, PSArray | PSList) else [value]
        if isinstance(inner, Nothing):
            items = []
        last = len(target.items) - 1
        for place, one in enumerate(target.items):
            part: Value = items[place] if place < len(items) else None
            if place == last and len(items) > last + 1:
                part = PSArray(items[last:])
            if isinstance(one, nodes.ArrayLiteral):
                self._spread(one, part, ctx)
            else:
                self._place(one, ctx).write(part)

    def _place(self, target: nodes.Expression, ctx: Context) -> _Place:
        match target:
            case nodes.Variable():
                return self._variable_place(target, ctx)
            case nodes.Convert() | nodes.Attributed():
                return self._typed_place(target, ctx)
            case nodes.Member(static=False):
                owner = self.evaluate(target.target, ctx)
                name = self.member_name(target.name, ctx)
                strict = ctx.scope.strictness()
                return _Place(
                    lambda: members.get(owner, name, strict=strict, run=self.block_runner(ctx)),
                    lambda value: members.set(owner, name, None if isinstance(value, Nothing) else value),
                )
            case nodes.Member(static=True):
                owner_type = self._type_of(target.target, ctx)
                static = self.member_name(target.name, ctx)
                return _Place(
                    lambda: members.static_get(owner_type, static, site=self.site(ctx)),
                    lambda value: members.static_set(owner_type, static, value),
                )
            case nodes.Index():
                container = self.evaluate(target.target, ctx)
                index = self.evaluate(target.index, ctx)
                return _Place(
                    lambda: members.index(container, index),
                    lambda value: members.set_index(container, index, value),
                )
            case nodes.Paren(pipeline=nodes.Pipeline(elements=(nodes.ExpressionCommand(expression=inner),))):
                return self._place(inner, ctx)
            case _:
                raise Unsupported("an assignment to this", target.line)

    def _variable_place(self, node: nodes.Variable, ctx: Context) -> _Place:
        name = parse_name(node.name)
        if name.scope == "env":
            return _Place(lambda: self.evaluate(node, ctx), lambda value: self._set_environment(name, value))
        if name.scope == "function":
            raise Unsupported("an assignment to a function", node.line)
        if name.key == "null":
            return _Place(lambda: None, lambda _: None)
        if name.key in ("true", "false"):
            raise not_writable(name.name)
        if name.key in (
            "?",
            "^",
            "$",
            "input",
            "args",
            "psitem",
            "this",
            "psboundparameters",
            "matches",
            "foreach",
            "switch",
        ):
            raise Unsupported(f"an assignment to ${node.name}", node.line)
        return _Place(lambda: self.evaluate(node, ctx), lambda value: ctx.scope.set(name, value))

    def _set_environment(self, name: Name, value: Value) -> None:
        text = "" if value is None or isinstance(value, Nothing) else str(cast(value, "System.String"))
        if text:
            old = self.state.environment.get(name.key)
            self.state.environment[name.key] = (name.name if old is None else old[0], text)
        else:
            self.state.environment.pop(name.key, None)

    def _typed_place(self, node: nodes.Convert | nodes.Attributed, ctx: Context) -> _Place:
        """`[int]$x = ...`: the variable keeps its types and validations."""
        names: list[str] = []
        checks: list[Callable[[Value], str | None]] = []
        inner: nodes.Expression = node
        while isinstance(inner, nodes.Convert | nodes.Attributed):
            if isinstance(inner, nodes.Convert):
                names.insert(0, types.resolve(inner.type))
            else:
                checks.extend(validations(inner.attribute, self.constant, self.tester(ctx)))
            inner = inner.operand
        if not isinstance(inner, nodes.Variable):
            if checks:
                raise Unsupported("a validation away from a variable", node.line)
            place = self._place(inner, ctx)
            convert = constrained(names, [], in_function=True)
            return _Place(place.read, lambda value: place.write(convert(value)))
        name = parse_name(inner.name)
        if name.scope not in ("", "local", "global", "script") or name.key in ("null", "true", "false"):
            raise Unsupported("a type on this variable", node.line)
        if name.key in STEERING:
            raise Unsupported(f"an assignment to ${name.name}", node.line)
        convert = constrained(names, checks, in_function=ctx.scope.local_function)
        variable = inner

        def write(value: Value) -> None:
            value = convert(None if isinstance(value, Nothing) else value)
            scope = ctx.scope.target(name)
            slot = scope.variables.get(name.key)
            if slot is not None and slot.option != "None":
                raise not_writable(slot.name)
            scope.variables[name.key] = Slot(name.name, value, convert)

        return _Place(lambda: self.evaluate(variable, ctx), write)

    def constant(self, node: nodes.Expression) -> Value:
        """The value of an attribute's argument (functions)."""
        raise NotImplementedError

    def tester(self, ctx: Context) -> Callable[[Value, nodes.Script], bool]:
        """Runs the block of a ValidateScript (functions)."""
        raise NotImplementedError

    def increment(self, node: nodes.Increment, ctx: Context, *, as_statement: bool = False) -> Value:
        """`++` and `--`: the value before or after."""
        place = self._place(node.operand, ctx)
        old = place.read()
        inner = base(old)
        if inner is None or isinstance(inner, Nothing):
            if not as_statement and not node.prefix:
                raise Unsupported(f"the value of $null{node.operator}", node.line)
            inner = 0
        elif isinstance(inner, bool | str) or not isinstance(inner, int | float):
            raise Unsupported(f"{node.operator} of something that is no number", node.line)
        new = operators.binary(node.operator[0], inner, 1)
        place.write(new)
        return new if node.prefix else old
