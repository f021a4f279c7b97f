"""One host patched: rounds of installing and restarting until our own search finds nothing; knows no DAG and no order.

S-WU-INSTALL and S-REBOOT (catalogue 5.6). Who takes a member out of service before, and back afterwards, is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from starover.errors import NotVerified, OutcomeUnknown, StaroverError, Unreachable
from starover.estate import Server
from starover.names import same_host
from starover.runbook import Steps
from starover.step import Settle, wait
from starover.steps.dag import cluster_state
from starover.steps.services import NEEDED, rebooted, service_states
from starover.steps.update_task import (
    Installation,
    Offer,
    Scan,
    installing,
    installing_here,
    pending_of,
    progress_of,
    scan,
    updates_order,
    worker_ended,
    worker_removed,
)
from starover.steps.updates import SUCCEEDED, Round, Verdict, Wish, judge, judge_hung

__all__ = ["PATCHING", "Patched", "back_up", "patched", "restarted"]

PATCHING = (installing, installing_here, worker_removed, rebooted)
"""Kinds that patching a host may need."""
RESTARTS = 3
"""As often as a restart may leave the next one behind (S-REBOOT)."""
BACK_UP = Settle(every=15, limit=900)


@dataclass(frozen=True, kw_only=True)
class Patched:
    """A host after its rounds."""

    verdict: Verdict
    rounds: tuple[Round, ...]
    boot_before: str
    boot: str

    @property
    def installed(self) -> tuple[str, ...]:
        """Names of what the agent says it has installed, each once."""
        return tuple(
            dict.fromkeys(
                offer.name
                for one in self.rounds
                for offer in one.wanted
                if (said := one.said(offer.id)) is not None and said.code == SUCCEEDED
            )
        )


def patched(server: Server, wish: Wish, seen: Scan, *, comment: str, member: bool) -> Steps[Patched]:
    """Install what is wanted of what `seen` offers, restart, search again, and so on; gives the verdict.

    `member`: services of Exchange and the cluster node are awaited after a restart.
    """
    boot = seen.boot_time
    if wish.reboot != "never" and {"servicing", "windows-update"} & set(seen.pending):
        boot = yield from restarted(server, boot, comment=comment, member=member, note="due from before")
    rounds: list[Round] = []
    todo = wish.chosen(seen.updates)
    while True:
        ids = tuple(one.id for one in todo)
        yield worker_removed.on(server, server=server.name, hung=False)
        yield (installing_here if wish.method == "ssm-script" else installing).on(
            server,
            server=server.name,
            key=updates_order(server.name, boot, len(rounds) + 1, ids),
            ids=ids,
            names=tuple(one.name for one in todo),
        )
        yield from worker_ended(server)
        now = yield from progress_of.read(server)
        if now.running:
            yield worker_removed.on(server, server=server.name, hung=True)
            verdict = judge_hung(server.name, now, [(one.id, one.name) for one in todo])
            return _ended(rounds, todo, now, verdict, seen.boot_time, boot)
        yield worker_removed.on(server, server=server.name, hung=False)
        before, after = boot, (yield from pending_of.read(server))
        if _restart(wish, now, due=after.due):
            boot = yield from restarted(server, boot, comment=comment, member=member, note="")
        again = yield from scan.read(server)
        rounds.append(Round(wanted=todo, results=now.results, problem=now.problem, booted=again.boot_time > before))
        todo = wish.chosen(again.updates)
        due = bool({"servicing", "windows-update"} & set(again.pending))
        verdict_ = judge(server.name, rounds, todo, max_rounds=wish.max_rounds, due=due)
        if verdict_ is not None:
            return Patched(verdict=verdict_, rounds=tuple(rounds), boot_before=seen.boot_time, boot=again.boot_time)


def _ended(
    rounds: list[Round], todo: tuple[Offer, ...], now: Installation, verdict: Verdict, before: str, boot: str
) -> Patched:
    last = Round(wanted=todo, results=now.results, problem=now.problem, booted=False)
    return Patched(verdict=verdict, rounds=(*rounds, last), boot_before=before, boot=boot)


def _restart(wish: Wish, now: Installation, *, due: bool) -> bool:
    """Whether the host is restarted after a round."""
    if wish.reboot == "never":
        return False
    return wish.reboot == "always" or due or any(one.reboot for one in now.results)


def restarted(server: Server, boot: str, *, comment: str, member: bool, note: str) -> Steps[str]:
    """Restart a host, and once more where that leaves another restart due, three times at most; gives its boot time.

    A host that does not come back ends the run, with what is certain of it.
    """
    for number in range(RESTARTS):
        try:
            yield rebooted.on(server, after=boot, comment=comment, note=note if not number else "due once more")
            yield from back_up(server, member=member)
        except (NotVerified, OutcomeUnknown, Unreachable) as error:
            _not_back(error, server, boot)
            raise
        now = yield from pending_of.read(server)
        boot = now.boot_time
        if not now.due:
            break
    return boot


def back_up(server: Server, *, member: bool) -> Steps:
    """Wait for a member that has restarted: its services, but for Disabled ones, and its node in the cluster."""
    if not member:
        return
    yield from wait(
        service_states,
        server,
        until=lambda found: all(one.status == "Running" or one.start == "Disabled" for one in found.services),
        settle=BACK_UP,
        what=f"services of {server.name} running",
        expected=True,
        names=NEEDED,
    )
    yield from wait(
        cluster_state,
        server,
        until=lambda found: any(
            same_host(node.name, server.name) and node.state in ("Up", "Paused") for node in found.nodes
        ),
        settle=BACK_UP,
        what=f"{server.name} in the cluster again",
        expected=True,
    )


def _not_back(error: StaroverError, server: Server, boot: str) -> None:
    """Say what it means that a host has not come back from its restart."""
    error.certain = (
        *error.certain,
        f"{server.name} was told to restart; before that it was up since {boot}",
        "it is out of service: no database was active on it, and nothing else was begun",
    )
    error.next = (
        *error.next,
        f"starover run host-event --server {server.name}   looks at its instance, and moves it to another host",
    )
