"""The command line on a lab over the real wires: what a new user types in five minutes, and what goes wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from starover_cli.main import main
from starover_cli.settings import Settings

pytestmark = pytest.mark.wire

SUSPEND = ("run", "copies-suspend", "--db", "DB01", "--server", "EX3", "--mode", "full", "--comment", "disk swap", "-y")
RESUME = ("run", "copies-resume", "--db", "DB01", "--server", "EX3", "-y")
Do = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("lab")
    up = subprocess.run(
        [sys.executable, "-m", "starover_cli", "lab", "up", "pa-4x2", "--dir", str(place), "--detach"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert up.returncode == 0, up.stdout + up.stderr
    assert "ready in" in up.stdout
    yield place
    CliRunner().invoke(main, ["lab", "down", "--dir", str(place)], obj=Settings())


@pytest.fixture
def do(folder: Path, tmp_path: Path) -> Iterator[Do]:
    def type_in(*line: str) -> Result:
        head = ["--inventory", str(folder / "inventory.yaml"), "--dir", str(tmp_path / "state")]
        return CliRunner().invoke(main, [*head, *line], obj=Settings())

    yield type_in
    assert type_in("lab", "mend").exit_code == 0
    left = type_in(*RESUME)  # each test finds what the first one found
    assert left.exit_code == 0, left.output


def test_the_files_of_a_lab_are_there(folder: Path, do: Do) -> None:
    assert {"inventory.yaml", "ca.pem", "lab.json"} <= {file.name for file in folder.iterdir()}
    about = json.loads((folder / "lab.json").read_text())
    assert {"name", "address", "http_port", "https_port"} <= set(about["hosts"][0])
    assert {"name", "password"} <= set(about["users"][0])
    check = do("inventory", "check")
    assert check.exit_code == 0
    assert check.stdout.startswith("LAB  pa-4x2   9 servers, 1 DAG")


def test_suspend_and_resume_over_the_wire_each_with_a_second_run_that_finds_nothing(do: Do) -> None:
    before = do("status")
    assert before.exit_code == 0, before.output
    assert "Mail is up. 4 of 4 databases mounted" in before.stdout
    assert "DAC DagOnly" in before.stdout.splitlines()[0]
    first = do(*SUSPEND)
    assert first.exit_code == 0, first.output
    assert "changed 1, checked again: holds." in first.stdout
    assert "Nothing to do" in do(*SUSPEND).stdout
    assert "DB01/EX3 Suspended" in do("status").stdout
    assert do("lab", "clock", "--advance", "1h").exit_code == 0
    queue = re.search(r"EX3 .*Suspended  (?:queue )?(\d+)/", do("status").stdout)
    assert queue is not None
    assert int(queue[1]) > 300
    back = do(*RESUME)
    assert back.exit_code == 0, back.output
    second = do(*RESUME)
    assert second.exit_code == 0
    assert "Nothing to do" in second.stdout
    assert do("audit", "verify").exit_code == 0
    lagged = do("lab", "state")
    assert lagged.exit_code == 0


def test_undo_restores_exactly(do: Do) -> None:
    before = json.loads(do("status", "--format", "json").stdout)["map"]["databases"]
    run = re.findall(r"run ([0-9a-f]{8}\.\d+)", do(*SUSPEND).stdout)[-1]
    undone = do("undo", run, "-y")
    assert undone.exit_code == 0, undone.output
    assert do("lab", "clock", "--advance", "1m").exit_code == 0  # a resumed copy initializes before it is Healthy
    after = json.loads(do("status", "--format", "json").stdout)["map"]["databases"]

    def kept(databases: list[dict[str, object]]) -> object:
        fields = ("server", "status", "preference", "activation_suspended", "comment")
        return [[{name: copy[name] for name in fields} for copy in row["copies"]] for row in databases]  # type: ignore[attr-defined]

    assert kept(after) == kept(before)


def test_a_silent_host_is_late_and_said(do: Do) -> None:
    assert do("lab", "break", "host_off", "EX3").exit_code == 0
    seen = do("status")
    assert seen.exit_code == 0
    assert "EX3" in next(line for line in seen.stdout.splitlines() if line.startswith("Not known"))
    refused = do(*SUSPEND)
    assert refused.exit_code == 6
    assert "exit 6 unreachable" in refused.stderr
    assert do("lab", "mend").exit_code == 0
    assert do("lab", "clock", "--advance", "30m").exit_code == 0
    assert "Not known" not in do("status").stdout, "it has booted"


def test_a_wrong_password_is_six_and_never_told(do: Do, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "copy"
    place.mkdir()
    about = json.loads((folder / "lab.json").read_text())
    secret = about["users"][0]["password"]
    for user in about["users"]:
        user["password"] = "not the one"
    (place / "lab.json").write_text(json.dumps(about))
    for name in ("inventory.yaml", "ca.pem"):
        (place / name).write_bytes((folder / name).read_bytes())
    result = do("--inventory", str(place / "inventory.yaml"), *SUSPEND)
    assert result.exit_code == 6
    assert "exit 6 not authenticated" in result.stderr
    assert "not the one" not in result.output
    assert secret not in result.output


def test_two_labs_do_not_share_a_folder(do: Do, folder: Path) -> None:
    result = do("lab", "up", "aws-2az", "--dir", str(folder), "--detach")
    assert result.exit_code == 2
    assert "runs in" in result.stderr


def test_an_unknown_topology_is_one_message(do: Do, tmp_path: Path) -> None:
    result = do("lab", "up", "no-such-topology", "--dir", str(tmp_path / "x"), "--detach")
    assert result.exit_code == 2
    assert "no-such-topology" in result.stderr
    assert "Traceback" not in result.output


def test_breaking_what_is_not_there_names_what_is(do: Do) -> None:
    result = do("lab", "break", "host_of", "EX3")
    assert result.exit_code == 2
    assert "host_off" in result.stderr
    for kind, wish in (("host_off", "name the server"), ("az_loss", "name the Availability Zone")):
        untold = do("lab", "break", kind)
        assert untold.exit_code == 2
        assert wish in untold.stderr
        assert "EX3" in untold.stderr or "1a" in untold.stderr, "and which there are"


def test_an_untrusted_certificate_is_six_and_says_what_to_do(do: Do, folder: Path, tmp_path: Path) -> None:
    inventory = yaml.safe_load((folder / "inventory.yaml").read_text())
    for server in inventory["servers"]:
        server["roads"] = [road for road in server["roads"] if road["scheme"] == "https"]
        for road in server["roads"]:
            del road["ca_file"]
    place = tmp_path / "untrusting"
    place.mkdir()
    (place / "inventory.yaml").write_text(yaml.safe_dump(inventory))
    (place / "lab.json").write_bytes((folder / "lab.json").read_bytes())
    result = do("--inventory", str(place / "inventory.yaml"), *SUSPEND)
    assert result.exit_code == 6, result.output
    assert "exit 6" in result.stderr
    assert "certificate" in result.stderr
    assert "Traceback" not in result.output


def test_a_lab_that_was_killed_is_one_message_and_can_be_put_away(tmp_path: Path) -> None:
    place = tmp_path / "lab"

    def type_in(*line: str) -> Result:
        return CliRunner().invoke(main, [*line], obj=Settings())

    up = subprocess.run(
        [sys.executable, "-m", "starover_cli", "lab", "up", "aws-2az-nodac", "--dir", str(place), "-d"],
        capture_output=True,
        check=False,
    )
    assert up.returncode == 0
    os.kill(json.loads((place / "lab.json").read_text())["pid"], signal.SIGKILL)
    for line in (["status"], ["run", "health-report"], ["lab", "status"]):
        result = type_in("--inventory", str(place / "inventory.yaml"), *line)
        assert result.exit_code == 6
        assert "exit 6 no lab" in result.stderr
        assert "starover lab up" in result.stderr
    put_away = type_in("lab", "down", "--dir", str(place))
    assert put_away.exit_code == 0
    assert "was not running" in put_away.stdout
    assert not (place / "inventory.yaml").exists()
