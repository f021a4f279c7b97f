"""What only a person can know: an unknown outcome decided, a server seen down; kept by name, obeyed by what follows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cli_danger import dangerous, home
from cli_estate import FakeFault, Hosts, starover, typing
from click.testing import Result

SUSPEND = ("copies-suspend", "--db", "DB01/EX3", "--mode", "full", "--comment", "disk swap")
Do = Callable[..., Result]


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
def do(hosts: Hosts, tmp_path: Path) -> Do:
    return typing(hosts, tmp_path)


@pytest.fixture
def lost(hosts: Hosts, do: Do) -> str:
    """A run with an unknown step, on a host that is gone."""
    hosts.transport.fail(
        FakeFault("lost-after", what="write"), FakeFault("unreachable", host="EX3", what="probe", times=-1)
    )
    result = do("run", *SUSPEND, "--yes")
    assert result.exit_code == 5, result.output
    found = re.search(r"run ([0-9a-f]{8}\.1)", result.stdout)
    assert found is not None
    return found[1]


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_decision_is_kept_shown_and_obeyed(do: Do, hosts: Hosts, lost: str) -> None:
    assert do("undo", lost).exit_code == 4
    settled = do("settle", lost, "--step", "1", "--as", "applied", "--reason", "console shows it suspended")
    assert settled.exit_code == 0, settled.output
    assert "settled as applied" in words(settled)
    page = words(do("runs", "show", lost))
    assert "step 1 applied, by" in page
    assert "console shows it suspended" in page
    assert do("audit", "verify").exit_code == 0
    hosts.transport.heal()
    assert do("resume", lost).exit_code == 0
    assert hosts.transport.writes == ["copy/suspend.ps1.j2"]
    assert do("settle", lost, "--step", "1", "--as", "applied", "--reason", "again").exit_code == 2


@pytest.mark.parametrize(
    "line",
    [
        ("--step", "1", "--as", "applied"),
        ("--step", "1", "--as", "applied", "--reason", "  "),
        ("--step", "2", "--as", "applied", "--reason", "x"),
        ("--step", "1", "--as", "perhaps", "--reason", "x"),
        ("--step", "one", "--as", "applied", "--reason", "x"),
        ("--as", "applied", "--reason", "x"),
    ],
)
def test_a_decision_names_a_step_an_outcome_and_a_reason(do: Do, lost: str, line: tuple[str, ...]) -> None:
    result = do("settle", lost, *line)
    assert result.exit_code == 2
    assert "settled as" not in result.output


def test_a_run_that_is_not_there_cannot_be_settled(do: Do) -> None:
    assert do("settle", "abcd1234.1", "--step", "1", "--as", "applied", "--reason", "x").exit_code == 2


# -- statements --------------------------------------------------------------------------------------------------------

SEEN = ("--seen", "AWS case 1234567, host powered off 03:15")


@pytest.fixture
def dark(hosts: Hosts, tmp_path: Path) -> Do:
    content = home(tmp_path / "home")
    dangerous(hosts)

    def type_in(*line: str) -> Result:
        return starover(hosts, tmp_path / "state", "--home", str(content), *line)

    return type_in


def certified(do: Do, *servers: str) -> list[str]:
    named = [word for server in servers for word in ("--lost-server", server)]
    result = do("--format", "json", "plan", "recover", *named)
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["plan"]["parameters"]["certified_by"])


def test_two_people_certify_a_server_and_runbooks_are_told(dark: Do, hosts: Hosts, tmp_path: Path) -> None:
    first = dark("attest", "down", "ex1", "--as", "oncall-a", *SEEN)
    assert first.exit_code == 0, first.output
    assert "a second person" in words(first)
    assert dark("attest", "down", "EX1", "--as", "ONCALL-A", *SEEN).exit_code == 0
    assert certified(dark, "EX1") == [], "one person twice is one person"
    hosts.clock.wait_until(hosts.clock.now() + timedelta(minutes=1))
    second = dark("attest", "down", "EX1.example.com", "--as", "oncall-b", *SEEN)
    assert "oncall-a and oncall-b say so" in words(second).replace("ONCALL-A", "oncall-a")
    assert "not signed" in words(second)
    assert [name.casefold() for name in certified(dark, "EX1")] == ["oncall-a", "oncall-b"]
    assert certified(dark, "EX1", "EX2") == [], "nobody has seen EX2"
    kept = [json.loads(file.read_bytes()) for file in (tmp_path / "state" / "attestations").iterdir()]
    assert ("EX1", "oncall-a", SEEN[1]) in [(one["server"], one["by"], one["seen"]) for one in kept]
    assert len(kept) == 3
    hosts.clock.wait_until(hosts.clock.now() + timedelta(minutes=61))
    assert certified(dark, "EX1") == [], "it may have been started since"


def test_who_is_named_on_the_line_is_not_overruled(dark: Do) -> None:
    for name in ("a", "b"):
        dark("attest", "down", "EX1", "--as", name, *SEEN)
    line = ("--format", "json", "plan", "recover", "--lost-server", "EX1", "--certified-by", "c,d")
    assert json.loads(dark(*line).stdout)["plan"]["parameters"]["certified_by"] == ["c", "d"]


@pytest.mark.parametrize("line", [("EX9", *SEEN), ("EX1", "--seen", "off"), ("EX1",), ("EX1", "--seen", "           ")])
def test_a_statement_names_a_server_and_what_was_seen(dark: Do, tmp_path: Path, line: tuple[str, ...]) -> None:
    assert dark("attest", "down", *line).exit_code == 2
    assert not (tmp_path / "state" / "attestations").exists()
