"""Health checks of Route 53, whose checkers stand in the Internet (S-R53HC); knows no record and no DAG."""

from __future__ import annotations

import hashlib
import ipaddress

from starover.errors import NotSafe
from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step, wait
from starover.steps.route53 import Checked, health_of

__all__ = [
    "AlarmFact",
    "AlarmFacts",
    "CheckFact",
    "CheckFacts",
    "alarm_watched",
    "alarms_now",
    "check_known",
    "endpoint_watched",
    "health_checks",
    "id_of",
    "reachable",
    "reference_of",
]

_PRIVATE = tuple(
    ipaddress.ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
"""Networks that no checker reaches."""
_SEEN = Settle(every=10, limit=180)
"""Three checks at 30 s each, and what it takes to be told."""


class CheckFact(Report):
    """A health check."""

    id: str
    reference: str
    """What whoever made it called it; here: `reference_of` what it watches."""
    type: str
    address: str | None
    host: str | None
    path: str | None
    inverted: bool | None
    disabled: bool | None


class CheckFacts(Report):
    """Every health check of the account (`route53/checks.call.j2`)."""

    checks: tuple[CheckFact, ...]

    def find(self, reference: str) -> CheckFact | None:
        """The one that was made with this reference."""
        return next((one for one in self.checks if one.reference == reference), None)


health_checks = Query("route53/checks.call.j2", CheckFacts)


class AlarmFact(Report):
    """An alarm of CloudWatch."""

    name: str
    state: str
    """`OK`, `ALARM`, `INSUFFICIENT_DATA`."""


class AlarmFacts(Report):
    """Alarms that are there (`cloudwatch/alarms.call.j2`)."""

    alarms: tuple[AlarmFact, ...]


alarms_now = Query("cloudwatch/alarms.call.j2", AlarmFacts)
"""Argument: `names`."""


def reference_of(host: str, address: str, path: str) -> str:
    """The caller reference of a check of ours: the same for the same thing, at most 64 characters."""
    what = "|".join((host.rstrip(".").casefold(), address, path))
    return f"starover-{hashlib.sha256(what.encode()).hexdigest()[:40]}"


def reachable(address: str) -> bool:
    """Whether a checker in the Internet could reach an address."""
    found = ipaddress.ip_address(address)
    return not any(found in network for network in _PRIVATE) and not found.is_loopback and not found.is_link_local


@step(
    check=health_checks,
    apply="route53/make_check.call.j2",
    risk=Risk.LOW,
    settle=Settle(every=5, limit=60),
    repeatable=True,  # the same reference with the same settings makes the same check
)
def endpoint_watched(
    now: CheckFacts, /, *, host: str, address: str, path: str, reference: str
) -> Change | Blocked | None:
    """A page of health that Route 53's checkers ask for: HTTPS 443, every 30 s, three failures in a row (S-R53HC).

    `address` empty: of whatever the host's name gives. A check of ours that a drill has turned round is not used.
    """
    found = now.find(reference)
    if found is None:
        return Change(f"health check of {address or host}", "none", f"https {host}{path}", action="add")
    return _turned(found, address or host)


@step(
    check=health_checks,
    apply="route53/make_alarm_check.call.j2",
    risk=Risk.LOW,
    settle=Settle(every=5, limit=60),
    repeatable=True,  # as above
)
def alarm_watched(
    now: CheckFacts, /, *, alarm: str, region: str, address: str, reference: str
) -> Change | Blocked | None:
    """A health check that is as an alarm of CloudWatch is, for an address that no checker reaches (S-R53HC)."""
    found = now.find(reference)
    if found is None:
        return Change(f"health check of {address}", "none", f"as the alarm {alarm} in {region}", action="add")
    return _turned(found, address)


def _turned(found: CheckFact, what: str) -> Blocked | None:
    """A check of ours that a drill has turned round."""
    turned = "inverted" if found.inverted else "disabled" if found.disabled else ""
    if not turned:
        return None
    return Blocked(
        f"the health check {found.id} of {what} is {turned}: left by a drill?",
        guard="S-R53HC",
        certain=("nothing was changed",),
        next=(f"aws route53 update-health-check --health-check-id {found.id} --no-inverted --no-disabled",),
    )


def check_known(server: Server, reference: str, what: str) -> Steps[tuple[str, bool]]:
    """A check's id, and whether its checkers find it healthy; they are given the time that they need.

    Raises `NotSafe` where it is gone.
    """
    found = yield from id_of(server, reference, what)
    yield from wait(
        health_of,
        server,
        until=_good,
        settle=_SEEN,
        what=f"Route 53's checkers find {what} healthy",
        expected=True,
        lenient=True,
        check=found,
    )
    return found, (yield from health_of.read(server, check=found)).good


def id_of(server: Server, reference: str, what: str) -> Steps[str]:
    """A check's id. Raises `NotSafe` where it is gone."""
    found = (yield from health_checks.read(server)).find(reference)
    if found is None:
        raise NotSafe(f"S-R53HC: the health check of {what} is gone again", next=("make the plan again",))
    return found.id


def _good(now: Checked) -> bool:
    return now.good
