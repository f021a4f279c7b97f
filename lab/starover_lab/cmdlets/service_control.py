"""Start-, Stop- and Restart-Service on this host; knows no Exchange."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from starover_lab.cmdlets.machine import given_list, machine, switch
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.windows import fits, is_pattern, service_object
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Value
from starover_lab.world.entities import Service
from starover_lab.world.errors import WorldError

__all__ = ["SERVICE_BODIES"]


_PAST = {"start": "started", "stop": "stopped"}


def _services(call: Invocation, bound: Mapping[str, Value]) -> Iterator[Service]:
    """The services that are meant; a plain name without one is an error."""
    here = machine(call)
    display = given_list(bound.get("DisplayName"))
    for pattern in display or given_list(bound.get("Name")) or given_list(bound.get("InputObject")):
        found = [one for one in here.server.services if fits(one.display_name if display else one.name, pattern)]
        yield from found
        if not found and not is_pattern(pattern):
            record = call.record(
                "NoServiceFoundForGivenName",
                "ObjectNotFound",
                f"Cannot find any service with service name '{pattern}'.",
                type_name="Microsoft.PowerShell.Commands.ServiceCommandException",
                target=pattern,
            )
            call.error(record)


def _act(call: Invocation, service: Service, verb: str) -> bool:
    return _together(call, [service], verb)


def _together(call: Invocation, services: Sequence[Service], verb: str) -> bool:
    """Start or stop services side by side and wait for the last; whether all did."""
    here = machine(call)
    change = here.world.start_service if verb == "start" else here.world.stop_service
    ends = here.world.now
    done = True
    for service in services:
        try:
            ends = max(ends, change(here.host, service.name))
        except WorldError:
            _refused(call, service, verb)
            done = False
    call.wait(max((ends - here.world.now).total_seconds(), 0.0))
    return done


def _refused(call: Invocation, service: Service, verb: str) -> None:
    record = call.record(
        f"{verb.capitalize()}ServiceFailed",
        "OpenError",
        f"Service '{service.display_name} ({service.name})' cannot be {_PAST[verb]} due to the following error: "
        f"Cannot {verb} service {service.name} on computer '.'.",
        type_name="Microsoft.PowerShell.Commands.ServiceCommandException",
        target=service.name,
    )
    call.error(record)


def _stopped(call: Invocation, service: Service, *, force: bool) -> list[Service] | None:
    """Stop a service, with -Force also those that need it; returns these, or None when it was not stopped."""
    here = machine(call)
    above = here.world.services.running_dependents(here.server, service)
    if above and not force:
        record = call.record(
            "ServiceHasDependentServices",
            "InvalidOperation",
            f"Cannot stop service '{service.display_name} ({service.name})' because it has dependent services. It can "
            "only be stopped if the Force flag is set.",
            type_name="Microsoft.PowerShell.Commands.ServiceCommandException",
            target=service.name,
        )
        call.error(record)
        return None
    running = [one for one in above if one.status == "Running"]
    return running if _together(call, running, "stop") and _act(call, service, "stop") else None


def _change(verb: str) -> Body:
    def body(call: Invocation) -> Iterator[Value]:
        for bound in call.records():
            for service in _services(call, bound):
                if not may(call, f"{service.display_name} ({service.name})", call.spec.name):
                    continue
                if verb == "start":
                    done = _act(call, service, "start")
                else:
                    above = _stopped(call, service, force=switch(bound.get("Force")))
                    done = above is not None
                    if verb == "restart" and above is not None:
                        done = _act(call, service, "start") and _together(call, above, "start")
                if done and switch(bound.get("PassThru")):
                    yield service_object(machine(call), service)

    return body


SERVICE_BODIES: dict[str, Body] = {
    "Start-Service": _change("start"),
    "Stop-Service": _change("stop"),
    "Restart-Service": _change("restart"),
}
