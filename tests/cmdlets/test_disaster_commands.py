"""Quorum by force, nodes evicted and cleared, and a datacenter switchover, typed as on the night."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

NODES = "Get-ClusterNode | ForEach-Object { '{0} {1} {2}' -f $_.Name, $_.State, $_.StatusInformation }"
QUORUM = "$q = Get-ClusterQuorum; '{0} {1}' -f $q.QuorumType, $q.QuorumResource.Name"
WITNESS = "(Get-DatabaseAvailabilityGroup -Identity 'DAG1' -Status).WitnessShareInUse.ToString()"
STOP = "Stop-DatabaseAvailabilityGroup -Identity 'DAG1' -ActiveDirectorySite 'AZ1'"
RECOVERY = (
    "Stop-DatabaseAvailabilityGroup",
    "Restore-DatabaseAvailabilityGroup",
    "Start-DatabaseAvailabilityGroup",
    "Get-DatabaseAvailabilityGroup",
    "Set-DatabaseAvailabilityGroup",
)


def lost(topology: str) -> Estate:
    """An estate two minutes after its first zone went."""
    estate = Estate(topology)
    estate.world.fault("az_loss", "1a")
    estate.pass_time(120)
    return estate


@pytest.fixture
def node2() -> Shell:
    return lost("aws-2az-nodac").open("ExchangeNode2")


def test_the_night_of_the_default_deployment(node2: Shell) -> None:
    told = node2.run("Get-ClusterNode")
    assert told.ids == ["ClusterEndpointNotRegistered,Microsoft.FailoverClusters.PowerShell.GetNodeCommand"]
    assert node2.run("Stop-Service -Name clussvc -Force").ids == []
    told = node2.run("$n = Start-ClusterNode -Name 'ExchangeNode2' -FixQuorum -Wait 120; [string]$n.State")
    assert (told.ids, told.texts) == ([], ["Up"])
    assert 20 <= told.seconds < 60
    assert node2.run("(Get-Cluster).FixQuorum").texts == ["1"]
    assert node2.run(NODES).texts == ["ExchangeNode1 Down Normal", "ExchangeNode2 Up Normal"]
    assert node2.run("Remove-ClusterNode -Name 'ExchangeNode1' -Force -Wait 60").ids == []
    assert node2.run("Set-ClusterQuorum -NodeMajority | ForEach-Object { [string]$_.QuorumType }").texts == [
        "NodeMajority"
    ]
    assert node2.run(NODES).texts == ["ExchangeNode2 Up Normal"]
    assert node2.run("(Get-Cluster).FixQuorum").texts == ["0"]


@pytest.mark.parametrize("switch", ["/forcequorum", "/fq"])
def test_net_start_forces_too(node2: Shell, switch: str) -> None:
    told = node2.run(f"net.exe start clussvc {switch}; $LASTEXITCODE")
    assert told.texts[-1] == "0"
    assert node2.run(NODES).texts[1] == "ExchangeNode2 Up Normal"


def test_a_node_that_may_only_join_waits(node2: Shell) -> None:
    assert node2.run("net.exe start clussvc /pq; $LASTEXITCODE").texts[-1] == "0"
    assert node2.run("[string](Get-Service -Name clussvc).Status").texts == ["Running"]
    assert node2.run("Get-ClusterNode").ids != []


def test_a_disabled_cluster_service_is_not_forced(node2: Shell) -> None:
    node2.run("Stop-Service -Name clussvc -Force; Set-Service -Name clussvc -StartupType Disabled")
    told = node2.run("Start-ClusterNode -Name 'ExchangeNode2' -ForceQuorum -Wait 10")
    assert told.ids == ["ClusterNodeStartFailed,Microsoft.FailoverClusters.PowerShell.StartClusterNodeCommand"]
    assert "CredSSP" in told.warnings[0]
    assert node2.run("net.exe start clussvc /forcequorum; $LASTEXITCODE").texts[-1] == "2"
    assert not any(cluster.quorate for cluster in node2.estate.world.state.clusters)


def test_a_plain_start_without_partners_times_out(node2: Shell) -> None:
    told = node2.run("Start-ClusterNode -Name 'ExchangeNode2' -Wait 30")
    assert told.ids == ["ClusterWaitTimeout,Microsoft.FailoverClusters.PowerShell.StartClusterNodeCommand"]


def test_another_host_is_a_second_hop() -> None:
    shell = Estate().open("EX1")
    told = shell.run("Start-ClusterNode -Name 'EX2' -ForceQuorum")
    assert told.ids[0].startswith("ClusterAccessDenied")
    assert shell.run("Stop-ClusterNode -Name 'EX2' -Confirm:$false").ids[0].startswith("ClusterAccessDenied")
    assert shell.run("[string](Suspend-ClusterNode -Name 'EX2' -Confirm:$false).State").texts == ["Paused"]
    assert shell.run("[string](Resume-ClusterNode -Name 'EX2').State").texts == ["Up"]


def test_a_node_stops_and_is_cleared_and_neither_while_it_is_up() -> None:
    estate = Estate()
    shell = estate.open("EX4")
    assert shell.run("Clear-ClusterNode -Force").ids == [
        "ClusterNodeFailed,Microsoft.FailoverClusters.PowerShell.ClearClusterNodeCommand"
    ]
    assert shell.run("Stop-ClusterNode -Name 'EX4' -Confirm:$false").ids == []
    assert estate.open("EX1").run(NODES).texts[3] == "EX4 Down Normal"
    assert shell.run("Clear-ClusterNode -Force").ids == []
    assert shell.run("[string](Get-Service -Name clussvc).StartType").texts == ["Disabled"]
    assert shell.run("Start-ClusterNode -Name 'EX4' -ForceQuorum").ids[0].startswith("ClusterNodeNotFound")


def test_evicting_asks_first() -> None:
    told = Estate().open("EX1").run("Remove-ClusterNode -Name 'EX4'")
    assert "HostFunctionNotImplemented" in told.ids[0]


def test_a_file_share_by_hand_must_answer() -> None:
    shell = Estate().open("EX1")
    told = shell.run("Set-ClusterQuorum -FileShareWitness '\\\\FSW9\\nothing'")
    assert told.ids[0].startswith("ClusterQuorumFailed")
    assert shell.run(QUORUM).texts == [
        "NodeAndFileShareMajority File Share Witness (\\\\FSW3.example.com\\DAG1.example.com)"
    ]


def test_isolated_and_quarantined_nodes_are_shown() -> None:
    estate = Estate()
    estate.world.fault("link_flap", "1a,1b", n=3)
    estate.pass_time(45)
    shell = estate.open("EX1")
    assert shell.run(NODES).texts[2:] == ["EX3 Up Isolated", "EX4 Up Isolated"]
    estate.pass_time(60)
    assert shell.run(NODES).texts[2:] == ["EX3 Up Normal", "EX4 Up Normal"]
    estate.pass_time(600)
    shown = shell.run(NODES).texts
    assert sorted(line.split()[2] for line in shown) == ["Normal", "Normal", "Normal", "Quarantined"], "one at most"
    name = next(line.split()[0] for line in shown if "Quarantined" in line)
    told = estate.open(name).run(f"[string](Start-ClusterNode -Name '{name}' -ClearQuarantine).StatusInformation")
    assert told.texts == ["Normal"]


# -- a datacenter switchover -----------------------------------------------------------------------------------------


@pytest.fixture
def ex3() -> Shell:
    return lost("pa-4x2-fsw1").exchange(*RECOVERY, host="EX3")


def test_the_datacenter_switchover(ex3: Shell) -> None:
    for host in ("EX3", "EX4"):
        assert ex3.estate.open(host).run("Stop-Service -Name clussvc -Force").ids == []
    told = ex3.run(f"{STOP} -ConfigurationOnly -Confirm:$false")
    assert told.ids == []
    told = ex3.run("Restore-DatabaseAvailabilityGroup -Identity 'DAG1' -ActiveDirectorySite 'AZ2' -Confirm:$false")
    assert (told.ids, told.warnings) == ([], [])
    assert told.seconds > 200
    assert ex3.run(WITNESS).texts == ["Alternate"]
    assert ex3.run(NODES).texts == ["EX3 Up Normal", "EX4 Up Normal"]
    lists = "(Get-DatabaseAvailabilityGroup -Identity 'DAG1').{0} | ForEach-Object {{ [string]$_ }}"
    assert ex3.run(lists.format("StoppedMailboxServers")).texts == ["EX1.example.com", "EX2.example.com"]
    held = ex3.estate.open("FSW2").run("Get-SmbOpenFile | ForEach-Object { $_.ClientUserName }")
    assert held.texts == ["EXAMPLE\\EX3$"]


def test_stopping_the_dead_warns_of_its_log_and_fails(ex3: Shell) -> None:
    told = ex3.run(f"{STOP} -Confirm:$false")
    assert "The RPC server is unavailable" in told.errors[0].message
    assert "_stop-databaseavailabilitygroup.log" in told.warnings[0]


def test_the_prompts_and_the_sets(ex3: Shell) -> None:
    assert "HostFunctionNotImplemented" in ex3.run(STOP).ids[0]
    both = ex3.run(f"{STOP} -MailboxServer 'EX1' -ConfigurationOnly -Confirm:$false")
    assert "AmbiguousParameterSet" in both.ids[0]


def test_nothing_is_restored_before_something_is_stopped(ex3: Shell) -> None:
    told = ex3.run("Restore-DatabaseAvailabilityGroup -Identity 'DAG1' -Confirm:$false")
    assert "StoppedMailboxServers" in told.errors[0].message


def test_without_dac_there_is_no_datacenter_switchover() -> None:
    shell = Estate("aws-2az-nodac").exchange(*RECOVERY, host="ExchangeNode1")
    told = shell.run("Start-DatabaseAvailabilityGroup -Identity 'DAG' -MailboxServer 'ExchangeNode2'")
    assert "only when the DatacenterActivationMode parameter" in told.errors[0].message
    assert "more details in log file" in told.warnings[0]
