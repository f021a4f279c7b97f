"""The estate as typed structs: forest, sites, servers, DAGs, names; knows no file and contacts nothing."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from starover.errors import BadParameter
from starover.names import DagName, ServerName, SiteName, SomeWitnessDirectory, first_label, same_host
from starover.windows import WindowText

__all__ = [
    "TICKET",
    "ApiUrl",
    "Balancer",
    "ClientName",
    "Dag",
    "Estate",
    "Exchange",
    "Forest",
    "Road",
    "Server",
    "Site",
    "Subnet",
]

Role = Literal["mailbox", "dc", "witness"]
CredentialRef = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|command:\s*\S.*|keyring:\S+|secretsmanager:\S+|ssm:\S+|lab:\S+|ticket)?(?![\s\S])",
        title="CredentialRef",
        description="a reference: `env:NAME` (reads NAME_USER and NAME_PASSWORD), `command:PROGRAM ARGUMENTS` (prints "
        "user and password on two lines), `keyring:SERVICE`, `secretsmanager:NAME` or `ssm:NAME` (JSON with username "
        "and password in AWS's Secrets Manager or Parameter Store), or `ticket` (the Kerberos ticket of whoever runs "
        "this); never the secret itself",
    ),
]
ON_HOST = re.compile(r"(secretsmanager|ssm):([A-Za-z0-9/_+=.@:-]+)")
"""References that a host can read by itself, with the rights of its instance: AWS's service, and the name there."""
TICKET = "ticket"
"""The reference to no password at all: the Kerberos ticket of whoever runs this, on roads with `auth: kerberos`."""
ApiUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:https://[^\s/@]+)?(?![\s\S])",
        title="ApiUrl",
        description="where its API answers, such as https://lb.example.com:444",
    ),
]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535, description="a TCP port; 0: the usual one")]


class Forest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Active Directory forest."""

    name: str = ""
    """DNS name of its root domain, such as example.com."""
    netbios: str = ""
    """EXAMPLE."""


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An AD site; on AWS one for each Availability Zone."""

    name: SiteName
    az: str = ""
    """Such as eu-west-1a."""


class Subnet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subnet of the VPC."""

    cidr: str
    site: str = ""
    az: str = ""
    id: str = ""
    """AWS's id."""


class Road(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to a server; the inventory lists them in order of preference."""

    kind: Literal["psrp", "winrm", "ssm", "exchange"] = "psrp"
    """`exchange`: /PowerShell itself, for the provider `direct`; without one: http, port 80, FQDN, Kerberos."""
    scheme: Literal["http", "https"] = "https"
    address: str = ""
    """Host name or address to connect to; empty: the server's own address, else its FQDN."""
    port: Port = 0
    """TCP port; 0: 5985 for http, 5986 for https; of /PowerShell 80 and 443."""
    auth: Literal["negotiate", "ntlm", "kerberos", "basic"] = "negotiate"
    """`basic` only with https."""
    ca_file: str = ""
    """PEM file, relative to the inventory file; empty: the system's authorities."""
    bucket: str = ""
    """Of `ssm`: the S3 bucket where agents put their output, for answers that Run Command would cut; empty: none."""

    def endpoint(self, server: Server) -> tuple[str, int]:
        """Where to connect: host and port."""
        host = self.address or server.address or server.fqdn
        http, https = (80, 443) if self.kind == "exchange" else (5985, 5986)
        return host, self.port or (http if self.scheme == "http" else https)


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Exchange cmdlets get into a session on this server (`powershell.md` 2.1)."""

    version: str = ""
    """Build, such as 15.2.2562.37."""
    provider: Literal["remote", "direct", "snapin"] = "remote"
    server: str = "local"
    """`local`, or the FQDN of the member whose /PowerShell is asked."""
    credential: CredentialRef = ""
    """Reference to a credential; empty: that of the server."""
    allow_unsupported_snapin: bool = False
    controller: str = ""
    """FQDN of the domain controller that its Exchange sessions are pinned to (S-PREFDC); empty: Exchange chooses."""


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Windows host of the estate."""

    name: ServerName
    """NetBIOS name, at most 15 characters; compared by first DNS label, ignoring case."""
    fqdn: str
    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1, description="a list of mailbox, dc, witness")]
    address: str = ""
    """Its IP address in the estate."""
    site: str = ""
    az: str = ""
    subnet: str = ""
    """CIDR."""
    os: str = ""
    """Such as 2022."""
    instance: str = ""
    """EC2 instance id."""
    exchange: Exchange | None = None
    """None where Exchange is not installed."""
    roads: tuple[Road, ...] = ()
    credential: CredentialRef = ""
    """Reference to a credential, never the secret."""


class Dag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Database Availability Group as the inventory knows it; what it is *now* is read live."""

    name: DagName
    members: Annotated[tuple[ServerName, ...], msgspec.Meta(max_length=16, description="at most 16 servers")] = ()
    """Server names, in the inventory's order."""
    witness: str = ""
    alternate_witness: str = ""
    witness_directory: SomeWitnessDirectory = ""
    dc: str = ""
    """The domain controller that its members' Exchange sessions are pinned to (S-PREFDC), by name or FQDN."""
    windows: tuple[WindowText, ...] = ()
    """When its service may be interrupted (G-WINDOW); empty: always."""
    rto: Annotated[int, msgspec.Meta(ge=1, description="minutes, at least 1")] | None = None
    """Minutes within which mail is to be back: a goal, which drills and runs are measured by."""
    rpo: Annotated[int, msgspec.Meta(ge=0, description="a number of logs")] | None = None
    """Logs of a database that may be lost: a goal of drills."""


class AddressAlarm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An alarm of CloudWatch, in the estate's region, that says whether clients are served at an address."""

    address: str
    name: str


class Balancer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A load balancer in front of the members."""

    name: str
    kind: Literal["nlb", "alb", "clb", "zevenet"] = "nlb"
    fqdn: str = ""
    """The DNS name that it answers to, the aim of a CNAME."""
    addresses: tuple[str, ...] = ()
    """Its own virtual addresses, where names point to them; empty: those of its DNS name."""
    target_group: str = ""
    api: ApiUrl = ""
    """Of a `zevenet`: where its API (ZAPI) answers, such as https://lb.example.com:444; empty: a person tells it."""
    ca_file: str = ""
    """PEM file of the authority that its API is trusted by, relative to the inventory file; empty: the system's."""
    credential: CredentialRef = ""
    """Reference to the key of its API: the password is the key, the user's name does not matter."""
    alarms: tuple[AddressAlarm, ...] = ()
    """Of its own addresses that Route 53's checkers, which stand in the Internet, do not reach (S-R53HC)."""

    @property
    def farms(self) -> bool:
        """Whether it keeps farms that the tool can change."""
        return self.kind == "zevenet" and bool(self.api)


class ClientName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name by which clients find mail."""

    name: str
    """mail.example.com."""
    balancer: str = ""
    dag: str = ""


class AuditCopies(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where copies of the journals go after each run. Nothing waits for them; nothing is lost while they are down."""

    log_group: str = ""
    """A log group of CloudWatch Logs that is there; a stream is made for each run."""
    bucket: str = ""
    """A bucket of S3 with object lock."""
    prefix: str = "starover"
    """Of the keys there."""
    retain_days: Annotated[int, msgspec.Meta(ge=1, le=36500)] = 400
    """How long nobody can change or delete what lies there."""
    mode: Literal["COMPLIANCE", "GOVERNANCE"] = "COMPLIANCE"
    """Of the object lock; GOVERNANCE lets who has the right shorten it."""


class RunCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How SSM's Run Command is called in this account."""

    calls_per_second: Annotated[float, msgspec.Meta(gt=0, le=100)] = 5.0
    """Of each of its operations, at most; while AWS throttles it is fewer. AWS names no number (facts/ssm.md d)."""


class Estate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole inventory."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="a short name for the screens")]
    lab: bool = False
    """Written by the lab: every screen says LAB. What is not a lab is LIVE."""
    region: str = ""
    """AWS region."""
    forest: Forest = Forest()
    sites: tuple[Site, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    servers: tuple[Server, ...] = ()
    dags: tuple[Dag, ...] = ()
    client_names: tuple[ClientName, ...] = ()
    balancers: tuple[Balancer, ...] = ()
    audit: AuditCopies = AuditCopies()
    run_command: RunCommand = RunCommand()

    def server(self, name: str) -> Server:
        """The server of that name, short or full, in any case. Raises `BadParameter` with the names there are."""
        for server in self.servers:
            if same_host(server.name, name):
                return server
        known = ", ".join(server.name for server in self.servers) or "none"
        raise BadParameter(f"the inventory has no server `{name}`", next=(f"it has: {known}",))

    def dag(self, name: str = "") -> Dag:
        """The DAG of that name, in any case; without a name the only one. Raises `BadParameter`.

        An inventory that lists no DAG at all may be older than the DAG: then every mailbox server may be a member, and
        what is read live tells which are.
        """
        known = ", ".join(dag.name for dag in self.dags) or "none"
        if not name:
            if len(self.dags) == 1:
                return self.dags[0]
            raise BadParameter(
                f"which DAG? The inventory has {known}" if self.dags else "the inventory has no DAG",
                next=(f"--dag {self.dags[0].name}",) if self.dags else (),
            )
        if not self.dags:
            members = tuple(server.name for server in self.having("mailbox"))
            try:
                return Dag(name=msgspec.convert(name, DagName), members=members)
            except msgspec.ValidationError as error:
                raise BadParameter(f"`{name}` is no name of a DAG: {error}") from None
        for dag in self.dags:
            if first_label(dag.name) == first_label(name):
                return dag
        raise BadParameter(f"the inventory has no DAG `{name}`", next=(f"it has: {known}",))

    @property
    def credentials(self) -> frozenset[str]:
        """Every reference to a credential; what is behind them is known to nobody here."""
        found = {server.credential for server in self.servers} | {one.credential for one in self.balancers}
        found |= {server.exchange.credential for server in self.servers if server.exchange is not None}
        return frozenset(found - {""})

    def members(self, dag: Dag) -> tuple[Server, ...]:
        """The servers of a DAG's members, in the inventory's order."""
        return tuple(self.server(name) for name in dag.members)

    def pinned(self, controller: str = "") -> Estate:
        """The estate with every Exchange session pinned to a domain controller: this one, else what its DAG names.

        Raises `BadParameter` for a name that is neither in the inventory nor an FQDN.
        """
        named = {name.casefold(): dag.dc for dag in self.dags if dag.dc for name in dag.members}
        if not controller and not named:
            return self

        def pin(server: Server) -> Server:
            wanted = controller or named.get(server.name.casefold(), "")
            if server.exchange is None or not wanted:
                return server
            exchange = msgspec.structs.replace(server.exchange, controller=self._controller(wanted))
            return msgspec.structs.replace(server, exchange=exchange)

        return msgspec.structs.replace(self, servers=tuple(pin(server) for server in self.servers))

    def narrowed(self, kind: Literal["psrp", "winrm", "ssm"]) -> Estate:
        """The estate with one kind of road only, whatever the inventory prefers; a server may be left without any.

        A command shell is behind the same door as PowerShell remoting, and an agent needs no door: so those need not
        stand in the inventory.
        """

        def narrow(server: Server) -> Server:
            roads = [road for road in server.roads if road.kind == kind]
            if not roads and kind == "winrm":
                roads = [msgspec.structs.replace(road, kind=kind) for road in server.roads if road.kind == "psrp"]
            if not roads and kind == "ssm" and server.instance:
                roads = [Road(kind="ssm")]
            if kind == "psrp":
                roads += [road for road in server.roads if road.kind == "exchange"]
            return msgspec.structs.replace(server, roads=tuple(roads))

        return msgspec.structs.replace(self, servers=tuple(narrow(server) for server in self.servers))

    def _controller(self, name: str) -> str:
        found = next((one for one in self.having("dc") if same_host(one.name, name)), None)
        if found is not None:
            return found.fqdn
        if any(same_host(one.name, name) for one in self.servers) or "." not in name:
            known = ", ".join(one.name for one in self.having("dc")) or "none"
            raise BadParameter(
                f"`{name}` is no domain controller of the inventory",
                next=(f"it has: {known}; another one is named by its FQDN",),
            )
        return name

    def having(self, role: Role) -> tuple[Server, ...]:
        """The servers of a role: domain controllers, witness hosts."""
        return tuple(server for server in self.servers if role in server.roles)
