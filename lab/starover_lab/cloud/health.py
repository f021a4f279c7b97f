"""AWS Health: what AWS tells of its zones; knows no instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from starover_lab.cloud.errors import not_simulated
from starover_lab.cloud.given import Given, Reply, table, texts
from starover_lab.world.state import State

__all__ = ["Health"]

_CODES = {"lost": "AWS_EC2_POWER_CONNECTIVITY_ISSUE", "isolated": "AWS_EC2_NETWORK_CONNECTIVITY_ISSUE"}
_FILTERS = {"services", "availabilityZones", "eventStatusCodes", "regions", "eventTypeCategories"}


class Health:
    """Events of zones, told some minutes after they began."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._began: dict[str, tuple[str, datetime, datetime | None]] = {}
        """Zone to what is wrong, since when and until when."""
        state.reviewers.append(self.review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {"describe_events": self.describe_events}

    def review(self) -> None:
        """Note what begins and ends."""
        now = self._state.now
        for az in self._state.azs:
            wrong, since, until = self._began.get(az.name, ("up", now, now))
            if az.state == "up" and until is None:
                self._began[az.name] = (wrong, since, now)
            elif az.state != "up" and (until is not None or az.state != wrong):
                self._began[az.name] = (az.state, now, None)

    def describe_events(self, given: Given) -> Reply:
        """Events of EC2 in zones."""
        wanted = table(given, "filter")
        for name in wanted.keys() - _FILTERS:
            not_simulated(f"the filter {name}")
        late = timedelta(seconds=self._state.tuning.health_event_s)
        events: list[Reply] = []
        for zone, (wrong, since, until) in self._began.items():
            shown: Reply = {
                "arn": f"arn:aws:health:{self._state.region}::event/EC2/{_CODES[wrong]}/{zone}-{since:%Y%m%d%H%M%S}",
                "service": "EC2",
                "eventTypeCode": _CODES[wrong],
                "eventTypeCategory": "issue",
                "eventScopeCode": "PUBLIC",
                "region": self._state.region,
                "availabilityZone": zone,
                "startTime": since,
                "lastUpdatedTime": until or since + late,
                "statusCode": "open" if until is None else "closed",
            }
            if until is not None:
                shown["endTime"] = until
            if self._state.now >= since + late and _fits(shown, wanted):
                events.append(shown)
        return {"events": events}


def _fits(event: Reply, wanted: Given) -> bool:
    fields = {
        "services": "service",
        "availabilityZones": "availabilityZone",
        "eventStatusCodes": "statusCode",
        "regions": "region",
        "eventTypeCategories": "eventTypeCategory",
    }
    return all(event[fields[name]] in texts(wanted, name) for name in wanted)
