"""How control leaves statements: break, continue, return, exit, as exceptions of the evaluator; knows no statement."""

from __future__ import annotations

from starover_lab.powershell.errors import ErrorRecord, Terminated
from starover_lab.powershell.values import Value

__all__ = ["Break", "Continue", "Exit", "Flow", "Halted", "Return", "Thrown"]


class Flow(Exception):
    """Control on its way out."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.kept: list[Value] = []
        """What an assignment or brackets had got when control left them: it goes out with the statement around."""


class _Loop(Flow):
    def __init__(self, label: str = "") -> None:
        super().__init__(label)
        self.label = label

    def meant_for(self, label: str) -> bool:
        """Whether a loop with this label is the one that is left or continued."""
        return not self.label or self.label.casefold() == label.casefold()


class Break(_Loop):
    """`break`, with or without a label."""


class Continue(_Loop):
    """`continue`, with or without a label."""


class Return(Flow):
    """`return`: its values went out before."""


class Exit(Flow):
    """`exit`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Thrown(Terminated):
    """An error that a `throw` raised: it ends the script unless caught, or silenced by the error preference."""

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(record, script=True)


class Halted(Terminated):
    """An error under action Stop: nothing but a catch stops it any more."""

    def __init__(self, record: ErrorRecord, *, by_preference: bool = False) -> None:
        """`by_preference`: a non-terminating error that Stop made terminating (ActionPreferenceStopException)."""
        super().__init__(record, script=True)
        self.by_preference = by_preference
