"""Weights of records in Route 53: one side of a name drained while another is healthy (S-R53); knows no DAG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from starover.errors import BadParameter, NotSafe
from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Risk, Settle, Step, step
from starover.steps.route53 import Record, Records, Shape, health_of, in_sync, records_from, shape

__all__ = ["SetId", "Weight", "record_weighted", "weighed"]

SetId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="a set identifier")]
Weight = Annotated[int, msgspec.Meta(ge=0, le=255, description="0 to 255")]


def _weight_back(
    prev: Records, server: Server, /, *, name: str, zone: str, identifier: str, weight: int, record: Shape
) -> Step | None:
    was = prev.find(name, str(record["Type"]), identifier)
    if was is None or was.weight is None or was.weight == weight:
        return None
    return record_weighted.on(server, zone=zone, name=name, identifier=identifier, weight=was.weight, record=shape(was))


@step(
    check=records_from,
    apply="route53/weigh.call.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=180),
    undo=_weight_back,
    repeatable=True,
)
def record_weighted(
    now: Records, /, *, name: str, zone: str, identifier: str, weight: int, record: Shape
) -> Change | Blocked | None:
    """A weighted record with this weight, and all else as it was; `record` is the whole of it, with that weight.

    G-LASTVIP: the weights of the name may not all be 0.
    """
    del zone
    kind = str(record["Type"])
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
        record = shape(one) | {"Weight": weight}
        outcome = yield record_weighted.on(
            server, zone=zone, name=one.name, identifier=identifier, weight=weight, record=record
        )
        yield from in_sync(server, outcome, zone=zone, name=name)


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
