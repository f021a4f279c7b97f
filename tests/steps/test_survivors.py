"""S-PREFDC: sessions of a recovery stay with the surviving domain controller; roles of a lost one are told."""

from __future__ import annotations

from pathlib import Path

from inner_lab import InnerLab

from starover.runbook import Findings


def test_sessions_are_pinned_and_lost_roles_are_told(tmp_path: Path) -> None:
    with InnerLab("aws-2az-nodac", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        planned = lab.plan("force-quorum", lost_server=["ExchangeNode1"])
        sent = len(lab.transport.sent)
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        exchange = [one.text for one in lab.transport.sent[sent:] if one.mutates and "New-PSSession" in one.text]
        assert exchange
        assert all("DC2.example.com" in text and "Set-ADServerSettings" in text for text in exchange)
        assert isinstance(ran.value, Findings)
        (role,) = [one.says for one in ran.value.findings if "PDCEmulator" in one.says]
        assert role.startswith("DC1 is lost and holds SchemaMaster")
        assert "seizing is for a person" in role
