"""The proof read before anything is forced (catalogue 6.2): eleven lines, each filled or unknown and why; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starover.estate import Dag
from starover.names import same_host
from starover.steps.assessment import Decision, ProofLine, Situation
from starover.steps.dag import short
from starover.steps.dag_object import DagObject
from starover.steps.disaster import Survey
from starover.steps.losses import LogSpace, Loss
from starover.steps.situation import last_log, quorum_lost_at, witness_in_use

__all__ = ["MailFlow", "proof"]

MailFlow = Sequence[str]
"""What was read of Send connectors and Edge, a line each."""


def proof(
    seen: Survey,
    now: Situation,
    decision: Decision,
    dag: Dag,
    *,
    costs: Sequence[Loss],
    space: Sequence[LogSpace],
    mailflow: MailFlow | None = None,
    controller: str = "",
    witness_tested: str = "",
) -> tuple[ProofLine, ...]:
    """All eleven lines, in the catalogue's order.

    `mailflow` None: Send connectors were not read. `controller`: the domain controller that would be pinned.
    `witness_tested`: what a real write on the alternate witness gave; empty: none was made.
    """
    return (
        _last_quorum(seen, now),
        _voters(now),
        _witness_lock(seen, now, dag),
        _force_node(now, decision),
        _databases(seen, now, costs),
        _other_side(seen, now),
        _pinned(seen, controller, witness_tested),
        _space(space),
        _mail(mailflow),
        _line(10, "the cheaper alternative", decision.wait or _alternative(now)),
        _line(11, "afterwards", "after this the old side may come back only through failback"),
    )


def _line(number: int, what: str, says: str, unknown: str = "") -> ProofLine:
    return ProofLine(number=number, what=what, says="unknown" if unknown else says, unknown=unknown)


def _minutes(since: datetime | None, now: datetime | None) -> str:
    return "" if since is None or now is None else f", {max(0, int((now - since).total_seconds() // 60))} min ago"


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def _last_quorum(seen: Survey, now: Situation) -> ProofLine:
    what = "last quorum"
    if now.clusters:
        return _line(1, what, f"now: {len(now.clusters)} quorate cluster(s)")
    lost, log = quorum_lost_at(seen), last_log(seen)
    if lost is not None:
        return _line(1, what, f"{_utc(lost)}{_minutes(lost, seen.now)} (event 1177 of a survivor)")
    if log is not None:
        return _line(
            1, what, f"not in the survivors' logs; the last mail log was written {_utc(log)}{_minutes(log, seen.now)}"
        )
    return _line(1, what, "", "no survivor has an event of it, and no copy says when its last log was written")


def _voters(now: Situation) -> ProofLine:
    members = len(now.members)
    before = f"{members} members{' and the witness' if members % 2 == 0 else ''}"
    here = f"{len(now.answering)} of them answer: {', '.join(now.answering) or 'none'}"
    lost = "; ".join(f"{one.name} {one.level or 'no fence level'} ({one.why})" for one in now.lost)
    return _line(2, "voters", f"before: {before}; now {here}. Lost: {lost or 'none'}")


def _witness_lock(seen: Survey, now: Situation, dag: Dag) -> ProofLine:
    what = "witness lock"
    name = short(witness_in_use(seen, dag))
    if not name:
        return _line(3, what, "the DAG has no witness")
    host = seen.host(name)
    if host is None:
        return _line(3, what, "", f"{name} is not in the inventory")
    gone = next((one for one in now.lost if same_host(one.name, name)), None)
    if gone is not None:
        says = "a lost node that still runs can hold it" if not gone.down else "it is down, nobody can hold it"
        return _line(3, what, f"{name} does not answer: {says}")
    if host.lock is None:
        return _line(3, what, "", f"{name} did not say who holds its files open: {'; '.join(host.errors) or 'no word'}")
    holders = ", ".join(one.user for one in host.lock.holders)
    return _line(3, what, f"{name} is on this side; held by {holders or 'nobody'}")


def _force_node(now: Situation, decision: Decision) -> ProofLine:
    if decision.answer != "force-quorum":
        return _line(4, "force node", "nothing is to be forced")
    if now.mode == "DagOnly":
        return _line(4, "force node", "Restore-DatabaseAvailabilityGroup chooses one of the survivors itself")
    if not now.force_node:
        return _line(4, "force node", "", "no survivor's cluster service could be looked at")
    why = "the only survivor" if len(now.answering) == 1 else "up to the end, and its copies lack least"
    return _line(4, "force node", f"{now.force_node}: {why}")


def _databases(seen: Survey, now: Situation, costs: Sequence[Loss]) -> ProofLine:
    if seen.databases is None:
        return _line(5, "databases", "", "nobody could list them")
    lines = [one.text for one in costs]
    if now.unseen:
        return _line(5, "databases", "", "; ".join([f"nobody could see {', '.join(now.unseen)}", *lines]))
    return _line(5, "databases", "; ".join(lines) if lines else "every database is mounted")


def _other_side(seen: Survey, now: Situation) -> ProofLine:
    what = "logs on the other side since the cut"
    running = [one.name for one in now.lost if one.role == "member" and not one.down]
    log = last_log(seen)
    since = f" since {_utc(log)}" if log is not None else ""
    if running:
        return _line(6, what, "", f"{', '.join(running)} may still run and write{since}; nothing there can be read")
    return _line(6, what, "none: the other side is down, as line 2 says" if now.lost else "there is no other side")


def _pinned(seen: Survey, controller: str, tested: str) -> ProofLine:
    found: DagObject | None = seen.object
    living = [one.server for one in seen.answering("dc")]
    pinned = controller or (living[0] if living else "")
    alternate = found.alternate_server if found is not None else ""
    witness = tested or (
        f"alternate witness {alternate}: not tested yet by a write" if alternate else "no alternate witness is named"
    )
    what = "domain controller and alternate witness"
    if not pinned:
        return _line(7, what, "", f"no domain controller answers; {witness}")
    return _line(7, what, f"{pinned} would be pinned; {witness}")


def _space(space: Sequence[LogSpace]) -> ProofLine:
    if not space:
        return _line(8, "log disks", "", "no survivor said how much is free")
    return _line(8, "log disks", "; ".join(one.text for one in sorted(space, key=lambda one: one.hours)))


def _mail(mailflow: MailFlow | None) -> ProofLine:
    if mailflow is None:
        return _line(9, "mail flow", "", "Send connectors and Edge subscriptions could not be read")
    return _line(9, "mail flow", "; ".join(mailflow) if mailflow else "every Send connector has a living source")


def _alternative(now: Situation) -> str:
    names = ", ".join(short(one.name) for one in now.lost) or "nobody"
    return f"wait for {names} to come back by themselves; nobody here knows when"
