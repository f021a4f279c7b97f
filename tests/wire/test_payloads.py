"""The payloads of the wire's PSRP messages against those of recorded servers: names, tags and their order.

The recordings lie beside this repository, in ../shared/conformance/wsman.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from starover_lab.powershell import values as v
from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, PSException, Terminated
from starover_lab.wire.endpoint import Emit
from starover_lab.wire.fragments import MessageType
from wire_lab import RECORDINGS, WireLab
from wire_raw import RawClient, messages, shown

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(
        not RECORDINGS.is_dir(), reason=f"NOT HELD AGAINST REAL SERVERS: the recordings are not at {RECORDINGS}"
    ),
]
WROTE = "Microsoft.PowerShell.Commands.WriteErrorException"
# Depend on the host, its version or the script: only their names and tags are compared.
Outline = list[tuple[str, str]]


def recorded(kind: str) -> Iterator[dict[str, Any]]:
    """Payloads of one type that PowerShell 5.1 servers sent."""
    for line in (RECORDINGS / "conversations.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if "2.1" in row["id"]:
            continue
        for message in row["messages"]:
            if message["direction"] == "response" and not message.get("doubtful"):
                for one in message.get("psrp", []):
                    if one["type"] == kind and isinstance(one.get("clixml"), dict):
                        yield one["clixml"]


def members(summary: dict[str, Any], part: str = "ext") -> Outline:
    return [(one["n"], one["t"]) for one in summary.get(part, [])]


def outline(root: ET.Element, part: str = "MS") -> Outline:
    return [(one.get("N", ""), one.tag) for one in root.findall(f"{part}/*")]


def member(root: ET.Element, name: str) -> ET.Element:
    return next(one for one in root.findall("MS/*") + root.findall("Props/*") if one.get("N") == name)


def without_nil(found: Outline) -> list[str]:
    return [name for name, _ in found]


def payloads(lab: WireLab, script: str) -> dict[MessageType, ET.Element]:
    """What the pool and one script gave, by type (the last of each)."""
    with RawClient(lab) as raw:
        found = raw.open()
        _, _, command = raw.command(script)
        found += messages(raw.receive(command)[1])
    return {MessageType(one.kind): ET.fromstring(shown(one.payload)) for one in found}


@pytest.fixture
def all_streams(lab: WireLab) -> dict[MessageType, ET.Element]:
    def act(_: object, __: object, emit: Emit) -> None:
        record = ErrorRecord(
            exception=PSException(WROTE, "bad"),
            error_id=WROTE,
            activity="Write-Error",
            invocation=InvocationInfo(command="Write-Error", line_number=1, offset=3, line="  Write-Error 'bad'"),
            stack_trace="at <ScriptBlock>, <No file>: line 1",
        )
        emit("error", record)
        emit("information", "i")
        emit("warning", "w")
        emit("progress", v.custom_object([("Activity", "a")]))
        raise Terminated(
            ErrorRecord(
                exception=PSException("System.Management.Automation.RuntimeException", "thrown"),
                error_id="thrown",
                category="OperationStopped",
                target="thrown",
                invocation=InvocationInfo(line_number=1, offset=1, line="throw 'thrown'"),
                stack_trace="at <ScriptBlock>, <No file>: line 1",
            )
        )

    lab.endpoint.acts["all streams"] = act
    return payloads(lab, "all streams")


@pytest.mark.parametrize("kind", ["SESSION_CAPABILITY", "RUNSPACEPOOL_STATE", "INFORMATION_RECORD", "PROGRESS_RECORD"])
def test_fixed_payloads_have_the_recorded_members(all_streams: dict[MessageType, ET.Element], kind: str) -> None:
    ours = outline(all_streams[MessageType[kind]])
    theirs = [members(one) for one in recorded(kind)]
    assert theirs
    assert [one for one in theirs if one == ours], (ours, theirs[0])


def test_the_version_table_has_the_recorded_keys(all_streams: dict[MessageType, ET.Element]) -> None:
    theirs = next(recorded("APPLICATION_PRIVATE_DATA"))["ext"][0]["dict"][0]["v"]
    data = all_streams[MessageType.APPLICATION_PRIVATE_DATA]
    inner = data.find("MS/Obj/DCT/En/Obj[@N='Value']")
    assert inner is not None
    ours = [
        [(one.tag, one.text if one.get("N") == "Key" else "") for one in entry] for entry in inner.findall("DCT/En")
    ]
    assert ours == [[("S", one["k"]["v"]), (one["v"]["t"], "")] for one in theirs["dict"]]
    assert inner.find("TNRef") is not None
    (names,) = data.iter("TN") if len(list(data.iter("TN"))) == 1 else [next(data.iter("TN"))]
    assert [one.text for one in names] == theirs["types"]


def test_a_warning_begins_as_recorded(all_streams: dict[MessageType, ET.Element]) -> None:
    theirs = next(recorded("WARNING_RECORD"))
    ours = all_streams[MessageType.WARNING_RECORD]
    assert [one.text for one in ours.find("TN") or []] == theirs["types"]
    assert outline(ours) == members(theirs)[:2]
    assert ours.findtext("ToString") == "w"


def error_like(all_records: list[dict[str, Any]], record: ET.Element) -> dict[str, Any]:
    """The recorded record of the same exception type, and checks of what every record has."""
    exception = member(record, "Exception")
    names = [one.text for one in exception.find("TN") or []]
    theirs = next(one for one in all_records if inner(one, "Exception")["types"] == names)
    ours = without_nil(outline(record))
    short = [name for name, _ in members(theirs) if not name.startswith(("InvocationInfo_", "CommandInfo_"))]
    short = [name for name in short if name not in ("SerializeExtent", "PipelineIterationInfo")]
    assert ours == [name for name in short if name in ours]
    assert set(short) - set(ours) <= {"ErrorDetails_ScriptStackTrace"}
    assert outline(exception, "Props") == members(inner(theirs, "Exception"), "adapted")
    assert without_nil(outline(member(record, "InvocationInfo"), "Props")) == without_nil(
        members(inner(theirs, "InvocationInfo"), "adapted")
    )
    return theirs


def inner(summary: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in summary["ext"] if one["n"] == name)


def test_an_error_record_has_the_recorded_members(all_streams: dict[MessageType, ET.Element]) -> None:
    record = all_streams[MessageType.ERROR_RECORD]
    theirs = error_like(list(recorded("ERROR_RECORD")), record)
    assert member(record, "ErrorCategory_Message").text == inner(theirs, "ErrorCategory_Message")["v"]
    assert record.findtext("ToString") == "bad"


def test_a_terminating_error_has_the_recorded_members(all_streams: dict[MessageType, ET.Element]) -> None:
    state = all_streams[MessageType.PIPELINE_STATE]
    assert outline(state) == [("PipelineState", "I32"), ("ExceptionAsErrorRecord", "Obj")]
    records = [inner(one, "ExceptionAsErrorRecord") for one in recorded("PIPELINE_STATE") if len(one["ext"]) == 2]
    error_like(records, member(state, "ExceptionAsErrorRecord"))
