"""`starover` without a word behind it: the whole surface on one page."""

from __future__ import annotations

from starover_cli.views.text import table

__all__ = ["overview_text"]

_FAMILIES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "look",
        (
            ("status", "the DAG as a map, one screen"),
            ("assess", "what is wrong, what is safe, the plan to mend it    <- at 03:00 start here"),
            ("watch", "the map, live"),
        ),
    ),
    (
        "do",
        (
            ("plan NAME", "what would change; saved under an id; sends reads only"),
            ("apply ID", "exactly that plan, if the facts still hold"),
            ("run NAME", "plan, ask, apply"),
            ("resume RUN", "go on after a crash, a stop or an unknown"),
            ("undo RUN", "back, where the run kept what was before"),
        ),
    ),
    (
        "people",
        (
            ("approve ID", "a plan, as the second person"),
            ("settle RUN", "an outcome that nobody can find out"),
            ("attest", "that a server is down, by name"),
            ("lease", "show, release: who may change the DAG now"),
            ("policy", "show, check, schema: what the team has agreed on"),
        ),
    ),
    (
        "prove",
        (
            ("plans", "list, show"),
            ("runs", "list, show"),
            ("report RUN", "the story as text or one HTML page"),
            ("audit", "verify, export, ship"),
            ("reconcile", "what a laptop did alone comes into this record"),
        ),
    ),
    (
        "estate",
        (
            ("runbooks", "list, show NAME"),
            ("inventory", "discover, diff, check, schema"),
            ("doctor", "prove every road, right and credential before you need them"),
            ("rights", "exchange, iam: least rights for the runbooks"),
            ("drill", "rehearse the loss of a zone in a lab made from your estate"),
        ),
    ),
    ("jobs", (("job", "list, check, run, install: runbooks from a schedule"),)),
    (
        "team",
        (
            ("submit", "a plan or a runbook, done by workers of a Temporal server"),
            ("worker", "takes such runs on this machine"),
            ("cancel RUN", "ends one after the step under way"),
        ),
    ),
    ("lab", (("lab", "up, down, status, state, events, clock, break, mend"),)),
)


def overview_text(estate: str) -> str:
    """The page. `estate` says what the commands would act on."""
    rows: list[tuple[str, str, str]] = []
    for family, commands in _FAMILIES:
        for position, (command, meaning) in enumerate(commands):
            rows.append((family if position == 0 else "", command, meaning))
    lines = ["Runbooks for Exchange DAGs.", estate, "", *table(rows, minimum=(8, 10))]
    lines += ["", "Every command: starover COMMAND --help        which servers: --inventory FILE"]
    return "\n".join(lines)
