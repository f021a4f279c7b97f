"""Calls to a client's host: what it is shown, what it is asked, and what becomes of a pipeline that waits for it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pypsrp.complex_objects import PSInvocationState
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from starover_lab.powershell.errors import Terminated
from starover_lab.powershell.streams import host_record
from starover_lab.wire.endpoint import Emit, Pipeline
from wire_lab import EstateLab, WireLab

pytestmark = pytest.mark.wire
MakeClient = Callable[..., WSMan]


class Person(PSHostUserInterface):
    """Answers every question, and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, ...]] = []

    def WriteWarningLine(self, runspace: Any, pipeline: Any, message: str) -> None:  # noqa: N802
        self.seen.append(("warning", message))

    def WriteVerboseLine(self, runspace: Any, pipeline: Any, message: str) -> None:  # noqa: N802
        self.seen.append(("verbose", message))

    def WriteLine2(self, runspace: Any, pipeline: Any, value: str) -> None:  # noqa: N802
        self.seen.append(("line", value))

    def Write1(self, runspace: Any, pipeline: Any, value: str) -> None:  # noqa: N802
        self.seen.append(("text", value))

    def ReadLine(self, runspace: Any, pipeline: Any) -> str:  # noqa: N802
        return "blue"

    def Prompt(self, runspace: Any, pipeline: Any, caption: str, message: str, fields: Any) -> Any:  # noqa: N802
        (field,) = fields
        name = field.extended_properties["name"]
        self.seen.append(("asked", name))
        return {name: "green"}


def host(ui: PSHostUserInterface | None) -> PSHost:
    return PSHost(None, None, False, "test", None, ui, "1.0")


def test_a_host_is_shown_what_the_streams_carry(lab: WireLab, client: MakeClient) -> None:
    def act(_: object, __: Pipeline, emit: Emit) -> None:
        emit("warning", "careful")
        emit("verbose", "long story")
        emit("information", host_record("hello", no_newline=False))
        emit("information", host_record("and so on", no_newline=True))
        emit("information", "for the record")

    lab.endpoint.acts["talk"] = act
    person = Person()
    with RunspacePool(client(), host=host(person)) as pool:
        shell = PowerShell(pool).add_script("talk")
        shell.invoke()
    assert person.seen == [("warning", "careful"), ("verbose", "long story"), ("line", "hello"), ("text", "and so on")]
    assert [one.message for one in shell.streams.warning] == ["careful"]
    assert len(shell.streams.information) == 3
    assert shell.streams.information[0].tags == ["PSHOST"]


def test_without_a_host_nothing_is_called(lab: WireLab, client: MakeClient) -> None:
    seen: list[object] = []

    def act(_: object, pipeline: Pipeline, emit: Emit) -> None:
        seen.append(pipeline.host)
        emit("warning", "careful")

    lab.endpoint.acts["talk"] = act
    with RunspacePool(client()) as pool:
        PowerShell(pool).add_script("talk").invoke()
    assert seen == [None]


def test_an_answer_reaches_the_pipeline_that_asked(lab: WireLab, client: MakeClient) -> None:
    def act(_: object, pipeline: Pipeline, emit: Emit) -> None:
        assert pipeline.host is not None
        assert pipeline.host.has_ui
        emit("output", "before")
        first = pipeline.host.ask(11, "ReadLine")
        lab.scheduler.wait(60)
        emit("output", first)
        emit("output", pipeline.host.ask(11, "ReadLine"))

    lab.endpoint.acts["ask"] = act
    with RunspacePool(client(), host=host(Person())) as pool:
        assert PowerShell(pool).add_script("ask").invoke() == ["before", "blue", "blue"]


def test_a_pipeline_that_waits_for_an_answer_can_be_stopped(lab: WireLab, client: MakeClient) -> None:
    asked = threading.Event()

    def act(_: object, pipeline: Pipeline, emit: Emit) -> None:
        assert pipeline.host is not None
        asked.set()
        pipeline.host.ask(11, "ReadLine")

    class Silent(Person):
        def ReadLine(self, runspace: Any, pipeline: Any) -> None:  # type: ignore[override]  # noqa: N802
            return None

    lab.endpoint.acts["ask"] = act
    lab.endpoint.says("hello", "x")
    with RunspacePool(client(), host=host(Silent())) as pool:
        shell = PowerShell(pool).add_script("ask")
        shell.begin_invoke()
        shell.poll_invoke()
        assert asked.wait(5)
        assert shell.state == PSInvocationState.RUNNING
        shell.stop()
        assert PowerShell(pool).add_script("hello").invoke() == ["x"], "the runspace is free again"
    assert lab.now(lambda: lab.scheduler.in_flight) == 0


def test_time_goes_on_for_others_while_somebody_is_asked(lab: WireLab, client: MakeClient) -> None:
    def act(_: object, pipeline: Pipeline, emit: Emit) -> None:
        assert pipeline.host is not None
        pipeline.host.ask(11, "ReadLine")

    def long(_: object, __: Pipeline, emit: Emit) -> None:
        lab.scheduler.wait(3600)
        emit("output", "done")

    class Silent(Person):
        def ReadLine(self, runspace: Any, pipeline: Any) -> None:  # type: ignore[override]  # noqa: N802
            return None

    lab.endpoint.acts |= {"ask": act, "long": long}
    with RunspacePool(client(), host=host(Silent())) as pool, RunspacePool(client()) as other:
        waiting = PowerShell(pool).add_script("ask")
        waiting.begin_invoke()
        assert PowerShell(other).add_script("long").invoke() == ["done"]
        waiting.stop()


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[EstateLab]:
    with EstateLab(tmp_path) as running:
        yield running


def own(estate: EstateLab) -> WSMan:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WSMan(
            "127.0.0.1",
            port=estate.host.http.port,
            ssl=False,
            auth="negotiate",
            username=estate.user.down_level,
            password=estate.user.password,
            no_proxy=True,
        )


def test_the_labs_own_cmdlets_show_and_ask(estate: EstateLab) -> None:
    person = Person()
    with own(estate) as connection, RunspacePool(connection, host=host(person)) as pool:
        script = "Write-Host 'seen'; Write-Warning 'careful'; Read-Host; Read-Host -Prompt 'Which'"
        assert PowerShell(pool).add_script(script).invoke() == ["blue", "green"]
    assert person.seen == [("line", "seen"), ("warning", "careful"), ("asked", "Which")]


def test_nobody_to_ask_is_an_error(estate: EstateLab) -> None:
    with own(estate) as connection, RunspacePool(connection) as pool:
        shell = PowerShell(pool).add_script("try { Read-Host -Prompt 'Which' } catch { $_.FullyQualifiedErrorId }")
        assert shell.invoke()[0].startswith("HostFunctionNotImplemented")


def test_a_refused_question_is_an_error_of_the_script() -> None:
    from starover_lab.wire.host_calls import HostLink
    from starover_lab.wire.keys import SessionKey
    from starover_lab.wire.psrp_in import HostAnswer, HostInfo

    sent: list[str] = []

    class Scripts:
        def pause(self) -> None:
            link.answered(HostAnswer(7, None, "Go away"), None)

    waits: list[bool] = []
    info = HostInfo(True, True)
    link = HostLink(info, Scripts(), sent.append, lambda: 7, waits.append, SessionKey())  # type: ignore[arg-type]
    with pytest.raises(Terminated, match="Go away"):
        link.ask(11, "ReadLine")
    assert waits == [True, False]
    assert '<I64 N="ci">7</I64>' in sent[0]
