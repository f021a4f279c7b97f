"""What holds for a whole invocation: where the inventory, the content and the state are, and how to print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from starover.errors import BadInventory
from starover_cli.console import Console
from starover_cli.prompt import TICKET
from starover_cli.room import Parts

__all__ = ["LAB_FOLDER", "STATE_FOLDER", "NoInventory", "Settings", "common", "settings_of"]

STATE_FOLDER = ".starover"
LAB_FOLDER = "lab"
"""The default lab of a directory lies in this folder of its state."""

_F = TypeVar("_F", bound=Callable[..., Any])


class NoInventory(BadInventory):
    """None was named, and none lies where one is looked for."""


@dataclass
class Settings:
    """The options that every command takes, wherever on the line they stood."""

    inventory: str = ""
    """The file named by `--inventory` or STAROVER_INVENTORY; empty: the lab of this directory, or ./inventory.yaml."""
    home: str = ""
    """Where `runbooks/` and `ps_templates/` are; empty: those that came with the tool."""
    format: Literal["human", "json"] = "human"
    dir: str = ""
    """The folder of state: plans, runs, the default lab."""
    ticket: str = ""
    reason: str = ""
    by: str = ""
    """Who does it, where that is no person at this machine: `job:patch-dag1`; empty: whoever is logged on."""
    dag: str = ""
    transport: Literal["", "psrp", "winrm", "ssm"] = ""
    """The only kind of road to take; empty: what the inventory says."""
    console: Console = field(default_factory=Console)
    parts: Parts = field(default_factory=Parts)
    """Where inventory, content, transport and clock come from; tests hand in others."""
    secrets: Callable[[], Sequence[str]] = tuple
    """Passwords that this process has been told, for whoever shows what went wrong."""

    @property
    def state(self) -> Path:
        """The folder where plans and runs are kept."""
        return Path(self.dir or STATE_FOLDER)

    @property
    def json(self) -> bool:
        """Whether a machine reads the result."""
        return self.format == "json"

    def inventory_file(self) -> Path:
        """The inventory to use. Raises `BadInventory` when there is none, and says how to get one."""
        if self.inventory:
            return Path(self.inventory)
        lab = self.state / LAB_FOLDER / "inventory.yaml"
        candidates = (lab, Path("inventory.yaml"), Path("inventory.yml"))
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise NoInventory(
            "there is no inventory: nothing says which servers are meant.",
            certain=[
                f"looked for {', '.join(candidate.as_posix() for candidate in candidates)}; nothing was contacted."
            ],
            next=[
                "starover lab up aws-2az-nodac --detach",
                "starover --inventory FILE status",
                "starover inventory schema",
            ],
        )


def settings_of(ctx: click.Context) -> Settings:
    """The settings of this invocation."""
    return ctx.ensure_object(Settings)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def keep(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value is not None:
            if name == "ticket" and not TICKET.fullmatch(value):
                raise click.BadParameter("a ticket is 1 to 64 letters, digits, dots, underscores, hyphens or #")
            setattr(settings_of(ctx), name, value)

    return keep


_OPTIONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "inventory",
        "FILE",
        "STAROVER_INVENTORY",
        "The estate; default: the lab of this directory, else ./inventory.yaml.",
    ),
    ("home", "DIR", "STAROVER_HOME", "Where runbooks/ and ps_templates/ are; default: those that came with the tool."),
    ("dir", "DIR", "STAROVER_DIR", f"Where plans and runs are kept; default: {STATE_FOLDER}"),
    ("dag", "NAME", "", "Which DAG, where the inventory has several."),
    ("ticket", "ID", "", "The change or incident this belongs to; goes into comments and the journal."),
    ("reason", "TEXT", "", "Why; goes into the journal."),
)


def common(*, shown: bool = False, record: bool = False, without: tuple[str, ...] = ()) -> Callable[[_F], _F]:
    """Adds the options of every command. They are listed by `starover --help`, elsewhere they are merely accepted;
    `record` lists ticket and reason too, where the journal keeps them.
    """

    def add(function: _F) -> _F:
        choice = click.Choice(["human", "json"])
        options = [
            click.option(
                "--transport",
                type=click.Choice(["psrp", "winrm", "ssm"]),
                default=None,
                expose_value=False,
                hidden=not shown,
                callback=_keep("transport"),
                help="The only kind of road to take; default: the inventory's, in its order.",
            ),
            click.option(
                "--format",
                type=choice,
                default=None,
                expose_value=False,
                hidden=not shown,
                callback=_keep("format"),
                help="For a person (default) or for a machine.",
            ),
        ]
        for name, metavar, variable, text in _OPTIONS:
            if name in without:
                continue
            options.append(
                click.option(
                    f"--{name}",
                    metavar=metavar,
                    default=None,
                    expose_value=False,
                    hidden=not shown and not (record and name in ("ticket", "reason")),
                    callback=_keep(name),
                    # The variable is read once, by the group: an option given there must not lose to it here.
                    envvar=variable if shown and variable else None,
                    help=text,
                )
            )
        for option in reversed(options):
            function = option(function)
        return function

    return add
