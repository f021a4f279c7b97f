"""The file cmdlets of a host: making is exclusive, reading is by encoding, another host is a second hop."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

FOLDER = "C:\\ProgramData\\Starover\\receipts"


@pytest.fixture
def shell(estate: Estate) -> Shell:
    shell = estate.open()
    assert shell.run(f"New-Item -Path '{FOLDER}' -ItemType Directory -Force | Out-Null").ids == []
    return shell


def test_of_two_who_make_a_file_one_succeeds(estate: Estate, shell: Shell) -> None:
    make = f"New-Item -Path '{FOLDER}\\a.begin' -ItemType File -Value '{{0}}'"
    assert shell.run(make.format("one")).texts == [f"{FOLDER}\\a.begin"]
    other = estate.open()
    told = other.run(make.format("two"))
    assert told.ids == ["NewItemIOError,Microsoft.PowerShell.Commands.NewItemCommand"]
    assert told.errors[0].category == "WriteError"
    assert other.run(f"Get-Content -LiteralPath '{FOLDER}\\a.begin'").texts == ["one"]


def test_a_folder_is_there_or_is_made_with_all_above_it(shell: Shell) -> None:
    told = shell.run(f"New-Item -Path '{FOLDER}' -ItemType Directory")
    assert told.ids == ["DirectoryExist,Microsoft.PowerShell.Commands.NewItemCommand"]
    told = shell.run("(New-Item -Path 'D:\\a\\b' -Name 'c' -ItemType Directory).FullName")
    assert told.texts == ["D:\\a\\b\\c"]
    told = shell.run("New-Item -Path 'D:\\none\\x.txt' -ItemType File")
    assert told.ids == ["NewItemIOError,Microsoft.PowerShell.Commands.NewItemCommand"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (FOLDER, "True"),
        ("c:/programdata", "True"),
        ("C:\\nothing", "False"),
        ("X:\\a", "False"),
        ("\\\\EX2\\c$", "False"),
    ],
)
def test_is_it_there(shell: Shell, path: str, wanted: str) -> None:
    assert shell.run(f"Test-Path -LiteralPath '{path}'").texts == [wanted]


@pytest.mark.parametrize(
    ("encoding", "length"), [("", 6), ("-Encoding UTF8", 11), ("-Encoding Unicode", 14), ("-Encoding ASCII", 6)]
)
def test_encodings_are_those_of_5_1(shell: Shell, encoding: str, length: int) -> None:
    path = f"{FOLDER}\\text.txt"
    told = shell.run(
        f"Set-Content -LiteralPath '{path}' -Value 'h\u00e9\u00df!' {encoding}; (Get-Item -LiteralPath '{path}').Length"
    )
    assert told.texts == [str(length)]
    wanted = "h??!" if "ASCII" in encoding else "h\u00e9\u00df!"
    assert shell.run(f"Get-Content -LiteralPath '{path}' {encoding}").texts == [wanted]


def test_lines_come_one_by_one_and_the_whole_text_at_once(shell: Shell) -> None:
    path = f"{FOLDER}\\lines.txt"
    shell.run(f"Set-Content -LiteralPath '{path}' -Value 'a','b','c'; Add-Content -LiteralPath '{path}' -Value 'd'")
    assert shell.run(f"Get-Content -LiteralPath '{path}'").texts == ["a", "b", "c", "d"]
    assert shell.run(f"Get-Content -LiteralPath '{path}' -TotalCount 1").texts == ["a"]
    assert shell.run(f"Get-Content -LiteralPath '{path}' -Tail 2").texts == ["c", "d"]
    assert shell.run(f"Get-Content -LiteralPath '{path}' -Raw").texts == ["a\r\nb\r\nc\r\nd\r\n"]


def test_old_files_go_down_the_pipeline(shell: Shell) -> None:
    shell.run(f"'a','b' | ForEach-Object {{ New-Item -Path ('{FOLDER}\\' + $_) -ItemType File }}")
    told = shell.run(f"(Get-ChildItem -LiteralPath '{FOLDER}' -File).Name")
    assert told.texts == ["a", "b"]
    told = shell.run(
        f"Get-ChildItem -LiteralPath '{FOLDER}' -File | Where-Object {{ $_.Name -eq 'a' }} | "
        "ForEach-Object { Remove-Item -LiteralPath $_.FullName -Force }; "
        f"(Get-ChildItem -Path '{FOLDER}\\*').Name"
    )
    assert (told.ids, told.texts) == ([], ["b"])


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("Get-Item -LiteralPath 'C:\\nothing'", "PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand"),
        ("Get-Content -LiteralPath 'C:\\nothing'", "PathNotFound,Microsoft.PowerShell.Commands.GetContentCommand"),
        ("Remove-Item -LiteralPath 'C:\\nothing'", "PathNotFound,Microsoft.PowerShell.Commands.RemoveItemCommand"),
        ("Get-Item -LiteralPath 'X:\\a'", "DriveNotFound,Microsoft.PowerShell.Commands.GetItemCommand"),
        (
            "Get-ChildItem -LiteralPath '\\\\FSW3\\share'",
            "ItemExistsUnauthorizedAccessError,Microsoft.PowerShell.Commands.GetChildItemCommand",
        ),
        (
            "Set-Content -LiteralPath 'C:\\nothing\\a' -Value 'x'",
            "GetContentWriterDirectoryNotFoundError,Microsoft.PowerShell.Commands.SetContentCommand",
        ),
        (
            f"Remove-Item -LiteralPath '{FOLDER}\\..'",
            "InvalidOperation,Microsoft.PowerShell.Commands.RemoveItemCommand",
        ),
    ],
)
def test_what_cannot_be_done(shell: Shell, script: str, wanted: str) -> None:
    assert shell.run(script).ids == [wanted]


def test_receipts_survive_a_reboot_and_belong_to_the_administrators(estate: Estate, shell: Shell) -> None:
    told = shell.run(
        "& icacls.exe 'C:\\ProgramData\\Starover' '/inheritance:r' '/grant:r' '*S-1-5-18:(OI)(CI)F' "
        "'*S-1-5-32-544:(OI)(CI)F' | Out-Null; (Get-Acl -LiteralPath 'C:\\ProgramData\\Starover').AccessToString"
    )
    assert "BUILTIN\\Administrators" in told.texts[-1]
    assert "Users" not in told.texts[-1]
    estate.world.fault("host_off", "EX1")
    estate.world.mend()
    estate.world.scheduler.advance_to(estate.world.now.replace(hour=15))
    assert estate.open().run(f"Test-Path -LiteralPath '{FOLDER}'").texts == ["True"]
