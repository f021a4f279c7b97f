"""What is refused before a script runs: constructs that are parsed but not known to be evaluated exactly."""

from __future__ import annotations

from functools import lru_cache

from starover_lab.powershell import nodes
from starover_lab.powershell.errors import Unsupported

__all__ = ["refuse"]


_LOOKED_AT: frozenset[type[nodes.Node]] = frozenset(
    {nodes.Constant, nodes.Variable, nodes.Convert, nodes.Redirection, nodes.ForEach, nodes.Script, nodes.Switch}
    | {nodes.Function, nodes.Trap, nodes.DataSection}
)


@lru_cache(maxsize=256)
def refuse(script: nodes.Script) -> None:
    """Raise `Unsupported` for the first construct that is refused whatever the values are."""
    for node, parents in nodes.walk_with_parents(script, _LOOKED_AT):
        reason = _reason(node, parents)
        if reason is not None:
            raise Unsupported(reason, node.line)


def _reason(node: nodes.Node, parents: tuple[nodes.Node, ...]) -> str | None:
    match node:
        case nodes.Constant():
            return "--%" if node.bare and node.text == "--%" else None
        case nodes.Trap():
            return "trap"
        case nodes.DataSection():
            return "data section"
        case nodes.Switch(refused=refused) if refused:
            return refused
        case nodes.Function(kind="workflow"):
            return "workflow"
        case nodes.Script(dynamic=block) if block is not None:
            return "dynamicparam"
        case nodes.Convert(type=name) if name.casefold() in ("ref", "psreference"):
            return "[ref]"
        case nodes.Variable(name=name) if name.casefold().startswith("using:"):
            return "$using:"
        case nodes.Variable(name=name) if name.casefold() == "input":
            return None if _whole_input(parents) else "$input in an expression"
        case nodes.Variable(name=name, splatted=False) if name.casefold() == "psboundparameters":
            # It is a dictionary of its own type, which shows wherever the whole of it does.
            parent = parents[-1]
            return (
                None if isinstance(parent, nodes.Member | nodes.Index) or _plain_call(parent) else "$PSBoundParameters"
            )
        case nodes.Redirection(to=None, target=target):
            is_null = isinstance(target, nodes.Variable) and target.name.casefold() == "null"
            return None if is_null else "redirection to a file"
        case nodes.ForEach(values=values):
            return _changes_what_it_walks(node, values)
        case _:
            return None


def _plain_call(node: nodes.Node) -> bool:
    """Whether this calls a method that the bound parameters share with every dictionary."""
    if not isinstance(node, nodes.Invoke) or not isinstance(node.name, nodes.Constant):
        return False
    return str(node.name.value).casefold() in ("containskey", "add", "remove")


def _whole_input(parents: tuple[nodes.Node, ...]) -> bool:
    """Whether `$input` is only enumerated here: piped on, in @( ), or walked by a foreach."""
    element = parents[-1]
    if not isinstance(element, nodes.ExpressionCommand):
        return False
    pipeline, around = parents[-2], parents[-3]
    if isinstance(pipeline, nodes.Pipeline) and len(pipeline.elements) > 1:
        return True
    if isinstance(around, nodes.ForEach):
        return around.values is pipeline
    return isinstance(around, nodes.Block) and isinstance(parents[-4], nodes.ArrayExpression)


def _changes_what_it_walks(node: nodes.ForEach, values: nodes.Statement) -> str | None:
    """`foreach ($k in $h.Keys) { $h[$k] = ... }` fails in .NET, where the keys here are a copy."""
    walked = [
        one.target.name.casefold()
        for one in nodes.walk(values)
        if isinstance(one, nodes.Member)
        and isinstance(one.target, nodes.Variable)
        and isinstance(one.name, nodes.Constant)
        and str(one.name.value).casefold() in ("keys", "values")
    ]
    if not walked or any(isinstance(one, nodes.ArrayExpression | nodes.Command) for one in nodes.walk(values)):
        return None
    for one in nodes.walk(node.body):
        target: nodes.Node | None = None
        if isinstance(one, nodes.Assignment) and isinstance(one.target, nodes.Index | nodes.Member):
            target = one.target.target
        elif isinstance(one, nodes.Invoke) and isinstance(one.name, nodes.Constant):
            target = one.target if str(one.name.value).casefold() in ("add", "remove", "clear") else None
        if isinstance(target, nodes.Variable) and target.name.casefold() in walked:
            return "a dictionary that is changed while its keys are walked"
    return None
