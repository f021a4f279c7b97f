"""What authors write: step kinds, queries, runbooks, parameters from signatures."""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from core_hand import ESTATE, NODES, Lamp, colour, dark, lamp, lit

import starover
from starover import (
    BadParameter,
    BadReport,
    Blocked,
    Change,
    CopyId,
    Dag,
    Estate,
    Query,
    Report,
    Risk,
    Server,
    ServerName,
    Settle,
    Steps,
    runbook,
    step,
)
from starover.parameters import duration
from starover.step import Read, Reply
from starover.values import argument, plain

# -- step kinds --------------------------------------------------------------------------------------------------------


def test_a_step_kind_is_its_pure_function() -> None:
    assert lit(Lamp(lit=True), name="a") is None
    assert lit(Lamp(lit=False), name="a") == Change("a", "off", "on")
    assert isinstance(lit(Lamp(lit=False, broken=True), name="a"), Blocked)
    assert (lit.name, lit.doc, lit.risk) == ("lit", "A lamp that shines.", Risk.LOW)


def test_a_step_is_data_with_its_reading_and_its_undo() -> None:
    asked = lit.on(NODES[0], name="a")
    assert asked.check == Read(template="lamp/read.ps1.j2", server=NODES[0], arguments={"name": "a"})
    dark_now = b'{"lit":false,"broken":false,"left":3}'
    assert asked.change(dark_now) == Change("a", "off", "on")
    assert asked.revert is not None
    back = asked.revert(dark_now)
    assert back is not None
    assert (back.kind, back.server, back.arguments) == (dark, NODES[0], {"name": "a"})
    assert asked.revert(b'{"lit":true,"broken":false,"left":0}') is None
    assert dark.on(NODES[0], name="a").revert is None


def test_defaults_of_a_step_reach_the_template() -> None:
    @step(check=lamp, apply="x.ps1.j2", risk=Risk.LOW, progress=lambda now: now.left)
    def painted(now: Lamp, /, *, name: str, paint: str = "red") -> Change | None:
        """Painted."""
        return Change(name, "bare", paint)

    asked = painted.on(NODES[0], name="a")
    assert asked.arguments == {"name": "a", "paint": "red"}
    assert asked.verdict(b'{"lit":true,"broken":false,"left":3}').left == 3


def test_a_step_function_is_written_in_one_way() -> None:
    def positional(now: Lamp, name: str) -> Change | None:
        return None

    def by_name(now: Lamp, *, name: str) -> Change | None:
        return None

    for function in (positional, by_name):
        with pytest.raises(BadParameter, match="must be written"):
            step(check=lamp, apply="x", risk=Risk.LOW)(function)


def test_what_no_template_can_take_is_refused_when_the_step_is_made() -> None:
    anything: Any = lit
    with pytest.raises(BadParameter, match="`name` is a Lamp"):
        anything.on(NODES[0], name=Lamp(lit=True))
    with pytest.raises(BadParameter, match="float"):
        anything.on(NODES[0], name=1.5)


# -- reports -----------------------------------------------------------------------------------------------------------


class Row(Report):
    copy_queue: int
    last_seen: str | None = None


class Table(Report):
    rows: tuple[Row, ...]


table = Query("table.ps1.j2", Table)


def test_reports_are_camel_case_frozen_and_by_keyword() -> None:
    report = table.decode(b'{"rows":[{"copyQueue":3},{"copyQueue":4,"lastSeen":"x"}]}')
    assert report == Table(rows=(Row(copy_queue=3), Row(copy_queue=4, last_seen="x")))
    frozen: Any = report
    with pytest.raises(AttributeError):
        frozen.rows = ()
    positional: Any = Row
    with pytest.raises(TypeError):
        positional(3)


@pytest.mark.parametrize(
    "facts",
    [
        b'{"rows":[{"copyQueue":"3"}]}',
        b'{"rows":[{"copyQueue":3,"more":1}]}',
        b"{}",
        b'{"rows":3}',
        b"",
        b"null",
        b"\xff",
    ],
)
def test_what_a_template_promised_is_taken_strictly(facts: bytes) -> None:
    with pytest.raises(BadReport, match="Table"):
        table.decode(facts)


def test_reading_is_asked_and_answered() -> None:
    asking = colour.read(NODES[1], name="x")
    ask = next(asking)
    assert ask == Read(template="lamp/colour.ps1.j2", server=NODES[1], arguments={"name": "x"})
    with pytest.raises(StopIteration) as stop:
        asking.send(Reply(payload=b'{"colour":"red"}'))
    assert stop.value.value.colour == "red"


# -- runbooks and their parameters -------------------------------------------------------------------------------------


class Mode(enum.Enum):
    FULL = "full"
    HALF = "half"


@runbook
def do_a_thing(
    dag: Dag,
    server: Server,
    copy: CopyId,
    estate: Estate,
    mode: Literal["full", "activation-only"] = "full",
    how: Mode = Mode.FULL,
    count: Annotated[int, msgspec.Meta(ge=1, le=16)] = 3,
    lag: timedelta = timedelta(hours=1),
    others: Sequence[Server] = (),
    names: tuple[ServerName, ...] = (),
    comment: str | None = None,
    force: bool = False,
    maybe: ServerName | None = None,
) -> Steps[list[object]]:
    """Do a thing.

    copy: which copy
    `count`: how many
    """
    yield from colour.read(server)
    return [dag, server, copy, estate, mode, how, count, lag, others, names, comment, force]


def values(**given: Any) -> list[object]:
    bound = do_a_thing.bind({"server": "ex2", "copy": "DB01/EX2", **given}, ESTATE)
    steps = bound.start()
    next(steps)
    with pytest.raises(StopIteration) as stop:
        steps.send(Reply(payload=b'{"colour":""}'))
    found: list[object] = stop.value.value
    return found


def test_a_runbook_has_a_name_and_parameters_from_its_signature() -> None:
    assert do_a_thing.name == "do-a-thing"
    assert do_a_thing.summary == "Do a thing."
    found = {one.name: one for one in do_a_thing.parameters}
    assert list(found) == [
        "dag", "server", "copy", "mode", "how", "count", "lag", "others", "names", "comment", "force",
        "maybe", "dc",
    ]  # fmt: skip
    assert [one.name for one in found.values() if one.required] == ["server", "copy"]
    assert found["copy"].option == "--copy"
    assert (found["copy"].help, found["count"].help) == ("which copy", "how many")
    assert found["mode"].choices == ("full", "activation-only")
    assert found["how"].choices == ("full", "half")
    assert [one.name for one in found.values() if one.many] == ["others", "names"]
    assert [one.name for one in found.values() if one.flag] == ["force"]
    assert {name: found[name].kind for name in ("server", "names", "count", "comment", "maybe")} == {
        "server": "SERVER",
        "names": "SERVERNAME",
        "count": "NUMBER",
        "comment": "TEXT",
        "maybe": "SERVERNAME",
    }
    assert found["lag"].default == "3600s"


def test_text_becomes_what_the_function_wants_and_back() -> None:
    given: dict[str, Any] = {
        "mode": "activation-only", "how": "half", "count": "5", "lag": "7d", "others": ["EX1", "ex3.example.com"],
        "names": "EX9", "comment": "x", "force": "true",
    }  # fmt: skip
    found = values(**given)
    assert found == [
        ESTATE.dags[0], NODES[1], CopyId("DB01", "EX2"), ESTATE, "activation-only", Mode.HALF, 5, timedelta(days=7),
        (NODES[0], NODES[2]), ("EX9",), "x", True,
    ]  # fmt: skip
    bound = do_a_thing.bind({"server": "ex2", "copy": "DB01\\EX2", **given}, ESTATE)
    again = do_a_thing.bind(bound.parameters, ESTATE)
    assert again.parameters == bound.parameters
    assert msgspec.json.decode(msgspec.json.encode(bound.parameters)) == bound.parameters
    assert bound.parameters["copy"] == "DB01/EX2"
    assert bound.parameters["dag"] == "DAG1"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"server": "EX9"}, "no server `EX9`"),
        ({"copy": "DB01EX2"}, "is not a copy"),
        ({"mode": "half"}, "--mode"),
        ({"how": "whole"}, "--how"),
        ({"count": "0"}, "--count"),
        ({"count": "many"}, "--count"),
        ({"lag": "soon"}, "7d, 12h"),
        ({"others": ["EX1", "EX9"]}, "no server `EX9`"),
        ({"names": ["no such name!"]}, "--names no such name!: it must be a NetBIOS name"),
        ({"force": "perhaps"}, "--force"),
        ({"dag": "DAG9"}, "no DAG `DAG9`"),
        ({"sever": "EX1"}, "no parameter `sever`"),
        ({"estate": "EX1"}, "no parameter `estate`"),
        ({"server": None}, "needs --server"),
    ],
)
def test_bad_parameters_are_named(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(BadParameter) as error:
        do_a_thing.bind({"server": "EX1", "copy": "DB01/EX2", **wrong}, ESTATE)
    assert says in str(error.value) or any(says in line for line in error.value.next), error.value


def test_the_only_dag_need_not_be_named_and_one_of_several_must() -> None:
    two = msgspec.structs.replace(ESTATE, dags=(*ESTATE.dags, Dag(name="DAG2")))
    with pytest.raises(BadParameter, match="needs --dag"):
        do_a_thing.bind({"server": "EX1", "copy": "a/b"}, two)
    assert do_a_thing.bind({"server": "EX1", "copy": "a/b", "dag": "dag2"}, two).parameters["dag"] == "DAG2"


def test_a_runbook_uses_another_one() -> None:
    @runbook
    def inner(server: Server) -> Steps[int]:
        """Inner."""
        yield lit.on(server, name="a")
        return 7

    @runbook
    def outer(server: Server) -> Steps[int]:
        """Outer."""
        return (yield from inner(server)) + 1

    steps = outer.bind({"server": "EX1"}, ESTATE).start()
    next(steps)
    with pytest.raises(StopIteration) as stop:
        steps.send(starover.Outcome(state="changed"))
    assert stop.value.value == 8


def test_what_may_follow_the_plan_is_declared_with_kinds() -> None:
    @runbook(beyond=[lit, dark])
    def looking(dag: Dag, server: Server) -> Steps:
        """Looking."""
        yield lit.on(server, name="a")

    beyond = looking.bind({"server": "EX1"}, ESTATE).beyond
    assert (beyond.kinds, beyond.risk) == (("dark", "lit"), Risk.LOW)
    assert beyond.targets == ("EX1", "EX2", "EX3", "EX4")


def test_parameters_that_cannot_be_given_by_name_are_refused() -> None:
    def stars(*servers: Server) -> Steps:
        yield lit.on(servers[0], name="a")

    with pytest.raises(BadParameter, match="cannot be given by name"):
        runbook(stars)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("90s", timedelta(seconds=90)),
        ("7.00:00:00", timedelta(days=7)),
        ("1:02:03", timedelta(hours=1, minutes=2, seconds=3)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert duration(text) == span
    assert duration(str(plain(span))) == span


def test_plain_values_are_json() -> None:
    value = argument("x", {"a": [CopyId("DB", "EX"), Mode.HALF, None, True, 3], "b": timedelta(minutes=1)})
    assert plain(value) == {"a": ["DB/EX", "half", None, True, 3], "b": "60s"}


# -- the public face ---------------------------------------------------------------------------------------------------


def test_the_public_names_are_all_there_and_nothing_more() -> None:
    public = {name for name in vars(starover) if not name.startswith("_")}
    modules = {name for name in public if type(getattr(starover, name)).__name__ == "module"}
    functions = {"step", "runbook"}  # modules of the same name: what authors write wins
    assert public - modules | functions == set(starover.__all__)
    assert callable(starover.step)
    assert callable(starover.runbook)
    assert Settle(1, 2).limit == 2


def test_authors_need_neither_jinja_nor_yaml_nor_a_transport() -> None:
    wanted = ("jinja2", "yaml", "pypsrp", "click", "rich", "requests")
    script = f"import sys, starover; print([name for name in {wanted!r} if name in sys.modules])"
    folder = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
