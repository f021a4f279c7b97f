"""`literal`: the one door through which values reach PowerShell."""

from __future__ import annotations

import base64
import enum
import ipaddress
import json
import re
import unicodedata
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.powershell.tokens import single_literal

from starover.errors import BadParameter
from starover.names import CopyId, free_text
from starover.render import LONG, literal, quoted

QUOTING = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "quoting.jsonl").read_text(encoding="utf-8").splitlines()
]
BASE64 = re.compile(
    r"\(\[Text\.Encoding\]::UTF8\.GetString\(\[Convert\]::FromBase64String\(('[A-Za-z0-9+/=]*')\)\) "
    r"\| ConvertFrom-Json\)\.v"
)


def forbidden(text: str) -> bool:
    return any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)


def value_of(rendered: str) -> str | None:
    """What PowerShell makes of a rendered text: a literal, or base64 of JSON."""
    long = BASE64.fullmatch(rendered)
    if long is None:
        return single_literal(rendered)
    data = single_literal(long[1])
    assert data is not None
    decoded = json.loads(base64.b64decode(data, validate=True))
    assert list(decoded) == ["v"]
    return str(decoded["v"])


def test_every_hostile_string_is_quoted_as_the_engine_wants_it() -> None:
    assert [row["id"] for row in QUOTING if quoted(row["value"]) != row["literal"]] == []


def test_every_hostile_string_is_itself_or_refused() -> None:
    for row in QUOTING:
        value = row["value"]
        if forbidden(value):
            with pytest.raises(BadParameter):
                literal(value)
        else:
            assert value_of(literal(value)) == value, row["id"]


@given(st.text())
def test_all_of_unicode_is_one_literal_or_refused(text: str) -> None:
    if forbidden(text):
        with pytest.raises(BadParameter):
            literal(text)
    else:
        assert value_of(literal(text)) == text


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=20), st.integers(1, 400))
def test_also_long_ones_and_surrogates(text: str, times: int) -> None:
    value = text * times
    if forbidden(value):
        with pytest.raises(BadParameter):
            literal(value)
        return
    rendered = literal(value)
    assert value_of(rendered) == value
    if len(value.encode()) > LONG:
        assert rendered.isascii()


@given(st.text())
def test_free_text_is_always_fit_for_a_literal(text: str) -> None:
    line = free_text(text)
    assert len(line) == len(text)
    assert value_of(literal(line)) == line
    if not forbidden(text):
        assert line == text


def test_the_refusal_names_the_character_and_not_more() -> None:
    with pytest.raises(BadParameter, match=r"U\+2028"):
        literal("a\u2028b")
    with pytest.raises(BadParameter, match=r"position 3"):
        literal("ab\n")


class Dial(enum.Enum):
    GOOD = "GoodAvailability"


class Level(enum.IntEnum):
    TWO = 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "$null"),
        (True, "$true"),
        (False, "$false"),
        (0, "0"),
        (2**63 - 1, "9223372036854775807"),
        (-1, "(-1)"),
        (-(2**63), "([long]'-9223372036854775808')"),
        (timedelta(days=7), "'7.00:00:00'"),
        (timedelta(minutes=5), "'0.00:05:00'"),
        (timedelta(microseconds=1), "'0.00:00:00.0000010'"),
        (-timedelta(days=1, seconds=1), "'-1.00:00:01'"),
        (Dial.GOOD, "'GoodAvailability'"),
        (Level.TWO, "2"),
        (uuid.UUID(int=1), "'00000000-0000-0000-0000-000000000001'"),
        (ipaddress.ip_address("10.0.0.1"), "'10.0.0.1'"),
        (CopyId("DB01", "EX4"), r"'DB01\EX4'"),
        ([], "@()"),
        (["a", "o'b", 3], "@('a', 'o''b', 3)"),
        (("x",), "@('x')"),
        ({}, "@{}"),
        ({"Name": "x", "N": [1, 2]}, "@{'Name' = 'x'; 'N' = @(1, 2)}"),
        ([{"a": None}], "@(@{'a' = $null})"),
    ],
)
def test_typed_values(value: object, text: str) -> None:
    assert literal(value) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        2**63,
        -(2**63) - 1,
        b"x",
        object(),
        {1, 2},
        [["a"]],
        {"a": 1, "A": 2},
        {"a\n": 1},
        {"a" * 3000: 1},
        ["a\x00"],
        {"k": {"k": "\ud800"}},
    ],
)
def test_what_has_no_literal(value: object) -> None:
    with pytest.raises(BadParameter):
        literal(value)  # type: ignore[arg-type]


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_keep_their_value(number: int) -> None:
    assert int(re.sub(r"[()']|\[long\]", "", literal(number))) == number


@given(st.timedeltas())
def test_durations_keep_their_value(span: timedelta) -> None:
    match = re.fullmatch(r"'(-?)(\d+)\.(\d\d):(\d\d):(\d\d)(?:\.(\d{6})0)?'", literal(span))
    assert match is not None
    sign, days, hours, minutes, seconds, micros = match.groups()
    back = timedelta(
        days=int(days), hours=int(hours), minutes=int(minutes), seconds=int(seconds), microseconds=int(micros or 0)
    )
    assert (-back if sign else back) == span
