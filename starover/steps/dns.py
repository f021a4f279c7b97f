"""Names in Active Directory's DNS: aliases and how long they are cached; written on one server, looked for on all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, TypeAlias

import msgspec

from starover.errors import BadParameter, StaroverError
from starover.estate import Estate, Server
from starover.runbook import Steps, attempt, together
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step, wait

__all__ = [
    "ALL",
    "Alias",
    "Asked",
    "DnsServers",
    "Fqdn",
    "Label",
    "LoadBalancerName",
    "Ttl",
    "Zone",
    "absolute",
    "alias_moved",
    "alias_set",
    "alias_state",
    "answering",
    "authoritative",
    "balancer_target",
    "heard_everywhere",
    "known_everywhere",
    "no_alias",
    "records",
    "same_name",
    "seconds",
    "servers_of",
    "ttl_set",
    "zone_of",
    "zones",
]

_END = r"(?![\s\S])"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

Fqdn: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(?=.{{1,254}}{_END})(?![0-9.]+{_END}){_LABEL}(?:\.{_LABEL})+\.?{_END}",
        title="Fqdn",
        description="a full DNS name such as mail.example.com, never an address",
    ),
]
"""A full name; a final dot is allowed. Compare with `same_name`."""
Zone: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(?=.{{1,253}}{_END})(?![0-9.]+{_END}){_LABEL}(?:\.{_LABEL})*{_END}",
        title="Zone",
        description="a DNS zone such as example.com",
    ),
]
Label: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_LABEL}{_END}",
        title="Label",
        description="one DNS label of 1 to 63 letters, digits and hyphens, such as mail",
    ),
]
Ttl: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=86_400, description="1 to 86400 seconds")]
LoadBalancerName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[A-Za-z0-9](?:[A-Za-z0-9-]{{0,30}}[A-Za-z0-9])?{_END}",
        title="LoadBalancerName",
        description="1 to 32 letters, digits and hyphens",
    ),
]

REPLICATION = Settle(every=30, limit=1200)
"""How long a record may take to reach every DNS server: AD replicates it."""


class Record(Report):
    """A record of a name."""

    type: str
    """`A`, `CNAME`..."""
    data: str
    """The address or the host that it is an alias of; empty for other types."""
    ttl: int
    """Seconds."""

    def __str__(self) -> str:
        """As a zone file has it."""
        return f"{self.type} {self.data} TTL {self.ttl}" if self.data else f"{self.type} TTL {self.ttl}"


class Records(Report):
    """What a name has in a zone, on one DNS server (`dns/records.ps1.j2`)."""

    zone_type: str
    """`Primary`, `Secondary`...; empty: the server does not have the zone."""
    integrated: bool
    records: tuple[Record, ...]


class Alias(Records):
    """The same, and whether the aim of an alias is of any use (`dns/alias.ps1.j2`)."""

    aliases: tuple[str, ...]
    """What the aim is an alias of itself."""
    addresses: tuple[str, ...]
    answers: bool
    """One of the addresses answers on TCP 443."""


class Zones(Report):
    """The zones of a DNS server."""

    zones: tuple[str, ...]


class Answer(Report):
    """What a DNS server answers to who asks for a name's addresses."""

    aliases: tuple[str, ...]
    addresses: tuple[str, ...]
    ttls: tuple[int, ...]
    """Of the records of the name itself."""


records = Query("dns/records.ps1.j2", Records)
"""Arguments: `zone`, `name`."""
alias_state = Query("dns/alias.ps1.j2", Alias)
"""Arguments: `zone`, `name`, `target`."""
zones = Query("dns/zones.ps1.j2", Zones)
answer = Query("dns/answer.ps1.j2", Answer)
"""Arguments: `fqdn`, and `controller`, the DNS server that is asked."""


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same; a final dot says nothing."""
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()


def absolute(name: str) -> str:
    """With its final dot."""
    return name.rstrip(".") + "."


def seconds(ttl: int) -> timedelta:
    """A time to live as a length of time."""
    return timedelta(seconds=ttl)


# -- which servers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DnsServers:
    """`all`, or some of them by name: `DC1,DC2`."""

    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> DnsServers:
        """Read it. Raises `BadParameter`."""
        names = tuple(part.strip() for part in text.split(","))
        if not all(names):
            raise BadParameter(f"`{text}` names no DNS servers", next=("all, or DC1,DC2",))
        return cls() if text.strip().casefold() == "all" else cls(names)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return ",".join(self.names) or "all"


ALL = DnsServers()


def servers_of(chosen: DnsServers, estate: Estate) -> list[Server]:
    """The servers meant: domain controllers are the DNS servers of their zones. Raises `BadParameter`."""
    every = estate.having("dc")
    if not every:
        raise BadParameter("the inventory has no server with the role dc", certain=("nothing was contacted",))
    found = [estate.server(name) for name in chosen.names]
    wrong = [server.name for server in found if server not in every]
    if wrong:
        raise BadParameter(
            f"{', '.join(wrong)}: no DNS server",
            certain=("nothing was contacted",),
            next=(f"the DNS servers are {', '.join(server.name for server in every)}",),
        )
    return list({server.name: server for server in found or every}.values())


@dataclass(frozen=True)
class Asked:
    """DNS servers that answered, and the others."""

    up: tuple[Server, ...]
    silent: tuple[str, ...]

    @property
    def writer(self) -> Server:
        """Where it is written: the first one that answers; AD takes it to the others."""
        return self.up[0]

    @property
    def note(self) -> str:
        """What is to be said of those that did not answer."""
        return f"{', '.join(self.silent)} does not answer: it learns of it when it is back" if self.silent else ""


def answering(servers: Sequence[Server]) -> Steps[Asked]:
    """Ask all side by side. Raises what the first one said when none answers."""
    heard = yield from together(attempt(zones.read(server)) for server in servers)
    up = tuple(server for server, now in zip(servers, heard, strict=True) if isinstance(now, Zones))
    if not up:
        raise next(now for now in heard if isinstance(now, StaroverError))
    return Asked(up, tuple(server.name for server in servers if server not in up))


def authoritative(zone: str, names: Sequence[str]) -> str:
    """The longest of `names` that is `zone` or above it; empty: none."""
    above = [name for name in names if f".{zone.rstrip('.')}".casefold().endswith(f".{name}".casefold())]
    return max(above, key=len, default="")


def zone_of(fqdn: str, now: Zones) -> tuple[str, str]:
    """A name cut into zone and the rest, by the zones of a server; empty where the server has none for it."""
    zone = authoritative(fqdn, now.zones)
    label = fqdn.rstrip(".")[: -len(zone) - 1] if zone else ""
    return (zone, label) if label else ("", "")


# -- aliases -----------------------------------------------------------------------------------------------------------


def _alias_back(
    prev: Alias, server: Server, /, *, zone: Zone, name: Label, target: str, ttl: timedelta, note: str
) -> Step | None:
    del ttl, note
    was = next((one for one in prev.records if one.type == "CNAME"), None)
    if was is None:
        return no_alias.on(server, zone=zone, name=name, target=target) if not prev.records else None
    kind = alias_set if same_name(was.data, target) else alias_moved
    return kind.on(server, zone=zone, name=name, target=was.data, ttl=timedelta(seconds=was.ttl), note="")


@step(check=alias_state, apply="dns/set_alias.ps1.j2", risk=Risk.LOW, undo=_alias_back)
def alias_set(
    now: Alias, /, *, zone: Zone, name: Label, target: str, ttl: timedelta, note: str
) -> Change | Blocked | None:
    """A name that is an alias, with that time to live (S-CNAME); an alias that points elsewhere is `alias_moved`."""
    change = _alias(now, zone, name, target, ttl, note)
    was = next((one for one in now.records if one.type == "CNAME"), None)
    if isinstance(change, Change) and was is not None and not same_name(was.data, target):
        return Blocked(
            f"{name}.{zone} points to {was.data} by now: moving it takes its clients elsewhere",
            certain=("nothing was changed",),
        )
    return change


@step(check=alias_state, apply="dns/set_alias.ps1.j2", risk=Risk.SERVICE, undo=_alias_back)
def alias_moved(
    now: Alias, /, *, zone: Zone, name: Label, target: str, ttl: timedelta, note: str
) -> Change | Blocked | None:
    """An alias that clients use points to another host: they go there as their caches run out (S-CNAME)."""
    return _alias(now, zone, name, target, ttl, note)


def _alias(now: Alias, zone: str, name: str, target: str, ttl: timedelta, note: str) -> Change | Blocked | None:
    fqdn, wished = f"{name}.{zone}", int(ttl.total_seconds())
    others = [one for one in now.records if one.type != "CNAME"]
    if others:
        shown = "; ".join(str(one) for one in others)
        return Blocked(
            f"{fqdn} has another record: {shown}",
            guard="I14",
            certain=("an alias must be the only record of its name", "nothing was changed"),
            next=("remove that record first, when nobody uses it any more, or choose another name",),
        )
    was = next((one for one in now.records), None)
    if was is not None and same_name(was.data, target) and was.ttl == wished:
        return None
    blocked = _zone(now, zone)
    if blocked is None and (was is None or not same_name(was.data, target)):
        blocked = _aim(now, fqdn, target)
    if blocked is not None:
        return blocked
    wanted = f"CNAME {target.rstrip('.')} TTL {wished}"
    if was is None:
        return Change(fqdn, "none", wanted, note=note, action="add")
    caches = f"caches keep the old answer for up to {was.ttl} s"
    said = "; ".join(part for part in (caches, note) if part)
    return Change(fqdn, f"CNAME {was.data.rstrip('.')} TTL {was.ttl}", wanted, note=said)


def _zone(now: Records, zone: str) -> Blocked | None:
    if not now.zone_type:
        return Blocked(
            f"this DNS server does not have the zone {zone}",
            certain=("nothing was changed",),
            next=("--zone names a zone of Active Directory's own DNS",),
        )
    if now.zone_type != "Primary" or not now.integrated:
        return Blocked(
            f"the zone {zone} is {now.zone_type}{'' if now.integrated else ' and not kept in Active Directory'}",
            certain=("it is written where its primary is", "nothing was changed"),
        )
    return None


def _aim(now: Alias, fqdn: str, target: str) -> Blocked | None:
    """An alias to nowhere is an outage."""
    certain = ("nothing was changed",)
    if any(same_name(one, fqdn) for one in (target, *now.aliases)):
        return Blocked(f"{target.rstrip('.')} leads back to {fqdn}", certain=certain)
    if not now.addresses:
        return Blocked(
            f"{target.rstrip('.')} has no address: clients would find nothing",
            certain=certain,
            next=("look at the spelling, and at the load balancer",),
        )
    if not now.answers:
        return Blocked(
            f"{target.rstrip('.')} ({', '.join(now.addresses)}) does not answer on TCP 443",
            certain=certain,
            next=("look at the load balancer's listener and targets",),
        )
    return None


@step(check=alias_state, apply="dns/remove_alias.ps1.j2", risk=Risk.SERVICE)
def no_alias(now: Alias, /, *, zone: Zone, name: Label, target: str) -> Change | Blocked | None:
    """An alias that is gone: exactly this one."""
    was = next((one for one in now.records if one.type == "CNAME" and same_name(one.data, target)), None)
    if was is None:
        return None
    return Change(f"{name}.{zone}", f"CNAME {was.data.rstrip('.')} TTL {was.ttl}", "none", action="remove")


# -- time to live ------------------------------------------------------------------------------------------------------


def _ttl_back(
    prev: Records, server: Server, /, *, zone: Zone, name: str, kind: str, ttl: timedelta, note: str
) -> Step | None:
    del note
    ttls = {one.ttl for one in prev.records if one.type.casefold() == kind.casefold()}
    if len(ttls) != 1 or ttls == {int(ttl.total_seconds())}:
        return None
    return ttl_set.on(server, zone=zone, name=name, kind=kind, ttl=timedelta(seconds=ttls.pop()), note="")


@step(check=records, apply="dns/set_ttl.ps1.j2", risk=Risk.LOW, undo=_ttl_back)
def ttl_set(now: Records, /, *, zone: Zone, name: str, kind: str, ttl: timedelta, note: str) -> Change | Blocked | None:
    """The records of a name and type are cached this long (S-TTL)."""
    wished = int(ttl.total_seconds())
    own = [one for one in now.records if one.type.casefold() == kind.casefold()]
    if not own:
        return Blocked(f"{name}.{zone} has no {kind} record by now", certain=("nothing was changed",))
    wrong = sorted({one.ttl for one in own if one.ttl != wished})
    if not wrong:
        return None
    caches = f"caches keep the old answer for up to {max(wrong)} s"
    return _zone(now, zone) or Change(
        f"{name}.{zone} {own[0].type}",
        f"TTL {' and '.join(map(str, wrong))}",
        f"TTL {wished}",
        note="; ".join(part for part in (caches, note) if part),
    )


def known_everywhere(asked: Asked, fqdn: str, *, ttl: int, target: str = "") -> Steps:
    """Wait until every DNS server that answers gives the name its addresses, by this alias, with this time to live."""

    aim = f" with {target.rstrip('.')}" if target else ""

    def until(now: Answer) -> bool:
        aliased = not target or any(same_name(one, target) for one in now.aliases)
        return aliased and bool(now.addresses) and bool(now.ttls) and set(now.ttls) == {ttl}

    yield from heard_everywhere(asked, fqdn, f"{fqdn}{aim}, TTL {ttl} (waiting-ad)", until)


def heard_everywhere(asked: Asked, fqdn: str, says: str, until: Callable[[Answer], bool]) -> Steps:
    """Wait until what every DNS server that answers says of a name is as wished; `says`: that, in words."""
    yield from together(
        wait(
            answer,
            asked.writer,
            until=until,
            settle=REPLICATION,
            what=f"AD: {server.name} answers {says}",
            expected=True,
            fqdn=fqdn,
            controller=server.fqdn,
        )
        for server in asked.up
    )


def balancer_target(name: str, estate: Estate) -> str:
    """The DNS name of a load balancer that the inventory knows. Raises `BadParameter`."""
    found = next((one for one in estate.balancers if one.name.casefold() == name.casefold() and one.fqdn), None)
    if found is None:
        known = ", ".join(one.name for one in estate.balancers if one.fqdn) or "none"
        raise BadParameter(
            f"the inventory knows no load balancer `{name}` with its DNS name",
            certain=("nothing was contacted",),
            next=(f"it knows: {known}", "--target FQDN   names the balancer's DNS name itself"),
        )
    return found.fqdn
