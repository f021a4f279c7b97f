"""How each step kind of the content is brought about on a lab: what the three-ways test plays.

One case is a runbook on a topology, made ready by what came before it, and the kinds of the steps that it then has to
do. A new step kind needs one line in a case, or a new `Case`: the test fails until it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from inner_lab import InnerLab
from starover_lab.cloud.api import Cloud
from starover_lab.world.entities import ServiceStatus
from starover_lab.world.world import World

from starover.values import Plain

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, kw_only=True)
class Before:
    """One thing that happens before the steps in question are to be done: a runbook, a fault, its end, time."""

    book: str = ""
    parameters: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    fault: tuple[str, str] | None = None
    """Kind and target."""
    knobs: Mapping[str, str | float] = field(default_factory=dict[str, str | float])
    mend: int = 0
    """The number of a fault that ends."""
    act: Callable[[World], object] | None = None
    """What no fault and no runbook brings about."""
    cloud: Callable[[Cloud], object] | None = None
    """A call of AWS that no runbook makes."""
    seconds: float = 0.0
    """Simulated time that passes afterwards."""

    def happen(self, lab: InnerLab) -> None:
        """Do it."""
        if self.book:
            ran = lab.run(self.book, self.parameters)
            assert ran.exit == 0, f"{self.book} before the case: {ran.error}"
        if self.fault is not None:
            kind, target = self.fault
            lab.do(lambda world: world.fault(kind, target, **self.knobs))
        if self.mend:
            lab.do(lambda world: world.mend(self.mend))
        if self.act is not None:
            lab.do(self.act)
        if self.cloud is not None:
            act = self.cloud
            lab.do(lambda _: act(lab.transport.cloud))
        if self.seconds:
            lab.later(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A runbook that has something to do."""

    topology: str
    """A name, or the YAML of one."""
    book: str
    parameters: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    brings: tuple[str, ...]
    """The step kinds that change something, each at least once, and no other."""
    before: tuple[Before, ...] = ()
    breaks: tuple[str, ...] = ()
    """Invariants that a person decides to break, by a parameter that says so."""
    undone: bool = False
    """The runbook is run as preparation, and its undo is what is looked at."""
    fails: bool = False
    """That preparation ends badly: only then is there something to undo."""
    anew: bool = False
    """It is done each time that somebody asks for it: a restart, say."""
    roads: tuple[str, ...] = ()
    """As `InnerLab`'s."""

    @property
    def label(self) -> str:
        """For the test's name."""
        return f"{'undo ' if self.undone else ''}{self.book} {','.join(self.brings)}"[:70]

    def lab(self, folder: Path) -> InnerLab:
        """The lab, made ready."""
        topology: str | Path = self.topology
        if "\n" in self.topology:
            topology = folder / "topology.yaml"
            topology.write_text(self.topology, "utf-8")
        lab = InnerLab(topology, folder, roads=self.roads)
        for one in self.before:
            one.happen(lab)
        return lab


def _extended(name: str, text: str) -> str:
    return f"name: of-{name}\nextends: {name}\n{text}"


_PATCHED_WITNESS = _extended(
    "pa-4x2", "updates: [{name: KB5044411, servers: [FSW3]}, {name: KB5043080, servers: [FSW3]}]\n"
)
"""The quickest to patch: nobody has to be taken out of service."""
_WITNESS = {"witness_server": "FileServer3", "witness_directory": "C:\\DAG"}
_CREATE: dict[str, Plain] = {
    "dag": "DAG",
    **_WITNESS,
    "alternate_witness_server": "FileServer",
    "alternate_witness_directory": "C:\\DAGALT",
    "members": ["ExchangeNode1", "ExchangeNode2"],
}
_STATIC: dict[str, Plain] = {
    "dag": "DAG2",
    "witness_server": "FS1",
    "aap": "static",
    "ip": ["172.19.18.50", "172.19.19.50"],
    "members": ["MBX1", "MBX2"],
}
_ROLL = _extended(
    "aws-2az",
    "use: [dag]\ncertificates:\n"
    "  - {name: old, domains: [mail.example.com, autodiscover.example.com], days: 20}\n"
    "  - {name: new, subject: 'CN=mail.example.com, O=New', domains: ['*.example.com'], services: [], "
    "servers: [ExchangeNode1]}\n",
)
NEW_CERTIFICATE = "04EDE9CAA47BE89CE64D88C6A6F9E7CD757EE89F"
"""Its thumbprint, which belongs to the seed."""
_BUILT = _extended(
    "aws-2az",
    "dags:\n  - {name: DAG, members: [ExchangeNode1, ExchangeNode2], witness: FileServer3, "
    "witness_directory: 'C:\\DAG', dac_mode: DagOnly}\n",
)
_NAMED = _extended(
    "pa-4x2",
    "dns_records:\n"
    "  - {name: mail.example.com, type: CNAME, data: exch-nlb-4x2.elb.eu-west-1.amazonaws.com, ttl: 10m}\n"
    "  - {name: autodiscover.example.com, type: CNAME, data: mail.example.com, ttl: 5m}\n",
)
_NETWORKS: dict[str, Plain] = {
    "network": ["Mapi=172.19.18.0/24,172.19.19.0/24:mapi", "Rep=10.10.1.0/24,10.10.2.0/24:replication"],
    "encryption": "Enabled",
}

_CHANGED = ("networks_manual", "network_set", "network_gone", "network_options_set")
_SUSPEND: dict[str, Plain] = {"db": ["DB01"], "server": "EX3", "mode": "full"}
_SMALL = _extended(
    "pa-4x2",
    "databases:\n"
    "  - {name: DB01, size_gb: 1, copies: [{server: EX1}, {server: EX3}, {server: EX2}]}\n"
    "  - {name: DB05, size_gb: 1, copies: [{server: EX1}]}\n",
)
_STALE = Before(fault=("log_corrupt", "DB01/EX3"), seconds=300)
_BUSY = _extended(
    "rep-net-2013",
    "servers:\n"
    "  - name: MBX1\n    roles: [mailbox]\n    az: eu-west-1a\n    address: 172.19.18.11\n    os: 2012R2\n"
    "    exchange: {year: '2013', cu: CU23, build: 15.0.1497.2}\n    nics:\n"
    "      - {alias: MAPI, address: 172.19.18.11/24}\n"
    "      - alias: Replication\n        address: 10.10.1.11/24\n        purpose: replication\n"
    "        register_dns: true\n        bindings: {ms_server: true}\n        dns_servers: [172.19.18.10]\n",
)

_GUARDED = """
name: guarded
extends: pa-4x2
servers:
  - name: EX1
    roles: [mailbox]
    az: eu-west-1a
    address: 10.0.0.11
    os: "2025"
    instance: i-0ex1
    auto_scaling_group: exchange
    disable_api_stop: true
    exchange: {}
"""
"""An instance that a group would replace, and that EC2 does not let be stopped."""

TWO_VIPS = """
name: two-vips
extends: pa-4x2
balancers:
  - {name: vips, kind: zevenet, addresses: [10.0.0.50, 10.0.32.50]}
client_names:
  - {name: mail.example.com, balancer: vips, dag: DAG1}
dns_records:
  - {name: mail.example.com, data: 10.0.0.50, ttl: 300s}
  - {name: mail.example.com, data: 10.0.32.50, ttl: 300s}
"""
ONE_VIP = TWO_VIPS.replace("  - {name: mail.example.com, data: 10.0.32.50, ttl: 300s}\n", "")
VIP: Mapping[str, Plain] = {"name": "mail.example.com", "vip": "10.0.0.50"}


def _clustering_waits(world: World) -> None:
    """The feature was installed on a server that waits for a restart, and nothing is mounted there."""
    server = world.state.server("ExchangeNode2")
    server.pending_reboot.add("cbs")
    server.features["Failover-Clustering"] = "InstallPending"
    world.dismount("DB2", "ExchangeNode2")


def _lazy(world: World) -> None:
    """Active Manager moves nothing away by itself."""
    world.state.tuning = msgspec.structs.replace(world.state.tuning, move_now_s=1e9)


def _imap(world: World, status: ServiceStatus) -> None:
    """ServerWideOffline stops IMAP where it runs, and nobody starts it again."""
    service = world.state.servers["EX1"].services["MSExchangeIMAP4"]
    service.start_type, service.status = "Automatic", status


def _imap_with_its_own(world: World) -> None:
    """IMAP runs on the first server, with the certificate that the server made itself."""
    world.state.servers["ExchangeNode1"].services["MSExchangeImap4"].status = "Running"
    own = next(one for one in world.client_access.certificates("ExchangeNode1") if one.subject == "CN=ExchangeNode1")
    world.client_access.enable_certificate("ExchangeNode1", "DC1", own.thumbprint, ["IMAP"])


def _broken_update(world: World) -> None:
    """An update that broke off has left services Disabled, and nobody of ours knows how they started."""
    for name in ("MSExchangeIMAP4", "MSExchangePOP3", "MSExchangeMailboxAssistants"):
        world.state.servers["EX4"].services[name].start_type = "Disabled"


_OUT = Before(book="maintenance-start", parameters={"server": "EX1"})
ZONE = str(
    Cloud(World.from_topology("pa-4x2")).call("route53", "list_hosted_zones", {})["HostedZones"][0]["Id"]  # type: ignore[index]
).rpartition("/")[2]


def weighted(cloud: Cloud) -> None:
    """Two sides of a name, both in use."""
    sides = {"site-a": "192.0.2.10", "site-b": "192.0.2.20"}
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": "w.example.com",
                "Type": "A",
                "SetIdentifier": side,
                "Weight": 10,
                "TTL": 60,
                "ResourceRecords": [{"Value": address}],
            },
        }
        for side, address in sides.items()
    ]
    batch = {"HostedZoneId": ZONE, "ChangeBatch": {"Changes": changes}}
    cloud.call("route53", "change_resource_record_sets", batch)


_ALARMED = _extended(
    "pa-4x2",
    "balancers:\n  - {name: vips, kind: zevenet, addresses: [10.0.64.50],\n"
    "    alarms: [{address: 10.0.64.50, name: vip-c}]}\n",
)


def alarmed(cloud: Cloud) -> None:
    """The alarm that says whether clients are served inside, at an address that no checker reaches."""
    given = {"MetricName": "HealthyHostCount", "Namespace": "AWS/NetworkELB", "Statistic": "Minimum", "Period": 60}
    given |= {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "LessThanThreshold"}
    cloud.call("cloudwatch", "put_metric_alarm", {"AlarmName": "vip-c", **given})
    cloud.call("cloudwatch", "set_alarm_state", {"AlarmName": "vip-c", "StateValue": "OK", "StateReason": "looked at"})


_SIDES: Mapping[str, Plain] = {
    "hosted_zone": ZONE,
    "name": "mail.example.com",
    "member": ["eu-west-1a=203.0.113.10", "eu-west-1b=203.0.113.20"],
}


_THREE_SIDES: Mapping[str, Plain] = {
    **_SIDES,
    "member": ["eu-west-1a=203.0.113.10", "eu-west-1b=203.0.113.20", "eu-west-1c=10.0.64.50"],
}
_DRAINED = ("target_leaving", "hub_drained", "policy_set", "owner_moved_off", "node_paused", "server_offline")
_BACK = ("component_set", "node_resumed", "policy_set", "move_now_set", "hub_restored", "target_registered")

_SECONDARY: Mapping[str, Plain] = {"ip": ["EX1=10.0.0.101", "EX3=10.0.32.101"]}


def _leased(world: World) -> None:
    """A run that is gone holds the lease of the DAG, on all of its hosts but one."""
    holder = "5f6e0ad5-8f0b-4b13-9d62-0d1c7f1f9a01/5f6e0ad5-8f0b-4b13-9d62-0d1c7f1f9a01"
    note = '{"run":"9d20e6f4.1","who":"oncall-a","runbook":"maintenance-start","since":"2026-11-20T13:50:00+00:00"}'
    for name in ("EX1", "EX2", "EX3"):
        files = world.server(name).files
        files.make_folder("C:\\ProgramData\\Starover\\lease")
        files.write("C:\\ProgramData\\Starover\\lease\\dag-DAG1.token", f"7\n{holder}\n{note}".encode())


CASES: tuple[Case, ...] = (
    Case(
        topology="pa-4x2",
        book="lease-release",
        parameters={"run": "9d20e6f4.1"},
        before=(Before(act=_leased),),
        brings=("lease_released",),
    ),
    # -- building
    Case(
        topology="aws-2az",
        book="dag-create",
        parameters=_CREATE,
        brings=(
            *("feature_installed", "exchange_administers", "firewall_open", "dag_created", "alternate_witness_set"),
            *("member_of", "activation_mode_set"),
        ),
    ),
    Case(
        topology="aws-2az",
        book="dag-create",
        parameters=_CREATE,
        undone=True,
        brings=("activation_mode_set", "no_member_of", "dag_removed", "firewall_closed", "exchange_barred"),
    ),
    Case(
        topology="aws-2az-nodac",
        book="dag-set-witness",
        parameters={"server": "FileServer3", "directory": "C:\\DAG"},
        brings=("feature_installed", "exchange_administers", "firewall_open", "witness_set"),
    ),
    Case(
        topology=_BUILT,
        book="dag-witness-repair",
        before=(Before(fault=("witness_share_acl_removed", "FileServer3"), seconds=300),),
        brings=("feature_installed", "exchange_administers", "witness_repaired"),
    ),
    Case(topology="aws-2az-nodac", book="dac-mode", brings=("activation_mode_set",)),
    Case(
        topology="aws-2az",
        book="witness-prepare",
        parameters={"server": "FileServer3", "dag": "DAG"},
        brings=("feature_installed", "exchange_administers", "firewall_open"),
    ),
    Case(
        topology="aws-2az",
        book="witness-prepare",
        parameters={"server": "DC2", "dag": "DAG", "allow_dc": True},
        brings=("exchange_administers_domain",),
    ),
    Case(
        topology=_extended("aws-2az", "dags:\n  - {name: DAG, members: [ExchangeNode1], witness: FileServer3}\n"),
        book="dag-add-members",
        parameters={"members": ["ExchangeNode2"]},
        brings=("feature_installed", "member_of"),
    ),
    Case(
        topology=_extended("aws-2az", "dags:\n  - {name: DAG, members: [ExchangeNode1], witness: FileServer3}\n"),
        book="dag-add-members",
        parameters={"members": ["ExchangeNode2"]},
        before=(Before(act=_clustering_waits),),
        brings=("feature_complete", "member_of"),
    ),
    Case(
        topology=_BUILT,
        book="dag-add-members",
        parameters={"members": ["ExchangeNode1", "ExchangeNode2"]},
        before=(Before(act=lambda world: world.cluster_tasks.set_quorum("ExchangeNode1", share=None)),),
        brings=("quorum_model_right",),
    ),
    Case(topology="rep-net-2013-unbuilt", book="cno-prestage", parameters={"dag": "DAG2"}, brings=("cno_staged",)),
    Case(
        topology="rep-net-2013-unbuilt",
        book="cno-prestage",
        parameters={"dag": "DAG2"},
        undone=True,
        brings=("cno_gone",),
    ),
    Case(topology=_BUSY, book="dag-networks", parameters=_NETWORKS, brings=("adapter_set", "routed", *_CHANGED)),
    Case(
        topology="rep-net-2013",
        book="dag-networks",
        parameters=_NETWORKS,
        before=(
            Before(book="dag-networks", parameters=_NETWORKS),
            Before(act=lambda world: next(iter(world.state.clusters)).discovered.clear()),
        ),
        brings=("networks_discovered",),
    ),
    Case(
        topology=_BUSY,
        book="dag-networks",
        parameters=_NETWORKS,
        undone=True,
        brings=("adapter_set", "no_route", "networks_manual", "network_options_set"),
    ),
    Case(
        topology=_BUILT,
        book="copies-add",
        parameters={"copy": ["DB1=ExchangeNode2,pref=2"]},
        undone=True,
        brings=("copy_removed",),
    ),
    Case(
        topology=_SMALL,
        book="copies-add",
        parameters={"copy": ["DB05=EX4,pref=2,replay-lag=7d"]},
        brings=("copy_added", "seeded", "barred"),
    ),
    Case(
        topology="pa-4x2",
        book="copies-lag",
        parameters={"copy": "DB01/EX4", "replay_lag": "10d"},
        brings=("lag_set",),
    ),
    Case(
        topology="pa-4x2",
        book="copies-lag",
        parameters={"copy": "DB01/EX4", "replay_lag": "5d"},
        brings=("lag_lowered",),
    ),
    Case(
        topology=_SMALL,
        book="copy-seed",
        parameters={"copy": ["DB01/EX3"], "files": "safe-delete"},
        before=(_STALE,),
        brings=("seeded",),
    ),
    Case(
        topology=_SMALL,
        book="copy-seed",
        parameters={"copy": ["DB01/EX2"], "files": "safe-delete", "discard_diverged": ["DB01"]},
        before=(Before(fault=("divergence", "DB01/EX2"), knobs={"logs": 4}, seconds=300),),
        brings=("seeded_over",),
        breaks=("I16",),
    ),
    Case(
        topology="rep-net-2013",
        book="copy-seed",
        parameters={"copy": ["DB21/MBX2"], "what": "catalog"},
        before=(Before(fault=("ci_failed", "DB21/MBX2"), seconds=60),),
        brings=("catalog_seeded",),
    ),
    # -- names and clients
    Case(
        topology="pa-4x2",
        book="dns-cname",
        parameters={"zone": "example.com", "name": "webmail", "target": "exch-nlb-4x2.elb.eu-west-1.amazonaws.com"},
        brings=("alias_set",),
    ),
    Case(
        topology=_NAMED,
        book="dns-cname",
        parameters={"zone": "example.com", "target": "EX1.example.com"},
        brings=("alias_moved",),
    ),
    Case(
        topology="pa-4x2",
        book="dns-cname",
        parameters={"zone": "example.com", "name": "webmail", "target": "exch-nlb-4x2.elb.eu-west-1.amazonaws.com"},
        undone=True,
        brings=("no_alias",),
    ),
    Case(topology=_NAMED, book="dns-ttl", brings=("ttl_set",)),
    Case(
        topology=_NAMED,
        book="namespace-configure",
        parameters={"internal_fqdn": "mail.example.com", "servers": ["EX1"]},
        brings=("urls_set", "outlook_anywhere_set", "autodiscover_set"),
    ),
    Case(topology="rep-net-2013", book="mapi-http", brings=("mapi_http_set",)),
    Case(
        topology=_NAMED,
        book="outlook-provider",
        parameters={"cert_principal_name": "msstd:mail.example.com"},
        brings=("provider_set",),
    ),
    # -- operating
    Case(topology="pa-4x2", book="copies-suspend", parameters=_SUSPEND, brings=("suspended",)),
    Case(
        topology="pa-4x2",
        book="copies-resume",
        parameters={"db": ["DB01"], "server": "EX3"},
        before=(Before(book="copies-suspend", parameters=_SUSPEND),),
        brings=("resumed",),
    ),
    Case(
        topology="pa-4x2",
        book="activation-preferences",
        parameters={"order": ["DB01=EX2,EX1,EX3,EX4"]},
        brings=("ordered",),
    ),
    Case(
        topology="pa-4x2",
        book="activation-policy",
        parameters={"servers": ["EX3", "EX4"], "policy": "IntrasiteOnly"},
        brings=("policy_set",),
    ),
    Case(
        topology="rep-net-2013",
        book="replication-network-return",
        before=(
            Before(fault=("replication_nic_down", "MBX2"), seconds=600),
            Before(mend=1, seconds=300),
        ),
        brings=("on_network",),
    ),
    Case(
        topology="rep-net-2013",
        book="replication-network-return",
        parameters={"restart_repl": True},
        before=(
            Before(fault=("replication_nic_down", "MBX2"), seconds=600),
            Before(mend=1, seconds=300),
        ),
        brings=("replication_restarted",),
    ),
    Case(
        topology="pa-4x2",
        book="copy-seed",
        parameters={"copy": ["DB01/EX2"], "files": "safe-delete"},
        before=(Before(fault=("divergence", "DB01/EX2"), knobs={"logs": 4}, seconds=300),),
        brings=("snapshots_begun", "seeded"),
    ),
    Case(
        topology=_ROLL,
        book="certificate-roll",
        parameters={"kind": "san", "thumbprint": NEW_CERTIFICATE},
        brings=("certificate_present", "certificate_shown", "smtp_certificate_shown"),
    ),
    Case(
        topology=_ROLL,
        book="certificate-roll",
        parameters={"kind": "san", "thumbprint": NEW_CERTIFICATE, "servers": ["ExchangeNode1"]},
        before=(Before(act=_imap_with_its_own),),
        brings=("certificate_shown", "smtp_certificate_shown", "mail_certificate_shown"),
    ),
    Case(
        topology=_ROLL,
        book="certificate-roll",
        parameters={"kind": "san", "thumbprint": NEW_CERTIFICATE, "servers": ["ExchangeNode1"]},
        before=(Before(act=_imap_with_its_own),),
        brings=("certificate_shown", "mail_certificate_shown"),
        undone=True,
    ),
    Case(
        topology=_ROLL,
        book="certificate-roll",
        parameters={"kind": "back-end", "thumbprint": NEW_CERTIFICATE, "servers": ["ExchangeNode1"]},
        brings=("back_end_shown",),
    ),
    Case(
        topology=_ROLL,
        book="certificate-roll",
        parameters={"kind": "auth", "thumbprint": NEW_CERTIFICATE, "servers": ["ExchangeNode1"]},
        before=(Before(fault=("auth_cert_expired", "")),),
        brings=("auth_next", "auth_in_force", "service_restarted"),
    ),
    Case(
        topology="pa-4x2-farm",
        book="farm-maintenance",
        parameters={"server": "EX1", "action": "maintenance"},
        brings=("backend_in_maintenance",),
    ),
    Case(
        topology="pa-4x2-farm",
        book="farm-maintenance",
        parameters={"backend": ["Web:2"], "action": "up"},
        before=(Before(book="farm-maintenance", parameters={"server": "EX2", "action": "maintenance"}),),
        brings=("backend_up",),
    ),
    Case(
        topology="pa-4x2-farm",
        book="farm-maintenance",
        parameters={"server": "EX1", "action": "maintenance"},
        brings=("backend_up",),
        undone=True,
    ),
    Case(
        topology="pa-4x2",
        book="elb-drain",
        parameters={"server": "EX1"},
        brings=("target_leaving",),
    ),
    Case(
        topology="pa-4x2",
        book="elb-restore",
        parameters={"server": "EX1"},
        before=(Before(book="elb-drain", parameters={"server": "EX1"}),),
        brings=("target_registered",),
    ),
    Case(
        topology="pa-4x2",
        book="elb-restore",
        parameters={"server": "EX1"},
        before=(Before(book="elb-drain", parameters={"server": "EX1"}),),
        brings=("target_leaving",),
        undone=True,
    ),
    Case(
        topology="pa-4x2",
        book="elb-drain",
        parameters={"server": "EX1"},
        brings=("target_registered",),
        undone=True,
    ),
    Case(
        topology="pa-4x2",
        book="zonal-shift",
        parameters={"az": "euw1-az1"},
        brings=("zone_shifted",),
    ),
    Case(
        topology="pa-4x2",
        book="zonal-shift",
        parameters={"az": "euw1-az1", "action": "cancel"},
        before=(Before(book="zonal-shift", parameters={"az": "euw1-az1"}),),
        brings=("shift_cancelled",),
    ),
    Case(
        topology="pa-4x2",
        book="route53-weight",
        parameters={"hosted_zone": ZONE, "name": "w.example.com", "set_identifier": "site-a"},
        before=(Before(cloud=weighted),),
        brings=("record_weighted",),
    ),
    Case(
        topology="pa-4x2",
        book="route53-weight",
        parameters={"hosted_zone": ZONE, "name": "w.example.com", "set_identifier": "site-a"},
        before=(Before(cloud=weighted),),
        brings=("record_weighted",),
        undone=True,
    ),
    Case(
        topology="pa-4x2",
        book="route53-failover",
        parameters=_SIDES,
        brings=("endpoint_watched", "records_set"),
    ),
    Case(
        topology="pa-4x2",
        book="route53-failover",
        parameters={**_SIDES, "member": ["eu-west-1a=exch-nlb-4x2", "eu-west-1b=203.0.113.20"]},
        before=(Before(book="route53-failover", parameters=_SIDES),),
        brings=("records_set",),
        undone=True,
    ),
    Case(
        topology=_ALARMED,
        book="route53-failover",
        parameters=_THREE_SIDES,
        before=(Before(cloud=alarmed),),
        brings=("endpoint_watched", "alarm_watched", "records_set"),
    ),
    Case(
        topology="pa-4x2",
        book="lb-health-check",
        brings=("page_checked",),
    ),
    Case(
        topology="pa-4x2",
        book="lb-health-check",
        brings=("page_checked",),
        undone=True,
    ),
    Case(
        topology=_GUARDED,
        book="fence",
        parameters={"lost_server": ["EX1"]},
        before=(Before(fault=("host_hang", "EX1"), seconds=300),),
        brings=(
            "scaling_suspended",
            "api_stop_allowed",
            "auto_recovery_set",
            "instance_stopping",
            "instance_force_stopped",
            "instance_tagged",
        ),
    ),
    Case(
        topology="pa-4x2",
        book="fence",
        parameters={"lost_site": ["AZ1"]},
        before=(Before(fault=("az_loss", "1a"), knobs={"ec2": "api_down"}, seconds=300),),
        brings=("deny_acl_made", "subnet_denied"),
    ),
    Case(
        topology="pa-4x2",
        book="start-nodes",
        before=(Before(fault=("instance_stop", "EX3"), seconds=300),),
        brings=("instance_running",),
    ),
    Case(
        topology=TWO_VIPS,
        book="namespace-switchover",
        parameters={**VIP, "action": "remove"},
        brings=("address_removed",),
    ),
    Case(
        topology=TWO_VIPS,
        book="namespace-switchover",
        parameters={**VIP, "action": "return"},
        before=(Before(book="namespace-switchover", parameters={**VIP, "action": "remove"}),),
        brings=("address_added",),
    ),
    Case(
        topology=TWO_VIPS,
        book="namespace-move",
        parameters=VIP,
        brings=("address_removed",),
    ),
    Case(
        topology=ONE_VIP,
        book="namespace-move",
        parameters=VIP,
        brings=("addresses_led",),
    ),
    Case(
        topology=ONE_VIP,
        book="namespace-move",
        parameters=VIP,
        brings=("addresses_led",),
        undone=True,
    ),
    # -- maintenance, moves, restarts
    Case(
        topology=_SMALL,
        book="copies-add",
        parameters={"copy": ["DB05=EX3,pref=2"], "restart_store": "window"},
        brings=("copy_added", "seeded", "store_restarted"),
    ),
    Case(
        topology="pa-4x2",
        book="maintenance-start",
        parameters={"server": "EX1"},
        before=(Before(fault=("queue_stuck", "EX1"), knobs={"messages": 20}),),
        brings=(*_DRAINED, "leaving", "redirected", "queues_retried"),
    ),
    Case(
        topology="pa-4x2",
        book="maintenance-start",
        parameters={"server": "EX1"},
        before=(Before(act=_lazy),),
        brings=(*_DRAINED, "leaving", "evacuated"),
    ),
    Case(
        topology="pa-4x2",
        book="maintenance-start",
        parameters={"server": "EX1", "lb": False, "use_exchange_scripts": True},
        brings=("hub_drained", "emptied_by_script", "server_offline"),
    ),
    Case(
        topology="pa-4x2",
        book="maintenance-stop",
        parameters={"server": "EX1", "lb": False, "use_exchange_scripts": True},
        before=(
            Before(book="maintenance-start", parameters={"server": "EX1", "lb": False, "use_exchange_scripts": True}),
        ),
        brings=("component_set", "refilled_by_script", "hub_restored"),
    ),
    Case(
        topology="pa-4x2",
        book="maintenance-stop",
        parameters={"server": "EX1"},
        before=(
            Before(act=lambda world: _imap(world, "Running")),
            _OUT,
            Before(act=lambda world: _imap(world, "Stopped")),
            Before(act=lambda world: world.queues.suspend("EX1", "EX1", "Submission")),
        ),
        brings=(*_BACK, "services_started", "submission_resumed"),
    ),
    Case(topology="pa-4x2", book="db-switchover", parameters={"db": ["DB01"], "to": "EX3"}, brings=("moved",)),
    Case(
        topology="pa-4x2",
        book="db-switchover",
        parameters={"db": ["DB01"], "to": "EX3", "dial": "GoodAvailability", "hold": "freeze"},
        brings=("moved_with_loss", "rebalancing_set"),
    ),
    Case(topology="pa-4x2", book="server-switchover", parameters={"server": "EX3"}, brings=("moved",)),
    Case(topology="pa-4x2", book="pam-move", parameters={"to": "EX4"}, brings=("owner_moved",)),
    Case(
        topology="pa-4x2",
        book="server-reboot",
        parameters={"server": "EX4"},
        brings=(
            *(kind for kind in _DRAINED if kind != "owner_moved_off"),
            "leaving",
            "rebooted",
            *_BACK,
        ),
        anew=True,
    ),
    Case(
        topology="pa-4x2",
        book="service-restart",
        parameters={"server": "EX2", "service": "MSExchangeIS"},
        brings=("moved", "service_restarted"),
        anew=True,
    ),
    Case(
        topology="pa-4x2",
        book="dag-secondary-ips",
        parameters=_SECONDARY,
        brings=("address_assigned",),
    ),
    Case(
        topology="pa-4x2",
        book="dag-secondary-ips",
        parameters=_SECONDARY,
        undone=True,
        brings=("address_unassigned",),
    ),
    # -- updates
    Case(
        topology="pa-4x2",
        book="windows-update",
        parameters={"server": "EX4", "categories": ["security"]},
        brings=(
            *(kind for kind in _DRAINED if kind != "owner_moved_off"),
            *("leaving", "installing", "worker_removed", "rebooted"),
            *_BACK,
        ),
    ),
    Case(
        topology=_PATCHED_WITNESS,
        book="rolling-windows-update",
        roads=("ssm",),
        brings=("installing_here", "worker_removed"),
    ),
    Case(
        topology=_PATCHED_WITNESS,
        book="rolling-windows-update",
        parameters={"method": "patch-baseline"},
        brings=("patched_by_baseline",),
    ),
    Case(
        topology="pa-4x2",
        book="update-repair",
        parameters={"server": "EX4"},
        before=(Before(act=_broken_update),),
        brings=("start_types_restored", "rebooted"),
    ),
    Case(
        topology="pa-4x2",
        book="queue-relief",
        parameters={"action": "retry"},
        before=(Before(fault=("queue_stuck", "EX1"), knobs={"for_s": 400}, seconds=330),),
        brings=("queue_tried",),
    ),
    Case(
        topology="pa-4x2",
        book="queue-relief",
        parameters={"action": "resume", "queue": ["EX3\\Submission"]},
        before=(Before(act=lambda world: world.queues.suspend("EX3", "EX3", "Submission"), seconds=60),),
        brings=("queue_resumed",),
    ),
    Case(
        topology="pa-4x2",
        book="host-event",
        parameters={"server": "EX4"},
        before=(Before(fault=("ec2_event", "EX4")),),
        brings=(
            *(kind for kind in _DRAINED if kind != "owner_moved_off"),
            *("leaving", "instance_halted", "instance_relaunched"),
            *_BACK,
        ),
    ),
    Case(
        topology="pa-4x2",
        book="host-event",
        parameters={"server": "EX1"},
        before=(Before(fault=("link_flap", "1a,*"), knobs={"n": 3}, seconds=1800),),
        brings=("quarantine_ended",),
    ),
    Case(
        topology="pa-4x2",
        book="disk-relief",
        parameters={"server": "EX1", "option": "grow", "size": 1250},
        brings=("volume_grown", "partition_grown"),
    ),
    Case(
        topology=_BUILT,
        book="disk-relief",
        parameters={"server": "ExchangeNode1", "option": "loose-truncation"},
        brings=("loosely_truncated",),
    ),
    Case(
        topology=_BUILT,
        book="disk-relief",
        parameters={"server": "ExchangeNode1", "option": "crcl"},
        brings=("circular_logging",),
    ),
    Case(
        topology=_BUILT,
        book="disk-relief",
        parameters={"server": "ExchangeNode1", "option": "dismount"},
        brings=("database_rested",),
    ),
)
