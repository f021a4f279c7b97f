"""Faults in force: made, listed, mended; knows no single kind."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.errors import Data
from starover_lab.world.fault_kinds import KINDS, FaultError, Kind, Tools, Undo, kind_name, kind_names
from starover_lab.world.hosts import Hosts
from starover_lab.world.replication import Replication
from starover_lab.world.state import State

__all__ = ["Fault", "FaultError", "Faults"]

_TIMING = {"after_s": "break it that many seconds from now", "for_s": "mend it by itself after that many seconds"}


@dataclass(eq=False)
class Fault:
    """One fault."""

    number: int
    kind: str
    target: str
    params: Mapping[str, Data]
    since: datetime
    text: str = ""
    """What it did, in words."""
    undo: Undo | None = None
    """None: it is still to come."""


class Faults:
    """Breaks and mends."""

    def __init__(self, state: State, hosts: Hosts, replication: Replication) -> None:
        self._state = state
        self._hosts = hosts
        self._replication = replication
        self._count = 0
        self.somebody: Callable[[str, str], Undo] = nobody
        """Runs a cmdlet for an object as somebody else; what undoes it."""
        self.in_force: dict[int, Fault] = {}

    def make(self, name: str, target: str, params: Mapping[str, Data]) -> Fault:
        """Break something. The same thing is not broken twice: then the fault in force is returned."""
        kind = KINDS.get(name)
        if kind is None:
            near = difflib.get_close_matches(name, kind_names(), 1)
            raise FaultError(
                f"there is no fault `{name}`" + (f": did you mean `{near[0]}`?" if near else ""),
                certain=("nothing was broken",),
                next=(f"known: {', '.join(kind_names())}",),
            )
        self._check(name, kind, target, params)
        name = kind_name(name)
        for fault in self.in_force.values():
            if (fault.kind, fault.target.casefold(), _what(fault.params)) == (name, target.casefold(), _what(params)):
                return fault
            if fault.kind == name and kind.alone:
                raise FaultError(
                    f"the fault `{name}` is there already, as number {fault.number}: {fault.text}",
                    certain=("nothing was broken",),
                    next=(f"mend {fault.number} first",),
                )
        self._count += 1
        fault = Fault(self._count, name, target, params, self._state.now)
        delay = _seconds(params, "after_s")
        if delay:
            self.in_force[fault.number] = fault
            self._state.scheduler.after(delay, lambda: self._strike(fault, kind))
        else:
            self._strike(fault, kind)
        return fault

    def mend(self, number: int) -> None:
        """Undo one fault. Raises `FaultError` when it is not in force."""
        fault = self.in_force.pop(number, None)
        if fault is None:
            known = ", ".join(f"{one.number} ({one.kind} {one.target})" for one in self.in_force.values())
            raise FaultError(f"there is no fault {number}", next=(f"in force: {known or 'none'}",))
        if fault.undo is not None:
            fault.undo()
        self._state.log.add("mended", fault.target or fault.kind, number=fault.number, fault=fault.kind)
        self._state.review()

    def matching(self, kind: str, target: str) -> list[int]:
        """Numbers of the faults of a kind (empty: any) and target (empty: any)."""
        wanted = kind_name(kind) if kind else ""
        return [
            fault.number
            for fault in self.in_force.values()
            if wanted in ("", fault.kind) and target.casefold() in ("", fault.target.casefold())
        ]

    def _strike(self, fault: Fault, kind: Kind) -> None:
        if fault.number not in self.in_force and _seconds(fault.params, "after_s"):
            return
        broken = kind.act(
            Tools(
                self._state,
                self._hosts,
                self._replication,
                fault.number,
                fault.target,
                fault.params,
                in_force=lambda: [(one.number, one.kind, one.target) for one in self.in_force.values()],
                mend=self.mend,
                somebody=self.somebody,
            )
        )
        fault.text, fault.undo, fault.since = broken.text, broken.undo, self._state.now
        self.in_force[fault.number] = fault
        self._state.log.add(
            "fault",
            fault.target or fault.kind,
            number=fault.number,
            fault=fault.kind,
            text=broken.text,
            params={**fault.params},
        )
        self._state.review()
        duration = _seconds(fault.params, "for_s")
        if duration:
            self._state.scheduler.after(duration, lambda: self._end(fault))

    def _end(self, fault: Fault) -> None:
        if self.in_force.get(fault.number) is fault:
            self.mend(fault.number)

    def _check(self, name: str, kind: Kind, target: str, params: Mapping[str, Data]) -> None:
        known = {**kind.params, **_TIMING}
        for key in params:
            if key not in known:
                listed = ", ".join(f"{one} ({means})" for one, means in known.items())
                raise FaultError(
                    f"the fault `{name}` has no parameter `{key}`",
                    certain=("nothing was broken",),
                    next=(f"known: {listed}",),
                )
        for key in _TIMING:
            _seconds(params, key)
        if target and not kind.target:
            raise FaultError(f"the fault `{name}` takes no target, and here is `{target}`")


def nobody(cmdlet: str, target: str) -> Undo:
    """Nobody is there to run a cmdlet."""
    raise FaultError(f"nobody runs {cmdlet} for {target}")


def _what(params: Mapping[str, Data]) -> dict[str, Data]:
    """The parameters without when and how long."""
    return {key: value for key, value in params.items() if key not in _TIMING}


def _seconds(params: Mapping[str, Data], key: str) -> float:
    value = params.get(key, 0)
    try:
        return float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        raise FaultError(f"`{key}` is a number of seconds, and here is {value!r}") from None
