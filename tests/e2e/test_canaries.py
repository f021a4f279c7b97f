"""Over the wires: passwords and keys are in no process, no file of the state, no copy, no script and no answer."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_cli import Place, lab
from secret_marks import everything_in, found

pytestmark = pytest.mark.wire
COPY = ("--db", "DB01", "--server", "EX3")
SUSPEND = ("run", "copies-suspend", *COPY, "--mode", "full", "--yes")


def test_nothing_tells_a_secret(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2-farm") as place:
        about = json.loads((tmp_path / ".starover/lab/lab.json").read_text("utf-8"))
        user = about["users"][0]
        secrets = [*(one["password"] for one in about["users"]), *(one["key"] for one in about["keys"])]
        assert len(secrets) > 1
        asked = tmp_path / "asked.py"
        asked.write_text(f"print({user['name']!r})\nprint({user['password']!r})\n", "utf-8")
        name_credentials(place, asked, by_program=1)
        spoken, processes = followed(place, *SUSPEND)
        name_credentials(place, asked)
        for words in (
            ("run", "farm-maintenance", "--server", "EX2", "--action", "maintenance", "--yes"),
            ("doctor", "--hosts", "EX1,DC1", "--record", str(tmp_path / "record.json")),
            ("run", "copies-resume", *COPY, "--yes"),
        ):
            typed = place.within(*words, OPS_USER=user["name"], OPS_PASSWORD=user["password"])
            assert typed.code in (0, 1), typed.words
            spoken += typed.out + typed.err
        texts = {
            name: text for name, text in everything_in(tmp_path).items() if not name.endswith(("lab.json", "asked.py"))
        }
        events = json.dumps(place.control("events"))
        assert '"secret_in_script"' not in events
        assert place.writes() == ["Suspend-MailboxDatabaseCopy", "Resume-MailboxDatabaseCopy"]
        for where, text in {**texts, "said": spoken, "processes": processes, "events": events}.items():
            assert not [one for one in secrets if found(one, text)], where


def name_credentials(place: Place, asked: Path, by_program: int = 2) -> None:
    """Every n-th server's by a program, the others' by the environment; the farm's key stays the lab's."""
    file = place.folder / ".starover" / "lab" / "inventory.yaml"
    document: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    for number, server in enumerate(document["servers"]):
        server["credential"] = f"command:{sys.executable} {asked}" if number % by_program == 0 else "env:OPS"
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def followed(place: Place, *words: str) -> tuple[str, str]:
    """Run a line in a process of its own: what it said; arguments and environment of it and all that it started."""
    process = place.start(*words)
    seen: set[str] = set()
    looks = 0
    while process.poll() is None:
        looks += 1
        seen |= family(process.pid)
        time.sleep(0.02)  # real processes: there is nothing to wait on
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert looks > 3
    assert seen or not Path("/proc/self/environ").exists()
    return out + err, "\n".join(seen)


def family(root: int) -> set[str]:
    """Arguments and environments of a process and its descendants, where the system tells them."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    family_ = {root}
    while more := {pid for pid, parent in parents.items() if parent in family_} - family_:
        family_ |= more
    texts: set[str] = set()
    for pid in family_:
        for part in ("cmdline", "environ"):
            try:
                texts.add(Path(f"/proc/{pid}/{part}").read_bytes().decode("utf-8", "replace").replace("\0", "\n"))
            except OSError:
                continue
    return texts - {""}
