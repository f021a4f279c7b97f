"""Command lines as cmd.exe, the C runtime and powershell.exe read them, as data; runs nothing and knows no host.

powershell.exe: the rules of Windows PowerShell 5.1's console host. A switch may be cut short, `-Command` takes the rest
of the line, `-Command -` reads statements from the standard input without prompts and `-File -` with them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BAD_ARGUMENT",
    "LONGEST",
    "NotSimulated",
    "PowerShellCall",
    "arguments",
    "expand",
    "powershell",
    "statements",
]

LONGEST = 8191
"""Characters of a line that cmd.exe takes."""
BAD_ARGUMENT = -196608
"""What powershell.exe returns for arguments that it cannot read (0xFFFD0000)."""
Operator = Literal["", "&", "&&", "||"]
_OPERATORS: tuple[Operator, ...] = ("&&", "||", "&")
_VARIABLE = re.compile(r"%([^%]+)%")


class NotSimulated(Exception):
    """The lab does not know exactly what Windows would do with this."""


def expand(line: str, environment: Mapping[str, str]) -> str:
    """With the values of `%NAME%`; a name that is none stays as it is, as on a command line. Keys in lower case."""
    return _VARIABLE.sub(lambda match: environment.get(match[1].lower(), match[0]), line)


def statements(line: str) -> list[tuple[Operator, str]]:
    """The commands of a line, each with what stands before it. Raises `NotSimulated` for pipes and redirections."""
    found: list[tuple[Operator, str]] = []
    operator: Operator = ""
    text, quoted, at = "", False, 0
    while at < len(line):
        c = line[at]
        ahead: Operator | None = next((one for one in _OPERATORS if line.startswith(one, at)), None)
        if c == '"':
            quoted = not quoted
        elif quoted:
            pass
        elif c == "^":
            at += 1
            c = line[at : at + 1]
        elif ahead is not None:
            found.append((operator, text))
            operator = ahead
            text = ""
            at += len(ahead)
            continue
        elif c in "|<>":
            raise NotSimulated(f"{c} on a command line of cmd.exe")
        text += c
        at += 1
    found.append((operator, text))
    if any(one.lstrip().startswith("(") for _, one in found):
        raise NotSimulated("( ) on a command line of cmd.exe")
    return found


_QUOTE = re.compile(r'(\\*)"')


def arguments(text: str) -> list[str]:
    """The arguments of a program, as the C runtime cuts them: by blanks outside of quotes, `\\"` is a quote."""
    found: list[str] = []
    current, quoted, begun, at = "", False, False, 0
    while at < len(text):
        c = text[at]
        match = _QUOTE.match(text, at)
        if match is not None:
            slashes = len(match[1])
            current += "\\" * (slashes // 2)
            if slashes % 2:
                current += '"'
            elif quoted and text.startswith('""', match.end() - 1):
                current += '"'
                at += 1
            else:
                quoted = not quoted
            begun = True
            at += len(match[0])
            continue
        if c in " \t" and not quoted:
            if begun:
                found.append(current)
            current, begun = "", False
        else:
            current += c
            begun = True
        at += 1
    if begun:
        found.append(current)
    return found


@dataclass(frozen=True, kw_only=True)
class PowerShellCall:
    """What powershell.exe was asked to do."""

    script: str | None = None
    """None: statements come by the standard input."""
    prompts: bool = False
    """Statements from the standard input are prompted for and shown."""
    encoded: bool = False
    """By -EncodedCommand: what goes to the standard error is CLIXML then."""
    complaint: str = ""
    """The arguments cannot be read: this goes to the standard error."""


_WITH_VALUE = {
    "executionpolicy": ("ex", "ep"),
    "windowstyle": ("w",),
    "inputformat": ("i", "if"),
    "outputformat": ("o", "of"),
    "configurationname": ("config",),
    "psconsolefile": ("p",),
    "version": ("v",),
}
_PLAIN = {"noprofile": "nop", "nologo": "nol", "noninteractive": "noni", "sta": "s", "mta": "mta", "noexit": "noe"}
_NOT_SIMULATED = {"noexit", "version", "psconsolefile", "configurationname"}
_BAD_ENCODING = (
    "Cannot process the command because the value specified with -EncodedCommand is not properly encoded. The value "
    "must be Base64 encoded."
)


def _is(word: str, full: str, *shortest: str) -> bool:
    return word in shortest or (full.startswith(word) and word.startswith(shortest[0]))


def powershell(given: list[str]) -> PowerShellCall:
    """What the arguments say. Raises `NotSimulated`."""
    at = 0
    while at < len(given):
        word = given[at].strip().lower()
        if word[:1] not in ("-", "/", "–", "—", "―") or word == "-":
            return _command(given[at:])
        word = word[1:].removeprefix("-")
        rest = given[at + 1 :]
        valued = next((name for name, short in _WITH_VALUE.items() if _is(word, name, *short)), None)
        plain = next((name for name, short in _PLAIN.items() if _is(word, name, short)), None)
        if _is(word, "command", "c"):
            return _command(rest) if rest else _missing("-Command")
        if _is(word, "file", "f"):
            return _file(rest) if rest else _missing("-File")
        if _is(word, "encodedcommand", "e", "ec") and valued is None:
            return _encoded(rest) if rest else _missing("-EncodedCommand")
        if valued in _NOT_SIMULATED or plain in _NOT_SIMULATED:
            raise NotSimulated(f"powershell.exe -{valued or plain}")
        if valued == "outputformat" and rest[:1] and not "text".startswith(rest[0].lower()):
            raise NotSimulated("powershell.exe -OutputFormat XML")
        if valued is not None:
            at += 2
        elif plain is not None:
            at += 1
        elif word in ("?", "help", "h"):
            raise NotSimulated("the help of powershell.exe")
        else:  # what is no switch begins the command
            return _command(given[at:])
    raise NotSimulated("powershell.exe without a command: an interactive session")


def _command(words: list[str]) -> PowerShellCall:
    if words == ["-"]:
        return PowerShellCall()
    if words[0] == "-":
        complaint = "'-' was specified with the -Command parameter; no other arguments to -Command are permitted."
        return PowerShellCall(complaint=complaint)
    return PowerShellCall(script=" ".join(words))


def _file(words: list[str]) -> PowerShellCall:
    if words[0] == "-":
        return PowerShellCall(prompts=True)
    raise NotSimulated("powershell.exe -File with a script file")


def _encoded(words: list[str]) -> PowerShellCall:
    if len(words) > 1:
        raise NotSimulated("powershell.exe with arguments behind -EncodedCommand")
    try:
        script = base64.b64decode(words[0], validate=True).decode("utf-16-le")
    except ValueError:
        return PowerShellCall(complaint=_BAD_ENCODING)
    return PowerShellCall(script=script, encoded=True)


def _missing(switch: str) -> PowerShellCall:
    return PowerShellCall(
        complaint=f"Cannot process the command because of a missing parameter. A command must follow {switch}."
    )
