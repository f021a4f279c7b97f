"""Which databases, copies and servers an Exchange identity names; writes nothing and formats nothing."""

from __future__ import annotations

import re

from starover_lab.cmdlets.machine import Machine
from starover_lab.world.database_parts import Database
from starover_lab.world.errors import WorldError

__all__ = ["find_copies", "find_databases", "known_server"]


def _fits(name: str, pattern: str) -> bool:
    """Only `*` is a wildcard of Exchange's identities; brackets and question marks are plain characters."""
    expression = ".*".join(re.escape(part) for part in pattern.casefold().split("*"))
    return re.fullmatch(expression, name.casefold(), re.DOTALL) is not None


def find_databases(here: Machine, identity: str) -> list[Database]:
    """The databases of a name, a GUID or a name with `*`, by name; an empty identity names all.

    Raises `not_found` when a plain identity names none.
    """
    every = sorted(here.world.state.databases, key=lambda database: database.name.casefold())
    wanted = identity or "*"
    found = [one for one in every if _fits(one.name, wanted) or str(one.guid) == wanted.casefold()]
    if not found and "*" not in wanted:
        raise WorldError("not_found", f"there is no database {identity}", object="database", name=identity)
    return found


def find_copies(here: Machine, identity: str) -> list[tuple[str, str]]:
    r"""The copies (database, server) that `DB\SERVER`, `DB`, `DB\*`, `*\SERVER` or `*` names, by preference.

    Raises `not_found` when a plain identity names none.
    """
    database, _, server = identity.partition("\\")
    found = [
        (one.name, copy.server)
        for one in find_databases(here, database)
        for copy in sorted(one.copies, key=lambda copy: copy.preference)
        if not server or _fits(copy.server, server.partition(".")[0])
    ]
    if not found and "*" not in identity:
        raise WorldError("not_found", f"there is no copy {identity}", object="copy", name=identity)
    return found


def known_server(here: Machine, name: str) -> str:
    """The short name of an Exchange server, given by short name or FQDN. Raises `not_found`."""
    server = here.world.server(name)
    if server.exchange is None or ("." in name and name.casefold() != server.fqdn.casefold()):
        raise WorldError("not_found", f"there is no Exchange server {name}", object="server", name=name)
    return server.name
