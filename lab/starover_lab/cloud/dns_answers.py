"""What Route 53's name servers answer from records with routing policies and their health; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starover_lab.cloud.balancing import Balancing
from starover_lab.cloud.given import Given, Reply, flag, number, table, tables, text
from starover_lab.cloud.health_checks import HealthChecks
from starover_lab.world.world import World

__all__ = ["Answers"]


class Answers:
    """Answers for the records of one name and type.

    A record without a health check counts as healthy; when all are unhealthy all are healthy; weight 0 is used only
    when all others fail (catalogue S-R53).
    """

    def __init__(
        self, world: World, balancing: Balancing, checks: HealthChecks, named: Callable[[str, str], list[Reply]]
    ) -> None:
        """`named`: the records of a name and type in whatever zone has them."""
        self._state = world.state
        self._balancing = balancing
        self._checks = checks
        self._named = named

    def of(self, records: Sequence[Reply]) -> list[str]:
        """The data of the answer; empty: there is none."""
        if not records:
            return []
        healthy = [one for one in records if self._healthy(one)]
        if any("Failover" in one for one in records):
            order = sorted(records, key=lambda one: text(one, "Failover"))  # PRIMARY before SECONDARY
            return self._data(next((one for one in order if one in healthy), order[0]))
        if any("Weight" in one for one in records):
            return self._data(self._drawn(healthy or list(records)))
        if any("MultiValueAnswer" in one for one in records):
            return [data for one in (healthy or records)[:8] for data in self._data(one)]
        return self._data(records[0])

    def _drawn(self, records: Sequence[Reply]) -> Reply:
        """One of several by weight."""
        weighted = [one for one in records if number(one, "Weight") > 0] or list(records)
        weights = [max(1, number(one, "Weight")) for one in weighted]
        left = self._state.dice.between(0, sum(weights), "route53", "answer")
        for one, weight in zip(weighted, weights, strict=True):
            left -= weight
            if left < 0:
                return one
        return weighted[-1]

    def _healthy(self, record: Given) -> bool:
        check, alias = text(record, "HealthCheckId"), table(record, "AliasTarget")
        if check and not self._checks.healthy(check):
            return False
        if not flag(alias, "EvaluateTargetHealth"):
            return True
        aims = self._named(text(alias, "DNSName"), text(record, "Type"))
        return any(map(self._healthy, aims)) if aims else self._balancing.healthy(text(alias, "DNSName").rstrip("."))

    def _data(self, record: Given) -> list[str]:
        alias = text(table(record, "AliasTarget"), "DNSName").rstrip(".")
        if alias and (aims := self._named(alias, text(record, "Type"))):
            return self.of(aims)  # an alias of another record
        if alias:
            return list(self._state.balancer_addresses.get(alias.casefold(), ()))
        return [text(one, "Value") for one in tables(record, "ResourceRecords")]
