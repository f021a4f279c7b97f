"""Warnings of a grave run that a person has to acknowledge: which they are, which are open; prints and asks nothing.

The catalogue wants it of force-quorum: every step's warnings are kept and must be acknowledged at the end. It goes for
every run whose plan may split the brain (risk X). What is acknowledged stands in the run's journal, with who and how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from starover.changes import Risk
from starover.clock import Clock
from starover.errors import BadParameter
from starover.events import Looked, StepEnded
from starover.journal import Acknowledged, Begun, Entry, Journal, Recorded, Warned, kept, read_journal, resolve, run_ids
from starover.journal_heads import sign_head
from starover.runbook import Findings

__all__ = ["acknowledge", "acknowledged", "open_warnings", "warnings_of"]


def warnings_of(entries: Sequence[Entry]) -> tuple[Warned, ...]:
    """Every warning of a run that asks for acknowledgement.

    PowerShell's, what guards warned of in its plan, and what its report finds wrong (step 0).
    """
    begun = entries[0].body if entries else None
    if not isinstance(begun, Begun) or begun.plan is None or begun.plan.risk is not Risk.SPLIT:
        return ()
    return tuple(dict.fromkeys(_all(kept(entries), begun)))


def _all(entries: Sequence[Entry], begun: Begun) -> Iterator[Warned]:
    planned = {step.position: step.change.warning for step in begun.plan.steps if step.change} if begun.plan else {}
    for entry in entries:
        event = entry.body.event if isinstance(entry.body, Recorded) else None
        if isinstance(event, Looked):
            yield from _found(bytes(event.report))
        if not isinstance(event, StepEnded):
            continue
        if event.state != "right" and planned.get(event.position):
            yield Warned(step=event.step, host=event.host, text=_line(planned[event.position]))
        for text in event.warnings:
            yield Warned(step=event.step, host=event.host, text=_line(text))


def _found(report: bytes) -> Iterator[Warned]:
    try:
        findings = msgspec.json.decode(report, type=Findings).findings
    except msgspec.MsgspecError:
        return  # a report without findings
    for one in findings:
        if one.level in ("warn", "fail"):
            yield Warned(step=0, host=one.on, text=_line(f"{one.check}: {one.says}"))


def _line(text: str) -> str:
    return " ".join(text.split())


def acknowledged(entries: Sequence[Entry]) -> tuple[tuple[Entry, Acknowledged], ...]:
    """Who has acknowledged what, and when."""
    return tuple((entry, entry.body) for entry in entries if isinstance(entry.body, Acknowledged))


def open_warnings(entries: Sequence[Entry]) -> tuple[Warned, ...]:
    """What nobody has acknowledged yet."""
    done = {one for _, body in acknowledged(entries) for one in body.warnings}
    return tuple(one for one in warnings_of(entries) if one not in done)


def acknowledge(
    folder: Path,
    run: str,
    who: str,
    how: str,
    clock: Clock,
    *,
    ticket: str = "",
    sign: Callable[[bytes], bytes] | None = None,
) -> tuple[str, tuple[Warned, ...]]:
    """Keep in a run's journal that somebody has read its open warnings; the run's whole id, and what they were.

    Raises `BadParameter` where nothing is open.
    """
    name = resolve(run, run_ids(folder), "run")
    wanted = open_warnings(read_journal(folder, name))
    if not wanted:
        raise BadParameter(
            f"run {name} has no warning that waits for anybody",
            certain=("nothing was kept",),
            next=(f"starover runs show {name}",),
        )
    with Journal.open(folder, name) as journal:
        journal.append(clock.now(), Acknowledged(who=who, warnings=wanted, how=how, ticket=ticket))
        sign_head(journal, sign)
    return name, wanted
