"""Which witness votes while members come back, and which at the end; asks journals only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starover.errors import BadParameter, NotSafe
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, recall
from starover.steps.dag import short
from starover.steps.dag_object import default_directory
from starover.steps.failback_dag import recovery_held
from starover.steps.failback_side import ReturningSide
from starover.steps.features import feature_installed
from starover.steps.witness import (
    exchange_administers,
    exchange_administers_domain,
    firewall_open,
    witness_host,
)
from starover.steps.witness_choice import WitnessPlace

__all__ = ["PREPARING", "Voters", "voters"]

PREPARING = (feature_installed, exchange_administers, exchange_administers_domain, firewall_open)
"""What making a host usable as witness may take."""


@dataclass(frozen=True)
class Voters:
    """Witnesses by server and directory."""

    held: tuple[str, str]
    """The one in use, or a living one where the survivors are odd and use none."""
    used: bool
    """It votes now."""
    last: tuple[str, str]
    """The one at the end."""

    def _hosts(self, estate: Estate) -> list[Server]:
        names = [self.last[0]] if self.used else [self.held[0], self.last[0]]
        return list({(host := witness_host(short(name), estate)).name: host for name in names}.values())

    def living(self, estate: Estate, site: str) -> list[Server]:
        """Hosts to be prepared that do not come back with that site."""
        return [one for one in self._hosts(estate) if one.site.casefold() != site.casefold()]

    def returning(self, estate: Estate, site: str) -> list[Server]:
        """Those that do: they are prepared when they run again."""
        return [one for one in self._hosts(estate) if one.site.casefold() == site.casefold()]


def voters(side: ReturningSide, dag: Dag, estate: Estate, given: WitnessPlace | None) -> Steps[Voters]:
    """The witnesses of this failback. Raises `NotSafe` where no living one can be named, `BadParameter` for `given`."""
    now = side.now
    before = yield from _before(side, dag, estate)
    last = (given.server, given.directory) if given is not None else _third(side, dag, estate, before) or before
    _check(side, dag, estate, last)
    if now.in_use:
        pairs = [(now.alternate_server, now.alternate_directory), (now.witness_server, now.witness_directory)]
        held = next((pair for pair in pairs if pair[0] and same_host(short(pair[0]), now.in_use)), None)
        if held is None:
            raise NotSafe(
                f"the witness in use is on {now.in_use}, and {dag.name} names {now.witness_server or 'none'}",
                certain=("nothing was changed",),
                next=("starover run dag-witness-repair",),
            )
        return Voters(held, True, last)
    return Voters(_living(side, dag, estate, last), False, last)


def _before(side: ReturningSide, dag: Dag, estate: Estate) -> Steps[tuple[str, str]]:
    """The primary witness before the recovery: as the DAG names it, unless an earlier failback has named another."""
    now = side.now
    for at in side.survivors:
        kept = yield from recall(at, recovery_held, dag=dag.name, server=now.witness_server)
        if kept is not None and kept.witness_server:
            return kept.witness_server, kept.witness_directory
    server = now.witness_server or dag.witness
    if not server:
        raise NotSafe(
            f"{dag.name} names no witness",
            certain=("nothing was changed",),
            next=(r"--witness SERVER:C:\DIRECTORY",),
        )
    return server, now.witness_directory or _directory(dag, estate, side)


def _directory(dag: Dag, estate: Estate, side: ReturningSide) -> str:
    return dag.witness_directory or default_directory(dag.name, estate, side.asked.fqdn)


def _third(side: ReturningSide, dag: Dag, estate: Estate, before: tuple[str, str]) -> tuple[str, str] | None:
    """A witness in a zone without members, if there is one: the one that was before rather than any other."""
    zones = {one.server.az or one.server.site for one in side.members} | {one.az or one.site for one in side.survivors}
    apart = [
        one
        for one in estate.having("witness")
        if (one.az or one.site) and (one.az or one.site) not in zones and one.exchange is None and "dc" not in one.roles
    ]
    if not apart:
        return None
    if any(same_host(one.name, short(before[0])) for one in apart):
        return before
    named = next((one for one in apart if same_host(one.name, dag.witness)), apart[0])
    return named.fqdn, _directory(dag, estate, side)


def _check(side: ReturningSide, dag: Dag, estate: Estate, last: tuple[str, str]) -> None:
    host = witness_host(short(last[0]), estate)
    if host in estate.members(dag):
        raise BadParameter(f"P21: {host.name} is a member of {dag.name}, and a witness never is")
    comes = host.site.casefold() == side.site.casefold()
    if comes and host not in [one.server for one in side.witnesses]:
        raise BadParameter(
            f"--witness {host.name}: it comes back with {side.site}, and {dag.name} has never had its witness there",
            certain=("nothing was changed",),
            next=("name another now, and that one later: starover plan dag-set-witness",),
        )


def _living(side: ReturningSide, dag: Dag, estate: Estate, last: tuple[str, str]) -> tuple[str, str]:
    """A witness that is not lost, to be named although none votes."""
    now = side.now
    choices: Sequence[tuple[str, str]] = (
        last,
        (now.alternate_server, now.alternate_directory),
        *((one.fqdn, _directory(dag, estate, side)) for one in estate.having("witness")),
    )
    for server, directory in choices:
        if server and witness_host(short(server), estate).site.casefold() != side.site.casefold():
            return server, directory
    raise NotSafe(
        f"every witness host of the inventory is in {side.site}: while members come back a living one must be named",
        certain=("nothing was changed",),
        next=(r"--witness SERVER:C:\DIRECTORY   on the surviving side",),
    )
