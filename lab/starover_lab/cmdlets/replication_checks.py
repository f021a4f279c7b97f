"""The checks of Test-ReplicationHealth and what makes each of them fail; prints nothing.

Names are those of the reference page, descriptions and the wording of failures are unverified: no failed check was ever
published whole. A cluster check that cannot be made because the service is down fails by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starover_lab.cmdlets.machine import Machine
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.views import CopyView

__all__ = ["Check", "checks"]


@dataclass(frozen=True)
class Check:
    """One check and its outcome; an empty error is a pass."""

    name: str
    description: str
    error: str = ""
    warns: bool = False

    @property
    def result(self) -> str:
        """As printed."""
        if not self.error:
            return "Passed"
        return "*WARN*" if self.warns else "*FAILED*"


def _service(here: Machine, server: Server, name: str) -> str:
    return "" if here.world.state.runs(server, name) else f"The {name} service is not running on {server.name}."


def _cluster(here: Machine, server: Server) -> str:
    try:
        here.world.cluster(server.name)
    except WorldError as error:
        return f"The cluster service on {server.name} can't be asked: {error.message}."
    return ""


def _members_up(here: Machine, server: Server) -> str:
    try:
        down = [node.name for node in here.world.nodes(server.name) if node.state not in {"Up", "Paused"}]
    except WorldError as error:
        return f"The state of the nodes is not known: {error.message}."
    return "".join(f"{name} isn't up. " for name in down).strip()


def _active_manager(here: Machine, server: Server) -> str:
    try:
        owner = here.world.cluster(server.name).core_owner
    except WorldError as error:
        return f"Active Manager on {server.name} is in an unknown role: {error.message}."
    return "" if owner else "There is no Primary Active Manager."


def _witness(here: Machine, server: Server) -> str:
    try:
        cluster = here.world.cluster(server.name)
    except WorldError as error:
        return f"The file share witness can't be read: {error.message}."
    votes = cluster.votes
    if votes.witness and not votes.witness_online:
        return f"The file share witness '{cluster.witness_path}' on {cluster.witness_server} isn't online."
    return ""


def _copies(here: Machine, server: Server) -> list[CopyView]:
    return [here.world.copy_view(one.name, server.name, server.name) for one in here.world.databases_on(server.name)]


def _listed(views: list[CopyView], wrong: Callable[[CopyView], bool], text: str) -> str:
    return "\n".join(text.format(f"{view.database}\\{view.server}", view) for view in views if wrong(view))


def _redundancy(here: Machine, server: Server) -> str:
    lines: list[str] = []
    for database in here.world.databases_on(server.name):
        views = [here.world.copy_view(database.name, copy.server, server.name) for copy in database.copies]
        good = sum(view.status in {"Mounted", "Healthy", "SeedingSource"} for view in views)
        if good < 2:
            lines.append(f"Database '{database.name}' does not have enough copies in a good state: {good}.")
    return "\n".join(lines)


def _availability(here: Machine, server: Server) -> str:
    lost = [
        database.name
        for database in here.world.databases_on(server.name)
        if not any(
            here.world.copy_view(database.name, copy.server, server.name).status == "Mounted"
            for copy in database.copies
        )
    ]
    return "\n".join(f"Database '{name}' is not mounted anywhere." for name in lost)


def checks(here: Machine, server: Server) -> list[Check]:
    """Every check of one server, in the order of the reference page."""
    in_dag = bool(here.world.dag_of(server.name))
    repl = _service(here, server, "MSExchangeRepl")
    views = _copies(here, server)
    done: list[Check] = []
    if in_dag:
        done.append(Check("ClusterService", "Checks if the cluster service is healthy.", _cluster(here, server)))
    done.append(Check("ReplayService", "Checks if the Microsoft Exchange Replication service is running.", repl))
    done.append(
        Check(
            "ActiveManager",
            "Checks that Active Manager is running and has a valid role.",
            (repl or (_active_manager(here, server) if in_dag else "")),
        )
    )
    done.append(Check("TasksRpcListener", "Checks that the Tasks RPC Listener is running and is responding.", repl))
    done.append(Check("TcpListener", "Checks that the TCP Listener is running and is responding.", repl))
    done.append(Check("ServerLocatorService", "Checks that the Server Locator Service is responding.", repl))
    if in_dag:
        done.append(
            Check("DagMembersUp", "Verifies that the members of the DAG are up and running.", _members_up(here, server))
        )
        done.append(Check("ClusterNetwork", "Checks that the networks are healthy.", _cluster(here, server)))
        done.append(Check("QuorumGroup", "Checks that the quorum and witness are healthy.", _cluster(here, server)))
        done.append(
            Check(
                "FileShareQuorum",
                "Verifies that the path of the file share witness is reachable.",
                _witness(here, server),
            )
        )
    done.append(
        Check("DatabaseRedundancy", "Verifies that databases have sufficient redundancy.", _redundancy(here, server))
    )
    done.append(
        Check(
            "DatabaseAvailability", "Verifies that databases have sufficient availability.", _availability(here, server)
        )
    )
    done += [
        Check(
            "DBCopySuspended",
            "Checks whether any database copies are suspended.",
            _listed(views, lambda view: view.status == "Suspended", "Database copy '{0}' is suspended."),
            warns=True,
        ),
        Check(
            "DBCopyFailed",
            "Checks whether any database copies are in a failed state.",
            _listed(
                views, lambda view: view.status.startswith("Failed"), "Database copy '{0}' is in state {1.status}."
            ),
        ),
        Check(
            "DBInitializing",
            "Checks whether any database copies are initializing.",
            _listed(views, lambda view: view.status == "Initializing", "Database copy '{0}' is initializing."),
        ),
        Check(
            "DBDisconnected",
            "Checks whether any database copies are disconnected.",
            _listed(views, lambda view: view.status.startswith("Disconnected"), "Database copy '{0}' is disconnected."),
        ),
        Check(
            "DBLogCopyKeepingUp",
            "Checks that log copying keeps up.",
            _listed(
                views,
                lambda view: not view.is_active and not view.replication_suspended and view.copy_queue > 10,
                "Database copy '{0}' has a copy queue of {1.copy_queue} logs.",
            ),
        ),
        Check(
            "DBLogReplayKeepingUp",
            "Checks that log replay keeps up.",
            _listed(
                views,
                lambda view: not view.is_active and not view.replay_lag_s and view.replay_queue > 50,
                "Database copy '{0}' has a replay queue of {1.replay_queue} logs.",
            ),
        ),
    ]
    return done
