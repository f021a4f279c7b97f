"""Whose client access is meant, and what is read of it from every server; changes nothing, knows no runbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from starover.errors import BadParameter, StaroverError
from starover.estate import Estate, Server
from starover.runbook import Steps, attempt, together
from starover.step import Report
from starover.steps.certificates import Certificates, certificates
from starover.steps.client_access import ClientSettings, Protection, client_settings, protection
from starover.steps.dag_object import dag_named, existing
from starover.steps.dns import Answer, answer
from starover.steps.preferences import Policies, policies

__all__ = ["answers_of", "certificates_of", "client_servers", "fact", "legacy_of", "protection_of", "settings_of"]

R = TypeVar("R", bound=Report)


def client_servers(estate: Estate, servers: Sequence[Server], dag: str | None) -> Steps[list[Server]]:
    """Those named, or every member of the DAG. Raises `BadParameter` for one without Exchange."""
    if not servers:
        found = yield from existing(dag_named(dag, estate), estate)
        return [server for server in estate.servers if found.dag.has(server.name)]
    strange = [server.name for server in servers if server.exchange is None]
    if strange:
        raise BadParameter(f"{', '.join(strange)}: no Exchange there", certain=("nothing was contacted",))
    return list({server.name: server for server in servers}.values())


def legacy_of(servers: Sequence[Server]) -> Steps[dict[str, bool]]:
    """Which servers are Exchange 2013, whose Autodiscover cmdlets have another name; by the first that answers."""
    for at, server in enumerate(servers, 1):
        known = yield from attempt(policies.read(server))
        if isinstance(known, Policies):
            found = {one.name: known.find(one.name) for one in servers}
            return {name: facts is not None and facts.family == "15.0" for name, facts in found.items()}
        if at == len(servers):
            raise known
    return {}


def fact(found: R | StaroverError) -> R | str:
    """What was read, or why it was not."""
    return found.what if isinstance(found, StaroverError) else found


def settings_of(servers: Sequence[Server]) -> Steps[dict[str, ClientSettings | str]]:
    """The settings of each server by name, or why they could not be read."""
    legacy = yield from legacy_of(servers)
    seen = yield from together(
        attempt(client_settings.read(server, name=server.name, legacy=legacy[server.name])) for server in servers
    )
    return {server.name: fact(found) for server, found in zip(servers, seen, strict=True)}


def protection_of(servers: Sequence[Server]) -> Steps[dict[str, Protection | str]]:
    """What demands Extended Protection on each server, or why it could not be read."""
    seen = yield from together(attempt(protection.read(server, name=server.name)) for server in servers)
    return {server.name: fact(found) for server, found in zip(servers, seen, strict=True)}


def certificates_of(servers: Sequence[Server]) -> Steps[dict[str, Certificates | str]]:
    """The certificates of each server, or why they could not be read."""
    seen = yield from together(attempt(certificates.read(server)) for server in servers)
    return {server.name: fact(found) for server, found in zip(servers, seen, strict=True)}


def answers_of(names: Sequence[str], estate: Estate, asked: Server) -> Steps[Mapping[str, Mapping[str, Answer | str]]]:
    """What each DNS server answers to `asked` for each name, or why nothing was heard."""
    controllers = estate.having("dc")
    pairs = [(name, controller) for name in names for controller in controllers]
    seen = yield from together(
        attempt(answer.read(asked, fqdn=name, controller=controller.fqdn)) for name, controller in pairs
    )
    result: dict[str, dict[str, Answer | str]] = {name: {} for name in names}
    for (name, controller), found in zip(pairs, seen, strict=True):
        result[name][controller.name] = fact(found)
    return result
