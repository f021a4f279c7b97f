"""What may a DAG lose before mail stops?"""

from collections.abc import Sequence

from starover import BadParameter, Dag, Estate, Finding, Findings, NotSafe, Server, Steps, runbook, same_host
from starover.steps.dag_object import Seen, existing
from starover.steps.out_on_purpose import left_of, out_by_dag, put_out
from starover.steps.quorum import WITNESS, Loss, Votes, fatal, lose, losses, votes_of
from starover.steps.witness import unprepared


class QuorumReport(Findings, frozen=True, kw_only=True):
    """What each loss would cost."""

    dag: str
    verdict: str
    votes: int
    total: int
    margin: int
    """Votes that may go and quorum is kept."""
    fatal: tuple[str, ...]
    """The smallest loss that takes quorum away; empty: none of those that were looked at."""


@runbook
def quorum_report(dag: Dag, estate: Estate, lose: Sequence[str] = ()) -> Steps[QuorumReport]:
    """Reckon with the live votes what any single loss, any pair and each AZ would cost.

    dag: the DAG; need not be named where the inventory has one
    lose: what would be lost at one moment: a member, `witness`, or az:NAME; repeat it for several
    """
    found = yield from existing(dag.name, estate)
    cluster = found.dag.cluster
    if cluster is None:
        raise NotSafe(
            f"no cluster of {dag.name} answers: {found.dag.cluster_error or 'quorum is lost'}",
            certain=("nothing was changed",),
            next=("starover assess",),
            host=found.server.name,
        )
    votes = votes_of(cluster)
    witness = next((one for one in estate.servers if same_host(one.name, found.dag.witness_server)), None)
    zones = _zones(estate, [node.name for node in votes.nodes], witness)
    asked = _asked(lose, votes, zones, dag.name)
    every = [_lost(votes, asked)] if asked else list(losses(votes, zones))
    worst = fatal(votes, zones)
    findings = [_finding(one) for one in every]
    alternate = found.dag.alternate_server
    if alternate:
        lacking = yield from unprepared([alternate], estate)
        says = "; ".join(lacking) or "its role, rights and firewall are as they should be"
        findings.append(Finding(check="alternate witness", on=alternate, level="warn" if lacking else "ok", says=says))
    elif len({node.name for node in votes.nodes}) > 1:
        findings.append(Finding(check="alternate witness", on=dag.name, level="info", says="none is named"))
    findings += yield from _out(found, estate)
    if asked:
        says = f"losing {' and '.join(every[0].lost)} {'leaves it its quorum' if every[0].quorum else 'stops it'}."
    else:
        says = f"losing {' and '.join(worst.lost)} stops it." if worst else "no loss that was looked at stops it."
    return QuorumReport(
        dag=dag.name,
        verdict=f"{dag.name} has {votes.present} of {votes.total} votes and needs {votes.needed}; {says}",
        votes=votes.present,
        total=votes.total,
        margin=votes.present - votes.needed,
        fatal=worst.lost if worst is not None else (),
        findings=tuple(findings),
    )


def _out(found: Seen, estate: Estate) -> Steps[list[Finding]]:
    """Members that are out on purpose: they have no vote, and come back by failback."""
    members = [one for one in estate.servers if found.dag.has(one.name)]
    out = {one.name: why for one in members if (why := out_by_dag(one.name, found.dag))}
    mute = [one for one in members if one.name in found.silent and one.name not in out]
    out |= yield from put_out(mute, left_of(mute, found.dag), members)
    return [
        Finding(check="member", on=name, level="warn", says=f"out on purpose: {why}; it has no vote here")
        for name, why in out.items()
    ]


def _zones(estate: Estate, members: Sequence[str], witness: Server | None) -> dict[str, list[str]]:
    zones: dict[str, list[str]] = {}
    for one in estate.servers:
        if one.az and any(same_host(one.name, name) for name in members):
            zones.setdefault(one.az, []).append(one.name)
    if witness is not None and witness.az:
        zones.setdefault(witness.az, []).append(WITNESS)
    return zones


def _asked(words: Sequence[str], votes: Votes, zones: dict[str, list[str]], dag: str) -> list[str]:
    """What `--lose` names. Raises `BadParameter`."""
    found: list[str] = []
    for word in words:
        if word.casefold() == "witness":
            found.append(WITNESS)
        elif word.casefold().startswith("az:"):
            zone = word[3:].casefold()
            here = next((names for az, names in zones.items() if az.casefold().endswith(zone)), None)
            if not zone or here is None:
                raise BadParameter(
                    f"--lose {word}: no member of {dag} is there", next=(f"zones: {', '.join(zones) or 'none'}",)
                )
            found += here
        else:
            node = next((one.name for one in votes.nodes if same_host(one.name, word)), None)
            if node is None:
                known = ", ".join(one.name for one in votes.nodes)
                raise BadParameter(f"--lose {word}: no node of {dag}", next=(f"{known}, witness, or az:NAME",))
            found.append(node)
    return list(dict.fromkeys(found))


def _lost(votes: Votes, names: Sequence[str]) -> Loss:
    return lose(votes, [one for one in names if one != WITNESS], witness=WITNESS in names)


def _finding(loss: Loss) -> Finding:
    says = f"{loss.votes} of {loss.total} votes would be left, {loss.needed} are needed"
    if loss.quorum:
        after = loss.after
        return Finding(
            check="quorum",
            on=" and ".join(loss.lost),
            level="ok",
            says=f"kept: {says}; then {after.present} of {after.total}",
        )
    return Finding(check="quorum", on=" and ".join(loss.lost), level="warn", says=f"LOST: {says}")
