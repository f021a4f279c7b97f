"""What a runbook that looks has found: the verdict, every finding that is not well, and a line for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from starover.runbook import Finding, Findings
from starover_cli.views.text import label_block, plural, table, wrap

__all__ = ["findings_exit", "findings_text", "value_text"]

_WORDS = {"fail": "! RED", "unknown": "? unknown", "warn": "~ amber", "info": "  info", "ok": "= ok"}


def findings_exit(value: msgspec.Struct | None) -> int:
    """What `--exit-code` makes of it: 1 when a finding is not well, unknown too; what nobody looks at, not."""
    found = value.findings if isinstance(value, Findings) else ()
    return int(
        any(one.level in ("fail", "warn", "unknown") and "not checked" not in one.check + one.says for one in found)
    )


def findings_text(found: Sequence[Finding], width: int = 100, *, full: bool = False) -> str:
    """A table of findings, the worst first; those that are well only as a number, unless `full`."""
    shown: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        if full or one.level != "ok":
            shown.setdefault((_WORDS[one.level], one.check, one.on), []).append(one.says)
    heads = table(shown, indent=2)
    start = max((len(head) for head in heads), default=0) + 2
    lines: list[str] = []
    for head, says in zip(heads, shown.values(), strict=True):
        text = " ".join(", ".join(says).split())  # Exchange's own sentences come over several lines
        if start + len(text) <= width:
            lines.append(f"{head.ljust(start)}{text}")
        else:
            lines += [head, *(f"      {part}" for part in wrap(text, width - 6))]
    well = sum(one.level == "ok" for one in found)
    if well and not full:
        lines.append(f"  = {plural(well, 'check')} found nothing wrong")
    return "\n".join(lines)


def _sentences(value: object) -> list[str]:
    """A plain value, or a list of sentences; empty for anything else."""
    if isinstance(value, bool | int | float | str):
        return [str(value)]
    try:
        return msgspec.convert(value, list[str])
    except msgspec.ValidationError:
        return []


def value_text(value: msgspec.Struct, width: int = 100, *, full: bool = False) -> str:
    """What any looking runbook returned: its sentences, its findings, its other facts by name."""
    found = value.findings if isinstance(value, Findings) else ()
    data = {name: getattr(value, name) for name in value.__struct_fields__ if name != "findings"}
    parts: list[str] = []
    verdict = data.pop("verdict", "")
    if isinstance(verdict, str) and verdict:
        parts.append("\n".join(wrap(verdict, width)))
    if found:
        parts.append(findings_text(found, width, full=full))
    pairs = [(name.replace("_", " "), text) for name, item in data.items() for text in _sentences(item)]
    named = [
        (name if position == 0 or pairs[position - 1][0] != name else "", text)
        for position, (name, text) in enumerate(pairs)
    ]
    if named:
        parts.append("\n".join(label_block(named, width)))
    return "\n\n".join(parts)
