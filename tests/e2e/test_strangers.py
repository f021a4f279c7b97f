"""Clients that know nothing of starover, unmodified, against a lab as its `lab.json` describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import winrm
from lab_cli import lab
from pypsrp.client import Client
from pypsrp.complex_objects import PSCredential
from pypsrp.exceptions import AuthenticationError, WinRMError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

pytestmark = pytest.mark.wire
STATUS = "Get-MailboxDatabaseCopyStatus"
LOGONS = [("negotiate", False), ("ntlm", False), ("negotiate", True), ("ntlm", True), ("basic", True)]


class Described:
    """A lab, as any program learns of it."""

    def __init__(self, about: dict[str, Any], authority: str) -> None:
        self.about = about
        self.authority = authority
        self.user: str = about["users"][0]["name"]
        self.password: str = about["users"][0]["password"]

    def host(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.about["hosts"] if one["name"] == name)
        return found

    def line(self, name: str, *, auth: str = "negotiate", tls: bool = False, **others: Any) -> dict[str, Any]:
        """What pypsrp needs to reach a host."""
        host = self.host(name)
        return {
            "server": host["address"],
            "port": host["https_port" if tls else "http_port"],
            "ssl": tls,
            "cert_validation": self.authority if tls else False,
            "auth": auth,
            "username": self.user,
            "password": self.password,
            "no_proxy": True,
            **others,
        }


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    with lab(tmp_path_factory.mktemp("strangers"), "pa-4x2") as place:
        folder = place.folder / ".starover" / "lab"
        yield Described(json.loads((folder / "lab.json").read_text("utf-8")), str(folder / "ca.pem"))
        assert place.writes() == []


def ids(shell: PowerShell) -> list[str]:
    return [str(error.fq_error) for error in shell.streams.error]


@pytest.mark.parametrize(("auth", "tls"), LOGONS, ids=lambda one: str(one))
def test_pypsrp_logs_on_in_every_way_and_reads_a_service(described: Described, auth: str, tls: bool) -> None:
    with Client(**described.line("EX1", auth=auth, tls=tls)) as client:
        output, streams, failed = client.execute_ps("(Get-Service -Name clussvc).Status; $env:COMPUTERNAME")
    assert not failed, [str(one) for one in streams.error]
    assert output.split() == ["Running", "EX1"]


def test_a_wrong_password_is_refused(described: Described) -> None:
    with Client(**described.line("EX1", password="wrong")) as client, pytest.raises(AuthenticationError):
        client.execute_ps("1")


def test_the_engine_says_what_it_is(described: Described) -> None:
    script = (
        "[PSCustomObject]@{ version = [string]$PSVersionTable.PSVersion; edition = $PSVersionTable.PSEdition } "
        "| ConvertTo-Json -Compress"
    )
    with Client(**described.line("EX1")) as client:
        output, streams, failed = client.execute_ps(script)
    assert not failed, [str(one) for one in streams.error]
    assert json.loads(output)["version"].startswith("5.1")
    assert json.loads(output)["edition"] == "Desktop"


def test_a_plain_session_has_no_exchange(described: Described) -> None:
    with RunspacePool(WSMan(**described.line("EX1"))) as pool:
        shell = PowerShell(pool).add_script(f"{STATUS} -Identity 'DB01'")
        assert list(shell.invoke()) == []
        assert ids(shell) == ["CommandNotFoundException"]


def test_the_exchange_endpoint_takes_cmdlets_and_no_scripts(described: Described) -> None:
    line = described.line("EX1", path="PowerShell")
    with RunspacePool(WSMan(**line), configuration_name="Microsoft.Exchange") as pool:
        shell = PowerShell(pool).add_cmdlet(STATUS).add_parameter("Identity", "DB01\\EX3")
        (found,) = shell.invoke()
        assert str(found.adapted_properties["Status"]) == "Healthy"
        script = PowerShell(pool).add_script(f"{STATUS} -Identity 'DB01\\EX3'")
        script.invoke()
        assert ids(script) == ["ScriptsNotAllowed"]
        plain = PowerShell(pool).add_cmdlet("Get-Service")
        plain.invoke()
        assert ids(plain) == ["CommandNotFoundException"]


OPEN = "param($c) $s = New-PSSession -ConfigurationName Microsoft.Exchange -ConnectionUri http://{}/PowerShell/"


def failure_of(shell: PowerShell) -> str:
    """What a script failed with, terminating or not."""
    try:
        shell.invoke()
    except WinRMError as error:
        return str(error)
    return " ".join(str(one) for one in shell.streams.error)


def test_a_network_logon_has_no_second_hop_but_a_credential_has(described: Described) -> None:
    with RunspacePool(WSMan(**described.line("EX1"))) as pool:
        naked = PowerShell(pool).add_script(
            OPEN.format("EX2.example.com") + " -Authentication Kerberos -ErrorAction Stop"
        )
        said = failure_of(naked.add_argument(None))
        assert "ex2.example.com" in said
        assert "Access is denied" in said
        share = PowerShell(pool).add_script(r"Test-Path -LiteralPath '\\FSW3.example.com\C$'")
        assert list(share.invoke()) != [True]
        pool.exchange_keys()
        shell = PowerShell(pool).add_script(
            OPEN.format("EX2.example.com")
            + " -Authentication Kerberos -Credential $c -ErrorAction Stop; "
            + f"$m = Import-PSSession -Session $s -CommandName '{STATUS}' -AllowClobber; "
            "Import-Module -ModuleInfo $m -Global; "
            f"[string]({STATUS} -Identity 'DB01\\EX3').Status; Remove-PSSession -Session $s"
        )
        shell.add_argument(PSCredential(username=described.user, password=described.password))
        assert list(shell.invoke()) == ["Healthy"], ids(shell)


@pytest.mark.parametrize(("transport", "tls"), [("ntlm", False), ("ntlm", True), ("basic", True)])
def test_pywinrm_logs_on(described: Described, transport: str, tls: bool) -> None:
    host = described.host("EX1")
    scheme, port = ("https", host["https_port"]) if tls else ("http", host["http_port"])
    session = winrm.Session(
        f"{scheme}://{host['address']}:{port}/wsman",
        auth=(described.user, described.password),
        transport=transport,
        ca_trust_path=described.authority,
        message_encryption="auto",
    )
    answer = session.run_ps("$env:COMPUTERNAME")
    assert answer.std_out.decode().strip() == "EX1"
    assert answer.status_code == 0


def test_twenty_clients_at_once_are_served(described: Described) -> None:
    clients = [Client(**described.line(f"EX{1 + number % 4}")) for number in range(20)]
    try:
        said = [client.execute_ps(f"{number}; Start-Sleep -Seconds 30")[0] for number, client in enumerate(clients)]
    finally:
        for client in clients:
            client.close()
    assert [int(one) for one in said] == list(range(20))
