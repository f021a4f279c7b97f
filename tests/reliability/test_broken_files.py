"""Broken and huge YAML, JSON and replies: every reader says in its own words what is wrong, soon, in little memory."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from core_hand import NODES, START, Lamps, lit, plan_it
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reliability_page import leave
from starover_lab.world.topology import load

from starover import Steps, envelope
from starover.approval import Second, read_approval, write_approval
from starover.calls import Call, projected
from starover.errors import StaroverError
from starover.inventory import read as read_inventory
from starover.jobs import read_job
from starover.journal import read_journal
from starover.plan import read_plan, write_plan
from starover.policy_file import read_policy
from starover.transport import Answer
from starover.transport.ssm_script import unpacked

ALL = "STAROVER_STORIES" in os.environ
EXAMPLES = 2000 if ALL else 8
"""Of each reader."""
MOST_SECONDS = 120.0
MOST_MEMORY = (400 if ALL else 100) * 1024 * 1024
"""Bytes, for a file of a few megabytes."""
NONCE = "0123456789abcdef"
HOME = Path(__file__).parents[2]


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    def act(data: bytes) -> object:
        return read(data.decode("utf-8", "surrogateescape"))

    return act


def _topology(data: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "topology.yaml"
        file.write_bytes(data)
        return load(file)


def _journal(data: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "runs").mkdir()
        (Path(folder) / "runs" / "00000000.1.jsonl").write_bytes(data)
        return read_journal(Path(folder), "00000000.1")


def _framed(data: bytes) -> object:
    payload = data.decode("utf-8", "surrogateescape").replace("\n", " ").replace("\r", " ")
    payload = " ".join(payload.splitlines())
    check = hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return envelope.decode(
        f"noise\n@@STAROVER-BEGIN {NONCE}\n{payload}\n@@STAROVER-END {NONCE} {len(payload)} {check}\n", NONCE
    )


def _called(data: bytes) -> object:
    return envelope.called("1", Answer(id="1", output=data.decode("utf-8", "surrogateescape")), write=False, host="EX1")


def _reply(data: bytes) -> object:
    call = Call(
        service="ec2",
        operation="describe_instances",
        parameters={},
        report="Reservations[].Instances[0].State.Name | [0]",
    )
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError):
        return None  # no reply of boto3's
    return projected(call, reply if isinstance(reply, dict) else {"Reservations": reply})


def _book() -> Steps:
    yield lit.on(NODES[0], name="a")


DOCUMENT = {
    "schema": 1, "host": "EX1", "utc": "2026-11-20T14:00:00Z", "ps": "5.1", "elevated": True, "provider": "",
    "warnings": [], "parts": [{"id": "q1", "ok": True, "facts": {"status": "Healthy"}}], "receipts": [],
}  # fmt: skip
APPROVAL = write_approval(
    Second(digest="0" * 64, plan="00000000", runbook="fence", estate="e", by="oncall-b", at=START, expires=START)
)
POLICY = b"""version: 1
principals: {anna: [anna@laptop]}
rules:
  - {who: [anna], may: [low], dags: [DAG1]}
"""
READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "inventory": ((HOME / "inventory" / "example.yaml").read_bytes(), _text(lambda text: read_inventory(text))),
    "policy": (POLICY, _text(lambda text: read_policy(text, Path("policy.yaml")))),
    "job": (
        (HOME / "inventory" / "jobs" / "monthly-patch.yaml").read_bytes(),
        _text(lambda text: read_job(text, "nightly", "nightly.yaml")),
    ),
    "topology": (b"name: built\nextends: aws-2az\ndags:\n  - {name: DAG, members: [ExchangeNode1]}\n", _topology),
    "plan": (write_plan(plan_it(Lamps(), _book)), read_plan),
    "approval": (APPROVAL, read_approval),
    "journal": (
        b'{"n":0,"before":"' + b"0" * 64 + b'","at":"2026-11-20T14:00:00Z","body":{"entry":"answered"}}\n',
        _journal,
    ),
    "host's report": (json.dumps(DOCUMENT).encode(), _framed),
    "call's answer": (b'{"state":"running","names":["a"]}', _called),
    "call's reply": (b'{"Reservations":[{"Instances":[{"State":{"Name":"running"}}]}]}', _reply),
    "Run Command's output": (b"", lambda data: unpacked(data.decode("utf-8", "surrogateescape"))),
}
SPICE = [
    *(
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"'",
        b":",
        b",",
        b"- ",
        b"&a ",
        b"*a",
    ),
    *(
        b"<<: *a",
        b"!!python/object:os.system ",
        b"%YAML 9.9\n",
        b"---\n",
        b"1e999",
        b"9" * 5000,
        b"-0",
        b"NaN",
        b"null",
        b"true",
    ),
    *(
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"? ",
        b"| \n",
        b"\t",
        b"\r",
        b"2026-13-45",
        b"@" * 40,
        b"[" * 50,
        b'{"a":' * 50,
    ),
]


def read(name: str, data: bytes) -> None:
    """It is read, or refused in starover's own words."""
    try:
        READERS[name][1](data)
    except StaroverError as error:
        said = error
    else:
        return
    assert type(said) is not StaroverError
    assert said.what
    assert len(said.what) < 20_000, "a message is for a person"


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 30), st.one_of(st.sampled_from(SPICE), st.binary(max_size=8))),
        max_size=5,
    ),
    only=st.booleans(),
)
def test_a_broken_document_is_refused_in_words(name: str, changes: list[tuple[float, int, bytes]], only: bool) -> None:
    data = b"" if only else READERS[name][0]
    for where, length, new in changes:
        at = int(where * len(data))
        data = data[:at] + new + data[at + length :]
    read(name, data)


def bomb(size: int) -> bytes:
    """Run Command's output whose gzip holds so many bytes."""
    packed = base64.b64encode(gzip.compress(b"\0" * size))
    return b"@@STAROVER-PACKED %d\n%s\n@@STAROVER-UNPACKED\n" % (len(packed), packed)


def laughs(levels: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


N = 100_000 if ALL else 1_500
"""How large: a daily file is as deep as these, and shorter."""
HUGE = {
    "deep lists": b"[" * N,
    **({"deep lists, closed": b"[" * N + b"]" * N} if ALL else {}),
    "deep tables": b'{"a":' * N + b"1" + b"}" * N,
    "deep block": b"".join(b" " * n + b"a:\n" for n in range(600)),
    "laughs": laughs(12),
    "a long word": b"name: " + b"x" * (20 * N),
    "a long number": b"9" * (10 * N),
    "many lines": b"- a\n" * (3 * N if ALL else N),
    "nothing but quotes": b"'" * N,
    "zeros": b"\0" * (10 * N),
    "larger than anybody writes": b"a" * (5 * 1024 * 1024),
    "a bomb": bomb(1024 * 1024 * 1024 if ALL else 128 * 1024 * 1024),
}


@pytest.mark.parametrize("what", HUGE)
def test_a_huge_document_is_refused_soon_and_in_little_memory(what: str) -> None:
    for name in READERS:
        began = time.process_time()
        peak = _peak(lambda name=name: read(name, HUGE[what])) if ALL or "bomb" in what else 0  # type: ignore[misc]
        if not peak:
            read(name, HUGE[what])
        assert time.process_time() - began < MOST_SECONDS, f"{what} as {name}"
        assert peak < MOST_MEMORY, f"{what} as {name} took {peak >> 20} MiB"


def _peak(act: Callable[[], None]) -> int:
    """Bytes that it took; to count them takes ten times as long."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_figures_are_kept() -> None:
    leave("broken", {"readers": list(READERS), "examples": EXAMPLES, "huge": list(HUGE), "whole": ALL})
