"""Waiting for Active Directory: which domain controllers must know of a DAG, and until when; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starover.estate import Estate, Server
from starover.runbook import Steps, together
from starover.step import Query, Report, Settle, wait
from starover.steps.dag import short
from starover.steps.dag_object import listed

__all__ = ["Directory", "OnController", "controllers_of", "on_controller", "replicated", "server_directory", "those_of"]

REPLICATION = Settle(every=30, limit=900)
"""How long a change may take to reach one domain controller of each site."""


class OnController(Report):
    """The DAG as one domain controller has it (`dag/on_controller.ps1.j2`)."""

    found: bool
    members: tuple[str, ...]
    activation_mode: str


class Directory(Report):
    """Where a server stands in AD (`server/directory.ps1.j2`)."""

    site: str
    controllers: tuple[str, ...]
    """FQDNs of the domain controllers that it works with now."""


on_controller = Query("dag/on_controller.ps1.j2", OnController)
"""Arguments: `dag`, `controller`."""
server_directory = Query("server/directory.ps1.j2", Directory)
"""Argument: `name`."""


def controllers_of(servers: Sequence[Server], estate: Estate, asked: Server) -> Steps[dict[str, tuple[str, ...]]]:
    """For each server, by name, the domain controllers on which a change must have arrived before it acts on it.

    Those it works with now and, where the inventory knows sites, the first one of its site.
    """
    found = yield from together(server_directory.read(asked, name=server.name) for server in servers)
    controllers = estate.having("dc")
    needed: dict[str, tuple[str, ...]] = {}
    for server, directory in zip(servers, found, strict=True):
        site = short_site(directory.site) or server.site
        near = next((one.fqdn for one in controllers if one.site and one.site.casefold() == site.casefold()), "")
        every = [*directory.controllers[:1], *([near] if near else [])]
        needed[server.name] = tuple({name.casefold(): name for name in every}.values())
    return needed


def short_site(site: str) -> str:
    """The name of an AD site in whatever form it comes."""
    return site.rpartition("/")[2]


def replicated(
    asked: Server,
    dag: str,
    controllers: Sequence[str],
    *,
    members: Sequence[str] = (),
    mode: str = "",
    settle: Settle = REPLICATION,
) -> Steps:
    """Wait until each domain controller has the DAG, with these members and this DAC mode (S-AD-WAIT)."""
    lists = f" lists {', '.join(members)} in" if members else " has"
    wanted = f"{lists} {dag}{f', DAC {mode}' if mode else ''}"

    def until(now: OnController) -> bool:
        return (
            now.found
            and all(listed(member, now.members) for member in members)
            and (not mode or now.activation_mode == mode)
        )

    yield from together(
        wait(
            on_controller,
            asked,
            until=until,
            settle=settle,
            what=f"AD: {short(controller)}{wanted} (waiting-ad)",
            expected=True,
            dag=dag,
            controller=controller,
        )
        for controller in controllers
    )


def those_of(needed: Mapping[str, Sequence[str]], servers: Sequence[Server]) -> list[str]:
    """The domain controllers of several servers, each once."""
    return list({name.casefold(): name for server in servers for name in needed[server.name]}.values())
