"""What a DAG's facts mean: findings graded red, amber or unknown (catalogue, health-report); pure, asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from starover.names import same_host
from starover.runbook import Finding
from starover.steps.copies import CopyStatus
from starover.steps.dag import DagFacts, DatabaseInfo, HostFacts

__all__ = ["NOT_CHECKED", "findings", "verdict"]

Level = Literal["ok", "info", "warn", "fail", "unknown"]

NOT_CHECKED = (
    "transport queues",
    "hours until a log volume is full (needs a measured log rate)",
    "certificates and the Auth certificate",
    "pending reboots and patch age",
    "DNS, load balancer and Route 53",
    "age of the last backup",
)
"""What the catalogue's report has and this one does not look at yet: unknown is never green."""

ALWAYS_INACTIVE = frozenset({"forwardsyncdaemon", "provisioningrps"})
"""Components that are Inactive on healthy servers (exchange.md, point 10)."""
WANTED_COPIES = 2
AMBER_QUEUE = 10
AMBER_REPLAY = 50
FULL_VOLUME = 0.05
"""Part of a volume that is free below which it is red."""
SCARCE_VOLUME = 0.15


def findings(facts: DagFacts) -> tuple[Finding, ...]:
    """Every check, the worst first; the order within a level is that of the catalogue."""
    found = [
        *_hosts(facts),
        *_quorum(facts),
        *_databases(facts),
        *(one for host in facts.members for one in _member(host)),
        *(_finding("not checked", facts.name, "unknown", what) for what in NOT_CHECKED),
    ]
    order: Sequence[Level] = ("fail", "unknown", "warn", "info", "ok")
    return tuple(sorted(found, key=lambda one: order.index(one.level)))


def verdict(found: Sequence[Finding], name: str) -> str:
    """One sentence in the field's words."""
    red = [one for one in found if one.level == "fail"]
    amber = [one for one in found if one.level == "warn"]
    unknown = [one for one in found if one.level == "unknown" and one.check != "not checked"]
    if red:
        return f"{name} is RED: {red[0].on}: {red[0].says.rstrip('.')}" + (
            f", and {len(red) - 1} more." if red[1:] else "."
        )
    if unknown:
        return f"{name} is not known to be well: {unknown[0].on}: {unknown[0].says}."
    if amber:
        return f"{name} is AMBER: {amber[0].on}: {amber[0].says}" + (
            f", and {len(amber) - 1} more." if amber[1:] else "."
        )
    return f"{name} is well in everything that was looked at."


def _finding(check: str, on: str, level: Level, says: str) -> Finding:
    return Finding(check=check, on=on, level=level, says=says)


def _hosts(facts: DagFacts) -> Iterator[Finding]:
    for host in (*facts.members, *facts.others):
        if host.out:
            yield _finding("host", host.server, "warn", f"out on purpose: {host.out}; it comes back by failback only")
        elif host.answers:
            yield _finding("host", host.server, "ok", f"answers, up since {host.boot_time}")
        else:
            yield _finding("host", host.server, "unknown", "; ".join(host.errors) or "did not answer")
        if host.answers and not host.out:
            for error in host.errors:
                yield _finding("host", host.server, "unknown", error)


def _quorum(facts: DagFacts) -> Iterator[Finding]:
    cluster, dag = facts.cluster, facts.dag
    if cluster is None:
        answering = any(host.answers for host in facts.members)
        says = "no member's cluster service answers: quorum is lost" if answering else "no member could be asked"
        yield _finding("quorum", facts.name, "fail" if answering else "unknown", says)
        return
    margin = cluster.votes - cluster.needed
    broken = [node for node in cluster.nodes if node.state != "Up"]
    level: Level = "ok" if margin > 0 else "fail" if broken or margin < 0 else "warn"
    yield _finding(
        "quorum", facts.name, level, f"{cluster.votes} of {cluster.total} votes here, {cluster.needed} needed"
    )
    for node in cluster.nodes:
        if node.information == "Quarantined":
            yield _finding("node", node.name, "fail", f"{node.state}, Quarantined")
        elif node.state != "Up" or node.information not in ("", "Normal"):
            yield _finding("node", node.name, "warn", " ".join(part for part in (node.state, node.information) if part))
        else:
            yield _finding("node", node.name, "ok", f"Up, {node.dynamic} vote")
    even = len(cluster.nodes) % 2 == 0
    if even:
        share = dag.witness_share if dag else ""
        good = cluster.witness_state == "Online" and share != "InvalidConfiguration"
        says = f"{cluster.witness_state or 'no witness resource'}, share in use: {share or 'not known'}"
        used = (dag.alternate_server if share == "Alternate" else dag.witness_server) if dag else ""
        yield _finding("witness", used or facts.name, "ok" if good else "fail", says)


def _databases(facts: DagFacts) -> Iterator[Finding]:
    if facts.databases is None:
        yield _finding("databases", facts.name, "unknown", "no member could list the databases")
        return
    seen = [copy for host in facts.members for copy in host.copies or ()]
    out = [host.server for host in facts.members if host.out]
    for database in facts.databases:
        copies = [copy for copy in seen if copy.database.casefold() == database.name.casefold()]
        yield from _database(database, copies, out)


def _database(database: DatabaseInfo, copies: Sequence[CopyStatus], out: Sequence[str]) -> Iterator[Finding]:
    """`out`: members that are out on purpose, whose copies are no good and not unknown."""
    name = database.name
    there = [pair.server for pair in database.preferences if not any(same_host(pair.server, one) for one in out)]
    unseen = [server for server in there if not any(same_host(copy.server, server) for copy in copies)]
    copies = [copy for copy in copies if any(same_host(copy.server, server) for server in there)]
    mounted = [copy for copy in copies if copy.mounted]
    if mounted:
        yield _finding("mounted", name, "ok", f"Mounted on {mounted[0].server}")
    elif unseen:
        yield _finding("mounted", name, "unknown", f"no copy seen is Mounted; not seen: {', '.join(unseen)}")
    else:
        yield _finding("mounted", name, "fail", "no copy is Mounted: mail of this database is down")
    good = [copy for copy in copies if copy.good]
    if len(database.preferences) > 1:
        level: Level = "ok" if len(good) >= WANTED_COPIES else "unknown" if unseen else "fail"
        yield _finding("redundancy", name, level, f"{len(good)} good of {len(database.preferences)} copies")
    else:
        yield _finding("redundancy", name, "fail", "a single copy: the next failure stops its mail")
    for copy in copies:
        yield from _copy(copy)
    active = next((copy for copy in copies if copy.active), None)
    if active is not None and active.preference not in (1, None):
        yield _finding("preference", name, "warn", f"active on {active.server}, preference {active.preference}")


def _copy(copy: CopyStatus) -> Iterator[Finding]:
    on = str(copy.id)
    if copy.active:
        return
    if copy.copy_queue is not None and copy.queue is None:
        yield _finding("copy", on, "fail", "its copy queue is unknown to Exchange: no automatic candidate")
    elif copy.queue is None:
        yield _finding("copy", on, "fail", f"{copy.status}, copy queue not given: no automatic candidate")
    elif copy.status != "Healthy":
        said = f": {copy.error_message}" if copy.error_message else ""
        yield _finding("copy", on, "warn", f"{copy.status}, copy queue {copy.queue}{said}")
    elif copy.queue > AMBER_QUEUE:
        yield _finding("copy", on, "warn", f"copy queue {copy.queue}")
    elif not copy.lag and (copy.replay_queue or 0) > AMBER_REPLAY:
        yield _finding("copy", on, "warn", f"replay queue {copy.replay_queue}")
    elif copy.activation_suspended and not copy.lag:
        yield _finding("copy", on, "warn", "Healthy, but barred from activation")
    else:
        yield _finding("copy", on, "ok", f"{copy.status}, queues {copy.queue}/{copy.replay_queue}")


def _member(host: HostFacts) -> Iterator[Finding]:
    health = host.health
    if health is None or not host.answers:
        return
    if health.checks is not None:
        failed = [one for one in health.checks.checks if "passed" not in one.result.casefold()]
        for one in failed:
            level: Level = "fail" if "fail" in one.result.casefold() else "warn"
            says = f"{one.result.strip('*')}: {one.error}" if one.error else one.result
            yield _finding(f"replication {one.name}", host.server, level, says)
        if not failed:
            yield _finding("replication", host.server, "ok", f"{len(health.checks.checks)} checks passed")
    if health.components is not None:
        for component in health.components.components:
            if component.state != "Active" and component.name.casefold() not in ALWAYS_INACTIVE:
                yield _finding("component", host.server, "warn", f"{component.name} is {component.state}")
    if health.services is not None:
        for service in health.services.not_running:
            yield _finding("service", host.server, "fail", f"{service} does not run")
    if health.volumes is not None:
        for volume in health.volumes.volumes:
            free = volume.free / volume.capacity if volume.capacity else 1.0
            level = "fail" if free < FULL_VOLUME else "warn" if free < SCARCE_VOLUME else "ok"
            yield _finding("volume", host.server, level, f"{volume.name} {volume.free // 2**30} GB free, {free:.0%}")
