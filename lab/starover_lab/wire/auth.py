"""Who is on the line: Basic, NTLM and Negotiate for one connection each; knows no SOAP.

NTLM belongs to the TCP connection: it is agreed once, and the requests after it carry no header. A token comes raw or
wrapped in SPNEGO, both under the scheme Negotiate; its first bytes tell which (facts/winrm.md, gotcha 1).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

__all__ = ["Authentication", "Refused", "TokenWanted", "forget"]

Passwords = Callable[[str], str | None]
"""The password of a user in any of its spellings, or None."""

_NTLM = b"NTLMSSP\x00"
_SCHEMES_PLAIN = (("WWW-Authenticate", "Negotiate"),)
_SCHEMES_BASIC = (*_SCHEMES_PLAIN, ("WWW-Authenticate", 'Basic realm="WSMAN"'))


class Refused(Exception):
    """Not logged on: HTTP 401 with these headers."""

    def __init__(self, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__("401")
        self.headers = headers


class TokenWanted(Exception):
    """Half way: HTTP 401 with our token, and the client goes on."""

    def __init__(self, token: bytes) -> None:
        super().__init__("401")
        self.headers = (("WWW-Authenticate", "Negotiate " + base64.b64encode(token).decode()),)


class _UserFile:
    """The only way to tell pyspnego's acceptor a password: a file named by the environment, read when a client
    authenticates. It holds the one password asked for, for the time of that call, and is readable by its owner only.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lock = threading.Lock()  # a process may run several labs, each in a thread of its own

    def ready(self) -> Path:
        if self._path is None or not self._path.exists():
            handle, name = tempfile.mkstemp(prefix="starover-lab-")
            os.close(handle)
            self._path = Path(name)
            os.environ["NTLM_USER_FILE"] = name
        return self._path

    def step(self, context: spnego.ContextProxy, token: bytes, line: str) -> bytes | None:
        with self._lock:
            path = self.ready()
            path.write_text(line, encoding="utf-8")
            try:
                return context.step(token)
            finally:
                path.write_text("", encoding="utf-8")

    def remove(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


_users = _UserFile()


def forget() -> None:
    """Remove the file when the process ends."""
    _users.remove()


def _who(token: bytes) -> tuple[str, str] | None:
    """Domain and user of an NTLM AUTHENTICATE message, wherever in the token it is (MS-NLMP 2.2.1.3)."""
    at = token.find(_NTLM + b"\x03\x00\x00\x00")
    if at < 0 or len(token) < at + 64:
        return None
    message = token[at:]
    unicode = int.from_bytes(message[60:64], "little") & 1

    def part(field: int) -> str:
        length = int.from_bytes(message[field : field + 2], "little")
        offset = int.from_bytes(message[field + 4 : field + 8], "little")
        return message[offset : offset + length].decode("utf-16-le" if unicode else "cp437", "replace")

    return part(28), part(36)


class Authentication:
    """The state of one connection."""

    def __init__(self, passwords: Passwords, *, certificate_hash: bytes | None, basic: bool) -> None:
        """`basic` says whether Basic is taken on this line; with a `certificate_hash` channel bindings are checked."""
        self._passwords = passwords
        self._bindings = None
        if certificate_hash is not None:
            self._bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + certificate_hash)
        self._basic = basic
        self._user = ""
        self.context: spnego.ContextProxy | None = None
        """The security context, for message encryption; None under Basic."""

    def check(self, header: str | None) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The user who is logged on, with what the answer's head must carry besides.

        `header` is the request's Authorization. Raises `Refused` or `TokenWanted`.
        """
        if header is None:
            if self._user and self.context is not None:
                return self._user, ()
            raise self._refused()
        scheme, _, token = header.partition(" ")
        try:
            data = base64.b64decode(token.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise self._refused() from None
        if scheme.lower() == "basic" and self._basic:
            return self._check_basic(data), ()
        if scheme.lower() == "negotiate" and data:
            return self._check_token(data)
        raise self._refused()

    def _refused(self) -> Refused:
        self._user, self.context = "", None
        return Refused(_SCHEMES_BASIC if self._basic else _SCHEMES_PLAIN)

    def _check_basic(self, data: bytes) -> str:
        user, _, given = data.decode("utf-8", "replace").partition(":")
        known = self._passwords(user)
        if known is None or not hmac.compare_digest(known.encode(), given.encode()):
            raise self._refused()
        return user

    def _check_token(self, token: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
        begins = token.find(_NTLM + b"\x01\x00\x00\x00") >= 0
        if self.context is None or self.context.complete or begins:
            self._user = ""
            self.context = self._acceptor(token)
        line = ""
        who = _who(token)
        if who is not None:
            domain, user = who
            full = f"{domain}\\{user}" if domain else user
            password = self._passwords(full)
            if password is None or any(c in domain + user + password for c in ":\r\n"):
                raise self._refused()
            line = f"{domain}:{user}:{password}"
            self._user = full
        try:
            out = _users.step(self.context, token, line)
        except SpnegoError:
            raise self._refused() from None
        if not self.context.complete:
            if out is None:
                raise self._refused()
            raise TokenWanted(out)
        if not self._user:
            raise self._refused()
        headers = () if out is None else (("WWW-Authenticate", "Negotiate " + base64.b64encode(out).decode()),)
        return self._user, headers

    def _acceptor(self, token: bytes) -> spnego.ContextProxy:
        _users.ready()
        raw = token.startswith(_NTLM)
        # The Python implementations, whatever security libraries the machine has: the users are the lab's own.
        return spnego.server(
            protocol="ntlm" if raw else "negotiate",
            options=spnego.NegotiateOptions.use_ntlm if raw else spnego.NegotiateOptions.use_negotiate,
            channel_bindings=self._bindings,
        )
