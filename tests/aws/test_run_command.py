"""SSM's Run Command over the lab's port, by boto3: statuses, time-outs, outputs, races (facts/ssm.md, a and d)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_lab import AwsLab
from botocore.exceptions import ClientError

DOCUMENT = "AWS-RunPowerShellScript"


@pytest.fixture(scope="module")
def lab() -> Iterator[AwsLab]:
    with AwsLab("pa-4x2") as running:
        yield running


@pytest.fixture(autouse=True)
def mended(lab: AwsLab) -> Iterator[None]:
    yield
    lab.do(lambda world: [world.mend(fault["number"]) for fault in world.faults()])
    lab.later(1200)


def send(lab: AwsLab, script: str, *instances: str, seconds: int = 600, **more: Any) -> str:
    parameters = {"commands": script.splitlines(), "executionTimeout": [str(seconds)]}
    sent = lab.client("ssm").send_command(
        InstanceIds=list(instances), DocumentName=DOCUMENT, Parameters=parameters, **({"TimeoutSeconds": 60} | more)
    )
    return str(sent["Command"]["CommandId"])


def told(lab: AwsLab, command: str, instance: str) -> Any:
    return lab.client("ssm").get_command_invocation(CommandId=command, InstanceId=instance)


def refused(act: Any) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return str(caught.value.response["Error"]["Code"])


def test_a_script_runs_as_local_system_in_simulated_time(lab: AwsLab) -> None:
    began = lab.do(lambda world: world.now)
    command = send(lab, "Start-Sleep -Seconds 90\n$env:USERNAME\n$env:SSM_COMMAND_ID", "i-0ex1", "i-0ex2")
    page = lab.client("ssm").list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert [(one["InstanceId"], one["Status"]) for one in page] == [("i-0ex1", "Success"), ("i-0ex2", "Success")]
    assert page[0]["CommandPlugins"][0]["Output"] == f"SYSTEM\r\n{command}\r\n"
    assert 90 <= (lab.do(lambda world: world.now) - began).total_seconds() < 120, "both side by side"


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("exit 7", "Failed", 7),
        ("Write-Error broken", "Success", 0),
        ("throw 'broken'", "Failed", 1),
        ("'fine'", "Success", 0),
    ],
)
def test_the_exit_code_decides(lab: AwsLab, script: str, status: str, code: int) -> None:
    found = told(lab, send(lab, script, "i-0ex1"), "i-0ex1")
    assert (found["Status"], found["ResponseCode"]) == (status, code)
    assert ("broken" in found["StandardErrorContent"]) == ("broken" in script)


def test_exchange_is_not_there_but_by_snap_in(lab: AwsLab) -> None:
    found = told(lab, send(lab, "Get-MailboxDatabase", "i-0ex1"), "i-0ex1")
    assert "CommandNotFoundException" in found["StandardErrorContent"]
    script = "Add-PSSnapin Microsoft.Exchange.Management.PowerShell.SnapIn\n(Get-MailboxDatabase -Identity DB01).Name"
    assert told(lab, send(lab, script, "i-0ex1"), "i-0ex1")["StandardOutputContent"] == "DB01\r\n"


def test_exit_3010_restarts_the_host_and_runs_the_script_again(lab: AwsLab) -> None:
    script = (
        "$mark = Join-Path -Path $env:ProgramData -ChildPath $env:SSM_COMMAND_ID\n"
        "'run'\n"
        "if (-not (Test-Path -LiteralPath $mark)) {\n"
        "  Set-Content -LiteralPath $mark -Value '1'\n"
        "  exit 3010\n"
        "}"
    )
    before = lab.do(lambda world: world.server("EX4").boot_time)
    found = told(lab, send(lab, script, "i-0ex4"), "i-0ex4")
    assert (found["Status"], found["ResponseCode"]) == ("Success", 0)
    assert found["StandardOutputContent"] == "run\r\nrun\r\n", "what both runs wrote"
    assert lab.do(lambda world: world.server("EX4").boot_time) > before


def test_outputs_are_cut_and_whole_in_s3(lab: AwsLab) -> None:
    lab.client("s3").create_bucket(Bucket="run-output", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    command = send(lab, "'x' * 30000", "i-0ex1", OutputS3BucketName="run-output", OutputS3KeyPrefix="made/by")
    found = told(lab, command, "i-0ex1")
    assert len(found["StandardOutputContent"]) == 24_000
    assert found["StandardOutputContent"].endswith("--output truncated--")
    (listed,) = lab.client("ssm").list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert len(listed["CommandPlugins"][0]["Output"]) == 2500
    assert listed["CommandPlugins"][0]["Output"].endswith("\n---Output truncated---")
    bucket, _, key = found["StandardOutputUrl"].partition("amazonaws.com/")[2].partition("/")
    whole = lab.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert whole == b"x" * 30000 + b"\r\n"


def test_refused_s3_fails_nothing_but_the_upload(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("aws_error", "put_object"))
    found = told(lab, send(lab, "'fine'", "i-0ex1", OutputS3BucketName="nowhere"), "i-0ex1")
    assert found["Status"] == "Success"
    assert "nowhere" in found["StandardOutputUrl"]
    assert any(event.kind == "ssm_upload_failed" for event in lab.do(lambda world: list(world.events)))


def test_time_runs_out_for_a_script(lab: AwsLab) -> None:
    found = told(lab, send(lab, "'begun'\nStart-Sleep -Seconds 900", "i-0ex1", seconds=30), "i-0ex1")
    assert (found["Status"], found["StatusDetails"], found["ResponseCode"]) == ("TimedOut", "ExecutionTimedOut", -1)
    assert found["StandardOutputContent"] == "begun\r\n"


def test_a_dead_agent_takes_nothing_in_until_both_times_are_over(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("ssm_agent_dead", "EX3"))
    began = lab.do(lambda world: world.now)
    found = told(lab, send(lab, "'never'", "i-0ex3", seconds=30), "i-0ex3")
    assert (found["Status"], found["StatusDetails"]) == ("TimedOut", "DeliveryTimedOut")
    assert (lab.do(lambda world: world.now) - began).total_seconds() == pytest.approx(90, abs=1)
    lab.later(400)
    known = {one["InstanceId"]: one["PingStatus"] for one in information(lab)}
    assert known["i-0ex3"] == "ConnectionLost"
    assert known["i-0ex1"] == "Online"


def information(lab: AwsLab) -> list[Any]:
    found: list[Any] = lab.client("ssm").describe_instance_information()["InstanceInformationList"]
    return found


def test_undeliverable_is_no_error_that_stops_the_others(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("ssm_undeliverable", "EX1"))
    command = send(lab, "'fine'", "i-0ex1", "i-0ex2", MaxConcurrency="1", MaxErrors="0")
    assert told(lab, command, "i-0ex1")["StatusDetails"] == "Undeliverable"
    assert told(lab, command, "i-0ex2")["Status"] == "Success"
    (whole,) = lab.client("ssm").list_commands(CommandId=command)["Commands"]
    assert (whole["Status"], whole["CompletedCount"], whole["ErrorCount"]) == ("Success", 2, 0)


def test_an_error_stops_those_that_have_not_begun(lab: AwsLab) -> None:
    command = send(lab, "exit 1", "i-0ex1", "i-0ex2", MaxConcurrency="1", MaxErrors="0")
    assert told(lab, command, "i-0ex2")["StatusDetails"] == "Terminated"
    command = send(lab, "exit 1", "i-0ex1", "i-0ex2", MaxErrors="0")
    assert told(lab, command, "i-0ex2")["StatusDetails"] == "Failed", "they had begun side by side"


def test_a_new_command_is_not_seen_at_once(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("ssm_late_to_see", questions="2"))
    command = send(lab, "'fine'", "i-0ex1")
    assert refused(lambda: told(lab, command, "i-0ex1")) == "InvocationDoesNotExist"
    assert lab.client("ssm").list_command_invocations(CommandId=command)["CommandInvocations"] == []
    assert told(lab, command, "i-0ex1")["Status"] == "Success"


def test_a_host_that_goes_off_below_a_script_leaves_it_running_for_the_service(lab: AwsLab) -> None:
    command = send(lab, "Restart-Computer -Force\nStart-Sleep -Seconds 60\n'after'", "i-0ex2", seconds=100)
    found = told(lab, command, "i-0ex2")
    assert (found["Status"], found["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    assert "after" not in found["StandardOutputContent"]


def test_characters_beyond_ascii_are_lost_on_the_way(lab: AwsLab) -> None:
    assert "\ufffd" in told(lab, send(lab, "'Postfachgröße'", "i-0ex1"), "i-0ex1")["StandardOutputContent"]


def test_a_path_of_a_parameter_makes_the_agent_drop_the_command(lab: AwsLab) -> None:
    found = told(lab, send(lab, "'{{ssm:/path/name}}'", "i-0ex1", seconds=30), "i-0ex1")
    assert found["StatusDetails"] == "DeliveryTimedOut"


def test_what_the_service_refuses(lab: AwsLab) -> None:
    ssm = lab.client("ssm")
    good: dict[str, Any] = {"DocumentName": DOCUMENT, "Parameters": {"commands": ["1"]}}
    for code, given in {
        "InvalidInstanceId": {**good, "InstanceIds": ["i-0nothing"]},
        "DuplicateInstanceId": {**good, "InstanceIds": ["i-0ex1", "i-0ex1"]},
        "ValidationException": {**good, "InstanceIds": [f"i-{n:04}" for n in range(51)]},
        "InvalidDocument": {**good, "InstanceIds": ["i-0ex1"], "DocumentName": "Mine"},
        "InvalidParameters": {**good, "InstanceIds": ["i-0ex1"], "Parameters": {"command": ["1"]}},
        "MaxDocumentSizeExceeded": {**good, "InstanceIds": ["i-0ex1"], "Parameters": {"commands": ["x" * 70_000]}},
    }.items():
        assert refused(lambda given=given: ssm.send_command(**given)) == code
    assert refused(lambda: ssm.send_command(**good, InstanceIds=["i-0ex1"], MaxErrors="many")) == "ValidationException"
    assert refused(lambda: ssm.list_command_invocations(CommandId="0" * 36)) == "InvalidCommandId"


def test_commands_are_found_by_what_their_comment_says_and_listed_by_pages(lab: AwsLab) -> None:
    sent = [send(lab, "1", "i-0ex1", "i-0ex2", "i-0ex3", Comment=f"op {n}") for n in range(2)]
    ssm = lab.client("ssm")
    latest = ssm.list_commands(MaxResults=2)["Commands"]
    assert [one["Comment"] for one in latest] == ["op 1", "op 0"]
    assert latest[1]["CommandId"] == sent[0]
    pages = list(
        ssm.get_paginator("list_command_invocations").paginate(CommandId=sent[0], PaginationConfig={"PageSize": 2})
    )
    assert [len(page["CommandInvocations"]) for page in pages] == [2, 1]


def test_targets_by_tag(lab: AwsLab) -> None:
    ssm = lab.client("ssm")
    sent = ssm.send_command(
        Targets=[{"Key": "tag:Name", "Values": ["EX1", "EX3"]}], DocumentName=DOCUMENT, Parameters={"commands": ["1"]}
    )["Command"]
    page = ssm.list_command_invocations(CommandId=sent["CommandId"])["CommandInvocations"]
    assert {one["InstanceId"] for one in page} == {"i-0ex1", "i-0ex3"}


def test_a_lost_zone_is_lost_to_ssm_too(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("az_loss", "1b"))
    command = send(lab, "'fine'", "i-0ex1", "i-0ex3", seconds=30)
    assert told(lab, command, "i-0ex1")["Status"] == "Success"
    assert told(lab, command, "i-0ex3")["StatusDetails"] == "DeliveryTimedOut"


def test_patch_manager_installs_what_its_baseline_approves() -> None:
    """A stranger's own lab, for what is installed stays installed."""
    with AwsLab("pa-4x2") as own:
        ssm = own.client("ssm")

        def patch(**parameters: list[str]) -> Any:
            sent = ssm.send_command(InstanceIds=["i-0fs3"], DocumentName="AWS-RunPatchBaseline", Parameters=parameters)[
                "Command"
            ]
            return told(own, sent["CommandId"], "i-0fs3")

        assert refused(lambda: patch(Operation=["Reboot"])) == "InvalidParameters"
        assert ssm.describe_instance_patch_states(InstanceIds=["i-0fs3"])["InstancePatchStates"] == []
        looked = patch(Operation=["Scan"])
        assert (looked["Status"], looked["PluginName"]) == ("Success", "PatchWindows")
        missing = [{"Key": "State", "Values": ["Missing"]}]
        found = ssm.describe_instance_patches(InstanceId="i-0fs3", Filters=missing)["Patches"]
        assert [one["KBId"] for one in found] == ["KB5044411"]
        boot = own.do(lambda world: world.server("FSW3").boot_time)
        patch(Operation=["Install"], RebootOption=["NoReboot"])
        (state,) = ssm.describe_instance_patch_states(InstanceIds=["i-0fs3"])["InstancePatchStates"]
        assert (state["InstalledPendingRebootCount"], state["MissingCount"]) == (1, 0)
        assert own.do(lambda world: world.server("FSW3").boot_time) == boot
        patch(Operation=["Install"])
        assert own.do(lambda world: world.server("FSW3").boot_time) > boot, "RebootIfNeeded is what it does unasked"
        (state,) = ssm.describe_instance_patch_states(InstanceIds=["i-0fs3"])["InstancePatchStates"]
        assert (state["InstalledPendingRebootCount"], state["FailedCount"]) == (0, 0)
