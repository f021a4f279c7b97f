"""`plan NAME` and `run NAME`: every runbook as a command whose options are its parameters; runs nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from starover_cli import params
from starover_cli.settings import common, settings_of

if TYPE_CHECKING:
    from starover.content import Content
    from starover.runbook import AnyRunbook

__all__ = ["RunbookGroup"]


def _content(ctx: click.Context) -> Content:
    """The home's content, loaded once in an invocation: help asks for every runbook in it."""
    settings = settings_of(ctx)
    key = f"starover.content {settings.home}"
    if key not in ctx.meta:
        ctx.meta[key] = settings.parts.content(settings)
    content: Content = ctx.meta[key]
    return content


class RunbookGroup(click.Group):
    """A group whose commands are the runbooks of the content; made anew for each invocation."""

    act: Callable[..., int]
    """Called as `act(settings, runbook, values, **flags)`."""
    flags: Mapping[str, Callable[[click.Command], click.Command]] = {}
    """Options that every runbook gets, by name, unless it has a parameter of that name itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every runbook by name."""
        return sorted(_content(ctx).runbooks)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The runbook as a command. Raises `BadParameter`, with near matches, for one that there is not."""
        return self._command(_content(ctx).runbook(cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but `--home` counts also where it stands behind the runbook's name."""
        for position, word in enumerate(args):
            if word == "--home" and position + 1 < len(args):
                settings_of(ctx).home = args[position + 1]
            elif word.startswith("--home="):
                settings_of(ctx).home = word.partition("=")[2]
        return super().resolve_command(ctx, args)

    def _command(self, runbook: AnyRunbook) -> click.Command:
        names = {one.name for one in runbook.parameters}

        @click.pass_context
        def callback(ctx: click.Context, /, **values: Any) -> int:
            given = {name: value for name, value in values.items() if name in names}
            flags = {name: value for name, value in values.items() if name not in names}
            return self.act(settings_of(ctx), runbook, given, **flags)

        made: list[click.Parameter] = list(params.options(runbook))
        command = click.Command(
            runbook.name,
            callback=callback,
            help=runbook.about,
            short_help=runbook.summary,
            params=made,
            context_settings={"max_content_width": 100},
        )
        for name, flag in self.flags.items():
            if name not in names:
                command = flag(command)
        return common(record=True)(command)
