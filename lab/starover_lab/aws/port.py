"""The port on which the lab's AWS answers: own calls in the world's thread, all others by moto; knows no call itself.

A bare socket until somebody comes: what HTTP, boto3's models and moto need is loaded then, in a thread of its own.

A call as data of the tool has been announced to the lab's clock (`Scheduler.expect`), is marked by its user agent, and
takes simulated time as a script does. All other requests happen at once: polls and strangers move no clock.
"""

from __future__ import annotations

import asyncio
import io
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from starover_lab.cloud.api import Cloud
from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given, Reply
from starover_lab.wire.endpoint import ScriptTask

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from moto.core.request import Request
    from werkzeug.serving import BaseWSGIServer

    from starover_lab.aws.wire import Asked
    from starover_lab.pump import Pump

__all__ = ["ANNOUNCED", "AwsPort", "Logged"]

_LOG = logging.getLogger(__name__)
_ADDRESS = "127.0.0.1"
ANNOUNCED = "starover#call"
"""In the user agent of a request whose call was announced as one of a batch."""
_AGAIN = "attempt="
_TARGETS = {"secretsmanager": "secretsmanager", "ssm": "AmazonSSM"}
"""How a service's JSON calls begin."""
_PASSED = 1000
"""So many calls are remembered."""


@dataclass(frozen=True)
class Logged:
    """A call that came."""

    number: int
    time: datetime
    """Simulated."""
    service: str
    operation: str
    """As boto3 names both; the operation is empty where moto alone could tell it."""
    by: str
    """`lab`, or `moto`."""
    error: str = ""
    """Its code."""


@dataclass(eq=False)
class AwsPort:
    """All of AWS on one port of loopback."""

    cloud: Cloud
    pump: Pump
    calls: list[Logged] = field(default_factory=list[Logged])
    """The last ones, oldest first."""
    _socket: socket.socket | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _server: BaseWSGIServer | None = None
    _moto: WSGIApplication | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: set[Future[Reply | None]] = field(default_factory=set[Future[Reply | None]])
    _closed: bool = False
    _number: int = 0

    @property
    def url(self) -> str:
        """What `AWS_ENDPOINT_URL` is to be."""
        assert self._socket is not None
        return f"http://{_ADDRESS}:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        """Listen, from within the loop to which the world belongs. Raises `OSError`."""
        self._loop = asyncio.get_running_loop()
        self.cloud.store = self._put
        self.cloud.others = self._asked_of_moto
        self._socket = socket.create_server((_ADDRESS, 0), backlog=128)
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._begin)

    def close(self) -> None:
        """Give the port back."""
        self._closed = True
        if self._socket is not None and self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        if self._server is not None:
            threading.Thread(target=self._server.shutdown, daemon=True).start()
        for future in list(self._waiting):
            future.cancel()

    def _begin(self) -> None:
        """The first one has come."""
        assert self._socket is not None
        assert self._loop is not None
        self._loop.remove_reader(self._socket)
        threading.Thread(target=self._serve, args=(self._socket.fileno(),), name="aws", daemon=True).start()

    # -- in the port's threads -----------------------------------------------------------------------------------

    def _serve(self, descriptor: int) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Quiet(MotoRequestHandler):
            def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
                _LOG.log(logging.INFO if type == "info" else logging.WARNING, message, *args)

        try:
            server = make_server(_ADDRESS, 0, self._answer, threaded=True, fd=descriptor, request_handler=Quiet)
        except OSError:  # the lab has ended meanwhile
            return
        self._server = server
        if not self._closed:
            server.serve_forever(poll_interval=0.1)

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        from moto.core.request import Request

        from starover_lab.aws import wire

        service = wire.service_of(str(environ.get("HTTP_AUTHORIZATION", "")))
        if not self.cloud.serves(service):
            return self._others(service, "", environ, start)
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        try:
            call = wire.asked(service, request)
        except wire.Unreadable as error:
            return _send(start, wire.error_answer(error.protocol, "InvalidAction", str(error), _id(0)))
        own = self.cloud.knows(service, call.operation)
        try:
            reply = self._in_the_world(call, own=own, counts=_counts(request))
        except CloudError as error:
            return _send(start, wire.error_answer(call.protocol, error.code, error.message, _id(self._number)))
        except CancelledError:
            return _send(start, wire.error_answer(call.protocol, "ServiceUnavailable", "the lab ends", _id(0)))
        if reply is None:
            return self._others(service, call.operation, environ, start)
        return _send(start, wire.reply_answer(call, reply, _id(self._number)))

    def _in_the_world(self, call: Asked, *, own: bool, counts: bool) -> Reply | None:
        """A call's reply; None: moto has it. Raises `CloudError`."""
        assert self._loop is not None
        came: Future[Reply | None] = Future()
        self._waiting.add(came)
        try:
            self._loop.call_soon_threadsafe(self._take_in, call, own, counts, came)
            return came.result()
        except RuntimeError:  # the loop is closed
            raise CancelledError from None
        finally:
            self._waiting.discard(came)

    def _others(self, service: str, operation: str, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if not operation:
            self._note(service, operation, "moto")
        try:
            return self._moto_app()(environ, start)
        except Exception as error:  # moto's way to say that it has no such call
            _LOG.info("moto: %s", error)
            from starover_lab.aws import wire

            protocol = "json" if "json" in str(environ.get("CONTENT_TYPE", "")) else "query"
            said = f"the lab does not simulate {service or 'this service'} {operation}".strip()
            return _send(start, wire.error_answer(protocol, "NotSimulated", said, _id(self._number)))

    def _moto_app(self) -> WSGIApplication:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        with self._lock:
            if self._moto is None:
                self._moto = DomainDispatcherApplication(create_backend_app)
            return self._moto

    # -- in the world's thread -----------------------------------------------------------------------------------

    def _put(self, bucket: str, key: str, content: bytes, /) -> None:
        """An object for S3, as `cloud.invocations.Store`: moto has the buckets."""
        from werkzeug.test import Client

        signed = f"AWS4-HMAC-SHA256 Credential=AGENT/20260101/{self.cloud.region}/s3/aws4_request"
        answer = Client(self._moto_app()).put(f"/{bucket}/{key}", data=content, headers={"Authorization": signed})
        if answer.status_code != 200:
            code = "NoSuchBucket" if answer.status_code == 404 else "AccessDenied"
            raise CloudError(code, f"S3 answers {answer.status}")

    def _asked_of_moto(self, service: str, operation: str, parameters: Given, /) -> Reply:
        """A call of a host with JSON, as `cloud.api.Others`: moto has the secrets and the parameters."""
        from werkzeug.test import Client

        scope = f"HOST/20260101/{self.cloud.region}/{service}/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{_TARGETS[service]}.{''.join(word.title() for word in operation.split('_'))}",
        }
        answer = Client(self._moto_app()).post("/", data=msgspec.json.encode(parameters), headers=headers)
        said = msgspec.json.decode(answer.get_data(), type=dict[str, object])
        if answer.status_code != 200:
            code = str(said.get("__type", "InternalFailure")).rpartition("#")[2]
            raise CloudError(code, str(said.get("message") or said.get("Message") or code))
        self._note(service, operation, "moto")
        return said

    def _take_in(self, call: Asked, own: bool, counts: bool, came: Future[Reply | None]) -> None:
        # Named by what is asked, so that the order of arrival of calls side by side tells no story.
        plain = msgspec.json.encode(call.parameters, enc_hook=str).decode()
        done: list[Reply | None] = []

        def body() -> None:
            if counts:
                self.pump.scheduler.wait(self.cloud.latency(call.operation))
            elif self.pump.speed > 0:
                self.cloud.admit_stranger(call.service)
            if own:
                done.append(self.cloud.perform(call.service, call.operation, call.parameters))
            else:
                self.cloud.admit(call.service, call.operation)
                done.append(None)

        def ended(task: ScriptTask) -> None:
            error = task.error
            code = error.code if isinstance(error, CloudError) else "" if error is None else type(error).__name__
            self._note(call.service, call.operation, "lab" if own else "moto", code)
            if came.cancelled():
                return
            if error is None:
                came.set_result(done[0])
            elif isinstance(error, CloudError):
                came.set_exception(error)
            else:
                _LOG.error("the lab's AWS failed", exc_info=error)
                came.set_exception(CloudError("InternalFailure", f"the lab failed: {error}"))

        self.pump.spawn(f"aws {call.service} {call.operation} {plain}", body, ended, preliminary=not counts)

    def _note(self, service: str, operation: str, by: str, error: str = "") -> None:
        with self._lock:
            self._number += 1
            self.calls.append(Logged(self._number, self.pump.now, service, operation, by, error))
            del self.calls[:-_PASSED]


def _counts(request: Request) -> bool:
    """Whether a request is one that was announced: a call of the tool, and not botocore's own next try of it."""
    again = request.headers.get("amz-sdk-request", "").partition(_AGAIN)[2].partition(";")[0]
    return ANNOUNCED in request.headers.get("User-Agent", "") and again in ("", "1")


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


_REASONS: Mapping[int, str] = {200: "OK", 400: "Bad Request", 403: "Forbidden", 429: "Too Many Requests"}


def _send(start: Callable[..., object], answer: tuple[int, Mapping[str, str], bytes]) -> Iterable[bytes]:
    status, headers, body = answer
    start(
        f"{status} {_REASONS.get(status, 'Status')}",
        [*((name, str(value)) for name, value in headers.items()), ("Content-Length", str(len(body)))],
    )
    return [body]
