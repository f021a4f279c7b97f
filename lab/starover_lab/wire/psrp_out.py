"""The server's PSRP messages as payloads (rules G of the recorded servers, PowerShell 5.1); knows no pool's state."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from starover_lab.powershell.errors import ErrorRecord, PSException, Stopped, Terminated, Unsupported
from starover_lab.powershell.values import DateTime, Long, OrderedHashtable, PSArray, Value, Version
from starover_lab.wire import records
from starover_lab.wire.clixml import properties, serialize
from starover_lab.wire.clixml_in import BadClixml
from starover_lab.wire.clixml_text import plain_text
from starover_lab.wire.endpoint import EndpointRefused, Stream
from starover_lab.wire.fragments import MessageType
from starover_lab.wire.keys import SessionKey

__all__ = [
    "availability",
    "capability",
    "init_data",
    "opened",
    "pipeline_state",
    "private_data",
    "record",
    "session_key",
    "unreadable",
]

_LOG = logging.getLogger(__name__)
_OPENED = 2
_STOPPED, _COMPLETED, _FAILED = 3, 4, 5
_SMA = "System.Management.Automation."
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_INFORMATIONAL: dict[Stream, tuple[MessageType, str]] = {
    "warning": (MessageType.WARNING_RECORD, "Warning"),
    "verbose": (MessageType.VERBOSE_RECORD, "Verbose"),
    "debug": (MessageType.DEBUG_RECORD, "Debug"),
}


def capability() -> str:
    """SESSION_CAPABILITY."""
    return properties(
        [
            ("protocolversion", Version(2, 3)),
            ("PSVersion", Version(2, 0)),
            ("SerializationVersion", Version(1, 1, 0, 1)),
        ]
    )


def private_data() -> str:
    """APPLICATION_PRIVATE_DATA of Windows PowerShell 5.1, in its order."""
    version = Version(5, 1, 26100, 1)
    compatible: list[Value] = [Version(n, 0) for n in range(1, 6)]
    table = records.PrimitiveDictionary.of(
        [
            ("PSVersion", version),
            ("PSEdition", "Desktop"),
            ("PSCompatibleVersions", PSArray([*compatible, version], "System.Version[]")),
            ("CLRVersion", Version(4, 0, 30319, 42000)),
            ("BuildVersion", Version(10, 0, 26100, 1)),
            ("WSManStackVersion", Version(3, 0)),
            ("PSRemotingProtocolVersion", Version(2, 3)),
            ("SerializationVersion", Version(1, 1, 0, 1)),
        ]
    )
    data: OrderedHashtable = records.PrimitiveDictionary.of([("PSVersionTable", table)])
    return properties([("ApplicationPrivateData", data)])


def opened() -> str:
    """RUNSPACEPOOL_STATE: the only one that is ever sent (R11)."""
    return properties([("RunspaceState", _OPENED)])


def init_data(least: int, most: int) -> str:
    """RUNSPACEPOOL_INIT_DATA."""
    return properties([("MinRunspaces", least), ("MaxRunspaces", most)])


def availability(call_id: int, response: Value) -> str:
    """RUNSPACE_AVAILABILITY; the count is an Int32, whatever MS-PSRP says."""
    return properties([("SetMinMaxRunspacesResponse", response), ("ci", Long(call_id))])


def session_key(wrapped: str) -> str:
    """ENCRYPTED_SESSION_KEY."""
    return properties([("EncryptedSessionKey", wrapped)])


def record(
    stream: Stream, value: Value, key: SessionKey, *, user: str, computer: str, now: datetime
) -> tuple[MessageType, str]:
    """One record of a running pipeline: the message of its stream."""
    made: Value
    if stream == "output":
        kind, made = MessageType.PIPELINE_OUTPUT, value
    elif stream == "error":
        kind, made = MessageType.ERROR_RECORD, records.error(value) if isinstance(value, ErrorRecord) else value
    elif stream == "progress":
        kind, made = MessageType.PROGRESS_RECORD, records.progress(value)
    elif stream == "information":
        kind = MessageType.INFORMATION_RECORD
        moment = DateTime((now - _FIRST) // timedelta(microseconds=1) * 10, "Local")
        made = records.information(value, user=user, computer=computer, now=moment)
    else:
        kind, name = _INFORMATIONAL[stream]
        made = records.informational(name, plain_text(value))
    return kind, serialize(made, key)


def pipeline_state(error: BaseException | None, key: SessionKey) -> str:
    """PIPELINE_STATE, the last message of a pipeline: Completed, Stopped or Failed, the latter two with a record."""
    found = _record_of(error)
    if found is None:
        return properties([("PipelineState", _COMPLETED)])
    state = _STOPPED if isinstance(error, Stopped) else _FAILED
    return properties(
        [("PipelineState", state), ("ExceptionAsErrorRecord", records.error(found, terminating=True))], key
    )


def unreadable(error: BadClixml) -> Terminated:
    """A pipeline that cannot be read fails by itself; the pool lives on."""
    exception = PSException(_SMA + "Remoting.PSRemotingDataStructureException", str(error))
    return Terminated(ErrorRecord(exception=exception, error_id="PSRemotingDataStructure", category="InvalidData"))


def _record_of(error: BaseException | None) -> ErrorRecord | None:
    """The record under which a pipeline's end is reported; None when it ended well."""
    if error is None:
        return None
    if isinstance(error, Terminated):
        return error.record
    if isinstance(error, Stopped):
        return ErrorRecord(
            exception=PSException(_SMA + "PipelineStoppedException", "The pipeline has been stopped."),
            error_id="PipelineStopped",
            category="OperationStopped",
        )
    if isinstance(error, EndpointRefused):
        exception = PSException(_SMA + "Remoting.PSRemotingTransportException", error.message)
        return ErrorRecord(exception=exception, error_id="SessionRefused", category="ResourceUnavailable")
    if isinstance(error, Unsupported):
        return ErrorRecord(
            exception=PSException(_SMA + "PSNotSupportedException", f"The lab refuses this script: {error}"),
            error_id="LabRefusesScript",
            category="NotImplemented",
        )
    _LOG.error("a pipeline ended with an error of the lab itself", exc_info=error)
    return ErrorRecord(
        exception=PSException(_SMA + "PSInvalidOperationException", f"The lab failed: {type(error).__name__}"),
        error_id="LabFailed",
        category="NotSpecified",
    )
