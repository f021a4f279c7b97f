"""What recorded Windows servers answered, against what the wire answers to the same requests.

The recordings are not part of this repository: they lie beside it, in ../shared/conformance/wsman.
"""

from __future__ import annotations

import html
import importlib.util
import json
import re
import uuid
from collections import defaultdict
from datetime import timedelta
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from starover_lab.powershell import values as v
from starover_lab.powershell.errors import Terminated
from starover_lab.wire.endpoint import Emit, Pipeline, Write
from starover_lab.wire.service import Caller
from wire_lab import RECORDINGS, USER, FakeRunspace, WireLab, error

pytestmark = pytest.mark.wire

FOLDER = RECORDINGS
MISSING = f"NOT HELD AGAINST REAL SERVERS: the recordings are not at {FOLDER}"
ROWS = (
    [json.loads(line) for line in (FOLDER / "requests.jsonl").read_text("utf-8").splitlines()]
    if FOLDER.is_dir()
    else []
)
SKIPPED = {
    "test_psrp_run_protocol_version_2.1": "the lab's servers speak protocol 2.3",
    "test_psrp_pshost_ui_mocked_methods": "the answers hold secrets under the recorded session key",
    "test_psrp_reset_runspace_state_fail": "the refusal is made by hand",
}
FAILS = {"test_psrp_error_failed", "test_client_copy_file_failure", "test_client_execute_ps_failure"}
IDLE = {"test_psrp_is_alive_state_disconnected": 62}
"""Seconds that passed before the last step."""
# The secrets in it belong to the recorded session key, so that its pipeline must fail here.
OTHER_KEY = {"test_psrp_multiple_commands"}
STREAMS = {
    "PIPELINE_OUTPUT": "output",
    "ERROR_RECORD": "error",
    "WARNING_RECORD": "warning",
    "VERBOSE_RECORD": "verbose",
    "DEBUG_RECORD": "debug",
    "PROGRESS_RECORD": "progress",
    "INFORMATION_RECORD": "information",
}


def rows() -> list[Any]:
    if not ROWS:
        return [pytest.param(None, marks=pytest.mark.skip(reason=MISSING))]
    found = []
    for row in ROWS:
        marks = [pytest.mark.skip(reason=SKIPPED[row["id"]])] if row["id"] in SKIPPED else []
        found.append(pytest.param(row, id=row["id"], marks=marks))
    return found


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wsman_compare", FOLDER / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shapes() -> dict[str, Any]:
    return json.loads((FOLDER / "shapes.json").read_text("utf-8"))


class Replay:
    """Sends one conversation's requests and keeps what came."""

    def __init__(self, lab: WireLab, row: dict[str, Any], compare: ModuleType) -> None:
        self.lab = lab
        self.row = row
        self.compare = compare
        self.values: dict[str, str] = dict(row["defaults"])
        self.types: dict[str, list[str]] = defaultdict(list)
        self.target = ""

    def send(self, step: dict[str, Any]) -> tuple[int, bytes]:
        text: str = step["request"]
        fresh = {"MESSAGE_ID": str(uuid.uuid4()).upper(), "TO": "https://127.0.0.1:55986/wsman"}
        text = re.sub(r"\{\{(\w+)\}\}", lambda m: fresh.get(m[1]) or self.values.get(m[1]) or m[0], text)
        self.target = step["target"] or ""
        service = self.lab.host.service
        status, body = self.lab.call(lambda: service.answer(Caller(USER, "127.0.0.1"), text.encode()))  # type: ignore[misc]
        root = ET.fromstring(body)
        relates = root.findtext(".//{http://schemas.xmlsoap.org/ws/2004/08/addressing}RelatesTo")
        assert relates == f"uuid:{fresh['MESSAGE_ID']}"
        assert body.startswith(b"<s:Envelope ")
        for name, path in step.get("capture", {}).items():
            self.values[name] = found(root, path, self.compare)
        self.types[self.target] += self.compare.psrp_types(root)
        return status, body


def found(root: ET.Element, path: str, compare: ModuleType) -> str:
    for where, element in compare.walk(root):
        if where == path or where.split("[")[0] == path.split("[")[0]:
            return element.text or ""
    raise AssertionError(path)


def expected(row: dict[str, Any]) -> dict[str, list[str]]:
    """Message types per target; a pool that was taken over gets APPLICATION_PRIVATE_DATA (rule R20), where one
    recording has an answer made by hand."""
    found = {name: list(types) for name, types in row["expect_psrp_per_target"].items()}
    if row["id"] == "test_psrp_disconnect_runspaces":
        for types in found.values():
            types[-1] = "APPLICATION_PRIVATE_DATA"
    return found


def scripted(lab: WireLab, row: dict[str, Any]) -> None:
    """Let each pipeline emit records of the types that the recorded one did, and end as it did."""
    pipelines: list[list[str]] = []
    for name in dict.fromkeys(step["target"] for step in row["steps"] if step["action"] == "Command"):
        pipelines.append([])
        for kind in row["expect_psrp_per_target"].get(name, []):
            if pipelines[-1][-1:] == ["PIPELINE_STATE"]:  # the id was used again
                pipelines.append([])
            pipelines[-1].append(kind)
    began = iter(pipelines)
    questions = [
        sum(len(one["expect"]["psrp_types"]) for one in row["steps"][:at] if one["target"] == step["target"])
        for at, step in enumerate(row["steps"], 1)
        if str(step["expect"].get("command_state", {}).get("State")).endswith("/Pending")
    ]

    def invoke(runspace: FakeRunspace, pipeline: Pipeline, emit: Emit, /) -> None:
        if pipeline.commands[0].text == "Get-Command":  # the wire makes one object more of what it puts out
            for _ in next(began)[2:]:
                emit("output", v.PSObject([("Name", "Get-X"), ("ModuleName", "Microsoft.WSMan.Management")]))
            return
        waited, shown = False, False
        for number, kind in enumerate(next(began)[:-1], 1):
            if kind == "PIPELINE_HOST_CALL":
                assert pipeline.host is not None
                if number in questions:
                    pipeline.host.ask(46, "ReadKey", 4)
                elif not shown:  # the wire itself shows the host what a stream carries
                    pipeline.host.tell(42, "SetWindowTitle", "x")
                shown = False
                continue
            shown = kind in ("PROGRESS_RECORD", "WARNING_RECORD", "VERBOSE_RECORD", "DEBUG_RECORD")
            if kind != "PROGRESS_RECORD" and not waited:
                waited = True
                lab.scheduler.wait(5)
            value: v.Value = error("an error") if kind == "ERROR_RECORD" else "x"
            emit(STREAMS[kind], value)  # type: ignore[arg-type]
        if row["id"] in FAILS:
            raise Terminated(error("it failed", category="OperationStopped"))

    lab.endpoint.invoke = invoke


def written(lab: WireLab, row: dict[str, Any]) -> None:
    """Let each program of a command shell write what the recorded one did, answer by answer, and end as it did."""
    shells: dict[str, str] = {}
    answers: dict[str, list[dict[str, Any]]] = {}
    for step in row["steps"]:
        if step["action"] == "Command" and of_commands(step):
            line = re.findall(r"<rsp:(?:Command|Arguments)>([^<]*)<", step["request"])
            shells[step["step"]] = html.unescape(" ".join(line))
        elif step["action"] == "Receive" and of_commands(step):
            answers.setdefault(step["target"], []).append(step["expect"])
    begun = iter(zip(shells.values(), answers.values(), strict=False))

    def program(given: str, write: Write, /) -> int:
        line, expected = next(begun)
        assert lab.endpoint.executed[-1] == line
        for answer in expected:
            if answer.get("fault", {}).get("subcode") == "w:InvalidSelectors":
                return 0
            for stream in answer.get("streams", []):
                if "End" not in stream["attributes"]:
                    write(stream["name"], "x")
            if answer.get("command_state", {}).get("State", "").endswith("/Running"):
                lab.scheduler.wait(5)
        return 0

    lab.endpoint.program = program
    for step in row["steps"]:
        if step["action"] == "Send" and of_commands(step):
            lab.endpoint.readers |= set(shells.values())


def of_commands(step: dict[str, Any]) -> bool:
    return "/windows/shell/cmd" in step["request"]


def kind_of(step: dict[str, Any]) -> str:
    """The key of shapes.json."""
    action, target = step["action"], step["target"] or ""
    resource = re.search(r"ResourceURI[^>]*>([^<]*)<", step["request"])
    assert resource is not None
    if of_commands(step):
        return f"{action}Response (cmd)"
    if action == "Receive":
        return f"ReceiveResponse (psrp {'pipeline' if target.startswith('COMMAND') else 'pool'})"
    if action == "Get":
        return "GetResponse (config)" if resource[1].endswith("/config") else "GetResponse (shell)"
    if action == "Enumerate":
        return f"EnumerateResponse ({'Command' if resource[1].endswith('/Command') else 'shell'})"
    return f"{action}Response (psrp)"


@pytest.mark.parametrize("row", rows())
def test_answers_are_shaped_as_recorded(
    lab: WireLab, row: dict[str, Any], compare: ModuleType, shapes: dict[str, Any]
) -> None:
    replay = Replay(lab, row, compare)
    scripted(lab, row)
    written(lab, row)
    lab.now(lambda: setattr(lab.scheduler, "jump", False))
    due: dict[str, int] = defaultdict(int)
    for step in row["steps"]:
        if of_commands(step):
            command_step(replay, step, compare, shapes)
            continue
        if step is row["steps"][-1] and row["id"] in IDLE:
            later = lab.scheduler.now + timedelta(seconds=IDLE[row["id"]])
            lab.now(lambda when=later: lab.scheduler.advance_to(when))
        target, expect = step["target"] or "", step["expect"]
        due[target] += len(expect.get("psrp_types", []))
        receives = step["action"] == "Receive"
        if receives and target.startswith("COMMAND"):
            lab.now(lambda: go_on(lab))
        if expect.get("fault", {}).get("subcode") == "w:TimedOut":
            continue  # nothing is slow here
        if receives and not expect.get("fault") and len(replay.types[target]) >= due[target]:
            continue  # an earlier answer held it already
        if receives and row["id"] in OTHER_KEY and replay.types[target][-1:] == ["PIPELINE_STATE"]:
            continue
        while True:
            status, body = replay.send(step)
            if expect.get("fault"):
                assert status == 500
                same_fault(body, expect["fault"], compare)
                break
            assert status == 200, body.decode()
            entry = shapes[kind_of(step)]
            wish = {"elements": entry["always"], "optional": sorted(entry["sometimes"])}
            result = compare.compare(wish, body)
            assert not any(result.values()), (step["step"], result)
            if not receives or len(replay.types[target]) >= due[target] or row["id"] in OTHER_KEY:
                break
    if row["id"] in OTHER_KEY:
        assert replay.types["COMMAND_1"] == ["PIPELINE_STATE"]
        return
    for name, types in expected(row).items():
        assert replay.types[name] == types, name


def command_step(replay: Replay, step: dict[str, Any], compare: ModuleType, shapes: dict[str, Any]) -> None:
    """One step with a command shell: the answer is compared whole, stream by stream."""
    expect, lab = step["expect"], replay.lab
    fault = expect.get("fault")
    if fault and fault["subcode"] == "w:TimedOut":
        step = step | {"request": re.sub(r"OperationTimeout>PT\d+S<", "OperationTimeout>PT0.1S<", step["request"])}
    elif step["action"] == "Receive" and not expect.get("command_state", {}).get("State", "").endswith("Running"):
        lab.now(lambda: go_on(lab))
    status, body = replay.send(step)
    if fault:
        assert status == 500
        same_fault(body, fault, compare)
        return
    assert status == 200, body.decode()
    entry = shapes[kind_of(step)]
    result = compare.compare({"elements": entry["always"], "optional": sorted(entry["sometimes"])}, body)
    assert not any(result.values()), (step["step"], result)
    streams = re.findall(r'<rsp:Stream Name="(\w+)" CommandId="[^"]+"( End="true")?>', body.decode())
    wanted = [(one["name"], ' End="true"' if "End" in one["attributes"] else "") for one in expect.get("streams", [])]
    assert streams == wanted
    state = expect.get("command_state")
    if state:
        assert f'State="{state["State"]}"' in body.decode()
        assert ("ExitCode" in body.decode()) == (state["ExitCode"] is not None)


def go_on(lab: WireLab) -> None:
    lab.scheduler.jump = True
    lab.pump.run()
    lab.scheduler.jump = False


def same_fault(body: bytes, wanted: dict[str, Any], compare: ModuleType) -> None:
    root = ET.fromstring(body)
    texts = {where.split("[")[0].rpartition("/")[2]: element.text for where, element in compare.walk(root)}
    values = [element.text for where, element in compare.walk(root) if where.endswith("/s:Value")]
    assert values == [wanted["code"], wanted["subcode"]]
    assert texts["s:Text"] == wanted["reason"]
    assert texts.get("w:FaultDetail") == wanted["fault_detail"]
    (detail,) = [
        element for where, element in compare.walk(root) if "f:WSManFault[" in where and "f:Message" not in where
    ]
    assert dict(detail.attrib) == wanted["wsman_fault_attributes"] | {"Machine": "127.0.0.1"}, "the host that was asked"
    assert (texts["f:Message"] or texts.get("f:ProviderFault")) == wanted["message"]
