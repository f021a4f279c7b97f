"""The bot as a process, killed in the middle of a run over real wires, and started anew; `make test-all`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chat.chat_bot import ALONE, ANNA
from chat.slack_stand_in import APP_TOKEN, BOT_TOKEN, StandIn
from lab_cli import Place, lab

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif("STAROVER_STORIES" not in os.environ, reason="starts a lab and two bots: make test-all"),
]


@contextmanager
def process(place: Place, slack: StandIn, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`starover-bot`, connected; killed at the end."""
    words = ["--inventory", ".starover/lab/inventory.yaml", "--api", slack.api, "--bot-token", "env:THE_BOT"]
    with log.open("ab") as out:
        bot = subprocess.Popen(
            [sys.executable, "-m", "starover_bot", *words],
            cwd=place.folder,
            env={**os.environ, "THE_BOT": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        slack.link()
        yield bot
    finally:
        bot.kill()
        bot.wait(30)
        slack.until(lambda: not slack._links, "the line is still there")


def test_killed_in_the_middle_it_tells_the_truth_and_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "bot.log"
    with lab(tmp_path, "pa-4x2", quick=True) as place, StandIn() as slack:
        (place.folder / ".starover" / "lab" / "policy.yaml").write_text(ALONE, "utf-8")
        with process(place, slack, log):
            slack.type(ANNA, "plan maintenance-start —server EX1 —redirect-to EX2")
            card = slack.message("maintenance-start", "[Apply]")
            slack.press(ANNA, card, "Apply")
            running = slack.message("1  ok", thread=True)
        before = running.text
        assert before.startswith(">"), f"it was too quick to be killed\n{before}"
        with process(place, slack, log):
            slack.until(lambda: running.text.startswith("?  maintenance-start: Interrupted"), "it does not say so")
            slack.press(ANNA, running, "Resume")
            slack.until(lambda: running.text.startswith("ok  maintenance-start: done"), "it did not go on")
        done = [(one["cmdlet"], str(one["parameters"])) for one in place.state()["audit"]]
        assert len(done) == len(set(done)) > 2, "each once"
    assert BOT_TOKEN not in log.read_text()
