"""The first command on a bad day: who answers, the verdict, the proof, and a saved plan; nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_danger import bad_day, dangerous
from cli_estate import FakeFault, Hosts, typing
from click.testing import Result

Do = Callable[..., Result]


@pytest.fixture
def hosts() -> Hosts:
    return dangerous(Hosts())


@pytest.fixture
def do(hosts: Hosts, tmp_path: Path) -> Do:
    return typing(hosts, tmp_path / "state", "--home", str(bad_day(tmp_path / "home")))


@pytest.fixture
def lost(hosts: Hosts) -> None:
    for host in ("EX1", "EX2", "DC1"):
        hosts.transport.fail(FakeFault("silent", host=host, times=-1))


def words(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.mark.usefixtures("lost")
def test_the_verdict_the_facts_the_proof_and_the_plan_in_this_order(do: Do, hosts: Hosts, tmp_path: Path) -> None:
    result = do("assess")
    assert result.exit_code == 0, result.output
    screen = result.stdout
    (plan,) = [file.stem for file in (tmp_path / "state" / "plans").glob("*.json") if b'"force"' in file.read_bytes()]
    order = [
        "LAB   pa-4x2",
        "MAIL IS DOWN since 03:01:37.",
        "3 hosts are silent.",
        "eu-west-1a",
        "Silent ",
        "Certain ",
        "Not certain ",
        "Proof",
        " 1 ? last quorum: unknown (no survivor has an event of it)",
        f"plan  {plan}",
        "a second person's approval",
        "next:",
        f"starover plans show {plan}",
        f"starover approve {plan}",
        f"starover apply {plan}",
    ]
    places = [screen.index(text) for text in order]
    assert places == sorted(places), screen
    assert screen.count("EX3 is the only member that answers") == 1
    assert hosts.transport.writes == []
    assert "EX3 answered after" in result.stderr
    for late in ("EX1", "EX2", "DC1"):
        assert late in result.stderr, "who is late is named"


@pytest.mark.usefixtures("lost")
def test_the_last_lines_can_be_typed(do: Do, hosts: Hosts) -> None:
    said = json.loads(do("assess", "--format", "json", "--ticket", "INC1234").stdout)
    assert (said["answer"], said["runbook"], said["risk"], said["exit"]) == ("force-quorum", "force", "X", 0)
    assert said["verdict"][0].startswith("MAIL IS DOWN")
    _, approve, apply = [line.split()[1:] for line in said["next"]]
    assert do(*approve, "--as", "oncall-b", "--dag", "DAG1").exit_code == 0
    done = do(*apply, "--approve", said["id"])
    assert done.exit_code == 0, done.output
    assert hosts.transport.writes == ["danger/do.ps1.j2"]


def test_a_good_day_says_so_and_plans_nothing(do: Do, tmp_path: Path) -> None:
    result = do("assess", "--exit-code")
    assert result.exit_code == 0, result.output
    assert "Nothing is wrong." in result.stdout
    assert "Proof" not in result.stdout, "nothing is forced"
    assert "starover watch" in result.stdout
    assert "plan  " not in result.stdout


@pytest.mark.usefixtures("lost")
def test_a_bad_fact_is_a_failure_only_where_that_is_asked_for(do: Do) -> None:
    assert do("assess", "--no-plan").exit_code == 0
    strict = do("assess", "--no-plan", "--exit-code")
    assert strict.exit_code == 1
    assert "exit 1 findings" in strict.stderr
    assert "starover plan force --server EX3" in strict.stdout


def test_to_see_nobody_is_a_failure_of_the_look(do: Do, hosts: Hosts) -> None:
    hosts.transport.fail(FakeFault("silent", times=-1))
    result = do("assess", "--no-plan")
    assert result.exit_code == 6
    assert "exit 6 unreachable" in result.stderr


@pytest.mark.usefixtures("lost")
def test_a_plan_that_cannot_be_made_does_not_take_the_verdict_away(do: Do, hosts: Hosts) -> None:
    hosts.transport.fail(FakeFault("unreachable", host="EX3", template="danger/look.ps1.j2", times=-1))
    result = do("assess")
    assert result.exit_code == 0, result.output
    assert "MAIL IS DOWN" in result.stdout
    assert "force could not be planned: unreachable" in words(result)
    assert "starover plan force --server EX3" in result.stdout
