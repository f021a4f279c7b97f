"""Calls as data: written as JSON, never merged, waiting for no host, without a receipt; scripts go on as they did."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from core_hand import ESTATE, NODES, approval_of

from starover import BadParameter, BadTemplate, Change, Query, Report, Risk, Settle, Steps, runbook, step, together
from starover.calls import Call, projected, read_call
from starover.content import Content
from starover.drivers.hosts import Hosts, Job
from starover.drivers.local import Local, Why
from starover.effects import Script
from starover.errors import BadReport, CmdletFailed, ConnectFailed, OutcomeUnknown, StaroverError
from starover.estate import Server
from starover.journal import Sent, read_journal
from starover.render import Renderer
from starover.testing import FakeContent, FakeFault, FakeTransport, ManualClock, PowerShellError
from starover.transport import Answer, Transport
from starover.transport import Script as WireScript
from starover.transport.calls import CallFailed, WithCalls

DESCRIBE = """{
  "service": "ec2",
  "operation": "describe_instances",
  {# the ids are values #}
  "parameters": {"InstanceIds": {{ instances }}, "DryRun": {{ dry }}},
  "report": "{states: Reservations[].Instances[].State.Name}"
}
"""


class States(Report):
    """What DESCRIBE reports."""

    states: tuple[str, ...]


class Text(Report):
    """Of a script."""

    text: str


states = Query("ec2/states.call.j2", States)
texts = Query("host/text.ps1.j2", Text)


@step(check=states, apply="ec2/stop.call.j2", risk=Risk.LOW, settle=Settle(5, 30), deadline=20)
def off(now: States, /, *, instance: str) -> Change | None:
    """An instance that is stopped."""
    return None if now.states == ("stopped",) else Change(instance, *now.states, "stopped")


@step(check=states, apply="ec2/stop.call.j2", risk=Risk.LOW, settle=Settle(5, 30), lenient=True)
def off_if_possible(now: States, /, *, instance: str) -> Change | None:
    """An instance that is stopped, or will be."""
    return None if now.states == ("stopped",) else Change(instance, *now.states, "stopped")


@step(check=states, apply="ec2/stop.call.j2", risk=Risk.LOW, settle=Settle(5, 30), deadline=20, repeatable=True)
def off_whoever_asks_twice(now: States, /, *, instance: str) -> Change | None:
    """An instance that is stopped; asking twice is as asking once."""
    return None if now.states == ("stopped",) else Change(instance, *now.states, "stopped")


@runbook
def stop_again(server: Server) -> Steps:
    """Stop it, if need be twice."""
    yield off_whoever_asks_twice.on(server, instance="i-1")


@runbook
def stop_some(server: Server) -> Steps:
    """Stop it, and go on."""
    yield off_if_possible.on(server, instance="i-1")
    yield off_if_possible.on(server, instance="i-2")


@runbook
def stop_one(server: Server) -> Steps:
    """Stop it."""
    yield off.on(server, instance="i-1")


@runbook
def look(server: Server) -> Steps:
    """Two scripts and three calls of one server, two of them equal."""

    def call(instance: str) -> Steps:
        yield from states.read(server, instance=instance)

    def script(what: str) -> Steps:
        yield from texts.read(server, what=what)

    yield from together([call("i-1"), script("a"), call("i-2"), script("b"), call("i-1")])


def made(source: str, **arguments: Any) -> Any:
    body = Renderer({"t.call.j2": source}).body("t.call.j2", arguments)
    assert body.call
    return json.loads(body.text)


# -- the text


def test_values_are_json_wherever_they_come_from() -> None:
    hostile = 'i-1", "Force": true, "x": "\u2028'[:-1] + "\u00e9\\"
    call = made(DESCRIBE, instances=("i-1", hostile), dry=False)
    assert call["parameters"] == {"InstanceIds": ["i-1", hostile], "DryRun": False}
    assert list(call) == ["service", "operation", "parameters", "report"]
    mapped = made(
        '{"service": "s", "operation": "o", "parameters": {{ all }}}',
        all={"Seconds": timedelta(minutes=2), "None": None, "Many": [1, {"a": True}]},
    )
    assert mapped["parameters"] == {"Seconds": 120, "None": None, "Many": [1, {"a": True}]}


def test_the_same_call_has_the_same_text_however_its_template_is_laid_out() -> None:
    narrow = '{"service":"s","operation":"o","parameters":{"A":{{ a }}}}'
    wide = '{\n  "operation": "o",\n "service": "s",\n "parameters": {\n"A":\n  {{ a }} } }\n'
    bodies = [Renderer({"t.call.j2": one}).body("t.call.j2", {"a": 1}) for one in (narrow, wide)]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ('{"service": "s", "operation": "o", "parameters": {"A": "x {{ a }}"}}', "in quotes"),
        ('{"service": "s", "operation": "o", "parameters": {"A": "{{ a }}"}}', "in quotes"),
        ('{"service": "s", "operation": {{ a }}}', "written out"),
        ('{"service": "s", "operation": "o", "report": {{ a }}}', "written out"),
        ('{"service": "s", "operation": "o", "report": "{x: [}"}', "JMESPath"),
        ('{"service": "s", "operation": "o", "Parameters": {}}', "Parameters"),
        ('{"service": "s", "operation": "Stop Instances"}', "no name"),
        ('{"service": "s", "operation": "o", "parameters": {"A": {{ a }} {{ a }}}}', "no call"),
        ("Get-Thing", "no call"),
    ],
)
def test_what_is_no_call_is_refused(source: str, why: str) -> None:
    with pytest.raises(BadTemplate, match=why):
        made(source, a=1)


def test_a_report_may_run_over_several_lines() -> None:
    made_ = made('{"service": "s", "operation": "o", "report": "{a: x,\n      b: y}"}')
    assert made_["report"] == "{a: x, b: y}"


def test_what_may_not_reach_an_api_is_refused() -> None:
    with pytest.raises(BadParameter, match="control character"):
        made(DESCRIBE, instances=("a\x00b",), dry=True)


def test_a_report_is_made_of_the_reply() -> None:
    call = read_call(Renderer({"t.call.j2": DESCRIBE}).body("t.call.j2", {"instances": (), "dry": False}).text)
    reply: dict[str, object] = {
        "Reservations": [
            {"Instances": [{"State": {"Name": "running"}, "LaunchTime": datetime(2026, 1, 1, tzinfo=UTC)}]}
        ],
        "ResponseMetadata": {"RequestId": "x"},
    }
    assert projected(call, reply) == {"states": ["running"]}
    times = Call(service="s", operation="o", report="{t: Reservations[0].Instances[0].LaunchTime}")
    assert projected(times, reply) == {"t": "2026-01-01T00:00:00Z"}
    assert projected(Call(service="s", operation="o", report="{m: ResponseMetadata}"), reply) == {"m": None}
    assert projected(Call(service="s", operation="o"), reply) is None
    with pytest.raises(BadReport, match="not as expected"):
        projected(Call(service="s", operation="o", report="length(missing)"), reply)


def test_calls_lie_in_a_folder_of_their_own_and_a_home_needs_none() -> None:
    book = b'"""X."""\nfrom starover import Steps, runbook\n'
    with_calls = Content(
        {"runbooks/a.py": book, "ps_templates/b.ps1.j2": b"Get-X\n", "calls/c.call.j2": DESCRIBE.encode()}
    )
    without = Content({"runbooks/a.py": book, "ps_templates/b.ps1.j2": b"Get-X\n"})
    assert with_calls.body("c.call.j2", {"instances": ["i"], "dry": True}).call
    assert with_calls.variables("c.call.j2") == {"instances", "dry"}
    assert list(with_calls.templates) == ["b.ps1.j2"]
    assert with_calls.sha256 != without.sha256


# -- a run


class Cloud:
    """One instance."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.state, self.stuck, self.stops = "running", stuck, 0
        templates = {"ec2/states.call.j2": self.read, "ec2/stop.call.j2": self.stop, "host/text.ps1.j2": self.text}
        self.transport = FakeTransport(templates)

    def read(self, host: str, instance: str) -> dict[str, object]:
        return {"states": [self.state]}

    def text(self, host: str, what: str) -> dict[str, object]:
        return {"text": what}

    def stop(self, host: str, instance: str) -> None:
        self.stops += 1
        if not self.stuck:
            self.state = "stopped"

    def local(self, folder: Path) -> Local:
        return Local(
            estate=ESTATE,
            content=FakeContent([stop_one, stop_some, stop_again, look]),
            transport=self.transport,
            clock=ManualClock(),
            folder=folder,
            why=Why(who="oncall"),
        )

    def go(self, folder: Path, *faults: FakeFault, book: str = "stop-one") -> Any:
        local = self.local(folder)
        plan = local.plan(book, {"server": "EX1"}).plan
        self.transport.fail(*faults)
        return local.apply(plan, approve=approval_of)


def test_a_step_by_a_call_is_planned_done_once_and_found_done(tmp_path: Path) -> None:
    cloud = Cloud()
    ran = cloud.go(tmp_path)
    assert (ran.exit, cloud.stops, ran.steps[0].state) == (0, 1, "changed")
    assert cloud.go(tmp_path).steps[0].state == "right"
    entries = [one.body for one in read_journal(tmp_path, ran.run) if isinstance(one.body, Sent)]
    write = next(one for one in entries if one.what == "write")
    assert "stop.call.j2" in write.script
    assert "STAROVER" not in write.script
    assert not any(one.what == "probe" for one in entries)


def test_equal_calls_go_once_different_ones_singly_and_scripts_are_merged_as_ever(tmp_path: Path) -> None:
    cloud = Cloud()
    cloud.local(tmp_path).plan("look", {"server": "EX1"})
    sent = [(script.way, len(script.parts)) for script in cloud.transport.sent]
    assert sorted(sent) == [("call", 1), ("call", 1), ("script", 2)]


@pytest.mark.parametrize("kind", ["lost-after", "timed-out", "begun"])
def test_a_lost_answer_is_settled_by_the_fact_alone(tmp_path: Path, kind: Any) -> None:
    cloud = Cloud()
    ran = cloud.go(tmp_path, FakeFault(kind, what="write"))
    assert (ran.exit, cloud.stops) == (0, 1)
    assert "found by reading" in ran.steps[0].note


@pytest.mark.parametrize("kind", ["lost-after", "lost-before"])
def test_a_lost_answer_whose_fact_does_not_come_stays_unknown_and_is_not_sent_again(tmp_path: Path, kind: Any) -> None:
    cloud = Cloud(stuck=True)
    ran = cloud.go(tmp_path, FakeFault(kind, what="write"))
    assert isinstance(ran.error, OutcomeUnknown)
    assert sum(script.mutates for script in cloud.transport.asked) == 1


@pytest.mark.parametrize(("times", "stops"), [(1, 1), (2, 0)])
def test_what_may_be_done_twice_is_sent_once_more_when_its_fact_has_had_its_time(
    tmp_path: Path, times: int, stops: int
) -> None:
    cloud = Cloud()
    ran = cloud.go(tmp_path, FakeFault("lost-before", what="write", times=times), book="stop-again")
    assert cloud.stops == stops
    assert sum(script.mutates for script in cloud.transport.asked) == 2, "and never a third time"
    if stops:
        assert ran.exit == 0
    else:
        assert isinstance(ran.error, OutcomeUnknown)
        assert "sent twice" in ran.error.what


def test_what_may_be_done_twice_is_sent_once_more_in_each_resume(tmp_path: Path) -> None:
    cloud = Cloud()
    ran = cloud.go(tmp_path, FakeFault("lost-before", what="write", times=3), book="stop-again")
    assert isinstance(ran.error, OutcomeUnknown)
    again = cloud.local(tmp_path).resume(ran.run, approve=approval_of)
    assert isinstance(again.error, OutcomeUnknown)
    assert "sent 3 times" in again.error.what
    assert cloud.local(tmp_path).resume(ran.run, approve=approval_of).exit == 0
    assert cloud.stops == 1


def test_what_may_be_done_twice_stays_unknown_when_it_cannot_be_sent_again(tmp_path: Path) -> None:
    cloud = Cloud()
    closed = FakeFault("unreachable", what="write", times=-1)
    ran = cloud.go(tmp_path, FakeFault("lost-before", what="write"), closed, book="stop-again")
    assert isinstance(ran.error, OutcomeUnknown)
    assert "sent once" in ran.error.what
    assert [one.state for one in ran.steps] == ["unknown"]


def test_what_may_be_done_twice_is_not_when_its_fact_holds(tmp_path: Path) -> None:
    cloud = Cloud()
    assert cloud.go(tmp_path, FakeFault("lost-after", what="write"), book="stop-again").exit == 0
    assert cloud.stops == 1


def test_an_error_of_the_service_is_told_in_its_words(tmp_path: Path) -> None:
    cloud = Cloud()

    def refuse(host: str, instance: str) -> None:
        raise PowerShellError("An error occurred (IncorrectInstanceState) ...", fqid="IncorrectInstanceState")

    cloud.transport.templates = {**cloud.transport.templates, "ec2/stop.call.j2": refuse}
    ran = cloud.go(tmp_path)
    assert isinstance(ran.error, CmdletFailed)
    assert "IncorrectInstanceState" in ran.error.what


def test_what_is_lenient_goes_on_and_says_so(tmp_path: Path) -> None:
    cloud = Cloud(stuck=True)
    local = cloud.local(tmp_path)
    ran = local.apply(local.plan("stop-some", {"server": "EX1"}).plan, approve=approval_of)
    assert (ran.exit, cloud.stops) == (0, 2)
    assert all("not so after 30 s: the run goes on" in step.note for step in ran.steps)


def test_throttled_is_tried_again(tmp_path: Path) -> None:
    cloud = Cloud()
    assert cloud.go(tmp_path, FakeFault("throttled", what="write", times=2)).exit == 0
    assert cloud.stops == 1


# -- on their way


def test_a_call_waits_for_no_script_of_its_host() -> None:
    hosts = Hosts(FakeTransport({}), {}, ManualClock(), lambda _: None, str)
    script = Script(host="EX1", text="x", nonce="n", deadline=1)
    call = Script(host="EX1", text="{}", nonce="n", deadline=1, way="call")
    first = Job(1, script)
    hosts.put(first)
    assert [job.number for job in hosts.ready()] == [1]
    for number, one in ((2, script), (3, call), (4, call)):
        hosts.put(Job(number, one))
    ready = hosts.ready()
    assert [job.number for job in ready] == [3, 4]
    hosts.free(ready[0])
    assert hosts.ready() == [], "a call that ends frees no host"
    hosts.free(first)
    assert [job.number for job in hosts.ready()] == [2]


class Slow:
    """Scripts that come when they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def run(self, batch: Sequence[WireScript], /) -> Iterator[Answer]:
        self.go.wait(5)
        for script in batch[:-1]:
            yield Answer(id=script.id, output="script")

    def secrets(self) -> Sequence[str]:
        return ("s",)

    def close(self) -> None:
        self.go.set()


class Echo:
    road = "echo"

    def call(self, call: Call, server: Server, deadline: float, /) -> Mapping[str, object]:
        if call.operation == "fail":
            raise CallFailed("Bad", "An error occurred (Bad)")
        if call.operation == "away":
            raise ConnectFailed("no API")
        if call.operation == "bug":
            raise ZeroDivisionError
        return {"got": call.parameters, "of": server.name}


def wire(name: str, text: str, way: Any = "call") -> WireScript:
    return WireScript(id=name, server=NODES[0], text=text, deadline=5, mutates=False, way=way)


def test_calls_do_not_wait_for_scripts_and_every_script_is_answered() -> None:
    slow = Slow()
    transport: Transport = WithCalls(slow, {"echo": Echo()})
    call = '{"service": "echo", "operation": "%s", "parameters": {"a": 1}, "report": "{a: got.a, of: of}"}'
    batch = [wire("s1", "x", "script"), wire("c", call % "say"), wire("s2", "y", "script")]
    answers = transport.run(batch)
    first = next(answers)
    assert (first.id, json.loads(first.output), first.road) == ("c", {"a": 1, "of": "EX1"}, "echo")
    slow.go.set()
    rest = {one.id: one for one in answers}
    assert rest["s1"].output == "script"
    assert isinstance(rest["s2"].error, OutcomeUnknown), "never left without an answer"
    assert transport.secrets() == ("s",)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"service": "echo", "operation": "away"}', ConnectFailed),
        ('{"service": "ec2", "operation": "stop_instances"}', ConnectFailed),
        ('{"service": "echo", "operation": "bug"}', OutcomeUnknown),
        ("Get-Thing", BadTemplate),
    ],
)
def test_what_goes_wrong_is_in_the_answer(text: str, kind: type[StaroverError]) -> None:
    (answer,) = WithCalls(FakeTransport({}), {"echo": Echo()}).run([wire("c", text)])
    assert isinstance(answer.error, kind)


def test_an_error_of_a_service_is_a_record() -> None:
    (answer,) = WithCalls(FakeTransport({}), {}, Echo()).run([wire("c", '{"service": "any", "operation": "fail"}')])
    assert (answer.failed, answer.errors[0].fqid, answer.error) == (True, "Bad", None)
