"""The syntax tree: what the parser makes of a script; knows neither how it was scanned nor how it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from starover_lab.powershell.values import Value

__all__ = [
    "ArrayExpression",
    "ArrayLiteral",
    "Assignment",
    "Attribute",
    "Attributed",
    "Binary",
    "Block",
    "Catch",
    "Command",
    "Constant",
    "Convert",
    "DataSection",
    "DoLoop",
    "Expandable",
    "Expression",
    "ExpressionCommand",
    "Flow",
    "For",
    "ForEach",
    "Function",
    "HashLiteral",
    "If",
    "Increment",
    "Index",
    "Invoke",
    "Member",
    "NamedArgument",
    "Node",
    "ParamBlock",
    "Parameter",
    "ParameterElement",
    "Paren",
    "Pipeline",
    "Redirection",
    "Script",
    "ScriptBlockExpression",
    "Statement",
    "SubExpression",
    "Switch",
    "Trap",
    "Try",
    "TypeExpression",
    "Unary",
    "Using",
    "Variable",
    "While",
    "children",
    "walk",
    "walk_with_parents",
]


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """Anything in the tree. `start` and `end` are offsets in the text that was parsed, `line` is from 1."""

    start: int
    end: int
    line: int


class Expression(Node):
    """What has a value."""

    __slots__ = ()


class Statement(Node):
    """What can stand in a block."""

    __slots__ = ()


@dataclass(slots=True, eq=False, kw_only=True)
class Constant(Expression):
    """A number, or a string without anything to expand."""

    value: Value
    bare: bool = False
    """A word without quotes, as an argument or a member's name."""
    text: str = ""
    """As written; a number keeps it when it is a command's argument."""
    single_quoted: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Expandable(Expression):
    """A double-quoted string, or a bare word, with variables or sub-expressions."""

    parts: tuple[str | Expression, ...]
    bare: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Variable(Expression):
    """`$name`, `$scope:name`, `@name`."""

    name: str
    """With its scope or drive, as written."""
    splatted: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Unary(Expression):
    """`-not`, `!`, `-`, `+`, `-bnot`, `-split`, `-csplit`, `-join`."""

    operator: str
    operand: Expression


@dataclass(slots=True, eq=False, kw_only=True)
class Increment(Expression):
    """`$x++`, `--$x`."""

    operator: Literal["++", "--"]
    prefix: bool
    operand: Expression


@dataclass(slots=True, eq=False, kw_only=True)
class Binary(Expression):
    """Two operands; `operator` is canonical: `-eq` for `-ieq` too, `-ceq`, `..`, `+`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(slots=True, eq=False, kw_only=True)
class ArrayLiteral(Expression):
    """`1, 2` and `, 1`."""

    items: tuple[Expression, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class Index(Expression):
    """`$a[0]`."""

    target: Expression
    index: Expression


@dataclass(slots=True, eq=False, kw_only=True)
class Member(Expression):
    """`$a.b`, `[type]::b`."""

    target: Expression
    name: Expression
    static: bool


@dataclass(slots=True, eq=False, kw_only=True)
class Invoke(Expression):
    """`$a.b(1)`, `[type]::b(1)`."""

    target: Expression
    name: Expression
    arguments: tuple[Expression, ...]
    static: bool


@dataclass(slots=True, eq=False, kw_only=True)
class Paren(Expression):
    """`( pipeline )`."""

    pipeline: Statement


@dataclass(slots=True, eq=False, kw_only=True)
class SubExpression(Expression):
    """`$( statements )`."""

    body: Block


@dataclass(slots=True, eq=False, kw_only=True)
class ArrayExpression(Expression):
    """`@( statements )`."""

    body: Block


@dataclass(slots=True, eq=False, kw_only=True)
class HashLiteral(Expression):
    """`@{ key = statement }`."""

    pairs: tuple[tuple[Expression, Statement], ...]


@dataclass(slots=True, eq=False, kw_only=True)
class ScriptBlockExpression(Expression):
    """`{ ... }` as a value."""

    script: Script


@dataclass(slots=True, eq=False, kw_only=True)
class Convert(Expression):
    """`[type] operand`."""

    type: str
    operand: Expression


@dataclass(slots=True, eq=False, kw_only=True)
class TypeExpression(Expression):
    """`[type]` by itself."""

    type: str


@dataclass(slots=True, eq=False, kw_only=True)
class NamedArgument(Node):
    """`Name = value` in an attribute; without a value it is true."""

    name: str
    value: Expression | None


@dataclass(slots=True, eq=False, kw_only=True)
class Attribute(Node):
    """`[Parameter(Mandatory = $true)]`."""

    name: str
    positional: tuple[Expression, ...]
    named: tuple[NamedArgument, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class Attributed(Expression):
    """`[ValidateSet('a')] operand`."""

    attribute: Attribute
    operand: Expression


@dataclass(slots=True, eq=False, kw_only=True)
class Redirection(Node):
    """`2>$null`, `2>&1`; stream 0 is all of them."""

    stream: int
    to: int | None
    target: Expression | None
    append: bool


@dataclass(slots=True, eq=False, kw_only=True)
class ParameterElement(Node):
    """`-Name` or `-Name:argument` behind a command."""

    name: str
    argument: Expression | None
    text: str
    """As written, with its dash and colon."""


@dataclass(slots=True, eq=False, kw_only=True)
class Command(Node):
    """A command in a pipeline; its first element is its name."""

    invocation: Literal["", "&", "."]
    elements: tuple[Expression | ParameterElement, ...]
    redirections: tuple[Redirection, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class ExpressionCommand(Node):
    """An expression in a pipeline."""

    expression: Expression
    redirections: tuple[Redirection, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class Pipeline(Statement):
    """`a | b | c`."""

    elements: tuple[Command | ExpressionCommand, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class Assignment(Statement):
    """`target = statement`; `operator` is `=`, `+=`, `-=`, `*=`, `/=` or `%=`."""

    target: Expression
    operator: str
    value: Statement


@dataclass(slots=True, eq=False, kw_only=True)
class Block(Node):
    """Statements between braces."""

    statements: tuple[Statement, ...]
    traps: tuple[Trap, ...] = ()


@dataclass(slots=True, eq=False, kw_only=True)
class If(Statement):
    """`if`, `elseif`, `else`."""

    clauses: tuple[tuple[Statement, Block], ...]
    otherwise: Block | None


@dataclass(slots=True, eq=False, kw_only=True)
class Switch(Statement):
    """`switch`; `mode` says how strings are compared."""

    label: str
    mode: Literal["exact", "regex", "wildcard"]
    case_sensitive: bool
    refused: str
    """A flag that is parsed and not run (`-File`, `-Parallel`)."""
    condition: Statement | None
    clauses: tuple[tuple[Expression, Block], ...]
    default: Block | None


@dataclass(slots=True, eq=False, kw_only=True)
class ForEach(Statement):
    """`foreach ($variable in pipeline) { }`."""

    label: str
    variable: Variable
    values: Statement
    body: Block
    refused: str = ""


@dataclass(slots=True, eq=False, kw_only=True)
class For(Statement):
    """`for (first; condition; next) { }`."""

    label: str
    first: Statement | None
    condition: Statement | None
    following: Statement | None
    body: Block


@dataclass(slots=True, eq=False, kw_only=True)
class While(Statement):
    """`while (condition) { }`."""

    label: str
    condition: Statement
    body: Block


@dataclass(slots=True, eq=False, kw_only=True)
class DoLoop(Statement):
    """`do { } while (condition)`, `do { } until (condition)`."""

    label: str
    condition: Statement
    body: Block
    until: bool


@dataclass(slots=True, eq=False, kw_only=True)
class Parameter(Node):
    """One parameter of a param block."""

    name: str
    name_start: int
    types: tuple[str, ...]
    type_starts: tuple[int, ...]
    attributes: tuple[Attribute, ...]
    default: Expression | None


@dataclass(slots=True, eq=False, kw_only=True)
class ParamBlock(Node):
    """`param(...)` with the attributes before it."""

    attributes: tuple[Attribute, ...]
    parameters: tuple[Parameter, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class Script(Node):
    """A script block: a whole script, a function's body, or `{ ... }`."""

    parameters: ParamBlock | None
    begin: Block | None
    process: Block | None
    end_block: Block | None
    dynamic: Block | None
    text: str
    """Between the braces, as written."""
    source: str = field(repr=False)
    """The whole text that was parsed."""
    is_filter: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Function(Statement):
    """`function name { }`, `filter name { }`."""

    name: str
    kind: Literal["function", "filter", "workflow"]
    script: Script


@dataclass(slots=True, eq=False, kw_only=True)
class Flow(Statement):
    """`return`, `throw`, `exit`, `break`, `continue`."""

    kind: Literal["return", "throw", "exit", "break", "continue"]
    value: Statement | None = None
    label: Expression | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Catch(Node):
    """One `catch` with the types it takes; none: all."""

    types: tuple[str, ...]
    body: Block


@dataclass(slots=True, eq=False, kw_only=True)
class Try(Statement):
    """`try`, `catch`, `finally`."""

    body: Block
    catches: tuple[Catch, ...]
    final: Block | None


@dataclass(slots=True, eq=False, kw_only=True)
class Trap(Statement):
    """`trap { }`: parsed, never run."""

    type: str
    body: Block


@dataclass(slots=True, eq=False, kw_only=True)
class DataSection(Statement):
    """`data { }`: parsed, never run."""

    name: str
    body: Block


@dataclass(slots=True, eq=False, kw_only=True)
class Using(Statement):
    """A `using` statement or another one that is known by its keyword alone: parsed, never run."""

    keyword: str


_fields: dict[type[Node], tuple[str, ...]] = {}
# By a node's class, those that may hold nodes: asking a dataclass is slow, and every script is walked.
_WORD = re.compile(r"\w+")


def children(node: Node) -> list[Node]:
    """The nodes right below one, in the order in which they were written."""
    found: list[Node] = []
    names = _fields.get(type(node))
    if names is None:
        names = _fields[type(node)] = tuple(one.name for one in fields(node) if _may_hold_nodes(str(one.type)))
    for name in names:
        value = getattr(node, name)
        if isinstance(value, Node):
            found.append(value)
        elif type(value) is tuple:
            _gather(value, found)  # pyright: ignore[reportUnknownArgumentType] # whatever a field holds
    return found


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below it, in the order in which they were written."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        below = children(here)
        below.reverse()
        waiting += below


_Above: TypeAlias = "tuple[Node, _Above] | None"
"""A node's parent, and what is above that."""


def walk_with_parents(node: Node, kinds: frozenset[type[Node]]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """As `walk`, those of some kinds only, each with the nodes above it, the outermost first."""
    waiting: list[tuple[Node, _Above]] = [(node, None)]
    while waiting:
        here, above = waiting.pop()
        if type(here) in kinds:
            yield here, _parents(above)
        if below := children(here):
            inner = (here, above)
            below.reverse()
            waiting += [(child, inner) for child in below]


def _parents(above: _Above) -> tuple[Node, ...]:
    found: list[Node] = []
    while above is not None:
        parent, above = above
        found.append(parent)
    found.reverse()
    return tuple(found)


def _may_hold_nodes(annotation: str) -> bool:
    """Whether a field declared so is, or has in it, a node."""
    kinds = (globals().get(word) for word in _WORD.findall(annotation))
    return any(isinstance(kind, type) and issubclass(kind, Node) for kind in kinds)


def _gather(values: tuple[object, ...], found: list[Node]) -> None:
    for value in values:
        if isinstance(value, Node):
            found.append(value)
        elif type(value) is tuple:
            _gather(value, found)  # pyright: ignore[reportUnknownArgumentType] # whatever a field holds
