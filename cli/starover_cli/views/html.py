"""A few functions that build HTML: everything is escaped unless it was built here; knows nothing of what it shows."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from starover_cli.views.text import printable

__all__ = ["Html", "Part", "join", "page", "table", "tag"]


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Part: TypeAlias = "str | Html | Sequence[Part] | None"
"""What a tag may hold: text (escaped), HTML, nothing, or several of them."""


def tag(name: str, *parts: Part, **attributes: str) -> Html:
    """An element. `class_` is `class`; an attribute that is empty is left out."""
    given = "".join(f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items() if value)
    return Html(f"<{name}{given}>{join(parts)}</{name}>")


def join(parts: Iterable[Part]) -> Html:
    """Several parts behind each other."""
    return Html("".join(_one(part) for part in parts))


def _one(part: Part) -> str:
    if part is None:
        return ""
    if isinstance(part, Html):
        return part
    if isinstance(part, str):
        return html.escape(printable(part, "utf-8"))
    return join(part)


def table(head: Sequence[str], rows: Iterable[Sequence[Part]], class_: str = "") -> Html:
    """A table whose cells know their column's name, so that a narrow screen can show a row as a card."""
    body = [
        tag("tr", *(tag("td", cell, **{"data-of": head[column]}) for column, cell in enumerate(row))) for row in rows
    ]
    return tag("table", tag("thead", tag("tr", *(tag("th", one) for one in head))), tag("tbody", *body), class_=class_)


def page(title: str, style: str, *parts: Part) -> str:
    """A whole document that needs nothing else: no script, no picture, no font from anywhere. Pure ASCII."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            tag("title", title),
            tag("style", Html(style)),
        ]
    )
    text = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{join(parts)}</body></html>\n'
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
