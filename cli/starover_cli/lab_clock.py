"""The lab's simulated time as a clock for the driver; asks the lab's control port, knows nothing else of it."""

from __future__ import annotations

from datetime import UTC, datetime

from starover_cli.lab_client import Lab

__all__ = ["LabClock"]

HOLD = 1.0
"""Real seconds for which one request waits at most, so that Ctrl-C is heard between two of them."""


class LabClock:
    """Simulated time. Raises `LabGone` when the lab has ended."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        lab.keep = True  # a lab forgets what was announced on a line that is lost: a crash of ours does not stop it

    def now(self) -> datetime:
        """The lab's present moment."""
        return _time(self._lab.get("clock")["now"])

    def wait_until(self, when: datetime, /) -> None:
        """Return when the lab's clock is there; it leaps as soon as nothing else is under way."""
        # Whoever waits has dealt with the answers he got; said in one word with the time, so that none passes between.
        body = {"until": when.astimezone(UTC).isoformat(), "answers": True, "settles": True}
        while self._lab.hold("clock/wait", body, HOLD) is None:
            pass

    def expect(self, scripts: int, /) -> None:
        """Announce a batch, so that no time passes before its last script has arrived.

        The driver says after every answer what follows, be it nothing (0): so no time passes in between either.
        """
        self._lab.post("clock/expect", {"scripts": scripts, "answers": True})

    def close(self) -> None:
        """Hang up: whatever was announced is forgotten."""
        self._lab.close()


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
