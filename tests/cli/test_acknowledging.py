"""The warnings of a run that may split the brain: listed at its end, acknowledged by somebody, kept and shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_danger import dangerous, home
from cli_estate import FakeParts, Hosts, typing
from click.testing import Result
from starover_cli.console import Console
from starover_cli.room import Room
from starover_cli.settings import Settings

from starover.audit import verify
from starover.journal import Acknowledged, Begun, read_journal

Do = Callable[..., Result]
TICKET = ("--ticket", "INC1234")
BOTH = ("one good copy is left", "G-SURVIVE: DC1 is lost and holds PDCEmulator")


@pytest.fixture
def do(tmp_path: Path) -> Do:
    hosts = dangerous(Hosts())
    return typing(hosts, tmp_path / "state", "--home", str(home(tmp_path / "home")))


def forced(do: Do, *more: str, form: tuple[str, ...] = (), book: str = "force-warned") -> tuple[str, Result]:
    """It was approved by another person and is done; its run."""
    made = do("--format", "json", "plan", book, "--server", "EX3")
    plan = str(json.loads(made.stdout)["id"])
    assert do("approve", plan, "--as", "oncall-b", "--dag", "DAG1").exit_code == 0
    result = do(*form, "apply", plan, *TICKET, "--approve", plan, *more)
    assert result.exit_code == 0, result.output
    return f"{plan}.1", result


def words(result: Result) -> str:
    return " ".join(result.output.split())


def kept(folder: Path, run: str) -> list[Acknowledged]:
    return [one.body for one in read_journal(folder / "state", run) if isinstance(one.body, Acknowledged)]


def test_nobody_is_asked_without_a_terminal_and_it_stays_open_until_somebody_says_so(do: Do, tmp_path: Path) -> None:
    run, result = forced(do)
    assert all(text in words(result) for text in BOTH)
    assert f"not acknowledged. Whoever reads them types: starover attest warnings {run}" in words(result)
    assert not kept(tmp_path, run)
    shown = do("runs", "show", run)
    assert "2 warnings that nobody has acknowledged" in words(shown)
    assert f"starover attest warnings {run}" in shown.output
    page = tmp_path / "open.html"
    assert do("report", run, "--html", str(page)).exit_code == 0
    assert "2 warnings NOT acknowledged by anybody" in page.read_text("ascii")

    said = do("attest", "warnings", run[:6], "--as", "oncall-c")
    assert said.exit_code == 0, said.output
    assert all(text in words(said) for text in BOTH)
    (one,) = kept(tmp_path, run)
    assert (one.who, one.how, [each.text for each in one.warnings]) == ("oncall-c", "later", list(BOTH))
    shown = do("runs", "show", run)
    assert "2 warnings acknowledged by oncall-c" in words(shown)
    assert "attest warnings" not in shown.output
    assert do("report", run, "--html", str(page)).exit_code == 0
    text = page.read_text("ascii")
    assert "oncall-c acknowledged 2 warnings" in text, "in the timeline"
    assert "NOT acknowledged" not in text
    again = do("attest", "warnings", run)
    assert (again.exit_code, "no warning that waits" in words(again)) == (2, True)
    assert verify(tmp_path / "state") == []


def test_a_line_without_a_person_answers_beforehand(do: Do, tmp_path: Path) -> None:
    run, result = forced(do, "--acknowledge-warnings", form=("--format", "json"))
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["acknowledged"] is True
    assert [one["text"] for one in last["warnings"]] == list(BOTH)
    (one,) = kept(tmp_path, run)
    assert one.how == "flag"
    assert "by --acknowledge-warnings" in words(do("runs", "show", run))


@pytest.mark.parametrize("here", [True, False])
def test_a_run_of_workers_is_acknowledged_where_its_journal_is(
    do: Do, tmp_path: Path, here: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("temporalio")
    from starover_cli.team.following import Lines
    from starover_cli.team.submitting import show_ended

    from starover.drivers.temporal import Ended

    run, _ = forced(do)
    begun = read_journal(tmp_path / "state", run)[0].body
    assert isinstance(begun, Begun)
    settings = Settings(dir=str(tmp_path / ("state" if here else "elsewhere")), parts=FakeParts(dangerous(Hosts())))
    ended = Ended(state="done", exit=0, run=run, plan=begun.plan, changed=1, journal="/srv/team/runs/x.jsonl")
    with Room(settings, settings.parts) as room:
        assert show_ended(room, ended, Lines(settings, simulated=False), acknowledge=True) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert [one.how for one in kept(tmp_path, run)] == (["flag"] if here else [])
    assert ("acknowledged by --acknowledge-warnings" in said) is here
    assert (f"there: starover attest warnings {run}" in said) is not here


def test_submit_says_what_it_takes_and_that_nobody_waits(do: Do) -> None:
    named = words(do("submit"))
    assert "starover submit needs a plan or a name behind it" in named
    assert "a plan is named by its id" in named
    assert "a plan" not in words(do("run")).partition("there are")[0]
    unread = do("submit", "abcd1234", "--acknowledge-warnings")
    assert (unread.exit_code, "--wait --acknowledge-warnings" in words(unread)) == (2, True), unread.output


@pytest.mark.parametrize(("answer", "how"), [("y", ["typed"]), ("", []), ("later", [])])
def test_on_a_terminal_somebody_is_asked(
    do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, how: list[str]
) -> None:
    asked: list[str] = []

    def ask(_: Console, question: str) -> str:
        asked.append(question)
        return answer if "read them" in question else "DAG1"

    monkeypatch.setattr(Console, "interactive", property(lambda _: True))
    monkeypatch.setattr(Console, "ask", ask)
    run, result = forced(do)
    assert "Have you read them" in asked[-1]
    assert [one.how for one in kept(tmp_path, run)] == how
    assert ("acknowledged by" in words(result)) is bool(how)


def test_where_nothing_warned_nobody_is_asked(do: Do, tmp_path: Path) -> None:
    run, result = forced(do, book="force")
    assert "acknowledged" not in result.output
    assert not kept(tmp_path, run)
    assert "warnings" not in words(do("runs", "show", run))
