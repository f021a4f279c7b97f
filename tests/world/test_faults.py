"""Faults: broken and mended exactly, listed, and refused with what is known."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime

import pytest
from starover_lab.world.errors import Data, WorldError
from starover_lab.world.fault_kinds import FaultError, kind_names
from world.conftest import Lab

TARGETS: dict[str, tuple[str, dict[str, Data]]] = {
    "host_off": ("EX3", {}),
    "host_hang": ("EX3", {}),
    "winrm_refused": ("EX3", {}),
    "winrm_silent": ("EX3", {}),
    "winrm_slow": ("EX3", {}),
    "instance_stop": ("EX3", {}),
    "aws_throttle": ("stop_instances", {}),
    "insufficient_capacity": ("1a", {}),
    "hardware_failed": ("EX3", {}),
    "ec2_event": ("EX3", {"code": "instance-stop"}),
    "az_loss": ("1b", {"ec2": "stuck"}),
    "az_isolated": ("1b", {}),
    "partition": ("1a|1b,1c", {}),
    "service_crash": ("EX3", {"service": "MSExchangeRepl"}),
    "witness_down": ("FSW3", {}),
    "dc_down": ("DC2", {}),
    "cred_expired": ("operator", {}),
    "copy_failed": ("DB01/EX3", {"reseed": "true"}),
    "log_corrupt": ("DB01\\EX3", {}),
    "divergence": ("DB01/EX3", {"logs": 4}),
    "ci_failed": ("DB01/EX3", {}),
    "disk_slow": ("EX3", {"ms": 400}),
    "ha_component_offline": ("EX3", {}),
    "lastlog_stale": ("DB01", {}),
    "seed_fail": ("DB01/EX3", {"at_pct": 10}),
    "disk_full": ("EX3", {"volume": "D:"}),
    "disk_failed": ("EX3", {}),
    "exchange_vdir_down": ("EX3", {}),
    "ps_noise": ("", {"level": 3}),
    "localized": ("de-DE", {}),
    "ad_replication_stopped": ("", {}),
    "ad_latency": ("", {"seconds": 1500}),
    "rbac_missing": ("Suspend-MailboxDatabaseCopy", {}),
    "witness_share_acl_removed": ("DAG1", {}),
    "replication_nic_down": ("MBX2", {}),
    "nic_down": ("EX3", {}),
    "dns_server_down": ("DC2", {}),
    "dns_zone_readonly": ("example.com", {}),
    "dns_record_conflict": ("mail.example.com", {"address": "10.9.9.9"}),
    "az_return": ("1b", {"order": "DC2", "wan_delay": "1m"}),
    "link_flap": ("1a,*", {"n": 2, "down": 5}),
    "clock_jump": ("EX3", {"seconds": 4000}),
    "operator_parallel_change": ("DB01/EX3", {}),
    "link_latency": ("1a,1b", {"ms": 620}),
    "pending_reboot": ("EX3", {"why": "wu"}),
    "reboot_slow": ("EX3", {}),
    "reboot_never_returns": ("EX3", {}),
    "witness_reboot": ("FSW3", {}),
    "seed_stall": ("DB01/EX3", {}),
    "kerberos_skew": ("EX3", {"seconds": 600}),
    "orphan_sid": ("FSW3", {}),
    "auth_cert_expired": ("", {}),
    "queue_stuck": ("EX3", {"messages": 80}),
    "backpressure": ("EX3", {}),
    "malware_engine_stuck": ("EX3", {}),
    "service_start_fails": ("EX3", {}),
    "su_failed": ("EX3", {}),
    "update_hang": ("KB5044411", {"server": "EX3"}),
    "update_fail": ("KB5044411", {"hresult": "0x800F0922"}),
    "update_loops": ("KB5044411", {}),
    "update_needs_second_round": ("EX3", {}),
    "setup_running": ("EX3", {}),
    "proxies_inactive": ("EX3", {}),
    "self_heal": ("EX3", {"action": "RestartService"}),
    "aws_error": ("put_object", {"code": "AccessDenied"}),
    "aws_rate": ("route53", {"per_s": "5"}),
    "aws_slow": ("describe_instances", {"seconds": "20"}),
    "ssm_slow": ("EX1", {"seconds": "20"}),
    "ssm_agent_dead": ("EX3", {}),
    "ssm_undeliverable": ("EX3", {}),
    "ssm_output_truncated": ("EX3", {"characters": 1000}),
    "ssm_late_to_see": ("", {"questions": 2}),
    "import_slow": ("", {"seconds": 60}),
    "exchange_session_limit": ("", {"limit": 1}),
    "audit_off": ("", {}),
    "elb_target_unhealthy": ("EX3", {}),
    "farm_needs_restart": ("Web", {}),
    "role_denied": ("EX3", {"call": "get_parameters"}),
    "zapi_fails": ("zen", {"times": 2}),
    "anchor_database_down": ("", {}),
    "winrm_drop": ("EX3", {"effect": "not_applied"}),
}
CU11 = """
name: cu11
start: 2026-03-01T02:00:00Z
servers:
  - {name: DC2, roles: [dc], az: z1, address: 192.168.1.1}
  - {name: FS1, roles: [witness], az: z1, address: 192.168.1.20}
  - name: MBX1
    roles: [mailbox]
    az: z1
    address: 192.168.1.11
    os: 2012R2
    exchange: {year: "2013", build: 15.0.1156.6}
  - name: MBX2
    roles: [mailbox]
    az: z1
    address: 192.168.1.12
    os: 2012R2
    exchange: {year: "2013", build: 15.0.1156.6}
sites:
  - {name: North, az: z1}
dags:
  - {name: DAG2, members: [MBX1, MBX2], witness: FS1, witness_directory: 'C:\\DAG2', dac_mode: DagOnly}
databases:
  - {name: DB21, size_gb: 80, copies: [{server: MBX1}, {server: MBX2}]}
accounts:
  - {name: operator, role_groups: [Organization Management]}
"""
ELSEWHERE = {
    "replication_nic_down": "rep-net-2013",
    "anchor_database_down": CU11,
    "farm_needs_restart": "pa-4x2-farm",
    "zapi_fails": "pa-4x2-farm",
}
"""Kinds that need another estate."""


def test_every_kind_is_tried_here() -> None:
    assert set(TARGETS) == set(kind_names())


@pytest.mark.parametrize("kind", kind_names())
def test_broken_then_mended_is_as_before(lab: Callable[..., Lab], kind: str) -> None:
    one = lab(ELSEWHERE.get(kind, "pa-4x2"))
    world = one.world
    target, params = TARGETS[kind]
    exchange = next(server.name for server in world.state.servers if server.exchange is not None)

    def healthy() -> dict[str, object]:
        state = world.snapshot()
        dags, databases = state["dags"], state["databases"]
        assert isinstance(dags, dict)
        assert isinstance(databases, dict)
        return {
            "azs": state["azs"],
            "nodes": {name: dag["cluster"]["nodes"] for name, dag in dags.items()},  # type: ignore[index,call-overload]
            "copies": sorted(
                (name, server, copy["status"] in ("Healthy", "Mounted"), copy["error"])
                for name, database in databases.items()
                for server, copy in database["copies"].items()  # type: ignore[index,union-attr,call-overload]
            ),
            "listeners": {server.name: world.listener(server.name) for server in world.state.servers},
            "exchange": {
                name: world.exchange_answers(name) for name in (exchange, "EX3") if name in world.state.servers
            },
            "dns": {name: world.dns.answering(name) for name in world.dns.servers()},
            "zones": state["zones"],
            "hosts": {
                server.name: (
                    [nic.up for nic in server.nics],
                    server.local_groups,
                    [(share.name, share.access) for share in server.shares],
                    server.pending_reboot,
                    server.time_skew_s,
                )
                for server in world.state.servers
            },
            "certificates": world.client_access.certificates(exchange),
            "way": world.windows.ping(exchange, "DC2"),
            "accounts": state["accounts"],
            "other": (world.state.noise, world.state.ui_culture, set(world.state.rbac_missing), world.state.partition),
        }

    before = deepcopy(healthy())
    number = world.fault(kind, target, **params)
    assert [fault["number"] for fault in world.faults()] == [number]
    assert world.faults()[0]["text"]
    assert world.fault(kind, target, **params) == number, "what is broken is not broken again"
    one.later(minutes=5)
    assert world.mend(number) == [number]
    one.later(hours=1)
    assert world.faults() == []
    assert healthy() == before
    assert world.violations() == []


def test_overlapping_causes_keep_a_host_off(lab: Callable[..., Lab]) -> None:
    one = lab()
    host = one.world.fault("host_off", "EX3")
    zone = one.world.fault("az", "1b")
    one.world.mend(zone)
    one.later(minutes=10)
    assert one.world.server("EX3").power == "off"
    assert one.world.server("EX4").power == "on"
    one.world.mend(host)
    assert one.world.server("EX3").power == "booting"
    assert one.world.listener("EX3") == ("off",)
    one.later(minutes=10)
    assert one.world.listener("EX3") == ()
    assert one.world.pending_services("EX3") == ["RemoteRegistry"] or one.world.pending_services("EX3") == []


def test_one_partition_at_a_time(lab: Callable[..., Lab]) -> None:
    world = lab().world
    number = world.fault("partition", "1a|1b,1c")
    with pytest.raises(FaultError, match=f"number {number}"):
        world.fault("partition", "1b|1a,1c")
    world.mend()
    world.fault("partition", "1b|1a,1c")


def test_a_zone_is_lost_and_cut_off_at_once(lab: Callable[..., Lab]) -> None:
    world = lab().world
    lost, cut = world.fault("az", "1a"), world.fault("az_isolated", "1a")
    world.mend(lost)
    assert world.state.azs["eu-west-1a"].state == "isolated"
    world.mend(cut)
    assert world.state.azs["eu-west-1a"].state == "up"


def test_now_later_and_for_a_while(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "EX2", after_s=60, for_s="120")
    one.later(59)
    assert one.world.server("EX2").power == "on"
    one.later(2)
    assert one.world.server("EX2").power == "off"
    one.later(minutes=10)
    assert one.world.server("EX2").power == "on"
    number = one.world.fault("host_off", "EX1", after_s=60)
    one.world.mend(number)
    one.later(minutes=5)
    assert one.world.server("EX1").power == "on", "mended before it came"


@pytest.mark.parametrize(
    ("kind", "target", "params", "says"),
    [
        ("az_los", "1a", {}, "did you mean `az_loss`"),
        ("az", "1d", {}, "1d"),
        ("az", "", {}, "Availability Zone"),
        ("host", "EX9", {}, "EX9"),
        ("host", "EX1", {"foo": 1}, "foo"),
        ("dc_down", "EX1", {}, "no DC"),
        ("copy_failed", "DB01", {}, "DB01"),
        ("copy_failed", "DB01/EX1", {}, "active copy"),
        ("service_crash", "EX1", {"service": "Spooler2"}, "Spooler2"),
        ("disk_full", "EX1", {"volume": "Z:"}, "Z:"),
        ("cred_expired", "bob", {}, "bob"),
        ("exchange_vdir_down", "DC1", {}, "no Exchange"),
        ("partition", "1a|moon", {}, "moon"),
        ("partition", "1a", {}, "two groups"),
        ("ad_latency", "DC1", {}, "no target"),
        ("seed_fail", "DB01/EX3", {"at_pct": "half"}, "half"),
        ("replication_nic_down", "EX1", {}, "Ethernet"),
        ("dns_server_down", "EX1", {}, "no DNS server"),
        ("dns_zone_readonly", "example.net", {}, "example.com"),
        ("dns_record_conflict", "mail.example.net", {}, "example.com"),
        ("link_latency", "1a,1z", {}, "eu-west-1a"),
        ("pending_reboot", "EX1", {"why": "mood"}, "mood"),
        ("witness_share_acl_removed", "FSW9", {}, "FSW3"),
        ("host", "EX1", {"for_s": "long"}, "long"),
    ],
)
def test_what_cannot_be_broken(
    lab: Callable[..., Lab], kind: str, target: str, params: dict[str, Data], says: str
) -> None:
    world = lab().world
    with pytest.raises(FaultError) as refused:
        world.fault(kind, target, **params)
    assert says in " ".join([refused.value.what, *refused.value.next])
    assert refused.value.exit == 2
    assert world.faults() == []
    assert [event.kind for event in world.events] == ["lab_started"]


def test_sessions_of_2013_cu11_need_the_database_they_are_anchored_to(lab: Callable[..., Lab]) -> None:
    world = lab(CU11).world
    assert world.exchange_answers("MBX1")
    number = world.fault("anchor_database_down")
    assert not world.exchange_answers("MBX1")
    assert not world.exchange_answers("MBX2"), "wherever one asks"
    assert world.state.runs(world.server("MBX1"), "WinRM"), "the plain session is there"
    with pytest.raises(FaultError, match="2013 CU11"):
        lab("rep-net-2013").world.fault("anchor_database_down")
    looked: list[datetime] = []
    world.state.reviewers.append(lambda: looked.append(world.now))
    world.mend(number)
    assert looked, "what was kept from it looks again at once"


def test_mending_what_is_not_broken(lab: Callable[..., Lab]) -> None:
    world = lab().world
    with pytest.raises(FaultError):
        world.mend(4)
    assert world.mend() == []


def test_an_expired_account_does_not_log_on(lab: Callable[..., Lab]) -> None:
    world = lab().world
    world.fault("cred_expired", "EXAMPLE\\operator")
    assert world.account("operator") is None
    world.mend()
    assert world.account("operator") is not None


def test_without_a_domain_controller_nothing_is_read(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    world.fault("dc_down", "DC1")
    assert world.dc_of("EX1").name == "DC2"
    with pytest.raises(WorldError) as refused:
        world.dc_of("EX1", "DC1.example.com")
    assert refused.value.kind == "server_down"
    for name in ("DC2", "DC3"):
        world.fault("dc_down", name)
    with pytest.raises(WorldError) as refused:
        world.dag("DAG1", "EX1")
    assert refused.value.kind == "no_dc"
