"""Calls of the service `zevenet`: farms of a Zevenet or SKUDONET balancer by its API (ZAPI v4.0); judges nothing.

Operations: `list_farms`; `get_farm` (`farm`); `set_backend` (`farm`, `service_id`, `backend_id`, `action`, `mode`).
Each names its `balancer`. The key is found by the balancer's credential and stands in no call (S-FARM).
"""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
from collections.abc import Generator, Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from starover.calls import Call
from starover.errors import AuthFailed, BadReport, BadTemplate, ConnectFailed, ReplyLost, TimedOut
from starover.estate import Balancer, Server
from starover.transport.calls import CallFailed
from starover.transport.credentials import Resolver

__all__ = ["BASE", "FarmCalls", "ZapiRequest", "request_of"]

BASE = "/zapi/v4.0/zapi.cgi"
_PORT = 444
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_AGENT = "starover#call"
"""A lab's clock knows by it which request was announced."""
_NOTHING, _SENT, _DONE = ("nothing was sent",), ("it was asked once",), ("whether it was done",)
_SECONDS = 30.0


class ZapiRequest(msgspec.Struct, frozen=True):
    """What goes to a balancer's API."""

    balancer: str
    method: Literal["GET", "PUT"]
    path: str
    """Below `BASE`."""
    body: Mapping[str, str] | None = None


class _List(msgspec.Struct, forbid_unknown_fields=True):
    balancer: str


class _Get(msgspec.Struct, forbid_unknown_fields=True):
    balancer: str
    farm: str


class _Set(msgspec.Struct, forbid_unknown_fields=True):
    balancer: str
    farm: str
    backend_id: int
    action: Literal["maintenance", "up"]
    service_id: str = ""
    """Of an HTTP farm; L4xNAT farms have none."""
    mode: Literal["drain", "cut", ""] = ""


def request_of(call: Call) -> ZapiRequest:
    """The request that a call stands for. Raises `BadTemplate` for a call that the API does not have."""
    try:
        match call.operation:
            case "list_farms":
                return ZapiRequest(msgspec.convert(call.parameters, _List).balancer, "GET", "/farms")
            case "get_farm":
                got = msgspec.convert(call.parameters, _Get)
                return ZapiRequest(got.balancer, "GET", f"/farms/{_name(got.farm)}")
            case "set_backend":
                return _change(msgspec.convert(call.parameters, _Set))
            case _:
                raise BadTemplate(f"there is no call zevenet {call.operation[:40]}", certain=_NOTHING)
    except msgspec.ValidationError as error:
        raise BadTemplate(f"this is no call zevenet {call.operation}: {error}", certain=_NOTHING) from None


def _change(asked: _Set) -> ZapiRequest:
    service = f"/services/{_name(asked.service_id)}" if asked.service_id else ""
    path = f"/farms/{_name(asked.farm)}{service}/backends/{asked.backend_id}/maintenance"
    body = {"action": asked.action, "mode": asked.mode} if asked.mode else {"action": asked.action}
    return ZapiRequest(asked.balancer, "PUT", path, body)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise BadTemplate(f"`{text[:60]}` is no name of a farm or a service", certain=_NOTHING)
    return text


class FarmCalls:
    """Calls to the balancers of an estate; implements `transport.calls.Caller`."""

    road = "zapi"

    def __init__(self, balancers: Sequence[Balancer], credentials: Resolver, *, patience: float = float("inf")) -> None:
        """Nothing is contacted yet. `patience`: real seconds for an answer at most, of a lab."""
        self._balancers = {one.name: one for one in balancers if one.farms}
        self._credentials = credentials
        self._patience = patience

    def call(self, call: Call, server: Server, deadline: float, /) -> Mapping[str, object]:  # noqa: ARG002 - Caller's
        """The API's answer as data. Raises as `Caller.call`; a reading that the API fails at is `ReplyLost`.

        4xx ends a step; after 5xx the fact is read before anything is asked again (S-FARM).
        """
        request = request_of(call)
        balancer = self._balancers.get(request.balancer)
        if balancer is None:
            raise BadTemplate(
                f"the inventory gives the balancer {request.balancer} no `api:`",
                certain=_NOTHING,
                next=("give it `api:`, `ca_file:` and `credential:`",),
            )
        key = self._credentials.resolve(balancer.credential).password
        seconds = max(0.05, min(deadline, _SECONDS, self._patience))
        status, body = self._asked(balancer, request, key, seconds)
        what = f"the balancer {balancer.name}"
        if status in (401, 403):
            raise AuthFailed(
                f"{what} does not accept the key of {balancer.credential or 'its credential'} ({status})",
                certain=("nothing was done",),
                next=("the ZAPI key stands in the balancer under System > Users",),
            )
        if status >= 500 and request.method == "GET":
            raise ReplyLost(f"{what} failed to answer ({status})", certain=_SENT)
        said = _decoded(body, what) if status < 500 else {}
        if status >= 400:
            raise CallFailed(f"zapi-{status}", f"{what}: {said.get('message', 'it gave no reason')} ({status})")
        return said

    def _asked(self, balancer: Balancer, request: ZapiRequest, key: str, seconds: float) -> tuple[int, bytes]:
        at = urlsplit(balancer.api)
        what = f"the balancer {balancer.name}"
        try:
            trusted = ssl.create_default_context(cafile=balancer.ca_file or None)
        except OSError as error:
            raise ConnectFailed(f"the authority of {what} cannot be read: {error}", certain=_NOTHING) from None
        line = http.client.HTTPSConnection(at.hostname or "", at.port or _PORT, timeout=seconds, context=trusted)
        with contextlib.closing(line):
            with _unreached(what):
                line.connect()
            try:
                body = msgspec.json.encode(request.body) if request.body is not None else None
                headers = {"ZAPI_KEY": key, "User-Agent": _AGENT, "Content-Type": "application/json"}
                line.request(request.method, BASE + request.path, body, headers | {"Connection": "close"})
                answer = line.getresponse()
                return answer.status, answer.read()
            except TimeoutError:
                raise TimedOut(f"{what} has not answered in time", certain=_SENT, uncertain=_DONE) from None
            except (OSError, http.client.HTTPException) as error:
                raise ReplyLost(f"the connection to {what} broke: {error}", certain=_SENT, uncertain=_DONE) from None


@contextlib.contextmanager
def _unreached(what: str) -> Generator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise ConnectFailed(
            f"the certificate of {what} is not trusted: {error.verify_message}",
            certain=_NOTHING,
            next=("`ca_file:` of the balancer in the inventory names the authority",),
        ) from None
    except OSError as error:
        raise ConnectFailed(f"{what} cannot be reached: {error}", certain=_NOTHING) from None


def _decoded(body: bytes, what: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.MsgspecError:
        raise BadReport(f"{what} did not answer as its API does") from None
