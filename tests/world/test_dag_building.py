"""A DAG from nothing: object, members, cluster, witness, access point, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.dags import DagChanges
from starover_lab.world.errors import WorldError
from starover_lab.world.operations import Operation
from starover_lab.world.windows import FILE_SHARING, WMI
from world.conftest import Lab, refusal

NODES = ("ExchangeNode1", "ExchangeNode2")
TRUSTED = "EXAMPLE\\Exchange Trusted Subsystem"


def open_witness(one: Lab, *hosts: str) -> None:
    for host in hosts:
        one.world.windows.add_to_group(host, "S-1-5-32-544", TRUSTED)
        rules = [rule.name for rule in one.world.windows.firewall_rules(host) if rule.group in (FILE_SHARING, WMI)]
        one.world.windows.enable_rules(host, rules)


def whole(one: Lab, operation: Operation) -> Operation:
    one.later((operation.ends - one.world.now).total_seconds())
    return operation


def create(one: Lab, **how: object) -> Operation:
    given = {"witness_server": "FileServer3", "witness_directory": "C:\\DAG", "ip_addresses": ("255.255.255.255",)}
    return one.world.dags.create("DAG", "ExchangeNode1", **{**given, **how})  # type: ignore[arg-type]


def join(one: Lab, server: str, asked: str = "ExchangeNode1") -> Operation:
    operation = whole(one, one.world.members.add("DAG", server, asked))
    operation.result()
    return operation


def started_pair(one: Lab) -> Lab:
    open_witness(one, "FileServer3", "FileServer")
    create(one)
    join(one, "ExchangeNode1")
    one.later(181)
    join(one, "ExchangeNode2")
    return one


def test_a_dag_without_access_point(lab: Callable[..., Lab]) -> None:
    """S1 as the world sees it."""
    one = lab("aws-2az")
    world = one.world
    begins = world.now
    open_witness(one, "FileServer3", "FileServer")
    assert create(one).notices == []
    alternate = DagChanges(alternate_witness_server="FileServer", alternate_witness_directory="C:\\DAGALT")
    assert world.dags.change("DAG", "ExchangeNode1", alternate).notices == []
    first = world.members.add("DAG", "ExchangeNode1", "ExchangeNode1")
    assert (first.ends - begins).total_seconds() == 150
    assert world.dag("DAG", "ExchangeNode1").members == ()
    whole(one, first).result()
    assert world.dag("DAG", "ExchangeNode1").members == ("ExchangeNode1",)
    assert refusal(lambda: world.dag("DAG", "ExchangeNode2")).kind == "not_found", "the other site does not know yet"
    one.later(60)
    assert world.dag("DAG", "ExchangeNode2").members == ()
    one.later(121)
    assert world.dag("DAG", "ExchangeNode2").members == ("ExchangeNode1",)
    second = world.members.add("DAG", "ExchangeNode2", "ExchangeNode1")
    assert (second.ends - world.now).total_seconds() == 180
    assert whole(one, second).notices == []
    world.dags.change("DAG", "ExchangeNode1", DagChanges(dac_mode="DagOnly"))
    one.later(181)
    for node in NODES:
        dag = world.dag("DAG", node)
        assert (dag.members, dag.dac_mode) == (NODES, "DagOnly")
        assert dag.started == tuple(f"{name}.example.com" for name in NODES)
    status = world.dag_status("DAG", "ExchangeNode2")
    assert (status.witness_share_in_use, status.quorum_type) == ("Primary", "NodeAndFileShareMajority")
    assert (status.votes_present, status.votes_total, status.operational) == (3, 3, NODES)
    assert [(node.id, node.state) for node in world.nodes("ExchangeNode2")] == [(1, "Up"), (2, "Up")]
    cluster = world.cluster("ExchangeNode1")
    assert (cluster.addresses, cluster.witness_path) == ((), "\\\\FileServer3.example.com\\DAG.example.com")
    assert refusal(lambda: world.ad.computer("DAG", "ExchangeNode1")).kind == "not_found"
    assert world.dns.resolve("ExchangeNode1", "DAG.example.com").rcode == "NXDOMAIN"
    assert world.windows.features("ExchangeNode2")["Failover-Clustering"] == "Installed"
    assert {database.dag for database in world.state.databases} == {"DAG"}
    assert world.dag_of("ExchangeNode2") == "DAG"
    assert world.violations() == []


def test_a_dag_that_looks_empty_gets_a_second_cluster(lab: Callable[..., Lab]) -> None:
    """S5's control: without waiting for AD the second member forms a cluster of its own, and I6 sees it."""
    one = lab("aws-2az")
    world = one.world
    world.fault("ad_latency", seconds=1500)
    open_witness(one, "FileServer3")
    create(one)
    assert refusal(lambda: world.members.add("DAG", "ExchangeNode2", "ExchangeNode1")).data["dc"] == "DC2"
    one.later(1000)
    join(one, "ExchangeNode1")
    one.later(600)
    assert world.dag("DAG", "ExchangeNode2").members == ()
    assert world.ad.sync("ExchangeNode1") >= world.now, "pushing helps nothing while the way is slow"
    one.later(60)
    assert world.dag("DAG", "ExchangeNode2").members == ()
    assert world.violations() == []
    join(one, "ExchangeNode2")
    assert {(found["id"], found["subject"]) for found in world.violations()} == {("I6", "DAG"), ("I2", "DAG")}
    assert len({id(world.cluster(node)) for node in NODES}) == 2
    world.mend()
    one.later(1600)
    assert set(world.dag("DAG", "ExchangeNode1").members) == set(NODES), "each link replicates by itself"


def test_waiting_for_the_directory_keeps_one_cluster(lab: Callable[..., Lab]) -> None:
    """S5 as it should go: what the joining server's DC lists decides."""
    one = lab("aws-2az")
    world = one.world
    world.fault("ad_latency", seconds=1500)
    open_witness(one, "FileServer3")
    create(one)
    join(one, "ExchangeNode1")
    world.mend()
    one.later(200)
    assert world.dag("DAG", "ExchangeNode2").members == ("ExchangeNode1",), "what was pending comes after the fault"
    join(one, "ExchangeNode2")
    assert len(world.nodes("ExchangeNode1")) == 2
    assert world.violations() == []


def test_a_witness_without_rights_and_its_repair(lab: Callable[..., Lab]) -> None:
    """S6 as the world sees it."""
    one = lab("aws-2az")
    world = one.world
    open_witness(one, "FileServer3")
    world.fault("witness_share_acl_removed", "FileServer3")
    assert [notice.kind for notice in create(one).notices] == ["witness_access_denied"]
    assert join(one, "ExchangeNode1").notices == []
    one.later(181)
    notices = join(one, "ExchangeNode2").notices
    assert [(notice.kind, notice.data["server"]) for notice in notices] == [("witness_access_denied", "FileServer3")]
    status = world.dag_status("DAG", "ExchangeNode1")
    assert (status.witness_share_in_use, status.witness_failed, status.votes_total) == ("InvalidConfiguration", True, 1)
    world.windows.add_to_group("FileServer3", "Administrators", TRUSTED)
    assert world.dag_status("DAG", "ExchangeNode1").witness_share_in_use == "InvalidConfiguration"
    again = DagChanges(witness_server="FileServer3", witness_directory="C:\\DAG")
    assert world.dags.change("DAG", "ExchangeNode1", again).notices == []
    status = world.dag_status("DAG", "ExchangeNode1")
    assert (status.witness_share_in_use, status.votes_total) == ("Primary", 3)


@pytest.mark.parametrize(
    ("closed", "directory", "kind"),
    [
        (FILE_SHARING, "C:\\DAG", "witness_path_not_found"),
        (WMI, "C:\\DAG", "witness_rpc_unavailable"),
        ("host", "C:\\DAG", "witness_rpc_unavailable"),
    ],
)
def test_what_is_closed_on_the_witness(lab: Callable[..., Lab], closed: str, directory: str, kind: str) -> None:
    one = lab("aws-2az")
    open_witness(one, "FileServer3")
    if closed == "host":
        one.world.fault("host_off", "FileServer3")
    else:
        rules = [rule.name for rule in one.world.windows.firewall_rules("FileServer3") if rule.group == closed]
        one.world.windows.enable_rules("FileServer3", rules, enabled=False)
    assert [notice.kind for notice in create(one, witness_directory=directory).notices] == [kind]


def test_the_default_directory_needs_wmi(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    assert refusal(lambda: create(one, witness_directory="")).kind == "witness_default_directory"
    assert one.world.dag_names("ExchangeNode1") == []
    open_witness(one, "FileServer3")
    create(one, witness_directory="")
    assert one.world.dag("DAG", "ExchangeNode1").witness_directory == "C:\\DAGFileShareWitnesses\\DAG.example.com"


@pytest.mark.parametrize(
    ("name", "how", "kind", "parameter"),
    [
        ("Mail-Availability-1", {}, "syntax", "Name"),
        ("12345", {}, "syntax", "Name"),
        ("-DAG", {}, "syntax", "Name"),
        ("ExchangeNode1", {}, "name_in_use", None),
        ("DAG", {"witness_server": "10.0.0.200"}, "syntax", "WitnessServer"),
        ("DAG", {"witness_server": "File*"}, "syntax", "WitnessServer"),
        ("DAG", {"witness_server": "Nobody"}, "not_found", None),
        ("DAG", {"witness_directory": "C:\\"}, "syntax", "WitnessDirectory"),
        ("DAG", {"witness_directory": "\\\\x\\y"}, "syntax", "WitnessDirectory"),
        ("DAG", {"ip_addresses": ("169.254.1.1",)}, "syntax", "DatabaseAvailabilityGroupIpAddresses"),
        ("DAG", {"ip_addresses": ("255.255.255.255", "10.0.0.101")}, "syntax", "DatabaseAvailabilityGroupIpAddresses"),
    ],
)
def test_what_no_dag_can_be(
    lab: Callable[..., Lab], name: str, how: dict[str, object], kind: str, parameter: str | None
) -> None:
    world = lab("aws-2az").world
    given: dict[str, object] = {"witness_server": "FileServer3", "witness_directory": "C:\\DAG", **how}
    error = refusal(lambda: world.dags.create(name, "ExchangeNode1", **given))  # type: ignore[arg-type]
    assert (error.kind, error.data.get("parameter")) == (kind, parameter)
    assert world.dag_names("ExchangeNode1") == []


def test_two_dags_do_not_share_a_name_or_a_directory(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    create(one)
    assert refusal(lambda: one.world.dags.create("dag", "ExchangeNode1")).data["by"] == "dag"
    one.world.dags.create("DAG2", "ExchangeNode1", witness_server="FileServer3", witness_directory="C:\\DAG")
    assert [found["id"] for found in one.world.violations()] == ["I11"]


def test_who_cannot_join(lab: Callable[..., Lab]) -> None:
    one = started_pair(lab("aws-2az"))
    world = one.world

    def add(server: str) -> WorldError:
        return refusal(lambda: world.members.add("DAG", server, "ExchangeNode1"))

    assert add("ExchangeNode1").kind == "already_member"
    assert add("FileServer").kind == "not_found"
    assert add("Nobody").kind == "not_found"
    assert refusal(lambda: world.members.add("Other", "ExchangeNode1", "ExchangeNode1")).kind == "not_found"
    world.dags.create("DAG2", "ExchangeNode1")
    assert refusal(lambda: world.members.add("DAG2", "ExchangeNode1", "ExchangeNode1")).kind == "member_elsewhere"
    in_use = refusal(
        lambda: world.dags.change("DAG", "ExchangeNode1", DagChanges(witness_server="ExchangeNode2.example.com"))
    )
    assert in_use.kind == "witness_is_member"


def mixed(one: Lab, attribute: str, value: object) -> WorldError:
    open_witness(one, "FileServer3")
    create(one)
    join(one, "ExchangeNode1")
    one.later(181)
    server = one.world.server("ExchangeNode2")
    setattr(server if hasattr(server, attribute) else server.exchange, attribute, value)
    return refusal(lambda: one.world.members.add("DAG", "ExchangeNode2", "ExchangeNode1"))


@pytest.mark.parametrize(
    ("attribute", "value", "kind"),
    [("os", "2025", "other_os"), ("year", "2016", "other_version"), ("domain", "other.com", "other_domain")],
)
def test_members_are_of_one_kind(lab: Callable[..., Lab], attribute: str, value: str, kind: str) -> None:
    assert mixed(lab("aws-2az"), attribute, value).kind == kind


def test_a_feature_that_waits_for_a_reboot_keeps_a_server_out(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    world = one.world
    world.fault("pending_reboot", "ExchangeNode1")
    whole(one, world.windows.install("ExchangeNode1", ["failover-clustering"], management_tools=True)).result()
    assert world.windows.features("ExchangeNode1")["Failover-Clustering"] == "InstallPending"
    create(one)
    assert refusal(lambda: world.members.add("DAG", "ExchangeNode1", "ExchangeNode1")).kind == "feature_pending"
    booted = world.server("ExchangeNode1").boot_time
    returns = world.windows.restart("ExchangeNode1")
    one.later((returns - world.now).total_seconds() - 1)
    assert world.listener("ExchangeNode1") == ("off",)
    one.later(120)
    assert world.server("ExchangeNode1").boot_time > booted
    assert world.windows.pending_reboot("ExchangeNode1") == frozenset()
    assert world.windows.features("ExchangeNode1")["Failover-Clustering"] == "Installed"
    join(one, "ExchangeNode1", "ExchangeNode2" if world.dag_names("ExchangeNode2") else "ExchangeNode1")


def test_joining_breaks_off_with_its_host_and_is_not_begun_twice(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    world = one.world
    create(one)
    operation = world.members.add("DAG", "ExchangeNode1", "ExchangeNode1")
    assert refusal(lambda: world.members.add("DAG", "ExchangeNode1", "ExchangeNode1")).kind == "busy"
    world.fault("host_off", "ExchangeNode1")
    whole(one, operation)
    assert operation.error is not None
    assert operation.error.kind == "server_down"
    assert world.dag("DAG", "ExchangeNode2", "DC1").members == ()
    assert len(world.state.clusters) == 0


def test_leaving_and_removing(lab: Callable[..., Lab]) -> None:
    one = started_pair(lab("aws-2az"))
    world = one.world
    assert refusal(lambda: world.dags.remove("DAG", "ExchangeNode1")).kind == "has_members"
    whole(one, world.members.remove("DAG", "ExchangeNode2", "ExchangeNode1")).result()
    status = world.dag_status("DAG", "ExchangeNode1")
    assert (status.quorum_type, status.votes_total, status.operational) == ("NodeMajority", 1, ("ExchangeNode1",))
    assert world.server("ExchangeNode2").services["ClusSvc"].start_type == "Disabled"
    assert refusal(lambda: world.members.remove("DAG", "ExchangeNode2", "ExchangeNode1")).kind == "not_member"
    whole(one, world.members.remove("DAG", "ExchangeNode1", "ExchangeNode1")).result()
    assert len(world.state.clusters) == 0
    world.dags.remove("DAG", "ExchangeNode1")
    assert world.dag_names("ExchangeNode1") == []
    one.later(181)
    assert world.dag_names("ExchangeNode2") == []
    assert {database.dag for database in world.state.databases} == {""}
    assert {database.state for database in world.state.databases} == {"Mounted"}
    assert world.violations() == []
    create(one)
    assert world.dag("DAG", "ExchangeNode1").started == (), "nothing of the old one is left"


def test_a_lost_member_is_taken_out_of_the_directory_and_then_evicted(lab: Callable[..., Lab]) -> None:
    one = started_pair(lab("aws-2az"))
    world = one.world
    world.fault("host_off", "ExchangeNode2")
    one.later(60)
    assert refusal(lambda: world.members.remove("DAG", "ExchangeNode2", "ExchangeNode1")).kind == "server_down"
    world.members.remove("DAG", "ExchangeNode2", "ExchangeNode1", configuration_only=True)
    assert world.dag("DAG", "ExchangeNode1").members == ("ExchangeNode1",)
    assert len(world.nodes("ExchangeNode1")) == 2
    world.cluster_tasks.evict("ExchangeNode1", "ExchangeNode2")
    assert [node.name for node in world.nodes("ExchangeNode1")] == ["ExchangeNode1"]
    world.dags.change("DAG", "ExchangeNode1", DagChanges())
    assert world.cluster("ExchangeNode1").quorum_type == "NodeMajority"
    assert world.violations() == []


def test_copies_keep_a_member_in(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az", dag=True).world
    error = refusal(lambda: world.members.remove("DAG", "ExchangeNode1", "ExchangeNode2"))
    assert (error.kind, error.data["databases"]) == ("has_copies", ["DB1", "DB2"])


def test_a_third_member_needs_no_witness_and_a_fourth_does(lab: Callable[..., Lab]) -> None:
    one = lab("aws-3az-full")
    open_witness(one, "FileServer3", "FileServer")
    create(one)
    for node in (*NODES, "ExchangeNode3"):
        join(one, node)
        one.later(181)
    status = one.world.dag_status("DAG", "ExchangeNode1")
    assert (status.quorum_type, status.votes_total, status.witness_share_in_use) == ("NodeMajority", 3, "None")
    assert one.world.violations() == []


def test_the_witness_moves_and_a_dead_one_in_the_object_is_told(lab: Callable[..., Lab]) -> None:
    one = started_pair(lab("aws-2az"))
    world = one.world
    moved = DagChanges(witness_server="FileServer", witness_directory="C:\\W")
    assert world.dags.change("DAG", "ExchangeNode2", moved).notices == []
    assert world.cluster("ExchangeNode1").witness_server == "FileServer"
    assert {share.name for share in world.windows.shares("FileServer")} >= {"DAG.example.com"}
    one.later(181)
    world.fault("host_off", "FileServer")
    one.later(60)
    notices = world.dags.change("DAG", "ExchangeNode1", DagChanges(replay_lag_manager=True)).notices
    assert [notice.kind for notice in notices] == ["witness_rpc_unavailable"]
    assert world.dag_status("DAG", "ExchangeNode1").witness_share_in_use == "InvalidConfiguration"


def test_taking_the_witness_from_a_single_node_loses_quorum(lab: Callable[..., Lab]) -> None:
    one = started_pair(lab("aws-2az"))
    world = one.world
    world.fault("host_off", "ExchangeNode2")
    one.later(60)
    assert world.state.clusters["DAG"].quorate
    world.dags.change("DAG", "ExchangeNode1", DagChanges(witness_server="FileServer", witness_directory="C:\\W"))
    assert not world.state.clusters["DAG"].quorate


def test_without_quorum_only_the_directory_can_be_written(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az", dag=True)
    world = one.world
    world.fault("az", "1a")
    one.later(60)
    new = DagChanges(witness_server="FileServer3", witness_directory="C:\\W")
    assert refusal(lambda: world.dags.change("DAG", "ExchangeNode2", new)).kind == "no_quorum"
    discover = DagChanges(discover_networks=True)
    assert refusal(lambda: world.dags.change("DAG", "ExchangeNode2", discover)).kind == "no_quorum"
    world.dags.change("DAG", "ExchangeNode2", DagChanges(preference_move_frequency_s="never"))
    assert world.dag("DAG", "ExchangeNode2").preference_move_frequency_s is None


def test_a_frequency_of_fifty_days_ends_the_replication_service(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az", dag=True)
    world = one.world
    world.dags.change("DAG", "ExchangeNode1", DagChanges(preference_move_frequency_s=50 * 86_400.0))
    assert [world.server(node).services["MSExchangeRepl"].status for node in NODES] == ["Stopped", "Stopped"]
    world.dags.change("DAG", "ExchangeNode1", DagChanges(preference_move_frequency_s=3600.0))
    one.later(minutes=5)
    assert one.statuses("DB1") == {"ExchangeNode1": "Mounted", "ExchangeNode2": "Healthy"}


def test_attributes_written_on_two_dcs_both_stay(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az", dag=True)
    world = one.world
    world.dags.change("DAG", "ExchangeNode1", DagChanges(replay_lag_manager=True))
    world.dags.change("DAG", "ExchangeNode2", DagChanges(dac_mode="DagOnly"))
    one.later(181)
    for dc in ("DC1", "DC2"):
        dag = world.dag("DAG", "ExchangeNode1", dc)
        assert (dag.replay_lag_manager, dag.dac_mode) == (True, "DagOnly")


# -- the administrative access point -----------------------------------------------------------------------------------

ADDRESSES = ("172.19.18.50", "172.19.19.50")


def static(one: Lab, *, account: bool = True, right: str = "Exchange Trusted Subsystem") -> Lab:
    world = one.world
    open_witness(one, "FS1")
    if account:
        world.ad.new_computer("DAG2", "MBX1", enabled=False)
    if right:
        world.ad.grant("DAG2", right, "MBX1")
    for eni in world.nics.enis():
        for address in ADDRESSES:
            if address.rpartition(".")[0] == eni.primary.rpartition(".")[0] and eni.server.startswith("MBX"):
                world.nics.assign(eni.id, address)
    world.dags.create("DAG2", "MBX1", witness_server="FS1", ip_addresses=ADDRESSES)
    return one


def test_a_static_access_point_follows_the_core_group(lab: Callable[..., Lab]) -> None:
    one = static(lab("rep-net-2013-unbuilt"))
    world = one.world
    whole(one, world.members.add("DAG2", "MBX1", "MBX1")).result()
    one.later(181)
    whole(one, world.members.add("DAG2", "MBX2", "MBX1")).result()
    assert world.ad.computer("DAG2", "MBX1").enabled
    assert [record.data for record in world.dns.resolve("MBX1", "dag2.example.com").answers] == [ADDRESSES[0]]
    assert world.nics.cluster_addresses("MBX1") == [ADDRESSES[0]]
    assert world.windows.ping("MBX2", ADDRESSES[0]) is not None
    world.move_core_group("MBX1", "MBX2")
    one.later(181)
    assert [record.data for record in world.dns.resolve("MBX1", "dag2.example.com").answers] == [ADDRESSES[1]]
    assert world.windows.ping("MBX1", ADDRESSES[0]) is None
    assert world.violations() == []
    error = refusal(lambda: world.dags.change("DAG2", "MBX1", DagChanges(ip_addresses=("255.255.255.255",))))
    assert error.kind == "invalid"


def test_an_address_that_ec2_does_not_know_answers_nobody(lab: Callable[..., Lab]) -> None:
    one = static(lab("rep-net-2013-unbuilt"))
    world = one.world
    whole(one, world.members.add("DAG2", "MBX1", "MBX1")).result()
    eni = next(eni for eni in world.nics.enis() if ADDRESSES[0] in eni.secondary)
    world.nics.unassign(eni.id, ADDRESSES[0])
    assert world.nics.cluster_addresses("MBX1") == [ADDRESSES[0]]
    assert world.windows.ping("FS1", ADDRESSES[0]) is None


def test_the_account_of_the_cluster(lab: Callable[..., Lab]) -> None:
    def refused(one: Lab) -> str:
        return refusal(lambda: one.world.members.add("DAG2", "MBX1", "MBX1")).kind

    assert refused(static(lab("rep-net-2013-unbuilt"), account=False, right="")) == "cno_denied"
    one = static(lab("rep-net-2013-unbuilt"), right="")
    assert refused(one) == "cno_denied"
    one.world.ad.grant("DAG2", "MBX1$", "MBX1")
    one.world.ad.set_computer("DAG2", "MBX1", enabled=True)
    assert refused(one) == "cno_in_use"
    one.world.ad.set_computer("DAG2", "MBX1", enabled=False)
    whole(one, one.world.members.add("DAG2", "MBX1", "MBX1")).result()


def test_without_an_address_2013_asks_dhcp_and_others_need_none(lab: Callable[..., Lab]) -> None:
    old, new = lab("rep-net-2013-unbuilt").world, lab("aws-2az").world
    old.dags.create("DAGX", "MBX1")
    new.dags.create("DAGX", "ExchangeNode1")
    assert old.dag("DAGX", "MBX1").ip_addresses == ("0.0.0.0",)
    assert new.dag("DAGX", "ExchangeNode1").ip_addresses == ("255.255.255.255",)


def test_a_first_member_in_dac_mode_keeps_its_databases(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    create(one)
    one.world.dags.change("DAG", "ExchangeNode1", DagChanges(dac_mode="DagOnly"))
    join(one, "ExchangeNode1")
    one.later(181)
    join(one, "ExchangeNode2")
    one.later(minutes=5)
    assert [database.state for database in one.world.state.databases] == ["Mounted", "Mounted"]
    assert [one.world.server(node).exchange.dacp_bit for node in NODES] == [1, 1]  # type: ignore[union-attr]
    assert one.world.violations() == []


def test_the_addresses_of_the_cluster(lab: Callable[..., Lab]) -> None:
    one = static(lab("rep-net-2013-unbuilt"))
    world = one.world

    def refused(addresses: tuple[str, ...]) -> str:
        world.dags.change("DAG2", "MBX1", DagChanges(ip_addresses=addresses))
        return refusal(lambda: world.members.add("DAG2", "MBX1", "MBX1")).kind

    assert refused(("172.19.19.50",)) == "no_ip_for_subnet"
    assert refused(("10.10.1.50",)) == "no_ip_for_subnet", "clients do not come by the replication network"
    assert refused(("0.0.0.0",)) == "no_ip_for_subnet"
    assert refused(("172.19.18.10",)) == "ip_in_use"
