"""What is looked at when quorum was forced and everything is mounted: health, log-ons, pages; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Finding, Steps, attempt, together
from starover.steps.after_move import LogOn, log_on
from starover.steps.client_check import finding_of, look_at_all, targets
from starover.steps.dag import DagFacts, look_at
from starover.steps.health import findings as graded

__all__ = ["checked_afterwards", "who_cannot_log_on"]


def checked_afterwards(
    dag: Dag, estate: Estate, survivors: Sequence[Server], silent: Sequence[str]
) -> Steps[list[Finding]]:
    """What is not well on the surviving side, by health-report and client-check (force-quorum 11).

    `silent`: hosts that gave no answer, and are not asked again; what is wrong with them is known.
    """
    gone = [one for one in estate.servers if one.name in silent]
    facts = yield from look_at(dag, estate, survivors, health=True, skip=gone)
    pages = yield from look_at_all(targets(dag, estate, survivors, {}), ("https",))
    return [*_not_well(facts, silent), *(one for one in map(finding_of, pages) if one.level not in ("ok", "info"))]


def _not_well(facts: DagFacts, silent: Sequence[str]) -> Iterator[Finding]:
    for one in graded(facts):
        lost = any(same_host(one.on.rpartition("/")[2], name) for name in silent)
        if one.level not in ("ok", "info") and one.check != "not checked" and not lost:
            yield one


def who_cannot_log_on(asked: Server, databases: Sequence[str]) -> Steps[list[Finding]]:
    """The databases to which `Test-MAPIConnectivity` cannot log on, as a client does (S-MOUNT)."""
    tries = yield from together(attempt(log_on.read(asked, database=name)) for name in databases)
    return [
        Finding(check="log on", on=name, level="fail" if isinstance(one, LogOn) else "unknown", says=_why(one))
        for name, one in zip(databases, tries, strict=True)
        if not (isinstance(one, LogOn) and one.works)
    ]


def _why(answer: object) -> str:
    if isinstance(answer, LogOn):
        errors = "; ".join(one.error for one in answer.results if one.error)
        return errors or "Test-MAPIConnectivity does not say that anybody can"
    return f"not tried: {getattr(answer, 'what', answer)}"
