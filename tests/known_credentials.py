"""Credentials by reference for tests of transports."""

from __future__ import annotations

from wire_lab import PASSWORD, USER

from starover.errors import AuthFailed
from starover.transport.credentials import Credential


class Known:
    """`good` and `bad`, and what else is given."""

    def __init__(self, **known: Credential) -> None:
        self.known = {"good": Credential(USER, PASSWORD), "bad": Credential(USER, "wrong"), **known}

    def passwords(self) -> list[str]:
        return [one.password for one in self.known.values()]

    def resolve(self, reference: str, /) -> Credential:
        if reference not in self.known:
            raise AuthFailed(f"nothing is behind {reference}")
        return self.known[reference]
