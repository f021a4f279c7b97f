"""The statements kept in the state's folder, and the people they give to a runbook; contacts nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from starover.errors import BadParameter
from starover_cli.params import CERTIFIED
from starover_cli.plan_files import write_file

if TYPE_CHECKING:
    from starover.attestation import Attestation
    from starover.estate import Estate
    from starover.runbook import AnyRunbook
    from starover.values import Plain

__all__ = ["keep", "statements", "with_certifiers"]


def statements(folder: Path, estate: str) -> list[Attestation]:
    """Every statement about this estate; a file that is none counts for nothing."""
    from starover.attestation import read_attestation

    found: list[Attestation] = []
    for file in sorted((folder / "attestations").glob("*.json")):
        try:
            one = read_attestation(file.read_bytes())
        except (BadParameter, OSError):
            continue
        if one.estate == estate:
            found.append(one)
    return found


def keep(folder: Path, one: Attestation) -> Path:
    """Write a statement down; earlier ones stay."""
    from starover.attestation import write_attestation

    who = re.sub(r"[^A-Za-z0-9._-]", "_", one.by)
    file = folder / "attestations" / f"{one.at:%Y%m%dT%H%M%S%f}-{one.server}-{who}.json"
    write_file(file, write_attestation(one))
    return file


def with_certifiers(
    folder: Path, runbook: AnyRunbook, given: Mapping[str, Plain], estate: Estate, clock: Callable[[], datetime]
) -> dict[str, Plain]:
    """`given`, with the people who have said of every lost server that it is down, where a runbook asks for them.

    Only where none were named, the lost servers are, and two people or more have said it of each of them.
    """
    from starover.attestation import certifiers

    result = dict(given)
    if CERTIFIED in result or not any(one.name == CERTIFIED for one in runbook.parameters):
        return result
    lost = _lost(given, estate)
    kept = statements(folder, estate.name) if lost else []
    now = clock() if kept else None
    people = [certifiers(kept, server, now) for server in lost] if now is not None else []
    agreeing = [name for name in people[0] if all(name in others for others in people)] if people else []
    if len(agreeing) > 1:
        result[CERTIFIED] = [*agreeing]
    return result


def _lost(given: Mapping[str, Plain], estate: Estate) -> list[str]:
    servers = given.get("lost_server")
    sites = given.get("lost_site")
    names = [str(one) for one in servers] if isinstance(servers, list) else []
    wanted = {str(one).casefold() for one in sites} if isinstance(sites, list) else set[str]()
    names += [server.name for server in estate.servers if server.site.casefold() in wanted and server.exchange]
    return names
