"""Planning requirements of the members as machines: Windows, Exchange, adapters, round trips; pure, asks nobody."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import combinations

from starover.names import same_host
from starover.step import R
from starover.steps.dag import short
from starover.steps.preflight_facts import Facts, Of
from starover.steps.preflight_reports import (
    Adapter,
    ExchangeFacts,
    Features,
    Host,
    Network,
    Pings,
    Servers,
    Services,
)
from starover.steps.preflight_table import Judged, Word, check

__all__ = ["exchange_build", "exchange_year", "windows_year"]

_WINDOWS = {
    "6.1": "2008 R2",
    "6.2": "2012",
    "6.3": "2012 R2",
    "10.0.14393": "2016",
    "10.0.17763": "2019",
    "10.0.20348": "2022",
    "10.0.26100": "2025",
}
_FIRST_BUILD = {
    ("2013", "2008 R2"): (0, 0),
    ("2013", "2012"): (0, 0),
    ("2013", "2012 R2"): (847, 0),  # SP1
    ("2016", "2012"): (0, 0),
    ("2016", "2012 R2"): (0, 0),
    ("2016", "2016"): (544, 0),  # CU3
    ("2019", "2019"): (0, 0),
    ("2019", "2022"): (1118, 0),  # CU12
    ("2019", "2025"): (1748, 0),  # CU15
    ("SE", "2019"): (0, 0),
    ("SE", "2022"): (0, 0),
    ("SE", "2025"): (0, 0),
}
"""The first build of each Exchange that each Windows takes; the sources stand in the catalogue, 2.1. SP1's and CU3's
numbers are from memory."""
_SE = 2562
_OUT_OF_SUPPORT = ("2013", "2016", "2019")
_CLUSTERING = {7: "Standard", 8: "Datacenter", 10: "Enterprise", 12: "Datacenter Core", 13: "Standard Core"}
"""OperatingSystemSKU of editions that can cluster; 2008 R2 Standard cannot."""
FAR_MS = 500
FARTHER_MS = 250
SKEW_S = 60
KERBEROS_S = 300
CORES_PER_CATALOG_CORE = 8


def windows_year(version: str) -> str:
    """`2022` from `10.0.20348`; the version itself where it is not known."""
    parts = version.split(".")
    return _WINDOWS.get(version) or _WINDOWS.get(".".join(parts[:3])) or _WINDOWS.get(".".join(parts[:2])) or version


def exchange_build(facts: ExchangeFacts) -> tuple[int, int, int, int] | None:
    """The build by the file of ExSetup.exe, else by AD, which may lag behind by an update; None: not readable."""
    return _build(facts.file) or _build(facts.version)


def _build(text: str) -> tuple[int, int, int, int] | None:
    numbers = [int(one) for one in re.findall(r"\d+", text)]
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) >= 4 else None


def exchange_year(build: tuple[int, int, int, int]) -> str:
    """`2013`, `2016`, `2019` or `SE`; SE is 15.2 from build 2562 on."""
    years = {0: "2013", 1: "2016", 2: "SE" if build[2] >= _SE else "2019"}
    return years.get(build[1], f"{build[0]}.{build[1]}")


def _each(facts: Facts, kind: type[R]) -> Iterator[tuple[Of, R | None]]:
    for one in facts.members:
        yield one, one.get(kind)


def _unknown(facts: Facts, kind: type[R]) -> Judged:
    """A finding for each member that did not say."""
    for one, report in _each(facts, kind):
        if report is None:
            yield "unknown", one.server.name, one.why


def _known(facts: Facts, kind: type[R]) -> list[tuple[str, R]]:
    return [(one.server.name, report) for one, report in _each(facts, kind) if report is not None]


def _builds(facts: Facts) -> list[tuple[str, tuple[int, int, int, int]]]:
    pairs = [(name, exchange_build(report)) for name, report in _known(facts, ExchangeFacts)]
    return [(name, build) for name, build in pairs if build is not None]


def _dotted(build: tuple[int, int, int, int]) -> str:
    return ".".join(str(one) for one in build)


# -- Windows and Exchange ----------------------------------------------------------------------------------------------


@check("P03", "fail", "host")
def same_windows(facts: Facts) -> Judged:
    """All members run the same Windows."""
    yield from _unknown(facts, Host)
    years = {name: windows_year(host.version) for name, host in _known(facts, Host)}
    if len(set(years.values())) > 1:
        said = ", ".join(f"{name} {year}" for name, year in years.items())
        yield "bad", facts.dag or "members", f"members run different Windows: {said}"
    for name, year in years.items() if len(set(years.values())) == 1 else ():
        yield "ok", name, f"Windows Server {year}"


@check("P04", "fail", "host", "exchange")
def windows_takes_exchange(facts: Facts) -> Judged:
    """The Windows of each member is one that its Exchange supports."""
    for one in facts.members:
        host, exchange = one.get(Host), one.get(ExchangeFacts)
        build = exchange_build(exchange) if exchange is not None else None
        if host is None or build is None:
            yield "unknown", one.server.name, one.why
            continue
        windows, year = windows_year(host.version), exchange_year(build)
        first = _FIRST_BUILD.get((year, windows))
        if first is None:
            yield "bad", one.server.name, f"Exchange {year} does not support Windows Server {windows}"
        elif build[2:] < first:
            yield "bad", one.server.name, f"Exchange {_dotted(build)} is too old for Windows Server {windows}"
        else:
            yield "ok", one.server.name, f"Exchange {year} on Windows Server {windows}"


@check("P05", "fail", "exchange", "organization")
def same_exchange(facts: Facts) -> Judged:
    """All members run the same Exchange, one that is supported."""
    yield from _unknown(facts, ExchangeFacts)
    builds = _builds(facts)
    minors = {build[:2] for _, build in builds}
    on = facts.dag or "members"
    if len(minors) > 1:
        said = ", ".join(f"{name} {_dotted(build)}" for name, build in builds)
        yield "bad", on, f"members run different versions: {said}"
    elif len({build for _, build in builds}) > 1:
        said = ", ".join(f"{name} {_dotted(build)}" for name, build in builds)
        mixed = len({exchange_year(build) for _, build in builds}) > 1
        what = "2019 and SE together, which is for the days of an upgrade only" if mixed else "different updates"
        yield "warn", on, f"{what}: {said}"
    for name, build in builds:
        year = exchange_year(build)
        if year in _OUT_OF_SUPPORT:
            yield "warn", name, f"Exchange {year} ({_dotted(build)}) is out of support"
        elif len(minors) == 1:
            yield "ok", name, f"Exchange {year} ({_dotted(build)})"
    others = facts.said(Servers)
    if others is not None and any(exchange_year(build) == "SE" for _, build in builds):
        for one in others.servers:
            other = _build(one.version)
            if other is not None and exchange_year(other) == "2013":
                yield "bad", one.name, "Exchange 2013 in the organization: SE's setup refuses it"


@check("P06", "fail", "host")
def same_domain(facts: Facts) -> Judged:
    """All members are member servers of one AD domain."""
    yield from _unknown(facts, Host)
    hosts = _known(facts, Host)
    domains = {host.domain.casefold() for _, host in hosts if host.part_of_domain}
    if len(domains) > 1:
        said = ", ".join(f"{name} {host.domain}" for name, host in hosts)
        yield "bad", facts.dag or "members", f"members are in different domains: {said}"
    for name, host in hosts:
        if not host.part_of_domain:
            yield "bad", name, "is in no domain"
        elif len(domains) == 1:
            yield "ok", name, f"member of {host.domain}"


@check("P07", "fail", "host")
def no_controller(facts: Facts) -> Judged:
    """No member is a domain controller."""
    for one, host in _each(facts, Host):
        if "dc" in one.server.roles or (host is not None and host.role in (4, 5)):
            yield "bad", one.server.name, "is a domain controller, and those cannot join a DAG"
        elif host is None:
            yield "unknown", one.server.name, one.why
        else:
            yield "ok", one.server.name, "no domain controller"


@check("P08", "fail", "host")
def edition_clusters(facts: Facts) -> Judged:
    """The Windows edition of each member can cluster."""
    yield from _unknown(facts, Host)
    for name, host in _known(facts, Host):
        old = windows_year(host.version) == "2008 R2" and host.sku in (7, 13)
        if host.sku in _CLUSTERING and not old:
            yield "ok", name, host.caption or _CLUSTERING[host.sku]
        else:
            yield "bad", name, f"{host.caption or 'edition'} (SKU {host.sku}) has no failover clustering"


@check("P09", "fail", "features")
def clustering_installed(facts: Facts) -> Judged:
    """Failover clustering is installed on each member, and no restart is pending for it."""
    yield from _unknown(facts, Features)
    for name, features in _known(facts, Features):
        state = features.state("Failover-Clustering")
        if state == "Installed":
            yield "ok", name, "Failover-Clustering is installed"
        elif state == "Available":
            yield "info", name, "Failover-Clustering is not installed yet: joining a DAG installs it"
        else:
            yield "bad", name, f"Failover-Clustering is {state or 'not known'}: restart the server first"


@check("P33", "warn", "host", "directory")
def catalog_cores(facts: Facts) -> Judged:
    """Each site has a global catalog core for eight cores of Exchange."""
    catalogs = {one.server.name: one.get(Host) for one in facts.controllers}
    for site in dict.fromkeys(one.server.site for one in facts.members if one.server.site):
        members = [one.get(Host) for one in facts.members if one.server.site == site]
        near = [catalogs[one.server.name] for one in facts.controllers if one.server.site == site]
        if any(host is None for host in (*members, *near)):
            yield "unknown", site, "not every server of the site said how many cores it has"
            continue
        wanted = sum(host.cores for host in members if host)
        there = sum(host.cores for host in near if host)
        word: Word = "ok" if there * CORES_PER_CATALOG_CORE >= wanted else "bad"
        yield word, site, f"{there} cores of domain controllers for {wanted} of Exchange"


@check("P36", "fail", "host")
def same_time(facts: Facts) -> Judged:
    """The clocks of the members agree; Kerberos ends at five minutes."""
    yield from _unknown(facts, Host)
    times = {name: datetime.fromisoformat(host.utc).timestamp() for name, host in _known(facts, Host) if host.utc}
    if not times:
        return
    middle = sorted(times.values())[len(times) // 2]
    for name, moment in times.items():
        off = round(abs(moment - middle))
        if off >= KERBEROS_S:
            yield "bad", name, f"its clock is off by {off} s: Kerberos refuses it"
        elif off >= SKEW_S:
            yield "warn", name, f"its clock is off by {off} s"
        else:
            yield "ok", name, "its clock is right"


@check("P48", "warn", "services")
def remote_registry(facts: Facts) -> Judged:
    """The Remote Registry service runs, which seeding asks for."""
    yield from _unknown(facts, Services)
    for name, services in _known(facts, Services):
        found = next((one for one in services.services if same_host(one.name, "RemoteRegistry")), None)
        state = found.status if found else "missing"
        yield ("ok" if state == "Running" else "bad"), name, f"RemoteRegistry is {state}"


@check("P49", "fail", "host", "exchange")
def access(facts: Facts) -> Judged:
    """Every host answers, and Exchange's cmdlets do."""
    for one in (*facts.members, *facts.controllers):
        if one.silent or (one.server.exchange is not None and one.get(ExchangeFacts) is None):
            yield "bad", one.server.name, one.why
        elif one.reports:
            yield "ok", one.server.name, "answers"


# -- networks ----------------------------------------------------------------------------------------------------------


@check("P10", "fail", "network")
def same_networks(facts: Facts) -> Judged:
    """All members have the same number of networks."""
    yield from _unknown(facts, Network)
    counts = {name: len(network.used) for name, network in _known(facts, Network)}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield "bad", facts.dag or "members", f"members have different numbers of networks: {said}"
    for name, count in counts.items() if len(set(counts.values())) == 1 else ():
        yield "ok", name, f"{count} network{'s' if count != 1 else ''}"


@check("P11", "fail", "network")
def one_mapi_network(facts: Facts) -> Judged:
    """Each member has exactly one MAPI network: one adapter with a gateway, and DNS on it."""
    yield from _unknown(facts, Network)
    for name, network in _known(facts, Network):
        if len(network.mapi) != 1:
            said = ", ".join(adapter.name for adapter in network.mapi) or "none"
            yield "bad", name, f"adapters with a gateway: {said}; there must be one"
        elif not network.mapi[0].dns:
            yield "bad", name, f"{network.mapi[0].name} has no DNS server"
        else:
            yield "ok", name, f"MAPI by {network.mapi[0].name}"


@check("P12", "fail", "network")
def own_subnets(facts: Facts) -> Judged:
    """Each adapter of a server is in a subnet of its own."""
    yield from _unknown(facts, Network)
    for name, network in _known(facts, Network):
        nets = [
            (adapter.name, ipaddress.ip_network(f"{one.address}/{one.prefix}", strict=False))
            for adapter in network.used
            for one in adapter.ipv4
        ]
        shared = [f"{a} and {b} in {x}" for (a, x), (b, y) in combinations(nets, 2) if a != b and x.overlaps(y)]
        yield ("bad" if shared else "ok"), name, "; ".join(shared) or "every adapter in its own subnet"


@check("P13", "fail", "ping")
def near_enough(facts: Facts) -> Judged:
    """The round trip between any two members is below 500 ms."""
    for one, pings in _each(facts, Pings):
        if pings is None:
            if len(facts.members) > 1:
                yield "unknown", one.server.name, one.why
            continue
        for trip in pings.trips:
            if trip.average is None:
                yield "bad", one.server.name, f"{short(trip.name)} does not answer a ping"
            elif trip.average >= FAR_MS:
                yield "bad", one.server.name, f"{trip.average} ms to {short(trip.name)}: a DAG needs less than {FAR_MS}"
            elif trip.average > FARTHER_MS:
                yield "warn", one.server.name, f"{trip.average} ms to {short(trip.name)}"
            else:
                yield "ok", one.server.name, f"{trip.average} ms to {short(trip.name)}"


@check("P14", "fail", "network")
def no_apipa(facts: Facts) -> Judged:
    """No adapter has an address that Windows made up."""
    yield from _unknown(facts, Network)
    for name, network in _known(facts, Network):
        made_up = [one.address for adapter in network.used for one in adapter.ipv4 if _apipa(one.address)]
        yield ("bad" if made_up else "ok"), name, f"made-up address {', '.join(made_up)}" if made_up else "none"


def _apipa(address: str) -> bool:
    return ipaddress.ip_address(address).is_link_local


@check("P15", "fail", "network")
def ipv6_with_ipv4(facts: Facts) -> Judged:
    """IPv6 is used together with IPv4 only."""
    yield from _unknown(facts, Network)
    for name, network in _known(facts, Network):
        alone = [one.name for one in network.adapters if one.bound("ms_tcpip6") and not one.bound("ms_tcpip")]
        yield ("bad" if alone else "ok"), name, f"IPv6 alone on {', '.join(alone)}" if alone else "IPv4 everywhere"


def _of_kind(facts: Facts, *, mapi: bool) -> Iterator[tuple[str, Adapter]]:
    for name, network in _known(facts, Network):
        for adapter in network.used:
            if (adapter in network.mapi) is mapi:
                yield name, adapter


@check("P16", "warn", "network")
def mapi_adapters(facts: Facts) -> Judged:
    """The MAPI adapter has client, server and protocols bound, DNS servers, and registers itself."""
    yield from _unknown(facts, Network)
    wanted = ("ms_msclient", "ms_server", "ms_tcpip", "ms_tcpip6")
    for name, adapter in _of_kind(facts, mapi=True):
        wrong = [f"{one} off" for one in wanted if not adapter.bound(one)]
        wrong += [] if adapter.registers else ["does not register in DNS"]
        wrong += ["one DNS server only"] if len(adapter.dns) == 1 else [] if adapter.dns else ["no DNS server"]
        yield ("bad" if wrong else "ok"), name, f"{adapter.name}: {', '.join(wrong) or 'as it should be'}"


@check("P17", "warn", "network")
def replication_adapters(facts: Facts) -> Judged:
    """A replication adapter has client and server off, no DNS, no registration, and routes to the others."""
    yield from _unknown(facts, Network)
    for name, adapter in _of_kind(facts, mapi=False):
        wrong = [f"{one} on" for one in ("ms_msclient", "ms_server") if adapter.bound(one)]
        wrong += ["has DNS servers"] if adapter.dns else []
        wrong += ["registers in DNS"] if adapter.registers else []
        wrong += [] if adapter.routes else ["no persistent route to the others"]
        yield ("bad" if wrong else "ok"), name, f"{adapter.name}: {', '.join(wrong) or 'as it should be'}"


@check("P18", "warn", "network")
def mapi_first(facts: Facts) -> Judged:
    """The MAPI adapter comes first."""
    yield from _unknown(facts, Network)
    for name, network in _known(facts, Network):
        if len(network.used) < 2 or len(network.mapi) != 1:
            yield "ok", name, "one network"
            continue
        first = min(network.used, key=lambda one: one.metric)
        right = first.metric == network.mapi[0].metric
        yield ("ok" if right else "bad"), name, f"{first.name} has the lowest metric"


@check("P19", "info", "network")
def leases(facts: Facts) -> Judged:
    """Addresses by DHCP are reservations; on EC2 they always are."""
    yield from _unknown(facts, Network)
    for name, network in _known(facts, Network):
        leased = [one.address for adapter in network.used for one in adapter.ipv4 if one.origin.casefold() == "dhcp"]
        says = f"by DHCP: {', '.join(leased)}; they must be reservations" if leased else "fixed addresses"
        yield ("info" if leased and not facts.estate.region else "ok"), name, says
