"""Signed heads of runs: what is signed, and where it is kept; makes no signature and judges none.

`index/ID.signed` holds the words that were signed and the signature behind them. Whoever can change journals and heads
alike cannot make it anew without the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starover import durable
from starover.errors import StaroverError
from starover.journal import Journal, read_head
from starover.signatures import fingerprint

__all__ = ["NO_KEY", "SignedHead", "head_words", "read_signed", "sign_head", "signed_of", "statement"]

NO_KEY = "no signing key is configured"
_SIGNED = re.compile(
    rb"starover run head 1\nrun (\S+)\nrecords ([0-9]+)\nhead ([0-9a-f]{64})\n"
    rb"(-----BEGIN SSH SIGNATURE-----\n[A-Za-z0-9+/=\n]+-----END SSH SIGNATURE-----\n)"
)


@dataclass(frozen=True)
class SignedHead:
    """A head as somebody has signed it."""

    run: str
    records: int
    head: str
    signature: bytes

    @property
    def words(self) -> bytes:
        """What was signed."""
        return statement(self.run, self.records, self.head)


def statement(run: str, records: int, head: str) -> bytes:
    """What is signed of a run: how many records it has, and the hash of the last one, which follows from all others."""
    return f"starover run head 1\nrun {run}\nrecords {records}\nhead {head}\n".encode()


def signed_of(folder: Path, run: str) -> Path:
    """Where a run's signed head lies."""
    return folder / "index" / f"{run}.signed"


def read_signed(folder: Path, run: str) -> SignedHead | None:
    """A run's signed head; None: there is none that can be read."""
    try:
        data = signed_of(folder, run).read_bytes()
    except OSError:
        return None
    found = _SIGNED.fullmatch(data)
    if found is None:
        return None
    name, records, head, signature = found.groups()
    return SignedHead(name.decode("ascii", "replace"), int(records), head.decode(), signature)


def head_words(folder: Path, run: str) -> str:
    """What a run's journal ends with, and whether that is signed, for a person."""
    records, head = read_head(folder, run)
    one = read_signed(folder, run)
    if one is None:
        return f"{head[:16]}, record {records - 1}; not signed"
    upto = "" if one.records == records else f" up to record {one.records - 1}"
    return f"{head[:16]}, record {records - 1}; signed{upto} with {fingerprint(one.signature)}"


def sign_head(journal: Journal, sign: Callable[[bytes], bytes] | None) -> str:
    """Have the head of a run signed and kept. Why it is not, in words; empty: it is. Never raises: the run is over."""
    if sign is None:
        return NO_KEY
    records, head = journal.head
    words = statement(journal.run, records, head)
    place = signed_of(journal.folder, journal.run)
    try:
        durable.replace(place, words + sign(words))
    except (StaroverError, OSError) as error:
        return str(error)
    return ""
