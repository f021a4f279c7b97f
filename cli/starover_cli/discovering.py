"""Reads what `starover inventory discover` draws from: AWS by calls as data, Active Directory by a server of the
organization; decides nothing.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from starover.calls import projected, read_call
from starover.discovery import Directory, Found
from starover.errors import BadReport, Mistake, StaroverError
from starover.estate import Server
from starover.runbook import Steps, attempt, runbook
from starover.step import Query, Report
from starover.steps import whereabouts
from starover.steps.balancing import group_health
from starover.steps.preflight_reports import Controllers, controllers
from starover.steps.preflight_reports import Subnets as AdSubnets
from starover.steps.preflight_reports import subnets as ad_subnets
from starover.steps.whereabouts import Organization, organization
from starover.transport.calls import CallFailed
from starover_cli.where import OneMore

if TYPE_CHECKING:
    from starover.render import Arg
    from starover.runbook import Content
    from starover.transport.calls import Caller
    from starover_cli.room import Room

__all__ = ["read_cloud", "read_directory"]

R = TypeVar("R", bound=Report)
SECONDS = 60.0
MOST_PAGES = 500
_ASKED = 3
"""Servers that are asked for the directory, one after the other, before it is given up."""
_NOBODY = Server(name="aws", fqdn="aws.invalid", roles=("witness",))
"""A call is about a server; these are about all."""


class Asked(msgspec.Struct, frozen=True):
    """What the servers said of the directory."""

    directory: Directory | None
    silent: tuple[str, ...]
    """Why those who did not answer did not."""


def read_cloud(content: Content, caller: Caller, told: Callable[[str], None]) -> tuple[Found, tuple[str, ...]]:
    """What AWS says, and what it did not let us read. Raises what the first call raises: without instances there is
    nothing. `told` hears what is read now.
    """
    told("instances")
    instances = _pages(content, caller, whereabouts.instances)
    missing: list[str] = []

    def rest(what: str, query: Query[R]) -> list[R]:
        told(what)
        try:
            return _pages(content, caller, query)
        except StaroverError as error:
            missing.append(f"AWS did not tell the {what}: {error.what}")
            return []

    subnets = rest("subnets", whereabouts.subnets)
    agents = rest("agents", whereabouts.agents)
    balancers = rest("balancers", whereabouts.balancers)
    groups = [one for page in rest("target groups", whereabouts.groups) for one in page.groups]
    targets: list[tuple[str, tuple[str, ...]]] = []
    for group in groups:
        if group.balancers:
            told(f"targets of {group.name}")
            try:
                health = _one(content, caller, group_health, {"group": group.arn})
            except StaroverError as error:
                missing.append(f"AWS did not tell the targets of {group.name}: {error.what}")
            else:
                targets.append((group.arn, tuple(target.id for target in health.targets)))
    found = Found(
        instances=tuple(one for page in instances for one in page.instances),
        subnets=tuple(one for page in subnets for one in page.subnets),
        agents=tuple(one for page in agents for one in page.agents),
        balancers=tuple(one for page in balancers for one in page.balancers),
        groups=tuple(groups),
        targets=tuple(targets),
    )
    return found, tuple(missing)


def _pages(content: Content, caller: Caller, query: Query[R]) -> list[R]:
    """All pages of a call that takes a `token` and gives the `next`."""
    pages: list[R] = []
    token = ""
    while len(pages) < MOST_PAGES:
        page = _one(content, caller, query, {"token": token})
        pages.append(page)
        following: object = getattr(page, "next", None)
        if not isinstance(following, str) or not following:
            return pages
        token = following
    raise BadReport(f"{query.template} has more than {MOST_PAGES} pages", certain=("nothing was changed by reading",))


def _one(content: Content, caller: Caller, query: Query[R], arguments: Mapping[str, Arg]) -> R:
    call = read_call(content.body(query.template, arguments).text)
    try:
        return query.decode(msgspec.json.encode(projected(call, caller.call(call, _NOBODY, SECONDS))))
    except CallFailed as failed:
        raise Mistake(
            f"{call.service} {call.operation}: {failed.record.message}",
            certain=("nothing was changed",),
            next=("aws sts get-caller-identity   whose rights are these?",),
        ) from failed


def _apart(servers: Sequence[Server]) -> list[Server]:
    """The first of every zone, then the second of every zone: a zone may be what is lost."""
    before: Counter[str] = Counter()
    ranked: list[tuple[int, int, Server]] = []
    for at, server in enumerate(servers):
        ranked.append((before[server.az], at, server))
        before[server.az] += 1
    return [server for _, _, server in sorted(ranked, key=lambda one: one[:2])]


def read_directory(room: Room) -> Asked:
    """Ask the estate's mailbox servers for the organization, one after the other until one answers, and whoever can
    for sites and domain controllers. Raises what `Local.plan` raises.
    """
    servers = _apart([server for server in room.estate.having("mailbox") if server.roads])
    helpers = [server for server in room.estate.having("dc") if server.roads]

    def first(asked: Sequence[Server], read: Callable[[Server], Steps[R]], failed: list[str]) -> Steps[R | None]:
        for server in asked[:_ASKED]:
            answer = yield from attempt(read(server))
            if not isinstance(answer, StaroverError):
                return answer
            failed.append(answer.what)
        return None

    @runbook
    def look_around() -> Steps[Asked]:
        """What Active Directory says of the estate."""
        silent: list[str] = []
        by: list[str] = []

        def noted(server: Server) -> Steps[Organization]:
            answer = yield from organization.read(server)
            by.append(server.name)
            return answer

        found = yield from first(servers, noted, silent)
        if found is None:
            return Asked(None, tuple(silent))
        mine = next(server for server in servers if server.name in by)
        near = [mine, *sorted(helpers, key=lambda one: one.az != mine.az)]  # a DC of a zone that is lost takes its time
        sites = yield from first(near, ad_subnets.read, [])
        known = yield from first(near, controllers.read, [])
        return Asked(
            Directory(
                by=by[0],
                organization=found,
                controllers=known.controllers if isinstance(known, Controllers) else (),
                subnets=sites.subnets if isinstance(sites, AdSubnets) else (),
            ),
            tuple(silent),
        )

    if not servers:
        return Asked(None, ())
    with tempfile.TemporaryDirectory(prefix="starover-") as folder:
        planned = room.local([], Path(folder), OneMore(room.content, look_around)).plan(look_around.name, {})
    value = planned.value
    assert isinstance(value, Asked)
    return value
