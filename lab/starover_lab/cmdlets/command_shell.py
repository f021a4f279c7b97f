"""WinRS on a host: cmd.exe's few commands that clients use, and powershell.exe over plain sessions; knows no SOAP.

Implements `wire.endpoint.CommandShell`. Every powershell.exe is a session of its own, as a network logon without
delegation. What cmd.exe does not know is "not recognized"; what the lab does not know exactly it says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network

from starover_lab.cmdlets import command_line
from starover_lab.cmdlets.command_line import NotSimulated, PowerShellCall
from starover_lab.cmdlets.console import Console
from starover_lab.cmdlets.releases import release
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.parser import ParseError, parse
from starover_lab.wire.endpoint import Command, Emit, Pipeline, Process, Runspace, ShellOptions, Write
from starover_lab.world.entities import Account, Server

__all__ = ["CommandShell"]

_POWERSHELL = ("powershell", "powershell.exe")
_CMD = ("cmd", "cmd.exe")
_NAME = re.compile(r'\s*(?:"([^"]*)"|([^\s"/=,;&|<>()]+))(.*)', re.DOTALL)
_ECHO = re.compile(r"\s*@?echo(?=[\s.:,;=+(/\\\[\]]|$)", re.IGNORECASE)
_INPUT = re.compile(r"\$input\b", re.IGNORECASE)
_INDISTINCT = ("informationpreference", "informationaction")
"""What they make of information a console shows, and the records do not tell it."""


class CommandShell:
    """One shell of one person on one host."""

    def __init__(
        self,
        server: Server,
        account: Account,
        options: ShellOptions,
        environment: Mapping[str, str],
        session: Callable[[], Runspace],
        closed: Callable[[CommandShell], object],
    ) -> None:
        """`session` makes a new PowerShell session; `closed` is told when the shell is gone."""
        self.server = server
        self.account = account
        self.session = session
        self.given = options.environment
        self.environment = {**environment, **dict(options.environment)}
        self._closed = closed

    def process(self, line: str, /) -> Process:
        """What `cmd.exe /c LINE` would be."""
        return _Cmd(self, line)

    def close(self) -> None:
        """The shell is gone."""
        self._closed(self)


class _Cmd:
    """cmd.exe with its command line."""

    def __init__(self, shell: CommandShell, line: str) -> None:
        self._shell = shell
        self._complaint = ""
        self._programs: list[tuple[command_line.Operator, _Program]] = []
        self._running: _PowerShell | None = None
        if len(line) > command_line.LONGEST:
            self._complaint = "The command line is too long.\r\n"
            return
        known = {name.lower(): value for name, value in shell.environment.items()}
        try:
            for operator, text in command_line.statements(command_line.expand(line, known)):
                self._programs.append((operator, _program(shell, text)))
        except NotSimulated as error:
            self._complaint = _refusal(error)

    @property
    def reads_input(self) -> bool:
        """Whether one of the programs does."""
        return any(one.reads_input for _, one in self._programs)

    def run(self, given: str, write: Write, /) -> int:
        """Run one program after the other as `&`, `&&` and `||` say; the exit code is the last one's."""
        if self._complaint:
            write("stderr", self._complaint)
            return 1
        code = 0
        for operator, program in self._programs:
            if (operator == "&&" and code != 0) or (operator == "||" and code == 0):
                continue
            self._running = program if isinstance(program, _PowerShell) else None
            code = program.run(given, write)
            if isinstance(program, _Exit):
                break
        return code

    def stop(self) -> None:
        """Ctrl-C."""
        if self._running is not None:
            self._running.stop()


def _refusal(error: NotSimulated) -> str:
    return f"The lab does not simulate {error}.\r\n"


class _Program:
    """Something that cmd.exe runs: here a text and an exit code."""

    def __init__(self, text: str = "", *, error: str = "", code: int = 0) -> None:
        self._text = text
        self._error = error
        self._code = code
        self.reads_input = False

    def run(self, given: str, write: Write) -> int:  # noqa: ARG002 - others read it
        """Returns the exit code."""
        if self._text:
            write("stdout", self._text)
        if self._error:
            write("stderr", self._error)
        return self._code


class _Exit(_Program):
    """The end of the whole line."""


def _program(shell: CommandShell, text: str) -> _Program:
    """What one command of a line is. Raises `NotSimulated`."""
    echo = _ECHO.match(text)
    if echo is not None:
        rest = text[echo.end() :]
        return _Program(f"{rest[1:]}\r\n" if rest.strip() else "ECHO is on.\r\n")
    match = _NAME.fullmatch(text)
    if match is None:
        return _Program()
    word, rest = match[1] or match[2], match[3]
    name = re.split(r"[\\/]", word.lstrip("@"))[-1].lower()
    words = rest.split()
    if name in _POWERSHELL:
        return _PowerShell(shell, command_line.powershell(command_line.arguments(rest)))
    if name in _CMD:
        return _inner(shell, rest)
    if name == "exit":
        digits = next((one for one in words if one.lstrip("+-").isdecimal()), "0")
        return _Exit(code=int(digits))
    server = shell.server
    if name in ("hostname", "hostname.exe"):
        return _Program(f"{server.name}\r\n")
    if name in ("whoami", "whoami.exe") and not words:
        return _Program(f"{shell.account.down_level.lower()}\r\n")
    if name in ("ipconfig", "ipconfig.exe") and not words:
        return _Program("".join(f"{one}\r\n" for one in _ipconfig(server)))
    if name == "ver":
        return _Program(f"\r\nMicrosoft Windows [Version {release(server.os).version}]\r\n")
    if name == "set" and "=" not in rest:
        return _set(shell, rest.strip())
    if name in ("ipconfig", "ipconfig.exe", "whoami", "whoami.exe", "set"):
        raise NotSimulated(f"{word}{rest}")
    return _Program(
        error=f"'{word}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
        code=1,
    )


def _inner(shell: CommandShell, rest: str) -> _Program:
    """`cmd /c LINE` within the line."""
    match = re.match(r"\s*((?:/\w(?::\w+)?\s*)*?)/c(.*)", rest, re.IGNORECASE | re.DOTALL)
    if match is None:
        raise NotSimulated("cmd.exe without /c")
    line = match[2].strip()
    if line.startswith('"') and line.endswith('"') and line.count('"') == 2:
        line = line[1:-1]
    return _program(shell, line)


def _set(shell: CommandShell, prefix: str) -> _Program:
    names = [name for name in shell.environment if name.lower().startswith(prefix.lower())]
    if prefix and not names:
        return _Program(error=f"Environment variable {prefix} not defined\r\n", code=1)
    shown = sorted(names, key=str.lower)
    return _Program("".join(f"{name}={shell.environment[name]}\r\n" for name in shown))


def _ipconfig(server: Server) -> Iterator[str]:
    yield from ("", "Windows IP Configuration", "")
    for nic in server.nics:
        yield from ("", f"Ethernet adapter {nic.alias}:", "")
        if not nic.up:
            yield "   Media State . . . . . . . . . . . : Media disconnected"
        yield "   Connection-specific DNS Suffix  . : "
        for address in nic.addresses if nic.up else ():
            yield f"   IPv4 Address. . . . . . . . . . . : {address}"
            mask = ip_network(f"{address}/{nic.prefix}", strict=False).netmask
            yield f"   Subnet Mask . . . . . . . . . . . : {mask}"
        gateway = next((one.next_hop for one in nic.routes if one.prefix == "0.0.0.0/0"), "")
        if nic.up:
            yield f"   Default Gateway . . . . . . . . . : {gateway}"


class _PowerShell(_Program):
    """powershell.exe."""

    def __init__(self, shell: CommandShell, call: PowerShellCall) -> None:
        super().__init__()
        self._shell = shell
        self._call = call
        self._runspace: Runspace | None = None
        script = call.script
        self.reads_input = not call.complaint and (script is None or _INPUT.search(script) is not None)

    def run(self, given: str, write: Write) -> int:
        """Run the script, or the statements of the standard input. Raises `Stopped`."""
        call = self._call
        if call.complaint:
            write("stderr", f"{call.complaint}\r\n")
            return command_line.BAD_ARGUMENT
        asked = (given if call.script is None else call.script).casefold()
        word = next((one for one in _INDISTINCT if one in asked), None)
        if word is not None:
            write("stderr", _refusal(NotSimulated(f"{word} on a console")))
            return 1
        runspace = self._runspace = self._shell.session()
        console = Console(write, xml=call.encoded)
        try:
            self._set_environment(runspace)
            if call.script is None:
                return self._typed(runspace, given, console, write)
            lines = tuple(given.splitlines())
            return _whole(runspace, call.script, lines, console)
        finally:
            self._runspace = None
            console.close()
            runspace.close()

    def _set_environment(self, runspace: Runspace) -> None:
        """The variables that the client gave the shell."""
        for name, value in self._shell.given:
            if not any(c in name for c in "{}`=:"):
                literal = value.replace("'", "''")
                _run(runspace, f"${{env:{name}}} = '{literal}'", (), _quiet)

    def _typed(self, runspace: Runspace, given: str, console: Console, write: Write) -> int:
        """Statements as the console host reads them, like a person's: each line by itself; one that is not complete
        begins a block, which an empty line ends. What is not ended at the end of the input is not run. An error ends
        nothing; the exit code tells of the last statement that could be read (PowerShell issues 3223 and 21784)."""

        def show(text: str) -> None:
            if self._call.prompts:
                write("stdout", text)

        block: list[str] = []
        ended = False
        prompt = f"PS {self._shell.environment.get('USERPROFILE', 'C:')}> "
        show(prompt)
        for line in given.splitlines():
            show(f"{line}\n")
            text = ""
            if block and line.strip():
                block.append(line)
            elif block:
                text, block = "\n".join(block), []
            elif _incomplete(line):
                block = [line]
            else:
                text = line
            if text.strip():
                try:
                    code = _run(runspace, text, (), console.emit)
                    ended = False
                except Terminated as error:
                    console.failed(error.record)
                    ended = ended if error.record.category == "ParserError" else True
                    code = None
                if code is not None:
                    return code
            show(">> " if block else prompt)
        return 1 if ended else _status(runspace)

    def stop(self) -> None:
        """Ctrl-C."""
        if self._runspace is not None:
            self._runspace.stop()


def _quiet(_stream: object, _value: object) -> None:
    """Where records go that nobody sees."""


def _run(runspace: Runspace, script: str, given: tuple[str, ...], emit: Emit) -> int | None:
    return runspace.invoke(Pipeline(commands=(Command(text=script, is_script=True),), input=given), emit)


def _whole(runspace: Runspace, script: str, given: tuple[str, ...], console: Console) -> int:
    """One script: the code of `exit`, else 1 when it ended with an error or its last statement failed."""
    try:
        code = _run(runspace, script, given, console.emit)
    except Terminated as error:
        console.failed(error.record)
        return 1
    return _status(runspace) if code is None else code


def _status(runspace: Runspace) -> int:
    """What `$?` makes of the exit code."""
    told: list[object] = []
    try:
        _run(runspace, "$?", (), lambda stream, value: told.append(value) if stream == "output" else None)
    except Terminated:  # not known: it differs between versions
        return 1
    return 0 if told == [True] else 1


_OPENERS = ("MissingEndCurlyBrace", "TerminatorExpectedAtEndOfString", "MissingTerminatorMultiLineComment")
"""Errors told where something begins; all others are told where something is missing."""
_BLOCKS = ("Body", "StatementBlock", "LoopStatement", "ForeachStatement", "HandlerBlock")


def _incomplete(text: str) -> bool:
    """Whether more lines could make a statement of it.

    A block may not begin on the next line (PowerShell issue 2068).
    """
    try:
        parse(text)
    except ParseError as error:
        rows = text.split("\n")
        behind = rows[error.line - 1][error.column - 1 :] if 0 < error.line <= len(rows) else ""
        if any(part in error.error_id for part in _BLOCKS):
            return False
        return error.error_id in _OPENERS or (error.line >= len(rows) and not behind.strip())
    except Unsupported:
        return False
    return False
