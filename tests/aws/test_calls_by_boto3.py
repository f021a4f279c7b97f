"""Calls as data by boto3 against the lab's port: what is tried again, what never, and what each error becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_lab import AwsLab
from botocore.exceptions import ClientError

from starover.calls import Call
from starover.errors import AuthFailed, ConnectFailed, ReplyLost, Throttled
from starover.estate import Server
from starover.transport.aws import AwsCalls, Clients, failure
from starover.transport.calls import CallFailed

EX1 = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), instance="i-0ex1")
STOP = {"InstanceIds": ["i-0ex1"]}


@pytest.fixture(scope="module")
def shared() -> Iterator[AwsLab]:
    with AwsLab("pa-4x2") as running:
        yield running


@pytest.fixture
def lab(shared: AwsLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsLab]:
    for name, value in {
        "AWS_ENDPOINT_URL": shared.port.url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "thing",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    yield shared
    shared.do(lambda world: [world.mend(fault["number"]) for fault in world.faults()])


def call(operation: str, service: str = "ec2", region: str = "eu-west-1", **parameters: Any) -> Any:
    return AwsCalls(Clients(region)).call(Call(service=service, operation=operation, parameters=parameters), EX1, 10)


def tries(lab: AwsLab, operation: str) -> int:
    return sum(one.operation == operation for one in lab.port.calls)


def test_a_throttled_read_is_tried_again_and_a_write_never(lab: AwsLab) -> None:
    before = tries(lab, "describe_instances"), tries(lab, "stop_instances")
    lab.do(lambda world: world.fault("aws_throttle", "describe_instances", times="1"))
    assert call("describe_instances")["Reservations"]
    assert tries(lab, "describe_instances") == before[0] + 2
    lab.do(lambda world: world.fault("aws_throttle", "stop_instances", times="1"))
    with pytest.raises(Throttled):
        call("stop_instances", **STOP)
    assert tries(lab, "stop_instances") == before[1] + 1


def test_a_refusal_keeps_its_code(lab: AwsLab) -> None:
    with pytest.raises(CallFailed) as caught:
        call("stop_instances", InstanceIds=["i-9"])
    assert caught.value.record.fqid == "InvalidInstanceID.NotFound"
    assert "calling the StopInstances operation" in caught.value.record.message


@pytest.mark.parametrize(
    ("code", "kind"),
    [("UnauthorizedOperation", CallFailed), ("AuthFailure", AuthFailed), ("InternalError", ReplyLost)],
)
def test_errors_by_what_is_known_after_them(lab: AwsLab, code: str, kind: type[Exception]) -> None:
    lab.do(lambda world: world.fault("aws_error", "stop_instances", code=code))
    with pytest.raises(kind):
        call("stop_instances", **STOP)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ServiceUnavailable", 503, ReplyLost),
        ("Unavailable", 503, ReplyLost),
        ("502", 502, ReplyLost),
        ("504", 504, ReplyLost),
        ("RequestLimitExceeded", 503, Throttled),
        ("InsufficientInstanceCapacity", 500, CallFailed),
        ("IncorrectInstanceState", 400, CallFailed),
    ],
)
def test_after_an_error_of_the_service_nobody_knows_what_was_done(
    code: str, status: int, kind: type[Exception]
) -> None:
    said: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert isinstance(failure(ClientError(said, "StopInstances"), "ec2 stop_instances"), kind)


def test_an_unknown_service_zone_or_key_is_found_before_anything_is_sent(
    lab: AwsLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ConnectFailed):
        call("stop_instances", **STOP)
    with pytest.raises(CallFailed) as caught:
        call("stop_instances", InstanceIds="i-0ex1")
    assert caught.value.record.fqid == "ParamValidation"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(AuthFailed):
        call("stop_instances", **STOP)


def test_a_call_counts_as_announced_and_a_strangers_does_not(lab: AwsLab) -> None:
    now = lab.do(lambda world: world.now)
    lab.client("ec2").describe_instances()
    assert lab.do(lambda world: world.now) == now
    lab.do(lambda world: world.scheduler.expect(1))
    lab.client("ec2").describe_instances()
    assert lab.do(lambda world: world.scheduler.missing) == 1
    call("describe_instances")
    assert lab.do(lambda world: world.scheduler.missing) == 0
    assert lab.do(lambda world: world.now) > now
