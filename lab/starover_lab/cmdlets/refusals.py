"""Why a remote session does not open, in WinRM's words; decides nothing.

Ids and texts are those that clients of real servers print; that of too many shells ends in the words by which scripts
know it (powershell.md section 15).
"""

from __future__ import annotations

from typing import NamedTuple

from starover_lab.cmdlets.exchange_session import SessionRefused
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.errors import ErrorRecord, PSException

__all__ = [
    "BY_ADDRESS",
    "DENIED",
    "NOT_THERE",
    "PRINCIPAL",
    "UNAVAILABLE",
    "UNREACHABLE",
    "NoConnection",
    "Reason",
    "of_session",
    "refused_record",
    "unknown",
]


class Reason(NamedTuple):
    """The lead of an error id, and what was wrong."""

    error_id: str
    text: str


class NoConnection(Exception):
    """No session was opened."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


DENIED = Reason("AccessDenied", "Access is denied.")
UNREACHABLE = Reason(
    "WinRMOperationTimeout",
    "WinRM cannot complete the operation. Verify that the specified computer name is valid, that the computer is "
    "accessible over the network, and that a firewall exception for the WinRM service is enabled and allows access "
    "from this computer.",
)
PRINCIPAL = Reason(
    "-2144108387",
    "WinRM cannot process the request. The following error with errorcode 0x80090322 occurred while using Kerberos "
    "authentication: The target principal name is incorrect.",
)
"""Kerberos knows servers by name; a balanced name has no account of its own here (no ASA credential)."""
UNAVAILABLE = Reason(
    "WinRMHttpError",
    "The WinRM client received an HTTP server error status (503), but the remote service did not include any other "
    "information about the cause of the failure.",
)
NOT_THERE = Reason(
    "URLNotAvailable",
    "The WinRM client received an HTTP status code of 404 from the remote WS-Management service.",
)
BY_ADDRESS = Reason(
    "CannotUseIPAddress",
    "The WinRM client cannot process the request. Default authentication may be used with an IP address under the "
    "following conditions: the transport is HTTPS or the destination is in the TrustedHosts list, and explicit "
    "credentials are provided.",
)


def unknown(name: str) -> Reason:
    """No host has that name."""
    return Reason(
        "NetworkPathNotFound",
        "WinRM cannot process the request. The following error occurred while using Kerberos authentication: Cannot "
        f"find the computer {name}. Verify that the computer exists on the network and that the name provided is "
        "spelled correctly.",
    )


def of_session(refused: SessionRefused, domain: str) -> Reason:
    """Why `/PowerShell` itself refused."""
    if refused.why == "no_exchange":
        return NOT_THERE
    if refused.why == "unavailable":
        return UNAVAILABLE
    if refused.why == "too_many":
        return Reason(
            "-2144108060",
            "The WS-Management service cannot process the request. This user is allowed a maximum number of "
            f"{refused.detail} concurrent shells, which has been exceeded. Close existing shells or raise the quota "
            "for this user. The maximum number of concurrent shells for this user has been exceeded.",
        )
    return Reason(
        "-2144108477",
        "[FailureCategory=AuthZ-CmdletAccessDeniedException] Access is denied. The user "
        f'"{domain}/Users/{refused.detail}" isn\'t assigned to any management roles.',
    )


def refused_record(call: Invocation, target: str, reason: Reason) -> ErrorRecord:
    """The error record of a connection that did not come about."""
    message = (
        f"Connecting to remote server {target} failed with the following error message : {reason.text} For more "
        "information, see the about_Remote_Troubleshooting Help topic."
    )
    return ErrorRecord(
        exception=PSException("System.Management.Automation.Remoting.PSRemotingTransportException", message),
        error_id=reason.error_id,
        category="OpenError",
        command="PSSessionOpenFailed",
        activity=call.spec.name,
        target=target,
        target_type="RemoteRunspace",
    )
