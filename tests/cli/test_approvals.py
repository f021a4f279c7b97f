"""Who must agree to what before it is sent: tickets, digests, second persons, broken glass, accepted losses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cli_danger import dangerous, home
from cli_estate import FakeParts, Hosts, starover, typing
from click.testing import Result
from starover_cli.console import Console
from starover_cli.plan_files import load_plan
from starover_cli.prompt import NotConfirmed
from starover_cli.room import Room
from starover_cli.settings import Settings
from starover_cli.team.submitting import answer

from starover.journal import read_journal, run_ids
from starover.plan import read_plan

Do = Callable[..., Result]
TICKET = ("--ticket", "INC1234")
GLASS = ("--break-glass", "nobody answers the phone")


@pytest.fixture
def hosts() -> Hosts:
    return dangerous(Hosts())


@pytest.fixture
def do(hosts: Hosts, tmp_path: Path) -> Do:
    return typing(hosts, tmp_path / "state", "--home", str(home(tmp_path / "home")))


def plan_of(do: Do, *line: str) -> str:
    result = do("--format", "json", "plan", *line)
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["id"])


@pytest.fixture
def plan(do: Do) -> str:
    """Forces quorum."""
    return plan_of(do, "force", "--server", "EX3")


def approve(do: Do, plan: str, name: str = "oncall-b", *more: str) -> Result:
    return do("approve", plan, "--as", name, "--dag", "DAG1", *more)


def words(result: Result) -> str:
    return " ".join(result.output.split())


# -- a second person ---------------------------------------------------------------------------------------------------


def test_alone_is_refused_kept_and_told_who_may_approve(do: Do, hosts: Hosts, plan: str, tmp_path: Path) -> None:
    result = do("apply", plan, *TICKET, "--approve", plan)
    assert result.exit_code == 4
    assert hosts.transport.writes == []
    assert "risk X needs a second person" in words(result)
    assert "nobody is named yet" in words(result)
    assert "--break-glass" in words(result)
    assert f"starover approve {plan}" in result.stderr
    assert f"{plan}.1" in run_ids(tmp_path / "state"), "the refusal is in the journal"


def test_two_people_and_a_ticket(do: Do, hosts: Hosts, plan: str) -> None:
    said = approve(do, plan)
    assert said.exit_code == 0, said.output
    assert "not signed" in words(said)
    result = do("apply", plan, *TICKET, "--approve", plan)
    assert result.exit_code == 0, result.output
    assert hosts.transport.writes == ["danger/do.ps1.j2"]
    page = do("runs", "show", f"{plan}.1").stdout
    for text in ("INC1234", "oncall-b", "second person (unsigned)"):
        assert text in page
    (last,) = json.loads(do("--format", "json", "runs", "show", f"{plan}.1").stdout)["approved"]["second"].split()
    assert last == "oncall-b"


def test_whoever_is_refused_or_does_not_confirm_is_in_the_journal(do: Do, hosts: Hosts, plan: str) -> None:
    """Also before it is a run: no runs are counted for it, and nothing was sent."""
    from starover_cli.room import who

    assert approve(do, plan).exit_code == 0  # else the driver refuses it, in a run of the plan
    for line, asked, why in (
        (("apply", plan, *TICKET), "apply", "nobody is here to be asked"),
        (("approve", plan, "--as", who(), "--dag", "DAG1"), "approve", "cannot be its second person"),
        (("approve", plan, "--as", "oncall-b"), "approve", "nobody is here to be asked"),
    ):
        refused = do(*line)
        assert refused.exit_code in (2, 4)
        (run,) = re.findall(r"in the journal: run (\w+\.1)", words(refused))
        kept = json.loads(do("--format", "json", "runs", "show", run).stdout)
        assert (kept["asked"], kept["result"], kept["exit"]) == (asked, "refused", refused.exit_code)
        assert why in kept["fault"]["what"]
        page = " ".join(do("runs", "show", run).stdout.split())
        assert why in page
        assert "Nothing was begun" in page
        assert not run.startswith(plan)
    assert do("audit", "verify").exit_code == 0
    assert hosts.transport.writes == []


def test_what_an_approval_binds_is_shown_in_full(do: Do, plan: str, tmp_path: Path) -> None:
    shown = approve(do, plan)
    made = read_plan((tmp_path / "state" / "plans" / f"{plan}.json").read_bytes())
    assert made.digest in shown.stdout
    assert re.search(r"forces\s+quorum on EX3: lost -> forced", shown.stdout)
    assert "may lose" in shown.stdout
    assert re.search(r"void if\s+the fact changes, or after \d\d:\d\d:\d\d", shown.stdout)


def test_nobody_approves_what_they_asked_for(do: Do, hosts: Hosts, plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from starover_cli.room import who

    me = who()
    for name in (me, me.upper(), f"EXAMPLE\\{me}", f"{me}@example.com"):
        result = approve(do, plan, name)
        assert result.exit_code == 4, name
        assert "cannot be its second person" in words(result)
    assert approve(do, plan, "oncall-b").exit_code == 0
    monkeypatch.setenv("LOGNAME", "oncall-b")  # and now the second person applies it all alone
    applied = do("apply", plan, *TICKET, "--approve", plan)
    assert applied.exit_code == 4
    assert "oncall-b applies this plan" in words(applied)
    assert hosts.transport.writes == []


def test_an_approval_travels_as_a_file(do: Do, hosts: Hosts, plan: str, tmp_path: Path) -> None:
    plan_file, approval = tmp_path / "chat" / "az1.plan", tmp_path / "back" / "az1.ok"
    assert do("plans", "show", plan, "--to", str(plan_file)).exit_code == 0
    elsewhere = starover(
        Hosts(), tmp_path / "other", "approve", str(plan_file), "--as", "b", "--dag", "DAG1", "--to", str(approval)
    )
    assert elsewhere.exit_code == 0, elsewhere.output
    assert not (tmp_path / "other").exists(), "nothing is written where it was only looked at"
    assert do("apply", plan, *TICKET, "--approve", plan).exit_code == 4
    result = do("apply", plan, *TICKET, "--approve", plan, "--approval", str(approval))
    assert result.exit_code == 0, result.output
    assert len(hosts.transport.writes) == 1


def test_an_approval_fits_one_plan_for_half_an_hour(do: Do, hosts: Hosts, plan: str, tmp_path: Path) -> None:
    other = plan_of(do, "force", "--server", "EX4")
    approve(do, other)
    file = tmp_path / "state" / "approvals" / f"{other}.json"
    wrong = do("apply", plan, *TICKET, "--approve", plan, "--approval", str(file))
    assert wrong.exit_code == 4
    assert f"is for plan {other}" in words(wrong)
    approve(do, plan)
    mine = tmp_path / "state" / "approvals" / f"{plan}.json"
    made = json.loads(mine.read_bytes())
    made["expires"] = made["at"]
    mine.write_text(json.dumps(made))
    hosts.clock.wait_until(hosts.clock.now() + timedelta(minutes=5))
    late = do("apply", plan, *TICKET, "--approve", plan)
    assert late.exit_code == 4
    assert "is over since" in words(late)
    assert hosts.transport.writes == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"kind": "something"}'])
def test_what_is_no_approval_is_bad_input(do: Do, hosts: Hosts, plan: str, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "approval.json"
    file.write_bytes(content)
    result = do("apply", plan, *TICKET, "--approve", plan, "--approval", str(file))
    assert result.exit_code == 2
    assert "not an approval" in words(result)
    assert do("apply", plan, *TICKET, "--approval", str(tmp_path / "none.json")).exit_code == 2
    assert hosts.transport.writes == []


def test_a_changed_plan_cannot_be_approved(do: Do, plan: str, tmp_path: Path) -> None:
    file = tmp_path / "az1.plan"
    do("plans", "show", plan, "--to", str(file))
    file.write_bytes(file.read_bytes().replace(b"lost", b"gone"))
    result = approve(do, str(file))
    assert result.exit_code == 2
    assert "was changed after it was made" in words(result)
    assert "starover plan" not in words(result), "a line made of what somebody changed is not for pasting"


def test_what_is_advised_repeats_what_was_typed(do: Do, plan: str, tmp_path: Path) -> None:
    file = tmp_path / "az 1.plan"
    do("plans", "show", plan, "--to", str(file))
    unasked = do("approve", str(file), "--as", "b", "--to", "b.sig")
    assert f"starover approve '{file}' --to b.sig --as b --dag DAG1" in unasked.stderr
    assert approve(do, str(file), "b", "--to", str(tmp_path / "b.sig")).exit_code == 0
    unnamed = do("apply", plan, *TICKET, "--approval", str(tmp_path / "b.sig"))
    assert unnamed.exit_code == 2
    assert f"--approval {tmp_path / 'b.sig'}" in words(unnamed)


def test_without_a_terminal_the_name_of_the_dag_is_the_answer(do: Do, plan: str) -> None:
    for line in (("approve", plan, "--as", "b"), ("approve", plan, "--as", "b", "--dag", "DAG2")):
        result = do(*line)
        assert result.exit_code == 2
        assert "--dag DAG1" in words(result)


# -- broken glass ------------------------------------------------------------------------------------------------------


def test_broken_glass_is_loud_kept_and_first_in_every_report(do: Do, hosts: Hosts, plan: str, tmp_path: Path) -> None:
    unnamed = do("apply", plan, *TICKET, *GLASS, "--approve", plan)
    assert unnamed.exit_code == 2
    assert "--dag DAG1" in words(unnamed), "the DAG's name is typed"
    assert hosts.transport.writes == []
    result = do("apply", plan, *TICKET, *GLASS, "--dag", "DAG1")
    assert result.exit_code == 0, result.output
    assert "BREAK GLASS by" in result.stdout
    page = do("runs", "show", f"{plan}.1").stdout
    assert page.index("BREAK GLASS") < page.index("Changed 1")
    assert "nobody answers the phone" in page
    kept = b"".join((tmp_path / "state" / "runs" / f"{plan}.1.jsonl").read_bytes().splitlines())
    assert b'"break_glass":"nobody answers the phone"' in kept


def test_a_reason_must_say_something(do: Do, hosts: Hosts, plan: str) -> None:
    for reason in ("short", "x" * 201):
        result = do("apply", plan, *TICKET, "--break-glass", reason, "--dag", "DAG1")
        assert result.exit_code == 2
        assert "10 to 200" in words(result)
    assert hosts.transport.writes == []


def test_broken_glass_replaces_no_ticket_and_no_loss(do: Do, hosts: Hosts) -> None:
    plan = plan_of(do, "force", "--server", "EX3", "--loss", "may lose DB01=3")
    result = do("apply", plan, *GLASS, "--dag", "DAG1")
    assert result.exit_code == 2
    assert "--ticket ID" in words(result)
    assert "--accept-data-loss DB01=3" in words(result)
    assert hosts.transport.writes == []
    assert do("apply", plan, *TICKET, *GLASS, "--dag", "DAG1", "--accept-data-loss", "DB01=3").exit_code == 0


# -- tickets and losses ------------------------------------------------------------------------------------------------


def test_a_ticket_is_needed_where_mail_may_be_lost_and_makes_the_comment(do: Do, hosts: Hosts, tmp_path: Path) -> None:
    plan = plan_of(do, "mount", "--server", "EX3")
    without = do("apply", plan, "--approve", plan)
    assert without.exit_code == 2
    assert "--ticket ID" in words(without)
    assert hosts.transport.writes == []
    assert do("apply", plan, "--approve", plan, *TICKET).exit_code == 0
    begun = read_journal(tmp_path / "state", f"{plan}.1")[0].body
    assert begun.ticket == "INC1234"  # type: ignore[union-attr]
    noted = json.loads(do("--format", "json", "plan", "leave-note", "--server", "EX4", *TICKET).stdout)
    assert noted["plan"]["parameters"]["comment"] == "INC1234 leave-note"
    mine = json.loads(do("--format", "json", "plan", "leave-note", "--server", "EX4", "--comment", "x", *TICKET).stdout)
    assert mine["plan"]["parameters"]["comment"] == "x"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("DB01=3",), 0),
        (("db01=3",), 0),
        (("DB01=2",), 2),
        (("DB01=4",), 2),
        (("DB01=unknown",), 2),
        (("DB02=3",), 2),
        (("DB01=3", "DB02=1"), 2),
        (("DB01",), 2),
        (("DB01=-1",), 2),
        ((), 2),
    ],
)
def test_the_loss_is_accepted_exactly_as_the_plan_says_it(
    do: Do, hosts: Hosts, given: tuple[str, ...], code: int
) -> None:
    plan = plan_of(do, "mount", "--server", "EX3", "--loss", "last log 02:47; may lose DB01=3")
    assert "DB01: at most 3 logs" in do("plans", "show", plan).stdout
    result = do("apply", plan, *TICKET, *(word for one in given for word in ("--accept-data-loss", one)))
    assert result.exit_code == code, result.output
    assert bool(hosts.transport.writes) is (code == 0)
    if code:
        assert ("--accept-data-loss DB01=3" in words(result)) is not ("is no accepted loss" in words(result))


def test_a_loss_of_a_plan_that_loses_nothing_is_a_misunderstanding(do: Do, hosts: Hosts) -> None:
    plan = plan_of(do, "leave-note", "--server", "EX3")
    result = do("apply", plan, "--yes", "--accept-data-loss", "DB01=3")
    assert result.exit_code == 2
    assert "binds no loss" in words(result)
    assert hosts.transport.writes == []


def test_what_was_accepted_when_planning_binds_and_needs_no_second_word(do: Do, hosts: Hosts) -> None:
    line = ("mount", "--server", "EX3", "--loss", "may lose DB01=3", "--accept-data-loss", "DB01=5")
    plan = plan_of(do, *line)
    assert "at most 5 logs" in do("plans", "show", plan).stdout
    assert do("apply", plan, *TICKET, "--accept-data-loss", "DB01=3").exit_code == 2
    assert do("apply", plan, *TICKET, "--approve", plan).exit_code == 0


# -- handed to workers -------------------------------------------------------------------------------------------------


def test_what_is_typed_when_a_run_is_handed_in_goes_with_it(
    do: Do, hosts: Hosts, plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert approve(do, plan).exit_code == 0
    settings = Settings(parts=FakeParts(hosts), dir=str(tmp_path / "state"), home=str(tmp_path / "home"))
    shown: list[str] = []
    monkeypatch.setattr(Console, "result", lambda _, text: shown.append(text))
    with Room(settings, settings.parts) as room:
        made = load_plan(settings, plan)
        with pytest.raises(NotConfirmed) as nobody:
            answer(room, made, {}, plan, again=f"starover submit {plan}")
        assert nobody.value.next == (f"starover submit {plan} --ticket ID --approve {plan}",), "and not `apply`"
        assert "oncall-b" in "".join(shown), "the second person has agreed, and the plan says so"
        monkeypatch.setattr(Console, "interactive", property(lambda _: True))
        monkeypatch.setattr(Console, "ask", lambda _, question: "INC77" if "Ticket" in question else "DAG1")
        agreed = answer(room, made, {"approve": plan}, plan)
    assert agreed is not None
    assert (agreed.ticket, settings.ticket) == ("INC77", "INC77"), "the run's journal has it too"
