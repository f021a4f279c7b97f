"""A worker on this machine: what it has, what it says of itself, and how it ends; performs nothing itself."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import socket
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starover.errors import BadParameter
from starover_cli.room import SIGNING_KEY, Room, signer
from starover_cli.team.following import Lines
from starover_cli.team.job_words import JobWords
from starover_cli.team.line import Line, talk
from starover_cli.views import json as machine

if TYPE_CHECKING:
    from pathlib import Path

    from starover.estate import Estate
    from starover.events import Sink
    from starover_cli.settings import Settings

__all__ = ["work", "zones_of"]

BEAT = 1.0
"""Seconds between two looks whether a sign of life is due."""


def work(settings: Settings, line: Line, zones: Sequence[str], *, runs: bool, jobs: Path | None) -> int:
    """Work until SIGTERM or Ctrl-C: what is under way is ended first, or handed over. Gives 0."""
    import os

    from starover.drivers.temporal import Client, Site, run_worker

    if not settings.console.draws:
        settings.format = "json"
    with Room(settings, settings.parts) as room:
        there = zones_of(room.estate, zones)
        lines = Lines(settings, simulated=room.estate.lab, named=True)
        sinks: list[Sink] = [lines]
        words = JobWords(settings, jobs) if jobs is not None else None
        if words is not None:
            sinks.append(words)
        site = Site(
            estate=room.estate,
            transport=room.transport,
            clock=room.clock,
            folder=settings.state,
            sinks=sinks,
            sign=signer(os.environ.get(SIGNING_KEY, "")),
            house=lambda: room.house,
            unbegun=words.unbegun if words is not None else None,
        )
        _ = room.house  # a policy that is wrong is told now, and not by the first run

        async def act(client: Client) -> None:
            until = asyncio.Event()
            with _ended_by_signals(settings, until), _beating(lines, settings), _logged(settings):
                _begins(room, line, there, runs=runs)
                await run_worker(client, site, zones=there, runs=runs, until=until)

        try:
            talk(room, line, act)
        finally:
            if words is not None:
                words.close()
        _say(settings, {"worker": "ends", "exit": 0}, "worker ends: nothing is under way here any more")
    return 0


def zones_of(estate: Estate, named: Sequence[str]) -> list[str]:
    """The Availability Zones that are meant by names of zones or of sites. Raises `BadParameter`."""
    sites = {site.name.casefold(): site.az for site in estate.sites if site.az}
    zones = {zone.casefold(): zone for zone in (*(server.az for server in estate.servers), *sites.values()) if zone}
    found: list[str] = []
    for name in named:
        zone = zones.get(name.casefold()) or sites.get(name.casefold())
        if zone is None:
            raise BadParameter(
                f"the inventory has no Availability Zone or site {name}",
                certain=(f"it has {', '.join(sorted([*zones.values(), *sites])) or 'none'}", "nothing was contacted"),
            )
        found.append(zone)
    return list(dict.fromkeys(found))


def _begins(room: Room, line: Line, zones: Sequence[str], *, runs: bool) -> None:
    from starover.drivers.temporal import queue_of

    estate = room.estate
    queues = [queue_of(estate.name)] if runs else []
    queues += [queue_of(estate.name, zone) for zone in zones]
    what = [*(["its runs"] if runs else []), *([f"scripts for hosts in {', '.join(zones)}"] if zones else [])]
    place = "LAB " if estate.lab else "LIVE"
    sealed = "payloads encrypted" if line.sealed else "PAYLOADS NOT ENCRYPTED (STAROVER_TEMPORAL_CODEC_KEY)"
    text = f"{place}  {estate.name}   worker takes {' and '.join(what)} from {line.address}/{line.namespace}; {sealed}"
    said = {
        "worker": "begins",
        "estate": estate.name,
        "lab": estate.lab,
        "host": socket.gethostname(),
        "queues": queues,
        "address": line.address,
        "namespace": line.namespace,
        "sealed": line.sealed,
        "state": room.settings.state.as_posix(),
    }
    _say(room.settings, said, text)


def _say(settings: Settings, said: Mapping[str, object], text: str) -> None:
    if settings.json:
        settings.console.raw(machine.line(said))
    else:
        settings.console.note(text)


@contextmanager
def _ended_by_signals(settings: Settings, until: asyncio.Event) -> Generator[None]:
    """The first signal ends in good order, the second as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def told(kind: int, _frame: Any) -> None:
        for one, handler in before.items():
            signal.signal(one, handler)
        loop.call_soon_threadsafe(_ending, settings, signal.Signals(kind).name, until)

    for kind in kinds:
        signal.signal(kind, told)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _ending(settings: Settings, name: str, until: asyncio.Event) -> None:
    text = "worker takes nothing new: what is under way is ended or handed over (again: leaves at once)"
    _say(settings, {"worker": "ending", "signal": name}, text)
    until.set()


@contextmanager
def _beating(lines: Lines, settings: Settings) -> Generator[None]:
    """A sign of life after every half minute of silence, where no terminal reads it."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            lines.beat(lines.under_way())

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    if settings.json:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()


AGAIN = 60.0
"""Seconds for which the same warning is not repeated."""


class _Words(logging.Handler):
    """What Temporal's client logs, in a line each: a person reads it, and payloads are in none."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(logging.WARNING)
        self._settings = settings
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().partition("\n")[0]
        error: BaseException | None = record.exc_info[1] if record.exc_info else None
        while error is not None and error.__cause__ is not None:
            error = error.__cause__
        if error is not None:
            text += f": {str(error).partition(chr(10))[0] or type(error).__name__}"
        kind = re.sub(r"[0-9]+", "#", text)
        if time.monotonic() - self._said.get(kind, -AGAIN) < AGAIN:
            return
        self._said[kind] = time.monotonic()
        _say(self._settings, {"worker": "warns", "what": text}, f"! {text}")


@contextmanager
def _logged(settings: Settings) -> Generator[None]:
    logger, handler = logging.getLogger("temporalio"), _Words(settings)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
