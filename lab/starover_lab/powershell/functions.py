"""Functions and script blocks as commands: parameters from their param block, scopes, begin/process/end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from starover_lab.powershell import nodes, types
from starover_lab.powershell.assignments import constrained
from starover_lab.powershell.attributes import Declared, declare, short
from starover_lab.powershell.automatic import preference
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
from starover_lab.powershell.errors import InvocationInfo, Terminated, failure
from starover_lab.powershell.failures import action_preference
from starover_lab.powershell.flow import Return
from starover_lab.powershell.pipelines import CommandPlan, Pipelines
from starover_lab.powershell.runner import CallRunner
from starover_lab.powershell.scopes import Scope, Slot, parse_name
from starover_lab.powershell.streams import Noted, Streams
from starover_lab.powershell.values import (
    NOTHING,
    NetObject,
    PSHashtable,
    PSArray,
    PSEnum,
    PSObject,
    ScriptBlock,
    SwitchParameter,
    Unsupported,
    Value,
    base,
    fold,
)

__all__ = ["Functions", "ScriptBody"]

_SMA = "System.Management.Automation"
_SWITCH = f"{_SMA}.SwitchParameter"
# What an unbound parameter of these types holds; others hold $null.
_ZEROS: frozenset[str] = frozenset(
    {"System.Int32", "System.Int64", "System.String", "System.Boolean", "System.Double", "System.Decimal"}
)
_REFERENCES = ("[]", "Hashtable", "Object", "ScriptBlock", "PSCredential", "PSObject", "Version", "Array", "pscustomobject")


class BoundParameters(PSHashtable):
    """`$PSBoundParameters`: a dictionary in the order in which parameters were bound."""

    def pairs(self) -> list[tuple[Value, Value]]:
        """Key and value, as bound."""
        return list(self.entries.values())


class ParameterText(str):
    """An item of `$args` that was written as a parameter's name; splatting hands it on as one."""

    __slots__ = ()


class ScriptBody:
    """What runs when a function or script block is called as a command."""

    def __init__(self, engine: Functions, script: nodes.Script, name: str, *, new_scope: bool) -> None:
        self.engine = engine
        self.script = script
        self.name = name
        self.new_scope = new_scope
        self.declared: dict[str, _Parameter] = {}

    def __call__(self, call: Invocation) -> Iterator[Value]:
        """The output of one call."""
        return self.engine.run_body(self, call)


class _Parameter:
    """A declared parameter: how it converts, and what it holds unbound."""

    def __init__(self, node: nodes.Parameter, type_: str, convert: Callable[[Value], Value] | None) -> None:
        self.node = node
        self.type = type_
        self.convert = convert


class Functions(Pipelines):
    """Functions and script blocks."""

    # -- definitions

    def define_function(self, node: nodes.Function, ctx: Context) -> None:
        """Make a function known in this scope, or in the one that its name says."""
        if node.kind == "workflow":
            raise Unsupported("workflow", node.line)
        name = parse_name(node.name)
        if name.scope in ("env", "function", "private"):
            raise Unsupported(f"function {node.name}", node.line)
        scope = ctx.scope.target(name)
        scope.functions[name.key] = self._spec(node.script, name.name, ctx, new_scope=True)

    def block_spec(self, block: ScriptBlock, *, new_scope: bool) -> CommandSpec:
        """A script block as a command."""
        script = block.node
        if not isinstance(script, nodes.Script):
            raise Unsupported("a script block that was not made here")
        return self._spec(script, "", None, new_scope=new_scope)

    def function_block(self, name: str, ctx: Context) -> Value:
        """`${function:name}`."""
        spec = ctx.scope.find_function(fold(name).casefold())
        if spec is None or not isinstance(spec.body, ScriptBody):
            return None
        return ScriptBlock(spec.body.script.text, spec.body.script)

    def _spec(self, script: nodes.Script, name: str, ctx: Context | None, *, new_scope: bool) -> CommandSpec:
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
        unknown = set(binding) - {"supportsshouldprocess", "defaultparametersetname", "confirmimpact", "positionalbinding", "helpuri"}
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
            body.declared[node.name.casefold()] = _Parameter(node, type_, convert if type_ != _SWITCH else None)
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
                found = list(self.call_block(ScriptBlock(script.text, script), around, item=value, new_scope=True, quiet=True))
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
                found = target.properties.get("Name") if isinstance(target, NetObject) else target.get("Name")
                return to_string(found)  # type: ignore[arg-type]  # a property of a NetObject is its value
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

    def splatted_item(self, item: Value) -> Argument:
        """An item of a splatted array: an argument, or a parameter's name that `$args` kept."""
        if isinstance(item, ParameterText):
            name = item.lstrip("-\u2013\u2014\u2015").rstrip(":")
            return Argument(name, NOTHING, has_value=False, text=str(item), splatted=True)
        return Argument(None, item, splatted=True)

    # -- running

    def call_block(
        self,
        block: ScriptBlock,
        ctx: Context,
        *,
        item: Value = NOTHING,
        args: Sequence[Value] = (),
        new_scope: bool = False,
        quiet: bool = False,
        this: Value = NOTHING,
    ) -> Iterator[Value]:
        """The output of a script block, `$_` being `item`; `quiet`: its errors are raised instead of reported."""
        script = block.node
        if not isinstance(script, nodes.Script):
            raise Unsupported("a script block that was not made here")
        if script.begin is not None or script.process is not None or script.dynamic is not None:
            raise Unsupported("begin or process in this script block", script.line)
        parameters = () if script.parameters is None else script.parameters.parameters
        if parameters and not new_scope:
            raise Unsupported("param in this script block", script.line)
        scope = Scope(ctx.scope) if new_scope else ctx.scope
        inner = Context(
            scope,
            ctx.streams,
            script,
            propagate=ctx.propagate,
            function=ctx.function,
            caller=ctx,
            swallow=quiet or ctx.swallow,
        )
        given: dict[str, Value] = {"args": PSArray(list(args[len(parameters) :])), "input": PSArray()}
        if item is not NOTHING:
            given["_"] = item
        if this is not NOTHING:
            given["this"] = this
        saved = {key: scope.variables.get(key) for key in given}
        for key, value in given.items():
            scope.variables[key] = Slot(key, value)
        try:
            if parameters:
                self._bind_plain(script, parameters, args, inner)
            if script.end_block is not None:
                yield from self.run_statements(script.end_block, inner)
        except Return:
            pass
        finally:
            for key, slot in saved.items():
                if slot is None:
                    scope.variables.pop(key, None)
                else:
                    scope.variables[key] = slot

    def _bind_plain(
        self, script: nodes.Script, parameters: Sequence[nodes.Parameter], args: Sequence[Value], ctx: Context
    ) -> None:
        """Positional arguments of a block that no command line called."""
        spec = self._spec(script, "", ctx, new_scope=True)
        body = spec.body
        assert isinstance(body, ScriptBody)
        if spec.cmdlet_binding:
            raise Unsupported("an advanced script block called by a cmdlet", script.line)
        bound = {node.name: value for node, value in zip(parameters, args, strict=False)}
        self._set_parameters(body, bound, ctx)

    def run_body(self, body: ScriptBody, call: Invocation) -> Iterator[Value]:
        """One call of a function or script block."""
        runner = call.runner
        assert isinstance(runner, CallRunner)
        outer = runner.ctx
        scope = Scope(outer.scope) if body.new_scope else outer.scope
        lists = {name: found for name, found in runner.lists.items() if name != "output"}
        ctx = Context(
            scope,
            Noted(outer.streams, lists) if lists else outer.streams,
            body.script,
            propagate=outer.propagate,
            function=body.name or outer.function,
            caller=outer,
            swallow=outer.swallow,
        )
        outer.line = call.line
        if body.new_scope:
            self._automatic(body, call, ctx)
            self._set_preferences(call, scope)
            self._set_parameters(body, call.bound, ctx)
            yield from self._blocks(body, call, ctx)
            return
        # Dot-sourced, or a script in its session's scope: parameters stay there, `$args` and `$input` do not.
        saved = {key: scope.variables.get(key) for key in ("args", "input")}
        scope.variables["args"] = Slot("args", PSArray(self._rest(call)))
        scope.variables["input"] = Slot("input", PSArray())
        try:
            self._set_parameters(body, call.bound, ctx)
            yield from self._blocks(body, call, ctx)
        finally:
            for key, slot in saved.items():
                if slot is None:
                    scope.variables.pop(key, None)
                else:
                    scope.variables[key] = slot

    def _automatic(self, body: ScriptBody, call: Invocation, ctx: Context) -> None:
        scope = ctx.scope
        bound = BoundParameters()
        for name, value in call.bound.items():
            bound.set(name, value)
        for name, value in call.common.items():
            bound.set(name, value)
        info: InvocationInfo = call.runner.invocation_info(call)
        scope.put("args", PSArray(self._rest(call)))
        scope.put("input", PSArray())
        if body.name:
            scope.put("PSBoundParameters", bound)
            scope.put("MyInvocation", info)

    @staticmethod
    def _rest(call: Invocation) -> list[Value]:
        """What could not be bound: the rest of a simple function's arguments."""
        found: list[Value] = []
        for one in call.rest:
            if one.name is not None:
                found.append(ParameterText(one.text or f"-{one.name}"))
            if one.has_value:
                found.append(one.value)
        return found

    @staticmethod
    def _set_preferences(call: Invocation, scope: Scope) -> None:
        """What common parameters mean inside an advanced function: preferences of its scope."""
        for parameter, variable in (
            ("ErrorAction", "ErrorActionPreference"),
            ("WarningAction", "WarningPreference"),
            ("InformationAction", "InformationPreference"),
        ):
            if parameter in call.common:
                scope.put(variable, preference(action_preference(call.common[parameter])))
        for parameter, variable in (("Verbose", "VerbosePreference"), ("Debug", "DebugPreference")):
            if parameter in call.common:
                shown = to_bool(call.common[parameter])
                if shown and parameter == "Debug":
                    raise Unsupported("-Debug: asks in 5.1, does not in 7", call.line)
                scope.put(variable, preference("Continue" if shown else "SilentlyContinue"))
        if "WhatIf" in call.common:
            scope.put("WhatIfPreference", to_bool(call.common["WhatIf"]))
        if "Confirm" in call.common:
            name, number = ("Low", 1) if to_bool(call.common["Confirm"]) else ("None", 0)
            scope.put("ConfirmPreference", PSEnum(f"{_SMA}.ConfirmImpact", name, number))

    def _set_parameters(self, body: ScriptBody, bound: Mapping[str, Value], ctx: Context) -> None:
        """Parameters as variables of the function's scope, defaults evaluated in order."""
        given = {name.casefold(): value for name, value in bound.items()}
        for key, parameter in body.declared.items():
            name = parameter.node.name
            if key in given:
                value = given[key]
            elif parameter.node.default is not None:
                value = self._default(body, parameter, ctx)
            else:
                value = self._unbound(parameter)
            if parameter.type == _SWITCH:
                value = SwitchParameter(to_bool(value))
            ctx.scope.variables[key] = Slot(name, value, parameter.convert)

    def _default(self, body: ScriptBody, parameter: _Parameter, ctx: Context) -> Value:
        node = parameter.node
        assert node.default is not None
        ctx.line = node.default.line
        value = self.evaluate(node.default, ctx)
        if value is NOTHING:
            value = None
        if parameter.type in ("System.Object", _SWITCH):
            return value
        try:
            return cast_value(value, parameter.type)
        except Terminated as error:
            raise failure(
                "ParameterArgumentTransformationError",
                "InvalidData",
                f"Cannot process argument transformation on parameter '{node.name}'. {error.record.message}",
                type_name=f"{_SMA}.ParameterBindingArgumentTransformationException",
                inner=error.record.exception,
                command=body.name,
            ) from error

    @staticmethod
    def _unbound(parameter: _Parameter) -> Value:
        if parameter.type == _SWITCH:
            return SwitchParameter(False)
        if parameter.type in _ZEROS:
            return cast_value(None, parameter.type)
        if parameter.type.endswith(_REFERENCES):
            return None
        raise Unsupported(f"an unbound [{parameter.type}] parameter", parameter.node.line)

    def _block(self, block: nodes.Block | None, ctx: Context) -> Iterator[Value]:
        if block is None:
            return
        try:
            yield from self.run_statements(block, ctx)
        except Return:
            pass

    def _blocks(self, body: ScriptBody, call: Invocation, ctx: Context) -> Iterator[Value]:
        script = body.script
        last: list[Value] = []

        def watched(source: Iterator[Value]) -> Iterator[Value]:
            for item in source:
                last[:] = [item]
                yield item

        yield from self._block(script.begin, ctx)
        if script.process is not None:
            piped = call.input is not None
            if call.input is not None:
                call.input = watched(call.input)
            # A simple function takes every object; only `$_` has it.
            simple = ({} for _ in (call.input if call.input is not None else (None,)))
            for record in call.records() if call.spec.cmdlet_binding else simple:
                self._set_piped(body, record, ctx)
                # In a process block `$_` is the object, or `$null` when nothing was piped in.
                ctx.scope.put("_", last[0] if piped else None)
                if piped:
                    ctx.scope.put("input", PSArray(list(last)))
                yield from self._block(script.process, ctx)
        elif call.input is not None and call.spec.cmdlet_binding:
            for record in call.records():
                self._set_piped(body, record, ctx)
        elif call.input is not None:
            ctx.scope.put("input", PSArray(list(call.input)))
        yield from self._block(script.end_block, ctx)

    @staticmethod
    def _set_piped(body: ScriptBody, record: Mapping[str, Value], ctx: Context) -> None:
        for name, value in record.items():
            slot = ctx.scope.variables.get(name.casefold())
            if slot is not None and name.casefold() in body.declared:
                slot.value = SwitchParameter(to_bool(value)) if body.declared[name.casefold()].type == _SWITCH else value

    def streams(self) -> Streams:
        """The session's streams (session)."""
        raise NotImplementedError


def _positioned(parameter: Parameter, position: int) -> Parameter:
    return replace(
        parameter, sets={name: replace(how, position=position) for name, how in parameter.sets.items()}
    )
