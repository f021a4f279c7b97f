"""Calls in a lab: AWS's over its control port instead of boto3, looks at what it has on loopback; knows no service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from starover.calls import Call
from starover.errors import BadReport, Throttled, TimedOut
from starover.estate import Server
from starover.transport.calls import CallFailed
from starover.transport.probe import Probes
from starover_cli.lab_client import Lab

__all__ = ["LabCloud", "lab_probes"]

_THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"}


class _Error(msgspec.Struct):
    code: str
    message: str


class _Answer(msgspec.Struct):
    reply: dict[str, object] = {}
    error: _Error | None = None


class _Port(msgspec.Struct):
    address: str
    port: int
    at: int


PATIENCE = 2.0
"""Real seconds for a look at something in a lab: whoever answers there does so at once."""


def lab_probes(folder: Path) -> Probes:
    """Looks over the network of a lab: addresses of its estate are ports of loopback, and its own time passes.

    Raises `LabGone` when there is no lab, with the first look.
    """

    def place(address: str, port: int) -> tuple[str, int]:
        known = msgspec.convert(Lab.at(folder).about.get("ports", []), list[_Port])
        found = next((one for one in known if (one.address, one.port) == (address, port)), None)
        if found is None:
            raise LookupError(address)
        return "127.0.0.1", found.at

    def told(seconds: float) -> None:
        Lab.at(folder).hold("probed", {"seconds": seconds}, 60)

    return Probes(place, patience=PATIENCE, told=told)


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
