"""The seam to the hosts: what a driver hands to a transport and gets back; knows no step, no plan and no journal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

from starover.errors import ErrorRecord, StaroverError
from starover.estate import Server

__all__ = ["Answer", "Attempt", "Ending", "Part", "Script", "Transport", "Way"]


Way: TypeAlias = Literal["script", "objects", "command", "call"]
"""How a script is run and answered. `script`: as text, and the report is in its output. `objects`: as text, and the
objects it puts out are the facts. `command`: it is one command for /PowerShell itself, whose objects are the facts.
`call`: the text is no script but a call as data (`starover.calls`), for another API or over the network; the host is
the one that the call is about, and the output is the facts as JSON."""


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rendered template within a script: for journals and fakes; a transport that sends needs none of it."""

    id: str
    """Names the part in the report; for a write the operation."""
    template: str
    sha256: str
    """Of the body."""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    """What it was rendered with, as a JSON object."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """One rendered script for one host, exactly as the journal has it."""

    id: str
    """Names the answer: the operation id of a write, the batch's id and host of a read."""
    server: Server
    text: str
    arguments: tuple[tuple[str, str], ...] = ()
    """Arguments of the pipeline by name: (parameter of the script's `param()`, reference of a credential). The
    transport resolves the reference and passes a PSCredential; the secret is in no text."""
    deadline: float
    """Seconds of real time from the start of `run`, connecting included, after which the answer no longer counts."""
    mutates: bool
    """A write is sent at most once, whatever happens."""
    parts: tuple[Part, ...] = ()
    """What the text was made of."""
    operation: str = ""
    """UUID of the receipt that a write makes, or a probe (which has no parts) looks for."""
    nonce: str = ""
    """Marks the report in the output."""
    way: Way = "script"
    elsewhere: bool = False
    """There is another road to the host: a closed one is left at once, and not tried again first."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try that did not succeed, for the journal."""

    what: str
    """The error in one sentence."""
    sent: bool
    """Whether the script may have reached the host."""
    waited: float
    """Seconds waited before the next try."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back for one script."""

    id: str
    output: str = ""
    """Everything the pipeline wrote, one line an object; of the ways `objects` and `command` each line is JSON."""
    errors: tuple[ErrorRecord, ...] = ()
    """Non-terminating errors in order, then the terminating one."""
    warnings: tuple[str, ...] = ()
    failed: bool = False
    """The pipeline ended with a terminating error."""
    error: StaroverError | None = None
    """Unreachable or OutcomeUnknown when there is no whole answer; then `output` holds what had come until then."""
    road: str = ""
    """What was used, such as `psrp+https`."""
    attempts: tuple[Attempt, ...] = ()
    seconds: float = 0.0
    """Real time from sending to the end of the answer."""


class Transport(Protocol):
    """One way to run scripts. Called by drivers only."""

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        """Run each script on its host, side by side, and give answers as they come, one for each script.

        Never raises for a host: what goes wrong is in `Answer.error`. A silent host costs its own deadline only.
        """
        ...

    def secrets(self) -> Sequence[str]:
        """What this transport has carried so far and nobody may keep: passwords."""
        ...

    def close(self) -> None:
        """Give back every connection and session; never raises."""
        ...


@runtime_checkable
class Ending(Protocol):
    """A transport that can end scripts under way."""

    def stop(self, ids: Collection[str], seconds: float, /) -> Mapping[str, str]:
        """Have scripts ended, by their ids, within so many seconds of real time; what became of each, in words.

        A script that is not known here has no word. Ending is an order that a host may not hear: whether what it had
        begun was done is as unknown as after a lost answer.
        """
        ...
