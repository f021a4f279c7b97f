"""One runspace pool on one host, kept over scripts: opening, sending once, waiting, probing; knows no batch, no thread.

Two requests a script are the floor: one Command, one Receive. Pipelines are not signalled one by one; the pool is
given back well before Windows' quota of a thousand.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import threading
import time
from collections.abc import Callable
from importlib import resources
from typing import TypeVar

import tenacity
from pypsrp.complex_objects import PSCredential, PSInvocationState
from pypsrp.exceptions import AuthenticationError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from requests.exceptions import Timeout

from starover.errors import AuthFailed, BadTemplate, ConnectFailed, StaroverError, Throttled
from starover.estate import TICKET, Road, Server
from starover.single import commands
from starover.transport import Answer, Script
from starover.transport.credentials import Resolver
from starover.transport.failures import DeadlineOver, Failed, Stage, broken, ended, failure, gone
from starover.transport.fanout import Progress
from starover.transport.line import CONTACT_SECONDS, Deadline, Line, authorities
from starover.transport.lists import Pool
from starover.transport.logons import logons_of
from starover.transport.records import error_record, json_of, line_of, warning_text
from starover.transport.tickets import is_wrong_password, principal

__all__ = ["Session"]

OPERATION_SECONDS = 20
POLL_SECONDS = 5
"""A Receive comes back empty after this; a host that does not even do that is silent."""
TRIES = 3
FIRST_PAUSE = 0.3
"""Seconds before the second try; each further pause is three times as long."""
RECYCLE = 400
"""Pipelines after which a pool is given back; Windows' quota is 1000 in a shell."""
CLOSING_SECONDS = 4.0

_WINRM_PATH, _EXCHANGE_PATH = "wsman", "powershell"
_POWERSHELL, _EXCHANGE = "Microsoft.PowerShell", "Microsoft.Exchange"

T = TypeVar("T")


class Session:
    """A host as one road reaches it. Used by one thread at a time; may move between threads."""

    def __init__(self, server: Server, road: Road, credentials: Resolver) -> None:
        """Opens nothing yet. A road of the kind `exchange` leads to /PowerShell, where there is no language."""
        self._server = server
        self._direct = road.kind == "exchange"
        self.road = road
        self._credentials = credentials
        self._host, self._port = road.endpoint(server)
        self._place = f"{self._host}:{self._port}"
        self._line: Line | None = None
        self._pool: RunspacePool | None = None
        self._pipelines = 0
        self._exchange = False
        self._elsewhere = False
        self._denied: AuthFailed | None = None
        self.name = f"{road.kind}+{road.scheme}"

    def run(self, script: Script, deadline: Deadline, progress: Progress) -> Answer:
        """Run one script; never raises for the host. A write is handed over at most once."""
        started = time.monotonic()
        self._elsewhere = script.elsewhere
        try:
            if script.way == "command":
                commands(script.text, reads=not script.mutates)  # what is none is refused before anything is opened
            if script.mutates:
                pool = self._again(deadline, progress, self._ready)
                ran = self._once(pool, script, deadline, progress)
            else:
                ran = self._again(deadline, progress, lambda: self._once(self._ready(), script, deadline, progress))
        except Failed as failed:
            return self._answer(script, progress, started, error=failed.error)
        except BadTemplate as error:
            return self._answer(script, progress, started, error=error)
        return self._answer(script, progress, started, ran)

    def close(self) -> None:
        """Give the session back: remove its Exchange session, delete the shell. Raises nothing."""
        pool, line = self._pool, self._line
        self._pool = self._line = None
        if pool is not None and line is not None:
            _give_back(pool, line, tidy=self._exchange)

    # -- one try ---------------------------------------------------------------------------------------------------

    def _again(self, deadline: Deadline, progress: Progress, act: Callable[[], T]) -> T:
        """Try `act` until it succeeds, as long as that can help; every try that failed is noted."""

        def pause(state: tenacity.RetryCallState) -> float:
            failed = state.outcome.exception() if state.outcome else None
            asked = failed.error.after if isinstance(failed, Failed) and isinstance(failed.error, Throttled) else None
            wanted = asked or FIRST_PAUSE * 3 ** (state.attempt_number - 1)
            return min(wanted, deadline.left())

        def note(state: tenacity.RetryCallState) -> None:
            failed = state.outcome.exception() if state.outcome else None
            if isinstance(failed, Failed):
                progress.note(failed, state.next_action.sleep if state.next_action else 0.0)

        def enough(state: tenacity.RetryCallState) -> bool:
            failed = state.outcome.exception() if state.outcome else None
            quiet = isinstance(failed, Failed) and isinstance(failed.__cause__, Timeout)
            if quiet and (state.seconds_since_start or 0.0) >= CONTACT_SECONDS:
                return True  # a host that is not there is told in time for who waits
            return state.attempt_number >= TRIES or pause(state) >= deadline.left()

        self._begin(deadline, progress)
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, Failed) and error.again),
            stop=enough,
            wait=pause,
            before_sleep=note,
            reraise=True,
        )
        return tries(act)

    def _begin(self, deadline: Deadline, progress: Progress) -> None:
        self._deadline, self._progress = deadline, progress
        if self._line is not None:
            self._line.deadline, self._line.on_resend = deadline, progress.note

    def _ready(self) -> RunspacePool:
        """An open pool. Raises `Failed`; nothing of a script has been sent then."""
        if self._denied is not None:
            raise Failed(self._denied, again=False, sent=False)
        if self._pool is not None and self._pipelines < RECYCLE:
            return self._pool
        if self._pool is not None:
            self.close()
        try:
            return self._open()
        except Exception as error:
            self._drop()
            failed = failure(error, "open", self._server.name, self._place)
            failed.again = failed.again and not self._elsewhere
            self._remember(failed)
            raise failed from error

    def _open(self) -> RunspacePool:
        road, server = self.road, self._server
        if road.auth == "basic" and road.scheme == "http":
            raise AuthFailed("Basic over http would send the password in clear", next=("use `scheme: https`",))
        user, password = self._logon()
        path = _EXCHANGE_PATH if self._direct else _WINRM_PATH
        wsman = WSMan(
            self._host,
            port=self._port,
            path=path,
            username=user,
            password=password,
            ssl=road.scheme == "https",
            auth=road.auth,
            operation_timeout=OPERATION_SECONDS,
            no_proxy=True,
        )
        line = Line(
            self._host,
            port=self._port,
            path=path,
            username=user,
            password=password,
            ssl=road.scheme == "https",
            auth=road.auth,
            cert_validation=authorities(road.ca_file) or True,
            no_proxy=True,
            negotiate_hostname_override=self._name,
            negotiate_service="HTTP",
        )
        if not road.address and _is_address(self._host):
            line.name = server.fqdn
        wsman.transport = line
        self._line, self._pipelines, self._exchange = line, 0, False
        line.deadline, line.on_resend = self._deadline, self._progress.note
        pool = Pool(wsman, configuration_name=_EXCHANGE if self._direct else _POWERSHELL)
        line.contact()  # before the first logon, which holds up others: a silent host must not
        self._first_logon(pool, line, by_ticket=user is None)
        self._pool = pool
        return pool

    def _first_logon(self, pool: RunspacePool, line: Line, *, by_ticket: bool) -> None:
        """Open the pool, in turn with other hosts until one has taken the credential."""
        if by_ticket:
            pool.open()
            return
        reference, logons = self._reference, logons_of(self._credentials)
        with logons.turn(reference, self._server.name, self._deadline.left()) as turn:
            line.on_logon = turn.succeeded
            try:
                pool.open()
            except Exception as error:
                said = isinstance(error, AuthenticationError) and str(error).startswith("Failed to authenticate")
                if said or is_wrong_password(error):  # else the host wants another kind of logon
                    logons.refused(reference, self._server.name)
                raise

    @property
    def _reference(self) -> str:
        exchange = self._server.exchange
        own = exchange.credential if self._direct and exchange is not None else ""
        return own or self._server.credential

    def _logon(self) -> tuple[str | None, str | None]:
        """User and password; neither for Kerberos without a credential: the ticket of this machine's user is taken."""
        kerberos = self.road.auth == "kerberos"
        if kerberos and self._reference in ("", TICKET):
            return None, None
        credential = self._credentials.resolve(self._reference)
        user = principal(credential.user, self._name) if kerberos else credential.user
        return user, credential.password

    @property
    def _name(self) -> str:
        """The server's own name, by which Kerberos knows it, wherever the road leads."""
        exchange = self._server.exchange
        other = self._direct and exchange is not None and exchange.server != "local"
        return exchange.server if other and exchange is not None else self._server.fqdn

    def _once(self, pool: RunspacePool, script: Script, deadline: Deadline, progress: Progress) -> PowerShell:
        """Hand a script over and wait for its end. Raises `Failed`."""
        self._begin(deadline, progress)
        stage: Stage = "open"
        running = PowerShell(pool)
        try:
            if script.way == "command":
                _add_commands(running, script)
            else:
                running.add_script(script.text, use_local_scope=True)
            for name, reference in script.arguments:
                credential = self._credentials.resolve(reference)
                pool.exchange_keys()
                running.add_parameter(name, PSCredential(username=credential.user, password=credential.password))
                self._exchange = True
            if not progress.hand_over():
                raise DeadlineOver
            stage = "command"
            self._pipelines += 1
            try:
                running.begin_invoke()
            except Exception as error:
                if not broken(error) or not failure(error, stage, "", "").sent:
                    raise
                stage = "receive"
                self._find_out(running, error)
            stage = "receive"
            while running.state == PSInvocationState.RUNNING:
                if deadline.over:
                    raise DeadlineOver
                if progress.stop.is_set():
                    running.stop()
                    progress.stopped.set()
                    raise ended(self._server.name)
                running.poll_invoke(timeout=max(1, min(POLL_SECONDS, math.ceil(deadline.left()))))
        except Exception as error:
            failed = failure(error, stage, self._server.name, self._place)
            progress.sent = failed.sent
            failed.again = failed.again and not (self._elsewhere and isinstance(failed.error, Throttled))
            if stage != "open":
                self._remember(failed)
            self._drop(running=failed.sent and not script.mutates)
            raise failed from error
        finally:
            pool.pipelines.pop(running.id, None)
        return running

    def _remember(self, failed: Failed) -> None:
        """A logon that was refused is not tried again in this process: accounts lock."""
        if failed.denied is not None:
            self._denied = failed.denied

    def _find_out(self, running: PowerShell, error: Exception) -> None:
        """The connection broke while the script was handed over. Its id was chosen here, so the host can be asked.

        Returns when the host has it (waiting then goes on). Raises `Failed` when the host has never begun it, which is
        certain only if the request cannot still be on its way; otherwise the error.
        """
        self._progress.note(error, 0.0)
        running._command_id = running.id  # pyright: ignore[reportPrivateUsage] # no other way to ask
        running.state = PSInvocationState.RUNNING
        try:
            running.poll_invoke(timeout=1)
        except Exception as said:
            if gone(said) == "command" and not isinstance(error, Timeout):
                what = f"the connection to {self._server.name} broke, and the host never began the script"
                never = ConnectFailed(what, certain=("nothing was run",), host=self._server.name)
                raise Failed(never, again=True, sent=False) from error
            raise

    def _drop(self, *, running: bool = False) -> None:
        """Leave the pool: after a failure its state is not known. An idle shell ends by itself, as does a write that
        still runs; a reading that still runs is ended, without waiting for it.
        """
        pool, line, exchange = self._pool, self._line, self._exchange
        self._pool = self._line = None
        if running and pool is not None and line is not None:
            threading.Thread(target=_give_back, args=(pool, line), kwargs={"tidy": exchange}, daemon=True).start()
        elif line is not None:
            line.reset()

    def _answer(
        self,
        script: Script,
        progress: Progress,
        started: float,
        ran: PowerShell | None = None,
        *,
        error: StaroverError | None = None,
    ) -> Answer:
        shown = line_of if script.way == "script" else json_of
        return Answer(
            id=script.id,
            output="" if ran is None else "\n".join(shown(item) for item in ran.output),
            errors=() if ran is None else tuple(error_record(item) for item in ran.streams.error),
            warnings=() if ran is None else tuple(warning_text(item) for item in ran.streams.warning),
            failed=ran is not None and ran.state != PSInvocationState.COMPLETED,
            error=error,
            road=self.name,
            attempts=tuple(progress.attempts),
            seconds=round(time.monotonic() - started, 3),
        )


def _add_commands(running: PowerShell, script: Script) -> None:
    """The command as objects."""
    for command in commands(script.text, reads=not script.mutates):
        running.add_cmdlet(command.name)
        for name, value in command.parameters:
            running.add_parameter(name, list(value) if isinstance(value, tuple) else value)


def _give_back(pool: RunspacePool, line: Line, *, tidy: bool) -> None:
    """Delete a shell, and before that the Exchange session in it. Raises nothing: an idle shell ends by itself."""
    line.deadline = Deadline(CLOSING_SECONDS)
    line.on_resend = None
    with contextlib.suppress(Exception):
        if tidy:
            script = resources.files("starover.transport").joinpath("close.ps1").read_text("utf-8")
            closing = PowerShell(pool).add_script(script, use_local_scope=True)
            closing.begin_invoke()
            while closing.state == PSInvocationState.RUNNING:
                closing.poll_invoke(timeout=1)
    with contextlib.suppress(Exception):
        pool.close()
    line.reset()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
