"""Questions that a cmdlet of a remote session would ask, and that nobody there can answer; asks nothing itself."""

from __future__ import annotations

from starover_lab.powershell.command import Invocation
from starover_lab.powershell.errors import ErrorRecord, PSException
from starover_lab.powershell.values import SwitchParameter, Value

__all__ = ["cannot_prompt", "is_on", "wants_prompt"]


def is_on(value: Value) -> bool:
    """Whether a switch of the common parameters is on."""
    return value.present if isinstance(value, SwitchParameter) else bool(value)


def wants_prompt(call: Invocation) -> bool:
    """Whether a cmdlet of a remote session would ask: -Confirm, or a dangerous one without -Confirm:$false."""
    given = call.common.get("Confirm")
    return call.spec.confirm_impact == "High" if given is None else is_on(given)


def cannot_prompt(call: Invocation, target: str, action: str) -> ErrorRecord:
    """A question that nobody can answer."""
    message = (
        "A command that prompts the user failed because the host program or the command type does not support user "
        "interaction. The host was attempting to request confirmation with the following message: Are you sure you "
        f'want to perform this action? Performing operation "{action}" on target "{target}".'
    )
    return ErrorRecord(
        exception=PSException("System.Management.Automation.Host.HostException", message),
        error_id="HostFunctionNotImplemented",
        category="NotImplemented",
        command=call.spec.class_name,
        activity=call.spec.name,
    )
