"""What powershell.exe writes where its streams are no console: plain text, or CLIXML on the standard error.

With -EncodedCommand everything but the output goes to the standard error as CLIXML; otherwise errors go there as text,
and warnings stand among the output. The form of both is as published; the error view is that of the format file of
Windows PowerShell, on a screen 80 columns wide. Knows no session and no wire.
"""

from __future__ import annotations

from starover_lab.cmdlets.out_string import lines
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.streams import FOR_THE_HOST
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import NetObject, PSList, PSObject, Value
from starover_lab.wire.clixml_text import escape
from starover_lab.wire.endpoint import Stream, Write
from starover_lab.wire.records import category_message, position_message

__all__ = ["Console", "error_lines"]

_WIDTH = 79
"""Characters of a line: the screen's 80 columns but one."""
_INDENT = 4
_CHUNK = 80 - _INDENT - 2
_HEAD = "#< CLIXML\r\n"
_OBJECTS = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'


class Console:
    """The streams of one run of powershell.exe."""

    def __init__(self, write: Write, *, xml: bool) -> None:
        """`xml`: CLIXML on the standard error."""
        self._write = write
        self._xml = xml
        self._begun = False
        self._objects = 0

    def emit(self, stream: Stream, value: Value) -> None:
        """One record. Raises `Unsupported` for output that Windows shows as a table or list."""
        if stream == "output":
            for line in lines(value):
                self._write("stdout", line)
                self._write("stdout", "\r\n")
        elif stream == "error":
            if isinstance(value, ErrorRecord):
                self.failed(value)
        elif stream == "information":
            self._show(value)
        elif stream == "progress":
            if self._xml:
                self._put(_progress(value, self._objects))
                self._objects += 1
        elif self._xml:
            self._put(f'<S S="{stream}">{escape(to_string(value))}</S>')
        else:
            self._write("stdout", f"{stream.upper()}: {to_string(value)}\r\n")

    def _show(self, value: Value) -> None:
        """What Write-Host says; other information is not shown unless the preference says so."""
        known = value.properties if isinstance(value, NetObject) else {}
        tags, message = known.get("Tags"), known.get("MessageData")
        if isinstance(tags, PSList) and FOR_THE_HOST in tags.items:
            self._write("stdout", to_string(value))
            if not (isinstance(message, NetObject) and message.properties.get("NoNewLine") is True):
                self._write("stdout", "\n")  # Write-Host's own line end, as recorded

    def failed(self, record: ErrorRecord) -> None:
        """An error, terminating or not."""
        for line in error_lines(record):
            if self._xml:
                self._put(f'<S S="Error">{escape(line + chr(13) + chr(10))}</S>')
            else:
                self._write("stderr", line + "\r\n")

    def close(self) -> None:
        """The end of the CLIXML."""
        if self._begun:
            self._write("stderr", "</Objs>")

    def _put(self, element: str) -> None:
        if not self._begun:
            self._begun = True
            self._write("stderr", _HEAD + _OBJECTS)
        self._write("stderr", element)


def error_lines(record: ErrorRecord) -> list[str]:
    """An error as the console shows it (NormalView), line by line."""
    here = record.invocation
    name = "" if here is None else here.command
    if record.exception.type_name.endswith(".CommandNotFoundException"):
        name = to_string(record.target)  # the name under which nothing was found
    who = f"{name} : " if name else ""
    position = "" if here is None else position_message(here).replace("\r\n", "\n")
    parts = [who + record.message.replace("\r\n", "\n")]
    if position:
        parts.append(position)
    parts.append(_chunked("+ CategoryInfo          : " + category_message(record)))
    parts.append(_chunked("+ FullyQualifiedErrorId : " + record.fqid))
    parts.append(" ")
    return [piece for line in "\n".join(parts).split("\n") for piece in _wrapped(line)]


def _chunked(text: str) -> str:
    """Cut and indented, without line ends between, as the format file has it."""
    return "".join(" " * _INDENT + text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK))


def _wrapped(line: str) -> list[str]:
    """Pieces that fit the screen, cut behind a blank where there is one."""
    pieces: list[str] = []
    while len(line) > _WIDTH:
        cut = line.rfind(" ", 0, _WIDTH) + 1 or _WIDTH
        pieces.append(line[:cut])
        line = line[cut:]
    return [*pieces, line]


def _progress(value: Value, number: int) -> str:
    """A progress record as powershell.exe serialises it."""
    given = value if isinstance(value, PSObject | NetObject) else PSObject([("Activity", value)])

    def text(name: str, otherwise: str) -> str:
        found = given.properties.get(name) if isinstance(given, NetObject) else given.get(name)
        return otherwise if found is None else to_string(found)

    done = text("RecordType", text("Type", "Processing"))
    names = '<TN RefId="0"><T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN>'
    if number:
        names = '<TNRef RefId="0" />'
    return (
        f'<Obj S="progress" RefId="{number}">{names}'
        '<MS><I64 N="SourceId">1</I64><PR N="Record">'
        f"<AV>{escape(text('Activity', ' '))}</AV><AI>{text('ActivityId', '0')}</AI><Nil />"
        f"<PI>{text('ParentActivityId', '-1')}</PI><PC>{text('PercentComplete', '-1')}</PC>"
        f"<T>{done}</T><SR>-1</SR><SD>{escape(text('StatusDescription', ' '))}</SD></PR></MS></Obj>"
    )
