"""`docs/reliability.md`, made of what the long tests have found; run by `make test-all` after them.

The tests leave their figures in `build/reliability/*.json` when `STAROVER_FIGURES` names that folder.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HEAD = """# Reliability

Written by the tests themselves (`tests/reliability_page.py`), not by hand. `make test` tries a sample of everything,
`make test-all` all of it; where figures are of a sample it is said. All was tried on the lab; what was never tried on
real Windows is said in the README.
"""


def leave(name: str, figures: dict[str, Any]) -> None:
    """Keep a long test's figures for the page; nothing when nobody wants them."""
    folder = os.environ.get("STAROVER_FIGURES")
    if folder:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{name}.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", "utf-8")


def page(folder: Path) -> str:
    """The whole page."""
    known = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    parts = [HEAD]
    stories = [one for name, one in known.items() if name.startswith("stories-")]
    if stories:
        parts.append(_stories(stories))
    crashes = [one for name, one in known.items() if name.startswith("crash-")]
    if crashes:
        parts.append(_crashes(crashes))
    guards = [one for name, one in known.items() if name.startswith("guard-")]
    if guards:
        parts.append(_guards(guards))
    return "\n".join(parts)


def _stories(stories: list[dict[str, Any]]) -> str:
    sample = any(int(one["stories"]) < 1000 for one in stories)
    lines = [
        "## Stories\n",
        "Random sequences of runbooks, faults, accidents on the wire and returns. No invariant broke but where the",
        "same faults break it with nobody at work, nothing was done twice, every journal was whole.\n",
        *(["A sample, as `make test` plays it; `make test-all` plays ten thousand.\n"] if sample else []),
        "| estate | stories | runs | writes | done | nothing to do | refused | unknown, unreachable or failed |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in stories:
        refused = sum(times for state, times in one.items() if state == "refused" or state.startswith("not begun"))
        wrong = sum(one.get(state, 0) for state in ("unknown", "unreachable", "failed", "stopped"))
        lines.append(
            f"| {one['topology']} | {one['stories']} | {one.get('runs', 0)} | {one.get('writes', 0)} | "
            f"{one.get('done', 0)} | {one.get('nothing', 0)} | {refused} | {wrong} |"
        )
    return "\n".join(lines) + "\n"


def _crashes(crashes: list[dict[str, Any]]) -> str:
    lines = [
        "## Killed at journal writes\n",
        "Killed before, within (the line is there, its head is not) and after writes of the journal, and gone on with",
        "by another process, every second time on another machine that has the journals. The same final state as of a",
        "process that lived, the same mutations in the lab's own log, each once, every chain whole. A point is a write",
        "of the run that lived; one that timing merged with its neighbour in every other run was not tried.\n",
        "| scenario | runbook | points there are | tried | kills in one run | seed | which run |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for one in crashes:
        which = "`make test-all`" if one["whole"] else "a sample"
        lines.append(
            f"| {one['scenario']} | {one['runbook']} | {one['points']} | {one['tried']} | "
            f"up to {one['most']} | {one['seed']} | {which} |"
        )
    return "\n".join(lines) + "\n"


def _guards(guards: list[dict[str, Any]]) -> str:
    noticed = sum(one["noticed"] for one in guards)
    lines = [
        "## Guards removed one by one\n",
        f"{noticed} of {len(guards)} removals are noticed.\n",
        "| removed | what it holds | noticed by |",
        "| --- | --- | --- |",
    ]
    for one in sorted(guards, key=lambda one: str(one["name"]).casefold()):
        by = f"`{one['by']}`" if one["noticed"] else "**nobody**"
        lines.append(f"| {one['name']} | {one['removes']} | {by} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "reliability.md").write_text(page(Path(sys.argv[1])), "utf-8")
