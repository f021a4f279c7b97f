"""What `inventory discover` reads of AWS, by boto3 against the lab's port, on every topology; pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aws_lab import AwsLab
from content_scripts import content
from starover_cli.discovering import read_cloud
from starover_lab import written

from starover.calls import Call
from starover.differences import merged, text_of
from starover.discovery import Found, drawn
from starover.errors import Mistake, Throttled
from starover.estate import Estate, Server
from starover.inventory import read
from starover.steps.whereabouts import Instance, Tag
from starover.transport.aws import AwsCalls, Clients
from starover.transport.calls import CallFailed

TOPOLOGIES = [
    ("aws-2az", []),
    ("aws-2az", ["dag"]),
    ("aws-2az-nodac", []),
    ("aws-3az-full", ["dag"]),
    ("aws-3az-witness", []),
    ("pa-4x2", []),
    ("pa-4x2-fsw1", []),
    ("rep-net-2013", []),
]


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize(("topology", "flags"), TOPOLOGIES)
def test_every_server_of_the_lab_is_found_with_its_role(
    topology: str, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with AwsLab(topology, flags=flags) as lab:
        for name, value in {
            "AWS_ENDPOINT_URL": lab.port.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "thing",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        found, missing = read_cloud(content(), AwsCalls(Clients("eu-west-1")), quiet)
        truth: Estate = written.estate_without_roads(lab.world, "env:X")
    assert missing == ()
    made = drawn(found)
    tree, _ = merged({"name": "found", "defaults": {"credential": "env:X"}}, None, made.tree, looked=False)
    estate = read(text_of(tree))
    there = {one.name: one for one in truth.servers if one.instance}
    assert {one.name for one in estate.servers} == set(there)
    for one in estate.servers:
        real = there[one.name]
        assert (one.fqdn, one.address, one.az, one.instance) == (real.fqdn, real.address, real.az, real.instance)
        assert one.os in ("", real.os)
        assert set(one.roles) <= set(real.roles), one.name
    wanted = {one.name for one in truth.balancers if one.kind in ("nlb", "alb") and one.target_group}
    assert {one.name for one in estate.balancers} == wanted


class Pages:
    """Answers of AWS made up, page by page."""

    road = "aws"

    def __init__(self, *, refuse: str = "", throttle: str = "") -> None:
        self.refuse = refuse
        self.throttle = throttle
        self.tokens: list[Any] = []

    def call(self, call: Call, server: Server, deadline: float, /) -> Mapping[str, object]:
        if call.operation == self.refuse:
            raise CallFailed("UnauthorizedOperation", f"you are not authorized to perform {call.operation}")
        if call.operation == self.throttle:
            raise Throttled("slow down")
        if call.operation == "describe_instances":
            token = call.parameters.get("NextToken")
            self.tokens.append(token)
            page = int(str(token)) if token else 0
            return {"Reservations": [reservation(page)], **({"NextToken": str(page + 1)} if page < 3 else {})}
        return {
            "describe_subnets": {"Subnets": []},
            "describe_instance_information": {"InstanceInformationList": []},
            "describe_load_balancers": {"LoadBalancers": []},
            "describe_target_groups": {"TargetGroups": []},
        }[call.operation]


def reservation(number: int) -> dict[str, Any]:
    return {
        "Instances": [
            {
                "InstanceId": f"i-{number}",
                "State": {"Name": "running"},
                "Placement": {"AvailabilityZone": "eu-west-1a"},
                "Platform": "windows",
                "Tags": [{"Key": "Name", "Value": f"EX{number}"}],
            }
        ]
    }


def test_every_page_is_read_and_what_a_stopped_instance_lacks_is_no_error() -> None:
    pages = Pages()
    found, missing = read_cloud(content(), pages, quiet)
    assert pages.tokens == [None, "1", "2", "3"]
    assert [one.id for one in found.instances] == ["i-0", "i-1", "i-2", "i-3"]
    assert missing == ()
    servers: Any = drawn(found, domain="x.y").tree["servers"]
    assert [one["fqdn"] for one in servers] == ["EX0.x.y", "EX1.x.y", "EX2.x.y", "EX3.x.y"]


@pytest.mark.parametrize("how", ["refuse", "throttle"])
def test_what_may_not_be_read_is_said_and_the_rest_goes_on(how: str) -> None:
    found, missing = read_cloud(content(), Pages(**{how: "describe_instance_information"}), quiet)
    assert len(found.instances) == 4
    (said,) = missing
    assert said.startswith("AWS did not tell the agents")


def test_without_instances_there_is_nothing() -> None:
    with pytest.raises(Mistake, match="not authorized"):
        read_cloud(content(), Pages(refuse="describe_instances"), quiet)


@pytest.mark.parametrize(
    ("resource", "roles"),
    [("ExchangeNode1", ["mailbox"]), ("DomainController2", ["dc"]), ("FileServer", ["witness"]), ("Bastion", None)],
)
def test_what_the_stack_calls_an_instance_tells_what_it_is(resource: str, roles: list[str] | None) -> None:
    tags = {"Name": "LON-042", "aws:cloudformation:stack-name": "exchange", "aws:cloudformation:logical-id": resource}
    one = Instance(
        id="i-1",
        state="running",
        az="eu-west-2a",
        vpc=None,
        subnet=None,
        address="10.0.0.100",
        platform="windows",
        tags=tuple(Tag(key=key, value=value) for key, value in tags.items()),
    )
    servers: Any = drawn(Found(instances=(one,)), domain="x.y").tree.get("servers", [])
    assert [server["roles"] for server in servers] == ([roles] if roles else [])
