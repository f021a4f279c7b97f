"""An estate is what its own JSON says: of every topology, as it is, with any one text left out, and at its barest."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TypeVar, cast

import msgspec
import pytest
from starover_lab.world.world import World
from starover_lab.written import estate_without_roads

from starover.estate import Balancer, ClientName, Dag, Estate, Road, Server, Site, Subnet
from starover.inventory import load

TOPOLOGIES = sorted(
    one.name.removesuffix(".yaml")
    for one in resources.files("starover_lab").joinpath("topologies").iterdir()
    if one.name.endswith(".yaml")
)
T = TypeVar("T", bound=msgspec.Struct)


def again(estate: Estate) -> Estate:
    return msgspec.json.decode(msgspec.json.encode(estate), type=Estate)


def poorer(whole: T) -> Iterator[tuple[str, T]]:
    """The same with one text left out, wherever one may be left out; and where that is."""
    for field in msgspec.structs.fields(whole):
        value = getattr(whole, field.name)
        if isinstance(value, str) and value and field.default == "":
            yield field.name, msgspec.structs.replace(whole, **{field.name: ""})
        elif isinstance(value, msgspec.Struct):
            for place, one in poorer(value):
                yield f"{field.name}.{place}", msgspec.structs.replace(whole, **{field.name: one})
        elif isinstance(value, tuple):
            parts = cast("tuple[object, ...]", value)
            for at, part in enumerate(parts):
                if isinstance(part, msgspec.Struct):
                    for place, one in poorer(part):
                        with_it = (*parts[:at], one, *parts[at + 1 :])
                        yield f"{field.name}[{at}].{place}", msgspec.structs.replace(whole, **{field.name: with_it})


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_topology_is_what_its_json_says(topology: str) -> None:
    estate = estate_without_roads(World.from_topology(topology), "lab:x")
    assert again(estate) == estate
    left_out = dict(poorer(estate))
    assert any(place.endswith("witness_directory") for place in left_out) or not estate.dags
    for place, one in left_out.items():
        assert again(one) == one, place


def test_the_example_and_the_barest_estate_too() -> None:
    example = load(Path(__file__).parents[2] / "inventory" / "example.yaml")
    assert again(example) == example
    bare = Estate(
        name="x",
        sites=(Site(name="A"),),
        subnets=(Subnet(cidr="10.0.0.0/8"),),
        servers=(Server(name="EX1", fqdn="ex1.example.com", roles=("mailbox",), roads=(Road(),)),),
        dags=(Dag(name="D"),),
        client_names=(ClientName(name="mail.example.com"),),
        balancers=(Balancer(name="lb"),),
    )
    assert again(bare) == bare
