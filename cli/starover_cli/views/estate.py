"""Runbooks and inventories as a person reads them; loads and contacts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starover_cli.views.head import next_block
from starover_cli.views.text import label_block, plural, table, wrap

if TYPE_CHECKING:
    from starover.estate import Estate
    from starover.runbook import AnyRunbook

__all__ = ["estate_text", "runbook_data", "runbook_text", "runbooks_text"]


def runbooks_text(found: Sequence[AnyRunbook], width: int = 100) -> str:
    """The list: name and first sentence."""
    if not found:
        return "There is no runbook in this home."
    widest = max(len(one.name) for one in found)
    lines: list[str] = []
    for one in found:
        lines += wrap(f"{one.name.ljust(widest)}   {one.summary}", width, " " * (widest + 3))
    following = [
        (f"starover runbooks show {found[0].name}", "what it takes"),
        (f"starover plan {found[0].name} --help", "the same, as options"),
    ]
    return "\n".join(lines) + "\n\n" + next_block(following)


def runbook_text(one: AnyRunbook, width: int = 100) -> str:
    """The page of one runbook."""
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
    parts = [one.name, *("\n".join(wrap(paragraph, width)) for paragraph in paragraphs)]
    if rows:
        parts.append("\n".join(label_block(rows, width, label)))
    needed = " ".join(f"{each.option} {each.kind}" for each in one.parameters if each.required)
    parts.append(next_block([f"starover plan {one.name} {needed}".rstrip()]))
    return "\n\n".join(parts)


def runbook_data(one: AnyRunbook) -> dict[str, object]:
    """The same for a machine: enough to make a form."""
    return {
        "name": one.name,
        "summary": one.summary,
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
