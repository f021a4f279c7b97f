"""One Windows host on the line: its listeners, who may log on, message encryption, and the accidents of the line."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections import Counter
from dataclasses import dataclass, field

from starover_lab.wire import sealing, tickets
from starover_lab.wire.auth import Authentication, Refused, Ticketing, TokenWanted
from starover_lab.wire.endpoint import Endpoint, Scripts
from starover_lab.wire.http1 import Connection, Fate, HttpRequest, HttpResponse, Line, Listener
from starover_lab.wire.plans import Kind, Plans
from starover_lab.wire.service import Caller, Limits, Service

__all__ = ["Host", "Options"]

_LOG = logging.getLogger(__name__)
_SOAP = "application/soap+xml;charset=UTF-8"
_ACTION = re.compile(rb"Action[^>]*>[^<]*/([A-Za-z]+)<")
_FATES: dict[Kind | None, Fate] = {"reset-after": "reset", "half": "half", "silent-after": "never"}
_PATHS = {"/wsman": "", "/powershell": "Microsoft.Exchange"}


@dataclass(frozen=True)
class Options:
    """How the service is configured."""

    allow_unencrypted: bool = False
    """Service/AllowUnencrypted: plain bodies and Basic over http too."""
    slow_seconds: float = 0.25
    """How long each answer takes, in real time, while the line is slow."""
    request_seconds: float = 0.0
    """How long every request takes, in real time: the way to a host that is not on loopback."""
    shell_seconds: float = 0.0
    """How long a shell takes to begin, in real time: on Windows a process starts."""
    command_seconds: float = 0.0
    """How long a command of a command shell takes to begin, in real time: on Windows two processes start."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class _Logon:
    """What belongs to one connection."""

    authentication: Authentication
    boot: int
    """The host's boot in which the connection was made."""


class Host:
    """A host of the lab as clients meet it: WinRM over http and https on two ports of one address."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        scripts: Scripts,
        *,
        address: str = "127.0.0.1",
        tls: tuple[ssl.SSLContext, bytes] | None = None,
        options: Options | None = None,
        ports: tuple[int, int] = (0, 0),
        fqdn: str = "",
    ) -> None:
        """`tls` is the server's context and the SHA-256 of its certificate; without it there is no https listener.
        `ports` are those of http and https, 0: any that is free. With an `fqdn` tickets to HTTP/`fqdn` are taken, where
        the process has a keytab."""
        self.name = name
        self._ticketing = None
        if fqdn and tickets.offered():
            self._ticketing = Ticketing(fqdn, lambda: endpoint.clock_error(name), lambda: scripts.now)
        self.plans = Plans()
        self.requests: Counter[str] = Counter()
        """Requests that came, by action: for tests and for who wants to know what a client costs."""
        self._endpoint = endpoint
        self._scripts = scripts
        self._options = options or Options()
        self._closed = False
        self.service = Service(name, endpoint, scripts)
        self.configure(self._options)
        self.http = self._listener(address, ports[0], None)
        self.https = self._listener(address, ports[1], tls) if tls is not None else None

    def _listener(self, address: str, port: int, tls: tuple[ssl.SSLContext, bytes] | None) -> Listener:
        context, digest = tls or (None, None)
        return Listener(
            address,
            port,
            self._handle,
            tls=context,
            certificate_hash=digest,
            line=self.line,
            on_turned_away=lambda: self._scripts.absent(self.name),
        )

    def configure(self, options: Options) -> None:
        """Other options from now on; connections and shells stay."""
        self._options = options
        self.service.limits = options.limits
        self.service.allow_unencrypted = options.allow_unencrypted

    @property
    def options(self) -> Options:
        """How the service is configured now."""
        return self._options

    @property
    def listeners(self) -> list[Listener]:
        """Both, or the one there is."""
        return [self.http] if self.https is None else [self.http, self.https]

    def line(self) -> Line:
        """What the line does now. A host that is off swallows packets, as a network does; it does not refuse."""
        modes = self._endpoint.modes(self.name)
        if "off" in modes or "silent" in modes:
            return "silent"
        return "refused" if "refused" in modes else "up"

    async def start(self) -> None:
        """Listen. Raises `OSError` when a port is taken."""
        for listener in self.listeners:
            await listener.serve()

    @property
    def out_of_step(self) -> bool:
        """Whether the listeners are not yet as the host's state wants them."""
        refused = self.line() == "refused"
        return any(listener.serving == refused for listener in self.listeners)

    async def follow(self) -> None:
        """Close or open the listeners as the host's state wants it."""
        if self._closed or not self.out_of_step:
            return
        refused = self.line() == "refused"
        for listener in self.listeners:
            if refused and listener.serving:
                await listener.refuse()
            elif not refused and not listener.serving:
                await listener.serve()
        if refused:
            self._scripts.absent(self.name)

    def close(self) -> None:
        """Give the ports back and close all shells."""
        self._closed = True
        for listener in self.listeners:
            listener.close()
        self.service.close()

    # -- requests ------------------------------------------------------------------------------------------------

    async def _handle(self, connection: Connection, request: HttpRequest) -> HttpResponse:
        line = self.line()
        boot = self._endpoint.boot(self.name)
        state = connection.state
        if not isinstance(state, _Logon):
            state = connection.state = _Logon(self._authentication(connection), boot)
        if line == "silent":
            if self._brings_a_script(state.authentication, request):
                self._scripts.absent(self.name)
            return HttpResponse(200, fate="never")
        if line == "refused" or state.boot != boot:  # a host that has booted knows no connection from before
            return HttpResponse(200, fate="reset")
        wait = self._options.slow_seconds if "slow" in self._endpoint.modes(self.name) else 0.0
        if wait + self._options.request_seconds > 0:
            await asyncio.sleep(wait + self._options.request_seconds)
        configuration = _PATHS.get(request.path.partition("?")[0].rstrip("/").lower())
        if configuration is None:
            return HttpResponse(404)
        if request.method != "POST":
            return HttpResponse(405)
        self._scripts.kick()  # a client is on its way
        given = request.headers.get("authorization")
        try:
            user, headers = state.authentication.check(given)
        except TokenWanted as wanted:
            return HttpResponse(401, headers=wanted.headers)
        except Refused as refused:
            if given is not None:
                self._scripts.absent(self.name)
            return HttpResponse(401, headers=refused.headers)
        if not request.body:
            return HttpResponse(200, headers=headers)
        caller = Caller(user, connection.peer, configuration)
        answer = await self._open(connection, request, state.authentication, caller)
        if self.line() == "silent":  # it went down while it worked
            return HttpResponse(200, fate="never")
        if self._endpoint.boot(self.name) != boot:
            return HttpResponse(200, fate="reset")
        return HttpResponse(answer.status, answer.body, (*headers, *answer.headers), answer.fate)

    async def _begin(self, action: str, document: bytes) -> None:
        """The real time that a process takes to start on Windows, if that is wanted."""
        wait = {"Create": self._options.shell_seconds, "Command": self._options.command_seconds}.get(action, 0.0)
        if wait > 0 and (action == "Create" or b"/windows/shell/cmd<" in document):
            await asyncio.sleep(wait)

    def _brings_a_script(self, state: Authentication, request: HttpRequest) -> bool:
        """Whether this request is on the way to a script, as far as can be seen: a logon, Create or Command."""
        document = request.body
        if sealing.is_sealed(request.headers.get("content-type", "")) and state.context is not None:
            try:
                document = sealing.open_sealed(state.context, document)
            except sealing.Unreadable:
                return False
        found = _ACTION.search(document)
        return found is None or found[1] in (b"Create", b"Command")

    def _authentication(self, connection: Connection) -> Authentication:
        secure = connection.certificate_hash is not None
        return Authentication(
            lambda user: self._endpoint.authenticate(self.name, user),
            certificate_hash=connection.certificate_hash,
            basic=secure or self._options.allow_unencrypted,
            ticketing=self._ticketing,
        )

    async def _open(
        self, connection: Connection, request: HttpRequest, state: Authentication, caller: Caller
    ) -> HttpResponse:
        """Decrypt, do, and encrypt."""
        kind = request.headers.get("content-type", "")
        if not sealing.is_sealed(kind):
            if connection.certificate_hash is None and not self._options.allow_unencrypted:
                return HttpResponse(500)
            return await self._do(caller, request.body, None, "")
        if state.context is None:
            return HttpResponse(400)
        try:
            document = sealing.open_sealed(state.context, request.body)
        except sealing.Unreadable as error:
            _LOG.info("%s: a body cannot be decrypted: %s", self.name, error)
            return HttpResponse(400)
        return await self._do(caller, document, state, sealing.protocol_of(kind))

    def _dropped(self, action: str) -> Kind | None:
        """What the fault `winrm_drop` does to a script."""
        modes = self._endpoint.modes(self.name) if action == "Command" else ()
        return "reset-before" if "drops-before" in modes else "reset-after" if "drops-after" in modes else None

    async def _do(self, caller: Caller, document: bytes, state: Authentication | None, protocol: str) -> HttpResponse:
        found = _ACTION.search(document)
        action = found[1].decode() if found else ""
        self.requests[action] += 1
        await self._begin(action, document)
        accident = self.plans.strike(action) or self._dropped(action)
        if accident in ("reset-before", "silent-before"):
            return HttpResponse(200, fate="reset" if accident == "reset-before" else "never")
        if accident is not None and accident.startswith("http-"):
            return HttpResponse(int(accident.removeprefix("http-")))
        status, body = (
            self.service.refuse(document) if accident == "quota" else await self.service.answer(caller, document)
        )
        content = _SOAP
        if state is not None:
            assert state.context is not None
            content, body = sealing.seal(state.context, protocol, body)
        return HttpResponse(status, body, (("Content-Type", content),), _FATES.get(accident, "whole"))
