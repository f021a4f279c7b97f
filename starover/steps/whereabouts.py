"""What AWS and Active Directory say of the servers there are, for an inventory; decides nothing."""

from __future__ import annotations

from starover.step import Query, Report

__all__ = [
    "Agent",
    "Agents",
    "Balancer",
    "Balancers",
    "DagInAd",
    "DatabaseInAd",
    "Group",
    "Groups",
    "Instance",
    "Instances",
    "Organization",
    "ServerInAd",
    "Subnet",
    "Subnets",
    "Tag",
    "agents",
    "balancers",
    "groups",
    "instances",
    "organization",
    "subnets",
]


class Tag(Report):
    """A tag of an instance."""

    key: str
    value: str


class Instance(Report):
    """An EC2 instance. One that is terminated has no network any more."""

    id: str
    state: str
    az: str
    vpc: str | None
    subnet: str | None
    """Its id."""
    address: str | None
    platform: str | None
    """`windows`; None: something else."""
    tags: tuple[Tag, ...]

    def tag(self, key: str) -> str:
        """The value of a tag; empty: there is none."""
        return next((one.value for one in self.tags if one.key == key), "")


class Instances(Report):
    """A page of instances (`ec2/all_instances.call.j2`)."""

    next: str | None
    instances: tuple[Instance, ...]


class Subnet(Report):
    """A subnet of a VPC."""

    id: str
    vpc: str
    cidr: str
    az: str


class Subnets(Report):
    """A page of subnets (`ec2/all_subnets.call.j2`)."""

    next: str | None
    subnets: tuple[Subnet, ...]


class Agent(Report):
    """A node as Systems Manager's agent tells of it."""

    id: str
    computer: str | None
    """The FQDN of a domain member."""
    platform: str | None
    """`Microsoft Windows Server 2022 Datacenter`."""
    ping: str | None
    """`Online`, `ConnectionLost`, `Inactive`."""


class Agents(Report):
    """A page of agents (`ssm/agents.call.j2`)."""

    next: str | None
    agents: tuple[Agent, ...]


class Balancer(Report):
    """A load balancer; `type` is `network`, `application` or `gateway`."""

    arn: str
    name: str
    fqdn: str | None
    type: str
    vpc: str | None


class Balancers(Report):
    """A page of load balancers (`elbv2/all_balancers.call.j2`)."""

    next: str | None
    balancers: tuple[Balancer, ...]


class Group(Report):
    """A target group and the balancers in front of it."""

    arn: str
    name: str
    port: int | None
    balancers: tuple[str, ...]


class Groups(Report):
    """A page of target groups (`elbv2/all_groups.call.j2`)."""

    next: str | None
    groups: tuple[Group, ...]


class ServerInAd(Report):
    """An Exchange server in Active Directory."""

    name: str
    fqdn: str
    site: str
    """`example.com/Configuration/Sites/AZ1`."""
    role: str
    """`Mailbox`, `Edge`, or several with commas."""
    version: str
    """`Version 15.2 (Build 1544.4)`; it may stay that of the cumulative update."""


class DagInAd(Report):
    """A DAG in Active Directory; servers in whatever form Exchange names them."""

    name: str
    members: tuple[str, ...]
    witness: str
    directory: str
    alternate: str


class DatabaseInAd(Report):
    """A mailbox database and the servers of its copies."""

    name: str
    servers: tuple[str, ...]


class Organization(Report):
    """The Exchange organization (`dag/organization.ps1.j2`)."""

    servers: tuple[ServerInAd, ...]
    dags: tuple[DagInAd, ...]
    databases: tuple[DatabaseInAd, ...]


instances = Query("ec2/all_instances.call.j2", Instances)
"""Argument: `token`, of the page; so for all the calls here."""
subnets = Query("ec2/all_subnets.call.j2", Subnets)
agents = Query("ssm/agents.call.j2", Agents)
balancers = Query("elbv2/all_balancers.call.j2", Balancers)
groups = Query("elbv2/all_groups.call.j2", Groups)
organization = Query("dag/organization.ps1.j2", Organization)
"""Of the whole organization, by any server with Exchange."""
