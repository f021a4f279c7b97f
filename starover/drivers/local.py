"""The driver that needs no server: threads, a journal and a transport; the only place that performs effects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Literal, TypeAlias
from uuid import uuid4

import msgspec

import starover
from starover import durable
from starover.calls import ENDING
from starover.clock import Clock
from starover.drivers.alone import alone
from starover.drivers.leg import Leg, Mail, Stop
from starover.drivers.past import (
    UNDO,
    Past,
    check_receipts,
    earlier_prev,
    find_in,
    is_dead,
    other_roads,
    put_aside,
    run_of,
    settled_of,
    unanswered,
    undo_of,
    unknown_steps,
)
from starover.drivers.refusals import Refusals, Why
from starover.effects import Approval, Result
from starover.engine import Run
from starover.envelope import LEASE_TTL
from starover.errors import BadParameter, Mistake, PlanIsStale, StaroverError
from starover.estate import Estate
from starover.events import RunResumed, Sink, StepBegan, StepEnded, Told
from starover.guard import check_applicable
from starover.house import House
from starover.journal import (
    Begun,
    Journal,
    Resumed,
    Saved,
    Settled,
    kept,
    read_journal,
    resolve,
    run_ids,
)
from starover.journal_heads import sign_head
from starover.lease import Scope, scope_of
from starover.lease_script import GRACE
from starover.plan import Plan, read_plan, write_plan
from starover.redact import Redactor
from starover.runbook import Bound, Content
from starover.step import Risk
from starover.transport import Transport
from starover.values import Plain

__all__ = ["Approver", "Local", "Planned", "Ran", "Why", "save_plan", "scope_for"]

Approver: TypeAlias = Callable[[Plan], Approval | None]
"""Asked once, before the first change of a plan whose risk is above READ; None: not approved."""


_State: TypeAlias = Literal["done", "nothing", "failed", "refused", "unreachable", "unknown", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan that was made and saved."""

    plan: Plan
    run: str
    """Id of the planning's own journal, `88f0c1d2.1`."""
    value: msgspec.Struct | None
    """What a runbook that looks returned."""
    exit: int
    """0, or 4 when a step of the plan is blocked."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a run ended, or stopped."""

    run: str
    """Id, such as `9d20e6f4.1`."""
    plan: Plan
    state: _State
    """`stopped`: by Ctrl-C."""
    exit: int
    steps: tuple[StepEnded, ...]
    """What became of each step, in the order they ended, over all legs of the run."""
    changed: int
    error: StaroverError | None
    """The gravest failure."""
    under_way: tuple[str, ...]
    """Steps that were sent and are not known to be done, in words."""
    resumable: bool
    value: msgspec.Struct | None
    journal: Path
    unsigned: str = ""
    """Why its head is not signed; empty: it is."""
    leased: str = ""
    """The DAG whose lease stays with the run, for something is not known; empty: nobody has to wait for it."""
    until: datetime | None = None
    """When that lease is over, at the latest."""


class Local:
    """Plans, applies, resumes and undoes on this machine."""

    def __init__(
        self,
        *,
        estate: Estate,
        content: Content,
        transport: Transport,
        clock: Clock,
        folder: Path,
        why: Why,
        sinks: Sequence[Sink] = (),
        sign: Callable[[bytes], bytes] | None = None,
        leased: bool = True,
        house: Callable[[], House] | None = None,
    ) -> None:
        """`folder` holds `plans/`, `runs/` and `index/`. What the transport carries in secret is masked.

        `sign` makes an SSH signature of a run's head whenever a leg of it has ended; None: heads are not signed.

        The transport stays the caller's: it is not closed here. `leased`: what changes a DAG takes its lease first.
        `house` gives the rules that every approval is held against, whoever asks for it; looking needs none.
        """
        self.estate = estate
        self.content = content
        self.transport = transport
        self.clock = clock
        self.folder = folder
        self.why = why
        self.sinks = tuple(sinks)
        self.sign = sign
        self.leased = leased
        self.house = house
        self._redact = Redactor(transport.secrets)
        self.refusals = Refusals(
            folder=folder, clock=clock, why=why, estate=estate, content=content, redact=self._redact, sign=sign
        )
        self._servers = {server.name: server for server in estate.servers}
        self._inbox: SimpleQueue[Mail] = SimpleQueue()

    # -- plans ---------------------------------------------------------------------------------------------------

    def plan(self, runbook: str, parameters: Mapping[str, Plain], /) -> Planned:
        """Find out what the runbook would change now, sending reads only, and save the plan.

        Raises `BadParameter`, and whatever ended the runbook (`Unreachable`, `RemoteFailure`, `Refused`...).
        """
        return self._plan(self._bound(runbook, parameters), ())

    def undo(self, run: str, /) -> Planned:
        """Plan what restores that which the run's first readings found; apply it like any plan.

        Steps without an undo, and those nothing is known of, are named in the plan's notes; never guesses.
        Raises `BadParameter`, and `NotSafe` while a step of the run is unknown.
        """
        run = resolve(run, run_ids(self.folder), "run")
        with self.refusals.kept("undo", runbook=UNDO, parameters={"run": run}):
            bound, notes = undo_of(self._past(run))
        return self._plan(bound, notes)

    def load(self, plan: str, /) -> Plan:
        """A saved plan by id, or a unique prefix of at least 4 digits. Raises `BadParameter`."""
        known = sorted(path.stem for path in (self.folder / "plans").glob("*.json"))
        return read_plan((self.folder / "plans" / f"{resolve(plan, known, 'plan')}.json").read_bytes())

    def _plan(self, bound: Bound[object], notes: tuple[str, ...]) -> Planned:
        key = str(uuid4())
        with Journal.create(self.folder, key[:8]) as journal:
            run = self._run(journal.run, key, bound, None)
            leg = self._leg(run, journal, None)
            result = self._begin(leg)
            plan = result.plan if result is not None and result.error is None else None
            if plan is not None:
                plan = msgspec.structs.replace(plan, notes=(*notes, *other_roads(journal.entries, self._servers)))
                journal.append(self.clock.now(), save_plan(self.folder, plan))
            sign_head(journal, self.sign)
        if result is None:
            raise StaroverError(
                "stopped before the plan was made", certain=("nothing was sent but reads",), next=("plan it again",)
            )
        if result.error is not None:
            raise result.error
        assert plan is not None
        return Planned(plan=plan, run=run.id, value=result.value, exit=result.exit)

    # -- runs ----------------------------------------------------------------------------------------------------

    def apply(self, plan: Plan | str, /, *, approve: Approver | None = None) -> Ran:
        """Do exactly what the plan says, if the facts still hold. What goes wrong in the run is in the result.

        Raises `BadParameter` for a plan that is not there or was changed, `PlanIsStale` for one of other content, and
        `NotSafe` for one with a blocked step, or about members of several DAGs; such a refusal is a run of its own.
        """
        plan = self.load(plan) if isinstance(plan, str) else plan
        with self.refusals.kept("apply", plan):
            self._check_same("plan", plan.id, plan.content, plan.version, plan.estate)
            check_applicable(plan)
            scope = scope_for(self.estate, plan)
            bound = self._bound(plan.runbook, plan.parameters)
        with ExitStack() as held:
            with self.refusals.kept("apply", plan):
                held.enter_context(alone(self.folder, plan, scope))
            journal = held.enter_context(Journal.create(self.folder, plan.id))
            run = self._run(journal.run, str(uuid4()), bound, plan)
            leg = self._leg(run, journal, approve)
            self._begin(leg)
            return self._ran(leg)

    def resume(self, run: str, /, *, approve: Approver | None = None) -> Ran:
        """Go on with a run after a crash, a stop, a failure or an unknown: by its journal, then live.

        Raises `BadParameter` (no such run, nothing to resume) and `PlanIsStale` (other content or version); what is
        refused is in the run's journal.
        """
        with ExitStack() as held:
            journal = held.enter_context(self.refusals.opened("resume", run))
            with self.refusals.declining(journal):
                past, keep = self._resumable(journal)
                held.enter_context(alone(self.folder, past.begun.plan, past.begun.lease))
                entries = [entry for entry in past.entries if entry.n <= keep]
                sent = unanswered(journal.entries, entries)
                check_receipts(past.run, journal.entries, sent, self.clock.now())
                earlier = earlier_prev(journal.entries, sent)
                again = run_of(past, entries)
                settled = settled_of(journal.entries, entries)
                again.earlier = {**again.earlier, **earlier}
                again.settled = {**again.settled, **settled}
                leg = self._leg(again, journal, approve)
                leg.unanswered = sent
                leg.replay(entries)
            if leg.result is not None:
                raise BadParameter(f"run {past.run} has ended: there is nothing to resume", next=("starover runs",))
            why = self.why
            begins = str(uuid4())
            aside = put_aside(journal.entries, entries)
            again.legs = (*again.legs, (leg.asked, begins))
            again.sent = {**dict.fromkeys(earlier, leg.asked), **again.sent}
            again.aside = (*again.aside, *aside)
            journal.append(
                self.clock.now(),
                Resumed(
                    who=why.who,
                    keep=keep,
                    ticket=why.ticket,
                    reason=why.reason,
                    earlier={name: msgspec.Raw(prev) for name, prev in earlier.items()},
                    aside=aside,
                    settled=settled,
                    leg=begins,
                    asked=leg.asked,
                ),
            )
            event = RunResumed(who=why.who, replayed=len(entries), under_way=tuple(sent))
            leg.listeners.tell(Told(at=self.clock.now(), run=past.run, event=event))
            leg.live()
            return self._ran(leg)

    def may_resume(self, run: str, /) -> None:
        """Raises whatever `resume` would refuse the run for, and keeps it as `resume` does."""
        with self.refusals.opened("resume", run) as journal, self.refusals.declining(journal):
            self._resumable(journal)

    def _resumable(self, journal: Journal) -> tuple[Past, int]:
        """The run, and the last line that counts."""
        past = self._past(journal.run)
        if self.house is not None and past.begun.plan is not None:
            self.house().may_go_on(past.begun.plan, self.why.who)
        self._check_same("run", past.run, past.begun.content, past.begun.version, past.begun.estate)
        return past, past.resume_from()

    def settle(self, run: str, step: int, outcome: Literal["applied", "not-applied"], /) -> tuple[str, StepBegan]:
        """Keep a person's decision on a step that stayed unknown; `why` says whose, and the reason. Sends nothing.

        Gives the run's whole id and the step. Raises `BadParameter` where there is nothing to decide.
        """
        if not self.why.reason.strip():
            raise BadParameter("a decision needs its reason", next=('--reason "what was seen, and by whom"',))
        with self.refusals.opened("settle", run) as journal:
            open_ = unknown_steps(journal.entries)
            found = next((one for one in open_ if one.step == step), None)
            if found is None:
                known = "; ".join(f"step {one.step} on {one.host}: {one.what}" for one in open_)
                raise BadParameter(
                    f"step {step} of run {journal.run} is not unknown: there is nothing to decide",
                    certain=("nothing was sent",),
                    next=(f"unknown is {known}" if known else f"starover runs show {journal.run}",),
                )
            why = self.why
            entry = Settled(
                who=why.who,
                operation=found.operation,
                step=step,
                outcome=outcome,
                reason=self._redact.text(why.reason),
                ticket=why.ticket,
            )
            journal.append(self.clock.now(), entry)
            return journal.run, found

    def stop(self) -> None:
        """Once: end after the steps under way. Twice: end now. What Ctrl-C does; may be called from any thread.

        May also be called from a signal handler.
        """
        self._inbox.put(Stop())

    # -- inside --------------------------------------------------------------------------------------------------

    def _bound(self, runbook: str, parameters: Mapping[str, Plain]) -> Bound[object]:
        if runbook == UNDO:
            run = str(parameters.get("run", ""))
            bound, _ = undo_of(self._past(run))
            if dict(bound.parameters) != dict(parameters):
                raise PlanIsStale(
                    f"run {run} has gone on since its undo was planned",
                    certain=("nothing was sent",),
                    next=(f"starover undo {run}",),
                )
            return bound
        return self.content.runbook(runbook).bind(parameters, self.estate)

    def _past(self, run: str) -> Past:
        every = read_journal(self.folder, run)
        begun = every[0].body
        assert isinstance(begun, Begun)
        if begun.asked:
            raise BadParameter(f"run {run} was refused before it began: there is nothing to resume or undo")
        return Past(
            run=run,
            begun=begun,
            every=every,
            entries=kept(every),
            bound=self._bound(begun.runbook, begun.parameters),
            content=self.content,
            servers=self._servers,
        )

    def _check_same(self, what: str, name: str, content: str, version: str, estate: str) -> None:
        """Raises `PlanIsStale` and `BadParameter`."""
        if estate != self.estate.name:
            raise BadParameter(
                f"{what} {name} is for the estate {estate}; this inventory is {self.estate.name}",
                certain=("nothing was sent",),
            )
        if (content, version) != (self.content.sha256, starover.__version__):
            then = f"content {content[:12]}, starover {version}"
            now = f"content {self.content.sha256[:12]}, starover {starover.__version__}"
            raise PlanIsStale(
                f"{what} {name} was made with other runbooks or templates: {then}; here are {now}",
                certain=("nothing was sent",),
                next=("make a new plan, or use the content of then (--home)",),
            )

    def _run(self, run: str, key: str, bound: Bound[object], plan: Plan | None) -> Run:
        return Run(
            id=run,
            key=key,
            content=self.content,
            version=starover.__version__,
            bound=bound,
            estate=self.estate.name,
            lab=self.estate.lab,
            started=self.clock.now(),
            plan=plan,
            who=self.why.who,
            ticket=self.why.ticket,
            reason=self.why.reason,
            lease=scope_for(self.estate, plan) if plan is not None and self.leased else None,
            servers=self._servers,
        )

    def _leg(self, run: Run, journal: Journal, approve: Approver | None) -> Leg:
        self._inbox = SimpleQueue()

        def approval() -> Approval | None:
            given = approve(run.plan) if approve is not None and run.plan is not None else None
            if given is None or self.house is None or run.plan is None:
                return given
            return self.house().check(run.plan, given, self.clock.now())

        return Leg(
            run=run,
            steps=run.bound.start(),
            journal=journal,
            transport=self.transport,
            servers=self._servers,
            clock=self.clock,
            sinks=self.sinks,
            redact=self._redact,
            approve=approval,
            find=lambda find: find_in(self.folder, find, but=run.id),
            dead=lambda asked: is_dead(self.folder, asked.run, asked.key, but=run.id),
            inbox=self._inbox,
        )

    def _begin(self, leg: Leg) -> Result | None:
        """The first leg."""
        run = leg.run
        begun = Begun(
            run=run.id,
            key=run.key,
            runbook=run.bound.runbook,
            summary=run.bound.summary,
            parameters=dict(run.bound.parameters),
            content=run.content.sha256,
            version=run.version,
            estate=run.estate,
            lab=run.lab,
            who=run.who,
            ticket=run.ticket,
            reason=run.reason,
            plan=run.plan,
            former=leg.journal.former,
            signing=self.sign is not None,
            lease=run.lease,
        )
        leg.journal.append(run.started, begun)
        leg.replay(())
        return leg.live()

    def _ran(self, leg: Leg) -> Ran:
        result, plan, scope = leg.result, leg.run.plan, leg.run.lease
        assert plan is not None
        state: _State = "stopped"
        if result is not None:
            assert result.state != "planned"
            assert result.state != "looked"
            state = result.state
        unsigned = sign_head(leg.journal, self.sign)
        steps = tuple(leg.track.ended)
        stays = scope is not None and bool(leg.run.leased) and (result is None or leg.run.unsure())
        return Ran(
            run=leg.run.id,
            plan=plan,
            state=state,
            exit=result.exit if result is not None else 130 if leg.stops > 1 else 1,
            steps=steps,
            changed=sum(one.state in ("changed", "not-verified") for one in steps),
            error=result.error if result is not None else None,
            under_way=leg.track.words(),
            resumable=result is None or result.resume > 0,
            value=result.value if result is not None else None,
            journal=leg.journal.path,
            unsigned=unsigned,
            leased=scope.dag if scope is not None and stays else "",
            until=self.clock.now() + timedelta(seconds=LEASE_TTL + GRACE) if stays else None,
        )


def scope_for(estate: Estate, plan: Plan) -> Scope | None:
    """Who must grant the DAG's lease before the plan is applied; None: it touches no DAG. Raises `NotSafe`."""
    hosts = [step.host for step in plan.changes if not step.template.endswith(ENDING)]
    handled = [step.host for step in plan.changes if step.template.endswith(ENDING)]
    return scope_of(estate, plan.runbook, plan.parameters, hosts, handled, split=plan.risk is Risk.SPLIT)


def save_plan(folder: Path, plan: Plan) -> Saved:
    """Keep a plan in its file below the folder; what the journal says of it. Raises `Mistake`."""
    place = folder / "plans"
    data = write_plan(plan)
    try:
        durable.replace(place / f"{plan.id}.json", data, place / f"{plan.id}.{uuid4().hex}.new")
    except OSError as error:
        raise Mistake(
            f"plan {plan.id} cannot be kept in {place}: {error.strerror or error}",
            certain=("nothing was sent but reads",),
        ) from error
    return Saved(plan=plan.id, sha256=hashlib.sha256(data).hexdigest())
