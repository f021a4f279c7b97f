"""Command metadata as pypsrp asks for it, of both kinds of sessions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypsrp.complex_objects import CommandType
from pypsrp.powershell import RunspacePool
from pypsrp.wsman import WSMan
from wire_lab import EstateLab

pytestmark = pytest.mark.wire


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EstateLab]:
    with EstateLab(tmp_path) as running:
        yield running


def client(lab: EstateLab, path: str = "wsman") -> WSMan:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WSMan(
            "127.0.0.1",
            port=lab.host.http.port,
            ssl=False,
            auth="negotiate",
            username=lab.user.down_level,
            password=lab.user.password,
            path=path,
            no_proxy=True,
        )


def test_the_commands_of_a_plain_session(lab: EstateLab) -> None:
    with client(lab) as connection, RunspacePool(connection) as pool:
        (service,) = pool.get_command_metadata("Get-Service")
        assert (service.name, service.command_type.value) == ("Get-Service", CommandType.CMDLET)
        assert service.namespace == "Microsoft.PowerShell.Management"
        name = service.parameters["Name"]
        assert (name.name, name.parameter_type, name.switch_parameter) == ("Name", "System.String[]", False)
        assert service.parameters["Verbose"].switch_parameter
        assert service.parameters["Verbose"].aliases == ["vb"]
        several = pool.get_command_metadata(["*-ClusterNode", "Get-Date"])
        names = {one.name for one in several}
        assert {"Get-ClusterNode", "Suspend-ClusterNode", "Get-Date"} <= names
        assert pool.get_command_metadata("Get-MailboxDatabase") == []
        assert pool.get_command_metadata("Get-Service", command_types=CommandType.FUNCTION) == []
        modules = pool.get_command_metadata("Get-*", namespace=["FailoverClusters"])
        assert {one.namespace for one in modules} == {"FailoverClusters"}


def test_the_commands_of_an_exchange_session(lab: EstateLab) -> None:
    exchange = {"configuration_name": "Microsoft.Exchange"}
    with client(lab, "powershell") as connection, RunspacePool(connection, **exchange) as pool:
        (status,) = pool.get_command_metadata("Get-MailboxDatabaseCopyStatus")
        assert "Identity" in status.parameters
        (move,) = pool.get_command_metadata("Move-ActiveMailboxDatabase")
        assert move.parameters["WhatIf"].switch_parameter
        assert pool.get_command_metadata("Get-Service") == []
