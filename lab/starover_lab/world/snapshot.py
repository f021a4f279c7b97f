"""The whole state as JSON-able data, for `lab state` and for tests; changes nothing and holds no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from starover_lab.world.dag_objects import find_dag
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.dns import node_key
from starover_lab.world.dns_zones import Node
from starover_lab.world.entities import Cluster, Server
from starover_lab.world.errors import Data
from starover_lab.world.replication import Replication, is_active
from starover_lab.world.state import State
from starover_lab.world.storage import counters, space

__all__ = ["snapshot"]


def snapshot(
    state: State,
    replication: Replication,
    *,
    faults: Sequence[Mapping[str, Data]],
    violations: Sequence[Mapping[str, Data]],
) -> dict[str, Data]:
    """Everything that can be seen now."""
    return {
        "topology": state.name,
        "seed": state.dice.seed,
        "time": _time(state.now),
        "events": len(state.log.events),
        "azs": {az.name: az.state for az in state.azs},
        "servers": {server.name: _server(state, server) for server in state.servers},
        "dags": {name: _dag(state, name) for name in state.dags},
        "databases": {database.name: _database(state, replication, database) for database in state.databases},
        "zones": _zones(state),
        "accounts": {account.name: {"expired": account.expired} for account in state.accounts},
        "audit": [
            {
                "time": _time(record.time),
                "cmdlet": record.cmdlet,
                "parameters": dict(record.parameters),
                "caller": record.caller,
                "server": record.server,
                "succeeded": record.succeeded,
            }
            for record in state.audit
        ],
        "faults": [dict(fault) for fault in faults],
        "violations": [dict(violation) for violation in violations],
    }


def _time(when: datetime | None) -> str | None:
    return when.isoformat().replace("+00:00", "Z") if when is not None else None


def _server(state: State, server: Server) -> dict[str, Data]:
    exchange = server.exchange
    stopped: list[Data] = [
        service.name for service in server.services if service.start_type == "Automatic" and service.status != "Running"
    ]
    return {
        "fqdn": server.fqdn,
        "az": server.az,
        "site": server.site,
        "address": server.address,
        "os": server.os,
        "roles": list(server.roles),
        "power": server.power,
        "hung": server.hung,
        "listener_faults": list[Data](sorted(server.listener_faults)),
        "boot_time": _time(server.boot_time),
        "automatic_services_not_running": stopped,
        "volumes": {
            volume.mount: {"size": one.size, "free": one.free}
            for volume in server.volumes
            if (one := space(state, server, volume.mount)) is not None
        },
        "pending_reboot": list[Data](sorted(server.pending_reboot)),
        "updates": {update.kb: update.state for update in server.updates},
        "scheduled_tasks": {
            task.path + task.name: {"running": task.running, "last_result": task.last_result}
            for task in server.scheduled_tasks.values()
        },
        "features": {name: known for name, known in server.features.items() if known != "Available"},
        "administrators": list[Data](server.local_groups.get("Administrators", ())),
        "shares": {share.name: share.path for share in server.shares if not share.name.endswith("$")},
        "nics": {
            nic.alias: {
                "addresses": list[Data](nic.addresses),
                "secondary": list[Data](nic.secondary),
                "gateway": nic.gateway,
                "up": nic.up,
            }
            for nic in server.nics
        },
        "exchange": None
        if exchange is None
        else {
            "year": exchange.year,
            "build": exchange.build,
            "activation_policy": exchange.activation_policy,
            "components": {
                one.name: {who: wish for who, (wish, _) in {**one.remote, **one.local}.items()}
                for one in exchange.components
                if any(wish != "Active" for wish, _ in [*one.local.values(), *one.remote.values()])
            },
            "queues": {queue.name: queue.count(state.now) for queue in exchange.mail.queues if queue.count(state.now)},
            "dacp_bit": exchange.dacp_bit,
            "powershell": not exchange.vdir_broken and state.runs(server, "W3SVC"),
        },
    }


def _dag(state: State, name: str) -> dict[str, Data]:
    by_dc: dict[str, Data] = {}
    for dc in state.directory.controllers:
        dag = find_dag(state.directory, dc, name)
        by_dc[dc.name] = (
            None
            if dag is None
            else {
                "members": list(dag.members),
                "started": list(dag.started),
                "stopped": list(dag.stopped),
                "witness": dag.witness_server,
                "witness_directory": dag.witness_directory,
                "alternate_witness": dag.alternate_witness_server,
                "ip_addresses": list[Data](dag.ip_addresses),
                "dac_mode": dag.dac_mode,
            }
        )
    own = [one for one in state.clusters if one.name.casefold() == name.casefold()]
    return {
        "ad": by_dc,
        "cluster": _cluster(own[0]) if own else None,
        "second_clusters": [_cluster(one) for one in own[1:]],
    }


def _zones(state: State) -> dict[str, Data]:
    """Per zone and name what each DC has: one list where all agree, else one for each DC."""
    found: dict[str, Data] = {}
    for zone in state.zones:
        lead = node_key(zone.name, "")
        labels = {key[len(lead) :] for dc in state.directory.controllers for key in state.directory.keys(dc, lead)}
        names: dict[str, Data] = {}
        for label in sorted(labels):
            per_dc: dict[str, Data] = {}
            for dc in state.directory.controllers:
                node = state.directory.read(dc, lead + label, Node)
                records = node.records if node is not None else ()
                per_dc[dc.name] = [f"{one.type} {one.data} ttl={one.ttl_s}" for one in records]
            values = list(per_dc.values())
            names[label] = values[0] if all(one == values[0] for one in values) else per_dc
        found[zone.name] = names
    return found


def _cluster(cluster: Cluster) -> dict[str, Data]:
    return {
        "quorate": cluster.quorate,
        "quorum_type": cluster.quorum_type,
        "epoch": cluster.epoch,
        "forced": cluster.forced,
        "votes": cluster.votes.present,
        "total": cluster.votes.total,
        "primary_active_manager": cluster.core_owner or None,
        "witness": cluster.witness_server or None,
        "addresses": list[Data](cluster.addresses),
        "online_address": cluster.online_address or None,
        "witness_online": cluster.votes.witness_online,
        "witness_vote": cluster.votes.witness_vote,
        "nodes": {
            node.server: {
                "id": node.id,
                "state": node.state,
                "information": node.information,
                "vote": cluster.votes.votes.get(node.id, 0),
            }
            for node in cluster.nodes
        },
    }


def _database(state: State, replication: Replication, database: Database) -> dict[str, Data]:
    return {
        "guid": str(database.guid),
        "dag": database.dag or None,
        "active": database.active,
        "state": database.state,
        "size": database.size,
        "generated": database.stream.generated(state.now),
        "branch": database.stream.branch,
        "rivals": {rival.server: rival.state for rival in database.rivals},
        "copies": {copy.server: _copy(state, replication, database, copy) for copy in database.copies},
    }


def _copy(state: State, replication: Replication, database: Database, copy: Copy) -> dict[str, Data]:
    now = counters(state, database, copy)
    newest = database.stream.generated(state.now)
    return {
        "status": replication.status(database, copy),
        "active": is_active(database, copy),
        "preference": copy.preference,
        "replication_suspended": copy.replication_suspended,
        "activation_suspended": copy.activation_suspended,
        "comment": copy.comment,
        "replay_lag_s": copy.replay_lag_s,
        "copied": now.copied,
        "inspected": now.inspected,
        "replayed": now.replayed,
        "copy_queue": max(newest - now.inspected, 0),
        "replay_queue": now.inspected - now.replayed,
        "error": copy.error.message if copy.error is not None else None,
        "diverged": copy.diverged,
        "lag_off": copy.lag_off or None,
        "network": copy.network or None,
        "seed_source": copy.seed.source if copy.seed is not None else None,
    }
