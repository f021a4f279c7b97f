"""What faults do to Exchange's sessions, its audit and the balancers' checks."""

from __future__ import annotations

from lab_hosts import OPEN, Estate
from starover_lab.cloud.api import Cloud


def opened(estate: Estate) -> tuple[list[str], float]:
    """Ids of the errors and simulated seconds of one import."""
    shell = estate.open()
    told = shell.run(
        OPEN.format(estate.world.server("EX1").fqdn)
        + "; $m = Import-PSSession -Session $s -CommandName 'Get-MailboxDatabase' -DisableNameChecking -AllowClobber"
        " -ErrorAction Stop",
        estate.credential,
    )
    return told.ids, told.seconds


def test_imports_take_long_and_sessions_are_few(estate: Estate) -> None:
    ids, before = opened(estate)
    assert ids == []
    slow = estate.world.fault("import_slow", seconds=60)
    assert opened(estate)[1] >= before + 60
    estate.world.mend(slow)
    assert opened(estate)[1] < before + 60
    estate.world.fault("exchange_session_limit", limit=1)
    assert opened(estate)[0] != [], "there are more sessions than that already"


def test_an_audit_log_that_is_off_keeps_nothing(estate: Estate) -> None:
    shell = estate.exchange("Set-MailboxServer")
    off = estate.world.fault("audit_off")
    shell.run("Set-MailboxServer -Identity 'EX1' -MaximumActiveDatabases 9 -Confirm:$false")
    assert [one.cmdlet for one in estate.world.state.audit] == []
    estate.world.mend(off)
    shell.run("Set-MailboxServer -Identity 'EX1' -MaximumActiveDatabases 8 -Confirm:$false")
    assert [one.cmdlet for one in estate.world.state.audit] == ["Set-MailboxServer"]


def test_a_target_that_no_check_reaches_is_unhealthy_after_three(estate: Estate) -> None:
    cloud = Cloud(estate.world)
    estate.pass_time(300)
    group = cloud.call("elbv2", "describe_target_groups", {})["TargetGroups"][0]["TargetGroupArn"]  # type: ignore[index,call-overload]
    broken = estate.world.fault("elb_target_unhealthy", "EX3")
    estate.pass_time(120)

    def unhealthy() -> int:
        told = cloud.call("elbv2", "describe_target_health", {"TargetGroupArn": group})
        return sum(one["TargetHealth"]["State"] == "unhealthy" for one in told["TargetHealthDescriptions"])  # type: ignore[index,call-overload,union-attr]

    assert unhealthy() == 1
    estate.world.mend(broken)
    estate.pass_time(120)
    assert unhealthy() == 0
