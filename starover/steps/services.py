"""Windows services of a member, and the host itself, started and restarted (S-REBOOT, S-ONLINE); knows no runbook."""

from __future__ import annotations

from collections.abc import Sequence

from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps.dag import Hello, hello

__all__ = [
    "NEEDED",
    "ServiceState",
    "ServiceStates",
    "rebooted",
    "service_restarted",
    "service_states",
    "services_started",
]

NEEDED = ("MSExchangeADTopology", "MSExchangeIS", "MSExchangeRepl", "MSExchangeTransport", "W3SVC", "ClusSvc")
"""Services without which a member does not serve (S-REBOOT)."""


class ServiceState(Report):
    """A Windows service."""

    name: str
    status: str
    """`Running`, `Stopped`, `Start Pending`..."""
    start: str
    """`Auto`, `Manual`, `Disabled`."""
    since: str
    """Since when its process runs, ISO 8601, UTC; empty: not at all."""


class ServiceStates(Report):
    """Some services of the host that is asked (`service/states.ps1.j2`); one that it lacks is not listed."""

    services: tuple[ServiceState, ...]

    def find(self, name: str) -> ServiceState | None:
        """A service by name, in any case."""
        return next((one for one in self.services if one.name.casefold() == name.casefold()), None)


service_states = Query("service/states.ps1.j2", ServiceStates)
"""Argument: `names`."""


@step(check=service_states, apply="service/start.ps1.j2", risk=Risk.LOW, settle=Settle(every=5, limit=120))
def services_started(now: ServiceStates, /, *, server: str, names: Sequence[str]) -> Change | Blocked | None:
    """Services run (S-ONLINE).

    Those of IMAP and POP do not start by themselves again after ServerWideOffline.
    """
    stopped = [name for name in names if (one := now.find(name)) is not None and one.status != "Running"]
    if not stopped:
        return None
    return Change(f"services of {server}: {', '.join(stopped)}", "Stopped", "Running")


@step(
    check=service_states,
    apply="service/restart.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=600),
    deadline=600,
)
def service_restarted(
    now: ServiceStates, /, *, server: str, service: str, names: Sequence[str], after: str, note: str
) -> Change | Blocked | None:
    """A service runs in another process than the one of `after` (S-STORE-RESTART). `names` has just that service."""
    del names
    one = now.find(service)
    if one is None:
        return Blocked(f"{server} has no service {service}", certain=("nothing was changed",))
    if one.start == "Disabled":
        return Blocked(
            f"{service} on {server} is Disabled",
            certain=("nothing was changed",),
            next=("starover plan update-repair   when an update left it so",),
        )
    if one.status == "Running" and one.since > after:
        return None
    return Change(f"{service} on {server}", f"since {after}" if after else one.status, "started anew", note=note)


@step(check=hello, apply="restart/host.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=15, limit=1800))
def rebooted(now: Hello, /, *, after: str, comment: str, note: str) -> Change | Blocked | None:
    """A host has booted since `after`, its boot time of before (S-REBOOT)."""
    del comment
    return None if now.boot_time > after else Change(f"boot of {now.name}", after, "anew", note=note)
