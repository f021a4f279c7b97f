"""Whole commands against fake hosts: what is printed where, what is sent, how it ends."""

from __future__ import annotations

import json
import re
import shlex
import signal
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cli_estate import FakeFault, Hosts, starover, typing
from click.testing import Result

from starover.estate import Dag
from starover.testing import PowerShellError

SUSPEND = ("copies-suspend", "--db", "DB01/EX3", "--mode", "full", "--comment", "disk swap")
WRITE = "copy/suspend.ps1.j2"


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


def run_id(result: Result) -> str:
    found = re.findall(r"\brun ([0-9a-f]{8}\.[0-9]+)", result.stdout)
    assert found, result.output
    return str(found[-1])


def plan_id(result: Result) -> str:
    found = re.search(r"^plan  ([0-9a-f]{8})", result.stdout, re.MULTILINE)
    assert found, result.output
    return found[1]


def test_suspend_and_resume_and_a_second_run_that_finds_nothing(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    first = do("run", *SUSPEND, "--yes")
    assert first.exit_code == 0
    assert hosts.suspended == {("DB01", "EX3"): "[starover] disk swap"}
    assert first.stdout.splitlines()[0].startswith("LAB   pa-4x2   DAG DAG1   4 members  quorum 5/5   DAC DagOnly")
    assert first.stdout.splitlines()[-1].split("   ")[0].strip() == f"starover undo {run_id(first)}"
    again = do("run", *SUSPEND, "--yes")
    assert again.exit_code == 0
    assert f"Nothing to do: DB01/EX3 is suspended already, by run {run_id(first)} at" in again.stdout
    back = do("run", "copies-resume", "--db", "DB01", "--server", "EX3", "--yes")
    assert back.exit_code == 0
    assert hosts.suspended == {}
    assert len(hosts.transport.writes) == 2


def test_what_was_foreseen_is_what_is_done(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    planned = do("plan", *SUSPEND)
    assert planned.exit_code == 0
    assert hosts.transport.writes == []
    assert f"starover apply {plan_id(planned)}" in planned.stdout
    assert "1  ~  EX3  DB01/EX3  Healthy  Suspended" in planned.stdout
    applied = do("apply", plan_id(planned)[:4], "--yes")
    assert applied.exit_code == 0
    assert hosts.transport.writes == [WRITE]
    assert run_id(applied) == f"{plan_id(planned)}.1"


@pytest.mark.parametrize(("suspended", "code"), [({}, 3), ({("DB01", "EX3"): "[starover] disk swap"}, 0)])
def test_exit_code_three_is_asked_for(
    hosts: Hosts, tmp_path: Path, suspended: dict[tuple[str, str], str], code: int
) -> None:
    hosts.suspended.update(suspended)
    result = starover(hosts, tmp_path, "plan", *SUSPEND, "--exit-code")
    assert result.exit_code == code
    assert ("exit 3 changes are planned" in result.stderr) == (code == 3)


def test_a_plan_that_is_too_old_tells_the_line_that_makes_it_anew(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    first = plan_id(do("plan", *SUSPEND[:-1], "O'Brien's disk; $HOME"))
    hosts.clock.wait_until(hosts.clock.now() + timedelta(minutes=31))
    late = do("apply", first, "--yes")
    assert late.exit_code == 4
    line = next(line for line in late.stderr.splitlines() if line.strip().startswith("starover plan copies-suspend"))
    words = shlex.split(line.partition("   looks again")[0])[1:]
    assert plan_id(do(*words)) == first


def test_without_a_terminal_nobody_is_asked(hosts: Hosts, tmp_path: Path) -> None:
    result = starover(hosts, tmp_path, "run", *SUSPEND, typed="y\n")
    assert result.exit_code == 2
    assert hosts.transport.writes == []
    assert "exit 2 not confirmed" in result.stderr
    assert f"starover apply {plan_id(result)} --yes" in result.stderr


def test_undo_restores_and_is_itself_a_run(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    first = do("run", *SUSPEND, "--yes")
    back = do("undo", run_id(first)[:4], "--yes")
    assert back.exit_code == 0
    assert hosts.suspended == {}
    again = do("undo", run_id(first), "--yes")
    assert again.exit_code == 0
    assert "Nothing to do" in again.stdout


def test_a_guard_refuses_with_four_and_sends_nothing(hosts: Hosts, tmp_path: Path) -> None:
    hosts.suspended["DB01", "EX3"] = "somebody else"
    result = starover(hosts, tmp_path, "run", "copies-resume", "--db", "DB01/EX3", "--yes")
    assert result.exit_code == 4
    assert "! refused: DB01/EX3 was suspended by somebody else" in result.stdout
    assert "exit 4 refused" in result.stderr
    assert "--force-foreign" in result.stdout
    assert hosts.transport.writes == []


def test_a_lost_answer_is_found_out_and_said(hosts: Hosts, tmp_path: Path) -> None:
    hosts.transport.fail(FakeFault("lost-after", what="write"))
    result = starover(hosts, tmp_path, "run", *SUSPEND, "--yes")
    assert result.exit_code == 0
    assert hosts.transport.writes == [WRITE]
    assert "Not sending again" in result.stderr
    assert "answer lost" in result.stdout


def test_an_unknown_outcome_stops_and_can_be_resumed(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    hosts.transport.fail(
        FakeFault("lost-before", what="write"),
        FakeFault("unreachable", host="EX3", what="probe", times=-1),
    )
    made = do("plan", *SUSPEND)
    blind = FakeFault("unreachable", host="EX3", what="read", times=-1)
    seen = hosts.of_database

    def then_blind(host: str, database: str, **rest: object) -> object:
        hosts.transport.fail(blind)  # the reading before the write is the last that is answered
        return seen(host, database, **rest)

    hosts.transport.templates["copy/of_database.ps1.j2"] = then_blind  # type: ignore[index]
    result = do("apply", plan_id(made), "--yes")
    assert result.exit_code == 5
    assert result.stderr.count("exit 5 unknown") == 1
    assert "? unknown" in result.stderr
    assert "not certain" in result.stderr
    assert f"starover resume {run_id(result)}" in result.stderr
    hosts.transport.heal()
    hosts.transport.templates["copy/of_database.ps1.j2"] = seen  # type: ignore[index]
    resumed = do("resume", run_id(result))
    assert resumed.exit_code == 0, resumed.output
    assert ("DB01", "EX3") in hosts.suspended
    assert hosts.transport.writes == [WRITE]


def test_what_does_not_hold_is_not_verified(tmp_path: Path) -> None:
    result = starover(Hosts(stuck=True), tmp_path, "run", *SUSPEND, "--yes")
    assert result.exit_code == 5
    assert "exit 5 not verified" in result.stderr
    assert "the script ran" in result.stderr


@pytest.mark.parametrize(("kind", "word"), [("unreachable", "unreachable"), ("auth", "not authenticated")])
def test_a_host_that_cannot_be_asked_is_six(hosts: Hosts, tmp_path: Path, kind: str, word: str) -> None:
    hosts.transport.fail(FakeFault(kind, host="EX3", times=-1))  # type: ignore[arg-type]
    result = starover(hosts, tmp_path, "run", *SUSPEND, "--yes")
    assert result.exit_code == 6
    assert f"exit 6 {word}" in result.stderr
    assert result.stdout.startswith("LAB   pa-4x2   DAG DAG1")


@pytest.mark.parametrize(
    "line",
    [
        ("plan", "copies-suspend", "--db", "DB01", "--server", "EX9", "--mode", "full"),
        ("plan", "copies-suspend", "--db", "DB01", "--server", "EX3", "--mode", "half"),
        ("plan", "copies-suspend", "--db", "DB01", "--server", "EX3"),
        ("plan", "copies-suspend", "--db", "DB01EX3", "--mode", "full"),
        ("plan", "copies-suspend", "--db", "DB01/EX3", "--mode", "full", "--color", "x"),
        ("--dag", "DAG9", "plan", "copies-suspend", "--db", "DB01/EX3", "--mode", "full"),
        ("plan", "nothing-like-it"),
        ("plan", "copies-suspend", "--db", "DB01/EX3", "--mode", "full", "--ticket", "INC 1; rm"),
        ("apply", "abcd", "--yes"),
        ("apply", "x", "--yes"),
        ("resume", "abcd1234.1"),
        ("undo", "abcd1234"),
        ("runs", "show", "abcd"),
        ("runs", "--since", "whenever"),
        ("plans", "show", "abcd"),
    ],
)
def test_bad_words_are_two_and_contact_nobody(hosts: Hosts, tmp_path: Path, line: tuple[str, ...]) -> None:
    result = starover(hosts, tmp_path, *line)
    assert result.exit_code == 2
    assert hosts.transport.asked == []
    assert "exit 2 bad input" in result.stderr
    assert "\nnext:\n  starover " in result.stderr
    assert "Traceback" not in result.output


def test_a_choice_that_was_not_made_is_answered_with_the_lines_that_make_it(hosts: Hosts, tmp_path: Path) -> None:
    result = starover(hosts, tmp_path, "run", "copies-suspend", "--db", "DB01", "--server", "EX3")
    for mode in ("full", "activation-only"):
        assert f"starover plan copies-suspend --server EX3 --db DB01 --mode {mode}" in result.stderr


def test_plans_are_listed_the_newest_first(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    for comment in ("first", "second"):
        assert do("plan", *SUSPEND[:-1], comment).exit_code == 0
    rows = json.loads(do("--format", "json", "plans").stdout)
    assert [one["made"] for one in rows] == sorted((one["made"] for one in rows), reverse=True)
    assert len(rows) == 2


def test_a_looking_runbook_shows_what_it_found_and_is_no_failure(hosts: Hosts, tmp_path: Path) -> None:
    hosts.suspended["DB02", "EX4"] = "x"
    do = typing(hosts, tmp_path)
    result = do("run", "health-report")
    assert result.exit_code == 0
    assert "DAG1 is AMBER" in result.stdout
    assert "~ amber" in result.stdout
    strict = do("run", "health-report", "--exit-code")
    assert strict.exit_code == 1
    assert "exit 1 findings" in strict.stderr
    assert "looked" in do("runs").stdout


def test_json_of_a_run_is_lines_and_the_last_one_is_the_result(hosts: Hosts, tmp_path: Path) -> None:
    result = starover(hosts, tmp_path, "--format", "json", "run", *SUSPEND, "--yes")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.stdout.isascii()
    kinds = [line["event"]["event"] for line in lines if "event" in line]
    assert kinds.index("step-began") < kinds.index("step-sent") < kinds.index("step-ended")
    last = lines[-1]
    assert (last["result"], last["changed"], last["exit"]) == ("done", 1, 0)
    assert last["next"] == [f"starover undo {last['run']}"]


def test_json_of_a_plan_is_one_document_even_where_nothing_changes(hosts: Hosts, tmp_path: Path) -> None:
    hosts.suspended["DB01", "EX3"] = "[starover] disk swap"
    for line in (("plan", *SUSPEND), ("status",), ("runbooks",), ("runs",), ("plans",), ("audit", "verify")):
        result = starover(hosts, tmp_path, *line, "--format", "json")
        assert result.exit_code == 0, line
        assert json.loads(result.stdout) is not None
    said = json.loads(starover(hosts, tmp_path, "plan", *SUSPEND, "--format", "json").stdout)
    assert said["changed"] == 0
    assert said["where"]["votes"] == 5
    assert said["verdict"].startswith("Nothing to do")


def test_json_status_carries_what_the_screen_shows(hosts: Hosts, tmp_path: Path) -> None:
    said = json.loads(starover(hosts, tmp_path, "status", "--format", "json").stdout)
    assert said["verdict"][0].startswith("Mail is up. 2 of 2")
    (first, _) = said["map"]["databases"]
    assert {copy["server"]: copy["preference"] for copy in first["copies"]} == {"EX1": 1, "EX3": 2, "EX2": 3}
    assert said["next"]


def test_the_script_of_a_step_is_shown_as_it_would_be_sent(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    made = plan_id(do("plan", *SUSPEND))
    short = do("plans", "show", made, "--step", "1", "--script").stdout
    full = do("plans", "show", made, "--step", "1", "--full").stdout
    assert "Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX3'" in short
    hidden = re.search(r"\(\+ (\d+) lines", short)
    assert hidden is not None
    assert len(full.splitlines()) == len(short.splitlines()) + int(hidden[1]) - 1
    assert do("plans", "show", made, "--step", "7").exit_code == 2
    assert f"starover apply {made}" in do("plans", "show", made).stdout


def test_runs_tell_who_why_and_what(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    first = do("run", *SUSPEND, "--yes", "--ticket", "INC1", "--reason", "disk swap")
    page = do("runs", "show", run_id(first)).stdout
    for text in ("INC1", "disk swap", "DB01/EX3", "Suspended", "--server EX3", f"starover undo {run_id(first)}"):
        assert text in page
    scripts = do("runs", "show", run_id(first), "--scripts").stdout
    assert "Suspend-MailboxDatabaseCopy" in scripts
    listed = do("runs", "--since", "1h").stdout
    assert run_id(first) in listed
    assert len(re.findall(r"^\w{3} \d\d ", listed, re.MULTILINE)) == 1, "the planning itself is no run"
    assert len(re.findall(r"^\w{3} \d\d ", do("runs", "--all").stdout, re.MULTILINE)) == 2


def test_a_run_that_is_under_way_is_not_called_interrupted(hosts: Hosts, tmp_path: Path) -> None:
    done, do, seen = hosts.suspend, typing(hosts, tmp_path), dict[str, str]()

    def look_at_it(host: str, **rest: str) -> None:
        done(host, **rest)
        seen["list"] = do("runs").stdout
        seen["page"] = do("runs", "show", seen["list"].split("starover runs show ")[1].split()[0]).stdout

    hosts.transport.templates[WRITE] = look_at_it  # type: ignore[index]
    run = run_id(do("run", *SUSPEND, "--yes"))
    assert re.search(rf"{re.escape(run)} .* under way", seen["list"])
    assert "Under way: 0 changes so far" in seen["page"]
    assert "starover resume" not in seen["page"]
    assert "under way" not in do("runs").stdout


def test_a_changed_record_is_found(hosts: Hosts, tmp_path: Path) -> None:
    do = typing(hosts, tmp_path)
    run = run_id(do("run", *SUSPEND, "--yes"))
    clean = do("audit", "verify")
    assert clean.exit_code == 0
    assert "as it was written" in clean.stdout
    journal = tmp_path / "runs" / f"{run}.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"disk swap", b"disk_swap", 1))
    result = do("audit", "verify")
    assert result.exit_code == 1
    assert run in result.stdout
    assert "NOT AS IT WAS WRITTEN" in result.stdout
    assert run in do("runs").stdout


def test_ctrl_c_stops_after_the_step_and_the_run_goes_on_later(hosts: Hosts, tmp_path: Path) -> None:
    done = hosts.suspend

    def interrupted(host: str, **rest: str) -> None:
        done(host, **rest)
        signal.raise_signal(signal.SIGINT)

    hosts.transport.templates[WRITE] = interrupted  # type: ignore[index]
    do = typing(hosts, tmp_path)
    result = do("run", "copies-suspend", "--server", "EX3", "--all-on-server", "--mode", "full", "--yes")
    assert result.exit_code in (0, 1)
    assert "stopping after the step" in result.stderr
    assert ("DB01", "EX3") in hosts.suspended
    if result.exit_code == 1:
        assert f"starover resume {run_id(result)}" in result.stdout


def test_a_word_that_ascii_lacks_fails_nowhere(hosts: Hosts, tmp_path: Path) -> None:
    result = starover(hosts, tmp_path, "plan", *SUSPEND[:-1], "O\u2019Brien \x1b[31m")
    assert result.exit_code in (0, 2)
    assert "\x1b" not in result.output


def test_live_is_what_no_lab_wrote(tmp_path: Path) -> None:
    result = starover(Hosts(lab=False), tmp_path, "status")
    assert result.stdout.startswith("LIVE  pa-4x2")
    assert "(sim)" not in result.stdout
    assert re.search(r"[+-]\d\d:\d\d$", result.stdout.splitlines()[0])


def test_without_a_word_there_is_the_whole_surface(hosts: Hosts, tmp_path: Path) -> None:
    result = starover(hosts, tmp_path)
    assert result.exit_code == 0
    assert "LAB pa-4x2  DAG1" in result.stdout
    from starover_cli.main import main

    for name in main.commands:
        assert name in result.stdout, name


def no_cluster(*without: str, hosts: Hosts) -> None:
    """The cluster service does not run on these members."""
    seen = hosts.cluster

    def cluster(host: str) -> object:
        if host in without:
            raise PowerShellError("The cluster service is not running.")
        return seen(host)

    hosts.transport.templates["cluster/state.ps1.j2"] = cluster  # type: ignore[index]


def test_a_lost_quorum_is_counted_from_those_who_answer(hosts: Hosts, tmp_path: Path) -> None:
    no_cluster("EX1", "EX2", "EX3", "EX4", hosts=hosts)
    hosts.transport.fail(FakeFault("silent", host="EX1", times=-1), FakeFault("silent", host="EX2", times=-1))
    lines = starover(hosts, tmp_path, "status").stdout.splitlines()
    assert "quorum LOST 2/5" in lines[0]
    assert any(line.startswith("Quorum is lost: 2 of 5 votes are here, 3 are needed.") for line in lines)


def test_members_out_of_the_cluster_do_not_make_quorum_lost(hosts: Hosts, tmp_path: Path) -> None:
    no_cluster("EX1", "EX3", hosts=hosts)
    assert "quorum 5/5" in starover(hosts, tmp_path, "plan", *SUSPEND).stdout.splitlines()[0]


def test_of_two_dags_one_must_be_named(hosts: Hosts, tmp_path: Path) -> None:
    dags = (*hosts.estate.dags, Dag(name="DAG2", members=("EX4",)))
    hosts.estate = msgspec.structs.replace(hosts.estate, dags=dags)
    do = typing(hosts, tmp_path)
    for line in (("status",), ("plan", *SUSPEND)):
        result = do(*line)
        assert result.exit_code == 2
        assert "DAG1, DAG2" in result.stderr
    assert hosts.transport.asked == []
    named = do("plan", *SUSPEND, "--dag", "dag1")
    assert named.exit_code == 0
    assert "DAG DAG1" in named.stdout.splitlines()[0]
    assert "starover run --dag DAG1 health-report" in do("--dag", "DAG1", "status").stdout
