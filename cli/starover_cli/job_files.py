"""Where job files lie, and what is wrong with them before anything runs; contacts nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starover.errors import BadInventory, BadParameter, StaroverError
from starover.jobs import COMMAND, Job, read_job
from starover_cli import params
from starover_cli.prompt import BREAK_GLASS

if TYPE_CHECKING:
    from starover.runbook import AnyRunbook
    from starover_cli.room import Room

__all__ = ["bound", "folder_of", "lacks_certificate", "load_all", "load_job", "remarks"]


def folder_of(room: Room, named: str) -> Path:
    """`--jobs`, else the folder `jobs` here or beside the inventory. Raises `BadParameter` where there is none."""
    if named:
        if not Path(named).is_dir():
            raise BadParameter(f"--jobs {named}: there is no such folder", certain=("nothing was contacted",))
        return Path(named)
    candidates = [Path("jobs")]
    with contextlib.suppress(BadInventory):
        candidates.append(room.file.parent / "jobs")
    for one in candidates:
        if one.is_dir():
            return one
    raise BadParameter(
        "there are no jobs: a job is a file such as jobs/weekly-preflight.yaml",
        certain=(f"looked for {' and '.join(one.as_posix() for one in candidates)}; nothing was contacted",),
        next=("starover job list --jobs DIR", "docs/jobs.md has examples"),
    )


def load_job(folder: Path, name: str) -> Job:
    """One job. Raises `BadParameter` for a name without a file, `BadInventory` for what is wrong in it."""
    file = folder / f"{name}.yaml"
    if not file.is_file() or Path(name).name != name:
        there = ", ".join(sorted(one.stem for one in folder.glob("*.yaml"))) or "none"
        raise BadParameter(
            f"there is no job `{name}` in {folder}",
            certain=(f"there are: {there}", "nothing was contacted"),
            next=("starover job list",),
        )
    try:
        source = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInventory(f"{file} is not UTF-8: byte {error.start} cannot be read") from None
    return read_job(source, name, str(file))


def load_all(folder: Path) -> tuple[list[Job], list[StaroverError]]:
    """Every job of a folder by name, and what is wrong with the others."""
    found: list[Job] = []
    broken: list[StaroverError] = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            found.append(load_job(folder, file.stem))
        except StaroverError as error:
            broken.append(error)
    return found, broken


def bound(room: Room, job: Job) -> tuple[AnyRunbook, dict[str, tuple[str, ...]]]:
    """The job's runbook and parameters as the command line takes them, found right for this estate.

    Raises `BadParameter` and `BadInventory` in the words of `starover plan`.
    """
    runbook = room.content.runbook(job.runbook)
    known = {one.option.removeprefix("--"): one.name for one in runbook.parameters}
    # A person's word is given by a person, in the night it is about: never by a file.
    words = [key for key in job.parameters if known.get(key) in (BREAK_GLASS, params.CERTIFIED)]
    if words:
        raise BadParameter(
            f"the job {job.name} gives {', '.join(words)}: nobody is there to give such a word",
            certain=("nothing was contacted",),
            next=(f"starover plan {job.runbook}   by somebody who can",),
        )
    unknown = [key for key in job.parameters if key not in known or known[key] in params.FROM_SETTINGS]
    if unknown:
        raise BadParameter(
            f"the job {job.name} gives {', '.join(unknown)}, which {job.runbook} does not take",
            certain=(f"it takes: {', '.join(known)}", "nothing was contacted"),
            next=(f"starover runbooks show {job.runbook}",),
        )
    values = {known[key]: value for key, value in job.parameters.items()}
    settings = room.settings
    given = params.understood(runbook, params.typed(runbook, values, settings), room.estate)
    runbook.bind(given, room.estate)
    return runbook, values


def lacks_certificate(room: Room, job: Job) -> bool:
    """Whether its runbook changes nothing on LIVE unless somebody wants it though it has no certificate."""
    from starover.certificates import is_experimental
    from starover.step import Risk

    risk = room.content.runbook(job.runbook).risk
    rough = not room.estate.lab and risk is not Risk.READ and is_experimental(room.content, job.runbook)
    return rough and not job.experimental


def remarks(room: Room, job: Job) -> Sequence[str]:
    """What a person should know of a job that is right."""
    from starover.step import Risk

    if job.runbook == COMMAND:
        return ()
    danger = room.content.runbook(job.runbook).risk
    said: list[str] = []
    if danger.rank >= Risk.DATA.rank:
        waits = "where its plan does, the job ends with exit 4 and waits for a person"
        said.append(f"{job.runbook} can reach danger {danger.value}: {waits}")
    if lacks_certificate(room, job):
        said.append(
            f"{job.runbook} is experimental: on LIVE it changes nothing unless the job says `experimental: true`"
        )
    return said
