"""Options from a runbook's signature, and what was typed as plain values again; converts nothing, asks no host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from starover.errors import BadParameter
from starover.names import CopyId, same_host

if TYPE_CHECKING:
    from starover.inventory import Estate
    from starover.runbook import AnyRunbook, Parameter
    from starover.values import Plain
    from starover_cli.settings import Settings

__all__ = ["CERTIFIED", "FROM_SETTINGS", "RESERVED", "options", "typed", "understood"]

FROM_SETTINGS = ("dag", "ticket", "reason")
"""Parameters that are options of every command as well: given once, wherever on the line."""
RESERVED = ("format", "inventory", "home", "dir", "yes", "approve", "approval", "exit-code", "help")

CERTIFIED = "certified_by"
"""Parameter of runbooks that take two people's word for a server that is down: names."""
_FREE_TEXT = ("TEXT", "COMMENT")


class _Choices(click.Choice[str]):
    """Several words of a list at once: `https,smtp`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Each by itself; fails on the first that is none of them."""
        return ",".join(super(_Choices, self).convert(part.strip(), param, ctx) for part in str(value).split(","))


def options(runbook: AnyRunbook) -> list[click.Option]:
    """One option for each parameter, in the order of the signature."""
    made: list[click.Option] = []
    for one in runbook.parameters:
        if one.name in FROM_SETTINGS:
            continue
        if one.option.removeprefix("--") in RESERVED:
            raise BadParameter(
                f"the runbook {runbook.name} has the parameter `{one.name}`: {one.option} belongs to the command line",
                certain=["nothing was contacted."],
            )
        made.append(_option(one))
    return made


def _option(one: Parameter) -> click.Option:
    attributes: dict[str, Any] = {"help": _help(one), "metavar": one.kind or None, "default": None}
    if one.flag:
        # `--dac` alone means yes; `--dac false` can be said where the default is yes.
        attributes |= {"is_flag": False, "flag_value": "true", "type": click.Choice(["true", "false"])}
        attributes["metavar"] = "[true|false]" if one.default is True else ""
    elif one.choices:
        kind = _Choices if one.many else click.Choice
        attributes["type"] = kind(list(one.choices), case_sensitive=False)
    attributes["multiple"] = True  # else click takes the last of two without a word
    return click.Option([one.option, one.name], **attributes)


def _help(one: Parameter) -> str:
    parts = [one.help.rstrip(".") or one.name.replace("_", " ")]
    if one.required:
        parts.append("must be given")
    elif one.default not in (None, False, "", []):
        shown = ",".join(str(part) for part in one.default) if isinstance(one.default, list) else str(one.default)
        parts.append(f"default: {'yes' if one.default is True else shown}")
    if one.many:
        parts.append("may be repeated")
    return "; ".join(parts) + "."


def typed(runbook: AnyRunbook, values: Mapping[str, object], settings: Settings) -> dict[str, Plain]:
    """What was given on the line, as `Runbook.bind` takes it; what was not given is left out."""
    given: dict[str, Plain] = {}
    for one in runbook.parameters:
        if one.name in FROM_SETTINGS:
            if text := str(getattr(settings, one.name)):
                given[one.name] = text
            continue
        texts = _texts(values.get(one.name))
        if one.many and texts:
            given[one.name] = [part for text in texts for part in _parts(one, text)]
        elif texts:
            given[one.name] = _once(one, texts)
        elif one.name == "comment" and settings.ticket:
            given[one.name] = f"{settings.ticket} {runbook.name}"  # catalogue, section 2: Comment
    return given


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        parts: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType] # each is made text
        return [str(part) for part in parts]
    return [] if value is None else [str(value)]


def _once(one: Parameter, texts: Sequence[str]) -> str:
    """The value of an option that takes one. Raises `BadParameter` for two: nobody can know which was meant."""
    if len(set(texts)) > 1:
        raise BadParameter(
            f"{one.option} takes one value, and {' and '.join(texts)} were given.",
            certain=["nothing was contacted."],
        )
    return texts[0]


def _parts(one: Parameter, text: str) -> list[str]:
    """`EX1,EX2` as two, where a comma cannot be part of a value."""
    free = one.kind in _FREE_TEXT and one.name != CERTIFIED
    if free or "=" in text or "," not in text:
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]


def understood(runbook: AnyRunbook, given: Mapping[str, Plain], estate: Estate) -> dict[str, Plain]:
    r"""`--db DB01/EX4` (or `DB01\EX4`) as database and server, where a runbook takes them apart.

    Raises `BadParameter`: for two different servers, and with a hint for `DB01EX4`, whose backslash a shell ate.
    """
    result = dict(given)
    names = {one.name: one for one in runbook.parameters}
    if "db" not in names or "server" not in names or names["server"].many:
        return result
    databases = _as_list(result.get("db"))
    servers = {server.casefold(): server for server in _as_list(result.get("server"))}
    kept: list[str] = []
    for text in databases:
        if "/" in text or "\\" in text:
            copy = CopyId.parse(text)
            servers.setdefault(copy.server.casefold(), copy.server)
            kept.append(copy.database)
        else:
            if not servers:
                _eaten_backslash(text, (server.name for server in estate.servers))
            kept.append(text)
    if len(servers) > 1 and not _all_same(list(servers.values())):
        raise BadParameter(
            f"{runbook.name} works on one server, and {' and '.join(sorted(servers.values()))} were named.",
            certain=["nothing was contacted."],
        )
    if kept:
        result["db"] = [*kept] if names["db"].many else kept[0]
    if servers:
        result["server"] = next(iter(servers.values()))
    return result


def _as_list(value: Plain) -> list[str]:
    if value is None:
        return []
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]


def _all_same(servers: Sequence[str]) -> bool:
    return all(same_host(servers[0], server) for server in servers)


def _eaten_backslash(text: str, servers: Iterable[str]) -> None:
    for server in servers:
        if len(text) > len(server) and text.casefold().endswith(server.casefold()):
            database = text[: -len(server)]
            raise BadParameter(
                f"{text} names no server; did the shell eat a backslash of {database}\\{server}?",
                certain=["nothing was contacted."],
                next=[f"write it as {database}/{server}"],
            )
