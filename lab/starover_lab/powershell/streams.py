"""Where records go that are no output: the session's streams, redirected or noted on the way; knows no statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from starover_lab.powershell.values import NetObject, PSList, Value

__all__ = [
    "FOR_THE_HOST",
    "STREAM_NAMES",
    "Collected",
    "Noted",
    "Redirected",
    "StreamName",
    "Streams",
    "host_record",
    "information_record",
    "stream_record",
]

StreamName = Literal["output", "error", "warning", "verbose", "debug", "information", "progress"]
STREAM_NAMES: dict[int, StreamName] = {
    1: "output",
    2: "error",
    3: "warning",
    4: "verbose",
    5: "debug",
    6: "information",
}
FOR_THE_HOST = "PSHOST"
"""The tag of Write-Host's records."""
_SMA = "System.Management.Automation"


def stream_record(name: StreamName, message: str) -> NetObject:
    """A WarningRecord, VerboseRecord or DebugRecord, as variables and merged streams hold it."""
    return NetObject(f"{_SMA}.{name.capitalize()}Record", message, properties={"Message": message})


def information_record(data: Value, text: str) -> NetObject:
    """An InformationRecord."""
    return NetObject(f"{_SMA}.InformationRecord", text, properties={"MessageData": data})


def host_record(text: str, *, no_newline: bool) -> NetObject:
    """What Write-Host leaves: an InformationRecord that the host shows, whatever the preference is."""
    members: dict[str, Value] = {"Message": text, "NoNewLine": no_newline}
    message = NetObject(f"{_SMA}.HostInformationMessage", text, properties=members)
    known: dict[str, Value] = {"MessageData": message, "Source": "Write-Host", "Tags": PSList([FOR_THE_HOST])}
    return NetObject(f"{_SMA}.InformationRecord", text, properties=known)


@dataclass(eq=False)
class Collected(PSList):
    """What a variable like that of -ErrorVariable holds."""

    doubtful: bool = False
    """Whether an error ended a command meanwhile: the engine then notes exceptions, some of them twice."""


class Streams:
    """The session's own streams."""

    def __init__(self, emit: Callable[[StreamName, Value], None]) -> None:
        self._emit = emit

    def write(self, name: StreamName, record: Value) -> None:
        """A record that is shown."""
        if isinstance(record, NetObject) and name in ("warning", "verbose", "debug"):
            self._emit(name, record.text)
        else:
            self._emit(name, record)

    def note(self, name: StreamName, record: Value) -> None:
        """A record that -ErrorVariable and its like collect, shown or not."""

    def doubt(self) -> None:
        """What -ErrorVariable collects is not known exactly from here on."""


class Noted(Streams):
    """Inside a function that was called with -ErrorVariable, -WarningVariable or -InformationVariable."""

    def __init__(self, outer: Streams, lists: Mapping[StreamName, Collected]) -> None:
        self._outer = outer
        self._lists = lists

    def write(self, name: StreamName, record: Value) -> None:
        """On to where they went anyway."""
        self._outer.write(name, record)

    def note(self, name: StreamName, record: Value) -> None:
        """Into the variable, and into those of the callers."""
        if name in self._lists:
            self._lists[name].items.append(record)
        self._outer.note(name, record)

    def doubt(self) -> None:
        """Nor what the callers' do."""
        if "error" in self._lists:
            self._lists["error"].doubtful = True
        self._outer.doubt()


class Apart(Streams):
    """Of a command whose output another command takes: only its own variables collect its records."""

    def __init__(self, outer: Streams) -> None:
        self._outer = outer

    def write(self, name: StreamName, record: Value) -> None:
        """On to where they went anyway."""
        self._outer.write(name, record)


class Redirected(Streams):
    """Behind `2>$null` or `2>&1`."""

    def __init__(self, outer: Streams, targets: Mapping[StreamName, list[Value] | None]) -> None:
        """A target is the list that a merged stream goes to, or None to drop it."""
        self._outer = outer
        self._targets = targets

    def write(self, name: StreamName, record: Value) -> None:
        """Into the target, if this stream has one."""
        if name not in self._targets:
            self._outer.write(name, record)
            return
        target = self._targets[name]
        if target is not None:
            target.append(record)

    def note(self, name: StreamName, record: Value) -> None:
        """Redirection does not keep records from variables."""
        self._outer.note(name, record)

    def doubt(self) -> None:
        """Nor doubts."""
        self._outer.doubt()
