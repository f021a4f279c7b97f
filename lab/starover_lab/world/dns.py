"""`world.dns`: AD-integrated zones, replicated between DCs name by name, and what resolving answers; knows no wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from starover_lab.world.state import State

__all__ = ["Answer", "Dns", "Record", "RecordType", "ZoneView"]

RecordType = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A resource record."""

    name: str
    """Relative to its zone; `@` is the zone itself."""
    type: RecordType
    data: str
    """An address, a host name with its final dot, or the text form of the rest (`10 mail.example.com.`)."""
    ttl_s: int
    timestamp: datetime | None = None
    """None: static."""


@dataclass(frozen=True, kw_only=True)
class ZoneView:
    """A zone."""

    name: str
    ad_integrated: bool
    dynamic_update: Literal["None", "NonsecureAndSecure", "Secure"]
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

    def servers(self) -> list[str]:
        """Names of the hosts with a DNS server, up or not."""
        raise NotImplementedError

    def answering(self, server: str) -> bool:
        """Whether the DNS server of that host answers queries now."""
        raise NotImplementedError

    def zones(self, server: str) -> list[ZoneView]:
        """Get-DnsServerZone. Raises `server_down`, `service_down`, `not_found`."""
        raise NotImplementedError

    def records(self, server: str, zone: str, name: str = "", kind: RecordType | None = None) -> list[Record]:
        """Get-DnsServerResourceRecord: of one name, or all. Raises as `zones`; `not_found` (zone, record of a name)."""
        raise NotImplementedError

    def add(self, server: str, zone: str, record: Record) -> None:
        """Add-DnsServerResourceRecord*.

        Raises as `zones`; `record_exists`, `cname_conflict`, `zone_readonly`, `syntax`.
        """
        raise NotImplementedError

    def replace(self, server: str, zone: str, old: Record, new: Record) -> None:
        """Set-DnsServerResourceRecord: TTL and data. Raises as `add`; `not_found` when `old` is not there as it was."""
        raise NotImplementedError

    def remove(self, server: str, zone: str, name: str, kind: RecordType, data: str = "") -> int:
        """Remove-DnsServerResourceRecord; without data all of that type go. Returns how many. Raises as `add`."""
        raise NotImplementedError

    def query(self, server: str, name: str, kind: RecordType) -> Answer:
        """What that DNS server answers to a query, recursion included. Raises `server_down`, `service_down`."""
        raise NotImplementedError

    def resolve(self, asked: str, name: str, kind: RecordType = "A", *, server: str = "") -> Answer:
        """What a host learns: from `server` (name or address), else from the first of its DNS servers that answers.

        Raises `server_down` when none answers.
        """
        raise NotImplementedError
