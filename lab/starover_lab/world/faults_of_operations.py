"""Faults that meet who runs Exchange from day to day: mail, services, updates; keeps no list of them."""

from __future__ import annotations

import contextlib
from typing import Literal

from starover_lab.world.entities import ExchangeServer, Server, Service, StartType
from starover_lab.world.errors import WorldError
from starover_lab.world.fault_tools import Broken, Kind, Tools
from starover_lab.world.mail_parts import Pressure
from starover_lab.world.update_parts import Update

__all__ = ["TABLE"]


def _exchange(tools: Tools) -> tuple[Server, ExchangeServer]:
    server = tools.server()
    if server.exchange is None:
        known = [one.name for one in tools.state.servers if one.exchange is not None]
        raise tools.fail(f"{server.name} has no Exchange", known)
    return server, server.exchange


def _queue_stuck(tools: Tools) -> Broken:
    server, exchange = _exchange(tools)
    messages = int(tools.number_of("messages", 20))
    wanted = tools.text("queue").rpartition("\\")[2]
    queues = exchange.mail.queues
    if wanted:
        found = [one for one in queues if wanted.casefold() in (one.name.casefold(), one.about.casefold())]
    else:
        found = [one for one in queues if one.kind == "connector"] or [one for one in queues if one.kind == "database"]
    if not found:
        raise tools.fail(f"{server.name} has no queue `{wanted}`", [one.name for one in queues])
    queue = found[0]
    queue.held += messages

    def undo() -> None:
        queue.held = max(queue.held - messages, 0)

    return Broken(f"{messages} messages are stuck in {server.name}\\{queue.name}", undo)


def _backpressure(tools: Tools) -> Broken:
    server, exchange = _exchange(tools)
    resource = tools.text("resource", "PrivateBytes")
    level: Literal["Medium", "High"] = "Medium" if tools.text("level", "High").casefold() == "medium" else "High"
    before, exchange.mail.pressure = exchange.mail.pressure, Pressure(resource, level, tools.state.now)
    tools.state.log.add("backpressure", server.name, resource=resource, level=level)

    def undo() -> None:
        exchange.mail.pressure = before
        tools.state.log.add("backpressure", server.name, resource=resource, level="Low")

    return Broken(f"transport of {server.name} is under pressure ({resource} {level})", undo)


def _engine_stuck(tools: Tools) -> Broken:
    server, exchange = _exchange(tools)
    exchange.mail.engine_stuck_since = tools.state.now
    return Broken(
        f"the antimalware engine of {server.name} answers nothing",
        lambda: setattr(exchange.mail, "engine_stuck_since", None),
    )


def _start_fails(tools: Tools) -> Broken:
    server = tools.server()
    wanted = tools.text("service", "MSExchangeTransport")
    service = tools.state.service(server, wanted)
    if service is None:
        raise tools.fail(f"{server.name} has no service `{wanted}`", [one.name for one in server.services])
    service.crashed = True
    return Broken(
        f"{service.name} on {server.name} does not start any more", lambda: setattr(service, "crashed", False)
    )


def _update_broke_services(tools: Tools) -> Broken:
    """A security or cumulative update that failed half-way (update-repair)."""
    server, exchange = _exchange(tools)
    state, number = tools.state, tools.number
    changed: list[tuple[Service, StartType]] = [
        (one, one.start_type) for one in server.services if _of_exchange(one.name) and one.start_type != "Disabled"
    ]
    for service, _ in changed:
        service.start_type = "Disabled"
        service.status, service.busy_until = "Stopped", None
    held = [exchange.components[name] for name in ("ServerWideOffline", "Monitoring", "RecoveryActionsEnabled")]
    for component in held:
        for states in (component.local, component.remote):
            states["Functional"] = ("Inactive", state.now)
    state.log.add("update_failed", server.name, fault=number)

    def undo() -> None:
        for service, start in changed:
            if service.start_type == "Disabled":
                service.start_type = start
                if start == "Automatic" and state.answers(server):
                    tools.hosts.start(server, service.name)
        for component in held:
            for states in (component.local, component.remote):
                if states.get("Functional", ("",))[0] == "Inactive":
                    states["Functional"] = ("Active", state.now)

    return Broken(f"an update of Exchange failed half-way on {server.name}: its services are disabled", undo)


def _proxies_inactive(tools: Tools) -> Broken:
    """After a failed and rolled back cumulative update: proxies Inactive under an Active server (tr-260247748b)."""
    server, exchange = _exchange(tools)
    held = [exchange.components[f"{name}Proxy"] for name in ("AutoDiscover", "ActiveSync", "Ews", "Oab", "Rpc", "Mapi")]
    for component in held:
        for states in (component.local, component.remote):
            states["Functional"] = ("Inactive", tools.state.now)

    def undo() -> None:
        for component in held:
            for states in (component.local, component.remote):
                if states.get("Functional", ("",))[0] == "Inactive":
                    states["Functional"] = ("Active", tools.state.now)

    return Broken(f"six protocols of {server.name} were left Inactive by an update", undo)


def _updates(tools: Tools) -> list[tuple[Server, Update]]:
    """The updates of the KB that is the target; parameter `server` narrows it to one host."""
    only = tools.text("server")
    wanted = tools.target.upper().removeprefix("KB")
    found = [
        (server, update)
        for server in tools.state.servers
        for update in server.updates
        if update.kb == f"KB{wanted}" and (not only or server.name.casefold() == only.casefold())
    ]
    if not found:
        known = sorted({update.kb for server in tools.state.servers for update in server.updates})
        raise tools.fail(f"no host is offered `{tools.target}`", known)
    return found


def _update_hang(tools: Tools) -> Broken:
    found, number = _updates(tools), tools.number
    for _, update in found:
        update.hung_by.add(number)

    def undo() -> None:
        for _, update in found:
            update.hung_by.discard(number)

    return Broken(f"the installation of {found[0][1].kb} never ends", undo)


def _update_fail(tools: Tools) -> Broken:
    found, number = _updates(tools), tools.number
    try:
        hresult = int(tools.text("hresult", "0x800F0922"), 0) & 0xFFFFFFFF
    except ValueError:
        raise tools.fail(f"`{tools.text('hresult')}` is no HRESULT", ["0x800F0922", "0x80070005"]) from None
    for _, update in found:
        update.failing[number] = hresult

    def undo() -> None:
        for _, update in found:
            update.failing.pop(number, None)

    return Broken(f"the installation of {found[0][1].kb} fails with 0x{hresult:08X}", undo)


def _update_loops(tools: Tools) -> Broken:
    found, number = _updates(tools), tools.number
    for _, update in found:
        update.looping_by.add(number)

    def undo() -> None:
        for _, update in found:
            update.looping_by.discard(number)

    return Broken(f"{found[0][1].kb} is offered again after every installation", undo)


def _second_round(tools: Tools) -> Broken:
    """What is offered only when the others are in."""
    server = tools.server()
    before = [one.kb for one in server.updates if one.state != "installed"]
    name = f"KB50{90000 + tools.number:05d}"
    update = Update(
        id=tools.state.dice.guid("update", name),
        kb=name,
        title=f"Servicing update after the others ({name})",
        size=32 * 1024 * 1024,
        install_s=180.0,
        reboot="can",
        after=before[0] if before else "",
    )
    server.updates.append(update)

    def undo() -> None:
        if update.state in ("applicable", "downloaded", "failed"):
            server.updates.remove(update)

    return Broken(f"{server.name} will be offered {name} in a second round", undo)


def _setup_running(tools: Tools) -> Broken:
    server, _ = _exchange(tools)
    return Broken(f"Exchange setup runs on {server.name}", lambda: None)


def _self_heal(tools: Tools) -> Broken:
    """Managed Availability does something about a host by itself, unless its responder is silenced."""
    server, exchange = _exchange(tools)
    action = tools.text("action", "ForceReboot")
    if action not in ("ForceReboot", "RestartService", "DatabaseFailover"):
        raise tools.fail(f"`{action}` is no recovery action", ["ForceReboot", "RestartService", "DatabaseFailover"])
    responder = tools.text("responder", "ActiveDirectoryConnectivityConfigDCServerReboot")
    state, name = tools.state, tools.text("service", "MSExchangeTransport")
    silenced = any(
        one.item == responder
        and one.property_name.casefold() == "enabled"
        and one.value == "0"
        and (one.expires is None or one.expires > state.now)
        for one in exchange.mail.overrides
    )
    if silenced:
        return Broken(f"{responder} is silenced on {server.name}: nothing happens", lambda: None)
    resource = {"RestartService": name, "ForceReboot": server.name}.get(action, "all")
    state.log.add(
        "recovery_action", server.name, action=action, responder=responder, resource=resource, result="Succeeded"
    )
    if action == "ForceReboot":
        tools.hosts.reboot(server)
    elif action == "RestartService" and state.service(server, name) is not None:
        ends = tools.hosts.stop(server, name)
        state.scheduler.at(ends, lambda: _start(tools, server, name))
    else:
        exchange.activation_disabled_and_move_now = True
        state.scheduler.after(120, lambda: setattr(exchange, "activation_disabled_and_move_now", False))
        state.review()
    return Broken(f"Managed Availability: {action} on {server.name}", lambda: None)


def _start(tools: Tools, server: Server, name: str) -> None:
    with contextlib.suppress(WorldError):  # another fault may keep it from starting
        tools.hosts.start(server, name)


def _of_exchange(name: str) -> bool:
    """Services that Exchange's setup disables while it works."""
    return name.startswith("MSExchange") or name in ("FMS", "HostControllerService", "MSComplianceAudit", "W3SVC")


_ONE = {"server": "only there; default: everywhere"}
TABLE: dict[str, Kind] = {
    "queue_stuck": Kind(
        "messages of a queue do not move",
        "Exchange server",
        _queue_stuck,
        {"messages": "how many, 20", "queue": "its name, a database or Poison; default: the first way out"},
    ),
    "backpressure": Kind(
        "transport runs short of a resource and takes no mail",
        "Exchange server",
        _backpressure,
        {"resource": "PrivateBytes, SystemMemory, UsedVersionBuckets, UsedDiskSpace", "level": "High or Medium"},
    ),
    "malware_engine_stuck": Kind("the antimalware engine answers nothing", "Exchange server", _engine_stuck),
    "service_start_fails": Kind(
        "a service does not start any more", "server", _start_fails, {"service": "default MSExchangeTransport"}
    ),
    "update_hang": Kind("an update's installation never ends", "KB", _update_hang, _ONE),
    "update_fail": Kind(
        "an update's installation fails", "KB", _update_fail, {"hresult": "its code, 0x800F0922", **_ONE}
    ),
    "update_loops": Kind("an update is offered again after its installation", "KB", _update_loops, _ONE),
    "update_needs_second_round": Kind("one more update comes after the others", "server", _second_round),
    "setup_running": Kind("Exchange setup runs", "Exchange server", _setup_running),
    "proxies_inactive": Kind("an update left six protocols Inactive", "Exchange server", _proxies_inactive),
    "self_heal": Kind(
        "Managed Availability reboots a server, restarts a service or moves databases by itself",
        "Exchange server",
        _self_heal,
        {
            "action": "ForceReboot, RestartService, DatabaseFailover",
            "responder": "its name",
            "service": "of RestartService",
        },
    ),
    "su_failed": Kind("an update of Exchange failed half-way", "Exchange server", _update_broke_services),
}
