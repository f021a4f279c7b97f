"""Inbound rules of Windows Firewall: Get-, Enable- and Disable-NetFirewallRule; knows no port and no other host.

Display names and groups are localised on localised hosts, names and group resources are not. `Enabled` is an enum whose
False is the number 2: taken for a boolean it is always true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from starover_lab.cmdlets.changes import change
from starover_lab.cmdlets.cim_objects import chosen, cim, objects_of
from starover_lab.cmdlets.machine import Machine, machine, reading, switch
from starover_lab.cmdlets.net_enums import net_enum, net_flags
from starover_lab.cmdlets.objects import text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import PSArray, PSObject, Unsupported, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_parts import FirewallRule

__all__ = ["BODIES"]

_CLASS = "MSFT_NetFirewallRule"
_GROUPS = {
    "de-DE": {
        "File and Printer Sharing": "Datei- und Druckerfreigabe",
        "Windows Management Instrumentation (WMI)": "Windows-Verwaltungsinstrumentation (WMI)",
        "Windows Remote Management": "Windows-Remoteverwaltung",
        "DNS Service": "DNS-Dienst",
    }
}


def _object(here: Machine, rule: FirewallRule) -> PSObject:
    words = _GROUPS.get(here.world.state.ui_culture, {})
    group = words.get(rule.display_group, rule.display_group)
    return cim(
        _CLASS,
        [
            ("Name", rule.name),
            ("ID", rule.name),
            ("InstanceID", rule.name),
            ("DisplayName", rule.display_name.replace(rule.display_group, group)),
            ("DisplayGroup", group),
            ("Group", rule.group),
            ("RuleGroup", rule.group),
            ("Description", ""),
            ("Enabled", net_enum("NetSecurity.Enabled", "True" if rule.enabled else "False")),
            ("Profile", net_flags("NetSecurity.Profile", rule.profiles)),
            ("Platform", PSArray([], "System.String[]")),
            ("Direction", net_enum("NetSecurity.Direction", "Inbound")),
            ("Action", net_enum("NetSecurity.Action", "Allow")),
            ("EdgeTraversalPolicy", net_enum("NetSecurity.EdgeTraversal", "Block")),
            ("PrimaryStatus", net_enum("NetSecurity.PrimaryStatus", "OK")),
            ("Status", "The rule was parsed successfully from the store. (65536)"),
            ("PolicyStoreSource", "PersistentStore"),
            ("PolicyStoreSourceType", net_enum("NetSecurity.PolicyStoreType", "Local")),
        ],
        text=f'MSFT_NetFirewallRule (InstanceID = "{rule.name}")',
    )


_COLUMNS = ("Name", "DisplayName", "DisplayGroup", "Group", "Enabled", "Direction", "Action", "Description")


def _asked(call: Invocation, bound: Mapping[str, Value]) -> list[PSObject]:
    here = machine(call)
    for name in bound:
        if name.startswith("Associated") or name in {"PolicyStore", "GPOSession", "CimSession"}:
            raise Unsupported(f"{call.spec.name} -{name}: the lab does not simulate it")
    every = [_object(here, rule) for rule in here.world.windows.firewall_rules(here.host)]
    return chosen(call, bound, _CLASS, every, *_COLUMNS)


def get_rule(call: Invocation) -> Iterator[Value]:
    """Get-NetFirewallRule."""
    for bound in call.records():
        reading(call)
        yield from _asked(call, bound)


def _change(call: Invocation, *, enabled: bool) -> Iterator[Value]:
    for bound in call.records():
        here = machine(call)
        given = bound.get("InputObject")
        if given is None and not any(bound.get(name) is not None for name in (*_COLUMNS, "All")):
            message = (
                "Cannot enable all rules; the All parameter is missing."
                if enabled
                else "Cannot disable all rules; the All parameter is missing."
            )
            call.error(call.record("InvalidArgument", "InvalidArgument", message))
            continue
        rules = objects_of(given) if given is not None else _asked(call, bound)
        for rule in rules:
            name = text_of(rule.get("Name"))

            act = partial(here.world.windows.enable_rules, here.host, [name], enabled=enabled)

            def refusal(error: WorldError, name: str = name) -> ErrorRecord:
                return call.record("HRESULT 0x80070002", "ObjectNotFound", error.message, target=name)

            change(call, f'DisplayName: "{text_of(rule.get("DisplayName"))}"', act, refusal)
            if switch(bound.get("PassThru")):
                yield from (
                    _object(here, one)
                    for one in here.world.windows.firewall_rules(here.host)
                    if one.name.casefold() == name.casefold()
                )


def enable(call: Invocation) -> Iterator[Value]:
    """Enable-NetFirewallRule."""
    yield from _change(call, enabled=True)


def disable(call: Invocation) -> Iterator[Value]:
    """Disable-NetFirewallRule."""
    yield from _change(call, enabled=False)


BODIES: dict[str, Body] = {
    "Get-NetFirewallRule": get_rule,
    "Enable-NetFirewallRule": enable,
    "Disable-NetFirewallRule": disable,
}
