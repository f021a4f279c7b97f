"""Calls to AWS by boto3: its clients, and its errors as the library's own; knows no single service and no endpoint.

Where AWS is (`AWS_ENDPOINT_URL` included), and whose account it is, boto3 finds as it always does. Nothing of boto3 is
loaded before somebody calls.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from starover.calls import Call
from starover.errors import (
    AuthFailed,
    BadInventory,
    ConnectFailed,
    Mistake,
    ReplyLost,
    StaroverError,
    Throttled,
    TimedOut,
)
from starover.estate import Server
from starover.transport.calls import CallFailed

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient

__all__ = ["THROTTLED", "AwsCalls", "Clients", "calling", "failure", "method"]

THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "PriorRequestNotComplete",
        "SlowDown",
        "EC2ThrottledException",
        "BandwidthLimitExceeded",
    }
)
"""Codes that say: nothing was done, come back later (botocore's own list)."""
_NOT_KNOWN = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes that say: whoever calls is not known."""
_UNSURE = frozenset({"InternalError", "InternalFailure", "InternalServerError", "InternalServerException"})
"""Codes after which a write may have been done, or not; so it is after any HTTP status of 500 and above."""
_REFUSED = "Insufficient"
"""So begin those of EC2 that come with such a status and say that nothing was done: there is no capacity."""
_READS = ("describe_", "list_", "get_", "head_", "test_")
_MOST_TRIES = 8
_CONNECT_SECONDS = 5.0
_CALLED = "md/starover#call"
"""In the user agent of every call as data: CloudTrail shows whose it is, and a lab knows which one it was told of."""
_REGIONS = {"health": "us-east-1"}
"""Services with one region for all."""
_NOTHING = ("nothing was sent",)


class Clients:
    """boto3's clients of one account, made when they are first used, and kept. Threads share them."""

    def __init__(self, region: str = "", *, ready: Callable[[], None] = lambda: None) -> None:
        """`region`: empty: as boto3 is configured. `ready` is called before boto3 looks for its configuration."""
        self._region = region
        self._ready = ready
        self._session: boto3.Session | None = None
        self._made: dict[tuple[str, int, int, str], BaseClient] = {}
        self._lock = threading.Lock()

    def of(
        self, service: str, *, seconds: float = 60.0, reads: bool = False, mark: str = "", tries: int = _MOST_TRIES
    ) -> BaseClient:
        """The client of a service, named as boto3 does; an answer may take `seconds`.

        With `reads` it tries again by itself, `tries` times in all, at a pace that AWS's throttling sets; without,
        nothing is sent twice. `mark` goes into its user agent. Raises boto3's errors: see `failure`.
        """
        key = (service, max(1, math.ceil(seconds)), tries if reads else 1, mark)
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(*key)
            return self._made[key]

    def _make(self, service: str, seconds: int, tries: int, mark: str) -> BaseClient:
        import boto3
        from botocore.config import Config

        self._ready()
        if self._session is None:
            self._session = boto3.Session(region_name=self._region or None)
        mode = "adaptive" if tries > 1 else "standard"
        retries: Mapping[str, str | int] = {"mode": mode, "total_max_attempts": tries}
        config = Config(
            connect_timeout=min(_CONNECT_SECONDS, seconds),
            read_timeout=seconds,
            retries=retries,
            user_agent_extra=mark,
            max_pool_connections=32,
        )
        return self._session.client(service, region_name=_REGIONS.get(service), config=config)


def method(client: BaseClient, name: str) -> Callable[..., dict[str, object]]:
    """A method of a client, such as `stop_instances`. Raises `Mistake` for one that it does not have."""
    found = getattr(client, name, None)
    if not callable(found):
        raise Mistake(f"boto3 has no call {name} of that service", certain=_NOTHING)
    return cast("Callable[..., dict[str, object]]", found)


def calling(clients: Clients, seconds: float) -> Callable[[str, str, Mapping[str, object]], Mapping[str, object]]:
    """What makes a call by service, operation and parameters, each once and for so many seconds at most.

    It raises the library's errors, and `CallFailed`.
    """

    def call(service: str, operation: str, parameters: Mapping[str, object]) -> Mapping[str, object]:
        try:
            return method(clients.of(service, seconds=seconds), operation)(**parameters)
        except StaroverError:
            raise
        except Exception as error:
            raise failure(error, f"{service} {operation}") from error

    return call


class AwsCalls:
    """Calls as data by boto3; implements `starover.transport.calls.Caller`."""

    road = "aws"

    def __init__(self, clients: Clients) -> None:
        """Nothing is contacted yet."""
        self._clients = clients

    def call(self, call: Call, server: Server, deadline: float, /) -> Mapping[str, object]:
        """As `Caller.call`. A read that AWS throttles is tried again, a write never."""
        reads = call.operation.startswith(_READS)
        try:
            client = self._clients.of(call.service, seconds=deadline, reads=reads, mark=_CALLED)
            return method(client, call.operation)(**call.parameters)
        except StaroverError:
            raise
        except Exception as error:
            raise failure(error, f"{call.service} {call.operation}", host=server.name) from error


def failure(error: Exception, what: str, *, host: str = "") -> Exception:
    """The library's error, or `CallFailed`, for what boto3 raised; `what` was called, `host` whom it was about.

    What is neither of boto3 nor of its connection is given back as it is.
    """
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _answered(error, what, host)
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError | boto.ProxyConnectionError):
        return ConnectFailed(f"AWS cannot be reached for {what}: {error}", certain=_NOTHING, host=host)
    if isinstance(error, boto.SSLError):
        return ConnectFailed(f"AWS's certificate is not trusted ({what}): {error}", certain=_NOTHING, host=host)
    if isinstance(error, boto.ReadTimeoutError):
        return TimedOut(
            f"AWS has not answered {what} in time",
            certain=("the call was sent once",),
            uncertain=("whether it was done",),
            host=host,
        )
    if isinstance(error, boto.ConnectionClosedError | boto.HTTPClientError):
        return ReplyLost(
            f"the connection to AWS broke during {what}: {error}",
            certain=("the call was sent once",),
            uncertain=("whether it was done",),
            host=host,
        )
    if isinstance(error, boto.ParamValidationError):
        return CallFailed("ParamValidation", str(error))
    if isinstance(error, boto.NoRegionError):
        return BadInventory(
            "no AWS region is known", certain=_NOTHING, next=("give the inventory `region: eu-west-1`",), host=host
        )
    if isinstance(error, boto.UnknownServiceError):
        return Mistake(f"this boto3 does not know {what}: {error}", certain=_NOTHING, next=("pip install -U boto3",))
    if isinstance(error, boto.BotoCoreError):  # credentials, profiles, configuration: found before anything is sent
        return AuthFailed(
            f"AWS cannot be called ({what}): {error}",
            certain=_NOTHING,
            next=("aws sts get-caller-identity   must answer in the same shell",),
            host=host,
        )
    return error


def _answered(error: Exception, what: str, host: str) -> Exception:
    from botocore.exceptions import ClientError

    assert isinstance(error, ClientError)
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in THROTTLED:
        return Throttled(message, host=host)
    if code in _NOT_KNOWN:
        return AuthFailed(
            f"AWS does not accept the credentials: {message}",
            certain=("nothing was done",),
            next=("aws sts get-caller-identity   must answer in the same shell",),
            host=host,
        )
    if code in _UNSURE or (isinstance(status, int) and status >= 500 and not code.startswith(_REFUSED)):
        return ReplyLost(
            f"AWS failed at {what}: {message}",
            certain=("the call was sent once",),
            uncertain=("whether it was done",),
            host=host,
        )
    return CallFailed(code, message)
