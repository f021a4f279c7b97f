"""Cards, addresses, routes, reachability and names of a host, as its cmdlets show and change them."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

ROUTE = "-DestinationPrefix '10.9.0.0/24'"


@pytest.fixture
def bare() -> Estate:
    return Estate("aws-3az-witness")


@pytest.fixture
def host(bare: Estate) -> Shell:
    return bare.open("ExchangeNode1")


def test_cards_and_addresses_are_those_of_the_estate(bare: Estate, host: Shell) -> None:
    server = bare.world.server("ExchangeNode1")
    told = host.run("Get-NetIPAddress -AddressFamily IPv4 -InterfaceAlias 'Ethernet' | ForEach-Object { $_.IPAddress }")
    assert told.texts == [server.address]
    bare.world.fault("nic_down", "ExchangeNode1")
    assert host.run("(Get-NetAdapter -Name 'Ethernet').Status").texts != ["Up"]


@pytest.mark.parametrize(
    "cmdlet", ["Get-NetAdapter -Name", "Get-DnsClient -InterfaceAlias", "Get-NetRoute -InterfaceAlias"]
)
def test_a_card_that_is_not_there(host: Shell, cmdlet: str) -> None:
    name, _, parameter = cmdlet.partition(" -")
    assert host.run(f"{cmdlet} 'Nix'").ids == [f"CmdletizationQuery_NotFound_{parameter},{name}"]
    assert host.run(f"{cmdlet} 'Nix*'").ids == []


def test_a_route_is_made_once_in_both_stores_and_goes_from_both(host: Shell) -> None:
    make = f"New-NetRoute {ROUTE} -InterfaceAlias 'Ethernet' -NextHop '10.0.0.1' | ForEach-Object {{ $_.Store }}"
    assert host.run(make).texts == ["ActiveStore", "PersistentStore"]
    assert host.run(make).ids == ["Windows System Error 5010,New-NetRoute"]
    for store in ("ActiveStore", "PersistentStore"):
        assert host.run(f"(Get-NetRoute {ROUTE} -PolicyStore {store}).NextHop").texts == ["10.0.0.1"]
    assert host.run(f"Remove-NetRoute {ROUTE} -Confirm:$false").ids == []
    assert host.run(f"Get-NetRoute {ROUTE}").ids == ["CmdletizationQuery_NotFound_DestinationPrefix,Get-NetRoute"]


def test_removing_a_route_asks_and_nobody_can_answer(host: Shell) -> None:
    host.run(f"New-NetRoute {ROUTE} -InterfaceAlias 'Ethernet' -NextHop '10.0.0.1'")
    told = host.run(f"Remove-NetRoute {ROUTE}")
    assert told.ids == ["HostFunctionNotImplemented,Remove-NetRoute"]
    assert host.run(f"(Get-NetRoute {ROUTE}).NextHop").texts == ["10.0.0.1"]


def test_settings_of_a_card(host: Shell) -> None:
    told = host.run(
        "Set-DnsClient -InterfaceAlias 'Ethernet' -RegisterThisConnectionsAddress $false; "
        "Disable-NetAdapterBinding -Name 'Ethernet' -ComponentID 'ms_server','ms_msclient'; "
        "(Get-DnsClient -InterfaceAlias 'Ethernet').RegisterThisConnectionsAddress; "
        "Get-NetAdapterBinding -Name 'Ethernet' | Where-Object { -not $_.Enabled } | ForEach-Object { $_.ComponentID }"
    )
    assert told.texts == ["False", "ms_msclient", "ms_server"]
    missing = host.run("Disable-NetAdapterBinding -Name 'Nix' -ComponentID 'ms_server'")
    assert missing.ids == ["CmdletizationQuery_NotFound_Name,Disable-NetAdapterBinding"]


def test_only_objects_of_its_own_go_down_a_pipeline(host: Shell) -> None:
    assert host.run("Get-Item -Path 'C:\\' | Set-NetIPInterface").ids == ["InputObjectNotBound,Set-NetIPInterface"]
    told = host.run("Get-NetIPInterface -InterfaceAlias 'Ethernet' | Set-NetIPInterface -InterfaceMetric 20")
    assert told.ids == []
    metrics = host.run("(Get-NetIPInterface -InterfaceAlias 'Ethernet').InterfaceMetric | Select-Object -Unique")
    assert metrics.texts == ["20"]
    assert host.run("(Get-Process -Name 'services' | Get-Process).Name").texts == ["services"]


def test_a_port_that_answers_and_one_that_does_not(bare: Estate, host: Shell) -> None:
    """SMB is closed on a server without the file server's rules."""
    probe = "Test-NetConnection -ComputerName 'FileServer' -Port {0} -InformationLevel Quiet"
    assert host.run(probe.format(5985)).texts == ["True"]
    assert host.run(probe.format(445)).texts == ["False"]
    opened = bare.open("FileServer").run("Enable-NetFirewallRule -Group '@FirewallAPI.dll,-28502'")
    assert opened.ids == []
    assert host.run(probe.format(445)).texts == ["True"]
    bare.world.fault("host_off", "FileServer")
    told = host.run(probe.format(445))
    assert told.texts == ["False"]
    assert [text.split()[0] for text in told.warnings] == ["TCP", "Ping"]
    assert told.seconds > bare.world.state.tuning.rpc_timeout_s
    assert told.ids == []


def test_what_has_no_name_fails_to_resolve_and_not_to_connect(host: Shell) -> None:
    told = host.run("Test-NetConnection -ComputerName 'nix.example.com' -Port 445")
    assert told.warnings == ["Name resolution of nix.example.com failed"]
    assert told.objects[0].get("NameResolutionSucceeded") is False
    assert host.run("Test-Connection -ComputerName 'nix' -Count 1 -Quiet").texts == ["False"]
    assert host.run("Test-Connection -ComputerName 'nix' -Count 1").ids == [
        "TestConnectionException,Microsoft.PowerShell.Commands.TestConnectionCommand"
    ]


def test_names_have_the_same_error_in_every_language(bare: Estate, host: Shell) -> None:
    fqdn = bare.world.server("ExchangeNode2").fqdn
    found = host.run(f"(Resolve-DnsName -Name '{fqdn}' -Type A).IPAddress")
    assert found.texts == [bare.world.server("ExchangeNode2").address]
    missing = "DNS_ERROR_RCODE_NAME_ERROR,Microsoft.DnsClient.Commands.ResolveDnsName"
    assert host.run("Resolve-DnsName -Name 'nix.example.com'").ids == [missing]
    bare.world.fault("localized", "de-DE")
    assert host.run("Resolve-DnsName -Name 'nix.example.com'").ids == [missing]


def test_a_dns_server_that_is_silent(bare: Estate, host: Shell) -> None:
    bare.world.fault("dns_server_down", "DC1")
    asked = f"Resolve-DnsName -Name '{bare.world.server('ExchangeNode2').fqdn}' -Type A"
    assert host.run(f"({asked}).IPAddress").ids == []
    told = host.run(f"{asked} -Server 'DC1'")
    assert told.ids == ["ERROR_TIMEOUT,Microsoft.DnsClient.Commands.ResolveDnsName"]


# -- DNS servers


@pytest.fixture
def dns(bare: Estate) -> Shell:
    return bare.open("DC1")


ADD = "Add-DnsServerResourceRecordCName -ZoneName 'example.com' -Name 'cas' -HostNameAlias 'a.example.com' "
GET = "Get-DnsServerResourceRecord -ZoneName 'example.com' -Name 'cas' -RRType CName"
SHOW = f"$r = {GET}; $r.RecordData.HostNameAlias + ' ' + [string]$r.TimeToLive"


def test_an_alias_is_made_once_and_excludes_other_records(dns: Shell) -> None:
    assert dns.run(ADD + "-TimeToLive 00:05:00").ids == []
    assert dns.run(SHOW).texts == ["a.example.com. 00:05:00"]
    assert dns.run(ADD.replace("'a.", "'b.")).ids == ["WIN32 9709,Add-DnsServerResourceRecordCName"]
    assert dns.run("Add-DnsServerResourceRecordA -ZoneName 'example.com' -Name 'cas' -IPv4Address '10.0.0.9'").ids == [
        "WIN32 9709,Add-DnsServerResourceRecordA"
    ]


def test_drift_is_mended_with_a_copy_of_the_record(dns: Shell) -> None:
    dns.run(ADD)
    change = (
        f"$old = {GET}; $new = {{0}}; $new.TimeToLive = [timespan]::FromSeconds(60); "
        "$new.RecordData.HostNameAlias = 'b.example.com.'; "
        "Set-DnsServerResourceRecord -ZoneName 'example.com' -OldInputObject $old -NewInputObject $new"
    )
    assert dns.run(change.format("[ciminstance]::new($old)")).ids == []
    assert dns.run(SHOW).texts == ["b.example.com. 00:01:00"]
    dns.run(change.format("[ciminstance]::new($old)").replace("'b.", "'c."))
    assert dns.run(SHOW).texts == ["c.example.com. 00:01:00"]


def test_without_a_copy_the_old_record_is_not_found(dns: Shell) -> None:
    """`$new = $old` changes both: the server has no record like the changed one."""
    dns.run(ADD)
    told = dns.run(
        f"$old = {GET}; $new = $old; $new.RecordData.HostNameAlias = 'b.example.com.'; "
        "Set-DnsServerResourceRecord -ZoneName 'example.com' -OldInputObject $old -NewInputObject $new"
    )
    assert told.ids == ["WIN32 9714,Set-DnsServerResourceRecord"]
    assert dns.run(SHOW).texts[0].startswith("a.example.com.")


@pytest.mark.parametrize(
    ("script", "error_id"),
    [
        ("Get-DnsServerZone -Name 'nix.com'", "WIN32 9601,Get-DnsServerZone"),
        (GET, "WIN32 9714,Get-DnsServerResourceRecord"),
        (ADD.replace("example.com' -Name", "nix.com' -Name"), "WIN32 9601,Add-DnsServerResourceRecordCName"),
        ("Get-DnsServerZone -ComputerName 'DC2'", "WIN32 5,Get-DnsServerZone"),
        (
            "Remove-DnsServerResourceRecord -ZoneName 'example.com' -Name 'DC1' -RRType A",
            "HostFunctionNotImplemented,Remove-DnsServerResourceRecord",
        ),
    ],
)
def test_refusals_of_a_dns_server(dns: Shell, script: str, error_id: str) -> None:
    """A zone or record that is missing, a second hop, a question that nobody can answer."""
    assert dns.run(script).ids == [error_id]


def test_removal_with_force(dns: Shell) -> None:
    dns.run(ADD)
    assert dns.run("Remove-DnsServerResourceRecord -ZoneName 'example.com' -Name 'cas' -RRType CName -Force").ids == []
    assert dns.run(f"{GET} -ErrorAction SilentlyContinue").output == []


def test_a_zone_that_nobody_may_write(bare: Estate, dns: Shell) -> None:
    bare.world.fault("dns_zone_readonly", "example.com")
    assert dns.run(ADD).ids == ["WIN32 5,Add-DnsServerResourceRecordCName"]


def test_another_dc_learns_of_a_record_after_a_while(bare: Estate, dns: Shell) -> None:
    dns.run(ADD)
    other = bare.open("DC2")
    assert other.run(GET).ids == ["WIN32 9714,Get-DnsServerResourceRecord"]
    bare.pass_time(bare.world.state.tuning.ad_inter_site_s + 5)
    assert other.run(SHOW).ids == []
