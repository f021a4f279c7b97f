"""A DAG put together again after a recovery: its witness while that goes on, its members, its home; knows no host.

Between Restore (or a forced quorum) and the last step only calls that name the witness in use are safe (G-SETDAG): any
other one may pull the quorum back to the primary witness, which is dead.
"""

from __future__ import annotations

from collections.abc import Sequence

from starover.names import DagName, WitnessDirectory, same_host
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps import guards
from starover.steps.dag import short
from starover.steps.dag_object import ClusterView, listed

__all__ = [
    "ComingBack",
    "OnController",
    "coming_back",
    "lists_on",
    "recovery_held",
    "side_started",
    "witness_home",
]

ON = ("Up", "Paused")


class ComingBack(Report):
    """A DAG while members come back to it (`failback/dag.ps1.j2`)."""

    started: tuple[str, ...]
    stopped: tuple[str, ...]
    witness_server: str
    witness_directory: str
    witness_share: str
    """`Primary`, `Alternate`, `None`, `InvalidConfiguration`."""
    alternate_server: str
    alternate_directory: str
    frequency: str
    """PreferenceMoveFrequency; empty: the version has none."""
    cluster: ClusterView | None
    cluster_error: str

    @property
    def in_use(self) -> str:
        """The host whose share votes now, by the cluster's own word; empty: none does."""
        found = self.cluster.witness if self.cluster is not None else None
        if found is None:
            return ""
        return short(found.share.lstrip("\\").partition("\\")[0]) or short(self.named[0])

    @property
    def named(self) -> tuple[str, str]:
        """Server and directory of the witness that is meant to vote: the alternate one after a Restore."""
        if self.witness_share == "Alternate":
            return self.alternate_server, self.alternate_directory
        return self.witness_server, self.witness_directory

    @property
    def moves_home(self) -> bool:
        """Databases go back to their first preference by themselves."""
        return guards.frequency_of(self.frequency) is not None

    def has_primary(self, server: str, directory: str) -> bool:
        """Whether that is the witness which the DAG names."""
        same = self.witness_directory.rstrip("\\").casefold() == directory.rstrip("\\").casefold()
        return same and bool(self.witness_server) and same_host(short(self.witness_server), short(server))

    def up(self, server: str) -> bool:
        """Whether a server's node is up."""
        node = self.cluster.node(server) if self.cluster is not None else None
        return node is not None and node.state in ON

    @property
    def down(self) -> tuple[str, ...]:
        """Nodes that are not up."""
        return tuple(node.name for node in self.cluster.nodes if node.state not in ON) if self.cluster else ()

    @property
    def model_fits(self) -> bool:
        """An even number of nodes votes with a witness that is online, an odd one without."""
        if self.cluster is None:
            return False
        if len(self.cluster.nodes) % 2:
            return not self.cluster.quorum_resource
        return self.cluster.witness_state == "Online"


class OnController(Report):
    """The lists of a DAG, and its witness, as one domain controller has them (`failback/stopped_on.ps1.j2`)."""

    witness: str
    started: tuple[str, ...]
    stopped: tuple[str, ...]

    def keeps_out(self, server: str) -> bool:
        """Whether it tells a member that starts to stay out."""
        return listed(server, self.stopped) and not listed(server, self.started)


coming_back = Query("failback/dag.ps1.j2", ComingBack)
"""Argument: `dag`."""
lists_on = Query("failback/stopped_on.ps1.j2", OnController)
"""Arguments: `dag`, `controller`."""

UNTOUCHED = ("nothing was changed",)


def _no_cluster(now: ComingBack, dag: str) -> Blocked | None:
    if now.cluster is not None:
        return None
    return Blocked(
        f"the cluster of {dag} does not answer: {now.cluster_error or 'no quorum'}",
        certain=UNTOUCHED,
        next=("starover assess",),
    )


@step(check=coming_back, apply="failback/name_witness.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=180))
def recovery_held(
    now: ComingBack, /, *, dag: DagName, server: str, directory: WitnessDirectory, hold: bool
) -> Change | Blocked | None:
    """The DAG names the witness in use, and moves nothing home by itself, while members come back (failback step 3).

    `hold`: the version moves databases by itself. What was before is recalled at the end.
    """
    held = now.has_primary(server, directory) and not (hold and now.moves_home)
    if held and (now.model_fits or now.down):
        return None
    blocked = _no_cluster(now, dag)
    if blocked is not None:
        return blocked
    if now.in_use and not same_host(now.in_use, short(server)):
        return Blocked(
            f"the quorum of {dag} has its witness on {now.in_use}, and {server} would be named",
            guard="G-SETDAG",
            certain=UNTOUCHED,
        )
    before = f"{now.witness_server or 'none'} {now.witness_directory}".rstrip()
    note = "databases move home by us alone until the end" if hold else ""
    return Change(f"witness of {dag}", before, f"{server} {directory}, in use now", note=note)


@step(
    check=coming_back,
    apply="failback/start_dag.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=15, limit=1200),
    deadline=1800,
)
def side_started(
    now: ComingBack, /, *, dag: DagName, site: str, servers: Sequence[str], server: str, directory: WitnessDirectory
) -> Change | Blocked | None:
    """Stopped members are started again: back on the Started list, and up in the cluster (S-DAG-START).

    `site`: the AD site whose members are exactly `servers`; empty: each is named. `server` and `directory` are the
    witness in use.
    """
    del site, directory
    missing = [one for one in servers if listed(one, now.stopped) or not listed(one, now.started) or not now.up(one)]
    if not missing and now.model_fits:
        return None
    blocked = _no_cluster(now, dag)
    return blocked or Change(
        f"{', '.join(missing or servers)} in {dag}", "stopped", "started, up in the cluster", note=f"witness {server}"
    )


@step(check=coming_back, apply="failback/name_witness.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=180))
def witness_home(
    now: ComingBack, /, *, dag: DagName, server: str, directory: WitnessDirectory, hold: bool
) -> Change | Blocked | None:
    """The witness that the DAG is to keep votes again (S-WIT-RESET). `hold`: nothing moves home by itself yet."""
    del hold
    in_use = not now.in_use or same_host(now.in_use, short(server))
    if now.has_primary(server, directory) and in_use and now.model_fits and now.witness_share != "Alternate":
        return None
    blocked = _no_cluster(now, dag)
    if blocked is not None:
        return blocked
    if now.down:
        return Blocked(
            f"{', '.join(now.down)} is not up: the witness changes only when all nodes are",
            guard="G-WITNESS",
            certain=UNTOUCHED,
            next=("starover run health-report",),
        )
    before = f"{now.witness_server or 'none'} {now.witness_directory}".rstrip()
    return Change(f"witness of {dag}", before, f"{server} {directory}")
