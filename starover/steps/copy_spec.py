"""What a person writes about database copies: lags, copies to be, matrices, orders; read strictly, contacts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from starover.errors import BadParameter
from starover.names import DbName, ServerName, first_label
from starover.parameters import duration
from starover.yaml_lines import Problem, Text, Tree
from starover.yaml_lines import parse as parse_yaml

__all__ = ["AUTO", "DAY", "NO_LAG", "WEEK", "CopySpec", "Lag", "Layout", "Order", "Parallel", "SeedFrom", "lag_text"]

N = TypeVar("N")

MAX_LAG = timedelta(days=14)
MAX_COPIES = 16
_KEYS = ("pref", "replay-lag", "truncation-lag")
_FORM = "DB=SERVER,pref=2[,replay-lag=7d][,truncation-lag=0]"
_CERTAIN = ("nothing was contacted",)


class Lag(timedelta):
    """How far a copy stays behind: `7d`, `168h`, `7.00:00:00` or `0`; 14 days at most, as Exchange has it."""

    @classmethod
    def parse(cls, text: str) -> Lag:
        """Read it. Raises `BadParameter`."""
        try:
            length = timedelta(0) if text.strip() == "0" else duration(text.strip())
        except ValueError:
            raise BadParameter(
                f"`{text}` is no lag", certain=_CERTAIN, next=("a lag is written 7d, 12h, 30m, 7.00:00:00 or 0",)
            ) from None
        if length > MAX_LAG:
            raise BadParameter(f"a lag of {lag_text(length)} is too long", certain=_CERTAIN, next=("14d at most",))
        return cls(seconds=length.total_seconds())


DAY, WEEK, NO_LAG = Lag(days=1), Lag(days=7), Lag(0)


def lag_text(length: timedelta) -> str:
    """A lag in a few characters: `7d`, `12h`, `90m`, `0`, else `1.02:03:04`."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    if not seconds:
        return "0"
    days, rest = divmod(seconds, 86400)
    return f"{days}.{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


@dataclass(frozen=True, kw_only=True)
class CopySpec:
    """A copy that is to be: `DB1=ExchangeNode2,pref=2,replay-lag=7d`."""

    database: str
    server: str
    preference: int
    replay_lag: Lag | None = None
    """None: not said; a new copy then has none."""
    truncation_lag: Lag | None = None

    @classmethod
    def parse(cls, text: str) -> CopySpec:
        """Read it. Raises `BadParameter`, naming the keys there are."""
        head, *pairs = text.split(",")
        database, equals, server = (part.strip() for part in head.partition("="))
        if not equals or not database or not server:
            raise _wrong(f"`{text}` does not begin with DB=SERVER")
        said: dict[str, str] = {}
        for pair in pairs:
            key, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or key not in _KEYS:
                raise _wrong(f"`{pair.strip()}` in `{text}` is not known")
            if key in said:
                raise _wrong(f"`{key}` stands twice in `{text}`")
            said[key] = value
        return _copy(database, server, said)

    def __str__(self) -> str:
        """As `parse` reads it."""
        text = f"{self.database}={self.server},pref={self.preference}"
        if self.replay_lag is not None:
            text += f",replay-lag={lag_text(self.replay_lag)}"
        if self.truncation_lag is not None:
            text += f",truncation-lag={lag_text(self.truncation_lag)}"
        return text


def _copy(database: str, server: str, said: dict[str, str]) -> CopySpec:
    """Raises `BadParameter`."""
    named(database, DbName, "database")
    named(server, ServerName, "server")
    if "pref" not in said:
        raise _wrong(f"the copy of {database} on {server} needs `pref=`, its activation preference")
    if not (said["pref"].isascii() and said["pref"].isdigit() and 1 <= int(said["pref"]) <= MAX_COPIES):
        raise _wrong(f"`pref={said['pref']}` is no preference: a number from 1 to the number of copies, 16 at most")
    lags = {key: Lag.parse(said[key]) for key in ("replay-lag", "truncation-lag") if key in said}
    return CopySpec(
        database=database,
        server=server,
        preference=int(said["pref"]),
        replay_lag=lags.get("replay-lag"),
        truncation_lag=lags.get("truncation-lag"),
    )


def _wrong(what: str) -> BadParameter:
    return BadParameter(what, certain=_CERTAIN, next=(_FORM,))


def named(text: str, kind: object, word: str) -> None:
    """Raises `BadParameter` for text that is no name of that kind."""
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        raise BadParameter(f"`{text}` cannot be the name of a {word}", certain=_CERTAIN, next=(_FORM,)) from None


@dataclass(frozen=True)
class Layout:
    """A matrix of databases and servers, from a file: every copy there shall be."""

    copies: tuple[CopySpec, ...]

    _INLINE = "inline:"

    @classmethod
    def parse(cls, text: str) -> Layout:
        """Read a YAML file, `DB01: {EX1: 1, EX4: {pref: 4, replay-lag: 7d}}`, or what `str` of a layout gives.

        A plan holds the content, not the path: the file may change behind it. Raises `BadParameter`.
        """
        if text.startswith(cls._INLINE):
            return cls(tuple(CopySpec.parse(part) for part in text.removeprefix(cls._INLINE).split(";")))
        try:
            source = Path(text).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BadParameter(f"the layout {text} cannot be read: {error}", certain=_CERTAIN) from None
        read = parse_yaml(source)
        copies = tuple(_cells(read))
        if read.problems or not copies:
            problems = sorted(set(read.problems)) or [Problem(1, "it names no copy")]
            lines = "; ".join(f"line {one.line}: {one.text}" for one in problems)
            raise BadParameter(
                f"the layout {text}: {lines}",
                certain=_CERTAIN,
                next=("DB01: {EX1: 1, EX2: 2, EX4: {pref: 3, replay-lag: 7d}}   one line for each database",),
            )
        return cls(copies)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return self._INLINE + ";".join(str(one) for one in self.copies)


def _cells(text: Text) -> Iterator[CopySpec]:
    """Every cell of the matrix; what is wrong is added to the text's problems."""
    rows = _table(text, text.tree, (), "a table of databases")
    for database, row in rows.items():
        for server, cell in _table(text, row, (database,), f"the copies of {database}").items():
            place = (database, server)
            said = {"pref": cell} if not isinstance(cell, dict) else cell
            wrong = [key for key, value in said.items() if key not in _KEYS or not isinstance(value, str)]
            if wrong:
                text.problems.append(Problem(text.line((*place, wrong[0])), f"`{wrong[0]}`: {_FORM}"))
                continue
            try:
                yield _copy(database, server, {key: str(value) for key, value in said.items()})
            except BadParameter as error:
                text.problems.append(Problem(text.line(place), error.what))


def _table(text: Text, tree: Tree, place: tuple[str | int, ...], what: str) -> dict[str, Tree]:
    if isinstance(tree, dict):
        return tree
    if not text.problems:
        text.problems.append(Problem(text.line(place), f"here should be {what}, such as EX1: 1"))
    return {}


@dataclass(frozen=True)
class Order:
    """The activation preferences of one database: `DB02=EX2,EX4,EX1,EX3`."""

    database: str
    servers: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Order:
        """Read it. Raises `BadParameter`."""
        database, equals, rest = (part.strip() for part in text.partition("="))
        servers = tuple(part.strip() for part in rest.split(","))
        if not equals or not database or not all(servers):
            raise BadParameter(
                f"`{text}` is no order",
                certain=_CERTAIN,
                next=("DB=S1,S2,...   every copy of DB once, the first is 1",),
            )
        named(database, DbName, "database")
        for server in servers:
            named(server, ServerName, "server")
        if len({first_label(server) for server in servers}) < len(servers):
            raise BadParameter(f"`{text}` names a server twice", certain=_CERTAIN)
        return cls(database, servers)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.database}={','.join(self.servers)}"


@dataclass(frozen=True)
class SeedFrom:
    """How new copies get their database: `auto`, `postpone`, or `source=SERVER`."""

    how: str
    source: str = ""

    @classmethod
    def parse(cls, text: str) -> SeedFrom:
        """Read it. Raises `BadParameter`."""
        how, equals, source = text.partition("=")
        if how == "source" and equals:
            named(source, ServerName, "server")
            return cls(how, source)
        if text in ("auto", "postpone"):
            return cls(text)
        raise BadParameter(f"`{text}` is no way to seed", certain=_CERTAIN, next=("auto, postpone or source=SERVER",))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.how}={self.source}" if self.source else self.how


AUTO = SeedFrom("auto")

Parallel: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=8, description="a number from 1 to 8")]
"""How many copies are worked on side by side."""


def unique(values: list[N], key: Callable[[N], object]) -> N | None:
    """The first value whose key came before; None: all differ."""
    seen: set[object] = set()
    for value in values:
        if key(value) in seen:
            return value
        seen.add(key(value))
    return None
