"""What a chat can look at: map, assessment, runs, the page of a run; changes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from starover_cli import cmd_look, cmd_prove, cmd_report

from starover.errors import StaroverError
from starover_bot.asks import Assess, Runs, Status
from starover_bot.bench import Bench, Heard, error_card
from starover_bot.cards import Card, Part, in_chat, short
from starover_bot.rooms import WIDTH, ChatRoom, kept_of

if TYPE_CHECKING:
    import click
    from starover_cli.settings import Settings

__all__ = ["assess", "attach_report", "report", "runs", "status"]


def status(bench: Bench, room: ChatRoom, heard: Heard, ask: Status) -> None:
    """The map."""
    said = _typed(cmd_look.status, ask.words, room.settings)
    bench.post(heard, _titled(in_chat(said)))


def assess(bench: Bench, room: ChatRoom, heard: Heard, ask: Assess) -> None:
    """What is wrong, what is safe; then the card of the plan that mends it."""
    from starover_cli.cmd_assess import look, plan_of
    from starover_cli.views.assess import assess_text

    from starover_bot.planning import post_plan

    room.settings.dag = ask.dag
    page, drawn, said = look(room, {"lost_site": [*ask.lost_site], "lost_server": [*ask.lost_server]})
    bench.post(heard, _titled(assess_text(page, drawn, WIDTH)))
    if not page.runbook:
        return
    try:
        made = plan_of(room, page, said)
    except StaroverError as error:
        bench.post(heard, error_card(error))
        return
    post_plan(bench, room, heard, made, drawn)


def runs(bench: Bench, room: ChatRoom, heard: Heard, ask: Runs) -> None:
    """The list, or one run's page."""
    said = _typed(cmd_prove.runs, ("show", ask.run) if ask.run else ("list",), room.settings)
    lines = said.split("\n")
    if not ask.run and len(lines) > 30:
        said = "\n".join([lines[0], f"... {len(lines) - 28} earlier", *lines[-27:]])
    bench.post(heard, short(f"run {ask.run}" if ask.run else "what was done", in_chat(said)))


def report(bench: Bench, room: ChatRoom, heard: Heard, run: str) -> None:
    """The page of a run, as a file: in its thread, where it has one."""
    from starover.journal import resolve, run_ids

    run = resolve(run, run_ids(room.settings.state), "run")
    leg = bench.ledger.leg_by_run(run)
    channel, thread = (leg.channel, leg.thread) if leg is not None else (heard.channel, "")
    attach_report(bench, room.settings, run, channel, thread)


def attach_report(bench: Bench, settings: Settings, run: str, channel: str, thread: str) -> None:
    """Attach it. Raises `NotTold`."""
    with tempfile.TemporaryDirectory(prefix="starover-") as folder:
        file = Path(folder) / "report.html"
        _typed(cmd_report.report, (run, "--html", str(file)), settings)
        data = file.read_bytes()
    bench.channel.attach(channel, thread, f"{run}.html", f"report of run {run}", data)


def _typed(command: click.Command, words: tuple[str, ...], settings: Settings) -> str:
    """What the command line prints for these words."""
    kept = kept_of(settings)
    before = len(kept.results)
    command.main([*words], command.name, standalone_mode=False, obj=settings)
    return "\n".join(kept.results[before:]).strip("\n")


def _titled(said: str) -> Card:
    """A screen whose first line says where it was."""
    head, _, rest = said.partition("\n")
    return Card(title=" ".join(head.split()), parts=(Part(rest.strip("\n")),))
