"""Those whom a job tells are told by the worker that ended its run; a sink, which decides nothing about runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from starover import job_history as history
from starover.errors import StaroverError
from starover.events import RunBegan, RunEnded, Told

if TYPE_CHECKING:
    from starover.jobs import Job
    from starover_cli.settings import Settings
    from starover_cli.views.runs import RunSummary

__all__ = ["JobWords"]

JOB = "job:"
"""What `who` begins with, of a run that a job had begun."""


class JobWords:
    """Hears of every run; when one of a job is over, its message goes out, and its line is kept for `job list`."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """`folder`: where the job files lie."""
        self._settings = settings
        self._folder = folder
        self._runs: dict[str, tuple[str, bool]] = {}
        """Who began those that began here, and whether they apply a plan."""
        self._lock = threading.Lock()
        self._speaking: list[threading.Thread] = []

    def tell(self, told: Told, /) -> None:
        """Take one event."""
        event = told.event
        if isinstance(event, RunBegan):
            self._runs[told.run] = event.who, event.mode == "apply"
        elif isinstance(event, RunEnded):
            known = self._runs.pop(told.run, None)
            if known is None or known[0].startswith(JOB):
                self._speak_of(self._over, told, event, known)

    def unbegun(self, who: str, error: StaroverError, at: datetime) -> None:
        """A start came to no run: the DAG was busy, the window closed, the worker of another version."""
        if who.startswith(JOB):
            self._speak_of(self._nothing, who.removeprefix(JOB), error, at)

    def close(self) -> None:
        """Wait for messages that are on their way; each has its own time."""
        for thread in self._speaking:
            thread.join()
        self._speaking.clear()

    def _speak_of(self, work: Callable[..., None], *about: object) -> None:
        """In a thread of its own: a relay may be slow, and the run's last line is on its way to the disk."""
        thread = threading.Thread(target=work, args=about, daemon=True)
        with self._lock:
            self._speaking = [one for one in self._speaking if one.is_alive()]
            self._speaking.append(thread)
            thread.start()

    def _over(self, told: Told, event: RunEnded, known: tuple[str, bool] | None) -> None:
        from starover_cli.job_files import load_job

        with suppress(StaroverError, OSError):
            who, applies = known or self._begun(told.run)
            if who.startswith(JOB) and (applies or event.exit or event.state != "planned"):  # else it is still to come
                self._ran(load_job(self._folder, who.removeprefix(JOB)), told, event.exit)

    def _begun(self, run: str) -> tuple[str, bool]:
        """Of a run that began at another worker: that one is gone, or slow."""
        from starover.journal import Begun, read_journal

        first = read_journal(self._settings.state, run)[0].body
        return (first.who, first.plan is not None) if isinstance(first, Begun) else ("", False)

    def _nothing(self, name: str, error: StaroverError, at: datetime) -> None:
        from starover_cli.job_files import load_job

        with suppress(StaroverError, OSError):
            self._speak(load_job(self._folder, name), at, at, error.exit, error=error)

    def _ran(self, job: Job, told: Told, code: int) -> None:
        from starover.journal import read_journal
        from starover_cli.views.runs import summary_of

        run = summary_of(told.run, read_journal(self._settings.state, told.run))
        self._speak(job, run.begun if run is not None else told.at, told.at, code, run=run)

    def _speak(
        self,
        job: Job,
        began: datetime,
        ended: datetime,
        code: int,
        *,
        run: RunSummary | None = None,
        error: StaroverError | None = None,
    ) -> None:
        from starover import jobs
        from starover_cli.job_telling import tell
        from starover_cli.views.jobs import late_text, message_of

        state = self._settings.state
        past = history.past_of(history.read(state, job.name))
        due = jobs.latest(job, began)
        if past.last_due is not None and due is not None and due <= past.last_due:
            due = None  # somebody triggered it
        lost = jobs.missed(job, past.since, due) if past.since is not None and due is not None else []
        if lost:
            history.append(state, job.name, history.Missed(at=began, due=tuple(lost)))
        message = message_of(
            job,
            code,
            run=run,
            mounted=None,
            error=error,
            remarks=late_text(timedelta(0), lost, job),
            width=self._settings.console.width,
        )
        wanted = job.tell if job.when == "always" or code or lost else ()
        deaf = tell(wanted, message.subject, message.body, code)
        history.append(state, job.name, history.Began(at=began, due=due))
        kept = history.Ended(
            at=ended,
            due=due,
            exit=code,
            run=run.run if run is not None else "",
            subject=message.subject,
            told=deaf,
        )
        history.append(state, job.name, kept)
        for one in deaf:
            self._settings.console.note(f"! {job.name}: could not be told: {one}")
