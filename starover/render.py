"""The Jinja environment and `literal`, the only place where a value becomes PowerShell; knows no step and sends nothing."""

from __future__ import annotations

import enum
import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from starover.names import CopyId

__all__ = ["Arg", "Body", "Renderer", "lint", "literal"]

Scalar: TypeAlias = (
    None | bool | int | str | timedelta | enum.Enum | uuid.UUID | ipaddress.IPv4Address | ipaddress.IPv6Address | CopyId
)
Arg: TypeAlias = "Scalar | Sequence[Arg] | Mapping[str, Arg]"
"""What may be handed to a template. Floats are not: PowerShell prints them by culture."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A rendered template: what a step does, without prologue and epilogue."""

    text: str
    """ASCII-safe line ends (LF), ends with one LF."""
    sha256: str
    """Hex digest of `text` as UTF-8; this is the hash that plans and journals carry."""
    exchange: tuple[str, ...] = ()
    """Exchange cmdlets the head line `# exchange: ...` names; empty: the plain Windows session is enough."""
    single: bool = False
    """Marked `# single`: one command with literal parameters, fit for the provider `direct`."""


class Renderer:
    """Renders templates of one content: same input, same bytes."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        """`templates`: source text by name, such as `copy/suspend.ps1.j2`."""
        self._templates = templates

    def body(self, template: str, arguments: Mapping[str, Arg]) -> Body:
        """Render one template.

        Raises `BadTemplate` (unknown template, unknown or unused variable, construct that is not allowed) and
        `BadParameter` (a value that must not reach PowerShell).
        """
        raise NotImplementedError

    def variables(self, template: str) -> frozenset[str]:
        """The variables a template uses: must equal its step's parameters."""
        raise NotImplementedError


def literal(value: Arg) -> str:
    """One value as a PowerShell expression that evaluates to exactly it.

    Raises `BadParameter` for text with control characters, line separators or lone surrogates, for integers beyond
    64 bits and for types that have no literal.
    """
    raise NotImplementedError


def lint(name: str, source: str) -> list[str]:
    """What is wrong with a template's source by the rules for scripts, one sentence each; empty: nothing."""
    raise NotImplementedError
