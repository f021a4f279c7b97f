"""Masks secrets in what comes back from hosts, before anybody else sees it; knows only the secrets it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from starover.effects import Facts, Failed, Reaction
from starover.errors import ErrorRecord, Fault

__all__ = ["MASK", "Redactor"]

MASK = "(hidden)"
_NAMED = re.compile(
    rb'("(?:[^"\\]|\\.)*?(?:password|passwd|secret|privatekey|apikey)"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE
)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


class Redactor:
    """What the engine sees is what the journal holds: both get the masked form."""

    def __init__(self, secrets: Callable[[], Sequence[str]] = tuple) -> None:
        """`secrets` are masked wherever they occur; text under a telling key, and private keys, always are.

        They are asked for anew each time, because a password is resolved only when it is needed.
        """
        self._ask = secrets

    @property
    def _secrets(self) -> list[str]:
        return sorted((one for one in self._ask() if one), key=len, reverse=True)

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
        return _NAMED.sub(rb'\1"' + MASK.encode() + rb'"', document)

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
            target=self.text(record.target),
            inner=tuple(self.text(one) for one in record.inner),
        )

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
