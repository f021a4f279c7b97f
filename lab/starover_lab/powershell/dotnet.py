"""Methods of live .NET objects (encodings, hashes, streams, matches, string builders); how they come is elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import re

from starover_lab.powershell.convert import cast, default_text
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.invoke import Registry, Site
from starover_lab.powershell.netobjects import (
    Bytes,
    Gzip,
    Pieces,
    Stopwatch,
    culture,
    encoding_of,
    match_object,
    matches,
)
from starover_lab.powershell.regex import BadPattern, Regex, compile_regex
from starover_lab.powershell.values import (
    NOTHING,
    Byte,
    NetObject,
    PSArray,
    PSEnum,
    PSList,
    ScriptBlock,
    Value,
    base,
    from_units,
)

__all__ = ["DOTNET_METHODS", "byte_array", "bytes_of", "regex_of", "set_property"]

DOTNET_METHODS = Registry()
_add = DOTNET_METHODS.add
_S = "System.String"
_I = "System.Int32"
_BYTES = "System.Byte[]"
_REGEX = "System.Text.RegularExpressions.Regex"


_ALL_BYTES = [Byte(b) for b in range(256)]


def byte_array(data: bytes) -> PSArray:
    """A `byte[]`."""
    return PSArray([_ALL_BYTES[b] for b in data], _BYTES)


def bytes_of(value: Value) -> bytes:
    """The bytes of a `byte[]`."""
    value = base(value)
    assert isinstance(value, PSArray | PSList)
    return bytes(int(item) for item in value.items if isinstance(item, int))


def _object(value: Value) -> NetObject:
    value = base(value)
    assert isinstance(value, NetObject)
    return value


# -- encodings

for _name in ("System.Text.UTF8Encoding", "System.Text.ASCIIEncoding", "System.Text.UnicodeEncoding"):

    @_add(_name, "GetString", _BYTES)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        try:
            return bytes_of(arguments[0]).decode(encoding_of(_object(value)))
        except UnicodeDecodeError:
            raise Unsupported("bytes that are no text: 5.1 and 7 replace them differently") from None

    @_add(_name, "GetBytes", _S)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        text = arguments[0]
        assert isinstance(text, str)
        try:
            return byte_array(text.encode(encoding_of(_object(value))))
        except UnicodeEncodeError:
            raise Unsupported("text that cannot be encoded") from None

    @_add(_name, "GetByteCount", _S)
    def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
        text = arguments[0]
        assert isinstance(text, str)
        try:
            return len(text.encode(encoding_of(_object(value))))
        except UnicodeEncodeError:
            raise Unsupported("text that cannot be encoded") from None


# -- hashes and streams


@_add("System.Security.Cryptography.SHA256Managed", "ComputeHash", _BYTES)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return byte_array(hashlib.sha256(bytes_of(arguments[0])).digest())


@_add("System.IO.Compression.GZipStream", "Write", _BYTES, _I, _I)
@_add("System.IO.MemoryStream", "Write", _BYTES, _I, _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    data, start, count = bytes_of(arguments[0]), arguments[1], arguments[2]
    assert isinstance(start, int)
    assert isinstance(count, int)
    state = _object(value).state
    if not isinstance(state, Bytes) or state.closed or start < 0 or count < 0 or start + count > len(data):
        raise Unsupported("writing to a stream like this")
    state.data += data[start : start + count]
    return NOTHING


@_add("System.IO.Compression.GZipStream", "Close")
@_add("System.IO.Compression.GZipStream", "Dispose")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    state = _object(value).state
    if isinstance(state, Gzip) and not state.closed:
        state.closed = True
        state.target.data += gzip.compress(bytes(state.data), mtime=0)
        state.target.closed = True
    return NOTHING


@_add("System.IO.MemoryStream", "Close")
@_add("System.IO.MemoryStream", "Dispose")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    state = _object(value).state
    if isinstance(state, Bytes):
        state.closed = True
    return NOTHING


@_add("System.IO.MemoryStream", "ToArray")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    state = _object(value).state
    assert isinstance(state, Bytes)
    return byte_array(bytes(state.data))


# -- string builders


def _builder(value: Value) -> list[str]:
    state = _object(value).state
    assert isinstance(state, Pieces)
    return state.texts


def _append(value: Value, text: str) -> Value:
    owner = _object(value)
    _builder(owner).append(text)
    owner.text = from_units("".join(_builder(owner)))
    return owner


@_add("System.Text.StringBuilder", "Append", "System.Object")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    inner = base(arguments[0])
    if isinstance(inner, PSArray | PSList):
        raise Unsupported("Append of a collection")
    return _append(value, default_text(arguments[0]))


@_add("System.Text.StringBuilder", "Clear")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    _builder(value).clear()
    return _append(value, "")


# -- regular expressions


def regex_of(pattern: str, options: Value = None) -> Regex:
    """A pattern as `[regex]` takes it: case counts unless the option IgnoreCase says otherwise."""
    ignore = False
    if options is not None:
        chosen = cast(options, "System.Text.RegularExpressions.RegexOptions")
        assert isinstance(chosen, PSEnum)
        if chosen.number not in (0, 1):
            raise Unsupported(f"the regular expression option {chosen.name}")
        ignore = chosen.number == 1
    try:
        return compile_regex(pattern, ignore)
    except BadPattern as error:
        raise Unsupported(f"a bad regular expression: {error}") from None


def replaced(regex: Regex, text: str, replacement: Value, site: Site | None) -> str:
    """`[regex]::Replace` with text or with a script block, which gets the match as its argument."""
    block = base(replacement)
    if not isinstance(block, ScriptBlock):
        made = cast(replacement, _S)
        assert isinstance(made, str)
        return regex.replace(text, made)
    if site is None:
        raise Unsupported("[regex]::Replace with a script block here")
    caller = site

    def function(match: re.Match[str]) -> str:
        # The match is $args[0], and $_ too, as for every delegate made of a script block.
        found = match_object(regex, match)
        out = list(caller.call_block(block, item=found, args=[found], new_scope=True))
        value = cast(out[0] if len(out) == 1 else PSArray(out), _S)
        return value if isinstance(value, str) else ""

    return regex.replace_by(text, function)


def _pattern(value: Value) -> Regex:
    state = _object(value).state
    assert isinstance(state, str)
    return regex_of(state)


def _subject(value: Value) -> str:
    assert isinstance(value, str)
    return str(value)


@_add(_REGEX, "IsMatch", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _pattern(value).search(_subject(arguments[0])) is not None


@_add(_REGEX, "Match", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    regex = _pattern(value)
    return match_object(regex, regex.search(_subject(arguments[0])))


@_add(_REGEX, "Matches", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return matches(_pattern(value), _subject(arguments[0]))


@_add(_REGEX, "Replace", _S, "System.Object")
def _(value: Value, arguments: list[Value], site: Site | None) -> Value:
    return replaced(_pattern(value), _subject(arguments[0]), arguments[1], site)


@_add(_REGEX, "Split", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return PSArray(list(_pattern(value).split(_subject(arguments[0]))), "System.String[]")


# -- the rest


@_add("System.Diagnostics.Stopwatch", "Stop")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    state = _object(value).state
    assert isinstance(state, Stopwatch)
    state.stop()
    return NOTHING


@_add("System.Security.Principal.WindowsPrincipal", "IsInRole", "System.Object")
def _(_value: Value, arguments: list[Value], site: Site | None) -> Value:
    role = base(arguments[0])
    if isinstance(role, str) and role.casefold() == "builtin\\administrators" and site is not None:
        return site.is_administrator()
    if not isinstance(role, PSEnum) or role.number != 544 or site is None:
        raise Unsupported("another role than Administrator")
    return site.is_administrator()


def set_property(owner: NetObject, name: str, new: Value) -> None:
    """`object.name = new` of a .NET object; only the culture of the thread can be set, and only to en-US."""
    if owner.type_name == "System.Threading.Thread" and name.lower() in ("currentculture", "currentuiculture"):
        owner.properties["CurrentCulture" if name.lower() == "currentculture" else "CurrentUICulture"] = culture(new)
        return
    raise Unsupported(f"setting {name} of a {owner.type_name}")
