"""What Run Command says of an invocation, as an answer of ours or as none yet; calls nobody.

The status of the whole command is never looked at: some undeliverable ones beside one success make it `Success`
(facts/ssm.md d). "Not over yet" never becomes "failed".
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from starover.errors import ConnectFailed, ErrorRecord, ReplyLost, StaroverError, TimedOut
from starover.transport import Script
from starover.transport.ssm_script import unpacked

__all__ = [
    "Invocation",
    "Plugin",
    "Said",
    "code_of",
    "comment_of",
    "error_of",
    "is_over",
    "needs_more",
    "pauses",
    "said",
]

FIRST_PAUSE = 0.8
"""Seconds from sending to the first look: an invocation is seldom visible sooner."""
EVEN_SECONDS, LONG_SECONDS = 15.0, 120.0
"""Until then once a second; after the second one at most every `SLOWEST`, before it every `SLOW`."""
GROWTH, SLOW, SLOWEST = 1.3, 5.0, 10.0
JITTER = 0.1

_CUT = ("---Output truncated---", "--output truncated--")
_NOT_RUN = {
    "Undeliverable": "its agent could not be reached",
    "DeliveryTimedOut": "its agent did not take it in time",
    "Terminated": "errors on other instances stopped it before it began",
    "InvalidPlatform": "the instance does not run Windows",
    "AccessDenied": "the agent's role does not allow it",
    "RateExceeded": "too many commands of the account were waiting",
    "LimitExceeded": "too many commands of the account were waiting",
}
_ERRORS = "----------ERROR-------\n"
_DETAILS = re.compile(r"^(?:At .*:\d+ char:\d+|\s*\+ CategoryInfo\b)", re.MULTILINE)
_ID = re.compile(r"\+ FullyQualifiedErrorId : (\S+)")
_OVER = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})


class Plugin(TypedDict, total=False):
    """A member of `CommandPlugins`."""

    ResponseCode: int
    Output: str


class Invocation(TypedDict, total=False):
    """A member of the answer of ListCommandInvocations, as boto3 gives it."""

    CommandId: str
    InstanceId: str
    Status: str
    StatusDetails: str
    CommandPlugins: list[Plugin]


@dataclass(frozen=True)
class Said:
    """What a script has said."""

    output: str
    failed: bool = False
    errors: tuple[ErrorRecord, ...] = ()


def comment_of(script: Script, sending: str) -> str:
    """What finds a sending again, at most 100 characters: its operation, its nonce, and this one sending of it.

    A reading that is tried again has the nonce that it had: the first one's answer is none to the second.
    """
    what = f"write {script.operation}" if script.mutates else "probe" if script.operation else "read"
    return f"starover {what} {script.nonce} {sending}"


def pauses(seed: str) -> Iterator[float]:
    """Seconds to wait before each look at a command. `seed` is its id: side by side they look at different moments."""
    chance = random.Random(zlib.crc32(seed.encode()))  # noqa: S311 - no secret
    passed, pause = 0.0, 1.0
    wanted = FIRST_PAUSE
    while True:
        wait = wanted * chance.uniform(1 - JITTER, 1 + JITTER)
        passed += wait
        yield wait
        if passed > EVEN_SECONDS:
            pause = min(pause * GROWTH, SLOWEST if passed > LONG_SECONDS else SLOW)
        wanted = pause


def is_over(one: Invocation) -> bool:
    """Whether nothing of it changes any more."""
    return one.get("Status", "") in _OVER


def error_of(one: Invocation, host: str) -> StaroverError | None:
    """The error of an invocation that is over and has no output that counts; None: it ran to its end."""
    details = one.get("StatusDetails") or one.get("Status", "")
    if details in _NOT_RUN:
        return ConnectFailed(
            f"Run Command did not run the script on {host}: {_NOT_RUN[details]} ({details})",
            certain=("nothing was run",),
            next=("aws ssm describe-instance-information   which agents answer",),
            host=host,
        )
    if details == "Success" or (details == "Failed" and code_of(one) != -1):
        return None
    if details == "ExecutionTimedOut":
        return TimedOut(
            f"the script on {host} was ended by the agent when its time was over",
            certain=("the script was sent once", "powershell.exe was ended"),
            uncertain=("how far it had come, and whether what it started still runs",),
            host=host,
        )
    return ReplyLost(
        f"Run Command has no result of the script on {host} ({details})",
        certain=("the script was sent once",),
        uncertain=("whether it was run",),
        host=host,
    )


def code_of(one: Invocation) -> int:
    """Exit code of powershell.exe; -1: none."""
    plugins = one.get("CommandPlugins") or []
    return plugins[0].get("ResponseCode", -1) if plugins else -1


def output_of(one: Invocation) -> str:
    """Both streams together, at most 2,500 characters."""
    plugins = one.get("CommandPlugins") or []
    return plugins[0].get("Output", "") if plugins else ""


def needs_more(one: Invocation) -> bool:
    """Whether its output was cut, so that the rest has to be asked for."""
    output = output_of(one)
    return unpacked(output) is None and (code_of(one) == 0 or still_cut(output))


def still_cut(output: str) -> bool:
    """Whether an output says itself that more was there."""
    return any(mark in output for mark in _CUT)


def said(one: Invocation, full: Mapping[str, str], nonce: str) -> Said:
    """What an invocation that ran to its end said. `full`: `stdout` and `stderr` where they were asked for."""
    stdout = full.get("stdout", "") or output_of(one)
    whole = unpacked(stdout)
    if whole is not None:
        return Said(whole)
    if code_of(one) == 0:  # in the words of the envelope, so that it is read as what it is: begun, and cut
        return Said(f"@@STAROVER-BEGIN {nonce}\n(Run Command has cut the output, {len(stdout):,} characters came)")
    return Said(stdout, failed=True, errors=(_record(full.get("stderr", "") or stdout, code_of(one)),))


def _record(text: str, code: int) -> ErrorRecord:
    """What powershell.exe wrote of the error that ended it: its message, and its id where that is there.

    The console breaks lines wherever its width ends, so the words are put together anew.
    """
    text = text.replace("\r", "").rpartition(_ERRORS)[2]
    message = " ".join(_DETAILS.split(text, maxsplit=1)[0].split())
    found = _ID.search(text)
    return ErrorRecord(message=message or f"powershell.exe ended with {code}", fqid=found[1] if found else "")
