"""What the record proves, for a person."""

from __future__ import annotations

from starover.audit import Checked
from starover.command_line import word
from starover.evidence import Bundle
from starover_cli.views.head import next_block
from starover_cli.views.text import plural, table, wrap

__all__ = ["audit_text", "bundle_text"]


def audit_text(checked: Checked, folder: str, width: int = 100) -> str:
    """The verdict, every record that is not as it was written, and what nobody could check."""
    bad = [one for one in checked.findings if not one.harmless]
    seen = f"{plural(checked.runs, 'run')} in {folder}"
    if not checked.findings:
        verdict = f"Every record is as it was written: {seen}, chain and heads agree."
    elif bad:
        more = f"{plural(len(bad), 'finding')} {'is' if len(bad) == 1 else 'are'} more than a crash"
        verdict = f"THE RECORD IS NOT AS IT WAS WRITTEN: {more} ({seen})."
    else:
        verdict = f"Every record is as it was written ({seen}), but for what a crash left, which is harmless."
    rows = [("?" if one.harmless else "!", one.run, one.kind, one.says) for one in checked.findings]
    blocks = [wrap(verdict, width), [part for line in table(rows, indent=2) for part in wrap(line, width, " " * 10)]]
    signed = [f"signed by {who}: {plural(times, 'run')}" for who, times in sorted(checked.signed.items())]
    blocks.append([part for line in signed for part in wrap(f"  {line}", width, " " * 4)])
    said = [f"not checked: {one}" for one in checked.unchecked]
    blocks.append([part for line in said for part in wrap(f"  {line}", width, " " * 15)])
    return "\n\n".join("\n".join(block) for block in blocks if block)


def bundle_text(made: Bundle, width: int = 100) -> str:
    """What was exported, what was not, and how it is checked."""
    where = made.folder.as_posix()
    lines = wrap(
        f"Evidence of {plural(len(made.runs), 'run')} with {plural(made.scripts, 'script')} in {where}.", width
    )
    for run in made.left_out:
        lines += wrap(f"! {run} is left out: its journal is not as it was written", width, " " * 4)
    lines += wrap(f"not signed: {made.unsigned}" if made.unsigned else "signed: MANIFEST.sig", width)
    return "\n".join(lines) + "\n\n" + next_block([(f"python3 -I {word(f'{where}/verify.py')}", "checks it, offline")])
