"""Commands as clients send them, made ready for the evaluator; runs nothing."""

from __future__ import annotations

from starover_lab.powershell.command import CommandSpec, CommandTable
from starover_lab.powershell.session import SessionCommand
from starover_lab.powershell.values import Value
from starover_lab.wire.endpoint import Command

__all__ = ["ready"]

_SWITCHES = {"verbose", "debug", "whatif", "confirm", "vb", "db", "wi", "cf"}


def _is_switch(spec: CommandSpec, name: str) -> bool:
    key = name.casefold()
    exact = [
        one for one in spec.parameters if key in {one.name.casefold(), *(alias.casefold() for alias in one.aliases)}
    ]
    found = exact or [one for one in spec.parameters if one.name.casefold().startswith(key)]
    return found[0].is_switch if len(found) == 1 else key in _SWITCHES


def ready(table: CommandTable, command: Command) -> SessionCommand:
    """The command; a switch that was sent without a value (`add_parameter("Stream")`) is on."""
    spec = table.find(command.text)
    parameters: list[tuple[str | None, Value]] = []
    for name, value in command.parameters:
        present = name is not None and value is None and spec is not None and _is_switch(spec, name)
        parameters.append((name, True if present else value))
    return SessionCommand(name=command.text, parameters=tuple(parameters))
