"""Calls to AWS, in a lab: over its control port instead of boto3; knows no service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from starover.calls import Call
from starover.errors import BadReport, Throttled, TimedOut
from starover.estate import Server
from starover.transport.calls import CallFailed
from starover_cli.lab_client import Lab

__all__ = ["LabCloud"]

_THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"}


class _Error(msgspec.Struct):
    code: str
    message: str


class _Answer(msgspec.Struct):
    reply: dict[str, object] = {}
    error: _Error | None = None


class LabCloud:
    """AWS as the lab simulates it; implements `starover.transport.calls.Caller`."""

    road = "lab"

    def __init__(self, folder: Path) -> None:
        """`folder` has the lab's files, which are read when somebody calls."""
        self._folder = folder

    def call(self, call: Call, server: Server, deadline: float, /) -> Mapping[str, object]:
        """As `Caller.call`. Raises `LabGone` when there is no lab any more."""
        body = {"service": call.service, "operation": call.operation, "parameters": call.parameters}
        said = Lab.at(self._folder).hold("call", body, deadline)
        if said is None:
            raise TimedOut(f"AWS has not answered {call.operation} within {deadline:g} s", host=server.name)
        try:
            answer = msgspec.convert(said, _Answer)
        except msgspec.ValidationError as error:
            raise BadReport(f"the lab's answer to {call.service} {call.operation} is no answer: {error}") from None
        if answer.error is None:
            return answer.reply
        if answer.error.code in _THROTTLED:
            raise Throttled(answer.error.message)
        raise CallFailed(answer.error.code, answer.error.message)
