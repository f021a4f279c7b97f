"""Every call the content can make is one that boto3 would take, and its report fits the reply's own shape."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import jmespath
import pytest
from botocore import xform_name
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from content_scripts import content, kinds

from starover.calls import ENDING, Call, read_call
from starover.render import Arg

SNAPSHOTS = Path(__file__).parent.parent / "data" / "snapshots"
SESSION: Any = botocore.session.Session()
NAMES = sorted(content().calls)
SAMPLES: Mapping[str, Arg] = {
    "instance": "i-0ex1",
    "groups": ("sg-0a1", "sg-0b2"),
    "interface": "eni-0a1",
    "address": "10.0.0.11",
    "port": 443,
    "seconds": 11,
    "tls": True,
    "starttls": "smtp",
    "protocol": "HTTPS",
    "alarm": "exch-vip-a",
    "region": "eu-west-1",
    "codes": "200",
    "fqdn": "ex1.example.com",
    "path": "/owa/healthcheck.htm",
    "host": "EX1",
    "database": 'O\u2019Brien "DB"',
    "mode": "disabled",
    "kind": "r6i.4xlarge",
    "reason": "DB01 diverged",
    "group": "exchange",
    "processes": ("Launch", "ReplaceUnhealthy"),
    "key": "dag-fenced",
    "value": "DAG1",
    "subnet": "subnet-0a1",
    "cidr": "10.0.0.0/24",
    "cidrs": ("10.0.0.0/24", "10.0.32.0/19"),
    "vpc": "vpc-0a1",
    "name": "dag-fence-deny-all",
    "association": "aclassoc-0a1",
    "acl": "acl-0b2",
    "az": "eu-west-1a",
    "volume": "vol-0a1b2c3d4e5f60718",
    "gib": 625,
    "names": ("ExchangeNodes",),
    "target": "i-0ex1",
    "balancer": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/exch-nlb/0a1b",
    "resource": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/exch-nlb/0a1b",
    "zone": "euw1-az1",
    "expires": "120m",
    "comment": "INC1",
    "shift": "0a1b2c3d",
    "check": "0a1b2c3d",
    "change": "/change/C0123",
    "changes": ({"Action": "UPSERT", "ResourceRecordSet": {"Name": "w.example.com.", "Type": "A"}},),
    "record": {"Name": "w.example.com.", "Type": "A", "SetIdentifier": "site-a", "Weight": 0, "TTL": 60},
    "reference": "starover-0a1b",
    "token": "eyJ2IjoiMiJ9",
    "farm": "Web",
    "service": "exchange",
    "backend": 2,
}
"""Values by the name of a template's variable."""
PROBES = {"probe", "zevenet"}
"""Services that are not AWS's."""


def call_of(template: str) -> tuple[str, Call]:
    variables = content().variables(template)
    body = content().body(template, {name: SAMPLES[name] for name in variables})
    return body.text, read_call(body.text)


def operation_of(call: Call) -> OperationModel:
    model = SESSION.get_service_model(call.service)
    names = {xform_name(name): name for name in model.operation_names}
    return model.operation_model(names[call.operation])  # type: ignore[no-any-return]


@pytest.fixture(params=NAMES)
def template(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_boto3_takes_the_parameters(template: str) -> None:
    _, call = call_of(template)
    if call.service in PROBES:
        return
    report = ParamValidator().validate(call.parameters, operation_of(call).input_shape)
    assert not report.has_errors(), report.generate_report()


def test_the_report_names_only_what_the_reply_has(template: str) -> None:
    """Every capitalised word of an expression is a member of the reply's shape, somewhere."""
    _, call = call_of(template)
    if call.service in PROBES or not call.report:
        return
    known = members(operation_of(call).output_shape, set())
    for key, word in fields(jmespath.compile(call.report).parsed):
        assert word in known, f"{template}: {key} = {word}"


def fields(node: Any) -> list[tuple[str, str]]:
    found = [("", node["value"])] if node["type"] == "field" else []
    for child in node["children"]:
        if isinstance(child, dict):
            found += fields(child)
    return found


def members(shape: Any, seen: set[str]) -> set[str]:
    if shape is None or shape.name in seen:
        return set()
    seen.add(shape.name)
    found: set[str] = set()
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            found |= {name} | members(member, seen)
    elif shape.type_name == "list":
        found |= members(shape.member, seen)
    return found


def test_a_read_makes_a_report_and_a_write_may(template: str) -> None:
    _, call = call_of(template)
    writes = template in {kind.apply for kind in kinds()}
    assert bool(call.report) or writes
    reads = bool(re.match(r"(describe|list|get|test)_", call.operation)) or call.parameters.get("DryRun") is True
    assert writes is not reads or call.service in PROBES


def test_a_template_asks_for_nothing_its_step_does_not_have() -> None:
    for kind in kinds():
        for one in (kind.check, kind.apply):
            if one.endswith(ENDING):
                assert content().variables(one) <= set(kind.signature.parameters), f"{one} and {kind.name}"


def test_snapshot(template: str) -> None:
    """A changed call is seen by a person: STAROVER_SNAPSHOTS=write makes them anew."""
    text, _ = call_of(template)
    path = SNAPSHOTS / (template.removesuffix(ENDING).replace("/", ".") + ".json")
    if os.environ.get("STAROVER_SNAPSHOTS") == "write":
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == text
    json.loads(text)


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == {
        name.removesuffix(ENDING).replace("/", ".") for name in NAMES
    }
