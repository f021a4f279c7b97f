"""The FailoverClusters module, reading: cluster, nodes, groups, resources, quorum, as one node sees them.

Cluster cmdlets ask the local node unless `-Cluster` names another; from a network logon that second hop is refused.
Names of the core group and of the empty storage group are localised on localised hosts (facts/exchange.md point 17).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from starover_lab.cmdlets.machine import Machine, given_list, reading
from starover_lab.cmdlets.objects import enum, guid_of, make, product
from starover_lab.cmdlets.releases import release
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSArray, PSList, PSObject, UInt32, Value, enumerate_
from starover_lab.world.entities import Cluster
from starover_lab.world.errors import WorldError
from starover_lab.world.state import first_label

__all__ = ["BODIES", "Seen", "cluster_here", "denied", "failed", "get_quorum", "node_names", "nodes_of", "seen_here"]

_NS = "Microsoft.FailoverClusters.PowerShell."
_REMOTELY = (
    "If you are running Windows PowerShell remotely, note that some failover clustering cmdlets do not work remotely. "
    "When possible, run the cmdlet locally and specify a remote computer as the target. To run the cmdlet remotely, "
    "try using the Credential Security Service Provider (CredSSP). All additional errors or warnings from this cmdlet "
    "might be caused by running it remotely."
)
"""As published (conformance tr-9359f83247): printed before any failing cluster cmdlet of a remote session."""
_NOT_RUNNING = (
    "The cluster service is not running.  Make sure that the service is running on all nodes in the cluster. There are "
    "no more endpoints available from the endpoint mapper"
)
"""As published (conformance tr-401f9ba533)."""
_UNREACHABLE = "The cluster service on {0} can't be asked. The RPC server is unavailable"
_DENIED = (
    "You do not have administrative privileges on the cluster. Contact your network administrator to request access. "
    "Access is denied"
)
"""Unverified wording, as are the ids of the errors but ClusterEndpointNotRegistered (seen)."""
_ADDRESS, _NAME = "IP Address ", "Cluster Name"
_GROUPS = {"en-US": ("Cluster Group", "Available Storage"), "de-DE": ("Clustergruppe", "Verfügbarer Speicher")}


@dataclass(frozen=True)
class Seen:
    """A cluster and the node that answered for it."""

    here: Machine
    node: str
    cluster: Cluster


def failed(call: Invocation, error_id: str, category: str, message: str, target: Value = None) -> None:
    """An error of a cluster cmdlet, behind the warning that real ones print first."""
    call.warning(_REMOTELY)
    call.error(call.record(error_id, category, message, type_name=_NS + "ClusterCmdletException", target=target))


def _seen(call: Invocation, asked: str) -> Seen | None:
    """The cluster as the local node, or the one named, sees it; what keeps it from being seen is reported."""
    here = reading(call)
    node = here.host
    if asked and first_label(asked).casefold() not in {here.host.casefold(), "", "localhost"}:
        if here.network_logon:
            denied(call, asked)
            return None
        node = first_label(asked)
    try:
        here.world.reach(here.host, node)
        return Seen(here, node, here.world.cluster(node))
    except WorldError as error:
        if error.blocked_s > 0:
            call.wait(error.blocked_s)
        if error.kind in {"service_down", "not_found"}:
            failed(call, "ClusterEndpointNotRegistered", "ConnectionError", _NOT_RUNNING)
        else:
            failed(call, "ClusterRpcConnection", "ConnectionError", _UNREACHABLE.format(node))
        return None


def denied(call: Invocation, target: str) -> None:
    """A second hop from a network logon."""
    failed(call, "ClusterAccessDenied", "PermissionDenied", _DENIED, target)


def seen_here(call: Invocation, node: str) -> Seen | None:
    """The cluster as a node sees it; a failure is reported."""
    return _seen(call, node)


def cluster_here(call: Invocation) -> Machine | None:
    """The machine, if the local node (or the one named) answers for its cluster; a failure is reported."""
    seen = _seen(call, _cluster_of(call))
    return None if seen is None else seen.here


def node_names(here: Machine) -> list[str]:
    """The nodes of the local cluster."""
    return [view.name for view in here.world.nodes(here.host)]


def _cluster_of(call: Invocation) -> str:
    given = given_list(call.bound.get("Cluster"))
    return given[0] if given else ""


def _named(call: Invocation, objects: Iterable[PSObject], what: str) -> Iterator[Value]:
    """Those whose name -Name gives (wildcards allowed); a plain name without an object is an error."""
    wanted = given_list(call.bound.get("Name"))
    every = list(objects)
    if not wanted:
        yield from every
        return
    for pattern in wanted:
        found = [one for one in every if fnmatchcase(str(one.get("Name")).casefold(), pattern.casefold())]
        yield from found
        if not found and not set("*?[") & set(pattern):
            message = f"There was a problem finding the {what} '{pattern}'. The {what} was not found"
            failed(call, "ClusterObjectNotFound", "ObjectNotFound", message, pattern)


def _cluster_reference(seen: Seen) -> PSObject:
    return product([_NS + "Cluster", "System.Object"], [("Name", seen.cluster.name)], text=seen.cluster.name)


def get_cluster(call: Invocation) -> Iterator[Value]:
    """Get-Cluster."""
    names = given_list(call.bound.get("Name"))
    seen = _seen(call, names[0] if names else "")
    if seen is None:
        return
    here, cluster = seen.here, seen.cluster
    old = here.server.os == "2012R2"
    votes = cluster.votes
    yield make(
        "Get-Cluster",
        {
            "Domain": here.world.state.dns_name,
            "Name": cluster.name,
            "AdministrativeAccessPoint": "ActiveDirectoryAndDns" if cluster.addresses else "None",
            "WitnessDynamicWeight": UInt32(votes.witness_vote),
            "DynamicQuorum": UInt32(int(votes.dynamic)),
            "FixQuorum": UInt32(int(cluster.forced)),
            "LowerQuorumPriorityNodeId": UInt32(votes.lower_priority or 0),
            "CrossSubnetThreshold": UInt32(5 if old else 20),
            "SameSubnetThreshold": UInt32(5 if old else 10),
            "Id": guid_of("cluster", cluster.name).text,
            "EnableSharedVolumes": "Disabled",
        },
        text=cluster.name,
    )


def get_node(call: Invocation) -> Iterator[Value]:
    """Get-ClusterNode."""
    seen = _seen(call, _cluster_of(call))
    if seen is None:
        return
    yield from _named(call, nodes_of(seen), "cluster node")


def nodes_of(seen: Seen) -> Iterator[PSObject]:
    """The nodes as Get-ClusterNode gives them."""
    for view in seen.here.world.nodes(seen.node):
        server = seen.here.world.server(view.name)
        system = release(server.os)
        made = product(
            [_NS + "ClusterNode", "System.Object"],
            [
                ("Cluster", _cluster_reference(seen)),
                ("State", enum("ClusterNodeState", view.state)),
                ("DrainStatus", enum("ClusterNodeDrainStatus", "NotInitiated")),
                ("DrainTarget", UInt32(4294967295)),
                ("DynamicWeight", UInt32(view.dynamic_weight)),
                ("NodeWeight", UInt32(view.node_weight)),
                ("Name", view.name),
                ("NodeName", view.name),
                ("Id", str(view.id)),
                ("Description", ""),
                ("MajorVersion", UInt32(system.major)),
                ("MinorVersion", UInt32(system.minor)),
                ("BuildNumber", UInt32(system.build)),
                ("CSDVersion", ""),
                ("NeedsPreventQuorum", UInt32(0)),
                ("NodeInstanceID", guid_of("node", view.name).text.upper()),
            ],
            text=view.name,
        )
        if server.os != "2012R2":
            made.set("StatusInformation", enum("ClusterNodeStatusInformation", view.information))
        yield made


def _node_reference(name: str) -> PSObject:
    return product([_NS + "ClusterNode", "System.Object"], [("Name", name)], text=name)


def _group_names(seen: Seen) -> tuple[str, str]:
    return _GROUPS.get(seen.here.world.state.ui_culture, _GROUPS["en-US"])


def _resources(seen: Seen) -> Iterator[PSObject]:
    cluster = seen.cluster
    core = _group_names(seen)[0]
    online = cluster.online_address
    found = [(_ADDRESS + one, "IP Address", "Online" if one == online else "Offline") for one in cluster.addresses]
    if cluster.addresses:
        found.append((_NAME, "Network Name", "Online" if online else "Offline"))
    if cluster.votes.witness:
        state = "Online" if cluster.votes.witness_online else "Failed"
        found.append((f"File Share Witness ({_share(cluster)})", "File Share Witness", state))
    for name, kind, state in found:
        yield product(
            [_NS + "ClusterResource", "System.Object"],
            [
                ("Cluster", _cluster_reference(seen)),
                ("IsCoreResource", True),
                ("Name", name),
                ("Id", guid_of("resource", cluster.name, name).text),
                ("OwnerGroup", product([_NS + "ClusterGroup", "System.Object"], [("Name", core)], text=core)),
                ("OwnerNode", _node_reference(cluster.core_owner)),
                ("ResourceType", product([_NS + "ClusterResourceType", "System.Object"], [("Name", kind)], text=kind)),
                ("State", enum("ClusterResourceState", state)),
            ],
            text=name,
        )


def _share(cluster: Cluster) -> str:
    return cluster.witness_path


def get_resource(call: Invocation) -> Iterator[Value]:
    """Get-ClusterResource: in a DAG the witness, and name and addresses of an access point where there is one."""
    seen = _seen(call, _cluster_of(call))
    if seen is not None:
        yield from _named(call, _resources(seen), "cluster resource")


def get_group(call: Invocation) -> Iterator[Value]:
    """Get-ClusterGroup: the core group and the empty storage group."""
    seen = _seen(call, _cluster_of(call))
    if seen is None:
        return
    core, storage = _group_names(seen)
    owner = seen.cluster.core_owner
    groups = [(core, "Cluster", "Online" if owner else "Pending"), (storage, "AvailableStorage", "Offline")]
    made = [
        product(
            [_NS + "ClusterGroup", "System.Object"],
            [
                ("Cluster", _cluster_reference(seen)),
                ("IsCoreGroup", kind == "Cluster"),
                ("OwnerNode", _node_reference(owner)),
                ("State", enum("ClusterGroupState", state)),
                ("Name", name),
                ("GroupType", enum("ClusterGroupType", kind)),
                ("Id", guid_of("group", seen.cluster.name, kind).text),
                ("Description", ""),
            ],
            text=name,
        )
        for name, kind, state in groups
    ]
    yield from _named(call, made, "cluster group")


def get_quorum(call: Invocation) -> Iterator[Value]:
    """Get-ClusterQuorum."""
    seen = _seen(call, _cluster_of(call))
    if seen is None:
        return
    witness = next((one for one in _resources(seen) if str(one.get("Name")).startswith("File Share Witness")), None)
    yield product(
        [_NS + "ClusterQuorumSettings", "System.Object"],
        [
            ("Cluster", _cluster_reference(seen)),
            ("QuorumResource", witness),
            ("QuorumType", enum("ClusterQuorumType", seen.cluster.quorum_type)),
        ],
    )


def _parameters(seen: Seen, resource: str) -> Iterator[tuple[str, Value, str]]:
    """Name, value and kind of a core resource's private properties."""
    if resource.startswith("File Share Witness ("):
        yield "SharePath", _share(seen.cluster), "String"
        yield "ArbitrationDelay", UInt32(6), "UInt32"
    elif resource == _NAME:
        yield "Name", seen.cluster.name.upper(), "String"
        yield "DnsName", seen.cluster.name, "String"
        yield "HostRecordTTL", UInt32(1200), "UInt32"
        yield "RegisterAllProvidersIP", UInt32(0), "UInt32"
    elif resource.startswith(_ADDRESS):
        address = resource.removeprefix(_ADDRESS)
        cards = [nic for node in seen.cluster.nodes for nic in seen.here.world.nics.of(node.server) if nic.subnet]
        networks = [ip_network(nic.subnet) for nic in cards]
        subnet = next((one for one in networks if ip_address(address) in one), None)
        yield "Address", address, "String"
        yield "SubnetMask", "255.255.255.0" if subnet is None else str(subnet.netmask), "String"
        yield "EnableDhcp", UInt32(0), "UInt32"


def get_parameter(call: Invocation) -> Iterator[Value]:
    """Get-ClusterParameter of resources piped in or given: the witness's share, an address, the cluster's name."""
    wanted = {name.casefold() for name in given_list(call.bound.get("Name"))}
    for bound in call.records():
        given = bound.get("InputObject")
        for item in enumerate_(given) if isinstance(given, PSArray | PSList) else [given]:
            if isinstance(item, PSObject):
                seen = _seen(call, _cluster_of(call))
                if seen is None:
                    return
                for name, value, kind in _parameters(seen, str(item.get("Name"))):
                    if not wanted or name.casefold() in wanted:
                        yield product(
                            [_NS + "ClusterParameter", "System.Object"],
                            [
                                ("ClusterObject", item),
                                ("Name", name),
                                ("Value", value),
                                ("IsReadOnly", False),
                                ("ParameterType", kind),
                            ],
                            text=name,
                        )


BODIES: dict[str, Body] = {
    "Get-Cluster": get_cluster,
    "Get-ClusterNode": get_node,
    "Get-ClusterResource": get_resource,
    "Get-ClusterGroup": get_group,
    "Get-ClusterQuorum": get_quorum,
    "Get-ClusterParameter": get_parameter,
}
