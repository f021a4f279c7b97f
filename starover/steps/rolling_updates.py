"""A DAG patched one member after the other, and its witness: the loop of rolling-windows-update and what it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from starover.errors import NotVerified, StaroverError
from starover.estate import Dag, Estate, Server
from starover.runbook import Finding, Findings, Steps, attempt, together
from starover.step import Blocked, Settle, wait
from starover.steps import guards
from starover.steps.around import Around, look_around
from starover.steps.dag import server_named
from starover.steps.dag_object import DagObject, dag_facts
from starover.steps.gate import Judged, admit, judged
from starover.steps.maintenance import bring_back, take_out
from starover.steps.move_history import MoveEvents, longest, move_events, moves
from starover.steps.moves import paused
from starover.steps.patches import Patched, patched
from starover.steps.rolling import Left, Place, copies_left, fewest, well
from starover.steps.update_care import doubted, finished
from starover.steps.update_task import Scan
from starover.steps.updates import Verdict, Wish

__all__ = ["Level", "PatchReport", "Run", "Telling", "of_order", "offline_longest", "witness_host", "witness_patched"]

RETURNING = ("failing", "looping", "second-round")
"""Verdicts after which a server may be brought back by --return-on-failure: Windows itself is whole."""


Level: TypeAlias = Literal["info", "warn"]


class PatchReport(Findings, frozen=True, kw_only=True):
    """What was patched, in a sentence and in detail."""

    verdict: str


@dataclass
class Telling:
    """What a rolling run has to tell, also when it stops."""

    dag: str
    order: Sequence[Place] = ()
    patched: list[tuple[str, Patched]] = field(default_factory=list[tuple[str, Patched]])
    nothing: list[str] = field(default_factory=list[str])
    failed: list[tuple[str, Verdict]] = field(default_factory=list[tuple[str, Verdict]])
    left: list[Left] = field(default_factory=list[Left])
    offline: str = ""
    notes: list[str] = field(default_factory=list[str])

    def findings(self) -> tuple[Finding, ...]:
        """All of it."""
        found = [Finding(check="order", on=one.server.name, level="info", says=one.why) for one in self.order]
        for server, done in self.patched:
            rounds = f"{len(done.rounds)} round{'s' if len(done.rounds) > 1 else ''}"
            boots = "" if done.boot == done.boot_before else f"; boot time {done.boot_before} -> {done.boot}"
            says = f"{', '.join(done.installed)} in {rounds}{boots}"
            if done.verdict.word != "patched":
                says += f"; {done.verdict.says}"
            level: Level = "info" if done.verdict.word == "patched" else "warn"
            found.append(Finding(check="patched", on=server, level=level, says=says))
        found += [
            Finding(check="patched", on=server, level="ok", says="nothing was wanted of what it is offered")
            for server in self.nothing
        ]
        found += [
            Finding(check=verdict.word, on=server, level="fail", says=verdict.says) for server, verdict in self.failed
        ]
        if self.redundancy:
            found.append(Finding(check="redundancy", on=self.dag, level="info", says=self.redundancy))
        if self.offline:
            found.append(Finding(check="offline", on=self.dag, level="info", says=self.offline))
        found += [Finding(check="note", on=self.dag, level="warn", says=one) for one in self.notes]
        return tuple(found)

    @property
    def verdict(self) -> str:
        """The whole run in one or two sentences."""
        names = [server for server, _ in self.patched]
        if not names:
            return f"{self.dag} needs nothing: nothing is wanted of what its members are offered."
        updates = sum(len(done.installed) for _, done in self.patched)
        least = self.redundancy.partition(" (")[0]
        told = [f"{self.dag} patched: {', '.join(names)}, {updates} updates", self.offline, least]
        rest = "Nothing for you to do." if not self.notes else self.notes[0]
        return f"{'; '.join(one for one in told if one)}. {rest}"

    @property
    def redundancy(self) -> str:
        """The least that was left."""
        least = fewest(self.left)
        if least is None:
            return ""
        return (
            f"never fewer than {least.good} of {least.of} good copies ({least.database}, while {least.without} was out)"
        )

    def lines(self, ahead: Sequence[str]) -> tuple[str, ...]:
        """For an error: what was done before it, and what was not begun."""
        done = [server for server, one in self.patched if one.verdict.good]
        return tuple(
            line
            for line in (
                f"patched: {', '.join(done)}" if done else "nobody was patched in this run",
                f"not begun: {', '.join(ahead)}" if ahead else "",
                f"redundancy: {self.redundancy}" if self.redundancy else "",
                f"offline: {self.offline}" if self.offline else "",
            )
            if line
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one rolling run works with."""

    dag: Dag
    estate: Estate
    wish: Wish
    telling: Telling
    min_copies: int | None
    allow_queued: int
    return_on_failure: bool
    max_failures: int
    comment: str
    now: bool

    def member(self, server: Server, seen: Scan, *, around: Around, first: bool) -> Steps:
        """One member: is the DAG well, out of service, patched, back. Raises `NotSafe` and `NotVerified`."""
        if not first:
            yield from well(self.dag, self.estate, server)
        before = yield from take_out(
            self.dag,
            server,
            self.estate,
            min_copies=self.min_copies,
            allow_queued=self.allow_queued,
            comment=self.comment,
            now=self.now,
        )
        self.telling.left += yield from copies_left(around, server)
        done = yield from patched(server, self.wish, seen, comment=self.comment, member=True)
        verdict = yield from finished(server, done, before)
        if verdict.good:
            self.telling.patched.append((server.name, done))
        else:
            self.telling.failed.append((server.name, verdict))
        back = verdict.good or (self.return_on_failure and verdict.word in RETURNING)
        if back:
            yield from bring_back(self.dag, server, self.estate, before=before)
        if not verdict.good and (not back or len(self.telling.failed) > self.max_failures):
            raise doubted(server.name, verdict, back=back)

    def all(self, todo: Sequence[tuple[Server, Scan]], *, around: Around, pause: float) -> Steps:
        """These members, one after the other, with a pause between two."""
        for number, (server, seen) in enumerate(todo):
            ahead = [one.name for one, _ in todo[number + 1 :]]
            try:
                if number:
                    yield from paused(todo[number - 1][0], pause)
                yield from self.member(server, seen, around=around, first=not number)
            except StaroverError as error:
                self.stopped(error, ahead)
                raise

    def stopped(self, error: StaroverError, ahead: Sequence[str]) -> None:
        """Add to what stops the run what was done before it."""
        error.certain = (*error.certain, *self.telling.lines(ahead))
        error.next = (
            *error.next,
            f"starover run rolling-windows-update --dag {self.dag.name}   goes on: who is patched is not touched again",
        )

    def ended(self) -> NotVerified | None:
        """What is to be raised at the end, when somebody failed and the run went on all the same."""
        if not self.telling.failed:
            return None
        said = "; ".join(f"{verdict.word}: {verdict.says}" for _, verdict in self.telling.failed)
        return NotVerified(
            said,
            certain=("all of them are in service, by --return-on-failure", *self.telling.lines(())),
            next=tuple(line for _, verdict in self.telling.failed for line in verdict.next),
        )


# -- the witness -------------------------------------------------------------------------------------------------------


def witness_host(around: Around, estate: Estate) -> Server | None:
    """The witness in use, where the inventory has it and it is no member."""
    seen = around.seen
    found = server_named(estate, seen.alternate_server if seen.witness_share == "Alternate" else seen.witness_server)
    return None if found is None or any(one.server is found for one in around.members) else found


def _all_up(seen: DagObject) -> Judged:
    """Every node is Up: two members and a witness must never restart together, and nobody else may be missing."""
    nodes = seen.cluster.nodes if seen.cluster is not None else ()
    down = [f"{node.name} is {node.state}" for node in nodes if node.state != "Up"]
    if nodes and not down:
        return Judged("G-SINGLE")
    return judged(
        "G-SINGLE",
        Blocked("; ".join(down) or "the cluster cannot be read", guard="G-SINGLE", next=("starover status",)),
    )


def witness_patched(run: Run, witness: Server, seen: Scan) -> Steps:
    """The witness host patched alone, while every node is Up. Raises `NotSafe` and `NotVerified`."""
    around = yield from look_around(run.dag, run.estate)
    admit(
        f"patching the witness {witness.name}",
        [
            around.judge_setup(),
            _all_up(around.seen),
            judged("G-QUORUM", guards.quorum_without(around.seen.cluster, witness=True)),
            around.judge_window(around.seen_by, now=run.now),
        ],
        host=witness.name,
    )
    done = yield from patched(witness, run.wish, seen, comment=run.comment, member=False)
    if not done.verdict.good:
        run.telling.failed.append((witness.name, done.verdict))
        raise NotVerified(
            f"{done.verdict.word}: {done.verdict.says}",
            certain=(f"{witness.name} is the witness; no member was touched by it",),
            next=done.verdict.next,
            host=witness.name,
        )
    run.telling.patched.append((witness.name, done))
    if around.seen.even:
        yield from wait(
            dag_facts,
            around.seen_by,
            until=lambda found: found.cluster is not None and found.cluster.witness_state == "Online",
            settle=Settle(every=15, limit=900),
            what=f"the witness {witness.name} Online again",
            expected=True,
            dag=run.dag.name,
        )


# -- at the end --------------------------------------------------------------------------------------------------------


def offline_longest(around: Around, since: str) -> Steps[str]:
    """How long a database was offline at most since `since`, by the members' event logs."""
    parts = [attempt(move_events.read(one.server)) for one in around.members]
    answers = yield from together(parts)
    seen = [one for one in answers if isinstance(one, MoveEvents)]
    found = moves(seen, [one.name for one in around.databases], since)
    one = longest(found)
    if one is None:
        return "no move is in the members' event logs, so nobody here knows for how long a database was offline"
    return (
        f"no database was offline longer than {one.took.total_seconds():.0f} s "
        f"({one.database}, {one.begun:%H:%M} UTC; {len(found)} moves)"
    )


def of_order(order: Sequence[Place], scans: Mapping[str, Scan], wish: Wish) -> list[tuple[Server, Scan]]:
    """Members that have something to install, in their order."""
    return [(one.server, scans[one.server.name]) for one in order if wish.chosen(scans[one.server.name].updates)]
