"""A DAG that is younger than the inventory can be named; a wrong name of one that is listed cannot."""

from __future__ import annotations

import pytest

from starover.errors import BadParameter
from starover.estate import Dag, Estate, Server

SERVERS = (
    Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",)),
    Server(name="DC1", fqdn="DC1.example.com", roles=("dc",)),
)


def test_without_any_dag_every_mailbox_server_may_be_a_member() -> None:
    assert Estate(name="new", servers=SERVERS).dag("DAG9") == Dag(name="DAG9", members=("EX1",))
    with pytest.raises(BadParameter):
        Estate(name="new", servers=SERVERS).dag("no/dag")
    with pytest.raises(BadParameter):
        Estate(name="new", servers=SERVERS).dag()


def test_with_a_dag_only_its_name_is_known() -> None:
    estate = Estate(name="old", servers=SERVERS, dags=(Dag(name="DAG1", members=("EX1",)),))
    with pytest.raises(BadParameter):
        estate.dag("DAG9")


def test_aliases_within_aliases_end_with_a_message() -> None:
    from starover.yaml_lines import parse

    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert any("more than" in problem.text for problem in parse("\n".join(lines)).problems)
