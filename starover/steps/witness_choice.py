"""Which witness a surviving side is to have, as a person says it; looks at no host."""

from __future__ import annotations

from typing import Literal

import msgspec

from starover.errors import BadParameter
from starover.names import WitnessDirectory, WitnessServer

__all__ = ["WitnessChoice", "WitnessPlace"]


class WitnessChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which witness the surviving side is to have: `alternate`, `primary`, or `new:SERVER:DIRECTORY`."""

    which: Literal["alternate", "primary", "new"]
    server: str = ""
    directory: str = ""

    @classmethod
    def parse(cls, text: str) -> WitnessChoice:
        """Read it. Raises `BadParameter`."""
        if text in ("alternate", "primary"):
            return cls(text)  # type: ignore[arg-type]
        word, _, rest = text.partition(":")
        server, _, directory = rest.partition(":")
        try:
            if word != "new":
                raise ValueError(word)
            return cls("new", msgspec.convert(server, WitnessServer), msgspec.convert(directory, WitnessDirectory))
        except (ValueError, msgspec.ValidationError):
            raise BadParameter(
                f"`{text}` is no witness", next=(r"alternate, primary, or new:SERVER:C:\DIRECTORY",)
            ) from None

    def __str__(self) -> str:
        """As a person writes it."""
        return f"new:{self.server}:{self.directory}" if self.which == "new" else self.which


class WitnessPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A witness by its place: `SERVER:DIRECTORY`."""

    server: str
    directory: str

    @classmethod
    def parse(cls, text: str) -> WitnessPlace:
        """Read it. Raises `BadParameter`."""
        server, _, directory = text.partition(":")
        try:
            return cls(msgspec.convert(server, WitnessServer), msgspec.convert(directory, WitnessDirectory))
        except msgspec.ValidationError:
            raise BadParameter(f"`{text}` is no witness", next=(r"SERVER:C:\DIRECTORY",)) from None

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.server}:{self.directory}"
