"""The files of a database copy and eseutil over them: what is in use, what is missing, what a recovery makes of it."""

from __future__ import annotations

import re

import pytest
from lab_hosts import Estate, Shell

EDB = "D:\\Databases\\DB01\\DB01.edb"
LOGS = "E:\\Databases\\DB01"


@pytest.fixture
def shell(estate: Estate) -> Shell:
    """A session on the host of the lagged copy."""
    return estate.open("EX4")


def _suspend(estate: Estate) -> None:
    estate.world.suspend_copy("DB01", "EX4", "EX4", comment="", activation_only=False)


def _header(shell: Shell) -> tuple[str, int, int]:
    told = "\n".join(shell.run(f"& eseutil.exe '/mh' '{EDB}'").texts)
    state, needed = re.search(r"State: (\w+) Shutdown", told), re.search(r"Log Required: (\d+)-(\d+) \(0x", told)
    assert state is not None, told
    assert needed is not None
    return state[1], int(needed[1]), int(needed[2])


def test_what_replays_is_in_use(estate: Estate, shell: Shell) -> None:
    told = shell.run(f"& eseutil.exe '/mh' '{EDB}'; $LASTEXITCODE").texts
    assert told[-1] == "-1032"
    assert any("JET_errFileAccessDenied" in line for line in told)
    told_of_move = shell.run(f"Move-Item -LiteralPath '{EDB}' -Destination 'D:\\x.edb'")
    assert told_of_move.ids == ["MoveFileInfoItemIOError,Microsoft.PowerShell.Commands.MoveItemCommand"]


def test_logs_moved_aside_are_missing_and_put_back_they_are_there(estate: Estate, shell: Shell) -> None:
    _suspend(estate)
    state, low, high = _header(shell)
    assert (state, high - low) == ("Dirty", 4)
    names = shell.run(f"Get-ChildItem -LiteralPath '{LOGS}' -Filter 'E00*.log' -Name").texts
    after = [name for name in names if int(name[3:11], 16) > high]
    assert len(after) > 1000
    assert names == sorted(names)
    last = f"{LOGS}\\{after[-1]}"
    told = shell.run(
        f"$log = Get-Item -LiteralPath '{last}'; $log.Length; $log.LastWriteTimeUtc -gt [datetime]::UtcNow"
    )
    assert told.texts == ["1048576", "False"]
    shell.run("New-Item -Path 'E:\\aside' -ItemType Directory | Out-Null")
    shell.run(f"Move-Item -LiteralPath '{last}' -Destination 'E:\\aside'")
    assert shell.run(f"Test-Path -LiteralPath '{last}'").texts == ["False"]
    assert estate.world.state.databases["DB01"].copies["EX4"].logs_away == {int(after[-1][3:11], 16)}
    shell.run(f"Move-Item -LiteralPath 'E:\\aside\\{after[-1]}' -Destination '{LOGS}'")
    assert shell.run(f"Test-Path -LiteralPath '{last}'").texts == ["True"]
    assert estate.world.state.databases["DB01"].copies["EX4"].logs_away == set()


def test_a_recovery_plays_what_is_there_and_refuses_a_gap(estate: Estate, shell: Shell) -> None:
    _suspend(estate)
    _, low, high = _header(shell)
    recover = f"& eseutil.exe '/r' 'E00' '/l{LOGS}' '/s{LOGS}' '/a' | Out-Null; $LASTEXITCODE"
    shell.run("New-Item -Path 'E:\\aside' -ItemType Directory | Out-Null")
    for gone, code in ((high + 3, "-528"), (low, "-543")):
        name = f"E00{gone:08X}.log"
        shell.run(f"Move-Item -LiteralPath '{LOGS}\\{name}' -Destination 'E:\\aside'")
        assert shell.run(recover).texts == [code]
        shell.run(f"Move-Item -LiteralPath 'E:\\aside\\{name}' -Destination '{LOGS}'")
    assert shell.run("& eseutil.exe '/r' 'E00' '/l" + LOGS + "' | Out-Null; $LASTEXITCODE").texts == ["-528"]
    assert shell.run(recover).texts == ["0"]
    assert _header(shell) == ("Clean", 0, 0)
    estate.world.resume_copy("DB01", "EX4", "EX4", replication_only=False)
    estate.pass_time(120)
    assert estate.world.state.databases["DB01"].copies["EX4"].status == "FailedAndSuspended"
