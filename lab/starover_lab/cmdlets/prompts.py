"""Questions that a cmdlet of a remote session would ask, and that nobody there can answer; asks nothing itself."""

from __future__ import annotations

from starover_lab.powershell.command import Invocation
from starover_lab.powershell.errors import ErrorRecord, PSException
from starover_lab.powershell.values import PSEnum, SwitchParameter, Value, base

__all__ = ["is_on", "may"]

_IMPACTS = ("None", "Low", "Medium", "High")


def is_on(value: Value) -> bool:
    """Whether a switch of the common parameters is on."""
    return value.present if isinstance(value, SwitchParameter) else bool(value)


def may(call: Invocation, target: str, action: str = "") -> bool:
    """ShouldProcess: whether to act. Raises `Terminated` where the cmdlet would ask first: nobody can answer.

    It asks with -Confirm, or when its impact reaches `$ConfirmPreference` and -Confirm:$false is not given. Over
    `/PowerShell` the caller's preference counts for nothing: the remote session has its own, which is High.
    """
    if call.spec.should_process and not _what_if(call) and _would_ask(call):
        raise call.fail(_cannot_prompt(call, target, action or call.spec.name))
    return call.should_process(target, action)


def _what_if(call: Invocation) -> bool:
    given = call.common.get("WhatIf")
    return is_on(call.runner.get_variable("WhatIfPreference") is True if given is None else given)


def _would_ask(call: Invocation) -> bool:
    given = call.common.get("Confirm")
    if given is not None:
        return is_on(given)
    wanted = base(call.runner.get_variable("ConfirmPreference"))
    level = wanted.name if isinstance(wanted, PSEnum) else "High"
    return level != "None" and _IMPACTS.index(call.spec.confirm_impact) >= _IMPACTS.index(level)


def _cannot_prompt(call: Invocation, target: str, action: str) -> ErrorRecord:
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
