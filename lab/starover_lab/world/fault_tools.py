"""What a fault's breaker works with: its target, its parameters, the parts of the world; knows no single kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starover.errors import Mistake
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.entities import Az, Server
from starover_lab.world.errors import Data
from starover_lab.world.hosts import Hosts
from starover_lab.world.replication import Replication, is_active
from starover_lab.world.state import State
from starover_lab.world.topology_specs import seconds

__all__ = ["Broken", "FaultError", "Kind", "Tools", "Undo"]

Undo = Callable[[], None]


class FaultError(Mistake):
    """A fault cannot be made: unknown kind, target or parameter; the text lists those that are known."""


@dataclass(frozen=True)
class Broken:
    """What a fault did, in words, and what undoes it."""

    text: str
    undo: Undo


@dataclass(frozen=True)
class Tools:
    """What breakers work on."""

    state: State
    hosts: Hosts
    replication: Replication
    number: int
    target: str
    params: Mapping[str, Data]
    in_force: Callable[[], Sequence[tuple[int, str, str]]] = tuple
    """Number, kind and target of the faults in force."""
    mend: Callable[[int], None] = lambda _: None
    """Undo another fault."""
    somebody: Callable[[str, str], Undo] = lambda _cmdlet, _target: lambda: None
    """Somebody else runs a cmdlet for an object; what undoes it. Raises `KeyError` (known cmdlets), `WorldError`."""

    def fail(self, what: str, known: list[str]) -> FaultError:
        """The error for an unknown target or value."""
        return FaultError(what, certain=("nothing was broken",), next=(f"known: {', '.join(known) or 'none'}",))

    def no(self, kind: str, known: list[str]) -> FaultError:
        """The error for a target that is none of this kind, or that was not named at all."""
        return self.fail(
            f"there is no {kind} `{self.target}`" if self.target else f"name the {kind}: which one?", known
        )

    def text(self, key: str, default: str = "") -> str:
        """A parameter as text."""
        value = self.params.get(key, default)
        return str(value)

    def number_of(self, key: str, default: float) -> float:
        """A parameter as a number."""
        value = self.params.get(key, default)
        try:
            return float(value) if isinstance(value, int | float | str) else default
        except ValueError:
            raise FaultError(f"`{key}` is a number, and here is {value!r}", certain=("nothing was broken",)) from None

    def seconds(self, key: str, default: float) -> float:
        """A parameter as a time span: seconds, or such as `30m`."""
        words = self.text(key)
        if not words:
            return default
        try:
            return float(words) if words[-1].isdigit() and ":" not in words else seconds(words)
        except ValueError:
            raise FaultError(
                f"`{key}` is a time span such as 90s, 30m or 2h, and here is {words!r}", certain=("nothing was broken",)
            ) from None

    def server(self) -> Server:
        """The target as a host."""
        found = self.state.servers.get(self.target)
        if found is None:
            raise self.no("server", [one.name for one in self.state.servers])
        return found

    def az(self) -> Az:
        """The target as an AZ: its name or the end of it (`1a`)."""
        ends = [az for az in self.state.azs if self.target and az.name.casefold().endswith(self.target.casefold())]
        if len(ends) != 1:
            raise self.no("Availability Zone", [az.name for az in self.state.azs])
        return ends[0]

    def database(self) -> Database:
        """The target as a database."""
        found = self.state.databases.get(self.target)
        if found is None:
            raise self.no("database", [one.name for one in self.state.databases])
        return found

    def copy(self) -> tuple[Database, Copy]:
        r"""The target as a copy, `DB\server` or `DB/server`."""
        name, _, server = self.target.replace("/", "\\").rpartition("\\")
        database = self.state.databases.get(name)
        copy = database.copies.get(server) if database is not None else None
        if database is None or copy is None:
            known = [f"{one.name}/{other.server}" for one in self.state.databases for other in one.copies]
            raise self.no("copy", known)
        return database, copy

    def passive(self) -> tuple[Database, Copy]:
        """The target as a passive copy."""
        database, copy = self.copy()
        if is_active(database, copy):
            raise FaultError(f"{self.target} is the active copy; this fault is for a passive one")
        return database, copy


@dataclass(frozen=True)
class Kind:
    """One kind of fault."""

    does: str
    target: str
    """What the target is, in words; empty: none."""
    act: Callable[[Tools], Broken]
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameter to its meaning."""
    alone: bool = False
    """It sets one thing for the whole lab: there is at most one of this kind."""
