"""Add-Member, New-Object, New-TimeSpan."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.powershell import dates, members, types
from starover_lab.powershell.command import InSet, Invocation, Parameter
from starover_lab.powershell.constructors import construct
from starover_lab.powershell.convert import cast, to_bool, to_string
from starover_lab.powershell.core.common import cmdlet
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.values import (
    OrderedHashtable,
    Property,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    ScriptBlock,
    TimeSpan,
    Value,
    base,
    fold,
    type_name,
)

__all__ = ["COMMANDS"]


def _member_of(kind: str, name: str, value: Value) -> Property:
    match kind.casefold():
        case "noteproperty":
            return Property(name, value)
        case "scriptproperty" | "scriptmethod" if isinstance(base(value), ScriptBlock):
            exact = "ScriptProperty" if kind.casefold() == "scriptproperty" else "ScriptMethod"
            return Property(name, base(value), exact)  # type: ignore[arg-type]  # one of the two kinds
        case "aliasproperty":
            return Property(name, to_string(value), "AliasProperty")
        case _:
            raise Unsupported(f"Add-Member -MemberType {kind}")


def _added(call: Invocation) -> list[Property]:
    bound = call.bound
    if "TypeName" in bound or "SecondValue" in bound:
        raise Unsupported("Add-Member -TypeName, -SecondValue")
    if "NotePropertyMembers" in bound:
        table = base(bound["NotePropertyMembers"])
        assert isinstance(table, PSHashtable | OrderedHashtable)
        return [Property(to_string(key), value) for key, value in table.pairs()]
    if "NotePropertyName" in bound:
        return [Property(to_string(bound["NotePropertyName"]), bound.get("NotePropertyValue"))]
    return [_member_of(to_string(bound.get("MemberType")), to_string(bound.get("Name")), bound.get("Value"))]


def _add_member(call: Invocation) -> Iterator[Value]:
    force, pass_through = to_bool(call.bound.get("Force", False)), to_bool(call.bound.get("PassThru", False))
    for bound in call.records():
        item = bound.get("InputObject")
        added = _added(call)
        inner = base(item)
        if isinstance(item, PSObject):
            target = item
        elif inner is None or isinstance(inner, PSArray | PSList | PSHashtable | OrderedHashtable):
            raise Unsupported("Add-Member on a collection")
        else:
            # A plain value gets a wrapper of its own, seen only by what takes it from here.
            target = PSObject(type_names=[type_name(inner), "System.Object"], base_value=inner)
        for one in added:
            old = target.find(one.name)
            if old is not None and (not force or old.kind == "Property"):
                text = f'Cannot add a member with the name "{one.name}" because a member with that name already exists.'
                call.error(call.record("MemberAlreadyExists", "InvalidOperation", text, target=item))
                return
            if (
                not isinstance(target.base_value, PSObject)
                and members.find(inner, one.name) is not None
                and old is None
            ):
                raise Unsupported("Add-Member over a member of the type")
            target.properties[fold(one.name)] = one
        if pass_through:
            yield target


def _kind(value: Value) -> Value:
    text = to_string(value)
    known = ("NoteProperty", "ScriptProperty", "ScriptMethod", "AliasProperty")
    found = [name for name in known if name.casefold() == text.casefold()]
    if not found:
        raise Unsupported(f"Add-Member -MemberType {text}")
    return found[0]


# -- New-Object


def _new_object(call: Invocation) -> Iterator[Value]:
    if "ComObject" in call.bound or "Strict" in call.bound:
        raise Unsupported("New-Object -ComObject")
    name = to_string(call.bound.get("TypeName"))
    try:
        full = types.resolve(name)
    except Terminated:
        text = f"Cannot find type [{name}]: verify that the assembly containing this type is loaded."
        raise call.fail(
            call.record(
                "TypeNotFound",
                "InvalidType",
                text,
                type_name="System.Management.Automation.PSArgumentException",
            )
        ) from None
    arguments = base(call.bound.get("ArgumentList"))
    given = list(arguments.items) if isinstance(arguments, PSArray | PSList) else []
    properties = base(call.bound.get("Property"))
    made = construct(full, given)
    if isinstance(properties, PSHashtable | OrderedHashtable):
        if not isinstance(made, PSObject):
            raise Unsupported("New-Object -Property of this type")
        for key, value in properties.pairs():
            made.set(to_string(key), value)
    yield made


# -- New-TimeSpan


def _new_time_span(call: Invocation) -> Iterator[Value]:
    start, end = call.bound.get("Start"), call.bound.get("End")
    for bound in call.records():
        start = bound.get("Start", start)
    if start is not None or end is not None:
        now = call.runner.now()
        first = cast(start, "System.DateTime") if start is not None else now
        last = cast(end, "System.DateTime") if end is not None else now
        yield members.call(last, "Subtract", [first])
        return
    total = 0
    for name, unit in (("Days", 86_400), ("Hours", 3600), ("Minutes", 60), ("Seconds", 1)):
        number = call.bound.get(name, 0)
        assert isinstance(number, int)
        total += int(number) * unit
    yield TimeSpan(total * dates.TICKS_PER_SECOND)


_MEMBER_SETS = ("MemberSet", "NotePropertySingleMemberSet", "NotePropertyMultiMemberSet", "TypeNameSet")

COMMANDS = (
    cmdlet(
        "Add-Member",
        _add_member,
        Parameter(
            name="InputObject", type="psobject", sets=dict.fromkeys(_MEMBER_SETS, InSet(mandatory=True, by_value=True))
        ),
        Parameter(
            name="MemberType",
            type="object",
            aliases=("Type",),
            sets={"MemberSet": InSet(mandatory=True, position=0)},
            transform=_kind,
        ),
        Parameter.of("Name", "string", sets=["MemberSet"], mandatory=True, position=1),
        Parameter.of("Value", "object", sets=["MemberSet"], position=2),
        Parameter.of("SecondValue", "object", sets=["MemberSet"], position=3),
        Parameter.of("TypeName", "string"),
        Parameter.of("Force", "switch", sets=_MEMBER_SETS[:3]),
        Parameter.of("PassThru", "switch"),
        Parameter(
            name="NotePropertyName",
            type="string",
            sets={"NotePropertySingleMemberSet": InSet(mandatory=True, position=0)},
            validations=(),
        ),
        Parameter(
            name="NotePropertyValue",
            type="object",
            sets={"NotePropertySingleMemberSet": InSet(mandatory=True, position=1)},
            allow_null=True,
            allow_empty_string=True,
            allow_empty_collection=True,
        ),
        Parameter(
            name="NotePropertyMembers",
            type="System.Collections.IDictionary",
            sets={"NotePropertyMultiMemberSet": InSet(mandatory=True, position=0)},
        ),
        default_set="TypeNameSet",
    ),
    cmdlet(
        "New-Object",
        _new_object,
        Parameter.of("TypeName", "string", sets=["Net"], mandatory=True, position=0),
        Parameter.of("ArgumentList", "object[]", sets=["Net"], position=1, aliases=["Args"]),
        Parameter.of("ComObject", "string", sets=["Com"], mandatory=True, position=0),
        Parameter.of("Strict", "switch", sets=["Com"]),
        Parameter.of("Property", "System.Collections.IDictionary"),
        default_set="Net",
    ),
    cmdlet(
        "New-TimeSpan",
        _new_time_span,
        Parameter.of("Start", "datetime", sets=["Date"], position=0, by_value=True, aliases=["LastWriteTime"]),
        Parameter.of("End", "datetime", sets=["Date"], position=1),
        *(Parameter.of(name, "int", sets=["Time"]) for name in ("Days", "Hours", "Minutes", "Seconds")),
        default_set="Date",
    ),
)
