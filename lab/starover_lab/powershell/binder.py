"""Which argument goes to which parameter, and the errors when none fits; knows no particular command.

The order is PowerShell's own: named arguments, positions, what remains, the parameter set, what must not be missing;
then, per pipeline object, by value and by property name, first as it is and then converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from starover_lab.powershell import members
from starover_lab.powershell.binding_values import Coercion, coerce, validated
from starover_lab.powershell.command import (
    ALL_SETS,
    COMMON_ALIASES,
    RISK_ALIASES,
    Argument,
    CommandSpec,
    InSet,
    Invocation,
    Parameter,
    Runner,
)
from starover_lab.powershell.errors import ErrorRecord, PSException, Terminated, failure
from starover_lab.powershell.values import (
    NOTHING,
    NetObject,
    PSArray,
    PSObject,
    Unsupported,
    Value,
    base,
    type_name,
)

__all__ = ["bind"]

_BINDING = "System.Management.Automation.ParameterBindingException"
_COMMON_TYPES = {
    "ErrorAction": "object",
    "WarningAction": "object",
    "InformationAction": "object",
    "Verbose": "switch",
    "Debug": "switch",
    "WhatIf": "switch",
    "Confirm": "switch",
    "OutBuffer": "int",
}
_COMMON = {
    name: Parameter.of(name, _COMMON_TYPES.get(name, "string"), aliases=[alias])
    for name, alias in (COMMON_ALIASES | RISK_ALIASES).items()
}
_COMMON_BY_NAME = {name.casefold(): one for one in _COMMON.values() for name in (one.name, *one.aliases)}


def _error(spec: CommandSpec, error_id: str, message: str, target: Value = None) -> Terminated:
    error = failure(error_id, "InvalidArgument", message, type_name=_BINDING, target=target, command=spec.class_name)
    error.record.activity = spec.name
    return error


@dataclass(eq=False)
class _Binding:
    """One command line being bound."""

    spec: CommandSpec
    sets: frozenset[str]
    """The parameter sets that are still possible."""
    bound: dict[str, Value] = field(default_factory=dict[str, Value])
    common: dict[str, Value] = field(default_factory=dict[str, Value])
    rest: list[Argument] = field(default_factory=list[Argument])

    def in_set(self, parameter: Parameter, name: str) -> InSet | None:
        return parameter.sets.get(name) or parameter.sets.get(ALL_SETS)

    def possible(self, parameter: Parameter) -> bool:
        return ALL_SETS in parameter.sets or not self.sets.isdisjoint(parameter.sets)

    def narrow(self, parameter: Parameter) -> None:
        """Only sets with this parameter are left. Raises `Terminated` when there are none."""
        if ALL_SETS in parameter.sets:
            return
        left = self.sets.intersection(parameter.sets)
        if not left:
            raise _ambiguous_set(self.spec)
        self.sets = left

    def put(self, parameter: Parameter, value: Value) -> None:
        if parameter.name in _COMMON and parameter.name in self.spec.common_names():
            self.common[parameter.name] = value
            return
        self.narrow(parameter)
        self.bound[parameter.name] = value


def _ambiguous_set(spec: CommandSpec) -> Terminated:
    text = "Parameter set cannot be resolved using the specified named parameters."
    return _error(spec, "AmbiguousParameterSet", text)


def bind(
    spec: CommandSpec, arguments: Sequence[Argument], runner: Runner, *, machine: object = None, line: int = 0
) -> Invocation:
    """Bind a command line. Raises `Terminated` with the engine's binding errors.

    What a simple function cannot bind is left in `Invocation.rest`.
    """
    binding = _Binding(spec, frozenset(spec.set_names))
    unbound = _named(binding, list(arguments))
    unbound = _positional(binding, unbound)
    _remaining(binding, unbound)
    call = Invocation(
        spec=spec,
        runner=runner,
        machine=machine,
        bound=binding.bound,
        common=binding.common,
        rest=binding.rest,
        line=line,
        make_records=_Records(binding),
    )
    call.set_name = _settle(binding, piped=spec.takes_pipeline)
    return call


# -- names


def _find(spec: CommandSpec, name: str) -> Parameter | None:
    """The parameter that a name, an alias or an unambiguous beginning means."""
    wanted = name.casefold()
    if wanted in spec.parameters_by_name:
        return spec.parameters_by_name[wanted]
    common = _COMMON_BY_NAME.get(wanted)
    if common is not None and common.name in spec.common_names():
        return common
    candidates = [*spec.parameters, *(_COMMON[common] for common in spec.common_names())]
    found: list[Parameter] = []
    for parameter in candidates:
        names = [parameter.name.casefold(), *(alias.casefold() for alias in parameter.aliases)]
        if wanted in names:
            return parameter
        if any(one.startswith(wanted) for one in names):
            found.append(parameter)
    if len(found) > 1:
        own = [parameter for parameter in found if parameter in spec.parameters]
        if len(own) == 1:
            return own[0]
        matches = " ".join(f"-{parameter.name}" for parameter in found)
        text = (
            f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. "
            f"Possible matches include: {matches}."
        )
        raise _error(spec, "AmbiguousParameter", text, name)
    return found[0] if found else None


def _named(binding: _Binding, arguments: list[Argument]) -> list[Argument]:
    """Bind the arguments with names; what is left comes back in order."""
    spec = binding.spec
    left: list[Argument] = []
    pairs: list[tuple[Parameter, Value]] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        position += 1
        parameter = None if argument.name is None else _find(spec, argument.name)
        if parameter is None:
            left.append(argument)
        elif argument.has_value:
            pairs.append((parameter, argument.value))
        elif parameter.is_switch:
            pairs.append((parameter, True))
        elif position < len(arguments) and arguments[position].name is None:
            pairs.append((parameter, arguments[position].value))
            position += 1
        else:
            text = f"Missing an argument for parameter '{parameter.name}'. Specify a parameter and try again."
            raise _error(spec, "MissingArgument", text, parameter.name)
    for parameter, value in pairs:
        if parameter.name in binding.bound or (parameter.name in binding.common):
            text = (
                f"Cannot bind parameter because parameter '{parameter.name}' is specified more than once. To provide "
                "multiple values to parameters that can accept multiple values, use the array syntax."
            )
            raise _error(spec, "ParameterAlreadyBound", text, parameter.name)
        binding.put(parameter, validated(spec, parameter, coerce(spec, parameter, value)))
    return left


# -- positions


def _positional(binding: _Binding, arguments: list[Argument]) -> list[Argument]:
    """Bind arguments without names by position; what is left comes back in order."""
    spec = binding.spec
    waiting = [argument for argument in arguments if argument.name is None]
    for place in spec.places:
        if not waiting:
            break
        if _bind_at(binding, place, waiting[0].value, alone=len(arguments) == 1):
            waiting.pop(0)
    kept = {id(argument) for argument in waiting}
    return [argument for argument in arguments if argument.name is not None or id(argument) in kept]


def _bind_at(binding: _Binding, place: int, value: Value, *, alone: bool) -> bool:
    default = binding.spec.default_set
    first = frozenset({default}) & binding.sets
    there = [parameter for parameter in binding.spec.places[place] if parameter.name not in binding.bound]
    for sets, converts in ((first, False), (binding.sets, False), (first, True), (binding.sets, True)):
        for parameter in there:
            at = [how for name in sets if (how := binding.in_set(parameter, name)) is not None]
            if not any(how.position == place for how in at):
                continue
            if not alone and any(how.remaining for how in at):
                # It takes all that remains, this one among it.
                continue
            coercion = Coercion.ALLOWED if converts else Coercion.NONE
            made = coerce(binding.spec, parameter, value, coercion)
            if made is not NOTHING:
                binding.put(parameter, validated(binding.spec, parameter, made))
                return True
    return False


def _remaining(binding: _Binding, arguments: list[Argument]) -> None:
    """What neither a name nor a position took."""
    spec = binding.spec
    if not arguments:
        return
    for parameter in spec.parameters:
        takes = any(how.remaining for name in binding.sets if (how := binding.in_set(parameter, name)) is not None)
        if takes and parameter.name not in binding.bound:
            items: list[Value] = []
            for argument in arguments:
                if argument.name is not None:
                    items.append(argument.text or f"-{argument.name}")
                if argument.has_value:
                    items.append(argument.value)
            value: Value = items[0] if len(items) == 1 else PSArray(items)
            binding.put(parameter, validated(spec, parameter, coerce(spec, parameter, value)))
            return
    if not spec.cmdlet_binding:
        binding.rest.extend(arguments)
        return
    first = arguments[0]
    if first.name is not None:
        text = f"A parameter cannot be found that matches parameter name '{first.name}'."
        raise _error(spec, "NamedParameterNotFound", text, first.name)
    text = "A positional parameter cannot be found that accepts this argument."
    raise _error(spec, "PositionalParameterNotFound", text, first.value)


# -- sets


def _missing(binding: _Binding, name: str, bound: Mapping[str, Value], *, piped: bool) -> list[str]:
    """Mandatory parameters of a set that are not bound; `piped`: those that the pipeline may bring do not count."""
    missing: list[str] = []
    for parameter in binding.spec.parameters:
        how = binding.in_set(parameter, name)
        if how is None or not how.mandatory or parameter.name in bound:
            continue
        if piped and (how.by_value or how.by_property):
            continue
        missing.append(parameter.name)
    return missing


def _settle(binding: _Binding, *, piped: bool) -> str:
    """The parameter set of a command line (`piped`: before any pipeline object)."""
    spec = binding.spec
    sets = binding.sets
    complete = [
        name for name in spec.set_names if name in sets and not _missing(binding, name, binding.bound, piped=piped)
    ]
    if not complete:
        chosen = spec.default_set if spec.default_set in sets else next(iter(sets)) if len(sets) == 1 else None
        if chosen is None:
            raise _ambiguous_set(spec)
        raise missing_mandatory(spec, _missing(binding, chosen, binding.bound, piped=piped))
    if spec.default_set in complete:
        return spec.default_set
    if len(complete) > 1:
        if piped:
            return ALL_SETS
        raise _ambiguous_set(spec)
    return complete[0]


def missing_mandatory(spec: CommandSpec, names: list[str]) -> Terminated:
    """What a session that cannot ask says of mandatory parameters."""
    text = f"Cannot process command because of one or more missing mandatory parameters: {' '.join(names)}."
    return _error(spec, "MissingMandatoryParameter", text)


# -- the pipeline


class _Records:
    """The binder's second half: the bound parameters for each pipeline object."""

    def __init__(self, binding: _Binding) -> None:
        self.binding = binding

    def __call__(self, call: Invocation) -> Iterator[Mapping[str, Value]]:
        binding = self.binding
        if call.input is None:
            call.set_name = _settle(binding, piped=False)
            yield dict(binding.bound)
            return
        open_parameters = [
            parameter
            for parameter in binding.spec.parameters
            if parameter.name not in binding.bound and parameter.takes_pipeline and binding.possible(parameter)
        ]
        for item in call.input:
            made = self._bind_object(call, open_parameters, item)
            if made is not None:
                yield made

    def _bind_object(self, call: Invocation, parameters: list[Parameter], item: Value) -> Mapping[str, Value] | None:
        binding = self.binding
        record = _Binding(binding.spec, binding.sets, dict(binding.bound))
        found = False
        for coercion in (Coercion.NONE, Coercion.ALLOWED):
            for by_value in (True, False):
                for parameter in parameters:
                    if parameter.name in record.bound or not record.possible(parameter):
                        continue
                    value = _from_object(record, parameter, item, by_value=by_value)
                    if value is NOTHING:
                        continue
                    try:
                        made = coerce(binding.spec, parameter, value, coercion)
                        if made is NOTHING:
                            continue
                        record.put(parameter, validated(binding.spec, parameter, made))
                        found = True
                    except Terminated as error:
                        if error.record.exception.type_name.endswith("ValidationException"):
                            call.error(error.record)
                            return None
        if not found:
            call.error(_not_bound(binding.spec, item))
            return None
        try:
            call.set_name = _settle(record, piped=False)
        except Terminated as error:
            call.error(error.record)
            return None
        return record.bound


def _not_bound(spec: CommandSpec, item: Value) -> ErrorRecord:
    text = (
        "The input object cannot be bound to any parameters for the command either because the command does not take "
        "pipeline input or the input and its properties do not match any of the parameters that take pipeline input."
    )
    return ErrorRecord(
        exception=PSException(_BINDING, text),
        error_id="InputObjectNotBound",
        category="InvalidArgument",
        target=item,
        command=spec.class_name,
        activity=spec.name,
    )


def _from_object(binding: _Binding, parameter: Parameter, item: Value, *, by_value: bool) -> Value:
    """What a pipeline object offers to a parameter: itself, or its property of that name; NOTHING."""
    ways = [how for name in binding.sets if (how := binding.in_set(parameter, name)) is not None]
    if by_value:
        return item if any(how.by_value for how in ways) else NOTHING
    if not any(how.by_property for how in ways):
        return NOTHING
    inner = base(item)
    if not isinstance(item, PSObject):
        if isinstance(inner, NetObject):
            raise Unsupported(f"a {type_name(inner)} bound by property name")
        if isinstance(inner, str) and parameter.name.casefold() not in ("length", "chars"):
            return NOTHING
        if inner is None or isinstance(inner, int | float):
            return NOTHING
        raise Unsupported(f"a {type_name(inner)} bound by property name")
    for name in (parameter.name, *parameter.aliases):
        if item.find(name) is not None:
            return members.get(item, name)
    return NOTHING
