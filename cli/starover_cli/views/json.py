"""The machine's view: documents and lines of pure ASCII JSON. Data in, text out."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec

__all__ = ["document", "line", "raw"]


def _plain(data: object) -> object:
    return json.loads(msgspec.json.encode(data, enc_hook=_odd))


def raw(data: bytes) -> msgspec.Raw:
    """JSON that was kept as bytes, to be part of a document."""
    return msgspec.Raw(data)


def _odd(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def document(data: object) -> str:
    """One indented document: a plan, a map, a list."""
    return json.dumps(_plain(data), indent=2, ensure_ascii=True)


def line(data: object) -> str:
    """One record on one line: an event of a run."""
    return json.dumps(_plain(data), ensure_ascii=True, separators=(",", ":"))
