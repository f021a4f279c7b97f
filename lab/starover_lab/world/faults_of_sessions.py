"""Faults of Exchange's sessions, its audit and its balancers' checks; keeps no list of them."""

from __future__ import annotations

import msgspec

from starover_lab.world.fault_tools import Broken, FaultError, Kind, Tools
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


def _anchor_down(tools: Tools) -> Broken:
    state = tools.state
    anchored = [one.name for one in state.servers if one.exchange is not None and one.exchange.anchors_sessions]
    if not anchored:
        raise FaultError(
            "no server here is Exchange 2013 CU11, and no other version opens its sessions where a mailbox is",
            certain=("nothing was broken",),
        )
    anchor = next(iter(state.databases), None)
    if anchor is None or tools.target.casefold() not in ("", anchor.name.casefold()):
        raise tools.no("database that sessions are anchored to", [anchor.name] if anchor is not None else [])
    anchor.kept_down = True
    state.review()

    def undo() -> None:
        anchor.kept_down = False
        state.review()

    return Broken(f"{anchor.name} is down, and /PowerShell of {', '.join(anchored)} with it", undo)


def _winrm_drop(tools: Tools) -> Broken:
    server, effect = tools.server(), tools.text("effect", "applied")
    flags = {"applied": "drops-after", "not_applied": "drops-before"}
    if effect not in flags:
        raise tools.fail(f"`{effect}` is nothing that a dropped session leaves behind", [*flags])
    server.listener_faults.add(flags[effect])
    done = "after it was done" if effect == "applied" else "before anything is done"
    return Broken(
        f"WinRM of {server.name} drops the connection of every script, {done}",
        lambda: server.listener_faults.discard(flags[effect]),
    )


TABLE: dict[str, Kind] = {
    "anchor_database_down": Kind(
        "the database that sessions of Exchange 2013 CU11 go to is down", "that database, or none", _anchor_down
    ),
    "winrm_drop": Kind(
        "connections break when a script is sent",
        "server",
        _winrm_drop,
        {"effect": "applied (default): the script runs all the same; or not_applied"},
    ),
    "import_slow": Kind(
        "importing Exchange's cmdlets takes long", "", _import_slow, {"seconds": "how much longer, 30"}, alone=True
    ),
    "exchange_session_limit": Kind(
        "few Exchange sessions are allowed", "", _session_limit, {"limit": "of one person, 0"}, alone=True
    ),
    "audit_off": Kind("the admin audit log is off", "", _audit_off, alone=True),
    "elb_target_unhealthy": Kind("balancers' checks do not reach a server", "server", _target_unhealthy),
}
