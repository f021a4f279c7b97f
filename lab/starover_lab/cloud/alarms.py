"""CloudWatch's alarms, as far as Route 53's health checks follow them: they stand as somebody set them [model].

No metric is kept: a new alarm has insufficient data until `set_alarm_state` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given, Reply, number, text, texts
from starover_lab.cloud.shapes import OWNER
from starover_lab.world.world import World

__all__ = ["Alarms"]

_MOST = 100


@dataclass(eq=False)
class _Alarm:
    given: Reply
    state: str
    reason: str
    since: datetime


class Alarms:
    """All of the account, in the estate's region."""

    def __init__(self, world: World) -> None:
        self._state = world.state
        self._alarms: dict[str, _Alarm] = {}
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "put_metric_alarm": self.put_metric_alarm,
            "describe_alarms": self.describe_alarms,
            "set_alarm_state": self.set_alarm_state,
            "delete_alarms": self.delete_alarms,
        }

    def state(self, name: str) -> str:
        """`OK`, `ALARM` or `INSUFFICIENT_DATA`; empty: there is none of that name."""
        found = self._alarms.get(name)
        return found.state if found is not None else ""

    def put_metric_alarm(self, given: Given) -> Reply:
        """Make one, or change what it watches: its state stays."""
        name = text(given, "AlarmName")
        old = self._alarms.get(name)
        if old is None:
            old = _Alarm({}, "INSUFFICIENT_DATA", "Unchecked: Initial alarm creation", self._state.now)
        self._alarms[name] = _Alarm(dict(given), old.state, old.reason, self._state.now)
        self._state.review()
        return {}

    def describe_alarms(self, given: Given) -> Reply:
        """Those of these names, or with this beginning, or all; in pages."""
        names, lead, wanted = texts(given, "AlarmNames"), text(given, "AlarmNamePrefix"), text(given, "StateValue")
        if names and lead:
            raise CloudError("ValidationError", "AlarmNamePrefix and AlarmNames are mutually exclusive")
        found = [
            (name, one)
            for name, one in sorted(self._alarms.items())
            if (not names or name in names) and name.startswith(lead) and wanted in ("", one.state)
        ]
        first = text(given, "NextToken", "0")
        if not first.isdecimal():
            raise CloudError("InvalidNextToken", "The token was not understood")
        begin, most = int(first), number(given, "MaxRecords", 50)
        page = [self._shown(name, one) for name, one in found[begin : begin + min(most, _MOST)]]
        more: Reply = {"NextToken": str(begin + len(page))} if begin + len(page) < len(found) else {}
        return {"MetricAlarms": page, "CompositeAlarms": [], **more}

    def set_alarm_state(self, given: Given) -> Reply:
        """Say how one stands."""
        one = self._known(text(given, "AlarmName"))
        one.state, one.reason, one.since = text(given, "StateValue"), text(given, "StateReason"), self._state.now
        self._state.log.add("alarm", text(given, "AlarmName"), state=one.state)
        self._state.review()
        return {}

    def delete_alarms(self, given: Given) -> Reply:
        """Take them away: all, or none where one is not there."""
        names = texts(given, "AlarmNames")
        for name in names:
            self._known(name)
        for name in names:
            del self._alarms[name]
        self._state.review()
        return {}

    def _known(self, name: str) -> _Alarm:
        found = self._alarms.get(name)
        if found is None:
            raise CloudError("ResourceNotFound", f"Alarm with name {name} does not exist")
        return found

    def _shown(self, name: str, one: _Alarm) -> Reply:
        kept = {key: value for key, value in one.given.items() if key != "Tags"}
        return {
            **kept,
            "AlarmArn": f"arn:aws:cloudwatch:{self._state.region}:{OWNER}:alarm:{name}",
            "ActionsEnabled": one.given.get("ActionsEnabled", True) is True,
            "StateValue": one.state,
            "StateReason": one.reason,
            "StateUpdatedTimestamp": one.since,
            "AlarmConfigurationUpdatedTimestamp": one.since,
        }
