"""The lab's own door, HTTP with JSON on loopback: look at the world, move its clock, break and mend; knows no WinRM.

Every request carries `Authorization: Bearer TOKEN` (`lab.json` has URL and token). Answers are JSON objects; errors are
`{"error": {"what", "certain", "next"}}` with status 400 (the caller's mistake), 401, 404 or 409.

| request | body | answer |
| --- | --- | --- |
| `GET /v1/status` | | `name`, `pid`, `now`, `standsFor`, `inFlight`, `speed`, `hosts` (`name`, `line`), `faults` |
| `GET /v1/state` | | the whole world as data |
| `GET /v1/events?after=N&kind=K` | | `events`: `number`, `time`, `kind`, `subject`, `data` |
| `GET /v1/faults`, `GET /v1/violations` | | `faults`, `violations` |
| `GET /v1/requests` | | `requests`: how many of each WinRM action each host got |
| `GET /v1/clock` | | `now`, `speed`, `standsFor` |
| `POST /v1/clock/expect` | `scripts`, `answers` (false) | that many scripts are about to come: `Scheduler.expect` |
| `POST /v1/clock/withdraw` | `scripts` (1) | so many will not come after all |
| `POST /v1/clock/dismiss` | | nothing is announced any more |
| `POST /v1/clock/wait` | `until`, `answers`, `settles` (false) | answers at that time: `now`; settles as `expect` 0 |
| `POST /v1/clock/advance` | `seconds` or `until` | moves the clock, whoever waits: `now`, `reached` |
| `POST /v1/clock/speed` | `speed` | simulated seconds a real one, for clients that announce nothing; 0 off |
| `POST /v1/break` | `kind`, `target`, `params` | `number` |
| `POST /v1/mend` | `number`, or `kind`, `target` | `numbers` |
| `POST /v1/preserved` | `server`, `how`, `database` (none: all) | `World.preserve`: files were kept safe, or may go |
| `POST /v1/accidents` | `host`, `kind`, `action`, `skip`, `times` | plans an accident of the line (`wire.plans`) |
| `POST /v1/accidents/clear` | `host` | none any more |
| `GET /v1/winrm` | | `winrm`: how the service of each host is configured |
| `POST /v1/winrm` | `host` (none: all), and what is to change of what `GET` shows | as `GET` |
| `GET /v1/calls` | | `calls` that came to the AWS port: `number`, `time`, `service`, `operation`, `by`, `error` |
| `POST /v1/probed` | `seconds` | somebody has looked at a port, an announced look: it took that long |
| `POST /v1/down` | | the lab ends |

What a client announced is forgotten when the connection on which it did is lost without `Connection: close`: a client
that died must not hold the clock for ever.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from starover.errors import StaroverError
from starover_lab.aws.port import AwsPort
from starover_lab.pump import Pump
from starover_lab.wire.endpoint import ScriptTask
from starover_lab.wire.host import Host
from starover_lab.wire.http1 import Connection, HttpRequest, HttpResponse, Listener
from starover_lab.wire.plans import Accident, Kind
from starover_lab.wire.service import Limits
from starover_lab.world.errors import Data, WorldError
from starover_lab.world.fault_kinds import fault_kinds
from starover_lab.world.world import World

__all__ = ["Control"]

B = TypeVar("B", bound=msgspec.Struct)
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Answer = Mapping[str, object]


class _Expect(msgspec.Struct, forbid_unknown_fields=True):
    scripts: int
    answers: bool = False


class _Withdraw(msgspec.Struct, forbid_unknown_fields=True):
    scripts: int = 1


class _Wait(msgspec.Struct, forbid_unknown_fields=True):
    until: datetime
    answers: bool = False
    settles: bool = False


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float = 0.0
    until: datetime | None = None


class _Speed(msgspec.Struct, forbid_unknown_fields=True):
    speed: float


class _Break(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    target: str = ""
    params: dict[str, str | int | float | bool | None] = {}


class _Mend(msgspec.Struct, forbid_unknown_fields=True):
    number: int | None = None
    kind: str = ""
    target: str = ""


class _Accident(msgspec.Struct, forbid_unknown_fields=True):
    host: str
    kind: Kind
    action: str = ""
    skip: int = 0
    times: int = 1


class _WinRm(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Of `wire.host.Options` and its `Limits`; None: as it is."""

    host: str = ""
    allow_unencrypted: bool | None = None
    request_seconds: Seconds | None = None
    shell_seconds: Seconds | None = None
    command_seconds: Seconds | None = None
    idle_seconds: Seconds | None = None
    shells_per_user: Count | None = None
    commands_per_shell: Count | None = None
    processes_per_shell: Count | None = None
    operations_per_user: Count | None = None


class _Probed(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Seconds = 0.0


class _Preserved(msgspec.Struct, forbid_unknown_fields=True):
    server: str
    how: Literal["snapshot", "copy-aside", "discard"]
    database: str | None = None


class _OfHost(msgspec.Struct, forbid_unknown_fields=True):
    host: str


class _Problem(Exception):
    def __init__(self, status: int, what: str, certain: tuple[str, ...] = (), then: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.status = status
        self.body: Answer = {"error": {"what": what, "certain": certain, "next": then}}


class Lab(Protocol):
    """What control needs of the process."""

    @property
    def name(self) -> str:
        """The topology's name."""
        ...

    @property
    def world(self) -> World:
        """The simulated estate."""
        ...

    @property
    def aws(self) -> AwsPort:
        """Where its AWS answers."""
        ...

    @property
    def pump(self) -> Pump:
        """Its time."""
        ...

    @property
    def hosts(self) -> Mapping[str, Host]:
        """The hosts on the line, by name."""
        ...

    def down(self) -> None:
        """End soon."""
        ...


class Control:
    """Serves one lab."""

    def __init__(self, lab: Lab, token: str) -> None:
        """`token` is what a caller must show."""
        self._lab = lab
        self._token = token
        self._announced: set[Connection] = set()
        self.listener = Listener("127.0.0.1", 0, self._handle, on_lost=self._lost)
        self._actions: dict[tuple[str, str], Callable[[Connection, HttpRequest], Answer | Awaitable[Answer]]] = {
            ("GET", "/v1/status"): self._status,
            ("GET", "/v1/state"): self._state,
            ("GET", "/v1/events"): self._events,
            ("GET", "/v1/kinds"): lambda _, __: {"kinds": fault_kinds()},
            ("GET", "/v1/faults"): lambda _, __: {"faults": self._lab.world.faults()},
            ("GET", "/v1/violations"): lambda _, __: {"violations": self._lab.world.violations()},
            ("GET", "/v1/requests"): lambda _, __: {
                "requests": {name: dict(host.requests) for name, host in self._lab.hosts.items()}
            },
            ("GET", "/v1/clock"): lambda _, __: self._clock(),
            ("POST", "/v1/clock/expect"): self._expect,
            ("POST", "/v1/clock/withdraw"): self._withdraw,
            ("POST", "/v1/clock/dismiss"): self._dismiss,
            ("POST", "/v1/clock/wait"): self._wait,
            ("POST", "/v1/clock/advance"): self._advance,
            ("POST", "/v1/clock/speed"): self._speed,
            ("POST", "/v1/break"): self._break,
            ("POST", "/v1/mend"): self._mend,
            ("POST", "/v1/preserved"): self._preserved,
            ("POST", "/v1/accidents"): self._accident,
            ("POST", "/v1/accidents/clear"): self._no_accidents,
            ("GET", "/v1/winrm"): lambda _, __: self._winrm(),
            ("POST", "/v1/winrm"): self._configure,
            ("GET", "/v1/calls"): lambda _, __: {"calls": self._lab.aws.calls},
            ("POST", "/v1/probed"): self._probed,
            ("POST", "/v1/down"): self._down,
        }

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.listener.address}:{self.listener.port}"

    async def _handle(self, connection: Connection, request: HttpRequest) -> HttpResponse:
        body: Answer
        try:
            status, body = 200, await self._answer(connection, request)
        except _Problem as problem:
            status, body = problem.status, problem.body
        except StaroverError as error:
            status = 400
            body = {"error": {"what": error.what, "certain": error.certain, "next": error.next}}
        except WorldError as error:
            status, body = 409, {"error": {"what": error.message, "certain": (), "next": ()}}
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return HttpResponse(status, msgspec.json.encode(body), headers)

    async def _answer(self, connection: Connection, request: HttpRequest) -> Answer:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise _Problem(401, "the token is not this lab's", then=("lab.json has it",))
        path = urlsplit(request.path).path
        action = self._actions.get((request.method, path))
        if action is None:
            raise _Problem(404, f"there is no {request.method} {path[:80]}")
        answer = action(connection, request)
        return answer if isinstance(answer, Mapping) else await answer

    def _read(self, request: HttpRequest, kind: type[B]) -> B:
        try:
            return msgspec.json.decode(request.body or b"{}", type=kind)
        except msgspec.MsgspecError as error:
            raise _Problem(400, str(error), certain=("nothing was done",)) from None

    def _lost(self, connection: Connection) -> None:
        if connection in self._announced:
            self._announced.discard(connection)
            if self._announced:
                self._lab.pump.scheduler.release()
            else:
                self._lab.pump.scheduler.dismiss()
            self._lab.pump.kick()

    # -- looking -------------------------------------------------------------------------------------------------

    def _status(self, _: Connection, __: HttpRequest) -> Answer:
        lab = self._lab
        return {
            "name": lab.name,
            "pid": os.getpid(),
            **self._clock(),
            "inFlight": lab.pump.scheduler.in_flight,
            "hosts": [{"name": name, "line": host.line()} for name, host in lab.hosts.items()],
            "faults": lab.world.faults(),
        }

    def _state(self, _: Connection, __: HttpRequest) -> Answer:
        return {"state": self._lab.world.snapshot()}

    def _events(self, _: Connection, request: HttpRequest) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        after = query.get("after", ["0"])[0]
        if not after.isdecimal():
            raise _Problem(400, "`after` is the number of an event")
        kinds = query.get("kind", [])
        events = self._lab.world.events[int(after) :]
        return {"events": [one for one in events if not kinds or one.kind in kinds]}

    def _clock(self) -> Answer:
        scheduler = self._lab.pump.scheduler
        return {"now": scheduler.now, "speed": self._lab.pump.speed, "standsFor": scheduler.stands_for}

    # -- the clock -----------------------------------------------------------------------------------------------

    def _expect(self, connection: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _Expect)
        if asked.scripts < 0:
            raise _Problem(400, "`scripts` is not negative")
        if request.headers.get("connection", "").lower() != "close":
            self._announced.add(connection)
        self._lab.pump.scheduler.expect(asked.scripts, answers=asked.answers)
        self._lab.pump.kick()
        return self._clock()

    def _withdraw(self, _: Connection, request: HttpRequest) -> Answer:
        self._lab.pump.scheduler.withdraw(max(self._read(request, _Withdraw).scripts, 0))
        self._lab.pump.kick()
        return self._clock()

    def _dismiss(self, _: Connection, __: HttpRequest) -> Answer:
        self._announced.clear()
        self._lab.pump.scheduler.dismiss()
        self._lab.pump.kick()
        return self._clock()

    async def _wait(self, _: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _Wait)
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done() -> None:
            if not reached.done():
                reached.set_result(None)

        forget = self._lab.pump.scheduler.hold_until(_aware(asked.until), done, answers=asked.answers)
        if asked.settles:
            self._lab.pump.scheduler.expect(0)
        self._lab.pump.kick(sign=False)
        try:
            await reached
        finally:  # the client may have gone
            forget()
        return self._clock()

    def _advance(self, _: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _Advance)
        scheduler = self._lab.pump.scheduler
        until = _aware(asked.until) if asked.until is not None else scheduler.now + timedelta(seconds=asked.seconds)
        if until < scheduler.now:
            raise _Problem(400, "time does not go back", certain=(f"it is {scheduler.now:%Y-%m-%d %H:%M:%S} UTC",))
        reached = scheduler.advance_to(until)
        self._lab.pump.kick()
        return {**self._clock(), "reached": reached}

    def _speed(self, _: Connection, request: HttpRequest) -> Answer:
        speed = self._read(request, _Speed).speed
        if not 0 <= speed <= 1e6:
            raise _Problem(400, "`speed` is between 0 and 1000000")
        self._lab.pump.set_speed(speed)
        return self._clock()

    # -- breaking ------------------------------------------------------------------------------------------------

    async def _break(self, _: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _Break)
        params: dict[str, Data] = {**asked.params}
        number = self._lab.world.fault(asked.kind, asked.target, **params)
        await self._followed()
        return {"number": number, **self._clock()}

    async def _mend(self, _: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _Mend)
        numbers = self._lab.world.mend(asked.number, kind=asked.kind, target=asked.target)
        await self._followed()
        return {"numbers": numbers, **self._clock()}

    def _preserved(self, _: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _Preserved)
        try:
            self._lab.world.preserve(asked.server, asked.how, asked.database)
        except WorldError as error:
            raise _Problem(400, error.message) from error
        return self._clock()

    async def _followed(self) -> None:
        """Who is told that something is broken finds the listeners so."""
        self._lab.pump.run()
        for host in self._lab.hosts.values():
            await host.follow()

    def _host(self, name: str) -> Host:
        for known, host in self._lab.hosts.items():
            if known.lower() == name.lower():
                return host
        raise _Problem(400, f"the lab has no host `{name[:40]}`", then=(f"it has: {', '.join(self._lab.hosts)}",))

    def _accident(self, _: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _Accident)
        if asked.skip < 0 or asked.times < 1:
            raise _Problem(400, "`skip` is at least 0 and `times` at least 1")
        self._host(asked.host).plans.add(Accident(asked.kind, asked.action, asked.skip, asked.times))
        return {}

    def _no_accidents(self, _: Connection, request: HttpRequest) -> Answer:
        self._host(self._read(request, _OfHost).host).plans.clear()
        return {}

    def _winrm(self) -> Answer:
        found: dict[str, Answer] = {}
        for name, host in self._lab.hosts.items():
            of_host, limits = asdict(host.options), asdict(host.options.limits)
            told = _WinRm(host=name, **{key: (of_host | limits)[key] for key in _SETTABLE})
            found[name] = msgspec.to_builtins(told)
        return {"winrm": found}

    def _configure(self, _: Connection, request: HttpRequest) -> Answer:
        asked = self._read(request, _WinRm)
        wanted = {key: value for key in _SETTABLE if (value := getattr(asked, key)) is not None}
        hosts = [self._host(asked.host)] if asked.host else list(self._lab.hosts.values())
        for host in hosts:
            limits = replace(host.options.limits, **{key: wanted[key] for key in wanted if key in _LIMITS})
            others = {key: wanted[key] for key in wanted if key not in _LIMITS}
            host.configure(replace(host.options, limits=limits, **others))
        return self._winrm()

    async def _probed(self, _: Connection, request: HttpRequest) -> Answer:
        """Let simulated time pass as a script does."""
        asked = self._read(request, _Probed)
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ended(task: ScriptTask) -> None:
            if came.done():
                return
            if task.error is not None:
                came.set_exception(_Problem(409, f"the lab could not do it: {task.error}"))
            else:
                came.set_result(None)

        self._lab.pump.spawn("probe", lambda: self._lab.pump.scheduler.wait(asked.seconds), ended)
        await came
        return self._clock()

    def _down(self, _: Connection, __: HttpRequest) -> Answer:
        self._lab.down()
        return {}


_LIMITS = frozenset(one.name for one in fields(Limits))
_SETTABLE = tuple(name for name in _WinRm.__struct_fields__ if name != "host")


def _aware(when: datetime) -> datetime:
    """A time without zone is UTC."""
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
