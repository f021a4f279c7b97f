"""Faults of a balancer that keeps farms: its API fails, a farm waits for a restart; keeps no list of them."""

from __future__ import annotations

from starover_lab.world.fault_tools import Broken, Kind, Tools

__all__ = ["TABLE"]


def _needs_restart(tools: Tools) -> Broken:
    farm = tools.state.farms.get(tools.target)
    if farm is None:
        raise tools.no("farm", [one.name for one in tools.state.farms])
    farm.needs_restart = True
    return Broken(f"the farm {farm.name} needs a restart", lambda: setattr(farm, "needs_restart", False))


def _fails(tools: Tools) -> Broken:
    known = list(dict.fromkeys(one.balancer for one in tools.state.farms))
    found = next((one for one in known if one.casefold() == tools.target.casefold()), None)
    if found is None:
        raise tools.no("balancer with farms", known)
    times = int(tools.number_of("times", 3))
    failing, name = tools.state.failing_apis, found.casefold()
    failing[name] = failing.get(name, 0) + times
    return Broken(f"the next {times} answers of the API of {found} are failures", lambda: _forget(failing, name))


def _forget(failing: dict[str, int], name: str) -> None:
    failing.pop(name, None)


TABLE: dict[str, Kind] = {
    "farm_needs_restart": Kind("a farm was changed and not restarted: it takes no maintenance", "farm", _needs_restart),
    "zapi_fails": Kind("a balancer's API answers with errors of its own (500)", "balancer", _fails, {"times": "3"}),
}
