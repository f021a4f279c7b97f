"""An inventory drawn from what AWS and Active Directory say, and held against one that a person wrote; reads nothing.

What a person wrote stays as it is: found values fill gaps, new servers are added, everything else is a difference
that is told.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from starover.estate import Role
from starover.names import ServerName, SiteName, first_label, same_host
from starover.steps.dag import short
from starover.steps.preflight_reports import AdSubnet, Controller
from starover.steps.whereabouts import Agent, Balancer, DagInAd, Group, Instance, Organization, Subnet
from starover.yaml_lines import Tree

__all__ = ["Directory", "Drawn", "Found", "drawn"]

_GUESSES: tuple[tuple[Role, re.Pattern[str]], ...] = (
    ("dc", re.compile(r"(?:.*-)?(?:(?:P|B|R)?DC|DomainController)-?\d*", re.IGNORECASE)),
    ("witness", re.compile(r"(?:.*-)?(?:FileServer|FSW|FS|WIT|Witness)-?\d*", re.IGNORECASE)),
    ("mailbox", re.compile(r"(?:.*-)?(?:ExchangeNode|Exchange|EX(?:CH)?|MBX|MAIL)-?\d*", re.IGNORECASE)),
)
"""Names of the AWS Exchange template (catalogue 7.1) and the usual ones; only where nobody says what a server is."""
_RESOURCE = "aws:cloudformation:logical-id"
"""What a stack calls an instance, whatever its name is: AWS tags it."""
_MAIL = re.compile(r"exch|mail|owa|smtp|imap|outlook", re.IGNORECASE)
"""In the name of a target group or of its balancer: what is behind it serves mail clients."""
_KINDS = {"network": "nlb", "application": "alb"}
_MOST_MEMBERS = 16
_VERSION = re.compile(r"(\d+)\.(\d+) \(Build (\d+)\.(\d+)\)")
_WINDOWS = re.compile(r"Windows Server (\d{4})( R2)?")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class Directory:
    """What one server says of Active Directory; an empty part could not be read."""

    by: str
    """Who said it."""
    organization: Organization
    controllers: tuple[Controller, ...] = ()
    subnets: tuple[AdSubnet, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything that was found."""

    instances: tuple[Instance, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    agents: tuple[Agent, ...] = ()
    balancers: tuple[Balancer, ...] = ()
    groups: tuple[Group, ...] = ()
    targets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """ARN of a target group, and its targets: ids of instances, or addresses."""
    directory: Directory | None = None
    """None: nobody was asked, or nobody answered."""


@dataclass(frozen=True)
class Drawn:
    """An inventory as a tree, and what a person must know of it."""

    tree: dict[str, Tree]
    notes: tuple[str, ...]
    hosts: int = 0


@dataclass
class _Host:
    name: str
    fqdn: str = ""
    roles: set[Role] = field(default_factory=set[Role])
    instance: Instance | None = None
    agent: Agent | None = None
    site: str = ""
    version: str = ""


def drawn(found: Found, *, domain: str = "") -> Drawn:
    """The inventory that follows from what was found. `domain`: of hosts that do not say theirs."""
    notes: list[str] = []
    hosts = _hosts(found, notes)
    for host in hosts.values():
        _roles_of(host, found)
    own = domain or _domain(hosts.values())
    kept: list[_Host] = []
    for host in hosts.values():
        host.fqdn = host.fqdn or (f"{host.name}.{own}" if own else "")
        why = "" if host.roles else "nothing says what it is for"
        why = why or ("" if host.fqdn else "nobody says its domain: --domain NAME")
        if why:
            at = f" ({host.instance.id})" if host.instance is not None else ""
            notes.append(f"left out: {host.name}{at}: {why}")
        else:
            kept.append(host)
    kept.sort(key=lambda host: (min(_ORDER.index(role) for role in host.roles), host.name.casefold()))
    subnets = _subnets(kept, found)
    tree: dict[str, Tree] = {
        "region": _region(kept),
        "forest": {"name": own.casefold()} if own else None,
        "sites": _sites(kept, subnets),
        "subnets": list(subnets),
        "servers": [_server(host) for host in kept],
        "dags": list(_dags(kept, found, notes)),
        "balancers": list(_balancers(kept, found)),
    }
    return Drawn({key: value for key, value in tree.items() if value}, tuple(notes), len(kept))


_ORDER: tuple[Role, ...] = ("mailbox", "witness", "dc")

# -- hosts -----------------------------------------------------------------------------------------------------------


def _hosts(found: Found, notes: list[str]) -> dict[str, _Host]:
    """By first label. Of two instances with one name the one that runs counts: the other was replaced."""
    agents = {agent.id: agent for agent in found.agents}
    hosts: dict[str, _Host] = {}
    for instance in sorted(found.instances, key=lambda one: (one.state != "running", one.id)):
        agent = agents.get(instance.id)
        if instance.state in ("terminated", "shutting-down") or (instance.platform or "").casefold() != "windows":
            continue
        computer = (agent.computer or "") if agent is not None else ""
        name = computer.partition(".")[0] or instance.tag("Name").partition(".")[0]
        if not _is(name, ServerName):
            notes.append(f"left out: {instance.id}: neither its agent nor its tag Name gives it a host name")
            continue
        other = hosts.get(first_label(name))
        if other is not None:
            used = other.instance.id if other.instance is not None else ""
            notes.append(f"left out: {instance.id}: {used} has the name {name} too, and {other.name} is that one here")
            continue
        hosts[first_label(name)] = _Host(name, computer if "." in computer else "", instance=instance, agent=agent)
    directory = found.directory
    if directory is None:
        return hosts

    def add(named: str, role: Role) -> _Host:
        label = short(named)
        host = hosts.setdefault(first_label(label), _Host(label))
        host.roles.add(role)
        host.fqdn = host.fqdn or (named if "." in named and "/" not in named else "")
        return host

    for server in directory.organization.servers:
        if "mailbox" in server.role.casefold():
            host = add(server.fqdn or server.name, "mailbox")
            host.site, host.version = server.site.rpartition("/")[2], _version(server.version)
    for controller in directory.controllers:
        add(controller.name, "dc").site = controller.site
    for dag in directory.organization.dags:
        for name in (dag.witness, dag.alternate):
            if name and not (first_label(short(name)) in hosts and "mailbox" in hosts[first_label(short(name))].roles):
                add(name, "witness")
    return hosts


def _roles_of(host: _Host, found: Found) -> None:
    """What nobody said: by its name, by that of its resource in the stack that made it, by what stands in front of it.

    The directory knows every Exchange server.
    """
    directory = found.directory
    if host.roles or host.instance is None:
        return
    known = {"mailbox"} if directory is not None else set[str]()
    known |= {"dc"} if directory is not None and directory.controllers else set[str]()
    for name in (host.name, host.instance.tag(_RESOURCE)):
        for role, names in _GUESSES:
            if name and role not in known and names.fullmatch(name):
                host.roles.add(role)
                return
    if "mailbox" not in known and _behind_mail(found) & {host.instance.id, host.instance.address}:
        host.roles.add("mailbox")


def _behind_mail(found: Found) -> set[str]:
    """Targets of groups that are for mail, by their names."""
    names = {balancer.arn: balancer.name for balancer in found.balancers}
    groups = {
        group.arn
        for group in found.groups
        if _MAIL.search(" ".join((group.name, *(names.get(arn, "") for arn in group.balancers))))
    }
    return {target for arn, targets in found.targets if arn in groups for target in targets}


def _domain(hosts: Iterable[_Host]) -> str:
    domains = [host.fqdn.partition(".")[2].casefold() for host in hosts if "." in host.fqdn]
    return max(sorted(set(domains)), key=domains.count) if domains else ""


def _server(host: _Host) -> Tree:
    instance, agent = host.instance, host.agent
    system = _WINDOWS.search((agent.platform or "") if agent is not None else "")
    tree: dict[str, Tree] = {
        "name": host.name,
        "fqdn": host.fqdn,
        "roles": [role for role in _ORDER if role in host.roles],
        "address": (instance.address or "") if instance is not None else "",
        "site": host.site,
        "az": instance.az if instance is not None else "",
        "os": (system[1] + ("R2" if system[2] else "")) if system else "",
        "instance": instance.id if instance is not None else "",
    }
    tree = {key: value for key, value in tree.items() if value}
    if "mailbox" in host.roles:
        tree["exchange"] = {"version": host.version} if host.version else {}
    return tree


def _version(text: str) -> str:
    found = _VERSION.search(text)
    return ".".join(found.groups()) if found else ""


# -- network ---------------------------------------------------------------------------------------------------------


def _subnets(kept: Sequence[_Host], found: Found) -> list[Tree]:
    """Those in which the servers lie, with the AD site that has them."""
    used = {host.instance.subnet for host in kept if host.instance is not None}
    made: list[Tree] = []
    for subnet in sorted(found.subnets, key=lambda one: (one.az, one.cidr)):
        if subnet.id not in used:
            continue
        site = _site_of(subnet, kept, found)
        tree: dict[str, Tree] = {"cidr": subnet.cidr, "site": site, "az": subnet.az, "id": subnet.id}
        made.append({key: value for key, value in tree.items() if value})
    return made


def _site_of(subnet: Subnet, kept: Sequence[_Host], found: Found) -> str:
    """The most exact AD subnet around it; else the one site of the servers in it."""
    network = ipaddress.ip_network(subnet.cidr)
    around: list[tuple[int, str]] = []
    for one in found.directory.subnets if found.directory is not None else ():
        outer = _network(one.name)
        site = one.site.partition(",")[0].partition("=")[2]
        if site and outer is not None and _within(network, outer):
            around.append((outer.prefixlen, site))
    inside = {host.site for host in kept if host.instance is not None and host.instance.subnet == subnet.id}
    if around:
        return max(around)[1]
    return inside.pop() if len(inside) == 1 else ""


def _sites(kept: Sequence[_Host], subnets: Sequence[Tree]) -> list[Tree]:
    zones: dict[str, set[str]] = {}
    for subnet in subnets:
        if isinstance(subnet, dict) and subnet.get("site"):
            zones.setdefault(str(subnet["site"]), set()).add(str(subnet.get("az", "")))
    for host in kept:
        if host.site:
            zones.setdefault(host.site, set()).update([host.instance.az] if host.instance is not None else [])
    made: list[Tree] = []
    for name in sorted(zones):
        if _is(name, SiteName):
            lone = zones[name] - {""}
            made.append({"name": name, "az": lone.pop()} if len(lone) == 1 else {"name": name})
    return made


def _region(kept: Sequence[_Host]) -> str:
    zones = [host.instance.az for host in kept if host.instance is not None]
    found = re.match(r"[a-z]{2}(?:-[a-z]+)+-\d+", zones[0]) if zones else None
    return found[0] if found else ""


# -- DAGs and balancers ----------------------------------------------------------------------------------------------


def _dags(kept: Sequence[_Host], found: Found, notes: list[str]) -> Iterator[Tree]:
    if found.directory is None:
        return
    organization = found.directory.organization
    for dag in sorted(organization.dags, key=lambda one: one.name.casefold()):
        members = [host.name for host in kept if any(same_host(host.name, short(name)) for name in dag.members)]
        tree: dict[str, Tree] = {
            "name": dag.name,
            "members": list(members[:_MOST_MEMBERS]),
            "witness": _witness(dag.witness, kept, dag, notes),
            "alternate_witness": _witness(dag.alternate, kept, dag, notes),
            "witness_directory": dag.directory,
        }
        for database in organization.databases:
            on = [short(name) for name in database.servers]
            if any(same_host(name, member) for name in on for member in members):
                notes.append(f"{dag.name}: database {database.name} on {', '.join(on)}")
        yield {key: value for key, value in tree.items() if value}


def _witness(named: str, kept: Sequence[_Host], dag: DagInAd, notes: list[str]) -> str:
    if not named:
        return ""
    host = next((host for host in kept if same_host(host.name, short(named))), None)
    if host is None:
        notes.append(f"{dag.name}: its witness {named} is no server that could be found")
    return host.name if host is not None else ""


def _balancers(kept: Sequence[_Host], found: Found) -> Iterator[Tree]:
    """Those in front of a mailbox server."""
    mailboxes = [host.instance for host in kept if "mailbox" in host.roles and host.instance is not None]
    names = {one.id for one in mailboxes} | {one.address for one in mailboxes}
    targets = dict(found.targets)
    for balancer in sorted(found.balancers, key=lambda one: one.name):
        groups = [
            group
            for group in found.groups
            if balancer.arn in group.balancers and names & set(targets.get(group.arn, ()))
        ]
        if balancer.type not in _KINDS or not groups:
            continue
        group = min(groups, key=lambda one: (one.port != 443, one.name))
        yield {
            "name": balancer.name,
            "kind": _KINDS[balancer.type],
            "fqdn": balancer.fqdn or "",
            "target_group": group.name,
        }


def _is(text: str, kind: object) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True


def _network(cidr: str) -> Network | None:
    try:
        return ipaddress.ip_network(cidr)
    except ValueError:
        return None


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False
