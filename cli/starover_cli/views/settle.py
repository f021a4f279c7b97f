"""What a person decided or stated, as it was kept. Data in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starover_cli.views.head import next_block
from starover_cli.views.text import plural, wrap

if TYPE_CHECKING:
    from starover.attestation import Attestation
    from starover.events import StepBegan
    from starover.journal import Warned

__all__ = ["acknowledged_text", "attested_text", "settled_text", "warned_lines"]

_MANY = 20


def settled_text(run: str, found: StepBegan, outcome: str, by: str, reason: str, width: int = 100) -> str:
    """What was decided, and what follows."""
    change = f"{found.what}: {found.now} -> {found.wanted}"
    said = f"run {run}   step {found.step} on {found.host} is settled as {outcome} by {by}: {reason}"
    if outcome == "applied":
        follows = f"resume goes on behind it without asking {found.host} again; undo restores it."
    else:
        follows = (
            f"resume sends it once more if {found.host} answers, and its receipt there keeps it from a second time."
        )
    lines = [*wrap(said, width, "  "), *wrap(f"  {change}. {follows}", width, "  ")]
    following = [(f"starover resume {run}", "go on from that"), (f"starover undo {run}", "or back")]
    return "\n".join(lines) + "\n\n" + next_block(following)


def acknowledged_text(run: str, by: str, read: Sequence[Warned], width: int = 100) -> str:
    """The warnings that were read."""
    lines = [f"run {run}   {plural(len(read), 'warning')} acknowledged by {by}", *warned_lines(read, width)]
    return "\n".join(lines) + "\n\n" + next_block([(f"starover report {run}", "the story, with them")])


def warned_lines(warnings: Sequence[Warned], width: int = 100) -> list[str]:
    """A line for each; of many the first."""
    lines: list[str] = []
    for one in warnings[:_MANY]:
        place = f"step {one.step} on {one.host}" if one.step else one.host
        lines += wrap(f"  {place}: {one.text}", width, "    ")
    return lines + ([f"  and {len(warnings) - _MANY} more: starover runs show"] if len(warnings) > _MANY else [])


def attested_text(one: Attestation, people: Sequence[str], file: str, width: int = 100) -> str:
    """What was said, who else says it, and what that is good for."""
    kept = f"{one.by} has seen {one.server} down: {one.seen}   {file}"
    lines = wrap(kept, width, "  ")
    if len(people) > 1:
        lines += wrap(f"  {' and '.join(people)} say so: two people certify it (F4). Statements are not signed.", width)
        names = ",".join(people)
        following = [
            (f"starover plan fence --lost-server {one.server} --certified-by {names}", "the level this reaches"),
            ("starover assess", "the plan, with that"),
        ]
    else:
        lines += wrap("  It counts when a second person says it too, within the hour.", width)
        again = f'starover attest down {one.server} --as NAME --seen "..."'
        following = [(again, "somebody else types this")]
    return "\n".join(lines) + "\n\n" + next_block(following)
