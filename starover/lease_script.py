"""The script that takes, renews, gives back or looks at the lease of a DAG on one host; decides nothing."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from starover import envelope
from starover.estate import Server
from starover.lease import Note

__all__ = ["GRACE", "Verb", "compose"]

Verb = Literal["take", "renew", "release", "look"]
GRACE = 60
"""Seconds that others wait beyond its end, so that a lease is over for its holder before anybody else can have it."""
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_HOLDER = re.compile(rf"{_UUID}/{_UUID}")
_NOBODY = "?"
"""No holder is called so."""


def compose(
    server: Server, dag: str, verb: Verb, nonce: str, holder: str = "", note: Note | None = None, dead: str = ""
) -> str:
    """The whole script; its only part is `lease`, whose facts are a `Said`.

    `holder` is RUN/LEG, two UUIDs: another leg of the same run need not wait until its lease is over. Each number is
    taken by making a file anew, so that of two who try at once only one gets it. `dead`: UUID of a run that has ended
    without giving it back.
    """
    if verb != "look" and not _HOLDER.fullmatch(holder):
        raise ValueError("the holder of a lease is RUN/LEG")
    stem = envelope.lease_stem(dag)
    return envelope.bare(
        server,
        "lease",
        nonce,
        verb=verb,
        stem=stem,
        file=f"{stem}.token",
        folder=stem.rpartition("\\")[0],
        holder=holder or _NOBODY,
        family=f"{holder.partition('/')[0] or _NOBODY}/*",
        dead=f"{dead or _NOBODY}/*",
        keeps="-" if verb == "release" else holder,
        note=envelope.ascii_json(msgspec.json.encode(note or Note())),
        ttl=envelope.LEASE_TTL,
        over=envelope.LEASE_TTL + GRACE,
    ).text
