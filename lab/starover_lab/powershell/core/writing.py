"""Write-Output, Write-Error, Write-Warning and their like, Out-Null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from starover_lab.powershell.command import ALL_SETS, InSet, Invocation, Parameter
from starover_lab.powershell.convert import cast, default_text, to_bool, to_string
from starover_lab.powershell.core.common import CORE, INPUT, cmdlet
from starover_lab.powershell.errors import ErrorRecord, InvocationInfo, PSException, Unsupported
from starover_lab.powershell.streams import host_record
from starover_lab.powershell.values import PSEnum, Value, base, enumerate_

__all__ = ["COMMANDS"]

_WRITE_ERROR = "Microsoft.PowerShell.Commands.WriteErrorException"


def _write_output(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        value = bound.get("InputObject")
        if to_bool(bound.get("NoEnumerate", False)):
            call.differs("Write-Output -NoEnumerate")
            yield value
        else:
            yield from enumerate_(value)


def _write_error(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        yield from ()
        call.error(_record(call, bound))


def _record(call: Invocation, bound: Mapping[str, Value]) -> ErrorRecord:
    given = bound.get("ErrorRecord")
    info = call.runner.get_variable("MyInvocation")
    caller = info.command if isinstance(info, InvocationInfo) else ""
    if isinstance(given, ErrorRecord):
        if set(bound) != {"ErrorRecord"}:
            raise Unsupported("Write-Error -ErrorRecord with more")
        # A copy, written by whoever calls Write-Error.
        return replace(given, command=caller, activity="Write-Error", unsigned=True)
    exception = bound.get("Exception")
    message = bound.get("Message")
    if not isinstance(exception, PSException):
        exception = PSException(_WRITE_ERROR, to_string(message))
    category = bound.get("Category")
    record = ErrorRecord(
        exception=exception,
        error_id=to_string(bound.get("ErrorId")) or exception.type_name,
        category=category.name if isinstance(category, PSEnum) else "NotSpecified",
        target=bound.get("TargetObject"),
        command=caller,
        activity=to_string(bound.get("CategoryActivity")) or "Write-Error",
        reason=to_string(bound.get("CategoryReason")),
        details=to_string(message) if message is not None and bound.get("Exception") is not None else None,
        recommended_action=to_string(bound.get("RecommendedAction")),
    )
    for name, parameter in (("target_name", "CategoryTargetName"), ("target_type", "CategoryTargetType")):
        if parameter in bound:
            setattr(record, name, to_string(bound[parameter]))
    record.unsigned = True
    return record


def _category(value: Value) -> Value:
    return cast(value, "System.Management.Automation.ErrorCategory")


def _message(call: Invocation) -> Iterator[Value]:
    stream = call.spec.name.partition("-")[2].lower()
    for bound in call.records():
        yield from ()
        text = to_string(bound.get("Message"))
        if stream == "warning":
            call.warning(text)
        elif stream == "verbose":
            call.verbose(text)
        else:
            call.runner.stream(call, "debug", text)


def _write_information(call: Invocation) -> Iterator[Value]:
    if "Tags" in call.bound:
        raise Unsupported("Write-Information -Tags")
    for bound in call.records():
        yield from ()
        call.runner.stream(call, "information", bound.get("MessageData"))


def _write_host(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        yield from ()
        if set(bound) - {"Object", "NoNewline", "ForegroundColor", "BackgroundColor"}:
            raise Unsupported("Write-Host with these parameters")
        value = base(bound.get("Object"))
        items = [default_text(item) for item in enumerate_(value)]
        no_newline = to_bool(bound.get("NoNewline"))
        call.runner.stream(call, "information", host_record(" ".join(items), no_newline=no_newline))


def _write_progress(call: Invocation) -> Iterator[Value]:
    for _ in call.records():
        yield from ()


def _out_null(call: Invocation) -> Iterator[Value]:
    for _ in call.records():
        yield from ()


def _one(name: str, type: str = "string", **rest: object) -> Parameter:  # noqa: A002 - the field's name
    return Parameter.of(name, type, mandatory=True, position=0, by_value=True, aliases=["Msg"], **rest)  # type: ignore[arg-type]  # further fields


_ERROR_SETS = ("NoException", "WithException", "ErrorRecord")

COMMANDS = (
    cmdlet(
        "Write-Output",
        _write_output,
        Parameter(
            name="InputObject",
            type="psobject[]",
            sets={ALL_SETS: InSet(mandatory=True, position=0, by_value=True, remaining=True)},
            allow_null=True,
            allow_empty_collection=True,
            allow_empty_string=True,
            transform=lambda value: value,
        ),
        Parameter.of("NoEnumerate", "switch"),
    ),
    cmdlet(
        "Write-Error",
        _write_error,
        Parameter(name="Exception", type="object", sets={"WithException": InSet(mandatory=True)}),
        Parameter(
            name="Message",
            type="string",
            aliases=("Msg",),
            sets={
                "NoException": InSet(mandatory=True, position=0, by_value=True),
                "WithException": InSet(),
            },
            allow_null=True,
            allow_empty_string=True,
        ),
        Parameter(name="ErrorRecord", type="object", sets={"ErrorRecord": InSet(mandatory=True)}),
        Parameter(
            name="Category",
            type="object",
            sets={"NoException": InSet(), "WithException": InSet()},
            transform=_category,
        ),
        Parameter.of("ErrorId", "string", sets=_ERROR_SETS[:2]),
        Parameter.of("TargetObject", "object", sets=_ERROR_SETS[:2]),
        Parameter.of("RecommendedAction", "string"),
        Parameter.of("CategoryActivity", "string", aliases=["Activity"]),
        Parameter.of("CategoryReason", "string", aliases=["Reason"]),
        Parameter.of("CategoryTargetName", "string", aliases=["TargetName"]),
        Parameter.of("CategoryTargetType", "string", aliases=["TargetType"]),
        default_set="NoException",
    ),
    *(
        cmdlet(f"Write-{name}", _message, _one("Message", allow_empty_string=True))
        for name in ("Warning", "Verbose", "Debug")
    ),
    cmdlet(
        "Write-Information",
        _write_information,
        Parameter.of("MessageData", "object", mandatory=True, position=0, by_value=True, aliases=["Msg", "Message"]),
        Parameter.of("Tags", "string[]", position=1),
    ),
    cmdlet(
        "Write-Host",
        _write_host,
        Parameter.of("Object", "object", position=0, by_value=True, remaining=True, aliases=["Msg", "Message"]),
        Parameter.of("NoNewline", "switch"),
        Parameter.of("Separator", "object"),
        Parameter.of("ForegroundColor", "object"),
        Parameter.of("BackgroundColor", "object"),
    ),
    cmdlet(
        "Write-Progress",
        _write_progress,
        Parameter.of("Activity", "string", mandatory=True, position=0),
        Parameter.of("Status", "string", position=1),
        Parameter.of("Id", "int", position=2),
        Parameter.of("PercentComplete", "int"),
        Parameter.of("SecondsRemaining", "int"),
        Parameter.of("CurrentOperation", "string"),
        Parameter.of("ParentId", "int"),
        Parameter.of("Completed", "switch"),
        Parameter.of("SourceId", "int"),
    ),
    cmdlet("Out-Null", _out_null, INPUT, module=CORE),
)
