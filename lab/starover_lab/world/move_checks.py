"""What Active Manager checks before an administrator's move, and which switch skips which check; changes nothing.

`Move-ActiveMailboxDatabase` documents the switches; the order of the checks is the lab's [model].
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal, get_args

from starover_lab.world.best_copy import ALLOWED_STATUS, LONG_COPY_QUEUE, LONG_REPLAY_QUEUE, Candidate
from starover_lab.world.database_parts import Database
from starover_lab.world.errors import Data, Kind, WorldError

__all__ = ["EVERY_SKIP", "Skip", "objection"]

Skip = Literal["ActiveCopy", "ClientExperience", "Health", "Lag", "MaximumActiveDatabases", "MoveSuppression"]
EVERY_SKIP: frozenset[Skip] = frozenset(get_args(Skip))
"""What -SkipAllChecks skips."""


def objection(database: Database, one: Candidate, skip: AbstractSet[Skip], *, fqdn: str) -> WorldError | None:
    """Why this copy is not activated by hand, or None.

    A lagged copy that is suspended wholly may be named with `Lag` alone: so the documented way to activate it goes.
    """
    copy = f"{database.name}\\{one.server}"

    def no(kind: Kind, message: str, **data: Data) -> WorldError:
        refusal = WorldError(kind, message, database=database.name, server=one.server, fqdn=fqdn, copy=copy)
        refusal.data |= {"status": one.status, **data}
        return refusal

    if one.gone.startswith(("server", "service", "the Primary")):
        return no("validation_down", one.gone)
    if one.gone:
        return no("copy_unhealthy", one.gone)
    if one.consent:
        return no("not_on_lists" if one.consent == "stopped" else "dac_not_agreed", one.obstacle)
    if "Health" not in skip:
        if one.offline:
            return no("component_offline", f"HighAvailability of {one.server} is offline")
        by_lag = one.lagged and "Lag" in skip
        if one.suspended and not by_lag:
            return no("activation_blocked", f"activation of {copy} is suspended")
        if one.status not in ALLOWED_STATUS and not (by_lag and one.status == "Suspended"):
            return no("copy_unhealthy", f"{copy} is {one.status}")
    if "ClientExperience" not in skip and one.ci not in ("Healthy", "NotApplicable"):
        return no("catalog_unhealthy", f"the content index of {copy} is {one.ci}", ci=one.ci)
    if "Lag" not in skip:
        for what, length, limit in (
            ("copy", one.copy_queue, LONG_COPY_QUEUE),
            ("replay", one.replay_queue, LONG_REPLAY_QUEUE),
        ):
            if length >= limit:
                return no(
                    "queue_long",
                    f"the {what} queue of {copy} is {length} logs long",
                    what=what,
                    length=length,
                )
    if "MaximumActiveDatabases" not in skip and one.full is not None:
        return no("limit_of_actives", f"{one.server} holds {one.full} actives", limit=one.full)
    return None
