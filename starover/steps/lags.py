"""Lagged copies: how far behind, what that needs, and what lowering destroys; knows no runbook."""

from __future__ import annotations

from datetime import timedelta

from starover.estate import Server
from starover.names import CopyId, DbName
from starover.parameters import duration
from starover.step import Blocked, Change, Query, Report, Risk, Step, step
from starover.steps.copy_spec import lag_text
from starover.steps.placement import Placement, placement

__all__ = ["TransportConfig", "held", "lag_lowered", "lag_set", "safety_net_note", "transport_config"]


class TransportConfig(Report):
    """What the organization keeps of delivered mail (`server/transport_config.ps1.j2`)."""

    safety_net_hold: str
    """`2.00:00:00`."""


transport_config = Query("server/transport_config.ps1.j2", TransportConfig)


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
) -> Step | None:
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
) -> Change | Blocked | None:
    """A copy stays this far behind (S-COPY-PROPS); None leaves a lag as it is. Raising only: that loses nothing."""
    change = _lags(now, identity, database, replay_lag, truncation_lag, max_delay)
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
) -> Change | Blocked | None:
    """A copy stays less far behind than before: what lies between is replayed, and cannot be gone back to."""
    change = _lags(now, identity, database, replay_lag, truncation_lag, max_delay)
    if isinstance(change, Change):
        return Change(change.what, change.now, change.wanted, note="the way back in time gets shorter")
    return change


def _lags(
    now: Placement,
    identity: CopyId,
    database: str,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
    max_delay: timedelta | None,
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
    )


def _max_delay(now: Placement, identity: CopyId) -> timedelta | None:
    """How long a play-down may be put off; None: this version does not say."""
    one = now.find(identity)
    return one.max_delay if one is not None else None
