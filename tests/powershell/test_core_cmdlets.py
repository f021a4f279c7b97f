"""The core cmdlets: filtering, selecting, sorting, grouping, measuring, JSON, and what they refuse."""

# ruff: noqa: E501 - a case stays on one line

import pytest
from powershell.scripts import errors, output, refused, run
from starover_lab.powershell.core import core_commands
from starover_lab.powershell.session import Host, Session
from starover_lab.powershell.values import DateTime, Value


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("0,'',$null,'a',@() | Where-Object { $_ }; @($null | Where-Object { $true }).Count", '"a"; 1'),
        ("[pscustomobject]@{n=1},[pscustomobject]@{n=2} | Where-Object n -GT 1 | ForEach-Object n", "2"),
        ("'a-b','c' | ForEach-Object Split '-'; 'x' | ForEach-Object Length", '"a"; "b"; "c"; 1'),
        ("1..3 | ForEach-Object -Begin { 'b' } -Process { $_ } -End { 'e' }", '"b"; 1; 2; 3; "e"'),
        (
            "1..5 | Select-Object -First 1 -Skip 1; 1..5 | Select-Object -Last 2; 1..5 | Select-Object -SkipLast 3",
            "2; 4; 5; 1; 2",
        ),
        (
            "1..5 | Select-Object -Last 2 -Skip 1; 1..5 | Select-Object -Index 0,4; 'a','A' | Select-Object -Unique",
            '3; 4; 1; 5; "a"; "A"',
        ),
        ("[pscustomobject]@{A=1;b=2} | Select-Object a,@{n='x';e={ $_.b + 1 }},missing", "@{A=1, x=3, missing=null}"),
        (
            "[pscustomobject]@{a=1} | Select-Object @{n='bad';e={ 1/0 }},@{n='one';e={ @(1) }},@{n='none';e={ @() }}",
            "@{bad=null, one=1, none=null}",
        ),
        (
            "[pscustomobject]@{a=@(1,2);ab=3;c=4} | Select-Object a* -ExcludeProperty ab | ForEach-Object { $_.a.Count }",
            "2",
        ),
        (
            "[pscustomobject]@{a=@(1,2)} | Select-Object -ExpandProperty a; 'abc' | Select-Object Length",
            "1; 2; @{Length=3}",
        ),
        (
            "'b','B','a','A' | Sort-Object; 'x10','x9' | Sort-Object; $null,2,1 | Sort-Object",
            '"a"; "A"; "b"; "B"; "x10"; "x9"; 1; 2',
        ),
        (
            "'bb','a' | Sort-Object @{Expression={ $_.Length };Descending=$true}; 'a','A','b' | Sort-Object -Unique",
            '"bb"; "a"; "a"; "b"',
        ),
        (
            '[pscustomobject]@{n=2},[pscustomobject]@{x=1},[pscustomobject]@{n=1} | Sort-Object n | ForEach-Object { "$($_.n)" }',
            '"1"; "2"; ""',
        ),
        (
            "'a','A','b' | Group-Object | ForEach-Object { $_.Name + $_.Count }; @('a','A' | Group-Object -CaseSensitive).Count",
            '"a2"; "b1"; 2',
        ),
        (
            "(1,2,3 | Measure-Object -Sum -Maximum).Sum; ('a','bb' | Measure-Object Length -Maximum).Maximum; ($null,1 | Measure-Object).Count",
            "double:6; double:2; 1",
        ),
        ('Compare-Object 1,2,3 2,3,4 | ForEach-Object { "$($_.InputObject)$($_.SideIndicator)" }', '"4=>"; "1<="'),
        (
            "Write-Output 1 -Foo; Write-Output a b; (Write-Output (1,2)).Count; @(Write-Output $null).Count",
            '1; "-Foo"; "a"; "b"; 2; 1',
        ),
        (
            "$o = 'str' | Add-Member -NotePropertyName tag -NotePropertyValue 5 -PassThru; $o.tag; $o.Length; $o -eq 'STR'",
            "5; 3; bool:True",
        ),
        (
            "$v = 1; Test-Path variable:v; Test-Path variable:nope; Get-Variable v -ValueOnly; Set-Variable w 2; $w",
            "bool:True; bool:False; 1; 2",
        ),
        (
            "(Get-Command -Name Get-Date).Parameters.ContainsKey('Date'); Get-Date -Date '2024-03-04' -Format 'yyyyMMdd'",
            'bool:True; "20240304"',
        ),
        (
            "New-TimeSpan -Start '2024-01-01' -End '2024-01-02T01:00:00'; (New-Object System.Collections.ArrayList).Add('x')",
            "timespan:1.01:00:00; 0",
        ),
    ],
)
def test_answers(script: str, answer: str) -> None:
    assert output(script) == answer


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (
            "ConvertTo-Json ([ordered]@{a=@();b=$null;c=@(1);d='x\"\\'}) -Compress",
            r'{"a":[],"b":null,"c":[1],"d":"x\"\\"}',
        ),
        (
            "[ordered]@{a=@{b=@{c=@{d=1}}}} | ConvertTo-Json -Compress",
            '{"a":{"b":{"c":"System.Collections.Hashtable"}}}',
        ),
        (
            "[ordered]@{a=[pscustomobject]@{b=[pscustomobject]@{c=@(1,2)}}} | ConvertTo-Json -Compress -Depth 1",
            '{"a":{"b":"@{c=System.Object[]}"}}',
        ),
        ("@(1) | ConvertTo-Json -Compress; ,@(1) | ConvertTo-Json -Compress", "1 [1]"),
        ('"a`n`t$([char]1)é" | ConvertTo-Json', r'"a\n\t\u0001é"'),
    ],
)
def test_json(script: str, answer: str) -> None:
    assert " ".join(value["v"] for value in run(script)["output"]) == answer


def test_json_comes_back() -> None:
    assert (
        output("""$o = '{"a":"x","b":["y","z"],"c":{"d":true},"e":null}' | ConvertFrom-Json
        $o.a; $o.b.Count; $o.b[1]; $o.c.d; $null -eq $o.e; $o.missing""")
        == '"x"; 2; "z"; bool:True; bool:True; null'
    )
    assert output("[int]('{\"n\":7}' | ConvertFrom-Json).n; ('{\"n\":7}' | ConvertFrom-Json).n -eq 7") == "7; bool:True"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (
            "'a' | Measure-Object -Sum",
            "NonNumericInputObject,Microsoft.PowerShell.Commands.MeasureObjectCommand/InvalidType",
        ),
        (
            "[pscustomobject]@{x=1} | Measure-Object nope -Sum",
            "GenericMeasurePropertyNotFound,Microsoft.PowerShell.Commands.MeasureObjectCommand/InvalidArgument",
        ),
        (
            "[pscustomobject]@{a=1} | Select-Object -ExpandProperty b",
            "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand/InvalidArgument",
        ),
        ("Get-Variable nope_x", "VariableNotFound,Microsoft.PowerShell.Commands.GetVariableCommand/ObjectNotFound"),
        ("Get-Item '/no/such'", "PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand/ObjectNotFound"),
        ("New-Object No.Such.Type", "TypeNotFound,Microsoft.PowerShell.Commands.NewObjectCommand/InvalidType"),
        (
            "'{bad json' | ConvertFrom-Json",
            "System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand/NotSpecified",
        ),
        (
            "@{1='a'} | ConvertTo-Json -Compress",
            "NonStringKeyInDictionary,Microsoft.PowerShell.Commands.ConvertToJsonCommand/InvalidOperation",
        ),
        ("Write-Error -Message m -ErrorId X -Category InvalidData", "X/InvalidData"),
        ("function f { Write-Error e }; f", "Microsoft.PowerShell.Commands.WriteErrorException,f/NotSpecified"),
        (
            "Start-Sleep -Seconds -1",
            "ParameterArgumentValidationError,Microsoft.PowerShell.Commands.StartSleepCommand/InvalidData",
        ),
    ],
)
def test_errors(script: str, error: str) -> None:
    assert errors(script) == [error]


@pytest.mark.parametrize(
    "script",
    [
        "1,'a' | Sort-Object",
        "@{a=1} | Select-Object a",
        "'{\"a\":1.5}' | ConvertFrom-Json",
        "('{\"a\":1}' | ConvertFrom-Json).a + 1",
        "'[1]' | ConvertFrom-Json",
        "ConvertTo-Json @{a=1}",
        '"it\'s" | ConvertTo-Json',
        "1..3 | Sort-Object -Top 1",
        "Test-Path /etc",
        "New-Object System.Data.DataTable",
        "Get-Random",
    ],
)
def test_refusals(script: str) -> None:
    assert refused(script)


def test_select_first_stops_what_stands_before_it() -> None:
    assert (
        output("$script:n = 0; 1..100 | ForEach-Object { $script:n++; $_ } | Select-Object -First 2; $script:n")
        == "1; 2; 2"
    )


class _Clock:
    def __init__(self) -> None:
        self.ticks = 638_396_640_000_000_000
        self.waited: list[float] = []

    def now(self) -> DateTime:
        return DateTime(self.ticks, "Utc")

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.ticks += int(seconds * 10_000_000)


def on_host(script: str, clock: _Clock) -> list[Value]:
    found: list[Value] = []
    session = Session(core_commands(), object(), clock.wait, host=Host(now=clock.now))
    session.run_script(script, emit=lambda name, record: found.append(record) if name == "output" else None)
    return found


def test_time_is_the_sessions() -> None:
    clock = _Clock()
    found = on_host(
        "$a = Get-Date; Start-Sleep -Seconds 90; ((Get-Date) - $a).TotalSeconds; [datetime]::UtcNow.ToString('o')",
        clock,
    )
    assert found == [90.0, "2024-01-01T00:01:30.0000000Z"]
    assert clock.waited == [90]


def test_a_host_is_windows_powershell() -> None:
    # With a host behind it the session answers as 5.1 where 7 would answer otherwise.
    found = on_host(
        '"it\'s <b>" | ConvertTo-Json; [string](\'{"a":3000000000}\' | ConvertFrom-Json).a.GetType()', _Clock()
    )
    assert found == ['"it\\u0027s \\u003cb\\u003e"', "long"]


def test_values_of_several_types_are_sorted_as_the_engine_compares_them() -> None:
    # Neither engine asks for more than the left value's type: '20' is text, so it comes before 3.
    assert output("3,'20',100,'7',5 | Sort-Object") == '"20"; 3; 5; 100; "7"'
    assert refused("1,'abc' | Sort-Object") == "Sort-Object of values that cannot be compared"


def test_what_comes_to_the_same_in_both_engines_is_answered() -> None:
    assert output("('[1,2]' | ConvertFrom-Json) -join '-'") == '"1-2"'
    assert refused("@('[1,2]' | ConvertFrom-Json).Count").startswith("an array out of JSON")


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("$env:MINE = 'x'; Test-Path -Path 'env:MINE'", "bool:True"),
        ("Test-Path -Path 'env:NOBODYS'", "bool:False"),
        ("'Ａ' -eq 'A'", "bool:False"),
        ("(Write-Output 'x') -isnot [psobject]; 'x' -isnot [psobject]", "bool:False; bool:True"),
    ],
)
def test_what_lies_at_the_edge_of_the_subset(script: str, wanted: str) -> None:
    assert output(script) == wanted


def test_the_environment_of_an_unknown_host_is_refused() -> None:
    assert refused("$env:PATH") == "$env:PATH of an unknown host"


def test_a_host_answers_as_windows_powershell() -> None:
    session = Session(core_commands(), object())
    told: list[object] = []
    session.run_script("([pscustomobject]@{a = 1}).Count -eq $null", emit=lambda _, value: told.append(value))
    assert told == [True]
