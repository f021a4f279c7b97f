"""What AWS answers when it refuses; knows no service."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["CloudError", "missing", "not_simulated"]


class CloudError(Exception):
    """A call was refused; nothing changed."""

    def __init__(self, code: str, message: str) -> None:
        """`code` and `message` as the service words them."""
        super().__init__(message)
        self.code = code
        self.message = message


def not_simulated(what: str) -> NoReturn:
    """Raise for what AWS can do and the lab cannot: right or refused, never wrong."""
    raise CloudError("NotSimulated", f"the lab does not simulate {what}")


def missing(code: str, kind: str, name: str) -> NoReturn:
    """Raise for an id that AWS does not know."""
    raise CloudError(code, f"The {kind} ID '{name}' does not exist")
