"""What a client of a load balancer reaches: HTTPS, while its zone is there and a server behind it answers."""

from __future__ import annotations

import pytest
from starover_lab.world.topology import load
from starover_lab.world.world import World

NODES = ("10.0.0.241", "10.0.32.241", "10.0.64.241")


@pytest.fixture
def world() -> World:
    return World(load("aws-2az"))


def reached(world: World, asked: str = "DC2", port: int = 443) -> list[str]:
    return [address for address in NODES if world.windows.port_open(asked, address, port)]


def test_it_takes_https_and_nothing_else(world: World) -> None:
    assert reached(world) == list(NODES)
    assert reached(world, port=445) == []
    assert not world.windows.port_open("DC2", "10.0.0.242", 443)


def test_the_node_of_a_lost_zone_does_not_answer(world: World) -> None:
    world.fault("az_loss", "eu-west-1a")
    assert reached(world) == list(NODES[1:])


def test_with_no_server_behind_it_it_refuses(world: World) -> None:
    for name in ("ExchangeNode1", "ExchangeNode2"):
        world.fault("node_crash", name)
    assert reached(world) == []
