"""What a Windows host begins with: network cards, features, firewall rules, groups; makes no host and no transition."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starover_lab.world.dice import Dice
from starover_lab.world.machine_parts import BINDINGS, FirewallRule, InstallState, Nic, Route, SmbShare
from starover_lab.world.names import Names
from starover_lab.world.principals import ETS
from starover_lab.world.topology_specs import NicSpec, ServerSpec

__all__ = ["FILE_SHARING", "WMI", "features_of", "firewall_of", "groups_of", "nics_of", "shares_of"]

FILE_SHARING = "@FirewallAPI.dll,-28502"
WMI = "@FirewallAPI.dll,-34251"
_REMOTE_MANAGEMENT = "@FirewallAPI.dll,-30267"
_REPLICATION = "Microsoft Exchange Server"
_DNS = "@dns.exe,-200"
_SMB = "File and Printer Sharing"
_WMI_NAME = "Windows Management Instrumentation (WMI)"
_RULES: tuple[tuple[str, str, str, str, str, int], ...] = (
    ("FPS-SMB-In-TCP", "File and Printer Sharing (SMB-In)", FILE_SHARING, _SMB, "TCP", 445),
    ("FPS-NB_Session-In-TCP", "File and Printer Sharing (NB-Session-In)", FILE_SHARING, _SMB, "TCP", 139),
    ("FPS-ICMP4-ERQ-In", "File and Printer Sharing (Echo Request - ICMPv4-In)", FILE_SHARING, _SMB, "ICMPv4", 0),
    ("WMI-RPCSS-In-TCP", "Windows Management Instrumentation (DCOM-In)", WMI, _WMI_NAME, "TCP", 135),
    ("WMI-WINMGMT-In-TCP", "Windows Management Instrumentation (WMI-In)", WMI, _WMI_NAME, "TCP", 0),
    ("WMI-ASYNC-In-TCP", "Windows Management Instrumentation (ASync-In)", WMI, _WMI_NAME, "TCP", 0),
    (
        "WINRM-HTTP-In-TCP",
        "Windows Remote Management (HTTP-In)",
        _REMOTE_MANAGEMENT,
        "Windows Remote Management",
        "TCP",
        5985,
    ),
)
_EXCHANGE_RULES: tuple[tuple[str, str, str, str, str, int], ...] = (
    ("MSExchangeRepl-Log-Copier", "MSExchangeRepl Log Copier", _REPLICATION, _REPLICATION, "TCP", 64327),
    ("IIS-WebServerRole-HTTPS-In-TCP", "World Wide Web Services (HTTPS Traffic-In)", "@iis", "HTTPS", "TCP", 443),
    ("IIS-WebServerRole-HTTP-In-TCP", "World Wide Web Services (HTTP Traffic-In)", "@iis", "HTTP", "TCP", 80),
)
_DC_RULES: tuple[tuple[str, str, str, str, str, int], ...] = (
    ("DNSSrv-DNS-TCP-In", "DNS (TCP, Incoming)", _DNS, "DNS Service", "TCP", 53),
    ("ADDS-LDAP-TCP-In", "Active Directory Domain Controller - LDAP (TCP-In)", "@adds", "AD DS", "TCP", 389),
    ("ADDS-RPC-EPMAP-TCP-In", "Active Directory Domain Controller (RPC-EPMAP)", "@adds", "AD DS", "TCP", 135),
)
_FEATURES: dict[str, InstallState] = {
    "AD-Domain-Services": "Available",
    "DNS": "Available",
    "FS-FileServer": "Available",
    "Failover-Clustering": "Available",
    "NLB": "Available",
    "RSAT-AD-PowerShell": "Available",
    "RSAT-ADDS": "Available",
    "RSAT-Clustering": "Available",
    "RSAT-Clustering-CmdInterface": "Available",
    "RSAT-Clustering-Mgmt": "Available",
    "RSAT-Clustering-PowerShell": "Available",
    "RSAT-DNS-Server": "Available",
    "Web-Server": "Available",
    "Windows-Defender": "Installed",
}
_EXCHANGE_NEEDS = (
    "RSAT-ADDS",
    "RSAT-AD-PowerShell",
    "RSAT-Clustering",
    "RSAT-Clustering-CmdInterface",
    "RSAT-Clustering-Mgmt",
    "RSAT-Clustering-PowerShell",
    "Web-Server",
)
"""What Exchange's setup asks for [doc]; Failover-Clustering itself comes with the DAG."""


def nics_of(spec: ServerSpec, subnet: str, dns_servers: Sequence[str], dice: Dice) -> Names[Nic]:
    """The cards of a host: those of its entry, else one from its address."""
    found: Names[Nic] = Names()
    for index, nic in enumerate(spec.nics or _one_card(spec, subnet), start=1):
        network = ipaddress.ip_interface(nic.address).network
        mapi = nic.purpose == "mapi"
        default = nic.gateway or (str(next(network.hosts())) if mapi else "")
        routes = [Route(route.prefix, route.next_hop) for route in nic.routes]
        if default:
            routes.insert(0, Route("0.0.0.0/0", default, metric=0))
        digest = dice.text("mac", f"{spec.name} {nic.alias}", 8)
        found.add(
            nic.alias,
            Nic(
                alias=nic.alias,
                index=3 + index,
                mac="0A-" + "-".join(digest[at : at + 2] for at in (0, 2, 4, 6)).upper() + f"-{index:02X}",
                addresses=(nic.address.partition("/")[0],),
                prefix=network.prefixlen,
                dns_servers=tuple(nic.dns_servers) or (tuple(dns_servers) if mapi else ()),
                register_dns=mapi if nic.register_dns is None else nic.register_dns,
                bindings={name: mapi or name.startswith("ms_tcpip") for name in BINDINGS} | dict(nic.bindings),
                dhcp=bool(spec.instance) if nic.dhcp is None else nic.dhcp,
                metric=nic.metric or (15 if mapi else 25),
                routes=routes,
                eni=f"eni-{dice.text('eni', f'{spec.name} {nic.alias}', 17)}" if spec.instance else "",
                secondary=tuple(one for one in spec.secondary_addresses if ipaddress.ip_address(one) in network),
            ),
        )
    return found


def _one_card(spec: ServerSpec, subnet: str) -> tuple[NicSpec, ...]:
    if not spec.address:
        return ()
    length = ipaddress.ip_network(subnet).prefixlen if subnet else 24
    return (NicSpec(alias="Ethernet", address=f"{spec.address}/{length}"),)


def features_of(spec: ServerSpec, *, clustered: bool) -> dict[str, InstallState]:
    """Windows features by name."""
    found = dict(_FEATURES)
    if spec.exchange is not None:
        found.update(dict.fromkeys(_EXCHANGE_NEEDS, "Installed"))
    if clustered:
        found["Failover-Clustering"] = "Installed"
    if "dc" in spec.roles:
        found.update(dict.fromkeys(("AD-Domain-Services", "DNS", "RSAT-ADDS", "RSAT-AD-PowerShell"), "Installed"))
        found["RSAT-DNS-Server"] = found["FS-FileServer"] = "Installed"
    by_name = {name.casefold(): name for name in found}
    for name, state in spec.features.items():
        found[by_name.get(name.casefold(), name)] = state
    return found


def firewall_of(spec: ServerSpec) -> list[FirewallRule]:
    """Inbound rules. File sharing and WMI are closed on a plain server until somebody opens them."""
    rows = [*_RULES]
    if spec.exchange is not None:
        rows += _EXCHANGE_RULES
    if "dc" in spec.roles:
        rows += _DC_RULES
    plain = spec.exchange is None and "dc" not in spec.roles
    return [
        FirewallRule(name, display, group, shown, protocol, port, enabled=not (plain and group in (FILE_SHARING, WMI)))
        for name, display, group, shown, protocol, port in rows
    ]


def groups_of(spec: ServerSpec, name: str, netbios: str) -> dict[str, tuple[str, ...]]:
    """Local groups; a DC has none."""
    if "dc" in spec.roles:
        return {}
    administrators = [f"{name}\\Administrator", f"{netbios}\\Domain Admins"]
    if spec.exchange is not None:
        administrators += [f"{netbios}\\Organization Management", f"{netbios}\\{ETS}"]
    return {
        "Administrators": tuple(administrators),
        "Users": ("NT AUTHORITY\\Authenticated Users", f"{netbios}\\Domain Users"),
        "Backup Operators": (),
        "Remote Desktop Users": (),
        "Remote Management Users": (),
    }


def shares_of(spec: ServerSpec) -> Names[SmbShare]:
    """SMB shares: the administrative ones, and those of the topology."""
    found: Names[SmbShare] = Names()
    for name, path in {"ADMIN$": "C:\\Windows", "C$": "C:\\", **spec.shares}.items():
        found.add(name, SmbShare(name, path, ("BUILTIN\\Administrators",)))
    return found
