"""What a person writes about copies is read strictly, in one way, before anything is contacted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starover.content import find
from starover.errors import BadParameter
from starover.estate import Estate, Exchange, Server
from starover.names import CopyId
from starover.steps.copy_spec import CopySpec, Lag, Layout, Order, SeedFrom, lag_text

ESTATE = Estate(
    name="unit",
    servers=tuple(
        Server(name=f"EX{n}", fqdn=f"EX{n}.example.com", roles=("mailbox",), exchange=Exchange()) for n in range(1, 5)
    ),
)


@pytest.mark.parametrize("text", ["7d", "168h", "7.00:00:00", "10080m", "604800s"])
def test_the_same_lag_in_every_form(text: str) -> None:
    assert Lag.parse(text) == timedelta(days=7)


@pytest.mark.parametrize("text", ["15d", "14.00:00:01", "337h", "week", "-1d", "7", "1d 2h", "", "7,5d"])
def test_lags_that_are_none(text: str) -> None:
    with pytest.raises(BadParameter, match="lag"):
        Lag.parse(text)


@given(st.integers(0, 14 * 86400))
def test_a_lag_is_read_as_it_is_shown(seconds: int) -> None:
    assert Lag.parse(lag_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("DB1=ExchangeNode2,pref=2", "DB1=ExchangeNode2,pref=2"),
        ("DB1 = EX2 , pref = 2 , replay-lag=168h", "DB1=EX2,pref=2,replay-lag=7d"),
        ("O\u2019Brien DB=EX2,truncation-lag=0,pref=16", "O\u2019Brien DB=EX2,pref=16,truncation-lag=0"),
        ("DB1=ex2.example.com,pref=1,replay-lag=0", "DB1=ex2.example.com,pref=1,replay-lag=0"),
    ],
)
def test_a_copy_that_shall_be(text: str, again: str) -> None:
    spec = CopySpec.parse(text)
    assert str(spec) == again
    assert CopySpec.parse(again) == spec


@pytest.mark.parametrize(
    "text",
    [
        "DB1=ExchangeNode2,prio=2",
        "DB1=ExchangeNode2",
        "DB1=ExchangeNode2,pref=0",
        "DB1=ExchangeNode2,pref=17",
        "DB1=ExchangeNode2,pref=two",
        "DB1=ExchangeNode2,pref=\u0662",
        "DB1=ExchangeNode2,pref=2,pref=2",
        "DB1=ExchangeNode2,pref=2,",
        "DB1=ExchangeNode2,pref",
        "DB1/ExchangeNode2,pref=2",
        "=ExchangeNode2,pref=2",
        "DB1=10.0.0.1,pref=2",
        "DB1; Remove-Item=EX2,pref=2",
        "DB1=EX2'; exit,pref=2",
    ],
)
def test_a_copy_that_cannot_be_names_the_keys(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        CopySpec.parse(text)
    assert any("pref=2[,replay-lag=7d][,truncation-lag=0]" in line for line in caught.value.next)


def test_both_slashes_name_one_copy() -> None:
    assert CopyId.parse("DB1/ExchangeNode2") == CopyId.parse("DB1\\ExchangeNode2")


@pytest.mark.parametrize("parameters", [{"copy": ["DB1=EX9,pref=2"]}, {"copy": ["DB1=EX2,pref=2"], "layout": "x"}])
def test_nothing_is_read_for_what_cannot_be(parameters: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("DB1: {EX1: 1}", "utf-8")
    given_ = parameters | ({"layout": str(file)} if "layout" in parameters else {})
    steps = find().runbook("copies-add").bind(given_, ESTATE).start()  # type: ignore[arg-type]
    with pytest.raises(BadParameter):
        next(steps)


@pytest.mark.parametrize(
    "copies",
    [
        ["DB1=EX2,pref=2", "db1=EX3,pref=2"],
        ["DB1=EX2,pref=2", "DB1=ex2.example.com,pref=3"],
        [],
    ],
)
def test_copies_that_contradict_each_other(copies: list[str]) -> None:
    steps = find().runbook("copies-add").bind({"copy": copies}, ESTATE).start()  # type: ignore[dict-item]
    with pytest.raises(BadParameter) as caught:
        next(steps)
    assert "nothing was contacted" in caught.value.certain


def test_a_layout_is_a_matrix(tmp_path: Path) -> None:
    file = tmp_path / "layout.yaml"
    file.write_text("DB01: {EX1: 1, EX3: 2}\nO\u2019Brien DB:\n  EX4: {pref: 1, replay-lag: 7d}\n", "utf-8")
    layout = Layout.parse(str(file))
    assert [str(one) for one in layout.copies] == [
        "DB01=EX1,pref=1",
        "DB01=EX3,pref=2",
        "O\u2019Brien DB=EX4,pref=1,replay-lag=7d",
    ]
    file.unlink()
    assert Layout.parse(str(layout)) == layout, "a plan holds what the file said"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("- DB01", 1),
        ("DB01: EX1", 1),
        ("DB01: {EX1: 1}\nDB01: {EX2: 1}", 2),
        ("DB01: {EX1: 1}\nDB02: {EX1: first}", 2),
        ("DB01: {EX1: {pref: 1, lag: 7d}}", 1),
        ("DB01: {EX1: 1}\n\nDB02:\n  EX1: {pref: 1, replay-lag: 15d}", 4),
        ("DB01: {EX1: [1, 2]}", 1),
        ("DB01: {EX1: }", 1),
    ],
)
def test_a_wrong_layout_is_told_with_its_line(text: str, line: int, tmp_path: Path) -> None:
    file = tmp_path / "layout.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(BadParameter, match=f"line {line}:"):
        Layout.parse(str(file))


def test_a_layout_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="cannot be read"):
        Layout.parse(str(tmp_path / "none.yaml"))


def test_orders() -> None:
    order = Order.parse("DB02=EX2, EX4,EX1,EX3")
    assert (order.database, order.servers) == ("DB02", ("EX2", "EX4", "EX1", "EX3"))
    assert Order.parse(str(order)) == order


@pytest.mark.parametrize("text", ["DB02", "DB02=", "=EX1", "DB02=EX1,,EX2", "DB02=EX1,ex1.example.com", "D/B=EX1"])
def test_orders_that_are_none(text: str) -> None:
    with pytest.raises(BadParameter):
        Order.parse(text)


def test_ways_to_seed() -> None:
    assert [str(SeedFrom.parse(text)) for text in ("auto", "postpone", "source=EX2")] == [
        "auto",
        "postpone",
        "source=EX2",
    ]
    for text in ("", "source", "source=", "EX2", "source=10.0.0.1"):
        with pytest.raises(BadParameter):
            SeedFrom.parse(text)
