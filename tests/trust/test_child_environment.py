"""Programs that are started from here find no password of ours in their environment, and what they need they find."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from cli_estate import Hosts
from msgspec.structs import replace
from starover_bot.__main__ import token
from starover_cli.job_telling import tell
from starover_cli.room import Parts, Room
from starover_cli.settings import Settings

from starover import child_environment
from starover.child_environment import for_keys, for_ourselves, inherited
from starover.estate import Balancer, Estate, Exchange
from starover.jobs import Program
from starover.signatures import sign
from starover.transport.credentials import Credentials

CANARY = "canary-8hDk2mQz"
NAMES = ("SERVERS", "ON_EXCHANGE", "FARM", "MINE")
TELLS = "import json, os, pathlib\npathlib.Path({file!r}).write_text(json.dumps(dict(os.environ)))\n"


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """Everything that `env:` references may stand on, and what programs live on."""
    monkeypatch.setattr(child_environment, "_hidden", set[str]())
    for name in NAMES:
        monkeypatch.setenv(f"{name}_USER", "EXAMPLE\\operator")
        monkeypatch.setenv(f"{name}_PASSWORD", CANARY)
    for name in ("STAROVER_PASSWORD", "STAROVER_X_TOKEN", "SLACK_BOT_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    for name in ("SSH_AUTH_SOCK", "VAULT_TOKEN", "SMTP_PASSWORD", "STAROVER_INVENTORY"):
        monkeypatch.setenv(name, f"kept {name}")
    return Room(Settings(), Own(), given=(estate(), Path("inventory.yaml")))


class Own(Parts):
    """Nothing is asked for."""


def estate() -> Estate:
    made = Hosts().estate
    first, second, *rest = made.servers
    servers = (
        replace(first, credential="env:SERVERS"),
        replace(second, exchange=Exchange(credential="env:ON_EXCHANGE")),
        *rest,
    )
    return replace(made, servers=servers, balancers=(Balancer(name="lb", credential="env:FARM"),))


def test_what_an_inventory_names_is_handed_to_nobody(room: Room, tmp_path: Path) -> None:
    assert room.estate.credentials == {"env:SERVERS", "env:ON_EXCHANGE", "env:FARM"}
    credentials = Credentials(folder=tmp_path)
    assert credentials.resolve("env:MINE").password == CANARY, "it is ours to read"
    assert token("env:SLACK_BOT_TOKEN", "bot-token") == CANARY
    script = tmp_path / "secret.py"
    script.write_text("import json, os\nprint('EXAMPLE\\\\operator')\nprint(json.dumps(dict(os.environ)))\n")
    told = credentials.resolve(f"command:{sys.executable} {script}").password  # it is the child's environment
    file = tmp_path / "job.json"
    (tmp_path / "job.py").write_text(TELLS.format(file=str(file)))
    assert tell((Program(command=(sys.executable, str(tmp_path / "job.py"))),), "subject", "body", 3) == ()
    for text in (told, file.read_text()):
        assert CANARY not in text
        found = json.loads(text)
        assert found["PATH"] == os.environ["PATH"]
        assert found["SERVERS_USER"]
        for name in ("SSH_AUTH_SOCK", "VAULT_TOKEN", "SMTP_PASSWORD", "STAROVER_INVENTORY"):
            assert found[name] == f"kept {name}", "a program of somebody's own keeps what is its own"
    job = json.loads(file.read_text())
    assert (job["STAROVER_SUBJECT"], job["STAROVER_EXIT"]) == ("subject", "3")
    assert not [name for name in for_ourselves() if name.startswith("STAROVER_")]
    assert CANARY not in str(for_ourselves())


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for ssh-keygen is a script")
def test_ssh_keygen_gets_what_it_needs_though_no_inventory_was_read(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`approve` works from a plan's file alone: nothing says which variables are secret."""
    del room
    file, program = tmp_path / "keys.json", tmp_path / "bin" / "ssh-keygen"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{TELLS.format(file=str(file))}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("a key")
    sign(b"words", tmp_path / "key", "starover")
    found = json.loads(file.read_text())
    assert CANARY not in str(found)
    assert "VAULT_TOKEN" not in found
    assert found["SSH_AUTH_SOCK"] == "kept SSH_AUTH_SOCK"
    assert found["HOME"] == str(tmp_path)
    assert found["LC_ALL"] == "C"


def test_windows_writes_names_as_it_likes(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.estate
    monkeypatch.setenv("Servers_Password", CANARY)
    monkeypatch.setenv("SystemRoot", "C:\\Windows")
    assert CANARY not in {value for name, value in inherited().items() if name.upper() == "SERVERS_PASSWORD"}
    assert for_keys()["SystemRoot"] == "C:\\Windows"
