"""What several core cmdlets need: specs in one line, properties of pipeline objects, keys of calculated properties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starover_lab.powershell import members
from starover_lab.powershell.command import Body, CommandSpec, InSet, Invocation, Parameter
from starover_lab.powershell.convert import to_string
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.values import (
    NOTHING,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    ScriptBlock,
    Value,
    base,
)

__all__ = [
    "INPUT",
    "Key",
    "all_sets",
    "cmdlet",
    "collected",
    "items_of",
    "key_of",
    "lookup",
    "only_in_7",
    "run_quietly",
]

UTILITY = "Microsoft.PowerShell.Utility"
MANAGEMENT = "Microsoft.PowerShell.Management"
CORE = "Microsoft.PowerShell.Core"
_CLASSES = "Microsoft.PowerShell.Commands"

INPUT = Parameter.of("InputObject", "psobject", by_value=True)
"""The parameter that takes the pipeline's objects."""


def all_sets(parameter: Parameter, names: Sequence[str], how: InSet) -> Parameter:
    """The same parameter in several named sets."""
    return Parameter(
        name=parameter.name, type=parameter.type, aliases=parameter.aliases, sets=dict.fromkeys(names, how)
    )


def cmdlet(
    name: str,
    body: Body,
    *parameters: Parameter,
    module: str = UTILITY,
    class_name: str | None = None,
    default_set: str = "",
    should_process: bool = False,
) -> CommandSpec:
    """A cmdlet of PowerShell's own; the class is named after it: Sort-Object is SortObjectCommand."""
    class_name = f"{_CLASSES}.{name.replace('-', '')}Command" if class_name is None else class_name
    return CommandSpec(
        name=name,
        body=body,
        module=module,
        class_name=class_name,
        parameters=parameters,
        default_set=default_set,
        should_process=should_process,
    )


def not_here(name: str, type: str = "object") -> Parameter:  # noqa: A002 - the field's name
    """A parameter of the real cmdlet that is not known exactly: using it is refused."""
    return _refused(name, type, "not known here")


def only_in_7(name: str, type: str = "object") -> Parameter:  # noqa: A002 - the field's name
    """A parameter that Windows PowerShell does not have: using it is refused."""
    return _refused(name, type, "not in Windows PowerShell 5.1")


def _refused(name: str, type: str, why: str) -> Parameter:  # noqa: A002 - the field's name
    def refuse(_: Value) -> str | None:
        raise Unsupported(f"-{name}: {why}")

    return Parameter(name=name, type=type, transform=lambda value: value, validations=(refuse,))


def collected(items: list[Value]) -> Value:
    """Output of a block as one value: nothing is `$null`, one is itself, several are an array."""
    if len(items) == 1:
        return None if isinstance(items[0], Nothing) else items[0]
    return PSArray(items) if items else None


def items_of(call: Invocation) -> list[Value]:
    """Every object of the pipeline, or the items of -InputObject."""
    return [bound["InputObject"] for bound in call.records() if "InputObject" in bound]


def run_quietly(call: Invocation, block: ScriptBlock, item: Value) -> list[Value]:
    """The output of a block that a cmdlet evaluates for an object; an error makes it empty."""
    try:
        return list(call.runner.call_block(block, item=item, quiet=True))
    except Terminated:
        return []


def lookup(call: Invocation, item: Value, name: str) -> tuple[Value] | None:
    """A property of a pipeline object (in a tuple), or None when it has none of that name."""
    inner = base(item)
    if inner is None or isinstance(inner, Nothing):
        return None
    if isinstance(inner, PSHashtable | OrderedHashtable) and name in inner:
        call.differs("a key of a dictionary as a property: not seen in 5.1")
    if any(c in name for c in "*?["):
        raise Unsupported(f"the property {name}")
    return members.find(item, name, run=call.run_member)


@dataclass(frozen=True)
class Key:
    """One entry of -Property: a property's name or a script block, and how it is called."""

    name: str
    expression: str | ScriptBlock
    options: dict[str, Value]

    def of(self, call: Invocation, item: Value) -> tuple[Value] | None:
        """Its value for an object, in a tuple; None when the object has no such property."""
        if isinstance(self.expression, ScriptBlock):
            return (collected(run_quietly(call, self.expression, item)),)
        return lookup(call, item, self.expression)


_KEYS = ("expression", "ascending", "descending", "name", "label")


def key_of(value: Value, allowed: Callable[[str], bool]) -> Key:
    """An entry of -Property: a name, a script block, or a hashtable whose keys may be abbreviated."""
    inner = base(value)
    if isinstance(inner, ScriptBlock):
        return Key(inner.text, inner, {})
    if not isinstance(inner, PSHashtable | OrderedHashtable):
        if inner is None:
            raise Unsupported("$null as a property")
        return Key(to_string(value), to_string(value), {})
    found: dict[str, Value] = {}
    for key, item in inner.pairs():
        written = to_string(key).casefold()
        full = next((name for name in _KEYS if written and name.startswith(written) and allowed(name)), None)
        if full is None:
            raise Unsupported(f"the key {written} of a calculated property")
        found["name" if full == "label" else full] = item
    expression = base(found.pop("expression", NOTHING))
    if isinstance(expression, ScriptBlock):
        source: str | ScriptBlock = expression
    elif isinstance(expression, str):
        source = str(expression)
    else:
        raise Unsupported("a calculated property without an expression")
    name = found.pop("name", None)
    shown = to_string(name) if name is not None else source if isinstance(source, str) else source.text
    return Key(shown, source, found)
