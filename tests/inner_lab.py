"""A lab without wires, for tests that run hundreds of runbooks: the product's driver on the lab's sessions, in process.

What is left out is the wire only (SOAP, PSRP, NTLM): every script runs in the lab's PowerShell, against its world, on
its simulated clock. The simulation belongs to one thread; transport and clock hand their wishes to it.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar, cast
from uuid import UUID, uuid4

import msgspec
import pytest
from approving import approved
from inner_roads import Roads, with_roads
from starover_lab import written
from starover_lab.client_services import KINDS, certificate_for
from starover_lab.cloud.api import Cloud
from starover_lab.cmdlets.sessions import Sessions
from starover_lab.farm.zapi import Zapi
from starover_lab.powershell import session
from starover_lab.powershell.errors import ErrorRecord as LabError
from starover_lab.powershell.errors import Terminated
from starover_lab.powershell.parser import parse
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import PSCredential, SecureString, Value
from starover_lab.wire.endpoint import Command, EndpointRefused, Pipeline, Principal, Runspace
from starover_lab.world.clock import Task, TaskStopped
from starover_lab.world.world import World

from starover import envelope
from starover.calls import Call, projected, read_call
from starover.content import find
from starover.drivers import local
from starover.drivers.local import Local, Planned, Ran, Why
from starover.effects import Approval
from starover.errors import ConnectFailed, ErrorRecord, ReplyLost, StaroverError, Throttled
from starover.estate import Estate
from starover.plan import Plan
from starover.rights_aws import OWN, called, iam_action
from starover.runbook import Content
from starover.transport import Answer, Script, Transport
from starover.transport.farm import request_of
from starover.values import Plain

T = TypeVar("T")

Accident = Callable[[Script], str | None]
"""Asked for every script: `before` (the host never sees it), `after` (it runs, the answer is lost), None."""


_PARSED = lru_cache(maxsize=4000)(parse)
"""A story reads the same things again and again; nothing changes a tree once it is made."""


_CONTENT = lru_cache(maxsize=1)(find)
"""Our own content, read once: it is never changed."""


@lru_cache(maxsize=1)
def _allowed() -> frozenset[str]:
    """Actions that `starover rights iam` allows whoever runs the tool; by content and roads, not by estate."""
    own = {one for calls in OWN.values() for one in calls}
    return frozenset(iam_action(*one) for one in called(_CONTENT().calls) | own)


class Keys:
    """Keys of runs that repeat from lab to lab, so that equal readings are equal texts and parsed once."""

    def __init__(self) -> None:
        self._runs = 0

    def __call__(self) -> UUID:
        match sys._getframe(1).f_code.co_name:
            case "_plan":
                return UUID(int=0xA << 124)  # a plan leaves no receipt on any host
            case "apply":
                self._runs += 1
                return UUID(int=0xB << 124 | self._runs << 64)
            case _:
                return uuid4()


STILL = 900
"""Seconds of real time, far more than any test needs, after which a clock that stands still is said to."""


class Simulation:
    """The thread that a world belongs to. Whatever is done to it is done there, and then the scheduler runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._wishes: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._died: BaseException | None = None
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        try:
            while (wish := self._wishes.get()) is not None:
                wish()
                self.world.scheduler.pump()
        except BaseException as error:
            self._died = error

    def take(self, queue: SimpleQueue[T]) -> T:
        """What comes next; raises when the simulation has died of a bug or stands still: nothing will come any more."""
        for _ in range(STILL):
            try:
                return queue.get(timeout=1.0)
            except Empty:
                if not self._thread.is_alive():
                    raise RuntimeError("the simulation has ended: nothing answers any more") from self._died
        raise RuntimeError("the simulated clock stands still: it waits for a script that nobody sends")

    def later(self, act: Callable[[], None]) -> None:
        """Have something done."""
        self._wishes.put(act)

    def now(self, act: Callable[[], T]) -> T:
        """Do something there and give its result."""
        done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

        def wish() -> None:
            try:
                done.put((act(), None))
            except BaseException as error:
                done.put((None, error))

        self._wishes.put(wish)
        result, error = self.take(done)
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # a T unless there was an error

    def close(self) -> None:
        self._wishes.put(None)
        self._thread.join(10)


class SimulatedClock:
    """The world's time for the driver, as `starover_cli.lab_clock` gives it over the control port."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def now(self) -> datetime:
        return self._simulation.world.scheduler.now

    def wait_until(self, when: datetime, /) -> None:
        there: SimpleQueue[None] = SimpleQueue()
        scheduler = self._simulation.world.scheduler

        def hold() -> None:
            scheduler.expect(0, answers=True)
            scheduler.hold_until(when, lambda: there.put(None), answers=True)

        self._simulation.later(hold)
        self._simulation.take(there)

    def expect(self, scripts: int, /) -> None:
        self._simulation.now(lambda: self._simulation.world.scheduler.expect(scripts, answers=True))


@dataclass
class _Open:
    runspace: Runspace
    boot: int


class InnerTransport:
    """Runs scripts in the lab's sessions, one kept session for each host."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.sessions = Sessions(simulation.world)
        self.cloud = simulation.now(lambda: Cloud(simulation.world, self.sessions))
        self.accident: Accident = lambda _script: None
        self.sent: list[Script] = []
        """Every script that a host began, in order."""
        self.ran: Counter[str] = Counter()
        """How often the body of each operation really ran on its host, by its receipt."""
        self.asked: set[tuple[str, str]] = set()
        """Every call that came to AWS: the lab's log of them, held against the IAM policy when the lab is closed."""
        self._open: dict[str, _Open] = {}
        self._running: dict[str, list[Task]] = {}
        simulation.world.state.log.after.append(self._on_event)

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        came: SimpleQueue[Answer] = SimpleQueue()
        for script in batch:
            self._simulation.later(lambda script=script: self._begin(script, came.put))
        for _ in batch:
            yield self._simulation.take(came)

    def secrets(self) -> Sequence[str]:
        return [account.password for account in self._simulation.world.state.accounts]

    def close(self) -> None:
        self._open.clear()

    # -- in the simulation's thread ------------------------------------------------------------------------------

    def _on_event(self, event: object) -> None:
        kind, subject = getattr(event, "kind", ""), getattr(event, "subject", "")
        if kind == "host_off":
            self._open.pop(subject, None)
            for task in self._running.pop(subject, []):
                task.stop()

    def _begin(self, script: Script, put: Callable[[Answer], None]) -> None:
        if script.way == "call":
            self._begin_call(script, put)
            return
        host = script.server.name
        world = self._simulation.world
        accident = self.accident(script)
        unreachable = bool(set(world.listener(host)) & {"off", "refused", "silent"}) or accident == "before"
        if unreachable:
            world.scheduler.absent(host)
            put(Answer(id=script.id, error=ConnectFailed(f"{host} does not answer", host=host)))
            return
        told = _Told()

        def body() -> None:
            session = self._session(host)
            credential = world.account(script.arguments[0][1].removeprefix("lab:")) if script.arguments else None
            parameters: list[tuple[str | None, Value]] = []
            if credential is not None:
                given = PSCredential(credential.down_level, SecureString(credential.password))
                parameters = [(name, given) for name, _ in script.arguments]
            self.sent.append(script)
            command = Command(text=script.text, is_script=True, use_local_scope=True, parameters=tuple(parameters))
            try:
                session.invoke(Pipeline(commands=(command,)), told.emit)
            except Terminated as error:
                told.ended = error.record

        def done(task: Task) -> None:
            if task in self._running.get(host, []):
                self._running[host].remove(task)
            if script.mutates:
                self.ran[script.operation] += told.began(script)
            if isinstance(task.error, EndpointRefused):
                error: StaroverError | None = ConnectFailed(task.error.message, host=host)
            elif task.error is not None and not isinstance(task.error, TaskStopped):
                raise task.error
            elif task.error is not None or accident == "after":
                error = ReplyLost(f"the connection to {host} broke", host=host)
            else:
                error = None
            put(told.answer(script.id, error))

        task = world.scheduler.spawn(host, body, done)
        self._running.setdefault(host, []).append(task)

    def _begin_call(self, script: Script, put: Callable[[Answer], None]) -> None:
        """A call to AWS, as boto3 brings it to the port of the lab's AWS."""
        world = self._simulation.world
        call = read_call(script.text)
        accident = self.accident(script)
        said: list[Mapping[str, object]] = []

        def body() -> None:
            world.scheduler.wait(self.cloud.latency(call.operation))
            if accident == "before":
                return
            self.sent.append(script)
            if script.mutates:
                self.ran[script.operation] += 1
            if call.service == "probe":
                answer = self._look(
                    str(call.parameters["address"]), call.operation, cast("int", call.parameters["port"])
                )
            elif call.service == "zevenet":
                answer = self._farm(call)
            else:
                self.asked.add((call.service, call.operation))
                answer = self.cloud.answer(call.service, call.operation, call.parameters)
            said.append(msgspec.json.decode(msgspec.json.encode(answer)))

        def done(task: Task) -> None:
            if task.error is not None and not isinstance(task.error, TaskStopped):
                raise task.error
            put(_answer_of(script, call, said, lost=accident is not None))

        world.scheduler.spawn(f"aws {script.text}", body, done)

    def _farm(self, call: Call) -> dict[str, object]:
        """A balancer's answer, as the tool's own requests get it."""
        asked = request_of(call)
        body = msgspec.json.encode(asked.body) if asked.body is not None else b""
        status, reply = Zapi(self._simulation.world, asked.balancer).perform(asked.method, asked.path, body)
        if status < 400:
            return {"reply": dict(reply)}
        return {"error": {"code": f"zapi-{status}", "message": str(reply["message"])}}

    def _look(self, address: str, operation: str, port: int) -> dict[str, object]:
        """A health page: that of the server with this address, else of any; or the certificate on one of its ports."""
        world = self._simulation.world
        servers = [one for one in world.state.servers if one.exchange is not None]
        lost = [az.name for az in world.state.azs if az.state != "up"]
        behind = [one for one in servers if one.address == address]
        behind = behind or ([] if world.state.zone_of(address) in lost else servers)
        pages = [world.health_page(one.name, "owa") for one in behind]
        status = next((int(page) for page in sorted(pages) if page.isdigit()), 0)
        seen = {"answers": status > 0, "status": status, "error": "" if status else "silent", "location": ""}
        said: list[str] = []
        if operation == "tls":
            behind = [one for one in behind if world.state.runs(one, KINDS[port].service)]
            said = [f"220 {one.fqdn} ready" for one in behind[:1]] + [f"250-{one.fqdn} Hello" for one in behind[:1]]
            seen |= {"answers": bool(behind), "error": "" if behind else "refused"}
        shown = certificate_for(behind[0], KINDS[port].speaks, world.state.now) if behind else None
        serial = f"{shown.serial:X}" if shown is not None else ""
        names = list(shown.domains) if shown is not None and operation == "tls" else []
        return {"reply": {**seen, "said": said, "names": names, "serial": serial, "days": None, "milliseconds": 1}}

    def _session(self, host: str) -> Runspace:
        boot = self.sessions.boot(host)
        found = self._open.get(host)
        if found is None or found.boot != boot:
            account = next(iter(self._simulation.world.state.accounts))
            principal = Principal(name=account.down_level)
            found = _Open(self.sessions.open(host, "Microsoft.PowerShell", principal), boot)
            self._open[host] = found
        return found.runspace


def _answer_of(script: Script, call: Call, said: Sequence[Mapping[str, object]], *, lost: bool) -> Answer:
    if lost:
        return Answer(id=script.id, error=ReplyLost("the connection to AWS broke"))
    error = said[0].get("error")
    if isinstance(error, Mapping):
        code, message = str(error["code"]), str(error["message"])
        if code in ("RequestLimitExceeded", "Throttling"):
            return Answer(id=script.id, error=Throttled(message))
        return Answer(id=script.id, errors=(ErrorRecord(message=message, fqid=code),), failed=True)
    facts = projected(call, cast(Mapping[str, object], said[0]["reply"]))
    return Answer(id=script.id, output=msgspec.json.encode(facts).decode())


@dataclass
class _Told:
    output: list[str] = field(default_factory=list[str])
    errors: list[LabError] = field(default_factory=list[LabError])
    warnings: list[str] = field(default_factory=list[str])
    ended: LabError | None = None

    def emit(self, stream: str, value: Value) -> None:
        if stream == "output":
            self.output.append(to_string(value))
        elif isinstance(value, LabError):
            self.errors.append(value)
        elif stream == "warning":
            self.warnings.append(to_string(value))

    def began(self, script: Script) -> bool:
        """Whether the host began the operation now, and had not done so before."""
        with contextlib.suppress(StaroverError):
            held = envelope.decode("\n".join(self.output), script.nonce).receipts.get(script.operation)
            return held is not None and held.state == "ran"
        return False

    def answer(self, id_: str, error: StaroverError | None) -> Answer:
        records = (*self.errors, *([self.ended] if self.ended is not None else []))
        return Answer(
            id=id_,
            output="" if error is not None else "\n".join(self.output),
            errors=tuple(ErrorRecord(message=one.message, fqid=one.fqid) for one in records),
            warnings=tuple(self.warnings),
            failed=self.ended is not None,
            error=error,
            road="inner",
        )


def estate_of(world: World) -> Estate:
    """The inventory that the lab would write, with roads that nobody takes."""
    return written.estate_without_roads(world, f"lab:{next(iter(world.state.accounts)).down_level}")


class InnerLab:
    """A world, and the product at work on it: `InnerLab("pa-4x2", folder)`; close it, or use it in `with`.

    `roads`: the kinds of road to every host, in this order, `ssm` being the product's own on the lab's Run Command;
    `snapin`: Exchange is asked by its snap-in, which Run Command needs. Without roads: one of the lab's own.
    """

    def __init__(
        self,
        topology: str | Path,
        folder: Path,
        content: Content | None = None,
        *,
        roads: Sequence[str] = (),
        snapin: bool = True,
        **options: bool,
    ) -> None:
        self.world = World.from_topology(topology, **options)
        self.estate = estate_of(self.world)
        self.simulation = Simulation(self.world)
        self.transport = InnerTransport(self.simulation)
        self.clock = SimulatedClock(self.simulation)
        self.carrier: Transport = self.transport
        if roads:
            self.estate = with_roads(self.estate, roads, snapin=snapin)
            self.carrier = Roads(self.transport, self.simulation, self._withdraw, self.clock)
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(local, "uuid4", Keys())
        self._patch.setattr(session, "parse", _PARSED)
        self._patch.setattr("os.fsync", lambda _: None)  # no power is lost here, and there are thousands of lines
        self.folder = folder
        self.content = content if content is not None else _CONTENT()

    def __enter__(self) -> InnerLab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.simulation.close()
        self._patch.undo()
        refused = {iam_action(*one) for one in self.transport.asked} - _allowed()
        assert not refused, f"`starover rights iam` does not allow {sorted(refused)}"

    def local(self, who: str = "tester") -> Local:
        return Local(
            estate=self.estate,
            content=self.content,
            transport=self.carrier,
            clock=self.clock,
            folder=self.folder,
            why=Why(who=who),
        )

    def _withdraw(self) -> None:
        self.simulation.now(lambda: self.world.scheduler.withdraw())

    def plan(self, book: str, parameters: Mapping[str, Plain] | None = None, **more: Plain) -> Planned:
        return self.local().plan(book, {**(parameters or {}), **more})

    def apply(self, plan: Plan) -> Ran:
        return self.local().apply(plan, approve=self.approve)

    def run(self, book: str, parameters: Mapping[str, Plain] | None = None, **more: Plain) -> Ran:
        return self.apply(self.plan(book, parameters, **more).plan)

    def resume(self, run: str) -> Ran:
        return self.local().resume(run, approve=self.approve)

    def approve(self, plan: Plan) -> Approval:
        return approved(plan)

    def do(self, act: Callable[[World], T]) -> T:
        """Do something to the world, in its own thread: faults, questions."""
        return self.simulation.now(lambda: act(self.world))

    def later(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.do(lambda world: world.scheduler.advance_to(world.now + timedelta(seconds=seconds)))
