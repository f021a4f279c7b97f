"""Looks over the network: what one sees is a fact, be it silence; a look fails only where nobody could look."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from starover.calls import Call
from starover.errors import BadTemplate
from starover.estate import Server
from starover.transport import probe
from starover.transport.calls import CallFailed
from starover.transport.probe import Probes

HERE = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",))


@contextmanager
def host(says: Callable[[socket.socket], None]) -> Iterator[int]:
    """Somebody on a port, for one visitor."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                says(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def look(operation: str, port: int, probes: Probes | None = None, **more: Any) -> dict[str, Any]:
    parameters: dict[str, object] = {"address": "127.0.0.1", "port": port, "seconds": 3, **more}
    call = Call(service="probe", operation=operation, parameters=parameters)
    return dict((probes or Probes()).call(call, HERE, 5))


def speaker(*turns: bytes) -> Callable[[socket.socket], None]:
    """Says one thing, hears one, and so on."""

    def says(line: socket.socket) -> None:
        for turn in turns:
            line.sendall(turn)
            line.recv(1000)

    return says


def test_smtp_wants_a_greeting_and_an_answer() -> None:
    with host(speaker(b"220-EX1 one\r\n220 EX1 ready\r\n", b"250-EX1 Hello\r\n250 SIZE\r\n")) as port:
        seen = look("smtp", port)
    assert (seen["answers"], seen["status"], seen["error"]) == (True, 250, "")
    assert seen["said"] == ["220-EX1 one", "220 EX1 ready", "250-EX1 Hello"]
    with host(speaker(b"421 4.3.2 Service not active\r\n")) as port:
        assert look("smtp", port)["answers"] is False


@pytest.mark.parametrize(("kind", "banner"), [("imap", b"* OK ready\r\n"), ("pop", b"+OK ready\r\n")])
def test_mail_is_greeted(kind: str, banner: bytes) -> None:
    with host(speaker(banner)) as port:
        assert look(kind, port)["answers"] is True
    with host(speaker(b"HTTP/1.1 400 Bad\r\n")) as port:
        seen = look(kind, port)
    assert (seen["answers"], seen["said"]) == (False, ["HTTP/1.1 400 Bad"])


def test_a_page() -> None:
    heard: list[bytes] = []

    def says(line: socket.socket) -> None:
        heard.append(line.recv(1000))
        line.sendall(b"HTTP/1.1 302 Found\r\nlocation: https://mail.example.com/\r\n\r\n")

    with host(says) as port:
        seen = look("http", port, name="mail.example.com", path="/x")
    assert (seen["answers"], seen["status"], seen["location"]) == (True, 302, "https://mail.example.com/")
    assert heard[0].startswith(b"GET /x HTTP/1.1\r\nHost: mail.example.com\r\n")


def test_what_the_network_says_is_told_apart() -> None:
    told: list[float] = []
    probes = Probes(patience=0.2, told=told.append)
    with host(lambda line: (line.recv(10), None)[1]) as port:
        assert look("pop", port, probes)["error"] == "silent"
    assert told == [3], "a lab is told of the patience, not of its own"
    with host(lambda _: None) as port:
        assert look("smtp", port)["error"] == "reset"
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert look("tcp", port)["error"] == "refused"
    with host(speaker(b"220 no TLS here\r\n")) as port:
        assert look("smtp", port, tls=True)["error"] == "tls"
    seen = look("tcp", 1, address="nobody.invalid")
    assert (seen["answers"], seen["error"]) == (False, "name")


def test_a_connection_that_is_cut_before_tls_begins_leaves_nothing_open() -> None:
    """Python's own wrapping would leave its socket to the collector, which complains."""
    with socket.socket() as cut, pytest.raises(probe._Failed) as failed:
        probe._Line(cut, probe.Want(address="127.0.0.1", port=443, tls=True), probe.Seen(), time.monotonic() + 3)
    assert failed.value.error == "reset"


def test_what_is_no_look_is_refused() -> None:
    with pytest.raises(BadTemplate, match="no probe"):
        look("ping", 1)
    with pytest.raises(BadTemplate, match="no look"):
        look("tcp", 1, colour="red")


def test_where_nobody_can_look_is_no_silence() -> None:
    def place(address: str, port: int) -> tuple[str, int]:
        raise LookupError

    with pytest.raises(CallFailed) as caught:
        look("tcp", 445, Probes(place))
    assert caught.value.record.fqid == "NoSuchPlace"
