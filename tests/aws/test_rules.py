"""What AWS says of wrong calls, and its pages and filters, as a stranger's script meets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starover_lab.cloud.api import Cloud
from starover_lab.cloud.errors import CloudError
from starover_lab.world.world import World

INSTANCE = "i-0123456789abcdef0"


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    """Nothing here changes it but records and checks with names of their own."""
    return Cloud(World.from_topology("pa-4x2"))


def zone(cloud: Cloud) -> str:
    zones: Any = cloud.call("route53", "list_hosted_zones", {})["HostedZones"]
    return str(zones[0]["Id"])


def record(name: str, **more: object) -> dict[str, object]:
    made = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]} | more
    return {key: value for key, value in made.items() if value is not None}


def put(cloud: Cloud, *records: Mapping[str, object]) -> object:
    changes = [{"Action": "UPSERT", "ResourceRecordSet": one} for one in records]
    return cloud.call(
        "route53",
        "change_resource_record_sets",
        {"HostedZoneId": zone(cloud), "ChangeBatch": {"Changes": changes}},
    )


ALARM = {"AlarmName": "x", "StateReason": "y"}
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/nope/0123456789abcdef"


@pytest.mark.parametrize(
    ("service", "operation", "given", "code"),
    [
        ("ec2", "describe_instances", {"InstanceIds": ["x"]}, "InvalidInstanceID.Malformed"),
        ("ec2", "describe_instances", {"InstanceIds": [INSTANCE]}, "InvalidInstanceID.NotFound"),
        ("ec2", "describe_instances", {"InstanceIds": [INSTANCE], "MaxResults": 5}, "InvalidParameterCombination"),
        ("ec2", "describe_instances", {"MaxResults": 2}, "InvalidParameterValue"),
        ("ec2", "describe_instances", {"NextToken": "x"}, "InvalidPaginationToken"),
        ("ec2", "describe_security_groups", {"GroupIds": ["x"]}, "InvalidGroupId.Malformed"),
        ("ec2", "describe_volumes", {"VolumeIds": ["x"]}, "InvalidParameterValue"),
        (
            "ec2",
            "create_tags",
            {"Resources": [INSTANCE], "Tags": [{"Key": "aws:x", "Value": ""}]},
            "InvalidParameterValue",
        ),
        ("elbv2", "describe_target_health", {"TargetGroupArn": "x"}, "ValidationError"),
        ("elbv2", "describe_target_health", {"TargetGroupArn": GROUP}, "TargetGroupNotFound"),
        ("ssm", "describe_instance_information", {"Filters": [{"Key": "x", "Values": ["y"]}]}, "InvalidFilterKey"),
        ("arc-zonal-shift", "get_managed_resource", {"resourceIdentifier": "xxxxxxxx"}, "ValidationException"),
        (
            "cloudwatch",
            "set_alarm_state",
            {"AlarmName": "x", "StateValue": "OK", "StateReason": ""},
            "ResourceNotFound",
        ),
        ("cloudwatch", "set_alarm_state", {"AlarmName": "x", "StateValue": "x", "StateReason": ""}, "ValidationError"),
    ],
)
def test_a_wrong_call_has_its_own_code(
    cloud: Cloud, service: str, operation: str, given: dict[str, Any], code: str
) -> None:
    with pytest.raises(CloudError) as refused:
        cloud.call(service, operation, given)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("one", "code", "says"),
    [
        (record("b.example.com", Weight=1), "InvalidInput", "Missing field 'SetIdentifier'"),
        (record("b.example.com", TTL=None), "InvalidInput", "but found none"),
        (
            record("b.example.com", AliasTarget={"HostedZoneId": "Z1", "DNSName": "x.", "EvaluateTargetHealth": False}),
            "InvalidInput",
            "but found more than one",
        ),
        (record("b.example.com", SetIdentifier="x", Weight=300), "InvalidInput", "less than or equal to 255"),
        (record("b.example.com", HealthCheckId="none", SetIdentifier="x", Weight=1), "NoSuchHealthCheck", "none"),
        (
            record("b.example.com", ResourceRecords=[{"Value": "192.0.2.1"}] * 2),
            "InvalidChangeBatch",
            "Duplicate Resource Record",
        ),
    ],
)
def test_a_wrong_record_has_its_own_code(cloud: Cloud, one: Mapping[str, object], code: str, says: str) -> None:
    with pytest.raises(CloudError) as refused:
        put(cloud, one)
    assert refused.value.code == code
    assert says in refused.value.message


def test_an_alias_in_its_zone_leads_to_a_record(cloud: Cloud) -> None:
    aim = {"HostedZoneId": zone(cloud).rpartition("/")[2], "DNSName": "aim.example.com", "EvaluateTargetHealth": True}
    alias = record("alias.example.com", TTL=None, ResourceRecords=None, AliasTarget=aim)
    with pytest.raises(CloudError, match="that target was not found"):
        put(cloud, alias)
    put(cloud, record("aim.example.com"), alias)


def test_instances_come_in_pages_and_by_patterns(cloud: Cloud) -> None:
    def found(**given: object) -> tuple[int, str]:
        reply = cloud.call("ec2", "describe_instances", given)
        found: Any = reply["Reservations"]
        return len(found), str(reply.get("NextToken", ""))

    assert [found(MaxResults=5), found(MaxResults=5, NextToken="5")] == [(5, "5"), (4, "")]
    for value, many in (("EX*", 4), ("EX?", 4), ("ex*", 0), ("E\\*", 0), ("EX1", 1), ("*", 9)):
        assert found(Filters=[{"Name": "tag:Name", "Values": [value]}])[0] == many, value
    inside = {"Name": "network-interface.addresses.private-ip-address", "Values": ["10.0.0.1?"]}
    assert found(Filters=[inside])[0] > 0


def test_health_checks_come_in_pages(cloud: Cloud) -> None:
    for number in range(5):
        config = {"Type": "HTTPS", "FullyQualifiedDomainName": "x.example.com", "Port": 443}
        cloud.call("route53", "create_health_check", {"CallerReference": f"page {number}", "HealthCheckConfig": config})
    seen, marker = 0, ""
    while True:
        given = {"MaxItems": "2"} | ({"Marker": marker} if marker else {})
        reply = cloud.call("route53", "list_health_checks", given)
        found: Any = reply["HealthChecks"]
        seen += len(found)
        if not reply["IsTruncated"]:
            break
        marker = str(reply["NextMarker"])
    assert seen == cloud.call("route53", "get_health_check_count", {})["HealthCheckCount"] == 5


def test_a_zone_with_records_is_not_deleted(cloud: Cloud) -> None:
    put(cloud, record("kept.example.com"))
    with pytest.raises(CloudError) as refused:
        cloud.call("route53", "delete_hosted_zone", {"Id": zone(cloud)})
    assert refused.value.code == "HostedZoneNotEmpty"


def test_what_was_deleted_gives_its_id_to_nothing_else() -> None:
    cloud = Cloud(World.from_topology("pa-4x2"))

    def check(name: str) -> str:
        config = {"Type": "TCP", "FullyQualifiedDomainName": "mail.example.com", "Port": 443}
        asked = {"CallerReference": name, "HealthCheckConfig": config}
        made: Any = cloud.call("route53", "create_health_check", asked)["HealthCheck"]
        return str(made["Id"])

    def tagged(name: str) -> dict[str, object]:
        return {"ResourceType": "healthcheck", "ResourceId": name}

    first, second = check("of ids, one"), check("of ids, two")
    tags = [{"Key": "for", "Value": "one"}]
    cloud.call("route53", "change_tags_for_resource", {**tagged(first), "AddTags": tags})
    cloud.call("route53", "delete_health_check", {"HealthCheckId": first})
    with pytest.raises(CloudError, match="No health check exists"):
        cloud.call("route53", "list_tags_for_resource", tagged(first))
    third = check("of ids, three")
    assert len({first, second, third}) == 3
    kept: Any = cloud.call("route53", "get_health_check", {"HealthCheckId": second})["HealthCheck"]
    assert kept["CallerReference"] == "of ids, two"

    def hosted(caller: str) -> str:
        made: Any = cloud.call("route53", "create_hosted_zone", {"Name": "ids.test", "CallerReference": caller})
        return str(made["HostedZone"]["Id"])

    one, two = hosted("ids one"), hosted("ids two")
    cloud.call("route53", "delete_hosted_zone", {"Id": one})
    assert len({one, two, hosted("ids three")}) == 3
