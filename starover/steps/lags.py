"""Lagged copies: how far behind, what that needs, and what lowering destroys; knows no runbook."""

from __future__ import annotations

from datetime import timedelta

from starover.estate import Server
from starover.names import CopyId, DbName, same_host
from starover.parameters import duration
from starover.step import Blocked, Change, Query, Report, Risk, Step, step
from starover.steps.copy_spec import lag_text
from starover.steps.placement import Placement, placement, preference_text

__all__ = [
    "LagManager",
    "TransportConfig",
    "held",
    "lag_blocked",
    "lag_lowered",
    "lag_manager",
    "lag_set",
    "safety_net_note",
    "transport_config",
]


class TransportConfig(Report):
    """What the organization keeps of delivered mail (`server/transport_config.ps1.j2`)."""

    safety_net_hold: str
    """`2.00:00:00`."""


transport_config = Query("server/transport_config.ps1.j2", TransportConfig)


GOOD_COPIES_BESIDE = 3
"""Copies without lag that a lagged one should have beside it (P37)."""


def lag_blocked(now: Placement, copy: CopyId, lag: timedelta, *, allow_fewer: bool) -> Blocked | None:
    """Why a copy may not be kept behind (G-LAG): it is the last one, and enough good ones are left to serve."""
    certain = ("nothing was changed",)
    one = now.find(copy)
    if not now.found or one is None:
        return Blocked(f"there is no copy {copy}", certain=certain, next=("starover status",))
    if one.active:
        return Blocked(f"{copy} is the active copy: it cannot stay behind", guard="G-LAG", certain=certain)
    if not lag:
        return None
    own = next(place for server, place in now.places.items() if same_host(server, copy.server))
    after = [server for server, place in now.places.items() if place > own and not now.replay_lag(server)]
    if after:
        return Blocked(
            f"{copy} has preference {own}, and {', '.join(after)} come after it: a lagged copy is the last",
            guard="G-LAG",
            certain=(f"preferences: {preference_text(now.places)}", *certain),
            next=("starover plan activation-preferences --order ...   with this copy last",),
        )
    beside = [other for other in now.copies if other is not one and not now.replay_lag(other.server)]
    whole = [
        other for other in beside if other.mounted or (other.status == "Healthy" and not other.activation_suspended)
    ]
    if len(whole) < GOOD_COPIES_BESIDE and not allow_fewer:
        return Blocked(
            f"{copy.database} would have {len(whole)} good copies beside the lagged one; {GOOD_COPIES_BESIDE} are due",
            guard="P37",
            certain=(f"good: {', '.join(str(other.id) for other in whole) or 'none'}", *certain),
            next=("copies-add first, or --allow-fewer",),
        )
    return None


class LagManager(Report):
    """Whether lagged copies are played down by themselves (`dag/lag_manager.ps1.j2`)."""

    enabled: bool


lag_manager = Query("dag/lag_manager.ps1.j2", LagManager)
"""Argument: `dag`."""


def held(config: TransportConfig | None) -> timedelta | None:
    """How long Safety Net keeps mail; None: not asked, or said in a form that nobody knows."""
    try:
        return duration(config.safety_net_hold) if config is not None else None
    except ValueError:
        return None


def safety_net_note(held: timedelta, lag: timedelta) -> str:
    """A warning where Safety Net cannot fill the lag; empty: it can."""
    if held >= lag:
        return ""
    return f"Safety Net holds mail for {lag_text(held)}: it cannot fill a lag of {lag_text(lag)}"


def _back(
    prev: Placement,
    server: Server,
    /,
    *,
    identity: CopyId,
    database: DbName,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
    max_delay: timedelta | None,
    note: str,
) -> Step | None:
    del note
    if not prev.has(identity.server):
        return None
    was = prev.replay_lag(identity.server)
    kind = lag_lowered if replay_lag is not None and was < replay_lag else lag_set
    return kind.on(
        server,
        identity=identity,
        database=database,
        replay_lag=was if replay_lag is not None else None,
        truncation_lag=prev.truncation_lag(identity.server) if truncation_lag is not None else None,
        max_delay=_max_delay(prev, identity) if max_delay is not None else None,
        note="",
    )


@step(check=placement, apply="copy/lags.ps1.j2", risk=Risk.LOW, undo=_back)
def lag_set(
    now: Placement,
    /,
    *,
    identity: CopyId,
    database: DbName,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
    max_delay: timedelta | None,
    note: str,
) -> Change | Blocked | None:
    """A copy stays this far behind (S-COPY-PROPS); None leaves a lag as it is. Raising only: that loses nothing."""
    change = _lags(now, identity, database, replay_lag, truncation_lag, max_delay, note)
    if isinstance(change, Change) and replay_lag is not None and replay_lag < now.replay_lag(identity.server):
        return Blocked(
            f"the lag of {identity} is {lag_text(now.replay_lag(identity.server))} by now: lowering it loses the "
            "way back in time",
            guard="G-LAG",
            certain=("nothing was changed",),
        )
    return change


@step(check=placement, apply="copy/lags.ps1.j2", risk=Risk.DATA, undo=_back)
def lag_lowered(
    now: Placement,
    /,
    *,
    identity: CopyId,
    database: DbName,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
    max_delay: timedelta | None,
    note: str,
) -> Change | Blocked | None:
    """A copy stays less far behind than before: what lies between is replayed, and cannot be gone back to."""
    said = "; ".join(part for part in ("the way back in time gets shorter", note) if part)
    return _lags(now, identity, database, replay_lag, truncation_lag, max_delay, said)


def _lags(
    now: Placement,
    identity: CopyId,
    database: str,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
    max_delay: timedelta | None,
    note: str,
) -> Change | Blocked | None:
    if not now.has(identity.server):
        return Blocked(
            f"{identity.server} hosts no copy of {database}",
            certain=("nothing was changed",),
            next=("starover status",),
        )
    parts = [
        (name, was, wanted)
        for name, was, wanted in (
            ("replay lag", now.replay_lag(identity.server), replay_lag),
            ("truncation lag", now.truncation_lag(identity.server), truncation_lag),
            ("at most delayed by", _max_delay(now, identity), max_delay),
        )
        if wanted is not None and was != wanted
    ]
    if not parts:
        return None
    return Change(
        identity,
        ", ".join(f"{name} {'unknown' if was is None else lag_text(was)}" for name, was, _ in parts),
        ", ".join(f"{name} {lag_text(wanted)}" for name, _, wanted in parts),
        note=note,
    )


def _max_delay(now: Placement, identity: CopyId) -> timedelta | None:
    """How long a play-down may be put off; None: this version does not say."""
    one = now.find(identity)
    return one.max_delay if one is not None else None
