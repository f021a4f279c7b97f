"""The first command on a bad day over the real wires, while half of the hosts are silent: facts as they come, a verdict
that waits for nobody who is gone, and a plan that is saved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab_cli import lab

pytestmark = pytest.mark.wire


def test_assess_is_quick_although_half_of_the_hosts_are_silent(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2-fsw1") as place:
        place.within("lab", "clock", "--advance", "1h")
        place.ok("lab", "break", "az", "1a")
        place.within("lab", "clock", "--advance", "6m")
        typed = place.type("assess", "--ticket", "INC1")
        assert typed.code == 0, typed.words
        told = typed.err.splitlines()
        answered = [at for at, line in enumerate(told) if " answered after " in line]
        silent = [at for at, line in enumerate(told) if re.match(r" *(EX1|EX2|DC1|FSW1): ", line)]
        assert len(answered) >= 4, typed.err
        assert len(silent) == 4, typed.err
        assert max(answered[:4]) < min(silent), "who answers is told at once, whoever else is waited for"
        waited = [float(found[1]) for line in told if (found := re.search(r"\((\d+\.\d) s\)$", line))]
        assert waited, typed.err
        assert max(waited) < 10, "nobody who is gone costs more than that"
        assert "MAIL IS DOWN" in typed.out
        (plan,) = re.findall(r"^plan +([0-9a-f]{8}) +force-quorum", typed.out, re.MULTILINE)
        assert (tmp_path / ".starover" / "plans" / f"{plan}.json").is_file(), "it can be approved and applied"
        assert f"starover apply {plan}" in typed.out
        assert place.writes() == []
