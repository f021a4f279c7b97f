"""The client's PSRP messages as data: pools, pipelines and their commands; answers nothing.

Property names are looked up without case: clients write `CI` and `ci` for the same thing, and Windows takes both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starover_lab.powershell.values import PSObject, Value
from starover_lab.wire.clixml_in import BadClixml, Element, Reader, parse
from starover_lab.wire.clixml_text import plain_text
from starover_lab.wire.endpoint import Command, Pipeline, Stream
from starover_lab.wire.keys import SessionKey

__all__ = [
    "CallForAvailability",
    "HostAnswer",
    "HostInfo",
    "Opening",
    "Wanted",
    "availability",
    "host_answer",
    "opening",
    "public_key",
    "value",
    "wanted",
]

_OUTPUT = 1
_MERGES: tuple[tuple[str, Stream], ...] = (
    ("mergeerror", "error"),
    ("mergewarning", "warning"),
    ("mergeverbose", "verbose"),
    ("mergedebug", "debug"),
    ("mergeinformation", "information"),
)


@dataclass(frozen=True)
class HostInfo:
    """What a client says of its host."""

    here: bool = False
    ui: bool = False
    colors: tuple[int, int] | None = None
    """Foreground and background, where there is a raw user interface."""


@dataclass(frozen=True)
class HostAnswer:
    """PIPELINE_HOST_RESPONSE."""

    call_id: int
    value: Value
    error: str | None
    """The message of the exception that the method ended with."""


@dataclass(frozen=True)
class Opening:
    """INIT_RUNSPACEPOOL or CONNECT_RUNSPACEPOOL."""

    least: int
    most: int
    host: HostInfo


@dataclass(frozen=True)
class CallForAvailability:
    """SET_MAX_RUNSPACES, SET_MIN_RUNSPACES, GET_AVAILABLE_RUNSPACES or RESET_RUNSPACE_STATE."""

    call_id: int
    count: int


@dataclass(frozen=True)
class Wanted:
    """CREATE_PIPELINE."""

    pipeline: Pipeline
    takes_input: bool
    host: HostInfo
    merged: frozenset[Stream] = field(default_factory=frozenset[Stream])
    """Streams of the last command that go into its output."""


def _message(body: bytes, key: SessionKey | None = None) -> tuple[Reader, dict[str, Element]]:
    root = parse(body)
    reader = Reader(root, key)
    return reader, reader.members(root)


def _flag(element: Element | None) -> bool:
    return element is not None and element.tag == "B" and (element.text or "").strip().lower() == "true"


def _integer(reader: Reader, element: Element | None, otherwise: int) -> int:
    found = reader.number(element)
    return otherwise if found is None else found


def _host(reader: Reader, element: Element | None, otherwise: HostInfo) -> HostInfo:
    if element is None:
        return otherwise
    fields = reader.members(element)
    if _flag(fields.get("_userunspacehost")):
        return otherwise
    if _flag(fields.get("_ishostnull")):
        return HostInfo()
    colors = None if _flag(fields.get("_ishostrawuinull")) else _colors(reader, fields.get("_hostdefaultdata"))
    return HostInfo(True, not _flag(fields.get("_ishostuinull")), colors)


def _colors(reader: Reader, element: Element | None) -> tuple[int, int]:
    """Foreground and background of the host's default data (MS-PSRP 2.2.3.14): keys 0 and 1; gray on black without."""
    found = {0: 7, 1: 0}
    data = None if element is None else reader.members(element).get("data")
    for entry in [] if data is None else data.findall("DCT/En"):
        key, pair = reader.number(entry.find("I32")), entry.find("Obj")
        if key in found and pair is not None:
            found[key] = _integer(reader, reader.members(pair).get("v"), found[key])
    return found[0], found[1]


def opening(body: bytes) -> Opening:
    """Raises `BadClixml`."""
    reader, members = _message(body)
    return Opening(
        least=_integer(reader, members.get("minrunspaces"), 1),
        most=_integer(reader, members.get("maxrunspaces"), 1),
        host=_host(reader, members.get("hostinfo"), HostInfo()),
    )


def availability(body: bytes) -> CallForAvailability:
    """Raises `BadClixml`."""
    reader, members = _message(body)
    counts = members.get("maxrunspaces", members.get("minrunspaces"))
    return CallForAvailability(_integer(reader, members.get("ci"), 0), _integer(reader, counts, 0))


def public_key(body: bytes) -> str:
    """Raises `BadClixml`."""
    _, members = _message(body)
    found = members.get("publickey")
    if found is None or not found.text:
        raise BadClixml("there is no public key")
    return found.text


def value(body: bytes, key: SessionKey) -> Value:
    """One object of a pipeline's input. Raises `BadClixml`."""
    root = parse(body)
    return Reader(root, key).value(root)


def host_answer(body: bytes, key: SessionKey) -> HostAnswer:
    """Raises `BadClixml`."""
    reader, members = _message(body, key)
    error = members.get("me")
    if error is not None and error.tag == "Nil":
        error = None
    value = reader.value(members["mr"]) if "mr" in members else None
    said = None if error is None else _message_of(reader.value(error))
    return HostAnswer(_integer(reader, members.get("ci"), 0), value, said)


def _message_of(value: Value) -> str:
    found = value.get("Message") if isinstance(value, PSObject) else None
    return found if isinstance(found, str) else plain_text(value)


def wanted(body: bytes, key: SessionKey, invocation: int, *, pool_host: HostInfo) -> Wanted:
    """`pool_host`: the host that a pipeline without one of its own uses. Raises `BadClixml`."""
    reader, members = _message(body, key)
    shell = members.get("powershell")
    if shell is None:
        raise BadClixml("there is no PowerShell in it")
    inner = reader.members(shell)
    extra = [] if (found := inner.get("extracmds")) is None else found.findall("LST/Obj")
    statements = [reader.members(one).get("cmds") for one in extra] or [inner.get("cmds")]
    commands: list[Command] = []
    merged: frozenset[Stream] = frozenset()
    for statement in statements:
        parts = [] if statement is None else statement.findall("LST/Obj")
        if not parts:
            raise BadClixml("a statement has no command")
        for number, part in enumerate(parts, 1):
            fields = reader.members(part)
            commands.append(_command(reader, fields, last=number == len(parts)))
            merged = _merged(reader, fields)
    pipeline = Pipeline(
        commands=tuple(commands),
        add_to_history=_flag(members.get("addtohistory")),
        is_nested=_flag(inner.get("isnested")),
        invocation=invocation,
    )
    return Wanted(
        pipeline,
        takes_input=not _flag(members.get("noinput")),
        host=_host(reader, members.get("hostinfo"), pool_host),
        merged=merged,
    )


def _command(reader: Reader, fields: dict[str, Element], *, last: bool) -> Command:
    text = fields.get("cmd")
    if text is None or text.tag != "S":
        raise BadClixml("a command has no text")
    scope = fields.get("uselocalscope")
    arguments: list[tuple[str | None, Value]] = []
    for one in [] if (given := fields.get("args")) is None else given.findall("LST/Obj"):
        pair = reader.members(one)
        name = reader.value(pair["n"]) if "n" in pair else None
        content = reader.value(pair["v"]) if "v" in pair else None
        arguments.append((name.removeprefix("-").removesuffix(":") if isinstance(name, str) else None, content))
    words = reader.value(text)
    assert isinstance(words, str)
    return Command(
        text=words,
        is_script=_flag(fields.get("isscript")),
        use_local_scope=None if scope is None or scope.tag != "B" else _flag(scope),
        parameters=tuple(arguments),
        end_of_statement=last,
    )


def _merged(reader: Reader, fields: dict[str, Element]) -> frozenset[Stream]:
    found: set[Stream] = {stream for name, stream in _MERGES if _integer(reader, fields.get(name), 0) & _OUTPUT}
    # Clients of protocol 2.1 say it with two fields: what is merged (2 is the error stream), and into what.
    if _integer(reader, fields.get("mergemyresult"), 0) & 2 and _integer(reader, fields.get("mergetoresult"), 0) & 1:
        found.add("error")
    return frozenset(found)
