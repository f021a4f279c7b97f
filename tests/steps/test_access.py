"""access-check in a lab without wires: everything opens, and whatever does not is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from inner_lab import InnerLab
from starover_cli.cmd_doctor import not_elevated
from starover_lab.powershell import session

from starover.errors import BadParameter
from starover.estate import Server
from starover.rights import needed, rights_template
from starover.runbook import Finding, Findings
from starover.steps.access import ALL, Hello, Hosts, skew


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path) as made:
        yield made


def looked(lab: InnerLab, **given: str | bool) -> dict[tuple[str, str], Finding]:
    value = lab.plan("access-check", given).value
    assert isinstance(value, Findings)
    return {(one.on, one.check): one for one in value.findings}


def wrong(found: dict[tuple[str, str], Finding]) -> dict[tuple[str, str], str]:
    return {key: one.says for key, one in found.items() if one.level != "ok"}


def test_in_a_whole_estate_everything_opens(lab: InnerLab) -> None:
    before = lab.do(lambda world: len(world.state.audit))
    found = looked(lab, aws=False)
    assert wrong(found) == {}
    assert {check for on, check in found if on == "EX1"} == {"hello", "clock", "exchange", "cmdlets", "cluster"}
    assert {check for on, check in found if on == "DC1"} == {"hello", "clock", "dns read", "dns write"}
    assert {check for on, check in found if on == "FSW3"} == {"hello", "clock"}
    assert lab.do(lambda world: len(world.state.audit)) == before


def test_a_missing_right_is_named(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("rbac_missing", "Set-MailboxServer"))
    lab.do(lambda world: world.fault("winrm_refused", "EX2"))
    found = wrong(looked(lab, hosts="EX1,EX2", aws=False))
    assert found[("EX1", "cmdlets")] == "RBAC gives no Set-MailboxServer"
    assert "does not answer" in found[("EX2", "hello")]
    assert set(found) == {("EX1", "cmdlets"), ("EX2", "hello")}


def test_a_missing_parameter_is_named(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("rbac_missing", "Suspend-MailboxDatabaseCopy -ActivationOnly"))
    found = wrong(looked(lab, hosts="EX1", aws=False))
    assert found == {("EX1", "cmdlets"): "RBAC gives no Suspend-MailboxDatabaseCopy -ActivationOnly"}


def test_aws_says_what_it_would_allow(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("aws_error", "stop_instances", code="UnauthorizedOperation"))
    found = looked(lab, hosts="EX1")
    assert found["EX1", "aws stop"].says == "AWS refuses stop_instances: UnauthorizedOperation"
    assert lab.do(lambda world: world.server("EX1").power) == "on"


def test_hosts_are_named_once_for_all() -> None:
    assert Hosts.parse("all") == ALL
    assert str(Hosts.parse("EX1, EX2")) == "EX1,EX2"
    with pytest.raises(BadParameter):
        Hosts.parse("EX1,,")


def test_a_clock_that_is_off_is_told() -> None:
    now = datetime(2026, 3, 7, 22, tzinfo=UTC)

    def heard(name: str, seconds: float) -> tuple[Server, Hello]:
        told = Hello(name=name, version="5.1", edition="Desktop", user="x", utc=now + timedelta(seconds=seconds))
        return Server(name=name, fqdn=f"{name}.example.com", roles=("dc",)), told

    found = skew([heard("A", 0), heard("B", 3), heard("C", -90), heard("D", 280), heard("E", 1)])
    assert [(one.on, one.level) for one in found] == [
        ("A", "ok"),
        ("B", "ok"),
        ("C", "warn"),
        ("D", "fail"),
        ("E", "ok"),
    ]
    assert found[3].says == "279 s ahead of the middle of 5 hosts"
    assert skew([]) == []


def test_what_a_home_of_ones_own_needs_is_looked_for() -> None:
    templates = {
        "a.ps1.j2": "# exchange: Get-Thing, Set-Thing\n$x = Get-Thing -Identity {{ one }} -ErrorAction Stop\n"
        "if ($x) { Set-Thing -Name 'a -Not' -Value $x -Confirm:$false }\n",
        "b.ps1.j2": "Get-Thing -Other 1\n",
    }
    assert needed(templates) == {"Get-Thing": ("Identity",), "Set-Thing": ("Name", "Value")}
    assert "'Set-Thing' = @('Name', 'Value')" in rights_template(templates)


def test_a_session_that_is_not_elevated_is_told(lab: InnerLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session._Site, "is_administrator", lambda _: False)
    found = looked(lab, hosts="FSW3", aws=False)
    assert found["FSW3", "hello"].level == "ok", "the host answers"
    told = not_elevated(found["FSW3", "hello"], tmp_path)
    assert told.level == "fail"
    assert "not elevated" in told.says


@pytest.mark.parametrize("roads", [("ssm",), ("psrp", "ssm")])
def test_everything_opens_by_run_command_too(tmp_path: Path, roads: tuple[str, ...]) -> None:
    with InnerLab("pa-4x2", tmp_path, roads=roads) as lab:
        found = looked(lab, hosts="EX1,DC1,FSW3", aws=False)
        assert wrong(found) == {}
        assert {check for on, check in found if on == "EX1"} >= {"hello", "exchange", "cmdlets", "cluster"}
        who = "SYSTEM" if roads == ("ssm",) else "operator"
        assert who.casefold() in found["EX1", "hello"].says.casefold() or "EX1$" in found["EX1", "hello"].says
