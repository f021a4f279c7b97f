"""An error as a person and as a machine read it: what happened, what is certain, what is not, what to type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starover.errors import Mistake, RemoteFailure, StaroverError
from starover_cli.views.head import next_block
from starover_cli.views.text import label_block, wrap

__all__ = ["EXIT_WORDS", "error_data", "error_text", "exit_line", "split_next"]

EXIT_WORDS = {
    1: "failed",
    2: "bad input",
    3: "changes are planned",
    4: "refused",
    5: "unknown",
    6: "unreachable",
    75: "locked",
    130: "interrupted",
}


_TRACE = re.compile(r"^(?:\[[^\]]*\]\s*)+")
"""What Exchange's remoting puts before an error id: server, request, time; the journal has it."""
_COMMANDS = ("starover ", "pip ", "keyring ", "export ", "read ")


def exit_line(code: int, word: str = "") -> str:
    """`exit 4 refused`."""
    return f"exit {code} {word or EXIT_WORDS.get(code, 'failed')}"


def error_text(error: StaroverError, width: int = 100, *, bare: bool = False) -> str:
    """The four parts of an error, the exit code at the end of the first; `bare`: without the fourth."""
    mark = "?" if error.exit == 5 and error.word == "unknown" else "!"
    tail = exit_line(error.exit, error.word)
    what = f"{mark} {error.word}: {error.what}"
    lines = [part for line in what.split("\n") for part in wrap(line, width, "  ")]
    if len(lines[0]) + 3 + len(tail) <= width:
        lines[0] = f"{lines[0]}   {tail}"
    else:
        lines.append(f"  {tail}")
    pairs: list[tuple[str, str]] = [("host", error.host)] if error.host and error.host not in error.what else []
    if isinstance(error, RemoteFailure):
        for record in error.records:
            where = f" (line {record.line} of the script)" if record.line else ""
            said = f"{record.command}: {record.message}" if record.command else record.message
            pairs.append(("" if pairs and pairs[-1][0] in ("said", "") else "said", f"{said}{where}"))
            if record.fqid:
                pairs.append(("", f"[{_TRACE.sub('', record.fqid)}]"))
    pairs += _named("certain", _certain(error)) + _named("not certain", error.uncertain)
    commands, hints = split_next(error.next)
    pairs += _named("hint", hints)
    block = label_block(pairs, width)
    parts = ["\n".join(lines)]
    if block:
        parts.append("\n".join(block))
    if commands and not bare:
        parts.append(next_block(commands))
    return "\n\n".join(parts)


def _certain(error: StaroverError) -> tuple[str, ...]:
    """What is certain; of a mistake at least that it did no harm."""
    return error.certain or (("nothing was changed.",) if isinstance(error, Mistake) else ())


def split_next(lines: Sequence[str]) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """What can be pasted, each with its meaning, and what is only good to know."""
    commands: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith(_COMMANDS):
            command, _, meaning = line.partition("   ")
            commands.append((command, meaning.strip()))
    return commands, tuple(line for line in lines if not line.startswith(_COMMANDS))


def _named(name: str, lines: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name if position == 0 else "", line) for position, line in enumerate(lines)]


def error_data(error: StaroverError) -> dict[str, object]:
    """The same, for `--format json`."""
    data: dict[str, object] = {
        "error": type(error).__name__,
        "exit": error.exit,
        "word": error.word,
        "what": error.what,
        "certain": list(_certain(error)),
        "uncertain": list(error.uncertain),
        "next": list(error.next),
    }
    if error.host:
        data["host"] = error.host
    if isinstance(error, RemoteFailure):
        data["records"] = [
            {name: getattr(record, name) for name in record.__struct_fields__} for record in error.records
        ]
    return data
