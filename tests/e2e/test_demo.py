"""`make demo` as it is: it ends well, mail comes back by three commands, its page is kept, nothing runs on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lab_cli import QUICK
from starover_cli import demo


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "STAROVER", (sys.executable, "-c", QUICK))


def _first(scenes: list[str], words: str) -> int:
    return next(number for number, scene in enumerate(scenes) if words in scene)


@pytest.mark.wire
def test_the_whole_story(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = demo.main()
    told = capfd.readouterr()
    assert code == 0, told.out[-3000:] + told.err[-3000:]
    scenes = told.out.split("\n# ")[1:]
    assert len(scenes) == len(demo.STORY)
    ends = dict(zip(scenes, (scene.ends for scene in demo.STORY), strict=True))
    down, back = (_first(scenes, words) for words in ("MAIL IS DOWN", "MAIL IS BACK"))
    assert len([scene for scene in scenes[down + 1 : back + 1] if not ends[scene]]) == 3
    assert "2 of 2 databases mounted" in scenes[back]
    assert any("Nothing to do" in scene for scene in scenes[back + 1 :]), "a second run changes nothing"
    assert "chain and heads agree" in told.out
    assert "is put away; nothing of it is left" in scenes[-1]
    page = (tmp_path / demo.PAGE).read_text("utf-8")
    assert str(tmp_path / demo.PAGE) in told.out, "where the page lies is said"
    assert "INC1234" in page


def test_a_command_that_ends_otherwise_ends_the_story(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "STORY", (demo.Scene("runbooks show no-such", "It is not there."), demo.Scene("runs")))
    assert demo.main() == 1
    told = capfd.readouterr().out
    assert "that ended with 2, and should have ended with 0" in told
    assert "$ starover runs" not in told
