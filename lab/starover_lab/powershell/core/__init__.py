"""Windows PowerShell's own cmdlets as far as scripts for servers use them; no host, file or network behind them."""

from __future__ import annotations

from starover_lab.powershell.command import CommandTable
from starover_lab.powershell.core.filtering import COMMANDS as FILTERING
from starover_lab.powershell.core.grouping import COMMANDS as GROUPING
from starover_lab.powershell.core.json_cmdlets import COMMANDS as JSON
from starover_lab.powershell.core.making import COMMANDS as MAKING
from starover_lab.powershell.core.measuring import COMMANDS as MEASURING
from starover_lab.powershell.core.paths import COMMANDS as PATHS
from starover_lab.powershell.core.secure_cmdlets import COMMANDS as SECURE
from starover_lab.powershell.core.selecting import COMMANDS as SELECTING
from starover_lab.powershell.core.session_cmdlets import COMMANDS as SESSION
from starover_lab.powershell.core.sorting import COMMANDS as SORTING
from starover_lab.powershell.core.writing import COMMANDS as WRITING

__all__ = ["core_commands"]


def core_commands() -> CommandTable:
    """A new table of the core cmdlets; hosts add their own, and may replace what touches files."""
    return CommandTable(
        (
            *FILTERING,
            *GROUPING,
            *JSON,
            *MAKING,
            *MEASURING,
            *PATHS,
            *SECURE,
            *SELECTING,
            *SESSION,
            *SORTING,
            *WRITING,
        )
    )
