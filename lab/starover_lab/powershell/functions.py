"""Functions and script blocks at work: scopes, parameters as variables, begin, process and end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from starover_lab.powershell import nodes
from starover_lab.powershell.automatic import preference
from starover_lab.powershell.command import (
    Invocation,
)
from starover_lab.powershell.context import Context
from starover_lab.powershell.convert import cast as cast_value
from starover_lab.powershell.convert import to_bool
from starover_lab.powershell.errors import Terminated, failure
from starover_lab.powershell.failures import action_preference
from starover_lab.powershell.flow import Return
from starover_lab.powershell.function_specs import DeclaredParameter, FunctionSpecs, ParameterText, ScriptBody
from starover_lab.powershell.runner import CallRunner
from starover_lab.powershell.scopes import Scope, Slot
from starover_lab.powershell.streams import Collected, Noted, StreamName
from starover_lab.powershell.values import (
    NOTHING,
    NetObject,
    PSArray,
    PSEnum,
    PSHashtable,
    ScriptBlock,
    SwitchParameter,
    Unsupported,
    Value,
)

__all__ = ["Functions"]

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


class BoundParameters(PSHashtable):
    """`$PSBoundParameters`: a dictionary in the order in which parameters were bound."""

    def pairs(self) -> list[tuple[Value, Value]]:
        """Key and value, as bound."""
        return list(self.entries.values())


class Functions(FunctionSpecs):
    """Calls of functions and script blocks."""

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
        piped = [] if item is NOTHING else [item]
        given: dict[str, Value] = {"args": PSArray(list(args[len(parameters) :])), "input": PSArray(piped)}
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
        spec = self.spec(script, "", ctx, new_scope=True)
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
        lists: dict[StreamName, Collected] = dict(runner.lists)
        lists.pop("output", None)
        ctx = Context(
            scope,
            Noted(outer.streams, lists) if lists else outer.streams,
            body.script,
            propagate=outer.propagate,
            function=body.name or outer.function,
            caller=None if outer.script is None else outer,
            swallow=outer.swallow,
        )
        outer.line = call.line
        if body.new_scope:
            self._automatic(call, ctx)
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

    def _automatic(self, call: Invocation, ctx: Context) -> None:
        scope = ctx.scope
        bound = BoundParameters()
        for name, value in call.bound.items():
            bound.set(name, value)
        for name, value in call.common.items():
            bound.set(name, value)
        scope.put("args", PSArray(self._rest(call)))
        scope.put("input", PSArray())
        scope.put("PSBoundParameters", bound)
        # A script block without a name has its own too, whose command has an empty name.
        nameless = NetObject(f"{_SMA}.ScriptInfo", "", properties={"Name": ""})
        named = call.runner.invocation_info(call)
        info: Value = (
            named if call.spec.name else NetObject(f"{_SMA}.InvocationInfo", "", properties={"MyCommand": nameless})
        )
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

    def _default(self, body: ScriptBody, parameter: DeclaredParameter, ctx: Context) -> Value:
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
    def _unbound(parameter: DeclaredParameter) -> Value:
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
        with suppress(Return):
            yield from self.run_statements(block, ctx)

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
            for record in call.records() if call.spec.cmdlet_binding else _plainly(call):
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
                slot.value = (
                    SwitchParameter(to_bool(value)) if body.declared[name.casefold()].type == _SWITCH else value
                )


def _plainly(call: Invocation) -> Iterator[Mapping[str, Value]]:
    """One record without bound parameters for each object, or one altogether."""
    if call.input is None:
        yield {}
        return
    for _ in call.input:
        yield {}
