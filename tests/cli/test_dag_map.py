"""The map of `starover status`: words, columns, blocks, and what is not known."""

from __future__ import annotations

from datetime import timedelta

import cli_maps as maps
import msgspec
import pytest
from starover_cli.views import dag_map
from starover_cli.views.dag_map import CopyCell, DatabaseRow, HostCell, Silent

HEALTHY = """\
LAB   aws-2az-nodac   DAG DAG   2 members  quorum 3/3   DAC Off            Fri 20 Nov 14:00:07 (sim)

Mail is up. 2 of 2 databases mounted, every passive copy healthy.
Weak spot: losing eu-west-1a stops all mail (2 of 3 votes are there).

           eu-west-1a                   eu-west-1b                   eu-west-1c
member     ExchangeNode1  Up  1 vote    ExchangeNode2  Up  1 vote
witness    FileServer  ok  1 vote                                    FileServer3  spare
DC         DC1  ok                      DC2  ok
DB1        1 ACTIVE                     2 Healthy  queue 0/0
DB2        2 Healthy  queue 0/0         1 ACTIVE
mail       mail.example.com -> exch-nlb-0a1b (2 healthy targets)

next:
  starover run health-report   every check, graded"""


def test_a_healthy_dag_on_one_screen() -> None:
    assert dag_map.render(maps.two_zones()) == HEALTHY


def test_a_lost_quorum_is_on_the_first_line_and_mail_comes_first() -> None:
    healthy = maps.two_zones()
    lost = maps.two_zones(
        where=msgspec.structs.replace(healthy.where, votes=1),
        databases=tuple(
            msgspec.structs.replace(
                row, copies=tuple(msgspec.structs.replace(copy, status="Dismounted") for copy in row.copies)
            )
            for row in healthy.databases
        ),
    )
    lines = dag_map.render(lost).splitlines()
    assert "quorum LOST 1/3" in lines[0]
    assert lines[2].startswith("MAIL IS DOWN. 0 of 2 databases mounted.")


def test_one_dismounted_database_is_named() -> None:
    rows = maps.two_zones().databases
    down = msgspec.structs.replace(
        rows[0], copies=tuple(msgspec.structs.replace(copy, status="Dismounted") for copy in rows[0].copies)
    )
    verdict = dag_map.judge(maps.two_zones(databases=(down, rows[1])))
    assert verdict[0] == "MAIL IS PARTLY DOWN. 1 of 2 databases mounted: DB1 is not."


def test_databases_that_nobody_could_list_are_not_none() -> None:
    why = "EX1 may not use Get-MailboxDatabase"
    verdict = dag_map.judge(maps.two_zones(databases=(), unlisted=why))
    assert verdict[0] == f"Mail: not known, no member could list the databases: {why}."
    assert dag_map.judge(maps.two_zones(databases=()))[0] == "No database is in this DAG."


def test_a_suspended_copy_is_named_and_the_way_back_offered() -> None:
    rows = (maps.two_copies("DB1", "ExchangeNode1", passive="Suspended"), maps.two_copies("DB2", "ExchangeNode2"))
    suspended = maps.two_zones(databases=rows)
    text = " ".join(dag_map.judge(suspended))
    assert "DB1/ExchangeNode2 Suspended" in text
    assert "No redundancy: DB1" in text
    assert "DB2" not in text
    assert "starover plan copies-resume --db DB1 --server ExchangeNode2" in dag_map.render(suspended)


def test_a_lagged_copy_that_is_blocked_on_purpose_is_good_but_no_takeover() -> None:
    row = maps.four_copies("DB01", "EX1", "EX3", "EX2", "EX4")
    assert row.perfect
    only_lagged = DatabaseRow(name="DB01", copies=(row.copies[0], row.copies[3]))
    assert any("No redundancy" in line for line in dag_map.judge(maps.four_members((only_lagged,))))


@pytest.mark.parametrize("queue", [None, 2**63 - 42, -1])
def test_a_queue_that_is_no_number_is_unknown_and_never_green(queue: int | None) -> None:
    copy = CopyCell(server="EX3", az="eu-west-1b", preference=2, status="Healthy", copy_queue=queue, replay_queue=0)
    assert not copy.good
    first = maps.four_copies("DB01", "EX1", "EX3").copies[0]
    text = dag_map.render(maps.four_members((DatabaseRow(name="DB01", copies=(first, copy)),)))
    assert "queue ?/0" in text
    assert "every passive copy healthy" not in text


def test_what_nobody_said_is_not_known() -> None:
    unknown = DatabaseRow(name="DB01", copies=(CopyCell(server="EX1", az="eu-west-1a"),))
    silent = (Silent(server="EX1", why="no answer in 8.0 s"),)
    dag = msgspec.structs.replace(maps.four_members((unknown,)), silent=silent)
    verdict = dag_map.judge(dag)
    assert verdict[0].startswith("Mail: not known")
    assert verdict[-1] == "Not known: what EX1 would say; 1 host did not answer."
    assert "no answer in 8.0 s" in dag_map.render(dag)
    assert "up" not in verdict[0].lower()


def test_above_eight_databases_only_the_imperfect_are_drawn() -> None:
    perfect = [maps.four_copies(f"DB{n:02}", "EX1", "EX3", "EX2", "EX4") for n in range(2, 97)]
    away = maps.four_copies("DB01", "EX1", "EX3", "EX2", "EX4")
    first, second, *rest = away.copies
    moved = msgspec.structs.replace(
        away,
        copies=(
            msgspec.structs.replace(first, active=False, status="Healthy"),
            msgspec.structs.replace(second, active=True, status="Mounted"),
            *rest,
        ),
    )
    text = dag_map.render(maps.four_members((moved, *perfect)))
    assert "DB02-DB96: ACTIVE on 1, all healthy" in text
    assert "Not on the first preference: DB01 on EX3." in text
    assert not any(line.startswith("DB17") for line in text.splitlines())


def test_a_narrow_screen_gets_blocks_and_keeps_every_fact() -> None:
    dag = maps.four_members((maps.four_copies("DB01", "EX1", "EX3", "EX2", "EX4"),))
    narrow = dag_map.render(dag, 70)
    assert all(len(line) <= 70 for line in narrow.splitlines())
    for fact in ("eu-west-1a", "FSW2", "spare", "DB01/EX4", "lag 7d", "Fri 20 Nov 14:00:07 (sim)"):
        assert fact in narrow
    assert "           eu-west-1a " not in narrow


def test_more_than_three_zones_become_blocks() -> None:
    dag = maps.two_zones()
    extra = (*dag.controllers, HostCell(name="DC9", az="eu-west-1d", state="ok"))
    lines = dag_map.render(msgspec.structs.replace(dag, controllers=extra)).splitlines()
    assert "eu-west-1d" in lines


def test_names_too_long_for_columns_are_not_cut() -> None:
    name = "A database with quite a long name, 64 characters are allowed xxx"
    dag = maps.four_members((msgspec.structs.replace(maps.four_copies("DB01", "EX1", "EX3"), name=name),))
    assert name in dag_map.render(dag)


def test_two_dags_make_the_commands_name_theirs() -> None:
    dag = msgspec.structs.replace(maps.two_zones(), several=True)
    assert "starover run --dag DAG health-report" in dag_map.render(dag)


def test_lag_is_shown_as_people_say_it() -> None:
    row = maps.four_copies("DB01", "EX1", "EX3", "EX2", "EX4")
    half = msgspec.structs.replace(row.copies[3], lag=timedelta(hours=12))
    text = dag_map.render(maps.four_members((msgspec.structs.replace(row, copies=(*row.copies[:3], half)),)))
    assert "lag 12h 00m" in text
