"""Route 53 records with weights and their health (S-R53); knows no balancer and no DAG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from starover.errors import BadParameter, NotSafe
from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step

__all__ = ["AliasTo", "Checked", "Record", "Records", "SetId", "Weight", "ZoneRef", "record_weighted", "weighed"]

ZoneRef = Annotated[
    str, msgspec.Meta(pattern=r"^Z[A-Z0-9]{1,31}(?![\s\S])", description="a hosted zone's id, such as Z0123ABC")
]
SetId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="a set identifier")]
Weight = Annotated[int, msgspec.Meta(ge=0, le=255, description="0 to 255")]


class AliasTo(Report):
    """What an alias stands for."""

    zone: str
    name: str
    evaluate: bool
    """Its health is that of its targets."""


class Record(Report):
    """A record set."""

    name: str
    type: str
    identifier: str | None
    weight: int | None
    failover: str | None
    ttl: int | None
    values: tuple[str, ...]
    check: str | None
    """Its health check's id."""
    alias: AliasTo | None

    @property
    def words(self) -> str:
        """Where it leads, for a person."""
        return self.alias.name if self.alias is not None else ", ".join(self.values)


class Records(Report):
    """Records of a zone from a name on (`route53/records.call.j2`)."""

    records: tuple[Record, ...]

    def of(self, name: str) -> tuple[Record, ...]:
        """Those of a name that have a weight."""
        return tuple(one for one in self.records if _same(one.name, name) and one.weight is not None)

    def find(self, name: str, kind: str, identifier: str) -> Record | None:
        """One of them."""
        return next((one for one in self.of(name) if (one.type, one.identifier) == (kind, identifier)), None)


class Checked(Report):
    """What checkers found (`route53/health.call.j2`)."""

    found: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Most of them got an answer."""
        return sum(one.startswith("Success") for one in self.found) * 2 > len(self.found)


records_from = Query("route53/records.call.j2", Records)
"""Arguments: `zone`, `name`."""
health_of = Query("route53/health.call.j2", Checked)
"""Argument: `check`."""


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()


def _weight_back(
    prev: Records,
    server: Server,
    /,
    *,
    zone: str,
    name: str,
    kind: str,
    identifier: str,
    weight: int,
    ttl: int,
    values: Sequence[Mapping[str, str]],
    alias: str,
    alias_zone: str,
    evaluate: bool,
    check: str,
) -> Step | None:
    was = prev.find(name, kind, identifier)
    if was is None or was.weight is None or was.weight == weight:
        return None
    return record_weighted.on(
        server,
        zone=zone,
        name=name,
        kind=kind,
        identifier=identifier,
        weight=was.weight,
        ttl=ttl,
        values=values,
        alias=alias,
        alias_zone=alias_zone,
        evaluate=evaluate,
        check=check,
    )


@step(
    check=records_from,
    apply="route53/weigh.call.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=180),
    undo=_weight_back,
)
def record_weighted(
    now: Records,
    /,
    *,
    zone: str,
    name: str,
    kind: str,
    identifier: str,
    weight: int,
    ttl: int,
    values: Sequence[Mapping[str, str]],
    alias: str,
    alias_zone: str,
    evaluate: bool,
    check: str,
) -> Change | Blocked | None:
    """A weighted record with this weight, and all else as it was; `alias` empty: it has `values` and a `ttl`.

    G-LASTVIP: the weights of the name may not all be 0.
    """
    del zone, ttl, alias_zone, evaluate, check, values, alias
    found = now.find(name, kind, identifier)
    if found is None or found.weight is None:
        return Blocked(f"there is no weighted record {name} {kind} {identifier}", guard="S-R53")
    if found.weight == weight:
        return None
    others = [one for one in now.of(name) if one.type == kind and one.identifier != identifier]
    if weight == 0 and not any(one.weight for one in others):
        return Blocked(
            f"G-LASTVIP: every weight of {name} {kind} would be 0, which means all of them are used",
            guard="G-LASTVIP",
            next=("give another set identifier a weight first",),
        )
    note = f"{found.words}; clients follow when their answers are old ({found.ttl or 60} s)"
    return Change(f"{name} {kind} {identifier} weight", str(found.weight), str(weight), note)


def weighed(server: Server, zone: str, name: str, identifier: str, weight: int) -> Steps:
    """Give the records of a set identifier another weight, while another one is healthy.

    Raises `BadParameter` where there is none, `NotSafe` where clients would be led to nobody who is healthy.
    """
    now = yield from records_from.read(server, zone=zone, name=name)
    mine = [one for one in now.of(name) if one.identifier == identifier]
    if not mine:
        known = ", ".join(sorted({one.identifier or "" for one in now.of(name)}))
        raise BadParameter(
            f"{name} has no weighted record with the set identifier {identifier}",
            certain=("nothing was changed", f"it has: {known or 'none'}"),
        )
    for one in mine:
        others = [this for this in now.of(name) if this.type == one.type and this.identifier != identifier]
        if weight == 0 and any(this.weight for this in others):
            yield from _someone_healthy(server, name, [this for this in others if this.weight])
    for one in mine:
        yield record_weighted.on(
            server,
            zone=zone,
            name=one.name,
            kind=one.type,
            identifier=identifier,
            weight=weight,
            ttl=one.ttl or 0,
            values=tuple({"Value": value} for value in one.values),
            alias=one.alias.name if one.alias is not None else "",
            alias_zone=one.alias.zone if one.alias is not None else "",
            evaluate=one.alias.evaluate if one.alias is not None else False,
            check=one.check or "",
        )


def _someone_healthy(server: Server, name: str, others: Sequence[Record]) -> Steps:
    """A record without a health check counts as healthy. Raises `NotSafe`."""
    for one in others:
        if not one.check or (yield from health_of.read(server, check=one.check)).good:
            return
    raise NotSafe(
        f"G-LASTVIP: no other record of {name} is healthy",
        certain=("nothing was changed", *(f"{one.identifier}: its health check fails" for one in others)),
        next=("look at what is behind it first",),
    )
