"""Functions and script blocks as commands: their parameters, and how commands are found; knows not how they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal, cast

from starover_lab.powershell import nodes, types
from starover_lab.powershell.assignments import constrained
from starover_lab.powershell.attributes import Declared, declare, short
from starover_lab.powershell.command import (
    ALL_SETS,
    Argument,
    CommandSpec,
    CommandTable,
    InSet,
    Invocation,
    Parameter,
)
from starover_lab.powershell.context import Context, collected
from starover_lab.powershell.convert import cast as cast_value
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.errors import Terminated
from starover_lab.powershell.pipelines import CommandPlan, Pipelines, Stage
from starover_lab.powershell.scopes import Scope, parse_name
from starover_lab.powershell.streams import Streams
from starover_lab.powershell.values import (
    NOTHING,
    NetObject,
    PSObject,
    ScriptBlock,
    Unsupported,
    Value,
    base,
    fold,
)

__all__ = ["DeclaredParameter", "FunctionSpecs", "ParameterText", "ScriptBody"]

_SMA = "System.Management.Automation"
_SWITCH = f"{_SMA}.SwitchParameter"
# What an unbound parameter of these types holds; others hold $null.
_ZEROS: frozenset[str] = frozenset(
    {"System.Int32", "System.Int64", "System.String", "System.Boolean", "System.Double", "System.Decimal"}
)
_REFERENCES = (
    "[]",
    "Hashtable",
    "Object",
    "ScriptBlock",
    "PSCredential",
    "PSObject",
    "Version",
    "Array",
    "pscustomobject",
)


class ParameterText(str):
    """An item of `$args` that was written as a parameter's name; splatting hands it on as one."""

    __slots__ = ()


class ScriptBody:
    """What runs when a function or script block is called as a command."""

    def __init__(self, engine: FunctionSpecs, script: nodes.Script, name: str, *, new_scope: bool) -> None:
        self.engine = engine
        self.script = script
        self.name = name
        self.new_scope = new_scope
        self.declared: dict[str, DeclaredParameter] = {}

    def __call__(self, call: Invocation) -> Iterator[Value]:
        """The output of one call."""
        return self.engine.run_body(self, call)


class DeclaredParameter:
    """A declared parameter: how it converts, and what it holds unbound."""

    def __init__(self, node: nodes.Parameter, type_: str, convert: Callable[[Value], Value] | None) -> None:
        self.node = node
        self.type = type_
        self.convert = convert


class FunctionSpecs(Pipelines):
    """Definitions of functions."""

    def run_body(self, body: ScriptBody, call: Invocation) -> Iterator[Value]:
        """One call of a function or script block (functions)."""
        raise NotImplementedError

    # -- definitions

    def define_function(self, node: nodes.Function, ctx: Context) -> None:
        """Make a function known in this scope, or in the one that its name says."""
        if node.kind == "workflow":
            raise Unsupported("workflow", node.line)
        name = parse_name(node.name)
        if name.scope in ("env", "function", "private"):
            raise Unsupported(f"function {node.name}", node.line)
        scope = ctx.scope.target(name)
        scope.functions[name.key] = self.spec(node.script, name.name, ctx, new_scope=True)

    def block_spec(self, block: ScriptBlock, *, new_scope: bool) -> CommandSpec:
        """A script block as a command."""
        script = block.node
        if not isinstance(script, nodes.Script):
            raise Unsupported("a script block that was not made here")
        return self.spec(script, "", None, new_scope=new_scope)

    def function_block(self, name: str, ctx: Context) -> Value:
        """`${function:name}`."""
        spec = ctx.scope.find_function(fold(name).casefold())
        if spec is None or not isinstance(spec.body, ScriptBody):
            return None
        return ScriptBlock(spec.body.script.text, spec.body.script)

    def spec(self, script: nodes.Script, name: str, ctx: Context | None, *, new_scope: bool) -> CommandSpec:
        """A script block with its param block as a command; `ctx` is where its ValidateScript blocks run."""
        if script.dynamic is not None:
            raise Unsupported("dynamicparam", script.line)
        body = ScriptBody(self, script, name, new_scope=new_scope)
        block = script.parameters
        attributes = () if block is None else block.attributes
        binding: dict[str, Value] = {}
        advanced = False
        for attribute in attributes:
            kind = short(attribute.name)
            if kind == "cmdletbinding":
                advanced = True
                binding = {
                    one.name.casefold(): True if one.value is None else self.constant(one.value)
                    for one in attribute.named
                }
            elif kind not in ("outputtype", "suppressmessage", "diagnostics.codeanalysis.suppressmessage", "alias"):
                raise Unsupported(f"[{attribute.name}]", attribute.line)
        unknown = set(binding) - {
            "supportsshouldprocess",
            "defaultparametersetname",
            "confirmimpact",
            "positionalbinding",
            "helpuri",
        }
        if unknown:
            raise Unsupported(f"[CmdletBinding({', '.join(sorted(unknown))})]", script.line)
        tester = self.tester(ctx)
        declared = [] if block is None else [declare(one, self.constant, tester) for one in block.parameters]
        advanced = advanced or any(one.sets for one in declared)
        automatic = to_bool(binding.get("positionalbinding", True)) and not any(
            "position" in given or named for one in declared for named, given in one.sets.items()
        )
        parameters: list[Parameter] = []
        position = 0
        for node, one in zip(() if block is None else block.parameters, declared, strict=True):
            type_, made = self._parameter(node, one)
            if automatic and type_ != _SWITCH:
                made = _positioned(made, position)
                position += 1
            parameters.append(made)
            checks = [*one.checks]
            convert = constrained([] if type_ in ("System.Object", _SWITCH) else [type_], checks, in_function=True)
            body.declared[node.name.casefold()] = DeclaredParameter(node, type_, convert if type_ != _SWITCH else None)
        impact = to_string(binding.get("confirmimpact", "Medium")).capitalize()
        return CommandSpec(
            name=name,
            body=body,
            class_name=name,
            parameters=tuple(parameters),
            default_set=to_string(binding.get("defaultparametersetname", "")),
            cmdlet_binding=advanced,
            should_process=to_bool(binding.get("supportsshouldprocess", False)),
            confirm_impact=cast("Literal['None', 'Low', 'Medium', 'High']", impact),
            kind="Function",
        )

    def _parameter(self, node: nodes.Parameter, one: Declared) -> tuple[str, Parameter]:
        if len(node.types) > 1:
            raise Unsupported(f"several types on ${node.name}", node.line)
        written = node.types[0] if node.types else "object"
        transform: Callable[[Value], Value] | None = None
        nullable = written.casefold().startswith(("nullable[", "system.nullable[")) and written.endswith("]")
        if nullable:
            inner = types.resolve(written[written.index("[") + 1 : -1])
            type_ = "System.Object"

            def to_nullable(value: Value) -> Value:
                return None if value is None else cast_value(value, inner)

            transform = to_nullable
        elif written.casefold() in ("ref", "psreference"):
            raise Unsupported("[ref]", node.line)
        else:
            type_ = types.resolve(written)
        sets: dict[str, InSet] = {}
        for name, given in one.sets.items():
            position = given.get("position")
            sets[name or ALL_SETS] = InSet(
                mandatory=to_bool(given.get("mandatory", False)),
                position=position if isinstance(position, int) else None,
                by_value=to_bool(given.get("valuefrompipeline", False)),
                by_property=to_bool(given.get("valuefrompipelinebypropertyname", False)),
                remaining=to_bool(given.get("valuefromremainingarguments", False)),
            )
        return type_, Parameter(
            name=node.name,
            type="switch" if type_ == _SWITCH else "object" if nullable else written,
            aliases=tuple(one.aliases),
            sets=sets or {ALL_SETS: InSet()},
            allow_null="null" in one.allow or nullable,
            allow_empty_string="emptystring" in one.allow,
            allow_empty_collection="emptycollection" in one.allow,
            not_null=one.not_null,
            not_empty=one.not_empty,
            validations=tuple(one.checks),
            transform=transform,
        )

    def constant(self, node: nodes.Expression) -> Value:
        """The value of an attribute's argument."""
        return self.evaluate(node, Context(Scope(), self.streams()))

    def tester(self, ctx: Context | None) -> Callable[[Value, nodes.Script], bool]:
        """Runs the block of a ValidateScript."""

        def accepted(value: Value, script: nodes.Script) -> bool:
            around = Context(Scope(), self.streams()) if ctx is None else ctx
            try:
                found = list(
                    self.call_block(ScriptBlock(script.text, script), around, item=value, new_scope=True, quiet=True)
                )
            except Terminated:
                return False
            return to_bool(collected(found))

        return accepted

    # -- finding

    def find_command(self, name: str, ctx: Context) -> CommandSpec | None:
        """The function or cmdlet of that name."""
        return ctx.scope.find_function(name.casefold()) or self.state.commands.find(name)

    def command_name(self, target: Value) -> str | None:
        """The name that a CommandInfo object stands for, or the name itself."""
        if isinstance(target, str):
            return str(target)
        if isinstance(target, NetObject | PSObject):
            kind = target.type_name if isinstance(target, NetObject) else (target.type_names or [""])[0]
            if kind.startswith(_SMA) and kind.endswith("Info"):
                return to_string(target.properties.get("Name") if isinstance(target, NetObject) else target.get("Name"))
        return None

    def visible_commands(self, ctx: Context) -> CommandTable:
        """The session's commands and the functions that this place sees."""
        table = self.state.commands.copy()
        for scope in reversed(list(ctx.scope.chain())):
            for spec in scope.functions.values():
                table.add(spec)
        return table

    def begins(self, plan: CommandPlan, spec: CommandSpec) -> bool:
        """Whether a command runs script before it takes its first object."""
        if isinstance(spec.body, ScriptBody):
            return spec.body.script.begin is not None
        if spec.name.casefold() != "foreach-object":
            return False
        blocks = [one for one in plan.arguments if one.name is None and isinstance(base(one.value), ScriptBlock)]
        return len(blocks) > 1 or any((one.name or "").casefold().startswith("b") for one in plan.arguments)

    def scripts(self, stage: Stage) -> list[nodes.Script]:
        """The script blocks that a command runs."""
        found = [stage.spec.body.script] if isinstance(stage.spec.body, ScriptBody) else []
        for one in stage.arguments:
            block = base(one.value)
            if isinstance(block, ScriptBlock) and isinstance(block.node, nodes.Script):
                found.append(block.node)
        return found

    def splatted_item(self, item: Value) -> Argument:
        """An item of a splatted array: an argument, or a parameter's name that `$args` kept."""
        if isinstance(item, ParameterText):
            name = item.lstrip("-\u2013\u2014\u2015").rstrip(":")
            return Argument(name, NOTHING, has_value=False, text=str(item), splatted=True)
        return Argument(None, item, splatted=True)

    def streams(self) -> Streams:
        """The session's streams (session)."""
        raise NotImplementedError


def _positioned(parameter: Parameter, position: int) -> Parameter:
    return replace(parameter, sets={name: replace(how, position=position) for name, how in parameter.sets.items()})
