"""One argument for one parameter: conversion to its type and validation, with the binder's errors."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

from starover_lab.powershell import types
from starover_lab.powershell.command import CommandSpec, Parameter
from starover_lab.powershell.convert import cast
from starover_lab.powershell.errors import PSException, Terminated, failure
from starover_lab.powershell.values import (
    NOTHING,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    ScriptBlock,
    SwitchParameter,
    Unsupported,
    Value,
    base,
    type_name,
)

__all__ = ["Coercion", "coerce", "validated"]

_SMA = "System.Management.Automation"


class Coercion(Enum):
    """Whether an argument may be converted to fit."""

    NONE = 0
    ALLOWED = 1


def _transformation(spec: CommandSpec, parameter: Parameter, error: Terminated) -> Terminated:
    reason = error.record.message
    inner = error.record.exception.inner or error.record.exception
    if spec.kind == "Function":
        made = failure(
            "ParameterArgumentTransformationError",
            "InvalidData",
            f"Cannot process argument transformation on parameter '{parameter.name}'. {reason}",
            type_name=f"{_SMA}.ParameterBindingArgumentTransformationException",
            inner=PSException(f"{_SMA}.ArgumentTransformationMetadataException", reason, inner),
            command=spec.class_name,
        )
    else:
        unfit = error.record.error_id == _UNFIT
        made = failure(
            _UNFIT if unfit else "CannotConvertArgumentNoMessage",
            "InvalidArgument",
            reason if unfit else f"Cannot bind parameter '{parameter.name}'. {reason}",
            type_name=f"{_SMA}.ParameterBindingException",
            inner=inner,
            command=spec.class_name,
        )
    made.record.activity = spec.name
    return made


def coerce(spec: CommandSpec, parameter: Parameter, value: Value, coercion: Coercion = Coercion.ALLOWED) -> Value:
    """The argument as the parameter's type. Without coercion NOTHING when it does not fit as it is."""
    if isinstance(value, Nothing):
        value = None
    if coercion is Coercion.NONE and not _fits(parameter, value):
        return NOTHING
    try:
        if parameter.transform is not None:
            return parameter.transform(value)
        return _converted(spec, parameter, value)
    except Terminated as error:
        if coercion is Coercion.NONE:
            return NOTHING  # another parameter at this position may take it
        raise _transformation(spec, parameter, error) from None


def _fits(parameter: Parameter, value: Value) -> bool:
    if parameter.is_switch:
        return isinstance(base(value), bool | SwitchParameter)
    wanted = types.resolve(parameter.type)
    inner = base(value)
    if wanted in ("System.Object", "pscustomobject", f"{_SMA}.PSObject"):
        return True
    if inner is None:
        return False
    name = type_name(inner)
    # A collection takes one of its elements as it is: the engine encodes it without converting.
    return name == wanted or (wanted.endswith("[]") and types.element_type(wanted) == name)


def _converted(spec: CommandSpec, parameter: Parameter, value: Value) -> Value:
    inner = base(value)
    by_script = spec.kind == "Function"
    if parameter.is_switch:
        # A cmdlet takes a switch with $null for a switch that is given.
        return _switch(parameter, inner) if inner is not None else not by_script
    wanted = types.resolve(parameter.type)
    if wanted in ("System.Object", "pscustomobject", f"{_SMA}.PSObject"):
        return value
    if inner is None and not by_script:
        if wanted == "System.Boolean" or wanted in _VALUE_TYPES or wanted in types.ENUMS:
            raise Unsupported(f"$null for -{parameter.name}")
        return None
    if isinstance(inner, PSArray | PSList) and not by_script and not _is_collection(wanted):
        if wanted in types.ENUMS:
            raise Unsupported(f"several values for -{parameter.name}")
        raise _unfit(parameter, inner, "Specified method is not supported.")
    if wanted == "System.Boolean":
        _check_bool(parameter, inner)
    if by_script and spec.cmdlet_binding:
        if wanted == "System.String" and isinstance(inner, PSArray):
            raise failure("InvalidCast", "InvalidArgument", "Cannot convert value to type System.String.")
        if wanted == "System.Boolean[]":
            for item in inner.items if isinstance(inner, PSArray | PSList) else [inner]:
                _check_bool(parameter, base(item))
    if wanted == f"{_SMA}.ScriptBlock[]" and isinstance(inner, ScriptBlock):
        return PSArray([inner], wanted)
    if wanted == "System.Collections.IDictionary":
        if isinstance(inner, PSHashtable | OrderedHashtable):
            return inner
        raise Unsupported(f"a {type_name(inner)} for -{parameter.name}")
    if wanted in _OBJECTS:
        if type_name(inner) == wanted or (isinstance(inner, PSObject) and wanted in inner.type_names):
            return value
        raise Unsupported(f"a {type_name(inner)} for -{parameter.name}")
    return cast(value, wanted)


_UNFIT = "CannotConvertArgument"


def _unfit(parameter: Parameter, inner: Value, why: str) -> Terminated:
    """What a cmdlet says of an argument that is not even tried to be converted."""
    text = (
        f"Cannot convert '{type_name(inner)}' to the type '{types.resolve(parameter.type)}' required by parameter "
        f"'{parameter.name}'. {why}"
    )
    return failure(_UNFIT, "InvalidArgument", text, type_name="System.NotSupportedException")


def _check_bool(parameter: Parameter, inner: Value) -> None:
    """Booleans and numbers alone are taken for a boolean."""
    if not isinstance(inner, bool | int | float | Decimal | SwitchParameter):
        raise _unfit(parameter, inner, "")


def _is_collection(wanted: str) -> bool:
    return wanted.endswith("]") or wanted in _COLLECTIONS


_VALUE_TYPES = frozenset(
    f"System.{name}"
    for name in ("Int32", "Int64", "UInt32", "UInt64", "Int16", "UInt16", "Byte", "Double", "Decimal", "DateTime")
) | {"System.TimeSpan", "System.Guid", "System.Char"}
_COLLECTIONS = frozenset({"System.Array", "System.Collections.ArrayList", "System.Collections.IList"})
_OBJECTS = frozenset({f"{_SMA}.ScriptBlock", f"{_SMA}.PSCredential", "System.Security.SecureString"})


def _switch(parameter: Parameter, value: Value) -> bool:
    if isinstance(value, SwitchParameter):
        return value.present
    _check_bool(parameter, value)
    return bool(value)


def _invalid(spec: CommandSpec, error_id: str, text: str) -> Terminated:
    made = failure(
        error_id,
        "InvalidData",
        text,
        type_name=f"{_SMA}.ParameterBindingValidationException",
        target=None,
        command=spec.class_name,
    )
    made.record.activity = spec.name
    return made


def _mandatory(parameter: Parameter) -> bool:
    return any(how.mandatory for how in parameter.sets.values())


def validated(spec: CommandSpec, parameter: Parameter, value: Value) -> Value:
    """The converted argument, if it may be bound. Raises `Terminated` with the engine's id."""
    inner = base(value)
    problem = _attribute_problem(parameter, inner)
    for check in () if problem else parameter.validations:
        problem = check(value)
        if problem is not None:
            break
    if problem is not None:
        text = f"Cannot validate argument on parameter '{parameter.name}'. {problem}"
        raise _invalid(spec, "ParameterArgumentValidationError", text)
    if _mandatory(parameter) and not parameter.is_switch:
        _check_given(spec, parameter, inner)
    return value


def _check_given(spec: CommandSpec, parameter: Parameter, inner: Value) -> None:
    name = f"Cannot bind argument to parameter '{parameter.name}'"
    prefix = "ParameterArgumentValidationError"
    if inner is None and not parameter.allow_null:
        raise _invalid(spec, f"{prefix}NullNotAllowed", f"{name} because it is null.")
    declared = types.resolve(parameter.type)
    if declared == "System.String":
        if inner == "" and not parameter.allow_empty_string:
            raise _invalid(spec, f"{prefix}EmptyStringNotAllowed", f"{name} because it is an empty string.")
        return
    # Only what is declared as a collection is looked into: an untyped parameter takes '' and @().
    if not _is_collection(declared) or not isinstance(inner, PSArray | PSList):
        return
    if not inner.items and not parameter.allow_empty_collection:
        kind = "EmptyArrayNotAllowed" if declared.endswith("[]") else "EmptyCollectionNotAllowed"
        raise _invalid(spec, f"{prefix}{kind}", f"{name} because it is an empty array.")
    texts = types.element_type(declared) == "System.String"
    for item in inner.items:
        one = base(item)
        if one is None and not parameter.allow_null:
            raise _invalid(spec, f"{prefix}NullNotAllowed", f"{name} because it is null.")
        if texts and one == "" and not parameter.allow_empty_string:
            text = f"{name} because it is an empty string."
            raise _invalid(spec, f"{prefix}EmptyStringNotAllowed", text)


def _attribute_problem(parameter: Parameter, inner: Value) -> str | None:
    if parameter.not_null or parameter.not_empty:
        if inner is None:
            return (
                "The argument is null. Provide a valid value for the argument, and then try running the command again."
            )
        if parameter.not_empty and isinstance(inner, PSHashtable | OrderedHashtable) and not len(inner):
            raise Unsupported(f"an empty dictionary for -{parameter.name}: 5.1 and 7 differ")
        items = inner.items if isinstance(inner, PSArray | PSList) else []
        if any(base(item) is None for item in items):
            return "The argument is null, or an element of the argument collection contains a null value."
        if parameter.not_empty and (
            (isinstance(inner, str) and inner == "")
            or (isinstance(inner, PSArray | PSList) and not items)
            or any(base(item) == "" for item in items)
        ):
            return "The argument is null or empty. Provide an argument that is not null or empty."
    return None
