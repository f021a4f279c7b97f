"""A client name in Route 53 without a virtual address that is dead; which records that are is decided here, purely."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from starover.estate import Estate, Server
from starover.runbook import Steps
from starover.steps.route53 import (
    HostedZone,
    Record,
    Records,
    Shape,
    records_from,
    replaced,
    same_dns,
    shape,
    zones_from,
)

__all__ = ["PublicName", "public_names", "shapes_without", "without"]

_KINDS = ("A", "CNAME")


@dataclass(frozen=True)
class PublicName:
    """What a name has in one hosted zone."""

    zone: HostedZone
    records: tuple[Record, ...]


def public_names(estate: Estate, server: Server, name: str) -> Steps[tuple[PublicName, ...]]:
    """The hosted zones that have records for a name, public and private; none where the estate is not on AWS."""
    if not estate.region and not any(one.instance for one in estate.servers):
        return ()
    labels = name.rstrip(".").split(".")
    for at in range(len(labels) - 1):
        wanted = ".".join(labels[at:])
        zones = (yield from zones_from.read(server, name=wanted)).zones
        exact = [one for one in zones if same_dns(one.name, wanted)]
        found: list[PublicName] = []
        for zone in exact:
            identity = zone.id.rpartition("/")[2]
            now: Records = yield from records_from.read(server, zone=identity, name=name)
            if records := now.named(name, _KINDS):
                found.append(PublicName(zone, records))
        if exact:
            return tuple(found)
    return ()


def shapes_without(
    there: Sequence[Record], away: Collection[str], to: Sequence[str]
) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """The records of a name without all of these addresses, and what could not be done about it.

    `to`: addresses that take their place where nothing else is left. Aliases, and records that a health check watches
    in a failover pair, follow the health of what is behind them and stay.
    """
    made: list[Shape] = []
    said: list[str] = []
    others = [one for one in there if not one.values or any(value not in away for value in one.values)]
    for one in there:
        dead = ", ".join(value for value in one.values if value in away)
        if not dead:
            made.append(shape(one))
            continue
        left = tuple(value for value in one.values if value not in away)
        rest = left or tuple(to)
        label = f"{one.name.rstrip('.')} {one.identifier or one.type}"
        if left or (one.identifier is None and rest):
            made.append(_leading(one, rest))
        elif one.identifier is None:
            made.append(shape(one))
            said.append(f"{label} leads to {dead} alone, and nothing is known that could take its place")
        elif one.failover is not None and one.check and others:
            made.append(shape(one))
            said.append(f"{label}: Route 53 leaves {dead} by itself, as its health check fails")
        elif one.weight is not None and any(other.weight for other in others):
            made.append(shape(one) | {"Weight": 0})
        elif one.weight is None and one.failover is None and others:
            pass  # one of several answers, or of several regions: it goes
        elif rest:
            made.append(_leading(one, rest))
        else:
            made.append(shape(one))
            said.append(f"{label} leads to {dead} alone, and nothing is known that could take its place")
    return tuple(made), tuple(said)


def _leading(one: Record, values: Sequence[str]) -> Shape:
    return shape(one) | {"ResourceRecords": tuple({"Value": value} for value in values)}


def without(
    server: Server, now: PublicName, name: str, away: Collection[str], to: Sequence[str]
) -> Steps[tuple[str, ...]]:
    """Lead the clients of a hosted zone away from addresses, in one batch. What it could not do is said.

    One batch for all of them: it names the records as they were read, and they are others after it.
    """
    wanted, said = shapes_without(now.records, away, to)
    if wanted != tuple(shape(one) for one in now.records):
        yield from replaced(server, now.zone, name, now.records, wanted, note=f"away from {', '.join(away)}")
    return said
