"""A database's file lies where its copies are: what a script that looks before it seeds rests on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.errors import WorldError
from starover_lab.world.world import World
from world.conftest import Lab

EDB = r"D:\Databases\DB1\DB1.edb"


def test_a_copy_has_its_file_until_it_is_being_seeded(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az", flags=("dag",)).world
    assert world.server("ExchangeNode1").files.exists(EDB)
    assert world.server("ExchangeNode2").files.exists(EDB.lower())
    assert not world.server("FileServer").files.exists(EDB)
    world.suspend_copy("DB1", "ExchangeNode2", "ExchangeNode1", comment="", activation_only=False)
    world.update_copy("DB1", "ExchangeNode2", "ExchangeNode1", delete_existing=True)
    assert not world.server("ExchangeNode2").files.exists(EDB)


def test_a_removed_copy_leaves_its_file(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az", flags=("dag",)).world
    world.copies.remove("DB1", "ExchangeNode2", "ExchangeNode1")
    assert world.server("ExchangeNode2").files.exists(EDB)


RDB = r"R:\rdb\DB1.edb"


def recovery(world: World, content: bytes | None) -> None:
    """A recovery database on EX1, and at its path what somebody put there."""
    files = world.server("EX1").files
    files.make_folder(r"R:\rdb")
    if content is not None:
        files.write(RDB, content)
    world.recovery_databases.create("RDB1", "EX1", RDB, r"R:\rdb", "EX1")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "missing"),
        (b"notes of the restore", "no database"),
        (b"edb of a kind", "no database"),
        (b"edb 1 7 9", "dirty shutdown"),
        (b"edb 1 0 0", ""),
    ],
)
def test_a_recovery_database_mounts_only_over_a_clean_file(
    lab: Callable[..., Lab], content: bytes | None, why: str
) -> None:
    world = lab("pa-4x2").world
    recovery(world, content)
    assert world.server("EX1").files.exists(RDB) is (content is not None)
    if not why:
        world.mount("RDB1", "EX1")
        return
    with pytest.raises(WorldError, match=why) as refused:
        world.mount("RDB1", "EX1")
    assert refused.value.kind == "mount_failed"


def test_a_file_that_comes_or_is_recovered_later_is_looked_at_when_it_is_mounted(lab: Callable[..., Lab]) -> None:
    one = lab("pa-4x2")
    world, files = one.world, one.world.server("EX1").files
    recovery(world, b"edb 1 7 9")
    with pytest.raises(WorldError, match="dirty"):
        world.mount("RDB1", "EX1")
    files.write(RDB, b"edb 1 0 0")
    world.mount("RDB1", "EX1")
    one.later(600)
    assert world.database("RDB1").state == "Mounted"
    world.dismount("RDB1", "EX1")
    one.later(600)
    files.remove(RDB)
    with pytest.raises(WorldError, match="missing"):
        world.mount("RDB1", "EX1")
