"""Sides of a name in Route 53: several that stand by, addresses that an alarm stands for, and what a plan says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_lab import InnerLab
from three_ways import ZONE, alarmed

from starover.errors import NotSafe
from starover.values import Plain

ESTATE = """
name: alarms
extends: pa-4x2
balancers:
  - {name: vips, kind: zevenet, addresses: [10.0.64.50], alarms: [{address: 10.0.64.50, name: vip-c}]}
"""
A, B, C = "eu-west-1a=203.0.113.10", "eu-west-1b=203.0.113.20", "eu-west-1c=10.0.64.50"
NAME = "mail.example.com"


def sides(*members: str) -> dict[str, Plain]:
    return {"member": list(members), "hosted_zone": ZONE, "name": NAME}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    (tmp_path / "alarms.yaml").write_text(ESTATE, "utf-8")
    with InnerLab(tmp_path / "alarms.yaml", tmp_path) as lab:
        yield lab


def stands(lab: InnerLab, state: str) -> None:
    given = {"AlarmName": "vip-c", "StateValue": state, "StateReason": "test"}
    lab.do(lambda _: lab.transport.cloud.call("cloudwatch", "set_alarm_state", given))


def answers(lab: InnerLab, name: str = NAME) -> set[str]:
    ask = {"HostedZoneId": ZONE, "RecordName": name, "RecordType": "A"}
    cloud = lab.transport.cloud
    told = lab.do(lambda _: [cloud.call("route53", "test_dns_answer", ask)["RecordData"] for _ in range(12)])
    return {one for record in told for one in record}  # type: ignore[union-attr,attr-defined]


def down(lab: InnerLab, members: str) -> None:
    """No checker gets its page any more, whatever the address."""
    for name in members.split():
        lab.do(lambda world, name=name: world.set_component(name, name, "OwaProxy", "Inactive", "HealthApi"))  # type: ignore[misc]
    lab.later(300)


def test_several_stand_by_behind_the_first_one(lab: InnerLab) -> None:
    lab.do(lambda _: alarmed(lab.transport.cloud))
    begun = lab.plan("route53-failover", sides(A, B, C)).plan
    assert not begun.complete
    said = begun.changes[-1].change
    assert said is not None
    assert "203.0.113.10 PRIMARY" in said.warning
    assert "alias standby.mail.example.com SECONDARY" in said.warning
    ran = lab.apply(begun)
    assert ran.exit == 0, ran.error
    assert answers(lab) == {"203.0.113.10"}
    assert answers(lab, "standby.mail.example.com") == {"203.0.113.20", "10.0.64.50"}
    down(lab, "EX1 EX2 EX3 EX4")
    assert answers(lab) == {"10.0.64.50"}, "its alarm is OK, and the page of both others is gone"
    stands(lab, "ALARM")
    assert answers(lab) == {"203.0.113.10"}, "when nobody is healthy the first one is told"
    undone = lab.apply(lab.local().undo(ran.run).plan)
    assert undone.exit == 0, undone.error
    assert answers(lab, "standby.mail.example.com") == set()


def test_one_that_is_alone_again_needs_no_name_for_those_behind(lab: InnerLab) -> None:
    lab.do(lambda _: alarmed(lab.transport.cloud))
    assert lab.run("route53-failover", sides(A, B, C)).exit == 0
    whole = lab.plan("route53-failover", sides(A, B)).plan
    assert whole.complete, "every health check is there, so the plan has it all"
    assert [one.kind for one in whole.changes] == ["records_set", "records_set"]
    assert lab.apply(whole).exit == 0
    assert answers(lab, "standby.mail.example.com") == set()
    assert lab.plan("route53-failover", sides(A, B)).plan.nothing


def test_an_address_inside_needs_an_alarm_that_is_there(lab: InnerLab) -> None:
    with pytest.raises(NotSafe, match="has no alarm vip-c"):
        lab.plan("route53-failover", sides(A, C))
    with pytest.raises(NotSafe, match=r"do not reach 10\.0\.0\.9") as refused:
        lab.plan("route53-failover", sides(A, "eu-west-1b=10.0.0.9"))
    assert any("alarms:" in one for one in refused.value.next)


def test_an_alarm_that_is_not_ok_is_no_healthy_side(lab: InnerLab) -> None:
    lab.do(lambda _: alarmed(lab.transport.cloud))
    stands(lab, "ALARM")
    down(lab, "EX1 EX2 EX3 EX4")
    ran = lab.run("route53-failover", sides(C, A))
    assert ran.exit != 0
    assert "no side of mail.example.com is healthy" in str(ran.error)


def test_a_record_of_somebody_elses_is_neither_replaced_nor_taken_away(lab: InnerLab) -> None:
    lab.do(lambda _: alarmed(lab.transport.cloud))
    own = {"Name": f"standby.{NAME}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.7"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": own}]}
    given = {"HostedZoneId": ZONE, "ChangeBatch": batch}
    lab.do(lambda _: lab.transport.cloud.call("route53", "change_resource_record_sets", given))
    with pytest.raises(NotSafe, match=r"has a record already.* 192\.0\.2\.7"):
        lab.plan("route53-failover", sides(A, B, C))
    ran = lab.run("route53-failover", sides(A, B))
    assert ran.exit == 0, ran.error
    assert answers(lab, f"standby.{NAME}") == {"192.0.2.7"}
