"""Prologue and epilogue of every script, and the strict reading of what comes back; knows no template and no transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from starover.errors import ErrorRecord
from starover.inventory import Server
from starover.render import Body

__all__ = ["Composed", "Decoded", "Lease", "Receipt", "decode", "probe", "reads", "write"]


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A whole script, ready to be journalled and sent."""

    text: str
    arguments: tuple[tuple[str, str], ...] = ()
    """As `transport.Script.arguments`: (name in `param()`, reference of a credential)."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The fencing token a write carries; a host that has seen a higher one refuses."""

    dag: str
    token: int


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a host knows of one operation."""

    state: Literal["ran", "ran-before", "in-progress", "absent", "refused"]
    """`ran`: by this very script. `ran-before`: an earlier sending ended, its result is in `Decoded.results`.
    `in-progress`: begun and not ended: still running, or killed. `absent`: never begun on this host, so certainly not
    applied. `refused`: the host has seen a higher lease token; not begun."""
    prev: bytes | None = None
    """JSON of what was before, as kept beside the receipt; None when absent or none was given."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What a script said, by id of its parts."""

    host: str
    """Computer name as the host gave it."""
    results: Mapping[str, bytes | ErrorRecord]
    """Facts as raw JSON, or the error that ended the part. A write's id is its operation id; its facts are `null`."""
    receipts: Mapping[str, Receipt]
    """By operation id; empty for reads."""
    warnings: tuple[str, ...] = ()
    provider: str = ""
    """How Exchange cmdlets got into the session: `remote`, `snapin` (unsupported), or empty."""


def reads(server: Server, parts: Sequence[tuple[str, Body]], nonce: str) -> Composed:
    """One script that runs every part as a function of its own: a bad one fails alone.

    `nonce` is 16 hex digits, drawn by the caller. Ids must be unique in the script.
    Raises `BadInventory` when a part needs Exchange cmdlets and the server has no way to get them.
    """
    raise NotImplementedError


def write(
    server: Server, body: Body, operation: str, nonce: str, prev: bytes | None = None, *, lease: Lease | None = None
) -> Composed:
    """A script that runs `body` at most once under the receipt `operation` (a UUID); `prev` is kept beside it."""
    raise NotImplementedError


def probe(server: Server, operations: Sequence[str], nonce: str) -> Composed:
    """A script that reads the receipts of these operations and changes nothing."""
    raise NotImplementedError


def decode(output: str, nonce: str) -> Decoded:
    """Read the report between the markers of `nonce`.

    Raises `OutputTruncated` (BEGIN without END, or a length that does not fit) and `BadReport` (no report, wrong
    checksum, not the promised shape); both carry what came.
    """
    raise NotImplementedError
