"""The files that the lab writes for its clients: inventory, CA and `lab.json`; starts nothing."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import yaml

from starover.estate import Dag, Estate, Exchange, Road, Server
from starover_lab.dns_server import DnsListener
from starover_lab.wire.host import Host
from starover_lab.world.entities import Account
from starover_lab.world.topology_specs import ServerSpec
from starover_lab.world.world import World

__all__ = ["INVENTORY", "LAB", "estate", "estate_without_roads", "lab_json", "remove", "write"]

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | float | bool | None"
INVENTORY = "inventory.yaml"
LAB = "lab.json"
_CA = "ca.pem"
_HEAD = "# Written by the lab: every screen says LAB. It is good for as long as this lab is up.\n"


def _roads(host: Host, *, exchange: bool) -> tuple[Road, ...]:
    address = host.http.address
    roads = [Road(scheme="http", address=address, port=host.http.port, auth="negotiate")]
    if host.https is not None:
        roads.append(
            Road(scheme="https", address=address, port=host.https.port, auth="negotiate", ca_file=_CA),
        )
    if exchange:
        roads.append(Road(kind="exchange", scheme="http", address=address, port=host.http.port, auth="negotiate"))
    return tuple(roads)


def _server(spec: ServerSpec, roads: tuple[Road, ...], world: World) -> Server:
    made = world.server(spec.name)
    exchange = None if spec.exchange is None else Exchange(version=made.exchange.build if made.exchange else "")
    return Server(
        name=spec.name,
        fqdn=made.fqdn,
        roles=spec.roles,
        address=made.address,
        site=made.site,
        az=made.az,
        subnet=made.subnet,
        os=made.os,
        instance=made.instance,
        exchange=exchange,
        roads=roads,
    )


def estate(world: World, hosts: Mapping[str, Host], apis: Mapping[str, str]) -> Estate:
    """What the lab's inventory says. `hosts` by server name; `apis`: where a balancer's API answers, by its name."""
    specs = world.topology.servers
    made = _estate(world, {one.name: _roads(hosts[one.name], exchange=one.exchange is not None) for one in specs})
    return _with_apis(made, apis)


def _with_apis(made: Estate, apis: Mapping[str, str]) -> Estate:
    balancers = (
        msgspec.structs.replace(one, api=apis[one.name], ca_file=_CA, credential=f"lab:{one.name}")
        if one.name in apis
        else one
        for one in made.balancers
    )
    return msgspec.structs.replace(made, balancers=tuple(balancers))


def estate_without_roads(world: World, credential: str) -> Estate:
    """The same for whoever runs scripts in the lab's own process; `credential` is the reference of every server."""
    made = _estate(world, {})
    servers = (msgspec.structs.replace(one, credential=credential) for one in made.servers)
    made = msgspec.structs.replace(made, servers=tuple(servers))
    return _with_apis(made, {one.balancer: "https://127.0.0.1" for one in world.state.farms})


def _estate(world: World, roads: Mapping[str, tuple[Road, ...]]) -> Estate:
    topology = world.topology
    return Estate(
        name=topology.name,
        lab=True,
        region=topology.region,
        forest=topology.forest,
        sites=topology.sites,
        subnets=topology.subnets,
        servers=tuple(_server(spec, roads.get(spec.name, ()), world) for spec in topology.servers),
        dags=tuple(
            Dag(
                name=dag.name,
                members=dag.members,
                witness=dag.witness,
                alternate_witness=dag.alternate_witness,
                witness_directory=dag.witness_directory,
            )
            for dag in topology.dags
        ),
        client_names=topology.client_names,
        balancers=topology.balancers,
    )


def lab_json(
    world: World,
    hosts: Mapping[str, Host],
    dns: Sequence[DnsListener],
    users: Sequence[Account],
    url: str,
    token: str,
) -> dict[str, object]:
    """What `lab.json` holds: where everything listens, and with whose password."""
    return {
        "name": world.topology.name,
        "pid": os.getpid(),
        "control": {"url": url, "token": token},
        "hosts": [
            {
                "name": host.name,
                "fqdn": world.server(host.name).fqdn,
                "address": host.http.address,
                "http_port": host.http.port,
                "https_port": host.https.port if host.https is not None else 0,
            }
            for host in hosts.values()
        ],
        "dns": [{"name": one.name, "address": one.address, "port": one.port} for one in dns],
        "users": [{"name": user.down_level, "password": user.password} for user in users],
    }


def write(folder: Path, found: Estate, credential: str, ca_pem: bytes, lab: Mapping[str, object]) -> None:
    """Write all three. Each is whole or not there; the one with secrets is readable by its owner only.

    Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data: dict[str, Tree] = msgspec.json.decode(msgspec.json.encode(found))
    tree: dict[str, Tree] = {"name": found.name, "lab": True, "defaults": {"credential": credential}}
    tree |= {key: _lean(value) for key, value in data.items() if key not in tree and not _empty(value)}
    text = _HEAD + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)
    _put(folder / _CA, ca_pem, 0o644)
    _put(folder / INVENTORY, text.encode(), 0o644)
    _put(folder / LAB, json.dumps(lab, indent=1).encode() + b"\n", 0o600)


def remove(folder: Path) -> None:
    """The lab is down: what pointed to it goes away, secrets with it."""
    for name in (LAB, INVENTORY, _CA):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()


def _empty(tree: Tree) -> bool:
    return tree in ("", None, [], {}, 0, False)


def _lean(tree: Tree) -> Tree:
    """Without what is empty: the reader of the inventory has the same defaults."""
    if isinstance(tree, dict):
        return {key: _lean(value) for key, value in tree.items() if not _empty(value)}
    if isinstance(tree, list):
        return [_lean(value) for value in tree]
    return tree


def _put(path: Path, data: bytes, mode: int) -> None:
    new = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    new.replace(path)
