"""The domain controller that every Exchange session is pinned to: `--dc`, and `dc:` of a DAG (S-PREFDC)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from inner_lab import InnerLab

from starover import envelope
from starover.errors import BadInventory, BadParameter, RemoteFailure
from starover.estate import Exchange, Server
from starover.render import Body

POLICY = {"servers": ["EX3"], "policy": "IntrasiteOnly"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path) as found:
        yield found


def pins(lab: InnerLab) -> int:
    """How many scripts of those that were sent pin a session."""
    return sum("Set-ADServerSettings" in script.text for script in lab.transport.sent)


def test_the_pinned_controller_learns_of_a_change_first(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("ad_replication_stopped", ""))
    ran = lab.run("dac-mode", dc="DC3", off=True)
    assert ran.exit == 5, "the others never hear of it"
    assert ran.plan.parameters["dc"] == "DC3"
    known = lab.do(lambda world: world.snapshot())["dags"]["DAG1"]["ad"]
    assert {name: one["dac_mode"] for name, one in known.items()} == {"DC1": "DagOnly", "DC2": "DagOnly", "DC3": "Off"}


def test_without_a_pin_nothing_is_said_of_it(lab: InnerLab) -> None:
    ran = lab.run("activation-policy", POLICY)
    assert ran.exit == 0, ran.error
    assert "dc" not in ran.plan.parameters
    assert pins(lab) == 0


def test_undo_and_resume_keep_the_pin(lab: InnerLab) -> None:
    first = lab.run("activation-policy", POLICY, dc="DC3.example.com")
    sent = len(lab.transport.sent)
    undone = lab.apply(lab.local().undo(first.run).plan)
    assert undone.exit == 0, undone.error
    assert all(
        "Set-ADServerSettings" in script.text for script in lab.transport.sent[sent:] if "Exchange" in script.text
    )


def test_a_session_stays_where_it_was_pinned(lab: InnerLab) -> None:
    """Once a session: a run that is pinned elsewhere opens another one."""
    for name in ("DC2", "DC2", "DC3"):
        assert lab.plan("activation-policy", POLICY, dc=name).exit == 0
    texts = [script.text for script in lab.transport.sent]
    assert any("starover-exchange DC2.example.com" in text for text in texts)
    assert any("starover-exchange DC3.example.com" in text for text in texts)


def test_a_controller_that_is_gone_is_said(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("dc_down", "DC3"))
    lab.later(5)
    with pytest.raises(RemoteFailure, match="DC3"):
        lab.plan("activation-policy", POLICY, dc="DC3")


@pytest.mark.parametrize("name", ["DC9", "EX1", "10.0.0.1; x"])
def test_what_is_no_controller_is_refused_before_anybody_is_asked(lab: InnerLab, name: str) -> None:
    with pytest.raises(BadParameter):
        lab.plan("activation-policy", POLICY, dc=name)
    assert lab.transport.sent == []


def test_a_dag_names_its_controller(lab: InnerLab) -> None:
    (dag,) = lab.estate.dags
    lab.estate = msgspec.structs.replace(lab.estate, dags=(msgspec.structs.replace(dag, dc="DC2"),))
    for wanted, given in (("DC2", {}), ("DC1", {"dc": "DC1"})):
        lab.transport.sent.clear()
        assert lab.plan("activation-policy", POLICY, **given).exit == 0
        texts = [script.text for script in lab.transport.sent]
        assert texts
        assert all(f"-PreferredServer '{wanted}.example.com'" in text for text in texts)


def test_a_single_command_without_a_session_cannot_be_pinned() -> None:
    exchange = Exchange(provider="direct", controller="DC2.example.com")
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), credential="env:OPS", exchange=exchange)
    text = "Set-MailboxServer -Identity 'EX1' -DatabaseCopyAutoActivationPolicy 'Blocked' -Confirm:$false"
    body = Body(text=text, sha256="", exchange=("Set-MailboxServer",), single=True)
    with pytest.raises(BadInventory, match="provider: direct"):
        envelope.write(server, body, "6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11", "0123456789abcdef")
