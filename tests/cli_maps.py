"""DAG maps for the tests of the views, small enough to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starover_cli.views.dag_map import CopyCell, DagMap, DatabaseRow, HostCell, MailName
from starover_cli.views.head import Where

AT = datetime(2026, 11, 20, 14, 0, 7, tzinfo=UTC)
ZONES = {"EX1": "eu-west-1a", "EX2": "eu-west-1a", "EX3": "eu-west-1b", "EX4": "eu-west-1b"}


WHERE = Where(
    lab=True, estate="aws-2az-nodac", dag="DAG", members=2, votes=3, votes_total=3, votes_needed=2, dac="Off", at=AT
)
"""Of the default deployment."""


def two_zones(**changes: object) -> DagMap:
    """The default deployment: a member in each of two zones, the witness beside the first."""
    parts: dict[str, object] = {
        "where": WHERE,
        "members": (
            HostCell(name="ExchangeNode1", az="eu-west-1a", state="Up", votes=1),
            HostCell(name="ExchangeNode2", az="eu-west-1b", state="Up", votes=1),
        ),
        "witnesses": (
            HostCell(name="FileServer", az="eu-west-1a", state="ok", votes=1),
            HostCell(name="FileServer3", az="eu-west-1c", state="spare"),
        ),
        "controllers": (
            HostCell(name="DC1", az="eu-west-1a", state="ok"),
            HostCell(name="DC2", az="eu-west-1b", state="ok"),
        ),
        "databases": (two_copies("DB1", "ExchangeNode1"), two_copies("DB2", "ExchangeNode2")),
        "names": (MailName(name="mail.example.com", target="exch-nlb-0a1b", note="2 healthy targets"),),
    }
    return DagMap(**(parts | changes))  # type: ignore[arg-type]


def two_copies(name: str, active: str, *, passive: str = "Healthy") -> DatabaseRow:
    copies = [
        CopyCell(
            server=server,
            az=zone,
            preference=1 if server == active else 2,
            active=server == active,
            status="Mounted" if server == active else passive,
            copy_queue=0,
            replay_queue=0,
        )
        for server, zone in (("ExchangeNode1", "eu-west-1a"), ("ExchangeNode2", "eu-west-1b"))
    ]
    return DatabaseRow(name=name, copies=tuple(copies))


def four_copies(name: str, *order: str) -> DatabaseRow:
    """Copies on the servers in order of preference, the last one lagged by a week and blocked."""
    copies = [
        CopyCell(
            server=server,
            az=ZONES[server],
            preference=position,
            active=position == 1,
            status="Mounted" if position == 1 else "Healthy",
            copy_queue=0,
            replay_queue=60480 if position == 4 else 0,
            lag=timedelta(days=7) if position == 4 else timedelta(0),
            activation_suspended=position == 4,
        )
        for position, server in enumerate(order, 1)
    ]
    return DatabaseRow(name=name, copies=tuple(copies))


def four_members(databases: tuple[DatabaseRow, ...]) -> DagMap:
    where = Where(
        lab=True,
        estate="pa-4x2",
        dag="DAG1",
        members=4,
        votes=5,
        votes_total=5,
        votes_needed=3,
        dac="DagOnly",
        at=AT,
    )
    return DagMap(
        where=where,
        members=tuple(
            HostCell(name=name, az=zone, state="Up", votes=1, note="PAM" if name == "EX3" else "")
            for name, zone in ZONES.items()
        ),
        witnesses=(
            HostCell(name="FSW3", az="eu-west-1c", state="ok", votes=1),
            HostCell(name="FSW2", az="eu-west-1b", state="spare"),
        ),
        controllers=tuple(
            HostCell(name=f"DC{n}", az=f"eu-west-1{z}", state="ok") for n, z in ((1, "a"), (2, "b"), (3, "c"))
        ),
        databases=databases,
    )
