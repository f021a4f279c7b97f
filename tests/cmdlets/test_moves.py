"""Moving databases, requesting mail again, asking whether a database answers: what the cmdlets take, do and say."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

from starover.remote_errors import ErrorRecord, classify

MOVE = "Move-ActiveMailboxDatabase"


@pytest.fixture
def shell(estate: Estate) -> Shell:
    return estate.exchange(
        MOVE, "Mount-Database", "Dismount-Database", "Test-MAPIConnectivity", "Add-ResubmitRequest",
        "Get-ResubmitRequest", "Suspend-MailboxDatabaseCopy", "Update-MailboxDatabaseCopy",
        "Get-MailboxDatabaseCopyStatus", "Resume-MailboxDatabaseCopy",
    )  # fmt: skip


def cause(shell: Shell, script: str) -> str:
    """What the product takes the script's one error for."""
    (error,) = shell.run(script).errors
    record = ErrorRecord(
        message=error.message, fqid=error.fqid, type=error.exception.type_name, category=error.category
    )
    return classify(record).cause


def test_a_move_ends_when_it_is_mounted_and_says_what_happened(estate: Estate, shell: Shell) -> None:
    told = shell.run(f"{MOVE} -Identity 'DB01' -ActivateOnServer 'EX3' -MoveComment 'T-1' -Confirm:$false")
    assert told.ids == []
    (result,) = told.objects
    shown = {name: str(result.get(name)) for name in ("Identity", "ActiveServerAtStart", "ActiveServerAtEnd")}
    assert shown == {"Identity": "DB01", "ActiveServerAtStart": "ex1", "ActiveServerAtEnd": "ex3"}
    assert told.seconds >= estate.world.state.tuning.switchover_s
    database = estate.world.database("DB01")
    assert (database.active, database.state) == ("EX3", "Mounted")
    script = f"$r = {MOVE} -Identity 'DB01' -ActivateOnServer 'EX3' -Confirm:$false; [string]$r.Status"
    assert shell.run(script).texts == ["SkippedAlreadyActive"]


def test_what_forbids_a_move_by_hand_is_said_so_that_it_is_understood(estate: Estate, shell: Shell) -> None:
    world = estate.world
    move = f"{MOVE} -Identity 'DB01' -ActivateOnServer '{{}}' -Confirm:$false{{}}".format
    assert cause(shell, move("EX4", "")) == "activation-blocked"
    assert cause(shell, move("EX4", " -SkipHealthChecks")) == "queue-long"
    world.fault("copy_failed", "DB01/EX3")
    assert cause(shell, move("EX3", "")) == "copy-unhealthy"
    world.mend()
    estate.pass_time(60)
    world.fault("ha_component_offline", "EX3")
    assert cause(shell, move("EX3", "")) == "component-offline"
    world.mend()
    world.set_activation("EX3", "EX1", max_active=1)
    assert cause(shell, move("EX3", "")) == "activation-blocked"
    assert shell.run(move("EX3", " -SkipMaximumActiveDatabasesChecks")).ids == []
    world.fault("host_off", "EX2")
    assert cause(shell, move("EX2", "")) == "replication-service-down"
    assert world.database("DB01").active == "EX3"


def test_a_stale_index_needs_its_own_switch_where_copies_have_one() -> None:
    estate = Estate("rep-net-2013")
    shell = estate.exchange(MOVE, host="MBX1")
    estate.world.fault("ci_failed", "DB21/MBX2")
    move = f"{MOVE} -Identity 'DB21' -ActivateOnServer 'MBX2' -Confirm:$false"
    assert cause(shell, move) == "catalog-unhealthy"
    assert shell.run(f"{move} -SkipClientExperienceChecks").ids == []


def test_too_many_moves_in_an_hour_are_suppressed_unless_it_is_said(estate: Estate, shell: Shell) -> None:
    for server in ("EX3", "EX1", "EX3"):
        assert shell.run(f"{MOVE} -Identity 'DB01' -ActivateOnServer '{server}' -Confirm:$false").ids == []
        estate.pass_time(60)
    again = f"{MOVE} -Identity 'DB01' -ActivateOnServer 'EX1' -Confirm:$false"
    (error,) = shell.run(again).errors
    assert "3 moves have happened within 01:00:00" in error.message
    assert cause(shell, again) == "move-suppressed"
    assert shell.run(f"{again} -SkipMoveSuppressionChecks").ids == []


def test_a_source_of_a_seed_is_left_where_it_is(shell: Shell) -> None:
    script = (
        "Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX2' -Confirm:$false; Update-MailboxDatabaseCopy -Identity "
        "'DB01\\EX2' -DeleteExistingFiles -BeginSeed -Confirm:$false"
    )
    assert shell.run(script).ids == []
    assert cause(shell, f"{MOVE} -Identity 'DB01' -ActivateOnServer 'EX3' -Confirm:$false") == "seeding-source"
    move = f"{MOVE} -Identity 'DB01' -ActivateOnServer 'EX3' -SkipActiveCopyChecks -Confirm:$false"
    assert shell.run(move).ids == []


def test_a_server_is_emptied_wholly_or_not_at_all(estate: Estate, shell: Shell) -> None:
    world = estate.world
    for server in ("EX2", "EX3"):
        world.suspend_copy("DB01", server, "EX1", activation_only=True)
    world.set_activation("EX1", "EX1", policy="Unrestricted")
    world.move_active("DB02", "EX1", target="EX1")
    estate.pass_time(60)
    told = shell.run(f"{MOVE} -Server 'EX1' -MoveAllDatabasesOrNone -Confirm:$false")
    assert (len(told.errors), world.database("DB02").active) == (1, "EX1")
    told = shell.run(f"{MOVE} -Server 'EX1' -Confirm:$false")
    assert [str(one.get("Identity")) for one in told.objects] == ["DB02"]
    assert world.database("DB01").active == "EX1", "a switchover without a target leaves it mounted"
    assert world.database("DB02").active == "EX2"


def test_what_prefers_a_server_comes_home(estate: Estate, shell: Shell) -> None:
    shell.run(f"{MOVE} -Identity 'DB01' -ActivateOnServer 'EX3' -Confirm:$false")
    estate.pass_time(60)
    told = shell.run(f"{MOVE} -ActivatePreferredOnServer 'EX1' -Confirm:$false")
    assert [str(one.get("Identity")) for one in told.objects] == ["DB01"]
    assert estate.world.database("DB01").active == "EX1"


def test_a_lagged_copy_goes_the_documented_way(estate: Estate, shell: Shell) -> None:
    world = estate.world
    world.resume_copy("DB01", "EX4", "EX1")
    script = (
        "Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX4' -Confirm:$false; "
        f"{MOVE} -Identity 'DB01' -ActivateOnServer 'EX4' -SkipLagChecks -Confirm:$false"
    )
    told = shell.run(script)
    assert told.ids == []
    queue = 7 * 86_400 / 60 * 3
    assert told.seconds > queue / world.state.tuning.replay_logs_per_s, "the whole lag queue is replayed first"
    assert (world.database("DB01").active, world.violations()) == ("EX4", [])


def test_without_agreement_nothing_is_mounted_not_even_by_force(estate: Estate, shell: Shell) -> None:
    world = estate.world
    shell.run("Dismount-Database -Identity 'DB01' -Confirm:$false")
    exchange = world.server("EX1").exchange
    assert exchange is not None
    world.fault("partition", "EX1|EX2,EX3,EX4")
    exchange.dacp_bit = 0
    world.mend()
    exchange.dacp_bit = 0
    for switch in ("", " -Force", " -AcceptDataLoss"):
        assert cause(shell, f"Mount-Database -Identity 'DB01'{switch} -Confirm:$false") == "dac-not-agreed"


def test_mapi_connectivity_follows_the_store(estate: Estate, shell: Shell) -> None:
    ask = "Test-MAPIConnectivity -Database 'DB02' | ForEach-Object { [string]$_.Result }"
    assert shell.run(ask).texts == ["Success"]
    shell.run("Dismount-Database -Identity 'DB02' -Confirm:$false")
    assert shell.run(ask).texts == ["*FAILURE*"]
    assert len(shell.run("Test-MAPIConnectivity -Server 'EX3'").objects) == 1


def test_mail_is_requested_again(estate: Estate, shell: Shell) -> None:
    guid = estate.world.database("DB01").guid
    times = "-StartTime ([datetime]::UtcNow).AddHours(-2) -EndTime ([datetime]::UtcNow).AddMinutes(-5)"
    script = f"$r = Add-ResubmitRequest -Destination '{guid}' {times} -Confirm:$false; [string]$r.State"
    assert shell.run(script).texts == ["Running"]
    estate.pass_time(600)
    estate.sessions.registry.exchange[0].used = estate.world.now
    assert shell.run("Get-ResubmitRequest -Server 'EX1' | ForEach-Object { [string]$_.State }").texts == ["Completed"]
    (twice,) = [one for one in estate.world.events if one.kind == "duplicates"]
    assert isinstance(twice.data["messages"], int)
    assert twice.data["messages"] > 0
    future = "-StartTime ([datetime]::UtcNow).AddHours(-2) -EndTime ([datetime]::UtcNow).AddHours(2)"
    assert cause(shell, f"Add-ResubmitRequest -Destination '{guid}' {future} -Confirm:$false") == "bad-value"


def test_a_seed_that_stands_still_can_be_cancelled(estate: Estate, shell: Shell) -> None:
    estate.world.fault("seed_stall", "DB01/EX3")
    seed = "Update-MailboxDatabaseCopy -Identity 'DB01\\EX3'"
    script = f"Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX3' -Confirm:$false; {seed} -DeleteExistingFiles"
    assert shell.run(f"{script} -BeginSeed -Confirm:$false").ids == []
    estate.pass_time(120)
    assert shell.run(f"{seed} -CancelSeed -Confirm:$false").ids == []
    status = shell.run("[string](Get-MailboxDatabaseCopyStatus -Identity 'DB01\\EX3').Status").texts
    assert status == ["Suspended"]
    estate.world.mend()
    assert shell.run(f"{seed} -BeginSeed -Confirm:$false").ids == []
    estate.pass_time(7200)
    assert estate.world.copy_view("DB01", "EX3", "EX1").status == "Healthy"


def test_who_waits_for_a_seed_learns_that_somebody_cancelled_it(estate: Estate, shell: Shell) -> None:
    world = estate.world
    world.fault("seed_stall", "DB01/EX3")
    world.suspend_copy("DB01", "EX3", "EX1")
    world.scheduler.after(600, lambda: world.cancel_seed("DB01", "EX3", "EX1"))
    told = shell.run("Update-MailboxDatabaseCopy -Identity 'DB01\\EX3' -DeleteExistingFiles -Confirm:$false")
    assert "was cancelled" in told.errors[0].message
    assert told.seconds == pytest.approx(600, abs=60)
