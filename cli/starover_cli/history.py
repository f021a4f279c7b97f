"""Reads the journals of a state's folder for lists, pages and reasons; writes nothing, contacts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from starover.errors import StaroverError
from starover_cli.views.text import clock_time

if TYPE_CHECKING:
    from starover.plan import Plan
    from starover_cli.views.runs import RunSummary

__all__ = ["done_by", "summaries"]

LOOK_BACK = 200
"""How many of the latest runs are looked at for a reason."""


def summaries(folder: Path) -> tuple[list[RunSummary], list[str]]:
    """Every run, by when it began, and the ids of those whose journal cannot be trusted."""
    from starover.journal import run_ids

    broken: list[str] = []
    found = list(_read(folder, run_ids(folder), broken))
    return sorted(found, key=lambda one: one.begun), broken


def _read(folder: Path, runs: list[str], broken: list[str]) -> Iterator[RunSummary]:
    from starover.journal import at_work, path_of, read_journal
    from starover_cli.views.runs import summary_of

    for run in runs:
        file = path_of(folder, run)
        if file.is_file() and file.stat().st_size == 0:
            continue  # it ended before its first line: nothing was done, and nothing is to be told
        try:
            one = summary_of(run, read_journal(folder, run))
            if one is not None and one.ended is None:
                one = replace(one, at_work=at_work(folder, run))
        except StaroverError:
            one = None
        if one is None:
            broken.append(run)
        else:
            yield one


def done_by(folder: Path, plan: Plan) -> str:
    """`, by run 4c1e77b0.1 at 14:00:33` for a plan whose one step was brought about by a run kept here; else empty."""
    from starover.journal import path_of, run_ids
    from starover_cli.views.plan import subject

    if not plan.nothing or len(plan.steps) != 1:
        return ""
    (step,) = plan.steps
    files = [(path_of(folder, run), run) for run in run_ids(folder)]
    latest = sorted((file.stat().st_mtime, run) for file, run in files if file.exists())[-LOOK_BACK:]
    about = [
        (row.ended, row.kind, one)
        for one in _read(folder, [run for _, run in latest], [])
        if one.plan is not None and one.estate == plan.estate
        for row in one.rows.values()
        if row.mark == "ok" and row.what == subject(step) and row.ended is not None
    ]
    if not about:
        return ""
    ended, kind, one = max(about, key=lambda found: found[0])
    return f", by run {one.run} at {clock_time(ended, simulated=one.lab)}" if kind == step.kind else ""
