"""The command line on a lab in process: everything but the wire, and quick enough to type a whole night."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from inner_lab import InnerLab
from starover_cli.main import main
from starover_cli.room import Parts
from starover_cli.settings import Settings

from starover.clock import Clock
from starover.content import Content
from starover.estate import Estate
from starover.transport import Transport


class InnerParts(Parts):
    """Hands the command line the lab's pieces."""

    def __init__(self, lab: InnerLab) -> None:
        self.lab = lab

    def estate(self, settings: Settings) -> tuple[Estate, Path]:
        return self.lab.estate, self.lab.folder / "inventory.yaml"

    def content(self, settings: Settings) -> Content:
        assert isinstance(self.lab.content, Content)
        return self.lab.content

    def transport(self, estate: Estate, file: Path, clock: Callable[[], Clock]) -> Transport:
        return self.lab.transport

    def clock(self, estate: Estate, file: Path) -> Clock:
        return self.lab.clock


def typed(lab: InnerLab, *words: str, state: Path | None = None, variables: Mapping[str, str] | None = None) -> Result:
    """`starover words`, with its state in the lab's folder unless another is named."""
    settings = Settings(dir=str(state or lab.folder), parts=InnerParts(lab))
    return CliRunner().invoke(main, list(words), obj=settings, env=dict(variables or {}))


def said(result: Result) -> list[dict[str, Any]]:
    """The JSON lines of a result."""
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
