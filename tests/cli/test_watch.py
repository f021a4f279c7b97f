"""The map, live: one line for each change where there is no terminal, an end that was asked for, and Ctrl-C."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cli_estate import FakeFault, Hosts, typing
from cli_maps import two_zones
from click.testing import Result
from starover_cli.views.watch import change_lines, changes, heartbeat, is_healthy, screen

Do = Callable[..., Result]


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
def do(hosts: Hosts, tmp_path: Path) -> Do:
    return typing(hosts, tmp_path)


def at_look(hosts: Hosts, acts: dict[int, Callable[[], object]]) -> None:
    """Do something while the n-th look is under way (from 1)."""
    listed, seen = hosts.databases, [0]

    def databases(host: str) -> object:
        seen[0] += 1
        acts.get(seen[0], lambda: None)()
        return listed(host)

    hosts.transport.templates["database/list.ps1.j2"] = databases  # type: ignore[index]


def test_it_ends_at_once_where_all_is_healthy(do: Do) -> None:
    result = do("watch", "--until", "healthy")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("LAB   pa-4x2") == 1
    assert "member" in result.stdout
    assert "next:" not in result.stdout


def test_every_change_is_a_line_and_it_ends_when_healthy_again(do: Do, hosts: Hosts) -> None:
    hosts.suspended["DB01", "EX3"] = "x"
    silent = FakeFault("silent", host="EX4", times=-1)
    at_look(
        hosts,
        {2: lambda: hosts.transport.fail(silent), 4: hosts.transport.heal, 5: hosts.suspended.clear},
    )
    result = do("watch", "--until", "healthy", "--every", "20s")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    gone, back, good = (
        next(number for number, line in enumerate(lines) if text in line)
        for text in ("member EX4: Up -> Up silent", "member EX4: Up silent -> Up", "DB01/EX3: Suspended -> Healthy")
    )
    assert gone < back < good
    assert result.stdout.count("LAB   pa-4x2") == 1, "the map is printed once"
    assert all(line[:8].count(":") == 2 for line in (lines[gone], lines[back], lines[good])), "each has its time"


def test_ctrl_c_is_its_usual_end_and_an_interruption_where_something_was_waited_for(do: Do, hosts: Hosts) -> None:
    hosts.suspended["DB01", "EX3"] = "x"
    at_look(hosts, dict.fromkeys(range(2, 99), lambda: signal.raise_signal(signal.SIGINT)))
    assert do("watch").exit_code == 0
    assert do("watch", "--until", "healthy").exit_code == 130


def test_json_is_a_line_for_each_change(do: Do, hosts: Hosts) -> None:
    hosts.suspended["DB01", "EX3"] = "x"
    at_look(hosts, {4: hosts.suspended.clear})
    result = do("--format", "json", "watch", "--until", "healthy")
    first, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert first["changes"] == []
    assert "DB01/EX3: Suspended -> Healthy" in last["changes"]


@pytest.mark.parametrize("every", ["0s", "soon", "-1s"])
def test_a_pace_that_is_none(do: Do, hosts: Hosts, every: str) -> None:
    assert do("watch", "--every", every).exit_code == 2
    assert hosts.transport.asked == []


def test_queues_move_by_themselves_and_are_no_change() -> None:
    before = two_zones()
    row = before.databases[0]
    copies = tuple(msgspec.structs.replace(copy, copy_queue=3, replay_queue=7) for copy in row.copies)
    after = msgspec.structs.replace(
        before, databases=(msgspec.structs.replace(row, copies=copies), *before.databases[1:])
    )
    assert changes(before, after) == []
    assert changes(None, after) == []
    behind = tuple(msgspec.structs.replace(copy, copy_queue=500) for copy in row.copies)
    late = msgspec.structs.replace(
        before, databases=(msgspec.structs.replace(row, copies=behind), *before.databases[1:])
    )
    assert changes(before, late)
    assert not is_healthy(late)


def test_what_is_not_seen_any_more_is_a_change() -> None:
    before = two_zones()
    after = msgspec.structs.replace(before, databases=before.databases[1:])
    assert any(line.endswith("-> not seen") for line in changes(before, after))
    assert any(": not seen ->" in line for line in changes(after, before))


def test_the_live_screen_keeps_the_latest_changes_under_the_map() -> None:
    dag = two_zones()
    lines = change_lines(dag, [f"DB0{number}: mounted -> DOWN" for number in range(9)])
    shown = screen(dag, lines).splitlines()
    assert shown[-1].endswith("DB08: mounted -> DOWN")
    assert "DB00" not in "\n".join(shown[-6:])
    assert "no change" in heartbeat(dag)
