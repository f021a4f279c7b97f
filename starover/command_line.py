"""Lines of starover's own command line, as advice prints them; knows no plan and no screen, and runs nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from starover.values import Plain

__all__ = ["command_of", "options", "with_dag", "word"]

_BARE = re.compile(r"[A-Za-z0-9._/=:+,-]+")
_SINGLE = re.compile("['‘’‚‛]")
"""What ends a text in single quotes: PowerShell takes the typographic ones for it too."""
_DOUBLE = re.compile(r'["“”„$`!\\]')
"""What does not stand for itself in double quotes, in one shell or the other."""
_OF_ONE_DAG = frozenset({"plan", "run", "assess", "status", "watch"})
"""Commands about one DAG: it must be named where the inventory has several."""


def word(value: object) -> str:
    """A value as one word that bash and PowerShell read alike; as bash reads it, where no spelling serves both."""
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    if not _SINGLE.search(text):
        return f"'{text}'"
    return shlex.quote(text) if _DOUBLE.search(text) else f'"{text}"'


def with_dag(line: str, dag: str) -> str:
    """A line of advice (`command   meaning`) with the DAG named."""
    command, gap, meaning = line.partition("   ")
    words = command.split()
    if len(words) < 2 or words[0] != "starover" or words[1] not in _OF_ONE_DAG or "--dag" in words:
        return line
    return f"{command} --dag {word(dag)}{gap}{meaning}"


def command_of(runbook: str, parameters: Mapping[str, Plain]) -> str:
    """The line that plans a runbook with these (normalised) parameters; an `undo` is planned by its run."""
    if runbook == "undo":
        return f"starover undo {parameters.get('run', 'RUN')}"
    return f"starover plan {runbook} {options(parameters)}".rstrip()


def options(parameters: Mapping[str, Plain]) -> str:
    """Parameters as they are typed, without those that are empty."""
    words: list[str] = []
    for name, value in parameters.items():
        for one in value if isinstance(value, list) else [value]:
            if one is None or one == "":
                continue
            option = f"--{name.replace('_', '-')}"
            words.append(option if one is True else f"{option} {word('false' if one is False else one)}")
    return " ".join(words)
