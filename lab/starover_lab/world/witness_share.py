"""The file share witness on its host: what must be open there, who may use the share; changes no cluster.

Making directory and share from outside takes WMI, SMB and Exchange Trusted Subsystem among the host's administrators;
each missing one has its own documented warning (cmdlets.json, New-DatabaseAvailabilityGroup).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from starover_lab.world.ad_objects import GroupObject, group_key
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_build import FILE_SHARING, WMI
from starover_lab.world.operations import Notice
from starover_lab.world.principals import ETS
from starover_lab.world.state import State

__all__ = ["default_directory", "obstacle", "open_witness", "rule_open", "share_answers", "share_name", "share_rights"]

_NEEDED = {FILE_SHARING: ("FPS-SMB-In-TCP",), WMI: ("WMI-RPCSS-In-TCP", "WMI-WINMGMT-In-TCP")}


def share_name(state: State, dag: str) -> str:
    """The share's name is the DAG's FQDN."""
    return f"{dag}.{state.dns_name}"


def default_directory(state: State, dag: str) -> str:
    """Where the witness lies when nobody says otherwise [doc]."""
    return f"C:\\DAGFileShareWitnesses\\{dag}.{state.dns_name}"


def rule_open(host: Server, group: str) -> bool:
    """Whether the firewall lets the traffic of a rule group in, as far as a witness needs it."""
    return all(rule.enabled for rule in host.firewall if rule.group == group and rule.name in _NEEDED[group])


def administered(state: State, host: Server) -> bool:
    """Whether Exchange Trusted Subsystem is an administrator of a host, on a DC of the domain's builtin group."""
    trusted = f"{state.netbios}\\{ETS}"
    if not host.is_dc:
        return trusted in host.local_groups.get("Administrators", ())
    dc = state.directory.controllers.get(host.name)
    group = state.directory.read(dc, group_key("Administrators"), GroupObject) if dc is not None else None
    return group is not None and trusted in group.members


def obstacle(state: State, asker: Server, host: Server, directory: str) -> Notice | None:
    """What keeps Exchange on `asker` from making a directory and a share on a witness host; None: nothing."""
    data = {"server": host.name, "fqdn": host.fqdn, "directory": directory}
    if not state.reaches(asker, host) or not rule_open(host, WMI):
        return Notice("witness_rpc_unavailable", f"WMI of {host.name} does not answer", {**data})
    if not rule_open(host, FILE_SHARING) or not state.runs(host, "LanmanServer"):
        return Notice("witness_path_not_found", f"no file shares on {host.name}", {**data})
    if not administered(state, host):
        return Notice("witness_access_denied", f"{ETS} is no administrator of {host.name}", {**data})
    return None


def share_rights(state: State, dag: str, members: Iterable[str], *, named: bool) -> tuple[str, ...]:
    """Who may use the share: the cluster's account, or without an access point the nodes' own."""
    accounts = [dag] if named else list(members)
    return (f"{state.netbios}\\{ETS}", *(f"{state.netbios}\\{name}$" for name in accounts))


def share_answers(state: State, host: Server, share: str, accounts: Iterable[str]) -> bool:
    """Whether one of some accounts (`NODE1$`) gets to a share over the network, the host being up."""
    found = host.shares.get(share)
    if found is None or not rule_open(host, FILE_SHARING) or not state.runs(host, "LanmanServer"):
        return False
    allowed = {name.casefold() for name in found.access}
    return "everyone" in allowed or any(f"{state.netbios}\\{name}".casefold() in allowed for name in accounts)


def open_witness(state: State, host: Server) -> None:
    """What witness-prepare would do: for hosts that are a witness when the lab begins."""
    for rule in host.firewall:
        if rule.group in _NEEDED:
            rule.enabled = True
    trusted = f"{state.netbios}\\{ETS}"
    if administered(state, host):
        return
    if not host.is_dc:
        host.local_groups["Administrators"] = (*host.local_groups.get("Administrators", ()), trusted)
        return
    dc = state.directory.controllers[host.name]
    group = state.directory.read(dc, group_key("Administrators"), GroupObject)
    if group is None:
        raise WorldError("not_found", "there is no group Administrators", object="group", name="Administrators")
    state.directory.plant(group_key("Administrators"), replace(group, members=(*group.members, trusted)))
