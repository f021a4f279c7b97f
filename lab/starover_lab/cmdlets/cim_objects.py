"""Objects of CIM classes and how cmdlets made of them (network, shares, DNS) select and miss; knows no class.

Such cmdlets take wildcards in most of their arguments; a plain value that fits nothing is an error that names the
property, several of them together one that shows the query.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence

from starover_lab.cmdlets.machine import given_list
from starover_lab.cmdlets.objects import product, text_of
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.values import NetObject, PSArray, PSEnum, PSList, PSObject, Value, enumerate_

__all__ = ["CIM", "chosen", "cim", "cim_array", "cim_error", "error_32", "objects_of"]

_INFRASTRUCTURE = "Microsoft.Management.Infrastructure."
CIM = f"{_INFRASTRUCTURE}CimInstance"
_JOB = "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"


def cim(
    class_name: str,
    columns: Iterable[tuple[str, Value]],
    *,
    namespace: str = "root/StandardCimv2",
    text: str | None = None,
    above: Sequence[str] = (),
) -> PSObject:
    """An instance of a CIM class, which comes of those `above`; `.Clone()` and `[ciminstance]::new()` copy it."""
    own = list(columns)
    classes = (class_name, *above)
    made = product(
        # As CIM sessions make them: classes with their namespace, then by name alone (exports of real servers).
        [
            *(f"{CIM}#{namespace}/{name}" for name in classes),
            *(f"{CIM}#{name}" for name in classes),
            CIM,
            "System.Object",
        ],
        [*own, ("PSComputerName", None), *_about(class_name, namespace, [name for name, _ in own])],
        text=class_name if text is None else text,
    )
    made.methods["clone"] = lambda _: copy.deepcopy(made)
    return made


def _about(class_name: str, namespace: str, names: list[str]) -> list[tuple[str, Value]]:
    """What every instance tells about its class."""
    where: dict[str, Value] = {"Namespace": namespace, "ServerName": None, "ClassName": class_name, "Path": None}
    system = NetObject(
        f"{_INFRASTRUCTURE}CimSystemProperties", f"{_INFRASTRUCTURE}CimSystemProperties", properties=where
    )
    kind = NetObject(
        f"{_INFRASTRUCTURE}CimClass",
        f"{namespace}:{class_name}",
        properties={"CimClassName": class_name, "CimSystemProperties": system},
    )
    properties = [
        NetObject(f"{_INFRASTRUCTURE}CimProperty", f"{_INFRASTRUCTURE}CimProperty", properties={"Name": name})
        for name in names
    ]
    return [
        ("CimClass", kind),
        ("CimInstanceProperties", PSList(list(properties), f"{_INFRASTRUCTURE}CimPropertiesCollection")),
        ("CimSystemProperties", system),
    ]


def cim_array(items: Iterable[Value]) -> PSArray:
    """A `CimInstance[]`."""
    return PSArray(list(items), f"{CIM}[]")


def objects_of(value: Value) -> list[PSObject]:
    """The instances that -InputObject was given."""
    items = enumerate_(value) if isinstance(value, PSArray | PSList) else [value]
    return [item for item in items if isinstance(item, PSObject)]


def _word(value: Value) -> str:
    return value.name if isinstance(value, PSEnum) else text_of(value)


def chosen(
    call: Invocation, bound: Mapping[str, Value], class_name: str, every: Iterable[PSObject], *columns: str
) -> list[PSObject]:
    """Those of the instances that fit the parameters of these names; what is missed is reported."""
    kept = list(every)
    asked: list[tuple[str, list[str]]] = []
    for column in columns:
        patterns = [_word(one) for one in enumerate_(bound[column])] if bound.get(column) is not None else []
        if patterns:
            asked.append((column, patterns))
            kept = [one for one in kept if any(fits(_word(one.get(column)), pattern) for pattern in patterns)]
    if len(asked) == 1:
        column, patterns = asked[0]
        for pattern in patterns:
            if not is_pattern(pattern) and not any(fits(_word(one.get(column)), pattern) for one in kept):
                _missed(call, class_name, column, pattern)
    elif asked and not kept and not any(is_pattern(one) for _, patterns in asked for one in patterns):
        _missed_query(call, class_name, asked)
    return kept


def _missed(call: Invocation, class_name: str, column: str, value: str) -> None:
    message = (
        f"No {class_name} objects found with property '{column}' equal to '{value}'.  Verify the value of the "
        "property and retry."
    )
    error_id = f"CmdletizationQuery_NotFound_{column}"
    call.error(call.record(error_id, "ObjectNotFound", message, type_name=_JOB, target=value))


def _missed_query(call: Invocation, class_name: str, asked: list[tuple[str, list[str]]]) -> None:
    query = "SELECT *"
    where = " AND ".join(
        "(" + " OR ".join(f"({column} LIKE '{value}')" for value in patterns) + ")" for column, patterns in asked
    )
    message = (
        f"No matching {class_name} objects found by CIM query for instances of the ROOT/StandardCimv2/{class_name} "
        f"class on the  CIM server: {query} FROM {class_name}  WHERE ({where}). Verify query parameters and retry."
    )
    call.error(call.record("CmdletizationQuery_NotFound", "ObjectNotFound", message, type_name=_JOB))


def error_32(call: Invocation, number: int, category: str, message: str, target: Value = None) -> None:
    """An error of a CIM provider that carries a code of Windows (`Windows System Error 87`)."""
    record = call.record(
        f"Windows System Error {number}", category, message, type_name=f"{_INFRASTRUCTURE}CimException"
    )
    record.target = target
    call.error(record)


def names_given(bound: Mapping[str, Value], *parameters: str) -> list[str]:
    """The texts of the first of these parameters that is given."""
    for name in parameters:
        found = given_list(bound.get(name))
        if found:
            return found
    return []


def cim_error(call: Invocation, number: str, category: str, message: str, target: str) -> None:
    """Report what the CIM infrastructure refuses, by its HRESULT."""
    kind = f"{_INFRASTRUCTURE}CimException"
    call.error(call.record(f"HRESULT {number}", category, message, type_name=kind, target=target))
