"""Command lines as Windows reads them."""

from __future__ import annotations

import base64

import pytest
from starover_lab.cmdlets.command_line import (
    NotSimulated,
    PowerShellCall,
    arguments,
    expand,
    powershell,
    statements,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b", [("", "a b")]),
        ("a & b&&c || d", [("", "a "), ("&", " b"), ("&&", "c "), ("||", " d")]),
        ('echo "a & b"', [("", 'echo "a & b"')]),
        ("echo a ^& b", [("", "echo a & b")]),
        ('powershell "1 | 2"', [("", 'powershell "1 | 2"')]),
    ],
)
def test_a_line_is_cut_where_cmd_cuts_it(line: str, expected: list[tuple[str, str]]) -> None:
    assert statements(line) == expected


@pytest.mark.parametrize("line", ["a | b", "a > b", "a 2>&1", "(a)", "a < b"])
def test_what_is_not_known_is_refused(line: str) -> None:
    with pytest.raises(NotSimulated):
        statements(line)


def test_variables_are_put_in_and_unknown_ones_stay() -> None:
    assert expand("%OS% %Nobody% 100%", {"os": "Windows_NT"}) == "Windows_NT %Nobody% 100%"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ('"a b" c', ["a b", "c"]),
        (r'a\"b "c\\" d\e', ['a"b', "c\\", "d\\e"]),
        ('"" x', ["", "x"]),
        ('"a""b"', ['a"b']),
        (r'-Command "Write-Output \"a b\""', ["-Command", 'Write-Output "a b"']),
    ],
)
def test_arguments_are_cut_as_the_c_runtime_does(text: str, expected: list[str]) -> None:
    assert arguments(text) == expected


def encoded(script: str) -> str:
    return base64.b64encode(script.encode("utf-16-le")).decode()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["Get-Date"], PowerShellCall(script="Get-Date")),
        (["-NoProfile", "-c", "a", "b"], PowerShellCall(script="a b")),
        (
            ["-nop", "-noni", "-ex", "Bypass", "-EncodedCommand", encoded("1 + ü")],
            PowerShellCall(script="1 + ü", encoded=True),
        ),
        (["-ExecutionPolicy", "Unrestricted", "-enc", encoded("x")], PowerShellCall(script="x", encoded=True)),
        (["/Command", "x"], PowerShellCall(script="x")),
        (["-"], PowerShellCall()),
        (["-Command", "-"], PowerShellCall()),
        (["-File", "-"], PowerShellCall(prompts=True)),
    ],
)
def test_powershells_arguments(given: list[str], expected: PowerShellCall) -> None:
    assert powershell(given) == expected


@pytest.mark.parametrize("given", [["-e", "no base64!"], ["-c"], ["-Command", "-", "x"]])
def test_bad_arguments_are_complained_of(given: list[str]) -> None:
    assert powershell(given).complaint


@pytest.mark.parametrize(
    "given", [[], ["-Version", "2"], ["-NoExit", "-c", "x"], ["-o", "XML", "-c", "1"], ["-f", "a.ps1"]]
)
def test_what_powershell_could_do_and_the_lab_cannot(given: list[str]) -> None:
    with pytest.raises(NotSimulated):
        powershell(given)
