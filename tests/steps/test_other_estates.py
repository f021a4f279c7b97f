"""Estates unlike the lab's own: three zones, old versions, two DAGs, names and databases with other letters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_lab import InnerLab

from starover.errors import NotSafe
from starover.steps.assessment import Assessment

ESTATE = """
name: odd
forest: {name: contoso.com, netbios: CONTOSO}
azs: [eu-north-1a, eu-north-1b, eu-north-1c]
sites: [{name: North, az: eu-north-1a}, {name: South, az: eu-north-1b}, {name: West, az: eu-north-1c}]
servers:
  - {name: ndc, roles: [dc], az: eu-north-1a, address: 10.1.0.10}
  - {name: SDC, roles: [dc], az: eu-north-1b, address: 10.2.0.10}
  - {name: mbx-01, roles: [mailbox], az: eu-north-1a, address: 10.1.0.11, os: "2016", exchange: {year: "2016"}}
  - {name: Mbx-02, roles: [mailbox], az: eu-north-1b, address: 10.2.0.11, os: "2016", exchange: {year: "2016"}}
  - {name: MBX-03, roles: [mailbox], az: eu-north-1c, address: 10.3.0.11, os: "2016", exchange: {year: "2016"}}
  - {name: old1, roles: [mailbox], az: eu-north-1a, address: 10.1.0.21, os: "2012R2", exchange: {year: "2013"}}
  - {name: OLD2, roles: [mailbox], az: eu-north-1b, address: 10.2.0.21, os: "2012R2", exchange: {year: "2013"}}
  - {name: Fs, roles: [witness], az: eu-north-1c, address: 10.3.0.20}
dags:
  - {name: Trio, members: [mbx-01, Mbx-02, MBX-03], witness: Fs, witness_directory: 'C:\\Trio W', dac_mode: DagOnly}
  - {name: duo, members: [old1, OLD2], witness: Fs, witness_directory: 'C:\\duo', dac_mode: "Off"}
databases:
  - {name: O’Brien DB, size_gb: 20, copies: [{server: mbx-01}, {server: Mbx-02}, {server: MBX-03}]}
  - {name: Sales & Co, size_gb: 20, copies: [{server: Mbx-02}, {server: MBX-03}, {server: mbx-01}]}
  - {name: alone, size_gb: 5, copies: [{server: MBX-03}]}
  - {name: o’Neil (x) $y, size_gb: 5, copies: [{server: old1}, {server: OLD2}]}
accounts:
  - {name: operator, groups: [Domain Admins, Domain Users], role_groups: [Organization Management]}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    file = tmp_path / "odd.yaml"
    file.write_text(ESTATE, "utf-8")
    with InnerLab(file, tmp_path) as made:
        yield made


def test_names_in_any_case_and_databases_with_any_letters(lab: InnerLab) -> None:
    moved = lab.run("db-switchover", dag="TRIO", db=["o’brien db"], to="MBX-02")
    assert (moved.exit, moved.changed) == (0, 1)
    assert lab.plan("db-switchover", dag="trio", db=["O’Brien DB"], to="mbx-02").plan.nothing
    assert lab.run("db-switchover", dag="DUO", db=["o’neil (X) $Y"], to="old2").changed == 1
    lab.later(120)
    gone = lab.run("server-switchover", dag="duo", server="Old2")
    assert (gone.exit, gone.changed) == (0, 1)
    assert lab.do(lambda world: world.violations()) == []


def test_a_service_is_restarted_on_each_version(lab: InnerLab) -> None:
    for dag, server in (("Trio", "mbx-02"), ("duo", "OLD1")):
        ran = lab.run("service-restart", dag=dag, server=server, service="msexchangerepl")
        assert (ran.exit, ran.changed) == (0, 1), ran.error


def test_a_database_without_a_copy_here_is_not_said_to_be_mountable(lab: InnerLab) -> None:
    assert lab.plan("mount-databases", dag="Trio", db=["ALONE"]).value.verdict == "alone was mounted already."
    lab.do(lambda world: world.fault("az_loss", "1c"))
    before = lab.do(lambda world: world.now)
    lab.later(1800)
    page = lab.plan("az-loss-assess", dag="Trio").value
    assert isinstance(page, Assessment)
    assert (page.answer, page.runbook) == ("mount-databases", ""), "nothing here could mount it"
    assert "No copy of alone" in page.verdict
    assert page.since <= before.isoformat(), "logs of databases that serve say nothing of one that does not"
    with pytest.raises(NotSafe, match="no copy of alone"):
        lab.plan("mount-databases", dag="Trio", db=["Alone", "O’Brien DB"])


def test_a_loss_that_was_asked_about_is_answered(lab: InnerLab) -> None:
    def verdict(*lose: str) -> str:
        return str(lab.plan("quorum-report", dag="trio", lose=[*lose]).value.verdict)

    assert verdict("MBX-01").endswith("losing mbx-01 leaves it its quorum.")
    assert "losing Mbx-02 and MBX-03" in (told := verdict("AZ:eu-north-1C", "mbx-02"))
    assert told.endswith("stops it.")
