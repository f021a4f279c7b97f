"""GET_COMMAND_METADATA: what a client asks of Get-Command, and the objects it gets (rules R27, G); runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from starover_lab.powershell.values import (
    NetObject,
    OrderedHashtable,
    Property,
    PSArray,
    PSEnum,
    PSHashtable,
    PSList,
    PSObject,
    Value,
    base,
)
from starover_lab.wire.clixml_in import Reader, parse
from starover_lab.wire.clixml_text import plain_text
from starover_lab.wire.endpoint import Command, Pipeline

__all__ = ["Question", "answers", "question"]

_SMA = "System.Management.Automation"
_OWN = f"{_SMA}, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35"
_LIB = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_TYPES = f"System.Collections.ObjectModel.ReadOnlyCollection`1[[{_SMA}.PSTypeName, {_OWN}]]"
_NAMES = f"System.Collections.ObjectModel.Collection`1[[System.String, {_LIB}]]"
_CUSTOM = f"{_SMA}.PSCustomObject"
_ALL = 511


class _Parameters(OrderedHashtable):
    type_name = f"System.Collections.Generic.Dictionary`2[[System.String, {_LIB}],[{_SMA}.ParameterMetadata, {_OWN}]]"


@dataclass(frozen=True)
class Question:
    """What is asked for."""

    names: tuple[str, ...]
    kinds: int
    """Flags of CommandTypes."""
    modules: tuple[str, ...]

    def pipeline(self, invocation: int) -> Pipeline:
        """What the session is to run for it."""
        parameters: list[tuple[str | None, Value]] = [("ErrorAction", "SilentlyContinue")]
        if self.names:
            parameters.append(("Name", PSArray([*self.names], "System.String[]")))
        command = Command(text="Get-Command", is_script=False, parameters=tuple(parameters), end_of_statement=True)
        return Pipeline(commands=(command,), invocation=invocation)


def question(body: bytes) -> Question:
    """Raises `BadClixml`."""
    root = parse(body)
    reader = Reader(root, None)
    members = reader.members(root)

    def texts(name: str) -> tuple[str, ...]:
        element = members.get(name)
        return () if element is None else tuple(_texts(reader.value(element)))

    kinds = reader.number(members.get("commandtype"))
    return Question(texts("name"), _ALL if kinds is None else kinds, texts("namespace"))


def _texts(value: Value) -> Iterator[str]:
    inner = base(value)
    if inner is not None:
        items = inner.items if isinstance(inner, PSList | PSArray) else [inner]
        yield from (plain_text(one) for one in items)


def answers(asked: Question, found: Iterable[Value]) -> list[PSObject]:
    """The objects: how many there are, then each."""
    told = [one for one in found if isinstance(one, PSObject) and _fits(asked, one)]
    names = ("Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", _CUSTOM, "System.Object")
    return [PSObject([("Count", len(told))], type_names=names), *(_selected(one) for one in told)]


def _fits(asked: Question, command: PSObject) -> bool:
    kind = command.get("CommandType")
    module = plain_text(command.get("ModuleName")).casefold()
    return (not isinstance(kind, PSEnum) or bool(kind.number & asked.kinds)) and (
        not asked.modules or any(fnmatchcase(module, one.casefold()) for one in asked.modules)
    )


def _selected(command: PSObject) -> PSObject:
    parameters = _Parameters()
    given = base(command.get("Parameters"))
    for name, value in given.pairs() if isinstance(given, PSHashtable | OrderedHashtable) else ():
        parameters.set(name, _parameter(plain_text(name), value))
    kind = command.type_names[0] if command.type_names else f"{_SMA}.CmdletInfo"
    members: list[tuple[str, Value]] = [
        ("Name", command.get("Name")),
        ("Namespace", command.get("ModuleName")),
        ("HelpUri", ""),
        ("CommandType", command.get("CommandType")),
        ("ResolvedCommandName", None),
        ("OutputType", PSList([], _TYPES)),
        ("Parameters", parameters),
    ]
    return PSObject(members, type_names=(f"Selected.{kind}", _CUSTOM, "System.Object"))


def _parameter(name: str, value: Value) -> PSObject:
    inner = base(value)
    known = inner.properties if isinstance(inner, NetObject) else {}
    switch = known.get("SwitchParameter") is True
    otherwise = f"{_SMA}.SwitchParameter" if switch else "System.Object"
    made = PSObject(
        type_names=(f"{_SMA}.ParameterMetadata", "System.Object"),
        text=f"{_SMA}.ParameterMetadata",
    )
    adapted: list[tuple[str, Value]] = [
        ("Name", name),
        ("ParameterType", known.get("ParameterType", otherwise)),
        ("Aliases", PSList([*_texts(known.get("Aliases"))], _NAMES)),
        ("IsDynamic", known.get("IsDynamic") is True),
        ("SwitchParameter", switch),
    ]
    for key, one in adapted:
        made.properties[key] = Property(key, one, "Property")
    return made
