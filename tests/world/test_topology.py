"""Topology files: those that come with the lab, others' own, and clear errors for what is wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starover_lab.world.topology import TopologyError, load, names, schema
from starover_lab.world.topology_specs import seconds
from starover_lab.world.world import World
from world.conftest import THREE, Lab


def test_the_default_deployment_has_no_dag_until_asked(lab: Callable[..., Lab]) -> None:
    plain, with_dag = lab("aws-2az").world, lab("aws-2az", dag=True).world
    assert plain.dag_names("DC1") == []
    assert plain.state.clusters.get("DAG") is None
    dag = with_dag.dag("dag", "ExchangeNode2")
    assert dag.members == ("ExchangeNode1", "ExchangeNode2")
    assert (dag.dac_mode, dag.witness_server) == ("Off", "FileServer.example.com")
    assert {server.name for server in plain.state.servers} == {
        "DC1",
        "DC2",
        "ExchangeNode1",
        "ExchangeNode2",
        "FileServer",
        "FileServer3",
    }
    assert with_dag.database("DB1").size == 40 * 2**30
    assert [server.site for server in plain.state.servers] == ["AZ1", "AZ2", "AZ1", "AZ2", "AZ1", "AZ3"]


def test_the_large_estate_is_as_its_inventory_says(lab: Callable[..., Lab]) -> None:
    world = lab().world
    preferences = {
        database.name: {copy.server: (copy.preference, copy.replay_lag_s) for copy in database.copies}
        for database in world.state.databases
    }
    week = 7 * 86_400
    assert preferences["DB01"] == {"EX1": (1, 0), "EX3": (2, 0), "EX2": (3, 0), "EX4": (4, week)}
    assert preferences["DB04"] == {"EX4": (1, 0), "EX2": (2, 0), "EX3": (3, 0), "EX1": (4, week)}
    assert all(preferences[one.name][one.active][0] == 1 for one in world.state.databases)
    assert len({world.server(f"EX{n}").subnet for n in (1, 2, 3, 4)}) == 4
    assert World.from_topology("pa-4x2-2022").server("EX1").os == "2022"
    assert World.from_topology("pa-4x2", dag=True).dag_names("DC3") == ["DAG1"]


@pytest.mark.parametrize("name", names())
def test_every_topology_that_comes_along_is_at_rest(name: str) -> None:
    world = World.from_topology(name)
    assert [event.kind for event in world.events] == ["lab_started"]
    world.scheduler.advance_to(world.now.replace(hour=23))
    assert [event.kind for event in world.events] == ["lab_started"]
    assert world.violations() == []


def test_any_names_and_sizes(three: Lab) -> None:
    view = three.world.copy_view("o’brien db", "MAIL-01", "dc-a")
    assert (view.status, view.active_server, view.preference) == ("Healthy", "Mail-02", 2)
    assert view.ci_state == "Healthy"
    assert three.world.dag_of("mail-03.example.com") == "Trio"
    assert three.world.server("Mail-01").site == "North"
    account = three.world.account("EXAMPLE\\alice")
    assert account is not None
    assert account.password == "pass word’1"
    assert three.world.account("alice@EXAMPLE.com") is account
    assert three.world.account("OTHER\\alice") is None
    assert three.world.account("mallory") is None


def test_two_seeds_are_two_worlds_and_one_seed_is_one() -> None:
    def story(seed: int) -> list[object]:
        world = World.from_topology("pa-4x2", seed=seed)
        world.fault("az", "1b")
        world.scheduler.advance_to(world.now.replace(hour=15))
        return [(event.time, event.kind, event.subject, event.data) for event in world.events]

    assert story(7) == story(7)
    assert story(7) != story(8)


def test_passwords_belong_to_the_seed_and_stand_nowhere_else(lab: Callable[..., Lab]) -> None:
    one, other = lab("aws-2az", seed=1).world, lab("aws-2az", seed=2).world
    password = one.state.accounts["operator"].password
    assert password != other.state.accounts["operator"].password
    assert password not in repr(one.snapshot())
    assert password not in repr(one.state.accounts["operator"])


def test_the_schema_knows_every_section() -> None:
    made = schema()
    definitions = made["$defs"]
    assert isinstance(definitions, dict)
    assert {"servers", "dags", "databases", "flags", "extends", "tuning"} <= set(definitions["File"]["properties"])
    assert "replay_lag" in definitions["CopySpec"]["properties"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("90s", 90),
        ("1.5h", 5400),
        ("7d", 604_800),
        ("168h", 604_800),
        ("7.00:00:00", 604_800),
        ("01:30:05", 5405),
    ],
)
def test_time_spans(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("start: 2026-03-01T02:00:00Z", "start: 2026-03-01T02:00:00", 3, "time zone"),
        ("roles: [dc], az: z1", "roles: [king], az: z1", 5, "king"),
        ("roles: [dc]", "roles: [witness]", 4, "role dc"),
        ("size_gb: 12", "size_gb: twelve", 18, "size_gb"),
        ("size_gb: 12", "sise_gb: 12", 18, "sise_gb"),
        ("{server: Mail-03}]", "{server: Mail-04}]", 17, "Mail-04"),
        ("{server: Mail-03}]", "{server: dc-a}]", 17, "no Exchange"),
        ("{server: Mail-03}]", "{server: mail-01}]", 17, "two copies"),
        ("{server: Mail-03}]", "{server: Mail-03, replay_lag: soon}]", 20, "time span"),
        ("{server: Mail-03}]", "{server: Mail-03, preference: 7}]", 17, "1 to 3"),
        ("members: [Mail-01, mail-02,", "members: [Mail-01,", 15, "needs a `witness:`"),
        ("members: [Mail-01,", "members: [Mail-09,", 15, "Mail-09"),
        ("name: three", "name: three\nname: four", 3, "twice"),
        ("name: three", "extends: nowhere\nname: three", 1, "nowhere"),
        ("name: three", "use: [turbo]\nname: three", 2, "turbo"),
        ("name: three", "tuning: {read_s: fast}\nname: three", 2, "read_s"),
        ("name: three", "name: three\ntuning:\n  read_s: 1\n  reed_s: 1", 5, "did you mean `read_s`"),
        ("name: O’Brien DB", "name: 'a\\b'", 17, "visible characters"),
        ("az: z2, address: 192.168.2.1}", "az: z2, address: 192.168.2.999}", 6, "192.168.2.999"),
    ],
)
def test_mistakes_name_file_line_and_wish(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert old in THREE
    file = tmp_path / "broken.yaml"
    file.write_text(THREE.replace(old, new), encoding="utf-8")
    with pytest.raises(TopologyError) as refused:
        load(file)
    assert says in refused.value.what
    if says != "nowhere":
        assert f"broken.yaml:{line}: " in refused.value.what


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(THREE.replace("[dc], az: z1", "[a]").replace("[dc], az: z2", "[b]"), encoding="utf-8")
    with pytest.raises(TopologyError) as refused:
        load(file)
    assert refused.value.what.count("broken.yaml:") == 2


def test_an_unknown_topology_tells_what_there_is(tmp_path: Path) -> None:
    for wrong in ("pa-4x3", tmp_path / "none.yaml"):
        with pytest.raises(TopologyError) as refused:
            load(wrong)
        assert refused.value.exit == 2
    with pytest.raises(TopologyError) as refused:
        load("pa-4x3")
    assert "pa-4x2" in refused.value.next[0]


def test_a_file_extends_another_and_adds_flags(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(THREE, encoding="utf-8")
    (tmp_path / "more.yaml").write_text(
        """
name: more
extends: base.yaml
flags:
  fourth:
    servers:
      - {name: FSW, roles: [witness], az: z1}
tuning: {read_s: 2}
faults:
  - {kind: ps_noise, target: Mail-01, params: {level: 2}}
""",
        encoding="utf-8",
    )
    plain = World.from_topology(tmp_path / "more.yaml")
    assert plain.state.tuning.read_s == 2
    assert plain.state.noise == {"mail-01": 2}
    assert "FSW" not in plain.state.servers
    assert "FSW" in World.from_topology(tmp_path / "more.yaml", flags=["fourth"]).state.servers
    with pytest.raises(TopologyError, match="fifth"):
        World.from_topology(tmp_path / "more.yaml", flags=["fifth"])
    (tmp_path / "base.yaml").write_text("name: base\nextends: more.yaml\n", encoding="utf-8")
    with pytest.raises(TopologyError, match="extends itself"):
        World.from_topology(tmp_path / "more.yaml")


def test_an_estate_with_a_replication_network(lab: Callable[..., Lab]) -> None:
    world = lab("rep-net-2013").world
    cards = {nic.alias: (nic.addresses, nic.gateway, nic.is_mapi) for nic in world.nics.of("MBX2")}
    assert cards == {
        "MAPI": (("172.19.19.12",), "172.19.19.1", True),
        "Replication": (("10.10.2.12",), "", False),
    }
    cluster = world.cluster("MBX1")
    assert (cluster.addresses, cluster.online_address) == (("172.19.18.50", "172.19.19.50"), "172.19.18.50")
    assert {eni.server for eni in world.nics.enis() if set(cluster.addresses) & set(eni.secondary)} == {"MBX1", "MBX2"}
    assert world.ad.computer("DAG2", "MBX2").enabled
    assert lab("rep-net-2013-unbuilt").world.dag_names("MBX1") == []


def test_the_third_zone_of_the_template(lab: Callable[..., Lab]) -> None:
    witness = lab("aws-3az-witness", dag=True).world
    assert witness.server(witness.cluster("ExchangeNode1").witness_server).az == "eu-west-1c"
    full = lab("aws-3az-full", dag=True).world
    dag = full.dag("DAG", "ExchangeNode3")
    assert (dag.members, dag.witness_server) == (("ExchangeNode1", "ExchangeNode2"), "ExchangeNode3.example.com")
    assert full.dag_of("ExchangeNode3") == ""


def test_the_large_estate_keeps_mail_for_a_week(lab: Callable[..., Lab]) -> None:
    assert lab().world.client_access.organization().safety_net_hold_s == 7 * 86_400
    assert lab("aws-2az").world.client_access.organization().safety_net_hold_s == 2 * 86_400


def test_knobs_that_are_words(tmp_path: Path) -> None:
    text = "name: t\nextends: pa-4x2-fsw1\ntuning: {{setdag_after_restore: {0}}}\n"
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(text.format("keep"), encoding="utf-8")
    bad.write_text(text.format("perhaps"), encoding="utf-8")
    assert load(good).tuning.setdag_after_restore == "keep"
    with pytest.raises(TopologyError, match="setdag_after_restore"):
        load(bad)


def test_a_dag_that_moves_nothing_home_by_itself(tmp_path: Path) -> None:
    dag = "dags: [{{name: D, members: [ExchangeNode1], preference_move_frequency: {0}}}]"
    for words, expected in (("never", None), ("30m", 1800.0)):
        (tmp_path / "one.yaml").write_text(f"name: t\nextends: aws-2az\n{dag.format(words)}\n", encoding="utf-8")
        made = World.from_topology(tmp_path / "one.yaml").dag("D", "ExchangeNode1")
        assert made.preference_move_frequency_s == expected
    (tmp_path / "one.yaml").write_text(f"name: t\nextends: aws-2az\n{dag.format('nevermore')}\n", encoding="utf-8")
    with pytest.raises(TopologyError, match="or never"):
        load(tmp_path / "one.yaml")


@pytest.mark.parametrize(
    "section", ['forest: {name: "b\u00fccher.example", netbios: B}', "client_names: [{name: post\u2019s.example.com}]"]
)
def test_a_name_that_dns_cannot_have_is_a_mistake_of_the_file(tmp_path: Path, section: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nextends: pa-4x2\n{section}\n", encoding="utf-8")
    with pytest.raises(TopologyError, match="xn--"):
        load(file)


def test_connectors_and_updates_name_servers_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\nextends: pa-4x2\nsend_connectors:\n  - {name: Out, source_servers: [EX9]}\nupdates:\n"
        "  - {name: KB1234567, servers: [EX8]}\n",
        encoding="utf-8",
    )
    with pytest.raises(TopologyError) as told:
        load(file)
    assert "mine.yaml:4" in str(told.value)
    assert "EX9" in str(told.value)
    assert "mine.yaml:6" in str(told.value)
    file.write_text("name: mine\nextends: pa-4x2\nupdates:\n  - {name: KB12}\n", encoding="utf-8")
    with pytest.raises(TopologyError, match="name"):
        load(file)
