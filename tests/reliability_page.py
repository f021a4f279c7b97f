"""`docs/reliability.md`, made of what the long tests have found; run by `make test-all` after them.

The tests leave their figures in `build/reliability/*.json` when `STAROVER_FIGURES` names that folder.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starover.content import find

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


def page(folder: Path, ended: int = 0) -> str:
    """The whole page; `ended`: how pytest ended, since what fails leaves no figures."""
    known = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    parts, missing = [HEAD], list[str]()
    for what, (begin, write) in SECTIONS.items():
        found = [one for name, one in known.items() if name.startswith(begin)]
        if found:
            parts.append(write(found))
        else:
            missing.append(what)
    if ended:
        parts.insert(1, _prose("**Not every test of that run passed: what failed has no figures here.**") + "\n")
    if missing:
        parts.insert(1, _prose(f"**There are no figures for: {', '.join(missing)}.**") + "\n")
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
        "of the run that lived: before, within, or after it. S14-short is S14's runbook where one of two members has",
        "an update.\n",
        "| scenario | runbook | points there are | tried | kills in one run | seed | which run |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    lines += [
        f"| {one['scenario']} | {one['runbook']} | {one['points']} | {one['tried']} | "
        f"up to {one['most']} | {one['seed']} | {_which(one)} |"
        for one in crashes
    ]
    return "\n".join(lines) + "\n"


def _faults(faults: list[dict[str, Any]]) -> str:
    head = "| scenario | runbook | road | points there are | struck | struck legs ended | longest time to give up | "
    lines = [
        "## Faults on the way to the hosts\n",
        _prose(
            "Each point is one script, one request of WS-Management or one call to SSM, and one accident that befalls "
            "it. In process: never arrived, or done and the answer lost; once, or from there on. On real wires: the "
            "line reset before or after, half an answer, silence before or after, HTTP 400, 401, 500, 503, a quota. "
            "Over Run Command: throttling, an error of AWS, a denial, no connection, a lost reply, a host that is "
            "undeliverable, late or whose agent is dead, a cut output, a command that is not seen yet, a bucket that "
            "nobody may write. Every struck run ended right or stopped with an outcome that was the lab's truth; gone "
            "on with, it came to the state of a run that was never struck, by the same cmdlets. Nothing was done twice."
        ),
        "",
        _prose(
            "On real wires and over Run Command a story is struck in every leg: in the run, in what resumes it, and in "
            "what plans it anew. A request or a call is known by what it is about there, and has a point for each time "
            "that the run that lived made it. What is not struck is made only where nothing befalls others."
        ),
        "",
        f"{head}stories | seed | which run |",
        "| --- | --- | --- | ---: | ---: | --- | --- | ---: | --- | --- |",
    ]
    for one in faults:
        ends = ", ".join(f"{times} {end}" for end, times in sorted(one["outcomes"].items()))
        cells = (one["scenario"], one["runbook"], one["road"], one["points"], one["tried"], ends, one["longest"])
        lines.append(f"| {' | '.join(map(str, cells))} | {one.get('stories', '')} | {one['seed']} | {_which(one)} |")
    more = (
        "Real seconds are those of the tests, which make the tool's patience with a line short. A copy that falls "
        "silent while it is seeded is waited for as long as its seeding may take."
    )
    return "\n".join([*lines, "", _prose(more)]) + "\n"


def _strings(strings: list[dict[str, Any]]) -> str:
    def total(what: str) -> int:
        return sum(one.get(what, 0) for one in strings)

    whole = all(one["whole"] for one in strings)
    counted: Counter[str] = Counter()
    for one in strings:
        counted.update(one["ends"])
    ends = ", ".join(f"{times} {end}" for end, times in sorted(counted.items()))
    there = len(find().runbooks)
    of = f" (of {there})" if len(strings) != there else ""
    text = (
        f"{strings[0]['strings']} strings (quotes of every kind, backticks, `$(`, new lines, NUL, surrogates, "
        f"right-to-left marks, a template's braces, hyphens, all categories of Unicode, very long ones), as they are "
        f"and behind a good value where one is known, in each of the {total('places')} parameters of {len(strings)} "
        f"runbooks{of}, each on a lab where it has something to do: of {total('bound')} values {total('refused')} were "
        f"refused before anything was contacted and {total('taken')} taken. "
        f"{'All that were taken' if total('planned') == total('taken') else total('planned')} were planned ({ends}); "
        f"{total('read')} plans asked hosts or AWS, and in {total('carried')} the value stood in what was sent or "
        f"would be. All scripts and calls of all plans held the value within a literal only, and nothing was changed. "
        f"A reading that is word for word the same is asked of the lab once and remembered for five simulated minutes; "
        f"one that holds the value is always asked. Seed {strings[0]['seed']}, {_which({'whole': whole})}."
    )
    return f"## Hostile strings\n\n{_prose(text)}\n"


def _broken(broken: list[dict[str, Any]]) -> str:
    (one,) = broken
    text = (
        f"{one['examples']} broken ones for each of {len(one['readers'])} readers ({', '.join(one['readers'])}), and "
        f"{len(one['huge'])} huge ones for each ({', '.join(one['huge'])}): refused in words, soon, in little memory. "
        f"Examples by Hypothesis, {_which(one)}."
    )
    return f"## Broken and huge documents\n\n{_prose(text)}\n"


def _prose(text: str) -> str:
    return textwrap.fill(text, 118, break_on_hyphens=False)


def _which(one: dict[str, Any]) -> str:
    return "`make test-all`" if one["whole"] else "a sample"


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


SECTIONS: Mapping[str, tuple[str, Callable[[list[dict[str, Any]]], str]]] = {
    "stories": ("stories-", _stories),
    "kills at journal writes": ("crash-", _crashes),
    "faults on the way to the hosts": ("line-", _faults),
    "hostile strings": ("strings-", _strings),
    "broken and huge documents": ("broken", _broken),
    "guards removed": ("guard-", _guards),
}
"""In the page's order, by what they are called: how the files of figures begin, and what writes them down."""

if __name__ == "__main__":
    (ROOT / "docs" / "reliability.md").write_text(page(Path(sys.argv[1]), *map(int, sys.argv[2:3])), "utf-8")
