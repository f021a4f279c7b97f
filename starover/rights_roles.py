"""The Exchange management roles and the role group that the content needs, as a script for an administrator; runs none.

Which built-in role holds a cmdlet differs between versions, so the script asks the organization itself for the parents
and takes away whatever is not needed. A person reads it and runs it in the Exchange Management Shell.
"""

from __future__ import annotations

from collections.abc import Mapping

from starover.rights import needed

__all__ = ["READING", "role_group_script"]

READING = ("Get-", "Test-")
"""Verbs of cmdlets that change nothing."""
_COMMON = ("Confirm", "ErrorAction", "ErrorVariable", "WarningAction", "WarningVariable", "WhatIf")
"""Parameters that role entries list as well, and without which every script here would fail."""


def role_group_script(templates: Mapping[str, str], group: str, *, reads: bool = False) -> str:
    """PowerShell that makes the role group `group`, whose members may do what the templates do and nothing else.

    `group`: letters, digits, spaces, hyphens. `reads`: cmdlets that look, alone. Raises `BadTemplate`.
    """
    wanted = {name: each for name, each in needed(templates).items() if not reads or name.startswith(READING)}
    width = max(map(len, wanted), default=0)
    lines = [
        f"    {repr(name).ljust(width + 2)} = @({', '.join(map(repr, parameters))})"
        for name, parameters in wanted.items()
    ]
    common = ", ".join(map(repr, _COMMON))
    return "\n".join(
        [
            f"# Role group '{group}': {len(wanted)} cmdlets of Exchange with the parameters that starover uses.",
            "# For the Exchange Management Shell, by a member of Organization Management. It changes RBAC alone.",
            "$ErrorActionPreference = 'Stop'",
            f"$group = '{group}'",
            f"$common = @({common})",
            "$wanted = @{",
            *lines,
            "}",
            "# The built-in roles that hold them, few: first the one with most of what is still to be found.",
            "$holders = @{}",
            "foreach ($name in @($wanted.Keys)) {",
            "    $all = @($wanted[$name])",
            "    $roles = if ($all.Count -gt 0) {",
            "        @(Get-ManagementRole -Cmdlet $name -CmdletParameters $all | Where-Object { $_.IsRootRole })",
            "    } else { @(Get-ManagementRole -Cmdlet $name | Where-Object { $_.IsRootRole }) }",
            '    if ($roles.Count -eq 0) { Write-Warning "no built-in role of this version has $name $all" }',
            "    foreach ($role in $roles) { $holders[[string]$role.Name] += @($name) }",
            "}",
            "$left = @($wanted.Keys)",
            "$parents = @{}",
            "while ($left.Count -gt 0) {",
            "    $best = $null",
            "    $most = 0",
            "    foreach ($role in @($holders.Keys | Sort-Object)) {",
            "        $count = @($holders[$role] | Where-Object { $left -contains $_ }).Count",
            "        if ($count -gt $most) { $best = $role; $most = $count }",
            "    }",
            "    if ($most -eq 0) { break }",
            "    $here = @($holders[$best] | Where-Object { $left -contains $_ })",
            "    $parents[$best] = $here",
            "    $left = @($left | Where-Object { $here -notcontains $_ })",
            "}",
            "$roles = @()",
            "foreach ($parent in @($parents.Keys | Sort-Object)) {",
            '    $role = "$group $parent"',
            "    if (-not (Get-ManagementRole -Identity $role -ErrorAction SilentlyContinue)) {",
            "        New-ManagementRole -Name $role -Parent $parent | Out-Null",
            "    }",
            '    foreach ($entry in @(Get-ManagementRoleEntry -Identity "$role\\*")) {',
            "        if ($parents[$parent] -notcontains $entry.Name) {",
            '            Remove-ManagementRoleEntry -Identity "$role\\$($entry.Name)" -Confirm:$false',
            "            continue",
            "        }",
            "        $needed = @($wanted[$entry.Name]) + $common",
            "        $keep = @($entry.Parameters | Where-Object { $needed -contains $_ })",
            '        Set-ManagementRoleEntry -Identity "$role\\$($entry.Name)" -Parameters $keep',
            "    }",
            "    $roles += $role",
            "}",
            "if (-not (Get-RoleGroup -Identity $group -ErrorAction SilentlyContinue)) {",
            "    New-RoleGroup -Name $group -Roles $roles | Out-Null",
            "}",
            "# Then: Add-RoleGroupMember -Identity $group -Member WHO. What it lacks then: starover doctor.",
            "Get-ManagementRoleAssignment -RoleAssignee $group | Format-Table -Property Role, RoleAssigneeName",
            "",
        ]
    )
