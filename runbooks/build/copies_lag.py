"""Keep a copy behind the others, as a way back in time."""

from starover import CopyId, DagName, Estate, NotSafe, Steps, runbook
from starover.steps.copy_spec import DAY, NO_LAG, WEEK, Lag
from starover.steps.lags import (
    held,
    lag_blocked,
    lag_lowered,
    lag_manager,
    lag_set,
    safety_net_note,
    transport_config,
)
from starover.steps.placement import placement
from starover.steps.preferences import policies
from starover.steps.seeding import barred


@runbook
def copies_lag(
    estate: Estate,
    copy: CopyId,
    replay_lag: Lag = WEEK,
    truncation_lag: Lag = NO_LAG,
    max_delay: Lag = DAY,
    block: bool = True,
    allow_fewer: bool = False,
    dag: DagName | None = None,
) -> Steps:
    """Keep a copy that is there behind the others, and bar it from activation.

    It must be the last one in the order, with three good copies beside it. A lower lag than before is risk D: what lies
    between is replayed, and there is no way back to it.

    copy: DATABASE/SERVER
    replay_lag: how far behind it replays: 7d, 12h, 7.00:00:00; 14d at most
    truncation_lag: how long it keeps logs that it has replayed
    max_delay: how long Exchange may put off playing it down; from Exchange 2016 on
    block: bar it from activation
    allow_fewer: also with fewer than three good copies beside it
    dag: the DAG; the server's own where it is not named
    """
    server = estate.server(copy.server)
    now = yield from placement.read(server, database=copy.database)
    identity = CopyId(now.name or copy.database, server.name)
    refused = lag_blocked(now, identity, replay_lag, allow_fewer=allow_fewer)
    if refused is not None:
        why = f"{refused.guard}: {refused.why}" if refused.guard else refused.why
        raise NotSafe(why, certain=refused.certain, next=refused.next, host=server.name)
    facts = (yield from policies.read(server)).find(server.name)
    kept = held((yield from transport_config.read(server))) if replay_lag else None
    manager = (yield from lag_manager.read(server, dag=dag or facts.in_dag)) if facts and facts.in_dag else None
    said = [
        safety_net_note(kept, replay_lag) if kept is not None else "",
        "Exchange plays it down by itself when good copies are missing" if manager and manager.enabled else "",
    ]
    lower = replay_lag < now.replay_lag(server.name)
    yield (lag_lowered if lower else lag_set).on(
        server,
        identity=identity,
        database=identity.database,
        replay_lag=replay_lag,
        truncation_lag=truncation_lag,
        max_delay=None if facts is not None and facts.family == "15.0" else max_delay,
        note="; ".join(part for part in said if part),
    )
    if block and replay_lag:
        yield barred.on(
            server, identity=identity, database=identity.database, comment="[starover] lagged copy", coming=False
        )
