"""Least rights: the IAM policy holds the calls of the templates, the tool's own, and no other; the role group likewise.

That every call which any runbook makes on the lab is allowed is checked where labs are closed (`inner_lab.InnerLab`).
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from cli_estate import CONTENT, Hosts, starover
from starover_lab.powershell.parser import parse

from starover import rights, transport
from starover.estate import AuditCopies, Estate, Exchange, Road, Server
from starover.rights_aws import OWN, SCOPES, called, host_policy, iam_action, is_read, tagged_kinds, tool_policy
from starover.rights_roles import READING, role_group_script

TAG = ("starover", "managed")
SOURCES = Path(transport.__file__).parent
ESTATE = Estate(
    name="mail",
    region="eu-west-1",
    audit=AuditCopies(log_group="/starover", bucket="kept", prefix="of/us"),
    servers=(
        Server(
            name="EX1",
            fqdn="EX1.example.com",
            roles=("mailbox",),
            instance="i-0ex1",
            roads=(Road(kind="ssm", bucket="said"),),
            credential="secretsmanager:exchange/ops",
            exchange=Exchange(credential="ssm:/exchange/admin"),
        ),
        Server(name="DC1", fqdn="DC1.example.com", roles=("dc",), credential="env:OPERATOR"),
    ),
)
BARE = Estate(name="bare", servers=(Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",)),))


def statements(document: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["Statement"]
    return found


def actions(document: Any) -> set[str]:
    return {action for one in statements(document) for action in one["Action"]}


def resources(document: Any, action: str) -> set[str]:
    return {where for one in statements(document) if action in one["Action"] for where in one["Resource"]}


def test_without_roads_and_copies_the_policy_is_the_templates_calls_and_what_tags_what_they_make() -> None:
    assert actions(tool_policy(CONTENT.calls, BARE, TAG)) == {iam_action(*one) for one in called(CONTENT.calls)}


def test_a_call_that_a_template_makes_is_allowed_and_one_that_none_makes_is_not() -> None:
    text = '{# "service": "ec2", "operation": "run_instances" #}\n{"service": "ec2",\n"operation": "stop_instances"}'
    calls = {"x.call.j2": text}
    assert actions(tool_policy(calls, BARE, TAG)) == {"ec2:StopInstances"}
    assert actions(tool_policy(calls, BARE, TAG, reads=True)) == set()
    assert not called({"p.call.j2": '{"service": "probe", "operation": "tcp"}'})


def test_every_name_is_one_of_awss_own() -> None:
    """boto3's operations by AWS's own description of each service; IAM's words are those but for a prefix."""
    session: Any = botocore.session.get_session()
    for service, operation in called(CONTENT.calls) | {one for calls in OWN.values() for one in calls}:
        names = {xform_name(name): name for name in session.get_service_model(service).operation_names}
        assert iam_action(service, operation).partition(":")[2] == names[operation]


def test_what_changes_something_is_scoped_or_known_to_be_unscopable() -> None:
    changing = {iam_action(*one) for one in called(CONTENT.calls) | set(OWN["road"])}
    assert {one for one in changing if not is_read(one)} == set(SCOPES)
    everywhere = {
        action
        for one in statements(tool_policy(CONTENT.calls, ESTATE, TAG))
        if one["Resource"] == ["*"]
        for action in one["Action"]
    }
    assert {one for one in everywhere if not is_read(one)} == {"route53:CreateHealthCheck", "ssm:CancelCommand"}


def test_instances_are_stopped_only_with_the_tag() -> None:
    held = [one for one in statements(tool_policy(CONTENT.calls, ESTATE, TAG)) if "ec2:StopInstances" in one["Action"]]
    (one,) = held
    assert one["Resource"] == ["arn:aws:ec2:eu-west-1:*:instance/*"]
    assert one["Condition"] == {"StringEquals": {"aws:ResourceTag/starover": "managed"}}
    assert "instance" in tagged_kinds()


def test_secrets_buckets_and_logs_are_the_inventorys_and_no_others() -> None:
    made = tool_policy(CONTENT.calls, ESTATE, TAG)
    assert resources(made, "secretsmanager:GetSecretValue") == {
        "arn:aws:secretsmanager:eu-west-1:*:secret:exchange/ops-??????"
    }
    assert resources(made, "ssm:GetParameter") == {"arn:aws:ssm:eu-west-1:*:parameter/exchange/admin"}
    assert resources(made, "s3:PutObject") == {"arn:aws:s3:::kept/of/us/*"}
    assert resources(made, "s3:GetObject") == {"arn:aws:s3:::said/*"}
    assert resources(made, "logs:PutLogEvents") == {"arn:aws:logs:eu-west-1:*:log-group:/starover:*"}
    assert "arn:aws:ssm:eu-west-1::document/AWS-RunPowerShellScript" in resources(made, "ssm:SendCommand")
    assert "*" not in resources(made, "ssm:SendCommand")
    hosts = host_policy(ESTATE)
    assert actions(hosts) == {"secretsmanager:GetSecretValue", "ssm:GetParameters", "s3:PutObject"}
    assert resources(hosts, "s3:PutObject") == {"arn:aws:s3:::said/*"}


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_partitions(region: str, partition: str) -> None:
    made = tool_policy(CONTENT.calls, Estate(name="x", region=region), TAG)
    assert resources(made, "ec2:StopInstances") == {f"arn:{partition}:ec2:{region}:*:instance/*"}


def test_the_tools_own_calls_are_all_that_its_sources_make() -> None:
    """Operations of boto3 that the transports and sinks name, by their own text."""
    session: Any = botocore.session.get_session()
    known = {
        xform_name(name)
        for service in ("ssm", "secretsmanager", "s3", "logs")
        for name in session.get_service_model(service).operation_names
    }
    sources = [*sorted(SOURCES.glob("ssm*.py")), SOURCES / "aws_secrets.py", SOURCES.parent / "sinks.py"]
    named = {
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known
    }
    assert named == {operation for calls in OWN.values() for _, operation in calls}


def test_the_role_group_has_the_cmdlets_of_the_templates_and_is_powershell() -> None:
    text = role_group_script(CONTENT.templates, "starover")
    parse(text)
    for name, parameters in rights.needed(CONTENT.templates).items():
        (line,) = [line for line in text.splitlines() if line.strip().startswith(f"'{name}'")]
        assert [one.strip("', ") for one in line.partition("@(")[2].rstrip(")").split(",") if one] == list(parameters)
    looking = role_group_script(CONTENT.templates, "starover", reads=True)
    assert "'Get-MailboxDatabase'" in looking
    assert "'Suspend-MailboxDatabaseCopy'" not in looking
    assert all(name.startswith(READING) or f"'{name}'" not in looking for name in rights.needed(CONTENT.templates))


def test_typed(tmp_path: Path) -> None:
    hosts = Hosts()
    shown = starover(hosts, tmp_path, "rights", "exchange", "--group", "DAG operators")
    assert shown.exit_code == 0
    assert "$group = 'DAG operators'" in shown.stdout
    assert "New-RoleGroup -Name $group" in shown.stdout
    policy = starover(hosts, tmp_path, "rights", "iam", "--tag", "app=mail")
    assert policy.exit_code == 0
    assert {"aws:ResourceTag/app": "mail"} in [
        one["Condition"]["StringEquals"] for one in statements(json.loads(policy.stdout)) if "Condition" in one
    ]
    assert "app=mail" in policy.stderr
    for words in (["exchange", "--group", "x'; y"], ["iam", "--tag", "none"]):
        refused = starover(hosts, tmp_path, "rights", *words)
        assert refused.exit_code == 2, words
