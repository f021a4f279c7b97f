"""The language: scopes, functions and their parameters, loops and switch, errors and their handlers."""

import pytest
from powershell.evaluating import Trial
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import Value


@pytest.fixture
def trial() -> Trial:
    return Trial()


@pytest.mark.parametrize(
    ("script", "output"),
    [
        pytest.param("$a = 1; function f { $a = 2; $a }; f; $a", [2, 1], id="a function's variable is its own"),
        pytest.param("$a = 1; function f { $script:a = 2 }; f; $a", [2], id="the script's, by its scope"),
        pytest.param("$a = 1; & { $a++; $a }; $a", [2, 1], id="a called block reads outside, writes inside"),
        pytest.param("$a = 1; . { $a = 2 }; $a", [2], id="a dotted block writes in place"),
        pytest.param("$a = 1; 1 | ForEach-Object -Process { $a = 2 }; $a", [2], id="a cmdlet's block too"),
        pytest.param("function f { $b }; function g { $b = 5; f }; g", [5], id="scopes follow calls, not the text"),
        pytest.param("function f { $private:b = 5; g }; function g { $null -eq $b }; f", [True], id="private"),
        pytest.param("[int]$a = '5'; $a = '7'; $a + 1", [8], id="a typed variable converts"),
        pytest.param("$a, $b, $c = 1, 2, 3, 4; $b; $c", [2, 3, 4], id="the last takes the rest"),
        pytest.param("$a = $b = 3; $a + $b", [6], id="an assignment has a value in an assignment"),
        pytest.param("$h = @{ a = 1 }; $h.b = 2; $h['c'] = 3; $h.Count", [3], id="new keys"),
        pytest.param("$x = if ($true) { 1; 2 }; $x.Count", [2], id="a statement's output"),
        pytest.param("$x = foreach ($i in 1..3) { if ($i -eq 2) { continue }; $i }; $x", [1, 3], id="a loop's"),
        pytest.param("$null = 1; $x = @(); $x += 1; $x += 2, 3; $x.Count", [3], id="adding to an array"),
    ],
)
def test_variables_and_scopes(trial: Trial, script: str, output: list[Value]) -> None:
    ran = trial.run(script)
    assert ran.output == output
    assert ran.errors == []


@pytest.mark.parametrize(
    ("script", "output"),
    [
        pytest.param('function f { param($A, $B = $A + 1) "$A $B" }; f 1; f -B 1 -A 2', ["1 2", "2 1"], id="defaults"),
        pytest.param('function f($A) { "$A|$args" }; f 1 2 3 -x', ["1|2 3 -x"], id="what is left"),
        pytest.param(
            "function f { param([switch]$S) [bool]$S }; f; f -S; f -S:$false", [False, True, False], id="switch"
        ),
        pytest.param(
            "function f { param($A, $B) $PSBoundParameters.Count; $PSBoundParameters['B'] }; $h = @{ B = 4 }; f @h",
            [1, 4],
            id="splatting by name",
        ),
        pytest.param('function f { param($A, $B) "$B $A" }; $l = 1, 2; f @l', ["2 1"], id="splatting by position"),
        pytest.param("function f { return 5; 6 }; f; function g { 1; return }; g", [5, 1], id="return"),
        pytest.param("function f { , (1, 2) }; (f).Count", [2], id="an array in one piece"),
        pytest.param("$b = { param($x) $x * 2 }; & $b 4; $b.Invoke(5).Count", [8, 1], id="a block with parameters"),
        pytest.param(
            'function f { param([Parameter(ValueFromPipelineByPropertyName)]$Name) process { "<$Name>" } }; '
            "[pscustomobject]@{ Name = 'a' }, [pscustomobject]@{ Name = 'b' } | f",
            ["<a>", "<b>"],
            id="by property name",
        ),
        pytest.param("$n = 'Get-Probe'; & $n -Name x", ["x"], id="a command by its name"),
        pytest.param("function f { $MyInvocation.MyCommand.Name }; f", ["f"], id="its own name"),
    ],
)
def test_functions_and_blocks(trial: Trial, script: str, output: list[Value]) -> None:
    try:
        ran = trial.run(script)
    except Unsupported as refusal:  # refused is no wrong answer, but these are meant to be known
        pytest.fail(str(refusal))
    assert ran.output == output
    assert ran.errors == []


@pytest.mark.parametrize(
    ("call", "fqid"),
    [
        ("f", "MissingMandatoryParameter,f"),
        ("f -Name ''", "ParameterArgumentValidationErrorEmptyStringNotAllowed,f"),
        ("f -Name a -Mode c", "ParameterArgumentValidationError,f"),
        ("f -Name a -Count x", "ParameterArgumentTransformationError,f"),
        ("f -Name a -Nam b", "ParameterAlreadyBound,f"),
        ("f -Name a -Other b", "NamedParameterNotFound,f"),
        ("f a b 1 too many", "PositionalParameterNotFound,f"),
        ("f -Name", "MissingArgument,f"),
    ],
)
def test_wrong_arguments_of_an_advanced_function(trial: Trial, call: str, fqid: str) -> None:
    trial.run(
        "function f { [CmdletBinding()] param([Parameter(Mandatory)][string]$Name, "
        "[ValidateSet('a', 'b')][string]$Mode, [int]$Count) 'ran' }"
    )
    ran = trial.run(f"{call}; 'after'")
    if call == "f":
        assert ran.errors == [fqid] or ran.ended_by == fqid
        return
    assert ran.errors == [fqid]
    assert ran.output == ["after"]


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("for ($i = 0; $i -lt 3; $i++) { $i }", [0, 1, 2]),
        ("$i = 0; while ($true) { $i++; if ($i -gt 2) { break } }; $i", [3]),
        ("$i = 5; do { $i++ } while ($i -lt 3); $i; do { $i-- } until ($i -le 2); $i", [6, 2]),
        (
            ':outer foreach ($a in 1, 2) { foreach ($b in 1, 2) { if ($b -eq 2) { continue outer }; "$a$b" } }',
            ["11", "21"],
        ),
        ("foreach ($x in $null) { 'never' }; foreach ($x in 'one') { $x }", ["one"]),
        ("switch (1, 2, 3) { 1 { 'a' } { $_ -gt 1 } { \"b$_\" } default { 'no' } }", ["a", "b2", "b3"]),
        ("switch -Wildcard ('abc') { 'a*' { 1 } '*c' { 2; break } 'abc' { 3 } }", [1, 2]),
        ("switch -Regex ('x12') { '(\\d+)' { $Matches[1] } }", ["12"]),
        ("switch -CaseSensitive ('A') { 'a' { 1 } 'A' { 2 } }", [2]),
        ("switch ('z') { 'a' { 1 } default { 'other' } }", ["other"]),
        ("$x = switch (4) { 4 { 'four' } }; $x", ["four"]),
        ("if (0) { 1 } elseif ('0') { 2 } else { 3 }", [2]),
    ],
)
def test_loops_and_choices(trial: Trial, script: str, output: list[Value]) -> None:
    assert trial.run(script).output == output


@pytest.mark.parametrize(
    ("script", "output"),
    [
        pytest.param("try { throw 'a' } catch { $_.Exception.Message } finally { 'f' }", ["a", "f"], id="order"),
        pytest.param(
            "try { [int]'x' } catch [System.InvalidCastException] { 'cast' } catch { 'other' }", ["cast"], id="typed"
        ),
        pytest.param(
            "try { throw [System.ArgumentException]::new('m') } catch [System.IO.IOException], "
            "[System.ArgumentException] { $_.Exception.GetType().Name }",
            ["ArgumentException"],
            id="several types",
        ),
        pytest.param("try { try { throw 'a' } finally { 'f' } } catch { \"c $_\" }", ["f", "c a"], id="finally first"),
        pytest.param("try { try { throw 'a' } catch { throw } } catch { \"again $_\" }", ["again a"], id="rethrow"),
        pytest.param("try { try { throw 'a' } catch { throw 'b' } } catch { \"$_\" }", ["b"], id="a catch that throws"),
        pytest.param("function f { try { return 1 } finally { 2 } }; f", [1, 2], id="return runs finally"),
        pytest.param('foreach ($i in 1, 2) { try { continue } finally { "f$i" } }', ["f1", "f2"], id="continue too"),
        pytest.param("function f { throw 'in' }; try { f; 'no' } catch { \"$_\" }", ["in"], id="out of a function"),
        pytest.param(
            "function f { Deny-Everything; 'on' }; try { f } catch { 'c' }", ["c"], id="no step past an error"
        ),
        pytest.param("try { Write-Complaint -Name a } catch { 'c' }", ["a"], id="an error written is not caught"),
        pytest.param(
            "try { Get-Nonsense } catch { $_.CategoryInfo.Category.ToString() }", ["ObjectNotFound"], id="unknown"
        ),
        pytest.param("try { 1 / 0 } catch { $_.FullyQualifiedErrorId }", ["RuntimeException"], id="division"),
        pytest.param("try { $null.ToString() } catch { $_.FullyQualifiedErrorId }", ["InvokeMethodOnNull"], id="null"),
        pytest.param("$x = try { 1; throw 'a' } catch { 2 }; $x", [1, 2], id="the value of a try"),
    ],
)
def test_errors_and_their_handlers(trial: Trial, script: str, output: list[Value]) -> None:
    ran = trial.run(script)
    assert ran.output == output
    assert ran.ended is None


def test_the_error_of_a_catch_body_ends_the_catch(trial: Trial) -> None:
    ran = trial.run("try { throw 'a' } catch { Deny-Everything; 'on' }; 'after'")
    assert ran.output == ["after"]
    assert ran.errors == ["Refusal,DenyEverything"]


@pytest.mark.parametrize(
    ("script", "output"),
    [
        pytest.param("function f { $('1'; return '2') }; f", ["1", "2"], id="brackets that are a statement"),
        pytest.param("function f { $x = $('1'; return '2'); 'no' }; f", ["1", "2"], id="an assignment that is left"),
        pytest.param("function f { $x = if (1) { '1'; return '2' } }; f", ["1", "2"], id="of a statement"),
        pytest.param("function f { \"a$('1'; return '2')b\" }; f", ["1", "2"], id="a string that is left"),
        pytest.param("function f { @('1'; return '2') }; f", [], id="an array that is left"),
        pytest.param("foreach ($i in 1) { $r = $('v'; continue) }; 'after'", ["v", "after"], id="continue"),
        pytest.param(
            "try { ('v' | ForEach-Object { $_; throw 'x' }) } catch { 'c' }", ["v", "c"], id="an error, alone"
        ),
        pytest.param("try { $x = $('v'; throw 'x') } catch { 'c' }", ["c"], id="an error in an assignment"),
        pytest.param("try { \"a$('v'; throw 'x')\" } catch { 'c' }", ["c"], id="an error in a string"),
    ],
)
def test_what_brackets_had_when_control_left_them(trial: Trial, script: str, output: list[Value]) -> None:
    ran = trial.run(script)
    assert ran.output == output
    assert ran.ended is None


@pytest.mark.parametrize(
    ("script", "output", "errors"),
    [
        ("function f([string]$S) { $S }; f 1, 2", ["1 2"], []),
        ("function f { param([Parameter()][string]$S) $S }; f 1, 2", [], ["ParameterArgumentTransformationError,f"]),
        ("function f { param([bool[]]$B) $B }; f 'a', ''", [True, False], []),
        (
            "function f { [CmdletBinding()] param([bool[]]$B) $B }; f 'a'",
            [],
            ["ParameterArgumentTransformationError,f"],
        ),
        ("function f { param([Parameter(Mandatory)]$A) 'in' }; f ''; f @()", ["in", "in"], []),
        (
            "function f { param([Parameter(Mandatory)][ValidateNotNullOrEmpty()][string]$A) }; f ''",
            [],
            ["ParameterArgumentValidationError,f"],
        ),
        ("Get-Probe -Name 'a', 'b'", [], ["CannotConvertArgument,GetProbe"]),
        ("Set-Thing -Name a -WhatIf:'x'", [], ["CannotConvertArgument,SetThing"]),
        ("Wait-Pause -Seconds x", [], ["CannotConvertArgumentNoMessage,WaitPause"]),
    ],
)
def test_what_arguments_become(trial: Trial, script: str, output: list[Value], errors: list[str]) -> None:
    ran = trial.run(script)
    assert ran.output == output
    assert ran.errors == errors


def test_a_switch_sees_what_its_bodies_make_of_the_item(trial: Trial) -> None:
    ran = trial.run("switch ('a') { 'a' { $_ = 'z'; 'A' } 'z' { 'Z' } }; switch (1, 2) { default { $switch.Current } }")
    assert ran.output == ["A", "Z", 1, 2]


def test_a_verbless_name_stands_for_its_get_command(trial: Trial) -> None:
    with pytest.raises(Unsupported):
        trial.run("Probe -Name a")
    assert trial.notes == []


def test_a_break_leaves_the_function_and_ends_the_loop_of_its_caller(trial: Trial) -> None:
    assert trial.run("function f { break }; foreach ($i in 1, 2) { f; $i }; 'after'").output == ["after"]


@pytest.mark.parametrize(
    ("script", "fqid"),
    [
        ("Set-StrictMode -Version Latest; $h = @{}; $h.Missing", "PropertyNotFoundStrict"),
        ("Set-StrictMode -Version Latest; $unset + 1", "VariableIsUndefined"),
        ("Set-StrictMode -Version Latest; ([pscustomobject]@{ A = 1 }).B", "PropertyNotFoundStrict"),
        ("Set-StrictMode -Version 3.0; (1, 2)[5]", "System.IndexOutOfRangeException"),
    ],
)
def test_strict_mode(trial: Trial, script: str, fqid: str) -> None:
    assert trial.run(script).errors == [fqid]


def test_a_deep_recursion_is_refused(trial: Trial) -> None:
    with pytest.raises(Unsupported):
        trial.run("function f { f }; f")
