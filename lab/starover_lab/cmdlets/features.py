"""Windows features of a host: Get-WindowsFeature and Install-WindowsFeature; knows no reboot.

Names, kinds and states are those of exports of real servers. A feature that is not known by name gives nothing when
read and an error when installed.
"""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.machine import Machine, given_list, machine, reading, switch
from starover_lab.cmdlets.objects import enum, list_of, make, product, text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSArray, PSList, PSObject, Unsupported, Value, enumerate_
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_parts import InstallState
from starover_lab.world.names import same

__all__ = ["BODIES"]

_NS = "Microsoft.Windows.ServerManager.Commands."
_DISPLAY = {
    "AD-Domain-Services": "Active Directory Domain Services",
    "DNS": "DNS Server",
    "FS-FileServer": "File Server",
    "Failover-Clustering": "Failover Clustering",
    "NLB": "Network Load Balancing",
    "RSAT-ADDS": "AD DS and AD LDS Tools",
    "RSAT-AD-PowerShell": "Active Directory module for Windows PowerShell",
    "RSAT-Clustering": "Failover Clustering Tools",
    "RSAT-Clustering-CmdInterface": "Failover Cluster Command Interface",
    "RSAT-Clustering-Mgmt": "Failover Cluster Management Tools",
    "RSAT-Clustering-PowerShell": "Failover Cluster Module for Windows PowerShell",
    "RSAT-DNS-Server": "DNS Server Tools",
    "Web-Server": "Web Server (IIS)",
}
_ROLES = {"AD-Domain-Services", "DNS", "Web-Server"}
_PARENTS = {
    "FS-FileServer": "File-Services",
    "RSAT-AD-PowerShell": "RSAT-AD-Tools",
    "RSAT-Clustering-CmdInterface": "RSAT-Clustering",
    "RSAT-Clustering-Mgmt": "RSAT-Clustering",
    "RSAT-Clustering-PowerShell": "RSAT-Clustering",
}


def _feature(name: str, state: InstallState, features: dict[str, InstallState]) -> PSObject:
    display = _DISPLAY.get(name, name)
    parent = _PARENTS.get(name)
    below = [one for one, above in _PARENTS.items() if same(above, name) and one in features]
    return make(
        "Get-WindowsFeature",
        {
            "Name": name,
            "DisplayName": display,
            "Description": "",
            "Installed": state == "Installed",
            "InstallState": state,
            "FeatureType": "Role" if name in _ROLES else "Role Service" if name == "FS-FileServer" else "Feature",
            "Path": display,
            "Depth": 2 if parent else 1,
            "Parent": parent,
            "SubFeatures": PSArray([*below], "System.String[]"),
            "PostConfigurationNeeded": False,
        },
        text=name,
    )


def _elsewhere(call: Invocation, here: Machine, computer: str) -> bool:
    """Another host is a second hop; whether it was asked for."""
    if not computer or same(computer.partition(".")[0], here.host) or computer in {".", "localhost"}:
        return False
    message = (
        f"The request to list features available on the specified server failed. WinRM cannot process the request on "
        f"{computer}: Access is denied."
    )
    kind = "System.UnauthorizedAccessException"
    error = (
        "DISMAPI_Error__Failed_To_Enable_Updates" if call.spec.name.startswith("Install") else "UnSupportedTargetDevice"
    )
    call.error(call.record(error, "PermissionDenied", message, type_name=kind, target=computer))
    return True


def get_feature(call: Invocation) -> Iterator[Value]:
    """Get-WindowsFeature of this host, by name with wildcards."""
    for bound in call.records():
        here = reading(call)
        if _elsewhere(call, here, text_of(bound.get("ComputerName"))):
            continue
        features = here.world.windows.features(here.host)
        patterns = given_list(bound.get("Name")) or ["*"]
        for name in sorted(features, key=str.casefold):
            if any(fits(name, pattern) for pattern in patterns):
                yield _feature(name, features[name], features)


def _result(before: dict[str, InstallState], after: dict[str, InstallState]) -> PSObject:
    """What an installation reports: success, whether a restart is wanted, and each feature that changed."""
    changed = [name for name in after if before.get(name) != after[name]]
    waits = any(after[name] == "InstallPending" for name in changed)
    restart = enum("RestartState", "Yes" if waits else "No")
    code = "NoChangeNeeded" if not changed else "SuccessRestartRequired" if waits else "Success"
    results = [
        product(
            [_NS + "FeatureOperationResultItem", "System.Object"],
            [
                ("Name", name),
                ("DisplayName", _DISPLAY.get(name, name)),
                ("Success", True),
                ("RestartNeeded", after[name] == "InstallPending"),
                ("SkipReason", "NotSkipped"),
                ("Message", list_of([], "System.Collections.ObjectModel.Collection`1[[System.String]]")),
            ],
            text=_DISPLAY.get(name, name),
        )
        for name in changed
    ]
    return product(
        [_NS + "FeatureOperationResult", "System.Object"],
        [
            ("Success", True),
            ("RestartNeeded", restart),
            ("FeatureResult", PSArray([*results], _NS + "FeatureOperationResultItem[]")),
            ("ExitCode", enum("FeatureOperationExitCode", code)),
        ],
    )


_RESTART = "You must restart this server to finish the installation process."
"""What Install-WindowsFeature warns of when a restart is wanted [mem]."""


def install(call: Invocation) -> Iterator[Value]:
    """Install-WindowsFeature: the call lasts as long as the installation."""
    for bound in call.records():
        here = machine(call)
        for unknown in ("Vhd", "ConfigurationFilePath", "Source"):
            if bound.get(unknown) is not None:
                raise Unsupported(f"Install-WindowsFeature -{unknown}: the lab does not simulate it")
        if _elsewhere(call, here, text_of(bound.get("ComputerName"))):
            continue
        names = _names(bound.get("Name"))
        if not may(call, ", ".join(names)):
            continue
        before = dict(here.world.windows.features(here.host))
        unknown_names = [name for name in names if not any(same(name, known) for known in before)]
        for name in unknown_names:
            message = (
                "ArgumentNotValid: The role, role service, or feature name is not valid: "
                f"'{name}'. The name was not found."
            )
            call.error(
                call.record("NameDoesNotExist", "InvalidArgument", message, type_name="System.Exception", target=name)
            )
        if unknown_names:
            continue
        try:
            tools = switch(bound.get("IncludeManagementTools"))
            operation = here.world.windows.install(here.host, names, management_tools=tools)
            call.wait(max((operation.ends - here.world.now).total_seconds(), here.world.state.tuning.write_s))
            operation.result()
        except WorldError as error:
            call.error(call.record("WindowsFeatureOperationFailed", "InvalidOperation", error.message))
            continue
        result = _result(before, here.world.windows.features(here.host))
        wants = result.get("RestartNeeded") == enum("RestartState", "Yes")
        if wants:
            call.warning(_RESTART)
        yield result
        if wants and switch(bound.get("Restart")):
            here.world.windows.restart(here.host)


def _names(value: Value) -> list[str]:
    items = enumerate_(value) if isinstance(value, PSArray | PSList) else [value]
    return [text_of(one) for one in items]


BODIES: dict[str, Body] = {"Get-WindowsFeature": get_feature, "Install-WindowsFeature": install}
