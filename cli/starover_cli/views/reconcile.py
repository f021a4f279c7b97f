"""What was brought home from another folder, what was not, and what a person should read now. Data in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from starover.command_line import word
from starover.reconcile import Reconciled
from starover_cli.views.head import next_block
from starover_cli.views.runs import RunSummary
from starover_cli.views.text import day_time, plural, table, wrap

__all__ = ["reconciled_data", "reconciled_text"]


def reconciled_text(
    done: Reconciled, runs: Sequence[RunSummary], more: Sequence[str], unasked: Sequence[str], width: int = 100
) -> str:
    """The verdict, the runs that came, and every warning.

    `runs`: those that came, without plannings; `more`: other warnings; `unasked`: what nobody could check.
    """
    source = done.source.as_posix()
    records = sum(one.records for one in done.took)
    if done.took:
        verdict = f"Brought home from {source}: {plural(len(done.took), 'run')} with {plural(records, 'record')}."
    elif done.not_taken:
        verdict = f"Nothing was brought home from {source}."
    else:
        verdict = f"Nothing new in {source}: {plural(len(done.here), 'run')} of it are here already, as they are there."
    blocks = [wrap(verdict, width)]
    rows = [
        ("", day_time(one.begun, simulated=one.lab), one.run, one.runbook, one.who, one.result,
         f"changed {one.changed}") for one in runs
    ]  # fmt: skip
    blocks.append(table(rows))
    blocks.append(
        [
            part
            for one in done.not_taken
            for part in wrap(f"{'!' if one.refused else '.'} {one.run} was not taken: {one.why}", width, " " * 4)
        ]
    )
    blocks.append([part for line in (*_overlaps(done), *more) for part in wrap(f"! {line}", width, " " * 4)])
    blocks.append([part for line in _seen(done, unasked) for part in wrap(f"  {line}", width, " " * 4)])
    blocks.append([next_block(_next(done, runs))])
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _overlaps(done: Reconciled) -> list[str]:
    said: list[str] = []
    for one in done.overlaps:
        end = "" if one.other_over else ", which is not over"
        since = f"{one.start:%d %b %H:%M} UTC"
        said.append(f"{one.run} and {one.other}{end} were at {one.dag} at the same time, from {since} on")
    return said


def _seen(done: Reconciled, unasked: Sequence[str]) -> list[str]:
    signed = [f"signed by {who}: {plural(times, 'run')}" for who, times in sorted(done.checked.signed.items())]
    open_ = [one.run for one in done.took if not one.over]
    going = [f"{run} is not over: go on with it in one place only" for run in open_]
    return [*signed, *going, *(f"not checked: {one}" for one in (*done.checked.unchecked, *unasked))]


def _next(done: Reconciled, runs: Sequence[RunSummary]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    if done.refused:
        source = word(done.source.as_posix())
        lines.append((f"starover --dir {source} audit verify", "what is wrong there; keep that folder as it is"))
    if runs:
        lines.append((f"starover report {runs[-1].run}", "what was done, to be read by somebody else"))
    if done.overlaps:
        lines.append(("starover status", "how the DAG is now"))
    return [*lines, ("starover audit verify", "the whole record, with what came")][:3]


def reconciled_data(done: Reconciled, more: Sequence[str], unasked: Sequence[str]) -> dict[str, object]:
    """The same for a machine."""
    return {
        "source": done.source.as_posix(),
        "took": done.took,
        "here": done.here,
        "not_taken": done.not_taken,
        "plans": done.plans,
        "overlaps": done.overlaps,
        "warnings": list(more),
        "signed": dict(done.checked.signed),
        "unchecked": [*done.checked.unchecked, *unasked],
        "exit": 4 if done.refused else 0,
    }
