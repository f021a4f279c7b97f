"""`reconcile`: what a laptop did alone comes home whole, once, and only if it is as it was written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from core_hand import approval_of
from core_site import Site
from inner_lab import InnerLab
from signing import Person
from starover_cli.main import main
from starover_cli.settings import Settings

from starover.audit import check_folder
from starover.drivers.local import Ran
from starover.errors import BadParameter
from starover.evidence import export
from starover.journal import head_of, path_of, read_journal, run_ids
from starover.journal_carrier import carry
from starover.journal_chain import chain_of
from starover.reconcile import Reconciled, reconcile

AT = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Person:
    return Person.new("oncall-a", tmp_path_factory.mktemp("keys"))


def site(folder: Path) -> Site:
    made = Site(folder)
    made.folder.mkdir(parents=True, exist_ok=True)
    return made


def apply(where: Site, server: str, person: Person | None = None, *, name: str = "a", broken: bool = False) -> Ran:
    local = where.local()
    local.sign = person.sign if person is not None else None
    made = local.plan("lamps-on", {"servers": [server], "names": [name]}).plan
    if broken:
        where.lamps.broken.add((server, name))
    return local.apply(made, approve=approval_of)


def home(source: Path, folder: Path, **more: Any) -> Reconciled:
    return reconcile(source, folder, who="oncall-b", at=AT, **more)


def clean(folder: Path, **more: Any) -> list[str]:
    return [one.says for one in check_folder(folder, **more).findings]


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def kept(person: Person, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs and their plannings, signed."""
    made = site(tmp_path_factory.mktemp("laptop") / ".starover")
    for server in ("EX1", "EX2"):
        assert apply(made, server, person).exit == 0
    return made.folder


@pytest.fixture
def laptop(kept: Path, tmp_path: Path) -> Site:
    return site(Path(shutil.copytree(kept, tmp_path / "laptop" / ".starover")))


@pytest.fixture
def team(tmp_path: Path) -> Site:
    made = site(tmp_path / "team")
    assert apply(made, "EX3", name="c").exit == 0
    return made


def test_runs_come_home_whole_and_once(laptop: Site, team: Site, person: Person, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text(person.line, "utf-8")
    own, there = files(team.folder), files(laptop.folder)
    done = home(tmp_path / "laptop", team.folder, signers=signers)  # the folder around it is enough
    assert sorted(one.run for one in done.took) == run_ids(laptop.folder)
    assert (done.refused, done.not_taken, done.plans) == (False, (), 2)
    assert done.checked.signed == {"oncall-a": 4}
    for run in run_ids(laptop.folder):
        assert path_of(team.folder, run).read_bytes() == path_of(laptop.folder, run).read_bytes()
    assert files(laptop.folder) == there  # nothing there was touched
    after = files(team.folder)
    assert {name: after[name] for name in own if not name.endswith(".lock")} == {
        name: data for name, data in own.items() if not name.endswith(".lock")
    }
    checked = check_folder(team.folder, signers=signers)
    assert (checked.findings, checked.signed) == ((), {"oncall-a": 4})
    assert not any("another folder" in one for one in checked.unchecked)

    again = home(tmp_path / "laptop", team.folder)
    assert (again.took, sorted(again.here)) == ((), run_ids(laptop.folder))
    assert files(team.folder) == after


def test_what_was_done_there_since_comes_the_next_time(laptop: Site, team: Site) -> None:
    stopped = apply(laptop, "EX3", broken=True)
    assert stopped.exit == 4
    home(laptop.folder, team.folder)
    laptop.lamps.broken.clear()
    assert laptop.resume(stopped.run).exit == 0
    before = len(read_journal(team.folder, stopped.run))
    done = home(laptop.folder, team.folder)
    assert [(one.run, one.went_on, one.over) for one in done.took] == [(stopped.run, True, True)]
    assert done.took[0].records == len(read_journal(team.folder, stopped.run)) - before > 0
    assert clean(team.folder) == []


def test_an_older_copy_of_that_folder_brings_nothing_back(laptop: Site, team: Site, tmp_path: Path) -> None:
    old = Path(shutil.copytree(laptop.folder, tmp_path / "old"))
    apply(laptop, "EX3")
    home(laptop.folder, team.folder)
    after = files(team.folder)
    assert home(old, team.folder).took == ()
    assert files(team.folder) == after


@pytest.mark.parametrize("how", ["record", "head", "cut", "signature", "plan", "list"])
def test_what_was_changed_is_not_taken_and_the_rest_is(laptop: Site, team: Site, how: str) -> None:
    ids = run_ids(laptop.folder)
    run = next(one for one in ids if (laptop.folder / "plans" / f"{one[:8]}.json").exists())
    path, alone = path_of(laptop.folder, run), {run}
    match how:
        case "record":
            path.write_bytes(path.read_bytes().replace(b"oncall-a", b"oncall-z", 1))
        case "head":
            head_of(laptop.folder, run).unlink()
        case "cut":
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
        case "signature":
            (laptop.folder / "index" / f"{run}.signed").write_bytes(b"starover run head 1\n")
        case "plan":
            plan = laptop.folder / "plans" / f"{run[:8]}.json"
            plan.write_bytes(plan.read_bytes().replace(b"oncall-a", b"oncall-z", 1))
            alone |= {one for one in ids if f'"plan":"{run[:8]}"'.encode() in path_of(laptop.folder, one).read_bytes()}
            assert len(alone) == 2
        case _:
            chain_of(laptop.folder).unlink()
            alone = set(ids)
    done = home(laptop.folder, team.folder)
    assert done.refused
    assert {one.run for one in done.not_taken} >= alone
    assert all(one.why for one in done.not_taken)
    left = {one.run for one in done.not_taken}
    assert sorted(one.run for one in done.took) == [one for one in ids if one not in left]
    assert not any(path_of(team.folder, one).exists() for one in left)
    assert clean(team.folder) == []  # what is not here is known not to be here


def test_a_foreign_signature_is_refused_where_the_keys_that_count_are_given(
    laptop: Site, team: Site, tmp_path: Path
) -> None:
    other = Person.new("mallory", tmp_path / "keys")
    signers = tmp_path / "signers"
    signers.write_text(other.line, "utf-8")
    done = home(laptop.folder, team.folder, signers=signers)
    assert (done.took, len(done.not_taken)) == ((), 4)


def test_another_run_of_the_same_id_stays_what_it_is(tmp_path: Path) -> None:
    laptop, team = site(tmp_path / "laptop"), site(tmp_path / "team")
    made = laptop.plan("lamps-on", "EX1", names=["a"]).plan
    for one in (laptop, team):
        assert one.local().apply(made, approve=approval_of).run == f"{made.id}.1"
    apply(laptop, "EX2")
    mine = path_of(team.folder, f"{made.id}.1").read_bytes()
    done = home(laptop.folder, team.folder)
    assert [one.run for one in done.not_taken] == [f"{made.id}.1"]
    assert "another run of the same id" in done.not_taken[0].why
    assert path_of(team.folder, f"{made.id}.1").read_bytes() == mine
    assert clean(team.folder) == []
    export(team.folder, tmp_path / "bundle", FIRST, LAST)
    said = subprocess.run([sys.executable, "-I", str(tmp_path / "bundle/verify.py")], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "was not taken" in said.stdout


def test_a_run_that_went_on_in_both_places_is_told(laptop: Site, team: Site) -> None:
    stopped = apply(laptop, "EX3", broken=True).run
    home(laptop.folder, team.folder)
    laptop.lamps.broken.clear()
    laptop.resume(stopped)
    team.local().resume(stopped, approve=approval_of)
    done = home(laptop.folder, team.folder)
    assert [one.run for one in done.not_taken] == [stopped]
    assert "went on in both places" in done.not_taken[0].why


def test_runs_taken_away_here_afterwards_are_missed(laptop: Site, team: Site) -> None:
    home(laptop.folder, team.folder)
    run = run_ids(laptop.folder)[-1]
    path_of(team.folder, run).unlink()
    head_of(team.folder, run).unlink()
    assert any(run in one for one in clean(team.folder))
    for file in (team.folder / "index").glob("from-*.json"):
        file.write_bytes(b"{")
    assert any("from-" in one for one in clean(team.folder))


def test_a_list_from_which_a_run_was_taken_is_refused_as_a_whole(laptop: Site, team: Site) -> None:
    home(laptop.folder, team.folder)
    apply(laptop, "EX3")
    after = files(team.folder)
    chain = chain_of(laptop.folder)
    first, _, *rest = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(first + b"".join(rest))
    with pytest.raises(BadParameter, match="taken out"):
        home(laptop.folder, team.folder)
    assert files(team.folder) == after


def test_this_very_folder_and_one_without_journals_are_named(team: Site, tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="very folder"):
        home(team.folder, team.folder)
    with pytest.raises(BadParameter, match="no journals"):
        home(tmp_path, team.folder / "new")


# -- typed -------------------------------------------------------------------------------------------------------------


def typed(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, list(words), obj=Settings(dir=str(folder)), env={"STAROVER_TEMPORAL_ADDRESS": ""})


def test_what_came_is_in_the_list_the_report_and_the_audit(laptop: Site, team: Site, tmp_path: Path) -> None:
    done = typed(team.folder, "reconcile", str(tmp_path / "laptop"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Brought home" in done.stdout
    applied = [one for one in run_ids(laptop.folder) if one in typed(team.folder, "runs").stdout]
    assert len(applied) == 2
    for run in applied:
        assert run in done.stdout
        assert typed(team.folder, "report", run).exit_code == 0
    checked = typed(team.folder, "audit", "verify")
    assert (checked.exit_code, "Every record is as it was written" in checked.stdout) == (0, True)
    again = typed(team.folder, "reconcile", str(tmp_path / "laptop"))
    assert (again.exit_code, "Nothing new" in again.stdout) == (0, True)


def test_a_changed_one_is_refused_with_words_and_exit_4(laptop: Site, team: Site) -> None:
    path = path_of(laptop.folder, run_ids(laptop.folder)[0])
    path.write_bytes(path.read_bytes().replace(b"oncall-a", b"oncall-z", 1))
    done = typed(team.folder, "reconcile", str(laptop.folder))
    assert (done.exit_code, "exit 4 refused" in done.stderr) == (4, True)
    assert "was not taken: record 0" in done.stdout
    said = json.loads(typed(team.folder, "--format", "json", "reconcile", str(laptop.folder)).stdout)
    assert (said["exit"], len(said["not_taken"]), said["took"]) == (4, 1, [])


def test_two_runs_of_one_dag_at_the_same_time_are_told_of(tmp_path: Path) -> None:
    laptop, team = site(tmp_path / "laptop"), site(tmp_path / "team")
    with InnerLab("aws-2az-nodac", laptop.folder) as lab:
        lab.run("copies-suspend", db="DB1", server="ExchangeNode2", mode="full", comment="alone")
    shutil.copytree(laptop.folder, team.folder, dirs_exist_ok=True)
    for name in ("runs", "index", "plans"):
        shutil.rmtree(team.folder / name)
    with InnerLab("aws-2az-nodac", team.folder) as lab:
        lab.run("copies-suspend", db="DB2", server="ExchangeNode1", mode="full", comment="the team")
    done = typed(team.folder, "reconcile", str(laptop.folder))
    assert "at DAG at the same time" in done.stdout, done.output


def test_a_run_that_the_teams_server_still_carries_is_not_grown_behind_its_back(laptop: Site, team: Site) -> None:
    run = run_ids(laptop.folder)[-1]
    whole = path_of(laptop.folder, run).read_bytes()
    begin = b"".join(whole.splitlines(keepends=True)[:3])
    path_of(team.folder, run).write_bytes(begin)
    carry(team.folder, run, "Temporal: starover/unit/dag1 (one)", 3)
    (kept,) = [one for one in home(laptop.folder, team.folder).not_taken if one.run == run]
    assert (kept.refused, "carried here by Temporal" in kept.why) == (True, True)
    assert path_of(team.folder, run).read_bytes() == begin
