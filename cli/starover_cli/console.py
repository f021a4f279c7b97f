"""The two streams a person sees: results on stdout, all else on stderr; never fails on a character, knows no view."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

import click

from starover_cli.paint import paint
from starover_cli.views.text import printable

__all__ = ["Console", "let_go"]


class Console:
    """Prints for this process. `stdout` and `stderr` are looked up when used, so that they can be replaced.

    Whoever reads may go (`| head`): what is done goes on, and ends with its own exit code.
    """

    deaf = False
    """Nobody reads the results any more."""

    def result(self, text: str) -> None:
        """What was asked for, on stdout."""
        self.deaf |= not _write(sys.stdout, text)

    def note(self, text: str) -> None:
        """Progress, prompts and errors, on stderr."""
        _write(sys.stderr, text)

    def raw(self, text: str) -> None:
        """A machine's document on stdout, as it is; it must be ASCII already."""
        self.deaf |= not _heard(sys.stdout, lambda: click.echo(text, file=sys.stdout, color=False))

    def flush(self) -> None:
        """What is still to be written of the results."""
        self.deaf |= not _heard(sys.stdout, sys.stdout.flush)

    def ask(self, question: str) -> str:
        """A person's answer to `question`; the prompt goes to stderr. Empty at the end of the input."""
        stream = sys.stderr

        def put() -> None:
            stream.write(printable(question, _encoding(stream)))
            stream.flush()

        return sys.stdin.readline().strip() if _heard(stream, put) else ""

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


def _write(stream: TextIO, text: str) -> bool:
    """Whether somebody is there to read it."""
    coloured = _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    shown = printable(text, _encoding(stream))
    return _heard(stream, lambda: click.echo(paint(shown) if coloured else shown, file=stream, color=coloured))


def _heard(stream: TextIO, put: Callable[[], object]) -> bool:
    """Say something; False: whoever read it has gone, and what is still said goes nowhere."""
    try:
        put()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # the second is Windows' word for it
            raise
        let_go(stream)
        return False
    return True


def let_go(stream: TextIO) -> None:
    """Have a stream that nobody reads go nowhere, so that Python has no complaint while it shuts down either."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
