"""Route 53's health checks: made, changed and asked; their checkers stand in the Internet and see what it sees."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from starover_lab.cloud.alarms import Alarms
from starover_lab.cloud.errors import CloudError, not_simulated
from starover_lab.cloud.given import Given, Reply, flag, number, table, text
from starover_lab.world.world import World

__all__ = ["HealthChecks", "marked"]

_PRIVATE = [ipaddress.ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")]
_TYPES = ("HTTP", "HTTPS", "TCP", "CLOUDWATCH_METRIC")
_ALARM = "CLOUDWATCH_METRIC"
_MOST = 100
"""Things on a page."""
_WITHOUT_DATA = {"Healthy": True, "Unhealthy": False}
"""`InsufficientDataHealthStatus`; any other one is as it was, and a new check is healthy [doc]."""
_REGIONS = {"us-east-1": "54.243.31.192", "eu-west-1": "54.228.16.0", "ap-southeast-1": "54.251.31.128"}
_SETTABLE = {
    "IPAddress",
    "Port",
    "ResourcePath",
    "FullyQualifiedDomainName",
    "FailureThreshold",
    "Inverted",
    "Disabled",
    "EnableSNI",
    "AlarmIdentifier",
    "InsufficientDataHealthStatus",
}


@dataclass(eq=False)
class _Check:
    id: str
    caller: str
    config: Reply
    version: int
    up: bool
    """What the checkers find now."""
    since: datetime
    was: bool
    """What they knew before."""


class HealthChecks:
    """All health checks of the account."""

    def __init__(self, world: World, alarms: Alarms) -> None:
        self._world = world
        self._alarms = alarms
        self._state = world.state
        self._checks: dict[str, _Check] = {}
        self._made = 0
        """How many there ever were: an id is given once."""
        self._state.reviewers.append(self._review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "create_health_check": self.create_health_check,
            "get_health_check": self.get_health_check,
            "list_health_checks": self.list_health_checks,
            "get_health_check_count": self.get_health_check_count,
            "update_health_check": self.update_health_check,
            "delete_health_check": self.delete_health_check,
            "get_health_check_status": self.get_health_check_status,
        }

    def known(self, identity: str) -> bool:
        """Whether there is such a check."""
        return identity in self._checks

    def healthy(self, identity: str) -> bool:
        """Whether a check counts as healthy."""
        one = self._checks.get(identity)
        if one is None or one.config.get("Disabled") is True:
            return True
        return self._known(one) != (one.config.get("Inverted") is True)

    def _known(self, one: _Check) -> bool:
        patience = _patience(one.config)
        return one.up if self._state.now >= one.since + timedelta(seconds=patience) else one.was

    def _review(self) -> None:
        for one in self._checks.values():
            up = self._look(one.config, before=one.up)
            if up != one.up:
                one.was, one.up, one.since = self._known(one), up, self._state.now
                self._state.poke_after(_patience(one.config))

    def _look(self, config: Given, *, before: bool = True) -> bool:
        """What a checker finds behind an address or a name; what has only private addresses it does not reach.

        A check of an alarm is as that alarm.
        """
        if text(config, "Type") == _ALARM:
            state = self._alarms.state(text(table(config, "AlarmIdentifier"), "Name"))
            return {"OK": True, "ALARM": False}.get(
                state, _WITHOUT_DATA.get(text(config, "InsufficientDataHealthStatus"), before)
            )
        name = text(config, "FullyQualifiedDomainName")
        address = text(config, "IPAddress")
        addresses = [address] if address else list(self._state.balancer_addresses.get(name.rstrip(".").casefold(), ()))
        public = [one for one in addresses if not _private(one)]
        if not public:
            return False
        servers = [one for one in self._state.servers if one.exchange is not None]
        if text(config, "Type") == "TCP":
            return any(self._state.runs(one, "W3SVC") for one in servers)
        path = text(config, "ResourcePath", "/").strip("/")
        if not path.endswith("healthcheck.htm"):
            return any(self._state.runs(one, "W3SVC") for one in servers)
        directory = path.rpartition("/")[0]
        return any(self._world.health_page(one.name, directory) == "200" for one in servers)

    # -- calls ---------------------------------------------------------------------------------------------------

    def create_health_check(self, given: Given) -> Reply:
        """Make one; the same reference with the same settings is the same check."""
        caller, config = text(given, "CallerReference"), dict(table(given, "HealthCheckConfig"))
        old = next((one for one in self._checks.values() if one.caller == caller), None)
        if old is not None and {key: old.config.get(key) for key in config} != config:
            raise CloudError("HealthCheckAlreadyExists", f"A health check with reference {caller} exists")
        if old is None:
            kind = text(config, "Type")
            if kind not in _TYPES:
                not_simulated(f"health checks of type {kind}")
            address = text(config, "IPAddress")
            if number(config, "RequestInterval", 30) not in (10, 30):
                raise CloudError("InvalidInput", "Invalid parameter : RequestInterval is 10 or 30")
            if kind == _ALARM:
                self._check_alarm(config)
            elif not address and not text(config, "FullyQualifiedDomainName"):
                raise CloudError("InvalidInput", "Either an IP address or a domain name must be given")
            if address and _private(address):
                raise CloudError("InvalidInput", f"Invalid parameter : Requested IP address {address} is private")
            defaults: Reply = {"Inverted": False, "Disabled": False}
            asked: Reply = {
                "Port": 443 if kind == "HTTPS" else 80,
                "RequestInterval": 30,
                "FailureThreshold": 3,
                "MeasureLatency": False,
            }
            defaults |= {} if kind == _ALARM else asked
            config = {**defaults, **({"EnableSNI": True} if kind == "HTTPS" else {}), **config}
            self._made += 1
            identity = str(self._state.dice.guid("health check", str(self._made)))
            up = self._look(config)
            old = _Check(identity, caller, config, 1, up, self._state.now, was=True)
            self._checks[identity] = old
            self._state.poke_after(_patience(config))
        return {
            "HealthCheck": _shown(old),
            "Location": f"https://route53.amazonaws.com/2013-04-01/healthcheck/{old.id}",
        }

    def _check_alarm(self, config: Given) -> None:
        """Raise for a check of an alarm that is none, or that is looked at besides."""
        alarm = table(config, "AlarmIdentifier")
        besides = {"IPAddress", "Port", "FullyQualifiedDomainName", "ResourcePath", "RequestInterval"} & config.keys()
        if not alarm or besides:
            raise CloudError("InvalidInput", "Basic health checks and CloudWatch alarms exclude each other")
        if text(alarm, "Region") != self._state.region or not self._alarms.state(text(alarm, "Name")):
            raise CloudError("InvalidInput", f"The specified CloudWatch alarm does not exist: {text(alarm, 'Name')}")

    def _check(self, given: Given) -> _Check:
        found = self._checks.get(text(given, "HealthCheckId"))
        if found is None:
            raise CloudError("NoSuchHealthCheck", f"No health check exists with ID: {text(given, 'HealthCheckId')}")
        return found

    def get_health_check(self, given: Given) -> Reply:
        """One."""
        return {"HealthCheck": _shown(self._check(given))}

    def list_health_checks(self, given: Given) -> Reply:
        """All."""
        return marked(given, "HealthChecks", [_shown(one) for one in self._checks.values()])

    def get_health_check_count(self, given: Given) -> Reply:  # noqa: ARG002 - takes nothing
        """How many there are."""
        return {"HealthCheckCount": len(self._checks)}

    def update_health_check(self, given: Given) -> Reply:
        """Change one."""
        one = self._check(given)
        if number(given, "HealthCheckVersion", one.version) != one.version:
            raise CloudError("HealthCheckVersionMismatch", "The value of HealthCheckVersion does not match")
        for name in given.keys() - {"HealthCheckId", "HealthCheckVersion"}:
            if name not in _SETTABLE:
                not_simulated(f"update_health_check {name}")
            one.config[name] = given[name]
        one.version += 1
        self._state.review()
        return {"HealthCheck": _shown(one)}

    def delete_health_check(self, given: Given) -> Reply:
        """Take one away."""
        del self._checks[self._check(given).id]
        return {}

    def get_health_check_status(self, given: Given) -> Reply:
        """What each checker found last, be it the first time: that a new check counts as healthy is another matter."""
        one = self._check(given)
        good = one.up != flag(one.config, "Inverted")
        says = (
            "Success: HTTP Status Code 200, OK"
            if good
            else "Failure: Connection timed out. The endpoint or the internet connection is down"
        )
        return {
            "HealthCheckObservations": [
                {
                    "Region": region,
                    "IPAddress": address,
                    "StatusReport": {"Status": says, "CheckedTime": self._state.now},
                }
                for region, address in _REGIONS.items()
            ]
        }


def _private(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise CloudError("InvalidInput", f"Invalid parameter : {address} is no IP address") from None
    return any(found in network for network in _PRIVATE)


def marked(given: Given, name: str, every: list[Reply]) -> Reply:
    """A page of a list by its marker, which is the id of the next thing. Raises `InvalidInput`."""
    first, asked = text(given, "Marker"), text(given, "MaxItems", "100")
    if not asked.isdecimal() or not (most := min(int(asked), _MOST)):
        raise CloudError("InvalidInput", f"MaxItems is a number from 1 on: {asked}")
    begin = next((at for at, one in enumerate(every) if text(one, "Id") == first), 0) if first else 0
    shown: Reply = {name: every[begin : begin + most], "Marker": first, "MaxItems": str(most)}
    more = begin + most < len(every)
    return shown | {"IsTruncated": more} | ({"NextMarker": text(every[begin + most], "Id")} if more else {})


def _patience(config: Given) -> int:
    """Seconds until as many looks in a row say the same; an alarm says it at once."""
    if text(config, "Type") == _ALARM:
        return 0
    return number(config, "RequestInterval", 30) * number(config, "FailureThreshold", 3)


def _shown(one: _Check) -> Reply:
    return {
        "Id": one.id,
        "CallerReference": one.caller,
        "HealthCheckConfig": one.config,
        "HealthCheckVersion": one.version,
    }
