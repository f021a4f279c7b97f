"""AWS's protocols: which call an HTTP request is, and a reply or an error as its client reads it; performs no call.

The shapes are botocore's own description of the API, read and written by moto's protocol code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.sax.saxutils import escape

import msgspec
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import determine_request_protocol
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.core.model import OperationModel, ServiceModel
    from moto.core.request import Request

__all__ = ["Asked", "Unreadable", "asked", "error_answer", "reply_answer", "service_of"]

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""
_SIGNED_AS = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
"""Names of services in a signature that are not boto3's."""
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d{8}/([^/]*)/([^/]+)/aws4_request")
_TARGET = re.compile(r"(?:\w+\.)+(\w+)")
_STATUS = {
    "Unavailable": 503,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "InternalError": 500,
    "InternalServerError": 500,
    "InternalFailure": 500,
    "AccessDenied": 403,
    "UnauthorizedOperation": 403,
}
"""HTTP status of errors; 400 for all others."""


class Unreadable(Exception):
    """A request that is none of its service's."""

    def __init__(self, what: str, protocol: str = "query") -> None:
        """`protocol`: how its client reads the answer."""
        super().__init__(what)
        self.protocol = protocol


@dataclass(frozen=True)
class Asked:
    """One call, as a request says it."""

    service: str
    """boto3's name."""
    model: OperationModel
    parameters: Mapping[str, object]
    protocol: str

    @property
    def operation(self) -> str:
        """Name of the method of boto3's client."""
        return xform_name(str(self.model.name))


def service_of(authorization: str) -> str:
    """boto3's name of the service that a request is signed for; empty: it is not signed."""
    found = _CREDENTIAL.search(authorization)
    return "" if found is None else _SIGNED_AS.get(found[2], found[2])


def asked(service: str, request: Request) -> Asked:
    """The call of a request. Raises `Unreadable`."""
    try:
        services = get_service_model(service)
        protocol = determine_request_protocol(services, request.content_type)
    except (UnknownServiceError, NotImplementedError) as error:
        raise Unreadable(str(error)) from error
    try:
        name, found = _operation(services, request)
    except Unreadable as error:
        raise Unreadable(str(error), protocol) from None
    model = services.operation_model(name)
    try:
        parameters = PROTOCOL_PARSERS[protocol](model).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.get_data(),
                "url_path": request.path,
                "url_params": found,
            }
        )
    except (RequestParserError, ValueError, TypeError) as error:
        raise Unreadable(f"{service} {name}: {error}", protocol) from error
    return Asked(service, model, parameters, protocol)


def _operation(services: ServiceModel, request: Request) -> tuple[str, dict[str, str]]:
    """Name of the operation, and what stands for it in the path."""
    target = _TARGET.fullmatch(request.headers.get("X-Amz-Target", ""))
    name = target[1] if target is not None else request.values.get("Action", "")
    if name in services.operation_names:
        return name, {}
    path = request.raw_path.rstrip("/")  # a name in it may have slashes of its own
    for route in _routes(services):
        match = route.path.fullmatch(path) if route.method == request.method else None
        if match is not None and all(request.args.get(key) == value for key, value in route.query.items()):
            return route.operation, dict(zip(route.names, map(unquote, match.groups()), strict=True))
    raise Unreadable(f"there is no call {name or f'{request.method} {path}'}")


@dataclass(frozen=True)
class _Route:
    operation: str
    method: str
    path: re.Pattern[str]
    names: tuple[str, ...]
    query: Mapping[str, str]


@cache
def _routes(services: ServiceModel) -> list[_Route]:
    """The paths of a REST service, the most particular first."""
    found: list[_Route] = []
    for name in services.operation_names:
        trait = services.operation_model(name).http_trait
        names = tuple(part.removesuffix("+") for part in re.findall(r"\{([^}]+)\}", trait.path))
        path = re.sub(r"\\\{[^}]+?(\\\+)?\\\}", lambda part: "(.+)" if part[1] else "([^/]+)", re.escape(trait.path))
        query = {key: str(value) for key, value in trait.query_args.items()}
        found.append(_Route(name, trait.method, re.compile(path.rstrip("/")), names, query))
    return sorted(found, key=lambda route: (-len(route.query), len(route.names), -len(route.path.pattern)))


def reply_answer(call: Asked, reply: Mapping[str, object], request_id: str) -> Answer:
    """A reply of boto3's shape as HTTP."""
    serializer = get_serializer_class(call.service, call.protocol)
    made = serializer(call.model, context=SerializationContext(request_id)).serialize(reply)
    body = made["body"]
    return made["status_code"], dict(made["headers"]), body.encode() if isinstance(body, str) else body


def error_answer(protocol: str, code: str, message: str, request_id: str) -> Answer:
    """An error as HTTP, for a client of that protocol."""
    status = _STATUS.get(code, 429 if code == "TooManyRequestsException" else 400)
    if protocol in ("json", "rest-json"):
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
        return status, headers, msgspec.json.encode({"__type": code, "message": message})
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return status, {"Content-Type": "text/xml"}, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
