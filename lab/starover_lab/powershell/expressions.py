"""Values of expressions: literals, operators, members, brackets; knows statements only by what `Core` names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starover_lab.powershell import members, nodes, operators, types
from starover_lab.powershell.automatic import LOCALS, REFUSED
from starover_lab.powershell.context import Context, Core, collected
from starover_lab.powershell.convert import cast, interpolate, to_bool, to_string
from starover_lab.powershell.errors import Divided, Terminated, failure
from starover_lab.powershell.invoke import Site
from starover_lab.powershell.netnames import has_method
from starover_lab.powershell.scopes import parse_name
from starover_lab.powershell.streams import Redirected
from starover_lab.powershell.values import (
    NOTHING,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    ScriptBlock,
    TypeLiteral,
    Unsupported,
    Value,
    base,
    custom_object,
    enumerate_,
    type_name,
)

__all__ = ["Expressions", "pure"]

_COLLECTION = "System.Collections.ObjectModel.Collection`1"


def pure(statement: nodes.Statement) -> nodes.Expression | None:
    """The expression that a statement is, when it is nothing else."""
    if isinstance(statement, nodes.Pipeline) and len(statement.elements) == 1:
        element = statement.elements[0]
        if isinstance(element, nodes.ExpressionCommand) and not element.redirections:
            return element.expression
    return None


def _cast_to_object(target: nodes.Expression) -> bool:
    """`([object]$x)`: the engine then calls the base class's own method."""
    while isinstance(target, nodes.Paren) and (inner := pure(target.pipeline)) is not None:
        target = inner
    return isinstance(target, nodes.Convert) and target.type.casefold() in ("object", "system.object")


class Expressions(Core):
    """Expressions."""

    def __init__(self) -> None:
        # Each handler takes the node type that it is registered for.
        self._handlers: dict[type[nodes.Expression], Callable[[Any, Context], Value]] = {
            nodes.Constant: self._constant,
            nodes.Expandable: self._expandable,
            nodes.Variable: self._variable,
            nodes.Unary: self._unary,
            nodes.Increment: self.increment,
            nodes.Binary: self._binary,
            nodes.ArrayLiteral: self._array_literal,
            nodes.Index: self._index,
            nodes.Member: self._member,
            nodes.Invoke: self._invoke,
            nodes.Paren: self._paren,
            nodes.SubExpression: self._sub_expression,
            nodes.ArrayExpression: self._array_expression,
            nodes.HashLiteral: self._hash_literal,
            nodes.ScriptBlockExpression: self._script_block,
            nodes.Convert: self._convert,
            nodes.TypeExpression: self._type,
        }

    def evaluate(self, node: nodes.Expression, ctx: Context) -> Value:
        """The value of an expression. Raises `Terminated` as PowerShell does, `Unsupported` for the unknown."""
        handler = self._handlers.get(type(node))
        if handler is None:
            raise Unsupported("an attribute on a value", node.line)
        try:
            return handler(node, ctx)
        except Unsupported as error:
            if error.line == 0:
                raise type(error)(error.construct, node.line) from error
            raise

    @staticmethod
    def _constant(node: nodes.Constant, _: Context) -> Value:
        return node.value

    def separator(self, ctx: Context) -> str:
        """What stands between the items of a collection in a string: `$OFS`."""
        slot = ctx.scope.find("ofs")
        return " " if slot is None or slot.value is None else to_string(slot.value)

    def _expandable(self, node: nodes.Expandable, ctx: Context) -> Value:
        pieces: list[str] = []
        for part in node.parts:
            if isinstance(part, str):
                pieces.append(part)
            elif isinstance(part, nodes.Variable) and self._unset_in_text(part, ctx):
                continue
            else:
                pieces.append(interpolate(self.evaluate(part, ctx), self.separator(ctx)))
        return "".join(pieces)

    @staticmethod
    def _unset_in_text(node: nodes.Variable, ctx: Context) -> bool:
        """Whether this variable does not exist and strict mode 1.0 lets that pass, because it stands in a string."""
        strict = ctx.scope.strictness()
        if strict is None or not strict.startswith("1"):
            return False
        name = parse_name(node.name)
        return name.scope in ("", "local", "global", "script") and ctx.scope.lookup(name) is None

    def _variable(self, node: nodes.Variable, ctx: Context) -> Value:
        name = parse_name(node.name)
        key = name.key
        if name.scope == "":
            if key == "true":
                return True
            if key == "false":
                return False
            if key == "null":
                return None
            if key == "?":
                if self.state.success is None:
                    raise Unsupported("$? after a statement in brackets: 5.1 and 7 differ", node.line)
                return self.state.success
            if key == "psitem":
                name = parse_name("_")
        elif name.scope == "env":
            return self.state.environment_variable(name.name)
        elif name.scope == "function":
            spec = ctx.scope.find_function(key)
            return None if spec is None else self.function_block(spec.name, ctx)
        slot = ctx.scope.lookup(name)
        if slot is not None:
            return self.known(slot.value, node.line)
        if key in REFUSED:
            raise Unsupported(f"${node.name}", node.line)
        if ctx.scope.strictness() is not None:
            if key in LOCALS:
                raise Unsupported(f"${node.name} unset under strict mode", node.line)
            raise failure(
                "VariableIsUndefined",
                "InvalidOperation",
                f"The variable '${node.name}' cannot be retrieved because it has not been set.",
                target=node.name,
            )
        return None

    def function_block(self, name: str, ctx: Context) -> Value:
        """`${function:name}` (functions)."""
        raise NotImplementedError

    # -- operators

    def _unary(self, node: nodes.Unary, ctx: Context) -> Value:
        operand = self.evaluate(node.operand, ctx)
        if node.operator == "-not":
            return not to_bool(operand)
        return operators.unary(node.operator, operand)

    def _binary(self, node: nodes.Binary, ctx: Context) -> Value:
        operator = node.operator
        if operator == "-and":
            return to_bool(self.evaluate(node.left, ctx)) and to_bool(self.evaluate(node.right, ctx))
        if operator == "-or":
            return to_bool(self.evaluate(node.left, ctx)) or to_bool(self.evaluate(node.right, ctx))
        left = self.evaluate(node.left, ctx)
        right = self.evaluate(node.right, ctx)
        if operator.lower() in ("-is", "-isnot") and (piped := self._piped(node.left, left, right, ctx)) is not None:
            return piped is (operator.lower() == "-is")

        def set_matches(table: PSHashtable) -> None:
            ctx.scope.put("Matches", table)

        def decide(block: ScriptBlock, unit: str) -> bool:
            return to_bool(collected(list(self.call_block(block, ctx, item=unit))))

        if ctx.scope.find("ofs") is not None and isinstance(base(right), PSArray | PSList):
            raise Unsupported("an operator on a collection with $OFS set", node.line)
        return operators.binary(operator, left, right, set_matches=set_matches, decide=decide)

    def _piped(self, node: nodes.Expression, left: Value, right: Value, ctx: Context) -> bool | None:
        """Whether the left side of `-is [psobject]` is wrapped, where the expression tells; None: ask the value."""
        wanted = base(right)
        if not isinstance(wanted, TypeLiteral) or wanted.name not in types.WRAPPER or isinstance(base(left), PSObject):
            return None
        if isinstance(node, nodes.Constant | nodes.Expandable):
            return False
        if not isinstance(node, nodes.Paren) or not isinstance(node.pipeline, nodes.Pipeline):
            return None
        last = node.pipeline.elements[-1]
        name = last.elements[0] if isinstance(last, nodes.Command) else None
        spec = self.find_command(str(name.value), ctx) if isinstance(name, nodes.Constant) else None
        # A cmdlet wraps each object that it writes; several are gathered in an array that is not.
        writes = spec is not None and spec.name in ("Write-Output", "Get-Date", "Get-Random", "Measure-Object")
        return True if writes and not isinstance(base(left), PSArray | PSList | Nothing | None) else None

    def _array_literal(self, node: nodes.ArrayLiteral, ctx: Context) -> Value:
        values = [self.evaluate(item, ctx) for item in node.items]
        return PSArray([None if isinstance(value, Nothing) else value for value in values])

    # -- members

    def _index(self, node: nodes.Index, ctx: Context) -> Value:
        first = isinstance(node.index, nodes.Constant) and node.index.value == 0
        if first and isinstance(node.target, nodes.Variable) and node.target.name.casefold() == "error":
            # The newest entry is known even where the number of entries is not.
            return members.index(self.state.errors, 0, strict=ctx.scope.strictness())
        target = self.evaluate(node.target, ctx)
        return members.index(target, self.evaluate(node.index, ctx), strict=ctx.scope.strictness())

    def member_name(self, node: nodes.Expression, ctx: Context) -> str:
        """The name of a member, which may be computed."""
        if isinstance(node, nodes.Constant):
            return str(node.value) if isinstance(node.value, str) else to_string(node.value)
        value = self.evaluate(node, ctx)
        if isinstance(base(value), ScriptBlock):
            raise Unsupported("a script block for a member's name", node.line)
        return to_string(value)

    def _type_of(self, node: nodes.Expression, ctx: Context) -> str:
        if isinstance(node, nodes.TypeExpression):
            return types.resolve(node.type)
        value = base(self.evaluate(node, ctx))
        if isinstance(value, TypeLiteral):
            return value.name
        raise Unsupported("a static member of a value", node.line)

    def _member(self, node: nodes.Member, ctx: Context) -> Value:
        if node.static:
            return members.static_get(
                self._type_of(node.target, ctx), self.member_name(node.name, ctx), site=self.site(ctx)
            )
        target = self.evaluate(node.target, ctx)
        name = self.member_name(node.name, ctx)
        try:
            value = members.get(target, name, strict=ctx.scope.strictness(), run=self.block_runner(ctx))
        except Divided:
            # Count and Length of a custom object.
            if not self.state.edition:
                raise
            return None if self.state.edition == "5.1" else 1
        if value is None and has_method(type_name(target), name):
            raise Unsupported(f"the method {name} as a value", node.line)
        return value

    def site(self, ctx: Context) -> Site:
        """What .NET methods may ask of the session (session)."""
        raise NotImplementedError

    def block_runner(self, ctx: Context) -> Callable[[ScriptBlock, Value], Value]:
        """Runs the block of a ScriptProperty on its object."""

        def run(block: ScriptBlock, this: Value) -> Value:
            return collected(list(self.call_block(block, ctx, new_scope=True, this=this)))

        return run

    def _invoke(self, node: nodes.Invoke, ctx: Context) -> Value:
        if node.static:
            type_ = self._type_of(node.target, ctx)
            name = self.member_name(node.name, ctx)
            arguments = [self.evaluate(argument, ctx) for argument in node.arguments]
            return members.static_call(type_, name, arguments, site=self.site(ctx))
        target = self.evaluate(node.target, ctx)
        name = self.member_name(node.name, ctx)
        if _cast_to_object(node.target) and name.casefold() != "gettype":
            raise Unsupported("a method of what is cast to object", node.line)
        arguments = [self.evaluate(argument, ctx) for argument in node.arguments]
        block = base(target)
        if isinstance(block, ScriptBlock):
            found = self._block_method(block, name.casefold(), arguments, ctx)
            if found is not None:
                return found[0]
        elif name.casefold() in ("where", "foreach") and not isinstance(block, PSArray | PSList | PSObject):
            raise Unsupported(f".{name}() of a single object", node.line)
        return members.call(target, name, arguments, site=self.site(ctx), run=self.block_runner(ctx))

    def _block_method(self, block: ScriptBlock, name: str, arguments: list[Value], ctx: Context) -> tuple[Value] | None:
        if name == "invoke":
            errors: list[Value] = []
            inner = replace(ctx, streams=Redirected(ctx.streams, {"error": errors}))
            try:
                found = list(self.call_block(block, inner, args=arguments, new_scope=True, quiet=True))
            except Terminated as error:
                raise Unsupported("an error inside a script block's Invoke") from error
            if errors:
                raise Unsupported("an error inside a script block's Invoke")
            return (PSList(found, _COLLECTION),)
        if name in ("getnewclosure", "invokereturnasis", "invokewithcontext", "getsteppablepipeline"):
            raise Unsupported(f"a script block's {name}")
        return None

    # -- brackets

    def _paren(self, node: nodes.Paren, ctx: Context) -> Value:
        return self.statement_value(node.pipeline, ctx)

    def _sub_expression(self, node: nodes.SubExpression, ctx: Context) -> Value:
        return collected(self.gathered(self.run_statements(node.body, ctx)))

    def _array_expression(self, node: nodes.ArrayExpression, ctx: Context) -> Value:
        statements = node.body.statements
        only = pure(statements[0]) if len(statements) == 1 and not node.body.traps else None
        if only is not None:
            # An expression by itself is evaluated in place: its error ends the whole statement around.
            return PSArray(list(enumerate_(self.evaluate(only, ctx))))
        return PSArray(list(self.run_statements(node.body, ctx)))

    def _hash_pairs(
        self, node: nodes.HashLiteral, into: PSHashtable | OrderedHashtable, ctx: Context
    ) -> PSHashtable | OrderedHashtable:
        for key_node, value_node in node.pairs:
            key = base(self.evaluate(key_node, ctx))
            if isinstance(key, Nothing):
                key = None
            value = self.statement_value(value_node, ctx)
            if key is None:
                raise failure("InvalidNullKey", "InvalidOperation", "A null key is not allowed in a hash literal.")
            if key in into:
                raise failure(
                    "DuplicateKeyInHashLiteral",
                    "InvalidOperation",
                    f"Item has already been added. Key in dictionary: '{to_string(key)}'",
                )
            into.set(key, value)
        return into

    def _hash_literal(self, node: nodes.HashLiteral, ctx: Context) -> Value:
        return self._hash_pairs(node, PSHashtable(), ctx)

    def _script_block(self, node: nodes.ScriptBlockExpression, ctx: Context) -> Value:
        return ScriptBlock(node.script.text, node.script, ctx.script)

    # -- types

    def _type(self, node: nodes.TypeExpression, _: Context) -> Value:
        return TypeLiteral(types.resolve(node.type))

    def _convert(self, node: nodes.Convert, ctx: Context) -> Value:
        name = node.type.casefold()
        if isinstance(node.operand, nodes.HashLiteral) and name in (
            "pscustomobject",
            "ordered",
            "system.management.automation.pscustomobject",
        ):
            table = self._hash_pairs(node.operand, OrderedHashtable(), ctx)
            if name == "ordered":
                return table
            return custom_object((to_string(key), value) for key, value in table.pairs())
        if name in ("void", "system.void"):
            self.evaluate(node.operand, ctx)
            return NOTHING
        if name in ("ref", "psreference"):
            raise Unsupported("[ref]", node.line)
        # The type is looked up before the operand is evaluated only when the cast is reached: the engine binds late.
        value = self.evaluate(node.operand, ctx)
        target = types.resolve(node.type)
        if target == "System.String" and isinstance(base(value), PSArray | PSList):
            return to_string(value, self.separator(ctx))
        return cast(value, target)
