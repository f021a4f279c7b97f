"""An inventory drawn from what was found, and held against what a person wrote: on estates that no lab has."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import yaml

from starover.differences import Difference, merged, text_of
from starover.discovery import Directory, Drawn, Found, drawn
from starover.inventory import read
from starover.steps.preflight_reports import AdSubnet, Controller
from starover.steps.whereabouts import (
    Agent,
    Balancer,
    DagInAd,
    DatabaseInAd,
    Group,
    Instance,
    Organization,
    ServerInAd,
    Subnet,
    Tag,
)

DEFAULTS = {"credential": "env:EXCHANGE", "roads": [{"kind": "psrp", "scheme": "https"}]}


def instance(number: int, name: str, **more: Any) -> Instance:
    given: dict[str, Any] = {
        "id": f"i-{number:03x}",
        "state": "running",
        "az": "ap-southeast-2c",
        "vpc": "vpc-1",
        "subnet": "subnet-c",
        "address": f"172.20.1.{number}",
        "platform": "windows",
        "tags": (Tag(key="Name", value=name), Tag(key="Backup", value="yes")) if name else (),
    }
    return Instance(**given | more)


def agent(number: int, computer: str, platform: str = "Microsoft Windows Server 2025 Datacenter") -> Agent:
    return Agent(id=f"i-{number:03x}", computer=computer, platform=platform, ping="Online")


def server(name: str, site: str = "South", role: str = "Mailbox") -> ServerInAd:
    return ServerInAd(
        name=name,
        fqdn=f"{name}.corp.contoso.com",
        site=f"corp.contoso.com/Configuration/Sites/{site}",
        role=role,
        version="Version 15.2 (Build 2562.17)",
    )


SUBNET = Subnet(id="subnet-c", vpc="vpc-1", cidr="172.20.1.0/24", az="ap-southeast-2c")
FOUND = Found(
    instances=(instance(1, "SYDMB01"), instance(2, "SYDMB02"), instance(3, "SYD-DC1"), instance(4, "build-agent")),
    subnets=(SUBNET, Subnet(id="subnet-x", vpc="vpc-1", cidr="10.9.0.0/24", az="ap-southeast-2a")),
    agents=(agent(1, "SYDMB01.corp.contoso.com"), agent(2, "sydmb02.corp.contoso.com"), agent(4, "WIN-0A1B2C")),
    balancers=(
        Balancer(arn="a/1", name="mail", fqdn="mail-1.elb.amazonaws.com", type="network", vpc="vpc-1"),
        Balancer(arn="a/2", name="intranet", fqdn="web-1.elb.amazonaws.com", type="application", vpc="vpc-1"),
    ),
    groups=(
        Group(arn="g/25", name="smtp", port=25, balancers=("a/1",)),
        Group(arn="g/443", name="https", port=443, balancers=("a/1",)),
        Group(arn="g/80", name="site", port=80, balancers=("a/2",)),
    ),
    targets=(("g/25", ("172.20.1.1",)), ("g/443", ("i-001", "i-002")), ("g/80", ("i-004",))),
)
DIRECTORY = Directory(
    by="SYDMB01",
    organization=Organization(
        servers=(server("SYDMB01"), server("SYDMB02"), server("SYDEDGE", role="Edge"), server("OLDMB", "North")),
        dags=(
            DagInAd(
                name="SYDDAG",
                members=("corp.contoso.com/Configuration/SYDMB02", "SYDMB01"),
                witness="files.corp.contoso.com",
                directory="C:\\Witness\\SYDDAG",
                alternate="",
            ),
        ),
        databases=(DatabaseInAd(name="Böse \u201cDB\u201d", servers=("SYDMB02", "SYDMB01")),),
    ),
    controllers=(Controller(name="SYD-DC1.corp.contoso.com", site="South", catalog=True, read_only=False),),
    subnets=(
        AdSubnet(name="172.20.0.0/16", site="CN=Hub,CN=Sites,CN=Configuration,DC=corp"),
        AdSubnet(name="172.20.0.0/20", site="CN=South,CN=Sites,CN=Configuration,DC=corp"),
        AdSubnet(name="172.20.1.0/28", site="CN=Tiny,CN=Sites,CN=Configuration,DC=corp"),
    ),
)
KNOWN = replace(FOUND, directory=DIRECTORY)


def named(made: Drawn, key: str) -> dict[str, dict[str, Any]]:
    items: Any = made.tree.get(key, [])
    return {str(one.get("name", one.get("cidr"))): one for one in items}


def test_without_the_directory_targets_and_names_tell_what_a_server_is() -> None:
    made = drawn(FOUND)
    servers = named(made, "servers")
    assert {name: one["roles"] for name, one in servers.items()} == {
        "SYDMB01": ["mailbox"],
        "sydmb02": ["mailbox"],
        "SYD-DC1": ["dc"],
    }
    assert servers["SYD-DC1"]["fqdn"] == "SYD-DC1.corp.contoso.com", "the domain of the others"
    assert servers["SYDMB01"]["os"] == "2025"
    assert made.tree["region"] == "ap-southeast-2"
    assert any("WIN-0A1B2C" in note and "nothing says what it is for" in note for note in made.notes)
    assert "dags" not in made.tree
    assert list(named(made, "balancers").values()) == [
        {"name": "mail", "kind": "nlb", "fqdn": "mail-1.elb.amazonaws.com", "target_group": "https"}
    ]
    assert list(named(made, "subnets")) == ["172.20.1.0/24"], "only where servers are"


def test_the_directory_knows_better() -> None:
    made = drawn(KNOWN)
    servers = named(made, "servers")
    assert servers["OLDMB"] == {
        "name": "OLDMB",
        "fqdn": "OLDMB.corp.contoso.com",
        "roles": ["mailbox"],
        "site": "North",
        "exchange": {"version": "15.2.2562.17"},
    }, "a server that is not in this account"
    assert "SYDEDGE" not in servers
    assert servers["files"]["roles"] == ["witness"]
    assert named(made, "dags")["SYDDAG"] == {
        "name": "SYDDAG",
        "members": ["SYDMB01", "sydmb02"],
        "witness": "files",
        "witness_directory": "C:\\Witness\\SYDDAG",
    }
    assert named(made, "subnets")["172.20.1.0/24"]["site"] == "South", "the most exact one that has all of it"
    assert named(made, "sites") == {
        "North": {"name": "North"},
        "South": {"name": "South", "az": "ap-southeast-2c"},
    }
    assert any("Böse" in note for note in made.notes)


def test_a_mailbox_server_without_exchange_in_the_directory_is_none() -> None:
    odd = replace(KNOWN, instances=(*FOUND.instances, instance(9, "EX9")))
    assert "EX9" not in named(drawn(odd), "servers")
    assert "EX9" in named(drawn(replace(odd, directory=None)), "servers"), "by its name, as nobody else tells"


@pytest.mark.parametrize("found", [FOUND, KNOWN])
def test_what_is_drawn_is_an_inventory(found: Found) -> None:
    made = drawn(found)
    tree, differences = merged({"name": "syd", "defaults": {**DEFAULTS}}, None, made.tree, looked=True)
    text = text_of(tree, ["made"], ["one\ntwo"])
    estate = read(text)
    assert {one.kind for one in differences} == {"new"}
    assert {one.name for one in estate.servers} == set(named(made, "servers"))
    assert text.startswith("# made\n")
    assert text.endswith("# one\n# two\n")
    again, none = merged(yaml.load(text, yaml.BaseLoader), estate, made.tree, looked=True)
    assert none == []
    assert read(text_of(again)) == estate, "what was found twice changes nothing"


def test_the_order_in_which_things_are_found_does_not_matter() -> None:
    wanted = text_of(drawn(KNOWN).tree)
    for seed in range(20):
        dice = random.Random(seed)
        mixed = replace(
            KNOWN,
            instances=tuple(dice.sample(FOUND.instances, len(FOUND.instances))),
            subnets=tuple(dice.sample(FOUND.subnets, len(FOUND.subnets))),
            groups=tuple(dice.sample(FOUND.groups, len(FOUND.groups))),
            balancers=tuple(dice.sample(FOUND.balancers, len(FOUND.balancers))),
        )
        assert text_of(drawn(mixed).tree) == wanted


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"tags": ()}, "neither its agent nor its tag"),
        ({"tags": (Tag(key="Name", value="my mail server (prod)"),)}, "neither its agent nor its tag"),
        ({"tags": (Tag(key="Name", value="SYDMB01"),), "state": "stopped"}, "has the name SYDMB01 too"),
    ],
)
def test_what_has_no_name_of_its_own_is_left_out_and_said(more: dict[str, Any], why: str) -> None:
    made = drawn(replace(FOUND, instances=(instance(7, "", **more), *FOUND.instances)))
    assert any("i-007" in note and why in note for note in made.notes), made.notes
    assert named(made, "servers")["SYDMB01"]["instance"] == "i-001"


@pytest.mark.parametrize("more", [{"state": "terminated"}, {"platform": None}])
def test_what_is_gone_or_no_windows_is_not_mentioned(more: dict[str, Any]) -> None:
    made = drawn(replace(FOUND, instances=(instance(7, "EX7", **more),)))
    assert made.tree == {}
    assert made.notes == ()


def test_without_any_domain_nothing_is_guessed() -> None:
    bare = Found(instances=(instance(1, "ExchangeNode1"),))
    assert "--domain" in drawn(bare).notes[0]
    assert named(drawn(bare, domain="example.com"), "servers")["ExchangeNode1"]["fqdn"] == "ExchangeNode1.example.com"


WRITTEN = """
name: mine
forest: {name: corp.contoso.com}
defaults: {credential: "keyring:mail"}
sites: [{name: South, az: ap-southeast-2c}]
subnets: [{cidr: 172.20.1.0/24, site: South}]
servers:
  - name: sydmb01
    fqdn: sydmb01.corp.contoso.com
    roles: [mailbox, witness]
    address: 172.20.1.99
    exchange: {version: 15.2.2562.37, provider: direct}
    roads: [{kind: psrp, port: 5999}]
  - {name: GONE, fqdn: GONE.corp.contoso.com, roles: [dc], instance: i-0dead}
  - {name: onprem, fqdn: onprem.corp.contoso.com, roles: [dc], address: 192.168.0.1}
dags:
  - {name: SYDDAG, members: [sydmb01], windows: ["Sat 22:00-06:00"]}
  - {name: OTHER}
balancers:
  - {name: mail, kind: nlb, target_group: smtp}
  - {name: farm, kind: zevenet}
"""


def held(text: str, found: Found, *, looked: bool) -> tuple[dict[str, Any], set[tuple[str, str]], list[Difference]]:
    tree: Any = yaml.load(text, yaml.BaseLoader)
    before = yaml.dump(tree)
    made, differences = merged(tree, read(text), drawn(found).tree, looked=looked)
    assert yaml.dump(tree) == before, "what was given is not changed"
    return made, {(one.kind, one.where) for one in differences}, differences


def test_what_a_person_wrote_stays_and_every_difference_is_told() -> None:
    made, told, differences = held(WRITTEN, KNOWN, looked=True)
    assert told >= {
        ("differs", "server sydmb01 address"),
        ("unsaid", "server sydmb01 instance"),
        ("new", "server sydmb02"),
        ("gone", "server GONE"),
        ("gone", "DAG OTHER"),
        ("differs", "DAG SYDDAG members"),
        ("unsaid", "DAG SYDDAG witness"),
        ("differs", "balancer mail target_group"),
    }
    assert not [one for one in told if "onprem" in one[1] or "farm" in one[1] or "version" in one[1]]
    (address,) = [one for one in differences if one.where.endswith("address")]
    assert (address.written, address.found) == ("172.20.1.99", "172.20.1.1")
    mine = made["servers"][0]
    assert mine["address"] == "172.20.1.99"
    assert mine["roles"] == ["mailbox", "witness"]
    assert mine["exchange"] == {"version": "15.2.2562.37", "provider": "direct"}
    assert mine["instance"] == "i-001"
    assert made["dags"][0]["members"] == ["sydmb01"]
    assert made["dags"][0]["windows"] == ["Sat 22:00-06:00"]
    assert made["name"] == "mine"
    assert made["defaults"] == {"credential": "keyring:mail"}
    assert [one["name"] for one in made["servers"][:3]] == ["sydmb01", "GONE", "onprem"]
    read(text_of(made))


@pytest.mark.parametrize(("forest", "differ"), [("contoso.com", False), ("Corp.Contoso.com", False), ("x.com", True)])
def test_a_domain_below_the_forest_is_no_difference(forest: str, differ: bool) -> None:
    text = WRITTEN.replace("{name: corp.contoso.com}", f"{{name: {forest}}}")
    made, told, _ = held(text, KNOWN, looked=True)
    assert (("differs", "forest name") in told) is differ
    assert made["forest"] == {"name": forest}


def test_a_dag_is_gone_only_where_somebody_looked() -> None:
    _, told, _ = held(WRITTEN, FOUND, looked=False)
    assert ("gone", "DAG OTHER") not in told
    assert ("gone", "server GONE") in told


def test_words_that_yaml_takes_for_something_else_come_back_as_they_were() -> None:
    text = "name: 'no'\nservers:\n- {name: ON1, fqdn: ON1.x.y, roles: [witness], os: '2022', az: '1e5'}\n"
    tree: Any = yaml.load(text, yaml.BaseLoader)
    assert read(text_of(tree)) == read(text)
