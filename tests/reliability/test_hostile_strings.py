"""2,000 strings that try to be more than a string, through every parameter of every runbook: refused before anything is
contacted, or harmless: all that is sent holds them within a literal only.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hostile import Place, escaped, fit, given, places, strings, tried
from inner_cli import typed
from inner_lab import InnerLab
from reliability_page import leave

from starover.content import find
from starover.errors import BadParameter, Mistake, Refused, RemoteFailure
from starover.names import free_text
from starover.render import literal

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` binds all strings in every place, and plans with some of what is taken; every day a few."""
SEED = 20261120
STRINGS = strings(2000, SEED) if ALL else strings(2000, SEED)[:24]
EACH = 5 if ALL else 0
"""Plans for each place at least, and each string has one; with all that is taken it would be hours."""
DAILY = 12
TYPED = 8
AT_ONCE = 50
"""Plans in one lab: what it has sent is kept."""
BOOKS = find().runbooks
PLACES = list(places(BOOKS))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> InnerLab:
    with InnerLab("pa-4x2", tmp_path_factory.mktemp("hostile")) as made:
        yield made  # type: ignore[misc]


def taken(lab: InnerLab, place: Place, text: str) -> bool:
    """Whether the runbook takes the value; anything but a plain refusal fails the test."""
    try:
        place.book.bind(given(place, text), lab.estate)
    except BadParameter as error:
        refused = error
    else:
        return True
    assert refused.exit == 2
    assert not {"\n", "\x00", "\x1b"} & set(refused.what), f"{place.name}: {refused.what!a}"
    return False


def _some(worth: Sequence[tuple[Place, str]]) -> Iterator[tuple[Place, str]]:
    """Each string once, in one of the places that take it, and each place a few times."""
    chance = random.Random(SEED)
    often: Counter[str] = Counter()
    once: set[str] = set()
    for place, text in chance.sample(worth, len(worth)):
        if text not in once or often[place.name] < EACH:
            once.add(text)
            often[place.name] += 1
            yield place, text


def test_what_is_good_is_taken(lab: InnerLab) -> None:
    """Else every other value would be refused for the wrong reason."""
    for book in BOOKS.values():
        book.bind(
            {one.name: one.choices[0] if one.choices else fit(one) for one in book.parameters if one.required},
            lab.estate,
        )


def test_every_string_in_every_place_is_refused_or_harmless(tmp_path: Path, lab: InnerLab) -> None:
    found = [(place, text) for place in PLACES for text in STRINGS if taken(lab, place, text)]
    refused = len(PLACES) * len(STRINGS) - len(found)
    worth = [(place, text) for place, text in found if text or place.parameter.name != "dag"]  # the only DAG
    chosen = list(_some(worth)) if ALL else random.Random(SEED).sample(worth, DAILY)
    ends: Counter[str] = Counter()
    for first in range(0, len(chosen), AT_ONCE):
        with InnerLab("pa-4x2", tmp_path / f"{first}") as one:
            for place, text in chosen[first : first + AT_ONCE]:
                said = tried(one, place, text)
                where = f"{place.name} {text[:60]!a} of seed {SEED}: {said.error}"
                assert escaped(text, said) == [], where
                assert not said.wrote, where
                assert said.error is None or isinstance(said.error, Mistake | Refused | RemoteFailure), where
                ends[type(said.error).__name__ if said.error is not None else "planned"] += 1
    leave(
        "strings",
        {
            "strings": len(STRINGS),
            "runbooks": len(BOOKS),
            "places": len(PLACES),
            "refused": refused,
            "taken": len(found),
            "planned": len(chosen),
            "each": EACH,
            "ends": ends,
            "seed": SEED,
            "whole": ALL,
        },
    )


def test_a_value_with_what_no_line_has_is_refused_before_anything_is_contacted(lab: InnerLab) -> None:
    before = len(lab.transport.sent)
    for place in PLACES:
        for text in ("a\x00b", "a\nb", "a\u2028b", "a\ud800b", "a\x1b[2Jb"):
            if taken(lab, place, text):
                bound = place.book.bind(given(place, text), lab.estate)
                value = bound.parameters[place.parameter.name]
                assert value == free_text(text), f"{place.name} keeps {value!a}"
                literal(str(value))
    assert len(lab.transport.sent) == before


def test_as_a_person_types_it_there_is_a_sentence_and_exit_2(lab: InnerLab) -> None:
    chance = random.Random(SEED)
    before = len(lab.transport.sent)
    pairs = [(place, text) for place in PLACES for text in STRINGS if not place.parameter.flag and len(text) < 1000]
    for place, text in chance.sample(pairs, TYPED):
        if taken(lab, place, text):
            continue
        words = ["plan", place.book.name]
        for name, value in given(place, text).items():
            each = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}={one}" for one in each]
        result = typed(lab, *words)
        assert (result.exit_code, "Traceback" in result.output) == (2, False), f"{words!a}: {result.output}"
    assert len(lab.transport.sent) == before, "nothing was contacted"
