"""Looks over the network from where the tool runs, as calls of the service `probe`; knows no estate and judges nothing.

What one sees is a fact, be it silence: a look fails only where nobody could look. Every operation answers with the same
fields (`Seen`). Certificates are read and not trusted: who they are for is for the reader to judge.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec
from cryptography import x509

from starover.calls import Call
from starover.errors import BadTemplate
from starover.estate import Server
from starover.transport.calls import CallFailed

__all__ = ["Probes", "Seen", "Want"]

Way: TypeAlias = Literal["", "name", "refused", "silent", "reset", "tls"]
Speaks: TypeAlias = Literal["", "smtp", "imap", "pop"]
_LINE = 1000
_HEAD = 16_384
_GREETINGS = {"imap": b"* OK", "pop": b"+OK"}


class Want(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What is to be looked at: the parameters of every operation."""

    address: str
    """Name or address."""
    port: int
    seconds: float = 10.0
    """Of patience, in all."""
    tls: bool = False
    """From the first byte on."""
    starttls: Speaks = ""
    """Of `tls`: the protocol in which TLS is asked for first."""
    name: str = ""
    """Name that is asked for in TLS and HTTP; empty: the address."""
    path: str = "/"
    """Of a page."""


class Seen(msgspec.Struct, kw_only=True, rename="camel"):
    """What was seen."""

    answers: bool = False
    """It spoke as its protocol wants it, or, of `tcp`, took the connection."""
    error: Way = ""
    """Why not, as far as the network tells: no such `name`, `refused`, `silent`, `reset`, or `tls` failed."""
    status: int = 0
    """Of HTTP; of SMTP the code of its last answer."""
    location: str = ""
    """Where a page sends to."""
    said: list[str] = msgspec.field(default_factory=list[str])
    """First lines that were said, cut short."""
    names: list[str] = msgspec.field(default_factory=list[str])
    """Whom the certificate is for."""
    serial: str = ""
    """Of the certificate, in hex; empty: there was none."""
    days: int | None = None
    """That the certificate is still good for; negative: it has expired. None: there was none."""
    milliseconds: int = 0
    """Until the answer was whole."""


class _Failed(Exception):
    def __init__(self, error: Way) -> None:
        super().__init__(error)
        self.error: Way = error


class Probes:
    """Looks; implements `transport.calls.Caller`."""

    road = "probe"

    def __init__(
        self,
        place: Callable[[str, int], tuple[str, int]] = lambda address, port: (address, port),
        *,
        patience: float = float("inf"),
        told: Callable[[float], object] = lambda _: None,
    ) -> None:
        """`place` says where to connect for an address and port. Of a lab: `patience`, real seconds at most; `told` is
        told how long a look took by the lab's own time.
        """
        self._place = place
        self._patience = patience
        self._told = told

    def call(self, call: Call, server: Server, deadline: float, /) -> Mapping[str, object]:  # noqa: ARG002 - Caller's
        """Look. Raises `BadTemplate` for what is no look, `CallFailed` where nobody can look."""
        try:
            want = msgspec.convert(call.parameters, Want)
        except msgspec.ValidationError as error:
            raise BadTemplate(f"this is no look: {error}", certain=("nothing was sent",)) from None
        look = _LOOKS.get(call.operation)
        if look is None:
            raise BadTemplate(f"there is no probe `{call.operation[:40]}`", next=(f"there are: {', '.join(_LOOKS)}",))
        seen = Seen()
        began = time.monotonic()
        patience = min(want.seconds, deadline)
        try:
            host, port = self._place(want.address, want.port)
        except LookupError:
            self._told(0.0)
            raise CallFailed("NoSuchPlace", f"nobody can look at {want.address} port {want.port} from here") from None
        end = began + min(patience, self._patience)
        try:
            with _connected(host, port, end) as plain, contextlib.closing(_Line(plain, want, seen, end)) as line:
                look(line, want, seen)
        except _Failed as failed:
            seen.answers, seen.error = False, failed.error
        seen.milliseconds = int((time.monotonic() - began) * 1000)
        self._told(patience if seen.error == "silent" else 0.1)
        return msgspec.convert(msgspec.to_builtins(seen), dict[str, object])


@contextlib.contextmanager
def _connected(host: str, port: int, end: float) -> Generator[socket.socket]:
    with _failures():
        line = socket.create_connection((host, port), timeout=max(end - time.monotonic(), 0.05))
    try:
        yield line
    finally:
        line.close()


@contextlib.contextmanager
def _failures() -> Generator[None]:
    """What the network says, as a word."""
    try:
        yield
    except socket.gaierror as error:
        raise _Failed("name") from error
    except ssl.SSLError as error:
        raise _Failed("tls") from error
    except TimeoutError as error:
        raise _Failed("silent") from error
    except ConnectionRefusedError as error:
        raise _Failed("refused") from error
    except OSError as error:
        raise _Failed("reset") from error


class _Line:
    """A connection that is read by lines."""

    def __init__(self, line: socket.socket, want: Want, seen: Seen, end: float) -> None:
        self._end = end
        self._left = b""
        self._line = line
        if want.tls:
            self.secure(want.name or want.address, seen)

    def secure(self, name: str, seen: Seen) -> None:
        """Speak TLS from here on, and note whom the certificate is for. What came before in plain text is dropped."""
        self._left = b""
        self._line = self._secured(name, seen)

    def _secured(self, name: str, seen: Seen) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with _failures():
            self._line.settimeout(self._patience())
            self._line.getpeername()  # of a connection that was cut already Python's wrapping would leave a socket open
            secured = context.wrap_socket(self._line, server_hostname=name)
        certificate = secured.getpeercert(binary_form=True)
        if certificate:
            seen.names, seen.serial, seen.days = _read_certificate(certificate)
        return secured

    def _patience(self) -> float:
        return max(self._end - time.monotonic(), 0.05)

    def close(self) -> None:
        """Hang up: what TLS was made of is not the plain connection any more."""
        self._line.close()

    def send(self, text: str) -> None:
        """Send text."""
        with _failures():
            self._line.settimeout(self._patience())
            self._line.sendall(text.encode("latin-1", "replace"))

    def line(self) -> str:
        """The next line, without its end. Raises `_Failed` where none comes."""
        while b"\n" not in self._left:
            with _failures():
                self._line.settimeout(self._patience())
                more = self._line.recv(4096)
            if not more:
                raise _Failed("reset")
            self._left += more
            if len(self._left) > _HEAD:
                raise _Failed("reset")
        line, _, self._left = self._left.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")[:_LINE]


def _read_certificate(data: bytes) -> tuple[list[str], str, int]:
    certificate = x509.load_der_x509_certificate(data)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [str(name) for name in extension.value.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        names = []
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return names, f"{certificate.serial_number:X}", left.days


def _tcp(line: _Line, want: Want, seen: Seen) -> None:
    del line, want
    seen.answers = True


def _tls(line: _Line, want: Want, seen: Seen) -> None:
    if want.starttls:
        _STARTED[want.starttls](line, seen)
        line.secure(want.name or want.address, seen)
    seen.answers = True


def _http(line: _Line, want: Want, seen: Seen) -> None:
    host = want.name or want.address
    line.send(f"GET {want.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: starover\r\nConnection: close\r\n\r\n")
    first = line.line()
    seen.said = [first]
    parts = first.split(" ")
    if not parts[0].startswith("HTTP/") or len(parts) < 2 or not parts[1].isdecimal():
        raise _Failed("reset")
    seen.status, seen.answers = int(parts[1]), True
    while header := line.line():
        name, _, value = header.partition(":")
        if name.casefold() == "location":
            seen.location = value.strip()


def _smtp(line: _Line, want: Want, seen: Seen) -> None:
    del want
    seen.said, seen.status = _smtp_answer(line)
    if seen.status == 220:
        line.send("EHLO starover.invalid\r\n")
        said, seen.status = _smtp_answer(line)
        seen.said += said[:1]
        line.send("QUIT\r\n")
    seen.answers = seen.status == 250


def _smtp_answer(line: _Line) -> tuple[list[str], int]:
    said: list[str] = []
    while True:
        one = line.line()
        said.append(one)
        if one[3:4] != "-":
            return said, int(one[:3]) if one[:3].isdecimal() else 0


def _smtp_starts(line: _Line, seen: Seen) -> None:
    seen.said, seen.status = _smtp_answer(line)
    for word in ("EHLO starover.invalid", "STARTTLS"):
        if seen.status not in (220, 250):
            break
        line.send(f"{word}\r\n")
        said, seen.status = _smtp_answer(line)
        seen.said += said[:1]
    if len(seen.said) < 3 or seen.status != 220:
        raise _Failed("tls")


def _starts(kind: Literal["imap", "pop"], ask: str, agreed: str) -> Callable[[_Line, Seen], None]:
    def start(line: _Line, seen: Seen) -> None:
        seen.said = [line.line()]
        if seen.said[0].startswith(_GREETINGS[kind].decode()):
            line.send(f"{ask}\r\n")
            seen.said.append(line.line())
        if not seen.said[-1].startswith(agreed) or len(seen.said) < 2:
            raise _Failed("tls")

    return start


_STARTED: Mapping[Speaks, Callable[[_Line, Seen], None]] = {
    "smtp": _smtp_starts,
    "imap": _starts("imap", "a STARTTLS", "a OK"),
    "pop": _starts("pop", "STLS", "+OK"),
}
"""How TLS is asked for (RFC 3207, RFC 9051, RFC 2595)."""


def _greeted(word: bytes, farewell: str) -> Callable[[_Line, Want, Seen], None]:
    def look(line: _Line, want: Want, seen: Seen) -> None:
        del want
        seen.said = [line.line()]
        seen.answers = seen.said[0].startswith(word.decode())
        if seen.answers:
            line.send(farewell)

    return look


_LOOKS: Mapping[str, Callable[[_Line, Want, Seen], None]] = {
    "tcp": _tcp,
    "tls": _tls,
    "http": _http,
    "smtp": _smtp,
    "imap": _greeted(_GREETINGS["imap"], "a LOGOUT\r\n"),
    "pop": _greeted(_GREETINGS["pop"], "QUIT\r\n"),
}
