"""2,000 strings that try to be more than a string, through every parameter of every runbook: refused before anything is
contacted, or harmless: all that is sent holds them within a literal only.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hostile import MARK, Place, Tried, carries, escaped, fit, given, good, ground, needed, places, strings, tried
from inner_cli import typed
from inner_lab import InnerLab
from reliability_page import leave
from remembered import Remembered
from three_ways import Case

from starover.content import find
from starover.errors import BadParameter, Mistake, Refused, RemoteFailure
from starover.names import free_text
from starover.render import literal
from starover.values import Plain

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` binds all strings in every place, and plans all that is taken; every day a few of a few runbooks."""
SEED = 20261120
STRINGS = strings(2000, SEED) if ALL else strings(2000, SEED)[:24]
DAILY = ("copies-suspend", "dns-cname", "health-report", "maintenance-start", "namespace-move")
EACH = 1
"""Plans of what is taken in a place, every day."""
TYPED = 8
AT_ONCE = 100
"""Plans whose journals are kept: for each new one the others are listed."""
BOOKS = find().runbooks
PLACES = list(places(BOOKS))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> InnerLab:
    with InnerLab("pa-4x2", tmp_path_factory.mktemp("hostile")) as made:
        yield made  # type: ignore[misc]


def taken(lab: InnerLab, place: Place, text: str, others: Mapping[str, Plain] | None = None) -> bool:
    """Whether the runbook takes the value; anything but a plain refusal fails the test."""
    try:
        place.book.bind(given(place, text, others), lab.estate)
    except BadParameter as error:
        refused = error
    else:
        return True
    assert refused.exit == 2
    assert not {"\n", "\x00", "\x1b"} & set(refused.what), f"{place.name}: {refused.what!a}"
    return False


def test_the_mark_of_the_judge_is_in_no_string() -> None:
    assert not [text for text in strings(2000, SEED) if MARK in text]


def test_what_is_good_is_taken(lab: InnerLab) -> None:
    """Else every other value would be refused for the wrong reason."""
    for book in BOOKS.values():
        book.bind(
            {one.name: one.choices[0] if one.choices else fit(one) for one in book.parameters if one.required},
            lab.estate,
        )


def others(place: Place, case: Case) -> list[dict[str, Plain]]:
    """What is given beside the value: all that the case has, and only what there must be: some do not go together."""
    found: list[dict[str, Plain]] = []
    for one in (dict(case.parameters), needed(place.book, case.parameters)):
        one.pop(place.parameter.name, None)
        if one not in found:
            found.append(one)
    return found


def worn(place: Place, case: Case) -> list[str]:
    """The strings as they are, and behind what is good here, so that they look like it."""
    head = good(place, case)
    return [*STRINGS, *(head + text for text in STRINGS if head)]


def bound(lab: InnerLab, place: Place, text: str, case: Case) -> list[dict[str, Plain]]:
    """With what else the runbook takes the value."""
    return [one for one in others(place, case) if taken(lab, place, text, one)]


def judged(lab: InnerLab, place: Place, text: str, ways: Sequence[dict[str, Plain]]) -> Tried:
    """What a plan came to, held to what every plan is held to; the furthest, where one is refused out of hand."""
    for others in ways:
        said = tried(lab, place, text, others)
        where = f"{place.name} {text[:60]!a} of seed {SEED} beside {others}: {said.error}"
        assert escaped(text, said) == [], where
        assert not said.wrote, where
        assert said.error is None or isinstance(said.error, Mistake | Refused | RemoteFailure), where
        if said.contacted or others == ways[-1]:
            return said
    raise AssertionError("in no way")


@pytest.mark.parametrize("book", BOOKS if ALL else DAILY)
def test_every_string_in_every_place_is_refused_or_harmless(book: str, tmp_path: Path) -> None:
    """Where the runbook has something to do, so that what would be changed is rendered too."""
    case = ground(BOOKS[book])
    chance = random.Random(f"{SEED} {book}")
    figures: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    home = tmp_path / "home"
    home.mkdir()
    with case.lab(home) as lab:
        lab.carrier = Remembered(lab)
        changes = lab.do(lambda world: len(world.state.audit))
        for place in places({book: BOOKS[book]}):
            texts = worn(place, case)
            found = [(text, ways) for text in texts if (ways := bound(lab, place, text, case))]
            figures += Counter(places=1, bound=len(texts), taken=len(found), refused=len(texts) - len(found))
            for number, (text, ways) in enumerate(found if ALL else chance.sample(found, min(EACH, len(found)))):
                if number % AT_ONCE == 0:
                    shutil.rmtree(tmp_path / "plans", ignore_errors=True)
                    lab.folder = shutil.copytree(home, tmp_path / "plans")
                lab.transport.sent.clear()
                said = judged(lab, place, text, ways)
                ends[type(said.error).__name__ if said.error is not None else "planned"] += 1
                figures += Counter(planned=1, read=said.contacted, carried=carries(text, said))
        assert lab.do(lambda world: len(world.state.audit)) == changes
    leave(
        f"strings-{book}",
        {"runbook": book, "strings": len(STRINGS), **figures, "ends": ends, "seed": SEED, "whole": ALL},
    )


def test_a_value_with_what_no_line_has_is_refused_before_anything_is_contacted(lab: InnerLab) -> None:
    before = len(lab.transport.sent)
    for place in PLACES:
        for text in ("a\x00b", "a\nb", "a\u2028b", "a\ud800b", "a\x1b[2Jb", "a\x1b[2J\n" * 300):
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
