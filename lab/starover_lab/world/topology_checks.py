"""What a topology may not contradict: pure checks over a whole one; reads no file."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from starover.names import first_label
from starover_lab.world.topology_specs import DagSpec, DatabaseSpec, FarmSpec, ServerSpec, Topology, UpdateSpec

__all__ = ["contradictions"]

Problem = tuple[str, str, str]
"""Section, name of the entry, and what is wrong with it."""


def contradictions(topology: Topology) -> Iterator[Problem]:
    """Everything that an entry cannot know by itself."""
    if not topology.servers:
        yield "servers", "", "a topology needs `servers:`"
    if topology.start.tzinfo is None:
        yield "start", "", "`start` needs a time zone, such as 2026-11-20T14:00:00Z"
    for section, name in (
        ("forest", topology.forest.name),
        *(("client_names", one.name) for one in topology.client_names),
    ):
        if not all(character.isascii() and (character.isalnum() or character in ".-_") for character in name):
            yield (
                section,
                "",
                f"`{name}` is no DNS name: ASCII letters, digits, hyphens and dots; write it in its xn-- form",
            )
    if not any("dc" in server.roles for server in topology.servers):
        yield "servers", "", "there is no server with the role dc: nobody could log on"
    if not topology.accounts:
        yield "accounts", "", "there are no `accounts:`: nobody could log on"
    servers = {first_label(server.name): server for server in topology.servers}
    for server in topology.servers:
        yield from _server(server, topology)
    stores: dict[str, ServerSpec] = {}
    for server in [one for one in topology.servers if one.instance]:
        first = stores.setdefault(server.instance_type, server)
        if first.instance_store != server.instance_store:
            yield (
                "servers",
                server.name,
                f"`instance_store` belongs to the type {server.instance_type}, and {first.name} has another one",
            )
    taken: dict[str, str] = {}
    for dag in topology.dags:
        yield from _dag(dag, servers, taken)
    for database in topology.databases:
        yield from _database(database, servers, taken)
    for farm in topology.farms:
        yield from _farm(farm, topology, servers)
    for section, named in (("send_connectors", topology.send_connectors), ("updates", topology.updates)):
        for entry in named:
            given = entry.servers if isinstance(entry, UpdateSpec) else entry.source_servers
            for name in given:
                if first_label(name) not in servers:
                    yield section, entry.name, f"`{name}` is no server of this topology"


def _farm(farm: FarmSpec, topology: Topology, servers: dict[str, ServerSpec]) -> Iterator[Problem]:
    able = [one for one in topology.balancers if one.kind == "zevenet"]
    chosen = [one for one in able if farm.balancer in ("", one.name)]
    if len(chosen) != 1:
        known = ", ".join(one.name for one in able) or "none"
        yield "farms", farm.name, f"`balancer` is one of the kind zevenet: {known}"
    elif not chosen[0].addresses:
        yield "farms", farm.name, f"its balancer {chosen[0].name} needs `addresses:`"
    elif farm.vip and farm.vip not in chosen[0].addresses:
        yield "farms", farm.name, f"`vip` is one of {', '.join(chosen[0].addresses)}"
    for name in farm.backends:
        found = servers.get(first_label(name))
        if found is None or found.exchange is None:
            yield "farms", farm.name, f"the backend `{name}` is no Exchange server of this topology"


def _server(server: ServerSpec, topology: Topology) -> Iterator[Problem]:
    if "mailbox" in server.roles and server.exchange is None:
        yield "servers", server.name, f"{server.name} has the role mailbox, so it needs `exchange:`"
    if "mailbox" not in server.roles and server.exchange is not None:
        yield "servers", server.name, f"{server.name} has `exchange:`, so it needs the role mailbox"
    if (
        server.site
        and topology.sites
        and server.site.casefold() not in {site.name.casefold() for site in topology.sites}
    ):
        yield "servers", server.name, f"there is no site `{server.site}` under `sites:`"
    if server.subnet and topology.subnets and server.subnet not in {subnet.cidr for subnet in topology.subnets}:
        yield "servers", server.name, f"there is no subnet {server.subnet} under `subnets:`"
    for address in (server.address, *server.secondary_addresses):
        try:
            ipaddress.ip_address(address or "127.0.0.1")
        except ValueError:
            yield "servers", server.name, f"`{address}` is not an IP address"


def _dag(dag: DagSpec, servers: dict[str, ServerSpec], taken: dict[str, str]) -> Iterator[Problem]:
    if dag.name.casefold() in servers:
        yield "dags", dag.name, f"`{dag.name}` is a server's name; a DAG needs one of its own"
    for name in dag.members:
        member = servers.get(first_label(name))
        if member is None:
            yield "dags", dag.name, f"the member `{name}` is no server of this topology"
        elif member.exchange is None:
            yield "dags", dag.name, f"the member `{name}` has no Exchange"
        other = taken.setdefault(first_label(name), dag.name)
        if other != dag.name:
            yield "dags", dag.name, f"`{name}` is a member of {other} already"
    for key, name in (("witness", dag.witness), ("alternate_witness", dag.alternate_witness)):
        if name and first_label(name) not in servers:
            yield "dags", dag.name, f"`{key}` is `{name}`, which is no server of this topology"
        elif name and first_label(name) in {first_label(member) for member in dag.members}:
            yield "dags", dag.name, f"`{key}` is `{name}`, a member: a witness is never a member"
    if dag.members and len(dag.members) % 2 == 0 and not dag.witness:
        yield "dags", dag.name, "an even number of members needs a `witness:`"
    if dag.primary_active_manager and first_label(dag.primary_active_manager) not in {
        first_label(name) for name in dag.members
    }:
        yield "dags", dag.name, f"`primary_active_manager` is `{dag.primary_active_manager}`, which is no member"


def _database(database: DatabaseSpec, servers: dict[str, ServerSpec], taken: dict[str, str]) -> Iterator[Problem]:
    holders = [first_label(copy.server) for copy in database.copies]
    for name, copy in zip(holders, database.copies, strict=True):
        if name not in servers:
            yield "databases", database.name, f"a copy is on `{copy.server}`, which is no server of this topology"
        elif servers[name].exchange is None:
            yield "databases", database.name, f"a copy is on `{copy.server}`, which has no Exchange"
        elif len(holders) > 1 and taken.get(name) != taken.get(holders[0]):
            yield "databases", database.name, f"`{copy.server}` is not in the same DAG as {database.copies[0].server}"
    if len(set(holders)) != len(holders):
        yield "databases", database.name, "a server has two copies"
    if len(holders) > 1 and not all(name in taken for name in holders):
        yield "databases", database.name, "several copies need a DAG: its servers are members of none"
    given = [copy.preference for copy in database.copies]
    if any(given) and sorted(given) != list(range(1, len(given) + 1)):
        yield "databases", database.name, f"preferences are {given}: they must be 1 to {len(given)}, or none given"
    if database.active and first_label(database.active) not in holders:
        yield "databases", database.name, f"`active` is `{database.active}`, which has no copy"
    for copy in database.copies:
        is_active = first_label(copy.server) == first_label(database.active or database.copies[0].server)
        if is_active and database.active and (copy.replication_suspended or not copy.files):
            yield "databases", database.name, "the active copy cannot be suspended or without files"
