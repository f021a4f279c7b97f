"""Copies of the journals in CloudWatch Logs and in S3 with object lock: what is due, and how it is handed over.

The journals themselves are the spool: a small file for each run and sink (`spool/SINK/RUN`) says how far the copies
have come, and is written after the service has answered. So whatever happens to a sink nothing is lost, and what was
sent without an answer is sent again: a record has its run and number, so a second one is known for what it is. Knows no
boto3.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from starover.errors import StaroverError
from starover.estate import AuditCopies, Estate
from starover.journal import lines_of, path_of, read_head, run_ids
from starover.journal_heads import signed_of
from starover.journal_lock import hold
from starover.transport.calls import CallFailed

__all__ = ["Caller", "Copies", "LogSink", "S3Sink", "Sink", "ship", "sinks_of"]

Caller: TypeAlias = Callable[[str, str, Mapping[str, object]], Mapping[str, object]]
"""Service, operation and parameters as boto3 names them; its reply. Raises `StaroverError` and `CallFailed`."""

EVENT_BYTES = 250_000
"""Of one log event: CloudWatch Logs took 256 KiB for years, with 26 bytes of its own."""
BATCH_BYTES, BATCH_EVENTS = 1_000_000, 10_000
"""Of one PutLogEvents: 1 MiB and 10,000 events."""
_OWN_BYTES = 26
_BATCH_SPAN = timedelta(hours=23)
"""Events of one batch may not be more than 24 hours apart."""
_OLDEST = timedelta(days=13)
"""Events older than 14 days are not taken: their copies bear a later time, and their own within."""


class Sink(Protocol):
    """Where copies go."""

    @property
    def name(self) -> str:
        """For people: `CloudWatch Logs /starover`."""
        ...

    def put(self, call: Caller, run: str, first: int, lines: Sequence[bytes], now: datetime, /) -> None:
        """Hand over records from number `first` on. Raises `StaroverError` and `CallFailed`."""
        ...

    def put_signed(self, call: Caller, run: str, signed: bytes, now: datetime, /) -> None:
        """Hand over a signed head. Raises as `put`."""
        ...


@dataclass(frozen=True)
class LogSink:
    """A log group of CloudWatch Logs: a stream for each run, and in it each record as it lies in the journal."""

    group: str
    estate: str

    @property
    def name(self) -> str:
        """As `Sink.name`."""
        return f"CloudWatch Logs {self.group}"

    def put(self, call: Caller, run: str, first: int, lines: Sequence[bytes], now: datetime, /) -> None:
        """As `Sink.put`: batches within the service's limits, and nothing that it silently leaves out."""
        events = [
            (when, text)
            for number, line in enumerate(lines, first)
            for when in (_time_of(line, now),)
            for text in _pieces(line, number)
        ]
        for batch in _batches(events):
            self._put_batch(call, run, batch)

    def put_signed(self, call: Caller, run: str, signed: bytes, now: datetime, /) -> None:
        """As `Sink.put_signed`."""
        text = msgspec.json.encode({"signed": signed.decode("ascii", "replace")}).decode()
        self._put_batch(call, run, [(now, text)])

    def _put_batch(self, call: Caller, run: str, batch: Sequence[tuple[datetime, str]]) -> None:
        stream = {"logGroupName": self.group, "logStreamName": f"{re.sub('[:*]', '_', self.estate)}/{run}"}
        events = [{"timestamp": int(when.timestamp() * 1000), "message": text} for when, text in batch]
        try:
            reply = call("logs", "put_log_events", {**stream, "logEvents": events})
        except CallFailed as failed:
            if failed.record.fqid != "ResourceNotFoundException":
                raise
            _create(call, stream)
            reply = call("logs", "put_log_events", {**stream, "logEvents": events})
        if reply.get("rejectedLogEventsInfo"):
            raise StaroverError(f"{self.name} left out events of run {run}: {reply['rejectedLogEventsInfo']}")


@dataclass(frozen=True)
class S3Sink:
    """A bucket with object lock: each hand-over is an object that nobody can change or delete for so many days."""

    bucket: str
    prefix: str
    estate: str
    days: int
    mode: str

    @property
    def name(self) -> str:
        """As `Sink.name`."""
        return f"S3 {self.bucket}"

    def put(self, call: Caller, run: str, first: int, lines: Sequence[bytes], now: datetime, /) -> None:
        """As `Sink.put`. The same records make the same key."""
        data = b"".join(line + b"\n" for line in lines)
        name = f"{first:06d}-{first + len(lines) - 1:06d}-{hashlib.sha256(data).hexdigest()[:12]}.jsonl"
        self._put_object(call, f"{run}/{name}", data, now)

    def put_signed(self, call: Caller, run: str, signed: bytes, now: datetime, /) -> None:
        """As `Sink.put_signed`."""
        self._put_object(call, f"{run}/{hashlib.sha256(signed).hexdigest()[:12]}.signed", signed, now)

    def _put_object(self, call: Caller, key: str, data: bytes, now: datetime) -> None:
        place = "/".join(part for part in (self.prefix.strip("/"), self.estate, key) if part)
        asked = {
            "Bucket": self.bucket,
            "Key": place,
            "Body": data,
            "ChecksumAlgorithm": "SHA256",
            "ObjectLockMode": self.mode,
            "ObjectLockRetainUntilDate": now + timedelta(days=self.days),
        }
        call("s3", "put_object", asked)


@dataclass
class Copies:
    """What became of the copies for one sink."""

    sink: str
    runs: list[str] = field(default_factory=list[str])
    """Whose records were handed over now."""
    records: int = 0
    left: int = 0
    """Records that are still to be handed over."""
    error: str = ""
    altered: list[str] = field(default_factory=list[str])
    """Runs whose journals are not any more what was handed over: see `audit verify`."""


def sinks_of(estate: Estate) -> list[Sink]:
    """The sinks that the inventory names."""
    given: AuditCopies = estate.audit
    found: list[Sink] = []
    if given.log_group:
        found.append(LogSink(given.log_group, estate.name))
    if given.bucket:
        found.append(S3Sink(given.bucket, given.prefix, estate.name, given.retain_days, given.mode))
    return found


def ship(
    state: Path, sinks: Sequence[Sink], call: Caller, now: Callable[[], datetime], *, seconds: float = 3600.0
) -> list[Copies]:
    """Hand over what is due, for so many seconds of real time at most; the last call may take its own time more.

    Never raises for a sink: what goes wrong is in its `Copies`, and is tried again the next time.
    """
    end = time.monotonic() + seconds
    try:
        lock = hold(state / "spool" / "ship.lock")
    except StaroverError as error:
        return [Copies(one.name, error=str(error)) for one in sinks]
    if lock is None:
        return [Copies(one.name, error="another process is handing over") for one in sinks]
    try:
        return [_ship_to(state, one, call, now, end) for one in sinks]
    finally:
        lock.close()


def _ship_to(state: Path, sink: Sink, call: Caller, now: Callable[[], datetime], end: float) -> Copies:
    told = Copies(sink.name)
    folder = state / "spool" / hashlib.sha256(sink.name.encode()).hexdigest()[:12]
    for run in run_ids(state):
        try:
            lines, done, altered = _due(state, folder / run, run)
        except OSError as error:
            told.error = told.error or f"{run}: {error.strerror or error}"
            continue
        if altered:
            told.altered.append(run)
        if told.error or time.monotonic() >= end:
            told.left += len(lines)
            continue
        signed = _signed(state, run)
        try:
            if lines:
                sink.put(call, run, done, lines, now())
                _keep(folder / run, done + len(lines), lines[-1])
                told.records += len(lines)
                told.runs.append(run)
            if signed and not altered and not _same(folder / f"{run}.signed", signed):
                sink.put_signed(call, run, signed, now())
                _write(folder / f"{run}.signed", hashlib.sha256(signed).hexdigest().encode())
        except (StaroverError, CallFailed, OSError) as error:
            told.error = str(error)
            told.left += len(lines) if run not in told.runs else 0
    if not told.error and told.left:
        told.error = "there was no more time"
    return told


def _due(state: Path, cursor: Path, run: str) -> tuple[list[bytes], int, bool]:
    """Records that are not handed over, the number of those that are, and whether these are others by now."""
    path = path_of(state, run)
    if not path.exists():
        return [], 0, cursor.exists()
    count, _ = read_head(state, run)
    done, last = _cursor(cursor)
    if done == count:
        return [], done, False
    lines = list(lines_of(path.read_bytes()))[:count]
    if done and (len(lines) < done or hashlib.sha256(lines[done - 1]).hexdigest() != last):
        return [], done, True
    return lines[done:], done, False


def _cursor(path: Path) -> tuple[int, str]:
    try:
        done, _, last = path.read_text("ascii").strip().partition(" ")
        return int(done), last
    except (OSError, ValueError):
        return 0, ""


def _keep(path: Path, done: int, last: bytes) -> None:
    _write(path, f"{done} {hashlib.sha256(last).hexdigest()}\n".encode())


def _signed(state: Path, run: str) -> bytes:
    path = signed_of(state, run)
    return path.read_bytes() if path.exists() else b""


def _same(path: Path, signed: bytes) -> bool:
    return path.exists() and path.read_text("ascii").strip() == hashlib.sha256(signed).hexdigest()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(data)
    fresh.replace(path)


# -- CloudWatch's limits -----------------------------------------------------------------------------------------------


def _create(call: Caller, stream: Mapping[str, object]) -> None:
    try:
        call("logs", "create_log_stream", stream)
    except CallFailed as failed:
        if failed.record.fqid != "ResourceAlreadyExistsException":
            raise


class _Stamp(msgspec.Struct):
    at: datetime


def _time_of(line: bytes, now: datetime) -> datetime:
    """When a record was written, as near as the service takes it."""
    try:
        at = msgspec.json.decode(line, type=_Stamp).at
    except msgspec.MsgspecError:
        at = now
    return min(max(at, now - _OLDEST), now)


def _pieces(line: bytes, number: int) -> Iterator[str]:
    """The record, or numbered pieces of one that is longer than an event may be."""
    if len(line) <= EVENT_BYTES:
        yield line.decode("utf-8", "replace")
        return
    text = line.decode("utf-8", "replace")
    size = EVENT_BYTES // 8  # a character may take six bytes as JSON in JSON
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    for place, part in enumerate(parts):
        yield msgspec.json.encode({"n": number, "piece": place, "of": len(parts), "text": part}).decode()


def _batches(events: Sequence[tuple[datetime, str]]) -> Iterator[list[tuple[datetime, str]]]:
    """Events in order, in batches within the limits."""
    batch: list[tuple[datetime, str]] = []
    size = 0
    for when, text in events:
        bytes_ = len(text.encode()) + _OWN_BYTES
        when = max(when, batch[-1][0]) if batch else when  # a clock that was put back
        full = len(batch) >= BATCH_EVENTS or size + bytes_ > BATCH_BYTES or (batch and when - batch[0][0] > _BATCH_SPAN)
        if full:
            yield batch
            batch, size = [], 0
        batch.append((when, text))
        size += bytes_
    if batch:
        yield batch
