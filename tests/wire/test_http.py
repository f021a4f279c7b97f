"""The HTTP loop by the byte: what comes in pieces, at once, too long or not at all."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator

import pytest
from starover_lab.wire.host import Options
from wire_lab import PASSWORD, USER, WireLab

pytestmark = pytest.mark.wire
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireLab]:
    """A host that takes plain bodies and Basic without TLS."""
    with WireLab(tmp_path_factory.mktemp("lab"), Options(allow_unencrypted=True)) as running:
        yield running


class Line:
    def __init__(self, lab: WireLab) -> None:
        self.socket = socket.create_connection(("127.0.0.1", lab.host.http.port), 10)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers.get("content-length", "0")))

    def closed(self) -> bool:
        return self.file.read(1) == b""


def request(body: bytes = b"", *, path: str = "/wsman", extra: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {BASIC}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


def test_a_request_in_pieces_is_one_request(plain: WireLab) -> None:
    data = request(b"<no-envelope/>")
    with Line(plain) as line:
        for at in range(0, len(data), 7):
            line.send(data[at : at + 7])
        assert line.answer()[0] == 500


def test_requests_at_once_are_answered_one_after_the_other(plain: WireLab) -> None:
    with Line(plain) as line:
        line.send(request() + request(b"<no-envelope/>") + request())
        assert [line.answer()[0] for _ in range(3)] == [200, 500, 200]


def test_a_client_may_ask_whether_to_go_on(plain: WireLab) -> None:
    with Line(plain) as line:
        head, body = request(b"<no-envelope/>", extra="Expect: 100-continue\r\n").split(b"\r\n\r\n")
        line.send(head + b"\r\n\r\n")
        assert line.answer()[0] == 100
        line.send(body)
        assert line.answer()[0] == 500


def test_a_client_may_say_that_this_was_its_last(plain: WireLab) -> None:
    with Line(plain) as line:
        line.send(request(extra="Connection: close\r\n"))
        status, headers, _ = line.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert line.closed()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"POST /wsman SPDY/9\r\n\r\n", 400),
        (b"POST /wsman HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST /wsman HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST /wsman HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST /wsman HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /wsman HTTP/1.1\r\nX: " + b"x" * 70_000, 413),
    ],
)
def test_what_is_no_request_is_refused_and_ends_the_line(plain: WireLab, data: bytes, status: int) -> None:
    with Line(plain) as line:
        line.send(data)
        assert line.answer()[0] == status
        assert line.closed()


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Negotiate",
        "Negotiate AAAA",
        "Kerberos YII=",
    ],
)
def test_no_logon_is_401_with_the_ways_there_are(plain: WireLab, authorization: str) -> None:
    with Line(plain) as line:
        header = f"Authorization: {authorization}\r\n" if authorization else ""
        line.send(f"POST /wsman HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 0\r\n\r\n".encode())
        status, headers, _ = line.answer()
        assert status == 401
        assert headers["www-authenticate"] == 'Basic realm="WSMAN"'


def test_the_exchange_door_is_the_same_in_any_case(plain: WireLab) -> None:
    with Line(plain) as line:
        for path, status in (("/PowerShell/", 200), ("/powershell?PSVersion=5.1", 200), ("/owa", 404)):
            line.send(request(path=path))
            assert line.answer()[0] == status
