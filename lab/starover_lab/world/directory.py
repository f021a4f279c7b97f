"""Active Directory as far as the world needs it: every domain controller with its own replica; knows no DAG rule.

A write lands on one DC and reaches the others after the intra-site or inter-site delay, as long as both are up and
replication is not stopped. Of two writes to one object the later wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from starover_lab.world.clock import Scheduler
from starover_lab.world.errors import WorldError
from starover_lab.world.names import Names

__all__ = ["Directory", "DomainController", "Version"]

T = TypeVar("T")


@dataclass(frozen=True)
class Version:
    """One object's value on one DC."""

    value: object
    number: int
    time: datetime
    origin: str

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """The later of two values wins: version number, then time, then the name of the DC it was written on."""
        return (self.number, self.time, self.origin)


@dataclass(eq=False)
class DomainController:
    """A DC's replica. Whether its host is up is asked when needed."""

    name: str
    site: str
    up: Callable[[], bool]
    is_gc: bool = True
    replica: dict[str, Version] = field(default_factory=dict[str, Version])


class Directory:
    """All DCs of the domain and the replication between them."""

    def __init__(self, scheduler: Scheduler, *, intra_site_s: float, inter_site_s: float) -> None:
        self._scheduler = scheduler
        self.intra_site_s = intra_site_s
        self.inter_site_s = inter_site_s
        self.stopped = False
        """Fault `ad_replication_stopped`."""
        self.slow = False
        """Fault `ad_latency`: pushing helps nothing then."""
        self.controllers: Names[DomainController] = Names(lambda name: name.partition(".")[0])
        self.joined: Callable[[str, str], bool] = lambda _one, _other: True
        """Whether packets pass between the hosts of two DCs."""
        self.arrived: list[Callable[[str, str], None]] = []
        """Told (DC, object) when a replicated change lands."""
        self._pending: set[tuple[str, str, str]] = set()
        self._last_success: dict[tuple[str, str], datetime] = {}
        self._apart: set[tuple[str, str]] = set()

    def closest(self, site: str, excluded: frozenset[str] = frozenset()) -> DomainController:
        """The DC that a server of `site` uses: of its own site first, then any. Raises `no_dc`."""
        ups = [dc for dc in self.controllers if dc.up() and dc.name.casefold() not in excluded]
        for dc in sorted(ups, key=lambda dc: (dc.site.casefold() != site.casefold(), dc.name.casefold())):
            return dc
        raise WorldError("no_dc", "no domain controller answers", site=site)

    def controller(self, name: str) -> DomainController:
        """A DC that answers, by short name or FQDN. Raises `not_found`, `server_down`."""
        dc = self.controllers.get(name)
        if dc is None:
            raise WorldError("not_found", f"there is no domain controller {name}", object="dc", name=name)
        if not dc.up():
            raise WorldError("server_down", f"{dc.name} does not answer", server=dc.name)
        return dc

    def read(self, dc: DomainController, key: str, kind: type[T]) -> T | None:
        """What that DC knows of an object, or None."""
        version = dc.replica.get(key)
        return version.value if version is not None and isinstance(version.value, kind) else None

    def keys(self, dc: DomainController, lead: str) -> list[str]:
        """The objects of one kind that a DC knows, such as all that begin with `dag:`."""
        return [key for key, version in dc.replica.items() if key.startswith(lead) and version.value is not None]

    def write(self, dc: DomainController, key: str, value: object) -> None:
        """Write an object on one DC (None: deleted); the others follow."""
        before = dc.replica.get(key)
        number = before.number + 1 if before is not None else 1
        dc.replica[key] = Version(value, number, self._scheduler.now, dc.name)
        self._spread(dc, key)

    def plant(self, key: str, value: object) -> None:
        """Put an object on every DC at once: the state in which a topology begins."""
        for dc in self.controllers:
            dc.replica[key] = Version(value, 1, self._scheduler.now, "")

    def catch_up(self) -> None:
        """A DC came back or replication runs again: everything that differs is on its way."""
        for dc in self.controllers:
            for key in dc.replica:
                self._spread(dc, key)

    def sync(self, fastest_s: float) -> datetime:
        """Push what is pending (`repadmin /syncall`); returns when it should have arrived."""
        pending = sorted(one for one in self._pending if self._news(*one))
        if self.stopped:
            return self._scheduler.now
        delay = self.inter_site_s if self.slow else min(fastest_s, self.inter_site_s)
        when = self._scheduler.now + timedelta(seconds=delay)
        for source, target, key in pending:
            self._scheduler.at(
                when,
                lambda source=source, target=target, key=key: self._deliver(  # type: ignore[misc]
                    self.controllers[source], self.controllers[target], key
                ),
            )
        return when if pending else self._scheduler.now

    def review(self) -> None:
        """Note which partners reach each other now; those that were cut off from each other have news."""
        apart: set[tuple[str, str]] = set()
        for source in self.controllers:
            for target in self.controllers:
                if source is target:
                    continue
                if self._linked(source, target):
                    self._last_success[target.name, source.name] = self._scheduler.now
                elif source.up() and target.up() and not self.stopped:
                    apart.add((source.name, target.name))
        before, self._apart = self._apart, apart
        if before - apart:
            self.catch_up()

    def last_success(self, target: DomainController, source: DomainController) -> datetime:
        """When `target` last replicated from `source`; now, while they reach each other."""
        if self._linked(source, target):
            self._last_success[target.name, source.name] = self._scheduler.now
        return self._last_success.get((target.name, source.name), self._scheduler.now)

    def _news(self, source: str, target: str, key: str) -> bool:
        """Whether `source` has a later value of an object than `target`."""
        own, known = self.controllers[source].replica[key], self.controllers[target].replica.get(key)
        return known is None or known.rank < own.rank

    def _linked(self, source: DomainController, target: DomainController) -> bool:
        return not self.stopped and source.up() and target.up() and self.joined(source.name, target.name)

    def converged(self, key: str) -> bool:
        """Whether every DC has the same value."""
        return len({dc.replica[key].rank if key in dc.replica else None for dc in self.controllers}) <= 1

    def _spread(self, source: DomainController, key: str) -> None:
        if self.stopped or not source.up():
            return
        for target in self.controllers:
            if target is source or (source.name, target.name, key) in self._pending:
                continue
            if not self._linked(source, target):
                continue
            known = target.replica.get(key)
            if known is not None and known.rank >= source.replica[key].rank:
                continue
            near = source.site.casefold() == target.site.casefold()
            delay = self.intra_site_s if near else self.inter_site_s
            self._pending.add((source.name, target.name, key))
            self._scheduler.at(
                self._scheduler.now + timedelta(seconds=delay),
                lambda source=source, target=target: self._deliver(source, target, key),  # type: ignore[misc]
            )

    def _deliver(self, source: DomainController, target: DomainController, key: str) -> None:
        self._pending.discard((source.name, target.name, key))
        if not self._linked(source, target):
            return
        version = source.replica[key]
        known = target.replica.get(key)
        if known is not None and known.rank >= version.rank:
            return
        target.replica[key] = version
        for listener in self.arrived:
            listener(target.name, key)
        self._spread(target, key)
