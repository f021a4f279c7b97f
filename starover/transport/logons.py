"""A credential's first logon in this process: on one host only, so that a wrong password locks no account.

Directories count bad logons over all hosts. Once one host has taken a credential, nothing is held up any more; once one
has refused it before any had taken it, it is closed: nobody else is asked. Knows no wire.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Generator
from dataclasses import dataclass, field

from starover.errors import AuthFailed, ConnectFailed
from starover.transport.credentials import Resolver

__all__ = ["Logons", "Turn", "logons_of"]

PATIENCE_SECONDS = 3.0
"""How long others wait for the first one. A host that is slow with its logon must not hold up a whole estate."""


@dataclass
class _Known:
    """What is known of one credential."""

    good: bool = False
    refused_by: str = ""
    turn: Turn | None = None
    """Of the one that is trying it for the first time."""


@dataclass(eq=False)
class Turn:
    """One logon under way."""

    logons: Logons
    reference: str
    began: float = field(default_factory=time.monotonic)

    def succeeded(self) -> None:
        """The host took the credential."""
        self.logons.ended(self, good=True)


class Logons:
    """The first logons of all credentials of a resolver. Safe to share between threads."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[str, _Known] = {}
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def turn(self, reference: str, host: str, left: float) -> Generator[Turn]:
        """Wait until this credential may be tried, `left` seconds at most; call `succeeded` as soon as it is taken.

        What the body raises is passed on; a refused logon there must end in `refused`. Raises `AuthFailed` for a
        credential that is closed, `ConnectFailed` when the time is over.
        """
        turn = self._enter(reference, host, left)
        try:
            yield turn
        finally:
            self.ended(turn)

    def refused(self, reference: str, host: str) -> None:
        """A host did not take the credential. It is closed unless another host took it before."""
        with self._changed:
            known = self._known.setdefault(reference, _Known())
            if not known.good and not known.refused_by:
                known.refused_by = host
            self._changed.notify_all()

    def ended(self, turn: Turn, *, good: bool = False) -> None:
        """A turn is over: the credential is good, or nothing was learned."""
        with self._changed:
            known = self._known.setdefault(turn.reference, _Known())
            known.good = known.good or good
            if known.turn is turn:
                known.turn = None
            self._changed.notify_all()

    def _enter(self, reference: str, host: str, left: float) -> Turn:
        end = time.monotonic() + left
        mine = Turn(self, reference)
        with self._changed:
            known = self._known.setdefault(reference, _Known())
            while True:
                if known.refused_by:
                    raise AuthFailed(
                        f"{known.refused_by} did not accept the user and password of the credential `{reference}`",
                        certain=(
                            f"nothing was sent to {host}",
                            "it is tried on no other host, so that no account is locked",
                        ),
                        next=("look at `credential:` in the inventory, and at what is behind it",),
                    )
                now = time.monotonic()
                if known.good or known.turn is None or now - known.turn.began >= PATIENCE_SECONDS:
                    mine.began = now
                    known.turn = None if known.good else mine
                    return mine
                if now >= end:
                    raise ConnectFailed(
                        f"{host} was not asked in time: the first logon with `{reference}` is under way elsewhere",
                        certain=("nothing was sent",),
                        host=host,
                    )
                self._changed.wait(min(known.turn.began + PATIENCE_SECONDS, end) - now)


_of: weakref.WeakKeyDictionary[Resolver, Logons] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def logons_of(resolver: Resolver) -> Logons:
    """The logons that all transports of one resolver share, whatever road they take."""
    with _lock:
        return _of.setdefault(resolver, Logons())
