"""What a plan says it may lose (G-LOSS), and whether somebody accepted exactly that; knows no host and no screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starover.command_line import word
from starover.errors import BadParameter
from starover.plan import Plan
from starover.steps.losses import AcceptedLoss

__all__ = ["ACCEPTED", "agreed", "bounds", "words"]

ACCEPTED = "accept_data_loss"
"""Parameter of runbooks that may lose mail: what somebody has accepted already when the plan is made."""

_NOTE = "may lose "


def bounds(plan: Plan) -> dict[str, AcceptedLoss]:
    """What a plan may lose beyond what the databases' dials let pass by themselves, by database in lower case.

    Each part of a change's note (parts are parted by `;`) that reads `may lose DB1=3` or `may lose DB1=unknown` is a
    bound, so that the digest covers it; the plan's parameter `accept_data_loss` is the wider one and wins.
    """
    found: dict[str, AcceptedLoss] = {}
    for step in plan.changes:
        for part in step.change.note.split(";") if step.change is not None else ():
            if part.strip().startswith(_NOTE):
                _take(found, part.strip().removeprefix(_NOTE))
    given = plan.parameters.get(ACCEPTED)
    for one in given if isinstance(given, list) else []:
        _take(found, str(one))
    return found


def _take(found: dict[str, AcceptedLoss], text: str) -> None:
    try:
        loss = AcceptedLoss.parse(text)
    except BadParameter:
        return  # a sentence that only begins like a bound
    found[loss.database.casefold()] = loss


def words(loss: AcceptedLoss) -> str:
    """`DB1: at most 3 logs`, `DB1: nobody knows how much`."""
    if loss.logs is None:
        return f"{loss.database}: nobody knows how much"
    return f"{loss.database}: at most {loss.logs} log{'' if loss.logs == 1 else 's'}"


def agreed(bound: Mapping[str, AcceptedLoss], given: Iterable[str]) -> tuple[AcceptedLoss, ...]:
    """What was accepted (`DB1=3`, `DB1=3,DB2=0`), held against what the plan may lose.

    Raises `BadParameter` unless it is exactly that, database by database: more would be a misunderstanding, less a no.
    """
    said = {loss.database.casefold(): loss for text in given for loss in map(AcceptedLoss.parse, text.split(","))}
    wanted = ",".join(str(loss) for loss in bound.values())
    if not bound:
        raise BadParameter(
            "this plan binds no loss: nothing is lost beyond what the dials let pass, so there is none to accept",
            certain=("nothing was sent",),
            next=("leave --accept-data-loss away, or plan again with it",),
        )
    if {name: loss.logs for name, loss in said.items()} != {name: loss.logs for name, loss in bound.items()}:
        raise BadParameter(
            f"accepted was {','.join(str(loss) for loss in said.values())}; this plan may lose {wanted}",
            certain=("nothing was sent",),
            next=(f"--accept-data-loss {word(wanted)}   if that is what you accept",),
        )
    return tuple(bound.values())
