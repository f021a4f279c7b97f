"""The IAM policies that the content needs, made of its calls as data and the tool's own; contacts nothing.

What acts on one thing is held to a tag of that thing where IAM can do so (AWS's service authorization reference names
resources and condition keys of each action); what only looks is allowed everywhere: most of it knows no tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from starover.estate import ON_HOST, Estate

__all__ = ["OWN", "Scope", "called", "host_policy", "iam_action", "is_read", "tagged_kinds", "tool_policy"]

_PREFIXES = {"elbv2": "elasticloadbalancing"}
"""Services that IAM names otherwise than boto3 does."""
_ACTIONS = {"test_dns_answer": "TestDNSAnswer"}
_NOT_AWS = frozenset({"probe", "zevenet"})
_WORDS = re.compile(r'"service":\s*"([a-z0-9-]+)",\s*"operation":\s*"([a-z0-9_]+)"')
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_DOCUMENT = re.compile(r'"DocumentName":\s*"([\w-]+)"')
_READS = ("Describe", "Get", "List", "Test")
_SHELL = "AWS-RunPowerShellScript"

OWN: Mapping[str, tuple[tuple[str, str], ...]] = {
    "road": (
        ("ssm", "describe_instance_information"),
        ("ssm", "send_command"),
        ("ssm", "list_commands"),
        ("ssm", "list_command_invocations"),
        ("ssm", "get_command_invocation"),
        ("ssm", "cancel_command"),
    ),
    "output": (("s3", "get_object"),),
    "secretsmanager": (("secretsmanager", "get_secret_value"),),
    "ssm": (("ssm", "get_parameter"),),
    "logs": (("logs", "create_log_stream"), ("logs", "put_log_events")),
    "locked": (("s3", "put_object"),),
}
"""What the tool asks of AWS itself, by what makes it do so: Run Command as a road, its output in a bucket, credentials
by reference, copies of journals. Service and operation are boto3's."""


@dataclass(frozen=True)
class Scope:
    """What an action acts on, as resources below `arn:PARTITION:`; `REGION` stands for the estate's."""

    tagged: tuple[str, ...] = ()
    """Held to the tag."""
    free: tuple[str, ...] = ()
    """What IAM cannot hold to it: what the action itself makes, or what bears no tags."""
    made_by: tuple[str, ...] = ()
    """Actions of EC2 within which alone `free` is allowed (`ec2:CreateAction`)."""


def _ec2(*kinds: str) -> tuple[str, ...]:
    return tuple(f"ec2:REGION:*:{kind}/*" for kind in kinds)


_TARGETS = Scope(tagged=("elasticloadbalancing:REGION:*:targetgroup/*",))
_SHIFTED = Scope(tagged=("elasticloadbalancing:REGION:*:loadbalancer/*",))
SCOPES: Mapping[str, Scope] = {
    "ec2:StartInstances": Scope(tagged=_ec2("instance")),
    "ec2:StopInstances": Scope(tagged=_ec2("instance")),
    "ec2:ModifyInstanceMaintenanceOptions": Scope(tagged=_ec2("instance")),
    "ec2:ModifyInstanceAttribute": Scope(tagged=_ec2("instance"), free=_ec2("security-group")),
    "ec2:AssignPrivateIpAddresses": Scope(tagged=_ec2("network-interface")),
    "ec2:UnassignPrivateIpAddresses": Scope(tagged=_ec2("network-interface")),
    "ec2:ModifyVolume": Scope(tagged=_ec2("volume")),
    "ec2:CreateSnapshots": Scope(tagged=_ec2("instance", "volume"), free=_ec2("snapshot")),
    "ec2:CreateTags": Scope(
        tagged=_ec2("instance"),
        free=_ec2("snapshot", "network-acl"),
        made_by=("CreateSnapshots", "CreateNetworkAcl"),
    ),
    "ec2:DeleteTags": Scope(tagged=_ec2("instance")),
    "ec2:CreateNetworkAcl": Scope(tagged=_ec2("vpc"), free=_ec2("network-acl")),
    "ec2:ReplaceNetworkAclAssociation": Scope(tagged=_ec2("subnet"), free=_ec2("network-acl")),
    "ec2:CreateSecurityGroup": Scope(tagged=_ec2("vpc"), free=_ec2("security-group")),
    "ec2:AuthorizeSecurityGroupIngress": Scope(free=_ec2("security-group")),
    "autoscaling:SuspendProcesses": Scope(tagged=("autoscaling:REGION:*:autoScalingGroup:*",)),
    "elasticloadbalancing:RegisterTargets": _TARGETS,
    "elasticloadbalancing:DeregisterTargets": _TARGETS,
    "elasticloadbalancing:ModifyTargetGroup": _TARGETS,
    "arc-zonal-shift:StartZonalShift": _SHIFTED,
    "arc-zonal-shift:CancelZonalShift": _SHIFTED,
    "route53:ChangeResourceRecordSets": Scope(free=("route53:::hostedzone/*",)),
    "route53:CreateHealthCheck": Scope(),
    "ssm:SendCommand": Scope(tagged=_ec2("instance")),
    "ssm:CancelCommand": Scope(),
}
"""Of every action that changes something; one with nothing in it cannot be held to anything."""


def iam_action(service: str, operation: str) -> str:
    """IAM's name of a call of boto3: `elasticloadbalancing:RegisterTargets` for `elbv2` and `register_targets`."""
    name = _ACTIONS.get(operation) or "".join(word.capitalize() for word in operation.split("_"))
    return f"{_PREFIXES.get(service, service)}:{name}"


def tagged_kinds() -> list[str]:
    """The kinds of things that are to bear the tag: `instance`, `volume`..., in IAM's words."""
    return sorted({one.split(":")[3].partition("/")[0] for scope in SCOPES.values() for one in scope.tagged})


def is_read(action: str) -> bool:
    """Whether an action changes nothing."""
    return action.partition(":")[2].startswith(_READS)


def called(calls: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Service and operation of every call to AWS among templates of calls, given by name."""
    found = (_WORDS.search(_COMMENT.sub("", text)) for text in calls.values())
    return frozenset((one[1], one[2]) for one in found if one and one[1] not in _NOT_AWS)


def tool_policy(calls: Mapping[str, str], estate: Estate, tag: tuple[str, str], *, reads: bool = False) -> object:
    """The policy for whoever runs the tool, as IAM's JSON. `tag`: key and value of what may be changed.

    `reads`: for those who look only; scripts by Run Command look, too, so that road stays.
    """
    actions = {iam_action(*one) for one in called(calls)}
    road = {iam_action(*one) for one in OWN["road"]} if any(one.instance for one in estate.servers) else set[str]()
    looks = {one for one in actions | road if is_read(one)}
    changes = ({one for one in actions if not is_read(one)} if not reads else set[str]()) | (road - looks)
    documents = set[str]() if reads else {name for text in calls.values() for name in _DOCUMENT.findall(text)}
    documents |= {_SHELL} if road else set()
    statements = [_statement("Look", looks, ["*"])] if looks else []
    statements += _changes(changes, estate, tag, sorted(documents))
    for reference, where in _secrets(estate, on_host=False).items():
        statements.append(_statement("Secrets" + reference, {iam_action(*one) for one in OWN[reference]}, where))
    buckets = _buckets(estate)
    if buckets:
        statements.append(_statement("Output", {"s3:GetObject"}, [f"{one}/*" for one in buckets]))
    arn = _arn(estate)
    if estate.audit.log_group:
        group = arn(f"logs:REGION:*:log-group:{estate.audit.log_group}:*")
        statements.append(_statement("CopiesInLogs", {iam_action(*one) for one in OWN["logs"]}, [group]))
    if estate.audit.bucket:
        kept = arn(f"s3:::{estate.audit.bucket}/{_under(estate.audit.prefix)}*")
        statements.append(_statement("CopiesLocked", {"s3:PutObject", "s3:PutObjectRetention"}, [kept]))
    return {"Version": "2012-10-17", "Statement": statements}


def host_policy(estate: Estate) -> object:
    """The policy for the role of the instances beside AmazonSSMManagedInstanceCore: what hosts ask for by themselves
    when scripts come by Run Command.
    """
    statements = [
        _statement(
            "Secrets" + kind,
            {"secretsmanager:GetSecretValue" if kind == "secretsmanager" else "ssm:GetParameters"},
            where,
        )
        for kind, where in _secrets(estate, on_host=True).items()
    ]
    if buckets := _buckets(estate):
        statements.append(_statement("Output", {"s3:PutObject"}, [f"{one}/*" for one in buckets]))
    return {"Version": "2012-10-17", "Statement": statements}


def _changes(
    actions: Iterable[str], estate: Estate, tag: tuple[str, str], documents: list[str]
) -> list[dict[str, object]]:
    """One statement for each set of resources, with the tag and without."""
    arn = _arn(estate)
    tagged: dict[tuple[str, ...], set[str]] = {}
    free: dict[tuple[tuple[str, ...], tuple[str, ...]], set[str]] = {}
    for action in actions:
        scope = SCOPES.get(action, Scope())
        loose: tuple[str, ...] = scope.free
        if action == "ssm:SendCommand":
            loose = tuple(f"ssm:REGION::document/{name}" for name in documents)
            loose += tuple(f"s3:::{name}" for name in _bucket_names(estate))
        if scope.tagged:
            tagged.setdefault(scope.tagged, set()).add(action)
        if loose or not scope.tagged:
            free.setdefault((loose, scope.made_by), set()).add(action)
    key, value = tag
    made = [
        _statement(f"Tagged{number}", those, [arn(one) for one in kinds]) | {"Condition": _equals(key, value)}
        for number, (kinds, those) in enumerate(sorted(tagged.items()), 1)
    ]
    for number, ((kinds, made_by), those) in enumerate(sorted(free.items()), 1):
        one = _statement(f"Free{number}", those, [arn(kind) for kind in kinds] or ["*"])
        made.append(one | ({"Condition": {"StringEquals": {"ec2:CreateAction": list(made_by)}}} if made_by else {}))
    return made


def _equals(key: str, value: str) -> object:
    return {"StringEquals": {f"aws:ResourceTag/{key}": value}}


def _statement(name: str, actions: Iterable[str], resources: Iterable[str]) -> dict[str, object]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}


def _arn(estate: Estate) -> Callable[[str], str]:
    """What makes an ARN of what stands behind `arn:PARTITION:`, in the estate's region."""
    region = estate.region
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"

    def make(rest: str) -> str:
        return f"arn:{partition}:{rest.replace('REGION', region or '*')}"

    return make


def _buckets(estate: Estate) -> list[str]:
    """ARNs of the buckets that agents put output into."""
    arn = _arn(estate)
    return [arn(f"s3:::{name}") for name in _bucket_names(estate)]


def _bucket_names(estate: Estate) -> list[str]:
    return sorted({road.bucket for one in estate.servers for road in one.roads if road.bucket})


def _secrets(estate: Estate, *, on_host: bool) -> dict[str, list[str]]:
    """ARNs of what references name, by service. On hosts those of servers alone are read."""
    arn = _arn(estate)
    references = {one.credential for one in estate.servers}
    references |= {one.exchange.credential for one in estate.servers if one.exchange is not None}
    if not on_host:
        references |= {one.credential for one in estate.balancers}
    found: dict[str, list[str]] = {}
    for reference in sorted(references):
        if (one := ON_HOST.fullmatch(reference)) is None:
            continue
        kind, name = one[1], one[2]
        if name.startswith("arn:"):
            where = name
        elif kind == "ssm":
            where = arn(f"ssm:REGION:*:parameter/{name.removeprefix('/')}")
        else:
            where = arn(f"secretsmanager:REGION:*:secret:{name}-??????")
        found.setdefault(kind, []).append(where)
    return found


def _under(prefix: str) -> str:
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""
