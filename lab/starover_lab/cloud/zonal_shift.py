"""ARC zonal shift: a zone taken out of a balancer's DNS for a time, by its own API; knows no target."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from starover_lab.cloud.balancing import Balancer, Balancing
from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given, Reply, text
from starover_lab.cloud.zones import zone_id
from starover_lab.world.state import State

__all__ = ["ZonalShift"]

_SPAN = re.compile(r"([1-9][0-9]*)([mh])")
_LONGEST = timedelta(days=3)


@dataclass(eq=False)
class _Shift:
    id: str
    balancer: Balancer
    away: str
    """A zone's id."""
    began: datetime
    ends: datetime
    comment: str
    status: Literal["ACTIVE", "EXPIRED", "CANCELED"] = "ACTIVE"


class ZonalShift:
    """Shifts of the estate's balancers."""

    def __init__(self, state: State, balancing: Balancing) -> None:
        self._state = state
        self._balancing = balancing
        self._shifts: list[_Shift] = []
        state.reviewers.append(self._review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "start_zonal_shift": self.start_zonal_shift,
            "update_zonal_shift": self.update_zonal_shift,
            "cancel_zonal_shift": self.cancel_zonal_shift,
            "list_zonal_shifts": self.list_zonal_shifts,
            "get_managed_resource": self.get_managed_resource,
            "list_managed_resources": self.list_managed_resources,
        }

    def _review(self) -> None:
        for one in self._shifts:
            if one.status == "ACTIVE" and self._state.now >= one.ends:
                self._end(one, "EXPIRED")

    def _end(self, one: _Shift, status: Literal["EXPIRED", "CANCELED"]) -> None:
        one.status = status
        self._state.shifted.discard((one.balancer.fqdn.casefold(), self._zone(one.away)))
        self._state.log.add("zonal_shift", one.balancer.name, away=one.away, status=status)

    def _zone(self, identity: str) -> str:
        found = next((az.name for az in self._state.azs if zone_id(az.name) == identity), "")
        if not found:
            raise CloudError("ValidationException", f"awayFrom {identity} is no Availability Zone of the resource")
        return found

    def _resource(self, given: Given) -> Balancer:
        name = text(given, "resourceIdentifier")
        found = self._balancing.balancers.get(name)
        if not name.startswith("arn:"):
            raise CloudError("ValidationException", f"resourceIdentifier {name} is no ARN")
        if found is None or not found.shifts:
            raise CloudError("ResourceNotFoundException", f"The resource {name} is not registered for zonal shift")
        return found

    def _shift(self, given: Given) -> _Shift:
        found = next((one for one in self._shifts if one.id == text(given, "zonalShiftId")), None)
        if found is None:
            raise CloudError("ResourceNotFoundException", "The zonal shift ID does not exist")
        return found

    def _expiry(self, words: str) -> datetime:
        match = _SPAN.fullmatch(words)
        span = timedelta(**{"minutes" if match[2] == "m" else "hours": int(match[1])}) if match else None
        if span is None or span > _LONGEST:
            raise CloudError("ValidationException", f"expiresIn {words} is not between 1m and 3d, in m or h")
        return self._state.now + span

    # -- calls ---------------------------------------------------------------------------------------------------

    def start_zonal_shift(self, given: Given) -> Reply:
        """Begin a shift."""
        balancer, away = self._resource(given), text(given, "awayFrom")
        zone, ends = self._zone(away), self._expiry(text(given, "expiresIn"))
        if any(one.balancer is balancer and one.status == "ACTIVE" for one in self._shifts):
            raise CloudError("ConflictException", "There is an active zonal shift for this resource already")
        identity = str(self._state.dice.guid("zonal shift", str(len(self._shifts) + 1)))
        shift = _Shift(identity, balancer, away, self._state.now, ends, text(given, "comment"))
        self._shifts.append(shift)
        self._state.shifted.add((balancer.fqdn.casefold(), zone))
        self._state.poke(ends)
        self._state.log.add("zonal_shift", balancer.name, away=away, status="ACTIVE")
        return _shown(shift)

    def update_zonal_shift(self, given: Given) -> Reply:
        """Change its end or its comment."""
        shift = self._active(given)
        if "expiresIn" in given:
            shift.ends = self._expiry(text(given, "expiresIn"))
            self._state.poke(shift.ends)
        shift.comment = text(given, "comment", shift.comment)
        return _shown(shift)

    def cancel_zonal_shift(self, given: Given) -> Reply:
        """End it before its time."""
        shift = self._active(given)
        self._end(shift, "CANCELED")
        return _shown(shift)

    def _active(self, given: Given) -> _Shift:
        shift = self._shift(given)
        if shift.status != "ACTIVE":
            raise CloudError("ConflictException", f"The zonal shift is {shift.status}")
        return shift

    def list_zonal_shifts(self, given: Given) -> Reply:
        """Shifts, the latest first."""
        status, resource = text(given, "status"), text(given, "resourceIdentifier")
        found = [
            one
            for one in reversed(self._shifts)
            if (not status or one.status == status) and (not resource or one.balancer.arn == resource)
        ]
        return {"items": [_shown(one) for one in found]}

    def get_managed_resource(self, given: Given) -> Reply:
        """A balancer with the weights of its zones."""
        balancer = self._resource(given)
        active = [one for one in self._shifts if one.balancer is balancer and one.status == "ACTIVE"]
        away = {one.away for one in active}
        return {
            "arn": balancer.arn,
            "name": balancer.name,
            "appliedWeights": {one: 0.0 if one in away else 1.0 for one in self._balancing.ids()},
            "zonalShifts": [
                {
                    "appliedStatus": "APPLIED",
                    "zonalShiftId": one.id,
                    "resourceIdentifier": balancer.arn,
                    "awayFrom": one.away,
                    "expiryTime": one.ends,
                    "startTime": one.began,
                    "comment": one.comment,
                }
                for one in active
            ],
            "autoshifts": [],
            "zonalAutoshiftStatus": "DISABLED",
        }

    def list_managed_resources(self, given: Given) -> Reply:  # noqa: ARG002 - one page
        """Balancers that may be shifted."""
        return {
            "items": [
                {"arn": one.arn, "name": one.name, "availabilityZones": self._balancing.ids()}
                for one in self._balancing.balancers.values()
                if one.shifts
            ]
        }


def _shown(one: _Shift) -> Reply:
    return {
        "zonalShiftId": one.id,
        "resourceIdentifier": one.balancer.arn,
        "awayFrom": one.away,
        "expiryTime": one.ends,
        "startTime": one.began,
        "status": one.status,
        "comment": one.comment,
    }
