"""Windows updates of one server, or of a whole DAG one server after the other."""

from collections.abc import Sequence

from starover import Comment, Dag, Estate, Finding, Findings, Server, Steps, runbook
from starover.steps.around import look_around, member_of
from starover.steps.maintenance import BACK, OUT, take_out
from starover.steps.maintenance_types import Copies, Queued
from starover.steps.patch_state import scanned
from starover.steps.patches import PATCHING, patched
from starover.steps.rolling import (
    PASSIVE_FIRST,
    TEN_MINUTES,
    Duration,
    Failures,
    Order,
    Witness,
    balanced,
    in_order,
    pause_checked,
)
from starover.steps.rolling_updates import (
    Level,
    PatchReport,
    Run,
    Telling,
    of_order,
    offline_longest,
    witness_host,
    witness_patched,
)
from starover.steps.update_care import brought_back, finished, nothing_wanted
from starover.steps.update_task import scan, worker_ended
from starover.steps.updates import DENIED, Category, Exclude, Kb, Method, Reboot, Rounds, Wish


@runbook(beyond=(*OUT, *PATCHING, *BACK))
def windows_update(
    dag: Dag,
    estate: Estate,
    server: Server,
    categories: Sequence[Category] = ("security", "critical"),
    include: Sequence[Kb] = (),
    exclude: Sequence[Exclude] = DENIED,
    method: Method | None = None,
    reboot: Reboot = "if-needed",
    max_rounds: Rounds = 3,
    return_on_failure: bool = False,
    min_copies: Copies | None = None,
    allow_queued: Queued = 50,
    comment: Comment = "windows-update",
    now: bool = False,
) -> Steps[Findings]:
    """Install Windows updates on a member: out of service, installed as SYSTEM, restarted, searched again, back.

    Whether it worked is judged by our own search and the boot time, not by what the agent says. In doubt the server
    stays out of service. Where nothing is wanted, it is not taken out at all.

    dag: the DAG; need not be named where the inventory has one
    server: the member
    categories: classifications that are wanted; repeat it for several
    include: articles such as KB5044411 that are wanted whatever their category; repeat it for several
    exclude: articles, or regular expressions on titles, that are left alone; replaces the default, which is Exchange's
        own updates and new versions of .NET Framework
    method: how they are installed: task (a scheduled task as SYSTEM), ssm-script (a script of the agent of Systems
        Manager, where Run Command is the only road), patch-baseline (AWS-RunPatchBaseline without a restart: the patch
        baseline says what, and AWS sends it); not said: ssm-script where Run Command is the only road, else task
    reboot: when the server is restarted
    max_rounds: how often it is installed and searched again
    return_on_failure: back into service although an update failed
    min_copies: good copies of each database that must remain; 1 where it has two, else 2
    allow_queued: messages that may stay in its queues; they survive the restart
    comment: kept with the moves and the restart
    now: outside the maintenance windows of the DAG too
    """
    member_of(dag, server)
    wish = Wish(categories=categories, include=include, exclude=exclude, reboot=reboot, max_rounds=max_rounds)
    wish = wish.by(method, [server])
    yield from worker_ended(server)
    seen = yield from scan.read(server)
    if not wish.chosen(seen.updates):
        return Findings(findings=nothing_wanted(server.name, wish, seen))
    before = yield from take_out(
        dag, server, estate, min_copies=min_copies, allow_queued=allow_queued, comment=comment, now=now
    )
    done = yield from patched(server, wish, seen, comment=comment, member=True)
    verdict = yield from finished(server, done, before)
    yield from brought_back(dag, server, estate, before, verdict, return_on_failure=return_on_failure)
    rounds = f"{len(done.rounds)} round{'s' if len(done.rounds) > 1 else ''}"
    level: Level = "info" if verdict.word == "patched" else "warn"
    says = f"{verdict.says}; boot time {done.boot_before} -> {done.boot}"
    return PatchReport(
        findings=(Finding(check="updates", on=server.name, level=level, says=says),),
        verdict=f"{server.name}: {', '.join(done.installed)} installed in {rounds}.",
    )


@runbook(beyond=(*OUT, *PATCHING, *BACK))
def rolling_windows_update(
    dag: Dag,
    estate: Estate,
    categories: Sequence[Category] = ("security", "critical"),
    include: Sequence[Kb] = (),
    exclude: Sequence[Exclude] = DENIED,
    method: Method | None = None,
    reboot: Reboot = "if-needed",
    max_rounds: Rounds = 3,
    return_on_failure: bool = False,
    min_copies: Copies | None = None,
    allow_queued: Queued = 50,
    order: Order = PASSIVE_FIRST,
    max_failures: Failures = 0,
    pause: Duration = TEN_MINUTES,
    witness: Witness = "last",
    comment: Comment = "rolling-windows-update",
    now: bool = False,
) -> Steps[Findings]:
    """Install Windows updates on every member, one after the other, and on the witness; mail stays up.

    It stops at the first doubt: nobody is begun while another one is out of service, or the DAG is not well. Run again,
    it goes on where it stopped. It tells why in that order, which redundancy it kept, and how long databases were away.

    dag: the DAG; need not be named where the inventory has one
    categories: classifications that are wanted; repeat it for several
    include: articles such as KB5044411 that are wanted whatever their category; repeat it for several
    exclude: articles, or regular expressions on titles, that are left alone; replaces the default, which is Exchange's
        own updates and new versions of .NET Framework
    method: how they are installed: task (a scheduled task as SYSTEM), ssm-script (a script of the agent of Systems
        Manager, where Run Command is the only road), patch-baseline (AWS-RunPatchBaseline without a restart: the patch
        baseline says what, and AWS sends it); not said: ssm-script where Run Command is the only road, else task
    reboot: when a server is restarted
    max_rounds: how often one server is installed and searched again
    return_on_failure: back into service although an update failed
    min_copies: good copies of each database that must remain; 1 where it has two, else 2
    allow_queued: messages that may stay in the queues of a server; they survive the restart
    order: auto (fewest active databases first, the Primary Active Manager last), or servers with commas between
    max_failures: servers that may fail; counts only with --return-on-failure, for nobody is begun while one is out
    pause: between two members
    witness: when the witness host is patched, alone, while every node is Up
    comment: kept with the moves and the restarts
    now: outside the maintenance windows of the DAG too
    """
    seconds = pause_checked(pause)
    wish = Wish(categories=categories, include=include, exclude=exclude, reboot=reboot, max_rounds=max_rounds)
    around = yield from look_around(dag, estate)
    placed = in_order(around, order, estate)
    host = witness_host(around, estate) if witness != "skip" else None
    servers = [one.server for one in placed]
    wish = wish.by(method, [*servers, *([host] if host is not None else [])])
    scans = yield from scanned([*servers, *([host] if host is not None else [])])
    telling = Telling(dag=dag.name, order=placed)
    todo = of_order(placed, scans, wish)
    going = [server.name for server, _ in todo]
    telling.nothing += [server.name for server in servers if server.name not in going]
    run = Run(
        dag=dag,
        estate=estate,
        wish=wish,
        telling=telling,
        min_copies=min_copies,
        allow_queued=allow_queued,
        return_on_failure=return_on_failure,
        max_failures=max_failures,
        comment=comment,
        now=now,
    )
    alone = host if host is not None and wish.chosen(scans[host.name].updates) else None
    if host is None and witness != "skip":
        telling.notes.append(f"the witness {around.seen.witness_server} is not in the inventory: patch it by hand")
    elif host is not None and alone is None:
        telling.nothing.append(host.name)
    if alone is not None and witness == "first":
        yield from witness_patched(run, alone, scans[alone.name])
    yield from run.all(todo, around=around, pause=seconds)
    if alone is not None and witness == "last":
        yield from witness_patched(run, alone, scans[alone.name])
    if todo:
        telling.notes += yield from balanced(dag, estate, comment=comment)
        telling.offline = yield from offline_longest(around, around.member(around.seen_by).moment.utc)
    failure = run.ended()
    if failure is not None:
        raise failure
    return PatchReport(findings=telling.findings(), verdict=telling.verdict)
