"""What each fault breaks and how it is mended; keeps no list of those in force.

A breaker gets its target and parameters, changes plain facts and returns what undoes exactly that.
"""

from __future__ import annotations

from collections.abc import Callable

from starover_lab.world.active_manager import STORE
from starover_lab.world.cloud_faults import TABLE as CLOUD
from starover_lab.world.entities import EC2_MODES, Ec2Mode
from starover_lab.world.fault_tools import Broken, FaultError, Kind, Tools, Undo
from starover_lab.world.faults_of_building import TABLE as BUILDING
from starover_lab.world.faults_of_databases import TABLE as DATABASES
from starover_lab.world.faults_of_disaster import TABLE as DISASTER
from starover_lab.world.faults_of_farms import TABLE as FARMS
from starover_lab.world.faults_of_operations import TABLE as OPERATIONS
from starover_lab.world.faults_of_sessions import TABLE as SESSIONS
from starover_lab.world.names import Names

__all__ = ["KINDS", "Broken", "FaultError", "Kind", "Tools", "Undo", "fault_kinds", "kind_name", "kind_names"]


def _host_off(tools: Tools) -> Broken:
    server = tools.server()
    tools.hosts.off(server, "fault", tools.number)
    return Broken(f"{server.name} is off", lambda: tools.hosts.on(server, tools.number))


def _host_hang(tools: Tools) -> Broken:
    server = tools.server()
    server.hung = True
    return Broken(f"{server.name} answers ping and nothing else", lambda: setattr(server, "hung", False))


def _listener(flag: str, words: str) -> Callable[[Tools], Broken]:
    def act(tools: Tools) -> Broken:
        server = tools.server()
        server.listener_faults.add(flag)
        return Broken(f"WinRM of {server.name} {words}", lambda: server.listener_faults.discard(flag))

    return act


def _instance_stop(tools: Tools) -> Broken:
    server = tools.server()
    tools.hosts.shut_down(server, "the instance was stopped", "ec2")  # so EC2 knows of it, and can start it
    return Broken(f"somebody stops the instance of {server.name}", lambda: tools.hosts.on(server, "ec2"))


def _az_loss(tools: Tools) -> Broken:
    az = tools.az()
    mode = tools.text("ec2", "stops")
    known: dict[str, Ec2Mode] = {one: one for one in EC2_MODES}
    found = known.get(mode)
    if found is None:
        raise tools.fail(f"`{mode}` is nothing that EC2 does in a lost zone", [*known])
    servers = [server for server in tools.state.servers if server.az == az.name]
    az.lost_by.add(tools.number)
    az.ec2_by[tools.number] = found
    for server in servers:
        tools.hosts.off(server, f"{az.name} is lost", tools.number)

    def undo() -> None:
        az.lost_by.discard(tools.number)
        az.ec2_by.pop(tools.number, None)
        for server in servers:
            tools.hosts.on(server, tools.number)

    return Broken(f"{az.name} is gone: {_and([one.name for one in servers])} are off", undo)


def _az_isolated(tools: Tools) -> Broken:
    az = tools.az()
    az.isolated_by.add(tools.number)
    return Broken(f"{az.name} is cut off from the other zones", lambda: az.isolated_by.discard(tools.number))


def _partition(tools: Tools) -> Broken:
    state = tools.state
    groups: list[frozenset[str]] = []
    for group in tools.text("groups", tools.target).split("|"):
        members: set[str] = set()
        for word in filter(None, (part.strip() for part in group.split(","))):
            ofs = [server.name for server in state.servers if server.az.casefold().endswith(word.casefold())]
            if word in state.servers:
                ofs = [state.servers[word].name]
            if not ofs:
                known = [*(az.name for az in state.azs), *(one.name for one in state.servers)]
                raise tools.fail(f"`{word}` is neither a zone nor a server", known)
            members.update(name.casefold() for name in ofs)
        groups.append(frozenset(members))
    before, state.partition = state.partition, tuple(groups)
    if len(groups) < 2:
        state.partition = before
        raise FaultError("a partition needs two groups, such as `1a|1b,1c`", certain=("nothing was broken",))
    return Broken("the network is cut in parts", lambda: setattr(state, "partition", before))


def _service_crash(tools: Tools) -> Broken:
    server = tools.server()
    wanted = tools.text("service", tools.text("svc", STORE))
    service = tools.state.service(server, wanted)
    if service is None:
        raise tools.fail(f"{server.name} has no service `{wanted}`", [one.name for one in server.services])
    tools.hosts.crash(server, service.name)
    return Broken(
        f"{service.name} on {server.name} has crashed", lambda: tools.hosts.mend_service(server, service.name)
    )


def _witness_down(tools: Tools) -> Broken:
    state = tools.state
    name = tools.target
    for cluster in state.clusters:
        if cluster.name.casefold() == name.casefold() or not name:
            name = cluster.witness_server
    server = state.servers.get(name) if name else None
    if server is None:
        known = [cluster.witness_server for cluster in state.clusters if cluster.witness_server]
        raise tools.fail(f"there is no witness `{tools.target}`", known)
    state.witness_faults.add(server.name.casefold())
    return Broken(
        f"the witness share on {server.name} does not answer",
        lambda: state.witness_faults.discard(server.name.casefold()),
    )


def _dc_down(tools: Tools) -> Broken:
    server = tools.server()
    if not server.is_dc:
        raise tools.fail(f"{server.name} is no DC", [one.name for one in tools.state.servers if one.is_dc])
    return _host_off(tools)


def _cred_expired(tools: Tools) -> Broken:
    account = tools.state.accounts.get(tools.target.rpartition("\\")[2].partition("@")[0])
    if account is None:
        raise tools.fail(f"there is no account `{tools.target}`", [one.name for one in tools.state.accounts])
    account.expired = True
    return Broken(f"the password of {account.name} has expired", lambda: setattr(account, "expired", False))


def _vdir_down(tools: Tools) -> Broken:
    server = tools.server()
    exchange = server.exchange
    if exchange is None:
        raise tools.fail(
            f"{server.name} has no Exchange", [one.name for one in tools.state.servers if one.exchange is not None]
        )
    exchange.vdir_broken = True
    return Broken(f"/PowerShell of {server.name} is down", lambda: setattr(exchange, "vdir_broken", False))


def _noise(tools: Tools) -> Broken:
    state = tools.state
    names = [tools.server().name] if tools.target else [server.name for server in state.servers]
    level = int(tools.number_of("level", 1))
    for name in names:
        state.noise[name.casefold()] = level

    def undo() -> None:
        for name in names:
            state.noise.pop(name.casefold(), None)

    return Broken(f"PowerShell of {_and(names)} is noisy", undo)


def _localized(tools: Tools) -> Broken:
    state = tools.state
    before, state.ui_culture = state.ui_culture, tools.text("ui", tools.target or "de-DE")
    return Broken(f"hosts speak {state.ui_culture}", lambda: setattr(state, "ui_culture", before))


def _ad_stopped(tools: Tools) -> Broken:
    directory = tools.state.directory
    directory.stopped = True

    def undo() -> None:
        directory.stopped = False
        directory.catch_up()

    return Broken("Active Directory does not replicate", undo)


def _ad_latency(tools: Tools) -> Broken:
    directory = tools.state.directory
    before, directory.inter_site_s = directory.inter_site_s, tools.number_of("seconds", 1500)
    directory.slow = True

    def undo() -> None:
        directory.inter_site_s, directory.slow = before, False
        directory.sync(before)

    return Broken(f"Active Directory takes {directory.inter_site_s:g} s between sites", undo)


def _rbac_missing(tools: Tools) -> Broken:
    if not tools.target:
        raise FaultError("name the role, cmdlet or `cmdlet -parameter` that is missing")
    key = tools.target.casefold()
    tools.state.rbac_missing.add(key)
    return Broken(f"nobody has {tools.target}", lambda: tools.state.rbac_missing.discard(key))


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "no host"


def _names() -> Names[Kind]:
    found: Names[Kind] = Names(lambda name: _ALIASES.get(name.casefold(), name))
    for name, kind in _TABLE.items():
        found.add(name, kind)
    return found


_ALIASES = {
    "az": "az_loss",
    "host": "host_off",
    "node_crash": "host_off",
    "node_hang": "host_hang",
    "host_silent": "winrm_silent",
    "dc": "dc_down",
    "witness": "witness_down",
}
_TABLE = {
    "host_off": Kind("a host loses power", "server", _host_off),
    "host_hang": Kind("a host answers ping and nothing else", "server", _host_hang),
    "winrm_refused": Kind("WinRM refuses connections", "server", _listener("refused", "refuses connections")),
    "winrm_silent": Kind("WinRM takes connections and never answers", "server", _listener("silent", "is silent")),
    "winrm_slow": Kind("everything on a host takes ten times as long", "server", _listener("slow", "is slow")),
    "instance_stop": Kind("an instance is stopped in order", "server", _instance_stop),
    "az_loss": Kind(
        "an Availability Zone loses power",
        "Availability Zone (1a is enough)",
        _az_loss,
        {"ec2": "how EC2 answers there: stops (default), stuck, api_down"},
    ),
    "az_isolated": Kind("a zone's links to the others are cut", "Availability Zone", _az_isolated),
    "partition": Kind(
        "the network falls into parts",
        "groups of zones or servers, `1a|1b,1c`",
        _partition,
        {"groups": "the same"},
        alone=True,
    ),
    "service_crash": Kind(
        "a service dies", "server", _service_crash, {"service": "default MSExchangeIS", "svc": "the same"}
    ),
    "witness_down": Kind("the witness share does not answer", "witness server, or DAG", _witness_down),
    "dc_down": Kind("a domain controller loses power", "DC", _dc_down),
    "cred_expired": Kind("a password has expired", "account", _cred_expired),
    "exchange_vdir_down": Kind("/PowerShell answers nothing", "Exchange server", _vdir_down),
    "ps_noise": Kind("progress, warnings and banners", "server, or none: all", _noise, {"level": "1 to 3"}),
    "localized": Kind("hosts speak another language", "culture, de-DE", _localized, {"ui": "the same"}, alone=True),
    "ad_replication_stopped": Kind("Active Directory stops replicating", "", _ad_stopped),
    "ad_latency": Kind("Active Directory is slow between sites", "", _ad_latency, {"seconds": "1500"}, alone=True),
    "rbac_missing": Kind("a role, cmdlet or parameter is assigned to nobody", "its name", _rbac_missing),
    **BUILDING,
    **DISASTER,
    **CLOUD,
    **OPERATIONS,
    **FARMS,
    **SESSIONS,
    **DATABASES,
}
KINDS = _names()
"""All kinds, by name or alias."""


def fault_kinds() -> list[dict[str, object]]:
    """Every kind without aliases: its name, what it does, its target and its parameters in words."""
    return [
        {"kind": name, "does": one.does, "target": one.target, "params": dict(one.params)}
        for name, one in _TABLE.items()
    ]


def kind_names() -> list[str]:
    """All names, without aliases."""
    return list(_TABLE)


def kind_name(name: str) -> str:
    """The name behind an alias."""
    return _ALIASES.get(name.casefold(), name.casefold())
