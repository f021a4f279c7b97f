"""The variables that a session begins with, and those that are refused; knows no scope."""

from __future__ import annotations

from starover_lab.powershell.values import (
    NetObject,
    PSArray,
    PSEnum,
    PSHashtable,
    PSList,
    Value,
    Version,
)

__all__ = ["LOCALS", "PREFERENCES", "READ_ONLY", "REFUSED", "automatic_variables", "confirm_impact", "preference"]

_SMA = "System.Management.Automation"
_ACTIONS = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend")
_CONFIRM = {"None": 0, "Low": 1, "Medium": 2, "High": 3}

REFUSED = frozenset(
    """^ $ consolefilename executioncontext formatenumerationlimit home iscoreclr islinux ismacos iswindows
    maximumaliascount maximumdrivecount maximumerrorcount maximumfunctioncount maximumhistorycount
    maximumvariablecount nestedpromptlevel outputencoding profile psboundparameters pscmdlet
    psdefaultparametervalues psemailserver pshome pssenderinfo pssessionapplicationname pssessionconfigurationname
    pssessionoption pwd sender shellid this enabledexperimentalfeatures psstyle psnativecommandargumentpassing
    event eventargs eventsubscriber myinvocation psitem""".split()  # noqa: SIM905
)
"""Automatic variables of PowerShell that are not kept here: reading them is refused, not answered with `$null`."""

LOCALS = frozenset({"_", "args", "input"})
"""Automatic variables of every block, which exist unset too."""

READ_ONLY = frozenset({"error", "host", "pid", "psversiontable", "psculture", "psuiculture", "psedition"})

PREFERENCES: dict[str, str] = {
    "ErrorActionPreference": "Continue",
    "WarningPreference": "Continue",
    "VerbosePreference": "SilentlyContinue",
    "DebugPreference": "SilentlyContinue",
    "InformationPreference": "SilentlyContinue",
    "ProgressPreference": "Continue",
}
"""Action preferences with their defaults in Windows PowerShell's console and in remote sessions."""


def preference(name: str) -> PSEnum:
    """An action preference's value by its exact name."""
    return PSEnum(f"{_SMA}.ActionPreference", name, _ACTIONS.index(name))


def confirm_impact(name: str) -> PSEnum:
    """A confirm impact's value by its exact name."""
    return PSEnum(f"{_SMA}.ConfirmImpact", name, _CONFIRM[name])


def automatic_variables(errors: PSList, *, host: str = "ServerRemoteHost", process: int = 4242) -> dict[str, Value]:
    """Names and values of a new Windows PowerShell 5.1 session."""
    version = Version(5, 1, 20348, 1)
    table = PSHashtable()
    for key, value in (
        ("PSVersion", version),
        ("PSEdition", "Desktop"),
        ("PSCompatibleVersions", PSArray([*(Version(major, 0) for major in range(1, 6)), version])),
        ("BuildVersion", Version(10, 0, 20348, 1)),
        ("CLRVersion", Version(4, 0, 30319, 42000)),
        ("WSManStackVersion", Version(3, 0)),
        ("PSRemotingProtocolVersion", Version(2, 3)),
        ("SerializationVersion", Version(1, 1, 0, 1)),
    ):
        table.set(key, value)
    culture = "en-US"
    return {
        **{name: preference(default) for name, default in PREFERENCES.items()},
        "ConfirmPreference": confirm_impact("High"),
        "WhatIfPreference": False,
        "Error": errors,
        "PSVersionTable": table,
        "PSEdition": "Desktop",
        "PID": process,
        "Host": NetObject(
            f"{_SMA}.Internal.Host.InternalHost",
            f"{_SMA}.Internal.Host.InternalHost",
            properties={"Name": host, "Version": version},
        ),
        "PSCulture": culture,
        "PSUICulture": culture,
        "PSScriptRoot": "",
        "PSCommandPath": "",
        "StackTrace": None,
        "args": PSArray(),
        "input": PSArray(),
    }
