"""Client names led away from what is dead: what is decided, what is never done, and the end of a force-quorum."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner_lab import InnerLab
from three_ways import ONE_VIP, TWO_VIPS, VIP, ZONE, weighted

from starover.errors import NotSafe
from starover.runbook import Findings
from starover.steps.names_after_loss import dead_of
from starover.steps.public_names import shapes_without
from starover.steps.route53 import AliasTo, Record
from starover.values import Plain

DEAD, LOST, ALIVE = "192.0.2.10", "192.0.2.11", "192.0.2.20"


def record(*values: str, identifier: str | None = None, **more: object) -> Record:
    given: dict[str, object] = {
        "name": "mail.example.com.",
        "type": "A",
        "identifier": identifier,
        "weight": None,
        "failover": None,
        "region": None,
        "multivalue": None,
        "ttl": 60,
        "values": values,
        "check": None,
        "special": None,
        "alias": None,
    }
    return Record(**(given | more))  # type: ignore[arg-type] # a fact with what differs


SIDE = record(ALIVE, identifier="b", weight=10)


@pytest.mark.parametrize(
    ("there", "to", "leads"),
    [
        ((record(DEAD, ALIVE),), (), [(ALIVE,)]),
        ((record(DEAD),), (ALIVE,), [(ALIVE,)]),
        ((record(DEAD),), (), [(DEAD,)]),
        ((record(DEAD, identifier="a", weight=10), SIDE), (), [(DEAD, 0), (ALIVE, 10)]),
        (
            (record(DEAD, identifier="a", weight=10), record(ALIVE, identifier="b", weight=0)),
            (ALIVE,),
            [(ALIVE, 10), (ALIVE, 0)],
        ),
        (
            (record(DEAD, identifier="a", multivalue=True), record(ALIVE, identifier="b", multivalue=True)),
            (),
            [(ALIVE,)],
        ),
        (
            (
                record(DEAD, identifier="a", failover="PRIMARY", check="c"),
                record(ALIVE, identifier="b", failover="SECONDARY"),
            ),
            (),
            [(DEAD,), (ALIVE,)],
        ),
        ((record(alias=AliasTo(zone="Z1", name="nlb.example.", evaluate=True)),), (), [()]),
    ],
)
def test_what_a_public_name_leads_to_without_an_address(
    there: tuple[Record, ...], to: tuple[str, ...], leads: list[tuple[object, ...]]
) -> None:
    made, said = shapes_without(there, (DEAD,), to)
    found = []
    for one in made:
        values = tuple(value["Value"] for value in one.get("ResourceRecords", ()))  # type: ignore[union-attr,index,call-overload]
        found.append((*values, one["Weight"]) if "Weight" in one else values)
    assert found == leads
    assert bool(said) == any(DEAD in one and 0 not in one for one in leads)


@pytest.mark.parametrize(
    ("there", "leads", "says"),
    [
        ((record(DEAD, LOST, ALIVE),), [(ALIVE,)], 0),
        ((record(DEAD, identifier="a", weight=10), record(LOST, identifier="b", weight=10), SIDE), [0, 0, 10], 0),
        ((record(DEAD, identifier="a", weight=10), record(LOST, identifier="b", weight=10)), [10, 10], 2),
        (
            (
                record(DEAD, identifier="a", failover="PRIMARY", check="c"),
                record(LOST, identifier="b", failover="SECONDARY", check="d"),
            ),
            [(DEAD,), (LOST,)],
            2,
        ),
    ],
)
def test_several_dead_addresses_of_a_public_name_are_looked_at_together(
    there: tuple[Record, ...], leads: list[object], says: int
) -> None:
    """One after the other, the first of two dead sides would hand its clients to the second."""
    made, said = shapes_without(there, (DEAD, LOST), ())
    found: list[object] = []
    for one in made:
        values = tuple(value["Value"] for value in one.get("ResourceRecords", ()))  # type: ignore[union-attr,index,call-overload]
        found.append(one.get("Weight", values))
    assert found == leads
    assert len(said) == says
    assert not any("by itself" in one for one in said), "a pair of which both are dead leads to nobody by itself"


def test_a_zone_in_which_a_member_lives_is_not_lost(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        vips = ["10.0.0.50", "10.0.32.50", "203.0.113.9"]
        assert dead_of(lab.estate, ["EX1", "EX2"], vips, ["10.0.32.50"]) == ["10.0.0.50", "203.0.113.9"]
        assert dead_of(lab.estate, ["EX1"], vips, ["10.0.32.50"]) == ["203.0.113.9"]
        assert dead_of(lab.estate, ["EX1", "EX2"], vips, []) == ["10.0.0.50"], "nobody serves: only its place tells"
        assert dead_of(lab.estate, ["EX1", "EX2"], vips, vips) == []


def topology(folder: Path, text: str) -> Path:
    path = folder / "vips.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_last_address_is_never_taken_out(tmp_path: Path) -> None:
    with InnerLab(topology(tmp_path, ONE_VIP), tmp_path) as lab:
        lab.do(lambda world: world.fault("az_loss", "1b"))
        lab.later(60)
        with pytest.raises(NotSafe, match="G-LASTVIP"):
            lab.plan("namespace-move", VIP)


def test_a_failover_pair_is_left_to_its_health_check(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        sides: dict[str, Plain] = {"member": ["eu-west-1a=203.0.113.10", "eu-west-1b=exch-nlb-4x2"]}
        assert lab.run("route53-failover", sides, hosted_zone=ZONE, name="mail.example.com").exit == 0
        ran = lab.run("namespace-move", name="mail.example.com", vip="203.0.113.10")
        assert (ran.exit, ran.changed) == (0, 0)
        assert isinstance(ran.value, Findings)
        assert any("by itself, as its health check fails" in one.says for one in ran.value.findings)


def test_a_public_name_gets_weight_0_and_is_waited_for(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        cloud = lab.transport.cloud
        weighted(cloud)
        began = lab.do(lambda world: world.now)
        ran = lab.run("namespace-move", name="w.example.com", vip=DEAD)
        assert ran.exit == 0
        changed = [event for event in lab.do(lambda world: list(world.events)) if event.kind == "route53"]
        assert (lab.do(lambda world: world.now) - began).total_seconds() >= 30, "INSYNC is waited for"
        assert changed
        ask = {"HostedZoneId": ZONE, "RecordName": "w.example.com", "RecordType": "A"}
        assert cloud.call("route53", "test_dns_answer", ask)["RecordData"] == [ALIVE]
        assert lab.plan("namespace-move", name="w.example.com", vip=DEAD).plan.changes == ()


def test_force_quorum_moves_the_names_at_its_end_and_failback_leads_them_home(tmp_path: Path) -> None:
    """Two of its three addresses are dead, inside and outside: each DNS takes both out at once."""
    text = TWO_VIPS.replace("extends: pa-4x2", "extends: pa-4x2-fsw1")
    text = text.replace("[10.0.0.50, ", "[10.0.0.50, 10.0.0.51, ")
    text += "  - {name: mail.example.com, data: 10.0.0.51, ttl: 300s}\n"
    text += 'tuning: {seed_mb_per_s_same_az: "2000", seed_mb_per_s_cross_az: "2000", snapshot_mb_per_s: "2000"}\n'

    def leads_to(lab: InnerLab) -> set[str]:
        return {one.data for one in lab.do(lambda world: world.dns.query("DC2", "mail.example.com", "A")).answers}

    with InnerLab(topology(tmp_path, text), tmp_path) as lab:
        values = [{"Value": one} for one in ("10.0.0.50", "10.0.0.51", "10.0.32.50")]
        record = {"Name": "mail.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": values}
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        lab.transport.cloud.call("route53", "change_resource_record_sets", {"HostedZoneId": ZONE, "ChangeBatch": batch})
        lab.later(600)
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        what = {"lost_site": ["AZ1"], "surviving_site": "AZ2", "witness": "alternate", "namespace": "move"}
        planned = lab.plan("force-quorum", what).plan
        assert planned.complete
        assert [one.kind for one in planned.changes if one.kind in ("addresses_led", "records_set")] == [
            "addresses_led",
            "records_set",
        ]
        ran = lab.apply(planned)
        assert ran.exit == 0, ran.error
        assert leads_to(lab) == {"10.0.32.50"}
        ask = {"HostedZoneId": ZONE, "RecordName": "mail.example.com", "RecordType": "A"}
        assert lab.transport.cloud.call("route53", "test_dns_answer", ask)["RecordData"] == ["10.0.32.50"]
        lab.do(lambda world: world.fault("az_return", "1a"))
        lab.later(3600)
        ran = lab.run("failback", site="AZ1", when="now")
        assert ran.exit == 0, ran.error
        assert leads_to(lab) == {"10.0.0.50", "10.0.0.51", "10.0.32.50"}
