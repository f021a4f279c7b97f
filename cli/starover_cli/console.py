"""The two streams a person sees: results on stdout, all else on stderr; never fails on a character, knows no view."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

import click

from starover_cli.paint import paint
from starover_cli.views.text import printable

__all__ = ["Console"]


class Console:
    """Prints for this process. `stdout` and `stderr` are looked up when used, so that they can be replaced."""

    def result(self, text: str) -> None:
        """What was asked for, on stdout."""
        _write(sys.stdout, text)

    def note(self, text: str) -> None:
        """Progress, prompts and errors, on stderr."""
        _write(sys.stderr, text)

    def raw(self, text: str) -> None:
        """A machine's document on stdout, as it is; it must be ASCII already."""
        click.echo(text, file=sys.stdout, color=False)

    def ask(self, question: str) -> str:
        """A person's answer to `question`; the prompt goes to stderr. Empty at the end of the input."""
        stream = sys.stderr
        stream.write(printable(question, _encoding(stream)))
        stream.flush()
        return sys.stdin.readline().strip()

    @property
    def width(self) -> int:
        """Columns to draw for: those of the terminal, at most 100; 100 where there is none."""
        return min(100, shutil.get_terminal_size((100, 40)).columns) if _is_terminal(sys.stdout) else 100

    @property
    def live(self) -> bool:
        """Whether progress may redraw itself: stderr is a terminal that understands it."""
        return _is_terminal(sys.stderr) and os.environ.get("TERM", "") != "dumb"

    @property
    def draws(self) -> bool:
        """Whether the result itself may redraw: stdout is a terminal that understands it."""
        return _is_terminal(sys.stdout) and os.environ.get("TERM", "") != "dumb"

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to be asked."""
        return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _encoding(stream: TextIO) -> str:
    return getattr(stream, "encoding", None) or "ascii"


def _write(stream: TextIO, text: str) -> None:
    coloured = _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    shown = printable(text, _encoding(stream))
    click.echo(paint(shown) if coloured else shown, file=stream, color=coloured)
