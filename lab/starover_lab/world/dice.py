"""Random draws that no order of threads can change: functions of seed, host, kind and number; knows no entity."""

from __future__ import annotations

import hashlib
import uuid

__all__ = ["Dice"]


class Dice:
    """Draws keyed by (seed, host, kind, n), n counting the draws of that kind on that host."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._drawn: dict[tuple[str, str], int] = {}

    def between(self, low: float, high: float, host: str, kind: str) -> float:
        """A number in [low, high); the next of its kind on that host."""
        key = (host.casefold(), kind)
        number = self._drawn.get(key, 0) + 1
        self._drawn[key] = number
        digest = self._digest(host.casefold(), kind, str(number))
        return low + (high - low) * (int.from_bytes(digest[:7], "big") / (1 << 56))

    def guid(self, kind: str, name: str) -> uuid.UUID:
        """The id of an object: always the same for one seed and name."""
        return uuid.UUID(bytes=self._digest(kind, name.casefold())[:16], version=4)

    def text(self, kind: str, name: str, length: int) -> str:
        """Letters and digits that belong to a name, such as a password of the lab."""
        return self._digest(kind, name.casefold()).hex()[:length]

    def _digest(self, *parts: str) -> bytes:
        return hashlib.sha256("\x1f".join((str(self.seed), *parts)).encode()).digest()
