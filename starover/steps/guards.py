"""Guards of the catalogue that several runbooks share, as pure functions on facts; asks nobody, knows no runbook."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from starover.estate import Dag
from starover.names import first_label, same_host
from starover.parameters import duration
from starover.step import Blocked
from starover.steps.copies import CopyStatus
from starover.steps.dag import short
from starover.steps.dag_object import ClusterView, DagObject, listed
from starover.steps.gate import Judged, judged
from starover.steps.quorum import lose, votes_of
from starover.windows import Window, next_opening, open_until

__all__ = [
    "another_remains",
    "blocks_changed",
    "frequency_of",
    "moment",
    "no_setup",
    "nobody_else_out",
    "quorum_without",
    "rebalanced",
    "set_dag_allowed",
    "set_dag_unless_alternate",
    "stays_behind",
    "window_open",
    "witness_well",
]


def quorum_without(
    cluster: ClusterView | None, *, nodes: Collection[str] = (), witness: bool = False
) -> Blocked | None:
    """G-QUORUM: whether the nodes that are up keep quorum while `nodes`, or the witness, are away; None: they do.

    With the weights of now and crash semantics: a clean stop would hand its vote over, but nobody promises that.
    """
    what = " and ".join([*sorted(nodes), *(["the witness"] if witness else [])])
    if cluster is None:
        return Blocked(
            f"the cluster could not be read, so nobody knows whether it survives without {what}",
            guard="G-QUORUM",
            certain=("nothing was changed",),
            next=("starover status",),
        )
    votes = votes_of(cluster)
    loss = lose(votes, nodes, witness=witness)
    if loss.quorum:
        return None
    return Blocked(
        f"without {what} {loss.votes} of {loss.total} votes would remain, and quorum needs {loss.needed}",
        guard="G-QUORUM",
        certain=(f"nodes up now: {', '.join(votes.up) or 'none'}", "nothing was changed"),
        next=("starover run health-report   names the node that is missing",),
    )


def witness_well(dag: DagObject, server: str) -> Judged:
    """G-WITNESS: a DAG with an even number of members has a witness that works, before `server` is taken out.

    Says too which other member could not go either, where a tie-break has left uneven weights.
    """
    if not dag.even or dag.cluster is None:
        return Judged("G-WITNESS")
    state, share = dag.cluster.witness_state, dag.witness_share
    if state == "Online" and share in ("Primary", "Alternate"):
        return Judged("G-WITNESS")
    seen = f"the witness {dag.witness_server} is {state or 'not in the cluster'}"
    if share not in ("Primary", "Alternate"):
        seen += f", share in use: {share or 'none'}"
    votes = votes_of(dag.cluster)
    weights = ", ".join(f"{node.name} {node.vote}" for node in votes.nodes)
    others = [
        f"{loss.lost[0]} could not go either: G-QUORUM, {loss.votes} of {loss.total} votes would remain"
        for loss in (lose(votes, [name]) for name in votes.up if not same_host(name, server))
        if not loss.quorum
    ]
    return judged(
        "G-WITNESS",
        Blocked(
            seen,
            guard="G-WITNESS",
            certain=(f"the weights of the nodes are now: {weights}", *others),
            next=(
                "starover run dag-witness-repair   brings the witness back",
                "starover plan dag-set-witness --server SERVER   another witness",
            ),
        ),
    )


def nobody_else_out(
    server: str, dag: DagObject, *, draining: Collection[str] = (), offline: Collection[str] = ()
) -> Judged:
    """G-SINGLE: no other member is in maintenance or down.

    `offline` are members whose component ServerWideOffline is Inactive; `draining` those whose HubTransport the
    requester Maintenance holds: maintenance sets it first and lifts it last, so it tells of one that broke off too. A
    policy Blocked alone may be meant for ever, as in a site that is there for disasters only.
    """
    out: dict[str, list[str]] = {}
    for node in dag.cluster.nodes if dag.cluster is not None else ():
        if node.state != "Up":
            out.setdefault(node.name, []).append(f"node {node.state}")
    for names, what in ((offline, "ServerWideOffline Inactive"), (draining, "HubTransport not Active")):
        for name in names:
            known = next((one for one in out if same_host(one, name)), name)
            out.setdefault(known, []).append(what)
    others = {name: what for name, what in out.items() if not same_host(name, server)}
    if not others:
        return Judged("G-SINGLE")
    said = "; ".join(f"{name}: {', '.join(what)}" for name, what in others.items())
    return judged(
        "G-SINGLE",
        Blocked(
            f"another member is out of service already ({said})",
            guard="G-SINGLE",
            next=tuple(f"starover plan maintenance-stop --server {name}" for name in others),
        ),
    )


def no_setup(installing: Mapping[str, Sequence[str]]) -> Judged:
    """G-SETUP: no setup of Exchange and no installation of Windows runs. `installing`: processes by server."""
    busy = {server: list(names) for server, names in installing.items() if names}
    if not busy:
        return Judged("G-SETUP")
    said = "; ".join(f"{', '.join(names)} on {server}" for server, names in busy.items())
    return judged(
        "G-SETUP",
        Blocked(f"an installation runs: {said}", guard="G-SETUP", next=("wait until it has ended, then look again",)),
    )


def window_open(dag: Dag, now: str, *, override: bool) -> Judged:
    """G-WINDOW: inside a maintenance window of the DAG, or `--now` was given. `now` is a host's time (ISO 8601).

    A DAG without windows may be worked on always.
    """
    windows = [Window.parse(text) for text in dag.windows]
    time = moment(now)
    if not windows or open_until(windows, time) is not None:
        return Judged("G-WINDOW")
    if override:
        return judged("G-WINDOW", None, "outside every maintenance window, by --now")
    opens = next_opening(windows, time)
    return judged(
        "G-WINDOW",
        Blocked(
            f"it is {time:%a %H:%M} UTC, outside the maintenance windows of {dag.name}",
            guard="G-WINDOW",
            certain=(
                f"windows: {'; '.join(dag.windows)}",
                *([f"the next one opens on {opens:%a %d %b at %H:%M} UTC"] if opens is not None else []),
            ),
            next=("--now   does it now all the same; users may notice",),
        ),
    )


def another_remains(what: str, others: Collection[str], *, kind: str) -> Judged:
    """G-LASTVIP: beside `what`, another healthy `kind` (target, address) still takes clients."""
    if others:
        return Judged("G-LASTVIP")
    return judged(
        "G-LASTVIP",
        Blocked(f"{what} is the last healthy {kind}: clients would find nothing", guard="G-LASTVIP"),
    )


def stays_behind(target: CopyStatus) -> Blocked | None:
    """G-LAG: a lagged copy, or one that somebody barred from activation, is not activated in passing."""
    if not target.lag and not target.activation_suspended:
        return None
    why = "is lagged" if target.lag else "is barred from activation"
    said = f'; comment "{target.suspend_comment}"' if target.suspend_comment else ""
    return Blocked(
        f"{target.id} {why}: it is there for another day{said}",
        guard="G-LAG",
        certain=("nothing was changed",),
        next=("--to another server", "lagged-copy-activate is the way to use a lagged copy"),
    )


def blocks_changed(before: Sequence[CopyStatus], after: Sequence[CopyStatus]) -> list[str]:
    """G-LAG as a comparison: what is lagged or barred no more, or newly so, in words."""
    now = {(one.database.casefold(), first_label(one.server)): one for one in after}
    said: list[str] = []
    for was in before:
        one = now.get((was.database.casefold(), first_label(was.server)))
        if one is None or one.active or was.active:
            continue
        if one.activation_suspended != was.activation_suspended:
            said.append(f"{one.id} {'is barred' if one.activation_suspended else 'is no longer barred'}")
        if one.lag != was.lag:
            said.append(f"{one.id} had a lag of {was.lag} and has {one.lag}")
    return said


def rebalanced(frequency: str, database: str, target: str, first: str) -> str:
    """G-REBAL: what automatic rebalancing (2016 and later) will do to a database moved by hand; empty: nothing.

    `frequency` is PreferenceMoveFrequency as text, empty where the version has none; `first` the server of the first
    preference.
    """
    every = frequency_of(frequency)
    if every is None or same_host(target, first):
        return ""
    return f"{database} will go back to {first} within {_spoken(every)} (G-REBAL); --hold swap keeps it on {target}"


def frequency_of(text: str) -> timedelta | None:
    """PreferenceMoveFrequency; None: it never moves anything (infinite, or a version without it)."""
    try:
        every = duration(text.partition(".")[0] if re.fullmatch(r"\d{1,2}:\d{2}:\d{2}\.\d+", text) else text)
    except ValueError:
        return None  # `-00:00:00.0010000` is how infinite is written
    return every if every > timedelta(0) else None


def moment(text: str) -> datetime:
    """A host's time, ISO 8601 with seven digits behind the point, as .NET writes it."""
    return datetime.fromisoformat(text)


def _spoken(every: timedelta) -> str:
    hours = every.total_seconds() / 3600
    return f"{hours:g} h" if hours >= 1 else f"{int(every.total_seconds() // 60)} min"


def set_dag_allowed(now: DagObject, *, naming: str = "", joining: Sequence[str] = ()) -> Blocked | None:
    """G-SETDAG: while a recovery is open, only what names the witness that is in use then may be set.

    Anything else may pull the quorum back to the primary one, which may be dead. `naming`: the witness it names;
    `joining`: members that are on their way in, and no nodes yet.
    """
    if naming and same_host(naming, now.alternate_server):
        return None
    alternate = set_dag_unless_alternate(now.witness_share)
    if alternate is not None or (naming and (now.witness_share != "Primary" or same_host(naming, now.witness_server))):
        return alternate
    why = _recovery_open(now, joining)
    if not why:
        return None
    return Blocked(
        f"a recovery is open ({why}): setting the DAG now may pull the quorum to a witness that is dead",
        guard="G-SETDAG",
        certain=("nothing was changed",),
        next=("failback brings that side back, and puts the witness in order",),
    )


def _recovery_open(now: DagObject, joining: Sequence[str]) -> str:
    """What shows that one side was given up and has not come back; empty: nothing does."""
    if now.stopped:
        return f"stopped: {', '.join(map(short, now.stopped))}"
    if now.cluster is None:
        return ""
    gone = [
        short(one) for one in now.members if now.cluster.node(short(one)) is None and not listed(short(one), joining)
    ]
    return f"evicted from the cluster: {', '.join(gone)}" if gone else ""


def set_dag_unless_alternate(witness_share: str) -> Blocked | None:
    """G-SETDAG for what names no witness at all."""
    if witness_share != "Alternate":
        return None
    return Blocked(
        "the DAG runs on its alternate witness: setting it now may pull the quorum back to the primary one",
        guard="G-SETDAG",
        certain=("nothing was changed",),
        next=("failback puts the witness back in order",),
    )
