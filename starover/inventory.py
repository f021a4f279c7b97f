"""The estate as typed structs: forest, sites, servers, DAGs, names; YAML in, JSON Schema out; contacts nothing."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Dag", "Estate", "Exchange", "Road", "Server"]

Role = Literal["mailbox", "dc", "witness"]


class Road(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to a server; the inventory lists them in order of preference."""

    kind: Literal["psrp", "winrm", "ssm"] = "psrp"
    scheme: Literal["http", "https"] = "https"
    address: str = ""
    """Host name or address to connect to; empty: the server's own address, else its FQDN."""
    port: int = 0
    """TCP port; 0: 5985 for http, 5986 for https."""
    auth: Literal["negotiate", "ntlm", "kerberos", "basic"] = "negotiate"
    ca_file: str = ""
    """PEM file, relative to the inventory file; empty: the system's authorities."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Exchange cmdlets get into a session on this server (`powershell.md` 2.1)."""

    version: str = ""
    """Build, such as 15.2.2562.37."""
    provider: Literal["remote", "direct", "snapin"] = "remote"
    server: str = "local"
    """`local`, or the FQDN of the member whose /PowerShell is asked."""
    credential: str = ""
    """Reference to a credential; empty: that of the road."""
    allow_unsupported_snapin: bool = False


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Windows host of the estate."""

    name: str
    """NetBIOS name, at most 15 characters; compared by first DNS label, ignoring case."""
    fqdn: str
    roles: tuple[Role, ...]
    address: str = ""
    site: str = ""
    az: str = ""
    subnet: str = ""
    os: str = ""
    instance: str = ""
    """EC2 instance id."""
    exchange: Exchange | None = None
    """None where Exchange is not installed."""
    roads: tuple[Road, ...] = ()
    credential: str = ""
    """Reference to a credential, never the secret."""


class Dag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Database Availability Group as the inventory knows it; what it is *now* is read live."""

    name: str
    members: tuple[str, ...] = ()
    """Server names, in the inventory's order."""
    witness: str = ""
    alternate_witness: str = ""


class Estate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole inventory file."""

    name: str
    lab: bool = False
    """Written by the lab: every screen says LAB. What is not a lab is LIVE."""
    servers: tuple[Server, ...] = ()
    dags: tuple[Dag, ...] = ()
