"""Options from signatures, and what people type for a copy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

import click
import msgspec
import pytest
from starover_cli import params
from starover_cli.settings import Settings

from starover.errors import BadParameter
from starover.estate import Dag, Estate, Server
from starover.names import CopyId, DbName
from starover.runbook import Steps, runbook

ESTATE = Estate(
    name="e",
    servers=tuple(Server(name=name, fqdn=f"{name}.example.com", roles=("mailbox",)) for name in ("EX1", "EX4")),
    dags=(Dag(name="DAG1", members=("EX1", "EX4")),),
)
Text = Annotated[str, msgspec.Meta(max_length=512)]


@runbook
def a_runbook(
    dag: Dag,
    server: Server,
    mode: Literal["full", "half"],
    db: Sequence[DbName] = (),
    note: Sequence[Text] = (),
    copy: CopyId | None = None,
    lag: timedelta | None = None,
    count: int = 2,
    deep: bool = False,
    dac: bool = True,
    ticket: str = "",
) -> Steps:
    """Do a thing.

    mode: how much of it
    """
    yield from ()


def parse(*line: str, settings: Settings | None = None) -> dict[str, object]:
    seen: dict[str, object] = {}

    def callback(**values: object) -> None:
        seen.update(params.typed(a_runbook, values, settings or Settings()))

    command = click.Command("x", params=list(params.options(a_runbook)), callback=callback)
    command.main(list(line), standalone_mode=False)
    return seen


def test_what_was_not_given_is_left_out() -> None:
    assert parse() == {}


def test_every_parameter_is_an_option_but_those_of_every_command() -> None:
    names = {name for option in params.options(a_runbook) for name in option.opts}
    assert "--lag" in names
    assert "--count" in names
    assert not names & {"--dag", "--ticket"}


def test_a_list_is_repeated_or_divided_by_commas() -> None:
    assert parse("--db", "DB1", "--db", "DB2")["db"] == ["DB1", "DB2"]
    assert parse("--db", "DB1,DB2")["db"] == ["DB1", "DB2"]


def test_a_comma_in_free_text_divides_nothing() -> None:
    assert parse("--note", "first, second")["note"] == ["first, second"]


@pytest.mark.parametrize(
    ("line", "value"), [(["--deep"], "true"), (["--deep", "true"], "true"), (["--dac", "false"], "false")]
)
def test_a_flag_alone_is_yes_and_can_be_told_otherwise(line: list[str], value: str) -> None:
    bound = a_runbook.bind({"server": "EX1", "mode": "full", **parse(*line)}, ESTATE)  # type: ignore[dict-item]
    assert bound.parameters[line[0].removeprefix("--")] is (value == "true")


def test_options_of_every_command_reach_the_runbook() -> None:
    given = parse(settings=Settings(dag="DAG1", ticket="INC1"))
    assert given == {"dag": "DAG1", "ticket": "INC1"}


def test_a_wrong_choice_is_refused_with_the_right_ones() -> None:
    with pytest.raises(click.BadParameter, match="full"):
        parse("--mode", "all")


@pytest.mark.parametrize("typed", ["DB01/EX4", "DB01\\EX4"])
def test_a_copy_is_understood_where_database_and_server_are_apart(typed: str) -> None:
    assert params.understood(a_runbook, {"db": [typed]}, ESTATE) == {"db": ["DB01"], "server": "EX4"}
    both = params.understood(a_runbook, {"db": [typed], "server": "ex4.example.com"}, ESTATE)
    assert both["db"] == ["DB01"]


def test_copies_on_two_servers_are_refused() -> None:
    with pytest.raises(BadParameter, match=r"EX1.*EX4|EX4.*EX1"):
        params.understood(a_runbook, {"db": ["DB01/EX4"], "server": "EX1"}, ESTATE)


def test_an_eaten_backslash_gets_its_hint() -> None:
    with pytest.raises(BadParameter) as caught:
        params.understood(a_runbook, {"db": ["DB01EX4"]}, ESTATE)
    assert "backslash" in caught.value.what
    assert caught.value.next == ("write it as DB01/EX4",)


def test_a_database_that_only_ends_like_a_server_is_left_alone_where_a_server_was_named() -> None:
    given = {"db": ["DB01EX4"], "server": "EX1"}
    assert params.understood(a_runbook, given, ESTATE) == given


def test_a_parameter_named_like_an_option_of_the_command_line_is_a_mistake() -> None:
    @runbook
    def clash(yes: bool = False) -> Steps:
        """Clash."""
        yield from ()

    with pytest.raises(BadParameter, match="--yes"):
        params.options(clash)
