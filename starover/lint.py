"""What is wrong with a template by the rules for scripts, for the tests of whoever writes templates; runs nothing.

The subset of PowerShell that may be used at all is checked by the lab, which has the parser for it; these are the rules
of our own: values stand alone, reports are cast, nothing leaves the function that a body becomes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from starover.errors import BadTemplate
from starover.render import Renderer, expanded, skeleton
from starover.skeleton import VALUE, Spot, code_only, segments

__all__ = ["commands", "lint"]


_CAST = r"\[(?:string|string\[\]|int|int64|long|bool|double|version|timespan|datetime|pscustomobject|ordered)\]"
_FIRM = re.compile(rf"(?:{_CAST}|@\(|\$null\b|\$true\b|\$false\b|-?\d|['\"]|{VALUE}|\(\s*{_CAST}|\$\()", re.IGNORECASE)
"""What a value of a report may begin with, so that its JSON type is certain."""
_LOOPS = re.compile(r"\b(?:foreach|while|switch|for|do)\b(?!-)[^{}]*\Z", re.IGNORECASE)
_COMMAND = re.compile(r"(?<![\w$.\-])[A-Z][A-Za-z]+-[A-Z][A-Za-z]+(?![\w\-])")


def lint(templates: Mapping[str, str], name: str) -> list[str]:
    """What is wrong with the template `name`, one sentence each with its line; empty: nothing."""
    try:
        Renderer(templates).variables(name)
        source = expanded(templates, name)
        text = skeleton(name, source)
    except BadTemplate as error:
        return [error.what]
    code = code_only(text)
    found = [*_texts(source, text), *_flow(code), *_reports(code)]
    return [f"{name}:{line}: {problem}" for line, problem in sorted(set(found))]


def commands(templates: Mapping[str, str], name: str) -> frozenset[str]:
    """The cmdlets that a template calls. Raises `BadTemplate`."""
    return frozenset(_COMMAND.findall(code_only(skeleton(name, expanded(templates, name)))))


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _texts(source: str, text: str) -> Iterator[tuple[int, str]]:
    """The template as text: quotes, characters, braces."""
    for at, character in enumerate(text):
        if character not in VALUE and (ord(character) > 126 or (character < " " and character != "\n")):
            yield _line(text, at), f"the character U+{ord(character):04X} stands in the template: use ASCII"
    for match in re.finditer(r"\{\{|\}\}|\{%|%\}|\{#|#\}", text):
        yield _line(text, match.start()), f"`{match[0]}` would stay in the script: write a blank between braces"
    has_values = VALUE in text
    for segment in segments(text):
        inside = text[segment.start : segment.end]
        if segment.where is Spot.QUOTES and inside.startswith('@"'):
            yield _line(text, segment.start), "a here-string with double quotes: use single quotes"
        elif segment.where is Spot.QUOTES and inside.startswith('"') and has_values:
            yield _line(text, segment.start), "double quotes in a template with values: use single quotes"
    if not source.endswith("\n"):
        yield _line(source, len(source)), "the last line has no end"


_OFFERED = frozenset({"$staroverStuck"})
"""Names of the wrapper that a body may read."""


def _flow(code: str) -> Iterator[tuple[int, str]]:
    """What would leave the function that a body becomes."""
    for match in re.finditer(r"(?<![\w$.\-])(exit|break|continue|param)\b(?!\s*=)", code, re.IGNORECASE):
        word, line = match[1].lower(), _line(code, match.start())
        if word == "exit":
            yield line, "`exit` would end the whole script, and with it the report"
        elif word == "param" and not _enclosing(code, match.start()):
            yield line, "`param` belongs to the wrapper"
        elif word in {"break", "continue"} and not any(
            _LOOPS.search(code[:brace]) for brace in _enclosing(code, match.start())
        ):
            yield line, f"`{word}` outside of a loop would end the whole script"
    for match in re.finditer(r"\$starover\w*", code, re.IGNORECASE):
        if match[0] not in _OFFERED:
            yield _line(code, match.start()), f"`{match[0]}` is a name of the wrapper"


def _enclosing(code: str, at: int) -> list[int]:
    """The braces that are open at a place, outermost first."""
    opened: list[int] = []
    for index, character in enumerate(code[:at]):
        if character == "{":
            opened.append(index)
        elif character == "}" and opened:
            opened.pop()
    return opened


def _reports(code: str) -> Iterator[tuple[int, str]]:
    """Every value of a report is cast, because decoding is strict."""
    for match in re.finditer(r"\[(?:pscustomobject|ordered)\]\s*@\{", code, re.IGNORECASE):
        for at in _entries(code, match.end()):
            entry = re.compile(r"\s*['\"]?(\w+)['\"]?\s*=\s*").match(code, at)
            if entry is None or _FIRM.match(code, entry.end()):
                continue
            variable = re.compile(r"\$(\w+)\s*(?:[;\n}])").match(code, entry.end())
            if variable is None or not _firm_variable(code, variable[1]):
                yield (
                    _line(code, entry.start(1)),
                    f"the report's `{entry[1]}` has no cast such as [string], [long], @( )",
                )


def _firm_variable(code: str, name: str) -> bool:
    """Whether a variable only ever gets cast values."""
    given = list(re.finditer(rf"\${name}\s*=(?!=)\s*", code, re.IGNORECASE))
    return bool(given) and all(_FIRM.match(code, one.end()) for one in given)


def _entries(code: str, at: int) -> Iterator[int]:
    """Where each entry of a hashtable literal begins; `at` is behind its opening brace."""
    depth = 0
    yield at
    for index in range(at, len(code)):
        character = code[index]
        if character in "{(":
            depth += 1
        elif character in "})":
            depth -= 1
            if depth < 0:
                return
        elif character in ";\n" and depth == 0:
            yield index + 1
