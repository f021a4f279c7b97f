"""S-MAILFLOW after a loss: what Safety Net was asked for, its shadow asked by a person, Edge servers of a lost site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from inner_lab import InnerLab

from starover.errors import BadParameter, NotSafe
from starover.runbook import Findings
from starover.step import Risk
from starover.steps.mailflow import EdgeSubscription, SendConnector, resubscribe, said, severed
from starover.values import Plain

BEHIND = """name: behind
extends: aws-2az-nodac
tuning: {ship_latency_s: "30"}
"""


def connector(name: str, *sources: str) -> SendConnector:
    return SendConnector(name=name, identity=name, enabled=True, sources=sources, smart_hosts=())


def test_lost_mail_is_offered_and_asked_of_the_shadow_once(tmp_path: Path) -> None:
    (tmp_path / "behind.yaml").write_text(BEHIND, "utf-8")
    with InnerLab(tmp_path / "behind.yaml", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        ran = lab.run("force-quorum", lost_server=["ExchangeNode1"])
        assert ran.exit == 0, ran.error
        assert isinstance(ran.value, Findings)
        (offer,) = [one.says for one in ran.value.findings if one.check == "mail flow"]
        assert "request 1 of Active Manager is Running on ExchangeNode2" in offer
        line = re.search(r"mail-resubmit --db (\S+) --lost-server (\S+) --since (\S+) --until (\S+)", offer)
        assert line is not None
        assert line[1] == "DB1"
        assert line[3].startswith("2026-11-20T13:5"), "an hour before the last log that was kept"
        given: dict[str, Plain] = {"db": line[1], "lost_server": [line[2]], "since": line[3], "until": line[4]}

        planned = lab.plan("mail-resubmit", given)
        assert planned.plan.risk is Risk.DATA
        change = planned.plan.changes[0].change
        assert change is not None
        assert "may arrive twice" in change.note
        assert "[datetime]'2026-11-20T13:5" in planned.plan.changes[0].script, "a value, not text"
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        requests: list[Any] = lab.do(lambda world: list(world.safety_net.requests))
        assert [(one.by_itself, one.state) for one in requests] == [(True, "Running"), (False, "Completed")]
        assert lab.plan("mail-resubmit", given).plan.nothing


def test_who_answers_is_asked_itself(tmp_path: Path) -> None:
    given: dict[str, Plain] = {"db": "DB01", "lost_server": ["EX2"], "since": "2026-11-20T13:00:00Z"}
    with InnerLab("pa-4x2", tmp_path) as lab:
        with pytest.raises(NotSafe, match="EX2 answers"):
            lab.plan("mail-resubmit", given, until="2026-11-20T14:00:00Z")
        with pytest.raises(BadParameter, match="is not before"):
            lab.plan("mail-resubmit", given, until="2026-11-20T12:00:00Z")
        with pytest.raises(BadParameter):
            lab.plan("mail-resubmit", given, until="20.11.2026 14:00")


def test_the_line_on_mail_flow_names_connectors_and_edges() -> None:
    here = [connector("internet", "EX1", "EX3"), connector("partner", "EX1"), connector("fax", "EX3")]
    edges = [EdgeSubscription(name="EDGE1", site="example.com/Configuration/Sites/AZ1")]
    assert said(here, ["EX1"], edges, {"AZ1"}) == [
        "Send connector partner: every source is lost (EX1)",
        "Send connector internet: sends from EX3 only",
        "Edge EDGE1: its site AZ1 is lost",
    ]
    assert said([connector("fax", "EX3")], ["EX1"], None) == [
        "1 Send connectors, each with a living source",
        "Edge subscriptions could not be read",
    ]
    assert severed(edges, {"AZ2"}) == []
    steps = resubscribe(edges[0], "AZ2")
    assert steps.index("New-EdgeSubscription -FileName") < steps.index("-Site AZ2") < steps.index("Start-Edge")
