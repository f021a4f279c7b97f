"""DNS zones and records as plain data; knows no server and no rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["DynamicUpdate", "Node", "Record", "RecordType", "Zone"]

RecordType = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]
DynamicUpdate = Literal["None", "NonsecureAndSecure", "Secure"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A resource record."""

    name: str
    """Relative to its zone; `@` is the zone itself. In answers: in full, with the final dot."""
    type: RecordType
    data: str
    """An address, a host name with its final dot, or the text form of the rest (`10 mail.example.com.`)."""
    ttl_s: int
    timestamp: datetime | None = None
    """None: static."""


@dataclass(frozen=True)
class Node:
    """All records of one name: what AD replicates as one object, the later write wins."""

    records: tuple[Record, ...]


@dataclass(eq=False)
class Zone:
    """A zone that every DC has."""

    name: str
    dynamic_update: DynamicUpdate = "Secure"
    readonly_by: int = 0
    """Number of the fault that lets nobody write."""

    @property
    def reverse(self) -> bool:
        """A zone of addresses."""
        return self.name.casefold().endswith(".arpa")
