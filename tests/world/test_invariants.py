"""The invariants of building report what they are there for; each is broken here by force, behind the doors' back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from starover_lab.world.dag_objects import link, read_dag, write_dag
from starover_lab.world.dns import node_key
from starover_lab.world.dns_zones import Node, Record
from starover_lab.world.entities import AuditRecord
from starover_lab.world.world import World
from world.conftest import Lab


def stranger_in_the_cluster(world: World) -> None:
    for dc in world.state.directory.controllers:
        link(world.state.directory, dc, "DAG1", "EX4", joined=False)
    world.scheduler.advance_to(world.now.replace(hour=15))
    world.state.log.add("dag_changed", "DAG1")


def lagged_copy_activated(world: World) -> None:
    world.database("DB01").active = "EX4"
    world.state.log.add("active_moved", "DB01")


def witness_among_the_members(world: World) -> None:
    directory = world.state.directory
    dc = directory.controllers["DC1"]
    dag = replace(read_dag(directory, dc, "DAG1"), witness_server="EX2.example.com")
    write_dag(directory, dc, dag, world.now)
    world.state.log.add("dag_changed", "DAG1")


def script_on_a_dead_host(world: World) -> None:
    world.fault("host_off", "EX3")
    world.record_audit(AuditRecord(cmdlet="X", parameters={}, caller="operator", server="EX3", time=world.now))


def cname_beside_an_address(world: World) -> None:
    records = (
        Record(name="mail", type="CNAME", data="a.example.com.", ttl_s=300),
        Record(name="mail", type="A", data="10.0.0.9", ttl_s=300),
    )
    world.state.directory.plant(node_key("example.com", "mail"), Node(records))
    world.state.log.add("dns_added", "mail.example.com")


def mounted_with_bit_zero(world: World) -> None:
    exchange = world.server("EX1").exchange
    assert exchange is not None
    exchange.dacp_bit = 0
    world.state.log.add("database_mounting", "DB01", server="EX1")


def script_on_a_fenced_host(world: World) -> None:
    world.state.filters.append(lambda server, _: server.name != "EX3")
    world.record_audit(AuditRecord(cmdlet="X", parameters={}, caller="operator", server="EX3", time=world.now))


def two_in_maintenance(world: World) -> None:
    for name in ("EX1", "EX2"):
        world.set_component(name, name, "ServerWideOffline", "Inactive", "Maintenance")


def witness_against_the_parity(world: World) -> None:
    cluster = world.state.clusters["DAG1"]
    cluster.votes = replace(cluster.votes, witness=False, witness_online=False)
    world.state.log.add("quorum_type", "DAG1")


@pytest.mark.parametrize(
    ("breaks", "id_"),
    [
        (witness_against_the_parity, "I7"),
        (two_in_maintenance, "I9"),
        (script_on_a_fenced_host, "I13"),
        (stranger_in_the_cluster, "I6"),
        (lagged_copy_activated, "I10"),
        (witness_among_the_members, "I11"),
        (script_on_a_dead_host, "I13"),
        (cname_beside_an_address, "I14"),
        (mounted_with_bit_zero, "I15"),
    ],
)
def test_what_is_broken_is_reported_once(lab: Callable[..., Lab], breaks: Callable[[World], None], id_: str) -> None:
    world = lab().world
    assert world.violations() == []
    breaks(world)
    found = [one["id"] for one in world.violations() if one["id"] == id_]
    assert found == [id_]
    world.state.log.add("nothing", "here")
    assert [one["id"] for one in world.violations() if one["id"] == id_] == [id_]
