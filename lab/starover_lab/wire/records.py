"""Error records, exceptions, credentials and the records of the other streams as objects with the members that Windows
sends (rules G); writes no CLIXML and knows no pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, PSException, exception_is
from starover_lab.powershell.values import (
    DateTime,
    Long,
    NetObject,
    OrderedHashtable,
    Property,
    PSArray,
    PSCredential,
    PSEnum,
    PSHashtable,
    PSList,
    PSObject,
    SwitchParameter,
    UInt32,
    Value,
    base,
    type_name,
)
from starover_lab.wire.clixml_text import plain_text

__all__ = [
    "CATEGORIES",
    "PrimitiveDictionary",
    "as_object",
    "category_message",
    "error",
    "host_call",
    "information",
    "informational",
    "position_message",
    "progress",
]

CATEGORIES = (
    "NotSpecified",
    "OpenError",
    "CloseError",
    "DeviceError",
    "DeadlockDetected",
    "InvalidArgument",
    "InvalidData",
    "InvalidOperation",
    "InvalidResult",
    "InvalidType",
    "MetadataError",
    "NotImplemented",
    "NotInstalled",
    "ObjectNotFound",
    "OperationStopped",
    "OperationTimeout",
    "SyntaxError",
    "ParserError",
    "PermissionDenied",
    "ResourceBusy",
    "ResourceExists",
    "ResourceUnavailable",
    "ReadError",
    "WriteError",
    "FromStdErr",
    "SecurityError",
    "ProtocolError",
    "ConnectionError",
    "AuthenticationError",
    "LimitsExceeded",
    "QuotaExceeded",
    "NotEnabled",
)
"""System.Management.Automation.ErrorCategory, by its numbers."""

_RUNTIME = "System.Management.Automation.RuntimeException"
_MSCORLIB = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_DICTIONARY = f"System.Collections.Generic.Dictionary`2[[System.String, {_MSCORLIB}],[System.Object, {_MSCORLIB}]]"
_OBJECT_LIST = f"System.Collections.Generic.List`1[[System.Object, {_MSCORLIB}]]"
_STRING_LIST = f"System.Collections.Generic.List`1[[System.String, {_MSCORLIB}]]"
_COR_E_EXCEPTION = -2146233087


class PrimitiveDictionary(OrderedHashtable):
    """What the two sides tell each other about themselves; it is also a Hashtable, with its own order here."""

    type_name = "System.Management.Automation.PSPrimitiveDictionary"

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Value]]) -> PrimitiveDictionary:
        """From Python pairs, in their order."""
        made = cls()
        for name, value in pairs:
            made.set(name, value)
        return made


class _Dictionary(PSHashtable):
    type_name = _DICTIONARY


class _NoData(PSHashtable):
    type_name = "System.Collections.ListDictionaryInternal"


def _product(names: tuple[str, ...], text: str, adapted: list[tuple[str, Value]]) -> PSObject:
    made = PSObject(type_names=names, text=text)
    for name, value in adapted:
        made.properties[name] = Property(name, value, "Property")
    return made


def as_object(
    value: ErrorRecord | PSException | InvocationInfo | NetObject | PSCredential | SwitchParameter,
) -> PSObject:
    """The members under which a value with a class of its own is serialised."""
    if isinstance(value, ErrorRecord):
        return error(value)
    if isinstance(value, PSException):
        return _exception(value)
    if isinstance(value, InvocationInfo):
        return _invocation(value)
    name = type_name(value)
    if isinstance(value, NetObject):
        return _product((name, "System.Object"), value.text, list(value.properties.items()))
    if isinstance(value, PSCredential):
        return _product((name, "System.Object"), name, [("UserName", value.user_name), ("Password", value.password)])
    return _product((name, "System.ValueType", "System.Object"), str(value.present), [("IsPresent", value.present)])


def _short(full: str) -> str:
    return full.rpartition(".")[2].rpartition("+")[2]


def _ellipsis(text: str) -> str:
    """CategoryInfo's own way of shortening: over 40 characters the first and the last 15 stay."""
    return text if len(text) <= 40 else f"{text[:15]}...{text[-15:]}"


def _category(record: ErrorRecord) -> tuple[str, str, str, str]:
    """Category, reason, name and type of the target."""
    return (
        record.category if record.category in CATEGORIES else CATEGORIES[0],
        record.reason or _short(record.exception.type_name),
        record.target_name if record.target_name is not None else plain_text(record.target),
        record.target_type if record.target_type is not None else _short(type_name(record.target)),
    )


def category_message(record: ErrorRecord) -> str:
    """`ObjectNotFound: (x:String) [Get-Item], ItemNotFoundException`: what CategoryInfo is as text."""
    category, reason, target_name, target_type = _category(record)
    parts = (_ellipsis(one) for one in (target_name, target_type, record.activity))
    return "{}: ({}:{}) [{}], {}".format(category, *parts, _ellipsis(reason))


def position_message(value: InvocationInfo) -> str:
    """`At line:1 char:1` with the line and what is meant in it underlined; empty where no line is known."""
    if not value.line_number:
        return ""
    tildes = " " * max(value.offset - 1, 0) + "~" * max(len(value.line.rstrip()) - value.offset + 1, 1)
    return f"At line:{value.line_number} char:{max(value.offset, 1)}\r\n+ {value.line.rstrip()}\r\n+ {tildes}"


def error(record: ErrorRecord, *, terminating: bool = False) -> PSObject:
    """An ErrorRecord; a terminating one goes without writeErrorStream and PSMessageDetails (rule G)."""
    category, reason, target_name, target_type = _category(record)
    members: list[tuple[str, Value]] = [] if terminating else [("writeErrorStream", True)]
    members += [
        ("Exception", record.exception),
        ("TargetObject", base(record.target) if isinstance(base(record.target), str) else record.target),
        ("FullyQualifiedErrorId", record.fqid),
        ("InvocationInfo", record.invocation),
        ("ErrorCategory_Category", CATEGORIES.index(category)),
        ("ErrorCategory_Activity", record.activity),
        ("ErrorCategory_Reason", reason),
        ("ErrorCategory_TargetName", target_name),
        ("ErrorCategory_TargetType", target_type),
        ("ErrorCategory_Message", category_message(record)),
    ]
    if record.details is not None:
        members += [
            ("ErrorDetails_Message", record.details),
            ("ErrorDetails_RecommendedAction", record.recommended_action),
        ]
    members.append(("SerializeExtendedInfo", False))
    if record.stack_trace:
        members.append(("ErrorDetails_ScriptStackTrace", record.stack_trace))
    if not terminating:
        members.append(("PSMessageDetails", None))
    names = ("System.Management.Automation.ErrorRecord", "System.Object")
    return PSObject(members, type_names=names, text=record.message)


def _hierarchy(name: str) -> tuple[str, ...]:
    bases = (_RUNTIME, "System.SystemException", "System.Exception")
    known = [one for one in bases if one != name and exception_is(name, one)]
    return name, *known, "System.Object"


def _exception(value: PSException) -> PSObject:
    members: list[tuple[str, Value]] = []
    if exception_is(value.type_name, _RUNTIME):
        members = [("ErrorRecord", value.message), ("WasThrownFromThrowStatement", value.type_name == _RUNTIME)]
    members += [(name, one) for name, one in value.properties.items()]
    members += [
        ("Message", value.message),
        ("Data", _NoData()),
        ("InnerException", value.inner),
        ("TargetSite", None),
        ("StackTrace", None),
        ("HelpLink", None),
        ("Source", None),
        ("HResult", _COR_E_EXCEPTION if value.hresult is None else value.hresult),
    ]
    return _product(_hierarchy(value.type_name), f"{value.type_name}: {value.message}", members)


def _invocation(value: InvocationInfo) -> PSObject:
    name = "System.Management.Automation.InvocationInfo"
    bound = _Dictionary()
    for one, given in value.bound.items():
        bound.set(one, given)
    members: list[tuple[str, Value]] = [
        ("MyCommand", value.command or None),
        ("BoundParameters", bound),
        ("UnboundArguments", PSList([], _OBJECT_LIST)),
        ("ScriptLineNumber", value.line_number),
        ("OffsetInLine", value.offset),
        ("HistoryId", Long(-1)),
        ("ScriptName", ""),
        ("Line", value.line),
        ("PositionMessage", position_message(value)),
        ("PSScriptRoot", ""),
        ("PSCommandPath", None),
        ("InvocationName", value.command),
        ("PipelineLength", 0),
        ("PipelinePosition", 0),
        ("ExpectingInput", False),
        ("CommandOrigin", "Internal"),
        ("DisplayScriptPosition", None),
    ]
    return _product((name, "System.Object"), name, members)


def informational(kind: str, message: str) -> PSObject:
    """A warning, verbose or debug record; `kind` is `Warning`, `Verbose` or `Debug`."""
    prefix = "System.Management.Automation."
    names = (f"{prefix}{kind}Record", f"{prefix}InformationalRecord", "System.Object")
    members: list[tuple[str, Value]] = [
        ("InformationalRecord_Message", message),
        ("InformationalRecord_SerializeInvocationInfo", False),
    ]
    return PSObject(members, type_names=names, text=message)


def information(value: Value, *, user: str, computer: str, now: DateTime) -> PSObject:
    """An information record. `value` is an object with the members of an InformationRecord, or only its MessageData."""
    given: dict[str, Value] = {"MessageData": value}
    if isinstance(value, NetObject) and "MessageData" in value.properties:
        given = value.properties
    elif isinstance(value, PSObject) and value.find("MessageData") is not None:
        given = {one.name: one.value for one in value.properties.values()}

    def pick(name: str, otherwise: Value) -> Value:
        found = given.get(name)
        return otherwise if found is None else found

    members: list[tuple[str, Value]] = [
        ("MessageData", given.get("MessageData")),
        ("Source", pick("Source", "Write-Information")),
        ("TimeGenerated", pick("TimeGenerated", now)),
        ("Tags", PSList(_texts(pick("Tags", None)), _STRING_LIST)),
        ("User", pick("User", user)),
        ("Computer", pick("Computer", computer)),
        ("ProcessId", pick("ProcessId", UInt32(2636))),
        ("NativeThreadId", pick("NativeThreadId", UInt32(2840))),
        ("ManagedThreadId", pick("ManagedThreadId", UInt32(7))),
    ]
    return PSObject(members, type_names=())


def _texts(value: Value) -> list[Value]:
    inner = base(value)
    return list(inner.items) if isinstance(inner, PSList | PSArray) else []


def progress(value: Value) -> PSObject:
    """A progress record, from an object with the members of a ProgressRecord or from the activity's text alone."""
    given = value if isinstance(value, PSObject) else PSObject([("Activity", value)])

    def pick(name: str, otherwise: Value) -> Value:
        found = given.get(name)
        return otherwise if found is None else found

    kind = pick("RecordType", pick("Type", "Processing"))
    done = (isinstance(kind, PSEnum) and kind.name == "Completed") or kind == "Completed"
    record_type = PSEnum(
        "System.Management.Automation.ProgressRecordType", "Completed" if done else "Processing", int(done)
    )
    members: list[tuple[str, Value]] = [
        ("Activity", pick("Activity", " ")),
        ("ActivityId", pick("ActivityId", 0)),
        ("StatusDescription", pick("StatusDescription", "Processing")),
        ("CurrentOperation", given.get("CurrentOperation")),
        ("ParentActivityId", pick("ParentActivityId", -1)),
        ("PercentComplete", pick("PercentComplete", -1)),
        ("Type", record_type),
        ("SecondsRemaining", pick("SecondsRemaining", -1)),
    ]
    return PSObject(members, type_names=())


def host_call(number: int, method: str, arguments: list[Value], call_id: int = -100) -> PSObject:
    """A PIPELINE_HOST_CALL; calls without an answer have the id -100 (rule R24)."""
    identifier = PSEnum("System.Management.Automation.Remoting.RemoteHostMethodId", method, number)
    members: list[tuple[str, Value]] = [("ci", Long(call_id)), ("mi", identifier), ("mp", PSList(arguments))]
    return PSObject(members, type_names=())
