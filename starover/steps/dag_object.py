"""A DAG whole, as a server sees it: AD object and cluster; which one is meant and whom to ask; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starover.errors import BadParameter, NotSafe, StaroverError
from starover.estate import Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.step import Query, Report
from starover.steps.dag import Node, short

__all__ = [
    "DHCP",
    "NO_ACCESS_POINT",
    "ClusterView",
    "DagObject",
    "Elsewhere",
    "Resource",
    "Seen",
    "access_point_of",
    "askable",
    "dag_facts",
    "dag_named",
    "default_directory",
    "directory_of",
    "existing",
    "listed",
    "seen",
]

NO_ACCESS_POINT = "255.255.255.255"
DHCP = "0.0.0.0"  # noqa: S104 - how Exchange writes it, nothing is bound


class Elsewhere(Report):
    """A member of another DAG."""

    dag: str
    server: str


class Resource(Report):
    """A cluster resource."""

    name: str
    type: str
    """`File Share Witness`, `Network Name`, `IP Address`..."""
    state: str
    share: str
    """Of a file share witness; else empty."""


class ClusterView(Report):
    """The cluster as one node sees it."""

    name: str
    quorum_type: str
    quorum_resource: str
    witness_weight: int
    nodes: tuple[Node, ...]
    resources: tuple[Resource, ...]

    @property
    def witness(self) -> Resource | None:
        """The file share witness."""
        return next((one for one in self.resources if one.type == "File Share Witness"), None)

    @property
    def witness_state(self) -> str:
        """`Online`, `Offline`, `Failed`; empty: none."""
        return self.witness.state if self.witness else ""

    def node(self, name: str) -> Node | None:
        """The node of that name, short or full."""
        return next((node for node in self.nodes if same_host(node.name, name)), None)


class DagObject(Report):
    """A DAG whole, as one server sees it (`dag/facts.ps1.j2`). `found` False: every other field is empty."""

    found: bool
    members: tuple[str, ...]
    """In whatever form Exchange names them; compare with `same_host` of `short`."""
    started: tuple[str, ...]
    stopped: tuple[str, ...]
    operational: tuple[str, ...]
    witness_server: str
    witness_directory: str
    witness_share: str
    """`Primary`, `Alternate`, `None`, `InvalidConfiguration`."""
    alternate_server: str
    alternate_directory: str
    addresses: tuple[str, ...]
    activation_mode: str
    active_manager: str
    third_party: str
    manual_networks: bool
    compression: str
    encryption: str
    replication_port: int
    others: tuple[Elsewhere, ...]
    cluster: ClusterView | None
    """None: the host that was asked is no node, or its cluster service does not answer."""
    cluster_error: str

    @property
    def access_point(self) -> str:
        """`none`, `dhcp` or `static`. An empty list is read as none, as builds since 2016 show it [mem]."""
        return access_point_of(self.addresses)

    def has(self, server: str) -> bool:
        """Whether the AD object lists a member."""
        return listed(server, self.members)

    @property
    def even(self) -> bool:
        """Whether the number of members calls for a witness."""
        nodes = len(self.cluster.nodes) if self.cluster is not None and self.stopped else 0
        count = nodes or len(self.members)  # after a Restore the survivors alone are counted
        return bool(count) and count % 2 == 0


dag_facts = Query("dag/facts.ps1.j2", DagObject)
"""Argument: `dag`."""


def access_point_of(addresses: Sequence[str]) -> str:
    """`none`, `dhcp` or `static`: what a DAG's addresses mean."""
    if not addresses or NO_ACCESS_POINT in addresses:
        return "none"
    return "dhcp" if DHCP in addresses else "static"


def listed(server: str, names: Sequence[str]) -> bool:
    """Whether a server is among names of any form."""
    return any(same_host(short(name), server) for name in names)


def dag_named(given: str | None, estate: Estate) -> str:
    """The DAG that is meant: the one named, which need not be in the inventory, or the inventory's only one.

    Raises `BadParameter`.
    """
    if given:
        return next((dag.name for dag in estate.dags if dag.name.casefold() == given.casefold()), given)
    if len(estate.dags) == 1:
        return estate.dags[0].name
    names = ", ".join(dag.name for dag in estate.dags)
    raise BadParameter(
        "which DAG?" if names else "the inventory has no DAG, so it must be named",
        certain=("nothing was contacted",),
        next=("--dag NAME", *((f"the inventory has: {names}",) if names else ())),
    )


def default_directory(dag: str, estate: Estate, fqdn: str) -> str:
    """Where Exchange puts a witness by default; said aloud, since without it WMI on the witness must work.

    `fqdn` is that of a member: its domain is the DAG's.
    """
    domain = fqdn.partition(".")[2] or estate.forest.name
    return f"C:\\DAGFileShareWitnesses\\{dag}.{domain}"


def directory_of(dag: DagObject | None, host: str) -> str:
    """The directory that a DAG names on one of its two witnesses; empty: it names none there."""
    if dag is None:
        return ""
    pairs = ((dag.alternate_server, dag.alternate_directory), (dag.witness_server, dag.witness_directory))
    return next((directory for server, directory in pairs if server and same_host(server, host)), "")


@dataclass(frozen=True)
class Seen:
    """A DAG, and the server to work with."""

    server: Server
    """A member that is in the cluster, where there is one: others do not see the cluster."""
    dag: DagObject
    silent: tuple[str, ...]
    """Servers with Exchange that did not answer."""


def seen(dag: str, candidates: Sequence[Server]) -> Steps[Seen]:
    """Ask all of `candidates`, side by side, and take the one that sees most; of equals the first.

    All are asked because a server whose domain controller lags behind sees a DAG without members, or none.
    Raises what the first one said when nobody answers.
    """
    if not candidates:
        raise BadParameter(
            "the inventory has no server with Exchange", certain=("nothing was contacted",), next=("roles: [mailbox]",)
        )
    answers = yield from together(attempt(dag_facts.read(server, dag=dag)) for server in candidates)
    heard = [(server, now) for server, now in zip(candidates, answers, strict=True) if isinstance(now, DagObject)]
    if not heard:
        raise next(error for error in answers if isinstance(error, StaroverError))
    server, now = max(heard, key=lambda pair: _sight(*pair))  # the first of equals
    silent = tuple(one.name for one in candidates if not any(one is other for other, _ in heard))
    return Seen(server, now, silent)


def _sight(server: Server, now: DagObject) -> tuple[bool, bool, int]:
    """How much a server sees of a DAG."""
    return (now.cluster is not None and now.has(server.name), now.found, len(now.members))


def existing(dag: str, estate: Estate) -> Steps[Seen]:
    """As `seen`, for a DAG that must be there. Raises `NotSafe` where it is not."""
    found = yield from seen(dag, askable(dag, estate))
    if not found.dag.found:
        raise NotSafe(
            f"there is no DAG {dag}: {found.server.name} lists none of that name",
            certain=("nothing was changed",),
            next=(f"starover plan dag-create --dag {dag} ...",),
            host=found.server.name,
        )
    return found


def askable(dag: str, estate: Estate, first: Sequence[Server] = ()) -> list[Server]:
    """Servers with Exchange: `first`, then the inventory's members of the DAG, then all others."""
    known = [name for one in estate.dags if one.name.casefold() == dag.casefold() for name in one.members]
    every = [server for server in estate.servers if server.exchange is not None]
    members = [server for server in every if any(same_host(server.name, name) for name in known)]
    return list({server.name: server for server in (*first, *members, *every)}.values())
