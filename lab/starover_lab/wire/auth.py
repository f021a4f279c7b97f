"""Who is on the line: Basic, NTLM, Kerberos and Negotiate for one connection each; knows no SOAP.

NTLM belongs to the TCP connection: it is agreed once, and the requests after it carry no header. A token comes raw or
wrapped in SPNEGO, both under the scheme Negotiate; its first bytes tell which (facts/winrm.md, gotcha 1). Tickets are
taken when the process has a keytab (`tickets`), under the schemes Negotiate and Kerberos.
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
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from starover_lab.wire import tickets

__all__ = ["Authentication", "Refused", "Ticketing", "TokenWanted", "forget"]

Passwords = Callable[[str], str | None]
"""The password of a user in any of its spellings, or None."""

_NTLM = b"NTLMSSP\x00"
_SCHEMES_PLAIN = (("WWW-Authenticate", "Negotiate"),)
_SCHEMES_TICKETS = (("WWW-Authenticate", "Kerberos"),)
_SCHEMES_BASIC = (("WWW-Authenticate", 'Basic realm="WSMAN"'),)


class Refused(Exception):
    """Not logged on: HTTP 401 with these headers."""

    def __init__(self, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__("401")
        self.headers = headers


class TokenWanted(Exception):
    """Half way: HTTP 401 with our token, and the client goes on."""

    def __init__(self, token: bytes, scheme: str = "Negotiate") -> None:
        super().__init__("401")
        self.headers = _token_header(token, scheme)


def _token_header(token: bytes, scheme: str) -> tuple[tuple[str, str], ...]:
    return (("WWW-Authenticate", f"{scheme} {base64.b64encode(token).decode()}"),)


@dataclass(frozen=True)
class Ticketing:
    """What a host must know of itself to take tickets."""

    fqdn: str
    skew: Callable[[], float]
    """Seconds by which its clock is ahead of its domain's."""
    now: Callable[[], datetime]


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

    def __init__(
        self, passwords: Passwords, *, certificate_hash: bytes | None, basic: bool, ticketing: Ticketing | None = None
    ) -> None:
        """`basic` says whether Basic is taken on this line; with a `certificate_hash` channel bindings are checked;
        with `ticketing` Kerberos is taken too."""
        self._passwords = passwords
        self._bindings = None
        if certificate_hash is not None:
            self._bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + certificate_hash)
        self._basic = basic
        self._ticketing = ticketing
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
        if self._ticketing is not None and scheme.lower() in ("negotiate", "kerberos") and tickets.is_ticket(data):
            return self._check_ticket(data, scheme, self._ticketing)
        if scheme.lower() == "negotiate" and data:
            return self._check_token(data)
        raise self._refused()

    def _refused(self) -> Refused:
        self._user, self.context = "", None
        taken = _SCHEMES_TICKETS if self._ticketing is not None else ()
        return Refused((*_SCHEMES_PLAIN, *taken, *(_SCHEMES_BASIC if self._basic else ())))

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
        return self._user, () if out is None else _token_header(out, "Negotiate")

    def _check_ticket(self, token: bytes, scheme: str, host: Ticketing) -> tuple[str, tuple[tuple[str, str], ...]]:
        """A ticket is whole in one token; its principal must be somebody whom the domain still knows."""
        self._user, self.context = "", None
        wrong, out = 0, None
        context: spnego.ContextProxy | None = None
        if abs(host.skew()) > tickets.SKEW_SECONDS:
            wrong = tickets.SKEW
        else:
            try:
                context = tickets.acceptor(host.fqdn, self._bindings)
                out = context.step(token)
            except SpnegoError as error:
                wrong = tickets.protocol_error(error)
        if wrong:
            now = host.now().strftime("%Y%m%d%H%M%SZ")
            raise TokenWanted(tickets.error_token(token, wrong, host.fqdn, now), scheme)
        if context is None or not context.complete:
            raise self._refused()
        principal = context.client_principal or ""
        if self._passwords(principal) is None:
            raise self._refused()
        self.context, self._user = context, principal
        return principal, () if out is None else _token_header(out, scheme)

    def _acceptor(self, token: bytes) -> spnego.ContextProxy:
        _users.ready()
        raw = token.startswith(_NTLM)
        # The Python implementations, whatever security libraries the machine has: the users are the lab's own.
        return spnego.server(
            protocol="ntlm" if raw else "negotiate",
            options=spnego.NegotiateOptions.use_ntlm if raw else spnego.NegotiateOptions.use_negotiate,
            channel_bindings=self._bindings,
        )
