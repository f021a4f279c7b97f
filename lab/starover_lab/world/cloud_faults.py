"""What goes wrong with EC2's API itself, as facts that faults set and the cloud reads; knows no API and no instance."""

from __future__ import annotations

from datetime import timedelta

from starover_lab.world.fault_tools import Broken, FaultError, Kind, Tools
from starover_lab.world.state import CloudFaults

__all__ = ["TABLE"]


_CODES = ("instance-stop", "instance-retirement", "instance-reboot", "system-reboot", "system-maintenance")


def _throttle(tools: Tools) -> Broken:
    if not tools.target:
        raise FaultError("name the call that is throttled, such as stop_instances", certain=("nothing was broken",))
    faults, name = tools.state.cloud, tools.target.casefold()
    times = int(tools.number_of("times", 3))
    faults.throttled[name] = faults.throttled.get(name, 0) + times
    return Broken(f"the next {times} calls of {name} are throttled", lambda: _forget(faults, name))


def _forget(faults: CloudFaults, name: str) -> None:
    faults.throttled.pop(name, None)


def _capacity(tools: Tools) -> Broken:
    az, faults = tools.az(), tools.state.cloud
    faults.no_capacity[az.name] = faults.no_capacity.get(az.name, 0) + 1

    def undo() -> None:
        faults.no_capacity[az.name] -= 1

    return Broken(f"no instance can be started in {az.name}", undo)


def _event(tools: Tools) -> Broken:
    server = tools.server()
    code = tools.text("code", "instance-retirement")
    if code not in _CODES:
        raise tools.fail(f"`{code}` is no code of an event", [*_CODES])
    state = tools.state
    due = state.now + timedelta(seconds=tools.number_of("in_s", 86_400))
    state.cloud.events.setdefault(server.name, {})[tools.number] = (code, due)
    return Broken(
        f"AWS announces {code} for {server.name}",
        lambda: (state.cloud.events[server.name].pop(tools.number, None), None)[1],
    )


TABLE = {
    "aws_throttle": Kind("AWS asks to call less often", "call, such as stop_instances", _throttle, {"times": "3"}),
    "insufficient_capacity": Kind("EC2 has no room to start an instance", "Availability Zone", _capacity),
    "ec2_event": Kind(
        "AWS announces an event for an instance",
        "server",
        _event,
        {"code": ", ".join(_CODES), "in_s": "seconds from now, 86400"},
    ),
}
