"""The failover cluster of a DAG: who is up, who has quorum, who owns the core group; leaves arithmetic to `quorum`.

simulator.md section 3. A part of the cluster that loses quorum stops its cluster service; the service control manager
starts it again when enough nodes are back to form the cluster. After forced quorum one DAG may have several clusters,
each with its own configuration (`forced_quorum`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from starover_lab.world import forced_quorum, quarantine, quorum
from starover_lab.world.dag_objects import find_dag
from starover_lab.world.entities import Cluster, ClusterNode, Server, Service
from starover_lab.world.errors import WorldError
from starover_lab.world.forced_quorum import holds
from starover_lab.world.state import State
from starover_lab.world.witness_share import share_answers

__all__ = ["CLUSSVC", "Clusters"]

CLUSSVC = "ClusSvc"


class Clusters:
    """Keeps every cluster's membership and votes."""

    def __init__(self, state: State) -> None:
        self._state = state

    # -- what administrators do ----------------------------------------------------------------------------------

    def pause(self, cluster: Cluster, node: ClusterNode, *, drain: bool) -> None:
        """Suspend-ClusterNode: the node keeps its vote; with `drain` the core group leaves it."""
        if node.state not in ("Up", "Paused"):
            raise WorldError("service_down", f"node {node.server} is {node.state}", server=node.server, service=CLUSSVC)
        node.paused, node.state = True, "Paused"
        self._state.log.add("node_paused", node.server, cluster=cluster.name)
        if drain and cluster.core_owner.casefold() == node.server.casefold():
            self._elect(cluster)
        self._state.review()

    def resume(self, cluster: Cluster, node: ClusterNode) -> None:
        """Resume-ClusterNode."""
        node.paused = False
        if node.state == "Paused":
            node.state = "Up"
            self._state.log.add("node_resumed", node.server, cluster=cluster.name)
        self._state.review()

    def move_core_group(self, cluster: Cluster, target: str | None) -> str:
        """Move-ClusterGroup for the core group; returns the new owner."""
        able = [node for node in cluster.nodes if node.state == "Up"]
        if target is None:
            able = [node for node in able if node.server.casefold() != cluster.core_owner.casefold()]
        else:
            able = [node for node in able if node.server.casefold() == target.partition(".")[0].casefold()]
        if not able:
            raise WorldError(
                "no_candidate", "no node that is up can own the core group", cluster=cluster.name, reasons={}
            )
        self.own(cluster, min(able, key=lambda node: node.id).server)
        self._state.review()
        return cluster.core_owner

    def stop(self, cluster: Cluster, node: ClusterNode) -> None:
        """The node's cluster service stops cleanly: it hands its vote over and leaves."""
        if cluster.quorate and node.state in ("Up", "Paused"):
            self._lose(cluster, [node], witness=False, clean=True)
        elif node.state == "Joining":
            node.state, node.joining_since = "Down", None

    # -- following -----------------------------------------------------------------------------------------------

    def review(self) -> None:
        """Let every cluster see who is there."""
        for cluster in self._state.clusters:
            self._give_way(cluster)
            if cluster.quorate:
                self._watch(cluster)
            if cluster.quorate:
                quarantine.release(self._state, cluster)
                self._join(cluster)
                self._watch_witness_return(cluster)
                self._keep_owner(cluster)
                self._settle(cluster)
            else:
                self._try_to_form(cluster)

    def alive(self, cluster: Cluster, node: ClusterNode) -> bool:
        """Whether the node's host answers and its cluster service runs with this configuration."""
        return holds(cluster, node.server) and self._state.runs(self._state.servers[node.server], CLUSSVC)

    def witness_reachable(self, cluster: Cluster, server: Server) -> bool:
        """Whether a node reaches the share of the witness in use."""
        host = self._state.servers.get(cluster.witness_server) if cluster.witness_server else None
        accounts = [f"{cluster.name}$"] if cluster.addresses else [f"{server.name}$"]
        return (
            host is not None
            and self._state.reaches(server, host)
            and host.name.casefold() not in self._state.witness_faults
            and forced_quorum.witness_free(self._state, cluster)
            and share_answers(self._state, host, cluster.witness_path.rpartition("\\")[2], accounts)
        )

    # -- for the DAG's own doings --------------------------------------------------------------------------------

    def release_witness(self, cluster: Cluster) -> bool:
        """Take the witness out of the cluster; False when quorum was lost by it."""
        if cluster.votes.witness_vote and not quorum.lose(cluster.votes, witness=True).quorum:
            self._lose(cluster, [], witness=True, clean=False)
            return False
        cluster.votes = quorum.recalc(replace(cluster.votes, witness=False, witness_online=False))
        cluster.witness_server = cluster.witness_path = ""
        cluster.witness_missed_since = None
        return True

    def lose_witness(self, cluster: Cluster) -> None:
        """The witness in use turns out to be gone."""
        self._lose(cluster, [], witness=True, clean=False)
        self._state.review()

    def enter(self, cluster: Cluster, node: ClusterNode) -> None:
        """A new node that is up."""
        cluster.nodes.add(node.server, node)
        forced_quorum.take_over(self._state, self._state.servers[node.server], cluster)
        cluster.epoch += 1
        service = self._service(node)
        if service is not None:
            service.start_type = "Automatic"
        self._start_service(node)
        cluster.votes = quorum.join(cluster.votes, node.id)
        self._state.log.add("node_up", node.server, cluster=cluster.name, now=self.weights(cluster))

    def evict(self, cluster: Cluster, node: ClusterNode) -> None:
        """Take a node out of the cluster for good; its cluster service ends and stays Disabled.

        A host that is away learns nothing of it: it keeps the configuration that it has.
        """
        state, server = self._state, self._state.servers[node.server]
        told = state.answers(server) and any(
            state.linked(server, state.servers[one.server]) for one in cluster.nodes if one.state in ("Up", "Paused")
        )
        if node.state in ("Up", "Paused"):
            self._lose(cluster, [node], witness=False, clean=True)
        if holds(cluster, node.server) and not told:
            forced_quorum.remember(state, cluster, node)
        cluster.nodes.discard(node.server)
        cluster.epoch += 1
        if told:
            forced_quorum.clean_up(state, server)
        votes = cluster.votes
        up = {id_: state for id_, state in votes.up.items() if id_ != node.id}
        weights = {id_: weight for id_, weight in votes.weights.items() if id_ != node.id}
        last = None if votes.last_down == node.id else votes.last_down
        left = replace(
            votes,
            up=up,
            weights=weights,
            votes={id_: vote for id_, vote in votes.votes.items() if id_ != node.id},
            last_down=last,
        )
        cluster.votes = quorum.recalc(left) if cluster.quorate and up else left
        service = self._service(node)
        if service is not None and told:
            service.status, service.gave_up, service.start_type = "Stopped", False, "Disabled"
        if cluster.core_owner.casefold() == node.server.casefold() and up:
            self._elect(cluster)
        self._state.log.add("node_evicted", node.server, cluster=cluster.name, now=self.weights(cluster))

    def _watch(self, cluster: Cluster) -> None:
        """Notice lost heartbeats and a lost witness, and judge them when they have lasted long enough."""
        state = self._state
        members = [node for node in cluster.nodes if node.state in ("Up", "Paused")]
        owner = cluster.core_owner.casefold()
        parts = self._parts(
            [
                node
                for node in sorted(members, key=lambda node: node.server.casefold() != owner)
                if self.alive(cluster, node)
            ]
        )
        seen: set[str] = set()
        keeps: int | None = None
        if parts:
            keeps = self._winner(cluster, parts)
            seen = {node.server for node in parts[keeps if keeps is not None else 0]}
            if keeps is None and len(parts) > 1:
                seen = {node.server for node in max(parts, key=len)}
        delay = timedelta(seconds=self._heartbeat(cluster))
        for node in members:
            if node.server in seen:
                node.missed_since = None
                if node.isolated_since is not None:
                    node.isolated_since = None
                    state.log.add("node_heard_again", node.server, cluster=cluster.name)
            elif node.missed_since is None:
                node.missed_since = state.now
                state.poke(state.now + delay)
        witness_seen = any(self.witness_reachable(cluster, state.servers[name]) for name in seen)
        if not cluster.votes.witness_online or witness_seen:
            cluster.witness_missed_since = None
        elif cluster.witness_missed_since is None:
            cluster.witness_missed_since = state.now
            state.poke_after(state.tuning.witness_check_s)
        missed = [node for node in members if node.missed_since and state.now >= node.missed_since + delay]
        gone = [node for node in missed if keeps is None or not self._isolated(cluster, node)]
        check = timedelta(seconds=state.tuning.witness_check_s)
        witness_gone = cluster.witness_missed_since is not None and (
            state.now >= cluster.witness_missed_since + check or (bool(gone) and not witness_seen)
        )
        if gone or witness_gone:
            self._lose(cluster, gone, witness=witness_gone, clean=False)

    def _isolated(self, cluster: Cluster, node: ClusterNode) -> bool:
        """Whether a node that is not heard is still held for isolated: its vote stays, what was active on it goes."""
        state = self._state
        if not self.alive(cluster, node) or not quarantine.isolates(state, node):
            return False
        if node.isolated_since is None:
            if quarantine.left_unexpectedly(state, cluster, node):
                node.isolated_since = state.now - timedelta(seconds=state.tuning.isolated_s)
                return False
            node.isolated_since = state.now
            state.poke_after(state.tuning.isolated_s)
            state.log.add("node_isolated", node.server, cluster=cluster.name)
            state.again()
        return state.now < node.isolated_since + timedelta(seconds=state.tuning.isolated_s)

    def _lose(self, cluster: Cluster, gone: list[ClusterNode], *, witness: bool, clean: bool) -> None:
        state = self._state
        loss = quorum.lose(cluster.votes, [node.id for node in gone], witness=witness, clean=clean)
        if not loss.quorum and cluster.forced and any(loss.after.up.values()):
            loss = replace(loss, quorum=True, after=quorum.recalc(loss.after))
        if not loss.quorum:
            cluster.actives = forced_quorum.remembered_actives(state, cluster)
        cluster.votes = loss.after
        cluster.witness_missed_since = None
        for node in gone:
            if not clean and node.isolated_since is None:
                quarantine.left_unexpectedly(state, cluster, node)
            self._down(cluster, node)
        if not loss.quorum:
            self._end(cluster)
        for node in gone:
            state.log.add("node_down", node.server, cluster=cluster.name, clean=clean)
        if witness:
            state.log.add("witness_lost", cluster.witness_server, cluster=cluster.name)
        if loss.quorum:
            state.log.add("quorum_kept", cluster.name, votes=loss.votes, total=loss.total, now=self.weights(cluster))
        else:
            state.log.add("quorum_lost", cluster.name, votes=loss.votes, total=loss.total)
        state.again()

    def _down(self, cluster: Cluster, node: ClusterNode) -> None:
        node.state, node.missed_since, node.joining_since, node.isolated_since = "Down", None, None, None
        if holds(cluster, node.server):
            self._give_up(node)

    def _end(self, cluster: Cluster) -> None:
        """The cluster is no more: its nodes stop, and are started again by the service control manager."""
        cluster.quorate, cluster.core_owner, cluster.owner_lost_since = False, "", None
        cluster.retry_since, cluster.forced = None, False
        for node in cluster.nodes:
            self._down(cluster, node)

    def _give_way(self, cluster: Cluster) -> None:
        """Where nodes meet a later configuration of their cluster, theirs ends; who was evicted there stays out."""
        state = self._state
        for leader in forced_quorum.newer(state, cluster):
            ups = [state.servers[node.server] for node in leader.nodes if node.state in ("Up", "Paused")]
            met = [
                node
                for node in cluster.nodes
                if holds(cluster, node.server)
                and self._would_run(node)
                and any(state.reaches(state.servers[node.server], up) for up in ups)
            ]
            parted = [node for node in met if node.isolated_since is not None]
            if cluster.quorate and parted:
                self._lose(cluster, parted, witness=False, clean=False)
            if cluster.quorate and any(node.serves for node in met):
                state.log.add("cluster_gave_way", cluster.name, epoch=cluster.epoch, to=leader.epoch)
                cluster.actives = forced_quorum.remembered_actives(state, cluster)
                self._end(cluster)
                state.again()
            for node in met:
                service = self._service(node)
                if node.server not in leader.nodes and service is not None:
                    service.status, service.gave_up, service.busy_until = "Stopped", False, None
                    state.log.add("node_refused", node.server, cluster=cluster.name)

    def _settle(self, cluster: Cluster) -> None:
        """What follows from who is there: the witness's mark, the end of a forced quorum and of a recovery."""
        forced_quorum.witness_locked(self._state, cluster)
        if cluster.recovering and self._whole(cluster):
            cluster.recovering = False
            self._state.log.add("recovery_over", cluster.name)
        if not cluster.forced:
            return
        weights = {node.id: cluster.votes.weights.get(node.id, 1) for node in cluster.nodes}
        present = sum(weights[node.id] for node in cluster.nodes if node.state in ("Up", "Paused"))
        if 2 * present > sum(weights.values()):
            cluster.forced = False
            self._state.log.add("forced_quorum_cleared", cluster.name, now=self.weights(cluster))

    def _whole(self, cluster: Cluster) -> bool:
        """Whether every member of the DAG is a node that is up, and none stands on the list of the stopped."""
        owner = self._state.servers.get(cluster.core_owner) if cluster.core_owner else None
        ups = {node.server.casefold() for node in cluster.nodes if node.serves}
        if owner is None or len(ups) < len(cluster.nodes):
            return False
        try:
            dag = find_dag(self._state.directory, self._state.directory.closest(owner.site), cluster.name)
        except WorldError:
            return False
        return dag is not None and not dag.stopped and ups == {name.casefold() for name in dag.members}

    def _join(self, cluster: Cluster) -> None:
        """Nodes whose cluster service runs and who reach the others come back."""
        state = self._state
        ups = [node for node in cluster.nodes if node.state in ("Up", "Paused")]
        joining = timedelta(seconds=state.tuning.join_s)
        for node in cluster.nodes:
            server = state.servers[node.server]
            reached = any(state.linked(server, state.servers[up.server]) for up in ups)
            if node.state == "Down" and self._would_run(node) and reached and self._fits(cluster, node):
                forced_quorum.take_over(state, server, cluster)
                node.state, node.joining_since = "Joining", state.now
                self._start_service(node)
                state.poke_after(state.tuning.join_s)
            elif node.state == "Joining" and not (self.alive(cluster, node) and reached):
                node.state, node.joining_since = "Down", None
            elif node.joining_since is not None and state.now >= node.joining_since + joining:
                node.state, node.joining_since = ("Paused" if node.paused else "Up"), None
                cluster.votes = quorum.join(cluster.votes, node.id)
                state.log.add("node_up", node.server, cluster=cluster.name, now=self.weights(cluster))
                state.again()

    def _fits(self, cluster: Cluster, node: ClusterNode) -> bool:
        """Whether a node may join: its host has some configuration of this cluster, no later one, no quarantine."""
        held = self._state.cluster_on(self._state.servers[node.server])
        if held is None or held.origin != cluster.origin or node.quarantined_until is not None:
            return False
        own = held.nodes.get(node.server)
        apart = own is not None and own.state in ("Up", "Paused")
        return held is cluster or (not apart and held.version <= cluster.version)

    def _watch_witness_return(self, cluster: Cluster) -> None:
        state = self._state
        if not cluster.votes.witness or cluster.votes.witness_online:
            return
        if any(
            self.witness_reachable(cluster, state.servers[node.server])
            for node in cluster.nodes
            if node.state in ("Up", "Paused")
        ):
            cluster.votes = quorum.recalc(replace(cluster.votes, witness_online=True))
            state.log.add("witness_online", cluster.witness_server, cluster=cluster.name, now=self.weights(cluster))

    def _keep_owner(self, cluster: Cluster) -> None:
        """The core group has an owner that is up; a new one is elected a while after the old was lost."""
        state = self._state
        owner = cluster.nodes.get(cluster.core_owner) if cluster.core_owner else None
        if owner is not None and owner.state in ("Up", "Paused") and owner.isolated_since is None:
            return
        if cluster.owner_lost_since is None:
            cluster.core_owner, cluster.owner_lost_since = "", state.now
            state.poke_after(state.tuning.pam_election_s)
        elif state.now >= cluster.owner_lost_since + timedelta(seconds=state.tuning.pam_election_s):
            self._elect(cluster)

    def _elect(self, cluster: Cluster) -> None:
        ups = [node for node in cluster.nodes if node.state in ("Up", "Paused") and node.isolated_since is None]
        if ups:
            self.own(cluster, min(ups, key=lambda node: (node.state == "Paused", node.id)).server)

    def own(self, cluster: Cluster, server: str) -> None:
        """A node is the core group's owner from now on."""
        cluster.core_owner, cluster.owner_lost_since = server, None
        self._state.log.add("core_group_moved", cluster.name, owner=server)
        self._state.again()

    def _try_to_form(self, cluster: Cluster) -> None:
        """Without quorum: when enough nodes are there, their restarted services form the cluster."""
        state = self._state
        waiting = [
            node
            for node in cluster.nodes
            if holds(cluster, node.server)
            and self._would_run(node)
            and not node.prevent_quorum
            and node.quarantined_until is None
        ]
        best = None
        for part in self._parts(waiting):
            sees = any(self.witness_reachable(cluster, state.servers[node.server]) for node in part)
            formed = quorum.form(cluster.votes, [node.id for node in part], witness_reachable=sees)
            if formed is not None:
                best = (part, formed)
                break
        if best is None:
            cluster.retry_since = None
        elif cluster.retry_since is None:
            cluster.retry_since = state.now
            state.poke_after(state.tuning.cluster_restart_s)
        elif state.now >= cluster.retry_since + timedelta(seconds=state.tuning.cluster_restart_s):
            part, cluster.votes = best
            cluster.quorate, cluster.retry_since = True, None
            for node in part:
                node.state = "Paused" if node.paused else "Up"
                self._start_service(node)
            self._elect(cluster)
            state.log.add("quorum_formed", cluster.name, now=self.weights(cluster))
            state.again()

    # -- small things --------------------------------------------------------------------------------------------

    def _service(self, node: ClusterNode) -> Service | None:
        return self._state.servers[node.server].services.get(CLUSSVC)

    def _would_run(self, node: ClusterNode) -> bool:
        """Whether the cluster service runs, or the service control manager would start it again."""
        service = self._service(node)
        if service is None or not self._state.answers(self._state.servers[node.server]):
            return False
        return service.status == "Running" or (
            service.gave_up and not service.crashed and service.start_type != "Disabled"
        )

    def _start_service(self, node: ClusterNode) -> None:
        service = self._service(node)
        if service is not None:
            service.status, service.gave_up = "Running", False

    def _give_up(self, node: ClusterNode) -> None:
        """The node's cluster service ends itself, if it runs at all."""
        service = self._service(node)
        if service is not None and service.status == "Running":
            service.status, service.gave_up = "Stopped", True

    def _parts(self, nodes: list[ClusterNode]) -> list[list[ClusterNode]]:
        """The nodes in groups that reach each other."""
        parts: list[list[ClusterNode]] = []
        for node in nodes:
            server = self._state.servers[node.server]
            for part in parts:
                if all(self._state.linked(server, self._state.servers[one.server]) for one in part):
                    part.append(node)
                    break
            else:
                parts.append([node])
        return parts

    def _winner(self, cluster: Cluster, parts: list[list[ClusterNode]]) -> int | None:
        """The part that keeps quorum; the witness's lock goes to who is there first."""
        first = parts[0] if len(parts) == 1 else min(parts, key=lambda part: self._at_the_lock(cluster, part))
        return quorum.split(
            cluster.votes,
            [[node.id for node in part] for part in parts],
            sees_witness=[
                any(self.witness_reachable(cluster, self._state.servers[node.server]) for node in part)
                for part in parts
            ],
            owner=first[0].id,
        )

    def _at_the_lock(self, cluster: Cluster, part: list[ClusterNode]) -> float:
        """After how many seconds a part has the witness's lock, if nobody else has.

        The part with the core group's owner begins, the others after a delay; a bad way to the share takes its time:
        round trips, and a second for every packet that is lost.
        """
        state, tuning = self._state, self._state.tuning
        host = state.servers.get(cluster.witness_server) if cluster.witness_server else None
        owned = any(node.server.casefold() == cluster.core_owner.casefold() for node in part)
        begins = 0.0 if owned else tuning.arbitration_delay_s
        if host is None:
            return begins

        def way(node: ClusterNode) -> float:
            pair = frozenset((state.servers[node.server].az, host.az))
            usual = tuning.rtt_same_az_ms if len(pair) == 1 else tuning.rtt_cross_az_ms
            trip = state.latency_ms.get(pair, usual) / 1000
            return tuning.lock_round_trips * (trip + 2 * state.packet_loss.get(pair, 0.0))

        return begins + min(way(node) for node in part)

    def _heartbeat(self, cluster: Cluster) -> float:
        subnets = {self._state.servers[node.server].subnet for node in cluster.nodes}
        tuning = self._state.tuning
        return tuning.heartbeat_same_subnet_s if len(subnets) == 1 else tuning.heartbeat_cross_subnet_s

    def weights(self, cluster: Cluster) -> str:
        """The votes in short, such as `EX1=1 EX2=1 witness=1`."""
        votes = [f"{node.server}={cluster.votes.votes.get(node.id, 0)}" for node in cluster.nodes]
        return " ".join([*votes, f"witness={cluster.votes.witness_vote}"] if cluster.votes.witness else votes)
