"""What somebody asks for in a chat, as data: words in, an ask or a clear mistake out; knows no chat and no estate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import click
from starover_cli.prompt import TICKET
from starover_cli.wrong_usage import as_mistake

from starover.errors import BadParameter

__all__ = [
    "Apply",
    "Approve",
    "Ask",
    "Assess",
    "Cancel",
    "Drop",
    "Help",
    "Plan",
    "Report",
    "Resume",
    "Runs",
    "Scripts",
    "Status",
    "read",
    "split",
]

NAME = "/starover"
_PLAN = re.compile(r"[0-9a-fA-F]{4,64}")
_RUN = re.compile(r"[0-9a-fA-F]{4,64}(\.[0-9]{1,6})?")
_OURS = ("--inventory", "--home", "--dir", "--format", "--transport", "--break-glass", "--certified-by")
"""Options of the command line that are no business of a chat: whoever runs the bot has answered them."""


@dataclass(frozen=True)
class Help:
    """What may I do?"""


@dataclass(frozen=True)
class Status:
    """The map."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assess:
    """What is wrong, what is safe, and the plan that mends it."""

    lost_site: tuple[str, ...] = ()
    lost_server: tuple[str, ...] = ()
    dag: str = ""


@dataclass(frozen=True)
class Plan:
    """What a runbook would change."""

    words: tuple[str, ...]
    """The runbook and its options, as on the command line; empty: which are there?"""


@dataclass(frozen=True)
class Apply:
    """Do what a plan says."""

    plan: str
    ticket: str = ""
    accept: tuple[str, ...] = ()
    approve: str = ""
    """The plan's id typed again, where it may lose mail or split the brain."""
    card: str = ""
    """The card whose button was pressed; empty: it was typed."""
    experimental: bool = False
    """A runbook without a certificate may be used on LIVE."""


@dataclass(frozen=True)
class Approve:
    """Agree to a plan as the second person."""

    plan: str
    dag: str = ""
    """The DAG's name, typed."""
    card: str = ""


@dataclass(frozen=True)
class Runs:
    """What was done; of one run its page."""

    run: str = ""


@dataclass(frozen=True)
class Cancel:
    """Stop a run after the steps under way, or drop a plan."""

    what: str


@dataclass(frozen=True)
class Report:
    """The page of a run, as a file."""

    run: str


@dataclass(frozen=True)
class Resume:
    """Go on with a run that was cut off or stopped."""

    run: str


@dataclass(frozen=True)
class Scripts:
    """Every script that a plan would send."""

    card: str


@dataclass(frozen=True)
class Drop:
    """Put a card away."""

    card: str


Ask: TypeAlias = Help | Status | Assess | Plan | Apply | Approve | Runs | Cancel | Report | Resume | Scripts | Drop


def split(text: str) -> list[str]:
    r"""The words of a line. Quotes group; a backslash is itself, so that `DB01\EX4` is a copy.

    A single quote within a word is an apostrophe. Raises `BadParameter` for a quote that is not closed.
    """
    words: list[str] = []
    word, quote, open_ = "", "", False
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character == '"' or (character == "'" and (not open_ or word.endswith("="))):
            quote, open_ = character, True
        elif character.isspace():
            if open_:
                words.append(word)
            word, open_ = "", False
        else:
            word, open_ = word + character, True
    if quote:
        raise BadParameter(f"a quote ({quote}) is not closed", certain=("nothing was contacted",))
    return [*words, word] if open_ else words


def read(text: str) -> Ask:
    """What is asked for. Raises `BadParameter`."""
    words = split(text)
    for word in words:
        if word.partition("=")[0] in _OURS:
            raise BadParameter(
                f"{word.partition('=')[0]} is not for a chat",
                certain=("nothing was contacted",),
                next=("starover help",),
            )
    if not words or words[0] in ("help", "--help", "-h", "?"):
        return Help()
    if words[0] == "plan":
        return Plan(tuple(words[1:]))  # a runbook's own options are read where its content is
    try:
        ask = _group.main(words, NAME, standalone_mode=False)
    except click.UsageError as error:
        raise as_mistake(error) from None
    except click.ClickException as error:
        raise BadParameter(error.format_message()) from None
    assert isinstance(ask, _KINDS)
    return ask


def _plan_id(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """A plan by id: files of the bot's machine are not for a chat."""
    if not _PLAN.fullmatch(value):
        raise click.BadParameter("a plan is named by its id, such as 9d20e6f4")
    return value


def _run_id(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value and not _RUN.fullmatch(value):
        raise click.BadParameter("a run is named by its id, such as 9d20e6f4.1")
    return value


_KINDS = (Help, Status, Assess, Apply, Approve, Runs, Cancel, Report, Resume)
_PLAIN = {"add_help_option": False}


@click.group(add_help_option=False)
def _group() -> None:
    """Runbooks for Exchange DAGs, in chat."""


@_group.command(**_PLAIN)
@click.option("--dag", metavar="NAME", default="")
def status(dag: str) -> Ask:
    """The DAG as a map."""
    return Status(("--dag", dag) if dag else ())


@_group.command(**_PLAIN)
@click.option("--lost-site", multiple=True)
@click.option("--lost-server", multiple=True)
@click.option("--dag", metavar="NAME", default="")
def assess(lost_site: tuple[str, ...], lost_server: tuple[str, ...], dag: str) -> Ask:
    """What is wrong, and the plan to mend it."""
    return Assess(lost_site, lost_server, dag)


@_group.command(**_PLAIN)
@click.argument("plan_id", metavar="ID", callback=_plan_id)
@click.option("--ticket", metavar="ID", default="")
@click.option("--accept-data-loss", "accept", metavar="DB=LOGS", multiple=True)
@click.option("--approve", metavar="ID", default="")
@click.option("--experimental", is_flag=True)
def apply(plan_id: str, ticket: str, accept: tuple[str, ...], approve: str, experimental: bool) -> Ask:
    """Do what a plan says."""
    if ticket and not TICKET.fullmatch(ticket):
        raise click.BadParameter("a ticket is 1 to 64 letters, digits, dots, underscores, hyphens or #")
    return Apply(plan_id, ticket, accept, approve, experimental=experimental)


@_group.command("approve", **_PLAIN)
@click.argument("plan_id", metavar="ID", callback=_plan_id)
@click.option("--dag", metavar="NAME", default="")
def _approve(plan_id: str, dag: str) -> Ask:
    """Agree to it as the second person."""
    return Approve(plan_id, dag)


@_group.command(**_PLAIN)
@click.argument("run", default="", callback=_run_id)
def runs(run: str) -> Ask:
    """What was done."""
    return Runs(run)


@_group.command(**_PLAIN)
@click.argument("what", metavar="RUN|PLAN", callback=_run_id)
def cancel(what: str) -> Ask:
    """Stop a run after its step, or drop a plan."""
    return Cancel(what)


@_group.command(**_PLAIN)
@click.argument("run", callback=_run_id)
def report(run: str) -> Ask:
    """A run's page as a file."""
    return Report(run)


@_group.command(**_PLAIN)
@click.argument("run", callback=_run_id)
def resume(run: str) -> Ask:
    """Go on with a run that was cut off."""
    return Resume(run)
