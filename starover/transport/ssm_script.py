"""Scripts as Run Command carries them: equal ones once, a frame that packs what they say; sends nothing.

What the engine rendered stands in the frame line by line, so that errors keep their line numbers. Readings of several
hosts that differ only in the host's name and the nonce become one script with a table of nonces by computer name
(`powershell.md` 8): 50 instances run one identical text. A write is never changed.
"""

from __future__ import annotations

import binascii
import gzip
import io
import re
import zlib
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from starover.estate import ON_HOST, Road
from starover.transport import Script

__all__ = ["LONGEST", "Sending", "framed", "grouped", "road_of", "unfit", "unpacked"]

MOST = 50
"""Instances that one SendCommand takes."""
LONGEST = 60_000
"""Characters of a script: a document may have 64 KB with everything that belongs to it."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an output when it is unpacked: a few kilobytes may hold more than any memory."""

_HEAD = "[Console]::OutputEncoding = [System.Text.Encoding]::UTF8; function Invoke-StaroverScript { "
_HOST = re.compile(r"^if \(\$env:COMPUTERNAME -ne '([A-Za-z0-9_-]+)'\) \{ (\$staroverUnfit = .*) \}$", re.MULTILINE)
_NONCE = re.compile(r"^\$staroverNonce = '([0-9a-f]{16})'$", re.MULTILINE)
_BEGIN, _END = "@@STAROVER-PACKED ", "@@STAROVER-UNPACK"


@dataclass
class Sending:
    """What becomes one SendCommand."""

    text: str
    scripts: list[Script] = field(default_factory=list[Script])
    """One for each instance, at most `MOST`."""


def road_of(script: Script) -> Road | None:
    """The server's road of the kind `ssm`."""
    return next((road for road in script.server.roads if road.kind == "ssm"), None)


def unfit(script: Script) -> str:
    """Why Run Command cannot carry a script; empty: it can.

    `{{` is refused because the agent takes it for a parameter of its own and drops the message without a word
    (facts/ssm.md d).
    """
    if not all(ON_HOST.fullmatch(reference) for _, reference in script.arguments):
        return "Run Command would keep the password that this script needs in its history"
    if script.way != "script":
        return "Run Command gives text back, and this template is answered with objects"
    if "{{" in script.text:
        return "the script has `{{` in it, which the agent takes for a parameter of its own"
    if len(framed(script.text, script.arguments)) > LONGEST:
        return f"the script has {len(script.text):,} characters, and Run Command takes {LONGEST:,}"
    return ""


def grouped(scripts: Sequence[Script]) -> list[Sending]:
    """Scripts for different hosts as few sendings: equal texts go together, at most 50; a write goes by itself."""
    found: dict[tuple[str, object, Road | None, int], list[Sending]] = {}
    for number, script in enumerate(scripts):
        common = None if script.mutates else _common(script.text)
        key = (common or script.text, script.arguments, road_of(script), -1 if common else number)
        of_key = found.setdefault(key, [])
        if not of_key or len(of_key[-1].scripts) >= MOST or _has(of_key[-1], script):
            of_key.append(Sending(script.text))
        of_key[-1].scripts.append(script)
    made = [one for of_key in found.values() for one in of_key]
    for one in made:
        if len(one.scripts) > 1:
            one.text = _table(one.scripts)
    return made


def framed(text: str, arguments: Sequence[tuple[str, str]] = ()) -> str:
    """A script within the frame. Credentials among its arguments are read on the host; the text has their names."""
    given: list[str] = []
    for name, reference in arguments:
        found = ON_HOST.fullmatch(reference)
        assert found is not None
        given.append(f"'{name}' = Get-StaroverCredential -Kind '{found[1]}' -Name '{found[2]}'")
    secret = _part("ssm_secret.ps1") if given else ""
    return f"{_HEAD}{text.rstrip()}\n}}\n{secret}$staroverGiven = @{{ {'; '.join(given)} }}\n{_part('ssm.ps1')}"


def unpacked(output: str) -> str | None:
    """What a framed script said; None: its output is not whole. Noise before the frame's own lines is left out."""
    _, begin, rest = output.replace("\r\n", "\n").rpartition(_BEGIN)
    length, _, packed = rest.partition("\n")
    packed, end, _ = packed.partition(_END)
    packed = "".join(packed.split())
    if not begin or not end or length.strip() != str(len(packed)):
        return None
    try:
        with gzip.open(io.BytesIO(b64decode(packed, validate=True))) as whole:
            said = whole.read(LARGEST + 1)
        return said.decode("utf-8") if len(said) <= LARGEST else None
    except (binascii.Error, OSError, EOFError, zlib.error, UnicodeDecodeError):
        return None


@cache
def _part(name: str) -> str:
    return resources.files("starover.transport").joinpath(name).read_text("utf-8").replace("\r\n", "\n")


def _common(text: str) -> str | None:
    """The text without what belongs to one host; None where that cannot be told."""
    hosts, nonces = list(_HOST.finditer(text)), list(_NONCE.finditer(text))
    if len(hosts) != 1 or len(nonces) != 1 or hosts[0].start() > nonces[0].start():
        return None
    host, nonce = hosts[0], nonces[0]
    return "\0".join((text[: host.start()], text[host.end() : nonce.start()], text[nonce.end() :]))


def _has(sending: Sending, script: Script) -> bool:
    """The same host twice in one command cannot be."""
    return any(one.server.name.casefold() == script.server.name.casefold() for one in sending.scripts)


def _table(scripts: Sequence[Script]) -> str:
    """One text for all: each host finds its nonce by its own name, and one that has none does nothing."""
    text = scripts[0].text
    host, nonce = _HOST.search(text), _NONCE.search(text)
    assert host is not None
    assert nonce is not None
    entries: list[str] = []
    for script in scripts:
        name, mark = _HOST.search(script.text), _NONCE.search(script.text)
        assert name is not None
        assert mark is not None
        entries.append(f"'{name[1]}' = '{mark[1]}'")
    table = f"@{{{'; '.join(entries)}}}"
    known = f"if (-not $staroverNonces.ContainsKey([string]$env:COMPUTERNAME)) {{ {host[2]} }}"
    own = "$staroverNonce = [string]$staroverNonces[[string]$env:COMPUTERNAME]"
    head, between, rest = text[: host.start()], text[host.end() : nonce.start()], text[nonce.end() :]
    return f"{head}$staroverNonces = {table}; {known}{between}{own}{rest}"
