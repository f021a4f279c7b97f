"""WS-Management faults with the codes and texts of Windows; knows no shell.

Sources: the recorded faults (rules E: F1-F4) for time-out, unknown command and bad header; public reports of real
servers for vanished shell, quotas and access denied; the code 995 of an aborted Receive is the lab's own reading.
"""

from __future__ import annotations

from starover_lab.wire import soap

__all__ = [
    "Fault",
    "aborted",
    "access_denied",
    "bad_header",
    "bad_idle_time",
    "bad_parameter",
    "no_command",
    "no_shell",
    "refused",
    "shell_exists",
    "shell_is_disconnected",
    "shell_of_another",
    "stream_disconnected",
    "timed_out",
    "too_many_commands",
    "too_many_operations",
    "too_many_processes",
    "too_many_shells",
    "unknown_action",
    "unknown_resource",
    "unreadable",
]

_DMTF = "http://schemas.dmtf.org/wbem/wsman/1/wsman/"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault"
_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"


class Fault(Exception):
    """What the server answers in place of what was asked."""

    def __init__(
        self,
        code: int,
        reason: str,
        *,
        subcode: str = "w:InternalError",
        sender: bool = False,
        message: str = "",
        detail: str = "",
        provider: str = "",
        addressing: bool = False,
    ) -> None:
        """`code` is WSManFault's, 0 for none; `message` is its text where that differs from the reason; `detail` ends
        the FaultDetail address; `provider` is the attributes of a ProviderFault around the message."""
        super().__init__(f"{code} {subcode}: {message or reason}")
        self.code = code
        self._reason = reason
        self._message = message or reason
        self._subcode = subcode
        self._sender = sender
        self._detail = detail
        self._provider = provider
        self._addressing = addressing

    def answer(self, relates_to: str, machine: str) -> bytes:
        """The envelope; `machine` is the host that the request was addressed to."""
        message = soap.text(self._message)
        if self._provider:
            message = f"<f:ProviderFault {self._provider}>{message}</f:ProviderFault>"
        code = f' Code="{self.code}"' if self.code else ""
        detail = f"<w:FaultDetail>{_DMTF}faultDetail/{self._detail}</w:FaultDetail>" if self._detail else ""
        body = (
            f"<s:Fault><s:Code><s:Value>s:{'Sender' if self._sender else 'Receiver'}</s:Value>"
            f"<s:Subcode><s:Value>{self._subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en-US">{soap.text(self._reason)}</s:Text></s:Reason>'
            f'<s:Detail>{detail}<f:WSManFault xmlns:f="{_FAULT}"{code} Machine="{soap.attribute(machine)}">'
            f"<f:Message>{message}</f:Message></f:WSManFault></s:Detail></s:Fault>"
        )
        return soap.answer("fault", relates_to, body, action=_ADDRESSING if self._addressing else _DMTF + "fault")


_SELECTORS = (
    "The WS-Management service cannot process the request because the request contained invalid selectors for the "
    "resource. "
)
_CANNOT = "The WS-Management service cannot process the request. "


def timed_out() -> Fault:
    """F1: nothing to give within OperationTimeout."""
    text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  "
    return Fault(2150858793, text, subcode="w:TimedOut")


def no_command() -> Fault:
    """F2: the shell has no command of that id."""
    text = (
        "The Windows Remote Shell received a request to perform an operation on a command identifier that does not "
        "exist. Either the command has completed execution or the client specified an invalid command identifier. "
    )
    return Fault(
        2150858843,
        _SELECTORS,
        subcode="w:InvalidSelectors",
        sender=True,
        message=text,
        detail="UnexpectedSelectors",
    )


def no_shell(shell: str) -> Fault:
    """There is no such shell: the same code as F2, another text."""
    text = (
        f"The request for the Windows Remote Shell with ShellId {shell} failed because the shell was not found on the "
        "server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. "
        "Provide the correct ShellId or create a new shell and retry the operation. "
    )
    return Fault(
        2150858843,
        _SELECTORS,
        subcode="w:InvalidSelectors",
        sender=True,
        message=text,
        detail="UnexpectedSelectors",
    )


def bad_parameter(plugin: str, path: str) -> Fault:
    """F3: the shell's plug-in does not take a parameter."""
    return Fault(
        87,
        "The parameter is incorrect. ",
        subcode="w:InvalidParameter",
        sender=True,
        detail="InvalidValue",
        provider=f'provider="{plugin}" path="{path}"',
    )


def bad_header(timeout: str) -> Fault:
    """F4: an OperationTimeout that is none."""
    return Fault(
        2150858767,
        _CANNOT + "The request contains one or more invalid SOAP headers. ",
        subcode="a:InvalidMessageInformationHeader",
        sender=True,
        message=_CANNOT + f"The XML contains an invalid timeout field in the SOAP header: {timeout}. ",
        addressing=True,
    )


def unknown_action(action: str) -> Fault:
    """The service has no such operation for a shell."""
    return Fault(
        2150858752,
        _CANNOT + f"The action {action[:200]} is not supported by the resource. ",
        subcode="a:ActionNotSupported",
        sender=True,
        addressing=True,
    )


def unknown_resource(resource: str) -> Fault:
    """No plug-in answers for the resource."""
    return Fault(
        2150858811,
        _CANNOT + f"Cannot find the {resource[:200]} session configuration in the WSMan: drive on this computer. ",
        subcode="w:InvalidResourceURI",
        sender=True,
        detail="InvalidResourceURI",
    )


def unreadable(why: str) -> Fault:
    """The document is not what its schema says."""
    return Fault(
        2150858817,
        f"The SOAP packet contains an element that is invalid: {why} ",
        subcode="w:SchemaValidationError",
        sender=True,
    )


def aborted() -> Fault:
    """A Receive that ends because its shell or command goes away, or a newer one took its place."""
    text = "The I/O operation has been aborted because of either a thread exit or an application request. "
    return Fault(995, text)


def shell_exists() -> Fault:
    """The client chose the id of a shell that is there (no recording tells what Windows says)."""
    return Fault(183, "Cannot create a file when that file already exists. ")


def access_denied() -> Fault:
    """The caller may not do this."""
    return Fault(5, "Access is denied. ", subcode="w:AccessDenied", sender=True)


def refused(code: int, message: str) -> Fault:
    """A session that its endpoint does not open."""
    return access_denied() if code == 5 and not message else Fault(code, message)


def too_many_shells(allowed: int) -> Fault:
    """MaxShellsPerUser."""
    return Fault(
        2150859173,
        f"{_CANNOT}This user is allowed a maximum number of {allowed} concurrent shells, which has been exceeded. "
        "Close existing shells or raise the quota for this user. ",
        subcode="w:QuotaLimit",
        sender=True,
    )


def too_many_commands() -> Fault:
    """MaxConcurrentCommandsPerShell: the reported text, with the code that wsmerror.h gives it."""
    return Fault(
        2150859241,
        f"{_CANNOT}The maximum number of concurrent commands per shell has been exceeded. Retry the request later or "
        "raise the Maximum Commands per Shell quota. ",
    )


def too_many_operations(allowed: int) -> Fault:
    """MaxConcurrentOperationsPerUser."""
    return Fault(
        2150859174,
        f"{_CANNOT}This user is allowed a maximum number of {allowed} concurrent operations, which has been exceeded. "
        "Close existing operations for this user, or raise the quota for this user. ",
        subcode="w:QuotaLimit",
        sender=True,
    )


def too_many_processes() -> Fault:
    """MaxProcessesPerShell (no report tells its fault: the text is that of Windows for such a quota, 1816)."""
    return Fault(1816, "Not enough quota is available to process this command. ")


def stream_disconnected() -> Fault:
    """A Receive that waited when its shell was disconnected (code and text from wsmerror.h)."""
    return Fault(2150859230, f"{_CANNOT[:-2]} because the stream is currently disconnected. ")


def shell_is_disconnected() -> Fault:
    """Something is wanted of a shell that is disconnected (the code is wsmerror.h's, the text our own)."""
    return Fault(2150859204, f"{_CANNOT}The shell is disconnected: reconnect it first. ", sender=True)


def shell_of_another() -> Fault:
    """Connect to a shell whose client has not left it (the code is wsmerror.h's, the text our own)."""
    return Fault(2150859213, f"{_CANNOT}The shell is connected to a different client. ", sender=True)


def bad_idle_time(least: int, most: int) -> Fault:
    """An IdleTimeOut, in milliseconds, that is not allowed (the code is wsmerror.h's, the text our own)."""
    return Fault(
        2150859250,
        f"{_CANNOT}The requested idle timeout is outside the allowed range ({least} - {most}). ",
        sender=True,
    )
