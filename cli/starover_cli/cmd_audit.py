"""`audit`: whether the record is as it was written, what it proves, and where copies of it are; contacts no host."""

from __future__ import annotations

from pathlib import Path

import click

from starover_cli.settings import common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.error import exit_line

__all__ = ["COMMANDS"]


@click.group()
@common()
def audit() -> None:
    """The record itself: verify."""


@audit.command("verify")
@click.option(
    "--signers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Allowed signers, as ssh-keygen(1) has them: whose signatures count.",
)
@click.option(
    "--heads",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A copy of index/ that was kept elsewhere: every head in it must still be one here.",
)
@common()
@click.pass_context
def audit_verify(ctx: click.Context, signers: Path | None, heads: Path | None) -> int:
    """Whether every journal and plan kept here is as it was written; offline. Says what it could not check."""
    from starover.audit import check_folder
    from starover_cli.views.audit import audit_text

    settings = settings_of(ctx)
    checked = check_folder(settings.state, signers=signers, heads=heads)
    bad = any(not one.harmless for one in checked.findings)
    if settings.json:
        data = {
            "runs": checked.runs,
            "plans": checked.plans,
            "findings": checked.findings,
            "signed": dict(checked.signed),
            "unchecked": checked.unchecked,
            "ok": not bad,
            "exit": int(bad),
        }
        settings.console.raw(machine.document(data))
    else:
        settings.console.result(audit_text(checked, settings.state.as_posix(), settings.console.width))
    if bad:
        settings.console.note(exit_line(1))
    return int(bad)


COMMANDS = (audit,)
