"""What a plain session brings along, and how it ends."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Told
from starover_lab.wire.endpoint import Command, Pipeline


@pytest.mark.parametrize(
    ("os", "wanted"),
    [("2012R2", "5.1.14409.1005"), ("2016", "5.1.14393.1"), ("2019", "5.1.17763.1"), ("2025", "5.1.26100.1")],
)
def test_powershell_tells_the_build_of_its_host(os: str, wanted: str) -> None:
    estate = Estate()
    estate.world.server("EX1").os = os
    script = "[string]$PSVersionTable.PSVersion; [string]$Host.Version; [string]$PSVersionTable.PSCompatibleVersions[5]"
    assert estate.open().run(script).texts == [wanted] * 3


def test_a_script_that_exits_tells_its_code(estate: Estate) -> None:
    shell = estate.open()
    codes: list[int | None] = []
    told = Told()

    def body() -> None:
        for script in ("exit 3", "'x'", "exit"):
            pipeline = Pipeline(commands=(Command(text=script, is_script=True),))
            codes.append(shell.runspace.invoke(pipeline, lambda _, value: told.output.append(value)))

    estate.world.scheduler.run("EX1", body)
    assert (codes, told.texts) == ([3, None, 0], ["x"])


def test_what_follows_exit_in_a_row_of_statements_is_not_run(estate: Estate) -> None:
    shell = estate.open()
    told = shell.pipeline(
        Command(text="exit 4", is_script=True, end_of_statement=True), Command(text="'later'", is_script=True)
    )
    assert told.texts == []


def test_a_service_is_its_name(estate: Estate) -> None:
    assert estate.open().run("[string](Get-Service -Name 'ClusSvc'); \"$(Get-Service -Name 'W3SVC')\"").texts == [
        "ClusSvc",
        "W3SVC",
    ]


def test_files_found_are_removed_by_pipeline(estate: Estate) -> None:
    shell = estate.open()
    told = shell.run(
        "New-Item -ItemType Directory -Path 'C:\\Old' | Out-Null; Set-Content -Path 'C:\\Old\\a.txt' -Value 'x'; "
        "Set-Content -Path 'C:\\Old\\b [1].txt' -Value 'x'; Set-Content -Path 'C:\\Old\\c.log' -Value 'x'; "
        "Get-ChildItem -Path 'C:\\Old' -Filter '*.txt' | Remove-Item; (Get-ChildItem -Path 'C:\\Old').Name"
    )
    assert (told.ids, told.texts) == ([], ["c.log"])


def test_a_cim_instance_is_copied(estate: Estate) -> None:
    script = (
        "$os = Get-CimInstance -ClassName 'Win32_OperatingSystem'; $new = [ciminstance]::new($os); "
        "$new.Caption = 'other'; $os.Caption -eq $new.Caption; $new.Caption"
    )
    assert estate.open().run(script).texts == ["False", "other"]
