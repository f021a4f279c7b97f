"""Records of Route 53: what a name has, changes, and when every name server has them (S-R53); knows no DAG."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

import msgspec

from starover.errors import NotSafe
from starover.estate import Server
from starover.render import Arg
from starover.runbook import Steps
from starover.step import Blocked, Change, Outcome, Query, Report, Risk, Settle, Step, step, wait
from starover.steps.pauses import time_passes

__all__ = [
    "AliasTo",
    "Checked",
    "HostedZone",
    "HostedZones",
    "NameAnswer",
    "Record",
    "Records",
    "Shape",
    "Submitted",
    "ZoneRef",
    "answer_at",
    "change_of",
    "dotted",
    "health_of",
    "in_sync",
    "records_from",
    "records_set",
    "replaced",
    "same_dns",
    "shape",
    "within",
    "words_of",
    "zone_facts",
    "zones_from",
]

ZoneRef = Annotated[
    str, msgspec.Meta(pattern=r"^Z[A-Z0-9]{1,31}(?![\s\S])", description="a hosted zone's id, such as Z0123ABC")
]
Shape = Mapping[str, Arg]
"""A record set as boto3 has it."""

IN_SYNC = Settle(every=5, limit=180)
"""P(5s,3m): until every name server has a change."""
_MINUTE = 60
"""Seconds within which Route 53 promises a change to be everywhere."""
_CLIENTS = ("A", "AAAA", "CNAME")
"""Types of record by which clients find a host."""


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
    """`PRIMARY` or `SECONDARY`."""
    region: str | None
    """Of a record that is chosen by latency."""
    multivalue: bool | None
    ttl: int | None
    values: tuple[str, ...]
    check: str | None
    """Its health check's id."""
    special: str | None
    """It is chosen by something else, or made by a traffic policy: nothing here changes it."""
    alias: AliasTo | None

    @property
    def words(self) -> str:
        """Where it leads, for a person."""
        return self.alias.name if self.alias is not None else ", ".join(self.values)


class Records(Report):
    """Records of a zone from a name on (`route53/records.call.j2`)."""

    records: tuple[Record, ...]

    def named(self, name: str, kinds: Collection[str] = _CLIENTS) -> tuple[Record, ...]:
        """Those of a name, of some types."""
        return tuple(one for one in self.records if same_dns(one.name, name) and one.type in kinds)

    def of(self, name: str) -> tuple[Record, ...]:
        """Those of a name that have a weight."""
        return tuple(one for one in self.records if same_dns(one.name, name) and one.weight is not None)

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


class Submitted(Report):
    """A batch that Route 53 has taken in (`route53/change.call.j2`)."""

    id: str
    status: str
    """`PENDING`, or `INSYNC`: every name server has it."""


class HostedZone(Report):
    """A hosted zone (`route53/zone.call.j2`)."""

    id: str
    name: str
    private: bool | None


class HostedZones(Report):
    """Hosted zones from a name on (`route53/zones.call.j2`)."""

    zones: tuple[HostedZone, ...]


class NameAnswer(Report):
    """What a name server answers (`route53/answer.call.j2`)."""

    code: str
    """`NOERROR`, `NXDOMAIN`..."""
    data: tuple[str, ...]


records_from = Query("route53/records.call.j2", Records)
"""Arguments: `zone`, `name`."""
health_of = Query("route53/health.call.j2", Checked)
"""Argument: `check`."""
change_of = Query("route53/change.call.j2", Submitted)
"""Argument: `change`, its id."""
zone_facts = Query("route53/zone.call.j2", HostedZone)
"""Argument: `zone`, its id."""
zones_from = Query("route53/zones.call.j2", HostedZones)
"""Argument: `name`."""
answer_at = Query("route53/answer.call.j2", NameAnswer)
"""Arguments: `zone`, which is public, and `name`."""


def same_dns(one: str, other: str) -> bool:
    """Whether two names are the same; a final dot says nothing."""
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()


def within(name: str, zone: str) -> bool:
    """Whether a name lies in a zone, or is the zone's own."""
    return f".{name.rstrip('.')}".casefold().endswith(f".{zone.rstrip('.')}".casefold())


def dotted(name: str) -> str:
    """A name as Route 53 lists it."""
    return name.casefold().rstrip(".") + "."


def shape(one: Record) -> dict[str, Arg]:
    """A record set as boto3 wants it: exactly this one."""
    made: dict[str, Arg] = {"Name": dotted(one.name), "Type": one.type}
    given: dict[str, Arg] = {
        "SetIdentifier": one.identifier,
        "Weight": one.weight,
        "Failover": one.failover,
        "Region": one.region,
        "MultiValueAnswer": one.multivalue,
        "HealthCheckId": one.check,
    }
    made |= {key: value for key, value in given.items() if value is not None}
    if one.alias is not None:
        target: dict[str, Arg] = {"HostedZoneId": one.alias.zone, "DNSName": one.alias.name}
        return made | {"AliasTarget": target | {"EvaluateTargetHealth": one.alias.evaluate}}
    return made | {"TTL": one.ttl or 0, "ResourceRecords": tuple({"Value": value} for value in one.values)}


# -- changes and when they are everywhere ------------------------------------------------------------------------------


def in_sync(server: Server, outcome: object, *, zone: str, name: str) -> Steps:
    """Wait until every name server has the change that a step has asked for: PENDING, then INSYNC.

    Where its answer was lost nobody knows the change's id: Route 53 is given the minute within which it promises it.
    """
    what = f"Route 53: every name server has {name}"
    state = outcome.state if isinstance(outcome, Outcome) else "right"
    taken = outcome.told(Submitted) if isinstance(outcome, Outcome) else None
    if state == "planned" or taken is not None:
        change = taken.id if taken is not None else ""
        yield from wait(change_of, server, until=_everywhere, settle=IN_SYNC, what=what, expected=True, change=change)
        return
    if state == "changed":
        what = f"{what} (no id of the change is known: a minute passes)"
        yield from time_passes(records_from, server, _MINUTE, what, zone=zone, name=name)
        return
    yield from wait(
        records_from, server, until=lambda _: True, settle=IN_SYNC, what=what, expected=True, zone=zone, name=name
    )


def _everywhere(now: Submitted) -> bool:
    return now.status == "INSYNC"


def _batch_back(
    prev: Records, server: Server, /, *, name: str, zone: str, changes: Sequence[Shape], note: str
) -> Step | None:
    del note
    were = [shape(one) for one in prev.named(name)]
    back = [_change("DELETE", one) for one in _records(changes, "UPSERT") if one not in were]
    back += [_change("UPSERT", one) for one in _records(changes, "DELETE") if one in were]
    return records_set.on(server, zone=zone, name=name, changes=tuple(back), note="") if back else None


@step(
    check=records_from,
    apply="route53/put.call.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=180),
    undo=_batch_back,
    repeatable=True,  # the batch is refused as a whole where it was done already
)
def records_set(
    now: Records, /, *, name: str, zone: str, changes: Sequence[Shape], note: str
) -> Change | Blocked | None:
    """The records by which clients find a name, put in one batch that is done whole or not at all (S-R53).

    `changes` are boto3's: each an `Action` (`DELETE`, `UPSERT`) and the whole record set, as `replaced` makes them.
    """
    del zone
    there = [shape(one) for one in now.named(name)]
    gone, put = _records(changes, "DELETE"), _records(changes, "UPSERT")
    if all(one in there for one in put) and not any(one in there for one in gone):
        return None
    if any(one not in there for one in gone):
        return Blocked(
            f"{name} has other records by now",
            guard="S-R53",
            certain=("somebody else has changed them", "nothing was changed"),
            next=("make the plan again",),
        )
    left = [one for one in there if one not in gone and not any(_key(one) == _key(other) for other in put)]
    was = "; ".join(map(_words, there)) or "none"
    return Change(name.rstrip("."), was, "; ".join(map(_words, (*left, *put))) or "none", note)


def replaced(
    server: Server,
    zone: HostedZone,
    name: str,
    there: Sequence[Record],
    wanted: Sequence[Shape],
    *,
    note: str = "",
) -> Steps:
    """A name has exactly these records, everywhere: one batch, INSYNC, and what a name server then answers.

    `there`: those it has, as they were read; `wanted` empty: it has none any more. Raises `NotSafe` for records that
    this tool does not know how to put back.
    """
    strange = [one for one in there if one.special is not None]
    if strange:
        raise NotSafe(
            f"S-R53: {name} {strange[0].type} {strange[0].identifier or ''} is chosen by place, by network or by a "
            "traffic policy",
            certain=("nothing was changed",),
            next=("it is changed where it was made",),
        )
    now = [shape(one) for one in there]
    changes = [_change("DELETE", one) for one in now if one not in wanted]
    changes += [_change("UPSERT", one) for one in wanted if one not in now]
    if not changes and not wanted:
        return
    if not changes:
        changes = [_change("UPSERT", one) for one in wanted]
    outcome = yield records_set.on(server, zone=_bare(zone.id), name=name, changes=tuple(changes), note=note)
    yield from in_sync(server, outcome, zone=_bare(zone.id), name=name)
    if wanted and not zone.private:  # a private zone's name servers answer within its network alone
        yield from wait(
            answer_at,
            server,
            until=lambda told: told.code == "NOERROR" and bool(told.data),
            settle=IN_SYNC,
            what=f"a name server of Route 53 answers {name}",
            expected=True,
            zone=_bare(zone.id),
            name=name,
        )


def words_of(records: Sequence[Shape]) -> str:
    """Records in a line for a person."""
    return "; ".join(map(_words, records))


def _bare(zone: str) -> str:
    return zone.rpartition("/")[2]


def _change(action: str, record: Shape) -> dict[str, Arg]:
    return {"Action": action, "ResourceRecordSet": record}


def _records(changes: Sequence[Shape], action: str) -> list[Shape]:
    found: list[Shape] = []
    for one in changes:
        record = one["ResourceRecordSet"]
        if one["Action"] == action and isinstance(record, Mapping):
            found.append(record)
    return found


def _key(record: Shape) -> tuple[Arg, Arg]:
    return record["Type"], record.get("SetIdentifier")


def _words(record: Shape) -> str:
    """A record in the plan's line: what answers, when, and whether somebody watches it."""
    alias, values = record.get("AliasTarget"), record.get("ResourceRecords")
    parts = [str(record["Type"])]
    if isinstance(alias, Mapping):
        parts.append(f"alias {str(alias['DNSName']).rstrip('.')}")
    elif isinstance(values, Sequence):
        parts.append(", ".join(str(one["Value"]) for one in values if isinstance(one, Mapping)))
    if "Failover" in record:
        parts.append(str(record["Failover"]))
    parts += [f"weight {record['Weight']}"] if "Weight" in record else []
    parts += ["watched"] if "HealthCheckId" in record else []
    return " ".join(parts)
