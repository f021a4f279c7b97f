"""A database's file lies where its copies are: what a script that looks before it seeds rests on."""

from __future__ import annotations

from collections.abc import Callable

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
