"""`starover watch`: what changed from one look at a DAG to the next, a line each. Data in, text out."""

from __future__ import annotations

from starover_cli.views.dag_map import DagMap, judge, map_lines, silent_text
from starover_cli.views.head import first_line
from starover_cli.views.text import clock_time, wrap

__all__ = ["changes", "heartbeat", "is_healthy", "screen"]

LATEST = 6
"""Changes that stay on the screen."""


def is_healthy(dag: DagMap) -> bool:
    """Everybody answers and is in the cluster, quorum holds, every database is mounted, every copy is good."""
    where = dag.where
    if where.votes is None or where.votes_needed is None or where.votes < where.votes_needed or dag.silent:
        return False
    rows = dag.databases
    copies = all(copy.good for row in rows for copy in row.copies)
    return (
        bool(rows) and copies and all(row.mounted for row in rows) and all(cell.state == "Up" for cell in dag.members)
    )


def changes(before: DagMap | None, after: DagMap) -> list[str]:
    """What is not as it was at the last look, in the field's words; queues move by themselves and are no change."""
    if before is None:
        return []
    was, now = _facts(before), _facts(after)
    lines = [f"{name}: {was.get(name, 'not seen')} -> {text}" for name, text in now.items() if was.get(name) != text]
    lines += [f"{name}: {text} -> not seen" for name, text in was.items() if name not in now]
    return lines


def _facts(dag: DagMap) -> dict[str, str]:
    found: dict[str, str] = {"quorum": dag.where.quorum.removeprefix("quorum "), "DAC": dag.where.dac or "?"}
    for kind, cells in (("member", dag.members), ("witness", dag.witnesses), ("DC", dag.controllers)):
        for cell in cells:
            note = f" {cell.note}" if cell.note else ""
            found[f"{kind} {cell.name}"] = f"{cell.state or 'no answer'}{note}"
    for row in dag.databases:
        found[row.name] = {True: "mounted", False: "DOWN", None: "not known"}[row.mounted]
        for copy in row.copies:
            word = f"ACTIVE {copy.status or '?'}" if copy.active else copy.status or "?"
            if copy.status == "Healthy" and not copy.active:
                word += ", activation suspended" if copy.activation_suspended else "" if copy.good else ", behind"
            found[f"{row.name}/{copy.server}"] = word
    return found


def _time(dag: DagMap) -> str:
    return clock_time(dag.where.at, simulated=dag.where.lab) if dag.where.at is not None else "--:--:--"


def change_lines(dag: DagMap, found: list[str], width: int = 100) -> list[str]:
    """Changes, each with the time when they were seen."""
    return [line for text in found for line in wrap(f"{_time(dag)}  {text}", width, " " * 10)]


def heartbeat(dag: DagMap) -> str:
    """That it goes on, and how it stands."""
    return f"{_time(dag)}  no change: {judge(dag)[0]}"


def screen(dag: DagMap, latest: list[str], width: int = 100) -> str:
    """The live screen: the map, and the latest changes below it."""
    verdict = [line for sentence in judge(dag) for line in wrap(sentence, width)]
    parts = [
        first_line(dag.where, width),
        "\n".join(verdict),
        "\n".join(map_lines(dag, width)),
        silent_text(dag, width),
    ]
    parts.append("\n".join(latest[-LATEST:]))
    return "\n\n".join(part for part in parts if part)
