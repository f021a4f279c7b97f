"""Guards taken away one by one: what each removal is, and the test or story that notices it.

Loaded as a pytest plugin (`-p mutants`) in a process of its own, with `STAROVER_MUTANT` naming what to remove; then the
named test must fail. Nothing of the product knows of it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Mutant:
    """One guard, receipt check, re-read or fence level that is removed."""

    name: str
    removes: str
    """In the field's words, for the table."""
    where: str
    """`module:attribute`, or `module:Class.attribute`."""
    instead: Callable[[Any], Any]
    """What stands there instead, made from what stood there."""
    noticed_by: str
    """Node id of the test that fails then."""


def nothing(_: Any) -> Any:
    """A function that does nothing and returns None."""
    return lambda *_args, **_kwargs: None


def always(value: object) -> Callable[[Any], Any]:
    """A function that returns this."""
    return lambda _before: lambda *_args, **_kwargs: value


def text(old: str, new: str) -> Callable[[Any], Any]:
    """The same text with one piece changed, which must be there."""

    def change(before: str) -> str:
        assert before.count(old) >= 1, f"{old!r} is not there any more"
        return before.replace(old, new)

    return change


def _no_steps(_: Any) -> Any:
    """A process that asks nothing and finds nothing."""

    def process(*_args: Any, **_kwargs: Any) -> Any:
        return None
        yield

    return process


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "re-read-before-apply",
        "apply compares what it reads again with what was planned (law 4)",
        "starover.engine.applying:Applying._check_change",
        nothing,
        "tests/core/test_applying.py",
    ),
    Mutant(
        "plan-is-fresh",
        "facts older than 30 minutes make a plan void",
        "starover.engine:check_fresh",
        nothing,
        "tests/core/test_applying.py",
    ),
    Mutant(
        "approval-is-for-this-plan",
        "an approval binds the plan's digest",
        "starover.engine:check_approval",
        nothing,
        "tests/core/test_applying.py",
    ),
    Mutant(
        "blocked-plans-are-refused",
        "a plan with a step that needs a human is not applied",
        "starover.drivers.local:check_applicable",
        nothing,
        "tests/core/test_local.py",
    ),
)


def pytest_configure(config: pytest.Config) -> None:
    """Take the guard away before any test is collected."""
    del config
    wanted = os.environ.get("STAROVER_MUTANT", "")
    for one in MUTANTS:
        if one.name == wanted:
            module, _, path = one.where.partition(":")
            owner: Any = importlib.import_module(module)
            *outer, last = path.split(".")
            for name in outer:
                owner = getattr(owner, name)
            setattr(owner, last, one.instead(getattr(owner, last)))
            return
    raise pytest.UsageError(f"there is no mutant {wanted!r}")
