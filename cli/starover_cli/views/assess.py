"""`starover assess`: what is wrong, what is certain and what is not, what it costs, the proof. Data in, text out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from starover.command_line import with_dag
from starover.guard import needs_digest
from starover_cli.views.approval import grave_pairs
from starover_cli.views.dag_map import DagMap, judge, map_lines
from starover_cli.views.head import first_line, next_block
from starover_cli.views.plan import next_of_plan, plan_danger, plan_id_line, plan_verdict
from starover_cli.views.text import clock_time, label_block, wrap

if TYPE_CHECKING:
    from starover.errors import StaroverError
    from starover.plan import Plan
    from starover.steps.assessment import Assessment

__all__ = ["assess_text", "is_well", "next_of_assessment", "planned_text", "unplanned_text", "verdict_of"]

_CALM = ("none", "mount-databases", "service-restart", "settling")
"""Answers under which nothing is forced, so that the proof need not be read."""


def is_well(page: Assessment) -> bool:
    """Nothing is to be done."""
    return page.answer == "none"


def verdict_of(page: Assessment, drawn: DagMap) -> list[str]:
    """Mail first, then what the decision table says. One sentence each."""
    since = _since(page.since, simulated=drawn.where.lab)
    if page.mail_down is None:
        mail = "Mail: nobody could see whether it is up."
    elif page.mail_down:
        mail = f"MAIL IS DOWN{f' since {since}' if since else ''}."
    else:
        mail = judge(drawn)[0]
    return [mail, page.verdict]


def _since(time: str, *, simulated: bool) -> str:
    try:
        return clock_time(datetime.fromisoformat(time), simulated=simulated) if time else ""
    except ValueError:
        return time


def assess_text(page: Assessment, drawn: DagMap, width: int = 100) -> str:
    """Everything but the plan: first line, verdict, map, facts, proof."""
    verdict = [line for sentence in verdict_of(page, drawn) for line in wrap(sentence, width)]
    parts = [
        first_line(drawn.where, width),
        "\n".join(verdict),
        "\n".join(map_lines(drawn, width)),
        "\n".join(label_block(_facts(page), width, label=11, indent=0)),
    ]
    if page.answer not in _CALM and page.proof:
        parts.append("\n".join(proof_lines(page, width)))
    return "\n\n".join(part for part in parts if part)


def _facts(page: Assessment) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    pairs += _named("Silent", _silent(page))
    pairs += _named("Certain", page.certain)
    pairs += _named("Not certain", page.uncertain)
    pairs += _named("Cost", [one.text for one in page.cost])
    pairs += _named("By itself", [page.recovery] if page.recovery else [])
    pairs += _named("Log disks", [one.text for one in page.space if one.low])
    pairs += _named("Lagged", page.lagged)
    pairs += _named("First", [page.zonal] if page.zonal else [])
    pairs += _named("Or wait", [page.wait] if page.wait else [])
    return pairs


_PLACE = re.compile(r"^no session on \S+ at \S+: ")


def _silent(page: Assessment) -> list[str]:
    """Hosts without an answer, those of one zone and one reason together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in page.hosts:
        if not one.answers:
            says = _PLACE.sub("", one.says).removeprefix(f"{one.server}: ").removeprefix(f"{one.server} ")
            roads = f" ({', '.join(one.roads)})" if one.roads else ""
            groups.setdefault((one.az, f"{says}{roads}"), []).append(one.server)
    return [f"{f'{az}: ' if az else ''}{', '.join(names)}   {says}" for (az, says), names in groups.items()]


def _named(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Each thing once, under one name."""
    return [(name if position == 0 else "", line) for position, line in enumerate(dict.fromkeys(lines))]


def proof_lines(page: Assessment, width: int = 100) -> list[str]:
    """The proof, numbered as the catalogue numbers it; a line that cannot be filled says why."""
    pairs: list[tuple[str, str]] = []
    for line in page.proof:
        says = f"{line.what}: {line.says}"
        pairs.append(
            (f"{line.number:>2} {'?' if line.unknown else ' '}", f"{says} ({line.unknown})" if line.unknown else says)
        )
    return ["Proof: read it before anything is forced.", *label_block(pairs, width, label=4)]


def planned_text(plan: Plan, width: int = 100, good_for: str = "", ticket: str = "", dag: str = "") -> str:
    """The plan of the answered runbook, in short. `dag`: as in `next_of_assessment`."""
    pairs = [*grave_pairs(plan), *plan_danger(plan)]
    if plan.blocked:
        pairs = [
            (step.blocked.guard or "blocked", step.blocked.why) for step in plan.blocked if step.blocked is not None
        ]
    verdict = wrap(plan_verdict(plan), width)
    parts = ["\n".join([plan_id_line(plan, good_for, width), *verdict]), "\n".join(label_block(pairs, width))]
    parts.append(next_block(next_of_assessment(None, plan, ticket, dag=dag)))
    return "\n\n".join(part for part in parts if part)


def unplanned_text(page: Assessment, why: StaroverError | None, command: str, width: int = 100, dag: str = "") -> str:
    """No plan could be made, or none is needed: why, and what to type."""
    parts: list[str] = []
    if why is not None:
        text = f"! {page.runbook} could not be planned: {why.word}: {why.what}"
        parts.append(
            "\n".join([*wrap(text, width, "  "), *label_block([("hint", line) for line in why.next[:3]], width)])
        )
    parts.append(next_block(next_of_assessment(page, None, command=command, dag=dag)))
    return "\n\n".join(part for part in parts if part)


def next_of_assessment(
    page: Assessment | None, plan: Plan | None, ticket: str = "", command: str = "", dag: str = ""
) -> list[tuple[str, str]]:
    """What to type next: the plan's own lines, or the command that plans it, or to go on looking.

    `dag` must be named, where it is given: the inventory has several.
    """
    lines = _lines(page, plan, ticket, command)
    return [(with_dag(line, dag), meaning) for line, meaning in lines] if dag else lines


def _lines(page: Assessment | None, plan: Plan | None, ticket: str, command: str) -> list[tuple[str, str]]:
    if plan is not None and not plan.nothing:
        lines = next_of_plan(plan, ticket)
        if needs_digest(plan.risk) and not plan.blocked:
            show = (f"starover plans show {plan.id}", "every step, every script")
            lines = [show, *lines[:-1]]
        return [*lines, ("starover assess", "look again")][:3]
    lines = [(command, "plan it again")] if command else []
    if page is not None and page.answer == "none":
        return [("starover watch", "leave it open"), ("starover run health-report", "every check, graded")]
    return [*lines, ("starover assess", "look again"), ("starover watch --until healthy", "leave it open")]
