"""Lifting a fence, in failback only: the subnet opened behind a quarantine, the member let out again (S-UNFENCE).

Behind the quarantine group a member talks to domain controllers and to us, and to no other member and no witness: alone
it can never have quorum. Established flows survive a change of groups, so they are set before the instance starts.
"""

from __future__ import annotations

from ipaddress import IPv4Network, collapse_addresses, ip_network

from starover.estate import Estate
from starover.step import Blocked, Change, Query, Report, Risk, step
from starover.steps.fencing import TAG
from starover.steps.instances import OneInstance, instance_of
from starover.steps.subnet_rules import SubnetAcl, subnet_acl

__all__ = [
    "QUARANTINE",
    "Groups",
    "SecurityGroup",
    "fence_tag_gone",
    "groups_of",
    "groups_set",
    "own_networks",
    "quarantine_made",
    "subnet_reopened",
    "winrm_let_in",
]

QUARANTINE = "dag-quarantine"
"""Name of the security group, one for each VPC."""
WINRM = (5985, 5986)
ANYWHERE = "0.0.0.0/0"
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918."""


def own_networks(estate: Estate) -> tuple[str, ...]:
    """From where WinRM is let in: the subnets that the inventory lists, all private ranges where it lists none."""
    known = [one for one in (ip_network(each.cidr) for each in estate.subnets) if isinstance(one, IPv4Network)]
    return tuple(str(one) for one in collapse_addresses(known)) or PRIVATE


class GroupRule(Report):
    """An inbound rule; no ports: all."""

    protocol: str
    first: int | None
    last: int | None
    ranges: tuple[str, ...] = ()
    """From where, IPv4."""


class SecurityGroup(Report):
    """A security group."""

    id: str
    rules: tuple[GroupRule, ...]

    @property
    def lets_winrm_in(self) -> bool:
        """It lets WinRM in."""
        return any((rule.first, rule.last) == WINRM for rule in self.rules)

    @property
    def lets_more_in(self) -> bool:
        """It lets anything else in, or WinRM from anywhere."""
        return any((rule.first, rule.last) != WINRM or ANYWHERE in rule.ranges for rule in self.rules)


class Groups(Report):
    """Security groups by name (`ec2/groups.call.j2`): none or one."""

    groups: tuple[SecurityGroup, ...]

    @property
    def one(self) -> SecurityGroup | None:
        """The group, if it is there."""
        return next(iter(self.groups), None)


groups_of = Query("ec2/groups.call.j2", Groups)
"""Arguments: `vpc`, `name`."""


def _too_open(now: Groups, name: str) -> Blocked | None:
    if now.one is None or not now.one.lets_more_in:
        return None
    return Blocked(
        f"the security group {name} ({now.one.id}) lets more in than WinRM from a network: that is no quarantine",
        guard="S-UNFENCE",
        certain=("nothing was changed",),
        next=("take its other rules away",),
    )


@step(check=groups_of, apply="ec2/make_group.call.j2", risk=Risk.LOW)
def quarantine_made(now: Groups, /, *, vpc: str, name: str = QUARANTINE) -> Change | Blocked | None:
    """A security group for returning members, which nobody is in yet."""
    if now.one is not None:
        return _too_open(now, name)
    return Change(f"security group {name} in {vpc}", "none", "made, lets nothing in", action="add")


@step(check=groups_of, apply="ec2/let_winrm_in.call.j2", risk=Risk.LOW)
def winrm_let_in(now: Groups, /, *, vpc: str, name: str, group: str, cidrs: tuple[str, ...]) -> Change | Blocked | None:
    """A quarantine group that lets WinRM in, from these networks, and nothing else."""
    if now.one is None or now.one.id != group:
        return Blocked(f"{vpc} has no security group {group} any more", guard="G-INV")
    if now.one.lets_winrm_in:
        return _too_open(now, name)
    return Change(f"security group {name}", "lets nothing in", f"WinRM from {', '.join(cidrs)}", action="add")


@step(check=instance_of, apply="ec2/set_groups.call.j2", risk=Risk.SERVICE, repeatable=True)
def groups_set(now: OneInstance, /, *, instance: str, groups: tuple[str, ...]) -> Change | Blocked | None:
    """An instance in exactly these security groups: the quarantine, or those it had before."""
    if now.instance is None:
        return Blocked(f"EC2 knows no instance {instance}", guard="G-INV")
    if set(now.instance.groups) == set(groups):
        return None
    return Change(f"{instance} security groups", ", ".join(sorted(now.instance.groups)), ", ".join(sorted(groups)))


@step(check=subnet_acl, apply="ec2/replace_acl.call.j2", risk=Risk.DATA)
def subnet_reopened(now: SubnetAcl, /, *, subnet: str, association: str, acl: str) -> Change | Blocked | None:
    """A subnet with the network ACL that it had before the fence (`recall` of `subnet_denied` knows it)."""
    if now.acl is None:
        return Blocked(f"no network ACL is in force for {subnet}", guard="G-INV")
    if now.acl.id == acl:
        return None
    if now.acl.association(subnet) != association:
        return Blocked(f"somebody has given {subnet} another network ACL, {now.acl.id}", guard="G-INV")
    return Change(f"subnet {subnet}", f"network ACL {now.acl.id}", acl)


@step(check=instance_of, apply="ec2/untag.call.j2", risk=Risk.SERVICE, repeatable=True)
def fence_tag_gone(now: OneInstance, /, *, instance: str, value: str, key: str = TAG) -> Change | Blocked | None:
    """An instance that is fenced no more: the last step of lifting a fence."""
    if now.instance is None:
        return Blocked(f"EC2 knows no instance {instance}", guard="G-INV")
    was = now.instance.tag(key)
    if not was:
        return None
    if was != value:
        return Blocked(f"{instance} was fenced for {was}, not for {value}", guard="S-UNFENCE")
    return Change(f"{instance} tag {key}", was, "none", action="remove")
