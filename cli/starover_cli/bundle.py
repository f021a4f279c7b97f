"""What an estate answered, as a file to be held against a lab: readings and versions from journals; sends nothing.

Passwords are masked already, as in every journal. Names and addresses of the estate stay: the file is for its owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

__all__ = ["Reading", "readings"]


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One script that a host was sent, and what it said."""

    look: str
    host: str
    templates: tuple[str, ...]
    arguments: tuple[msgspec.Raw, ...] = ()
    road: str = ""
    seconds: float = 0.0
    results: dict[str, msgspec.Raw] = {}
    """Facts by id of the part."""
    errors: dict[str, object] = {}
    warnings: tuple[str, ...] = ()
    provider: str = ""
    fault: str = ""


def readings(look: str, folder: Path, runs: Sequence[str]) -> list[Reading]:
    """Every reading of these runs."""
    from starover import journal
    from starover.effects import Facts, Failed

    found: list[Reading] = []
    for run in runs:
        sent: dict[int, journal.Sent] = {}
        for entry in journal.read_journal(folder, run):
            if isinstance(entry.body, journal.Sent):
                sent[entry.body.number] = entry.body
            elif isinstance(entry.body, journal.Answered) and entry.body.number in sent:
                script, answer = sent[entry.body.number], entry.body.answer
                facts = answer if isinstance(answer, Facts) else Facts()
                found.append(
                    Reading(
                        look=look,
                        host=script.host,
                        templates=tuple(part.template for part in script.parts),
                        arguments=tuple(part.arguments for part in script.parts),
                        road=entry.body.road,
                        seconds=entry.body.seconds,
                        results=dict(facts.results),
                        errors=dict(facts.errors),
                        warnings=facts.warnings,
                        provider=facts.provider,
                        fault=answer.fault.what if isinstance(answer, Failed) else "",
                    )
                )
    return found
