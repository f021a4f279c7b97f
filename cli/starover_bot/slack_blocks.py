"""A card as Slack's blocks; pure. All text is in elements that Slack does not read for markup."""

from __future__ import annotations

from starover_bot.cards import Button, Card, Part
from starover_bot.slack_text import escaped

__all__ = ["blocks", "fallback", "whole_text"]

TEXT = 2800
"""Characters in one block; Slack takes 3000."""
WHOLE = 9000
"""Characters in all blocks of a message. Slack refuses more than about twelve thousand, its own wrapping counted."""
NOTICE = 150
LINE = 600
"""Characters of a title, and of what stands below the buttons."""


def blocks(card: Card) -> list[dict[str, object]]:
    """The message."""
    made: list[dict[str, object]] = [_plain(card.title[:LINE], bold=True)]
    left = WHOLE
    for part in card.parts:
        made += [_block(piece, part) for piece in _pieces(part.text[:left])]
        left = max(0, left - len(part.text))
    if whole_text(card):
        made.append(_plain("... too long for a message: all of it is in the file below it"))
    if card.buttons:
        made.append({"type": "actions", "elements": [_button(one) for one in card.buttons]})
    if card.foot:
        foot = {"type": "plain_text", "text": card.foot[:LINE], "emoji": False}
        made.append({"type": "context", "elements": [foot]})
    return made


def whole_text(card: Card) -> str:
    """All of a card that does not fit into one message; empty: it does."""
    if sum(len(part.text) for part in card.parts) <= WHOLE:
        return ""
    return "\n\n".join([card.title, *(part.text for part in card.parts)]) + "\n"


def fallback(card: Card) -> str:
    """What a notification shows."""
    return escaped(card.title[:NOTICE])


def _block(text: str, part: Part) -> dict[str, object]:
    if not part.fixed:
        return _plain(text)
    inner = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [inner]}


def _plain(text: str, *, bold: bool = False) -> dict[str, object]:
    element: dict[str, object] = {"type": "text", "text": text[:TEXT], **({"style": {"bold": True}} if bold else {})}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [element]}]}


def _pieces(text: str) -> list[str]:
    """The text in pieces that fit, cut between lines where that can be."""
    pieces: list[str] = []
    piece = ""
    for line in text.strip("\n").split("\n"):
        while len(line) > TEXT:
            pieces += [one for one in (piece, line[:TEXT]) if one]
            piece, line = "", line[TEXT:]
        if len(piece) + len(line) + 1 > TEXT:
            pieces.append(piece)
            piece = line
        else:
            piece = f"{piece}\n{line}" if piece else line
    return [*pieces, piece] if piece.strip() else pieces


def _button(one: Button) -> dict[str, object]:
    made: dict[str, object] = {
        "type": "button",
        "action_id": f"starover_{one.name}",
        "text": {"type": "plain_text", "text": one.text, "emoji": False},
        "value": one.value,
        **({"style": "danger"} if one.grave else {}),
    }
    if one.sure:
        made["confirm"] = {
            "title": {"type": "plain_text", "text": one.text},
            "text": {"type": "plain_text", "text": one.sure[:300]},
            "confirm": {"type": "plain_text", "text": one.text[:30]},
            "deny": {"type": "plain_text", "text": "No"},
            **({"style": "danger"} if one.grave else {}),
        }
    return made
