"""Activation preferences of a database's copies, and which servers may activate by themselves; knows no runbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starover.estate import Server
from starover.names import CopyId, DbName, first_label, same_host
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step
from starover.steps.dag import DatabaseInfo
from starover.steps.placement import Placement, ServerFacts, placement, places_of, preference_text, same_order

__all__ = [
    "Policies",
    "after_adding",
    "left_without",
    "ordered",
    "policies",
    "policies_on_controller",
    "policy_set",
    "spread",
    "wanted_order",
]


def after_adding(order: Sequence[str], added: Sequence[tuple[str, int]]) -> list[str]:
    """The order that adding copies leaves, each `(server, preference)` in turn.

    A preference is a place in a list, and whoever stood there moves on [model]; one behind the end is the end.
    """
    result = list(order)
    for server, preference in added:
        result = [one for one in result if not same_host(one, server)]
        result.insert(preference - 1, server)
    return result


def wanted_order(order: Sequence[str], places: Mapping[str, int]) -> list[str] | None:
    """All copies in order when some have a place of their own (from 1) and the rest follow as they are.

    None: two want one place, or a place lies behind the end.
    """
    rest = [server for server in order if not any(same_host(server, other) for other in places)]
    total = len(rest) + len(places)
    if len(set(places.values())) < len(places) or any(place > total for place in places.values()):
        return None
    taken = {place: server for server, place in places.items()}
    return [taken[place] if place in taken else rest.pop(0) for place in range(1, total + 1)]


def _order_back(
    prev: Placement, server: Server, /, *, database: DbName, order: Sequence[CopyId], coming: Sequence[str]
) -> Step | None:
    del order, coming
    before = tuple(CopyId(database, one) for one in prev.order)
    return ordered.on(server, database=database, order=before, coming=()) if before else None


@step(
    check=placement,
    apply="copy/preferences.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=60),
    undo=_order_back,
)
def ordered(
    now: Placement, /, *, database: DbName, order: Sequence[CopyId], coming: Sequence[str]
) -> Change | Blocked | None:
    """The copies of a database have activation preferences 1..n in this order (S-COPY-PREFS).

    `coming` are servers whose copies earlier steps add, at their place in `order` or, where that lies behind the end
    by then, at the end.
    """
    if not now.found:
        return _no_database(database)
    wanted = [copy.server for copy in order]
    missing = [server for server in wanted if not now.has(server) and not _among(server, coming)]
    forgotten = [server for server in now.order if not _among(server, wanted)]
    if missing or forgotten:
        return Blocked(
            f"the order must name every copy of {database} once: "
            + "; ".join(
                [f"{', '.join(missing)} has none" for _ in missing[:1]]
                + [f"{', '.join(forgotten)} is not named" for _ in forgotten[:1]]
            ),
            certain=(f"its copies: {preference_text(now.places)}", "nothing was changed"),
            next=(f"--order {database}={','.join(now.order)}   with the servers in the order that is wanted",),
        )
    last = [server for server in wanted if now.replay_lag(server)]
    if last and not same_order(wanted[len(wanted) - len(last) :], last):
        return Blocked(
            f"the lagged copy of {database} on {', '.join(last)} must be last: it is not there to be activated",
            guard="G-LAG",
            certain=("nothing was changed",),
            next=("put the servers of lagged copies at the end",),
        )
    new = [(server, place) for place, server in enumerate(wanted, 1) if not now.has(server)]
    live = after_adding(now.order, new)
    exact = [now.places[server] for server in now.order] == list(range(1, len(now.order) + 1))
    if same_order(live, wanted) and exact:
        return None
    return Change(f"{database} preferences", _shown(now, live), preference_text(wanted), note=_note(now, live, wanted))


def _shown(now: Placement, live: Sequence[str]) -> str:
    return preference_text(now.places if len(live) == len(now.order) else live)


def _note(now: Placement, live: Sequence[str], wanted: Sequence[str]) -> str:
    """What a new first place means (G-REBAL)."""
    first = wanted[0]
    if same_host(first, live[0]) or same_host(first, now.active_server):
        return ""
    return f"from Exchange 2016 on it then moves to {first} within an hour by itself, if automatic rebalancing is on"


def _among(server: str, servers: Sequence[str]) -> bool:
    return any(same_host(server, one) for one in servers)


def _no_database(database: str) -> Blocked:
    return Blocked(
        f"there is no database {database}", certain=("nothing was changed",), next=("starover status   lists them",)
    )


# -- a policy for all: even, alternating zones, lagged last ------------------------------------------------------------


def spread(
    databases: Mapping[str, tuple[Sequence[str], Sequence[str]]], zones: Mapping[str, str]
) -> dict[str, list[str]]:
    """Orders in which first places are even over the servers, the next place lies in another zone, lagged come last.

    `databases`: for each its servers in their order now, and those of lagged copies. `zones`: of each server, by name
    in any case. As little as possible is moved: a first place stays where it is unless its server has too many.
    """
    candidates = {
        name: [server for server in order if not _among(server, lagged)] for name, (order, lagged) in databases.items()
    }
    first = {name: servers[0] for name, servers in sorted(candidates.items()) if servers}
    _even(first, candidates)
    zone = {first_label(server): place.casefold() for server, place in zones.items()}
    result: dict[str, list[str]] = {}
    for name, (order, lagged) in databases.items():
        rest = [server for server in candidates[name] if server != first.get(name)]
        made = [first[name]] if name in first else []
        while rest:
            here = zone.get(first_label(made[-1]), "")
            elsewhere = [server for server in rest if zone.get(first_label(server), "") != here]
            made.append((elsewhere or rest)[0])
            rest.remove(made[-1])
        result[name] = made + [server for server in order if _among(server, lagged)]
    return result


def _even(first: dict[str, str], candidates: Mapping[str, Sequence[str]]) -> None:
    """Move first places, along chains of databases, until no server has two more than one it could give to."""
    servers = sorted({server for one in candidates.values() for server in one}, key=first_label)
    while True:
        count = {server: sum(at == server for at in first.values()) for server in servers}
        for start in sorted(servers, key=lambda server: -count[server]):
            chain = _chain(start, count, first, candidates)
            if chain:
                first.update(chain)
                break
        else:
            return


def _chain(
    start: str, count: Mapping[str, int], first: Mapping[str, str], candidates: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Moves `(database, to server)` that take one from `start` and give one to a server with two less; shortest."""
    reached: dict[str, list[tuple[str, str]]] = {start: []}
    waiting = [start]
    while waiting:
        here = waiting.pop(0)
        if count[here] <= count[start] - 2:
            return reached[here]
        for name in sorted(first):
            for server in candidates[name] if first[name] == here else ():
                if server not in reached:
                    reached[server] = [*reached[here], (name, server)]
                    waiting.append(server)
    return []


# -- activation policy of servers --------------------------------------------------------------------------------------


class Policies(Report):
    """Every server with Exchange, and whether its copies may be activated by themselves (`server/policies.ps1.j2`)."""

    servers: tuple[ServerFacts, ...]

    def find(self, name: str) -> ServerFacts | None:
        """What AD says of a server."""
        return next((one for one in self.servers if same_host(one.name, name)), None)


policies = Query("server/policies.ps1.j2", Policies)
"""Of the whole organization."""


policies_on_controller = Query("server/policies_on_controller.ps1.j2", Policies)
"""The same as one domain controller has it by now. Argument: `controller`."""


def left_without(databases: Sequence[DatabaseInfo], now: Policies, blocked: Sequence[str]) -> dict[str, list[str]]:
    """The databases that no server would activate by itself if these were Blocked too, with their servers."""
    barred = [one.name for one in now.servers if one.policy == "Blocked"] + list(blocked)
    hosts = {one.name: list(places_of(one.preferences)) for one in databases}
    return {
        name: servers
        for name, servers in hosts.items()
        if any(_among(server, blocked) for server in servers) and all(_among(server, barred) for server in servers)
    }


def _policy_back(prev: Policies, asked: Server, /, *, server: str, policy: str) -> Step | None:
    was = prev.find(server)
    if was is None or was.policy == policy or not was.policy:
        return None
    return policy_set.on(asked, server=server, policy=was.policy)


@step(check=policies, apply="server/set_policy.ps1.j2", risk=Risk.SERVICE, undo=_policy_back)
def policy_set(now: Policies, /, *, server: str, policy: str) -> Change | Blocked | None:
    """Whether copies on a server may be activated by themselves (S-POLICY)."""
    was = now.find(server)
    if was is None:
        return Blocked(f"{server} is no server with mailbox databases", certain=("nothing was changed",))
    if was.policy == policy:
        return None
    return Change(f"{server} activation policy", was.policy or "Unrestricted", policy)
