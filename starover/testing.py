"""For authors' tests: hosts made of Python functions, a clock moved by hand, content without files; no lab, no wire.

A fake host answers each template with a function of yours::

    def status(host, identity):
        return {"status": copies[identity], "suspended": copies[identity] == "Suspended"}

    def suspend(host, identity, comment):
        copies[identity] = "Suspended"

    hosts = FakeTransport({"copy/status.ps1.j2": status, "copy/suspend.ps1.j2": suspend})
    hosts.fail(FakeFault("lost-after", template="copy/suspend.ps1.j2"))     # done, but the answer never comes

It keeps receipts as a host does, so what was sent twice is noticed, and lost answers can be found out.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from starover.calls import ENDING
from starover.errors import (
    AuthFailed,
    BadParameter,
    ConnectFailed,
    ErrorRecord,
    ReplyLost,
    StaroverError,
    Throttled,
    TimedOut,
)
from starover.render import Arg, Body
from starover.runbook import AnyRunbook
from starover.transport import Answer, Script
from starover.values import plain

__all__ = ["FakeContent", "FakeFault", "FakeTransport", "ManualClock", "PowerShellError", "report"]


class PowerShellError(Exception):
    """Raise it in a fake template: the script ends with this error record."""

    def __init__(self, message: str, *, fqid: str = "Fake,Error") -> None:
        """`fqid` is the FullyQualifiedErrorId."""
        super().__init__(message)
        self.record = ErrorRecord(message=message, fqid=fqid)


@dataclass
class FakeFault:
    """Something that goes wrong with the next matching scripts.

    `lost-before`: the connection ends before the script began; `lost-after`: after it was done. `begun`: it begins and
    never ends, and the connection ends. `unreachable`, `silent` (the deadline passes before anything was sent), `auth`,
    `throttled`: nothing is sent. `timed-out`: done, but the deadline passes. `cut`: done, and the answer is cut.
    `error-after`: done, and PowerShell fails. `no-receipt`: the host cannot make the receipt, so nothing is done.
    `leased`: the host knows a newer holder of the lease, so nothing is done. `died`: PowerShell ends before it has said
    anything, and nothing is done.
    """

    kind: Literal[
        "lost-before",
        "lost-after",
        "begun",
        "unreachable",
        "silent",
        "auth",
        "throttled",
        "timed-out",
        "cut",
        "error-after",
        "no-receipt",
        "leased",
        "died",
    ]
    host: str = ""
    """Empty: any."""
    template: str = ""
    """Of one of the script's parts; empty: any."""
    what: Literal["", "read", "write", "probe"] = ""
    times: int = 1
    """How often; a negative number: always."""

    def hits(self, script: Script) -> bool:
        """Whether it goes wrong with this script."""
        what = "write" if script.mutates else "read" if script.parts else "probe"
        return (
            self.times != 0
            and self.host in ("", script.server.name)
            and self.what in ("", what)
            and (not self.template or any(part.template == self.template for part in script.parts))
        )


class FakeTransport:
    """Hosts whose templates are functions: `(host, **arguments) -> facts`, arguments as JSON holds them.

    Calls are such templates too: the facts are what the call's report makes of the reply.
    """

    def __init__(
        self, templates: Mapping[str, Callable[..., object]], *, receipts: MutableMapping[str, bytes] | None = None
    ) -> None:
        """Facts are whatever msgspec writes as JSON; what a write returns does not matter.

        `receipts` is where hosts keep theirs, by host and operation; hand in one of your own to keep them longer.
        """
        self.templates = templates
        self.receipts: MutableMapping[str, bytes] = {} if receipts is None else receipts
        self.faults: list[FakeFault] = []
        self.sent: list[Script] = []
        """Every script that reached a host, in order."""
        self.asked: list[Script] = []
        """Every script that was handed over."""
        self.closed = False
        self.leases: dict[str, tuple[int, str, str]] = {}
        """Number, holder and note of the lease, by host and DAG."""
        self.lease_scripts: list[Script] = []
        """Those that ask for it: they are neither in `asked` nor in `sent`, and no fault hits them."""
        self.carried: list[str] = []
        """Secrets that a real transport would have sent along."""
        self._lock = threading.Lock()

    def fail(self, *faults: FakeFault) -> None:
        """Add faults; the first that hits a script decides."""
        self.faults.extend(faults)

    def heal(self) -> None:
        """Forget all faults."""
        self.faults.clear()

    @property
    def writes(self) -> list[str]:
        """Templates of the writes that reached a host, in order."""
        return [script.parts[0].template for script in self.sent if script.mutates]

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        """As `transport.Transport.run`."""
        for script in batch:
            with self._lock:
                answer = self._answer(script)
            yield answer

    def secrets(self) -> Sequence[str]:
        """As `transport.Transport.secrets`: what `carried` holds."""
        return self.carried

    def close(self) -> None:
        """As `transport.Transport.close`."""
        self.closed = True

    def _answer(self, script: Script) -> Answer:
        if script.parts and script.parts[0].template.startswith("lease/"):
            return self._leased(script)
        self.asked.append(script)
        fault = next((one for one in self.faults if one.hits(script)), None)
        if fault is not None and fault.times > 0:
            fault.times -= 1
        kind = fault.kind if fault is not None else ""
        host = script.server.name
        errors: dict[str, StaroverError] = {
            "unreachable": ConnectFailed(f"{host} refused the connection", host=host),
            "silent": ConnectFailed(f"{host} did not answer", host=host),
            "auth": AuthFailed(f"{host} does not take this credential", host=host),
            "throttled": Throttled(f"{host} asks to come back later", after=7.0, host=host),
            "lost-before": ReplyLost("the connection was reset", host=host),
            "lost-after": ReplyLost("the connection was reset", host=host),
            "begun": ReplyLost("the connection was reset", host=host),
            "timed-out": TimedOut(f"no answer in {script.deadline:g} s", host=host),
        }
        output = ""
        if script.way == "call" and kind in ("", "cut", "error-after", "lost-after", "timed-out", "begun", "died"):
            return self._called(script, kind, errors.get(kind))
        if kind == "died":
            died = ErrorRecord(message="the session ended", fqid="Fake,Died")
            return Answer(id=script.id, errors=(died,), failed=True, road="fake")
        if kind in ("no-receipt", "leased") and script.mutates:
            return Answer(id=script.id, output=_refusal(script, kind), road="fake")
        if kind not in ("unreachable", "silent", "auth", "throttled", "lost-before"):
            self.sent.append(script)
            output = self._execute(script, ends=kind != "begun", fails=kind == "error-after")
        if (error := errors.get(kind)) is not None:
            return Answer(id=script.id, error=error, road="fake")
        return Answer(id=script.id, output=output[: len(output) // 2] if kind == "cut" else output, road="fake")

    def _leased(self, script: Script) -> Answer:
        """The lease, as a host keeps it whose clock stands still: it is never over."""
        self.lease_scripts.append(script)
        part = script.parts[0]
        asked = msgspec.json.decode(part.arguments, type=dict[str, str])
        key = f"{script.server.name} {asked['dag']}"
        token, holder, note = self.leases.get(key, (0, "", ""))
        family = holder.partition("/")[0] in (asked["holder"].partition("/")[0], asked["dead"])
        state = "mine" if holder == asked["holder"] else "free" if family or holder in ("", "-") else "held"
        match part.template, state:
            case "lease/take", "free":
                state, token = "mine", token + 1
                self.leases[key] = (token, asked["holder"], note)
            case "lease/release", "mine":
                self.leases[key] = (token, "-", note)
            case _:
                pass
        facts = {"state": state, "token": token, "holder": holder, "note": note, "age": 0}
        parts = [{"id": part.id, "ok": True, "facts": facts}]
        return Answer(id=script.id, output=report(script.server.name, script.nonce, parts=parts), road="fake")

    def _called(self, script: Script, kind: str, error: StaroverError | None) -> Answer:
        """A call: facts as JSON, and no receipt."""
        part = script.parts[0]
        record = ErrorRecord(message="An error occurred (InternalError)", fqid="InternalError")
        facts: object = None
        if kind != "died":
            self.sent.append(script)
            try:
                facts = self._call(script.server.name, part.template, part.arguments)
            except PowerShellError as failed:
                return Answer(id=script.id, errors=(failed.record,), failed=True, road="fake")
        if error is not None:
            return Answer(id=script.id, error=error, road="fake")
        if kind in ("died", "error-after"):
            return Answer(id=script.id, errors=(record,), failed=True, road="fake")
        output = msgspec.json.encode(facts).decode()
        return Answer(id=script.id, output=output[: len(output) // 2] if kind == "cut" else output, road="fake")

    # -- a host --------------------------------------------------------------------------------------------------

    def _execute(self, script: Script, *, ends: bool, fails: bool) -> str:
        host = script.server.name
        if script.mutates:
            return self._write(script, ends=ends, fails=fails)
        if not script.parts:
            state, end = self._receipt(host, script.operation)
            return report(host, script.nonce, receipts=[_receipt(script.operation, state, end)])
        parts: list[dict[str, object]] = []
        for part in script.parts:
            try:
                facts = self._call(host, part.template, part.arguments)
            except PowerShellError as error:
                parts.append({"id": part.id, "ok": False, "error": error.record})
            else:
                parts.append({"id": part.id, "ok": True, "facts": facts})
        return report(host, script.nonce, parts=parts)

    def _write(self, script: Script, *, ends: bool, fails: bool) -> str:
        host, operation = script.server.name, script.operation
        state, end = self._receipt(host, operation)
        if state != "absent":
            return report(host, script.nonce, receipts=[_receipt(operation, state, end)])
        self.receipts[f"{host} {operation}"] = b""
        part: dict[str, object] = {"id": operation, "ok": True, "facts": None}
        try:
            self._call(host, script.parts[0].template, script.parts[0].arguments)
            if fails:
                raise PowerShellError("it failed in the end")
        except PowerShellError as error:
            part = {"id": operation, "ok": False, "error": error.record}
        if ends:
            kept = {"operation": operation, "prev": None, "result": part}
            self.receipts[f"{host} {operation}"] = msgspec.json.encode(kept)
        return report(host, script.nonce, parts=[part], receipts=[_receipt(operation, "ran", b"")])

    def _receipt(self, host: str, operation: str) -> tuple[str, bytes]:
        kept = self.receipts.get(f"{host} {operation}")
        if kept is None:
            return "absent", b""
        return ("ran-before", kept) if kept else ("in-progress", b"")

    def _call(self, host: str, template: str, arguments: msgspec.Raw) -> object:
        if template not in self.templates:
            raise PowerShellError(f"this fake has no template {template}", fqid="CommandNotFoundException")
        return self.templates[template](host, **msgspec.json.decode(arguments, type=dict[str, object]))


def _refusal(script: Script, kind: str) -> str:
    state = "refused" if kind == "leased" else "absent"
    record = ErrorRecord(message="there is not enough space on the disk", fqid="NewItemIOError")
    part: dict[str, object] = {"id": script.operation, "ok": False, "error": record}
    receipts = [_receipt(script.operation, state, b"")]
    return report(script.server.name, script.nonce, parts=[part] if state == "absent" else [], receipts=receipts)


def _receipt(operation: str, state: str, end: bytes) -> dict[str, object]:
    return {"id": operation, "state": state, "begin": None, "end": end.decode() or None}


def report(
    host: str, nonce: str, *, parts: Sequence[Mapping[str, object]] = (), receipts: Sequence[Mapping[str, object]] = ()
) -> str:
    """What a script's epilogue writes, as `envelope.decode` wants it."""
    document = {
        "schema": 1,
        "host": host,
        "utc": "2026-01-01T00:00:00.0000000Z",
        "ps": "5.1.20348.1",
        "elevated": True,
        "provider": "",
        "warnings": [],
        "parts": list(parts),
        "receipts": list(receipts),
    }
    text = msgspec.json.encode(document).decode()
    check = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"@@STAROVER-BEGIN {nonce}\n{text}\n@@STAROVER-END {nonce} {len(text)} {check}\n"


class ManualClock:
    """A clock that stands until somebody waits, and then leaps; what was scheduled until then happens on the way."""

    def __init__(self, start: datetime = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)) -> None:
        """`start` is an aware time."""
        self._now = start
        self._lock = threading.RLock()
        self._serial = itertools.count()
        self._due: list[tuple[datetime, int, Callable[[], object]]] = []
        self.announced: list[int] = []
        """What `expect` was called with."""

    def now(self) -> datetime:
        """The present moment."""
        return self._now

    def wait_until(self, when: datetime, /) -> None:
        """Leap to `when`."""
        with self._lock:
            while self._due and self._due[0][0] <= when:
                at, _, act = heapq.heappop(self._due)
                self._now = max(self._now, at)
                act()
            self._now = max(self._now, when)

    def expect(self, scripts: int, /) -> None:
        """Remember it."""
        self.announced.append(scripts)

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something happen once this much time has passed."""
        with self._lock:
            heapq.heappush(self._due, (self._now + timedelta(seconds=seconds), next(self._serial), act))


@dataclass
class FakeContent:
    """Runbooks without files. A template's body is its name and its arguments: other arguments, other hash."""

    runbooks: Sequence[AnyRunbook] = ()
    sha256: str = "0" * 64
    bodies: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other text for some templates."""

    def runbook(self, name: str, /) -> AnyRunbook:
        """The runbook of that name. Raises `BadParameter`."""
        for one in self.runbooks:
            if one.name == name:
                return one
        raise BadParameter(f"there is no runbook `{name}`")

    def body(self, template: str, arguments: Mapping[str, Arg], /) -> Body:
        """A comment that says what it is."""
        values = msgspec.json.encode({key: plain(value) for key, value in arguments.items()}, order="sorted").decode()
        text = self.bodies.get(template, f"# {template} {values}\n")
        call = template.endswith(ENDING)
        return Body(text=text, sha256=hashlib.sha256(text.encode()).hexdigest(), call=call)
