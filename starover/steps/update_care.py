"""Before and after the rounds of a member: nothing wanted, half-done setups, back into service or not; one server."""

from __future__ import annotations

from starover.errors import NotVerified
from starover.estate import Dag, Estate, Server
from starover.runbook import Finding, Steps
from starover.steps.maintenance import bring_back
from starover.steps.patches import Patched
from starover.steps.queues import Snapshot
from starover.steps.update_task import Scan, setup_of
from starover.steps.updates import Verdict, Wish, judge_setup

__all__ = ["brought_back", "doubted", "finished", "nothing_wanted"]


def nothing_wanted(server: str, wish: Wish, seen: Scan) -> tuple[Finding, ...]:
    """What is said of a host that needs nothing: what is offered and not wanted, and a restart that is due."""
    found = [Finding(check="updates", on=server, level="ok", says="nothing is wanted of what it is offered")]
    found += [
        Finding(check="update", on=server, level="info", says=f"{one.name}: {one.title} ({wish.why_not(one)})")
        for one in seen.updates
    ]
    if {"servicing", "windows-update"} & set(seen.pending):
        found.append(
            Finding(
                check="restart",
                on=server,
                level="warn",
                says=f"a restart is due ({', '.join(seen.pending)}): starover plan server-reboot --server {server}",
            )
        )
    return tuple(found)


def finished(server: Server, done: Patched, before: Snapshot) -> Steps[Verdict]:
    """The verdict, after a look at what an update of Exchange may have left half done."""
    if not done.verdict.good:
        return done.verdict
    setup = yield from setup_of.read(server)
    were = {one.name.casefold() for one in before.services if one.start == "Disabled"}
    disabled = [name for name in setup.disabled if name.casefold() not in were]
    return judge_setup(server.name, setup.unfinished, disabled) or done.verdict


def brought_back(
    dag: Dag, server: Server, estate: Estate, before: Snapshot, verdict: Verdict, *, return_on_failure: bool
) -> Steps:
    """Back into service. In doubt it stays out, unless `return_on_failure`; a doubt ends the run either way.

    Raises `NotVerified`.
    """
    if verdict.good or (return_on_failure and verdict.word in ("failing", "looping", "second-round")):
        yield from bring_back(dag, server, estate, before=before)
    if not verdict.good:
        raise doubted(server.name, verdict, back=return_on_failure and verdict.word != "half-repaired")


def doubted(server: str, verdict: Verdict, *, back: bool) -> NotVerified:
    """The error that tells of a verdict which is no good one."""
    stays = (
        f"{server} is back in service, by --return-on-failure"
        if back
        else f"{server} stays out of service: no active database, node paused"
    )
    return NotVerified(
        f"{verdict.word}: {verdict.says}",
        certain=(stays,),
        uncertain=("whether the host is as it should be",),
        next=(
            *verdict.next,
            *(() if back else (f"starover plan maintenance-stop --server {server}   back in service as it is",)),
        ),
        host=server,
    )
