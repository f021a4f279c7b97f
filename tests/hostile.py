"""Strings that try to be more than that, every place of every runbook that takes one, and what becomes of them."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from disaster_cases import DISASTER
from gold import LOOKS, case_of
from inner_lab import InnerLab
from starover_lab.powershell.nodes import Constant, Node, walk
from starover_lab.powershell.parser import parse
from three_ways import CASES, Case

from starover.errors import StaroverError
from starover.names import free_text
from starover.parameters import Parameter
from starover.render import literal, quoted
from starover.runbook import AnyRunbook
from starover.transport import Script
from starover.values import Plain

__all__ = [
    "BENIGN",
    "MARK",
    "Place",
    "Tried",
    "carries",
    "escaped",
    "given",
    "good",
    "ground",
    "needed",
    "places",
    "strings",
    "tried",
]

QUOTING = Path(__file__).parent / "data" / "quoting.jsonl"
"""Strings of every Unicode category, with the literal that PowerShell's own engine wants (tests/render)."""
ATOMS = (
    *(
        "'",
        '"',
        "\u2018",
        "\u2019",
        "\u201a",
        "\u201b",
        "\u201c",
        "\u201d",
        "\u201e",
        "`",
        "``n",
        "$",
        "$(",
        ")",
        "@'",
        "'@",
    ),
    *(
        '@"',
        '"@',
        "\n",
        "\r\n",
        "\x00",
        "\u2028",
        "\u0085",
        "{{",
        "}}",
        "{%",
        "%}",
        "{{ 7*7 }}",
        "#",
        "<#",
        "#>",
        "|",
        "&&",
    ),
    *(
        ";",
        "'; iex 'calc",
        "';iex(",
        "$(exit)",
        "${env:PATH}",
        "$env:COMPUTERNAME",
        "&{",
        "}",
        "--%",
        "-Force",
        "-Confirm:$false",
    ),
    *(
        "; Remove-MailboxDatabase",
        "\u202e",
        "\u2066",
        "\u200f",
        "\u0301",
        "\ud800",
        "\udfff",
        "\U0001f4a3",
        "\\",
        "/",
        "..\\",
        "%00",
    ),
    *(
        "*",
        "?",
        "[",
        "]",
        ",",
        "=",
        ":",
        " ",
        "\t",
        "\ufeff",
        "\u2013Force",
        "\u2014",
        "null",
        "$null",
        "{0}",
        "0x10",
        "NaN",
        "1;2",
    ),
    *("<x/>", "]]>", "&amp;", "EX1", "DB01", "DB01/EX3", "10.0.0.1", "a", "x" * 300, "\u0130", "\u2126", "\u00df"),
)
"""What others are put together of."""


@cache
def strings(count: int = 2000, seed: int = 20261120) -> tuple[str, ...]:
    """So many of them, different from each other: those of the quoting vectors, and what chance makes of `ATOMS`."""
    chance = random.Random(seed)
    made = dict.fromkeys(str(json.loads(row)["value"]) for row in QUOTING.read_text("utf-8").splitlines())
    made |= dict.fromkeys((*ATOMS, "", "x" * 100_000, "'" * 5000, "\u2019" * 5000, "-" * 200, "(" * 3000))
    while len(made) < count:
        made["".join(chance.choices(ATOMS, k=chance.randint(1, 6)))] = None
    return tuple(chance.sample(list(made), count))


BENIGN: Mapping[str, Plain] = {
    "dag": "DAG1",
    "server": "EX1",
    "servers": ["EX1"],
    "members": ["EX4"],
    "lost_server": ["EX1"],
    "db": ["DB01"],
    "copy": ["DB01/EX3"],
    "to": "EX3",
    "kind": "san",
    "thumbprint": "A1B2C3D4E5F60718293A4B5C6D7E8F9001122334",
    "network": ["Backup=10.9.0.0/24:ignore"],
    "ip": ["EX1=10.0.0.99"],
    "zone": "example.com",
    "site": "AZ1",
    "witness_server": "FSW2",
    "run": "00000000.1",
    "since": "2026-11-20T13:00:00Z",
    "until": "2026-11-20T14:00:00Z",
    "internal_fqdn": "mail.example.com",
    "name": "mail.example.com",
    "vip": "10.0.0.50",
    "cert_principal_name": "msstd:mail.example.com",
    "hosted_zone": "Z0123456789ABCDEFGHIJ",
    "member": ["10.0.0.50=i-0ex1"],
    "set_identifier": "a",
    "service": "MSExchangeTransport",
    "az": "euw1-az1",
    "variant": "all-logs",
    "target": "mail.example.net",
}
"""What a runbook must be given and what is good where another place is tried, by the parameter's name."""


@dataclass(frozen=True)
class Place:
    """One parameter of one runbook that takes a text."""

    book: AnyRunbook
    parameter: Parameter

    @property
    def name(self) -> str:
        """For messages: `copies-suspend --comment`."""
        return f"{self.book.name} {self.parameter.option}"


def places(books: Mapping[str, AnyRunbook]) -> Iterator[Place]:
    """Every parameter of every runbook: what is no text is given one too, as a person may type it."""
    for book in books.values():
        for parameter in book.parameters:
            yield Place(book, parameter)


def ground(book: AnyRunbook) -> Case:
    """Where the runbook has something to do; what only looks does so where nothing is wrong."""
    if book.name in LOOKS or any(case.book == book.name and not case.undone for case in (*CASES, *DISASTER)):
        return case_of(book.name)
    return Case(topology="pa-4x2", book=book.name, parameters=needed(book), brings=())


def needed(book: AnyRunbook, found: Mapping[str, Plain] | None = None) -> dict[str, Plain]:
    """What the runbook must be given, out of what is `found`, else good in `pa-4x2`."""
    known = found or {}
    return {
        one.name: known.get(one.name, one.choices[0] if one.choices else fit(one))
        for one in book.parameters
        if one.required
    }


def given(place: Place, text: str, others: Mapping[str, Plain] | None = None) -> dict[str, Plain]:
    """The runbook's parameters, with this text in this place and `others`, else good ones where there must be one."""
    made = dict(needed(place.book) if others is None else others)
    made[place.parameter.name] = [text] if place.parameter.many else text
    return made


def good(place: Place, case: Case) -> str:
    """What is good in this place, as text; empty: nobody knows of anything."""
    known = case.parameters.get(place.parameter.name, BENIGN.get(place.parameter.name, place.parameter.default))
    value = next(iter(known), "") if isinstance(known, list | tuple) else known
    return value if isinstance(value, str) else ""


def fit(one: Parameter) -> Plain:
    """A good value."""
    value = BENIGN[one.name]
    if one.many:
        return value if isinstance(value, list) else [value]
    return value[0] if isinstance(value, list) else value


@dataclass(frozen=True)
class Tried:
    """What a plan with a value in a place came to."""

    error: StaroverError | None
    scripts: tuple[str, ...]
    """Everything that was sent, or would be by the plan."""
    calls: tuple[str, ...]
    """The same for calls as data."""
    contacted: bool
    wrote: bool


def tried(lab: InnerLab, place: Place, text: str, others: Mapping[str, Plain] | None = None) -> Tried:
    """Plan the runbook with the value there."""
    before = len(lab.transport.sent)
    error: StaroverError | None = None
    made: list[str] = []
    try:
        made = [one.script for one in lab.plan(place.book.name, given(place, text, others)).plan.steps if one.script]
    except StaroverError as failure:
        error = failure
    sent: list[Script] = lab.transport.sent[before:]
    texts = [*(one.text for one in sent), *made]
    return Tried(
        error=error,
        scripts=tuple(dict.fromkeys(one for one in texts if not one.startswith("{"))),
        calls=tuple(dict.fromkeys(one for one in texts if one.startswith("{"))),
        contacted=bool(sent),
        wrote=any(one.mutates for one in sent),
    )


MARK = "\ue5a7"
"""What stands in for a value: in no other string, and none is in it, not even a blank."""


def escaped(text: str, found: Tried) -> list[str]:
    """Scripts and calls in which the value is anything but (a part of) a quoted literal; empty: it is harmless.

    The value is exchanged for a good one wherever a literal holds it. Nothing of it may be left then, unless PowerShell
    of our own has the same characters, and the tree must be the same but for those literals.
    """
    text = free_text(text)  # a comment is made one line of; whatever else holds such characters has been refused
    long = re.search(r"FromBase64String\('([^']*)'\)", literal(text))
    forms = {text: MARK} if text else {}
    if long is not None:
        forms[long[1]] = base64.b64encode(json.dumps({"v": MARK}).encode()).decode()
    return [
        *(one for one in found.scripts if _beyond_literals(one, forms)),
        *(one for one in found.calls if _keys(json.loads(one), text)),
    ]


def carries(text: str, found: Tried) -> bool:
    """Whether the value stands in anything that is sent, or would be; no, where our own words have it too."""
    text = free_text(text)
    if not text or text in _own():
        return False
    forms = (literal(text), literal(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return any(form in one for one in (*found.scripts, *found.calls) for form in forms)


@lru_cache(maxsize=2000)
def _constants(script: str) -> tuple[Constant, ...]:
    """The single-quoted ones, the last first."""
    found = (node for node in walk(parse(script)) if isinstance(node, Constant) and node.single_quoted)
    return tuple(sorted(found, key=lambda node: -node.start))


@lru_cache(maxsize=200)
def _shape(script: str) -> Any:
    return _tree(parse(script), {})


def _beyond_literals(script: str, forms: Mapping[str, str]) -> bool:
    if not any(bad in script or quoted(bad)[1:-1] in script for bad in forms):
        return False
    other = script
    for node in _constants(script):
        if isinstance(node.value, str):
            value = node.value
            for bad, good in forms.items():
                value = value.replace(bad, good)
            if value != node.value:
                other = other[: node.start] + quoted(value) + other[node.end :]
    if any(bad in other and bad not in _own() for bad in forms):
        return True
    # The other one is the same for every value in this place.
    return other != script and _tree(parse(script), forms) != _shape(other)


@cache
def _own() -> str:
    """All PowerShell and all calls that are ours, as templates and as they are rendered with what is harmless."""
    home = Path(__file__).parents[1]
    folders = (home / "ps_templates", home / "calls", home / "starover" / "wrapper", QUOTING.parent / "snapshots")
    files = (file for folder in folders for file in folder.rglob("*") if file.suffix in (".j2", ".ps1"))
    return "\n".join(file.read_text("utf-8") for file in files)


def _tree(node: Any, forms: Mapping[str, str]) -> Any:
    """A tree without places, and in its quoted literals without the value."""
    if isinstance(node, Constant):
        value: object = node.value
        for bad, good in forms.items() if node.single_quoted else ():
            value = value.replace(bad, good) if isinstance(value, str) else value
        return ("Constant", value, node.bare, node.single_quoted)
    if isinstance(node, Node):
        names = [one.name for one in fields(node) if one.name not in ("start", "end", "line", "text", "source")]
        return (type(node).__name__, *(_tree(getattr(node, name), forms) for name in names))
    if isinstance(node, tuple | list):
        return tuple(_tree(one, forms) for one in node)
    return node


def _keys(found: Any, text: str) -> bool:
    """Whether the value has become a key of a call."""
    if isinstance(found, dict):  # a letter is in many a key of ours
        return any(
            (text in key and bool(text) and text not in _own()) or _keys(one, text) for key, one in found.items()
        )
    return isinstance(found, list) and any(_keys(one, text) for one in found)
