"""Masks secrets in what comes back from hosts, before anybody else sees it; knows only the secrets it is given."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import overload
from urllib.parse import quote, quote_plus

import msgspec

from starover.effects import Facts, Failed, Reaction
from starover.errors import ErrorRecord, Fault, RemoteFailure, StaroverError

__all__ = ["MASK", "Redactor", "forms"]

MASK = "(hidden)"
_NAMED = re.compile(
    rb'("(?:[^"\\]|\\.)*?(?:password|passwd|secret|privatekey|apikey)"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE
)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


_CORE = 8
"""Characters of base64 from which on they are nobody else's: shorter ones would hide what is no secret."""


@functools.lru_cache(maxsize=256)
def forms(secret: str) -> tuple[str, ...]:
    """A secret as it may stand in a text, longest first: itself, in repr, JSON, a URL, base64 of UTF-8 or UTF-16."""
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    plain = {secret, repr(secret)[1:-1], *escaped, quote(secret, safe=""), quote_plus(secret)}
    packed = {one for form in ("utf-8", "utf-16-le") for one in _cores(secret.encode(form, "replace"))}
    return tuple(sorted(plain | packed, key=lambda one: (-len(one), one)))


def _cores(data: bytes) -> Iterator[str]:
    """What base64 of any text with `data` in it has in it, for each of the three places where it may begin."""
    for before in range(3):
        packed = b64encode(bytes(before) + data).decode()
        first = (0, 2, 3)[before]
        last = len(packed) - (0, 3, 2)[(before + len(data)) % 3]
        if last - first >= _CORE:
            yield packed[first:last]
            yield packed[first:last].replace("+", "-").replace("/", "_")


class Redactor:
    """What the engine sees is what the journal holds: both get the masked form."""

    def __init__(self, secrets: Callable[[], Sequence[str]] = tuple) -> None:
        """`secrets` are masked wherever they occur; text under a telling key, and private keys, always are.

        They are asked for anew each time, because a password is resolved only when it is needed.
        """
        self._ask = secrets

    @property
    def _secrets(self) -> list[str]:
        known = sorted((one for one in self._ask() if one), key=len, reverse=True)
        return [form for secret in known for form in forms(secret)]

    def text(self, text: str) -> str:
        """Text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _KEY.sub(MASK, text)

    def json(self, document: bytes) -> bytes:
        """A JSON document without secrets, of the same shape."""
        for secret in self._secrets:
            for form in {msgspec.json.encode(secret)[1:-1], secret.encode(errors="replace")}:
                document = document.replace(form, MASK.encode())
        if b"\\u" in document:  # any character may be written so: PowerShell's ConvertTo-Json writes quotes and &
            with contextlib.suppress(msgspec.MsgspecError):
                tree = msgspec.json.decode(document)
                if (clean := self._tree(tree)) != tree:
                    document = msgspec.json.encode(clean)
        return _NAMED.sub(rb'\1"' + MASK.encode() + rb'"', document)

    def _tree(self, node: object) -> object:
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, list):
            several: list[object] = node  # pyright: ignore[reportUnknownVariableType] # each is looked at
            return [self._tree(one) for one in several]
        if isinstance(node, dict):
            fields: dict[str, object] = node  # pyright: ignore[reportUnknownVariableType] # each is looked at
            return {self.text(name): self._tree(one) for name, one in fields.items()}
        return node

    @overload
    def reaction(self, reaction: Facts | Failed) -> Facts | Failed: ...
    @overload
    def reaction(self, reaction: Reaction) -> Reaction: ...
    def reaction(self, reaction: Reaction) -> Reaction:
        """An answer without secrets."""
        if isinstance(reaction, Facts):
            return msgspec.structs.replace(
                reaction,
                results={part: msgspec.Raw(self.json(bytes(facts))) for part, facts in reaction.results.items()},
                errors={part: self.record(record) for part, record in reaction.errors.items()},
                warnings=tuple(self.text(line) for line in reaction.warnings),
            )
        if isinstance(reaction, Failed):
            return msgspec.structs.replace(reaction, fault=self.fault(reaction.fault))
        return reaction

    def record(self, record: ErrorRecord) -> ErrorRecord:
        """An error record without secrets."""
        return msgspec.structs.replace(
            record,
            message=self.text(record.message),
            fqid=self.text(record.fqid),  # of what a script throws it is the words that were thrown
            category=self.text(record.category),
            type=self.text(record.type),
            target=self.text(record.target),
            command=self.text(record.command),
            inner=tuple(self.text(one) for one in record.inner),
        )

    def error(self, error: StaroverError) -> StaroverError:
        """The very error, without secrets in its words: before they are wrapped, which may break a password in two."""
        error.what = self.text(error.what)
        error.certain, error.uncertain, error.next = (
            tuple(self.text(line) for line in lines) for lines in (error.certain, error.uncertain, error.next)
        )
        if isinstance(error, RemoteFailure):
            error.records = tuple(self.record(record) for record in error.records)
        return error

    def fault(self, fault: Fault) -> Fault:
        """An error without secrets."""
        return msgspec.structs.replace(
            fault,
            what=self.text(fault.what),
            certain=tuple(self.text(line) for line in fault.certain),
            uncertain=tuple(self.text(line) for line in fault.uncertain),
            next=tuple(self.text(line) for line in fault.next),
            records=tuple(self.record(record) for record in fault.records),
        )
