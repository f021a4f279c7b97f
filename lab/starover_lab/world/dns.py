"""`world.dns`: AD-integrated zones, replicated between DCs name by name, and what resolving answers; knows no wire."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from starover_lab.world.directory import DomainController
from starover_lab.world.dns_zones import DynamicUpdate, Node, Record, RecordType, Zone
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same
from starover_lab.world.state import State

__all__ = ["Answer", "Dns", "Record", "RecordType", "ZoneView", "node_key"]

DNS_SERVICE = "DNS"
_GIVE_UP_S = 12.0
"""How long a client asks a server that does not answer."""
_OUTSIDE_TTL_S = 60
_MOST_CHAIN = 8
_LABEL = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?|\*)", re.IGNORECASE)
_HOSTS: tuple[RecordType, ...] = ("CNAME", "NS", "PTR")


@dataclass(frozen=True, kw_only=True)
class ZoneView:
    """A zone."""

    name: str
    ad_integrated: bool
    dynamic_update: DynamicUpdate
    readonly: bool
    reverse: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a DNS server answers."""

    rcode: Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"]
    authoritative: bool
    answers: tuple[Record, ...]
    """Names in full with final dot; a CNAME comes before what it leads to."""
    authority: tuple[Record, ...] = ()
    """The zone's SOA when there is nothing."""


class Dns:
    """DNS servers are DCs; `server` is a DC's name."""

    def __init__(self, state: State) -> None:
        self._state = state

    # -- servers and zones ---------------------------------------------------------------------------------------

    def servers(self) -> list[str]:
        """Names of the hosts with a DNS server, up or not."""
        return [server.name for server in self._state.servers if DNS_SERVICE in server.services]

    def answering(self, server: str) -> bool:
        """Whether the DNS server of that host answers queries now."""
        host = self._state.servers.get(server)
        return (
            host is not None
            and self._state.runs(host, DNS_SERVICE)
            and host.name.casefold() not in self._state.dns_faults
            and host.name in self._state.directory.controllers
        )

    def zones(self, server: str) -> list[ZoneView]:
        """Get-DnsServerZone. Raises `server_down`, `service_down`, `not_found`."""
        self._dc(server)
        return [
            ZoneView(
                name=zone.name,
                ad_integrated=True,
                dynamic_update=zone.dynamic_update,
                readonly=bool(zone.readonly_by),
                reverse=zone.reverse,
            )
            for zone in self._state.zones
        ]

    # -- records -------------------------------------------------------------------------------------------------

    def records(self, server: str, zone: str, name: str = "", kind: RecordType | None = None) -> list[Record]:
        """Get-DnsServerResourceRecord: of one name, or all. Raises as `zones`; `not_found` (zone, record of a name)."""
        dc, found = self._dc(server), self._zone(zone)
        if name:
            records = list(self._at(dc, found, _relative(found, name)))
            if not records:
                raise WorldError(
                    "not_found", f"there is no record {name} in {found.name}", object="record", name=name, zone=zone
                )
        else:
            records = [record for label in self._labels(dc, found) for record in self._at(dc, found, label)]
        return [record for record in records if kind in (None, record.type)]

    def add(self, server: str, zone: str, record: Record) -> None:
        """Add-DnsServerResourceRecord*.

        Raises as `zones`; `record_exists`, `cname_conflict`, `zone_readonly`, `syntax`.
        """
        dc, found = self._writable(server, zone)
        new = _checked(found, record)
        there = self._at(dc, found, new.name)
        if any(_same(one, new) for one in there):
            raise WorldError(
                "record_exists", f"{new.name} is there already", zone=found.name, name=new.name, type=new.type
            )
        self._refuse_conflict(found, new, there)
        self._write(dc, found, new.name, (*self._own(dc, found, new.name), new))
        self._log("dns_added", found, new, dc)

    def replace(self, server: str, zone: str, old: Record, new: Record) -> None:
        """Set-DnsServerResourceRecord: TTL and data. Raises as `add`; `not_found` when `old` is not there as it was."""
        dc, found = self._writable(server, zone)
        before = replace(old, name=_relative(found, old.name))
        after = _checked(found, new)
        if (after.name.casefold(), after.type) != (before.name.casefold(), before.type):
            raise WorldError("syntax", "name and type of a record stay", parameter="NewInputObject", value=new.name)
        own = self._own(dc, found, before.name)
        if not any(_same(one, before) for one in own):
            raise WorldError(
                "not_found", f"there is no such record {old.name}", object="record", name=old.name, zone=found.name
            )
        others = tuple(one for one in own if not _same(one, before))
        if any(_same(one, after) for one in others):
            raise WorldError(
                "record_exists", f"{after.name} is there already", zone=found.name, name=after.name, type=after.type
            )
        self._refuse_conflict(found, after, others)
        self._write(dc, found, before.name, tuple(after if _same(one, before) else one for one in own))
        self._log("dns_changed", found, after, dc)

    def remove(self, server: str, zone: str, name: str, kind: RecordType, data: str = "") -> int:
        """Remove-DnsServerResourceRecord; without data all of that type go. Returns how many.

        Raises as `zones`; `not_found` (zone, record), `zone_readonly`.
        """
        dc, found = self._writable(server, zone)
        label = _relative(found, name)
        own = self._own(dc, found, label)
        gone = [one for one in own if one.type == kind and (not data or _same_data(kind, one.data, data))]
        if not gone:
            raise WorldError(
                "not_found", f"there is no such record {name}", object="record", name=name, zone=found.name
            )
        left = tuple(one for one in own if one not in gone)
        self._write(dc, found, label, left)
        for one in gone:
            rest = sum(other.type == kind for other in left)
            self._log("dns_removed", found, one, dc, left=rest)
        return len(gone)

    def register(self, dc: DomainController, name: str, addresses: tuple[str, ...], ttl_s: int = 1200) -> None:
        """Dynamic update: a host or a cluster writes its own addresses in full under its FQDN."""
        found = self._zone_of(name)
        if found is None or found.dynamic_update == "None" or found.readonly_by:
            return
        label = _relative(found, f"{name.rstrip('.')}.")
        others = tuple(one for one in self._own(dc, found, label) if one.type != "A")
        new = tuple(Record(name=label, type="A", data=one, ttl_s=ttl_s, timestamp=self._state.now) for one in addresses)
        self._write(dc, found, label, others + new)
        for one in new:
            self._log("dns_registered", found, one, dc)

    # -- resolving -----------------------------------------------------------------------------------------------

    def query(self, server: str, name: str, kind: RecordType) -> Answer:
        """What that DNS server answers to a query, recursion included. Raises `server_down`, `service_down`."""
        dc = self._dc(server)
        wanted, found = name.rstrip(".") + ".", list[Record]()
        authoritative = self._zone_of(wanted) is not None
        zone, exists = None, False
        for _ in range(_MOST_CHAIN):
            zone = self._zone_of(wanted)
            records, exists = self._here(dc, zone, wanted) if zone is not None else self._outside(wanted)
            fitting = [one for one in records if one.type == kind]
            alias = [one for one in records if one.type == "CNAME"]
            if fitting or not alias:
                found += fitting
                break
            found += alias
            wanted = alias[0].data
        authority: tuple[Record, ...] = ()
        if zone is not None and not any(one.type == kind for one in found):
            authority = (replace(self._soa(dc, zone), name=f"{zone.name}."),)
        rcode: Literal["NOERROR", "NXDOMAIN"] = "NOERROR" if exists or found else "NXDOMAIN"
        if found and not exists:
            rcode = "NXDOMAIN"
        return Answer(rcode=rcode, authoritative=authoritative, answers=tuple(found), authority=authority)

    def resolve(self, asked: str, name: str, kind: RecordType = "A", *, server: str = "") -> Answer:
        """What a host learns: from `server` (name or address), else from the first of its DNS servers that answers.

        Raises `server_down` when none answers.
        """
        host = self._state.server(asked)
        given = [server] if server else [one for nic in host.nics for one in nic.dns_servers]
        for one in dict.fromkeys(given):
            dns_host = self._host(one)
            if dns_host is not None and self._state.reaches(host, dns_host) and self.answering(dns_host.name):
                return self.query(dns_host.name, name, kind)
        raise WorldError("server_down", "no DNS server answers", blocked_s=_GIVE_UP_S, server=given[0] if given else "")

    # -- small things --------------------------------------------------------------------------------------------

    def _dc(self, server: str) -> DomainController:
        host = self._host(server)
        if host is None:
            raise WorldError("not_found", f"there is no DNS server {server}", object="server", name=server)
        if not self._state.answers(host):
            raise WorldError(
                "server_down",
                f"{host.name} does not answer",
                blocked_s=self._state.tuning.rpc_timeout_s,
                server=host.name,
            )
        if not self.answering(host.name):
            raise WorldError("service_down", f"no DNS on {host.name}", server=host.name, service=DNS_SERVICE)
        return self._state.directory.controllers[host.name]

    def _host(self, server: str) -> Server | None:
        by_address = next((one for one in self._state.servers if server in _addresses(one)), None)
        return by_address or self._state.servers.get(server)

    def _writable(self, server: str, zone: str) -> tuple[DomainController, Zone]:
        dc, found = self._dc(server), self._zone(zone)
        if found.readonly_by:
            raise WorldError("zone_readonly", f"nobody may write {found.name}", zone=found.name)
        return dc, found

    def _zone(self, name: str) -> Zone:
        found = self._state.zones.get(name.rstrip("."))
        if found is None:
            raise WorldError("not_found", f"there is no zone {name}", object="zone", name=name)
        return found

    def _zone_of(self, name: str) -> Zone | None:
        """The zone with the longest name that `name` lies in."""
        wanted = "." + name.rstrip(".").casefold()
        fitting = [zone for zone in self._state.zones if wanted.endswith("." + zone.name.casefold())]
        return max(fitting, key=lambda zone: len(zone.name), default=None)

    def _own(self, dc: DomainController, zone: Zone, label: str) -> tuple[Record, ...]:
        node = self._state.directory.read(dc, node_key(zone.name, label), Node)
        return node.records if node is not None else ()

    def _at(self, dc: DomainController, zone: Zone, label: str) -> tuple[Record, ...]:
        """All records of a label, those that the DNS server makes itself included."""
        if label != "@":
            return self._own(dc, zone, label)
        servers = [self._state.servers[one.name].fqdn for one in self._state.directory.controllers]
        names = tuple(Record(name="@", type="NS", data=f"{one.casefold()}.", ttl_s=3600) for one in servers)
        return (self._soa(dc, zone), *names, *self._own(dc, zone, label))

    def _soa(self, dc: DomainController, zone: Zone) -> Record:
        lead = node_key(zone.name, "")
        serial = sum(version.number for key, version in dc.replica.items() if key.startswith(lead))
        host = self._state.servers[dc.name].fqdn.casefold()
        data = f"{host}. hostmaster.{self._state.dns_name.casefold()}. {serial} 900 600 86400 3600"
        return Record(name="@", type="SOA", data=data, ttl_s=3600)

    def _labels(self, dc: DomainController, zone: Zone) -> Iterator[str]:
        yield "@"
        lead = node_key(zone.name, "")
        labels = (key[len(lead) :] for key in self._state.directory.keys(dc, lead))
        yield from sorted(label for label in labels if label != "@")

    def _here(self, dc: DomainController, zone: Zone, name: str) -> tuple[list[Record], bool]:
        """Records of a full name in a zone, with full names, and whether the name is there at all."""
        label = _relative(zone, name)
        records = self._at(dc, zone, label)
        if not records and label != "@":
            _, dot, rest = label.partition(".")
            records = self._own(dc, zone, f"*.{rest}" if dot else "*")
        below = any(other.casefold().endswith("." + label.casefold()) for other in self._labels(dc, zone))
        return [replace(one, name=name) for one in records], bool(records) or below

    def _outside(self, name: str) -> tuple[list[Record], bool]:
        """The Internet, as far as it concerns the estate: the balancers' names."""
        key = name.rstrip(".").casefold()
        away = {zone for balancer, zone in self._state.shifted if balancer == key}
        addresses = [
            one
            for one in self._state.balancer_addresses.get(key, ())
            if not away or self._state.zone_of(one) not in away
        ]
        return [Record(name=name, type="A", data=one, ttl_s=_OUTSIDE_TTL_S) for one in addresses], bool(addresses)

    def _refuse_conflict(self, zone: Zone, new: Record, others: tuple[Record, ...]) -> None:
        alone = new.type == "CNAME" and (others or new.name == "@")
        if alone or (new.type != "CNAME" and any(one.type == "CNAME" for one in others)):
            raise WorldError(
                "cname_conflict", f"{new.name} cannot have a CNAME and others", zone=zone.name, name=new.name
            )

    def _write(self, dc: DomainController, zone: Zone, label: str, records: tuple[Record, ...]) -> None:
        self._state.directory.write(dc, node_key(zone.name, label), Node(records) if records else None)

    def _log(self, kind: str, zone: Zone, record: Record, dc: DomainController, **data: int) -> None:
        self._state.log.add(
            kind,
            zone.name if record.name == "@" else f"{record.name}.{zone.name}",
            type=record.type,
            data=record.data,
            ttl_s=record.ttl_s,
            dc=dc.name,
            **data,
        )


def node_key(zone: str, label: str) -> str:
    """Where the directory keeps the records of a name."""
    return f"dns:{zone.casefold()}:{label.casefold()}"


def _addresses(server: Server) -> list[str]:
    return [server.address, *(address for nic in server.nics for address in nic.addresses)]


def _relative(zone: Zone, name: str) -> str:
    """A name relative to its zone; a final dot says that it is given in full."""
    if name in ("", "@"):
        return "@"
    if not name.endswith("."):
        return name
    full = name.rstrip(".")
    if same(full, zone.name):
        return "@"
    lead = full[: -len(zone.name) - 1]
    return lead if same(f"{lead}.{zone.name}", full) else full


def _same(one: Record, other: Record) -> bool:
    return (one.name.casefold(), one.type) == (other.name.casefold(), other.type) and _same_data(
        one.type, one.data, other.data
    )


def _same_data(kind: RecordType, one: str, other: str) -> bool:
    if kind == "AAAA":
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()


def _checked(zone: Zone, record: Record) -> Record:
    """The record as the zone keeps it. Raises `syntax`."""
    name, data = _relative(zone, record.name), record.data
    if name != "@" and not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise WorldError("syntax", f"`{record.name}` is no DNS name", parameter="Name", value=record.name)
    if not 0 <= record.ttl_s < 2**31:
        raise WorldError("syntax", f"{record.ttl_s} s is no TTL", parameter="TimeToLive", value=record.ttl_s)
    if record.type in ("A", "AAAA"):
        try:
            address = ipaddress.ip_address(data)
        except ValueError:
            raise WorldError("syntax", f"`{data}` is no address", parameter="IPv4Address", value=data) from None
        if address.version != (4 if record.type == "A" else 6):
            raise WorldError("syntax", f"`{data}` is of another kind", parameter="IPv4Address", value=data)
    elif record.type in _HOSTS:
        data = data.rstrip(".") + "."
        if not all(_LABEL.fullmatch(label) for label in data[:-1].split(".")):
            raise WorldError("syntax", f"`{record.data}` is no host name", parameter="HostNameAlias", value=data)
    return replace(record, name=name, data=data)
