"""What a script must obey beyond its grammar: assignable targets, unique names, where splatting may stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starover_lab.powershell import nodes
from starover_lab.powershell.errors import exception_is
from starover_lab.powershell.tokens import ParseError

__all__ = ["check"]

_Error = Callable[[str, int], ParseError]


def check(script: nodes.Script, error: _Error) -> None:
    """Raise the first error of the checks that PowerShell makes once a script is parsed, in the order of the text."""
    for node, parents in _visit(script, ()):
        found = _first_error(node, parents)
        if found is not None:
            raise error(*found)


def _visit(node: nodes.Node, parents: tuple[nodes.Node, ...]) -> Iterator[tuple[nodes.Node, tuple[nodes.Node, ...]]]:
    yield node, parents
    inner = (*parents, node)
    for child in nodes.children(node):
        yield from _visit(child, inner)


def _first_error(node: nodes.Node, parents: tuple[nodes.Node, ...]) -> tuple[str, int] | None:
    match node:
        case nodes.Assignment():
            wrong = _not_assignable(node.target, simple=node.operator == "=")
            return None if wrong is None else ("InvalidLeftHandSide", wrong.start)
        case nodes.Increment():
            wrong = _not_assignable(node.operand, simple=False)
            return None if wrong is None else ("OperatorRequiresVariableOrProperty", wrong.start)
        case nodes.Variable(splatted=True):
            return _splatted(node, parents)
        case nodes.ParamBlock():
            return _duplicate_parameter(node)
        case nodes.Attribute():
            return _attribute_arguments(node)
        case nodes.HashLiteral():
            return _duplicate_key(node)
        case nodes.Try():
            return _catch_order(node)
        case nodes.Convert(type=name) if name.lower() == "ordered" and not isinstance(node.operand, nodes.HashLiteral):
            return "OrderedAttributeOnlyOnHashLiteralNode", node.start
        case nodes.Flow(kind="break" | "continue" | "return"):
            return _leaves_finally(node, parents)
        case _:
            return None


def _pure(statement: nodes.Statement) -> nodes.Expression | None:
    """The expression that a pipeline is, when it is nothing else."""
    if isinstance(statement, nodes.Pipeline) and len(statement.elements) == 1:
        element = statement.elements[0]
        if isinstance(element, nodes.ExpressionCommand) and not element.redirections:
            return element.expression
    return None


def _not_assignable(target: nodes.Expression, *, simple: bool) -> nodes.Node | None:
    match target:
        case nodes.ArrayLiteral():
            if not simple:
                return target
            wrong = (_not_assignable(item, simple=True) for item in target.items)
            return next((one for one in wrong if one is not None), None)
        case nodes.Paren():
            inner = _pure(target.pipeline)
            return target.pipeline if inner is None else _not_assignable(inner, simple=simple)
        case nodes.Convert() | nodes.Attributed():
            return _not_assignable(target.operand, simple=simple)
        case nodes.Variable() | nodes.Member() | nodes.Index():
            return None
        case _:
            return target


def _splatted(node: nodes.Variable, parents: tuple[nodes.Node, ...]) -> tuple[str, int] | None:
    parent = parents[-1]
    if isinstance(parent, nodes.Command):
        return None
    if isinstance(parent, nodes.ArrayLiteral) and isinstance(parents[-2], nodes.Command):
        return "SplattingNotPermittedInArgumentList", node.start
    return "SplattingNotPermitted", node.start


def _duplicate_parameter(node: nodes.ParamBlock) -> tuple[str, int] | None:
    seen: set[str] = set()
    for parameter in node.parameters:
        name = parameter.name.lower()
        if name in seen:
            return "DuplicateFormalParameter", parameter.start
        seen.add(name)
        if "void" in (one.lower() for one in parameter.types):
            return "VoidTypeConstraintNotAllowed", parameter.start
    return None


def _is_constant(node: nodes.Expression) -> bool:
    match node:
        case nodes.Constant() | nodes.ScriptBlockExpression() | nodes.TypeExpression():
            return True
        case nodes.Variable(name=name):
            return name.lower() in ("true", "false", "null")
        case nodes.ArrayLiteral(items=items):
            return all(_is_constant(item) for item in items)
        case nodes.Unary(operand=operand) | nodes.Convert(operand=operand):
            return _is_constant(operand)
        case nodes.Binary(left=left, right=right):
            return _is_constant(left) and _is_constant(right)
        case nodes.Member(static=True, target=nodes.TypeExpression()):
            return True
        case nodes.Paren(pipeline=pipeline):
            inner = _pure(pipeline)
            return inner is not None and _is_constant(inner)
        case nodes.ArrayExpression(body=body) | nodes.SubExpression(body=body):
            inner_all = [_pure(one) for one in body.statements]
            return all(one is not None and _is_constant(one) for one in inner_all)
        case nodes.HashLiteral(pairs=pairs):
            values = [_pure(value) for _, value in pairs]
            return all(_is_constant(key) for key, _ in pairs) and all(v is not None and _is_constant(v) for v in values)
        case _:
            return False


def _attribute_arguments(node: nodes.Attribute) -> tuple[str, int] | None:
    seen: set[str] = set()
    for one in node.named:
        if one.name.lower() in seen:
            return "DuplicateNamedArgument", one.start
        seen.add(one.name.lower())
        if one.value is not None and not _is_constant(one.value):
            return "ParameterAttributeArgumentNeedsToBeConstantOrScriptBlock", one.value.start
    for value in node.positional:
        if not _is_constant(value):
            return "ParameterAttributeArgumentNeedsToBeConstantOrScriptBlock", value.start
    return None


def _duplicate_key(node: nodes.HashLiteral) -> tuple[str, int] | None:
    seen: set[str] = set()
    for key, _ in node.pairs:
        if isinstance(key, nodes.Constant):
            name = str(key.value).lower()
            if name in seen:
                return "DuplicateKeyInHashLiteral", key.start
            seen.add(name)
    return None


def _catch_order(node: nodes.Try) -> tuple[str, int] | None:
    for place, first in enumerate(node.catches):
        for second in node.catches[place + 1 :]:
            if not first.types:
                return "EmptyCatchNotLast", second.start - 1
            for one in first.types:
                for other in second.types:
                    if _caught_by(other, one):
                        return "ExceptionTypeAlreadyCaught", second.start
    return None


def _caught_by(name: str, wanted: str) -> bool:
    full, other = (one if "." in one else f"System.{one}" for one in (name, wanted))
    return bool(exception_is(full, other))


def _leaves_finally(node: nodes.Flow, parents: tuple[nodes.Node, ...]) -> tuple[str, int] | None:
    label: str | None = None
    if node.kind != "return":
        label = "" if node.label is None else None
        if isinstance(node.label, nodes.Constant):
            label = str(node.label.value)
    below: nodes.Node = node
    for parent in reversed(parents):
        if isinstance(parent, nodes.Script | nodes.Trap):
            return None
        if label is not None and isinstance(
            parent, nodes.ForEach | nodes.For | nodes.While | nodes.DoLoop | nodes.Switch
        ):
            if label == "" or parent.label.lower() == label.lower():
                return None
        elif isinstance(parent, nodes.Try) and parent.final is below:
            return "ControlLeavingFinally", node.start
        below = parent
    return None
