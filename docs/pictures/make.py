"""Draws the pictures anew, and pastes into the pages what commands really print: `python docs/pictures/make.py`.

A night and a Saturday are played on the lab. A page's block that follows `<!-- real: NAME -->` is replaced by what NAME
printed. The picture of the report needs Chromium, and is left as it is where there is none.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI
from rich.text import Text
from starover_cli.paint import paint

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "on-call.md")
WIDTH = 100
NIGHT = 'name: night\nextends: aws-2az-nodac\ntuning: {ship_latency_s: "30"}\n'
"""The AWS default with its DAG, DAC off; its copies lack some logs at any moment."""


@dataclass(frozen=True)
class Lab:
    """A directory with a lab, in which commands are typed."""

    folder: str

    def type(self, *words: str, ends: int = 0) -> str:
        """What a command prints: the result, and behind it an error. Raises where it ends with another code."""
        ended = subprocess.run(
            [sys.executable, "-m", "starover_cli", *words],
            cwd=self.folder,
            env=os.environ | {"LOGNAME": "oncall-a"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if ended.returncode != ends:
            raise SystemExit(f"starover {' '.join(words)} ended with {ended.returncode}\n{ended.stdout}{ended.stderr}")
        errors = ended.stderr[max(0, ended.stderr.find("! ")) :] if ends else ""
        return f"{typed(words)}\n{ended.stdout.strip()}\n{errors}".rstrip()


def typed(words: tuple[str, ...]) -> str:
    """The line as a person types it."""
    return "$ starover " + " ".join(f'"{word}"' if " " in word else word for word in words)


@contextmanager
def lab(*topology: str) -> Iterator[Lab]:
    """A lab that is up, and put away at the end."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "night.yaml").write_text(NIGHT, encoding="utf-8")
        place = Lab(folder)
        place.type("lab", "up", *topology, "--detach")
        try:
            yield place
        finally:
            place.type("lab", "down")


def draw(name: str, text: str) -> None:
    """One picture for dark pages and one for light ones."""
    for shade, theme in (("dark", DIMMED_MONOKAI), ("light", DEFAULT_TERMINAL_THEME)):
        with Path("/dev/null" if sys.platform != "win32" else "NUL").open("w") as nowhere:
            console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="standard")
            console.print(Text.from_ansi(paint(text.rstrip())))
            svg = console.export_svg(title="starover", theme=theme, unique_id=f"{name}-{shade}")
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # a picture fetches nothing
        HERE.joinpath(f"{name}-{shade}.svg").write_text(svg, encoding="utf-8", newline="\n")


def paste(shown: dict[str, str]) -> None:
    """Put what was printed into the pages."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for name, printed in shown.items():
            block = f"<!-- real: {name} -->\n\n```\n{printed}\n```\n"
            old = rf"<!-- real: {name} -->\n\n```\n.*?\n```\n"
            text = re.sub(old, block.replace("\\", r"\\"), text, flags=re.DOTALL)
        page.write_text(text, encoding="utf-8", newline="\n")


def photograph(page: Path) -> None:
    """The report as a phone shows it."""
    browser = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), "")
    if not browser:
        print("NO PICTURE OF THE REPORT: there is no Chromium on this machine")
        return
    line = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    with tempfile.TemporaryDirectory() as profile:
        line += [f"--user-data-dir={profile}", "--window-size=500,1000", f"--screenshot={HERE / 'report.png'}"]
        subprocess.run([*line, page.as_uri()], check=True, capture_output=True)


def after(text: str, mark: str) -> str:
    """The command, and what it printed from `mark` on."""
    first, rest = text.split("\n", 1)
    return f"{first}\n...\n{rest[rest.index(mark) :]}"


def night(shown: dict[str, str]) -> None:
    """The zone with the witness is lost; three commands bring mail back."""
    with lab("night.yaml") as place:
        draw("status", place.type("status"))
        copy = ("--db", "DB1", "--server", "ExchangeNode2", "--mode", "full", "--comment", "my first runbook")
        shown["suspend"] = place.type("run", "copies-suspend", *copy, "--yes")
        run = re.findall(r"run (\w+\.1)", shown["suspend"])[-1]
        shown["undo"] = place.type("undo", run, "--yes")
        place.type("lab", "clock", "--advance", "12h")
        place.type("lab", "break", "az", "1a")
        place.type("lab", "clock", "--advance", "3m")
        assessed = place.type("assess")
        draw("assess", f"{assessed[: assessed.index('Proof:')]}...\n\n{assessed[assessed.rindex('plan  ') :]}")
        shown["assess"] = assessed
        plans = json.loads(place.type("--format", "json", "plans").split("\n", 1)[1])
        plan = next(one["id"] for one in plans if one["runbook"] == "force-quorum")
        agreed = ("--ticket", "INC1234", "--approve", plan)
        shown["alone"] = after(place.type("apply", plan, *agreed, ends=4), "! refused")
        shown["approve"] = place.type("approve", plan, "--dag", "DAG", "--as", "oncall-b")
        back = place.type("apply", plan, *agreed)
        shown["apply"] = after(back, "approved  ").replace("...\napproved", "...\n  approved")
        draw("back", shown["apply"])
        shown["again"] = place.type("plan", "force-quorum", "--lost-site", "AZ1")
        shown["old-plan"] = after(place.type("apply", plan, *agreed, ends=4), "! refused")
        shown["failback-early"] = place.type("plan", "failback", "--site", "AZ1", ends=4)
        shown["last-one"] = place.type("run", "maintenance-start", "--server", "ExchangeNode2", "--yes", ends=4)
        place.type("report", f"{plan}.2", "--html", "night.html")
        photograph(Path(place.folder, "night.html").absolute())
        shown["audit"] = place.type("audit", "verify")


def blind(shown: dict[str, str]) -> None:
    """The zone is lost, and EC2 says nothing of it."""
    with lab("aws-2az-nodac") as place:
        place.type("lab", "clock", "--advance", "12h")
        place.type("lab", "break", "az", "1a", "ec2=api_down")
        place.type("lab", "clock", "--advance", "10m")
        shown["blind"] = after(place.type("assess"), "! force-quorum")
        seen = ("attest", "down", "ExchangeNode1", "--seen", "AWS case 1234567: no power in the rack")
        place.type(*seen, "--as", "oncall-a")
        shown["attest"] = place.type(*seen, "--as", "oncall-b")


def saturday(shown: dict[str, str]) -> None:
    """A server goes out of service and comes back; a second one may not follow."""
    with lab("pa-4x2") as place:
        start = ("run", "maintenance-start", "--comment", "new memory", "--yes", "--server")
        shown["out"] = place.type(*start, "EX3")
        shown["second"] = place.type(*start, "EX4", ends=4)
        shown["home"] = after(place.type("run", "maintenance-stop", "--server", "EX3", "--yes"), "changed ")


def main() -> None:
    """Everything, in about three minutes."""
    shown: dict[str, str] = {}
    night(shown)
    blind(shown)
    saturday(shown)
    paste(shown)


if __name__ == "__main__":
    main()
