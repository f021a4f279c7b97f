"""A client name led away from virtual addresses that are dead, in Active Directory's DNS and Route 53; knows no DAG.

A name with several addresses only loses the dead ones. One that leads nowhere else gets the addresses that the
inventory gives its balancers on the living side, or becomes an alias of another balancer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starover.errors import NotSafe, StaroverError
from starover.estate import Balancer, Estate, Server
from starover.names import IPv4
from starover.runbook import Finding, Steps, attempt
from starover.step import Blocked, Change, Outcome, Query, Report, Risk, Settle, Step, step
from starover.steps.client_check import Target, look_at_all, serves
from starover.steps.dns import (
    Answer,
    Asked,
    DnsServers,
    Records,
    Zone,
    absolute,
    alias_moved,
    answer,
    answering,
    records,
    same_name,
    seconds,
    servers_of,
    zone_of,
    zones,
)
from starover.steps.dns_addresses import address_removed, addresses_of, answered_everywhere, caches_over
from starover.steps.public_names import PublicName, public_names, without

__all__ = [
    "NAME_KINDS",
    "Leading",
    "NameNow",
    "addresses_led",
    "known_names",
    "leading_of",
    "led_away",
    "living",
    "name_now",
]

LAST_VIP = "G-LASTVIP"
_TTL = 300


class Exchangers(Report):
    """Where a domain's mail is sent, as a DNS server inside tells it (`dns/exchangers.ps1.j2`)."""

    names: tuple[str, ...]
    addresses: tuple[str, ...]


exchangers = Query("dns/exchangers.ps1.j2", Exchangers)
"""Arguments: `domain`, and `controller`, the DNS server that is asked."""


@dataclass(frozen=True)
class NameNow:
    """What a client name has, read before anything is changed."""

    name: str
    asked: Asked
    zone: str
    """Empty: Active Directory's DNS has no zone for it."""
    label: str
    records: Records | None
    answered: tuple[str, ...]
    """Addresses that clients get for it inside."""
    public: tuple[PublicName, ...] | StaroverError
    """What it has in Route 53; an error: nobody could tell."""
    mail: Exchangers | StaroverError
    """Of the domain that it lies in."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own A records."""
        return addresses_of(self.records) if self.records is not None else ()

    @property
    def alias(self) -> str:
        """The host that it is an alias of; empty: it is none."""
        every = self.records.records if self.records is not None else ()
        return next((one.data for one in every if one.type == "CNAME"), "")

    @property
    def ttl(self) -> int:
        """Seconds for which the old answer may be kept."""
        return max((one.ttl for one in self.records.records), default=_TTL) if self.records is not None else _TTL

    @property
    def everywhere(self) -> tuple[str, ...]:
        """Every address that the name leads to, inside and outside."""
        outside = () if isinstance(self.public, StaroverError) else self.public
        public = [value for one in outside for record in one.records for value in record.values]
        return tuple(dict.fromkeys((*self.addresses, *self.answered, *public)))


def name_now(estate: Estate, name: str, dns_servers: DnsServers) -> Steps[NameNow]:
    """Read it. Raises what the DNS servers said when none answers."""
    asked = yield from answering(servers_of(dns_servers, estate))
    zone, label = zone_of(name, (yield from zones.read(asked.writer)))
    found = (yield from records.read(asked.writer, zone=zone, name=label)) if zone else None
    told = yield from attempt(answer.read(asked.writer, fqdn=name, controller=asked.writer.fqdn))
    answered = told.addresses if isinstance(told, Answer) else ()
    public = yield from attempt(public_names(estate, asked.writer, name))
    domain = name.rstrip(".").partition(".")[2]
    mail = yield from attempt(exchangers.read(asked.writer, domain=domain, controller=asked.writer.fqdn))
    return NameNow(name, asked, zone, label, found, answered, public, mail)


# -- where to ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leading:
    """How a name is led away from addresses: from all of them at once, as each batch knows the records as read."""

    now: NameNow
    away: tuple[str, ...]
    inside: tuple[str, ...] = ()
    """Addresses that take their place in Active Directory's DNS; empty: others of the name's own are left there."""
    outside: tuple[str, ...] = ()
    """Addresses that take their place in Route 53 where nothing else is left."""
    alias: str = ""
    """The balancer whose alias it becomes; empty: it stays what it is."""

    @property
    def own(self) -> tuple[str, ...]:
        """Those that the name's own A records lead to."""
        return tuple(one for one in self.away if one in self.now.addresses)

    @property
    def leaving(self) -> tuple[str, ...]:
        """Those that Active Directory's DNS no longer gives once it is written."""
        return tuple(one for one in self.away if one in self.now.answered) if self.alias else self.own


def leading_of(
    now: NameNow, away: Sequence[str], alive: Collection[str], spare: Sequence[str], others: Sequence[Balancer]
) -> Leading:
    """Decide. `alive`: addresses that serve; `spare`: those of them that the inventory has besides the name's own;
    `others`: balancers with a DNS name and an address that serves. Raises `NotSafe` where nothing is left (G-LASTVIP).
    """
    gone, instead = tuple(away), tuple(spare)
    if any(one in gone for one in now.addresses):
        left = [one for one in now.addresses if one not in gone and one in alive]
        if left or spare:
            return Leading(now, gone, () if left else instead, instead)
        raise _nowhere(now, gone)
    if (
        now.alias
        and any(one in gone for one in now.answered)
        and not any(one in alive for one in now.answered if one not in gone)
    ):
        better = next((one for one in others if not same_name(one.fqdn, now.alias)), None)
        if better is None:
            raise _nowhere(now, gone)
        return Leading(now, gone, (), instead, better.fqdn)
    outside = [] if isinstance(now.public, StaroverError) else [one for name in now.public for one in name.records]
    public = [value for one in outside for value in one.values]
    aliased = any(one.alias is not None for one in outside)  # what it stands for has addresses of its own
    found = any(one in gone for one in public)
    if found and not spare and not aliased and not any(one in alive for one in public if one not in gone):
        raise _nowhere(now, gone)
    return Leading(now, gone, (), instead)


def _nowhere(now: NameNow, away: Sequence[str]) -> NotSafe:
    known = ", ".join(one for one in now.everywhere if one not in away) or "none"
    return NotSafe(
        f"{LAST_VIP}: without {', '.join(away)} {now.name} would lead nowhere",
        certain=(f"its other addresses: {known}; none of them serves clients", "nothing was changed"),
        next=(
            f"starover run client-check --namespace {now.name}",
            "`addresses:` of a balancer in the inventory names a virtual address of the other side",
        ),
        host=now.asked.writer.name,
    )


def living(estate: Estate, now: NameNow, away: Collection[str]) -> Steps[tuple[set[str], list[str]]]:
    """S-CLIENTCHECK: addresses that serve, and those of them that the name does not have itself."""
    own = [one for one in now.everywhere if one not in away]
    more = [one for balancer in estate.balancers for one in balancer.addresses if one not in away and one not in own]
    targets = [Target(one, now.name, now.name, now.asked.writer, shared=True) for one in dict.fromkeys((*own, *more))]
    seen = yield from look_at_all(targets, ("https",))
    alive = {one.target.address for one in seen if not serves(one)}
    return alive, [one for one in dict.fromkeys(more) if one in alive]


def known_names(estate: Estate, dag: str = "") -> tuple[str, ...]:
    """The client names of a DAG, or of the whole inventory."""
    return tuple(one.name for one in estate.client_names if not dag or one.dag in ("", dag))


# -- doing it ----------------------------------------------------------------------------------------------------------


def _led_back(
    prev: Records,
    server: Server,
    /,
    *,
    zone: Zone,
    name: str,
    away: Sequence[IPv4],
    to: Sequence[IPv4],
    ttl: timedelta,
    note: str,
) -> Step | None:
    del note
    were = addresses_of(prev)
    new = tuple(one for one in to if one not in were)
    old = tuple(one for one in away if one in were)
    if not old:
        return None
    ttl = timedelta(seconds=max(one.ttl for one in prev.records if one.data in old))
    return addresses_led.on(server, zone=zone, name=name, away=new, to=old, ttl=ttl, note="")


@step(
    check=records,
    apply="dns/lead_addresses.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=60),
    undo=_led_back,
)
def addresses_led(
    now: Records, /, *, zone: Zone, name: str, away: Sequence[IPv4], to: Sequence[IPv4], ttl: timedelta, note: str
) -> Change | Blocked | None:
    """A name that leads to other addresses instead of dead ones: those come first, then these go (S-A-ADD, S-A-DEL).

    `to` empty: others of its own are left.
    """
    there = addresses_of(now)
    if all(one in there for one in to) and not any(one in there for one in away):
        return None
    if not to and all(one in away for one in there):
        return Blocked(
            f"nothing takes the place of {', '.join(away)}", guard=LAST_VIP, certain=("nothing was changed",)
        )
    if any(one.type == "CNAME" for one in now.records):
        return Blocked(f"{name}.{zone} is an alias by now", guard="I14", certain=("nothing was changed",))
    left = [one for one in there if one not in away]
    wanted = ", ".join(dict.fromkeys((*left, *to)))
    said = "; ".join(part for part in (f"caches keep it for up to {int(ttl.total_seconds())} s", note) if part)
    return Change(f"{name}.{zone}", f"A {', '.join(there) or 'none'}", f"A {wanted}", said)


NAME_KINDS = (address_removed, addresses_led, alias_moved)
"""Kinds that leading a name away may need in Active Directory's DNS."""


def led_away(how: Leading, *, wait_ttl: bool) -> Steps[tuple[tuple[Finding, ...], bool]]:
    """Lead the clients away: Active Directory's DNS first, then Route 53; each change is seen to be everywhere.

    True: this is a plan, and something is still to be changed.
    """
    now, asked = how.now, how.now.asked
    writer, findings, coming = asked.writer, list[Finding](), False
    if now.zone and how.alias:
        outcome = yield alias_moved.on(
            writer,
            zone=now.zone,
            name=now.label,
            target=absolute(how.alias),
            ttl=seconds(min(now.ttl, _TTL)),
            note=asked.note,
        )
        coming = _planned(outcome)
    elif now.zone and how.own and (how.inside or len(how.own) > 1):
        outcome = yield addresses_led.on(
            writer,
            zone=now.zone,
            name=now.label,
            away=how.own,
            to=how.inside,
            ttl=seconds(min(now.ttl, _TTL)),
            note=asked.note,
        )
        coming = _planned(outcome)
    elif now.zone and how.own:
        outcome = yield address_removed.on(writer, zone=now.zone, name=now.label, address=how.own[0], note=asked.note)
        coming = _planned(outcome)
    elif followed := ", ".join(one for one in how.away if one in now.answered):
        says = (
            f"an alias of {now.alias.rstrip('.')}, whose other addresses serve: zonal-shift takes {followed} out there"
        )
        findings.append(Finding(check="dns", on=now.name, level="info", says=says))
    if isinstance(now.public, StaroverError):
        says = f"Route 53 could not be read: {now.public.what}"
        findings.append(Finding(check="route 53", on=now.name, level="warn", says=says))
    else:
        for one in now.public:
            said = yield from without(writer, one, now.name, how.away, how.outside)
            findings += [Finding(check="route 53", on=now.name, level="info", says=text) for text in said]
    findings.append(_mail(now, how.away))
    if how.leaving:
        yield from answered_everywhere(asked, f"{now.label}.{now.zone}", how.leaving, there=False)
        if wait_ttl:
            yield from caches_over(writer, now.ttl)
    return tuple(findings), coming


def _mail(now: NameNow, away: Sequence[str]) -> Finding:
    """What mail from outside meets: its exchangers are not changed here."""
    domain = now.name.rstrip(".").partition(".")[2]
    if isinstance(now.mail, StaroverError) or not now.mail.names:
        says = f"DNS here names no mail exchanger: look outside whether one of {domain} leads to {', '.join(away)}"
        return Finding(check="mx", on=domain, level="info", says=says)
    names = ", ".join(one.rstrip(".") for one in now.mail.names)
    met = [one for one in away if one in now.mail.addresses]
    if met or any(same_name(one, now.name) for one in now.mail.names):
        dead = ", ".join(met or away)
        says = f"mail from outside still comes by {names}, of which one leads to {dead}: change it where it is kept"
        return Finding(check="mx", on=domain, level="warn", says=says)
    return Finding(check="mx", on=domain, level="ok", says=f"{names}: none of them leads to {', '.join(away)}")


def _planned(outcome: object) -> bool:
    return isinstance(outcome, Outcome) and outcome.state == "planned"
