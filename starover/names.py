"""The names of the field (servers, databases, DAGs, copies) and what they may look like; knows no estate and no script.

The rules are those of the catalogue, section 2, and of `powershell.md` 13.5. Each type is a plain `str` for whoever
reads it, and carries its rule where msgspec (and a JSON Schema) finds it.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, TypeAlias, get_args

import msgspec

from starover.errors import BadParameter

__all__ = [
    "Comment",
    "CopyId",
    "DagName",
    "DbName",
    "DbSelector",
    "IPv4",
    "ServerName",
    "SiteName",
    "SomeWitnessDirectory",
    "WitnessDirectory",
    "WitnessServer",
    "first_label",
    "free_text",
    "same_host",
    "wishes",
]

_END = r"(?![\s\S])"  # the end of the text, in Python's and ECMAScript's regular expressions alike; `$` lets a LF pass
_INVISIBLE = r"\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"

_DB = rf"(?!\s)[^\\/=;\"*?\[\]',@<>|:{_INVISIBLE}]{{1,64}}(?<!\s)"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_SERVER = rf"(?=[^.]{{1,15}}(?:\.|{_END}))(?=[^.]*[A-Za-z-]){_LABEL}(?:\.{_LABEL})*"

DagName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(?![0-9]+{_END})(?=.{{1,15}}{_END}){_LABEL}{_END}",
        title="DagName",
        description="1 to 15 letters, digits and hyphens, not only digits, no hyphen at either end",
    ),
]
"""A DAG's name: it becomes a computer name."""

ServerName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_SERVER}{_END}",
        max_length=255,
        title="ServerName",
        description="a NetBIOS name of at most 15 characters, or an FQDN that begins with one",
    ),
]
"""A server of the inventory. Compare with `same_host`."""

DbName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_DB}{_END}",
        title="DbName",
        description="1 to 64 visible characters, no blank at either end, none of \\ / = ; \" * ? [ ] ' , @ < > | :",
    ),
]
"""A mailbox database."""

DbSelector: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(?:\*|{_DB}){_END}",
        title="DbName",
        description="a database's name, or * for every database",
    ),
]
"""A mailbox database, or all of them."""

SiteName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[^\\/,+\"<>;=#\s{_INVISIBLE}]{{1,63}}{_END}",
        title="SiteName",
        description="an AD site's name: 1 to 63 visible characters without blanks",
    ),
]
"""An AD site; on AWS one for each AZ."""

_LOCAL = rf"[A-Za-z]:\\[^\\/:*?\"<>|{_INVISIBLE}]+(?:\\[^\\/:*?\"<>|{_INVISIBLE}]+)*"
_LOCAL_WORDS = r"a local absolute path such as C:\DAGFileShareWitnesses\DAG1, not a root, not UNC"
WitnessDirectory: TypeAlias = Annotated[
    str,
    msgspec.Meta(pattern=rf"^{_LOCAL}{_END}", max_length=248, title="WitnessDirectory", description=_LOCAL_WORDS),
]
"""Where the witness share lies on the witness server."""
SomeWitnessDirectory: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(?:{_LOCAL})?{_END}", max_length=248, title="SomeWitnessDirectory", description=_LOCAL_WORDS
    ),
]
"""The same in an inventory; empty: it does not say."""

WitnessServer: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(?:{_SERVER}){_END}",
        max_length=255,
        title="WitnessServer",
        description="a host name or an FQDN, never an IP address or a wildcard",
    ),
]
"""The host of a witness share; it may be one that the inventory does not have."""

IPv4: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(?!0\.|127\.|169\.254\.|22[4-9]\.|2[3-5][0-9]\.){_OCTET}(?:\.{_OCTET}){{3}}{_END}",
        title="IPv4",
        description="an IPv4 address such as 10.0.0.101 that a host may have; not 169.254.x.x, which Windows makes up",
    ),
]
"""An address of a host."""

Comment: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=512, title="Comment", description="one line, at most 512 characters")
]
"""Free text that a person wrote. `free_text` makes one line of it before it is rendered."""


class CopyId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One copy of a database: printed `DB01/EX4`, given to cmdlets as `DB01\\EX4` (catalogue, section 1)."""

    database: DbName
    server: ServerName

    @classmethod
    def parse(cls, text: str) -> CopyId:
        """Read `DB/SERVER` or `DB\\SERVER`.

        Raises `BadParameter`, with a hint where a shell has eaten the backslash.
        """
        database, slash, server = text.replace("\\", "/").partition("/")
        if not slash:
            raise BadParameter(
                f"`{text}` is not a copy: a copy is written DATABASE/SERVER",
                next=("write it as DB01/EX4; a backslash must be quoted, the shell has perhaps eaten it",),
            )
        try:
            return msgspec.convert({"database": database, "server": server}, cls)
        except msgspec.ValidationError as error:
            wrong, wish = (
                (f"`{server}` as its server", _wish(ServerName))
                if "server" in str(error)
                else (f"`{database}` as its database", _wish(DbName))
            )
            raise BadParameter(f"the copy `{text}` has {wrong}; the rule: {wish}") from None

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.database}/{self.server}"

    @property
    def identity(self) -> str:
        """As a cmdlet wants it."""
        return f"{self.database}\\{self.server}"


def first_label(name: str) -> str:
    """The part of a host name by which servers are compared: up to the first dot, case folded."""
    return name.partition(".")[0].casefold()


def same_host(one: str, other: str) -> bool:
    """Whether two names, short or full, mean the same server."""
    return first_label(one) == first_label(other)


def free_text(text: str) -> str:
    """One line of what a person wrote: control characters, line separators and lone surrogates become a blank."""
    return "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in text)


def wishes(*more: object) -> dict[str, str]:
    """The sentence of every name type (and of `more`) by its pattern, since msgspec's errors tell the pattern."""
    own = (DagName, ServerName, DbName, SiteName, WitnessDirectory, SomeWitnessDirectory, WitnessServer, IPv4)
    kinds = (*own, *more)
    metas = [m for kind in kinds for m in get_args(kind) if isinstance(m, msgspec.Meta)]
    return {m.pattern: m.description for m in metas if m.pattern and m.description}


def _wish(kind: object) -> str:
    """The sentence that describes a name type."""
    return next((m.description for m in get_args(kind) if isinstance(m, msgspec.Meta) and m.description), "")
