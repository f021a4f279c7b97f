"""What attributes of parameters and variables demand: validations, parameter sets; knows no function that has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from starover_lab.powershell import nodes, operators
from starover_lab.powershell.compare import compare
from starover_lab.powershell.convert import cast, to_bool, to_string
from starover_lab.powershell.errors import Terminated
from starover_lab.powershell.values import (
    Nothing,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    PSList,
    Unsupported,
    Value,
    base,
    enumerate_,
    fold,
    type_name,
    units,
)

__all__ = ["Declared", "declare", "short", "validations"]

Check = Callable[[Value], str | None]
Constant = Callable[[nodes.Expression], Value]
Tester = Callable[[Value, nodes.Script], bool]

_IGNORED = frozenset({"supportswildcards", "psdefaultvalue", "argumentcompleter", "dontshow", "outputtype"})


def short(name: str) -> str:
    """An attribute's name folded, without namespace and without `Attribute`."""
    plain = name.rpartition(".")[2].casefold()
    return plain.removesuffix("attribute") if plain != "attribute" else plain


def _each(check: Check) -> Check:
    """The items of a collection one by one; an empty argument is refused."""

    def whole(value: Value) -> str | None:
        inner = base(value)
        if inner is None or isinstance(inner, Nothing):
            return "The argument is null or empty."
        if isinstance(inner, PSHashtable | OrderedHashtable):
            raise Unsupported("a validation of a dictionary")
        for item in enumerate_(value):
            wrong = "The argument is null." if base(item) is None else check(item)
            if wrong is not None:
                return wrong
        return None

    return whole


def validations(attribute: nodes.Attribute, constant: Constant, tester: Tester) -> list[Check]:
    """The checks of one validation attribute; none for an attribute that validates nothing."""
    kind = short(attribute.name)
    arguments = [constant(node) for node in attribute.positional if not isinstance(node, nodes.ScriptBlockExpression)]
    named = {one.name.casefold(): one for one in attribute.named}
    if named and kind.startswith("validate") and set(named) - {"ignorecase"}:
        raise Unsupported(f"[{attribute.name}] with named arguments", attribute.line)
    ignore_case = True
    if "ignorecase" in named and (value := named["ignorecase"].value) is not None:
        ignore_case = to_bool(constant(value))
    if kind in ("validatenotnull", "validatenotnullorempty") and attribute.positional:
        raise Unsupported(f"[{attribute.name}] with arguments", attribute.line)
    match kind:
        case "validateset":
            allowed = [to_string(one) for one in arguments]

            def in_set(value: Value) -> str | None:
                text = to_string(value)
                same = (fold(text) == fold(one) if ignore_case else text == one for one in allowed)
                return None if any(same) else f'The argument "{text}" does not belong to the set "{",".join(allowed)}".'

            return [_each(in_set)]
        case "validaterange" if len(arguments) == 2:
            low, high = arguments
            kind_of_both = type_name(low)
            if type_name(high) != kind_of_both:
                raise Unsupported("[ValidateRange] with ends of two types", attribute.line)

            def in_range(value: Value) -> str | None:
                try:
                    value = cast(value, kind_of_both)
                except Terminated:
                    return "The argument is of another type than the range."
                below, above = compare(value, low), compare(value, high)
                inside = below is not None and above is not None and below >= 0 and above <= 0
                return None if inside else f"The {to_string(value)} argument is out of range."

            return [_each(in_range)]
        case "validatelength" if len(arguments) == 2:
            shortest, longest = (int(to_string(one)) for one in arguments)

            def length(value: Value) -> str | None:
                inner = base(value)
                if not isinstance(inner, str):
                    return "The argument is no string."
                return None if shortest <= len(units(inner)) <= longest else "The length of the argument is wrong."

            return [_each(length)]
        case "validatecount" if len(arguments) == 2:
            fewest, most = (int(to_string(one)) for one in arguments)

            def count(value: Value) -> str | None:
                inner = base(value)
                if isinstance(inner, PSHashtable | OrderedHashtable | str):
                    raise Unsupported("[ValidateCount] of what is no array", attribute.line)
                if inner is not None and not isinstance(inner, PSArray | PSList):
                    return "The argument is no collection."
                number = 0 if inner is None else len(inner.items)
                return None if fewest <= number <= most else "The number of arguments is wrong."

            return [count]
        case "validatepattern" if len(arguments) == 1:
            pattern = arguments[0]

            def matches(value: Value) -> str | None:
                operator = "-match" if ignore_case else "-cmatch"
                found = operators.binary(operator, to_string(value), pattern)
                return None if to_bool(found) else f'The argument does not match the "{to_string(pattern)}" pattern.'

            return [_each(matches)]
        case "validatescript" if len(attribute.positional) == 1:
            node = attribute.positional[0]
            assert isinstance(node, nodes.ScriptBlockExpression)
            script = node.script

            def accepted(value: Value) -> str | None:
                return None if tester(value, script) else "The validation script did not return a result of True."

            return [_each(accepted)]
        case "validatenotnull":
            return [lambda value: "The argument is null." if value is None else None]
        case "validatenotnullorempty":
            return [_not_empty]
        case _:
            raise Unsupported(f"[{attribute.name}]", attribute.line)


def _not_empty(value: Value) -> str | None:
    inner = base(value)
    if isinstance(inner, PSHashtable | OrderedHashtable) and not len(inner):
        raise Unsupported("[ValidateNotNullOrEmpty] of an empty dictionary: 5.1 and 7 differ")
    empty = inner is None or inner == "" or (isinstance(inner, PSArray | PSList) and not inner.items)
    if isinstance(inner, PSArray | PSList):
        empty = empty or any(item is None or base(item) == "" for item in inner.items)
    return "The argument is null or empty." if empty else None


@dataclass
class Declared:
    """What the attributes of one parameter say together."""

    sets: dict[str, dict[str, Value]] = field(default_factory=dict[str, dict[str, Value]])
    """By parameter set (empty: all): Mandatory, Position, ValueFromPipeline..., folded names."""
    aliases: list[str] = field(default_factory=list[str])
    allow: set[str] = field(default_factory=set[str])
    """`null`, `emptystring`, `emptycollection`."""
    not_null: bool = False
    not_empty: bool = False
    checks: list[Check] = field(default_factory=list[Check])


_PARAMETER_NAMES = frozenset(
    """mandatory position valuefrompipeline valuefrompipelinebypropertyname valuefromremainingarguments
    parametersetname helpmessage dontshow""".split()  # noqa: SIM905
)


def declare(parameter: nodes.Parameter, constant: Constant, tester: Tester) -> Declared:
    """Read the attributes of a parameter. Raises `Unsupported` for one that is not known."""
    found = Declared()
    for attribute in parameter.attributes:
        kind = short(attribute.name)
        if kind == "parameter":
            given: dict[str, Value] = {
                one.name.casefold(): True if one.value is None else constant(one.value) for one in attribute.named
            }
            if set(given) - _PARAMETER_NAMES:
                raise Unsupported(f"[Parameter({', '.join(sorted(given))})]", attribute.line)
            found.sets[to_string(given.get("parametersetname", ""))] = given
        elif kind == "alias":
            found.aliases.extend(to_string(constant(node)) for node in attribute.positional)
        elif kind in ("validatenotnull", "validatenotnullorempty") and attribute.positional:
            raise Unsupported(f"[{attribute.name}] with arguments", attribute.line)
        elif kind in ("allownull", "allowemptystring", "allowemptycollection"):
            found.allow.add(kind.removeprefix("allow"))
        elif kind == "validatenotnull":
            found.not_null = True
        elif kind == "validatenotnullorempty":
            found.not_empty = True
        elif kind not in _IGNORED:
            found.checks.extend(validations(attribute, constant, tester))
    return found
