"""`inventory discover` and `inventory diff`: the estate read from AWS and Active Directory; changes nothing there."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from starover.errors import BadInventory, BadParameter, StaroverError
from starover_cli.room import Room
from starover_cli.settings import NoInventory, Settings, common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.discovery import diff_text
from starover_cli.views.head import next_block

if TYPE_CHECKING:
    from starover.differences import Difference
    from starover.discovery import Directory
    from starover.estate import Estate
    from starover.yaml_lines import Tree

__all__ = ["COMMANDS"]

_CREDENTIAL = "env:EXCHANGE"


@dataclass
class _Written:
    """The inventory that there is, if there is one."""

    tree: dict[str, Tree]
    estate: Estate | None
    file: Path


@dataclass(frozen=True)
class _New:
    """What a person says of an inventory that does not exist yet."""

    name: str = ""
    region: str = ""
    domain: str = ""
    credential: str = ""


@dataclass
class _Result:
    tree: dict[str, Tree]
    differences: list[Difference]
    notes: tuple[str, ...]
    asked: str
    """Who told of Active Directory; empty: nobody."""
    servers: int


@click.command()
@click.option("--to", metavar="FILE", default="", help="Write it there instead of printing it; never over another.")
@click.option("--name", "called", metavar="NAME", default="", help="The estate's name, for a new inventory.")
@click.option("--region", metavar="REGION", default="", help="AWS region; default: the inventory's, else AWS's own.")
@click.option("--domain", metavar="NAME", default="", help="The domain of hosts that do not say theirs.")
@click.option(
    "--credential",
    metavar="REF",
    default="",
    help="With it a new inventory's servers are asked for the DAG: env:NAME, keyring:SERVICE, command:..., ticket.",
)
@common()
@click.pass_context
def discover(ctx: click.Context, to: str, called: str, region: str, domain: str, credential: str) -> int:
    """Draw an inventory from AWS and the DAG; what stands in the one you have is kept. Reads only."""
    from starover.differences import text_of

    settings = settings_of(ctx)
    if to and Path(to).exists():
        raise _there(to)
    written = _written(settings)
    result = _read(settings, written, _New(called, region, domain, credential))
    text = text_of(result.tree, _head(written, result), _remarks(result))
    text += _checked(text, Path(to).parent if to else written.file.parent)
    if to:
        try:
            with Path(to).open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError:
            raise _there(to) from None
        except OSError as error:
            raise BadParameter(f"{to} cannot be written: {error.strerror or error}") from None
    if settings.json:
        said: dict[str, object] = {"inventory": result.tree, "asked": result.asked, "notes": result.notes, "file": to}
        said["differences"] = result.differences
        settings.console.raw(machine.document(said))
    elif to:
        following = next_block([(f"starover inventory check {to}", "then read it")])
        settings.console.result(f"{result.servers} servers found; {to} is written.\n\n{following}")
    else:
        settings.console.result(text.rstrip("\n"))
    return 0


@click.command()
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--exit-code", is_flag=True, help="End with 3 when they differ.")
@common()
@click.pass_context
def diff(ctx: click.Context, file: str | None, exit_code: bool) -> int:
    """What AWS and the DAG say that the inventory does not, and the other way round. Reads only."""
    settings = settings_of(ctx)
    if file:
        settings.inventory = file
    written = _written(settings)
    if written.estate is None:
        settings.parts.estate(settings)  # says what is wrong, or that there is none
    result = _read(settings, written, _New())
    apart = [one for one in result.differences if one.kind != "unsaid"]
    if settings.json:
        said: dict[str, object] = {"file": written.file.as_posix(), "asked": result.asked, "notes": result.notes}
        said["differences"] = result.differences
        settings.console.raw(machine.document(said))
    else:
        asked = f"AWS and {result.asked} were asked" if result.asked else "only AWS was asked, not the DAG"
        head = f"{written.file.as_posix()}   {asked}"
        shown = diff_text(result.differences, result.notes, head, settings.console.width)
        settings.console.result(shown)
    return 3 if apart and exit_code else 0


def _written(settings: Settings) -> _Written:
    """The inventory there is. An empty default file is what the shell made for `> inventory.yaml`: there is none."""
    from starover.yaml_lines import parse

    try:
        file = settings.inventory_file()
        if not settings.inventory and file.stat().st_size == 0:
            return _Written({}, None, file)
    except NoInventory:
        return _Written({}, None, Path("inventory.yaml"))
    except OSError:
        pass  # what is wrong with it is said by who reads it
    estate, file = settings.parts.estate(settings)
    tree = parse(file.read_text(encoding="utf-8-sig")).tree
    assert isinstance(tree, dict)
    return _Written(tree, estate, file)


def _read(settings: Settings, written: _Written, new: _New) -> _Result:
    """Ask AWS, then the directory by a server of what that gave, and put everything together."""
    from starover.differences import merged
    from starover.discovery import drawn
    from starover.estate import Estate as Made
    from starover.transport.aws import AwsCalls
    from starover_cli.discovering import read_cloud

    estate = written.estate or Made(name="new")
    estate = msgspec.structs.replace(estate, region=new.region or estate.region)
    domain = new.domain or estate.forest.name

    def told(what: str) -> None:
        if settings.console.live and not settings.json:
            settings.console.note(f"reading {what}")

    caller = AwsCalls(settings.parts.aws(estate, written.file))
    try:
        found, missing = read_cloud(settings.parts.content(settings), caller, told)
    except StaroverError as error:
        if isinstance(error, BadInventory) and not estate.region:
            error.next = ("starover inventory discover --region eu-west-1",)
        error.host = ""  # it was about all of them
        raise
    base = written.tree or _begun(new)
    draft = drawn(found, domain=domain)
    notes = list(missing)
    by = ""
    if written.estate is None and not new.credential:
        notes.append("the DAG was not asked: --credential env:NAME says with which user")
    else:
        told("the DAG")
        tree, _ = merged(base, written.estate, draft.tree, looked=False)
        directory, silent = _ask(settings, tree, written)
        notes += silent
        if directory is not None:
            by = directory.by
            draft = drawn(dataclasses.replace(found, directory=directory), domain=domain)
    if written.estate is None and not new.name:
        forest = draft.tree.get("forest")
        base["name"] = str(forest["name"]) if isinstance(forest, dict) else "estate"
    tree, differences = merged(base, written.estate, draft.tree, looked=bool(by))
    return _Result(tree, differences, (*notes, *draft.notes), by, draft.hosts)


def _ask(settings: Settings, tree: dict[str, Tree], written: _Written) -> tuple[Directory | None, list[str]]:
    """Ask a server of the estate as it is drawn so far; with why nobody told anything."""
    from starover.differences import text_of
    from starover.inventory import read
    from starover_cli.discovering import read_directory

    try:
        estate = read(text_of(tree), name="what was found", folder=written.file.parent)
    except BadInventory as error:
        return None, [f"the DAG was not asked, because the inventory is not right yet: {error.what}"]
    with Room(settings, settings.parts, given=(estate, written.file)) as room:
        try:
            asked = read_directory(room)
        except StaroverError as error:
            return None, [f"the DAG was not asked: {error.what}"]
    silent = [f"asked in vain: {why}" for why in asked.silent]
    if asked.directory is None and not silent:
        silent = ["the DAG was not asked: no mailbox server with a road was found"]
    return asked.directory, silent


def _begun(new: _New) -> dict[str, Tree]:
    """What a new inventory begins with."""
    defaults: dict[str, Tree] = {
        "credential": new.credential or _CREDENTIAL,
        "roads": [{"kind": "psrp", "scheme": "https"}],
    }
    begun: dict[str, Tree] = {"name": new.name or "estate"}
    if new.region:
        begun["region"] = new.region
    return {**begun, "defaults": defaults}


def _head(written: _Written, result: _Result) -> list[str]:
    lines = [f"Drawn by `starover inventory discover` from AWS{' and from ' + result.asked if result.asked else ''}."]
    if written.estate is not None:
        return [*lines, f"What stands in {written.file.as_posix()} was kept; see the end."]
    credential = result.tree.get("defaults")
    reference = str(credential.get("credential", "")) if isinstance(credential, dict) else ""
    if reference.startswith("env:"):
        name = reference.removeprefix("env:")
        lines.append(f"Passwords do not belong here: `credential: {reference}` reads {name}_USER and {name}_PASSWORD.")
    return [*lines, "Read it before you trust it: roles may be guessed from names; starover doctor tries every road."]


def _remarks(result: _Result) -> list[str]:
    told = {"differs": "kept as written", "gone": "written, and not found", "new": "new", "unsaid": "filled in"}
    shown = [one for one in result.differences if one.kind in ("differs", "gone")]
    lines = [
        f"{told[one.kind]}: {one.where}: {one.written}" + (f"; found: {one.found}" if one.found else "")
        for one in shown
    ]
    return [*lines, *result.notes]


def _checked(text: str, folder: Path) -> str:
    """What is still wrong with the new inventory, as comments behind it."""
    from starover.inventory import read

    try:
        read(text, name="line", folder=folder)
    except BadInventory as error:
        return "".join(f"# not right yet: {line.strip()}\n" for line in error.what.splitlines())
    return ""


def _there(file: str) -> BadParameter:
    return BadParameter(
        f"{file} is there already, and what a person wrote is never overwritten.",
        certain=["nothing was written."],
        next=["--to ANOTHER-FILE", f"starover inventory diff {file}"],
    )


COMMANDS = (discover, diff)
