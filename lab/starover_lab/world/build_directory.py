"""What the directory holds when the lab begins: accounts, groups, computers, DNS; makes no host and no DAG."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from starover_lab.world.ad_objects import ComputerObject, GroupObject, computer_key, computer_object, group_key
from starover_lab.world.dns import node_key
from starover_lab.world.dns_zones import Node, Record, Zone
from starover_lab.world.entities import DagObject
from starover_lab.world.principals import ETS
from starover_lab.world.state import State
from starover_lab.world.topology_specs import ComputerSpec, Topology, seconds

__all__ = ["plant_cno", "plant_directory", "plant_dns"]

_HOST_TTL_S = 1200
"""Of records that hosts register themselves."""


def plant_directory(state: State, topology: Topology) -> None:
    """Computer accounts and groups, on every DC."""
    principals = state.principals
    for account in topology.accounts:
        principals.add(account.name)
    exchange = [server for server in state.servers if server.exchange is not None]
    computers = [f"{state.netbios}\\{server.name}$" for server in exchange]
    named = [(f"{state.netbios}\\{account.name}", account) for account in topology.accounts]
    groups = {
        "Administrators": (f"{state.netbios}\\Domain Admins", f"{state.netbios}\\Enterprise Admins"),
        "Domain Admins": (f"{state.netbios}\\Administrator", *(n for n, a in named if "Domain Admins" in a.groups)),
        "Enterprise Admins": (f"{state.netbios}\\Administrator",),
        "Domain Users": tuple(name for name, _ in named),
        "DnsAdmins": tuple(name for name, account in named if "DnsAdmins" in account.groups),
        "Exchange Servers": tuple(computers),
        ETS: tuple(computers),
        "Exchange Windows Permissions": (f"{state.netbios}\\{ETS}",),
        "Organization Management": tuple(n for n, a in named if "Organization Management" in a.role_groups),
    }
    root = ",".join(f"DC={label}" for label in state.dns_name.split("."))
    for name, members in groups.items():
        container = "CN=Builtin" if name == "Administrators" else "CN=Users"
        sid = principals.sid("BUILTIN\\Administrators") if name == "Administrators" else principals.add(name)
        group = GroupObject(name=name, sid=sid, members=members, path=f"CN={name},{container},{root}")
        state.directory.plant(group_key(name), group)
    for server in state.servers:
        container = f"OU=Domain Controllers,{root}" if server.is_dc else ""
        made = computer_object(state, server.name, path=container, dns_name=server.fqdn)
        state.directory.plant(computer_key(server.name), made)
    for spec in topology.computers:
        state.directory.plant(computer_key(spec.name), _computer(state, spec))


def _computer(state: State, spec: ComputerSpec) -> ComputerObject:
    made = computer_object(state, spec.name, enabled=spec.enabled, description=spec.description)
    rights = tuple(state.principals.full(one) for one in spec.full_control)
    return replace(made, full_control=rights)


def plant_cno(state: State, dag: DagObject) -> None:
    """The computer account of a cluster that is already there."""
    made = computer_object(state, dag.name, description="Failover cluster virtual network name account")
    rights = (f"{state.netbios}\\{ETS}",)
    state.directory.plant(computer_key(dag.name), replace(made, full_control=rights))


def plant_dns(state: State, topology: Topology) -> None:
    """Zones, the hosts' own records, those of the topology, and the balancers' names outside."""
    for name in (state.dns_name, *topology.dns_zones):
        state.zones.add(name, Zone(name))
    nodes: dict[tuple[str, str], list[Record]] = {}

    def put(full: str, record: Record) -> None:
        zones = [zone for zone in state.zones if f".{full.casefold()}".endswith("." + zone.name.casefold())]
        if not zones:
            return
        zone = max(zones, key=lambda one: len(one.name))
        label = full[: -len(zone.name) - 1] or "@"
        own = replace(record, name=label)
        nodes.setdefault((zone.name, label.casefold()), []).append(own)

    for server in state.servers:
        if server.address:
            put(server.fqdn, _address(server.fqdn, server.address, state))
    for cluster in state.clusters:
        if cluster.online_address:
            put(f"{cluster.name}.{state.dns_name}", _address(cluster.name, cluster.online_address, state))
    for dc in state.directory.controllers:
        if state.servers[dc.name].address:
            put(state.dns_name, _address("@", state.servers[dc.name].address, state))
        data = f"0 100 389 {state.servers[dc.name].fqdn.casefold()}."
        put(f"_ldap._tcp.{state.dns_name}", Record(name="", type="SRV", data=data, ttl_s=600, timestamp=state.now))
    for spec in topology.dns_records:
        data = spec.data.rstrip(".") + "." if spec.type == "CNAME" else spec.data
        put(spec.name.rstrip("."), Record(name="", type=spec.type, data=data, ttl_s=int(seconds(spec.ttl))))
    for (zone, label), records in nodes.items():
        state.directory.plant(node_key(zone, label), Node(tuple(records)))
    for number, balancer in enumerate(topology.balancers, start=1):
        if balancer.addresses:
            state.balancer_addresses[(balancer.fqdn or balancer.name).rstrip(".").casefold()] = balancer.addresses
        elif balancer.fqdn:
            nets = [subnet.cidr.partition("/")[0].rpartition(".")[0] for subnet in state.subnets]
            addresses = tuple(dict.fromkeys(f"{net}.{240 + number}" for net in nets)) or (f"10.255.0.{number}",)
            state.balancer_addresses[balancer.fqdn.rstrip(".").casefold()] = addresses
    state.client_names = tuple(one.name for one in topology.client_names)


def _address(name: str, address: str, state: State) -> Record:
    registered = state.now - timedelta(days=3)
    return Record(name=name, type="A", data=address, ttl_s=_HOST_TTL_S, timestamp=registered)
