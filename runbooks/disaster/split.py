"""Is one database mounted on both sides?"""

from collections.abc import Sequence

from starover import (
    BadParameter,
    Dag,
    DbName,
    Estate,
    Finding,
    Findings,
    Steps,
    runbook,
)
from starover.steps.disaster import survey
from starover.steps.split import Side, dismounted, doubles, giving_way, sides_of


class SplitReport(Findings, frozen=True, kw_only=True):
    """What each side has mounted."""

    dag: str
    verdict: str
    sides: tuple[Side, ...]
    doubled: tuple[str, ...]
    """Databases that are mounted on more than one side."""


@runbook
def split_brain_check(dag: Dag, estate: Estate, db: Sequence[DbName], dismount: bool = False) -> Steps[SplitReport]:
    """Say whether a database is mounted on both sides of a split DAG, and which side's log stream has gone on.

    Looks only, unless --dismount is given. What is mounted twice has mail on both sides: save the copies of both before
    anything is seeded.

    dag: the DAG; need not be named where the inventory has one
    db: databases; repeat it for several
    dismount: dismount them on the side without quorum; where both have it, on the one whose configuration is older
    """
    seen = yield from survey(dag, estate)
    sides = sides_of(seen)
    known = {one.name.casefold() for one in seen.databases or ()}
    unknown = [name for name in db if seen.databases is not None and name.casefold() not in known]
    if unknown:
        raise BadParameter(
            f"--db {', '.join(unknown)}: no member of {dag.name} has a copy of it",
            certain=("nothing was sent but reads",),
        )
    doubled = doubles(sides, db)
    if dismount and doubled:
        weak = yield from giving_way(estate, sides, doubled)
        for name in doubled:
            for here in weak.mounted:
                if here.database.casefold() == name.casefold():
                    yield dismounted.on(estate.server(here.server), name=here.server, database=name)
    silent = [host.server for host in seen.members if not host.answers]
    says = f"{', '.join(doubled)} mounted on both sides" if doubled else "nothing is mounted twice, as far as was seen"
    findings = [
        *(Finding(check="side", on=", ".join(one.servers), level="info", says=one.text) for one in sides),
        *(
            Finding(check="split brain", on=name, level="fail", says="mounted on more than one side")
            for name in doubled
        ),
        *(Finding(check="host", on=name, level="unknown", says="did not answer") for name in silent),
    ]
    return SplitReport(
        dag=dag.name, verdict=f"{dag.name}: {says}", sides=sides, doubled=doubled, findings=tuple(findings)
    )
