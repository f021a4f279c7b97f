"""What a script reads from an error record and its exception; knows no other object."""

from __future__ import annotations

from starover_lab.powershell.convert import to_string
from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, PSException, exception_is
from starover_lab.powershell.types import ENUMS
from starover_lab.powershell.values import NetObject, PSEnum, Unsupported, Value, type_name

__all__ = ["error_property"]

_SMA = "System.Management.Automation"
_HRESULTS: dict[str, int] = {
    "System.DivideByZeroException": 0x80020012,
    "System.OverflowException": 0x80131516,
    "System.ArithmeticException": 0x80070216,
    "System.ArgumentOutOfRangeException": 0x80131502,
    "System.ArgumentNullException": 0x80004003,
    "System.ArgumentException": 0x80070057,
    "System.FormatException": 0x80131537,
    "System.IndexOutOfRangeException": 0x80131508,
    "System.InvalidCastException": 0x80004002,
    "System.InvalidOperationException": 0x80131509,
    "System.NotSupportedException": 0x80131515,
    "System.NotImplementedException": 0x80004001,
    "System.NullReferenceException": 0x80004003,
    "System.OperationCanceledException": 0x8013153B,
    "System.TimeoutException": 0x80131505,
    "System.UnauthorizedAccessException": 0x80070005,
    "System.Security.SecurityException": 0x8013150A,
    "System.IO.FileNotFoundException": 0x80070002,
    "System.IO.DirectoryNotFoundException": 0x80070003,
    "System.IO.IOException": 0x80131620,
    "System.SystemException": 0x80131501,
    "System.ApplicationException": 0x80131600,
    "System.Exception": 0x80131500,
}
"""The HResult that an exception's own constructor sets, nearest type first."""


def hresult(exception: PSException) -> int:
    """`.HResult`, signed."""
    if exception.hresult is not None:
        return exception.hresult
    for name, code in _HRESULTS.items():
        if exception_is(exception.type_name, name):
            return code - 2**32
    if not exception.type_name.startswith("System."):
        return _HRESULTS["System.Exception"] - 2**32  # [mem] a product's own exceptions mostly leave it alone
    raise Unsupported(f"the HResult of a {exception.type_name}")


def category_info(record: ErrorRecord) -> NetObject:
    """`.CategoryInfo`."""
    number = ENUMS[f"{_SMA}.ErrorCategory"].get(record.category)
    if number is None:
        raise Unsupported(f"the category {record.category}")
    target_type = record.target_type
    if target_type is None:
        target_type = type_name(record.target).rpartition(".")[2] if record.target is not None else ""
    target_name = record.target_name
    if target_name is None:
        target_name = "" if record.target is None else to_string(record.target)
    reason = record.reason or record.exception.type_name.rpartition(".")[2]
    text = f"{record.category}: ({target_name}:{target_type}) [{record.activity}], {reason}"
    return NetObject(
        f"{_SMA}.ErrorCategoryInfo",
        text,
        None,
        {
            "Category": PSEnum(f"{_SMA}.ErrorCategory", record.category, number),
            "Activity": record.activity,
            "Reason": reason,
            "TargetName": target_name,
            "TargetType": target_type,
        },
    )


def error_property(value: ErrorRecord | PSException | InvocationInfo, name: str) -> tuple[Value] | None:
    """A property (in a tuple), or None when there is none of that name. Raises `Unsupported` for what is not kept."""
    key = name.lower()
    match value:
        case ErrorRecord():
            return _record_property(value, key)
        case PSException():
            return _exception_property(value, key)
        case InvocationInfo():
            return _invocation_property(value, key)


def _record_property(record: ErrorRecord, key: str) -> tuple[Value] | None:
    match key:
        case "exception":
            return (record.exception,)
        case "fullyqualifiederrorid":
            return (record.fqid,)
        case "categoryinfo":
            return (category_info(record),)
        case "targetobject":
            return (record.target,)
        case "errordetails":
            if record.details is None:
                return (None,)
            properties: dict[str, Value] = {"Message": record.details, "RecommendedAction": record.recommended_action}
            return (NetObject(f"{_SMA}.ErrorDetails", record.details, None, properties),)
        case "invocationinfo":
            return (record.invocation,)
        case "scriptstacktrace":
            return (record.stack_trace,)
        case "pipelineiterationinfo" | "psmessagedetails" | "count" | "length":
            raise Unsupported(f"an error record's {key}")
        case _:
            return None


def _exception_property(exception: PSException, key: str) -> tuple[Value] | None:
    for name, value in exception.properties.items():
        if name.lower() == key:
            return (value,)
    match key:
        case "message":
            return (exception.message,)
        case "innerexception":
            return (exception.inner,)
        case "hresult":
            return (hresult(exception),)
        case "errorrecord" if exception.record is not None:
            return (exception.record,)
        case "helplink":
            return (None,)
        case "stacktrace" | "source" | "data" | "targetsite" | "count" | "length":
            raise Unsupported(f"an exception's {key}")
        case _:
            if exception.type_name in ("System.Exception", f"{_SMA}.RuntimeException"):
                if key in ("errorrecord", "wasthrownfromthrowstatement", "errorid"):
                    raise Unsupported(f"an exception's {key}")
                return None
            raise Unsupported(f"the {key} of a {exception.type_name}")


def _invocation_property(info: InvocationInfo, key: str) -> tuple[Value] | None:
    match key:
        case "mycommand":
            if not info.command:
                return (None,)
            return (NetObject(f"{_SMA}.CommandInfo", info.command, properties={"Name": info.command}),)
        case "scriptlinenumber":
            return (info.line_number,)
        case "offsetinline" if info.offset:
            return (info.offset,)
        case "line":
            return (info.line,)
        case _:
            raise Unsupported(f"an invocation's {key}")
