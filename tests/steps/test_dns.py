"""What the step kinds for names decide, by hand; the zones of names; what names may look like."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from starover.errors import BadParameter
from starover.estate import Balancer, Estate, Server
from starover.step import Blocked, Change, Risk
from starover.steps.dns import (
    Alias,
    DnsServers,
    Fqdn,
    Label,
    Record,
    Records,
    Ttl,
    Zone,
    Zones,
    alias_moved,
    alias_set,
    authoritative,
    balancer_target,
    no_alias,
    servers_of,
    ttl_set,
    zone_of,
)

DC = Server(name="DC1", fqdn="DC1.example.com", roles=("dc",))
AIM = "nlb.elb.amazonaws.com."
RIGHT = Record(type="CNAME", data=AIM, ttl=300)


def alias(*records: Record, **fields: Any) -> Alias:
    good: dict[str, Any] = {"zone_type": "Primary", "integrated": True, "aliases": (), "addresses": ("10.0.0.241",)}
    return Alias(**(good | {"answers": True, "records": records} | fields))


def asked(now: Alias, kind: Any = alias_set, **more: Any) -> Change | Blocked | None:
    words: dict[str, Any] = {"zone": "example.com", "name": "mail", "target": AIM, "ttl": timedelta(seconds=300)}
    answer: Change | Blocked | None = kind(now, **(words | {"note": ""} | more))
    return answer


def why(change: Change | Blocked | None) -> str:
    assert isinstance(change, Blocked), change
    return change.why


def test_an_alias_is_added_where_nothing_is() -> None:
    change = asked(alias())
    assert change == Change("mail.example.com", "none", "CNAME nlb.elb.amazonaws.com TTL 300", action="add")
    assert asked(alias(RIGHT)) is None
    assert asked(alias(Record(type="CNAME", data="NLB.elb.amazonaws.com", ttl=300))) is None


def test_a_right_alias_stays_right_when_the_balancer_is_down() -> None:
    assert asked(alias(RIGHT, addresses=(), answers=False)) is None
    assert isinstance(asked(alias(Record(type="CNAME", data=AIM, ttl=60), addresses=(), answers=False)), Change)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (alias(Record(type="A", data="10.0.0.50", ttl=3600)), "A 10.0.0.50 TTL 3600"),
        (alias(RIGHT, Record(type="MX", data="", ttl=3600)), "MX TTL 3600"),
        (alias(zone_type=""), "does not have the zone"),
        (alias(zone_type="Secondary"), "is Secondary"),
        (alias(integrated=False), "not kept in Active Directory"),
        (alias(addresses=()), "has no address"),
        (alias(answers=False), "does not answer on TCP 443"),
        (alias(aliases=("mail.example.com",)), "leads back"),
    ],
)
def test_what_is_no_alias_and_never_becomes_one(now: Alias, reason: str) -> None:
    assert reason in why(asked(now))


def test_moving_an_alias_is_another_risk_than_making_one() -> None:
    elsewhere = alias(Record(type="CNAME", data="old.example.com.", ttl=600))
    assert "points to old.example.com" in why(asked(elsewhere))
    change = asked(elsewhere, alias_moved)
    assert isinstance(change, Change)
    assert (change.now, "up to 600 s" in change.note) == ("CNAME old.example.com TTL 600", True)
    assert (alias_set.risk, alias_moved.risk) == (Risk.LOW, Risk.SERVICE)


@pytest.mark.parametrize(
    ("before", "kind", "target"),
    [
        ((), "no_alias", AIM),
        ((Record(type="CNAME", data=AIM, ttl=600),), "alias_set", AIM),
        ((Record(type="CNAME", data="old.example.com.", ttl=600),), "alias_moved", "old.example.com."),
    ],
)
def test_undo_puts_back_what_was(before: tuple[Record, ...], kind: str, target: str) -> None:
    step = alias_set.on(DC, zone="example.com", name="mail", target=AIM, ttl=timedelta(seconds=300), note="x")
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(alias(*before)))
    assert back is not None
    assert (back.kind.name, back.arguments["target"]) == (kind, target)
    if before:
        assert back.arguments["ttl"] == timedelta(seconds=600)


def test_an_alias_is_removed_only_by_what_it_is() -> None:
    def gone(now: Alias) -> Change | Blocked | None:
        return no_alias(now, zone="example.com", name="mail", target=AIM)

    assert isinstance(gone(alias(RIGHT)), Change)
    assert gone(alias(Record(type="CNAME", data="other.example.com.", ttl=300))) is None


def test_a_time_to_live() -> None:
    def ttl(*records: Record, wanted: int = 300) -> Change | Blocked | None:
        now = Records(zone_type="Primary", integrated=True, records=records)
        return ttl_set(now, zone="z", name="m", kind="A", ttl=timedelta(seconds=wanted), note="")

    one, two = Record(type="A", data="10.0.0.1", ttl=3600), Record(type="A", data="10.0.0.2", ttl=300)
    change = ttl(one, two)
    assert isinstance(change, Change)
    assert (change.what, change.now, change.wanted) == ("m.z A", "TTL 3600", "TTL 300")
    assert ttl(two) is None
    assert "no A record" in why(ttl(RIGHT))
    step = ttl_set.on(DC, zone="z", name="m", kind="A", ttl=timedelta(seconds=300), note="")
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(Records(zone_type="Primary", integrated=True, records=(one,))))
    assert back is not None
    assert back.arguments["ttl"] == timedelta(hours=1)
    mixed = Records(zone_type="Primary", integrated=True, records=(one, two))
    assert step.revert(msgspec.json.encode(mixed)) is None, "which of them was before cannot be said with one number"


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("mail.example.com", ("example.com", "mail")),
        ("MAIL.eu.Example.com.", ("eu.example.com", "MAIL")),
        ("a.b.example.com", ("example.com", "a.b")),
        ("notexample.com", ("", "")),
        ("example.com", ("", "")),
        ("example.org", ("", "")),
    ],
)
def test_the_zone_of_a_name_is_the_longest_above_it(name: str, zone: tuple[str, str]) -> None:
    assert zone_of(name, Zones(zones=("example.com", "eu.example.com", "10.in-addr.arpa"))) == zone


def test_a_zone_is_authoritative_for_itself() -> None:
    assert authoritative("example.com", ["example.com", "com"]) == "example.com"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Fqdn, ["mail.example.com", "a-1.b."], ["mail", "10.0.0.1", "-a.b", "a..b", "a.b'", "a b.c", "a.b\n", "a_b.c"]),
        (Zone, ["example.com", "lab"], ["", ".", "10.0.0.0", "a..b", "a;b"]),
        (Label, ["mail", "a", "a" * 63], ["", "@", "a.b", "a" * 64, "-a", "a-", "*"]),
        (Ttl, [1, 86_400], [0, 86_401, -1]),
    ],
)
def test_names(kind: object, right: list[object], wrong: list[object]) -> None:
    def fits(value: object) -> bool:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return False
        return True

    assert [one for one in right if not fits(one)] == []
    assert [one for one in wrong if fits(one)] == []


def test_which_dns_servers() -> None:
    ex = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",))
    estate = Estate(
        name="unit",
        servers=(DC, ex, Server(name="DC2", fqdn="DC2.example.com", roles=("dc",))),
        balancers=(Balancer(name="nlb", fqdn=AIM),),
    )
    assert [one.name for one in servers_of(DnsServers.parse("ALL"), estate)] == ["DC1", "DC2"]
    assert [one.name for one in servers_of(DnsServers.parse("dc2"), estate)] == ["DC2"]
    assert str(DnsServers.parse("DC2, DC1")) == "DC2,DC1"
    for wrong in ("EX1", "DC9"):
        with pytest.raises(BadParameter):
            servers_of(DnsServers.parse(wrong), estate)
    with pytest.raises(BadParameter):
        DnsServers.parse("DC1,,DC2")
    assert balancer_target("NLB", estate) == AIM
    with pytest.raises(BadParameter):
        balancer_target("other", estate)
