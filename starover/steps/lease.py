"""The lease of a DAG as its hosts keep it: to be looked at, and to be taken from a run that will not come back.

A run takes and gives back its own lease by itself (`engine.leasing`); this is for people.
"""

from __future__ import annotations

from collections.abc import Sequence

from starover.envelope import LEASE_TTL
from starover.errors import StaroverError
from starover.estate import Dag, Estate, Server
from starover.lease import Note, note_of
from starover.lease_script import GRACE
from starover.names import same_host
from starover.runbook import Finding, Findings, Steps, attempt, together
from starover.step import Blocked, Change, Query, Report, Risk, step

__all__ = ["LeaseHost", "LeaseReport", "holding", "lease_on", "lease_released", "lease_report"]

OVER = LEASE_TTL + GRACE


class LeaseHost(Report):
    """What one host keeps (`lease/read.ps1.j2`)."""

    token: int
    """How often it was taken there, or given up."""
    holder: str
    """RUN/LEG; `-`: given back; empty: never taken."""
    note: str
    """JSON of `lease.Note`."""
    age: int
    """Seconds since it was renewed, by the host's own clock."""

    @property
    def held(self) -> bool:
        """Nobody else can have it now."""
        return self.holder not in ("", "-") and self.age <= OVER

    @property
    def who(self) -> Note:
        """Who has it, or had it last."""
        return note_of(self.note)


lease_on = Query("lease/read.ps1.j2", LeaseHost, deadline=20)
"""Argument: `dag`, its name."""


class LeaseReport(Findings, frozen=True, kw_only=True):
    """Who may change a DAG now."""

    dag: str
    held: bool
    run: str = ""
    who: str = ""
    runbook: str = ""
    since: str = ""
    until: int = 0
    """Seconds until it is over where it was renewed last, unless it is renewed again."""


def asked(dag: Dag, estate: Estate) -> list[Server]:
    """The members and the witness hosts."""
    names = [*dag.members, dag.witness, dag.alternate_witness]
    return [one for one in estate.servers if any(same_host(one.name, name) for name in names if name)]


def holding(dag: Dag, estate: Estate) -> Steps[list[tuple[Server, LeaseHost | StaroverError]]]:
    """What each host says; one that does not answer is a value."""
    servers = asked(dag, estate)
    said = yield from together([attempt(lease_on.read(one, dag=dag.name)) for one in servers])
    return list(zip(servers, said, strict=True))


def lease_report(dag: Dag, said: Sequence[tuple[Server, LeaseHost | StaroverError]]) -> LeaseReport:
    """The page: one line for each host, and who has it."""
    findings: list[Finding] = []
    best: LeaseHost | None = None
    for server, one in said:
        if isinstance(one, StaroverError):
            findings.append(Finding(check="lease", on=server.name, level="unknown", says=one.what))
            continue
        if one.held and (best is None or one.age < best.age):
            best = one
        says = f"number {one.token}"
        if one.held:
            says += f", run {one.who.run or '?'}, over in {max(0, OVER - one.age)} s unless it is renewed"
        elif one.token:
            says += f", {'given back' if one.holder == '-' else 'over'} {one.age} s ago by run {one.who.run or '?'}"
        if one.who.lost:
            says += f"; given up: {', '.join(one.who.lost)}"
        findings.append(Finding(check="lease", on=server.name, level="info" if one.held else "ok", says=says))
    if best is None:
        return LeaseReport(dag=dag.name, held=False, findings=tuple(findings))
    note = best.who
    return LeaseReport(
        dag=dag.name,
        held=True,
        run=note.run,
        who=note.who,
        runbook=note.runbook,
        since=note.since,
        until=max(0, OVER - best.age),
        findings=tuple(findings),
    )


@step(check=lease_on, apply="lease/release.ps1.j2", risk=Risk.SERVICE)
def lease_released(now: LeaseHost, /, *, dag: str, holder: str) -> Change | Blocked | None:
    """A DAG's lease that nobody has: the number goes up, so whoever had it is refused there from now on."""
    if not now.held:
        return None
    if now.holder != holder:
        return Blocked(
            guard="G-LOCK", why=f"another run has taken the lease of {dag} meanwhile", next=("starover lease show",)
        )
    note = now.who
    return Change(f"lease of {dag}", f"run {note.run or '?'} ({note.who or '?'})", "free")
