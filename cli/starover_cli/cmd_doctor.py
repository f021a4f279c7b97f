"""`doctor`: every road, right, name and credential proved before an emergency; reads, and changes nothing."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from starover.errors import StaroverError
from starover_cli.look import plain_where
from starover_cli.passes import Pass, passes
from starover_cli.report import heading
from starover_cli.room import Room
from starover_cli.settings import common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.error import exit_line
from starover_cli.views.head import first_line

if TYPE_CHECKING:
    from starover.events import Told
    from starover.runbook import Finding

__all__ = ["COMMANDS"]

BOOK = "access-check"
RECORDED = ("dag-status", "preflight")
"""What else a bundle holds: every reading of these."""


@dataclass
class _Timed:
    """How long the second answer of each host took: the first opens the host, the second Exchange's session."""

    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def tell(self, told: Told, /) -> None:
        """As `events.Sink`."""
        from starover.events import Answered

        if isinstance(told.event, Answered) and told.event.road != "aws":
            self.seconds.setdefault(told.event.host, []).append(told.event.seconds)


@click.command()
@click.option("--hosts", metavar="NAMES", default="all", show_default=True, help="All, or some by name: EX1,EX2.")
@click.option("--aws/--no-aws", default=True, help="Whether AWS is asked too.")
@click.option("--record", metavar="FILE", default="", help="Keep what every host answered in a file, passwords masked.")
@click.option("--exit-code", is_flag=True, help="Exit 1 when something is missing.")
@common()
@click.pass_context
def doctor(ctx: click.Context, hosts: str, aws: bool, record: str, exit_code: bool) -> int:
    """Prove every road, right and credential before you need them; reads only."""
    from starover.steps.access import RIGHTS, Hosts
    from starover_cli.views.doctor import doctor_text, doctor_verdict

    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room, heading(room), tempfile.TemporaryDirectory() as kept:
        chosen = {server.name for server in Hosts.parse(hosts).of(room.estate)}
        looks: dict[str, tuple[Finding, ...]] = {}
        seconds: dict[tuple[str, str], float] = {}
        kept_readings: list[object] = []
        for number, one in enumerate(passes(room.estate)):
            meant = [name for name in one.hosts if name in chosen]
            if not meant:
                continue
            folder = Path(kept) / str(number)
            timed = _Timed()
            looks[one.label] = _look(room, one, meant, folder, timed, aws=aws and not looks)
            seconds |= {(one.label, host): took[1] for host, took in timed.seconds.items() if len(took) > 1}
            if record:
                kept_readings += _recorded(room, one, folder, more=not number)
        if record:
            _write(room, Path(record), kept_readings)
        now = room.clock.now()
        wrong = [one for found in looks.values() for one in found if one.level != "ok"]
        code = int(bool(wrong) and exit_code)
        if settings.json:
            data: dict[str, object] = {"looks": looks, "verdict": doctor_verdict(looks), "record": record}
            data |= {"exit": code, "next": ()}
            settings.console.raw(machine.document(data))
        else:
            names = [server.name for server in room.estate.servers]
            width = settings.console.width
            parts = [first_line(plain_where(room.estate, room.dag_of(), now), width)]
            parts.append(doctor_text(looks, names, RIGHTS, seconds, width))
            if record:
                parts.append(f"What was answered is kept in {record}: passwords are masked, names are not.")
            settings.console.result("\n\n".join(parts))
    if code:
        settings.console.note(exit_line(code, "findings"))
    return code


def _look(room: Room, one: Pass, hosts: list[str], folder: Path, timed: _Timed, *, aws: bool) -> tuple[Finding, ...]:
    from starover.runbook import Findings
    from starover_cli.progress import Teller

    console = room.settings.console
    with contextlib.ExitStack() as open_:
        teller = Teller(console, simulated=room.estate.lab, json=False, eager=console.live)
        local = room.local([open_.enter_context(teller), timed], folder, estate=one.estate)
        value = local.plan(BOOK, {"hosts": ",".join(hosts), "aws": aws}).value
    found = value.findings if isinstance(value, Findings) else ()
    return tuple(not_elevated(one, folder) for one in found)


def not_elevated(one: Finding, folder: Path) -> Finding:
    """Who answers a host's first question without all rights of an administrator lacks a right that no cmdlet names."""
    import msgspec

    from starover.drivers.hosts import PLAIN
    from starover.journal import run_ids
    from starover_cli.bundle import readings

    if one.check != "hello" or one.level != "ok":
        return one
    told = [each for each in readings("", folder, run_ids(folder)) if each.host == one.on and PLAIN in each.warnings]
    return msgspec.structs.replace(one, level="fail", says=f"{one.says}: {PLAIN}") if told else one


def _recorded(room: Room, one: Pass, folder: Path, *, more: bool) -> list[object]:
    """The readings of a look; with the first one also those of everything that only looks at the DAG."""
    from starover.journal import run_ids
    from starover_cli.bundle import readings

    for book in RECORDED if more else ():
        for dag in room.estate.dags:
            with contextlib.suppress(StaroverError):  # what it could read by then is in its journal
                room.local((), folder, estate=one.estate).plan(book, {"dag": dag.name})
    return [*readings(one.label, folder, run_ids(folder))]


def _write(room: Room, file: Path, found: list[object]) -> None:
    import starover
    from starover_cli.plan_files import write_file

    about = {
        "starover": starover.__version__,
        "content": room.content.sha256,
        "estate": room.estate.name,
        "lab": room.estate.lab,
        "at": room.clock.now(),
        "readings": found,
    }
    write_file(file, machine.document(about).encode())


COMMANDS = (doctor,)
