"""Draws the README's pictures anew from what the commands really print: `python docs/pictures/make.py`."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
WIDTH = 100


def starover(folder: str, *words: str) -> str:
    """What a command prints as its result."""
    ended = subprocess.run(
        [sys.executable, "-m", "starover_cli", *words], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    return ended.stdout


def draw(name: str, words: tuple[str, ...], printed: str) -> None:
    """One picture for dark pages and one for light ones."""
    for shade, theme in (("dark", DIMMED_MONOKAI), ("light", DEFAULT_TERMINAL_THEME)):
        with Path("/dev/null" if sys.platform != "win32" else "NUL").open("w") as nowhere:
            console = Console(record=True, width=WIDTH, file=nowhere)
            console.print(Text(f"$ starover {' '.join(words)}"))
            console.print(Text(printed.rstrip()))
            svg = console.export_svg(title="starover", theme=theme, unique_id=f"{name}-{shade}")
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # a picture fetches nothing
        HERE.joinpath(f"{name}-{shade}.svg").write_text(svg, encoding="utf-8", newline="\n")


def main() -> None:
    """A lab, the map of its DAG, and the pictures of it."""
    with tempfile.TemporaryDirectory() as folder:
        starover(folder, "lab", "up", "aws-2az-nodac", "--detach")
        try:
            draw("status", ("status",), starover(folder, "status"))
        finally:
            starover(folder, "lab", "down")


if __name__ == "__main__":
    main()
