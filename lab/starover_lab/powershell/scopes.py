"""Scopes of variables and functions: where a name is found and where it is written; knows no statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from starover_lab.powershell.command import CommandSpec
from starover_lab.powershell.errors import Terminated, failure
from starover_lab.powershell.values import NOTHING, Unsupported, Value

__all__ = ["STEERING", "Name", "Scope", "Slot", "parse_name"]

_SCOPES = frozenset({"global", "local", "script", "private", "variable"})
_DRIVES = frozenset({"env", "function"})
STEERING = frozenset(
    """psdefaultparametervalues home pshome pwd executioncontext shellid consolefilename nestedpromptlevel pscmdlet
    myinvocation psboundparameters maximumaliascount maximumdrivecount maximumerrorcount maximumfunctioncount
    maximumhistorycount maximumvariablecount""".split()  # noqa: SIM905
)
"""Variables by which scripts steer an engine that is not steered here: writing them is refused."""


@dataclass(frozen=True, slots=True)
class Name:
    """A variable's name, taken apart."""

    scope: str
    """`global`, `local`, `script`, `private`, `env`, `function`; empty: wherever it is found."""
    name: str
    key: str


@lru_cache(maxsize=4096)
def parse_name(text: str) -> Name:
    """Take `script:x` or `env:PATH` apart. Raises `Unsupported` for another drive."""
    prefix, colon, rest = text.partition(":")
    if not colon:
        return Name("", text, text.casefold())
    scope = prefix.casefold()
    if scope == "variable":
        return Name("", rest, rest.casefold())
    if scope not in _SCOPES and scope not in _DRIVES:
        raise Unsupported(f"variable ${text}")
    return Name(scope, rest, rest.casefold())


@dataclass(slots=True, eq=False)
class Slot:
    """A variable."""

    name: str
    value: Value
    convert: Callable[[Value], Value] | None = None
    """Its type constraint and validation: what is assigned goes through it."""
    option: str = "None"
    """`ReadOnly`, `Constant`, or `AllScope` (nor hidden by inner scopes) when it cannot be written."""
    private: bool = False


@dataclass(slots=True, eq=False)
class Scope:
    """One scope; the parent is the caller's, because scoping is dynamic."""

    parent: Scope | None = None
    local_function: bool = True
    """A function's scope, whose typed variables convert as the engine's local variables do."""
    variables: dict[str, Slot] = field(default_factory=dict[str, Slot])
    functions: dict[str, CommandSpec] = field(default_factory=dict[str, CommandSpec])
    strict: str | None = None

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def top(self) -> Scope:
        """The global scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def find(self, key: str) -> Slot | None:
        """The variable of that folded name as seen from here."""
        slot = self.variables.get(key)
        if slot is not None:
            return slot
        scope = self.parent
        while scope is not None:
            slot = scope.variables.get(key)
            if slot is not None and not slot.private:
                return slot
            scope = scope.parent
        return None

    def lookup(self, name: Name) -> Slot | None:
        """The variable of that name, in the scope that the name says."""
        if name.scope == "":
            return self.find(name.key)
        return self.target(name).variables.get(name.key)

    def target(self, name: Name) -> Scope:
        """The scope in which that name is written."""
        return self.top() if name.scope in ("global", "script") else self

    def get(self, text: str) -> Value:
        """The value of a plain name; NOTHING when there is no such variable."""
        slot = self.find(text.casefold())
        return NOTHING if slot is None else slot.value

    def set(self, name: Name, value: Value) -> None:
        """Assign: in this scope unless the name says another. Raises `Terminated` for what cannot be written."""
        scope = self.target(name)
        slot = scope.variables.get(name.key)
        if slot is None:
            hidden = self.find(name.key) if name.scope == "" else None
            if hidden is not None and hidden.option == "AllScope":
                slot = hidden
        if slot is None:
            if name.key in STEERING:
                raise Unsupported(f"an assignment to ${name.name}")
            scope.variables[name.key] = Slot(name.name, value, private=name.scope == "private")
            return
        if slot.option != "None":
            raise not_writable(slot.name)
        slot.value = value if slot.convert is None else slot.convert(value)
        if name.scope == "private":
            slot.private = True

    def put(self, name: str, value: Value) -> None:
        """Set a variable of this scope by a plain name, whatever it was."""
        key = name.casefold()
        slot = self.variables.get(key)
        if slot is None:
            self.variables[key] = Slot(name, value)
        else:
            slot.value = value

    def find_function(self, key: str) -> CommandSpec | None:
        """The function of that folded name as seen from here."""
        for scope in self.chain():
            found = scope.functions.get(key)
            if found is not None:
                return found
        return None

    def strictness(self) -> str | None:
        """The strict mode that holds here."""
        for scope in self.chain():
            if scope.strict is not None:
                return scope.strict or None
        return None


def not_writable(name: str) -> Terminated:
    """The error of an assignment to a constant or read-only variable."""
    return failure(
        "VariableNotWritable",
        "WriteError",
        f"Cannot overwrite variable {name} because it is read-only or constant.",
        type_name="System.Management.Automation.SessionStateUnauthorizedAccessException",
        target=name,
    )
