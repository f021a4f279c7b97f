"""What hosts tell of a DAG, as data: its object, its cluster, databases and the health of members; asks nothing."""

from __future__ import annotations

import re

from starover.step import Report

__all__ = [
    "Check",
    "Checks",
    "ClusterState",
    "Component",
    "Components",
    "DagState",
    "DatabaseInfo",
    "Databases",
    "Hello",
    "Node",
    "Pair",
    "Services",
    "Volume",
    "Volumes",
    "short",
]


def short(name: str) -> str:
    """The last part of a directory name, up to the first dot: `contoso.com/.../EX1` is `EX1`."""
    return name.rpartition("/")[2].partition(".")[0]


class DagState(Report):
    """The DAG object with its live fields (`dag/state.ps1.j2`)."""

    name: str
    members: tuple[str, ...]
    witness_server: str
    witness_directory: str
    alternate_server: str
    witness_share: str
    """`Primary`, `Alternate`, `None`, `InvalidConfiguration`."""
    activation_mode: str
    """`Off` or `DagOnly`."""
    active_manager: str
    started: tuple[str, ...]
    """FQDNs."""
    stopped: tuple[str, ...]


class Node(Report):
    """A cluster node."""

    name: str
    state: str
    information: str
    """`Normal`, `Isolated`, `Quarantined`; empty before Windows Server 2016."""
    weight: int
    dynamic: int


class ClusterState(Report):
    """The cluster as one of its nodes sees it (`cluster/state.ps1.j2`)."""

    name: str
    dynamic_quorum: bool
    witness_weight: int
    witness_state: str
    """`Online`, `Offline`, `Failed`; empty: no file share witness."""
    nodes: tuple[Node, ...]

    @property
    def votes(self) -> int:
        """Votes present: of nodes that are up or paused, and of the witness."""
        there = sum(node.dynamic for node in self.nodes if node.state in ("Up", "Paused"))
        return there + (self.witness_weight if self.witness_state == "Online" else 0)

    @property
    def total(self) -> int:
        """Votes that count now."""
        return sum(node.dynamic for node in self.nodes) + self.witness_weight

    @property
    def needed(self) -> int:
        """Votes that keep quorum: more than half."""
        return self.total // 2 + 1


class Pair(Report):
    """A pair of a key/value list, in every form it may have (`powershell.md` section 7)."""

    key: str
    name: str
    value: str
    text: str

    @property
    def server(self) -> str:
        """The key's last part."""
        if self.name or self.key:
            return short(self.name or self.key)
        found = re.fullmatch(r"\[(.+), [^,]*\]", self.text)
        return short(found[1]) if found else ""


class DatabaseInfo(Report):
    """A database as AD has it (`database/list.ps1.j2`)."""

    name: str
    mounted: bool
    server: str
    preferences: tuple[Pair, ...]
    lags: tuple[Pair, ...]
    circular_logging: bool
    log_folder: str


class Databases(Report):
    """Every database of the organization."""

    databases: tuple[DatabaseInfo, ...]


class Check(Report):
    """One check of Test-ReplicationHealth."""

    name: str
    result: str
    error: str


class Checks(Report):
    """What Test-ReplicationHealth says of a server."""

    checks: tuple[Check, ...]


class Component(Report):
    """A server component's effective state."""

    name: str
    state: str


class Components(Report):
    """What Get-ServerComponentState says of a server."""

    components: tuple[Component, ...]


class Services(Report):
    """What Test-ServiceHealth says of a server."""

    not_running: tuple[str, ...]


class Volume(Report):
    """A fixed volume; sizes in bytes."""

    name: str
    capacity: int
    free: int


class Volumes(Report):
    """The fixed volumes of a server."""

    volumes: tuple[Volume, ...]


class Hello(Report):
    """A host that answers."""

    name: str
    boot_time: str
    """ISO 8601, UTC."""
