"""How the step kinds of bad days are brought about on a lab: more of what `three_ways` plays."""

from __future__ import annotations

from collections.abc import Callable

from starover_lab.world.dags import DagChanges
from starover_lab.world.world import World
from three_ways import Before, Case

from starover.values import Plain

__all__ = ["DISASTER", "SHORT_LAG"]

_QUICK = 'tuning: {seed_mb_per_s_same_az: "2000", seed_mb_per_s_cross_az: "2000", snapshot_mb_per_s: "2000"%s}\n'
_TWO = "name: two\nextends: aws-2az-nodac\n" + _QUICK % ""
_BEHIND = "name: behind\nextends: aws-2az-nodac\n" + _QUICK % ', ship_latency_s: "90"'
_DAC = _TWO + (
    "dags:\n"
    "  - {name: DAG, members: [ExchangeNode1, ExchangeNode2], witness: FileServer, witness_directory: 'C:\\DAG', "
    "alternate_witness: FileServer3, alternate_witness_directory: 'C:\\DAGALT', dac_mode: DagOnly}\n"
)
_FOUR = (
    "name: four\nextends: pa-4x2-fsw1\ndags:\n"
    "  - {name: DAG1, members: [EX1, EX2, EX3, EX4], witness: FSW1, alternate_witness: FSW2, dac_mode: 'Off'}\n"
)
_SECOND_DC = (
    "name: second\nextends: pa-4x2-fsw1\nservers:\n"
    "  - {name: DC4, roles: [dc], az: eu-west-1b, site: AZ2, address: 10.0.32.20, instance: i-0dc4}\n"
)
"""Survivors work with DC2 too, and DC2 does not answer us."""
SHORT_LAG = (
    "name: short-lag\nextends: pa-4x2\n" + _QUICK % "" + "databases:\n"
    "  - name: DB01\n    size_gb: 1\n    log_rate_per_min: 1\n    copies:\n"
    "      - {server: EX1}\n      - {server: EX3}\n      - {server: EX2}\n"
    "      - {server: EX4, replay_lag: 0.02:00:00, activation_suspended: true, comment: lagged copy}\n"
)
"""A lagged copy with few logs to play, so that a listing of them is short."""
_LATE = Before(seconds=3600)
_LOST = Before(fault=("az_loss", "1a"), seconds=120)
_UNREACHED = Before(fault=("az_loss", "1a"), knobs={"ec2": "api_down"}, seconds=120)
_FORCE: dict[str, Plain] = {"lost_server": ["ExchangeNode1"]}
_RESTORE: dict[str, Plain] = {"lost_site": ["AZ1"], "surviving_site": "AZ2", "witness": "alternate"}
_FENCED = ("auto_recovery_set", "instance_stopping", "instance_tagged")
_MADE = ("feature_installed", "exchange_administers", "firewall_open")
_ASLEEP = ("quarantine_made", "winrm_let_in", "groups_set", "instance_running", "cluster_kept_off")
_HELD = ("controllers_excluded", "recovery_held", "rebalancing_set", "auto_recovery_set", "fence_tag_gone")


def _power_back(world: World) -> None:
    world.mend(kind="az_loss")


def _started_by_hand(world: World) -> None:
    """Somebody hoped that it would help."""
    for name in ("EX3", "EX4"):
        world.cluster_tasks.start(name, name)


def _forced_by_hand(world: World) -> None:
    world.cluster_tasks.start("ExchangeNode2", "ExchangeNode2", force=True)


def _dac_off(world: World) -> None:
    world.dags.change("DAG1", "EX1", DagChanges(dac_mode="Off"))


def _forced_on(server: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.cluster_tasks.start(server, server, force=True)

    return act


_TWO_CLUSTERS = (
    *(_LATE, Before(act=_dac_off, seconds=600), Before(fault=("witness_down", "DAG1"), seconds=60)),
    Before(fault=("partition", "EX1,EX2,DC1|EX3,EX4,DC2"), seconds=420),
    *(Before(act=_forced_on("EX1"), seconds=60), Before(act=_forced_on("EX3"), seconds=600)),
)
"""A person forced quorum on both sides of a cut: each mounts the databases for its own."""


DISASTER: tuple[Case, ...] = (
    Case(
        topology="pa-4x2-fsw1",
        book="split-brain-check",
        parameters={"db": ["DB01", "DB03"], "dismount": True},
        before=_TWO_CLUSTERS,
        brings=("dismounted",),
    ),
    Case(
        topology=_BEHIND,
        book="force-quorum",
        parameters={**_FORCE, "accept_data_loss": ["DB1=9"], "remove_from_dag": True},
        before=(_LATE, _LOST),
        brings=(
            *(*_FENCED, "controllers_excluded", "quorum_forced", "node_evicted", "majority_of_nodes"),
            *("mounted_with_loss", "lost_copy_removed", "member_dropped", "sent_from"),
        ),
    ),
    Case(
        topology=_TWO,
        book="force-quorum",
        parameters={**_FORCE, "hold_mount": True},
        before=(_LATE, _LOST),
        brings=(
            *(*_FENCED, "controllers_excluded", "policy_set", "quorum_forced", "node_evicted", "majority_of_nodes"),
            *("mounted", "sent_from"),
        ),
    ),
    Case(
        topology="pa-4x2-fsw1",
        book="force-quorum",
        parameters=_RESTORE,
        before=(_LATE, _LOST),
        brings=(
            *(*_FENCED, "resolvers_ordered", "controllers_excluded", "side_stopped", "feature_installed"),
            *("written_to", "dag_restored"),
        ),
    ),
    Case(
        topology=_SECOND_DC,
        book="force-quorum",
        parameters=_RESTORE,
        before=(_LATE, _LOST, Before(fault=("winrm_silent", "DC2"), seconds=60)),
        brings=(
            *(*_FENCED, "resolvers_ordered", "controllers_excluded", "topology_restarted", "side_stopped"),
            *("feature_installed", "written_to", "dag_restored"),
        ),
    ),
    Case(
        topology=_FOUR,
        book="force-quorum",
        parameters=_RESTORE,
        before=(_LATE, _LOST, Before(act=_started_by_hand, seconds=60)),
        brings=(
            *(*_FENCED, "resolvers_ordered", "controllers_excluded", "cluster_stopped", "quorum_forced"),
            *("node_evicted", "cluster_joined", "feature_installed", "survivors_witness"),
        ),
    ),
    Case(
        topology="pa-4x2",
        book="mount-databases",
        parameters={"db": ["DB01"]},
        before=(_LATE, Before(act=lambda world: world.dismount("DB01", "EX1"), seconds=60)),
        brings=("mounted",),
    ),
    Case(
        topology=_TWO,
        book="evict-nodes",
        parameters=_FORCE,
        before=(_LATE, _LOST, Before(act=_forced_by_hand, seconds=600)),
        brings=(*_FENCED, "node_evicted", "majority_of_nodes"),
    ),
    Case(
        topology=_DAC,
        book="failback",
        parameters={"site": "AZ1", "when": "now", "strict_dismount": True, "witness": "FileServer:C:\\DAG"},
        before=(
            *(_LATE, _UNREACHED, Before(book="fence", parameters={"lost_site": ["AZ1"]})),
            *(Before(book="force-quorum", parameters=_RESTORE), Before(act=_power_back, seconds=3600)),
        ),
        brings=(
            *("instance_stopping", "instance_tagged", *_ASLEEP, "subnet_reopened", *_HELD, "side_started"),
            *("down_for_move", "moved_down", "mounted_again", "feature_installed", "witness_home", "sent_from"),
        ),
    ),
    Case(
        topology=_TWO,
        book="failback",
        parameters={"site": "AZ1", "when": "now"},
        before=(
            *(_LATE, _LOST, Before(book="force-quorum", parameters=_FORCE)),
            Before(act=_power_back, seconds=3600),
        ),
        brings=(
            *(*_MADE, *_ASLEEP, *_HELD, "lost_copy_removed", "member_dropped", "member_of", "copy_back"),
            *("snapshots_begun", "seeded", "ordered", "moved", "sent_from"),
        ),
    ),
    Case(
        topology=_TWO,
        book="copy-divergence-repair",
        parameters={"copy": ["DB1/ExchangeNode2"]},
        before=(Before(fault=("divergence", "DB1/ExchangeNode2"), knobs={"logs": 4}, seconds=300),),
        brings=("snapshots_begun", "seeded"),
    ),
    Case(
        topology=_BEHIND,
        book="mail-resubmit",
        parameters={
            "db": "DB1",
            "lost_server": ["ExchangeNode1"],
            "since": "2026-11-20T13:30:00Z",
            "until": "2026-11-20T15:00:00Z",
        },
        before=(
            *(_LATE, _LOST),
            Before(book="force-quorum", parameters={**_FORCE, "accept_data_loss": ["DB1=9"]}),
        ),
        brings=("resubmit_asked",),
    ),
    Case(
        topology="pa-4x2",
        book="lagged-copy-activate",
        parameters={"copy": ["DB01/EX4"], "variant": "all-logs"},
        brings=("snapshots_begun", "suspended", "lagged_activated"),
    ),
    Case(
        topology=SHORT_LAG,
        book="lagged-copy-activate",
        parameters={"copy": ["DB01/EX4"], "variant": "safety-net"},
        brings=("snapshots_begun", "suspended", "logs_set_aside", "owner_moved_off", "lagged_cut_over"),
    ),
    Case(
        topology=SHORT_LAG,
        book="lagged-copy-activate",
        parameters={"copy": ["DB01/EX4"], "variant": "point-in-time", "logs_until": "2026-11-20T13:00:00Z"},
        brings=("snapshots_begun", "suspended", "logs_set_aside", "database_recovered", "recovery_mounted"),
    ),
    Case(
        topology=SHORT_LAG,
        book="lagged-copy-activate",
        parameters={"copy": ["DB01/EX4"], "variant": "safety-net"},
        before=(Before(fault=("rbac_missing", "Move-ActiveMailboxDatabase")),),
        undone=True,
        fails=True,
        brings=("logs_put_back", "owner_moved", "resumed"),
    ),
)
