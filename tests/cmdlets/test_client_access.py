"""What clients are told: virtual directories, Outlook Anywhere, Autodiscover, providers, certificates, bindings."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

KINDS = {
    "Owa": "owa",
    "Ecp": "ecp",
    "WebServices": "EWS",
    "ActiveSync": "Microsoft-Server-ActiveSync",
    "Oab": "OAB",
    "PowerShell": "PowerShell",
}
CMDLETS = (
    *(f"{verb}-{kind}VirtualDirectory" for kind in (*KINDS, "Mapi") for verb in ("Get", "Set")),
    "Get-OutlookAnywhere",
    "Set-OutlookAnywhere",
    "Get-OutlookProvider",
    "Set-OutlookProvider",
    "Get-ClientAccessService",
    "Set-ClientAccessService",
    "Get-ClientAccessServer",
    "Get-OrganizationConfig",
    "Set-OrganizationConfig",
    "Get-TransportConfig",
    "Set-TransportConfig",
    "Get-AuthConfig",
    "Get-ExchangeCertificate",
    "Enable-ExchangeCertificate",
    "Test-OutlookConnectivity",
)
NOTHING = "The command completed successfully but no settings of '{0}' have been modified."
SNAPIN = "Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'; "
OWA = "'EX1\\owa (Default Web Site)'"


@pytest.fixture
def shell(estate: Estate) -> Shell:
    return estate.exchange(*CMDLETS)


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_addresses_of_a_directory(shell: Shell, kind: str, name: str) -> None:
    identity = f"'EX1\\{name} (Default Web Site)'"
    change = (
        f"Set-{kind}VirtualDirectory -Identity {identity} -InternalUrl 'https://mail.example.com/{name}' "
        f"-ExternalUrl 'https://mail.example.com/{name}'"
    )
    assert shell.run(change).ids == []
    told = shell.run(
        f"$v = Get-{kind}VirtualDirectory -Identity {identity}; [string]$v.InternalUrl; $v.ExternalUrl.AbsoluteUri; "
        "$v.InternalUrl.Host; [string]$v.Identity; [string]$v.Server"
    )
    assert told.texts == [f"https://mail.example.com/{name}"] * 2 + ["mail.example.com", identity.strip("'"), "EX1"]
    assert NOTHING.format(identity.strip("'")) in shell.run(change).warnings
    assert shell.run(f"Set-{kind}VirtualDirectory -Identity {identity} -ExternalUrl $null").ids == []
    cleared = shell.run(f"$null -eq (Get-{kind}VirtualDirectory -Server 'EX1' -ADPropertiesOnly).ExternalUrl")
    assert cleared.texts == ["True"]


def test_owa_asks_for_ecp_too(shell: Shell) -> None:
    told = shell.run(f"Set-OwaVirtualDirectory -Identity {OWA} -InternalUrl 'https://mail.example.com/owa'")
    assert ["ECP" in text for text in told.warnings] == [True]


def test_mapi_wants_its_methods_with_its_addresses(shell: Shell) -> None:
    change = (
        "Set-MapiVirtualDirectory -Identity 'EX1\\mapi (Default Web Site)' -InternalUrl 'https://mail.example.com/mapi'"
    )
    assert shell.run(change).ids[0].startswith("ArgumentException,")
    assert shell.run(change + " -IISAuthenticationMethods 'NTLM','Negotiate'").ids == []
    told = shell.run("[string](Get-MapiVirtualDirectory -Server 'EX1').IISAuthenticationMethods")
    assert told.texts == ["Ntlm Negotiate"]
    unknown = shell.run(change + " -IISAuthenticationMethods 'Nix'")
    assert [one.partition(",")[0] for one in unknown.ids] == ["ParameterArgumentTransformationError"]


@pytest.mark.parametrize("identity", ["'Nix\\owa (Default Web Site)'", "'EX1\\nix (Default Web Site)'"])
def test_a_directory_that_is_not_there(shell: Shell, identity: str) -> None:
    for script in (f"Get-OwaVirtualDirectory -Identity {identity}", f"Set-OwaVirtualDirectory -Identity {identity}"):
        assert "ManagementObjectNotFoundException" in shell.run(script).ids[0]


def test_a_dead_server_is_asked_unless_ad_is_enough(estate: Estate, shell: Shell) -> None:
    estate.world.fault("host_off", "EX2")
    told = shell.run("Get-OwaVirtualDirectory -Server 'EX2'")
    assert [one.partition(",")[0] for one in told.ids] == ["IISGeneralCOMException"]
    assert told.seconds >= estate.world.state.tuning.rpc_timeout_s
    known = shell.run("[string](Get-OwaVirtualDirectory -Server 'EX2' -ADPropertiesOnly).InternalUrl")
    assert known.texts[0].startswith("https://")


def test_blank_methods_without_the_web_server(shell: Shell) -> None:
    read = f"[string](Get-OwaVirtualDirectory -Identity {OWA}{{0}}).InternalAuthenticationMethods"
    assert shell.run(read.format("")).texts != [""]
    assert shell.run(read.format(" -ADPropertiesOnly")).texts == [""]


def test_outlook_anywhere(shell: Shell) -> None:
    told = shell.run(
        "Set-OutlookAnywhere -Identity 'EX1\\Rpc (Default Web Site)' -ExternalHostname 'mail.example.com' "
        "-ExternalClientsRequireSsl $true -ExternalClientAuthenticationMethod 'Negotiate' -SSLOffloading $false; "
        "$o = Get-OutlookAnywhere -Server 'EX1'; [string]$o.ExternalHostname; $o.ExternalClientsRequireSsl; "
        "$o.SSLOffloading; [string]$o.ExternalClientAuthenticationMethod"
    )
    assert told.texts == ["mail.example.com", "True", "False", "Negotiate"]


def test_autodiscover(shell: Shell) -> None:
    address = "https://autodiscover.example.com/Autodiscover/Autodiscover.xml"
    told = shell.run(
        f"Set-ClientAccessService -Identity 'EX1' -AutoDiscoverServiceInternalUri '{address}'; "
        "[string](Get-ClientAccessService -Identity 'EX1').AutoDiscoverServiceInternalUri"
    )
    assert told.texts == [address]
    old = shell.run("[string](Get-ClientAccessServer -Identity 'EX1').AutoDiscoverServiceInternalUri")
    assert old.texts == [address]
    assert "Get-ClientAccessService" in old.warnings[0]


def test_the_organization(shell: Shell) -> None:
    told = shell.run(
        "Set-OrganizationConfig -MapiHttpEnabled $false; (Get-OrganizationConfig).MapiHttpEnabled; "
        "Set-TransportConfig -SafetyNetHoldTime 3.00:00:00; [string](Get-TransportConfig).SafetyNetHoldTime; "
        "Set-OutlookProvider -Identity 'EXPR' -CertPrincipalName 'msstd:mail.example.com'; "
        "(Get-OutlookProvider -Identity 'EXPR').CertPrincipalName; "
        "Set-OutlookProvider -Identity 'EXPR' -CertPrincipalName $null; "
        "$null -eq (Get-OutlookProvider -Identity 'EXPR').CertPrincipalName"
    )
    assert told.texts == ["False", "3.00:00:00", "msstd:mail.example.com", "True"]


# -- certificates


PRINT = "ForEach-Object { $_.Thumbprint + '|' + [string]$_.Services + '|' + [string]$_.Status }"


def test_services_and_status_do_not_travel(estate: Estate, shell: Shell) -> None:
    """Over remoting a certificate is only its encoded form (facts/exchange.md point 3)."""
    far = shell.run(f"Get-ExchangeCertificate -Server 'EX1' | {PRINT}").texts
    near = estate.open().run(SNAPIN + f"Get-ExchangeCertificate -Server 'EX1' | {PRINT}").texts
    assert [one.partition("|")[0] for one in far] == [one.partition("|")[0] for one in near]
    assert {one.partition("|")[2] for one in far} == {"|"}
    assert all(one.endswith("|Valid") for one in near)
    assert any("IIS" in one for one in near)
    assert shell.run("(Get-ExchangeCertificate -Server 'EX1')[0].NotAfter -gt [datetime]::UtcNow").texts == ["True"]


def test_the_store_and_the_bindings_agree_with_exchange(estate: Estate) -> None:
    host = estate.open()
    stored = host.run("Get-ChildItem -Path 'Cert:\\LocalMachine\\My' | ForEach-Object { $_.Thumbprint }").texts
    assert stored == host.run(SNAPIN + "(Get-ExchangeCertificate).Thumbprint").texts
    bound = host.run("(Get-WebBinding -Name 'Default Web Site' -Protocol 'https').certificateHash").texts
    web = host.run(SNAPIN + "Get-ExchangeCertificate | Where-Object { [string]$_.Services -like '*IIS*' }").objects
    assert set(bound) <= {str(one.get("Thumbprint")) for one in web}
    assert host.run(f"Test-Path -LiteralPath 'Cert:\\LocalMachine\\My\\{stored[0]}'").texts == ["True"]
    assert estate.open("FSW2").run("Get-WebBinding").ids == ["CommandNotFoundException"]


def test_services_are_added_to_a_certificate(estate: Estate) -> None:
    host = estate.open()
    told = host.run(
        SNAPIN + "$one = Get-ExchangeCertificate | Where-Object { [string]$_.Services -like '*IIS*' } | "
        "Select-Object -Last 1; Enable-ExchangeCertificate -Thumbprint $one.Thumbprint -Services 'SMTP' -Force; "
        "[string](Get-ExchangeCertificate -Thumbprint $one.Thumbprint).Services"
    )
    assert {"IIS", "SMTP"} <= set(told.texts[-1].split(", "))


def test_a_thumbprint_that_no_server_has(shell: Shell) -> None:
    told = shell.run("Get-ExchangeCertificate -Thumbprint '00'")
    assert told.errors[0].message.startswith("A special Rpc error occurs on server EX1")


def test_an_auth_certificate_that_has_expired(estate: Estate, shell: Shell) -> None:
    estate.world.fault("auth_cert_expired", "")
    told = shell.run(
        "$t = (Get-AuthConfig).CurrentCertificateThumbprint; "
        "(Get-ExchangeCertificate -Thumbprint $t).NotAfter -lt [datetime]::UtcNow"
    )
    assert told.texts == ["True"]


def test_a_probe_of_outlook(estate: Estate, shell: Shell) -> None:
    probe = (
        "[string](Test-OutlookConnectivity -ProbeIdentity 'OutlookMapiHttp.Protocol\\OutlookMapiHttpSelfTestProbe' "
        "-RunFromServerId 'EX1').Result"
    )
    assert shell.run(probe).texts == ["Succeeded"]
    estate.world.fault("service_crash", "EX1", service="MSExchangeIS")
    assert shell.run(probe).texts == ["Failed"]


@pytest.mark.parametrize(
    "script",
    [f"Set-OwaVirtualDirectory -Identity {OWA} -DefaultTheme 'x'", "Set-OrganizationConfig -AsyncSendEnabled $false"],
)
def test_what_is_not_simulated_is_refused(shell: Shell, script: str) -> None:
    assert shell.run(script).ids == ["NotSimulated"]
