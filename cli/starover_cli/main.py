"""The command `starover`: one group, its global options, what becomes of an error. Families have their own modules."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from starover.errors import Mistake, StaroverError
from starover_cli import (
    cmd_approve,
    cmd_assess,
    cmd_audit,
    cmd_do,
    cmd_doctor,
    cmd_drill,
    cmd_estate,
    cmd_job,
    cmd_lab,
    cmd_lease,
    cmd_look,
    cmd_prove,
    cmd_reconcile,
    cmd_report,
    cmd_rights,
    cmd_settle,
    cmd_team,
    cmd_watch,
)
from starover_cli.console import Console, let_go
from starover_cli.crash import write_crash
from starover_cli.settings import Settings, common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.error import error_data, error_text, exit_line
from starover_cli.wrong_usage import as_mistake, with_help

__all__ = ["main"]

NAME = "starover"
"""Also when started as `python -m`: what is printed can be typed."""
INTERRUPTED = 130


class Starover(click.Group):
    """The root group. Whatever goes wrong below ends here as one message and one exit code, never as a traceback."""

    def __call__(self, *args: Any, **extra: Any) -> Any:
        """The process itself calls it: it ends with the exit code of what was typed."""
        extra["standalone_mode"] = False
        leave(int(self.main(*args, **extra) or 0))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,  # noqa: ARG002 - it is always NAME
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = False,  # noqa: ARG002 - `--db *` is ours to understand, also in cmd.exe
        **extra: Any,
    ) -> Any:
        """Run and, in standalone mode, exit with the code of `design.md`."""
        settings = extra.setdefault("obj", Settings())
        given = list(sys.argv[1:] if args is None else args)
        code = self._guarded(given, settings, complete_var, extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def _guarded(self, given: list[str], settings: Settings, complete_var: str | None, extra: dict[str, Any]) -> int:
        console, streams = settings.console, (sys.stdout, sys.stderr)
        if "--format=json" in given or "json" in [b for a, b in itertools.pairwise(given) if a == "--format"]:
            settings.format = "json"  # so that even a wrong command line is answered in the form that was asked for
        try:
            value = super().main(given, NAME, complete_var, standalone_mode=False, windows_expand_args=False, **extra)
            console.flush()
        except click.UsageError as error:
            return _report(as_mistake(error), console, settings)
        except click.ClickException as error:
            return _report(Mistake(error.format_message()), console, settings)
        except StaroverError as error:
            return _report(with_help(error, given, self.commands), console, settings)
        except (click.Abort, KeyboardInterrupt):
            console.note(exit_line(INTERRUPTED))
            return INTERRUPTED
        except SystemExit:
            if sys.stdout is streams[0]:
                raise
            # click wraps both when whoever read its help has gone (`| head`), and leaves
            sys.stdout, sys.stderr = streams
            let_go(sys.stdout)
            return 0
        except Exception as error:  # a bug of ours: said in one sentence, kept in a file
            return _report(write_crash(error, settings.state, settings.secrets), console, settings)
        return value if isinstance(value, int) else 0


def leave(code: int) -> NoReturn:
    """End this process. What has loaded Temporal's client sometimes crashes while Python shuts down: it does not."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            let_go(stream)
    if "temporalio" in sys.modules:
        os._exit(code)
    sys.exit(code)


def _report(error: StaroverError, console: Console, settings: Settings) -> int:
    from starover.redact import Redactor

    hidden = Redactor(settings.secrets)  # what a host said may come here by ways that no engine has seen
    error = hidden.error(error)
    if settings.json:
        console.raw(hidden.json(machine.line(error_data(error)).encode()).decode())
    console.note(hidden.text(error_text(error, console.width)))
    return error.exit


@click.group(
    cls=Starover,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common(shown=True)
@click.version_option(package_name="starover", prog_name="starover", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> int:
    """Runbooks for Exchange DAGs: plan, prove, apply, verify."""
    if ctx.invoked_subcommand is None:
        return cmd_look.overview(settings_of(ctx))
    return 0


for _family in (
    cmd_look,
    cmd_assess,
    cmd_watch,
    cmd_do,
    cmd_approve,
    cmd_settle,
    cmd_lease,
    cmd_prove,
    cmd_audit,
    cmd_reconcile,
    cmd_report,
    cmd_estate,
    cmd_doctor,
    cmd_rights,
    cmd_drill,
    cmd_job,
    cmd_team,
    cmd_lab,
):
    for _command in _family.COMMANDS:
        main.add_command(_command)
