"""One host patched: rounds of installing and restarting until our own search finds nothing; knows no DAG and no order.

S-WU-INSTALL and S-REBOOT (catalogue 5.6). Who takes a member out of service before, and back afterwards, is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from starover.errors import NotVerified, OutcomeUnknown, StaroverError, Unreachable
from starover.estate import Server
from starover.names import same_host
from starover.runbook import Steps
from starover.step import Settle, wait
from starover.steps.dag import cluster_state
from starover.steps.patch_manager import patched_by_baseline, patches_left, patching_ended, told_by_baseline
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

PATCHING = (installing, installing_here, patched_by_baseline, worker_removed, rebooted)
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
        key = updates_order(server.name, boot, len(rounds) + 1, tuple(one.id for one in todo))
        by_us = wish.method != "patch-baseline"
        now = yield from (_by_worker(server, wish, key, todo) if by_us else _by_baseline(server, key, todo))
        if now is not None and now.running:
            yield worker_removed.on(server, server=server.name, hung=True)
            verdict = judge_hung(server.name, now, [(one.id, one.name) for one in todo])
            return _ended(rounds, todo, now, verdict, seen.boot_time, boot)
        if by_us:
            yield worker_removed.on(server, server=server.name, hung=False)
        before, after = boot, (yield from pending_of.read(server))
        if _restart(wish, now, due=after.due):
            boot = yield from restarted(server, boot, comment=comment, member=member, note="")
        again = yield from scan.read(server)
        results, offered = now.results if now is not None else (), wish.chosen(again.updates)
        left_out: tuple[Offer, ...] = ()
        if not by_us:
            left = yield from patches_left.read(server, instance=server.instance)
            results, left_out = told_by_baseline(todo, offered, left.patches)
        problem = now.problem if now is not None else ""
        rounds.append(Round(wanted=todo, results=results, problem=problem, booted=again.boot_time > before))
        todo = tuple(one for one in offered if one not in left_out)
        due = bool({"servicing", "windows-update"} & set(again.pending))
        verdict_ = judge(server.name, rounds, todo, max_rounds=wish.max_rounds, due=due)
        if verdict_ is not None:
            verdict_ = _but(server.name, verdict_, left_out)
            return Patched(verdict=verdict_, rounds=tuple(rounds), boot_before=seen.boot_time, boot=again.boot_time)


def _by_worker(server: Server, wish: Wish, key: str, todo: tuple[Offer, ...]) -> Steps[Installation | None]:
    """Our own worker installs; gives how it ended, or that it hangs."""
    kind = installing_here if wish.method == "ssm-script" else installing
    ids, names = tuple(one.id for one in todo), tuple(one.name for one in todo)
    yield worker_removed.on(server, server=server.name, hung=False)
    yield kind.on(server, server=server.name, key=key, ids=ids, names=names)
    yield from worker_ended(server)
    return (yield from progress_of.read(server))


def _by_baseline(server: Server, key: str, todo: tuple[Offer, ...]) -> Steps[Installation | None]:
    """Patch Manager installs, of which our worker knows nothing."""
    comment, names = f"starover updates {key}", tuple(one.name for one in todo)
    instance = server.instance
    yield patched_by_baseline.on(server, server=server.name, instance=instance, comment=comment, names=names)
    yield from patching_ended(server, comment)
    return None


def _but(server: str, verdict: Verdict, left_out: tuple[Offer, ...]) -> Verdict:
    """The same, with what a patch baseline does not approve."""
    if not left_out:
        return verdict
    names = ", ".join(one.name for one in left_out)
    says = f"{server} has all that its patch baseline approves" if verdict.word == "patched" else verdict.says
    return replace(verdict, says=f"{says}; the baseline leaves out {names}")


def _ended(
    rounds: list[Round], todo: tuple[Offer, ...], now: Installation, verdict: Verdict, before: str, boot: str
) -> Patched:
    last = Round(wanted=todo, results=now.results, problem=now.problem, booted=False)
    return Patched(verdict=verdict, rounds=(*rounds, last), boot_before=before, boot=boot)


def _restart(wish: Wish, now: Installation | None, *, due: bool) -> bool:
    """Whether the host is restarted after a round."""
    if wish.reboot == "never":
        return False
    return wish.reboot == "always" or due or (now is not None and any(one.reboot for one in now.results))


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
