"""What an inventory and the estate do not agree on, as a person reads it; asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starover_cli.views.head import next_block
from starover_cli.views.text import plural, table, wrap

if TYPE_CHECKING:
    from starover.differences import Difference, Kind

__all__ = ["diff_text"]

_HEADS: tuple[tuple[Kind, str], ...] = (
    ("differs", "written otherwise than found"),
    ("new", "found, and not written"),
    ("gone", "written, and not found"),
    ("unsaid", "found, and left open in the file"),
)


def diff_text(differences: Sequence[Difference], notes: Sequence[str], head: str, width: int = 100) -> str:
    """Differences by kind, remarks, and what to do. `head`: which file, and who was asked."""
    apart = sum(one.kind != "unsaid" for one in differences)
    verdict = f"{plural(apart, 'difference')}." if apart else "Nothing differs."
    parts = [f"{head}\n{verdict}"]
    for kind, title in _HEADS:
        found = [one for one in differences if one.kind == kind]
        if not found:
            continue
        rows: list[tuple[str, ...]] = [(one.where, one.found or one.written) for one in found]
        if kind == "differs":
            rows = [("where", "in the file", "found"), *((one.where, one.written, one.found) for one in found)]
        parts.append("\n".join([title, *table(rows, indent=2)]))
    if notes:
        parts.append("\n".join(line for note in notes for line in wrap(note, width)))
    if differences:
        parts.append(next_block([("starover inventory discover --to FILE", "a new file; what you wrote stays")]))
    return "\n\n".join(parts)
