"""Which Exchange cmdlets and parameters templates need, as a template that looks for them; runs nothing.

RBAC takes away single parameters too, so both are looked for (`powershell.md` 2 and 15).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starover.render import expanded, skeleton
from starover.skeleton import code_only

__all__ = ["TEMPLATE", "needed", "rights_template"]

TEMPLATE = "access/rights.ps1.j2"
"""Its name. It lies in no folder: content makes it of all the templates it has, so that it is always whole."""

_EXCHANGE = re.compile(r"^# exchange: *(.+)$", re.MULTILINE)
_CALL = re.compile(r"(?<![\w$.\-])([A-Z][A-Za-z]+-[A-Z][A-Za-z]+)(?![\w\-])([^\n|;{}]*)")
_PARAMETER = re.compile(r"(?<=\s)-([A-Z][A-Za-z]+)")
_GONE = frozenset({"Get-UMActiveCalls"})
"""Cmdlets that Exchange has had until 2016 only, and that nothing asks for on a later one."""
_COMMON = frozenset({"ErrorAction", "ErrorVariable", "WarningAction", "WarningVariable", "Confirm", "WhatIf"})


def needed(templates: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Parameters by Exchange cmdlet, both in order. Raises `BadTemplate`."""
    found: dict[str, set[str]] = {}
    for name in templates:
        if name == TEMPLATE or name.rpartition("/")[2].startswith("_"):
            continue
        text = skeleton(name, expanded(templates, name))
        exchange = {one.strip() for line in _EXCHANGE.findall(text) for one in line.split(",")} - _GONE
        for one in exchange:
            found.setdefault(one, set())
        for command, rest in _CALL.findall(code_only(text)):
            if command in exchange:
                found[command] |= set(_PARAMETER.findall(rest)) - _COMMON
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def rights_template(templates: Mapping[str, str]) -> str:
    """The template that looks for all of them. Raises `BadTemplate`."""
    wanted = needed(templates)
    lines = [f"    '{name}' = @({', '.join(repr(one) for one in parameters)})" for name, parameters in wanted.items()]
    heads = [f"# exchange: {name}" for name in wanted]
    return "\n".join(
        [
            *heads,
            "# Whether every cmdlet and parameter that the templates need is there.",
            "$wanted = @{",
            *lines,
            "}",
            "$lacking = @()",
            "foreach ($name in @($wanted.Keys)) {",
            "    $command = Get-Command -Name $name -ErrorAction Stop",
            "    foreach ($parameter in @($wanted[$name])) {",
            "        if (-not $command.Parameters.ContainsKey($parameter)) {",
            "            $lacking += @([string]$name + ' -' + $parameter)",
            "        }",
            "    }",
            "}",
            "[pscustomobject]@{",
            "    cmdlets = [long]$wanted.Count",
            "    lacking = @($lacking)",
            "}",
            "",
        ]
    )
