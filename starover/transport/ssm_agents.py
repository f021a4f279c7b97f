"""Which agents Systems Manager has heard of lately, so that nothing is sent to a silent one; knows no script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from starover.errors import Throttled, Unreachable

__all__ = ["Agents", "Calling"]

Calling = Callable[..., Mapping[str, object]]
"""One call of a service, with boto3's parameters. Raises the library's errors."""

FRESH = timedelta(seconds=60)
"""How long an answer counts; an agent is called lost after five minutes anyway."""


class Agents:
    """What DescribeInstanceInformation said, kept for a minute. Threads share it."""

    def __init__(self, describe: Calling, now: Callable[[], datetime]) -> None:
        """Nothing is asked yet."""
        self._describe = describe
        self._now = now
        self._known: dict[str, tuple[datetime, str]] = {}
        self._lock = threading.Lock()

    def silent(self, instances: Iterable[str]) -> dict[str, str]:
        """Instances that nothing can be sent to, and why; at most 50 are asked for.

        Without the right to ask, or without an answer, nobody is called silent. Raises `Unreachable` where AWS cannot
        be reached at all.
        """
        wanted = list(instances)
        now = self._now()
        with self._lock:
            unknown = [one for one in wanted if one not in self._known or now - self._known[one][0] > FRESH]
        if unknown:
            found = self._ask(unknown)
            with self._lock:
                self._known |= {one: (now, found.get(one, "")) for one in unknown}
        with self._lock:
            return {one: why for one in wanted if (why := self._known[one][1])}

    def forget(self, instances: Iterable[str]) -> None:
        """Ask again the next time: what was said of them is no longer true."""
        with self._lock:
            for one in instances:
                self._known.pop(one, None)

    def _ask(self, instances: list[str]) -> dict[str, str]:
        try:
            reply = self._describe(Filters=[{"Key": "InstanceIds", "Values": instances}], MaxResults=50)
        except Throttled:
            return {}
        except Unreachable:  # nor would AWS be told of a script
            raise
        except Exception:  # it is asked to spare a wait, and for nothing else
            return {}
        listed = reply.get("InstanceInformationList")
        if not isinstance(listed, list):
            return {}
        pings: dict[str, str] = {}
        for one in listed:  # pyright: ignore[reportUnknownVariableType] # boto3 says no more
            if isinstance(one, Mapping):
                pings[str(one.get("InstanceId"))] = str(one.get("PingStatus"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        found: dict[str, str] = {}
        for one in instances:
            ping = pings.get(one)
            if ping is None:
                found[one] = "Systems Manager does not know an agent there"
            elif ping != "Online":
                found[one] = f"Systems Manager has lost its agent ({ping})"
        return found
