"""DNS: zones on every DC, replicated name by name, conflicts refused, and what clients learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starover_lab.world.dns import Record
from starover_lab.world.world import World
from world.conftest import THREE, Lab, refusal

NLB = "exch-nlb-0a1b.elb.eu-west-1.amazonaws.com"
MAIL = Record(name="mail", type="CNAME", data=NLB, ttl_s=300)


def address(data: str, name: str = "mail", ttl_s: int = 300) -> Record:
    return Record(name=name, type="A", data=data, ttl_s=ttl_s)


def test_a_cname_is_written_on_one_dc_and_comes_to_the_other(lab: Callable[..., Lab]) -> None:
    """S17 as the world sees it."""
    one = lab("aws-2az")
    dns = one.world.dns
    assert refusal(lambda: dns.records("DC1", "example.com", "mail")).data["object"] == "record"
    dns.add("DC1", "example.com", MAIL)
    assert dns.records("DC1", "EXAMPLE.com", "mail") == [replace(MAIL, data=f"{NLB}.")]
    assert dns.query("DC2", "mail.example.com", "A").rcode == "NXDOMAIN"
    one.later(180)
    for dc in ("DC1", "DC2", "10.0.32.10"):
        answer = dns.query(dc, "Mail.example.com.", "CNAME")
        assert (answer.rcode, answer.authoritative, answer.answers[0].data) == ("NOERROR", True, f"{NLB}.")
    answer = dns.resolve("ExchangeNode1", "mail.example.com")
    assert [record.type for record in answer.answers] == ["CNAME", *["A"] * (len(answer.answers) - 1)]
    assert len(answer.answers) > 1
    assert answer.answers[1].name == f"{NLB}."
    assert refusal(lambda: dns.add("DC2", "example.com", MAIL)).kind == "record_exists"
    assert one.world.violations() == []


def test_only_the_ttl_changes(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    dns = one.world.dns
    dns.add("DC1", "example.com", replace(MAIL, ttl_s=3600))
    old = dns.records("DC1", "example.com", "mail")[0]
    dns.replace("DC1", "example.com", old, replace(old, ttl_s=300))
    assert [record.ttl_s for record in dns.records("DC1", "example.com", "mail")] == [300]
    gone = replace(old, data="elsewhere.example.org.")
    assert refusal(lambda: dns.replace("DC1", "example.com", gone, replace(old, ttl_s=60))).kind == "not_found"
    renamed = replace(old, name="post")
    assert refusal(lambda: dns.replace("DC1", "example.com", old, renamed)).kind == "syntax"


def test_a_cname_stands_alone(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    dns = one.world.dns
    dns.add("DC1", "example.com", address("10.0.0.50"))
    assert refusal(lambda: dns.add("DC1", "example.com", MAIL)).kind == "cname_conflict"
    dns.remove("DC1", "example.com", "mail", "A")
    dns.add("DC1", "example.com", MAIL)
    assert refusal(lambda: dns.add("DC1", "example.com", address("10.0.0.50"))).kind == "cname_conflict"
    other = replace(MAIL, data="other.example.com.")
    assert refusal(lambda: dns.add("DC1", "example.com", other)).kind == "cname_conflict"
    assert refusal(lambda: dns.add("DC1", "example.com", replace(MAIL, name="@"))).kind == "cname_conflict"
    old = dns.records("DC1", "example.com", "mail")[0]
    assert refusal(lambda: dns.replace("DC1", "example.com", old, address("10.0.0.50"))).kind == "syntax"


def test_records_of_one_name_go_one_by_one(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    dns = one.world.dns
    for data in ("10.0.0.50", "10.0.32.50"):
        dns.add("DC1", "example.com", address(data))
    assert refusal(lambda: dns.add("DC1", "example.com", address("10.0.0.50", ttl_s=60))).kind == "record_exists"
    assert dns.remove("DC1", "example.com", "mail.example.com.", "A", "10.0.0.50") == 1
    assert [record.data for record in dns.query("DC1", "mail.example.com", "A").answers] == ["10.0.32.50"]
    assert refusal(lambda: dns.remove("DC1", "example.com", "mail", "A", "10.0.0.50")).kind == "not_found"
    assert one.world.violations() == []
    assert dns.remove("DC1", "example.com", "mail", "A") == 1
    assert [(found["id"], found["subject"]) for found in one.world.violations()] == [("I14", "mail.example.com")]


def test_of_two_writes_to_one_name_the_later_wins_whole(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    dns = one.world.dns
    dns.add("DC1", "example.com", address("10.0.0.50"))
    one.later(10)
    dns.add("DC2", "example.com", MAIL)
    one.later(200)
    for dc in ("DC1", "DC2"):
        assert [record.type for record in dns.records(dc, "example.com", "mail")] == ["CNAME"]
    assert one.world.violations() == []


def test_dcs_and_dns_servers_that_are_down(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    world, dns = one.world, one.world.dns
    world.fault("dc_down", "DC1")
    assert refusal(lambda: dns.add("DC1", "example.com", MAIL)).kind == "server_down"
    dns.add("DC2", "example.com", MAIL)
    assert dns.resolve("ExchangeNode1", "mail.example.com", "CNAME").answers[0].data == f"{NLB}."
    world.mend()
    one.later(minutes=20)
    assert dns.records("DC1", "example.com", "mail"), "it catches up"
    world.fault("dns_server_down", "DC1")
    assert not dns.answering("DC1")
    assert refusal(lambda: dns.zones("DC1")).kind == "service_down"
    assert world.dc_of("ExchangeNode1").name == "DC1", "AD answers all the same"
    assert dns.resolve("ExchangeNode1", "mail.example.com", "CNAME").rcode == "NOERROR"
    assert refusal(lambda: dns.resolve("ExchangeNode1", "mail.example.com", server="DC1")).kind == "server_down"
    world.fault("dns_server_down", "DC2")
    assert refusal(lambda: dns.resolve("ExchangeNode1", "mail.example.com")).blocked_s > 0
    assert refusal(lambda: dns.zones("FileServer")).kind == "service_down"
    assert refusal(lambda: dns.zones("Nobody")).kind == "not_found"


def test_a_zone_that_nobody_may_write(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az").world
    world.fault("dns_zone_readonly", "example.com")
    assert world.dns.zones("DC1")[0].readonly
    assert refusal(lambda: world.dns.add("DC1", "example.com", MAIL)).kind == "zone_readonly"
    assert refusal(lambda: world.dns.add("DC1", "example.net", MAIL)).data["object"] == "zone"
    world.mend()
    world.dns.add("DC1", "example.com", MAIL)


def test_somebody_elses_record(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az").world
    world.fault("dns_record_conflict", "mail.example.com", address="10.1.1.1")
    assert [record.data for record in world.dns.records("DC1", "example.com", "mail")] == ["10.1.1.1"]
    assert refusal(lambda: world.dns.add("DC1", "example.com", MAIL)).kind == "cname_conflict"


@pytest.mark.parametrize(
    ("record", "parameter"),
    [
        (address("10.0.0.256"), "IPv4Address"),
        (address("::1"), "IPv4Address"),
        (address("10.0.0.1", name="a b"), "Name"),
        (address("10.0.0.1", ttl_s=-1), "TimeToLive"),
        (replace(MAIL, data="not a host"), "HostNameAlias"),
    ],
)
def test_what_no_record_can_be(lab: Callable[..., Lab], record: Record, parameter: str) -> None:
    error = refusal(lambda: lab("aws-2az").world.dns.add("DC1", "example.com", record))
    assert (error.kind, error.data["parameter"]) == ("syntax", parameter)


def test_what_dns_knows_from_the_beginning(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az")
    dns = one.world.dns
    assert dns.servers() == ["DC1", "DC2"]
    answer = dns.query("DC1", "exchangenode2.EXAMPLE.com", "A")
    assert [record.data for record in answer.answers] == ["10.0.32.100"]
    soa, nodata = dns.query("DC1", "example.com", "SOA"), dns.query("DC1", "ExchangeNode2.example.com", "AAAA")
    assert soa.answers[0].type == "SOA"
    assert (nodata.rcode, nodata.answers, [one.type for one in nodata.authority]) == ("NOERROR", (), ["SOA"])
    assert dns.query("DC1", "_tcp.example.com", "A").rcode == "NOERROR", "there is something below it"
    assert dns.query("DC1", "nothing.example.org", "A").rcode == "NXDOMAIN"
    assert len(dns.query("DC1", "_ldap._tcp.example.com", "SRV").answers) == 2
    assert {record.type for record in dns.records("DC1", "example.com", "@")} == {"SOA", "NS", "A"}
    assert dns.query("DC1", "dangling.example.com", "A").rcode == "NXDOMAIN"
    dns.add("DC1", "example.com", replace(MAIL, name="dangling", data="gone.example.com."))
    dangling = dns.query("DC1", "dangling.example.com", "A")
    assert (dangling.rcode, [record.type for record in dangling.answers]) == ("NXDOMAIN", ["CNAME"])
    dns.add("DC1", "example.com", replace(MAIL, name="x1", data="x2.example.com."))
    dns.add("DC1", "example.com", replace(MAIL, name="x2", data="x1.example.com."))
    assert dns.query("DC1", "x1.example.com", "A").answers, "a ring ends"
    dns.add("DC1", "example.com", address("10.0.0.9", name="*.apps"))
    assert dns.query("DC1", "any.apps.example.com", "A").answers[0].data == "10.0.0.9"


def test_a_topology_brings_zones_and_records(tmp_path: Path) -> None:
    file = tmp_path / "zones.yaml"
    file.write_text(
        THREE
        + "dns_zones: [mail.test]\ndns_records:\n"
        + "  - {name: www.mail.test, type: CNAME, data: mail-01.example.com, ttl: 5m}\n"
        + "  - {name: mail.test, type: MX, data: '10 mail-01.example.com.'}\n",
        encoding="utf-8",
    )
    dns = World.from_topology(file).dns
    assert [zone.name for zone in dns.zones("dc-a")] == ["example.com", "mail.test"]
    answer = dns.query("dc-b", "www.mail.test", "A")
    assert [(record.type, record.ttl_s) for record in answer.answers] == [("CNAME", 300), ("A", 1200)]
    assert dns.query("dc-b", "mail.test", "MX").answers[0].data == "10 mail-01.example.com."
