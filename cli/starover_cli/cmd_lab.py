"""`lab`: a twin of Windows, Exchange and AWS on loopback, as a process of its own; here it is only talked to."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from starover.errors import BadParameter
from starover_cli import lab_process
from starover_cli.lab_client import FILE, Lab, LabGone
from starover_cli.settings import LAB_FOLDER, STATE_FOLDER, Settings, common, settings_of
from starover_cli.views import json as machine
from starover_cli.views import lab as view

__all__ = ["COMMANDS"]

_F = TypeVar("_F", bound=Callable[..., int])


@click.group()
@common(without=("dir",))
def lab() -> None:
    """A lab of Windows servers on loopback: up, down, status, state, events, clock, break, mend."""


def _placed(function: _F) -> _F:
    option = click.option(
        "--dir",
        "folder",
        metavar="DIR",
        default="",
        help=f"Where the lab's files lie; default: {STATE_FOLDER}/{LAB_FOLDER}",
    )
    return option(common(without=("dir",))(function))


def _folder(settings: Settings, given: str) -> Path:
    """The lab's folder: as given, else beside the inventory that was named, else the default of this directory."""
    if given:
        return Path(given)
    beside = Path(settings.inventory).parent if settings.inventory else None
    return beside if beside is not None and (beside / FILE).is_file() else settings.state / LAB_FOLDER


@lab.command()
@click.argument("topology", metavar="TOPOLOGY|FILE")
@click.option("--detach", "-d", is_flag=True, help="Leave it running and come back; end it with `starover lab down`.")
@click.option("--flag", "flags", metavar="NAME", multiple=True, help="A flag of the topology, such as dag.")
@click.option("--seed", metavar="N", type=int, default=None, help="Another chance than the topology's.")
@click.option("--speed", metavar="X", type=float, default=None, help="Simulated seconds a real one while nobody waits.")
@_placed
@click.pass_context
def up(
    ctx: click.Context,
    topology: str,
    detach: bool,
    flags: tuple[str, ...],
    seed: int | None,
    speed: float | None,
    folder: str,
) -> int:
    """Start a lab: a topology that comes with it (aws-2az, aws-2az-nodac, pa-4x2), or a file of your own."""
    settings = settings_of(ctx)
    where = Path(folder) if folder else settings.state / LAB_FOLDER
    options = [word for flag in flags for word in ("--flag", flag)]
    options += ["--seed", str(seed)] if seed is not None else []
    options += ["--speed", str(speed)] if speed is not None else []
    process, started, seconds = lab_process.start(topology, where, options)
    default = where == Path(STATE_FOLDER) / LAB_FOLDER
    found = settings.parts.estate(Settings(inventory=str(where / "inventory.yaml")))[0]
    if settings.json:
        about = {
            "lab": started.about["name"],
            "pid": started.pid,
            "dir": where.as_posix(),
            "hosts": started.about["hosts"],
            "aws": started.about["aws"],
        }
        settings.console.raw(machine.document({**about, "inventory": (where / "inventory.yaml").as_posix()}))
    else:
        settings.console.result(
            view.up_text(
                found,
                seconds,
                folder="" if default else where.as_posix(),
                detached=detach,
                aws=started.about["aws"]["url"],
            )
        )
    if detach:
        return 0
    try:
        # Whoever ends us politely ends the lab as well: it would go on without us otherwise.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        code = lab_process.await_end(process)
    except KeyboardInterrupt:
        with contextlib.suppress(LabGone):
            lab_process.stop(started)
        settings.console.note("lab   put away")
        return 0
    if code:
        raise LabGone(
            f"the lab ended by itself with {code}.", next=[f"look into {(where / lab_process.LOG).as_posix()}"]
        )
    return 0


@lab.command()
@_placed
@click.pass_context
def down(ctx: click.Context, folder: str) -> int:
    """Put the lab away."""
    settings = settings_of(ctx)
    found = Lab.at(_folder(settings, folder))
    name = str(found.about.get("name", ""))
    ran = lab_process.put_away(found)
    if settings.json:
        settings.console.raw(machine.document({"lab": name, "state": "down", "ran": ran}))
    elif ran:
        settings.console.result(f"lab   {name} is put away; nothing of it is left")
    else:
        settings.console.result(f"lab   {name} was not running any more; what it had left is put away")
    return 0


@lab.command()
@_placed
@click.pass_context
def status(ctx: click.Context, folder: str) -> int:
    """Whether it runs, its time, its hosts and what is broken."""
    settings = settings_of(ctx)
    found = Lab.at(_folder(settings, folder)).get("status")
    if settings.json:
        settings.console.raw(machine.document(found))
    else:
        settings.console.result(view.status_text(view.said(found, view.LabStatus), settings.console.width))
    return 0


@lab.command()
@_placed
@click.pass_context
def state(ctx: click.Context, folder: str) -> int:
    """The whole simulated world, as JSON."""
    settings = settings_of(ctx)
    settings.console.raw(machine.document(Lab.at(_folder(settings, folder)).get("state")["state"]))
    return 0


@lab.command()
@click.option("--after", metavar="N", type=int, default=0, help="Only what came after event number N.")
@click.option("--kind", metavar="KIND", default="", help="Only events of this kind.")
@_placed
@click.pass_context
def events(ctx: click.Context, folder: str, after: int, kind: str) -> int:
    """What happened in the world, oldest first."""
    settings = settings_of(ctx)
    found = Lab.at(_folder(settings, folder)).get("events", after=after, kind=kind)["events"]
    if settings.json:
        for one in found:
            settings.console.raw(machine.line(one))
    else:
        settings.console.result(view.events_text(view.said(found, list[view.LabEvent]), settings.console.width))
    return 0


@lab.command()
@click.option("--advance", metavar="DURATION", default="", help="Move it: 90s, 10m, 1h, 2d.")
@click.option("--until", metavar="TIME", default="", help="Move it to a time, such as 2026-11-20T15:00:00.")
@click.option("--speed", metavar="X", type=float, default=None, help="Simulated seconds a real one; 0: it stands.")
@_placed
@click.pass_context
def clock(ctx: click.Context, folder: str, advance: str, until: str, speed: float | None) -> int:
    """The simulated time; with options, move it."""
    settings = settings_of(ctx)
    found = Lab.at(_folder(settings, folder))
    if advance and until:
        raise BadParameter("--advance and --until exclude each other", certain=["nothing was moved."])
    said = found.get("clock")
    if speed is not None:
        said = found.post("clock/speed", {"speed": speed})
    if advance:
        said = found.post("clock/advance", {"seconds": _seconds(advance)})
    if until:
        said = found.post("clock/advance", {"until": _time(until).isoformat()})
    if settings.json:
        settings.console.raw(machine.document(said))
    else:
        settings.console.result(view.clock_text(view.said(said, view.LabClockSays)))
    return 0


def _seconds(text: str) -> float:
    from starover.parameters import duration

    try:
        return duration(text).total_seconds()
    except ValueError as error:
        raise BadParameter(f"--advance {text}: {error}", certain=["nothing was moved."]) from None


def _time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameter(
            f"--until {text}: a time is written 2026-11-20T15:00:00", certain=["nothing was moved."]
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


@lab.command("break")
@click.argument("kind", required=False, default="")
@click.argument("target", required=False, default="")
@click.argument("params", nargs=-1, metavar="[NAME=VALUE]...")
@_placed
@click.pass_context
def break_(ctx: click.Context, folder: str, kind: str, target: str, params: tuple[str, ...]) -> int:
    """Break something: `break az 1a`, `break host_off EX1`. Without a kind: what can be broken."""
    settings = settings_of(ctx)
    found = Lab.at(_folder(settings, folder))
    if not kind:
        kinds = found.get("kinds")["kinds"]
        if settings.json:
            settings.console.raw(machine.document({"kinds": kinds}))
        else:
            settings.console.result(view.kinds_text(view.said(kinds, list[view.LabKind]), settings.console.width))
        return 0
    if "=" in target:
        target, params = "", (target, *params)
    given = dict(_pair(text) for text in params)
    number = found.post("break", {"kind": kind, "target": target, "params": given})["number"]
    return _broken(settings, found, [number], "broken")


@lab.command()
@click.argument("what", required=False, default="", metavar="[NUMBER|KIND]")
@click.argument("target", required=False, default="")
@_placed
@click.pass_context
def mend(ctx: click.Context, folder: str, what: str, target: str) -> int:
    """Mend a fault by its number, or all of a kind, or (without a word) all."""
    settings = settings_of(ctx)
    found = Lab.at(_folder(settings, folder))
    body: dict[str, object] = {"number": int(what)} if what.isdecimal() else {"kind": what, "target": target}
    numbers = found.post("mend", body)["numbers"]
    return _broken(settings, found, numbers, "mended")


def _broken(settings: Settings, found: Lab, numbers: list[int], word: str) -> int:
    in_force = found.get("faults")["faults"]
    if settings.json:
        settings.console.raw(machine.document({word: numbers, "faults": in_force}))
    else:
        settings.console.result(view.faults_text(numbers, word, view.said(in_force, list[view.LabFault])))
    return 0


def _pair(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadParameter(f"{text} is not NAME=VALUE", certain=["nothing was broken."])
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return name, kind(value)
    return name, value


COMMANDS = (lab,)
