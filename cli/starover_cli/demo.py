"""What `make demo` runs: a DAG is built, a zone is lost, mail comes back; typed as by a person, knows no insides."""

from __future__ import annotations

import json
import shutil
import subprocess  # the demo types what a person would type
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from starover.child_environment import for_ourselves

__all__ = ["PAGE", "STAROVER", "STORY", "Scene", "main"]

STAROVER = (sys.executable, "-m", "starover_cli")
PAGE = Path("build", "night.html")
"""Where the page about the night is kept, below the folder in which the demo was started."""


@dataclass(frozen=True)
class Scene:
    """One command, and what is said before it."""

    command: str
    """As it is typed behind `starover`; `{plan}` is the plan that assess made, `{page}` the page's file."""
    words: str = ""
    ends: int = 0
    """The exit code that is right here: a refusal is no accident of the demo."""


STORY = (
    Scene(
        "lab up aws-2az --detach", "Two Exchange servers on AWS, a zone each, and no DAG: a lab of them comes up here."
    ),
    Scene(
        "run dag-create --dag DAG --witness-server FileServer --alternate-witness-server FileServer3"
        " --members ExchangeNode1,ExchangeNode2 --yes",
        "Build the DAG. Its witness goes where AWS's guide has it: beside the first server; an alternate one is ready.",
    ),
    Scene(
        "run copies-add --copy DB1=ExchangeNode2,pref=2 --copy DB2=ExchangeNode1,pref=2 --yes",
        "Each database gets a copy in the other zone.",
    ),
    Scene("status --dag DAG", "How is it? Mail is up, with a weak spot that is named."),
    Scene("lab clock --advance 8h", "Friday goes by."),
    Scene("lab break az 1a", "In the night an Availability Zone is lost: a server, the witness and a DC with it."),
    Scene("lab clock --advance 3m", "The phone rings."),
    Scene("status --dag DAG", "What is left?"),
    Scene(
        "assess --dag DAG",
        "First of three commands to mail: what is certain, what is not, what it costs, the proof, and a plan.",
    ),
    Scene("apply {plan} --ticket INC1234 --approve {plan}", "Alone one cannot: this may split the brain.", ends=4),
    Scene(
        "approve {plan} --dag DAG --as oncall-b", "Second: somebody else reads what it stops and forces, and agrees."
    ),
    Scene(
        "apply {plan} --ticket INC1234 --approve {plan}",
        "Third: the lost server is stopped and seen stopped, then quorum is forced, then mail comes back.",
    ),
    Scene("plan force-quorum --dag DAG --lost-site AZ1", "The same again has nothing to do."),
    Scene("report {plan}.2 --html {page}", "For the morning: the night on one page."),
    Scene("audit verify", "And is the record whole?"),
    Scene("lab down", "Put everything away."),
)


def main() -> int:
    """Play the story in a folder of its own, keep its page; 0, or 1 with the command that did not end as it should."""
    page = PAGE.absolute()
    page.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="starover-demo-"))
    well = False
    try:
        well = all(_played(scene, folder, page) for scene in STORY)
    finally:  # also after Ctrl-C: no lab is left running
        if not well:
            _type(["lab", "down"], folder)
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if well else 1


def _played(scene: Scene, folder: Path, page: Path) -> bool:
    """Type the scene's command; whether it ended as it should."""
    if scene.words:
        _say(f"\n# {scene.words}")
    words = _filled(scene.command, folder, page)
    _say("$ starover " + " ".join(f'"{word}"' if " " in word else word for word in words))
    code = _type(words, folder)
    if code != scene.ends:
        _say(f"\nThe demo stops: that ended with {code}, and should have ended with {scene.ends}.")
    return code == scene.ends


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a story is told on stdout


def _type(words: list[str], folder: Path) -> int:
    line = [*STAROVER, *words]
    return subprocess.run(line, cwd=folder, env=for_ourselves(), check=False).returncode  # noqa: S603 - our own words


def _filled(command: str, folder: Path, page: Path) -> list[str]:
    """The command's words, with what only the run knows: the plan that assess made, and the page's file."""
    plan = ""
    if "{plan}" in command:
        asked = subprocess.run(  # noqa: S603 - our own command line, words of our own
            [*STAROVER, "--format", "json", "plans"], cwd=folder, env=for_ourselves(), capture_output=True, check=True
        )
        # The newest stands first, and the first that was made is the one that assess saved and two people agreed to.
        plan = [one["id"] for one in json.loads(asked.stdout) if one["runbook"] == "force-quorum"][-1]
    return [word.replace("{plan}", plan).replace("{page}", str(page)) for word in command.split()]


if __name__ == "__main__":
    raise SystemExit(main())
