"""What has no certificate asks before it changes anything on LIVE; on a lab, and of gold runbooks, nobody asks."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from inner_cli import typed
from inner_lab import InnerLab

from starover.jobs import read_job
from starover.journal import run_ids

GOLD = ("run", "copies-suspend", "--db", "DB01", "--server", "EX3", "--mode", "full", "--yes")
ROUGH = ("run", "pam-move", "--to", "EX4")


def writes(lab: InnerLab) -> int:
    return sum(script.mutates for script in lab.transport.sent)


def test_live_asks_and_a_flag_answers(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.estate = msgspec.structs.replace(lab.estate, lab=False)
        refused = typed(lab, *ROUGH, "--yes")
        assert refused.exit_code == 2
        assert "pam-move is experimental" in refused.stderr
        assert "--experimental" in refused.stderr
        assert writes(lab) == 0
        assert "the refusal is in the journal: run" in flat(refused.stderr)
        agreed = typed(lab, *ROUGH, "--yes", "--experimental")
        assert agreed.exit_code == 0
        (plan,) = {file.stem for file in (tmp_path / "plans").glob("*.json")}
        shown = flat(typed(lab, "runs", "show", f"{plan}.1").stdout)
        assert "waived pam-move is experimental: used on LIVE without a certificate" in shown
        moved = writes(lab)
        assert moved > 0
        back = [typed(lab, "undo", run, "--yes") for run in run_ids(lab.folder)]
        assert 0 in [one.exit_code for one in back], "the way back does not ask"
        assert not [one for one in back if "experimental" in one.stderr]
        moved = writes(lab)
        assert typed(lab, *GOLD).exit_code == 0, "a gold runbook does not ask"
        assert writes(lab) > moved
        assert typed(lab, "run", "quorum-report").exit_code in (0, 1), "what only looks does not, either"


def test_every_page_says_so(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        for line, rough in ((("pam-move", "--to", "EX4"), True), (GOLD[1:-1], False)):
            wanted = f"none: {line[0]} is experimental"
            shown = typed(lab, "plan", *line)
            assert (wanted in flat(shown.stdout)) is rough, shown.stdout
            (plan,) = {file.stem for file in (tmp_path / "plans").glob("*.json")}
            data = json.loads(typed(lab, "--format", "json", "plans", "show", plan).stdout)
            assert ("certificate" in data) is rough
            assert typed(lab, "apply", plan, "--yes").exit_code == 0
            page = tmp_path / "page.html"
            assert typed(lab, "report", f"{plan}.1", "--html", str(page)).exit_code == 0
            told = [typed(lab, *words, f"{plan}.1").stdout for words in (("runs", "show"), ("report",))]
            for text in (page.read_text(), *told):
                assert (wanted in flat(text)) is rough
            (tmp_path / "plans" / f"{plan}.json").unlink()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_lab_never_asks(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        assert typed(lab, *ROUGH, "--yes").exit_code == 0
        assert writes(lab) > 0


@pytest.mark.parametrize(("line", "wanted"), [("", False), ("experimental: true\n", True)])
def test_a_job_says_so_in_its_file(line: str, wanted: bool) -> None:
    job = read_job(f"runbook: pam-move\nschedule: 0 22 * * 6\n{line}", "move", "jobs/move.yaml")
    assert job.experimental is wanted
