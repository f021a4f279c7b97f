"""Which looks a doctor takes: the estate once for each kind of road and each provider that it allows; asks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

if TYPE_CHECKING:
    from starover.estate import Estate, Server

__all__ = ["Pass", "passes"]

Kind = Literal["psrp", "winrm", "ssm"]


@dataclass(frozen=True)
class Pass:
    """One look."""

    label: str
    """`psrp`, or `psrp snapin` for another provider than the inventory's first."""
    estate: Estate
    hosts: tuple[str, ...]
    """Those that the inventory gives this road, in its order."""


def passes(estate: Estate) -> Iterator[Pass]:
    """Every kind of road that the inventory has; the snap-in where it is allowed and another provider is used."""
    for kind in get_args(Kind):
        hosts = tuple(server.name for server in estate.servers if any(road.kind == kind for road in server.roads))
        if not hosts:
            continue
        yield Pass(kind, _narrowed(estate, kind), hosts)
        spare = tuple(server.name for server in estate.servers if server.name in hosts and _spare(server))
        if kind == "psrp" and spare:
            yield Pass("psrp snapin", _with_snapin(_narrowed(estate, kind)), spare)


def _spare(server: Server) -> bool:
    """The snap-in is allowed there, and is not what is used."""
    exchange = server.exchange
    return exchange is not None and exchange.allow_unsupported_snapin and exchange.provider != "snapin"


def _narrowed(estate: Estate, kind: Kind) -> Estate:
    """By this road alone. What it cannot carry is not asked for: no road but psrp has a session of Exchange's own."""
    narrow = estate.narrowed(kind)
    return narrow if kind == "psrp" else _with_snapin(narrow)


def _with_snapin(estate: Estate) -> Estate:
    def change(server: Server) -> Server:
        exchange = server.exchange
        if exchange is None:
            return server
        allowed = exchange.allow_unsupported_snapin
        changed = msgspec.structs.replace(exchange, provider="snapin") if allowed else None
        return msgspec.structs.replace(server, exchange=changed)

    return msgspec.structs.replace(estate, servers=tuple(change(server) for server in estate.servers))
