"""Credentials by reference: where they come from, and that they are never told."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

from starover.errors import AuthFailed, BadInventory, StaroverError
from starover.transport.credentials import Credential, Credentials

SECRET = "Correct-Horse-7"


def command(folder: Path, program: str) -> str:
    """A reference whose command runs this Python program."""
    file = folder / "tell.py"
    file.write_text(program, encoding="utf-8")
    return f"command:{Path(sys.executable).as_posix()} tell.py"


def test_from_the_environment() -> None:
    known = Credentials(environment={"OPS_USER": "EXAMPLE\\op", "OPS_PASSWORD": SECRET})
    assert known.passwords() == []
    assert known.resolve("env:OPS") == Credential("EXAMPLE\\op", SECRET)
    assert known.passwords() == [SECRET]


@pytest.mark.parametrize("environment", [{}, {"OPS_USER": "x"}, {"OPS_USER": "x", "OPS_PASSWORD": ""}])
def test_what_is_missing_in_the_environment_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(AuthFailed) as raised:
        Credentials(environment=environment).resolve("env:OPS")
    assert "OPS_PASSWORD" in raised.value.what
    assert ("OPS_USER" in raised.value.what) is ("OPS_USER" not in environment)


def test_from_a_command_in_the_inventory_s_folder(tmp_path: Path) -> None:
    reference = command(tmp_path, f"print('EXAMPLE\\\\op')\nprint({SECRET!r})\n")
    assert Credentials(folder=tmp_path).resolve(reference) == Credential("EXAMPLE\\op", SECRET)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (f"print({SECRET!r})\nraise SystemExit(3)\n", "ended with 3"),
        (f"print({SECRET!r})\n", "two lines"),
        (f"print()\nprint({SECRET!r})\n", "two lines"),
    ],
)
def test_a_command_that_fails_is_told_without_what_it_printed(tmp_path: Path, program: str, why: str) -> None:
    with pytest.raises(AuthFailed, match=why) as raised:
        Credentials(folder=tmp_path).resolve(command(tmp_path, program))
    assert SECRET not in repr(raised.value) + "".join((*raised.value.certain, *raised.value.next))


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AuthFailed, match="cannot be run"):
        Credentials(folder=tmp_path).resolve("command:no-such-program-here")


def test_a_command_runs_once(tmp_path: Path) -> None:
    program = f"open('count', 'a').write('x')\nprint('u')\nprint({SECRET!r})\n"
    known = Credentials(folder=tmp_path)
    reference = command(tmp_path, program)
    assert known.resolve(reference) == known.resolve(reference)
    assert (tmp_path / "count").read_text() == "x"


def test_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = types.ModuleType("keyring")
    stored = {"mail": types.SimpleNamespace(username="op", password=SECRET)}
    ring.get_credential = lambda service, user: stored.get(service)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert Credentials().resolve("keyring:mail") == Credential("op", SECRET)
    with pytest.raises(AuthFailed, match="other"):
        Credentials().resolve("keyring:other")


def test_without_the_keyring_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(AuthFailed) as raised:
        Credentials().resolve("keyring:mail")
    assert "starover[keyring]" in raised.value.next[0]


def test_a_lab_s_user_comes_from_its_own_file(tmp_path: Path) -> None:
    lab = {"users": [{"name": "EXAMPLE\\operator", "password": SECRET}], "hosts": []}
    (tmp_path / "lab.json").write_text(json.dumps(lab), encoding="utf-8")
    known = Credentials(folder=tmp_path, lab=True)
    assert known.resolve("lab:example\\operator") == Credential("EXAMPLE\\operator", SECRET)
    with pytest.raises(AuthFailed, match="nobody"):
        known.resolve("lab:nobody")
    with pytest.raises(BadInventory, match="lab: true"):
        Credentials(folder=tmp_path).resolve("lab:EXAMPLE\\operator")


@pytest.mark.parametrize("reference", ["", SECRET, f"plain:{SECRET}"])
def test_what_is_no_reference_is_not_repeated(reference: str) -> None:
    with pytest.raises(StaroverError) as raised:
        Credentials().resolve(reference)
    assert SECRET not in repr(raised.value)


def test_no_repr_tells_a_password() -> None:
    known = Credentials(environment={"OPS_USER": "op", "OPS_PASSWORD": SECRET})
    assert SECRET not in repr(known.resolve("env:OPS")) + repr(known) + str(known.resolve("env:OPS"))
