"""A pipeline's calls to the host of its client: what is shown goes out, a question waits for its answer; no HTTP.

Windows shows a client with a user interface its warnings and the like twice: as records of their streams and by calls
of its host, the record first (rules R23, R24 and G).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starover_lab.powershell.errors import ErrorRecord, PSException, Terminated
from starover_lab.powershell.streams import FOR_THE_HOST
from starover_lab.powershell.values import Long, NetObject, PSArray, PSList, Value, base
from starover_lab.wire import records
from starover_lab.wire.clixml import serialize
from starover_lab.wire.clixml_text import plain_text
from starover_lab.wire.endpoint import Scripts, ScriptTask, Stream
from starover_lab.wire.keys import SessionKey
from starover_lab.wire.psrp_in import HostAnswer, HostInfo

__all__ = ["HostLink"]

_SHOWN: dict[Stream, tuple[int, str]] = {
    "debug": (19, "WriteDebugLine"),
    "verbose": (21, "WriteVerboseLine"),
    "warning": (22, "WriteWarningLine"),
}
_WRITE, _WRITE_COLORED, _LINE, _LINE_COLORED, _PROGRESS = 13, 14, 16, 17, 20


class HostLink:
    """Implements `wire.endpoint.ClientHost` for one pipeline."""

    def __init__(
        self,
        info: HostInfo,
        scripts: Scripts,
        send: Callable[[str], None],
        next_id: Callable[[], int],
        waits: Callable[[bool], None],
        key: SessionKey,
    ) -> None:
        """`send` takes a PIPELINE_HOST_CALL; `waits` is told when an answer is waited for, and when no more."""
        self._info = info
        self._scripts = scripts
        self._send = send
        self._next_id = next_id
        self._waits = waits
        self._key = key
        self._asked: dict[int, ScriptTask | None] = {}
        self._answers: dict[int, HostAnswer] = {}

    @property
    def has_ui(self) -> bool:
        """Whether there is a user interface behind it."""
        return self._info.ui

    def tell(self, method: int, name: str, *arguments: Value) -> None:
        """Call a method without an answer."""
        self._send(serialize(records.host_call(method, name, list(arguments)), self._key))

    def ask(self, method: int, name: str, *arguments: Value) -> Value:
        """Call a method and wait for its answer. Raises `Terminated` and `Stopped`."""
        number = self._next_id()
        self._waits(True)
        self._send(serialize(records.host_call(method, name, list(arguments), number), self._key))
        try:
            while number not in self._answers:
                self._scripts.pause()
        finally:
            self._waits(False)
        answer = self._answers.pop(number)
        if answer.error is not None:
            raise _refused(answer.error)
        return answer.value

    def answered(self, answer: HostAnswer, task: ScriptTask | None) -> None:
        """The client has answered; `task` is the pipeline's."""
        self._answers[answer.call_id] = answer
        if task is not None:
            self._scripts.go_on(task)

    def show(self, stream: Stream, value: Value) -> None:
        """What the host is shown of a record, beside the record itself."""
        if not self._info.ui:
            return
        if stream in _SHOWN:
            self.tell(*_SHOWN[stream], plain_text(value))
        elif stream == "progress":
            self.tell(_PROGRESS, "WriteProgress", Long(1), records.progress(value))
        elif stream == "information" and FOR_THE_HOST in _tags(value):
            self._write(value)

    def _write(self, value: Value) -> None:
        assert isinstance(value, NetObject)
        message, text = value.properties.get("MessageData"), value.text
        same_line = isinstance(message, NetObject) and message.properties.get("NoNewLine") is True
        colors = self._info.colors
        if colors is None:
            self.tell(_WRITE if same_line else _LINE, "Write1" if same_line else "WriteLine2", text)
        else:
            method, name = (_WRITE_COLORED, "Write2") if same_line else (_LINE_COLORED, "WriteLine3")
            self.tell(method, name, *colors, text)


def _tags(value: Value) -> Iterator[str]:
    found = base(value.properties.get("Tags")) if isinstance(value, NetObject) else None
    yield from (plain_text(one) for one in found.items) if isinstance(found, PSList | PSArray) else ()


def _refused(message: str) -> Terminated:
    exception = PSException("System.Management.Automation.Host.HostException", message)
    record = ErrorRecord(exception=exception, error_id="HostFunctionFailed", category="NotSpecified")
    exception.record = record
    return Terminated(record)
