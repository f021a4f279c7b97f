"""Test-NetConnection and Test-Connection from this host to others; knows no cluster and no service by name.

What does not answer costs its time: TCP gives up after three attempts, a ping after a second or four.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from starover_lab.cmdlets.cim_objects import cim
from starover_lab.cmdlets.machine import Machine, given_list, machine, switch
from starover_lab.cmdlets.network_cards import route_object, way
from starover_lab.cmdlets.objects import product, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Long, PSObject, UInt32, Unsupported, Value
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]

_COMMON = {"http": 80, "rdp": 3389, "smb": 445, "winrm": 5985}
_PING_S = 4.0


def _address_of(here: Machine, name: str) -> str | None:
    """The address that a name stands for, as the host learns it; None when it learns none."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    if name.casefold() in {"localhost", here.host.casefold()}:
        return here.server.address or "127.0.0.1"
    full = name if "." in name else f"{name}.{here.world.state.dns_name}"
    try:
        answer = here.world.dns.resolve(here.host, full)
    except WorldError:
        return None
    return next((one.data for one in answer.answers if one.type == "A"), None)


def _ping_details(address: str, milliseconds: float | None) -> PSObject:
    status = "Success" if milliseconds is not None else "TimedOut"
    return product(
        ["System.Net.NetworkInformation.PingReply", "System.Object"],
        [
            ("Status", status),
            ("Address", address if milliseconds is not None else None),
            ("RoundtripTime", Long(round(milliseconds or 0))),
        ],
    )


def test_net_connection(call: Invocation) -> Iterator[Value]:
    """Test-NetConnection: TCP to a port, or ping; what fails is a warning, not an error."""
    here = machine(call)
    for name in ("TraceRoute", "DiagnoseRouting"):
        if switch(call.bound.get(name)):
            raise Unsupported(f"Test-NetConnection -{name}: the lab does not simulate it")
    target = text_of(call.bound.get("ComputerName")) or "internetbeacon.msedge.net"
    port = call.bound.get("Port")
    common = text_of(call.bound.get("CommonTCPPort")).casefold()
    number = int(port) if isinstance(port, int) else _COMMON.get(common, 0)
    level = text_of(call.bound.get("InformationLevel")).casefold()
    quiet = level == "quiet"
    address = _address_of(here, target)
    call.wait(here.pace(here.world.state.tuning.read_s))
    tcp, milliseconds = False, None
    if address is None:
        call.warning(f"Name resolution of {target} failed")
    elif number:
        tcp = here.world.windows.port_open(here.host, address, number)
        if not tcp:
            call.wait(here.world.state.tuning.rpc_timeout_s)
            call.warning(f"TCP connect to ({address} : {number}) failed")
    if address is not None and not tcp:
        milliseconds = here.world.windows.ping(here.host, address)
        if milliseconds is None:
            call.wait(_PING_S)
            call.warning(f"Ping to {address} failed with status: TimedOut")
    if quiet:
        yield tcp if number else milliseconds is not None
        return
    taken = None if address is None else way(here, address)
    nic, route = taken if taken is not None else (None, None)
    yield product(
        ["TestNetConnectionResult", "System.Object"],
        [
            ("ComputerName", target),
            ("RemoteAddress", address),
            ("ResolvedAddresses", address),
            ("PingSucceeded", milliseconds is not None),
            ("PingReplyDetails", None if tcp or address is None else _ping_details(address, milliseconds)),
            ("TcpClientSocket", None),
            ("TcpTestSucceeded", tcp),
            ("RemotePort", UInt32(number)),
            ("TraceRoute", None),
            ("Detailed", level == "detailed"),
            ("InterfaceAlias", nic.alias if nic is not None else None),
            ("InterfaceIndex", UInt32(nic.index) if nic is not None else None),
            ("NetRoute", None if nic is None or route is None else route_object(nic, route, "ActiveStore")),
            ("SourceAddress", nic.addresses[0] if nic is not None and nic.addresses else None),
            ("NameResolutionSucceeded", address is not None),
            ("IsAdmin", any(one.administrator for one in here.world.state.accounts if one.down_level == here.caller)),
            ("NetworkIsolationContext", "Internet"),
            ("MatchingIPsecRules", None),
        ],
        text="TestNetConnectionResult",
    )


def test_connection(call: Invocation) -> Iterator[Value]:
    """Test-Connection: pings one second apart, one status object each; with -Quiet whether any was answered."""
    for bound in call.records():
        here = machine(call)
        if switch(bound.get("AsJob")) or bound.get("Source") is not None:
            raise Unsupported("Test-Connection -AsJob and -Source: the lab does not simulate them")
        count, delay = bound.get("Count"), bound.get("Delay")
        rounds = int(count) if isinstance(count, int) else 4
        for target in given_list(bound.get("ComputerName")):
            answered = False
            for number in range(rounds):
                if number:
                    call.wait(float(delay) if isinstance(delay, int) else 1.0)
                address = _address_of(here, target)
                milliseconds = None if address is None else here.world.windows.ping(here.host, address)
                answered = answered or milliseconds is not None
                if milliseconds is None:
                    call.wait(1.0)
                if switch(bound.get("Quiet")):
                    continue
                if milliseconds is None:
                    _no_reply(call, target, known=address is not None)
                else:
                    yield _status(here, target, address or "", milliseconds)
            if switch(bound.get("Quiet")):
                yield answered


def _no_reply(call: Invocation, target: str, *, known: bool) -> None:
    reason = "Error due to lack of resources" if known else "No such host is known"
    record = call.record(
        "TestConnectionException",
        "ResourceUnavailable",
        f"Testing connection to computer '{target}' failed: {reason}",
        type_name="System.Net.NetworkInformation.PingException",
        target=target,
    )
    call.error(record)


def _status(here: Machine, target: str, address: str, milliseconds: float) -> PSObject:
    made = cim(
        "Win32_PingStatus",
        [
            ("Address", target),
            ("ProtocolAddress", address),
            ("IPV4Address", address),
            ("StatusCode", UInt32(0)),
            ("ResponseTime", UInt32(round(milliseconds))),
            ("BufferSize", UInt32(32)),
            ("ReplySize", UInt32(32)),
            ("TimeToLive", UInt32(80)),
            ("__SERVER", here.server.name.upper()),
        ],
        namespace="root/cimv2",
    )
    made.type_names[:] = ["System.Management.ManagementObject#root\\cimv2\\Win32_PingStatus", "System.Object"]
    return made


BODIES: dict[str, Body] = {"Test-NetConnection": test_net_connection, "Test-Connection": test_connection}
