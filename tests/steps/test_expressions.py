"""Regular expressions of people: what is taken ends soon whatever it is tried on, and all that people mean is taken."""

from __future__ import annotations

import re

import pytest

from starover.errors import BadParameter
from starover.expressions import LONGEST, SUBJECT, why_not
from starover.steps.update_task import Offer
from starover.steps.updates import DENIED, Exclude


@pytest.mark.parametrize(
    "text",
    [
        *[one.text for one in DENIED],
        "KB5044411",
        ".*preview.*",
        r"^(?:2026-\d{2}) .*\.NET (Framework|6\.0|8\.0)",
        r"(?i)silverlight|defender",
        r"[]a\]b[]+x?",
        r"[^]]*end",
        r"(INC|CHG)[0-9]{4,10}",
        r"(?:[A-Z]{2,5}-)?\d+",
        r"(ab){2}c",
        r"(a|b){3}",
        r"a\{2\}",
        r"x(?=y)(?<!z)",
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    assert why_not(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$",
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$",
        "((a?)+)+b",
        "(?:(?:a{1,50}){1,50}){1,50}b",
        "a?" * 40 + "a" * 40,
        "(a|a)" * 30 + "b",
        "a*" * 12 + "b",
        ".*" * 5 + "x",
        "(?:(?:(?:){1000}){1000}){1000}",
        "([a\\]]+)+x",
        "(x+x+)+y",
        "(?P<n>a+)+b",
        "(?x) a # (",
        "(a)(?P=n)",
        "(",
        "a**",
        "(" * 300,
        "a" * (LONGEST + 1),
    ],
)
def test_what_may_never_end_is_refused_when_it_is_read(text: str) -> None:
    assert why_not(text)
    with pytest.raises(BadParameter, match="neither an article"):
        Exclude.parse(text)


@pytest.mark.parametrize("text", ["a*a*b", "(a|a)(a|a)a*b", "(a|a){3}a+b", "a{1,40}a{1,40}b", "a?" * 8 + "a" * 8 + "b"])
def test_the_worst_that_is_taken_ends(text: str) -> None:
    assert why_not(text) == ""
    assert re.search(text, "a" * SUBJECT) is None


def test_a_title_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    whole = re.search

    def search(pattern: str, text: str, flags: int = 0) -> object:
        tried.append(len(text))
        return whole(pattern, text, flags)

    monkeypatch.setattr(re, "search", search)
    offer = Offer(
        id="1", revision=1, title="a" * 100_000, articles=(), categories=(), severity="", reboot=0, downloaded=False,
        browse_only=False, size=1,
    )  # fmt: skip
    assert not Exclude.parse("a+b").meets(offer)
    assert max(tried) <= SUBJECT
