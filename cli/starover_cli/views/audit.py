"""What `audit verify` found, for a person."""

from __future__ import annotations

from collections.abc import Sequence

from starover.audit import Finding
from starover_cli.views.text import plural, table, wrap

__all__ = ["audit_text"]


def audit_text(found: Sequence[Finding], runs: int, folder: str, width: int = 100) -> str:
    """The verdict, then every record that is not as it was written."""
    bad = [one for one in found if not one.harmless]
    seen = f"{plural(runs, 'run')} in {folder}"
    if not found:
        return f"Every record is as it was written: {seen}, chain and heads agree."
    rows = [("?" if one.harmless else "!", one.run, one.kind, one.says) for one in found]
    lines = [part for line in table(rows, indent=2) for part in wrap(line, width, " " * 10)]
    word = "is" if len(bad) == 1 else "are"
    verdict = (
        f"THE RECORD IS NOT AS IT WAS WRITTEN: {plural(len(bad), 'finding')} {word} more than a crash ({seen})."
        if bad
        else f"Every record is as it was written ({seen}), but for what a crash left, which is harmless."
    )
    return "\n".join([*wrap(verdict, width), "", *lines])
