"""The Jinja environment and `literal`, the only place where a value becomes PowerShell; knows no step, sends nothing.

A template is text with `{{ name }}` where a value belongs and little else: `{% if %}`, `{% for %}`, comments. Every
`{{ }}` ends in `literal`, and what could change text afterwards (filter blocks, macros, calls, includes) is refused
when a template is loaded. So there is no way to splice text into a script (law 7), and the same input gives the same
bytes (law 10): nothing of the environment, the clock or chance can be reached.
"""

from __future__ import annotations

import base64
import enum
import functools
import hashlib
import ipaddress
import json
import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from starover.calls import ENDING, canonical, misplaced
from starover.errors import BadParameter, BadTemplate
from starover.names import CopyId, free_text
from starover.skeleton import VALUE, Spot, values

if TYPE_CHECKING:  # Jinja is loaded when the first template is, so that `--help` need not wait for it
    import jinja2
    from jinja2 import nodes

__all__ = ["Arg", "Body", "Renderer", "expanded", "json_literal", "literal", "make_body", "quoted", "skeleton"]

Scalar: TypeAlias = (
    bool | int | str | timedelta | enum.Enum | uuid.UUID | ipaddress.IPv4Address | ipaddress.IPv6Address | CopyId | None
)
Arg: TypeAlias = "Scalar | Sequence[Arg] | Mapping[str, Arg]"
"""What may be handed to a template. Floats are not: PowerShell prints them by culture."""

LONG = 2048
"""Bytes of UTF-8 above which text goes as base64 (`powershell.md` 13.4)."""

_SINGLE_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
_CATEGORIES = {
    "Cc": "a control character",
    "Cs": "an unpaired surrogate",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
_NO_XML = re.compile("[\ufffe\uffff]")
_CMDLET = re.compile(r"[A-Z][A-Za-z]+-[A-Z][A-Za-z]+")


@dataclass(frozen=True, kw_only=True)
class Body:
    """A rendered template: what a step does, without prologue and epilogue."""

    text: str
    """Lines end in LF; the last one too."""
    sha256: str
    """Hex digest of `text` as UTF-8; this is the hash that plans and journals carry."""
    exchange: tuple[str, ...] = ()
    """Exchange cmdlets the head line `# exchange: ...` names; empty: the plain Windows session is enough."""
    single: bool = False
    """Marked `# single`: one command with literal parameters, fit for the provider `direct`."""
    credential: bool = False
    """Marked `# credential`: it uses the PSCredential `$ExchangeCredential`, whatever the provider."""
    call: bool = False
    """It is no script but a call as data (`starover.calls`)."""


def literal(value: Arg) -> str:
    """One value as a PowerShell expression that evaluates to exactly it.

    Text becomes a single-quoted string, text above 2 KB one of base64; durations become `'d.hh:mm:ss'`; sequences
    `@( )`; mappings `@{ }` with their order kept in the text.
    Raises `BadParameter` for text with control characters, line separators or lone surrogates, for integers beyond
    64 bits and for what has no literal.
    """
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, enum.Enum):
        inner: object = value.value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # any Enum
        if isinstance(inner, bool | int | str):
            return literal(inner)
        raise BadParameter(f"{value!r} has no PowerShell literal: its value must be text or a whole number")
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, timedelta):
        return quoted(_timespan(value))
    if isinstance(value, CopyId):
        return _text(value.identity)
    if isinstance(value, uuid.UUID | ipaddress.IPv4Address | ipaddress.IPv6Address):
        return _text(str(value))
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple):
        return _sequence(value)
    raise BadParameter(f"a value of type {type(value).__name__} has no PowerShell literal")


def quoted(text: str) -> str:
    """`text` between single quotes, whatever is in it; what may be in it is `literal`'s concern.

    PowerShell takes five characters for a single quote (`CharTraits.cs`); each is doubled.
    """
    return "'" + _SINGLE_QUOTES.sub(lambda quote: quote[0] * 2, text) + "'"


def json_literal(value: Arg) -> str:
    """One value as JSON, for a call: whole numbers, text, yes and no, null, and lists and tables of them.

    Durations are whole seconds; what else has a plain form is text. Raises `BadParameter` as `literal` does.
    """
    return json.dumps(_json(value), ensure_ascii=False)


def _json(value: Arg) -> object:
    if isinstance(value, enum.Enum):
        inner: object = value.value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # any Enum
        if isinstance(inner, bool | int | str):
            return _json(inner)
        raise BadParameter(f"{value!r} has no JSON: its value must be text or a whole number")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        _integer(value)
        return int(value)
    if isinstance(value, str):
        check_text(value)
        return str(value)
    if isinstance(value, timedelta):
        return value // timedelta(seconds=1)
    if isinstance(value, CopyId):
        return _json(value.identity)
    if isinstance(value, uuid.UUID | ipaddress.IPv4Address | ipaddress.IPv6Address):
        return str(value)
    if isinstance(value, Mapping):
        return {str(_json(key)): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    raise BadParameter(f"a value of type {type(value).__name__} has no JSON")


def check_text(text: str) -> None:
    """Raises `BadParameter` for a text with a character that must not reach PowerShell or an API."""
    for at, character in enumerate(text):
        wrong = _CATEGORIES.get(unicodedata.category(character))
        if wrong:
            raise BadParameter(
                f"{text[:60]!a} has {wrong} (U+{ord(character):04X}) at position {at + 1}, "
                "which must not reach PowerShell or an API",
                certain=("nothing was sent",),
            )


def _text(text: str) -> str:
    check_text(text)
    if len(text.encode()) > LONG or _NO_XML.search(text):
        # Also for the two characters that XML, and so PSRP, cannot carry. The value lies in an object, because
        # ConvertFrom-Json of a bare string is the one form that versions disagree about.
        data = base64.b64encode(json.dumps({"v": text}).encode()).decode()
        return f"([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{data}')) | ConvertFrom-Json).v"
    return quoted(text)


def _integer(number: int) -> str:
    if not -(2**63) <= number < 2**63:
        raise BadParameter(f"{number} does not fit into 64 bits")
    if number == -(2**63):
        return f"([long]'{number}')"  # as a bare number it would be read as a decimal with a sign before it
    # In brackets, because a command takes a bare -5 for the name of a parameter.
    return str(number) if number >= 0 else f"({number})"


def _timespan(span: timedelta) -> str:
    """`[-]d.hh:mm:ss[.fffffff]`, the form that every TimeSpan parameter reads."""
    micros = abs(span) // timedelta(microseconds=1)
    seconds, fraction = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    sign = "-" if span < timedelta(0) else ""
    return f"{sign}{days}.{hour:02}:{minute:02}:{second:02}" + (f".{fraction:06}0" if fraction else "")


def _sequence(items: Sequence[Arg]) -> str:
    if any(isinstance(item, list | tuple) for item in items):
        raise BadParameter("a list directly within a list has no PowerShell literal: PowerShell would flatten it")
    return "@(" + ", ".join(literal(item) for item in items) + ")"


def _mapping(items: Mapping[str, Arg]) -> str:
    seen: set[str] = set()
    for key in items:
        if key.casefold() in seen:
            raise BadParameter(f"{key!a} stands twice in one mapping: PowerShell's keys ignore case")
        seen.add(key.casefold())
    return "@{" + "; ".join(f"{quoted_key(key)} = {literal(item)}" for key, item in items.items()) + "}"


def quoted_key(key: str) -> str:
    """A key of a mapping: always a plain quoted string."""
    rendered = literal(key)
    if not rendered.startswith("'"):
        raise BadParameter("a key of a mapping is longer than 2 KB")
    return rendered


_ALLOWED = frozenset(
    {"Template", "Output", "TemplateData", "Name", "Const", "If", "For", "Compare", "Operand", "Not", "And", "Or"}
    | {"Test", "Filter", "Getattr"}
)
"""The kinds of Jinja nodes that cannot change text after `literal` has made it."""

_TESTS = frozenset({"none", "true", "false"})
_LOOP = frozenset({"first", "last", "index", "index0"})


def _text_filter(value: object) -> str:
    if not isinstance(value, str):
        raise BadTemplate(f"the filter `text` takes text, not {type(value).__name__}")
    return free_text(value)


class Renderer:
    """Renders templates of one content: same input, same bytes."""

    def __init__(self, templates: Mapping[str, str], *, wrapper: bool = False) -> None:
        """`templates`: source text by name, such as `copy/suspend.ps1.j2`.

        `wrapper`: these are the envelope's own; a value may be a rendered `Body`, and may stand anywhere.
        """
        self._templates = templates
        self._wrapper = wrapper
        self._loaded: dict[str, tuple[jinja2.Template, frozenset[str]]] = {}

    def body(self, template: str, arguments: Mapping[str, Arg]) -> Body:
        """Render one template. Arguments the template does not use are ignored: a step may need them itself.

        Raises `BadTemplate` (unknown template, missing variable, construct that is not allowed) and `BadParameter`
        (a value that must not reach PowerShell).
        """
        text = self.fragment(template, arguments)
        if not template.endswith(ENDING):
            return make_body(template, text)
        text = canonical(template, text)
        return Body(text=text, sha256=hashlib.sha256(text.encode()).hexdigest(), call=True)

    def fragment(self, template: str, arguments: Mapping[str, Arg] | Mapping[str, Arg | Body]) -> str:
        """Render one template to text. Raises as `body` does."""
        import jinja2

        compiled, names = self._load(template)
        missing = sorted(names - arguments.keys())
        if missing:
            raise BadTemplate(f"the template {template} needs `{'`, `'.join(missing)}`, which its step does not give")
        try:
            return compiled.render({name: arguments[name] for name in names})
        except (jinja2.TemplateError, TypeError) as error:
            raise BadTemplate(f"the template {template} cannot be rendered: {error}") from error
        except BadParameter as error:
            raise BadParameter(
                f"{error.what} (in the template {template})", certain=error.certain, next=error.next
            ) from error

    def variables(self, template: str) -> frozenset[str]:
        """The variables a template uses. Raises `BadTemplate`."""
        return self._load(template)[1]

    def _load(self, name: str) -> tuple[jinja2.Template, frozenset[str]]:
        if name not in self._loaded:
            from jinja2 import meta

            if name not in self._templates:
                raise BadTemplate(f"there is no template {name}")
            kind = "wrapper" if self._wrapper else "call" if name.endswith(ENDING) else "script"
            environment = _environment(kind)
            source = expanded(self._templates, name)
            tree = _parse(environment, name, source)
            if kind == "call" and (why := misplaced(skeleton_of(tree))):
                raise BadTemplate(f"the template {name} {why}: a value brings its own quotes and stands alone")
            for spot in values(skeleton_of(tree) if kind == "script" else ""):
                if spot.where is not Spot.CODE:
                    raise BadTemplate(
                        f"the template {name} puts a value {spot.where.value} (line {spot.line}): "
                        "a value brings its own quotes and stands alone"
                    )
            names = frozenset(meta.find_undeclared_variables(tree))
            self._loaded[name] = (environment.from_string(source), names)
        return self._loaded[name]


def make_body(template: str, text: str) -> Body:
    """Wrap rendered text, reading its head lines. Raises `BadTemplate` for a head line that cannot be read."""
    text = text.rstrip("\n") + "\n"
    exchange: list[str] = []
    single = credential = False
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        word, colon, rest = line.lstrip("# ").partition(":")
        if word == "exchange" and colon:
            exchange += [name.strip() for name in rest.split(",")]
        single = single or line.strip() == "# single"
        credential = credential or line.strip() == "# credential"
    for name in exchange:
        if not _CMDLET.fullmatch(name):
            raise BadTemplate(f"the head line `# exchange:` of {template} names `{name}`, which is no cmdlet")
    return Body(
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        exchange=tuple(dict.fromkeys(exchange)),
        single=single,
        credential=credential,
    )


_INCLUDE = re.compile(r"""^\{% include "([^"]+)" %\}\n""", re.MULTILINE)


def expanded(templates: Mapping[str, str], name: str) -> str:
    """A template's source with what it includes in its place; an include is a whole line and names no variable.

    Raises `BadTemplate` where a template is missing or includes itself.
    """

    def source(one: str, within: tuple[str, ...]) -> str:
        if one in within or one not in templates:
            why = "includes itself" if one in within else f"includes {one}, which is not there"
            raise BadTemplate(f"the template {name} {why}")
        text = templates[one].replace("\r\n", "\n")
        return _INCLUDE.sub(lambda found: source(found[1], (*within, one)), text)

    return source(name, ())


def skeleton(name: str, source: str) -> str:
    """A template's own text, with `skeleton.VALUE` where a value will stand; every branch is in it once.

    Raises `BadTemplate`.
    """
    return skeleton_of(_parse(_environment(), name, source.replace("\r\n", "\n")))


def skeleton_of(tree: nodes.Node) -> str:
    """As `skeleton`, of a parsed template."""
    from jinja2 import nodes

    parts: list[str] = []
    for output in tree.find_all(nodes.Output):
        parts += [part.data if isinstance(part, nodes.TemplateData) else VALUE for part in output.nodes]
    return "".join(parts)


def _finalize(value: object) -> str:
    return literal(value)  # type: ignore[arg-type] # literal refuses what is not an Arg


def _finalize_wrapper(value: object) -> str:
    return value.text.rstrip("\n") if isinstance(value, Body) else _finalize(value)


def _finalize_call(value: object) -> str:
    return json_literal(value)  # type: ignore[arg-type] # json_literal refuses what is not an Arg


_FINALIZE = {"script": _finalize, "wrapper": _finalize_wrapper, "call": _finalize_call}


@functools.cache
def _environment(kind: Literal["script", "wrapper", "call"] = "script") -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=_FINALIZE[kind],
        autoescape=False,  # noqa: S701 - not HTML; the literals do the quoting
        trim_blocks=True,
        lstrip_blocks=True,
        newline_sequence="\n",
        keep_trailing_newline=True,
        optimized=False,
    )
    environment.globals.clear()
    environment.filters.clear()
    environment.filters["text"] = _text_filter  # pyright: ignore[reportArgumentType] # typed as a union of its own
    for name in environment.tests.keys() - _TESTS:
        del environment.tests[name]
    return environment


def _parse(environment: jinja2.Environment, name: str, source: str) -> nodes.Template:
    import jinja2
    from jinja2 import nodes

    try:
        tree = environment.parse(source, name)
    except jinja2.TemplateSyntaxError as error:
        raise BadTemplate(f"the template {name} cannot be read: {error.message} (line {error.lineno})") from error
    for node in tree.find_all(nodes.Node):
        allowed = type(node).__name__ in _ALLOWED
        if isinstance(node, nodes.Getattr):
            allowed = isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in _LOOP
        if isinstance(node, nodes.For):
            allowed = not node.recursive
        if isinstance(node, nodes.Filter) and (node.name not in environment.filters or node.args or node.kwargs):
            allowed = False
        if isinstance(node, nodes.Test) and node.name not in environment.tests:
            allowed = False
        if not allowed:
            raise BadTemplate(
                f"the template {name} uses {type(node).__name__.lower()} (line {node.lineno}): only values, "
                "`if`, `for` and the filter `text` are allowed, so that no text can be spliced into a script"
            )
    return tree
