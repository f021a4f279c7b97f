"""Faults of Exchange's sessions, its audit and its balancers' checks; keeps no list of them."""

from __future__ import annotations

import msgspec

from starover_lab.world.fault_tools import Broken, Kind, Tools
from starover_lab.world.tuning import Tuning

__all__ = ["TABLE"]


def _retuned(tools: Tools, words: str, **knobs: float) -> Broken:
    """Other knobs until it is mended."""
    state = tools.state
    before: Tuning = state.tuning
    state.tuning = msgspec.structs.replace(before, **knobs)

    def undo() -> None:
        state.tuning = msgspec.structs.replace(state.tuning, **{name: getattr(before, name) for name in knobs})

    return Broken(words, undo)


def _import_slow(tools: Tools) -> Broken:
    seconds = tools.number_of("seconds", 30)
    slower = tools.state.tuning.exchange_import_s + seconds
    return _retuned(tools, f"importing Exchange's cmdlets takes {seconds:g} s longer", exchange_import_s=slower)


def _session_limit(tools: Tools) -> Broken:
    limit = int(tools.number_of("limit", 0))
    said = f"nobody may have more than {limit} Exchange sessions"
    return _retuned(tools, said, exchange_sessions_per_user=limit)


def _audit_off(tools: Tools) -> Broken:
    state = tools.state
    state.audit_off = True
    return Broken("the admin audit log keeps nothing", lambda: setattr(state, "audit_off", False))


def _target_unhealthy(tools: Tools) -> Broken:
    server, found = tools.server(), tools.state.cloud.unhealthy
    found[server.name] = found.get(server.name, 0) + 1

    def undo() -> None:
        found[server.name] -= 1
        tools.state.review()

    tools.state.review()
    return Broken(f"no balancer's check reaches {server.name}", undo)


TABLE: dict[str, Kind] = {
    "import_slow": Kind(
        "importing Exchange's cmdlets takes long", "", _import_slow, {"seconds": "how much longer, 30"}, alone=True
    ),
    "exchange_session_limit": Kind(
        "few Exchange sessions are allowed", "", _session_limit, {"limit": "of one person, 0"}, alone=True
    ),
    "audit_off": Kind("the admin audit log is off", "", _audit_off, alone=True),
    "elb_target_unhealthy": Kind("balancers' checks do not reach a server", "server", _target_unhealthy),
}
