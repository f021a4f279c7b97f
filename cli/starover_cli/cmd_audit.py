"""`audit`: whether the record is as it was written, evidence of it, and copies of it elsewhere; contacts no host."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from starover.errors import BadParameter
from starover_cli.room import SIGNING_KEY, Room, signer
from starover_cli.settings import common, settings_of
from starover_cli.since import since
from starover_cli.views import json as machine
from starover_cli.views.error import exit_line

__all__ = ["COMMANDS"]


@click.group()
@common()
def audit() -> None:
    """The record itself: verify, export, ship."""


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


@audit.command("export")
@click.option("--from", "start", metavar="WHEN", required=True, help="friday, yesterday, 7d, 2026-11-20")
@click.option("--to", "end", metavar="WHEN", default="", help="The same; a day counts whole. Default: until now.")
@click.option("--out", metavar="DIR", default="", help="The folder to write; default: evidence-FROM-TO")
@common()
@click.pass_context
def audit_export(ctx: click.Context, start: str, end: str, out: str) -> int:
    """Evidence of what was done in a time: plans, approvals, scripts, receipts, outcomes, and what proves them.

    The folder needs nothing of starover any more: python3 -I verify.py in it checks all of it, offline.
    """
    from starover.evidence import export
    from starover_cli.views.audit import bundle_text

    settings = settings_of(ctx)
    first, last = _span(start, end)
    until = last - timedelta(seconds=1) if end else datetime.now().astimezone()
    folder = Path(out or f"evidence-{first:%Y%m%d}-{until:%Y%m%d}")
    sign = signer(os.environ.get(SIGNING_KEY, ""))
    made = export(settings.state, folder, first, last, sign)
    bad = bool(made.left_out)
    if settings.json:
        data = {
            "folder": made.folder.as_posix(),
            "runs": made.runs,
            "scripts": made.scripts,
            "signed": not made.unsigned,
            "left_out": made.left_out,
            "exit": int(bad),
        }
        settings.console.raw(machine.document(data))
    else:
        settings.console.result(bundle_text(made, settings.console.width))
    if bad:
        settings.console.note(exit_line(1))
    return int(bad)


@audit.command("ship")
@click.option("--seconds", metavar="N", type=click.FloatRange(min=1), default=600.0, help="Give up after so long.")
@common()
@click.pass_context
def audit_ship(ctx: click.Context, seconds: float) -> int:
    """Hand over what CloudWatch Logs and S3 do not have yet, as `audit:` of the inventory names them."""
    from starover_cli.shipping import hand_over, line_of

    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room:
        told = hand_over(room, seconds)
    code = 1 if any(one.altered for one in told) else 6 if any(one.error for one in told) else 0
    if settings.json:
        settings.console.raw(machine.document({"sinks": told, "exit": code}))
    elif not told:
        settings.console.result("The inventory names no place for copies: `audit: {log_group: ..., bucket: ...}`.")
    else:
        settings.console.result("\n".join(line_of(one) for one in told))
    if code:
        settings.console.note(exit_line(code))
    return code


def _span(start: str, end: str) -> tuple[datetime, datetime]:
    """From the beginning of the one to the end of the other. Raises `BadParameter`."""
    now = datetime.now().astimezone()
    first = since(start, now)
    if not end:
        return first, datetime.max.replace(tzinfo=UTC)
    last = since(end, now)
    whole_day = (last.hour, last.minute, last.second, last.microsecond) == (0, 0, 0, 0)
    last = last + timedelta(days=1) if whole_day else last
    if last <= first:
        raise BadParameter(f"--to {end} is not after --from {start}", certain=("nothing was written",))
    return first, last


COMMANDS = (audit,)
