"""What a host prints beside the answer under the fault `ps_noise`; knows no session."""

from __future__ import annotations

from starover_lab.powershell.streams import information_record
from starover_lab.powershell.values import PSObject
from starover_lab.wire.endpoint import Emit
from starover_lab.world.world import World

__all__ = ["make_noise"]


def make_noise(world: World, host: str, emit: Emit) -> None:
    """Level 1: progress; 2: a warning too; 3: a banner, on the host and as plain text in the output."""
    level = world.state.noise.get(host.casefold(), 0)
    if level >= 1:
        emit(
            "progress",
            PSObject(
                [
                    ("Activity", "Preparing modules for first use."),
                    ("ActivityId", 0),
                    ("StatusDescription", " "),
                    ("PercentComplete", -1),
                ]
            ),
        )
    if level >= 2:
        emit(
            "warning",
            "The names of some imported commands from the module 'tmp' include unapproved verbs that might make them "
            "less discoverable.",
        )
    if level >= 3:
        text = "Welcome to the Exchange Management Shell!"
        emit("information", information_record(text, text))
        emit("output", text)
