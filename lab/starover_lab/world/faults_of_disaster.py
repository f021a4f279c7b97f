"""Faults of bad days: a zone's return, flapping links, clocks that jump, other people at work; keeps no list."""

from __future__ import annotations

from functools import partial

from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.fault_tools import Broken, FaultError, Kind, Tools
from starover_lab.world.names import same

__all__ = ["TABLE", "zones"]


def zones(tools: Tools, words: str) -> list[frozenset[str]]:
    """The links between zones that `1a,1b`, `1a` (within it) or `1a,*` (to all others) means."""
    known = [az.name for az in tools.state.azs]
    parts = [word.strip() for word in words.split(",") if word.strip()]
    found: list[str] = []
    for word in parts:
        ends = [name for name in known if name.casefold().endswith(word.casefold())]
        if word != "*" and len(ends) != 1:
            raise tools.fail(f"`{word}` is no zone: name one or two, such as `1a,1b` or `1a,*`", known)
        found += [] if word == "*" else ends
    if not found or len(parts) > 2:
        raise tools.fail("name one or two zones, such as `1a,1b` or `1a,*`", known)
    if "*" in parts:
        return [frozenset((found[0], other)) for other in known if other != found[0]]
    return [frozenset(found)]


def _az_return(tools: Tools) -> Broken:
    """The zone has power again: its hosts boot in some order, its links come back later."""
    state, az = tools.state, tools.az()
    servers = [server for server in state.servers if server.az == az.name]
    delay, gap = tools.seconds("wan_delay", 0.0), tools.seconds("gap", 300.0)
    named = [word.strip() for word in tools.text("order").split(",") if word.strip()]
    first: list[Server] = []
    for word in named:
        host = next((one for one in servers if same(one.name, word)), None)
        if host is None:
            raise tools.fail(f"{az.name} has no host `{word}`", [one.name for one in servers])
        first.append(host)
    held = [*first[1:], *(one for one in servers if one not in first)] if first else []
    for host in held:
        host.down_causes.add(tools.number)
    if delay:
        az.isolated_by.add(tools.number)
    for number, kind, target in tools.in_force():
        if kind == "az_loss" and target and az.name.casefold().endswith(target.casefold()):
            tools.mend(number)

    def release(host: Server) -> None:
        if tools.number in host.down_causes:
            tools.hosts.on(host, tools.number)

    for at, host in enumerate(held, start=1):
        place = min(at, len(first))
        state.scheduler.after(gap * place, partial(release, host))

    def connect() -> None:
        az.isolated_by.discard(tools.number)
        state.review()

    if delay:
        state.scheduler.after(delay, connect)

    def undo() -> None:
        connect()
        for host in held:
            release(host)

    later = f", its links {delay:g} s later" if delay else ""
    return Broken(f"{az.name} has power again{later}", undo)


def _link_flap(tools: Tools) -> Broken:
    """Links between zones are cut again and again."""
    state = tools.state
    pairs = zones(tools, tools.text("azs", tools.target))
    cuts = int(tools.number_of("n", 3))
    down, up = tools.seconds("down", 60.0), tools.seconds("up", 240.0)
    if cuts < 1 or down <= 0 or up < 0:
        raise FaultError("a link flaps at least once, for more than no time", certain=("nothing was broken",))
    now_cut: list[bool] = [False]
    over: list[bool] = [False]

    def turn(cut: bool) -> None:
        if now_cut[0] is cut or (over[0] and cut):
            return
        now_cut[0] = cut
        for pair in pairs:
            count = state.cut_links.pop(pair, 0) + (1 if cut else -1)
            if count > 0:
                state.cut_links[pair] = count
        names = "; ".join(sorted("-".join(sorted(pair)) for pair in pairs))
        state.log.add("link_cut" if cut else "link_back", names)
        state.review()

    for number in range(cuts):
        begins = number * (down + up)
        state.scheduler.after(begins, partial(turn, True))
        state.scheduler.after(begins + down, partial(turn, False))

    def undo() -> None:
        over[0] = True
        turn(False)

    words = " and ".join(sorted("-".join(sorted(pair)) for pair in pairs))
    return Broken(f"the links {words} are cut {cuts} times, {down:g} s each", undo)


def _clock_jump(tools: Tools) -> Broken:
    server, seconds = tools.server(), tools.number_of("seconds", 3600)
    server.time_skew_s += seconds
    tools.state.log.add("clock_jumped", server.name, seconds=seconds)

    def undo() -> None:
        server.time_skew_s -= seconds

    return Broken(f"the clock of {server.name} jumps by {seconds:g} s", undo)


def _parallel_change(tools: Tools) -> Broken:
    """Somebody else runs a cmdlet meanwhile."""
    cmdlet = tools.text("cmdlet", "Suspend-MailboxDatabaseCopy")
    try:
        undo = tools.somebody(cmdlet, tools.target)
    except WorldError as error:
        raise FaultError(f"{cmdlet} {tools.target} was refused: {error.message}") from None
    except KeyError as error:
        raise tools.fail(f"nobody here knows `{cmdlet}`", [str(one) for one in error.args]) from None
    return Broken(f"somebody ran {cmdlet} for {tools.target}", undo)


TABLE: dict[str, Kind] = {
    "az_return": Kind(
        "a lost zone has power again",
        "Availability Zone",
        _az_return,
        {
            "order": "hosts that boot one after the other, the rest after them: DC1,EX1",
            "gap": "how long between them, 300",
            "wan_delay": "how long its links stay cut, 0 or such as 30m",
        },
    ),
    "link_flap": Kind(
        "links between zones are cut again and again",
        "zones, `1a,1b` or `1a,*`",
        _link_flap,
        {"n": "cuts, 3", "down": "how long each, 60", "up": "how long between, 240", "azs": "the same as the target"},
    ),
    "clock_jump": Kind("a host's clock jumps", "server", _clock_jump, {"seconds": "how far ahead, 3600"}),
    "operator_parallel_change": Kind(
        "somebody else changes something",
        "what the cmdlet is about: DB01/EX2, EX2, DB01 or DAG1",
        _parallel_change,
        {"cmdlet": "which, default Suspend-MailboxDatabaseCopy"},
    ),
}
