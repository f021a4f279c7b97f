"""Availability Zones as EC2 shows them: names of one account, ids of all; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given, Looks, Reply, filtered, text, texts
from starover_lab.world.state import State

__all__ = ["Zones", "zone_id"]

_SHORT = {
    "north": "n",
    "northeast": "ne",
    "east": "e",
    "southeast": "se",
    "south": "s",
    "southwest": "sw",
    "west": "w",
    "northwest": "nw",
    "central": "c",
    "gov": "g",
}
_LOOKS: Looks = {
    "zone-name": lambda one: [text(one, "ZoneName")],
    "zone-id": lambda one: [text(one, "ZoneId")],
    "region-name": lambda one: [text(one, "RegionName")],
    "state": lambda one: [text(one, "State")],
}


def zone_id(name: str) -> str:
    """`euw1-az1` of `eu-west-1a`: in this account the letters are in the order of the ids."""
    region, letter = name[:-1], name[-1:]
    area, *words = region.split("-")
    return f"{area}{''.join(_SHORT.get(word, word) for word in words)}-az{ord(letter) - ord('a') + 1}"


class Zones:
    """The zones of the estate."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_availability_zones": self.describe_availability_zones
        }

    def describe_availability_zones(self, given: Given) -> Reply:
        """Zones with their ids."""
        shown: list[Reply] = [
            {
                "ZoneName": az.name,
                "ZoneId": zone_id(az.name),
                "RegionName": self._state.region,
                "ZoneType": "availability-zone",
                "OptInStatus": "opt-in-not-required",
                "State": "available" if az.state == "up" else "impaired",
                "Messages": [],
            }
            for az in self._state.azs
        ]
        names, ids = texts(given, "ZoneNames"), texts(given, "ZoneIds")
        for name in names:
            if not any(one["ZoneName"] == name for one in shown):
                raise CloudError("InvalidParameterValue", f"Invalid availability zone: [{name}]")
        shown = [one for one in shown if (not names or one["ZoneName"] in names) and (not ids or one["ZoneId"] in ids)]
        return {"AvailabilityZones": filtered(given, shown, _LOOKS)}
