"""The subset of PowerShell that templates may use (domain/powershell.md section 1): what a script breaks of it.

Two profiles: a `body` is a template's own text; a `wrapper` is a whole script, whose prologue, provider block and
epilogue may use a few members more. The lists are closed: what is added is added there, here and to the lab together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from starover_lab.powershell import nodes
from starover_lab.powershell.absent import is_alias
from starover_lab.powershell.command import COMMON_ALIASES, RISK_ALIASES, CommandTable
from starover_lab.powershell.parser import ParseError, parse
from starover_lab.powershell.values import Long, Unsupported

__all__ = ["CommandUse", "Profile", "Violation", "check", "commands_used"]

Profile = Literal["body", "wrapper"]


@dataclass(frozen=True)
class Violation:
    """Something that templates may not use."""

    line: int
    message: str


@dataclass(frozen=True)
class CommandUse:
    """A command as a script calls it."""

    name: str
    parameters: tuple[str, ...]
    """Names as written, without dash and colon."""
    line: int
    splatted: bool = False
    """Whether parameters come out of a variable too."""


_OPERATORS = frozenset(
    """-eq -ne -gt -ge -lt -le -like -notlike -match -notmatch -contains -notcontains -in -notin -and -or -join -split
    -replace -f -is -isnot -as + - * / % ..""".split()  # noqa: SIM905
)
_CASTS = frozenset(
    "string int long int64 bool datetime timespan version string[] pscustomobject ordered".split()  # noqa: SIM905
)
_PARAMETER_TYPES = _CASTS | {"switch", "object", "hashtable", "object[]"}
_ATTRIBUTES = frozenset(
    """cmdletbinding parameter validateset validatenotnull validatenotnullorempty allownull allowemptystring
    allowemptycollection""".split()  # noqa: SIM905
)
_METHODS = frozenset(
    """containskey tostring trim trimend split replace startswith endswith contains tolowerinvariant touniversaltime
    add""".split()  # noqa: SIM905
)
_STATICS = frozenset(
    {
        "timespan::fromseconds",
        "datetime::utcnow",
        "system.threading.timeout::infinitetimespan",
        "system.net.ipaddress::none",
        "environment::machinename",
        "convert::frombase64string",
        "text.encoding::utf8",
        "console::outputencoding",
        "ciminstance::new",
    }
)
_ENCODING_METHODS = frozenset({"getstring"})
_WRAPPER_CASTS = frozenset({"security.principal.windowsprincipal"})
_WRAPPER_METHODS = frozenset(
    "computehash write close toarray substring gettype isinrole getstring getbytes".split()  # noqa: SIM905
)
_WRAPPER_STATICS = frozenset(
    {
        "system.security.cryptography.sha256::create",
        "bitconverter::tostring",
        "convert::tobase64string",
        "regex::replace",
        "system.threading.thread::currentthread",
        "security.principal.windowsidentity::getcurrent",
        "security.principal.windowsbuiltinrole::administrator",
        "system.io.compression.compressionmode::compress",
    }
)
_WRAPPER_OBJECTS = frozenset({"system.io.memorystream", "system.io.compression.gzipstream"})
_COM_OBJECTS = frozenset({"microsoft.update.session", "microsoft.update.updatecoll"})
"""COM classes that a body may create: Windows Update has no cmdlets (catalogue 5.6)."""
_COM_METHODS = frozenset(
    """createupdatesearcher search createupdatedownloader download createupdateinstaller install getupdateresult
    accepteula""".split()  # noqa: SIM905
)
_BLOCK_COMMANDS = frozenset({"where-object", "foreach-object", "sort-object", "select-object"})
_FORBIDDEN_COMMANDS = frozenset({"invoke-expression", "read-host", "write-host"})
_LOOPS = (nodes.ForEach, nodes.While, nodes.For, nodes.DoLoop)


def check(script: str, profile: Profile = "body", *, commands: CommandTable | None = None) -> list[Violation]:
    """Every violation of the subset, in the order of the text; empty when the script keeps to it.

    With `commands`, parameter names of known commands must be written out. What does not parse is a violation too.
    """
    try:
        tree = parse(script)
    except ParseError as error:
        return [Violation(error.line, f"does not parse: {error.error_id}")]
    except Unsupported as error:
        return [Violation(error.line, error.construct)]
    checker = _Checker(tree, profile, commands)
    return sorted(
        {Violation(node.line, message) for node, message in checker.violations()},
        key=lambda one: (one.line, one.message),
    )


def commands_used(script: str) -> list[CommandUse]:
    """Every command that a script calls by name, in the order of the text. Raises `ParseError`."""
    found: list[CommandUse] = []
    for node in nodes.walk(parse(script)):
        if isinstance(node, nodes.Command) and (name := _name(node)) is not None:
            parameters = tuple(one.name for one in node.elements if isinstance(one, nodes.ParameterElement))
            splatted = any(isinstance(one, nodes.Variable) and one.splatted for one in node.elements)
            found.append(CommandUse(name, parameters, node.line, splatted))
    return found


def _name(node: nodes.Command) -> str | None:
    first = node.elements[0]
    return first.value if isinstance(first, nodes.Constant) and isinstance(first.value, str) else None


def _constant(node: nodes.Node) -> str:
    return str(node.value) if isinstance(node, nodes.Constant) else ""


class _Checker:
    def __init__(self, tree: nodes.Script, profile: Profile, commands: CommandTable | None) -> None:
        self.tree = tree
        self.wrapper = profile == "wrapper"
        self.commands = commands
        self.functions: dict[str, set[str]] = {}
        for node in nodes.walk(tree):
            if isinstance(node, nodes.Function):
                block = node.script.parameters
                parameters = () if block is None else block.parameters
                self.functions[node.name.casefold()] = {one.name.casefold() for one in parameters}

    def violations(self) -> Iterator[tuple[nodes.Node, str]]:
        """Node and message."""
        yield from self._script_parameters()
        for node, parents in _visit(self.tree, ()):
            for message in self._messages(node, parents):
                yield node, message

    def _script_parameters(self) -> Iterator[tuple[nodes.Node, str]]:
        block = self.tree.parameters
        if block is not None and (
            block.attributes or any(one.types or one.attributes or one.default is not None for one in block.parameters)
        ):
            yield block, "param() of a script must be untyped, without attributes and defaults"

    def _messages(self, node: nodes.Node, parents: tuple[nodes.Node, ...]) -> Iterator[str]:
        match node:
            case nodes.For() | nodes.DoLoop() | nodes.Trap() | nodes.DataSection():
                yield f"{type(node).__name__.lower()} is not in the subset"
            case nodes.Function(kind="filter" | "workflow"):
                yield f"{node.kind} is not in the subset"
            case nodes.Script():
                if node.begin is not None or node.process is not None or node.dynamic is not None:
                    yield "begin, process and dynamicparam are not in the subset"
            case nodes.Switch(refused=refused) if refused:
                yield f"{refused} is not in the subset"
            case nodes.Flow():
                yield from self._flow(node, parents)
            case nodes.Increment():
                yield f"{node.operator} is not in the subset"
            case nodes.Binary() if node.operator not in _OPERATORS:
                yield f"operator {node.operator} is not in the subset"
            case nodes.Unary() if node.operator not in ("-not", "-", "+", "-join", "-split"):
                yield f"operator {node.operator} is not in the subset"
            case nodes.Convert():
                name = node.type.casefold()
                if name not in _CASTS and not (self.wrapper and name in _WRAPPER_CASTS):
                    yield f"cast to [{node.type}] is not in the subset"
            case nodes.Parameter():
                for name in node.types:
                    if name.casefold() not in _PARAMETER_TYPES:
                        yield f"a parameter of type [{name}] is not in the subset"
            case nodes.Attribute() if node.name.casefold().removesuffix("attribute") not in _ATTRIBUTES:
                yield f"[{node.name}()] is not in the subset"
            case nodes.Constant():
                yield from self._literal(node)
            case nodes.Expandable():
                if self.tree.source.startswith('@"', node.start):
                    yield "a here-string in double quotes is not in the subset"
            case nodes.Variable():
                scope, colon, _ = node.name.partition(":")
                if colon and scope.casefold() != "env":
                    yield f"${node.name}: scopes and drives other than env: are not in the subset"
            case nodes.TypeExpression():
                yield from self._bare_type(node, parents)
            case nodes.Member() | nodes.Invoke():
                yield from self._member(node)
            case nodes.ScriptBlockExpression():
                if not self._block_allowed(node, parents):
                    yield "a script block may only stand behind Where-, ForEach-, Sort- and Select-Object"
            case nodes.ExpressionCommand() if node.redirections:
                yield "a redirection of an expression is not in the subset"
            case nodes.Command():
                yield from self._command(node)
            case _:
                return

    def _flow(self, node: nodes.Flow, parents: tuple[nodes.Node, ...]) -> Iterator[str]:
        if node.kind == "exit":
            if not self.wrapper:
                yield "exit is not allowed in a body"
            elif any(isinstance(one, nodes.Function | nodes.ScriptBlockExpression) for one in parents):
                yield "exit is not allowed inside a function or script block"
        elif node.kind in ("break", "continue"):
            if node.label is not None:
                yield f"{node.kind} with a label is not in the subset"
            for one in reversed(parents):
                if isinstance(one, _LOOPS):
                    return
                if isinstance(one, nodes.Switch) and node.kind == "break":
                    return
                if isinstance(one, nodes.Script):
                    break
            yield f"{node.kind} outside a loop"

    @staticmethod
    def _literal(node: nodes.Constant) -> Iterator[str]:
        value = node.value
        if isinstance(value, str):
            if node.text.startswith(('@"', "@\u201c", "@\u201d", "@\u201e")):
                yield "a here-string in double quotes is not in the subset"
        elif not isinstance(value, Long | int | float):
            yield f"the number {node.text} is not in the subset"

    def _bare_type(self, node: nodes.TypeExpression, parents: tuple[nodes.Node, ...]) -> Iterator[str]:
        parent = parents[-1]
        if isinstance(parent, nodes.Member | nodes.Invoke) and parent.static and parent.target is node:
            return
        if isinstance(parent, nodes.Binary) and parent.operator in ("-is", "-isnot", "-as") and parent.right is node:
            return
        yield f"[{node.type}] by itself is not in the subset"

    def _member(self, node: nodes.Member | nodes.Invoke) -> Iterator[str]:
        if not isinstance(node.name, nodes.Constant | nodes.Variable | nodes.Expandable):
            yield "a computed member name is not in the subset"
            return
        name = _constant(node.name).casefold()
        if node.static:
            if not isinstance(node.target, nodes.TypeExpression):
                yield "a static member of a value is not in the subset"
                return
            static = f"{node.target.type.casefold()}::{name}"
            plain = static.removeprefix("system.")
            known = _STATICS | _WRAPPER_STATICS if self.wrapper else _STATICS
            if static not in known and plain not in known and f"system.{static}" not in known:
                yield f"[{node.target.type}]::{_constant(node.name)} is not in the subset"
            return
        if not isinstance(node, nodes.Invoke):
            return
        allowed = _METHODS | _COM_METHODS | (_WRAPPER_METHODS if self.wrapper else frozenset[str]())
        if name in _ENCODING_METHODS and _is_encoding(node.target):
            return
        if name not in allowed:
            yield f"the method {_constant(node.name) or '(computed)'} is not in the subset"

    def _block_allowed(self, node: nodes.Node, parents: tuple[nodes.Node, ...]) -> bool:
        for one in reversed(parents):
            if isinstance(one, nodes.Command):
                return (_name(one) or "").casefold() in _BLOCK_COMMANDS
            if isinstance(one, nodes.Invoke):
                return self.wrapper and node in one.arguments and _constant(one.name).casefold() == "replace"
            if isinstance(one, nodes.Block):
                return False
        return False

    # -- commands

    def _command(self, node: nodes.Command) -> Iterator[str]:
        name = _name(node)
        if name is None:
            yield "a command whose name is computed is not in the subset"
            return
        if node.invocation == ".":
            yield "dot-sourcing is not in the subset"
        key = name.casefold()
        for one in node.redirections:
            target = one.target
            to_null = isinstance(target, nodes.Variable) and target.name.casefold() == "null"
            if one.stream != 2 or not to_null or "-" in name:
                yield "only 2>$null is allowed, and only for native commands"
        if is_alias(name) and key not in self.functions:
            yield f"{name} is an alias"
        if key in _FORBIDDEN_COMMANDS or key.startswith("format-"):
            yield f"{name} is forbidden"
        if key == "new-object":
            yield from self._new_object(node)
        native = "." in name and key not in self.functions
        if native:
            return
        yield from self._parameters(node, key)

    def _new_object(self, node: nodes.Command) -> Iterator[str]:
        wanted = [_constant(one).casefold() for one in node.elements[1:] if isinstance(one, nodes.Constant)]
        named = [one.name.casefold() for one in node.elements[1:] if isinstance(one, nodes.ParameterElement)]
        if named == ["comobject"] and len(wanted) == 1 and wanted[0] in _COM_OBJECTS:
            return
        if not self.wrapper or not any(one in _WRAPPER_OBJECTS for one in wanted):
            yield "New-Object is not in the subset"

    def _parameters(self, node: nodes.Command, key: str) -> Iterator[str]:
        expects = False
        for one in node.elements[1:]:
            if isinstance(one, nodes.ParameterElement):
                expects = one.argument is None
                if one.name.casefold() == "encodedcommand":
                    yield "-EncodedCommand is forbidden"
                known = self._known(key)
                if known is not None and one.name.casefold() not in known:
                    yield f"-{one.name} is no full parameter name of {_name(node)}"
                if expects and self._is_switch(key, one.name):
                    expects = False
            elif expects or (isinstance(one, nodes.Variable) and one.splatted):
                expects = False
            elif not (isinstance(one, nodes.ScriptBlockExpression) and key in ("where-object", "foreach-object")):
                yield f"positional argument of {_name(node)}"

    def _known(self, key: str) -> set[str] | None:
        """The full parameter names of a command, folded; None when it is not known."""
        if key in self.functions:
            return self.functions[key] | {name.casefold() for name in (*COMMON_ALIASES, *RISK_ALIASES)}
        spec = None if self.commands is None else self.commands.find(key)
        if spec is None:
            return None
        names = {one.name.casefold() for one in spec.parameters}
        return names | {one.casefold() for one in spec.common_names()}

    def _is_switch(self, key: str, name: str) -> bool:
        spec = None if self.commands is None or key in self.functions else self.commands.find(key)
        if spec is None:
            return False
        return any(one.name.casefold() == name.casefold() and one.is_switch for one in spec.parameters)


def _is_encoding(node: nodes.Expression) -> bool:
    return isinstance(node, nodes.Member) and node.static and _constant(node.name).casefold() == "utf8"


def _visit(node: nodes.Node, parents: tuple[nodes.Node, ...]) -> Iterator[tuple[nodes.Node, tuple[nodes.Node, ...]]]:
    yield node, parents
    inner = (*parents, node)
    for child in nodes.children(node):
        yield from _visit(child, inner)
