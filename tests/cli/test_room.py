"""Which DAG an invocation is about: one that was named need not be in the inventory yet."""

from __future__ import annotations

import pytest
from cli_estate import FakeParts, Hosts
from starover_cli.room import Room
from starover_cli.settings import Settings

from starover.errors import BadParameter


def room(dag: str) -> Room:
    parts = FakeParts(Hosts())
    return Room(Settings(parts=parts, dag=dag), parts)


def test_a_dag_that_is_to_be_created_is_in_no_inventory() -> None:
    assert room("DAG9").dag_of() is None
    with pytest.raises(BadParameter, match="DAG9"):
        assert room("DAG9").dag


@pytest.mark.parametrize("named", ["", "DAG1", "dag1"])
def test_a_dag_of_the_inventory_is_known(named: str) -> None:
    known = room(named).dag_of()
    assert known is not None
    assert known.name == "DAG1"
