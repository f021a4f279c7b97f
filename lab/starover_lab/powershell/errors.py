"""Error records, exceptions as PowerShell sees them, and how the evaluator's own Python code raises; knows no cmdlet.

Three Python exceptions travel through the evaluator:

* `Terminated` carries an error record: a statement-terminating error (`1/0`, a failed cast, a failed method call), or,
  with `script=True`, one that ends the script (`throw`, error action Stop).
* `Stopped`: the client stopped the pipeline.
* `Unsupported`: the construct is not known to be evaluated exactly. It never becomes an error record of the script: the
  whole script is refused (right or refused, never wrong).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starover_lab.powershell.values import Value

__all__ = [
    "ErrorRecord",
    "InvocationInfo",
    "PSException",
    "Stopped",
    "Terminated",
    "Unsupported",
    "cast_failure",
    "exception_is",
    "failure",
    "known_exceptions",
]

_RUNTIME = "System.Management.Automation.RuntimeException"

_BASES: dict[str, str] = {
    "System.SystemException": "System.Exception",
    "System.ApplicationException": "System.Exception",
    "System.ArithmeticException": "System.SystemException",
    "System.DivideByZeroException": "System.ArithmeticException",
    "System.OverflowException": "System.ArithmeticException",
    "System.ArgumentException": "System.SystemException",
    "System.ArgumentNullException": "System.ArgumentException",
    "System.ArgumentOutOfRangeException": "System.ArgumentException",
    "System.Text.RegularExpressions.RegexParseException": "System.ArgumentException",
    "System.ArrayTypeMismatchException": "System.SystemException",
    "System.FormatException": "System.SystemException",
    "System.IndexOutOfRangeException": "System.SystemException",
    "System.InvalidCastException": "System.SystemException",
    "System.InvalidOperationException": "System.SystemException",
    "System.NotImplementedException": "System.SystemException",
    "System.NotSupportedException": "System.SystemException",
    "System.NullReferenceException": "System.SystemException",
    "System.OperationCanceledException": "System.SystemException",
    "System.OutOfMemoryException": "System.SystemException",
    "System.TimeoutException": "System.SystemException",
    "System.UnauthorizedAccessException": "System.SystemException",
    "System.Security.SecurityException": "System.SystemException",
    "System.IO.IOException": "System.SystemException",
    "System.IO.FileNotFoundException": "System.IO.IOException",
    "System.IO.DirectoryNotFoundException": "System.IO.IOException",
    "System.Collections.Generic.KeyNotFoundException": "System.SystemException",
    "System.Reflection.TargetInvocationException": "System.ApplicationException",
    _RUNTIME: "System.SystemException",
    "System.Management.Automation.ActionPreferenceStopException": _RUNTIME,
    "System.Management.Automation.CmdletInvocationException": _RUNTIME,
    "System.Management.Automation.CommandNotFoundException": _RUNTIME,
    "System.Management.Automation.ExtendedTypeSystemException": _RUNTIME,
    "System.Management.Automation.GetValueException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.GetValueInvocationException": "System.Management.Automation.GetValueException",
    "System.Management.Automation.MetadataException": _RUNTIME,
    "System.Management.Automation.ValidationMetadataException": "System.Management.Automation.MetadataException",
    "System.Management.Automation.ArgumentTransformationMetadataException": (
        "System.Management.Automation.MetadataException"
    ),
    "System.Management.Automation.MethodException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.MethodInvocationException": "System.Management.Automation.MethodException",
    "System.Management.Automation.ParameterBindingException": _RUNTIME,
    "System.Management.Automation.ParameterBindingValidationException": (
        "System.Management.Automation.ParameterBindingException"
    ),
    "System.Management.Automation.ParseException": _RUNTIME,
    "System.Management.Automation.PipelineStoppedException": _RUNTIME,
    "System.Management.Automation.PropertyNotFoundException": (
        "System.Management.Automation.ExtendedTypeSystemException"
    ),
    "System.Management.Automation.PSInvalidCastException": "System.InvalidCastException",
    "System.Management.Automation.PSInvalidOperationException": "System.InvalidOperationException",
    "System.Management.Automation.PSArgumentException": "System.ArgumentException",
    "System.Management.Automation.PSArgumentNullException": "System.ArgumentNullException",
    "System.Management.Automation.PSArgumentOutOfRangeException": "System.ArgumentOutOfRangeException",
    "System.Management.Automation.PSNotSupportedException": "System.NotSupportedException",
    "System.Management.Automation.RemoteException": _RUNTIME,
    "System.Management.Automation.ScriptCallDepthException": "System.SystemException",
    "System.Management.Automation.SessionStateException": _RUNTIME,
    "System.Management.Automation.SessionStateUnauthorizedAccessException": (
        "System.Management.Automation.SessionStateException"
    ),
    "System.Management.Automation.ItemNotFoundException": "System.Management.Automation.SessionStateException",
    "System.Management.Automation.DriveNotFoundException": "System.Management.Automation.SessionStateException",
    "System.Management.Automation.SetValueException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.SetValueInvocationException": "System.Management.Automation.SetValueException",
    "System.Management.Automation.Remoting.PSRemotingTransportException": _RUNTIME,
    "Microsoft.PowerShell.Commands.WriteErrorException": "System.SystemException",
    "System.ComponentModel.Win32Exception": "System.Runtime.InteropServices.ExternalException",
    "System.Runtime.InteropServices.ExternalException": "System.SystemException",
    "System.Runtime.InteropServices.COMException": "System.Runtime.InteropServices.ExternalException",
}


def exception_is(type_name: str, wanted: str) -> bool | None:
    """Whether an exception type is, or derives from, `wanted` (full .NET names); None when the type is not known here.

    An unknown type is still known to be itself and to be a `System.Exception`.
    """
    wanted = wanted.casefold()
    if wanted == "system.exception" or type_name.casefold() == wanted:
        return True
    known = False
    current: str | None = type_name
    while current is not None:
        if current.casefold() == wanted:
            return True
        known = known or current in _BASES
        current = _BASES.get(current)
    return False if known or type_name == "System.Exception" else None


def known_exceptions() -> dict[str, str]:
    """Exception types with a known place in the hierarchy: lower-cased full name to exact full name."""
    names = {"System.Exception", *_BASES, *_BASES.values()}
    return {name.casefold(): name for name in names}


@dataclass(eq=False)
class PSException:
    """A .NET exception as a script sees it in `$_.Exception`."""

    type_name: str
    """Full name: `System.Management.Automation.RuntimeException`."""
    message: str
    inner: PSException | None = None
    hresult: int | None = None
    """Signed 32 bit, None: the type's own default, which is not known here."""
    properties: dict[str, Value] = field(default_factory=dict[str, "Value"])
    """Further members, by their exact names (`SerializedRemoteException`, `ErrorCode`...)."""
    record: ErrorRecord | None = None
    """The record that a RuntimeException carries in `.ErrorRecord`."""

    def chain(self) -> list[PSException]:
        """This exception and its inner ones, outermost first."""
        found: list[PSException] = [self]
        while (inner := found[-1].inner) is not None:
            found.append(inner)
        return found


@dataclass(eq=False, kw_only=True)
class InvocationInfo:
    """Where a command was called: `$_.InvocationInfo`."""

    command: str = ""
    """`MyCommand.Name`; empty when no command is involved."""
    line_number: int = 0
    """`ScriptLineNumber`, from 1; 0 unknown."""
    offset: int = 0
    """`OffsetInLine`, from 1."""
    line: str = ""
    """The line's text."""
    bound: dict[str, Value] = field(default_factory=dict[str, "Value"])
    """`BoundParameters`."""


@dataclass(eq=False, kw_only=True)
class ErrorRecord:
    """One error record.

    `error_id` is what the raiser gave; `command` is the suffix that the engine appends when a command wrote the record:
    the implementing class of a cmdlet (`Microsoft.PowerShell.Commands.GetItemCommand`) or the name of a function.
    """

    exception: PSException
    error_id: str = ""
    category: str = "NotSpecified"
    target: Value = None
    command: str = ""
    reason: str = ""
    """`CategoryInfo.Reason`; empty: the short type name of the exception."""
    activity: str = ""
    """`CategoryInfo.Activity`: normally the command's name."""
    target_name: str | None = None
    target_type: str | None = None
    details: str | None = None
    """`ErrorDetails.Message`, shown in place of the exception's message."""
    recommended_action: str = ""
    invocation: InvocationInfo | None = None
    stack_trace: str = ""
    """`ScriptStackTrace`."""
    unsigned: bool = False
    """The command that writes it adds no name of its own to the id (Write-Error)."""

    @property
    def fqid(self) -> str:
        """`FullyQualifiedErrorId`."""
        return ",".join(part for part in (self.error_id, self.command) if part)

    @property
    def message(self) -> str:
        """The text that a person sees: `$_.ToString()`."""
        return self.exception.message if self.details is None else self.details


class Terminated(Exception):
    """A terminating error on its way up.

    `script` is True for what ends the script unless caught (`throw`, error action Stop); otherwise the error ends its
    statement only, and the evaluator reports it and goes on with the next statement.
    """

    def __init__(self, record: ErrorRecord, *, script: bool = False) -> None:
        super().__init__(record.message)
        self.record = record
        self.script = script


class Stopped(Exception):
    """The pipeline was stopped from outside."""


class Unsupported(Exception):
    """The construct is not known to be evaluated exactly; the script is refused, not wrong."""

    def __init__(self, construct: str, line: int = 0) -> None:
        """`construct` names what is refused; `line` is from 1, 0 where the raiser cannot know it."""
        super().__init__(construct if line == 0 else f"{construct} (line {line})")
        self.construct = construct
        self.line = line


class Divided(Unsupported):
    """Windows PowerShell 5.1 and 7 answer differently here, and both answers are known: refused unless one is meant."""


def cast_failure(error_id: str, message: str, *, inner: PSException | None = None) -> Terminated:
    """A failed conversion: the engine wraps its PSInvalidCastException, which wraps .NET's own exception, if any."""
    return failure(
        error_id,
        "InvalidArgument",
        message,
        inner=PSException("System.Management.Automation.PSInvalidCastException", message, inner),
    )


def failure(
    error_id: str,
    category: str,
    message: str,
    *,
    type_name: str = _RUNTIME,
    inner: PSException | None = None,
    target: Value = None,
    command: str = "",
) -> Terminated:
    """A statement-terminating error to raise: `raise failure('NullArray', 'InvalidOperation', 'Cannot...')`."""
    exception = PSException(type_name, message, inner)
    record = ErrorRecord(exception=exception, error_id=error_id, category=category, target=target, command=command)
    exception.record = record
    return Terminated(record)
