"""The tokenizer against 1,400 hostile strings that a real parser judged, and the marks it must not stumble over."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.powershell.chars import SINGLE_QUOTES
from starover_lab.powershell.tokens import ParseError, Tokenizer, single_literal

DATA = Path(__file__).parents[1] / "data"
QUOTING = [json.loads(line) for line in (DATA / "quoting.jsonl").read_text(encoding="utf-8").splitlines()]


def kinds(text: str, mode: str = "command") -> list[str]:
    tokenizer = Tokenizer(text)
    tokenizer.mode = mode
    found = []
    while (token := tokenizer.next_token()).kind != "EndOfInput":
        found.append(token.kind)
    return found


def test_every_hostile_literal_is_seen_as_the_engine_saw_it() -> None:
    wrong = [
        row["id"]
        for row in QUOTING
        if single_literal(row["literal"]) != (row["value"] if row["alone"] == "ok" else None)
    ]
    assert wrong == []


@given(st.text())
def test_a_text_with_its_quotes_doubled_is_one_literal(text: str) -> None:
    doubled = "".join(c * 2 if c in SINGLE_QUOTES else c for c in text)
    assert single_literal(f"'{doubled}'") == text


@given(st.text(), st.sampled_from(SINGLE_QUOTES), st.text())
def test_an_undoubled_quote_never_gives_the_text_back(before: str, quote: str, after: str) -> None:
    before, after = (text.translate({ord(c): None for c in SINGLE_QUOTES}) for text in (before, after))
    assert single_literal(f"'{before}{quote}{after}'") != before + quote + after


@pytest.mark.parametrize("text", ["", "x", "'a'b", " 'a'", "'a' ", "'a", '"a"', "'a''", "@'\na\n'@"])
def test_what_is_no_single_literal(text: str) -> None:
    assert single_literal(text) is None


def test_blanks_and_new_lines() -> None:
    assert kinds("a\u00a0b\u2028c\x85d") == ["Identifier"] * 4
    assert kinds("a\rb\r\nc\nd") == ["Identifier", "NewLine"] * 3 + ["Identifier"]


def test_dashes_are_hyphens_in_parameters_and_operators_only() -> None:
    assert kinds("\u2013Name \u2014x \u2015y") == ["Parameter"] * 3
    assert kinds("5 \u2013eq 5", "expression") == ["Number", "-eq", "Number"]
    assert kinds("Get\u2013Thing") == ["Generic"]


def test_a_word_is_a_number_only_when_nothing_is_left_over() -> None:
    tokenizer = Tokenizer("12 12abc 1kb 1kbs 5L 1.10d 1_000 0xFF")
    values = []
    while (token := tokenizer.next_token()).kind != "EndOfInput":
        values.append((token.kind, f"{token.number}" if token.kind == "Number" else token.value))
    assert values == [
        ("Number", "12"),
        ("Generic", "12abc"),
        ("Number", "1024"),
        ("Generic", "1kbs"),
        ("Number", "Long(5)"),
        ("Number", "1.10"),
        ("Generic", "1_000"),
        ("Number", "255"),
    ]


def test_an_open_string_names_where_it_was_opened() -> None:
    with pytest.raises(ParseError) as raised:
        kinds("a\n 'b")
    assert (raised.value.error_id, raised.value.line, raised.value.column) == ("TerminatorExpectedAtEndOfString", 2, 2)
