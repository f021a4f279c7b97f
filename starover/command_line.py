"""Lines of starover's own command line, as advice prints them; knows no plan and no screen, and runs nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from starover.values import Plain

__all__ = ["command_of", "word"]

_BARE = re.compile(r"[A-Za-z0-9._/=:+,-]+")
_SINGLE = re.compile("['‘’‚‛]")
"""What ends a text in single quotes: PowerShell takes the typographic ones for it too."""
_DOUBLE = re.compile(r'["“”„$`!\\]')
"""What does not stand for itself in double quotes, in one shell or the other."""


def word(value: object) -> str:
    """A value as one word that bash and PowerShell read alike; as bash reads it, where no spelling serves both."""
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    if not _SINGLE.search(text):
        return f"'{text}'"
    return shlex.quote(text) if _DOUBLE.search(text) else f'"{text}"'


def command_of(runbook: str, parameters: Mapping[str, Plain]) -> str:
    """The line that plans a runbook with these (normalised) parameters; an `undo` is planned by its run."""
    if runbook == "undo":
        return f"starover undo {parameters.get('run', 'RUN')}"
    words = [f"starover plan {runbook}"]
    for name, value in parameters.items():
        for one in value if isinstance(value, list) else [value]:
            if one is None or one == "":
                continue
            option = f"--{name.replace('_', '-')}"
            words.append(option if one is True else f"{option} {word('false' if one is False else one)}")
    return " ".join(words)
