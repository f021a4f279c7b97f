"""`runbooks` and `inventory`: what can be done, and to what; contacts nothing."""

from __future__ import annotations

from pathlib import Path

import click

from starover.certificates import certificate
from starover.errors import BadParameter
from starover_cli import cmd_discover
from starover_cli.settings import common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.estate import broken_data, estate_text, runbook_data, runbook_text, runbooks_text

__all__ = ["COMMANDS"]


@click.group(invoke_without_command=True)
@common()
@click.pass_context
def runbooks(ctx: click.Context) -> int:
    """What can be done: list, show NAME."""
    return _list(ctx) if ctx.invoked_subcommand is None else 0


@runbooks.command("list")
@common()
@click.pass_context
def runbooks_list(ctx: click.Context) -> int:
    """Every runbook by folder, with its danger and its first sentence."""
    return _list(ctx)


def _list(ctx: click.Context) -> int:
    settings = settings_of(ctx)
    content = settings.parts.content(settings)
    if settings.json:
        books = [
            {**runbook_data(one, certificate(content, name)), "folder": content.folder_of(name)}
            for name, one in content.runbooks.items()
        ]
        settings.console.raw(machine.document([*books, *(broken_data(one) for one in content.broken)]))
    else:
        settings.console.result(runbooks_text(content, settings.console.width))
    return 0


@runbooks.command("show")
@click.argument("name")
@common()
@click.pass_context
def runbooks_show(ctx: click.Context, name: str) -> int:
    """One runbook: what it does, what it takes."""
    settings = settings_of(ctx)
    content = settings.parts.content(settings)
    one, tests = content.runbook(name), certificate(content, name)
    if settings.json:
        settings.console.raw(machine.document(runbook_data(one, tests)))
    else:
        settings.console.result(runbook_text(one, settings.console.width, tests))
    return 0


@click.group()
@common()
def inventory() -> None:
    """The estate's file: discover, diff, check, schema."""


@inventory.command("check")
@click.argument("file", required=False, metavar="[FILE]")
@common()
@click.pass_context
def inventory_check(ctx: click.Context, file: str | None) -> int:
    """Read an inventory and say everything that is wrong with it, with file and line; contacts nothing."""
    settings = settings_of(ctx)
    if file:
        settings.inventory = file
    estate, path = settings.parts.estate(settings)
    if settings.json:
        settings.console.raw(machine.document({"file": path.as_posix(), "ok": True, "estate": estate}))
    else:
        settings.console.result(estate_text(estate, path.as_posix(), settings.console.width))
    return 0


@inventory.command("schema")
@click.option("--to", metavar="FILE", default="", help="Write it there instead of printing it.")
@common()
@click.pass_context
def inventory_schema(ctx: click.Context, to: str) -> int:
    """The JSON Schema of an inventory, for an editor."""
    from starover.inventory import schema

    settings = settings_of(ctx)
    text = machine.document(schema())
    if not to:
        settings.console.raw(text)
        return 0
    try:
        Path(to).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BadParameter(f"{to} cannot be written: {error.strerror or error}") from None
    settings.console.note(f"schema written to {to}")
    return 0


for _command in cmd_discover.COMMANDS:
    inventory.add_command(_command)

COMMANDS = (runbooks, inventory)
