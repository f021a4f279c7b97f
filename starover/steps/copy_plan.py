"""What adding copies means for each database: order, sources, lanes, room; pure, from wishes and facts to data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from starover.errors import BadParameter, NotSafe
from starover.estate import Estate
from starover.names import CopyId, first_label, same_host
from starover.steps.copy_spec import CopySpec, Layout, unique
from starover.steps.dag import Volume
from starover.steps.lags import safety_net_note
from starover.steps.placement import SPACE_FACTOR, Placement, preference_text
from starover.steps.preferences import wanted_order
from starover.steps.seeding import HOLDS_ITS_DATABASE

__all__ = ["Adding", "DatabasePlan", "check_room", "lanes", "notes", "plan_database", "wished"]

_CERTAIN = ("nothing was contacted",)


def wished(copies: Sequence[CopySpec], layout: Layout | None, estate: Estate) -> dict[str, list[CopySpec]]:
    """The copies that are wanted, by database, in the order of preference; servers named as the inventory has them.

    Raises `BadParameter` for what contradicts itself, before anything is contacted.
    """
    if bool(copies) == (layout is not None):
        raise BadParameter(
            "either --copy or --layout says which copies are wanted" + (", not both" if copies else ""),
            certain=_CERTAIN,
            next=("--copy DB=SERVER,pref=2   repeat it for several", "--layout FILE"),
        )
    specs = [replace(one, server=estate.server(one.server).name) for one in (layout.copies if layout else copies)]
    if twice := unique(specs, lambda one: (one.database.casefold(), one.server)):
        raise BadParameter(f"{twice.database} on {twice.server} was asked for twice", certain=_CERTAIN)
    if twice := unique(specs, lambda one: (one.database.casefold(), one.preference)):
        raise BadParameter(
            f"two copies of {twice.database} want preference {twice.preference}",
            certain=_CERTAIN,
            next=("each copy of a database has a preference of its own",),
        )
    by_name: dict[str, list[CopySpec]] = {}
    for one in specs:
        by_name.setdefault(one.database.casefold(), []).append(one)
    return {group[0].database: sorted(group, key=lambda one: one.preference) for group in by_name.values()}


@dataclass(frozen=True, kw_only=True)
class Adding:
    """One copy that is wanted, and how it comes about."""

    spec: CopySpec
    exists: bool
    preference: int | None
    """What to ask of Exchange when adding it; None: the next one, and it is put right at the end."""
    source: str
    """Where its database comes from; empty: the active copy."""


@dataclass(frozen=True, kw_only=True)
class DatabasePlan:
    """What is to be done for one database."""

    name: str
    now: Placement
    copies: tuple[Adding, ...]
    order: tuple[str, ...]
    """Its servers in the order of preference when all is done."""

    @property
    def new(self) -> tuple[Adding, ...]:
        """The copies that are not there yet."""
        return tuple(one for one in self.copies if not one.exists)

    @property
    def lag(self) -> bool:
        """Whether a copy of it is to be behind."""
        return any(one.spec.replay_lag for one in self.copies)


def plan_database(now: Placement, specs: Sequence[CopySpec], estate: Estate, source: str | None) -> DatabasePlan:
    """Order, sources and preferences to ask for. `source`: all from there; None: as the zones suggest.

    Raises `BadParameter` for a preference that cannot be.
    """
    order = wanted_order(now.order, {one.server: one.preference for one in specs})
    if order is None:
        total = len(now.order) + sum(not now.has(one.server) for one in specs)
        raise BadParameter(
            f"{now.name} will have {total} copies, so the highest preference is {total}",
            certain=(f"its copies now: {preference_text(now.places)}", "only readings were sent"),
        )
    lag = {first_label(server): bool(now.replay_lag(server)) for server in now.order}
    lag |= {first_label(one.server): bool(one.replay_lag) for one in specs if one.replay_lag is not None}
    behind = [server for server in order if lag.get(first_label(server))]
    if behind and order[len(order) - len(behind) :] != behind:
        raise BadParameter(
            f"the lagged copy of {now.name} on {', '.join(behind)} must have the last preference",
            certain=("only readings were sent",),
            next=(f"the order would be {preference_text(order)}",),
        )
    copies: list[Adding] = []
    count = len(now.order)
    for one in specs:
        exists = now.has(one.server)
        given = _source(now, one.server, copies, lag, estate) if source is None else source
        fits = not exists and one.preference <= count + 1
        copies.append(
            Adding(spec=one, exists=exists, preference=one.preference if fits else None, source=_other(given, now))
        )
        count += not exists
    return DatabasePlan(name=now.name, now=now, copies=tuple(copies), order=tuple(order))


def _other(source: str, now: Placement) -> str:
    """The active copy needs no name: wherever it is by then, Exchange finds it."""
    return "" if source and same_host(source, now.active_server) else source


def _source(now: Placement, server: str, before: Iterable[Adding], lag: Mapping[str, bool], estate: Estate) -> str:
    """The first copy in each other zone comes from the active one, further ones there from that (saves the WAN)."""
    zone = _zone(estate, server)
    if not zone or zone == _zone(estate, now.active_server):
        return ""
    there = [one.server for one in now.copies if one.status in HOLDS_ITS_DATABASE]
    there += [one.spec.server for one in before if not one.exists]
    return next(
        (
            one
            for one in there
            if _zone(estate, one) == zone and not lag.get(first_label(one)) and not same_host(one, server)
        ),
        "",
    )


def _zone(estate: Estate, name: str) -> str:
    found = next((server for server in estate.servers if same_host(server.name, name)), None)
    return (found.az or found.site).casefold() if found else ""


def lanes(plans: Sequence[DatabasePlan], parallel: int) -> list[list[DatabasePlan]]:
    """Databases that follow each other, in lanes that run side by side: at most `parallel` for each giving server."""
    giving: dict[str, list[DatabasePlan]] = {}
    for plan in plans:
        giving.setdefault(first_label(plan.now.active_server), []).append(plan)
    return [databases[lane::parallel] for databases in giving.values() for lane in range(min(parallel, len(databases)))]


def notes(plans: Sequence[DatabasePlan], held: timedelta | None, *, restarts: bool = False) -> dict[CopyId, str]:
    """What whoever approves a new copy should know.

    `held`: how long Safety Net keeps mail; None: not asked. `restarts`: the run restarts the store itself.
    """
    said: dict[CopyId, str] = {}
    for plan in plans:
        for one in plan.new:
            server, lag = one.spec.server, one.spec.replay_lag
            wish = f"MSExchangeIS on {server} should restart afterwards, and this run does not restart it"
            parts = [] if restarts else [wish]
            if lag and held is not None:
                parts += [note for note in [safety_net_note(held, lag)] if note]
            said[CopyId(plan.name, server)] = "; ".join(parts)
    return said


def check_room(server: str, volumes: Sequence[Volume], plans: Sequence[DatabasePlan]) -> None:
    """Raises `NotSafe` where all new copies of a server together do not fit, though each alone would (P39)."""
    needed: dict[str, int] = {}
    free: dict[str, int] = {}
    for plan in plans:
        if any(same_host(one.spec.server, server) for one in plan.new) and plan.now.bytes is not None:
            path = (plan.now.edb_path + "\\").casefold()
            under = [one for one in volumes if path.startswith(one.name.casefold())]
            if volume := max(under, key=lambda one: len(one.name), default=None):
                needed[volume.name] = needed.get(volume.name, 0) + int(plan.now.bytes * SPACE_FACTOR)
                free[volume.name] = volume.free
    for name, wanted in needed.items():
        if wanted > free[name]:
            raise NotSafe(
                f"P39: the new copies need {wanted / 2**30:.0f} GB on {name} of {server}, "
                f"and {free[name] / 2**30:.0f} GB are free",
                certain=("nothing was changed",),
                next=(f"make room on {server}, or add fewer copies",),
            )
