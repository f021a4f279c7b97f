"""The unattended run of a job: may it begin, do it, keep what became of it, tell those who are told."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from starover import job_history as history
from starover.errors import Locked, OutsideWindow, StaroverError
from starover.jobs import COMMAND, Begin, Job, NotNow, decide, following, latest, missed
from starover.journal_lock import hold
from starover.redact import Redactor
from starover_cli.job_telling import tell
from starover_cli.refusing import refusals_kept
from starover_cli.room import Room
from starover_cli.views import json as machine
from starover_cli.views.head import next_block
from starover_cli.views.jobs import JobRow, Message, late_text, message_of
from starover_cli.views.text import day_time

if TYPE_CHECKING:
    from starover_cli.settings import Settings
    from starover_cli.views.runs import RunSummary

__all__ = ["perform", "row_of"]


def perform(settings: Settings, job: Job, now: datetime, *, by_hand: bool) -> int:
    """Run it if it may begin now. Gives the exit code of its run; 0 when it has run for its last time already.

    Raises `OutsideWindow` and `Locked` (exit 75).
    """
    state = settings.state
    lock = hold(history.lock_of(state, job.name))
    if lock is None:
        begun = history.under_way(history.read(state, job.name))
        history.append(state, job.name, history.Overlapped(at=now))
        since = f" since {day_time(begun.at, simulated=_lab(settings))}" if begun is not None else ""
        said = f"{job.name} is under way{since}. The second start did nothing.\n"
        _speak(settings, job, Message(subject=f"starover {job.name}: started while it is under way", body=said), 75)
        with _refusing(settings, job):
            raise Locked(
                f"{job.name} is under way{since}", certain=("this start did nothing",), next=("starover runs",)
            )
    with closing(lock):
        lines = history.read(state, job.name)
        cut = history.under_way(lines)
        if cut is not None:  # the lock is ours: whoever held it has died, and nobody else will tell of it
            _cut_off(settings, job, cut, now)
        decision = decide(job, now, history.past_of(lines), by_hand=by_hand)
        if isinstance(decision, NotNow):
            return _not_now(settings, job, decision, now) or int(cut is not None)
        return _begin(settings, job, decision, now)


def _cut_off(settings: Settings, job: Job, cut: history.Began, now: datetime) -> None:
    """Tell of a run that ended without a word, once, and close its line."""
    when = day_time(cut.at, simulated=_lab(settings))
    said = f"The run that began {when} was cut off: what it did is in its journal, and nothing is sent again by itself."
    following = [("starover runs", "which run it was"), ("starover resume RUN", "goes on with it")]
    message = Message(subject=f"starover {job.name}: CUT OFF", body=f"{said}\n\n{next_block(following)}\n")
    told = _speak(settings, job, message, 1)
    history.append(
        settings.state,
        job.name,
        history.Ended(at=now, due=cut.due, exit=1, subject=message.subject, told=told),
    )


def _not_now(settings: Settings, job: Job, decision: NotNow, now: datetime) -> int:
    if decision.missed:
        history.append(settings.state, job.name, history.Missed(at=now, due=tuple(decision.missed)))
        said = " ".join([f"It did not run: {decision.why}.", *late_text(now - now, decision.missed, job)])
        _speak(settings, job, Message(subject=f"starover {job.name}: MISSED", body=f"{said}\n"), 75)
    coming = (
        "" if decision.following is None else f"; due next {decision.following.astimezone(job.zone):%a %d %b %H:%M %Z}"
    )
    if decision.done:
        if settings.json:
            settings.console.raw(machine.line({"job": job.name, "exit": 0, "why": decision.why}))
        settings.console.note(f"{job.name}: {decision.why}{coming}. Nothing was done.")
        return 0
    with _refusing(settings, job):
        raise OutsideWindow(
            f"{job.name} does not begin: {decision.why}{coming}",
            certain=("nothing was sent",),
            next=(*(() if decision.closed else (f"starover job run {job.name} --now",)), "starover job list"),
        )


@contextmanager
def _refusing(settings: Settings, job: Job) -> Generator[None]:
    """A start that comes to nothing stands in the journal too."""
    own = _own(settings, job)
    with Room(own, own.parts) as room, refusals_kept(room, f"job {job.name}", runbook=job.runbook):
        yield


def _own(settings: Settings, job: Job) -> Settings:
    return replace(settings, dag=job.dag or settings.dag, ticket=job.ticket, reason=job.reason, by=job.who)


def _begin(settings: Settings, job: Job, decision: Begin, now: datetime) -> int:
    own = _own(settings, job)

    def masked() -> Sequence[str]:  # they are known only when the run has a transport
        return own.secrets()

    settings.secrets = masked
    before = set(_runs(settings.state))
    if decision.missed:
        history.append(settings.state, job.name, history.Missed(at=now, due=tuple(decision.missed)))
    late = decision.late.total_seconds()
    history.append(settings.state, job.name, history.Began(at=now, due=decision.due, late=late))
    if settings.json:
        began = {"job": job.name, "runbook": job.runbook, "due": decision.due, "late_s": late, "at": now}
        settings.console.raw(machine.line(began))
    remarks = late_text(decision.late, decision.missed, job)
    failed: StaroverError | None = None
    code = 1
    try:
        code = _do(own, job)
    except StaroverError as error:
        failed, code = Redactor(masked).error(error), error.exit
    except KeyboardInterrupt:
        code = 130
        raise
    finally:  # a bug of ours is told too, by its exit code
        run = _run_of(settings, job, before)
        message = message_of(
            job, code, run=run, mounted=_mounted(own, run), error=failed, remarks=remarks, width=settings.console.width
        )
        told = _speak(settings, job, message, code)
        end = _now(own) or now
        history.append(
            settings.state,
            job.name,
            history.Ended(
                at=end,
                due=decision.due,
                exit=code,
                run=run.run if run is not None else "",
                subject=message.subject,
                told=told,
            ),
        )
    if failed is not None:
        raise failed
    return code


def _do(own: Settings, job: Job) -> int:
    if job.runbook == COMMAND:
        from starover_cli.cmd_drill import check_drill, drill, drill_words

        with Room(own, own.parts) as room:
            check_drill(room, job.parameters)
        return int(drill.main(drill_words(job.parameters), COMMAND, standalone_mode=False, obj=own) or 0)
    from starover_cli.cmd_do import perform_runbook
    from starover_cli.job_files import bound

    with Room(own, own.parts) as room:
        runbook, values = bound(room, job)
    return perform_runbook(own, runbook, values, exit_code=True, yes=True, experimental=job.experimental)


def _speak(settings: Settings, job: Job, message: Message, code: int) -> tuple[str, ...]:
    """Tell everybody who is to be told of this, and the log. Gives who could not be."""
    mask = Redactor(settings.secrets).text  # what a host said may come into an error by ways that no engine has seen
    message = Message(subject=mask(message.subject), body=mask(message.body))
    wanted = job.tell if job.when == "always" or code else ()
    deaf = tuple(mask(one) for one in tell(wanted, message.subject, message.body, code))
    if settings.json:
        said = {"job": job.name, "exit": code, "subject": message.subject, "message": message.body, "not_told": deaf}
        settings.console.raw(machine.line(said))
    else:
        settings.console.result(f"\n{message.subject}\n{message.body}")
    for one in deaf:
        settings.console.note(f"! could not be told: {one}")
    return deaf


# -- looking -----------------------------------------------------------------------------------------------------------


def row_of(state: Path, job: Job, now: datetime) -> JobRow:
    """A job for the list, from what is kept of it."""
    lines = history.read(state, job.name)
    past = history.past_of(lines)
    open_ = history.under_way(lines)
    ended = [one for one in lines if isinstance(one, history.Ended)]
    last = "never ran"
    if open_ is not None:
        held = hold(history.lock_of(state, job.name))
        word = "under way" if held is None else "cut off"
        last = f"{word}, begun {open_.at.astimezone(job.zone):%a %d %b %H:%M}"
        if held is not None:
            held.close()
    elif ended:
        state_of = ended[-1].subject.partition(": ")[2] or str(ended[-1].exit)
        last = f"{state_of}, {ended[-1].at.astimezone(job.zone):%a %d %b %H:%M}"
    due = latest(job, now)
    gone = missed(job, past.since, now) if past.since is not None and due is not None else []
    return JobRow(job=job, following=following(job, now), last=last, missed=len(gone))


def _runs(state: Path) -> list[str]:
    from starover.journal import run_ids

    return run_ids(state)


def _run_of(settings: Settings, job: Job, before: set[str]) -> RunSummary | None:
    """The run that the job came to: of those begun since, by it; a plan alone is none."""
    from starover.journal import read_journal
    from starover_cli.views.runs import summary_of

    found: list[RunSummary] = []
    for run in _runs(settings.state):
        if run in before:
            continue
        with suppress(StaroverError, OSError):
            one = summary_of(run, read_journal(settings.state, run))
            if one is not None and one.who == job.who and one.runbook == job.runbook:
                found.append(one)
    found.sort(key=lambda one: (not one.planning, one.begun))
    return found[-1] if found else None


def _mounted(own: Settings, run: RunSummary | None) -> tuple[int, Sequence[str]] | None:
    """Whether mail is up after the run, as the look after it has it; None: nobody looked."""
    from starover_cli.look import dag_map
    from starover_cli.run_report import gather

    if run is None:
        return None
    with suppress(StaroverError), Room(own, own.parts) as room:
        after = [look for look in gather(own.state, run.run).looks if look.at >= run.last]
        dag = room.dag_of() if after else None
        if dag is not None:
            rows = dag_map(after[-1].facts, room.estate, dag, after[-1].at).databases
            return len(rows), [row.name for row in rows if row.mounted is False]
    return None


def _now(own: Settings) -> datetime | None:
    with suppress(StaroverError), Room(own, own.parts) as room:
        return room.clock.now()
    return None


def _lab(settings: Settings) -> bool:
    with suppress(StaroverError), Room(settings, settings.parts) as room:
        return room.estate.lab
    return False
