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

Made by `make test-all`, not by hand. What it says was tried on the lab; what was never tried on real Windows is said in
the README.
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
    guards = [one for name, one in known.items() if name.startswith("guard-")]
    if guards:
        parts.append(_guards(guards))
    return "\n".join(parts)


def _stories(stories: list[dict[str, Any]]) -> str:
    lines = [
        "## Stories\n",
        "Random sequences of runbooks, faults, accidents on the wire and returns. No invariant broke but where the",
        "same faults break it with nobody at work, nothing was done twice, every journal was whole.\n",
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
