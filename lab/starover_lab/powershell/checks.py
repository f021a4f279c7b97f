"""What a script must obey beyond its grammar: assignable targets, unique names, where splatting may stand."""

from __future__ import annotations

from collections.abc import Callable

from starover_lab.powershell import nodes
from starover_lab.powershell.errors import Unsupported, exception_is
from starover_lab.powershell.tokens import ParseError

__all__ = ["check"]

_Error = Callable[[str, int], ParseError]
_VOID = ("void", "system.void")
_REFERENCE = ("ref", "system.management.automation.psreference")
_OBJECT = ("object", "system.object")
_SMA = "system.management.automation"
# The types that automatic variables have, and alone may be given.
_AUTOMATIC: dict[str, tuple[str, ...]] = {
    "_": _OBJECT,
    "args": ("object[]", "system.object[]"),
    "this": _OBJECT,
    "input": _OBJECT,
    "pscmdlet": (f"{_SMA}.psscriptcmdlet",),
    "psboundparameters": (f"{_SMA}.psboundparametersdictionary",),
    "myinvocation": (f"{_SMA}.invocationinfo",),
    "psscriptroot": ("string", "system.string"),
    "pscommandpath": ("string", "system.string"),
}


_LOOKED_AT: frozenset[type[nodes.Node]] = frozenset(
    {nodes.Variable, nodes.Assignment, nodes.Increment, nodes.HashLiteral, nodes.Convert, nodes.Try, nodes.Flow}
    | {nodes.ParamBlock, nodes.Parameter, nodes.Attribute, nodes.Attributed, nodes.DataSection}
)


def check(script: nodes.Script, error: _Error) -> None:
    """Raise the first error of the checks that PowerShell makes once a script is parsed, in the order of the text."""
    for node, parents in nodes.walk_with_parents(script, _LOOKED_AT):
        found = _first_error(node, parents)
        if found is not None:
            raise error(*found)


def _first_error(node: nodes.Node, parents: tuple[nodes.Node, ...]) -> tuple[str, int] | None:
    match node:
        case nodes.Variable():
            return _splatted(node, parents) if node.splatted else None
        case nodes.Assignment():
            return _wrong_target(node.target, "InvalidLeftHandSide", simple=node.operator == "=")
        case nodes.Increment():
            return _wrong_target(node.operand, "OperatorRequiresVariableOrProperty", simple=False)
        case nodes.ParamBlock():
            return _duplicate_parameter(node)
        case nodes.Parameter() if "ordered" in (one.lower() for one in node.types):
            return "OrderedAttributeOnlyOnHashLiteralNode", _type_start(node, ("ordered",))
        case nodes.Attribute():
            return _attribute_arguments(node)
        case nodes.HashLiteral():
            return _duplicate_key(node)
        case nodes.Try():
            return _catch_order(node)
        case nodes.Convert(type=name) if name.lower() == "ordered" and not isinstance(node.operand, nodes.HashLiteral):
            return "OrderedAttributeOnlyOnHashLiteralNode", node.start
        case nodes.Convert(type=name) if name.lower() in _REFERENCE:
            return _reference(node, parents)
        case nodes.Attributed():
            return None if isinstance(_stripped(node), nodes.Variable) else ("UnexpectedAttribute", node.start)
        case nodes.DataSection():
            _check_data(node)
            return None
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


def _wrong_target(target: nodes.Expression, error_id: str, *, simple: bool) -> tuple[str, int] | None:
    """What is wrong with the target of an assignment or increment; `error_id` is for what cannot be assigned at all."""
    match target:
        case nodes.ArrayLiteral():
            if not simple:
                return error_id, target.start
            wrong = (_wrong_target(item, error_id, simple=True) for item in target.items)
            return next((one for one in wrong if one is not None), None)
        case nodes.Paren():
            inner = _pure(target.pipeline)
            return (error_id, target.pipeline.start) if inner is None else _wrong_target(inner, error_id, simple=simple)
        case nodes.Convert() | nodes.Attributed():
            return _wrong_types(target) or _wrong_target(_stripped(target), error_id, simple=simple)
        case nodes.Variable() | nodes.Member() | nodes.Index():
            return None
        case _:
            return error_id, target.start


def _wrong_types(target: nodes.Convert | nodes.Attributed) -> tuple[str, int] | None:
    """Types before a target: no void, a reference by itself, and none that an automatic variable does not have."""
    types: list[nodes.Convert] = []
    inner: nodes.Expression = target
    while isinstance(inner, nodes.Convert | nodes.Attributed):
        if isinstance(inner, nodes.Convert):
            if inner.type.lower() in _VOID:
                return "VoidTypeConstraintNotAllowed", inner.start
            types.append(inner)
        inner = inner.operand
    references = [one.start for one in types if one.type.lower() in _REFERENCE]
    if references and len(types) > 1:
        return "ReferenceNeedsToBeByItselfInTypeConstraint", references[-1]
    if isinstance(inner, nodes.Variable):
        scope, _, name = inner.name.lower().rpartition(":")
        wanted = _AUTOMATIC.get(name)
        last = types[-1].type.lower() if types else ""
        if wanted is not None and scope in ("", "local", "private", "variable") and last not in wanted:
            return "AssignmentStatementToAutomaticNotSupported", target.start
    return None


def _stripped(node: nodes.Expression) -> nodes.Expression:
    """The expression behind all types and attributes."""
    while isinstance(node, nodes.Convert | nodes.Attributed):
        node = node.operand
    return node


def _reference(node: nodes.Convert, parents: tuple[nodes.Node, ...]) -> tuple[str, int] | None:
    """`[ref]` once, and last of its types."""
    inner = node.operand
    while isinstance(inner, nodes.Convert | nodes.Attributed):
        if isinstance(inner, nodes.Convert) and inner.type.lower() in _REFERENCE:
            return "ReferenceNeedsToBeByItselfInTypeSequence", inner.start
        inner = inner.operand
    parent = parents[-1]
    if not isinstance(parent, nodes.Convert) or parent.type.lower() in _REFERENCE:
        return None
    for one in reversed(parents):
        if isinstance(one, nodes.ExpressionCommand):
            break
        if isinstance(one, nodes.Assignment) and one.target.start <= node.start < one.target.end:
            return None
    return "ReferenceNeedsToBeLastTypeInTypeConversion", node.start


def _check_data(node: nodes.DataSection) -> None:
    """Data sections hold constants. Raises `Unsupported` for others: what exactly they refuse is not known here."""
    plain = (
        nodes.Block,
        nodes.Pipeline,
        nodes.ExpressionCommand,
        nodes.Constant,
        nodes.HashLiteral,
        nodes.ArrayLiteral,
        nodes.ArrayExpression,
    )
    for one in nodes.walk(node.body):
        if not isinstance(one, plain):
            raise Unsupported("a data section with more than constants", getattr(one, "line", node.line))


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
            return "DuplicateFormalParameter", parameter.name_start
        seen.add(name)
        if any(one.lower() in _VOID for one in parameter.types):
            return "VoidTypeConstraintNotAllowed", _type_start(parameter, _VOID)
    return None


def _type_start(parameter: nodes.Parameter, names: tuple[str, ...]) -> int:
    pairs = zip(parameter.types, parameter.type_starts, strict=True)
    return next(start for name, start in pairs if name.lower() in names)


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
