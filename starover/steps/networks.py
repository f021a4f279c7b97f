"""The networks of a DAG: set by hand, discovered, their options; what a person types for them; knows no adapter."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec

from starover.errors import BadParameter
from starover.estate import Server
from starover.names import DagName
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step
from starover.steps import guards
from starover.steps.dag import short

__all__ = [
    "DagNetworks",
    "Interface",
    "NetworkSpec",
    "NetworkText",
    "OneNetwork",
    "Port",
    "Subnet",
    "Use",
    "dag_networks_of",
    "network_gone",
    "network_options_set",
    "network_set",
    "networks_discovered",
    "networks_manual",
    "read_networks",
]

NetworkText: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^=:\\/,\u0000-\u001f]{1,128}=[0-9./]+(?:,[0-9./]+)*:(?:replication|mapi|ignore)(?![\s\S])",
        title="Network",
        description="NAME=CIDR,CIDR:USE, where USE is replication, mapi or ignore",
    ),
]
"""A DAG network as a person types it."""
Port: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=65535, title="Port", description="a TCP port, 1 to 65535")]
"""A TCP port."""
Use: TypeAlias = Literal["replication", "mapi", "ignore"]
CERTAIN = ("nothing was contacted",)
SETTLE = Settle(every=10, limit=300)


@dataclass(frozen=True)
class NetworkSpec:
    """A DAG network as it is wanted."""

    name: str
    subnets: tuple[str, ...]
    """CIDRs, sorted."""
    use: Use
    replication: bool


def read_networks(texts: Sequence[str]) -> tuple[NetworkSpec, ...]:
    """What was typed for the networks of one DAG.

    Clients' networks carry replication only where no network of its own does. Raises `BadParameter`.
    """
    uses = [text.rpartition(":")[2] for text in texts]
    specs = [_read(text, own="replication" in uses) for text in texts]
    names = [spec.name.casefold() for spec in specs]
    if len(set(names)) < len(names):
        raise BadParameter("--network names one network twice", certain=CERTAIN)
    every = [(spec.name, ipaddress.ip_network(subnet)) for spec in specs for subnet in spec.subnets]
    for at, (name, subnet) in enumerate(every):
        for other, taken in every[:at]:
            if subnet.overlaps(taken):
                raise BadParameter(f"--network: {subnet} of {name} overlaps {taken} of {other}", certain=CERTAIN)
    if "mapi" not in uses:
        raise BadParameter("--network: one network at least is for clients, :mapi", certain=CERTAIN)
    return tuple(specs)


def _read(text: str, *, own: bool) -> NetworkSpec:
    name, _, rest = text.partition("=")
    cidrs, _, use = rest.rpartition(":")
    try:
        subnets = sorted({str(ipaddress.ip_network(cidr)) for cidr in cidrs.split(",")})
    except ValueError as error:
        raise BadParameter(f"--network {text}: {error}", certain=CERTAIN) from None
    kinds: dict[str, Use] = {"replication": "replication", "mapi": "mapi", "ignore": "ignore"}
    return NetworkSpec(name.strip(), tuple(subnets), kinds[use], use == "replication" or (use == "mapi" and not own))


class Subnet(Report):
    """A subnet of a DAG network, in every form it may have."""

    subnet: str
    state: str
    """`Up`, `Down`, `Misconfigured`, `Unknown`..."""
    text: str
    """`{10.0.0.0/24,Up}`"""

    @property
    def cidr(self) -> str:
        """`10.0.0.0/24`."""
        found = re.search(r"[0-9.]+/[0-9]+", self.subnet or self.text)
        return found[0] if found else ""

    @property
    def how(self) -> str:
        """Its state."""
        return self.state or self.text.strip("{}").partition(",")[2].strip()


class Interface(Report):
    """A member's adapter in a DAG network, in every form it may have."""

    node: str
    state: str
    address: str
    text: str
    """`{EX1,Up,10.0.0.11}`"""

    @property
    def parts(self) -> tuple[str, str, str]:
        """Node, state, address."""
        if self.node:
            return self.node, self.state, self.address
        cut = [part.strip() for part in self.text.strip("{}").split(",")] + ["", "", ""]
        return cut[0], cut[1], cut[2]


class OneNetwork(Report):
    """A DAG network."""

    name: str
    subnets: tuple[Subnet, ...]
    interfaces: tuple[Interface, ...]
    mapi: bool
    replication: bool
    ignored: bool

    @property
    def cidrs(self) -> tuple[str, ...]:
        """Its subnets, sorted."""
        return tuple(sorted(one.cidr for one in self.subnets))


class DagNetworks(Report):
    """The networks of a DAG, and what it says of them (`dag/networks.ps1.j2`)."""

    members: tuple[str, ...]
    manual: bool
    witness_share: str
    compression: str
    encryption: str
    replication_port: int
    networks: tuple[OneNetwork, ...]

    def find(self, name: str) -> OneNetwork | None:
        """The network of that name."""
        return next((one for one in self.networks if one.name.casefold() == name.casefold()), None)


dag_networks_of = Query("dag/networks.ps1.j2", DagNetworks)
"""Argument: `dag`."""


def _manual_back(prev: DagNetworks, server: Server, /, *, dag: DagName, manual: bool) -> Step | None:
    return None if prev.manual == manual else networks_manual.on(server, dag=dag, manual=prev.manual)


@step(check=dag_networks_of, apply="dag/manual_networks.ps1.j2", risk=Risk.LOW, undo=_manual_back)
def networks_manual(now: DagNetworks, /, *, dag: DagName, manual: bool) -> Change | Blocked | None:
    """Who sets the DAG's networks: a person, or Exchange by itself (S-NET-MANUAL)."""
    if now.manual == manual:
        return None
    words = {True: "by hand", False: "by Exchange"}
    blocked = guards.set_dag_unless_alternate(now.witness_share)
    return blocked or Change(f"networks of {dag}", words[now.manual], words[manual])


@step(check=dag_networks_of, apply="dag/set_network.ps1.j2", risk=Risk.SERVICE, settle=SETTLE)
def network_set(
    now: DagNetworks,
    /,
    *,
    dag: DagName,
    dag_network: str,
    name: str,
    subnets: Sequence[str],
    replication: bool,
    ignored: bool,
) -> Change | Blocked | None:
    """A DAG network with its subnets and its use (S-NET-SET).

    The change does not say what the network had before: setting one network takes subnets out of another.
    """
    del dag_network
    found = now.find(name)
    right = (
        found is not None
        and found.cidrs == tuple(sorted(subnets))
        and (found.replication, found.ignored) == (replication, ignored)
    )
    if right:
        return None
    use = "ignored" if ignored else "replication" if replication else "clients only"
    blocked = guards.set_dag_unless_alternate(now.witness_share)
    return blocked or Change(
        f"network {dag}/{name}",
        "otherwise" if found is not None else "none",
        f"{', '.join(subnets)}: {use}",
        action="change" if found is not None else "add",
    )


@step(check=dag_networks_of, apply="dag/remove_network.ps1.j2", risk=Risk.LOW)
def network_gone(now: DagNetworks, /, *, dag: DagName, dag_network: str, name: str) -> Change | Blocked | None:
    """A DAG network that lost its subnets is gone. Exchange refuses to remove one that has some."""
    del dag_network
    return Change(f"network {dag}/{name}", "there", "none", action="remove") if now.find(name) else None


@step(check=dag_networks_of, apply="dag/discover_networks.ps1.j2", risk=Risk.SERVICE, settle=SETTLE)
def networks_discovered(now: DagNetworks, /, *, dag: DagName, names: Sequence[str]) -> Change | Blocked | None:
    """Every member has an adapter in each network that is used, and all are Up (S-NET-DISCOVER)."""
    missing = list(_missing(now, names))
    if not missing:
        return None
    blocked = guards.set_dag_unless_alternate(now.witness_share)
    return blocked or Change(f"adapters in the networks of {dag}", "not all there", "all members, Up")


def _missing(now: DagNetworks, names: Collection[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        network = now.find(name)
        if network is None:
            found.append(name)
            continue
        found += [f"{one.cidr} {one.how}" for one in network.subnets if one.how != "Up"]
        nodes = {short(one.parts[0]).casefold() for one in network.interfaces if one.parts[1] == "Up"}
        found += [short(member) for member in now.members if short(member).casefold() not in nodes]
    return found


def _options_back(
    prev: DagNetworks, server: Server, /, *, dag: DagName, compression: str, encryption: str, port: int
) -> Step | None:
    return network_options_set.on(
        server,
        dag=dag,
        compression=prev.compression if compression else "",
        encryption=prev.encryption if encryption else "",
        port=prev.replication_port if port else 0,
    )


@step(check=dag_networks_of, apply="dag/network_options.ps1.j2", risk=Risk.SERVICE, undo=_options_back)
def network_options_set(
    now: DagNetworks, /, *, dag: DagName, compression: str, encryption: str, port: int
) -> Change | Blocked | None:
    """Compression, encryption and port of replication are as wanted (S-DAG-PROPS); empty, or 0: as they are."""
    pairs = [
        ("compression", now.compression, compression),
        ("encryption", now.encryption, encryption),
        ("port", str(now.replication_port), str(port) if port else ""),
    ]
    wrong = [(what, was, wanted) for what, was, wanted in pairs if wanted and was != wanted]
    if not wrong:
        return None
    note = "each member's firewall must let the new port in" if port and port != now.replication_port else ""
    blocked = guards.set_dag_unless_alternate(now.witness_share)
    return blocked or Change(
        f"replication of {dag}",
        ", ".join(f"{what} {was}" for what, was, _ in wrong),
        ", ".join(f"{what} {wanted}" for what, _, wanted in wrong),
        note=note,
    )
