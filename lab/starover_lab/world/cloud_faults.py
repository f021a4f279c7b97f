"""What goes wrong with EC2's API itself, as facts that faults set and the cloud reads; knows no API and no instance."""

from __future__ import annotations

from collections.abc import Callable
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


def _hardware(tools: Tools) -> Broken:
    """The instance has no power, and its system status check fails, until it is on another host."""
    server, failed = tools.server(), tools.state.cloud.hardware
    failed.setdefault(server.name, set()).add(tools.number)
    tools.hosts.off(server, "hardware", tools.number)

    def undo() -> None:
        failed[server.name].discard(tools.number)
        tools.hosts.on(server, tools.number)

    return Broken(f"the hardware below {server.name} has failed", undo)


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


def _refuse(tools: Tools) -> Broken:
    if not tools.target:
        raise FaultError("name the call that is refused, such as put_object", certain=("nothing was broken",))
    faults, name = tools.state.cloud, tools.target.casefold()
    code, times = tools.text("code", "AccessDenied"), int(tools.number_of("times", 0))
    faults.refused[name] = code
    faults.refusals.pop(name, None)
    if times:
        faults.refusals[name] = times

    def undo() -> None:
        faults.refused.pop(name, None)
        faults.refusals.pop(name, None)

    return Broken(f"AWS answers {name} with {code}{f' {times} times' if times else ''}", undo)


def _rate(tools: Tools) -> Broken:
    if not tools.target:
        raise FaultError("name the service that is throttled, such as route53", certain=("nothing was broken",))
    rates, name = tools.state.cloud.rates, tools.target.casefold()
    rates[name] = max(0.1, tools.number_of("per_s", 5))
    return Broken(f"AWS takes {rates[name]:g} calls of {name} a second", lambda: (rates.pop(name, None), None)[1])


def _slow(tools: Tools) -> Broken:
    if not tools.target:
        raise FaultError("name the call that is slow, such as describe_instances", certain=("nothing was broken",))
    slow, name = tools.state.cloud.slow, tools.target.casefold()
    slow[name] = tools.number_of("seconds", 20)
    return Broken(f"AWS takes {slow[name]:g} s for {name}", lambda: (slow.pop(name, None), None)[1])


def _delivery(tools: Tools) -> Broken:
    server, late = tools.server(), tools.state.cloud.deliveries
    late[server.name] = tools.number_of("seconds", 20)
    return Broken(
        f"commands reach {server.name} after {late[server.name]:g} s", lambda: (late.pop(server.name, None), None)[1]
    )


def _counted(table: Callable[[CloudFaults], dict[str, int]], words: str) -> Callable[[Tools], Broken]:
    """A fault of a server that is one as long as it was not mended as often as it was made."""

    def act(tools: Tools) -> Broken:
        server, found = tools.server(), table(tools.state.cloud)
        found[server.name] = found.get(server.name, 0) + 1

        def undo() -> None:
            found[server.name] -= 1
            tools.state.review()

        tools.state.review()
        return Broken(words.format(server.name), undo)

    return act


def _role_denied(tools: Tools) -> Broken:
    server, denied = tools.server(), tools.state.cloud.role_denied
    key = (server.name, tools.text("call", "get_secret_value").casefold())
    denied[key] = denied.get(key, 0) + 1

    def undo() -> None:
        denied[key] -= 1

    return Broken(f"the role of {server.name}'s instance does not allow {key[1]}", undo)


def _truncate(tools: Tools) -> Broken:
    server, cuts = tools.server(), tools.state.cloud.cut_outputs
    cuts[server.name] = max(50, int(tools.number_of("characters", 1000)))
    return Broken(
        f"of the output of commands on {server.name} {cuts[server.name]} characters are left",
        lambda: (cuts.pop(server.name, None), None)[1],
    )


def _race(tools: Tools) -> Broken:
    faults = tools.state.cloud
    faults.unseen = int(tools.number_of("questions", 2))

    def undo() -> None:
        faults.unseen = 0

    return Broken(f"a new command is not seen by the first {faults.unseen} questions about it", undo)


TABLE = {
    "aws_error": Kind(
        "AWS refuses a call, whoever calls",
        "call, such as put_object",
        _refuse,
        {"code": "AccessDenied", "times": "0: until it is mended"},
    ),
    "aws_rate": Kind(
        "AWS takes so many calls of a service a second", "service, such as route53", _rate, {"per_s": "5"}
    ),
    "aws_slow": Kind("AWS takes long for a call", "call, such as describe_instances", _slow, {"seconds": "20"}),
    "ssm_slow": Kind("commands of SSM reach a host late", "server", _delivery, {"seconds": "20"}),
    "role_denied": Kind(
        "the role of a host's instance does not allow a call",
        "server",
        _role_denied,
        {"call": "get_secret_value, get_parameters"},
    ),
    "ssm_agent_dead": Kind(
        "the SSM agent of a host does not run",
        "server",
        _counted(lambda faults: faults.agents, "the SSM agent of {} does not run"),
    ),
    "ssm_undeliverable": Kind(
        "commands of SSM cannot be delivered to a host",
        "server",
        _counted(lambda faults: faults.undeliverable, "commands cannot be delivered to {}"),
    ),
    "ssm_output_truncated": Kind(
        "the output of commands is cut shorter than AWS does", "server", _truncate, {"characters": "1000"}
    ),
    "ssm_late_to_see": Kind(
        "a new command is not there yet for who asks about it", "", _race, {"questions": "2"}, alone=True
    ),
    "aws_throttle": Kind("AWS asks to call less often", "call, such as stop_instances", _throttle, {"times": "3"}),
    "insufficient_capacity": Kind("EC2 has no room to start an instance", "Availability Zone", _capacity),
    "hardware_failed": Kind("the hardware below an instance fails", "server", _hardware),
    "ec2_event": Kind(
        "AWS announces an event for an instance",
        "server",
        _event,
        {"code": ", ".join(_CODES), "in_s": "seconds from now, 86400"},
    ),
}
