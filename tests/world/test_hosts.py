"""Windows hosts: features, groups, firewall, shares, cards, reboots, and who reaches whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starover_lab.world.dags import DagChanges
from starover_lab.world.machine_parts import FirewallRule, Route
from starover_lab.world.windows import FILE_SHARING
from starover_lab.world.world import World
from world.conftest import THREE, Lab, refusal

TRUSTED = "EXAMPLE\\Exchange Trusted Subsystem"


def test_features_are_installed_once(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    windows = one.world.windows
    operation = windows.install("FileServer", ["FS-FileServer"])
    assert operation.ends > one.world.now
    assert windows.features("FileServer")["FS-FileServer"] == "Available"
    one.later((operation.ends - one.world.now).total_seconds())
    operation.result()
    assert windows.features("FileServer")["FS-FileServer"] == "Installed"
    assert windows.install("FileServer", ["fs-fileserver"]).ends == one.world.now
    assert refusal(lambda: windows.install("FileServer", ["Telepathy"])).data["object"] == "feature"
    operation = windows.install("FileServer", ["Failover-Clustering"], management_tools=True)
    one.world.fault("host_off", "FileServer")
    one.later(minutes=2)
    assert operation.error is not None
    assert windows.features("FileServer")["RSAT-Clustering-PowerShell"] == "Available"


def test_local_groups_know_names_and_sids(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az").world
    windows = world.windows
    assert TRUSTED not in windows.group_members("FileServer", "Administrators")
    windows.add_to_group("FileServer", "S-1-5-32-544", "example\\exchange trusted subsystem")
    assert TRUSTED in windows.group_members("FileServer", "administrators")
    assert refusal(lambda: windows.add_to_group("FileServer", "Administrators", TRUSTED)).kind == "already_in_group"
    assert world.ad.account_of(world.ad.sid(TRUSTED)) == TRUSTED
    assert refusal(lambda: windows.add_to_group("FileServer", "Administrators", "EXAMPLE\\Nobody")).kind == "not_found"
    assert refusal(lambda: windows.group_members("FileServer", "Wizards")).data["object"] == "group"
    assert refusal(lambda: windows.group_members("DC1", "Administrators")).kind == "not_found", "a DC has none"
    windows.remove_from_group("FileServer", "Administrators", world.ad.sid(TRUSTED))
    assert refusal(lambda: windows.remove_from_group("FileServer", "Administrators", TRUSTED)).kind == "not_in_group"
    world.fault("orphan_sid", "FileServer", sid="S-1-5-21-1-2-3-4")
    assert "S-1-5-21-1-2-3-4" in windows.group_members("FileServer", "Administrators")
    windows.remove_from_group("FileServer", "Administrators", "S-1-5-21-1-2-3-4")
    world.fault("dc_down", "DC1")
    world.fault("dc_down", "DC2")
    assert refusal(lambda: windows.add_to_group("FileServer", "Administrators", TRUSTED)).kind == "no_dc"


def test_the_firewall_opens_ports(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az").world
    windows = world.windows
    assert not windows.port_open("ExchangeNode1", "FileServer", 445)
    assert windows.port_open("ExchangeNode1", "FileServer", 5985)
    windows.enable_rules(
        "FileServer", [rule.name for rule in windows.firewall_rules("FileServer") if rule.group == FILE_SHARING]
    )
    assert windows.port_open("ExchangeNode1", "fileserver.example.com", 445)
    assert windows.port_open("ExchangeNode1", "10.0.0.200", 445)
    assert not windows.port_open("ExchangeNode1", "10.0.0.200", 443)
    assert refusal(lambda: windows.enable_rules("FileServer", ["Any"])).kind == "not_found"
    world.stop_service("ExchangeNode2", "MSExchangeRepl")
    assert not windows.port_open("ExchangeNode1", "ExchangeNode2", 64327)
    assert not windows.port_open("ExchangeNode1", "10.0.0.77", 445)


def test_another_replication_port_is_closed_until_a_rule_opens_it(lab: Callable[..., Lab]) -> None:
    world = lab("rep-net-2013").world
    world.dags.change("DAG2", "MBX1", DagChanges(replication_port=64400))
    assert not world.windows.port_open("MBX2", "MBX1", 64400)
    rule = FirewallRule("Repl-64400", "Replication", "", "", "TCP", 64400, enabled=True)
    world.windows.add_rule("MBX1", rule)
    assert world.windows.port_open("MBX2", "MBX1", 64400)
    assert refusal(lambda: world.windows.add_rule("MBX1", rule)).kind == "exists"


def test_a_host_without_its_card_is_silent(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("nic_down", "EX3")
    assert one.world.listener("EX3") == ("silent",)
    assert refusal(lambda: one.world.reach("EX1", "EX3")).kind == "server_down"
    one.later(minutes=2)
    assert {node.name: node.information for node in one.world.nodes("EX1")}["EX3"] == "Isolated"
    one.later(minutes=3)
    assert {node.name: node.state for node in one.world.nodes("EX1")}["EX3"] == "Down"
    assert one.world.database("DB03").state == "Dismounted"


def test_who_answers_ping(lab: Callable[..., Lab]) -> None:
    one = lab()
    windows = one.world.windows
    near, far = windows.ping("EX1", "EX2"), windows.ping("EX1", "10.0.32.13")
    assert near is not None
    assert far is not None
    assert near < far < 5
    one.world.fault("link_latency", "1a,1b", ms=620)
    assert windows.ping("EX1", "EX3") == 620
    assert windows.ping("EX1", "EX2") == near
    one.world.fault("host_hang", "EX2")
    assert windows.ping("EX1", "EX2") == near, "a hung host answers ping"
    assert not windows.port_open("EX1", "EX2", 445)
    one.world.fault("host_off", "EX4")
    assert windows.ping("EX1", "EX4") is None
    assert windows.ping("EX1", "10.99.0.1") is None


def test_the_replication_network_is_for_itself(lab: Callable[..., Lab]) -> None:
    windows = lab("rep-net-2013").world.windows
    assert windows.port_open("MBX1", "10.10.2.12", 64327)
    assert not windows.port_open("FS1", "10.10.2.12", 64327), "no way from the MAPI side"
    cards = lab("rep-net-2013").world
    cards.nics.remove_route("MBX1", "Replication", "10.10.2.0/24")
    assert not cards.windows.port_open("MBX1", "10.10.2.12", 64327)


def test_shares(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az").world
    windows = world.windows
    assert refusal(lambda: windows.make_share("FileServer", "S", "C:\\S", [TRUSTED])).kind == "file_not_found"
    world.server("FileServer").files.make_folder("C:\\S")
    windows.make_share("FileServer", "S", "C:\\S", ["Everyone"])
    assert refusal(lambda: windows.make_share("FileServer", "s", "C:\\S", [])).kind == "exists"
    windows.grant_share("FileServer", "S", TRUSTED)
    share = next(share for share in windows.shares("FileServer") if share.name == "S")
    assert share.access == ("Everyone", TRUSTED)
    windows.remove_share("FileServer", "S")
    assert refusal(lambda: windows.remove_share("FileServer", "S")).kind == "not_found"


def test_a_witness_share_that_goes_away_takes_its_vote_along(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.windows.remove_share("FSW3", "DAG1.example.com")
    one.later(minutes=1)
    assert one.world.dag_status("DAG1", "EX1").witness_share_in_use == "InvalidConfiguration"


def test_cards_are_set_as_a_replication_network_wants_them(lab: Callable[..., Lab]) -> None:
    world = lab("rep-net-2013").world
    nics = world.nics
    mapi, replication = nics.of("MBX1")
    assert (mapi.is_mapi, replication.is_mapi) == (True, False)
    assert (mapi.gateway, mapi.dns_servers[0], mapi.register_dns) == ("172.19.18.1", "172.19.18.10", True)
    assert (replication.gateway, replication.dns_servers, replication.register_dns) == ("", (), False)
    assert replication.bindings == {"ms_msclient": False, "ms_server": False, "ms_tcpip": True, "ms_tcpip6": True}
    nics.bind("MBX1", "Replication", "MS_Server", enabled=True)
    nics.register_dns("MBX1", "Replication", enabled=True)
    nics.set_dns_servers("MBX1", "Replication", ["172.19.18.10"])
    nics.set_metric("MBX1", "MAPI", 5)
    assert (replication.bindings["ms_server"], replication.register_dns, mapi.metric) == (True, True, 5)
    nics.set_dns_servers("MBX1", "Replication", [])
    assert replication.dns_servers == ()
    nics.add_route("MBX1", "Replication", Route("10.30.0.0/16", "10.10.1.1", active=False))
    nics.add_route("MBX1", "Replication", Route("10.30.0.0/16", "10.10.1.1", persistent=False))
    assert [(route.persistent, route.active) for route in replication.routes if route.prefix == "10.30.0.0/16"] == [
        (True, True)
    ]
    for act, kind in (
        (lambda: nics.add_route("MBX1", "Replication", Route("10.30.0.0/16", "10.10.1.1")), "exists"),
        (lambda: nics.add_route("MBX1", "Replication", Route("10.30.0.9/16", "10.10.1.1")), "syntax"),
        (lambda: nics.remove_route("MBX1", "Replication", "10.99.0.0/16"), "not_found"),
        (lambda: nics.bind("MBX1", "Replication", "ms_magic", enabled=True), "not_found"),
        (lambda: nics.set_metric("MBX1", "Wi-Fi", 5), "not_found"),
        (lambda: nics.set_dns_servers("MBX1", "MAPI", ["dc1"]), "syntax"),
    ):
        assert refusal(act).kind == kind


def test_secondary_addresses_of_ec2(lab: Callable[..., Lab]) -> None:
    world = lab("rep-net-2013-unbuilt").world
    eni = next(eni for eni in world.nics.enis() if eni.primary == "172.19.18.11")
    world.nics.assign(eni.id, "172.19.18.50")
    world.nics.assign(eni.id, "172.19.18.50")
    other = next(eni for eni in world.nics.enis() if eni.server == "DC1")
    for address, kind in (
        ("172.19.18.50", "ip_in_use"),
        ("172.19.18.11", "ip_in_use"),
        ("172.19.18.3", "syntax"),
        ("172.19.18.255", "syntax"),
        ("172.19.19.9", "syntax"),
        ("x", "syntax"),
    ):
        assert refusal(lambda address=address: world.nics.assign(other.id, address)).kind == kind
    assert "172.19.18.50" not in next(iter(world.nics.of("MBX1"))).addresses, "Windows knows nothing of it"
    world.nics.unassign(eni.id, "172.19.18.50")
    assert refusal(lambda: world.nics.unassign(eni.id, "172.19.18.50")).kind == "not_found"
    assert refusal(lambda: world.nics.assign("eni-none", "172.19.18.50")).data["object"] == "eni"


def test_a_restart_moves_databases_away_first(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    returns = world.windows.restart("EX1")
    one.later(29)
    assert (world.database("DB01").active, world.database("DB01").state) == ("EX3", "Mounted")
    assert world.listener("EX1") == ()
    one.later(2)
    assert world.listener("EX1") == ("off",)
    assert {node.name: node.state for node in world.nodes("EX2")}["EX1"] == "Down"
    assert [event.data["clean"] for event in world.events if event.kind == "node_down"] == [True]
    one.later((returns - world.now).total_seconds() + 180)
    assert world.server("EX1").boot_time == returns
    assert one.statuses("DB01")["EX1"] == "Healthy"
    assert world.violations() == []
    assert not [event for event in world.events if event.kind == "data_loss"]


def test_slow_reboots_and_hosts_that_never_return(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    usual = world.windows.restart("FSW3")
    world.fault("reboot_slow", "FSW2", seconds=900)
    assert (world.windows.restart("FSW2") - usual).total_seconds() == 900
    number = world.fault("reboot_never_returns", "EX4")
    world.windows.restart("EX4")
    one.later(hours=2)
    assert [world.server(name).power for name in ("FSW3", "FSW2", "EX4")] == ["on", "on", "off"]
    world.mend(number)
    one.later(minutes=10)
    assert world.server("EX4").power == "on"


@pytest.mark.parametrize(
    ("exchange", "build"),
    [
        ('{year: "2013"}', "15.0.1497.2"),
        ('{year: "2016"}', "15.1.2507.6"),
        ('{year: "2019", cu: cu14}', "15.2.1544.4"),
        ('{year: "2019"}', "15.2.1748.10"),
        ("{}", "15.2.2562.37"),
        ('{year: "2016", build: 15.1.2375.7}', "15.1.2375.7"),
    ],
)
def test_exchange_has_the_build_of_its_year(tmp_path: Path, exchange: str, build: str) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(THREE.replace('{year: "2016", build: 15.1.2507.6}', exchange), "utf-8")
    found = World.from_topology(file).server("Mail-01").exchange
    assert found is not None
    assert found.build == build
