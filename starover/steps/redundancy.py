"""G-COPIES and G-SEED: what is left of each database when a whole server goes; pure functions on copies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from starover.names import same_host
from starover.step import Blocked
from starover.steps.activation import Activation
from starover.steps.copies import CopyStatus
from starover.steps.dag import DatabaseInfo
from starover.steps.gate import Judged, judged
from starover.steps.placement import places_of

__all__ = ["Copies", "candidates", "copies_without", "no_seed", "only_copies"]

Copies = Mapping[str, Sequence[CopyStatus]]
"""Every copy, by database; as the server that hosts it sees it."""


def only_copies(databases: Sequence[DatabaseInfo], server: str) -> list[str]:
    """Databases whose only copy is on a server: they are offline while it is."""
    return [
        one.name
        for one in databases
        if len(places := places_of(one.preferences)) == 1 and same_host(next(iter(places)), server)
    ]


def candidates(
    copies: Sequence[CopyStatus], without: str, nodes_up: Collection[str], servers: Sequence[Activation]
) -> list[CopyStatus]:
    """Copies that could be activated now if `without` went: good ones, on servers that may take one more database."""
    return [
        one
        for one in copies
        if not one.active
        and not same_host(one.server, without)
        and one.good
        and any(same_host(one.server, node) for node in nodes_up)
        and any(same_host(one.server, server.name) and server.takes for server in servers)
    ]


def copies_without(
    server: str,
    databases: Sequence[DatabaseInfo],
    copies: Copies,
    *,
    nodes_up: Collection[str],
    servers: Sequence[Activation],
    min_copies: int | None,
    accept_offline: Collection[str],
    minutes: int,
) -> Judged:
    """G-COPIES(server): every database keeps a copy that serves mail, and as many good ones as are wanted.

    Wanted are `min_copies`, else one of two copies and two of more. `minutes` is how long the server is away, roughly.
    """
    refused: list[str] = []
    certain: list[str] = []
    following: list[str] = []
    exposed: list[str] = []
    only = only_copies(databases, server)
    for database in databases:
        hosts = list(places_of(database.preferences))
        if not any(same_host(host, server) for host in hosts):
            continue
        here = copies.get(database.name, ())
        rest = [one for one in here if not same_host(one.server, server)]
        good = [one for one in rest if one.good]
        seen = ", ".join(f"{one.id} {_state(one)}" for one in rest) or "there is no other copy"
        if database.name in only:
            if not any(database.name.casefold() == name.casefold() for name in accept_offline):
                refused.append(f"{database.name} has its only copy here and would be offline")
                following.append(f"--accept-offline {database.name}   its mail is down meanwhile")
            continue
        wanted = min(2, len(hosts) - 1) if min_copies is None else min_copies
        active = any(one.active and same_host(one.server, server) for one in here)
        if active and not candidates(here, server, nodes_up, servers):
            refused.append(f"no other copy of {database.name} can take over")
            certain.append(f"{database.name}: {seen}")
            following.append("starover run health-report   says what is wrong with each copy")
        elif len(good) < max(wanted, 1):
            refused.append(
                f"{database.name} would keep {len(good)} good of {len(hosts)} copies, and {wanted} must remain"
            )
            certain.append(f"{database.name}: {seen}")
            if len(good) >= 1:
                following.append(f"--min-copies {len(good)}   the next failure would stop its mail")
        elif len(good) == 1:
            exposed.append(database.name)
    if refused:
        why = "; ".join(refused)
        return Judged("G-COPIES", Blocked(why, guard="G-COPIES", certain=tuple(certain), next=tuple(following)))
    if exposed:
        return judged("G-COPIES", None, f"one good copy left of {', '.join(exposed)} for about {minutes} min")
    return Judged("G-COPIES")


def no_seed(server: str, databases: Sequence[DatabaseInfo], copies: Copies) -> Judged:
    """G-SEED: nothing is being seeded to the server, nor from it."""
    running: list[str] = []
    for database in databases:
        here = copies.get(database.name, ())
        own = next((one for one in here if same_host(one.server, server)), None)
        seeding = [one for one in here if one.status == "Seeding"]
        if own is None:
            continue
        if own.status == "Seeding":
            running.append(f"{own.id} is being seeded")
        elif own.status == "SeedingSource" or (seeding and own.active):
            to = ", ".join(str(one.id) for one in seeding) or "another copy"
            running.append(f"{to} is being seeded from {server}")
    if not running:
        return Judged("G-SEED")
    return judged(
        "G-SEED",
        Blocked(
            "; ".join(running),
            guard="G-SEED",
            next=("starover watch   until it has ended; a seed that is broken off begins anew",),
        ),
    )


def _state(copy: CopyStatus) -> str:
    """Its status, and what keeps it from being good though it looks well."""
    if copy.good:
        return copy.status
    wrong = [
        *(["lagged"] if copy.lag else []),
        *(["barred from activation"] if copy.activation_suspended else []),
    ]
    if copy.status == "Healthy" and not wrong:
        wrong = [f"queues {copy.copy_queue}/{copy.replay_queue}"]
    return " ".join([copy.status, *([f"({', '.join(wrong)})"] if wrong else [])])
