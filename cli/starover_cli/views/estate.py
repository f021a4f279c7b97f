"""Runbooks and inventories as a person reads them; loads and contacts nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starover.certificates import is_experimental
from starover.changes import Risk
from starover_cli.views.head import next_block
from starover_cli.views.text import label_block, plural, table, wrap

if TYPE_CHECKING:
    from starover.content import Broken, Content
    from starover.estate import Estate
    from starover.runbook import AnyRunbook

__all__ = ["broken_data", "estate_text", "runbook_data", "runbook_text", "runbooks_text"]


GROUPS = ("look", "build", "operate", "disaster")
"""Folders of the tool's own runbooks, in the order of a person's need; others follow."""
_DANGERS = {
    Risk.READ: "R reads only",
    Risk.LOW: "L low",
    Risk.SERVICE: "S interrupts the service",
    Risk.DATA: "D may lose data",
    Risk.SPLIT: "X may split the brain",
}


def runbooks_text(content: Content, width: int = 100) -> str:
    """The list by folder: name, highest danger, first sentence; at the end the files that are refused, and why."""
    found = content.runbooks
    folders = {content.folder_of(name) for name in found}
    order = [*(one for one in GROUPS if one in folders), *sorted(folders - set(GROUPS))]
    widest = max((len(name) for name in found), default=0)
    blocks = [wrap(f"danger, at most: {'  '.join(_DANGERS.values())}", width)] if found else []
    rough = {name for name, one in found.items() if one.risk is not Risk.READ and is_experimental(content, name)}
    if rough:
        blocks[0] += wrap(
            "* experimental: asks before it changes anything on LIVE; the others are gold, or only look", width
        )
    for folder in order:
        lines = [folder] if folder else []
        for name, one in found.items():
            if content.folder_of(name) == folder:
                row = f"  {name.ljust(widest)}  {one.risk.value}{'*' if name in rough else ' '} {one.summary}"
                lines += wrap(row, width, " " * (widest + 7))
        blocks.append(lines)
    refused = [line for one in content.broken for line in _broken(one, width)]
    if refused:
        blocks.append(["refused; everything else works:", *refused])
    if not found:
        return "\n\n".join(["There is no runbook in this home.", *("\n".join(block) for block in blocks)])
    first = next(name for name in found if content.folder_of(name) == order[0])
    following = [
        (f"starover runbooks show {first}", "what it takes"),
        (f"starover plan {first} --help", "the same, as options"),
    ]
    return "\n\n".join([*("\n".join(block) for block in blocks), next_block(following)])


def _broken(one: Broken, width: int) -> list[str]:
    names = f" ({', '.join(one.names)})" if one.names else ""
    return [
        line for text in (f"! {one.file}{names}", *one.why.splitlines()) for line in wrap(f"  {text}", width, "    ")
    ]


def runbook_text(one: AnyRunbook, width: int = 100, tests: Mapping[str, str] | None = None) -> str:
    """The page of one runbook. `tests`: its certificate, empty for one that is experimental; None: nothing is said."""
    rows: list[tuple[str, str]] = []
    for parameter in one.parameters:
        text = parameter.help.rstrip(".")
        if parameter.required:
            text += "; must be given"
        elif parameter.default not in (None, False, "", []):
            text += f"; default: {parameter.default}"
        if parameter.many:
            text += "; may be repeated"
        rows.append((f"{parameter.option} {parameter.kind}".rstrip(), text))
    label = max((len(name) for name, _ in rows), default=0) + 1
    paragraphs = [" ".join(part.split()) for part in one.about.split("\n\n") if part.strip()]
    parts = [
        f"{one.name}   danger, at most: {_DANGERS[one.risk]}",
        *("\n".join(wrap(paragraph, width)) for paragraph in paragraphs),
    ]
    if rows:
        parts.append("\n".join(label_block(rows, width, label)))
    if tests is not None:
        parts.append("\n".join(_certificate(one, tests, width)))
    needed = " ".join(f"{each.option} {each.kind}" for each in one.parameters if each.required)
    parts.append(next_block([f"starover plan {one.name} {needed}".rstrip()]))
    return "\n\n".join(parts)


def _certificate(one: AnyRunbook, tests: Mapping[str, str], width: int) -> list[str]:
    if not tests and one.risk is Risk.READ:
        return ["experimental: it has no certificate; it only looks"]
    if not tests:
        text = (
            "experimental: it has no certificate, and asks before it changes anything on LIVE (--experimental answers)"
        )
        return wrap(text, width)
    rows = [(trial.replace("_", " "), node.rpartition("/")[2]) for trial, node in tests.items()]
    first = "gold: held to these tests, each of which tries it on the lab; what is not named was not tried"
    return [first, *table(rows, indent=2)]


def runbook_data(one: AnyRunbook, tests: Mapping[str, str]) -> dict[str, object]:
    """The same for a machine: enough to make a form. `tests`: its certificate."""
    return {
        "certificate": dict(tests),
        "name": one.name,
        "summary": one.summary,
        "risk": one.risk.value,
        "doc": one.doc,
        "parameters": [
            {
                "name": each.name,
                "option": each.option,
                "kind": each.kind,
                "required": each.required,
                "default": each.default,
                "many": each.many,
                "flag": each.flag,
                "choices": list(each.choices),
                "help": each.help,
            }
            for each in one.parameters
        ],
    }


def broken_data(one: Broken) -> dict[str, object]:
    """A file that is refused, for a machine."""
    return {"file": one.file, "names": list(one.names), "refused": one.why}


def estate_text(estate: Estate, file: str, width: int = 100) -> str:
    """What an inventory that is right says, in short."""
    kind = "LAB" if estate.lab else "LIVE"
    rows = [
        (server.name, ",".join(server.roles), server.az or "-", server.address or server.fqdn, _roads(server.roads))
        for server in estate.servers
    ]
    dags = [
        (
            f"DAG {dag.name}",
            f"{', '.join(dag.members) or 'no members'}; witness {dag.witness or 'none'}"
            + (f", alternate {dag.alternate_witness}" if dag.alternate_witness else ""),
        )
        for dag in estate.dags
    ]
    parts = [
        f"{kind}  {estate.name}   {plural(len(estate.servers), 'server')}, {plural(len(estate.dags), 'DAG')}",
        f"{file} is right.",
        "\n".join(table([("server", "roles", "zone", "address", "roads"), *rows], indent=2)) if rows else "",
        "\n".join(label_block(dags, width, 16)),
        next_block([("starover status", "ask them")]),
    ]
    return "\n\n".join(part for part in parts if part)


def _roads(roads: Sequence[object]) -> str:
    shown = [f"{getattr(road, 'kind', '')}+{getattr(road, 'scheme', '')}" for road in roads]
    return " ".join(shown) or "none"
