"""The lab's door from outside: requests, refusals, a lab that is gone, and its clock."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from starover_cli import lab_client
from starover_cli.lab_client import Lab, LabGone
from starover_cli.lab_clock import LabClock

from starover.errors import BadParameter, ConnectFailed

NOW = "2026-11-20T14:00:07Z"


class Door(ThreadingHTTPServer):
    """Answers as a lab's control does, and remembers what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, Any]] = []
        self.slow = 0
        self.patience = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Door

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self._answer(json.loads(self.rfile.read(length)))

    def _answer(self, body: Any) -> None:
        self.server.asked.append((self.command, self.path, body))
        status, said = 200, {"now": NOW}
        if self.headers["Authorization"] != "Bearer secret":
            status, said = 401, {"error": {"what": "no", "certain": [], "next": []}}
        elif self.path == "/v1/break":
            status, said = 400, {"error": {"what": "no such fault", "certain": ["nothing was broken"], "next": ["x"]}}
        elif self.path == "/v1/clock/wait" and self.server.slow:
            self.server.slow -= 1
            self.server.patience.wait(30)
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def door() -> Iterator[Door]:
    server = Door()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.patience.set()
    server.shutdown()
    server.server_close()
    thread.join()


def files(folder: Path, port: int, token: str = "secret") -> Lab:
    about = {"name": "x", "pid": 1, "control": {"url": f"http://127.0.0.1:{port}", "token": token}}
    (folder / "lab.json").write_text(json.dumps(about))
    return Lab.at(folder)


def test_the_clock_asks_the_lab(door: Door, tmp_path: Path) -> None:
    lab = files(tmp_path, door.server_port)
    clock = LabClock(lab)
    assert clock.now() == datetime(2026, 11, 20, 14, 0, 7, tzinfo=UTC)
    clock.expect(3)
    clock.wait_until(datetime(2026, 11, 20, 14, 1, tzinfo=UTC))
    lab.close()
    assert [(path, body) for _, path, body in door.asked] == [
        ("/v1/clock", None),
        ("/v1/clock/expect", {"scripts": 3, "answers": True}),
        ("/v1/clock/wait", {"until": "2026-11-20T14:01:00+00:00", "answers": True, "settles": True}),
    ]


def test_a_wait_is_asked_for_again_so_that_it_can_be_interrupted(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starover_cli.lab_clock.HOLD", 0.05)
    door.slow = 2
    clock = LabClock(files(tmp_path, door.server_port))
    clock.wait_until(datetime(2026, 11, 20, 14, 1, tzinfo=UTC))
    clock.close()
    assert [path for _, path, _ in door.asked] == ["/v1/clock/wait"] * 3


def test_a_refusal_of_the_lab_is_told_in_its_words(door: Door, tmp_path: Path) -> None:
    lab = files(tmp_path, door.server_port)
    with pytest.raises(BadParameter) as caught:
        lab.post("break", {"kind": "x"})
    lab.close()
    assert (caught.value.what, caught.value.certain, caught.value.next) == (
        "no such fault",
        ("nothing was broken",),
        ("x",),
    )


def test_another_labs_door_is_not_ours(door: Door, tmp_path: Path) -> None:
    lab = files(tmp_path, door.server_port, token="stale")
    with pytest.raises(LabGone, match="another lab"):
        lab.get("clock")
    lab.close()


def test_a_dead_lab_is_one_message_with_the_way_to_a_new_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for ask in (lambda: files(tmp_path, port).get("clock"), lambda: Lab.at(tmp_path / "nowhere")):
        with pytest.raises(LabGone) as caught:
            ask()
        assert caught.value.exit == 6
        assert any("starover lab up" in line for line in caught.value.next)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"control": {}}', "not json"])
def test_a_broken_lab_file_is_no_lab(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.json").write_text(text)
    with pytest.raises(LabGone):
        Lab.at(tmp_path)


def test_what_can_be_broken_is_listed_with_its_target() -> None:
    from starover_cli.views.lab import LabKind, kinds_text, said
    from starover_lab.world.fault_kinds import fault_kinds, kind_names

    kinds = said(fault_kinds(), list[LabKind])
    text = kinds_text(kinds)
    assert all(f"  {name}" in text for name in kind_names())
    assert "<server>" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_lab_that_says_nothing_is_not_taken_for_gone(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `lab down` would take away the files of one that merely calculates."""
    monkeypatch.setattr(lab_client, "_SECONDS", 0.2)
    door.slow = 1
    with pytest.raises(ConnectFailed, match="is there, and has said nothing") as found:
        files(tmp_path, door.server_address[1]).post("clock/wait")
    assert not isinstance(found.value, LabGone)
