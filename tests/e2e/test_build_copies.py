"""Scenarios S3 and S11 over the real wires: copies added to what S1 built, orders put right, bad words refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_cli import Place, lab, seldom

pytestmark = pytest.mark.wire

DAG = r"""
dags:
  - name: DAG
    members: [ExchangeNode1, ExchangeNode2]
    witness: FileServer3
    witness_directory: C:\DAG
    dac_mode: DagOnly
"""
GUIDE = ("copies-add", "--copy", "DB1=ExchangeNode2,pref=2", "--copy", "DB2=ExchangeNode1,pref=2")


def topology(folder: Path, text: str, *, extends: str = "aws-2az") -> str:
    file = folder / "built.yaml"
    file.write_text(f"name: built\nextends: {extends}\n{text}", "utf-8")
    return str(file)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The AWS default with its DAG, and no copies yet."""
    with lab(tmp_path, topology(tmp_path, DAG)) as place:
        yield place


def databases(place: Place) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {name: one["copies"] for name, one in place.state()["databases"].items()}
    return found


def statuses(place: Place) -> dict[str, str]:
    return {
        f"{name}/{server}": one["status"] for name, copies in databases(place).items() for server, one in copies.items()
    }


def preferences(place: Place, database: str) -> dict[str, int]:
    return {server: one["preference"] for server, one in databases(place)[database].items()}


def events(place: Place, kind: str) -> list[Any]:
    lines = place.ok("--format", "json", "lab", "events", "--kind", kind).out.splitlines()
    return [json.loads(line) for line in lines]


def test_s3_after_s1(tmp_path: Path) -> None:
    with lab(tmp_path, "aws-2az") as place:
        place.ok(
            *("run", "dag-create", "--dag", "DAG", "--witness-server", "FileServer3", "--witness-directory", r"C:\DAG"),
            *("--members", "ExchangeNode1,ExchangeNode2", "--dac", "true", "--yes"),
        )
        before = len(place.writes())
        run = place.ok("run", *GUIDE, "--yes")
        assert "changed 4, checked again: all hold." in run.out
        assert "restart" in run.words
        assert "MSExchangeIS" in run.words
        assert statuses(place) == {
            "DB1/ExchangeNode1": "Mounted",
            "DB1/ExchangeNode2": "Healthy",
            "DB2/ExchangeNode1": "Healthy",
            "DB2/ExchangeNode2": "Mounted",
        }
        assert preferences(place, "DB1") == {"ExchangeNode1": 1, "ExchangeNode2": 2}
        assert preferences(place, "DB2") == {"ExchangeNode2": 1, "ExchangeNode1": 2}
        done = place.writes()[before:]
        assert sorted(done) == ["Add-MailboxDatabaseCopy"] * 2 + ["Update-MailboxDatabaseCopy"] * 2
        began, over = events(place, "seed_started"), events(place, "seed_finished")
        assert max(one["time"] for one in began) < min(one["time"] for one in over), "side by side"

        assert "Nothing to do" in place.ok("run", *GUIDE, "--yes").out
        assert place.writes()[before:] == done
        assert place.state()["violations"] == []
        place.ok("audit", "verify")


@seldom
def test_undo_removes_the_copies_and_leaves_their_files(place: Place) -> None:
    run = place.ok("--format", "json", "run", *GUIDE, "--yes").json["run"]
    refused = place.type("undo", run, "--yes")
    assert refused.code == 2, "what takes copies away is risk D: yes is not enough"
    apply = next(line for line in refused.err.splitlines() if "starover apply" in line)
    place.ok(*apply.split()[1:])
    assert statuses(place) == {"DB1/ExchangeNode1": "Mounted", "DB2/ExchangeNode2": "Mounted"}
    again = place.type("run", *GUIDE, "--yes")
    assert again.code == 4
    assert "has a file at" in again.words


@seldom
def test_a_seed_that_breaks_off_is_made_again(place: Place) -> None:
    add = ("run", "copies-add", "--copy", "DB1=ExchangeNode2,pref=2", "--yes")
    place.ok(*add, "--seed", "postpone")
    assert statuses(place)["DB1/ExchangeNode2"] == "Suspended"
    assert "Nothing to do" in place.ok(*add, "--seed", "postpone").out
    place.ok("lab", "break", "seed_fail", "DB1/ExchangeNode2", "at_pct=50")
    broken = place.type(*add)
    assert broken.code == 5, "the fault stays until it is mended, so every try breaks off"
    assert len(events(place, "seed_failed")) == 3
    assert "broke off" in broken.words
    place.ok("lab", "mend", "1")
    place.ok(*add)
    assert statuses(place)["DB1/ExchangeNode2"] == "Healthy"
    assert "Nothing to do" in place.ok(*add).out


def test_a_database_with_a_typographic_quote_in_its_name(tmp_path: Path) -> None:
    text = DAG + "databases:\n  - {name: O\u2019Brien DB, size_gb: 5, copies: [{server: ExchangeNode1}]}\n"
    with lab(tmp_path, topology(tmp_path, text)) as place:
        add = ("run", "copies-add", "--copy", "O\u2019Brien DB=ExchangeNode2,pref=2", "--yes")
        place.ok(*add)
        assert statuses(place)["O\u2019Brien DB/ExchangeNode2"] == "Healthy"
        assert {one["parameters"].get("Identity", "") for one in place.state()["audit"]} <= {
            "O\u2019Brien DB",
            "O\u2019Brien DB\\ExchangeNode2",
        }
        assert "Nothing to do" in place.ok(*add).out


@seldom
def test_a_layout_with_a_lagged_copy(tmp_path: Path) -> None:
    text = "databases:\n  - {name: DB05, size_gb: 5, copies: [{server: EX1}]}\n"
    layout = tmp_path / "layout.yaml"
    layout.write_text("DB05: {EX1: 1, EX3: 2, EX2: 3, EX4: {pref: 4, replay-lag: 7d}}\n", "utf-8")
    with lab(tmp_path, topology(tmp_path, text, extends="pa-4x2")) as place:
        add = ("run", "copies-add", "--layout", str(layout), "--yes")
        place.ok(*add)
        copies = databases(place)["DB05"]
        assert preferences(place, "DB05") == {"EX1": 1, "EX3": 2, "EX2": 3, "EX4": 4}
        assert {server: one["status"] for server, one in copies.items()} == {
            "EX1": "Mounted",
            **dict.fromkeys(("EX2", "EX3", "EX4"), "Healthy"),
        }
        assert [server for server, one in copies.items() if one["activation_suspended"]] == ["EX4"]
        sources = {one["subject"]: one["data"]["source"] for one in events(place, "seed_started")}
        assert sources == {"DB05\\EX3": "EX1", "DB05\\EX2": "EX1", "DB05\\EX4": "EX3"}
        assert "Nothing to do" in place.ok(*add).out
        assert place.state()["violations"] == []


# -- S11 ---------------------------------------------------------------------------------------------------------------

S11 = ("activation-preferences", "--db", "DB02", "--order", "DB02=EX2,EX4,EX1,EX3")


def in_order(folder: Path, *servers: str) -> str:
    """pa-4x2 whose DB02 has its copies in another order; EX3 keeps the lagged one."""
    copies = ", ".join(
        f"{{server: {one}, replay_lag: 7d, activation_suspended: true}}" if one == "EX3" else f"{{server: {one}}}"
        for one in servers
    )
    rest = "".join(f"  - {{name: DB0{n}, size_gb: 10, copies: [{{server: EX{n}}}]}}\n" for n in (1, 3, 4))
    text = f"databases:\n  - {{name: DB02, size_gb: 100, copies: [{copies}]}}\n{rest}"
    return topology(folder, text, extends="pa-4x2")


def test_s11_an_order_is_put_right_and_undone(tmp_path: Path) -> None:
    with lab(tmp_path, in_order(tmp_path, "EX1", "EX2", "EX4", "EX3")) as place:
        run = place.ok("--format", "json", "run", *S11, "--yes").json
        assert preferences(place, "DB02") == {"EX2": 1, "EX4": 2, "EX1": 3, "EX3": 4}
        assert 1 <= len(place.writes()) <= 4
        assert set(place.writes()) == {"Set-MailboxDatabaseCopy"}
        assert place.state()["violations"] == [], "1..n after every call (I5)"
        done = len(place.writes())
        assert "Nothing to do" in place.ok("run", *S11, "--yes").out
        assert len(place.writes()) == done
        place.ok("undo", run["run"], "--yes")
        assert preferences(place, "DB02") == {"EX1": 1, "EX2": 2, "EX4": 3, "EX3": 4}
        for order in (("EX4", "EX2", "EX1"), ("EX1", "EX4", "EX2"), ("EX2", "EX1", "EX4")):
            before = len(place.writes())
            place.ok("run", "activation-preferences", "--order", f"DB02={','.join(order)},EX3", "--yes")
            assert preferences(place, "DB02") == {server: n for n, server in enumerate((*order, "EX3"), 1)}
            assert len(place.writes()) - before <= 4
        assert place.state()["violations"] == []


CANNOT_BE = {
    "DB02=EX2,EX4,EX1": "EX3 is not named",
    "DB02=EX2,EX3,EX1,EX4": "must be last",
    "DB09=EX2,EX1": "no database DB09",
}


@seldom
def test_orders_that_cannot_be_and_an_even_one(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        for order, says in CANNOT_BE.items():
            refused = place.type("run", "activation-preferences", "--order", order, "--yes")
            assert refused.code == 4
            assert says in refused.words
        assert place.writes() == []
        spread = ("run", "activation-preferences", "--policy", "spread", "--yes")
        assert "Nothing to do" in place.ok(*spread).out, "pa-4x2 is spread as it comes"
        place.ok("run", "activation-preferences", "--order", "DB01=EX2,EX1,EX3,EX4", "--yes")
        place.ok(*spread)
        assert "Nothing to do" in place.ok(*spread).out
        zones = {"EX1": "a", "EX2": "a", "EX3": "b", "EX4": "b"}
        first = []
        for name, copies in databases(place).items():
            order = [server for _, server in sorted((one["preference"], server) for server, one in copies.items())]
            first.append(order[0])
            assert zones[order[0]] != zones[order[1]], name
            assert copies[order[-1]]["activation_suspended"], name
        assert sorted(first) == ["EX1", "EX2", "EX3", "EX4"]


# -- S7, the part of it that is about copies ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (("copies-add", "--copy", "DB1=ExchangeNode2,prio=2"), "pref=2[,replay-lag=7d][,truncation-lag=0]"),
        (("copies-add", "--copy", "DB1=ExchangeNode2,pref=2,replay-lag=15d"), "14d at most"),
        (("copies-add", "--copy", "DB1=ExchangeNode2"), "needs `pref=`"),
        (("copies-add", "--copy", "DB1=ExchangeNode9,pref=2"), "no server `ExchangeNode9`"),
        (("copies-add", "--copy", "DB1; Remove-Item=ExchangeNode2,pref=2"), "cannot be the name"),
        (("copies-add",), "--layout FILE"),
        (("copies-add", "--layout", "no-such-file.yaml"), "cannot be read"),
        (("copies-add", "--copy", "DB1=ExchangeNode2,pref=2", "--seeds-parallel", "9"), "1 to 8"),
        (("activation-preferences", "--order", "DB1=ExchangeNode1,ExchangeNode1"), "twice"),
        (("activation-preferences",), "--policy"),
    ],
)
def test_bad_words_contact_nobody(tmp_path: Path, typed: tuple[str, ...], says: str) -> None:
    hosts = "".join(
        f"  - {{name: ExchangeNode{n}, fqdn: ExchangeNode{n}.example.com, roles: [mailbox], exchange: {{}}, "
        f"credential: 'env:X', roads: [{{scheme: http, address: 127.0.0.{n}, port: 1}}]}}\n"
        for n in (1, 2)
    )
    dag = "dags:\n  - {name: DAG, members: [ExchangeNode1, ExchangeNode2]}\n"
    (tmp_path / "inventory.yaml").write_text(f"name: closed\nservers:\n{hosts}{dag}", "utf-8")
    refused = Place(tmp_path).type("--inventory", "inventory.yaml", "run", *typed, "--yes")
    assert refused.code == 2, refused.out + refused.err
    assert says in refused.words
