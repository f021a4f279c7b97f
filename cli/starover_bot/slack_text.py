"""What Slack makes of typed text, turned back: dashes, quotes, links, entities. Here and nowhere else; pure."""

from __future__ import annotations

import re

__all__ = ["escaped", "typed_text"]

_LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_DASHES_BEFORE_NAME = re.compile(r"(?<![^\s\"'])[-–—]*[–—][-–—]*(?=[A-Za-z])")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # the ampersand last: `&amp;lt;` was `&lt;`
_QUOTES = str.maketrans({**dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‘’‚‛", "'"), "\xa0": " ", "…": "..."})


def typed_text(text: str) -> str:
    """The text as the person typed it."""
    text = _LINK.sub(_unlinked, text)
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = text.translate(_QUOTES)
    text = _DASHES_BEFORE_NAME.sub("--", text)
    return text.replace("—", "--").replace("–", "-").strip()


def _unlinked(found: re.Match[str]) -> str:
    """A link's label where it is what was typed: a name of which Slack made an address, or the address itself."""
    target, label = found[1], found[2]
    if target.startswith(("@", "#", "!")):
        return f"{target[0]}{label or target[1:]}" if target[0] != "!" else (label or target)
    return label or target.removeprefix("mailto:")


def escaped(text: str) -> str:
    """Text for where Slack reads its markup: nothing in it calls anybody or leads anywhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
