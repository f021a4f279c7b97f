"""Which runbooks are gold, and the tests that say so; runs none of them.

`certificates.json` is written by the tests from what they try (`tests/gold.py`), and held to the tests that exist.
Whatever has no certificate is experimental: it works, and has not been through all of that.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from starover.content import Content

__all__ = ["FILE", "certificate", "is_experimental"]

FILE = "certificates.json"
_OWN = (Path(__file__).parent.parent, Path(__file__).parent / "_content")


def certificate(content: Content, name: str) -> Mapping[str, str]:
    """The tests that a runbook is held to, by what they try; empty: it is experimental.

    Runbooks of another home have none, whatever their names: the tests were about the tool's own.
    """
    return _all().get(name, {}) if content.folder in _OWN else {}


def is_experimental(content: Content, name: str) -> bool:
    """Whether a runbook has no certificate."""
    return not certificate(content, name)


@functools.cache
def _all() -> Mapping[str, Mapping[str, str]]:
    return msgspec.json.decode(Path(__file__).with_name(FILE).read_bytes(), type=dict[str, dict[str, str]])
