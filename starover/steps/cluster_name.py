"""The account of a cluster's name (CNO) in Active Directory, staged before the first member joins; knows no runbook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec

from starover.errors import BadParameter
from starover.estate import Estate, Server
from starover.names import DagName
from starover.runbook import Steps, together
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step, wait
from starover.steps.witness import trusted_subsystem

__all__ = [
    "Account",
    "DistinguishedName",
    "account",
    "cno_gone",
    "cno_staged",
    "controllers_near",
    "master_of",
    "staged",
]

DistinguishedName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:OU|CN|DC)=[^=\u0000-\u001f]+(?:,(?:OU|CN|DC)=[^=\u0000-\u001f]+)+(?![\s\S])",
        title="DistinguishedName",
        description="a distinguished name such as OU=Clusters,DC=example,DC=com",
    ),
]
"""A container in Active Directory."""


class Account(Report):
    """A computer account (`ad/computer.ps1.j2`)."""

    found: bool
    enabled: bool
    path: str
    """Distinguished name."""
    password_set: str
    """ISO 8601; empty: never."""
    masters: tuple[str, ...]
    """Who has full control by a right of their own, `EXAMPLE\\name`."""

    def obeys(self, master: str) -> bool:
        """Whether somebody has full control."""
        return any(one.casefold() == master.casefold() for one in self.masters)


account = Query("ad/computer.ps1.j2", Account)
"""Argument: `name`. As the domain controller that is asked knows it."""


def _gone(
    prev: Account, server: Server, /, *, name: DagName, path: str, master: str, grant: str, used: bool
) -> Step | None:
    del path, master, grant, used
    return None if prev.found else cno_gone.on(server, name=name)


@step(check=account, apply="ad/stage_computer.ps1.j2", risk=Risk.LOW, undo=_gone)
def cno_staged(
    now: Account, /, *, name: DagName, path: str, master: str, grant: str, used: bool
) -> Change | Blocked | None:
    """The cluster's account waits, disabled, for whoever may take it over (S-CNO).

    `path` is the organizational unit, empty for the usual container; `master` gets full control, `grant` says it to
    dsacls. `used`: the DAG has members, so its cluster has taken the account over.
    """
    del grant
    if now.found and now.enabled:
        if used:
            return None
        return Blocked(
            f"the computer account {name} is enabled: another computer, or another cluster, has that name",
            certain=(f"it lies at {now.path}", "nothing was changed"),
            next=("choose another name for the DAG, or see who uses the account",),
        )
    if now.found and now.obeys(master):
        return None
    where = path or "the usual container"
    if not now.found:
        return Change(f"account {name}", "none", f"disabled, in {where}, full control for {master}", action="add")
    return Change(f"account {name}", "disabled", f"disabled, full control for {master}")


@step(check=account, apply="ad/remove_computer.ps1.j2", risk=Risk.LOW)
def cno_gone(now: Account, /, *, name: DagName) -> Change | Blocked | None:
    """An account that no cluster has taken over is gone."""
    if not now.found:
        return None
    if now.enabled:
        return Blocked(f"the computer account {name} is enabled: a cluster uses it", certain=("nothing was changed",))
    return Change(f"account {name}", "disabled", "none", action="remove")


def staged(name: str, controllers: Sequence[Server], master: str, *, path: str = "", used: bool = False) -> Steps:
    """Stage the account on the first of `controllers`, and wait until all of them know it (30 s, 15 min)."""
    first = controllers[0]
    yield cno_staged.on(first, name=name, path=path, master=master, grant=f"{master}:GA", used=used)
    yield from together(
        wait(
            account,
            controller,
            until=lambda now: now.found,
            settle=Settle(every=30, limit=900),
            what=f"AD: {controller.name} has the account {name} (waiting-ad)",
            expected=True,
            name=name,
        )
        for controller in controllers[1:]
    )


def controllers_near(members: Sequence[Server], estate: Estate) -> list[Server]:
    """The inventory's domain controllers, those in the members' sites first. Raises `BadParameter` without one."""
    sites = {server.site.casefold() for server in members if server.site}
    every = sorted(estate.having("dc"), key=lambda server: server.site.casefold() not in sites)
    if not every:
        raise BadParameter(
            "the inventory has no domain controller, and the account is made on one",
            certain=("nothing was contacted",),
            next=("roles: [dc]",),
        )
    near = [server for server in every if server.site.casefold() in sites]
    return near or every


def master_of(grant: str, estate: Estate, first: Server | None) -> str:
    """Who takes the account over: Exchange's group, or the first member's own account. Raises `BadParameter`."""
    group = trusted_subsystem(estate)
    return f"{estate.forest.netbios}\\{first.name}$" if grant == "first-node" and first is not None else group
