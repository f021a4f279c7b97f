"""A second person's approval of one plan, as data, to and from JSON; knows no file, no clock and no screen.

It names the plan's full digest, so it fits that plan and no other. Unsigned, whoever can write the file can write any
name into it: that is said wherever it is shown, and a policy refuses it unless it says otherwise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from starover.errors import BadParameter

__all__ = ["UNSIGNED", "Second", "read_approval", "write_approval"]

UNSIGNED = "unsigned"


class Second(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody other than who asked has looked at a plan and agrees (catalogue, section 1: danger class X)."""

    kind: Literal["starover approval"] = "starover approval"
    digest: str
    """Of the plan, all 64 digits."""
    plan: str
    """The plan's id."""
    runbook: str
    estate: str
    by: str
    at: datetime
    expires: datetime
    """When the plan's facts are too old."""
    binds: tuple[str, ...] = ()
    """What was approved, line by line: so that the difference to another plan can be shown."""
    signature: str = UNSIGNED
    """An armoured SSH signature of `approval_signature.message`, or `unsigned`."""

    @property
    def is_signed(self) -> bool:
        """Whether it has a signature; whose, and whether it fits, is another question."""
        return self.signature != UNSIGNED


def write_approval(approval: Second) -> bytes:
    """The approval as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(approval), indent=1) + b"\n"


def read_approval(data: bytes) -> Second:
    """An approval from JSON. Raises `BadParameter` when it is none."""
    try:
        return msgspec.json.decode(data, type=Second)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadParameter(f"this is not an approval of starover: {error}", certain=("nothing was sent",)) from error
