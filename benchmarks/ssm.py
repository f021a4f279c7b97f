"""`python benchmarks/ssm.py`: what Run Command costs for 1, 50 and 500 instances: calls, throttles, lag, peak memory.

It ends with 1 when a promise is broken: one sending for 50 instances, and for each at most as many pages as seconds
have passed (a look a second), and one.

The service is a few lines here: visible after 0.4 s, delivered after 0.6 s, scripts of 1-8 s (log-normal), as in
facts about real ones. Time runs `SPEED` times as fast, for the service, the road's clock and its rate alike.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import random
import statistics
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from starover import envelope
from starover.estate import Road, Server
from starover.render import Renderer
from starover.transport import Script
from starover.transport.aws import Clients
from starover.transport.rate import Rate
from starover.transport.ssm import SsmTransport

SPEED = 10.0
START = datetime(2026, 1, 1, tzinfo=UTC)
SEEN, DELIVERED = 0.4, 0.6
LIMIT = 10.0
"""Requests a second of each operation that the service takes."""
COPIES = 200
"""Database copies in an answer: 102 KB of JSON."""


class Quick:
    """A clock that runs `SPEED` times as fast."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def seconds(self) -> float:
        return (time.monotonic() - self._began) * SPEED

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds())

    def wait_until(self, when: datetime, /) -> None:
        time.sleep(max(0.0, (when - self.now()).total_seconds() / SPEED))

    def expect(self, scripts: int, /) -> None:
        """Nothing to announce."""


@dataclass
class Service:
    """Run Command: counts calls, refuses more than `LIMIT` a second, ends each script when its time has come."""

    clock: Quick
    calls: Counter[str] = field(default_factory=Counter[str])
    refused: int = 0
    ends: dict[str, float] = field(default_factory=dict[str, float])
    """By instance: when its script ended, in seconds of the clock."""
    commands: dict[str, tuple[float, list[str]]] = field(default_factory=dict[str, tuple[float, list[str]]])
    pages: Counter[str] = field(default_factory=Counter[str])
    """By command."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    recent: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def of(self, _: str, **__: object) -> Service:
        return self

    def _count(self, operation: str) -> None:
        with self.lock:
            now = self.clock.seconds()
            last = [at for at in self.recent.get(operation, []) if at > now - 1.0]
            self.recent[operation] = [*last, now]
            self.calls[operation] += 1
            self.refused += len(last) >= LIMIT

    def describe_instance_information(self, **given: Any) -> dict[str, Any]:
        self._count("describe_instance_information")
        asked = given["Filters"][0]["Values"]
        return {"InstanceInformationList": [{"InstanceId": one, "PingStatus": "Online"} for one in asked]}

    def send_command(self, **given: Any) -> dict[str, Any]:
        self._count("send_command")
        with self.lock:
            now, name = self.clock.seconds(), f"c-{len(self.commands)}"
            for one in given["InstanceIds"]:
                self.ends[one] = now + DELIVERED + min(8.0, max(1.0, self.chance.lognormvariate(1.0, 0.5)))
            self.commands[name] = (now, given["InstanceIds"])
        return {"Command": {"CommandId": name}}

    def list_command_invocations(self, **given: Any) -> dict[str, Any]:
        self._count("list_command_invocations")
        self.pages[given["CommandId"]] += 1
        sent, instances = self.commands[given["CommandId"]]
        now = self.clock.seconds()
        if now < sent + SEEN:
            return {"CommandInvocations": []}
        return {"CommandInvocations": [self._shown(one, now) for one in instances]}

    def _shown(self, instance: str, now: float) -> dict[str, Any]:
        over = now >= self.ends[instance]
        status = "Success" if over else "InProgress"
        plugin = {
            "ResponseCode": 0 if over else -1,
            "Output": ANSWER[:2460] + "\n---Output truncated---" if over else "",
        }
        return {"InstanceId": instance, "Status": status, "StatusDetails": status, "CommandPlugins": [plugin]}

    def get_command_invocation(self, **_: Any) -> dict[str, Any]:
        self._count("get_command_invocation")
        return {"StandardOutputContent": ANSWER, "StandardErrorContent": ""}

    def get_object(self, **_: Any) -> dict[str, Any]:
        self.calls["get_object"] += 1
        return {"Body": io.BytesIO(ANSWER.encode())}


def answer(copies: int) -> str:
    """A packed answer of so many database copies."""
    rows = [
        {
            "name": f"DB{n:03}\\EX{n % 16}",
            "status": "Healthy",
            "queue": n * 7919 % 977,
            "guid": hashlib.md5(f"{n}".encode()).hexdigest(),
        }
        for n in range(copies)
    ]
    packed = base64.b64encode(gzip.compress(json.dumps(rows).encode())).decode()
    return f"@@STAROVER-PACKED {len(packed)}\n{packed}\n@@STAROVER-UNPACK\n"


SMALL, LARGE = answer(20), answer(COPIES)
ANSWER = SMALL


def scripts(count: int, bucket: str) -> Iterable[Script]:
    """The same reading of so many hosts."""
    body = Renderer({"t.ps1.j2": "[pscustomobject]@{ here = [bool]$true }\n"}).body("t.ps1.j2", {})
    for number in range(count):
        server = Server(
            name=f"H{number}",
            fqdn=f"H{number}.example.com",
            roles=("witness",),
            instance=f"i-{number:04}",
            roads=(Road(kind="ssm", bucket=bucket),),
        )
        nonce = f"{number:016x}"
        text = envelope.reads(server, [("q1", body)], nonce).text
        yield Script(id=f"{number}", server=server, text=text, deadline=300.0, mutates=False, nonce=nonce)


@dataclass
class Measured:
    """What one reading cost."""

    service: Service
    lags: list[float]
    """How late each answer was, in seconds."""
    peak: float
    """Memory in MB."""
    kept: bool
    """As many sendings and pages as promised."""


def measure(count: int, bucket: str) -> Measured:
    """One reading of so many instances."""
    clock = Quick()
    service = Service(clock)
    road = SsmTransport(cast(Clients, service), lambda: clock, Rate(5 * SPEED, burst=5))
    batch = list(scripts(count, bucket))
    tracemalloc.start()
    lags: list[float] = []
    ended: dict[str, float] = {}
    for one in road.run(batch):
        assert one.error is None, one.error
        instance = f"i-{int(one.id):04}"
        lags.append(clock.seconds() - service.ends[instance])
        ended[one.road.removeprefix("ssm ")] = clock.seconds()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    few = all(pages <= ended[name] - service.commands[name][0] + 1 for name, pages in service.pages.items())
    return Measured(service, lags, peak, few and service.calls["send_command"] == -(-count // 50))


def main() -> int:
    """Measure and print; 1 when a promise is broken."""
    global ANSWER  # noqa: PLW0603 - one answer for all
    kept = True
    for what, given, bucket in (
        ("20 copies, fits a page", SMALL, ""),
        (f"{COPIES} copies, each asked for", LARGE, ""),
        (f"{COPIES} copies, read from S3", LARGE, "answers"),
    ):
        ANSWER = given
        print(f"{what} ({len(given):,} characters)")
        heads = ("instances", "sent", "pages", "most/50", "whole", "S3", "over limit", "lag mean", "max", "peak")
        print("  {:>9} {:>5} {:>6} {:>8} {:>6} {:>4} {:>10} {:>9} {:>6} {:>9}".format(*heads))
        for count in (1, 50, 500):
            found = measure(count, bucket)
            calls, kept = found.service.calls, kept and found.kept
            print(
                f"  {count:9} {calls['send_command']:5} {calls['list_command_invocations']:6} "
                f"{max(found.service.pages.values()):8} {calls['get_command_invocation']:6} {calls['get_object']:4} "
                f"{found.service.refused:10} {statistics.mean(found.lags):7.2f} s {max(found.lags):4.1f} s "
                f"{found.peak:6.1f} MB{'' if found.kept else '   TOO MANY CALLS'}"
            )
    return int(not kept)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
