"""Where-Object and ForEach-Object."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.powershell import members, operators
from starover_lab.powershell.command import InSet, Invocation, Parameter
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.core.common import CORE, INPUT, cmdlet, only_in_7
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import (
    Nothing,
    PSArray,
    PSHashtable,
    PSList,
    ScriptBlock,
    Value,
    base,
)

__all__ = ["COMMANDS"]

_COMPARISONS = [
    "EQ",
    "CEQ",
    "NE",
    "CNE",
    "GT",
    "CGT",
    "LT",
    "CLT",
    "GE",
    "CGE",
    "LE",
    "CLE",
    "Like",
    "CLike",
    "NotLike",
    "CNotLike",
    "Match",
    "CMatch",
    "NotMatch",
    "CNotMatch",
    "Contains",
    "CContains",
    "NotContains",
    "CNotContains",
    "In",
    "CIn",
    "NotIn",
    "CNotIn",
    "Is",
    "IsNot",
]


def _where(call: Invocation) -> Iterator[Value]:
    block = base(call.bound.get("FilterScript"))
    for bound in call.records():
        item = bound.get("InputObject")
        if "InputObject" not in bound:
            continue
        if isinstance(block, ScriptBlock):
            out = list(call.call_block(block, item))
            keep = to_bool(out[0] if len(out) == 1 else PSArray(out))
        else:
            keep = _holds(call, item)
        if keep:
            yield item


def _holds(call: Invocation, item: Value) -> bool:
    name = to_string(call.bound.get("Property"))
    chosen = next((one for one in _COMPARISONS if one in call.bound), None)
    if any(c in name for c in "*?["):
        raise Unsupported("Where-Object with a wildcard for the property")
    value = None if base(item) is None else members.get(item, name, run=call.run_member)
    if chosen is None:
        return to_bool(value)
    right = call.bound.get("Value")
    if chosen in ("Is", "IsNot"):
        raise Unsupported("Where-Object -Is")
    if chosen.lower().lstrip("c") in ("match", "notmatch"):

        def set_matches(table: PSHashtable) -> None:
            call.runner.set_variable("Matches", table)

        return to_bool(operators.binary(f"-{chosen}", value, right, set_matches=set_matches))
    return to_bool(operators.binary(f"-{chosen}", value, right))


def _blocks(value: Value) -> list[ScriptBlock]:
    inner = base(value)
    items = inner.items if isinstance(inner, PSArray | PSList) else [inner]
    return [one for item in items if isinstance(one := base(item), ScriptBlock)]


def _for_each(call: Invocation) -> Iterator[Value]:
    if "MemberName" in call.bound:
        yield from _members(call)
        return
    process = _blocks(call.bound.get("Process"))
    begin, end = _blocks(call.bound.get("Begin")), _blocks(call.bound.get("End"))
    more = _blocks(call.bound.get("RemainingScripts"))
    blocks = [*process, *more]
    # Several blocks without names: the first is Begin, the last is End.
    if len(blocks) > 1 and not begin:
        begin, blocks = blocks[:1], blocks[1:]
        if len(blocks) > 1 and not end:
            blocks, end = blocks[:-1], blocks[-1:]
    for block in begin:
        yield from call.call_block(block)
    for bound in call.records():
        for block in blocks:
            yield from call.call_block(block, bound.get("InputObject"))
    for block in end:
        yield from call.call_block(block)


def _members(call: Invocation) -> Iterator[Value]:
    name = to_string(call.bound["MemberName"])
    arguments = base(call.bound.get("ArgumentList"))
    given = arguments.items if isinstance(arguments, PSArray | PSList) else []
    if any(c in name for c in "*?["):
        raise Unsupported("ForEach-Object with a wildcard for the member")
    for bound in call.records():
        item = bound.get("InputObject")
        inner = base(item)
        if inner is None:
            raise Unsupported("ForEach-Object -MemberName on $null")
        found = None if given else members.find(item, name, run=call.run_member)
        if found is not None:
            result: Value = found[0]
        elif given or members.has_method(item, name):
            result = members.call(item, name, given, run=call.run_member)
        elif isinstance(inner, PSArray | PSList | PSHashtable):
            raise Unsupported("ForEach-Object -MemberName on a collection")
        else:
            result = members.get(item, name)
        if isinstance(result, Nothing):
            continue
        spread = base(result)
        if isinstance(spread, PSArray | PSList):
            yield from spread.items
        else:
            yield result


def _comparison(name: str) -> Parameter:
    aliases = (f"I{name}",) if not name.startswith("C") or name == "Contains" else ()
    mandatory = InSet(mandatory=True)
    return Parameter(name=name, type="switch", aliases=aliases, sets={f"{name}Set": mandatory})


_SETS = {f"{name}Set": name for name in _COMPARISONS}

COMMANDS = (
    cmdlet(
        "Where-Object",
        _where,
        INPUT,
        Parameter.of("FilterScript", "scriptblock", sets=["ScriptBlockSet"], mandatory=True, position=0),
        Parameter(
            name="Property",
            type="string",
            sets={
                **{name: InSet(mandatory=True, position=0) for name in _SETS},
                "EQSet": InSet(mandatory=True, position=0),
            },
        ),
        Parameter(name="Value", type="object", sets={name: InSet(position=1) for name in _SETS}),
        Parameter(name="EQ", type="switch", aliases=("IEQ",), sets={"EQSet": InSet()}),
        *(_comparison(name) for name in _COMPARISONS if name != "EQ"),
        only_in_7("Not", "switch"),
        module=CORE,
        default_set="EQSet",
    ),
    cmdlet(
        "ForEach-Object",
        _for_each,
        INPUT,
        Parameter.of("Begin", "scriptblock", sets=["ScriptBlockSet"]),
        Parameter(
            name="Process",
            type="scriptblock[]",
            sets={"ScriptBlockSet": InSet(mandatory=True, position=0)},
            allow_null=True,
            allow_empty_collection=True,
        ),
        Parameter.of("End", "scriptblock", sets=["ScriptBlockSet"]),
        Parameter(name="RemainingScripts", type="scriptblock[]", sets={"ScriptBlockSet": InSet(remaining=True)}),
        Parameter.of("MemberName", "string", sets=["PropertyAndMethodSet"], mandatory=True, position=0),
        Parameter(
            name="ArgumentList",
            type="object[]",
            aliases=("Args",),
            sets={"PropertyAndMethodSet": InSet(remaining=True)},
        ),
        only_in_7("Parallel", "scriptblock"),
        only_in_7("ThrottleLimit", "int"),
        only_in_7("TimeoutSeconds", "int"),
        only_in_7("AsJob", "switch"),
        module=CORE,
        class_name="Microsoft.PowerShell.Commands.ForEachObjectCommand",
        default_set="ScriptBlockSet",
        should_process=True,
    ),
)
