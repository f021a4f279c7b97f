"""What a named person says to have seen of a server that nobody can ask, as data; knows no file and no clock.

Power loss can be certified by two people (fence level F4, catalogue G-FENCE): the console, AWS support, somebody in
the room. A statement is not signed: it says who said it, and proves it to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from starover.errors import BadParameter
from starover.guard import same_person
from starover.names import same_host

__all__ = ["GOOD_FOR", "Attestation", "certifiers", "read_attestation", "write_attestation"]

GOOD_FOR = timedelta(minutes=60)
"""How long a statement counts: a server that was off an hour ago may have been started since."""


class Attestation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person's statement about one server."""

    kind: Literal["starover attestation"] = "starover attestation"
    says: Literal["down"]
    server: str
    estate: str
    seen: str
    """What was seen, in the person's words: `AWS case 1234567, host powered off 03:15`."""
    by: str
    at: datetime
    signature: Literal["unsigned"] = "unsigned"


def write_attestation(one: Attestation) -> bytes:
    """The statement as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(one), indent=1) + b"\n"


def read_attestation(data: bytes) -> Attestation:
    """A statement from JSON. Raises `BadParameter` when it is none."""
    try:
        return msgspec.json.decode(data, type=Attestation)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadParameter(f"this is no attestation of starover: {error}") from error


def certifiers(statements: Iterable[Attestation], server: str, now: datetime) -> tuple[str, ...]:
    """The different people who say now that a server is down, in the order they first said it."""
    found: list[str] = []
    for one in sorted(statements, key=lambda one: one.at):
        fresh = now - GOOD_FOR <= one.at <= now
        if fresh and same_host(one.server, server) and not any(same_person(one.by, name) for name in found):
            found.append(one.by)
    return tuple(found)
