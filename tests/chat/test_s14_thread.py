"""S14 from a thread is the run that it is by hand: the same journal but for ids, times and who; `make test-all`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from chat.chat_bot import ANNA, POLICY, bot
from chat.slack_stand_in import StandIn
from inner_cli import typed
from inner_lab import InnerLab

from starover.journal import Begun, Recorded, Sent, read_journal, run_ids

pytestmark = pytest.mark.skipif("STAROVER_STORIES" not in os.environ, reason="takes half a minute: make test-all")
BOOK = "rolling-windows-update"


def shape(folder: Path, who: str) -> list[tuple[Counter[str], dict[str, list[str]]]]:
    """What was sent to whom, and what became of each step, run by run. Hosts may answer in any order."""
    found: list[tuple[Counter[str], dict[str, list[str]]]] = []
    for run in run_ids(folder):
        entries = read_journal(folder, run)
        assert isinstance(entries[0].body, Begun)
        if entries[0].body.runbook != BOOK:
            continue
        assert (entries[0].body.who == who) is bool(who == f"slack:{ANNA}")
        sent: Counter[str] = Counter()
        steps: dict[str, list[str]] = {}
        for entry in entries:
            if isinstance(entry.body, Sent):
                sent[f"{entry.body.host} {entry.body.what}"] += 1
            elif isinstance(entry.body, Recorded):
                step = getattr(entry.body.event, "step", None)
                steps.setdefault(str(step), []).append(type(entry.body.event).__name__)
            else:
                sent[type(entry.body).__name__] += 1
        found.append((sent, steps))
    return sorted(found, key=lambda one: sum(one[0].values()))


def test_s14_from_a_thread(tmp_path: Path) -> None:
    shapes = []
    for which in ("thread", "hand"):
        folder = tmp_path / which
        folder.mkdir()
        with InnerLab("pa-4x2", folder) as lab:
            if which == "hand":
                result = typed(lab, "run", BOOK, "--witness", "last", "--yes")
                assert result.exit_code == 0, result.output[-3000:]
            else:
                policy = POLICY.replace("S: {by: [operators], second: true, approved_by: [approvers]}", "S: {}")
                with StandIn() as slack, bot(slack, lab, policy) as desk:
                    slack.type(ANNA, f"plan {BOOK} —witness last")
                    card = slack.message(BOOK, "[Apply]")
                    slack.press(ANNA, card, "Apply")
                    desk.wait()
                    told = slack.message(f"ok  {BOOK}: done", thread=True)
                    assert len(told.versions) > 20, "it was followed"
        shapes.append(shape(folder, f"slack:{ANNA}" if which == "thread" else "x"))
    assert shapes[0] == shapes[1]
