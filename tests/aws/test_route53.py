"""Route 53 over the lab's port: batches whole or not at all, changes that take time, answers by policy and health."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_lab import AwsLab
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def lab() -> Iterator[AwsLab]:
    with AwsLab("pa-4x2") as running:
        yield running


def zone(lab: AwsLab) -> str:
    return str(lab.client("route53").list_hosted_zones_by_name(DNSName="example.com")["HostedZones"][0]["Id"])


def change(lab: AwsLab, *changes: tuple[str, dict[str, Any]]) -> Any:
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    return lab.client("route53").change_resource_record_sets(HostedZoneId=zone(lab), ChangeBatch=batch)["ChangeInfo"]


def record(name: str, value: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": value}]} | more


def answer(lab: AwsLab, name: str, kind: str = "A") -> list[str]:
    found = lab.client("route53").test_dns_answer(HostedZoneId=zone(lab), RecordName=name, RecordType=kind)
    return list(found["RecordData"])


def refused(act: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        act()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_clients_name_is_an_alias_from_the_beginning(lab: AwsLab) -> None:
    assert answer(lab, "mail.example.com") == list(
        lab.do(lambda world: next(iter(world.state.balancer_addresses.values())))
    )
    listed = lab.client("route53").list_resource_record_sets(HostedZoneId=zone(lab), StartRecordName="mail.example.com")
    assert listed["ResourceRecordSets"][0]["AliasTarget"]["EvaluateTargetHealth"] is False


def test_a_change_is_pending_for_a_while(lab: AwsLab) -> None:
    asked = change(lab, ("CREATE", record("one.example.com", "192.0.2.1")))
    assert asked["Status"] == "PENDING"
    lab.later(31)
    assert lab.client("route53").get_change(Id=asked["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    assert answer(lab, "one.example.com") == ["192.0.2.1"]


def test_a_batch_is_done_whole_or_not_at_all(lab: AwsLab) -> None:
    change(lab, ("UPSERT", record("two.example.com", "192.0.2.2")))
    code, says = refused(
        lambda: change(
            lab,
            ("CREATE", record("three.example.com", "192.0.2.3")),
            ("CREATE", record("two.example.com", "192.0.2.3")),
            ("DELETE", record("none.example.com", "192.0.2.3")),
        )
    )
    assert code == "InvalidChangeBatch"
    assert "it already exists" in says
    assert "it was not found" in says
    assert answer(lab, "three.example.com") == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("DELETE", record("four.example.com", "192.0.2.9"))], "do not match the current values"),
        ([("UPSERT", record("four.example.com", "192.0.2.4", SetIdentifier="a", Weight=1))], "another routing policy"),
        ([("UPSERT", record("four.example.org", "192.0.2.4"))], "is not permitted in zone"),
        (
            [("UPSERT", {**record("four.example.com", "x.example.com."), "Type": "CNAME"})],
            "conflicts with other records",
        ),
        ([("UPSERT", record("five.example.com", "192.0.2.4", Weight=1))], "SetIdentifier"),
        ([("UPSERT", record("five.example.com", "192.0.2.400"))], "not a valid IPv4 address"),
    ],
)
def test_what_is_no_valid_change(lab: AwsLab, changes: list[Any], says: str) -> None:
    change(lab, ("UPSERT", record("four.example.com", "192.0.2.4")))
    code, message = refused(lambda: change(lab, *changes))
    assert code == ("InvalidInput" if says == "SetIdentifier" else "InvalidChangeBatch")
    assert says in message


def weighted(name: str, a: int, b: int, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("UPSERT", record(name, "192.0.2.10", SetIdentifier="a", Weight=a, **more)),
        ("UPSERT", record(name, "192.0.2.20", SetIdentifier="b", Weight=b)),
    ]


def test_weights(lab: AwsLab) -> None:
    change(lab, *weighted("w.example.com", 10, 10))
    assert {data for _ in range(20) for data in answer(lab, "w.example.com")} == {"192.0.2.10", "192.0.2.20"}
    change(lab, *weighted("w.example.com", 0, 10))
    assert {data for _ in range(20) for data in answer(lab, "w.example.com")} == {"192.0.2.20"}


def test_health_decides_over_failover(lab: AwsLab) -> None:
    check = lab.client("route53").create_health_check(
        CallerReference="hc-1",
        HealthCheckConfig={
            "Type": "HTTPS",
            "IPAddress": "203.0.113.10",
            "Port": 443,
            "ResourcePath": "/owa/healthcheck.htm",
            "RequestInterval": 10,
            "FailureThreshold": 3,
        },
    )["HealthCheck"]
    first = record("f.example.com", "203.0.113.10", SetIdentifier="a", Failover="PRIMARY", HealthCheckId=check["Id"])
    change(
        lab,
        ("UPSERT", first),
        ("UPSERT", record("f.example.com", "192.0.2.2", SetIdentifier="b", Failover="SECONDARY")),
    )
    assert answer(lab, "f.example.com") == ["203.0.113.10"]

    def set_inverted(value: bool) -> None:
        lab.client("route53").update_health_check(HealthCheckId=check["Id"], Inverted=value)

    set_inverted(True)
    assert answer(lab, "f.example.com") == ["192.0.2.2"]
    seen = lab.client("route53").get_health_check_status(HealthCheckId=check["Id"])["HealthCheckObservations"]
    assert {one["StatusReport"]["Status"].partition(":")[0] for one in seen} == {"Failure"}
    set_inverted(False)
    assert answer(lab, "f.example.com") == ["203.0.113.10"]
    for server in ("EX1", "EX2", "EX3", "EX4"):
        lab.do(lambda world, server=server: world.fault("service_crash", server, service="W3SVC"))
    lab.later(5)
    assert answer(lab, "f.example.com") == ["203.0.113.10"], "three checks must fail"
    lab.later(40)
    assert answer(lab, "f.example.com") == ["192.0.2.2"]


def test_checkers_do_not_reach_private_addresses(lab: AwsLab) -> None:
    make = lab.client("route53").create_health_check
    config = {"Type": "HTTPS", "IPAddress": "10.0.0.5", "ResourcePath": "/"}
    assert refused(lambda: make(CallerReference="hc-2", HealthCheckConfig=config))[0] == "InvalidInput"


def test_an_alias_of_a_record_answers_as_that_one_does(lab: AwsLab) -> None:
    aim = {"HostedZoneId": zone(lab).rpartition("/")[2], "DNSName": "aim.example.com", "EvaluateTargetHealth": True}
    alias = {"Name": "alias.example.com", "Type": "A", "AliasTarget": aim}
    change(lab, ("UPSERT", record("aim.example.com", "192.0.2.7")), ("UPSERT", alias))
    assert answer(lab, "alias.example.com") == ["192.0.2.7"]
