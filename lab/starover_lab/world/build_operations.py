"""What mail and Windows Update have when the lab begins: send connectors, offered and installed updates; no host."""

from __future__ import annotations

from datetime import timedelta

from starover_lab.world.mail_parts import SendConnector
from starover_lab.world.state import State
from starover_lab.world.topology_specs import Topology, UpdateSpec, seconds
from starover_lab.world.update_parts import Update

__all__ = ["settle_operations"]


def settle_operations(state: State, topology: Topology) -> None:
    """Every host's updates, and the organization's send connectors."""
    exchange = tuple(server.name for server in state.servers if server.exchange is not None)
    for spec in topology.send_connectors:
        sources = tuple(state.server(name).name for name in spec.source_servers) or exchange
        state.organization.send_connectors[spec.name.casefold()] = SendConnector(
            spec.name, sources, spec.smart_hosts, spec.address_spaces
        )
    for update in topology.updates:
        names = [state.server(name).name for name in update.servers] or [server.name for server in state.servers]
        for name in names:
            state.server(name).updates.append(_update(state, update))


def _update(state: State, spec: UpdateSpec) -> Update:
    made = Update(
        id=state.dice.guid("update", spec.name),
        kb=spec.name,
        title=spec.title or f"Security Update for Microsoft server operating system ({spec.name})",
        size=int(spec.size_mb * 1024 * 1024),
        install_s=seconds(spec.install),
        reboot=spec.reboot,
        categories=spec.categories,
        severity=spec.severity,
        browse_only=spec.browse_only,
        after=spec.after,
    )
    if spec.installed_days is not None:
        made.state, made.installed_at = "installed", state.now - timedelta(days=spec.installed_days)
    return made
