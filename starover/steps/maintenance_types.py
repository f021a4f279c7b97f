"""Parameters that runbooks for maintenance share, with their limits (catalogue 6.1)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

__all__ = ["Copies", "Queued"]

Copies: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=3, description="a number from 1 to 3")]
"""Good copies that must remain."""
Queued: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10_000, description="a number from 0 to 10000")]
"""Messages that may stay in the queues of a server."""
