"""The pieces of lifting a fence, one after the other against the lab: opened behind a quarantine, and let out of it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest
from inner_lab import InnerLab

from starover.content import Content, find
from starover.steps.unfencing import GroupRule, Groups, SecurityGroup, own_networks, quarantine_made

LIFT = '''"""Lift the fence of one member, as failback does it."""

from starover import Dag, Server, Steps, recall, runbook
from starover.steps.instances import instance_of, instance_running
from starover.steps.subnet_rules import subnet_acl, subnet_denied
from starover.steps.unfencing import (
    QUARANTINE,
    fence_tag_gone,
    groups_of,
    groups_set,
    quarantine_made,
    subnet_reopened,
    winrm_let_in,
)

BEYOND = (winrm_let_in, groups_set, subnet_reopened, instance_running, fence_tag_gone)


@runbook(beyond=BEYOND)
def lift(dag: Dag, server: Server) -> Steps:
    """Lift it."""
    now = (yield from instance_of.read(server, instance=server.instance)).instance
    assert now is not None
    vpc, subnet = now.vpc or "", now.subnet or ""
    yield quarantine_made.on(server, vpc=vpc)
    group = (yield from groups_of.read(server, vpc=vpc, name=QUARANTINE)).one
    assert group is not None
    yield winrm_let_in.on(server, vpc=vpc, name=QUARANTINE, group=group.id, cidrs=("10.0.0.0/8",))
    yield groups_set.on(server, instance=server.instance, groups=(group.id,))
    before = yield from recall(server, subnet_denied, subnet=subnet)
    current = (yield from subnet_acl.read(server, subnet=subnet)).acl
    assert before is not None and before.acl is not None and current is not None
    association = current.association(subnet)
    yield subnet_reopened.on(server, subnet=subnet, association=association, acl=before.acl.id)
    yield instance_running.on(server, instance=server.instance)
    yield groups_set.on(server, instance=server.instance, groups=now.groups)
    yield fence_tag_gone.on(server, instance=server.instance, value=dag.name)
'''


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    content = Content({**find().files, "runbooks/disaster/lift.py": LIFT.encode()})
    with InnerLab("pa-4x2", tmp_path, content=content) as made:
        yield made


def test_a_fence_is_lifted_in_order(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("az_loss", "1a", ec2="api_down"))
    lab.later(120)
    assert lab.run("fence", lost_site=["AZ1"]).exit == 0
    lab.do(lambda world: world.mend(kind="az_loss"))
    lab.later(900)
    fenced = lab.do(lambda world: world.state.linked(world.server("EX1"), world.server("EX3")))
    ran = lab.run("lift", server="EX1")
    assert ran.exit == 0, ran.error
    again = lab.do(lambda world: world.state.linked(world.server("EX1"), world.server("EX3")))
    assert (fenced, again) == (False, True)
    instance = lab.transport.cloud.instances.all["i-0ex1"]
    assert "dag-fenced" not in instance.tags
    changed = [step.kind for step in ran.steps if step.state == "changed"]
    assert changed == ["quarantine_made", "winrm_let_in", "groups_set", "subnet_reopened", "groups_set"]


def test_winrm_comes_in_from_the_networks_of_the_estate(lab: InnerLab) -> None:
    own = [ip_network(one) for one in own_networks(lab.estate)]
    listed = [ip_network(one.cidr) for one in lab.estate.subnets]
    assert sum(one.num_addresses for one in own) == sum(one.num_addresses for one in listed) > 0
    assert all(any(one.subnet_of(network) for network in own) for one in listed)  # type: ignore[arg-type]
    bare = msgspec.structs.replace(lab.estate, subnets=())
    assert own_networks(bare) == ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    rule = GroupRule(protocol="tcp", first=5985, last=5986, ranges=("0.0.0.0/0",))
    refused = quarantine_made(Groups(groups=(SecurityGroup(id="sg-1", rules=(rule,)),)), vpc="vpc-1")
    assert "no quarantine" in str(refused), "from anywhere"


def test_a_quarantine_that_lets_more_in_is_none() -> None:
    rules = (GroupRule(protocol="tcp", first=5985, last=5986), GroupRule(protocol="-1", first=None, last=None))
    now = Groups(groups=(SecurityGroup(id="sg-1", rules=rules),))
    refused = quarantine_made(now, vpc="vpc-1")
    assert refused is not None
    assert "no quarantine" in str(refused)
    assert quarantine_made(Groups(groups=(SecurityGroup(id="sg-1", rules=rules[:1]),)), vpc="vpc-1") is None
