"""The VPC: subnets, network ACLs, security groups, and what they let pass between simulated hosts.

A network ACL acts at once, and only between subnets; a security group leaves established flows alive for a while
(simulator.md, section 4). Rules of single ports are kept and shown; what passes is decided by rules for everything, and
for security groups by whether cluster, SMB and replication may come in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starover_lab.cloud.errors import CloudError, missing
from starover_lab.cloud.given import ident
from starover_lab.cloud.instances import Instance, Instances
from starover_lab.world.entities import Server
from starover_lab.world.world import World

__all__ = ["Acl", "Association", "Permission", "Rule", "SecurityGroup", "SubnetOfVpc", "Vpc"]

LAST_RULE = 32767
OUTSIDE = "192.0.2.1"
"""Where a tool's host stands that is in none of the subnets."""
CLUSTER_PORTS = (3343, 445, 64327)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a network ACL."""

    number: int
    egress: bool
    allow: bool
    protocol: str = "-1"
    cidr: str = "0.0.0.0/0"
    ports: tuple[int, int] | None = None


@dataclass(eq=False)
class Acl:
    """A network ACL."""

    id: str
    default: bool = False
    rules: list[Rule] = field(default_factory=list[Rule])
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def lets(self, address: str, *, egress: bool) -> bool:
        """Whether traffic of any kind with that address passes: the first rule for everything that fits decides."""
        for rule in sorted(self.rules, key=lambda one: one.number):
            if rule.egress != egress or rule.protocol != "-1":
                continue
            if ipaddress.ip_address(address) in ipaddress.ip_network(rule.cidr, strict=False):
                return rule.allow
        return False


@dataclass(eq=False)
class Association:
    """Which ACL a subnet has."""

    id: str
    subnet: str
    """Id."""
    acl: Acl


@dataclass(frozen=True, kw_only=True)
class Permission:
    """An inbound rule of a security group; ports -1: all."""

    protocol: str
    first: int
    last: int
    cidrs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(eq=False)
class SecurityGroup:
    """A security group."""

    id: str
    name: str
    description: str
    inbound: list[Permission] = field(default_factory=list[Permission])
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def lets_in(self, port: int, address: str, groups: Sequence[str]) -> bool:
        """Whether TCP to a port comes in from an address, or from a member of groups."""
        for one in self.inbound:
            fits = one.protocol in ("-1", "tcp") and (one.first < 0 or one.first <= port <= one.last)
            if fits and (
                set(one.groups) & set(groups)
                or any(ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False) for cidr in one.cidrs)
            ):
                return True
        return False


@dataclass(frozen=True, kw_only=True)
class SubnetOfVpc:
    """A subnet."""

    id: str
    cidr: str
    az: str


class Vpc:
    """The network of the estate, on EC2's side."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._state = world.state
        self._made = 0
        self.id = self.new_id("vpc")
        ids = {one.cidr: one.id for one in world.topology.subnets if one.id}
        self.subnets = [
            SubnetOfVpc(id=ids.get(one.cidr) or self.new_id("subnet"), cidr=one.cidr, az=one.az)
            for one in self._state.subnets
        ]
        first = Acl(self.new_id("acl"), default=True, rules=list(_rules(100, allow=True)))
        first.rules += _rules(LAST_RULE, allow=False)
        self.acls = {first.id: first}
        self.associations = {
            one.id: one for one in (Association(self.new_id("aclassoc"), subnet.id, first) for subnet in self.subnets)
        }
        group = SecurityGroup(self.new_id("sg"), "exchange", "Members of the domain")
        group.inbound.append(Permission(protocol="-1", first=-1, last=-1, cidrs=("0.0.0.0/0",)))
        self.groups = {group.id: group}
        self.default_group = group.id
        self.instances: Instances | None = None
        self._regrouped: dict[str, datetime] = {}
        """Instances whose security groups were changed, and when."""
        self._narrow = False
        """Whether any ACL or group is not as it was at first: until then nothing needs to be looked at."""
        self._state.filters.append(self.passes)

    def new_id(self, prefix: str) -> str:
        """An id that nothing else has, the same in every run."""
        self._made += 1
        return ident(prefix, self._state.dice.text(prefix, f"{self._state.name} {self._made}", 16))

    def subnet_of(self, server: Server) -> SubnetOfVpc | None:
        """The subnet of a host."""
        return next((one for one in self.subnets if one.cidr == server.subnet), None)

    def acl_of(self, subnet: str) -> Acl:
        """The ACL in force for a subnet, by its id."""
        return next(one.acl for one in self.associations.values() if one.subnet == subnet)

    # -- what passes ---------------------------------------------------------------------------------------------

    def passes(self, one: Server, other: Server | None) -> bool:
        """Whether packets pass between two hosts; None: between a host and somebody outside."""
        if not self._narrow:
            return True
        return self._between(one, other) and (other is None or self._grouped(one, other))

    def _between(self, one: Server, other: Server | None) -> bool:
        here, there = self.subnet_of(one), self.subnet_of(other) if other is not None else None
        if here is None or (other is not None and there is None) or (there is not None and here.id == there.id):
            return True
        far = other.address if other is not None else OUTSIDE
        near = one.address
        if there is not None:
            acl = self.acl_of(there.id)
            if not (acl.lets(near, egress=False) and acl.lets(near, egress=True)):
                return False
        acl = self.acl_of(here.id)
        return acl.lets(far, egress=False) and acl.lets(far, egress=True)

    def _grouped(self, one: Server, other: Server) -> bool:
        """A host in quarantine still talks to domain controllers; who asked it before goes on for a while."""
        for host, peer in ((one, other), (other, one)):
            instance = self._instance(host)
            if instance is None or peer.is_dc or host.is_dc:
                continue
            since = self._regrouped.get(instance.id)
            flows = timedelta(seconds=self._state.tuning.security_group_flows_s)
            if since is None or self._state.now < since + flows:
                continue
            found = self._instance(peer)
            groups = found.groups if found is not None else ()
            inside = [self.groups[name] for name in instance.groups]
            if not all(any(group.lets_in(port, peer.address, groups) for group in inside) for port in CLUSTER_PORTS):
                return False
        return True

    def _instance(self, server: Server) -> Instance | None:
        return self.instances.all.get(server.instance) if self.instances is not None else None

    # -- changes -------------------------------------------------------------------------------------------------

    def replace(self, association: str, acl: str) -> Association:
        """Give a subnet another ACL. Raises `InvalidAssociationID.NotFound`, `InvalidNetworkAclID.NotFound`."""
        old = self.associations.get(association)
        if old is None:
            missing("InvalidAssociationID.NotFound", "association", association)
        found = self.acl(acl)
        del self.associations[association]
        new = Association(self.new_id("aclassoc"), old.subnet, found)
        self.associations[new.id] = new
        self._changed("network_acl", old.subnet, acl=found.id)
        return new

    def acl(self, name: str) -> Acl:
        """An ACL. Raises `InvalidNetworkAclID.NotFound`."""
        found = self.acls.get(name)
        return found if found is not None else missing("InvalidNetworkAclID.NotFound", "networkAcl", name)

    def new_acl(self, tags: dict[str, str]) -> Acl:
        """An ACL with the last rule alone."""
        made = Acl(self.new_id("acl"), rules=list(_rules(LAST_RULE, allow=False)), tags=tags)
        self.acls[made.id] = made
        return made

    def add_rule(self, acl: Acl, rule: Rule) -> None:
        """Add a rule. Raises `NetworkAclEntryAlreadyExists`."""
        if any((one.number, one.egress) == (rule.number, rule.egress) for one in acl.rules):
            raise CloudError(
                "NetworkAclEntryAlreadyExists",
                f"The network acl entry identified by {rule.number} already exists.",
            )
        acl.rules.append(rule)
        self._changed("network_acl_entry", acl.id, number=rule.number)

    def group(self, name: str) -> SecurityGroup:
        """A security group. Raises `InvalidGroup.NotFound`."""
        found = self.groups.get(name)
        if found is None:
            raise CloudError("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
        return found

    def new_group(self, name: str, description: str, tags: dict[str, str]) -> SecurityGroup:
        """A security group that lets nothing in. Raises `InvalidGroup.Duplicate`."""
        if any(one.name == name for one in self.groups.values()):
            raise CloudError(
                "InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{self.id}'"
            )
        made = SecurityGroup(self.new_id("sg"), name, description, tags=tags)
        self.groups[made.id] = made
        return made

    def let_in(self, group: SecurityGroup, permissions: Sequence[Permission]) -> None:
        """Add inbound rules. Raises `InvalidPermission.Duplicate`."""
        if any(one in group.inbound for one in permissions):
            raise CloudError("InvalidPermission.Duplicate", "the specified rule already exists")
        group.inbound += permissions
        self._changed("security_group", group.id, rules=len(group.inbound))

    def regroup(self, instance: Instance, groups: Sequence[str]) -> None:
        """Give an instance other security groups. Raises `InvalidGroup.NotFound`."""
        instance.groups = tuple(self.group(name).id for name in groups)
        self._regrouped[instance.id] = self._state.now
        self._state.poke_after(self._state.tuning.security_group_flows_s)
        self._changed("security_groups", instance.server.name, groups=", ".join(instance.groups))

    def _changed(self, kind: str, subject: str, **data: str | int) -> None:
        self._narrow = True
        self._state.log.add(kind, subject, **data)
        self._state.review()


def _rules(number: int, *, allow: bool) -> Iterator[Rule]:
    for egress in (False, True):
        yield Rule(number=number, egress=egress, allow=allow)
