"""A small HTTP/1.1 server on one asyncio loop: keep-alive, one request at a time on a connection, whole answers in one
write, and the ways in which a line can fail; knows no SOAP and no user."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Connection", "Fate", "HttpRequest", "HttpResponse", "Line", "Listener"]

Line = Literal["up", "refused", "silent"]
"""What a listener's line does with who comes: serve, refuse the connection, or take everything and answer nothing."""
Fate = Literal["whole", "half", "reset", "never"]
"""`half`: cut in the middle, then closed; `reset`: nothing, the connection is torn down; `never`: nothing ever."""

_LONGEST_HEAD = 64 * 1024
_LONGEST_BODY = 32 * 1024 * 1024
_REASONS = {
    100: "Continue",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Payload Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class HttpRequest:
    """One whole request."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case; the last of several wins."""
    body: bytes


@dataclass(frozen=True)
class HttpResponse:
    """An answer, and what becomes of the line while it is given."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    fate: Fate = "whole"


class Connection:
    """One TCP connection, and what its requests have in common."""

    def __init__(self, peer: str, certificate_hash: bytes | None) -> None:
        self.peer = peer
        self.certificate_hash = certificate_hash
        """SHA-256 of the server's certificate on https (RFC 5929), None on http."""
        self.state: object = None
        """The handler's: who has logged on."""


Handler = Callable[[Connection, HttpRequest], Awaitable[HttpResponse]]


def head_and_body(answer: HttpResponse, *, close: bool) -> bytes:
    """The bytes of an answer."""
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines += ["Server: Microsoft-HTTPAPI/2.0", f"Content-Length: {len(answer.body)}"]
    if close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + answer.body


class _BadRequest(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    try:
        first, *rest = head.decode("latin-1").split("\r\n")
        method, path, version = first.split(" ")
        if not version.startswith("HTTP/1."):
            raise _BadRequest(400)
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in rest if line)}
    except ValueError:
        raise _BadRequest(400) from None
    return method, path, headers


class _Protocol(asyncio.Protocol):
    """One connection: bytes in, requests to the handler, one after the other."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._buffer = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._swallows = False
        self._said_close = False

    # -- asyncio's side ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener.open_connections.add(self)
        line = self._listener.line()
        if line == "refused":
            self.reset()
            return
        if line == "silent":
            self._swallows = True
            self._listener.on_turned_away()
            return
        if self._listener.tls is None:
            self._ready(None)
            return
        transport.pause_reading()
        self._task = asyncio.ensure_future(self._start_tls(transport, self._listener.tls))

    async def _start_tls(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            wrapped = await loop.start_tls(transport, self, context, server_side=True)
        except (OSError, ssl.SSLError):
            transport.abort()
            self._listener.on_turned_away()
            return
        self._task = None
        if wrapped is None or transport.is_closing():  # the client went away meanwhile
            return
        assert isinstance(wrapped, asyncio.Transport)
        self._transport = wrapped
        self._ready(self._listener.certificate_hash)
        self._next()

    def _ready(self, certificate_hash: bytes | None) -> None:
        assert self._transport is not None
        peer = self._transport.get_extra_info("peername")
        self._connection = Connection(peer[0] if peer else "", certificate_hash)

    def data_received(self, data: bytes) -> None:
        if self._swallows:
            return
        self._buffer += data
        if self._task is None:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._listener.open_connections.discard(self)
        self._transport = None
        if self._task is not None:
            self._task.cancel()
        if self._connection is not None and not self._said_close:
            self._listener.on_lost(self._connection)

    # -- requests ------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Begin with the next request if all of it is here."""
        if self._connection is None or self._transport is None:
            return
        try:
            request = self._take()
        except _BadRequest as bad:
            self._send(HttpResponse(bad.status), close=True)
            return
        if request is not None:
            self._task = asyncio.ensure_future(self._answer(self._connection, request))

    def _take(self) -> HttpRequest | None:
        if self._head is None:
            if self._buffer[:1] and not self._buffer[:1].isalpha():  # TLS on a port without it, for one
                raise _BadRequest(400)
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _LONGEST_HEAD:
                    raise _BadRequest(413)
                return None
            self._head = _parse_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if self._head[2].get("expect", "").lower() == "100-continue" and self._transport is not None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, path, headers = self._head
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers:
            raise _BadRequest(411)
        if not length.isdecimal():
            raise _BadRequest(400)
        if int(length) > _LONGEST_BODY:
            raise _BadRequest(413)
        if len(self._buffer) < int(length):
            return None
        body = bytes(self._buffer[: int(length)])
        del self._buffer[: int(length)]
        self._head = None
        return HttpRequest(method, path, headers, body)

    async def _answer(self, connection: Connection, request: HttpRequest) -> None:
        answer = await self._listener.handler(connection, request)
        close = self._said_close = request.headers.get("connection", "").lower() == "close"
        self._task = None
        if answer.fate == "never":
            self._swallows = True
        elif answer.fate == "reset":
            self.reset()
        elif self._transport is not None:
            self._send(answer, close=close)
            self._next()

    def _send(self, answer: HttpResponse, *, close: bool) -> None:
        assert self._transport is not None
        data = head_and_body(answer, close=close)
        if answer.fate == "half":
            self._transport.write(data[: len(data) - len(answer.body) // 2 - 1])
            self._transport.close()
            return
        self._transport.write(data)
        if close:
            self._transport.close()

    def reset(self) -> None:
        """Tear the connection down so that the client sees a reset."""
        if self._transport is None:
            return
        line = self._transport.get_extra_info("socket")
        if line is not None:
            with contextlib.suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


@dataclass
class Listener:
    """One address and port on which one handler serves."""

    address: str
    port: int
    """0 until bound: then the port that was free."""
    handler: Handler
    tls: ssl.SSLContext | None = None
    certificate_hash: bytes | None = None
    line: Callable[[], Line] = lambda: "up"
    """What the line does now."""
    on_turned_away: Callable[[], None] = lambda: None
    """A client came in vain: the line is silent, or it did not like the certificate."""
    on_lost: Callable[[Connection], None] = lambda _: None
    """A connection ended, and its client had not said that this was its last request."""
    open_connections: set[_Protocol] = field(default_factory=set[_Protocol], repr=False)
    _socket: socket.socket | None = field(default=None, repr=False)
    _server: asyncio.Server | None = field(default=None, repr=False)

    def bind(self) -> None:
        """Take the port. Bound and not listening, it refuses connections. Raises `OSError`."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setblocking(False)
        self._socket.bind((self.address, self.port))
        self.port = self._socket.getsockname()[1]

    async def serve(self) -> None:
        """Listen from now on."""
        if self._socket is None:
            self.bind()
        assert self._socket is not None
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Protocol(self), sock=self._socket, backlog=256)

    async def refuse(self) -> None:
        """Listen no more, keep the port: who connects is refused; who is connected is reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket = None
            self.bind()
        for one in list(self.open_connections):
            one.reset()

    @property
    def serving(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    def close(self) -> None:
        """Give the port back and tear down what is open."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        self._server = self._socket = None
        for one in list(self.open_connections):
            one.reset()
