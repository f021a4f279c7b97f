"""Network ACLs of subnets: the one in force, and the one that lets nothing pass; knows no host and no fence.

A network ACL acts between subnets and at once, whatever flows there are; within a subnet it does nothing (G-FENCE, F3).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starover.step import Blocked, Change, Query, Report, Risk, step

__all__ = [
    "DENY_NAME",
    "AclAssociation",
    "AclEntry",
    "DenyAcls",
    "NetworkAcl",
    "SubnetAcl",
    "SubnetPlace",
    "Subnets",
    "denies_all",
    "deny_acl_made",
    "deny_acls",
    "subnet_acl",
    "subnet_denied",
    "subnets_of",
]

DENY_NAME = "dag-fence-deny-all"
"""Name of the ACL that is made to fence, once for each VPC."""


class AclAssociation(Report):
    """A subnet of an ACL."""

    subnet: str
    association: str


class AclEntry(Report):
    """A rule of an ACL."""

    number: int
    egress: bool
    action: str
    """`allow` or `deny`."""
    protocol: str
    """`-1`: all."""
    cidr: str


class NetworkAcl(Report):
    """A network ACL."""

    id: str
    vpc: str
    subnets: tuple[AclAssociation, ...]
    entries: tuple[AclEntry, ...]

    def association(self, subnet: str) -> str:
        """The association of a subnet; empty: it is not one of the ACL's."""
        return next((one.association for one in self.subnets if one.subnet == subnet), "")


class SubnetPlace(Report):
    """A subnet of a VPC."""

    id: str
    vpc: str
    az: str


class Subnets(Report):
    """Subnets of one range (`ec2/subnets.call.j2`)."""

    subnets: tuple[SubnetPlace, ...]


class SubnetAcl(Report):
    """The ACL in force for a subnet (`ec2/subnet_acl.call.j2`)."""

    acl: NetworkAcl | None


class DenyAcls(Report):
    """ACLs of a VPC by name (`ec2/deny_acls.call.j2`)."""

    acls: tuple[NetworkAcl, ...]


subnets_of = Query("ec2/subnets.call.j2", Subnets)
"""Argument: `cidr`."""
subnet_acl = Query("ec2/subnet_acl.call.j2", SubnetAcl)
"""Argument: `subnet`, its id."""
deny_acls = Query("ec2/deny_acls.call.j2", DenyAcls)
"""Arguments: `vpc`, `name`."""


def denies_all(entries: Sequence[AclEntry]) -> bool:
    """Whether nothing passes, in neither direction and by no address family.

    The first rule that fits decides; what no rule fits is denied.
    """
    return not any(_lets_in(entries, egress=egress) for egress in (False, True))


def _lets_in(entries: Sequence[AclEntry], *, egress: bool) -> bool:
    """Whether anything at all can pass in one direction."""
    closed: set[int] = set()
    for entry in sorted((one for one in entries if one.egress == egress), key=lambda one: one.number):
        network = ipaddress.ip_network(entry.cidr, strict=False)
        if network.version in closed:
            continue
        if entry.action == "allow":
            return True
        if entry.protocol == "-1" and network.prefixlen == 0:
            closed.add(network.version)
    return False


@step(check=deny_acls, apply="ec2/make_deny_acl.call.j2", risk=Risk.LOW)
def deny_acl_made(now: DenyAcls, /, *, vpc: str, name: str = DENY_NAME) -> Change | Blocked | None:
    """A network ACL that lets nothing pass, in force nowhere yet."""
    if not now.acls:
        return Change(f"network ACL {name} in {vpc}", "none", "made, with no rule but the last", action="add")
    open_ = [acl.id for acl in now.acls if not denies_all(acl.entries)]
    if open_:
        return Blocked(
            f"{', '.join(open_)} has the name {name} and lets something pass",
            guard="G-FENCE",
            next=("take its rules or its name away: it must deny everything",),
        )
    return None


@step(check=subnet_acl, apply="ec2/replace_acl.call.j2", risk=Risk.SPLIT)
def subnet_denied(now: SubnetAcl, /, *, subnet: str, association: str, acl: str) -> Change | Blocked | None:
    """A subnet into and out of which nothing passes (F3). `association` is the one that is to go; it is kept."""
    if now.acl is None:
        return Blocked(f"no network ACL is in force for {subnet}", guard="G-INV")
    if now.acl.id == acl or denies_all(now.acl.entries):
        return None
    if now.acl.association(subnet) != association:
        return Blocked(f"somebody has given {subnet} another network ACL, {now.acl.id}", guard="G-INV")
    return Change(f"subnet {subnet}", f"network ACL {now.acl.id}", f"{acl}, which lets nothing pass")
