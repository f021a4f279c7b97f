"""What goes wrong on the way to a host, as the library's own errors: was it sent, may it be tried again; sends nothing.

The table is that of `facts/winrm.md` section e with its corrections: the order of the tests matters, because a failed
certificate is a kind of connection error, and a shell that is gone has the same fault code as an unknown command.
"""

from __future__ import annotations

import re
from typing import Literal

from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, SSLError, Timeout
from requests.exceptions import ConnectionError as Disconnected

from starover.errors import AuthFailed, BadInventory, ConnectFailed, ReplyLost, StaroverError, Throttled, TimedOut
from starover.transport.tickets import trouble

__all__ = ["DeadlineOver", "Failed", "Stage", "broken", "ended", "failure", "gone", "root"]

Stage = Literal["open", "command", "receive"]
"""`open`: nothing of the script has left; `command`: it was being handed over; `receive`: the host has it."""

NO_SUCH = 2150858843
_DISCONNECTED = 2150859204
"""ERROR_WINRS_SHELL_DISCONNECTED: a session that was idle for too long, on its way to be removed."""
_QUOTAS = frozenset({2150859173, 2150859174})
_QUOTA_WORDS = ("quota", "maximum number of", "exceeded", "throttl")
_UNFINISHED = frozenset({995, 2150858793})
"""Aborted, or not done within OperationTimeout: the host is slow, and may go on with it all the same."""
_DENIED = 5
_LOGON_MODULES = ("spnego", "gssapi", "krb5")
_NOTHING = ("nothing was sent",)
_NOISE = re.compile(r"\[(?:Errno -?\d+|\w+: \w+)\] | ?\(_ssl\.c:\d+\)")
"""What Python and OpenSSL put around what they say."""
_LOOK = "starover status   who answers"
_BUSY_SECONDS = 60.0
"""How long Exchange and WinRM want to be left alone after a quota (`powershell.md` section 12)."""


class DeadlineOver(Exception):
    """The script's own deadline has passed."""


class Failed(Exception):
    """One try did not succeed."""

    def __init__(self, error: StaroverError, *, again: bool, sent: bool, denied: AuthFailed | None = None) -> None:
        """`again`: trying again can help; `sent`: the script may have reached the host; `denied`: no logon any more."""
        super().__init__(error.what)
        self.error = error
        self.again = again
        self.sent = sent
        self.denied = error if isinstance(error, AuthFailed) else denied


def broken(error: Exception) -> bool:
    """Whether the connection is what failed, so that what was asked may be asked again on a new one.

    HTTP 400 means that the host could not decrypt: message encryption dies with any lost connection. HTTP 500 with a
    body is a fault, which is an answer.
    """
    if isinstance(error, SSLError):
        return False
    if isinstance(error, WinRMTransportError):
        return error.code in {400, 503} or (error.code == 500 and not error.response_text)
    return isinstance(error, Disconnected | Timeout | ChunkedEncodingError)


def gone(error: Exception) -> Literal["shell", "command"] | None:
    """Which of the two the host does not know. The code is the same for both; only the text differs."""
    if not isinstance(error, WSManFaultError):
        return None
    if error.code == _DISCONNECTED:
        return "shell"
    if error.code != NO_SUCH:
        return None
    said = f"{error.reason or ''} {error.provider_fault or ''}".lower()
    return "command" if "command identifier" in said else "shell"


def ended(host: str) -> Failed:
    """A script that somebody wanted ended while it ran."""
    error = ReplyLost(
        f"the script was ended on {host}, as was asked for",
        certain=("it was sent once, and does not run any more",),
        uncertain=("what it had done by then",),
        host=host,
    )
    return Failed(error, again=False, sent=True)


def failure(error: Exception, stage: Stage, host: str, place: str) -> Failed:
    """The library's error for `error`; `host` is the server's name, `place` where it was looked for."""
    if isinstance(error, Failed):
        return error
    if isinstance(error, DeadlineOver):
        return _late(stage, host, place)
    refused = _refused(error, host, place)
    if stage == "receive":
        return _lost(error, refused, host, place)
    if stage == "command" and _may_have_come(error):
        return _lost(error, refused, host, place)
    if refused is not None:
        return refused
    if stage == "open":
        return _unreached(error, host, place)
    if isinstance(error, WinRMTransportError) and error.code == 400:
        what = f"{host} could not read what was sent: its connection had been lost ({place})"
        return Failed(ConnectFailed(what, certain=("nothing was run",), host=host), again=True, sent=False)
    if isinstance(error, WSManFaultError):  # an answer to the handing over itself
        what = f"{host} did not take the script: {_reason(error)}"
        again = gone(error) is not None  # the session there is gone: a new one will do
        return Failed(ConnectFailed(what, certain=("nothing was run",), host=host), again=again, sent=False)
    return _lost(error, None, host, place)


def _may_have_come(error: Exception) -> bool:
    """Whether the host may have what it was handed, though the error looks like a refusal: the connection had been good
    until then, so what breaks in TLS breaks on the way.
    """
    return isinstance(error, SSLError) or (isinstance(error, WSManFaultError) and error.code in _UNFINISHED)


def _lost(error: Exception, refused: Failed | None, host: str, place: str) -> Failed:
    """It was handed over, so whatever goes wrong now says nothing of what became of it: not even being `refused`."""
    if gone(error) == "shell":
        why = "its session there is gone (a restart, or it was closed)"
    elif refused is not None:
        why = refused.error.what
    else:
        why = f"the connection to {place} was lost: {root(error)}"
    lost = ReplyLost(
        f"no answer from {host}: {why}",
        certain=("the script was sent once",),
        uncertain=("whether it was run",),
        host=host,
    )
    return Failed(lost, again=refused is None or refused.again, sent=True, denied=refused.denied if refused else None)


def _late(stage: Stage, host: str, place: str) -> Failed:
    if stage == "open":
        silent = ConnectFailed(f"{host} does not answer at {place}", certain=_NOTHING, next=(_LOOK,), host=host)
        return Failed(silent, again=False, sent=False)
    late = TimedOut(
        f"{host} did not answer before the deadline",
        certain=("the script was sent once",),
        uncertain=("whether it was run, and whether it still runs",),
        host=host,
    )
    return Failed(late, again=False, sent=True)


def _refused(error: Exception, host: str, place: str) -> Failed | None:
    """What the host, or the way to it, turned down before anything was run; None for everything else."""
    if isinstance(error, SSLError) and "certificate" not in f"{error} {root(error)}".lower():
        plain = ConnectFailed(
            f"{host} does not speak https at {place}: {root(error)}",
            certain=_NOTHING,
            next=("look at `scheme:` and `port:` of its road in the inventory",),
            host=host,
        )
        return Failed(plain, again=False, sent=False)
    if isinstance(error, SSLError):
        untrusted = ConnectFailed(
            f"the certificate of {host} at {place} is not trusted: {root(error)}",
            certain=_NOTHING,
            next=("name the authority's file as `ca_file:` of the road, or the name on the certificate as `address:`",),
            host=host,
        )
        return Failed(untrusted, again=False, sent=False)
    module = type(error).__module__
    if module.startswith(_LOGON_MODULES) and (known := trouble(error)) is not None:
        denied = AuthFailed(
            known.what.format(host=host),
            certain=(*_NOTHING, "it is not tried again, so that no account is locked") if known.password else _NOTHING,
            next=tuple(one.format(host=host) for one in known.next),
            host=host,
        )
        return Failed(denied, again=False, sent=False)
    if isinstance(error, AuthenticationError) or module.startswith(_LOGON_MODULES):
        denied = AuthFailed(
            f"{host} does not accept the user and password of its credential",
            certain=(*_NOTHING, "it is not tried again, so that no account is locked"),
            next=("look at `credential:` in the inventory, and at what is behind it",),
            host=host,
        )
        return Failed(denied, again=False, sent=False)
    if isinstance(error, ImportError):
        return Failed(
            AuthFailed(f"the road to {host} needs a package that is missing: {error}", certain=_NOTHING, host=host),
            again=False,
            sent=False,
        )
    if isinstance(error, AuthFailed | BadInventory):
        named = AuthFailed(f"{host}: {error.what}", certain=error.certain or _NOTHING, next=error.next, host=host)
        return Failed(named, again=False, sent=False)
    if isinstance(error, WSManFaultError) and (error.code in _QUOTAS or _speaks_of_quota(error)):
        return Failed(
            Throttled(f"{host} has too much to do for this user: {_reason(error)}", after=_BUSY_SECONDS, host=host),
            again=True,
            sent=False,
        )
    if isinstance(error, WinRMTransportError) and error.code == 503:
        busy = Throttled(f"{host} answers 503, service unavailable, at {place}", host=host)
        return Failed(busy, again=True, sent=False)
    if isinstance(error, ConnectTimeout):
        quiet = ConnectFailed(f"{host} does not answer at {place}", certain=_NOTHING, next=(_LOOK,), host=host)
        return Failed(quiet, again=True, sent=False)
    if _names(error) & {"NewConnectionError", "NameResolutionError"}:
        closed = ConnectFailed(
            f"{host} cannot be reached at {place}: {root(error)}",
            certain=_NOTHING,
            next=("is it up, and does WinRM listen there? `roads:` in the inventory says where",),
            host=host,
        )
        return Failed(closed, again=True, sent=False)
    return None


def _unreached(error: Exception, host: str, place: str) -> Failed:
    """No session could be opened."""
    if isinstance(error, WSManFaultError):
        if error.code == _DENIED:
            what = f"{host} does not let this user open a session: {_reason(error)}"
            return Failed(AuthFailed(what, certain=_NOTHING, host=host), again=False, sent=False)
        why = f"the service refuses: {_reason(error)}"
    elif isinstance(error, WinRMTransportError):
        why = f"the answer is HTTP {error.code}, which is not WinRM's"
    elif isinstance(error, Timeout):
        why = "it takes the connection and says nothing"
    else:
        why = root(error)
    again = broken(error) or gone(error) is not None
    lost = ConnectFailed(f"no session on {host} at {place}: {why}", certain=_NOTHING, next=(_LOOK,), host=host)
    return Failed(lost, again=again, sent=False)


def _speaks_of_quota(error: WSManFaultError) -> bool:
    said = (error.reason or "").lower()
    return any(word in said for word in _QUOTA_WORDS)


def _reason(error: WSManFaultError) -> str:
    said = (error.provider_fault or error.reason or "").strip()
    return f"{said} (fault {error.code})" if said else f"fault {error.code}"


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it came from, also where requests hides it among the arguments."""
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.append(at)
        inner = next((one for one in at.args if isinstance(one, BaseException)), None)
        reason: object = getattr(at, "reason", None)
        at = inner or (reason if isinstance(reason, BaseException) else None) or at.__cause__ or at.__context__
    return found


def _names(error: BaseException) -> set[str]:
    return {type(one).__name__ for one in _chain(error)}


def root(error: BaseException) -> str:
    """The innermost error in one line, without addresses of objects."""
    inner = _chain(error)[-1]
    said = str(inner).rpartition("object at 0x")[2].partition(">: ")[2] or str(inner)
    return " ".join(_NOISE.sub("", said).split()) or type(inner).__name__
