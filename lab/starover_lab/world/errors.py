"""What the world answers when a transition is not possible; knows no wording of Exchange or Windows.

The cmdlets turn a `WorldError` into the error text, id and category that the real thing has.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Data", "Kind", "WorldError"]

Data: TypeAlias = "str | int | float | bool | list[Data] | dict[str, Data] | None"
"""JSON-able values, as events and snapshots carry them."""

Kind = Literal[
    "not_found",  # no such object: data object (server, database, copy, dag, account, service, volume...), name
    "server_down",  # the host does not answer at all: data server
    "service_down",  # the host answers, the service does not run: data server, service
    "no_dc",  # no domain controller answers: data site
    "no_quorum",  # cluster calls fail: data cluster
    "no_pam",  # nobody owns the core group at the moment: data cluster
    "active_copy",  # not possible on the active copy: data copy
    "already_suspended",
    "already_mounted",
    "not_mounted",
    "must_be_suspended",
    "reseed_needed",  # FailedAndSuspended: data copy, reason
    "seed_in_progress",  # data copy, source
    "files_exist",
    "source_unhealthy",  # data source, status
    "activation_blocked",  # data server, reason
    "too_many_lost_logs",  # data copy, lost, allowed
    "move_suppressed",  # data database, moves
    "no_candidate",  # no copy can be activated: data database, reasons
    "invalid",  # a value out of range: data parameter, value, allowed
    "disk_full",
    "file_exists",
    "file_not_found",
    "is_directory",
    "not_a_directory",
    "expired",
]


class WorldError(Exception):
    """A transition was refused; nothing changed."""

    def __init__(self, kind: Kind, message: str, *, blocked_s: float = 0.0, **data: Data) -> None:
        """`blocked_s`: simulated seconds that the caller spends before it learns this (a dead host does not refuse)."""
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.blocked_s = blocked_s
        self.data = data
