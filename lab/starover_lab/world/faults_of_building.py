"""Faults that meet who builds a DAG: witness rights, cards, DNS, reboots, latency, seeds; keeps no list of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from starover_lab.world.dns import Dns
from starover_lab.world.dns_zones import Node, Record
from starover_lab.world.fault_tools import Broken, FaultError, Kind, Tools
from starover_lab.world.faults_of_disaster import zones
from starover_lab.world.machine_parts import Nic
from starover_lab.world.principals import ETS

__all__ = ["TABLE"]


def _witness_rights(tools: Tools) -> Broken:
    state, name = tools.state, tools.target
    for cluster in state.clusters:
        if cluster.name.casefold() == name.casefold():
            name = cluster.witness_server
    host = state.servers.get(name) if name else None
    if host is None:
        raise tools.fail(f"there is no witness `{tools.target}`", [one.name for one in state.servers])
    trusted = f"{state.netbios}\\{ETS}"
    had = trusted in host.local_groups.get("Administrators", ())
    members = host.local_groups.get("Administrators", ())
    host.local_groups["Administrators"] = tuple(one for one in members if one != trusted)
    before = {share.name: share.access for share in host.shares if not share.name.endswith("$")}
    for share in host.shares:
        if share.name in before:
            share.access = ()

    def undo() -> None:
        now = host.local_groups["Administrators"]
        if had and trusted not in now:
            host.local_groups["Administrators"] = (*now, trusted)
        for share in host.shares:
            if not share.access:
                share.access = before.get(share.name, ())

    return Broken(f"Exchange has no rights on {host.name}, and its shares let nobody in", undo)


def _nics(tools: Tools, wanted: Callable[[Nic], bool], what: str) -> Broken:
    server = tools.server()
    cards = [nic for nic in server.nics if wanted(nic)]
    if not cards:
        raise tools.fail(f"{server.name} has no such network card", [nic.alias for nic in server.nics])
    for nic in cards:
        nic.down_by.add(tools.number)
    tools.state.cards_changed += 1

    def undo() -> None:
        for nic in cards:
            nic.down_by.discard(tools.number)
        tools.state.cards_changed += 1

    return Broken(f"{what} of {server.name} carries nothing", undo)


def _replication_nic(tools: Tools) -> Broken:
    return _nics(tools, lambda nic: not nic.is_mapi, "the replication network")


def _dns_server(tools: Tools) -> Broken:
    state, server = tools.state, tools.server()
    known = Dns(state).servers()
    if server.name not in known:
        raise tools.fail(f"{server.name} is no DNS server", known)
    state.dns_faults.add(server.name.casefold())
    return Broken(
        f"the DNS server of {server.name} answers nothing", lambda: state.dns_faults.discard(server.name.casefold())
    )


def _zone_readonly(tools: Tools) -> Broken:
    state = tools.state
    zone = state.zones.get(tools.target or state.dns_name)
    if zone is None:
        raise tools.fail(f"there is no zone `{tools.target}`", [one.name for one in state.zones])
    zone.readonly_by = tools.number
    return Broken(f"nobody may write the zone {zone.name}", lambda: setattr(zone, "readonly_by", 0))


def _record_conflict(tools: Tools) -> Broken:
    """Somebody else's record stands where ours should go."""
    state = tools.state
    full = (tools.target or (state.client_names[0] if state.client_names else "")).rstrip(".")
    zones = [one for one in state.zones if f".{full}".casefold().endswith("." + one.name.casefold())]
    if not full or not zones:
        raise tools.fail(f"`{tools.target}` lies in no zone", [one.name for one in state.zones])
    zone = max(zones, key=lambda one: len(one.name))
    label = full[: -len(zone.name) - 1] or "@"
    key = f"dns:{zone.name.casefold()}:{label.casefold()}"
    data = tools.text("address", "10.255.255.1")
    record = Record(name=label, type="A", data=data, ttl_s=3600)
    dc = next((one for one in state.directory.controllers if one.up()), None)
    if dc is None:
        raise FaultError("no domain controller answers", certain=("nothing was broken",))
    before = state.directory.read(dc, key, Node)
    state.directory.write(dc, key, Node((record,)))

    def undo() -> None:
        own = next((one for one in state.directory.controllers if one.up()), dc)
        there = state.directory.read(own, key, Node)
        if there is not None and record in there.records:
            left = tuple(one for one in there.records if one != record)
            state.directory.write(own, key, Node(left) if left else before)

    return Broken(f"somebody has made {full} an A record of {data}", undo)


def _latency(tools: Tools) -> Broken:
    state = tools.state
    pairs = zones(tools, tools.text("azs", tools.target))
    ms, loss = tools.number_of("ms", 400), tools.number_of("loss", 0)
    if not 0 <= loss <= 100:
        raise FaultError(f"`loss` is a percentage, and here is {loss:g}", certain=("nothing was broken",))
    before = {pair: (state.latency_ms.get(pair), state.packet_loss.get(pair)) for pair in pairs}
    for pair in pairs:
        state.latency_ms[pair] = ms
        if loss:
            state.packet_loss[pair] = loss / 100

    def undo() -> None:
        for pair, (latency, lost) in before.items():
            state.latency_ms.pop(pair, None)
            state.packet_loss.pop(pair, None)
            if latency is not None:
                state.latency_ms[pair] = latency
            if lost is not None:
                state.packet_loss[pair] = lost

    words = ", ".join(" and ".join(sorted(pair)) for pair in sorted(pairs, key=sorted))
    drops = f", {loss:g} % of the packets are lost" if loss else ""
    return Broken(f"a round trip between {words} takes {ms:g} ms{drops}", undo)


def _pending_reboot(tools: Tools) -> Broken:
    server, why = tools.server(), tools.text("why", "cbs")
    if why not in ("cbs", "wu", "rename", "ccm"):
        raise tools.fail(f"`{why}` is no reason to reboot", ["cbs", "wu", "rename", "ccm"])
    server.pending_reboot.add(why)
    return Broken(f"{server.name} waits for a reboot ({why})", lambda: server.pending_reboot.discard(why))


def _reboots(*, forever: bool) -> Callable[[Tools], Broken]:
    def act(tools: Tools) -> Broken:
        state, server = tools.state, tools.server()
        seconds = math.inf if forever else tools.number_of("seconds", 600)
        key = server.name.casefold()
        state.slow_reboots[key] = seconds

        def undo() -> None:
            state.slow_reboots.pop(key, None)
            if forever and server.power == "off":
                tools.hosts.on(server, tools.number)

        text = "does not come back from a reboot" if forever else f"takes {seconds:g} s longer to reboot"
        return Broken(f"{server.name} {text}", undo)

    return act


def _witness_reboot(tools: Tools) -> Broken:
    server = tools.server()
    tools.hosts.reboot(server)
    return Broken(f"{server.name} restarts", lambda: None)


def _seed_stall(tools: Tools) -> Broken:
    database, copy = tools.copy()
    key = (database.name.casefold(), copy.server.casefold())
    tools.state.seed_stalls.add(key)
    return Broken(f"seeds of {database.name}\\{copy.server} stand still", lambda: tools.state.seed_stalls.discard(key))


def _clock_skew(tools: Tools) -> Broken:
    server, seconds = tools.server(), tools.number_of("seconds", 400)
    before, server.time_skew_s = server.time_skew_s, seconds
    return Broken(f"the clock of {server.name} is {seconds:g} s ahead", lambda: setattr(server, "time_skew_s", before))


def _orphan_sid(tools: Tools) -> Broken:
    """A member of Administrators whose account is gone; Get-LocalGroupMember stumbles over it."""
    server = tools.server()
    sid = tools.text("sid", "S-1-5-21-1004336348-1177238915-682003330-4999")
    members = server.local_groups.get("Administrators", ())
    server.local_groups["Administrators"] = (*members, sid)

    def undo() -> None:
        now = server.local_groups["Administrators"]
        server.local_groups["Administrators"] = tuple(one for one in now if one != sid)

    return Broken(f"an account that is gone is an administrator of {server.name}", undo)


def _auth_certificate(tools: Tools) -> Broken:
    state = tools.state
    thumbprint = state.organization.auth_certificate
    servers = [server.exchange.client_access for server in state.servers if server.exchange is not None]
    before = [list(settings.certificates) for settings in servers]
    yesterday = state.now - timedelta(days=1)
    for settings in servers:
        settings.certificates[:] = [
            replace(one, not_after=yesterday) if one.thumbprint == thumbprint else one for one in settings.certificates
        ]

    def undo() -> None:
        for settings, kept in zip(servers, before, strict=True):
            settings.certificates[:] = kept

    return Broken("the Auth certificate has expired", undo)


def _nic(tools: Tools) -> Broken:
    alias = tools.text("alias", "Ethernet")
    return _nics(tools, lambda nic: nic.alias.casefold() == alias.casefold(), alias)


TABLE: dict[str, Kind] = {
    "witness_share_acl_removed": Kind(
        "Exchange loses its rights on a witness, and the cluster its share", "witness server, or DAG", _witness_rights
    ),
    "replication_nic_down": Kind("the replication network's card fails", "server", _replication_nic),
    "nic_down": Kind("a network card fails", "server", _nic, {"alias": "its name, Ethernet"}),
    "dns_server_down": Kind("a DNS server answers nothing", "DC", _dns_server),
    "dns_zone_readonly": Kind("nobody may write a zone", "zone, or none: the forest's", _zone_readonly),
    "dns_record_conflict": Kind(
        "another A record stands at a name", "name in full", _record_conflict, {"address": "10.255.255.1"}
    ),
    "link_latency": Kind(
        "the way between zones is long",
        "zones, `1a,1b` or `1a,*`",
        _latency,
        {"ms": "round trip, 400", "loss": "percentage of lost packets, 0", "azs": "the same as the target"},
    ),
    "pending_reboot": Kind("a host wants a reboot", "server", _pending_reboot, {"why": "cbs, wu, rename or ccm"}),
    "reboot_slow": Kind("a reboot takes longer", "server", _reboots(forever=False), {"seconds": "by how much, 600"}),
    "reboot_never_returns": Kind("a host does not come back from its next reboot", "server", _reboots(forever=True)),
    "witness_reboot": Kind("a witness restarts", "server", _witness_reboot),
    "seed_stall": Kind("seeds of a copy stand still", "copy, DB/SERVER", _seed_stall),
    "kerberos_skew": Kind("a clock is wrong", "server", _clock_skew, {"seconds": "ahead by, 400"}),
    "orphan_sid": Kind("an administrator's account is gone", "server", _orphan_sid, {"sid": "its SID"}),
    "auth_cert_expired": Kind("the Auth certificate has expired", "", _auth_certificate),
}
