"""One command shell on one host, by pywinrm: script by standard input, CLIXML decoded; knows no batch, no thread.

The road for hosts where only a command shell is open. The script is never on the command line, which cmd.exe cuts at
8191 characters: a small bootstrap reads it from the standard input as base64, and runs it only when it is whole. So
nothing of a script can run before its last piece has been handed over.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from winrm import exceptions as theirs
from winrm.protocol import Protocol

from starover.errors import AuthFailed, ConnectFailed, ErrorRecord, StaroverError, Throttled
from starover.estate import Road, Server
from starover.transport import Answer, Script
from starover.transport.credentials import Resolver
from starover.transport.failures import DeadlineOver, Failed, Stage, ended, failure
from starover.transport.fanout import Progress
from starover.transport.line import CONNECT_SECONDS, MARGIN_SECONDS, Deadline, authorities
from starover.transport.logons import logons_of
from starover.transport.winrm import unfit

__all__ = ["ShellSession", "decoded_errors"]

POLL_SECONDS = 5
"""A Receive comes back empty after this."""
PIECE = 96_000
"""Characters of base64 in one Send; an envelope takes 150 kB."""
TRIES = 3
UTF8 = 65001
CLOSING_SECONDS = 4

_BOOTSTRAP = (
    "$ProgressPreference = 'SilentlyContinue'; $text = @($input) -join ''; "
    "if ($text.Length -ne {length}) {{ exit 87 }}; "
    "& ([scriptblock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text))))"
)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CLIXML = "#< CLIXML"


class ShellSession:
    """A host as one road of the kind `winrm` reaches it. Used by one thread at a time."""

    def __init__(self, server: Server, road: Road, credentials: Resolver) -> None:
        """Opens nothing yet."""
        self._server = server
        self.road = road
        self._credentials = credentials
        self._host, self._port = road.endpoint(server)
        self._place = f"{self._host}:{self._port}"
        self._line: Protocol | None = None
        self._shell = ""
        self._denied: AuthFailed | None = None
        self.name = f"winrm+{road.scheme}"

    def run(self, script: Script, deadline: Deadline, progress: Progress) -> Answer:
        """Run one script; never raises for the host. A write is handed over at most once."""
        started = time.monotonic()
        wrong = self._cannot(script)
        if wrong is not None:
            return Answer(id=script.id, error=wrong, road=self.name)
        for attempt in range(1, TRIES + 1):
            try:
                out, err, code = self._once(script, deadline, progress)
            except Failed as failed:
                again = failed.again and not (script.mutates and failed.sent)
                if not again or attempt == TRIES or deadline.over:
                    return self._answer(script, progress, started, error=failed.error)
                progress.note(failed, 0.0)
            else:
                return self._answer(script, progress, started, out, err, code)
        raise AssertionError

    def close(self) -> None:
        """Close the shell. Raises nothing: an idle one ends by itself."""
        line, shell, self._line, self._shell = self._line, self._shell, None, ""
        if line is not None and shell:
            with contextlib.suppress(Exception):
                line.transport.read_timeout_sec = CLOSING_SECONDS
                line.close_shell(shell)

    # -- one try -------------------------------------------------------------------------------------------------

    def _cannot(self, script: Script) -> StaroverError | None:
        """What a command shell cannot carry is refused before anything is sent."""
        why = unfit(script)
        if not why:
            return None
        return ConnectFailed(
            f"{self._server.name}: {why}",
            certain=("nothing was sent",),
            next=(f"give {self._server.name} a road of the kind psrp, or `provider: direct`",),
            host=self._server.name,
        )

    def _once(self, script: Script, deadline: Deadline, progress: Progress) -> tuple[str, str, int]:
        """Hand a script over and wait for its end. Raises `Failed`."""
        stage: Stage = "open"
        try:
            if self._denied is not None:
                raise Failed(self._denied, again=False, sent=False)
            line = self._ready(deadline)
            text = base64.b64encode(script.text.encode()).decode()
            words = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand", _bootstrap(text)]
            command = line.run_command(self._shell, "powershell.exe", words)
            *first, last = _pieces(text)
            for piece in first:
                line.send_command_input(self._shell, command, piece)
            if deadline.over or not progress.hand_over():
                raise DeadlineOver
            stage = "receive"  # with the last piece the script is whole, and may run
            line.send_command_input(self._shell, command, last, end=True)
            said = self._wait(line, command, deadline, progress)
            with contextlib.suppress(Exception):
                line.cleanup_command(self._shell, command)
        except Exception as error:
            failed = failure(_translated(error), stage, self._server.name, self._place)
            self._denied = failed.denied or self._denied
            progress.sent = failed.sent
            closed = self._line is None or isinstance(failed.error, Throttled)
            failed.again = failed.again and not (script.elsewhere and closed)
            self._leave()
            raise failed from error
        return said

    def _ready(self, deadline: Deadline) -> Protocol:
        """A line with an open shell."""
        if self._line is not None and self._shell:
            return self._line
        road = self.road
        if road.auth == "basic" and road.scheme == "http":
            raise AuthFailed("Basic over http would send the password in clear", next=("use `scheme: https`",))
        credential = self._credentials.resolve(self._server.credential)
        try:  # a host that is not there is told in seconds
            socket.create_connection((self._host, self._port), timeout=min(CONNECT_SECONDS, deadline.left())).close()
        except OSError as error:
            closed = ConnectFailed(
                f"{self._server.name} cannot be reached at {self._place}: {error.strerror or error}",
                certain=("nothing was sent",),
                next=("is it up, and does WinRM listen there? `roads:` in the inventory says where",),
                host=self._server.name,
            )
            raise Failed(closed, again=not isinstance(error, TimeoutError), sent=False) from error
        line = Protocol(
            endpoint=f"{road.scheme}://{self._host}:{self._port}/wsman",
            transport="ntlm" if road.auth == "negotiate" else road.auth,
            username=credential.user,
            password=credential.password,
            ca_trust_path=authorities(road.ca_file),  # type: ignore[arg-type] # None: those of requests
            operation_timeout_sec=POLL_SECONDS,
            read_timeout_sec=int(POLL_SECONDS + MARGIN_SECONDS),
            proxy=None,
        )
        reference, logons = self._server.credential, logons_of(self._credentials)
        with logons.turn(reference, self._server.name, deadline.left()) as turn:
            try:
                self._shell = line.open_shell(codepage=UTF8)
            except theirs.AuthenticationError:
                logons.refused(reference, self._server.name)
                raise
            turn.succeeded()
        self._line = line
        return line

    def _wait(self, line: Protocol, command: str, deadline: Deadline, progress: Progress) -> tuple[str, str, int]:
        out: list[bytes] = []
        err: list[bytes] = []
        while True:
            if deadline.over:
                raise DeadlineOver
            if progress.stop.is_set():
                line.cleanup_command(self._shell, command)
                progress.stopped.set()
                raise ended(self._server.name)
            with contextlib.suppress(theirs.WinRMOperationTimeoutError):
                some, wrong, code, done = line.get_command_output_raw(self._shell, command)
                out.append(some)
                err.append(wrong)
                if done:
                    return b"".join(out).decode("utf-8", "replace"), b"".join(err).decode("utf-8", "replace"), code

    def _leave(self) -> None:
        """After a failure the state of the line is not known: its shell is closed without waiting for it."""
        line, shell, self._line, self._shell = self._line, self._shell, None, ""
        if line is not None and shell:
            threading.Thread(target=_close, args=(line, shell), daemon=True).start()

    def _answer(
        self,
        script: Script,
        progress: Progress,
        started: float,
        out: str = "",
        err: str = "",
        code: int = 0,
        *,
        error: StaroverError | None = None,
    ) -> Answer:
        errors = tuple(ErrorRecord(message=text) for text in decoded_errors(err)) if code else ()
        return Answer(
            id=script.id,
            output=out.replace("\r\n", "\n").rstrip("\n"),
            errors=errors,
            failed=code != 0,
            error=error,
            road=self.name,
            attempts=tuple(progress.attempts),
            seconds=round(time.monotonic() - started, 3),
        )


def decoded_errors(text: str) -> Iterator[str]:
    """The errors in what powershell.exe wrote to its standard error: CLIXML (progress is left out) or plain text."""
    head, marker, rest = text.partition(_CLIXML)
    if head.strip():
        yield head.strip()
    if not marker:
        return
    try:
        tree = ET.fromstring(rest.strip())  # noqa: S314 - expat expands no external entity
    except ET.ParseError:
        yield rest.strip()
        return
    said = "".join(node.text or "" for node in tree if node.get("S") == "Error")
    plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), said).replace("\r\n", "\n").strip()
    if plain:
        yield plain


def _bootstrap(text: str) -> str:
    return base64.b64encode(_BOOTSTRAP.format(length=len(text)).encode("utf-16-le")).decode()


def _pieces(text: str) -> list[str]:
    """In lines, because a reader of lines has limits, and in pieces, because an envelope has."""
    lines = "".join(f"{text[at : at + 960]}\r\n" for at in range(0, len(text), 960))
    return [lines[at : at + PIECE] for at in range(0, len(lines), PIECE)]


def _close(line: Protocol, shell: str) -> None:
    """Over a new connection: message encryption dies with a lost one."""
    with contextlib.suppress(Exception):
        line.transport.close_session()
        line.transport.read_timeout_sec = CLOSING_SECONDS
        line.close_shell(shell)


def _translated(error: Exception) -> Exception:
    """pywinrm's errors as those that the table of failures knows."""
    if isinstance(error, theirs.AuthenticationError):
        return AuthenticationError(str(error))
    if isinstance(error, theirs.WinRMTransportError):
        return WinRMTransportError(error.protocol, error.code, error.response_text)
    if isinstance(error, theirs.WSManFaultError):
        return WSManFaultError(error.wsman_fault_code, None, error.reason, None, None, None)
    return error
