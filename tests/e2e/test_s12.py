"""Scenario S12 over the real wires: a member out of service and back as it was, and mail that does not leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from lab_cli import Place, lab, seldom

pytestmark = pytest.mark.wire

START = ("run", "maintenance-start", "--server", "EX1", "--redirect-to", "EX2", "--yes")
STOP = ("run", "maintenance-stop", "--server", "EX1", "--yes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("s12"), "pa-4x2") as made:
        yield made


def member(place: Place) -> dict[str, Any]:
    """All of EX1 that must come back."""
    state = place.state()
    exchange = state["servers"]["EX1"]["exchange"]
    return {
        "policy": exchange["activation_policy"],
        "components": {
            name: {who: wish for who, wish in held.items() if wish != "Active"}
            for name, held in exchange["components"].items()
            if any(wish != "Active" for wish in held.values())
        },
        "node": node(state),
        "blocks": {
            name: (one["copies"]["EX1"]["activation_suspended"], one["copies"]["EX1"]["comment"])
            for name, one in state["databases"].items()
        },
    }


def node(state: Any) -> str:
    nodes = state["dags"]["DAG1"]["cluster"]["nodes"]
    found: str = nodes["EX1"]["state"]
    return found


def targets(place: Place) -> set[str]:
    """Who is behind the balancer, by its own API."""
    about = json.loads((place.folder / ".starover" / "lab" / "lab.json").read_text("utf-8"))["aws"]
    session: Any = boto3.Session("any", "thing", region_name=about["region"])  # type: ignore[misc]
    elb = session.client("elbv2", endpoint_url=about["url"])
    try:
        (group,) = elb.describe_target_groups(Names=["ExchangeNodes"])["TargetGroups"]
        found = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    finally:
        elb.close()
    return {one["Target"]["Id"] for one in found if one["TargetHealth"]["State"] == "healthy"}


def waiting(place: Place) -> int:
    queues = place.state()["servers"]["EX1"]["exchange"]["queues"]
    return sum(count for name, count in queues.items() if not name.casefold().startswith("shadow"))


def test_out_of_service_and_back_as_it_was(place: Place) -> None:
    before = member(place)
    assert before["blocks"]["DB04"][0], "lagged and barred"
    place.ok(*START)
    state = place.state()
    assert state["databases"]["DB01"]["active"] == "EX3", "preference 2"
    assert node(state) == "Paused"
    assert state["dags"]["DAG1"]["cluster"]["primary_active_manager"] != "EX1"
    assert member(place)["policy"] == "Blocked"
    assert waiting(place) == 0
    assert targets(place) == {"i-0ex2", "i-0ex3", "i-0ex4"}, "the balancer has let it go"
    writes = place.writes()
    assert "Nothing to do" in place.ok(*START).out
    second = place.type("run", "maintenance-start", "--server", "EX2", "--yes")
    assert second.code == 4
    assert "G-SINGLE" in second.out + second.err
    assert place.writes() == writes

    place.ok(*STOP)
    assert member(place) == before
    assert "i-0ex1" in targets(place)
    assert "Nothing to do" in place.ok(*STOP).out
    assert place.state()["violations"] == []
    place.ok("audit", "verify")


@pytest.mark.parametrize(("messages", "code"), [(20, 0), pytest.param(80, 5, marks=seldom)])
def test_mail_that_does_not_leave(place: Place, messages: int, code: int) -> None:
    before = member(place)
    place.ok("lab", "break", "queue_stuck", "EX1", f"messages={messages}")
    typed = place.type(*START)
    said = " ".join((typed.out + typed.err).split())
    assert typed.code == code, said
    out = member(place)
    assert (out["policy"], out["node"]) == ("Blocked", "Paused"), "maintenance is never undone for a queue"
    assert ("ServerWideOffline" in out["components"]) is (code == 0)
    if code:
        assert "at most 50 messages left in the queues of EX1" in said
    else:
        assert "Nothing to do" in place.ok(*START).out
    place.calm()
    place.ok(*STOP)
    assert member(place) == before
