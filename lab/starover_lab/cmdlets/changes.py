"""How a cmdlet of Windows changes its host: ask, let time pass, act, say what the world refused; knows no cmdlet."""

from __future__ import annotations

from collections.abc import Callable

from starover_lab.cmdlets.machine import machine
from starover_lab.cmdlets.prompts import may
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.world.errors import WorldError

__all__ = ["change"]


def change(
    call: Invocation,
    target: str,
    act: Callable[[], object],
    refusal: Callable[[WorldError], ErrorRecord],
    *,
    action: str = "",
) -> bool:
    """Carry out one change of the host; whether it was done. `refusal` words what the world refuses, as an error."""
    if not may(call, target, action):
        return False
    here = machine(call)
    call.wait(here.pace(here.world.state.tuning.write_s))
    try:
        act()
    except WorldError as error:
        call.wait(error.blocked_s)
        call.error(refusal(error))
        return False
    return True
