"""Planning requirements beyond one machine: the DAG, witnesses, copies, Active Directory, names; pure, asks nobody."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starover.names import same_host
from starover.steps.ad_wait import short_site
from starover.steps.cluster_name import Account
from starover.steps.dag import DatabaseInfo, Databases, Volumes, short
from starover.steps.placement import LOW_SPACE
from starover.steps.preflight_facts import Facts, WitnessFacts
from starover.steps.preflight_machines import windows_year
from starover.steps.preflight_reports import Controllers, Features, Groups, Host, Replication, Subnets
from starover.steps.preflight_table import Judged, Word, check
from starover.steps.witness import TRUSTED_SUBSYSTEM, WITNESS_PORTS, Administrators, Firewall, other_az

__all__ = ["distinguished"]

MOST_MEMBERS = 16
STALE_S = 3600
SHORT_TTL = 300
CORE_TYPES = frozenset({"network name", "ip address", "file share witness", "ipv6 address", "distributed network name"})
"""What Exchange puts into a DAG's cluster."""


def distinguished(name: str) -> str:
    """The first part of a distinguished name: `AZ1` of `CN=AZ1,CN=Sites,...`."""
    first = name.partition(",")[0]
    return first.partition("=")[2] or short_site(name)


# -- the DAG -----------------------------------------------------------------------------------------------------------


@check("P01", "fail", "dag")
def name_free(facts: Facts) -> Judged:
    """The DAG's name is its own, or free."""
    if not facts.dag:
        yield "info", "DAG", "no DAG was named"
    elif facts.seen is None:
        yield "unknown", facts.dag, "no server with Exchange answered"
    elif any(same_host(server.name, facts.dag) for server in facts.estate.servers):
        yield "bad", facts.dag, "is the name of a server"
    else:
        yield "ok", facts.dag, "is there" if facts.object else "is free among DAGs and the inventory's servers"


@check("P02", "fail", "dag", "organization")
def not_too_many(facts: Facts) -> Judged:
    """At most 16 members, and 16 copies of a database."""
    names = {short(one).casefold() for one in (facts.object.members if facts.object else ())}
    names |= {one.server.name.casefold() for one in facts.members}
    word: Word = "ok" if 1 <= len(names) <= MOST_MEMBERS else "bad"
    yield word, facts.dag or "members", f"{len(names)} members, now and planned"
    found = facts.said(Databases)
    for database in found.databases if found else ():
        if len(database.preferences) > MOST_MEMBERS:
            yield "bad", database.name, f"{len(database.preferences)} copies"


@check("P20", "fail", "dag", "witness")
def witness_reached(facts: Facts) -> Judged:
    """A DAG names a witness; with an even number of members it is reached and in use."""
    now = facts.object
    if now is None:
        yield "info", facts.dag or "DAG", "not there yet"
        return
    if not now.witness_server:
        yield "bad", facts.dag, "names no witness"
        return
    name = short(now.witness_server)
    even = now.even or not now.members
    ports = next((one.ports for one in facts.witnesses if same_host(one.name, name)), None)
    if ports is None:
        yield "unknown", name, "no member could look whether it answers"
    elif WITNESS_PORTS[0] not in ports.open:
        yield ("bad" if even else "warn"), name, f"does not answer on {WITNESS_PORTS[0]}"
    elif now.even and (now.witness_share == "InvalidConfiguration" or now.cluster is None):
        yield "bad", name, f"its share is {now.witness_share or 'not known'}"
    else:
        yield "ok", name, "answers" + (f", share {now.witness_share}" if now.even else "")


@check("P21", "fail", "dag")
def witness_apart(facts: Facts) -> Judged:
    """The witness is no member, and stands in a zone without members."""
    known = next((one for one in facts.estate.dags if same_host(one.name, facts.dag)), None)
    now = facts.object
    names = [now.witness_server, now.alternate_server] if now else []
    names = [name for name in names if name] or (
        [name for name in (known.witness, known.alternate_witness) if name] if known else []
    )
    members = [one.server.name for one in facts.members]
    for name in names:
        if any(same_host(short(name), member) for member in members):
            yield "bad", short(name), "is a member of the DAG"
            continue
        if any("mailbox" in one.roles for one in facts.estate.servers if same_host(one.name, short(name))):
            yield "warn", short(name), "is a server with Exchange that is no member: as one it would hold copies too"
        found = other_az(short(name), members, facts.estate)
        word: Word = "ok" if found.level == "ok" else "warn" if found.level == "warn" else "unknown"
        yield word, found.on, found.says
    if not names:
        yield "info", facts.dag or "DAG", "no witness is named yet"


@check("P22", "fail", "witness")
def witness_rights(facts: Facts) -> Judged:
    """Exchange is administrator on each witness host."""
    for one in facts.witnesses:
        rights = one.host.get(Administrators) if one.host else None
        if one.host is not None and one.host.server.exchange is not None:
            yield "ok", one.name, "has Exchange itself"
        elif rights is None:
            yield "unknown", one.name, _why(one)
        else:
            has = any(name.rpartition("\\")[2].casefold() == TRUSTED_SUBSYSTEM.casefold() for name in rights.members)
            yield ("ok" if has else "bad"), one.name, f"{TRUSTED_SUBSYSTEM} is {'' if has else 'no '}administrator"


@check("P23", "fail", "witness")
def witness_firewall(facts: Facts) -> Judged:
    """Each witness host lets file sharing and WMI through."""
    for one in facts.witnesses:
        rules = one.host.get(Firewall) if one.host else None
        if rules is None:
            yield "unknown", one.name, _why(one)
            continue
        closed = [rule.name for rule in rules.rules if not rule.enabled]
        yield ("bad" if closed else "ok"), one.name, f"closed: {', '.join(closed)}" if closed else "open"


def _why(one: WitnessFacts) -> str:
    return one.host.why if one.host is not None else "is not in the inventory"


@check("P24", "warn", "dag")
def alternate_named(facts: Facts) -> Judged:
    """A DAG over several zones names an alternate witness."""
    zones = {one.server.az for one in facts.members if one.server.az}
    now = facts.object
    if now is None or len(zones) < 2:
        yield "info", facts.dag or "DAG", "not there yet" if now is None else "its members are in one zone"
    elif now.alternate_server:
        yield "ok", facts.dag, f"alternate witness {short(now.alternate_server)}"
    else:
        yield "bad", facts.dag, f"spans {', '.join(sorted(zones))} and names no alternate witness"


@check("P26", "fail", "dag")
def own_addresses(facts: Facts) -> Judged:
    """With an access point on AWS the members are in different subnets."""
    now = facts.object
    if now is None or now.access_point == "none" or not facts.estate.region:
        yield "ok", facts.dag or "DAG", "no access point" if now is None or now.access_point == "none" else "not on AWS"
        return
    subnets = [one.server.subnet for one in facts.members]
    twice = sorted({subnet for subnet in subnets if subnet and subnets.count(subnet) > 1})
    says = f"several members in {', '.join(twice)}" if twice else "every member in a subnet of its own"
    yield ("bad" if twice else "ok"), facts.dag, says


@check("P28", "fail", "host", "dag", "directory")
def account_staged(facts: Facts) -> Judged:
    """With an access point on Windows Server 2012 or 2012 R2 the cluster's account is staged before a member joins."""
    now = facts.object
    if now is None or now.access_point == "none" or now.members:
        says = "not there yet" if now is None else "needs no account" if now.access_point == "none" else "has members"
        yield "info", facts.dag or "DAG", says
        return
    years = {windows_year(host.version) for one in facts.members if (host := one.get(Host)) is not None}
    if not years & {"2012", "2012 R2"}:
        yield ("ok" if years else "unknown"), facts.dag, "this Windows makes the account itself"
        return
    found = next((report for one in facts.controllers if (report := one.get(Account))), None)
    if found is None:
        yield "unknown", facts.dag, _first_why(facts)
    elif not found.found or found.enabled or not found.masters:
        yield "bad", facts.dag, "its cluster's account must be there, disabled, with full control for Exchange"
    else:
        yield "ok", facts.dag, f"staged at {found.path}"


@check("P29", "fail", "host", "dag")
def nameless_allowed(facts: Facts) -> Judged:
    """Without an access point all members run Windows Server 2012 R2 or later."""
    if facts.object is not None and facts.object.access_point != "none":
        yield "ok", facts.dag, "has an access point"
        return
    for one in facts.members:
        host = one.get(Host)
        if host is None:
            yield "unknown", one.server.name, one.why
            continue
        old = windows_year(host.version) in ("2008 R2", "2012")
        yield ("bad" if old else "ok"), one.server.name, f"Windows Server {windows_year(host.version)}"


@check("P41", "warn", "dag")
def dac_on(facts: Facts) -> Judged:
    """A DAG of two or more members has DAC mode on."""
    now = facts.object
    if now is None or len(now.members) < 2:
        yield "info", facts.dag or "DAG", "not there yet" if now is None else "fewer than two members"
    else:
        yield ("ok" if now.activation_mode == "DagOnly" else "bad"), facts.dag, f"DAC {now.activation_mode}"


@check("P51", "fail", "dag", "organization", "features")
def cluster_alone(facts: Facts) -> Judged:
    """The DAG's cluster is used for nothing else, and members have no NLB feature."""
    for one in facts.members:
        features = one.get(Features)
        if features is None:
            yield "unknown", one.server.name, one.why
        else:
            nlb = features.state("NLB") not in ("", "Available", "Removed")
            yield ("bad" if nlb else "ok"), one.server.name, f"the NLB feature is {'' if nlb else 'not '}installed"
    found = facts.said(Groups)
    for group in found.groups if found else ():
        foreign = sorted({kind for kind in group.types if kind.casefold() not in CORE_TYPES})
        if foreign:
            yield "bad", group.name, f"the cluster also runs {', '.join(foreign)}"


@check("P52", "fail", "dag", "ports")
def replication_port(facts: Facts) -> Judged:
    """Members reach each other on the replication port."""
    if not facts.reached:
        yield "info", facts.dag or "DAG", "fewer than two members: nobody listens yet"
    for one, other, ports in facts.reached:
        if ports is None:
            yield "unknown", one, f"could not look at {other}"
        else:
            yield ("ok" if ports.open else "bad"), one, f"{'reaches' if ports.open else 'does not reach'} {other}"


# -- copies ------------------------------------------------------------------------------------------------------------


def _databases(facts: Facts) -> Sequence[DatabaseInfo]:
    """Those with a copy on a member."""
    found = facts.said(Databases)
    names = [one.server.name for one in facts.members]
    return [
        one
        for one in (found.databases if found else ())
        if any(same_host(pair.server, name) for pair in one.preferences for name in names)
    ]


def _unread(facts: Facts) -> Judged:
    if facts.said(Databases) is None:
        yield "unknown", facts.dag or "databases", "; ".join(facts.unread) or "nobody listed the databases"


@check("P37", "warn", "organization")
def native_protection(facts: Facts) -> Judged:
    """With two or more servers in each zone a database has three copies and a lagged one."""
    yield from _unread(facts)
    zones = [one.server.az for one in facts.members if one.server.az]
    if not zones or any(zones.count(zone) < 2 for zone in zones):
        yield "info", facts.dag or "members", "fewer than two servers in a zone"
        return
    for database in _databases(facts):
        lagged = sum(not pair.value.startswith(("00:00:00", "0.00:00:00")) for pair in database.lags)
        good = len(database.preferences) - lagged
        word: Word = "ok" if good >= 3 and lagged else "bad"
        yield word, database.name, f"{good} copies and {lagged} lagged"


@check("P38", "warn", "organization")
def copies_spread(facts: Facts) -> Judged:
    """Every database has copies in two zones, and preferences are spread evenly."""
    yield from _unread(facts)
    zone = {one.server.name.casefold(): one.server.az for one in facts.members}
    first: dict[str, int] = {one.server.name: 0 for one in facts.members}
    databases = _databases(facts)
    for database in databases:
        zones = {zone.get(pair.server.casefold(), "") for pair in database.preferences} - {""}
        numbers = sorted(int(pair.value) for pair in database.preferences if pair.value.isdigit())
        wrong = [] if len(zones) > 1 else [f"copies in {', '.join(zones) or 'no known zone'} only"]
        wrong += [] if numbers == list(range(1, len(numbers) + 1)) else [f"preferences {numbers}"]
        for name in first:
            first[name] += any(same_host(pair.server, name) and pair.value == "1" for pair in database.preferences)
        yield ("bad" if wrong else "ok"), database.name, "; ".join(wrong) or f"copies in {', '.join(sorted(zones))}"
    if databases and max(first.values()) - min(first.values()) > 1:
        said = ", ".join(f"{name} {count}" for name, count in first.items())
        yield "bad", facts.dag or "members", f"preference 1 is not spread evenly: {said}"


@check("P40", "fail", "organization")
def no_circular_logging(facts: Facts) -> Judged:
    """Circular logging is off before a database gets its second copy."""
    yield from _unread(facts)
    for database in _databases(facts):
        on = database.circular_logging
        word: Word = "ok" if not on else "bad" if len(database.preferences) < 2 else "warn"
        yield word, database.name, f"circular logging is {'on' if on else 'off'}"


@check("P39", "warn", "organization", "volumes")
def room_for_logs(facts: Facts) -> Judged:
    """The volumes of databases have 180 GB free. Whether a new copy fits is looked at when it is added."""
    yield from _unread(facts)
    for one in facts.members:
        held = one.get(Volumes)
        if held is None:
            yield "unknown", one.server.name, one.why
            continue
        for database in _databases(facts):
            if not any(same_host(pair.server, one.server.name) for pair in database.preferences):
                continue
            under = [v for v in held.volumes if (database.log_folder + "\\").casefold().startswith(v.name.casefold())]
            volume = max(under, key=lambda v: len(v.name), default=None)
            on = f"{database.name}/{one.server.name}"
            if volume is None:
                yield "unknown", on, f"no volume is known under {database.log_folder}"
            else:
                word: Word = "ok" if volume.free >= LOW_SPACE else "bad"
                yield word, on, f"{volume.free // 2**30} GB free on {volume.name}"


# -- Active Directory and names ----------------------------------------------------------------------------------------


@check("P30", "fail", "names")
def names_resolve(facts: Facts) -> Judged:
    """Every member has an address in DNS."""
    if not facts.addresses:
        yield "unknown", facts.dag or "members", "no member could ask DNS"
    for name, found in facts.addresses:
        if found is None:
            yield "unknown", short(name), "DNS was not asked"
        else:
            yield ("ok" if found.addresses else "bad"), short(name), ", ".join(found.addresses) or "no address in DNS"


@check("P31", "warn", "clients")
def short_lived_names(facts: Facts) -> Judged:
    """The names that clients use live five minutes at most, as this forest's DNS has them."""
    if not facts.client_names:
        yield "info", facts.estate.name, "the inventory names no client name"
    for name, found in facts.client_names:
        if found is None:
            yield "unknown", name, "no domain controller could be asked"
        elif not found.records:
            yield "info", name, "no record in this forest's DNS"
        else:
            longest = max(one.ttl for one in found.records)
            yield ("ok" if longest <= SHORT_TTL else "bad"), name, f"lives {longest} s"


@check("P32", "fail", "directory")
def controllers_near(facts: Facts) -> Judged:
    """Each member's site has a writable domain controller that is a global catalog."""
    found = next((report for one in facts.controllers if (report := one.get(Controllers))), None)
    if found is None:
        yield "unknown", "domain", _first_why(facts)
        return
    for site in dict.fromkeys(one.server.site for one in facts.members if one.server.site):
        good = [
            short(one.name)
            for one in found.controllers
            if same_site(one.site, site) and one.catalog and not one.read_only
        ]
        yield ("ok" if good else "bad"), site, ", ".join(good) or "no writable global catalog"


def same_site(one: str, other: str) -> bool:
    """Whether two names mean the same AD site."""
    return distinguished(one).casefold() == distinguished(other).casefold()


@check("P34", "fail", "directory")
def subnets_known(facts: Facts) -> Judged:
    """Each member's subnet belongs to its AD site."""
    found = next((report for one in facts.controllers if (report := one.get(Subnets))), None)
    if found is None:
        yield "unknown", "forest", _first_why(facts)
        return
    networks = [(ipaddress.ip_network(one.name, strict=False), distinguished(one.site)) for one in found.subnets]
    for one in facts.members:
        if not one.server.address:
            yield "unknown", one.server.name, "the inventory does not say its address"
            continue
        address = ipaddress.ip_address(one.server.address)
        holding = sorted(((net, site) for net, site in networks if address in net), key=lambda pair: -pair[0].prefixlen)
        if not holding:
            yield "bad", one.server.name, f"{address} is in no subnet of an AD site"
        elif one.server.site and not same_site(holding[0][1], one.server.site):
            yield "bad", one.server.name, f"{holding[0][0]} belongs to {holding[0][1]}, not to {one.server.site}"
        else:
            yield "ok", one.server.name, f"{holding[0][0]} belongs to {holding[0][1]}"


@check("P35", "fail", "directory")
def directory_replicates(facts: Facts) -> Judged:
    """Replication between the domain controllers succeeds, within the hour."""
    found = next((report for one in facts.controllers if (report := one.get(Replication))), None)
    if found is None:
        yield "unknown", "forest", _first_why(facts)
        return
    for one in found.partners:
        on = f"{short(distinguished_host(one.server))} from {short(distinguished_host(one.partner))}"
        if one.failures or one.result:
            yield "bad", on, f"{one.failures} failures in a row, last result {one.result}"
        elif one.age is None or one.age > STALE_S:
            yield "bad", on, "never" if one.age is None else f"last succeeded {one.age // 60} minutes ago"
        else:
            yield "ok", on, "replicates"
    if not found.partners:
        yield "info", "forest", "one domain controller only"


def distinguished_host(name: str) -> str:
    """A server's name out of `CN=NTDS Settings,CN=DC1,CN=Servers,...` or as it is."""
    parts = [part.partition("=")[2] for part in name.split(",") if "=" in part]
    if not parts:
        return name
    return parts[1] if parts[0] == "NTDS Settings" and len(parts) > 1 else parts[0]


def _first_why(facts: Facts) -> str:
    return next((one.why for one in facts.controllers), "the inventory has no domain controller")
