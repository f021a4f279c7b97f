"""The table of the planning requirements P01-P58: what each is called, when it counts, who looks; judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec

from starover.steps.preflight_facts import Facts

__all__ = ["NOT_CHECKED", "TABLE", "Check", "Judged", "Level", "PCheck", "Word", "check"]

PCheck: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^P(?:0[1-9]|[1-4][0-9]|5[0-8])(?![\s\S])", title="PCheck", description="a check from P01 to P58"
    ),
]
"""The id of a planning requirement."""
Level: TypeAlias = Literal["fail", "warn", "info"]
Word: TypeAlias = Literal["ok", "bad", "warn", "info", "unknown"]
"""`bad`: as severe as its check is; `warn`: less than that."""
Judged: TypeAlias = Iterator[tuple[Word, str, str]]
"""What a check found: how it is, on what, and a sentence."""


@dataclass(frozen=True)
class Check:
    """One planning requirement that can be looked at."""

    id: str
    level: Level
    """How severe a `bad` one is."""
    needs: frozenset[str]
    """Groups of facts (`preflight_facts.gather`); empty: the inventory is enough."""
    judge: Callable[[Facts], Judged]
    says: str


TABLE: dict[str, Check] = {}
"""Every check that is made, by id."""

OPERATING = frozenset({"P50", "P53", "P54", "P55", "P56", "P57", "P58"})
"""Mail flow, clients, cloud, hardening: count in phase operate only."""

MENDED = frozenset({"P20", "P22", "P23", "P24", "P28", "P37", "P38", "P41"})
"""What building a DAG puts right itself: no hindrance before it."""

NOT_CHECKED = {
    "P25": "needs AWS: secondary private addresses of the members' network interfaces",
    "P27": "needs the time for which the access point was offline, which is not kept yet",
    "P42": "cert-check looks at certificates",
    "P43": "cert-check looks at the Outlook provider",
    "P44": "namespace-audit looks at the virtual directories",
    "P45": "needs the servers' limits and a load that was measured",
    "P46": "needs AWS: security groups",
    "P47": "needs AWS: placement and protection of the instances",
    "P50": "mail flow: Edge subscriptions and connectors",
    "P53": "Extended Protection on virtual directories and balancers",
    "P54": "the Auth certificate",
    "P55": "the alternate service account and its names",
    "P56": "needs AWS: zones of balancers, endpoints and DHCP options",
    "P57": "antivirus exclusions and the backup product",
    "P58": "Credential Guard",
}
"""What is not looked at, and why: unknown is never green."""


def check(
    id: str,  # noqa: A002 - the field's word
    level: Level,
    *needs: str,
) -> Callable[[Callable[[Facts], Judged]], Callable[[Facts], Judged]]:
    """Put a function into the table; its docstring says what must hold."""

    def put(judge: Callable[[Facts], Judged]) -> Callable[[Facts], Judged]:
        says = (judge.__doc__ or "").partition("\n")[0].rstrip(".")
        TABLE[id] = Check(id, level, frozenset(needs), judge, says)
        return judge

    return put
