"""A live estate as a topology that the lab can play: pure, from the inventory and what was read; contacts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.steps.copies import CopyStatus
from starover.steps.dag import DagFacts, DatabaseInfo, short
from starover.steps.placement import lag_of, places_of

__all__ = ["topology_of"]

Tree: TypeAlias = dict[str, Any]
SYSTEMS = ("2012R2", "2016", "2019", "2022", "2025")
FIRST_SE = 2562
"""From this build on 15.2 is SE."""


def topology_of(estate: Estate, dag: Dag, facts: DagFacts) -> Tree:
    """The topology: servers and network as the inventory has them, DAG, databases and copies as they were read.

    Sizes and log rates are the lab's own: a drill measures order and patience, not disks.
    """
    members = [one.name for one in estate.members(dag)]
    return {
        "name": f"drill-{estate.name}"[:64],
        "forest": {"name": estate.forest.name, "netbios": estate.forest.netbios},
        "azs": sorted({one.az for one in estate.servers if one.az}),
        "sites": [msgspec.to_builtins(one) for one in estate.sites],
        "subnets": [msgspec.to_builtins(one) for one in estate.subnets],
        "servers": [_server(one) for one in estate.servers],
        "dags": [_dag(dag, facts, estate)],
        "databases": [_database(one, facts) for one in facts.databases or () if _hosted(one, members)],
        "accounts": [
            {
                "name": "operator",
                "groups": ["Domain Admins", "Domain Users"],
                "role_groups": ["Organization Management"],
            }
        ],
    }


def _server(one: Server) -> Tree:
    found: Tree = {"name": one.name, "roles": list(one.roles)}
    for name, value in (
        ("az", one.az),
        ("site", one.site),
        ("subnet", one.subnet),
        ("address", one.address),
        ("instance", one.instance),
        ("os", one.os if one.os in SYSTEMS else ""),
    ):
        if value:
            found[name] = value
    if one.exchange is not None:
        found["exchange"] = _exchange(one.exchange.version)
    return found


def _exchange(version: str) -> Tree:
    """Its year by its build; 2019 and SE are both 15.2."""
    numbers = [int(part) for part in re.findall(r"\d+", version)[:3]]
    if len(numbers) < 3:
        return {"year": "SE"}
    minor, build = numbers[1], numbers[2]
    year = {0: "2013", 1: "2016"}.get(minor, "SE" if build >= FIRST_SE else "2019")
    return {"year": year, "build": version} if version.count(".") == 3 else {"year": year}


def _dag(dag: Dag, facts: DagFacts, estate: Estate) -> Tree:
    state = facts.dag
    witness = short(state.witness_server) if state is not None and state.witness_server else dag.witness
    alternate = short(state.alternate_server) if state is not None and state.alternate_server else dag.alternate_witness
    found: Tree = {
        "name": dag.name,
        "members": [one.name for one in estate.members(dag)],
        "dac_mode": state.activation_mode if state is not None and state.activation_mode else "Off",
    }
    for name, value in (
        ("witness", witness),
        ("alternate_witness", alternate),
        ("witness_directory", state.witness_directory if state is not None else dag.witness_directory),
    ):
        if value:
            found[name] = value
    return found


def _hosted(database: DatabaseInfo, members: list[str]) -> bool:
    return any(same_host(server, name) for server in places_of(database.preferences) for name in members)


def _database(database: DatabaseInfo, facts: DagFacts) -> Tree:
    seen = _copies(facts)
    copies: list[Tree] = []
    for server, preference in places_of(database.preferences).items():
        lag = lag_of(database.lags, server)
        status = seen.get((database.name.casefold(), server.casefold()))
        copy: Tree = {"server": server, "preference": preference}
        if lag:
            copy["replay_lag"] = f"{int(lag.total_seconds())}s"
        if lag or (status is not None and status.activation_suspended):
            copy["activation_suspended"] = True
        copies.append(copy)
    active = next((one.server for one in seen.values() if one.active and one.database == database.name), "")
    return {"name": database.name, "copies": copies} | ({"active": active} if active else {})


def _copies(facts: DagFacts) -> Mapping[tuple[str, str], CopyStatus]:
    return {
        (one.database.casefold(), one.server.casefold()): one for host in facts.members for one in host.copies or ()
    }
