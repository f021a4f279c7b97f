"""How a .NET method is found by its arguments and how its exceptions look to a script; knows no particular method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from starover_lab.powershell.convert import cast, to_string
from starover_lab.powershell.errors import PSException, Terminated, failure
from starover_lab.powershell.values import NOTHING, DateTime, ScriptBlock, Unsupported, Value, base, type_name

__all__ = [
    "Function",
    "Method",
    "NetError",
    "Registry",
    "Site",
    "call_method",
    "method_missing",
    "on_null",
    "raised",
]


class Site(Protocol):
    """What a method may ask of the session that calls it; the evaluator implements this."""

    def now(self) -> DateTime:
        """The session's time, UTC."""
        ...

    def environment(self, name: str) -> str | None:
        """An environment variable of the host."""
        ...

    def user_name(self) -> str:
        """The session's user, `DOMAIN\\name`."""
        ...

    def is_administrator(self) -> bool:
        """Whether the session's user is in the role Administrator of the host."""
        ...

    def call_block(
        self, block: ScriptBlock, *, item: Value = NOTHING, args: Sequence[Value] = (), new_scope: bool = False
    ) -> Iterator[Value]:
        """Run a script block, as `command.Runner.call_block`."""
        ...


class NetError(Exception):
    """A .NET exception thrown inside a method; `invoke` wraps it as PowerShell does."""

    def __init__(self, type_name: str, message: str) -> None:
        """`type_name` is the full name: `System.ArgumentException`."""
        super().__init__(message)
        self.type_name = type_name
        self.message = message


Function: TypeAlias = Callable[[Value, list[Value], Site | None], Value]
"""Takes the object (None for a static method), the converted arguments and the session; gives the result or NOTHING."""


@dataclass(frozen=True)
class Method:
    """One overload. Parameter types are full names; a type ending in `?` takes `$null` as it is."""

    name: str
    parameters: tuple[str, ...]
    function: Function
    names: tuple[str, ...] = ()
    """Parameter names, for messages."""


class Registry:
    """Overloads by type and name."""

    def __init__(self) -> None:
        self._methods: dict[tuple[str, str], list[Method]] = {}

    def add(self, owner: str, name: str, *parameters: str) -> Callable[[Function], Function]:
        """Register the decorated function as one overload of `owner.name`."""

        def register(function: Function) -> Function:
            self._methods.setdefault((owner, name.lower()), []).append(Method(name, parameters, function))
            return function

        return register

    def find(self, owner: str, name: str) -> list[Method]:
        """The overloads of a method of a type; empty: not known here."""
        return self._methods.get((owner, name.lower()), [])


def on_null() -> Terminated:
    """A method call on `$null`."""
    return failure("InvokeMethodOnNull", "InvalidOperation", "You cannot call a method on a null-valued expression.")


def method_missing(owner: str, name: str) -> Terminated:
    """The type has no such method."""
    text = f"Method invocation failed because [{owner}] does not contain a method named '{name}'."
    return failure("MethodNotFound", "InvalidOperation", text, target=name)


def raised(name: str, count: int, error: NetError) -> Terminated:
    """A .NET exception out of a method with `count` arguments."""
    return failure(
        error.type_name.rpartition(".")[2],
        "NotSpecified",
        f'Exception calling "{name}" with "{count}" argument(s): "{error.message}"',
        type_name="System.Management.Automation.MethodInvocationException",
        inner=PSException(error.type_name, error.message),
    )


def _fits(value: Value, wanted: str) -> int:
    """How well an argument fits: 0 exactly, 1 as an object, 2 by conversion."""
    wanted = wanted.removesuffix("?")
    own = type_name(base(value))
    return 0 if own == wanted else 1 if wanted == "System.Object" else 2


def call_method(methods: list[Method], owner: Value, arguments: list[Value], site: Site | None) -> Value:
    """Choose the overload, convert the arguments, call, and wrap a .NET exception.

    Raises `Terminated` when no overload takes as many arguments, as far as all overloads are known.
    """
    name = methods[0].name
    fitting = [m for m in methods if len(m.parameters) == len(arguments)]
    if not fitting:
        if name.lower() not in _COMPLETE:
            raise Unsupported(f"{name} with {len(arguments)} arguments")
        text = f'Cannot find an overload for "{name}" and the argument count: "{len(arguments)}".'
        raise failure(
            "MethodCountCouldNotFindBest",
            "NotSpecified",
            text,
            type_name="System.Management.Automation.MethodException",
        )
    fitting.sort(key=lambda m: [_fits(a, p) for a, p in zip(arguments, m.parameters, strict=True)])
    for method in fitting:
        try:
            converted = [
                _argument(method, n, a, p) for n, (a, p) in enumerate(zip(arguments, method.parameters, strict=True))
            ]
        except Terminated:
            if len(fitting) > 1:
                continue
            raise
        try:
            return method.function(owner, converted, site)
        except NetError as error:
            raise raised(method.name, len(arguments), error) from None
    raise Unsupported(f"{name} with these arguments")


# Methods whose overloads are all known by their number of arguments.
_COMPLETE = frozenset(
    """substring max min abs padleft padright insert toupperinvariant tolowerinvariant containskey containsvalue
    adddays addhours addminutes addseconds addmilliseconds addmonths addyears addticks""".split()  # noqa: SIM905
)


def _argument(method: Method, number: int, argument: Value, wanted: str) -> Value:
    value = base(argument)
    if wanted == "System.Object":
        return argument
    if value is None:
        if wanted.endswith("?"):
            return None
        if wanted != "System.String":
            raise Unsupported(f"$null as an argument of {method.name}")
    try:
        return cast(argument, wanted.removesuffix("?"))
    except Terminated as error:
        name = method.names[number] if method.names else str(number)
        text = (
            f'Cannot convert argument "{name}", with value: "{to_string(argument)}", for "{method.name}" to type '
            f'"{wanted}": "{error.record.message}"'
        )
        raise failure(
            "MethodArgumentConversionInvalidCastArgument",
            "NotSpecified",
            text,
            type_name="System.Management.Automation.MethodException",
        ) from None
