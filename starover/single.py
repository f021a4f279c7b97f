"""A template marked `# single` as data: one command with literal parameters, as `/PowerShell` takes it; sends nothing.

Sessions there have no language (`powershell.md` 2, way A): a command and its parameters arrive as objects, never as
text. So what was rendered, hashed and journalled is read back here: what `render.literal` writes, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from starover.errors import BadTemplate

__all__ = ["Command", "Literal", "commands"]

Literal: TypeAlias = "str | int | bool | tuple[Literal, ...] | None"


@dataclass(frozen=True)
class Command:
    """A command of the pipeline."""

    name: str
    parameters: tuple[tuple[str, Literal], ...]
    """In order, by name; a switch without a value has None."""


_QUOTES = "'\u2018\u2019\u201a\u201b"
_TOKEN = re.compile(
    rf"""(?P<space>[ \t]+)
    | (?P<text>[{_QUOTES}](?:[^{_QUOTES}]|[{_QUOTES}]{{2}})*[{_QUOTES}])
    | (?P<parameter>-[A-Za-z]+:?)
    | (?P<number>\(-[0-9]+\)|[0-9]+(?![A-Za-z0-9]))
    | (?P<constant>\$(?:true|false|null)\b)
    | (?P<open>@\()
    | (?P<mark>[),|])
    | (?P<word>[A-Za-z][A-Za-z0-9-]*)
    """,
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Z][A-Za-z]+-[A-Z][A-Za-z]+")
_CONSTANTS: dict[str, Literal] = {"$true": True, "$false": False, "$null": None}
_SELECT = "Select-Object"


def commands(text: str, *, reads: bool) -> tuple[Command, ...]:
    """The command of a rendered body; what `reads` ends with a second one, `Select-Object -Property` and names.

    Raises `BadTemplate` for whatever is no such command.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise _no(f"it has {len(lines)} statements")
    found = [_command(part) for part in _parts(list(_tokens(lines[0])))]
    selects = [one.name == _SELECT for one in found]
    if reads and selects != [False, True]:
        raise _no("a reading is one command, then `| Select-Object -Property` with the names of what it tells")
    if reads and [name for name, _ in found[1].parameters] != ["Property"]:
        raise _no("`Select-Object` has `-Property` and names only")
    if not reads and selects != [False]:
        raise _no("a write is one command")
    return tuple(found)


def _no(why: str) -> BadTemplate:
    return BadTemplate(f"a template marked `# single` is one command with literal parameters: {why}")


def _tokens(line: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise _no(f"`{line[at : at + 20]}` is none")
        at = match.end()
        kind = match.lastgroup
        assert kind is not None
        if kind != "space":
            yield kind, match[0]


def _parts(tokens: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    parts: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("mark", "|"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _command(tokens: list[tuple[str, str]]) -> Command:
    if not tokens or tokens[0][0] != "word" or not _NAME.fullmatch(tokens[0][1]):
        raise _no("it does not begin with the name of a command")
    parameters: list[tuple[str, Literal]] = []
    rest = tokens[1:]
    while rest:
        kind, text = rest.pop(0)
        if kind != "parameter":
            raise _no(f"`{text}` stands without the name of its parameter")
        value: Literal = None
        if rest and rest[0][0] != "parameter":
            value = _value(rest)
        elif text.endswith(":"):
            raise _no(f"`{text}` has no value")
        parameters.append((text.strip("-:"), value))
    return Command(tokens[0][1], tuple(parameters))


def _value(rest: list[tuple[str, str]]) -> Literal:
    """One argument, or several with commas between."""
    values = [_one(rest)]
    while rest and rest[0] == ("mark", ","):
        rest.pop(0)
        values.append(_one(rest))
    return values[0] if len(values) == 1 else tuple(values)


def _one(rest: list[tuple[str, str]]) -> Literal:
    kind, text = rest.pop(0) if rest else ("end", "")
    if kind == "text":
        return re.sub(rf"([{_QUOTES}])[{_QUOTES}]", r"\1", text[1:-1])
    if kind == "number":
        return int(text.strip("()"))
    if kind == "constant":
        return _CONSTANTS[text]
    if kind == "word":
        return text
    if kind == "open":
        return _array(rest)
    raise _no(f"`{text}` is no literal")


def _array(rest: list[tuple[str, str]]) -> Literal:
    values: list[Literal] = []
    while rest and rest[0] != ("mark", ")"):
        values.append(_one(rest))
        if rest and rest[0] == ("mark", ","):
            rest.pop(0)
    if not rest:
        raise _no("a list does not end")
    rest.pop(0)
    return tuple(values)
