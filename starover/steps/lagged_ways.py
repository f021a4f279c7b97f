"""What stands around a lagged copy that is put into service, and the ways to do it; knows no runbook.

lagged-copy-activate: all-logs, safety-net, point-in-time. All readings come before the first change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starover.errors import BadParameter, NotSafe
from starover.estate import Estate, Server
from starover.names import CopyId, same_host
from starover.runbook import Finding, Steps
from starover.steps.around import Around, look_around
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_of
from starover.steps.copy_spec import lag_text
from starover.steps.disaster import at
from starover.steps.gate import admit
from starover.steps.lagged import REPLICATION, lagged_activated, lagged_cut_over, replay_seconds
from starover.steps.lagged_logs import logs_set_aside
from starover.steps.lagged_recovery import database_recovered, recovery_mounted
from starover.steps.lags import held, safety_net_note, transport_config
from starover.steps.moves import LOSSLESS, best_copies, moment_of, moved
from starover.steps.nodes import core_group, owner_moved_off
from starover.steps.recovery import planned
from starover.steps.resubmitting import Utc, resubmit_requests
from starover.steps.services import services_started

__all__ = [
    "COMMENT",
    "Lagged",
    "Way",
    "all_logs",
    "back_to",
    "cut_over",
    "looked_at",
    "serving",
    "way_to_cut",
    "within_lag",
]

COMMENT = "lagged-copy-activate"


@dataclass(frozen=True)
class Lagged:
    """A lagged copy, and who its siblings are."""

    server: Server
    copy: CopyStatus
    all: DatabaseCopies
    utc: str
    """The clock of its host."""

    @property
    def day(self) -> str:
        """Its date."""
        return self.utc[:10]


def looked_at(estate: Estate, asked: CopyId) -> Steps[Lagged]:
    """Raises `BadParameter` for a copy that is not there, `NotSafe` for one without lag."""
    server = estate.server(asked.server)
    now = yield from copies_of.read(server, database=asked.database)
    one = now.find(asked)
    if one is None:
        raise BadParameter(f"{server.name} hosts no copy of {asked.database}", certain=("nothing was sent but reads",))
    if not one.mounted and not one.lag:
        raise NotSafe(
            f"G-LAG: {one.id} is no lagged copy",
            certain=("nothing was changed",),
            next=(f"starover plan db-switchover --db {one.database} --to {one.server}",),
        )
    moment = yield from moment_of.read(server)
    return Lagged(server, one, now, moment.utc)


def serving(estate: Estate, one: Lagged) -> Steps:
    """It is active: whatever an earlier run left standing on the others' hosts runs."""
    for other in one.all.copies:
        if other.status == "ServiceDown":
            server = estate.server(other.server)
            yield services_started.on(server, server=server.name, names=(REPLICATION,))


def all_logs(one: Lagged) -> Steps[list[Finding]]:
    """Activate it with everything that it has; what to know afterwards."""
    yield lagged_activated.on(
        one.server,
        database=one.copy.database,
        target=one.copy.server,
        dial=LOSSLESS,
        comment=COMMENT,
        skip=("lag",),
    ).within(replay_seconds(one.copy))
    return [_no_lag_left(one)]


def _no_lag_left(one: Lagged) -> Finding:
    says = f"{one.copy.database} has no lagged copy any more: starover plan copies-lag --copy ... gives it another"
    return Finding(check="G-LAG", on=str(one.copy.id), level="warn", says=says)


# -- point-in-time -----------------------------------------------------------------------------------------------------


def name_until(until: Utc) -> str:
    """A moment as it stands in names of folders and databases."""
    return until.replace("-", "").replace(":", "")


def within_lag(one: Lagged, until: Utc) -> None:
    """Raises `NotSafe` where a copy is active, or cannot be taken back to that moment."""
    now, wanted = at(one.utc), datetime.fromisoformat(until)
    why = ""
    if one.copy.active:
        why = f"{one.copy.id} is the active copy"
    elif now is not None and wanted >= now:
        why = f"{until} is not in the past"
    elif now is not None and wanted < now - one.copy.lag:
        why = f"{one.copy.id} lags {lag_text(one.copy.lag)}: it has played what was written until {until} and later"
    if why:
        raise NotSafe(f"G-LAG: {why}", certain=("nothing was changed",), next=("another --logs-until, or --copy",))


def back_to(one: Lagged, until: Utc) -> Steps[list[Finding]]:
    """Recover it to a moment and mount that beside production; what to know afterwards. It is suspended by then."""
    database, folder = one.copy.database, f"starover until {name_until(until)}"
    name = f"{database} until {name_until(until)}"
    yield logs_set_aside.on(one.server, identity=one.copy.id, database=database, folder=folder, until=until)
    yield database_recovered.on(one.server, identity=one.copy.id, database=database, folder=folder, until=until).within(
        replay_seconds(one.copy)
    )
    yield recovery_mounted.on(one.server, database=database, server=one.server.name, name=name, folder=folder)
    return [
        Finding(
            check="recovery database",
            on=name,
            level="info",
            says=f"restore from it: New-MailboxRestoreRequest -SourceDatabase '{name}' -SourceStoreMailbox ... "
            "-TargetMailbox ...",
        ),
        Finding(
            check="S-SEED",
            on=str(one.copy.id),
            level="warn",
            says="stays suspended and has no file; when the mail is back: Dismount-Database and Remove-MailboxDatabase "
            f"'{name}', remove the folders `{folder}`, then starover plan copy-seed "
            f"--copy {one.copy.database}/{one.copy.server}",
        ),
    ]


# -- safety-net --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """What stands around the active copy, whose host stops replicating for a moment."""

    source: Server
    dag: str
    asked: Server
    moves: tuple[tuple[str, str], ...]
    """Its other active databases, and where they go."""
    leader: str
    """Who becomes Primary Active Manager instead; empty: it is another one already."""
    notes: tuple[str, ...]


def way_to_cut(estate: Estate, one: Lagged) -> Steps[Way]:
    """Raises `NotSafe` where mail would be missing, or somebody else would go down."""
    keeps = held((yield from transport_config.read(one.server)))
    note = "how long Safety Net holds mail is not known" if keeps is None else safety_net_note(keeps, one.copy.lag)
    if note:
        raise NotSafe(
            f"G-LAG: {one.copy.id}: {note}, so mail would be missing",
            certain=("nothing was changed",),
            next=(f"--variant all-logs   replays {lag_text(one.copy.lag)} of logs instead",),
        )
    active = next((copy for copy in one.all.copies if copy.active), None)
    dag = next((dag for dag in estate.dags if any(same_host(one.server.name, name) for name in dag.members)), None)
    if active is None or dag is None:
        raise NotSafe(
            f"{one.copy.database} is active nowhere, or {one.server.name} is in no DAG of the inventory",
            certain=("nothing was changed",),
            next=("starover status",),
        )
    source = estate.server(active.server)
    around = yield from look_around(dag, estate, source)
    core = yield from core_group.read(around.seen_by, dag=dag.name)
    notes = admit(f"stopping replication on {source.name}", [around.judge_setup(), around.judge_seed(source)])
    here = [copy for copy in around.member(source).copies if copy.active and copy.database != one.copy.database]
    leader = ""
    if same_host(core.owner, source.name):
        refuge = around.refuge(source)
        if refuge is None:
            raise NotSafe(
                f"{source.name} is Primary Active Manager, and no other member can be",
                certain=("nothing was changed",),
                next=("starover status",),
            )
        leader = refuge.server.name
    moves = tuple((copy.database, _elsewhere(around, copy.database)) for copy in here)
    return Way(source, dag.name, around.seen_by, moves, leader, tuple(notes))


def _elsewhere(around: Around, database: str) -> str:
    best = best_copies(around.copies[database], around.nodes_up, around.servers)
    if not best:
        raise NotSafe(
            f"G-COPIES: {database} is active there too, and no other copy of it can take over",
            certain=("nothing was changed",),
            next=("starover run health-report   says what is wrong with each",),
        )
    return best[0].server


def cut_over(one: Lagged, way: Way) -> Steps[list[Finding]]:
    """Set its later logs aside and activate it without them; what to know afterwards. It is suspended by then."""
    database, folder = one.copy.database, f"starover {one.day}"
    yield logs_set_aside.on(one.server, identity=one.copy.id, database=database, folder=folder, until=None)
    for name, target in way.moves:
        yield moved.on(
            way.asked, database=name, target=target, dial=LOSSLESS, comment=COMMENT, skip=(), note=""
        ).warned(f"replication stops on {way.source.name} for a moment")
    if way.leader:
        yield owner_moved_off.on(way.asked, dag=way.dag, server=way.source.name, target=way.leader)
    outcome = yield lagged_cut_over.on(
        way.source, database=database, source=way.source.name, target=one.copy.server, comment=COMMENT
    ).warned(*way.notes)
    yield services_started.on(way.source, server=way.source.name, names=(REPLICATION,))
    says = "not asked yet"
    if not planned(outcome):
        asked = yield from resubmit_requests.read(one.server, server=one.copy.server)
        says = ", ".join(f"request {it.identity} is {it.state}" for it in asked.requests[-1:]) or "no request is there"
    others = [copy for copy in one.all.copies if not same_host(copy.server, one.copy.server)]
    return [
        Finding(check="S-MAILFLOW", on=database, level="info", says=f"Safety Net on {one.copy.server}: {says}"),
        *(
            Finding(
                check="S-SEED",
                on=str(copy.id),
                level="warn",
                says="has logs that the database went on without: starover plan copy-divergence-repair "
                f"--copy {database}/{copy.server}   keeps them first",
            )
            for copy in others
        ),
        Finding(
            check="G-LAG",
            on=str(one.copy.id),
            level="info",
            says=f"what was set aside lies in the folder `{folder}` beside its logs, until somebody removes it",
        ),
        _no_lag_left(one),
    ]
