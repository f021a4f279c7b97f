"""Members one after the other: the order and why, what redundancy was left, whether the next may begin; no updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

import msgspec

from starover.errors import BadParameter, NotSafe
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, together
from starover.steps.after_move import moved_and_well
from starover.steps.around import Around, look_around
from starover.steps.components import hub_held
from starover.steps.copies import copies_on
from starover.steps.dag import members_of, short
from starover.steps.gate import admit
from starover.steps.health import findings, verdict
from starover.steps.moves import LOSSLESS, homeward, moved, paused
from starover.steps.out_on_purpose import look_whole

__all__ = [
    "PASSIVE_FIRST",
    "TEN_MINUTES",
    "Duration",
    "Failures",
    "Left",
    "Order",
    "Place",
    "Witness",
    "balanced",
    "copies_left",
    "fewest",
    "in_order",
    "pause_checked",
    "well",
]

Witness: TypeAlias = Literal["last", "first", "skip"]
Failures: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2, description="a number from 0 to 2")]
"""Servers that may fail."""
Duration: TypeAlias = timedelta
"""`10m`."""
TEN_MINUTES = timedelta(minutes=10)
FOUR_HOURS = timedelta(hours=4)


@dataclass(frozen=True)
class Order:
    """`auto`, or servers by name with commas between."""

    servers: tuple[str, ...] = ()
    """Empty: auto."""

    @classmethod
    def parse(cls, text: str) -> Order:
        """Read it. Raises `BadParameter`."""
        if text == "auto":
            return cls()
        names = tuple(part.strip() for part in text.split(","))
        if not all(names) or len({one.casefold() for one in names}) < len(names):
            raise BadParameter(
                f"`{text}` is no order", certain=("nothing was contacted",), next=("auto, or servers: EX1,EX3,EX2",)
            )
        return cls(names)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return ",".join(self.servers) or "auto"


PASSIVE_FIRST = Order()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A member's place in the order."""

    server: Server
    why: str


def in_order(around: Around, order: Order, estate: Estate) -> list[Place]:
    """Members in the order in which they are done, each with the reason: by name, or passive-most first, PAM last.

    One that is out of service already comes before all others: no other may go while it is.
    Raises `BadParameter` for servers that are no members.
    """
    if order.servers:
        known = [member.server for member in around.members]
        named = [estate.server(name) for name in order.servers]
        if foreign := [one.name for one in named if one not in known]:
            raise BadParameter(
                f"{', '.join(foreign)}: no member of {around.dag.name}", certain=("only readings were sent",)
            )
        return [Place(server=one, why="as it was ordered") for one in named]
    active_manager = short(around.seen.active_manager or "")
    nodes = {node.name.casefold(): node.state for node in (around.seen.cluster.nodes if around.seen.cluster else ())}

    def place(server: Server) -> tuple[tuple[bool, bool, int], Place]:
        active = len(around.active_on(server))
        manager = same_host(active_manager, server.name)
        node = nodes.get(short(server.name).casefold(), "Up")
        out = node == "Paused" or hub_held(around.member(server).components) != "Active"
        why = "out of service already" if out else f"{active} active, {'PAM: last' if manager else 'not PAM'}"
        return (not out, manager, active), Place(server=server, why=why)

    placed = [place(member.server) for member in around.members]
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


# -- what is left ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Left:
    """Good copies of a database while a server was out of service."""

    database: str
    good: int
    of: int
    without: str
    """The server."""


def copies_left(around: Around, without: Server) -> Steps[list[Left]]:
    """Good copies of every database now, by the other members."""
    seen = yield from together(copies_on.read(one.server, name=one.server.name) for one in around.others(without))
    copies = [copy for one in seen for copy in one.copies]
    return [
        Left(
            database=database.name,
            good=sum(one.good for one in copies if one.database.casefold() == database.name.casefold()),
            of=len(around.copies.get(database.name, ())),
            without=without.name,
        )
        for database in around.databases
    ]


def fewest(left: Sequence[Left]) -> Left | None:
    """Where redundancy was lowest."""
    return min(left, key=lambda one: (one.good, -one.of), default=None)


# -- between two members -----------------------------------------------------------------------------------------------


def well(dag: Dag, estate: Estate, server: Server) -> Steps:
    """The DAG is not red, but for what is said of the next member itself, which may begin. Raises `NotSafe`."""
    facts = yield from look_whole(dag, estate, members_of(dag, estate), health=True)
    found = findings(facts)
    red = [one for one in found if one.level == "fail" and not same_host(one.on, server.name)]
    silent = [one for one in found if one.level == "unknown" and one.check == "host" and one.on in dag.members]
    if red or silent:
        raise NotSafe(
            f"{server.name} is not begun: {verdict([*red, *silent], dag.name)}",
            certain=(*(f"{one.on}: {one.says}" for one in [*red, *silent]), "nothing more was changed"),
            next=("starover run health-report", "once it is well, the same command goes on where it stopped"),
        )


def pause_checked(pause: timedelta) -> float:
    """The pause in seconds. Raises `BadParameter` beyond four hours."""
    if pause > FOUR_HOURS:
        raise BadParameter("--pause: at most 4h", certain=("nothing was contacted",))
    return pause.total_seconds()


def balanced(dag: Dag, estate: Estate, *, comment: str) -> Steps[list[str]]:
    """Databases back on the server of their first preference, without losing a log; gives why others stay away."""
    around = yield from look_around(dag, estate)
    astray = list(homeward(around.databases, around.copies, around.servers))
    going = [(name, target) for name, target, why in astray if not why]
    if going:
        notes = admit(f"balancing {dag.name}", [around.judge_setup(), around.judge_all_in()])
        for number, (name, target) in enumerate(going):
            if number:
                yield from paused(around.seen_by, 10)
            step = moved.on(
                around.seen_by,
                database=name,
                target=target,
                dial=LOSSLESS,
                comment=comment,
                skip=(),
                note="",
            ).warned(*notes)
            yield from moved_and_well(around.seen_by, step, name, around.copies[name])
    return [f"{name} stays away from {target}: {why}" for name, target, why in astray if why]
