"""What becomes of an error: four parts, one exit code, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from starover_cli.main import main
from starover_cli.room import Parts
from starover_cli.settings import Settings
from starover_cli.views.error import error_text

from starover import errors
from starover.errors import CmdletFailed, ErrorRecord, NotSafe, StaroverError


def start(*line: str, parts: Parts | None = None) -> Result:
    settings = Settings(parts=parts) if parts else Settings()
    return CliRunner().invoke(main, list(line), obj=settings)


def test_the_four_parts_come_in_order() -> None:
    error = NotSafe(
        "taking ExchangeNode2 out now would leave mail one fault from a stop.",
        certain=["Nothing was sent but reads."],
        uncertain=["whether FileServer comes back."],
        next=["starover run dag-witness-repair"],
    )
    text = error_text(error)
    places = [text.index(part) for part in ("! refused: taking", "certain ", "not certain ", "next:\n  starover run")]
    assert places == sorted(places)
    assert text.splitlines()[0].endswith("exit 4 refused")


def test_what_powershell_said_is_told_with_its_line() -> None:
    record = ErrorRecord(message="It is not there.", fqid="NotFound,X", command="Get-X", line=3)
    text = error_text(CmdletFailed("the step failed", records=[record], host="EX1"))
    assert "Get-X: It is not there. (line 3 of the script)" in text
    assert "[NotFound,X]" in text
    assert "EX1" in text


def leaves(kind: type[StaroverError] = StaroverError) -> list[type[StaroverError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]


@pytest.mark.parametrize("kind", [kind for kind in leaves() if kind.__module__ == errors.__name__])
def test_every_error_prints_its_word_and_ends_with_its_code(kind: type[StaroverError]) -> None:
    class Failing(Parts):
        def estate(self, settings: Settings):  # type: ignore[no-untyped-def]
            raise kind("something happened")

    result = start("status", parts=Failing())
    assert result.exit_code == kind.exit
    assert f"exit {kind.exit} {kind.word}" in result.stderr
    assert "Traceback" not in result.output


def test_a_bug_is_one_sentence_and_a_file(tmp_path: Path) -> None:
    class Broken(Parts):
        def estate(self, settings: Settings):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError("deep inside")

    result = start("--dir", str(tmp_path / "state"), "status", parts=Broken())
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    (kept,) = (tmp_path / "state" / "crash").iterdir()
    assert kept.as_posix() in result.stderr.replace("\n  ", " ").replace("\n", "") or kept.name in result.stderr
    assert "ZeroDivisionError: deep inside" in kept.read_text()
    assert ":" not in kept.name


def test_a_machine_gets_the_error_as_a_document() -> None:
    result = start("--format", "json", "--inventory", "nowhere.yaml", "status")
    said = json.loads(result.stdout)
    assert said["exit"] == result.exit_code == 2
    assert said["error"] == "BadInventory"
    assert "nowhere.yaml" in said["what"]


@pytest.mark.parametrize(
    ("line", "near"),
    [
        (["statsu"], "status"),
        (["status", "--invntory", "x"], ""),
        (["inventory", "chek"], "check"),
        (["run", "copies-suspnd"], "copies-suspend"),
        (["plan", "copies-suspend", "--comnt", "x"], "--comment"),
        (["runbooks", "show", "copies_suspend"], "copies-suspend"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_right_one(line: list[str], near: str) -> None:
    result = start(*line)
    assert result.exit_code == 2
    assert near in result.stderr
    assert "exit 2 bad input" in result.stderr
    assert result.stdout == ""


def test_without_an_inventory_the_ways_to_one_are_named(tmp_path: Path) -> None:
    result = start("--dir", str(tmp_path), "status")
    assert result.exit_code == 2
    assert "starover lab up" in result.stderr
