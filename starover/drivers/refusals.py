"""What was refused before anything began: a run of its own in the journal, which ends as it begins; sends nothing.

A refusal within a run, or of going on with one, stands in that run's journal; this is for all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import starover
from starover.clock import Clock
from starover.effects import Record, digest_of
from starover.errors import Fault, Locked, Refused, StaroverError
from starover.estate import Estate
from starover.events import Event, RunBegan, RunEnded
from starover.journal import Begun, Declined, Journal, Recorded, read_journal, resolve, run_ids
from starover.journal_heads import sign_head
from starover.plan import Plan
from starover.redact import Redactor
from starover.runbook import Content
from starover.values import Plain

__all__ = ["Refusals", "Why", "keep_refusal", "kept_by"]


@dataclass(frozen=True, kw_only=True)
class Why:
    """Who does it and what for, as the journal keeps it."""

    who: str
    ticket: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """Keeps what is refused to somebody in one estate."""

    folder: Path
    clock: Clock
    why: Why
    estate: Estate
    content: Content
    redact: Redactor
    sign: Callable[[bytes], bytes] | None = None

    def keep(
        self,
        asked: str,
        refused: StaroverError,
        plan: Plan | None = None,
        runbook: str = "",
        parameters: Mapping[str, Plain] | None = None,
    ) -> str:
        """Keep what was refused before it was a run; gives the id of the run that says so. As `keep_refusal`."""
        why = self.why
        return keep_refusal(
            self.folder,
            self.clock.now(),
            self.redact.fault(Fault.of(refused)),
            asked=self.redact.text(asked),
            who=why.who,
            estate=self.estate.name,
            lab=self.estate.lab,
            content=self.content.sha256,
            exit=refused.exit,
            plan=plan,
            runbook=runbook,
            parameters=parameters,
            ticket=why.ticket,
            reason=self.redact.text(why.reason),
            sign=self.sign,
        )

    @contextmanager
    def kept(
        self, asked: str, plan: Plan | None = None, runbook: str = "", parameters: Mapping[str, Plain] | None = None
    ) -> Generator[None]:
        """What is refused in here, before it was a run, is kept as one."""
        try:
            yield
        except Refused as refused:
            kept_by(refused, lambda error: self.keep(asked, error, plan, runbook, parameters))
            raise

    @contextmanager
    def declining(self, journal: Journal) -> Generator[None]:
        """What is refused in here is kept in the journal of the run that was to go on."""
        try:
            yield
        except Refused as refused:
            begun, why = journal.entries[0].body, self.why
            if isinstance(begun, Begun) and begun.plan is not None:  # else it was a look
                fault = self.redact.fault(Fault.of(refused))
                declined = Declined(who=why.who, fault=fault, ticket=why.ticket, reason=self.redact.text(why.reason))
                journal.append(self.clock.now(), declined)
            raise

    def opened(self, asked: str, run: str) -> Journal:
        """The journal of a run (its id, or what `resolve` takes), to write to it.

        That somebody else has it open is kept beside it. Raises what `Journal.open` raises.
        """
        run = resolve(run, run_ids(self.folder), "run")
        try:
            return Journal.open(self.folder, run)
        except Locked as locked:
            begun = read_journal(self.folder, run)[0].body
            if isinstance(begun, Begun):
                kept_by(
                    locked,
                    lambda error: self.keep(f"{asked} {run}", error, begun.plan, begun.runbook, begun.parameters),
                )
            raise


def kept_by(refused: StaroverError, keep: Callable[[StaroverError], str]) -> None:
    """Keep a refusal, and say in it where; who is refused stays refused where that cannot be written down."""
    try:
        run = keep(refused)
    except StaroverError as error:
        refused.uncertain = (*refused.uncertain, f"the refusal is not in the journal: {error.what}")
    else:
        refused.certain = (*refused.certain, f"the refusal is in the journal: run {run}")


def keep_refusal(
    folder: Path,
    at: datetime,
    fault: Fault,
    *,
    asked: str,
    who: str,
    estate: str,
    lab: bool,
    content: str = "",
    exit: int = 4,  # noqa: A002 - as everywhere
    plan: Plan | None = None,
    runbook: str = "",
    parameters: Mapping[str, Plain] | None = None,
    ticket: str = "",
    reason: str = "",
    key: str = "",
    sign: Callable[[bytes], bytes] | None = None,
) -> str:
    """Keep who asked for what, and why not; gives the id of the run that says so. `fault` holds no secret any more.

    `asked`: what was to be done, as it is typed (`apply`, `approve`); `plan`: with what, else `runbook`; `content`: the
    SHA-256 of the runbooks here. `key`: a UUID, where the same refusal may be kept twice. Raises what a journal raises
    that cannot be begun.
    """
    key = key or str(uuid4())
    runbook = plan.runbook if plan is not None else runbook or asked.split()[0]
    mine = plan.id if plan is not None else ""
    with Journal.create(folder, key[:8]) as journal:  # the numbers behind a plan's id are those of its runs
        begun = Begun(
            run=journal.run,
            key=key,
            runbook=runbook,
            summary=plan.summary if plan is not None else "",
            parameters=dict(plan.parameters if plan is not None else parameters or {}),
            content=content,
            version=starover.__version__,
            estate=estate,
            lab=lab,
            who=who,
            ticket=ticket,
            reason=reason,
            plan=plan,
            former=journal.former,
            signing=sign is not None,
            asked=asked,
        )
        began = RunBegan(
            runbook=runbook,
            mode="apply" if plan is not None else "plan",
            plan=mine,
            who=who,
            ticket=ticket,
            reason=reason,
        )
        events: tuple[Event, ...] = (began, RunEnded(state="refused", exit=exit, fault=fault))
        records = [
            Recorded(number=number, digest=digest_of(Record(event=event)), event=event)
            for number, event in enumerate(events, 1)
        ]
        journal.append(at, begun, *records)
        sign_head(journal, sign)
        return journal.run
