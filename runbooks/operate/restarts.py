"""A member, or one of its services, restarted."""

from starover import Blocked, Comment, Dag, Estate, NotSafe, Server, Steps, runbook
from starover.steps.after_move import moved_and_well
from starover.steps.around import Around, look_around, member_of
from starover.steps.dag import hello
from starover.steps.gate import Judged, admit, judged
from starover.steps.maintenance import BACK, bring_back, take_out
from starover.steps.maintenance_types import Copies, Queued, ServiceName
from starover.steps.moves import LOSSLESS, best_copies, moved
from starover.steps.patches import back_up
from starover.steps.redundancy import only_copies
from starover.steps.services import rebooted, service_restarted, service_states


@runbook(beyond=BACK)
def server_reboot(
    dag: Dag,
    estate: Estate,
    server: Server,
    min_copies: Copies | None = None,
    allow_queued: Queued = 50,
    comment: Comment = "server-reboot",
    now: bool = False,
) -> Steps:
    """Restart a member: out of service, restarted, its services awaited, back in service as it was.

    dag: the DAG; need not be named where the inventory has one
    server: the member
    min_copies: good copies of each database that must remain; 1 where it has two, else 2
    allow_queued: messages that may stay in its queues; they survive the restart
    comment: kept with the restart in the host's own log
    now: outside the maintenance windows of the DAG too
    """
    boot = yield from hello.read(server)
    before = yield from take_out(
        dag, server, estate, min_copies=min_copies, allow_queued=allow_queued, comment=comment, now=now
    )
    yield rebooted.on(server, after=boot.boot_time, comment=comment, note="")
    yield from back_up(server, member=True)
    yield from bring_back(dag, server, estate, before=before)


@runbook
def service_restart(
    dag: Dag,
    estate: Estate,
    server: Server,
    service: ServiceName,
    comment: Comment = "service-restart",
    now: bool = False,
) -> Steps:
    """Restart a service of a member, with what that service needs: no databases under MSExchangeIS, quorum for ClusSvc.

    dag: the DAG; need not be named where the inventory has one
    server: the member
    service: its short name; not WinRM, which carries this
    comment: kept with databases that move
    now: outside the maintenance windows of the DAG too
    """
    member_of(dag, server)
    found = yield from service_states.read(server, names=(service,))
    one = found.find(service)
    if one is None:
        raise NotSafe(
            f"{server.name} has no service {service}",
            certain=("nothing was changed",),
            next=("its short name is wanted, such as MSExchangeIS or W3SVC",),
            host=server.name,
        )
    around = yield from look_around(dag, estate, server)
    kind = one.name.casefold()
    every = [around.judge_setup(), around.judge_window(server, now=now)]
    if kind == "msexchangeis":
        alone = only_copies(around.databases, server.name)
        every += [_no_single(server.name, alone), around.judge_seed(server)]
    if kind == "msexchangerepl":
        every += [around.judge_seed(server)]
    if kind == "clussvc":
        every += [
            around.judge_single(server),
            around.judge_witness(server),
            around.judge_quorum(server),
            _nothing_active(around, server),
        ]
    notes = admit(f"restarting {one.name} on {server.name}", every, host=server.name)
    if kind == "msexchangeis":
        for name in around.active_on(server):
            step = moved.on(
                server,
                database=name,
                target=_elsewhere(around, name),
                dial=LOSSLESS,
                comment=comment,
                skip=(),
                note="",
            )
            yield from moved_and_well(server, step, name, around.copies[name])
    says = {
        "msexchangerepl": "no log is copied to or from it for a moment",
        "msexchangetransport": "mail waits for a moment",
        "w3svc": "its clients connect anew",
    }.get(kind, "")
    yield service_restarted.on(
        server,
        server=server.name,
        service=one.name,
        names=(one.name,),
        after=one.since,
        note=says,
    ).warned(*notes)


def _no_single(server: str, alone: list[str]) -> Judged:
    """G-COPIES for a store that stops: a database with a single copy would go down with it."""
    if not alone:
        return Judged("G-COPIES")
    return judged(
        "G-COPIES",
        Blocked(f"{', '.join(alone)} has its only copy on {server} and would be offline", guard="G-COPIES"),
    )


def _nothing_active(around: Around, server: Server) -> Judged:
    """G-COPIES for a cluster service that stops: what is active there would fail over instead of moving."""
    active = around.active_on(server)
    if not active:
        return Judged("G-COPIES")
    return judged(
        "G-COPIES",
        Blocked(
            f"{', '.join(active)} is active on {server.name} and would fail over",
            guard="G-COPIES",
            next=(f"starover run server-switchover --server {server.name}",),
        ),
    )


def _elsewhere(around: Around, database: str) -> str:
    """The best other copy. Raises `NotSafe`."""
    best = best_copies(around.copies[database], around.nodes_up, around.servers)
    if not best:
        raise NotSafe(
            f"no other copy of {database} can take over",
            certain=("nothing was changed",),
            next=("starover run health-report   says what is wrong with each",),
        )
    return best[0].server
