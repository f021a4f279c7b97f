"""Which steps of a runbook need Exchange, said where the road cannot carry Exchange's session; knows no road itself."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from starover.step import StepKind

if TYPE_CHECKING:
    from starover.content import Content
    from starover.errors import BadInventory
    from starover.runbook import AnyRunbook

__all__ = ["name_exchange_steps"]


def name_exchange_steps(error: BadInventory, runbook: AnyRunbook, content: Content) -> None:
    """Add the steps of the runbook that run Exchange cmdlets to an error that tells of such a cmdlet (S26 c)."""
    if "Exchange cmdlets" not in error.what or not isinstance(runbook.function, FunctionType):
        return
    found = {name: apply for name, apply in _kinds(runbook.function, set()) if _needs_exchange(content, apply)}
    if found:
        steps = ", ".join(name.replace("_", " ") for name in sorted(found))
        error.certain = (*error.certain, f"steps of {runbook.name} that need Exchange: {steps}")


def _kinds(function: FunctionType, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Name and template of every step kind that a function names, or that one names which it calls."""
    known: dict[str, object] = function.__globals__
    for name in _names(function.__code__):
        value = known.get(name)
        if isinstance(value, StepKind):
            yield value.name, value.apply
        elif isinstance(value, FunctionType) and value.__qualname__ not in seen:
            seen.add(value.__qualname__)
            yield from _kinds(value, seen)


def _names(code: CodeType) -> Iterator[str]:
    """Global names, also those of functions within."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _needs_exchange(content: Content, template: str) -> bool:
    return any(line.startswith("# exchange:") for line in content.templates.get(template, "").splitlines())
