"""The whole error tree, sorted by whose fault it is; knows no transport, no engine and no way to print itself.

::

    StaroverError
    ├─ Mistake          ours or the caller's; nothing was sent      exit 2
    │   ├─ BadParameter
    │   ├─ BadInventory
    │   └─ BadTemplate
    ├─ Refused          a guard said no; nothing was sent           exit 4
    │   ├─ NotSafe
    │   ├─ NotApproved
    │   ├─ PlanIsStale
    │   ├─ Locked                                                   exit 75
    │   └─ OutsideWindow                                            exit 75
    ├─ Unreachable      nothing was sent                            exit 6
    │   ├─ ConnectFailed
    │   ├─ Throttled
    │   └─ AuthFailed   never retried
    ├─ OutcomeUnknown   sent, no answer                             exit 5
    │   ├─ ReplyLost
    │   └─ TimedOut
    ├─ RemoteFailure    PowerShell failed; carries error records    exit 1
    │   ├─ CmdletFailed
    │   ├─ BadReport
    │   └─ OutputTruncated
    └─ NotVerified      applied, but the fact does not hold         exit 5

An error carries data; the text is a view of it. The four parts of a message always come in this order: what happened,
what is certain, what is not, what to type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

__all__ = [
    "AuthFailed",
    "BadInventory",
    "BadParameter",
    "BadReport",
    "BadTemplate",
    "CmdletFailed",
    "ConnectFailed",
    "ErrorRecord",
    "Fault",
    "Locked",
    "Mistake",
    "NotApproved",
    "NotSafe",
    "NotVerified",
    "OutcomeUnknown",
    "OutputTruncated",
    "OutsideWindow",
    "PlanIsStale",
    "Refused",
    "RemoteFailure",
    "ReplyLost",
    "StaroverError",
    "Throttled",
    "TimedOut",
    "Unreachable",
    "exit_code",
]


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One PowerShell error record as text (fields of `powershell.md` section 10); redacted before it is stored."""

    message: str
    fqid: str = ""
    category: str = ""
    type: str = ""
    target: str = ""
    command: str = ""
    line: int = 0
    """Line in the script that was sent, from 1; 0 when unknown."""
    hresult: str = ""
    """`0x80070005`; of .NET's own exceptions mostly a code that says no more than their type."""
    inner: tuple[str, ...] = ()
    """`TYPE: MESSAGE` of the exceptions below, outermost first, five at most."""


class StaroverError(Exception):
    """The root: what happened, what is certain, what is not, what to type."""

    exit: ClassVar[int] = 1
    word: ClassVar[str] = "failed"
    """The word printed beside the exit code."""

    def __init__(
        self,
        what: str,
        *,
        certain: Sequence[str] = (),
        uncertain: Sequence[str] = (),
        next: Sequence[str] = (),  # noqa: A002 - the word the screen prints
        host: str = "",
    ) -> None:
        """Keep the four parts; `host` is the server's inventory name where one is involved."""
        super().__init__(what)
        self.what = what
        self.certain = tuple(certain)
        self.uncertain = tuple(uncertain)
        self.next = tuple(next)
        self.host = host
        self.attempted = False
        """A runbook has taken this error as a value (`runbook.attempt`)."""


class Mistake(StaroverError):
    """Ours or the caller's; nothing was sent."""

    exit = 2
    word = "bad input"


class BadParameter(Mistake):
    """A parameter of a runbook or an option is missing, unknown or not of its type."""


class BadInventory(Mistake):
    """The inventory cannot be read or contradicts itself; the text names file, line and the wish."""


class BadTemplate(Mistake):
    """A template cannot be rendered, or breaks the rules for scripts."""


class Refused(StaroverError):
    """A guard said no; nothing was sent by the refused step."""

    exit = 4
    word = "refused"


class NotSafe(Refused):
    """A guard found that the step would do harm."""


class NotApproved(Refused):
    """An approval is missing, expired or for another digest."""


class PlanIsStale(Refused):
    """The facts are no longer as the plan found them, or the plan is too old."""


class Locked(Refused):
    """Another run holds the lease."""

    exit = 75
    word = "locked"


class OutsideWindow(Refused):
    """Outside the change window."""

    exit = 75
    word = "outside its window"


class Unreachable(StaroverError):
    """The host could not be asked; nothing was sent."""

    exit = 6
    word = "unreachable"


class ConnectFailed(Unreachable):
    """No connection: refused, silent, no such name, untrusted certificate, 503."""


class Throttled(Unreachable):
    """The other side asks to come back later (quota, throttle); `after` is in seconds when it said so."""

    def __init__(self, what: str, *, after: float | None = None, host: str = "", next: Sequence[str] = ()) -> None:  # noqa: A002
        """As `StaroverError`, with the wait in seconds."""
        super().__init__(what, host=host, next=next)
        self.after = after


class AuthFailed(Unreachable):
    """Wrong or missing credential. Never retried: accounts lock."""

    word = "not authenticated"


class OutcomeUnknown(StaroverError):
    """Something was sent once and no answer came: it may or may not have been done."""

    exit = 5
    word = "unknown"


class ReplyLost(OutcomeUnknown):
    """The connection ended after sending."""


class TimedOut(OutcomeUnknown):
    """The deadline passed after sending."""


class RemoteFailure(StaroverError):
    """PowerShell ran and failed; `records` holds what it said."""

    def __init__(
        self,
        what: str,
        *,
        records: Sequence[ErrorRecord] = (),
        certain: Sequence[str] = (),
        uncertain: Sequence[str] = (),
        next: Sequence[str] = (),  # noqa: A002
        host: str = "",
    ) -> None:
        """As `StaroverError`, with PowerShell's error records in order."""
        super().__init__(what, certain=certain, uncertain=uncertain, next=next, host=host)
        self.records = tuple(records)


class CmdletFailed(RemoteFailure):
    """A cmdlet or the script ended with an error."""


class BadReport(RemoteFailure):
    """The answer is not what the template promised."""


class OutputTruncated(RemoteFailure):
    """The answer was cut on the way."""


class NotVerified(StaroverError):
    """Applied, but the wanted fact does not hold."""

    exit = 5
    word = "not verified"


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as data: what journals, events and answers carry."""

    error: str
    """Name of the class."""
    what: str
    certain: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    host: str = ""
    records: tuple[ErrorRecord, ...] = ()
    after: float | None = None

    @classmethod
    def of(cls, error: StaroverError) -> Fault:
        """The data of an error."""
        return cls(
            error=type(error).__name__,
            what=error.what,
            certain=error.certain,
            uncertain=error.uncertain,
            next=error.next,
            host=error.host,
            records=error.records if isinstance(error, RemoteFailure) else (),
            after=error.after if isinstance(error, Throttled) else None,
        )

    def raised(self) -> StaroverError:
        """The error again, of the same class; a class that is not known any more is a `StaroverError`."""
        kind = _CLASSES.get(self.error, StaroverError)
        if issubclass(kind, Throttled):
            return kind(self.what, after=self.after, host=self.host, next=self.next)
        if issubclass(kind, RemoteFailure):
            return kind(
                self.what,
                records=self.records,
                certain=self.certain,
                uncertain=self.uncertain,
                next=self.next,
                host=self.host,
            )
        return kind(self.what, certain=self.certain, uncertain=self.uncertain, next=self.next, host=self.host)


def _family(kind: type[StaroverError]) -> dict[str, type[StaroverError]]:
    found = {kind.__name__: kind}
    for child in kind.__subclasses__():
        found |= _family(child)
    return found


_CLASSES = _family(StaroverError)

_WEIGHT = (0, 1, 4, 6, 75, 2, 5, 130)
"""What may have been done, and nobody knows, weighs more than anything that was refused: 75 says "try again later"."""


def exit_code(codes: Sequence[int]) -> int:
    """The one exit code of several outcomes: 5 wins over 75 over 6 over 4 over 1 (design.md, exit codes)."""
    return max(codes, key=_WEIGHT.index, default=0)
