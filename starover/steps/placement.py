"""A database with its copies: where, in which order, how far behind, and what a host has for it; reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from starover.errors import BadReport
from starover.names import CopyId, first_label, same_host
from starover.parameters import duration
from starover.step import Query, Report
from starover.steps.copies import CopyStatus, DatabaseCopies
from starover.steps.dag import Pair, Volume, short

__all__ = [
    "HostView",
    "OnController",
    "Placement",
    "Placements",
    "SeedOf",
    "ServerFacts",
    "bytes_in",
    "copies_on_controller",
    "copy_host",
    "lag_of",
    "placement",
    "placements",
    "places_of",
    "preference_text",
]

LOW_SPACE = 180 * 2**30
"""Bytes: below this much free the product raises its low-space alert (P39)."""
SPACE_FACTOR = 1.2
"""How much room a copy needs, times the size of its database (P39)."""


def bytes_in(size: str) -> int | None:
    """The number in `152.1 MB (159,449,088 bytes)`, whatever groups its digits; None: there is none.

    A deserialised size keeps its value in its text only (exchange.md, point 2).
    """
    found = re.search(r"\(([0-9][0-9.,'\u2019 \u00a0\u202f]*)[^0-9()]*\)", size)
    return int(re.sub(r"[^0-9]", "", found[1])) if found else None


class Placement(Report):
    """A database as AD and its copies say (`database/_placement.ps1.j2`). `found` False: the rest is empty."""

    found: bool
    name: str
    dag: str
    """The DAG, or the server where there is none."""
    active: str
    """The server that the AD object has for the active copy."""
    mounted: bool
    size: str
    """`40 GB (42,949,672,960 bytes)`; empty where the store could not be asked."""
    circular_logging: bool
    edb_path: str
    log_folder: str
    preferences: tuple[Pair, ...]
    replay_lags: tuple[Pair, ...]
    truncation_lags: tuple[Pair, ...]
    copies: tuple[CopyStatus, ...]

    @property
    def places(self) -> dict[str, int]:
        """The activation preference of each server with a copy; the first place first."""
        return places_of(self.preferences)

    @property
    def order(self) -> tuple[str, ...]:
        """The servers with a copy, in the order of their activation preference."""
        return tuple(self.places)

    @property
    def active_server(self) -> str:
        """Where the active copy is: as Active Manager says, else as AD has it."""
        return next((one.server for one in self.copies if one.active), short(self.active))

    @property
    def bytes(self) -> int | None:
        """How big the database is; None: not known."""
        return bytes_in(self.size)

    def has(self, server: str) -> bool:
        """Whether a server has a copy, as AD knows it."""
        return any(same_host(name, server) for name in self.order)

    def find(self, copy: CopyId) -> CopyStatus | None:
        """The state of a copy."""
        return DatabaseCopies(copies=self.copies).find(copy)

    def replay_lag(self, server: str) -> timedelta:
        """How far a copy replays behind."""
        return lag_of(self.replay_lags, server)

    def truncation_lag(self, server: str) -> timedelta:
        """How long a copy keeps logs that it has replayed."""
        return lag_of(self.truncation_lags, server)

    @property
    def lagged(self) -> tuple[str, ...]:
        """The servers whose copies replay behind."""
        return tuple(server for server in self.order if self.replay_lag(server))


def _value(pair: Pair) -> str:
    """The value of a pair, out of its text where the session flattened it: `[EX1, 2]`."""
    if pair.name or pair.key:
        return pair.value
    found = re.fullmatch(r"\[.+, ([^,\]]*)\]", pair.text)
    return found[1] if found else ""


def places_of(pairs: Sequence[Pair]) -> dict[str, int]:
    """The activation preference of each server; the first place first."""
    places = [(pair.server, int(_value(pair) or 0)) for pair in pairs]
    return dict(sorted(places, key=lambda place: place[1]))


def lag_of(pairs: Sequence[Pair], server: str) -> timedelta:
    """A server's lag; none where it is not among them. Raises `BadReport`."""
    for pair in pairs:
        if same_host(pair.server, server):
            text = _value(pair)
            try:
                return duration(text) if text else timedelta(0)
            except ValueError:
                raise BadReport(f"the lag of the copy on {server} is `{text}`, which cannot be read") from None
    return timedelta(0)


class Placements(Report):
    """Several databases (`database/placements.ps1.j2`)."""

    databases: tuple[Placement, ...]
    """In the order they were asked for."""


class ServerFacts(Report):
    """A server with Exchange."""

    name: str
    dag: str
    """In whatever form; empty: in no DAG."""
    build: str
    """`Version 15.2 (Build 1544.4)`."""
    policy: str
    """`Unrestricted`, `IntrasiteOnly`, `Blocked`: whether its copies may be activated by themselves."""

    @property
    def in_dag(self) -> str:
        """The DAG's name; empty: none."""
        return short(self.dag)

    @property
    def family(self) -> str:
        """`15.2`: servers that may share a DAG. Exchange 2019 and SE are one."""
        found = re.search(r"(\d+)\.(\d+)", self.build)
        return f"{found[1]}.{found[2]}" if found else ""


class SeedOf(Report):
    """How far the seed of a copy is."""

    server: str
    status: str
    """`Percentage:33; Read:13.2 GB (14,173,392,076 bytes); ...`; empty: no seed."""


class HostView(Report):
    """A database, and whether the host that was asked could have a copy of it (`copy/host.ps1.j2`)."""

    host: str
    placement: Placement
    servers: tuple[ServerFacts, ...]
    volumes: tuple[Volume, ...]
    """Of the host."""
    files: bool
    """A database file lies at the path already."""
    seeds: tuple[SeedOf, ...]

    def server(self, name: str) -> ServerFacts | None:
        """What AD says of a server."""
        return next((one for one in self.servers if same_host(one.name, name)), None)

    def volume(self, path: str) -> Volume | None:
        """The volume of the host that a path lies on, mount points included."""
        under = [one for one in self.volumes if (path + "\\").casefold().startswith(one.name.casefold())]
        return max(under, key=lambda one: len(one.name), default=None)

    @property
    def copy(self) -> CopyStatus | None:
        """The state of the host's own copy."""
        return self.placement.find(CopyId(self.placement.name, self.host)) if self.placement.found else None

    @property
    def seeded(self) -> int | None:
        """Bytes that the seed of the host's own copy has read; None: not known, or no seed."""
        text = next((one.status for one in self.seeds if same_host(one.server, self.host)), "")
        found = re.search(r"Read:([^;]*)", text)
        read = bytes_in(found[1]) if found else None
        percent = re.search(r"Percentage:\s*(\d+)", text)
        if read is None and percent and self.placement.bytes is not None:
            return self.placement.bytes * int(percent[1]) // 100
        return read


class OnController(Report):
    """Which servers have a copy, as one domain controller knows it (`database/on_controller.ps1.j2`)."""

    servers: tuple[str, ...]

    def has(self, server: str) -> bool:
        """Whether a server is among them."""
        return any(same_host(short(one), server) for one in self.servers)


placement = Query("database/placement.ps1.j2", Placement)
"""Argument: `database`. As the server that is asked, and its domain controller, see it."""
placements = Query("database/placements.ps1.j2", Placements)
"""Argument: `databases`, a list of names."""
copy_host = Query("copy/host.ps1.j2", HostView)
"""Argument: `database`. Of the host that is asked."""
copies_on_controller = Query("database/on_controller.ps1.j2", OnController)
"""Arguments: `database`, `controller`."""


def preference_text(order: Sequence[str] | Mapping[str, int]) -> str:
    """`EX1=1 EX3=2`, as plans show it."""
    places = order if isinstance(order, Mapping) else {server: place for place, server in enumerate(order, 1)}
    return " ".join(f"{server}={place}" for server, place in sorted(places.items(), key=lambda pair: pair[1]))


def same_order(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two orders name the same servers in the same places."""
    return [first_label(server) for server in one] == [first_label(server) for server in other]
