"""`rights`: what accounts need so that the runbooks work, and nothing more; prints it and contacts nothing."""

from __future__ import annotations

import re

import click

from starover.errors import BadParameter
from starover_cli.settings import common, settings_of
from starover_cli.views import json as machine

__all__ = ["COMMANDS"]

_TAG = re.compile(r"([A-Za-z0-9 _.:/=+@-]{1,128}?)=([A-Za-z0-9 _.:/=+@-]{0,256})")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,40}")
_reads = click.option("--reads", is_flag=True, help="For those who look and change nothing.")


@click.group()
@common()
def rights() -> None:
    """Least rights for the runbooks: exchange, iam."""


@rights.command("exchange")
@click.option("--group", metavar="NAME", default="starover", show_default=True, help="The role group's name.")
@_reads
@common()
@click.pass_context
def rights_exchange(ctx: click.Context, group: str, reads: bool) -> int:
    """A script that makes a role group of Exchange: the cmdlets and parameters that the templates name.

    For the Exchange Management Shell; read it first. Which built-in roles are the parents it asks the organization.
    """
    from starover.rights_roles import role_group_script

    if not _GROUP.fullmatch(group):
        raise BadParameter(
            f"--group {group[:60]}: letters, digits, spaces and hyphens, at most 41", certain=("nothing was contacted",)
        )
    settings = settings_of(ctx)
    text = role_group_script(settings.parts.content(settings).templates, group, reads=reads)
    settings.console.raw(machine.document({"script": text}) if settings.json else text.rstrip("\n"))
    return 0


@rights.command("iam")
@click.option(
    "--tag", metavar="KEY=VALUE", default="starover=managed", show_default=True, help="What may be changed bears it."
)
@click.option("--hosts", is_flag=True, help="For the role of the instances, beside AmazonSSMManagedInstanceCore.")
@_reads
@common()
@click.pass_context
def rights_iam(ctx: click.Context, tag: str, hosts: bool, reads: bool) -> int:
    """An IAM policy for whoever runs the tool: the calls that the runbooks make, for this inventory."""
    from starover.rights_aws import host_policy, tagged_kinds, tool_policy

    found = _TAG.fullmatch(tag)
    if found is None:
        raise BadParameter(f"--tag {tag[:60]} is no KEY=VALUE", certain=("nothing was contacted",))
    settings = settings_of(ctx)
    estate, _ = settings.parts.estate(settings)
    if hosts:
        settings.console.raw(machine.document(host_policy(estate)))
        return 0
    calls = settings.parts.content(settings).calls
    settings.console.raw(machine.document(tool_policy(calls, estate, (found[1], found[2]), reads=reads)))
    settings.console.note(f"tag what it may change with {found[0]}: {', '.join(tagged_kinds())}")
    return 0


COMMANDS = (rights,)
