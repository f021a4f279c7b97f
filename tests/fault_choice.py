"""Which accident befalls which call or request: now and then, or every one that is left; knows no road and no lab.

A call is known by what it is about, in whatever leg of a run it is made. So a run that was ended by one accident is
gone on with and struck again, in what resumes it and in what plans it anew.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from starover.transport import Script

__all__ = ["Call", "Chooser", "Chosen", "Kinds", "Now", "Points", "about"]

Call: TypeAlias = tuple[str, ...]
"""What is called, and what about: nothing of it is another in the next run."""
Kinds: TypeAlias = Callable[[Call], Sequence[str]]
"""What may befall a call."""


def about(script: Script) -> str:
    """What a script is, whenever and for whichever run it is sent. A lease is held under another name in each leg."""
    what = "write" if script.mutates else "read" if script.parts else "probe"
    parts = [
        part.template if part.id == "lease" else f"{part.template} {bytes(part.arguments).decode()}"
        for part in script.parts
    ]
    return f"{what} {parts}"


class Chooser(Protocol):
    """Says what befalls a call."""

    over: bool
    """Nothing does any more by which a leg may end: what ends now is gone on with while all is well."""

    def __call__(self, call: Call, /) -> str | None: ...


class Now:
    """Strikes now and then, whatever there is: so many times, about every so many calls."""

    def __init__(self, kinds: Kinds, seed: object, most: int, apart: int) -> None:
        self._kinds, self._chance, self._left, self._apart = kinds, random.Random(str(seed)), most, apart
        self.over = False

    def __call__(self, call: Call, /) -> str | None:
        if self.over or self._chance.random() > 1 / self._apart:
            return None
        self._left -= 1
        self.over = self._left <= 0
        return self._chance.choice(self._kinds(call))


class Points:
    """Every accident of every call of a run that lived, and which of them are left.

    A call that is made again and again (who looks after a command looks a hundred times) has a point for each time;
    which of its calls is struck is up to chance.
    """

    over = False

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.all: Counter[tuple[Call, str]] = Counter()
        self.left: Counter[tuple[Call, str]] = Counter()

    def __call__(self, call: Call, /) -> None:
        """As the chooser of the run that lives: nothing befalls it."""
        for kind in self.kinds(call):
            self.all[call, kind] += 1
            self.left[call, kind] += 1

    @property
    def tried(self) -> int:
        return self.all.total() - self.left.total()

    def shares(self, number: int, seed: object) -> list[Counter[tuple[Call, str]]]:
        """What is left, dealt out to stories that are played side by side."""
        chance = random.Random(str(seed))
        dealt = [Counter[tuple[Call, str]]() for _ in range(number)]
        for point in self.left.elements():
            chance.choice(dealt)[point] += 1
        return dealt


class Chosen:
    """The chooser of one story, which takes from what is `left`.

    Accidents that a leg may end by (`grave`) come with some calls between them (counted are those that are `steps`),
    and after each of them nothing happens for a while: the tool is to show what it makes of this one. All others are
    strewn among them, and go on after `most` grave ones, in the leg that is to end the story.
    """

    QUIET = 4
    """Calls."""
    APART = 8
    """At most so many steps between grave ones."""
    OFTEN = 0.6
    """Of the calls that have a slight accident left."""

    def __init__(
        self,
        kinds: Kinds,
        left: Counter[tuple[Call, str]],
        seed: object,
        *,
        grave: Callable[[Call, str], bool] = lambda _call, _kind: True,
        steps: Callable[[Call], bool] = lambda _call: True,
        most: int = 60,
    ) -> None:
        self._kinds, self._grave, self._steps = kinds, grave, steps
        self.left = left
        self._chance = random.Random(str(seed))
        self._calls, self._passed, self._apart = self.QUIET, 0, self._chance.randrange(1, self.APART)
        self._most = most
        self.over = False

    def __call__(self, call: Call, /) -> str | None:
        self._calls += 1
        self._passed += self._steps(call)
        if self._calls <= self.QUIET:
            return None
        left = [kind for kind in self._kinds(call) if self.left[call, kind] > 0]
        worst = [kind for kind in left if self._grave(call, kind)]
        slight = [kind for kind in left if kind not in worst]
        if worst and not self.over and self._passed >= self._apart:
            kind = self._chance.choice(worst)
            self._calls, self._passed, self._apart = 0, 0, self._chance.randrange(1, self.APART)
            self._most -= 1
            self.over = self._most <= 0
        elif slight and self._chance.random() < self.OFTEN:
            kind = self._chance.choice(slight)
        else:
            return None
        self.left[call, kind] -= 1
        return kind
