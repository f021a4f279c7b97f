"""Parameters that runbooks for maintenance and moves share, with their limits (catalogue 6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec

from starover.errors import BadParameter
from starover.names import ServerName

__all__ = [
    "AUTO",
    "WHOLE_DAG",
    "Check",
    "Copies",
    "Gib",
    "MountDial",
    "QueueName",
    "Queued",
    "RunId",
    "Scope",
    "Seconds",
    "ServiceName",
    "Target",
    "Threshold",
]

Copies: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=3, description="a number from 1 to 3")]
"""Good copies that must remain."""
Queued: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10_000, description="a number from 0 to 10000")]
"""Messages that may stay in the queues of a server."""
Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=600, description="a number from 0 to 600")]
"""A pause."""
Gib: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=65_536, description="a number of GiB, at most 65536")]
"""The size of an EBS volume."""
Threshold: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=100_000, description="a number from 1 to 100000")]
"""Messages in one queue."""
QueueName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\x00-\x1f\x7f'\"*?]{1,255}(?![\s\S])",
        title="Queue",
        description="a queue such as EX1\\Submission, or its name without the server",
    ),
]
"""A transport queue."""
MountDial: TypeAlias = Literal["None", "Lossless", "GoodAvailability", "BestAvailability", "BestEffort"]
"""How many logs mounting may lose; `None`: the server's own setting."""
Check: TypeAlias = Literal["active-copy", "health", "lag", "client-experience", "max-active"]
"""A check of Active Manager that may be left out by name."""
RunId: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9a-f]{4,8}(\.[0-9]{0,9})?(?![\s\S])",
        title="Run",
        description="the id of a run such as 5e1b9f03.1, or at least 4 of its digits",
    ),
]
"""An earlier run."""
ServiceName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?![Ww][Ii][Nn][Rr][Mm](?![\s\S]))[A-Za-z][A-Za-z0-9._-]{1,79}(?![\s\S])",
        title="Service",
        description="a service's short name such as MSExchangeIS, W3SVC or ClusSvc; not WinRM, which carries this",
    ),
]
"""A Windows service of a member."""


def _server(text: str) -> str:
    try:
        return msgspec.convert(text, ServerName)
    except msgspec.ValidationError:
        raise BadParameter(
            f"`{text}` is no server", certain=("nothing was contacted",), next=("auto, or a server's name",)
        ) from None


@dataclass(frozen=True)
class Target:
    """Where something goes: a server by name, or `auto`, the best one."""

    server: str = ""
    """Empty: the best one."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read it. Raises `BadParameter`."""
        return AUTO if text == "auto" else cls(_server(text))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return self.server or "auto"


AUTO = Target()


@dataclass(frozen=True)
class Scope:
    """What is balanced: the whole `dag`, or `server=NAME`, what prefers one server."""

    server: str = ""
    """Empty: the whole DAG."""

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read it. Raises `BadParameter`."""
        if text == "dag":
            return WHOLE_DAG
        word, equals, server = text.partition("=")
        if word != "server" or not equals:
            raise BadParameter(
                f"`{text}` is no scope", certain=("nothing was contacted",), next=("dag, or server=NAME",)
            )
        return cls(_server(server))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"server={self.server}" if self.server else "dag"


WHOLE_DAG = Scope()
