"""What templates may not use: one violation for each rule, none for what is allowed."""

import pytest
from starover_lab.powershell.command import CommandSpec, CommandTable, Parameter
from starover_lab.powershell.subset import Profile, check, commands_used


def said(script: str, profile: Profile = "body") -> list[str]:
    return [violation.message for violation in check(script, profile)]


@pytest.mark.parametrize(
    "script",
    [
        "$x = @(); foreach ($i in 1..3) { if ($i -eq 2) { continue }; $x += $i }; $x -join ','",
        "switch ('a') { 'a' { break } default { 1 } }",
        "try { throw 'x' } catch { [string]$_.Exception.Message } finally { 'f' }",
        "function f { param([string]$Name, $Other) return $Name }; f -Name 'a' -Other 1; $p = @{ Name = 'b' }; f @p",
        "Get-Thing -Confirm:$false | Where-Object { $_.Name -ne 'x' } | Sort-Object -Property { [string]$_ }",
        "[pscustomobject]@{ a = [long]1; b = [ordered]@{ c = @($null) } }",
        "$env:COMPUTERNAME.ToLowerInvariant().Trim(); [Environment]::MachineName; [datetime]::UtcNow.ToString('o')",
        "[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('eA=='))",
        "& net.exe 'start' 'clussvc' 2>$null",
        "param($Credential)\n$Credential",
        "Get-Thing | Select-Object -Property Name, @{ Name = 'S'; Expression = { [string]$_.Status } }",
    ],
)
def test_allowed(script: str) -> None:
    assert said(script) == []


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("exit 0", "exit"),
        ("break", "break outside a loop"),
        ("1 | ForEach-Object { break }", "break outside a loop"),
        ("foreach ($i in 1) { function f { continue } }", "continue outside a loop"),
        ("$i = 0; $i++", "++"),
        ("for (;;) { }", "for"),
        ("do { } while ($true)", "doloop"),
        ("$a -band 1", "-band"),
        ("$a -ceq 'x'", "-ceq"),
        ("[guid]'x'", "cast to [guid]"),
        ("[guid]::NewGuid()", "[guid]::NewGuid"),
        ("'a'.PadLeft(3)", "PadLeft"),
        ("$x.$y()", "(computed)"),
        ("& { 1 }", "name is computed"),
        ("& $name", "name is computed"),
        (". f", "dot-sourcing"),
        ("$s = { 1 }", "script block"),
        ("Get-Thing -X { 1 }", "script block"),
        ("ls", "alias"),
        ("1 | % { $_ }", "alias"),
        ("Invoke-Expression -Command 'x'", "forbidden"),
        ("Format-Table -Property a", "forbidden"),
        ("Write-Host -Object 'x'", "forbidden"),
        ("Get-Thing 'a'", "positional"),
        ("Get-Thing -Name 'a' 'b'", "positional"),
        ("Get-Thing -EncodedCommand 'x'", "EncodedCommand"),
        ("Get-Thing 2>$null", "2>$null"),
        ("Get-Thing > $null", "2>$null"),
        ("'a' > $null", "redirection"),
        ('@"\nx\n"@', "here-string"),
        ('@"\n$x\n"@', "here-string"),
        ("$global:x = 1", "global"),
        ("New-Object -TypeName System.Version", "New-Object"),
        ("New-Object -ComObject 'WScript.Shell'", "New-Object"),
        ("New-Object -ComObject $name", "New-Object"),
        ("function f { param([int]$A) }; f -B 1", "-B is no full parameter name"),
        ("function f { process { 1 } }", "process"),
        ("filter f { 1 }", "filter"),
        ("trap { }", "trap"),
        ("class A { }", "class"),
        ("param([string]$A) $A", "untyped"),
        ("if (1 {", "does not parse"),
    ],
)
def test_violations(script: str, part: str) -> None:
    assert any(part in message for message in said(script)), said(script)


@pytest.mark.parametrize(
    "script",
    [
        "[BitConverter]::ToString([System.Security.Cryptography.SHA256]::Create().ComputeHash($b)).Substring(0, 8)",
        "[regex]::Replace($Text, 'a', { param($Match) 'x' })",
        "[System.Threading.Thread]::CurrentThread.CurrentCulture = 'en-US'",
        "try { 'x' } finally { exit 0 }",
        "$e.GetType().FullName",
    ],
)
def test_a_wrapper_may_do_more_than_a_body(script: str) -> None:
    assert said(script, "wrapper") == []
    assert said(script) != []


def test_exit_inside_a_function_is_not_even_allowed_in_a_wrapper() -> None:
    assert said("function f { exit 1 }", "wrapper") == ["exit is not allowed inside a function or script block"]


def test_lines_are_told() -> None:
    assert [violation.line for violation in check("'a'\n$x++\n\nls")] == [2, 4]


def test_parameter_names_are_held_against_the_commands() -> None:
    table = CommandTable(
        [
            CommandSpec(
                name="Get-Thing",
                body=lambda _: iter(()),
                parameters=(Parameter.of("Identity"), Parameter.of("Force", "switch")),
            )
        ]
    )
    found = [one.message for one in check("Get-Thing -Ident 'a'; Get-Thing -Identity 'a' -Force", commands=table)]
    assert found == ["-Ident is no full parameter name of Get-Thing"]
    assert check("Get-Thing -Force 'a'", commands=table) != []


def test_commands_are_listed_with_their_parameters() -> None:
    used = commands_used("Get-A -Name 1 -Force @p |\n  Where-Object { Get-B -X:2 }")
    assert [(one.name, one.parameters, one.line, one.splatted) for one in used] == [
        ("Get-A", ("Name", "Force"), 1, True),
        ("Where-Object", (), 2, False),
        ("Get-B", ("X",), 2, False),
    ]
