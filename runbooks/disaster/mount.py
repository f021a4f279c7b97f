"""Mount databases that a DAG with quorum has left down."""

from collections.abc import Sequence

from starover import BadParameter, Dag, DbName, Estate, Finding, Findings, NotSafe, Steps, runbook, same_host, together
from starover.steps.afterwards import who_cannot_log_on
from starover.steps.assessing import Assessed, assessed
from starover.steps.assessment import Lost
from starover.steps.dag_recovery import side_stopped
from starover.steps.losses import AcceptedLoss, Loss
from starover.steps.maintenance_types import MountDial
from starover.steps.recovery import all_up, mounts, planned

ALLOWED = ("mount-databases", "take-off-started-list", "none")


class MountReport(Findings, frozen=True, kw_only=True):
    """What was down, and what mounting it cost."""

    dag: str
    verdict: str
    cost: tuple[Loss, ...]


@runbook
def mount_databases(
    dag: Dag,
    estate: Estate,
    db: Sequence[DbName],
    dial: MountDial = "Lossless",
    accept_data_loss: Sequence[AcceptedLoss] = (),
    break_glass: str = "",
) -> Steps[MountReport]:
    """Mount databases on the best copy that is left, with no more loss than a dial or a person allows.

    Where a whole DAG has restarted while one Started member is dead, DAC keeps everything down: that member, proven
    down, is taken off the Started list first, and Active Manager given five minutes.

    dag: the DAG; need not be named where the inventory has one
    db: databases; repeat it for several
    dial: how much a mount by name may lose
    accept_data_loss: DB1=9, at most so many logs, or DB1=unknown; needed above the server's dial only
    break_glass: why there is nobody else
    """
    (found,) = yield from together([assessed(dag, estate)])
    decision = found.decision
    if decision.answer not in ALLOWED:
        raise NotSafe(
            f"az-loss-assess answers `{decision.answer}`: {decision.verdict}",
            certain=(*decision.certain, "nothing was changed"),
            uncertain=decision.uncertain,
            next=(f"starover plan {decision.runbook} ..." if decision.runbook else "starover assess   later",),
        )
    names = _known(found, dag, db)
    costs = [one for one in found.page.cost if one.database in names]
    if away := [name for name in names if name in found.situation.away]:
        raise NotSafe(
            f"no copy of {', '.join(away)} is on this side, so nothing here can mount what it holds",
            certain=("nothing was changed",),
            uncertain=tuple(f"how {name} stands where its copies are" for name in away),
            next=(
                "starover assess   says who does not answer",
                *(("leave it out   to mount the others",) if len(names) > len(away) else ()),
            ),
        )
    survivors = [one for one in estate.members(dag) if one.name in found.situation.answering]
    asked = next((one for one in survivors if (host := found.seen.host(one.name)) and host.copies), None)
    if asked is None:
        raise NotSafe("no member has an Exchange session that answers", certain=("nothing was changed",))
    planning = False
    if decision.answer == "take-off-started-list":
        dead = [one.name for one in _dead(found)]
        outcome = yield side_stopped.on(asked, dag=dag.name, site="", servers=tuple(dead), controller="")
        planning = planned(outcome)
    coming = yield from mounts(asked, survivors, costs, accept_data_loss, dial=dial, hold=False)
    yield from together(
        [all_up(asked, survivors, costs, accept_data_loss, "mount-databases", planning=planning or coming)]
    )
    findings = [Finding(check="G-LOSS", on=one.database, level="info", says=one.text) for one in costs]
    if not (planning or coming):
        findings += yield from who_cannot_log_on(asked, [one.database for one in costs if one.target])
    if break_glass:
        findings.append(Finding(check="break-glass", on=dag.name, level="warn", says=break_glass))
    up = [name for name in names if name in found.situation.mounted]
    verdict = f"{', '.join(up)} {'was' if len(up) == 1 else 'were'} mounted already." if up else ""
    return MountReport(dag=dag.name, verdict=verdict, cost=tuple(costs), findings=tuple(findings))


def _known(found: Assessed, dag: Dag, wanted: Sequence[str]) -> list[str]:
    """The databases as Exchange writes them. Raises `BadParameter` for one that no member has a copy of."""
    every = [one.name for one in found.seen.databases or ()]
    known = {name.casefold(): name for name in every}
    unknown = [name for name in wanted if name.casefold() not in known]
    if unknown:
        raise BadParameter(
            f"--db {', '.join(unknown)}: no member of {dag.name} has a copy of it",
            certain=("nothing was sent but reads",),
            next=(f"it has: {', '.join(every) or 'none'}",),
        )
    return [known[name.casefold()] for name in wanted]


def _dead(found: Assessed) -> list[Lost]:
    started = found.situation.started
    return [
        one
        for one in found.situation.lost
        if one.role == "member" and any(same_host(one.name, name) for name in started)
    ]
