"""`starover status`: a DAG as a map of its Availability Zones. Data in, text out; it knows no query and no host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from starover_cli.views.head import Where, first_line, next_block
from starover_cli.views.text import clip, duration, label_block, name_range, plural, table, wrap

__all__ = [
    "CopyCell",
    "DagMap",
    "DatabaseRow",
    "HostCell",
    "MailName",
    "Silent",
    "advice",
    "judge",
    "map_lines",
    "render",
    "silent_text",
]

GOOD_QUEUE = 10
"""Log files a good copy may lack (catalogue 4, G-COPIES)."""
UNKNOWN_QUEUE = 2**40
"""A copy queue of this length is none: the last log generated is not known (facts/exchange.md)."""


class HostCell(msgspec.Struct, frozen=True, kw_only=True):
    """A member, a witness or a domain controller on the map."""

    name: str
    az: str
    state: str | None
    """`Up`, `Down`, `Paused`, `Quarantined` for a member; `ok` or what is wrong for others; None: not known."""
    votes: int | None = None
    note: str = ""
    """Shown behind it: `PAM`, `spare`, `Alternate`."""


class CopyCell(msgspec.Struct, frozen=True, kw_only=True):
    """One copy of a database on one server."""

    server: str
    az: str
    preference: int | None = None
    status: str | None = None
    """Exchange's word (`Mounted`, `Healthy`, `Suspended`...); None: not known."""
    active: bool = False
    copy_queue: int | None = None
    replay_queue: int | None = None
    lag: timedelta = timedelta(0)
    activation_suspended: bool = False
    comment: str = ""
    """Why it is suspended, if somebody said so."""

    @property
    def good(self) -> bool:
        """It could take over now, or, if it is lagged, does what it is for."""
        if self.active:
            return self.status == "Mounted"
        queue = self.copy_queue is not None and 0 <= self.copy_queue <= GOOD_QUEUE
        return self.status == "Healthy" and queue and (not self.activation_suspended or bool(self.lag))


class DatabaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """One database and its copies."""

    name: str
    copies: tuple[CopyCell, ...]

    @property
    def active(self) -> CopyCell | None:
        """The copy that serves mail, or should."""
        return next((copy for copy in self.copies if copy.active), None)

    @property
    def mounted(self) -> bool | None:
        """None: not known."""
        if (active := self.active) is not None and active.status is not None:
            return active.status == "Mounted"
        return None if any(copy.status is None for copy in self.copies) or not self.copies else False

    @property
    def perfect(self) -> bool:
        """Mounted on its first preference, and every other copy is good."""
        active = self.active
        return (
            active is not None
            and active.preference in (1, None)
            and bool(self.mounted)
            and all(copy.good for copy in self.copies)
        )


class MailName(msgspec.Struct, frozen=True, kw_only=True):
    """A name that clients use and where it leads."""

    name: str
    target: str
    note: str = ""


class Silent(msgspec.Struct, frozen=True, kw_only=True):
    """A host that was asked and did not answer."""

    server: str
    why: str


class DagMap(msgspec.Struct, frozen=True, kw_only=True):
    """All that the map shows. Tuples are in the order to draw."""

    where: Where
    members: tuple[HostCell, ...] = ()
    witnesses: tuple[HostCell, ...] = ()
    controllers: tuple[HostCell, ...] = ()
    databases: tuple[DatabaseRow, ...] = ()
    names: tuple[MailName, ...] = ()
    several: bool = False
    """The inventory has other DAGs, or does not know this one, so that commands must name it."""
    silent: tuple[Silent, ...] = ()
    """Hosts that did not answer: the verdict says what it lacks."""
    unlisted: str = ""
    """Why nobody could list the databases, where hosts answer and none of them could; empty: they are listed."""
    out: tuple[Silent, ...] = ()
    """Members that are out on purpose, and why: nobody waits for their answer."""

    @property
    def heard(self) -> bool:
        """Whether any host answered."""
        silent = {one.server for one in self.silent}
        return any(one.name not in silent for one in (*self.members, *self.witnesses, *self.controllers))

    @property
    def zones(self) -> tuple[str, ...]:
        """Availability Zones in order; a host without one stands under its name's own column `-`."""
        found = {cell.az or "-" for cell in (*self.members, *self.witnesses, *self.controllers)}
        return tuple(sorted(found | {copy.az or "-" for row in self.databases for copy in row.copies}))


def judge(dag: DagMap) -> list[str]:
    """The verdict: mail first, then copies, then the weak spot, then what is not known. One sentence each."""
    return [*_mail(dag), *_copies(dag), *_quorum(dag), *_out(dag), *_silence(dag)]


def _mail(dag: DagMap) -> list[str]:
    if not dag.databases:
        if dag.unlisted:
            return [f"Mail: not known, no member could list the databases: {dag.unlisted}."]
        return ["Mail: not known, no database was seen." if dag.silent else "No database is in this DAG."]
    total = len(dag.databases)
    mounted = sum(row.mounted is True for row in dag.databases)
    down = [row.name for row in dag.databases if row.mounted is False]
    unknown = [row.name for row in dag.databases if row.mounted is None]
    if unknown and not down:
        return [f"Mail: not known for {name_range(unknown)}. {mounted} of {total} databases are seen mounted."]
    tail = f" Not known: {name_range(unknown)}." if unknown else ""
    if mounted == total:
        every = all(row.perfect for row in dag.databases)
        several = any(len(row.copies) > 1 for row in dag.databases)
        healthy = ", every passive copy healthy" if every and several else ""
        return [f"Mail is up. {mounted} of {total} databases mounted{healthy}."]
    word = "DOWN" if mounted == 0 else "PARTLY DOWN"
    named = f": {name_range(down)} {'is' if len(down) == 1 else 'are'} not" if mounted else ""
    return [f"MAIL IS {word}. {mounted} of {total} databases mounted{named}.{tail}"]


def _copies(dag: DagMap) -> list[str]:
    sentences: list[str] = []
    passive = [(row, copy) for row in dag.databases for copy in row.copies if not copy.active]
    bad = [(row, copy) for row, copy in passive if not copy.good and copy.status is not None]
    if bad:
        shown = ", ".join(f"{row.name}/{copy.server} {_why_not_good(copy)}" for row, copy in bad[:3])
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        verb = "is" if len(bad) == 1 else "are"
        sentences.append(f"{len(bad)} of {len(passive)} passive copies {verb} not good: {shown}{more}.")
    single = [row.name for row in dag.databases if row.mounted and _takeovers(row) == 0]
    if single:
        one = "has" if len(single) == 1 else "have"
        if any(copy.status is None for row in dag.databases if row.name in single for copy in row.copies):
            sentences.append(f"{name_range(single)} {one} one good copy that is seen; the others did not answer.")
        else:
            what = f"{name_range(single)} {one} a single good copy"
            sentences.append(f"No redundancy: {what}; the next failure stops mail.")
    away = [row for row in dag.databases if row.active and (row.active.preference or 1) > 1]
    if away:
        names = ", ".join(f"{row.name} on {row.active.server}" for row in away[:4] if row.active)
        more = f" and {len(away) - 4} more" if len(away) > 4 else ""
        sentences.append(f"Not on the first preference: {names}{more}.")
    return sentences


def _takeovers(row: DatabaseRow) -> int:
    """How many copies could be activated by themselves: good and not lagged."""
    return sum(copy.good and not copy.lag and not copy.active for copy in row.copies)


def _why_not_good(copy: CopyCell) -> str:
    if copy.status != "Healthy":
        return copy.status or "not known"
    if copy.activation_suspended:
        return "activation suspended"
    return f"copy queue {_queue(copy.copy_queue)}"


def _quorum(dag: DagMap) -> list[str]:
    where = dag.where
    if where.votes is None or where.votes_needed is None:
        return []
    if where.votes < where.votes_needed:
        present = f"{where.votes} of {where.votes_total} votes are here"
        return [f"Quorum is lost: {present}, {where.votes_needed} are needed."]
    for zone in dag.zones:
        there = sum(cell.votes or 0 for cell in (*dag.members, *dag.witnesses) if (cell.az or "-") == zone)
        if there and where.votes - there < where.votes_needed and len(dag.zones) > 1:
            verb = "is" if there == 1 else "are"
            return [f"Weak spot: losing {zone} stops all mail ({there} of {plural(where.votes, 'vote')} {verb} there)."]
    return []


def _out(dag: DagMap) -> list[str]:
    if not dag.out:
        return []
    named = ", ".join(one.server for one in dag.out)
    why = "; ".join(dict.fromkeys(one.why for one in dag.out))
    return [f"Out on purpose: {named} ({why}); back by failback only."]


def _silence(dag: DagMap) -> list[str]:
    if not dag.silent:
        return []
    named = ", ".join(silent.server for silent in dag.silent[:4])
    more = f" and {len(dag.silent) - 4} more" if len(dag.silent) > 4 else ""
    return [f"Not known: what {named}{more} would say; {plural(len(dag.silent), 'host')} did not answer."]


def advice(dag: DagMap) -> list[tuple[str, str]]:
    """What to type next, with what it is for."""
    option = f" --dag {dag.where.dag}" if dag.several else ""
    if not dag.heard:
        return [("starover inventory check", "where each host is looked for")]
    lines = [(f"starover run{option} health-report", "every check, graded")]
    if not all(row.mounted for row in dag.databases):
        lines.insert(0, (f"starover assess{option}", "what happened, what is safe, and the plan to get mail back"))
    ours = [
        (row.name, copy.server)
        for row in dag.databases
        for copy in row.copies
        if (copy.status or "").endswith("Suspended") and not copy.active
    ]
    if ours:
        name, server = ours[0]
        lines.insert(0, (f"starover plan{option} copies-resume --db {name} --server {server}", "let it copy again"))
    return lines


def render(dag: DagMap, width: int = 100) -> str:
    """The whole screen."""
    verdict = [line for sentence in judge(dag) for line in wrap(sentence, width)]
    parts = [
        first_line(dag.where, width),
        "\n".join(verdict),
        "\n".join(map_lines(dag, width)),
        silent_text(dag, width),
    ]
    parts.append(next_block(advice(dag)))
    return "\n\n".join(part for part in parts if part)


def map_lines(dag: DagMap, width: int = 100) -> list[str]:
    """The map alone: a column a zone, or blocks where there is no room for columns."""
    body: list[str] = []
    if width >= 100 and len(dag.zones) <= 3:
        body = _columns(dag, width, short=False) or _columns(dag, width, short=True)
    return body or _blocks(dag, width)


def silent_text(dag: DagMap, width: int = 100) -> str:
    """The hosts that gave no answer, and why; empty: all did."""
    silent = label_block(_reasons(dag.silent), width, label=14, indent=0)
    return "no answer from\n" + "\n".join(silent) if silent else ""


def _reasons(silent: Sequence[Silent]) -> list[tuple[str, str]]:
    """Why each host gave no answer; those with one and the same reason in one line."""
    by_reason: dict[str, list[str]] = {}
    for one in silent:
        by_reason.setdefault(one.why, []).append(one.server)
    pairs: list[tuple[str, str]] = []
    for why, names in by_reason.items():
        if len(names) > 2:
            pairs.append((plural(len(names), "host"), f"{why}: {', '.join(names)}"))
        else:
            pairs += [(name, why) for name in names]
    return pairs


def _host(cell: HostCell) -> tuple[str, ...]:
    state = "?" if cell.state is None else cell.state
    votes = "" if cell.votes is None else plural(cell.votes, "vote")
    return tuple(part for part in (cell.name, state, votes, cell.note) if part)


def _queue(length: int | None) -> str:
    if length is None or length >= UNKNOWN_QUEUE or length < 0:
        return "?"
    return str(length)


def _copy(copy: CopyCell, *, short: bool = False) -> tuple[str, ...]:
    preference = "?" if copy.preference is None else str(copy.preference)
    if copy.active:
        word = "ACTIVE" if copy.status == "Mounted" else f"ACTIVE {copy.status or '?'}"
        return (f"{preference} {word}",)
    words = [f"{preference} {copy.status or '?'}"]
    if copy.status is not None:
        queues = f"{_queue(copy.copy_queue)}/{_queue(copy.replay_queue)}"
        words.append(queues if short else f"queue {queues}")
    if copy.lag:
        words.append(f"lag {duration(copy.lag.total_seconds())}")
    elif copy.activation_suspended and copy.status == "Healthy":
        words.append("no activation")
    return tuple(words)


def _database_cells(dag: DagMap, row: DatabaseRow, zone: str, *, short: bool) -> list[str]:
    there = sorted((copy for copy in row.copies if (copy.az or "-") == zone), key=lambda copy: copy.server)
    alone = sum((member.az or "-") == zone for member in dag.members) <= 1
    cells = [_copy(copy, short=short) for copy in there]
    return table([cell if alone else (copy.server, *cell) for copy, cell in zip(there, cells, strict=True)])


def _shown(dag: DagMap) -> tuple[list[DatabaseRow], str]:
    """The databases to draw, and one line for those that are left out: all up to eight, else only the imperfect."""
    if len(dag.databases) <= 8:
        return list(dag.databases), ""
    perfect = [row.name for row in dag.databases if row.perfect]
    if not perfect:
        return list(dag.databases), ""
    rest = f"{name_range(perfect)}: ACTIVE on 1, all healthy"
    return [row for row in dag.databases if not row.perfect], rest


def _columns(dag: DagMap, width: int, *, short: bool) -> list[str]:
    """A column a zone; `short`: without the word before the queues. Empty where there is no room for them."""
    zones = dag.zones
    shown, rest = _shown(dag)
    heads: list[str] = []
    rows: list[list[list[str]]] = []
    for head, hosts in (("member", dag.members), ("witness", dag.witnesses), ("DC", dag.controllers)):
        heads.append(head)
        rows.append([table([_host(cell) for cell in hosts if (cell.az or "-") == zone]) for zone in zones])
    for row in shown:
        heads.append(row.name)
        rows.append([_database_cells(dag, row, zone, short=short) for zone in zones])
    label = max(11, *(len(head) + 2 for head in heads))
    widths = _widths(zones, rows, width - label)
    if not widths:
        return []
    lines = [" " * label + "".join(zone.ljust(room) for zone, room in zip(zones, widths, strict=True))]
    for head, cells in zip(heads, rows, strict=True):
        for depth in range(max((len(cell) for cell in cells), default=0)):
            texts = [
                (cell[depth] if depth < len(cell) else "").ljust(room) for cell, room in zip(cells, widths, strict=True)
            ]
            lines.append((head if depth == 0 else "").ljust(label) + "".join(texts))
    legend = ["(preference, status, logs in the copy queue/replay queue)".rjust(label + 57)] if short else []
    return [*(line.rstrip() for line in lines), *([rest] if rest else []), *_names(dag, label), *legend]


def _widths(zones: Sequence[str], rows: Sequence[Sequence[Sequence[str]]], room: int) -> list[int]:
    """A width for each zone's column: all alike where that is enough, else what each needs; empty: no room for them."""
    needed = [
        2 + max(len(zone), *(len(text) for row in rows for text in row[column]), 0) for column, zone in enumerate(zones)
    ]
    alike = room // max(1, len(zones))
    if max(needed, default=0) <= alike:
        return [alike] * len(zones)
    return needed if sum(needed) - 2 <= room else []


def _names(dag: DagMap, label: int) -> list[str]:
    return [
        f"{('mail' if position == 0 else '').ljust(label)}{name.name} -> {name.target}"
        + (f" ({name.note})" if name.note else "")
        for position, name in enumerate(dag.names)
    ]


def _blocks(dag: DagMap, width: int) -> list[str]:
    """The same map as one block a zone: for narrow screens, many zones, long names."""
    shown, rest = _shown(dag)
    lines: list[str] = []
    for zone in dag.zones:
        rows: list[tuple[str, ...]] = []
        for head, hosts in (("member", dag.members), ("witness", dag.witnesses), ("DC", dag.controllers)):
            rows += [(head, *_host(cell)) for cell in hosts if (cell.az or "-") == zone]
        for row in shown:
            here = sorted((copy for copy in row.copies if (copy.az or "-") == zone), key=lambda copy: copy.server)
            rows += [(f"{row.name}/{copy.server}", *_copy(copy)) for copy in here]
        lines.append(zone)
        lines += [clip(line, width) for line in table(rows, indent=2)]
    return [*lines, *([rest] if rest else []), *_names(dag, 11)]
