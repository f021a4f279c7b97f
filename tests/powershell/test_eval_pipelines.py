"""Pipelines and streams: order of side effects, early stop, redirection, the common parameters."""

import pytest
from powershell.evaluating import Trial
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import Value


@pytest.fixture
def trial() -> Trial:
    return Trial()


def test_objects_flow_one_at_a_time(trial: Trial) -> None:
    trial.run(
        "'a', 'b' | ForEach-Object -Process { Get-Probe -Name \"1$_\"; $_ } | ForEach-Object -Process "
        '{ Get-Probe -Name "2$_" } | Out-Null'
    )
    assert trial.notes == ["1a", "21a", "2a", "1b", "21b", "2b"]


def test_a_full_first_stops_what_is_upstream(trial: Trial) -> None:
    ran = trial.run("Get-Source | Select-Object -First 2")
    assert ran.output == [1, 2]
    assert trial.notes == ["made 1", "made 2", "source closed"]


def test_what_is_upstream_in_the_script_goes_no_further_either(trial: Trial) -> None:
    ran = trial.run(
        "1..9 | ForEach-Object -Process { Get-Probe -Name \"p$_\" } -End { 'end' } | Select-Object -First 2; 'next'"
    )
    assert ran.output == ["p1", "p2", "next"]
    assert trial.notes == ["p1", "p2"]


def test_a_break_in_a_loop_body_closes_the_source(trial: Trial) -> None:
    ran = trial.run(
        "foreach ($i in 1) { Get-Source | ForEach-Object -Process { if ($_ -eq 3) { break }; $_ } }; 'next'"
    )
    assert ran.output == [1, 2, "next"]
    assert trial.notes[-1] == "source closed"


def test_an_error_that_ends_the_statement_closes_the_source(trial: Trial) -> None:
    ran = trial.run(
        "try { Get-Source | ForEach-Object -Process { if ($_ -eq 2) { throw 'two' }; $_ } } catch { \"$_\" }"
    )
    assert ran.output == [1, "two"]
    assert trial.notes == ["made 1", "made 2", "source closed"]


def test_a_statement_in_parentheses_runs_whole_before_its_consumer(trial: Trial) -> None:
    trial.run(
        '(1, 2 | ForEach-Object -Process { Get-Probe -Name "a$_" }) | ForEach-Object -Process { Get-Probe -Name "b$_" }'
    )
    assert trial.notes == ["a1", "a2", "ba1", "ba2"]


def test_filters_and_begin_process_end_of_a_function(trial: Trial) -> None:
    trial.run(
        "function Add-Up { param([Parameter(ValueFromPipeline)][int]$N) begin { $sum = 0; 'b' } "
        "process { $sum += $N } end { $sum } }; filter Get-Odd { if ($_ % 2) { $_ } }"
    )
    assert trial.run("1..5 | Get-Odd | Add-Up").output == ["b", 9]


def test_output_before_an_error_is_kept_in_order(trial: Trial) -> None:
    ran = trial.run("'a'; Write-Complaint -Name b; 'c'")
    assert [name for name, _ in ran.records] == ["output", "warning", "error", "output", "output"]


@pytest.mark.parametrize(
    ("script", "output"),
    [
        (
            "$x = Write-Complaint -Name b 2>&1 3>$null; $x.Count; $x[0].FullyQualifiedErrorId; $x[1]",
            [2, "Complaint,WriteComplaint", "b"],
        ),
        ("$x = Write-Complaint -Name b 3>&1 2>$null; $x[0].Message; $x[1]", ["about b", "b"]),
        ("$x = Write-Complaint -Name b *>&1; $x.Count", [3]),
        ("Write-Complaint -Name b *>$null", []),
        ("Write-Complaint -Name b 3>&1 2>&1 > $null", []),
    ],
)
def test_redirection(trial: Trial, script: str, output: list[Value]) -> None:
    ran = trial.run(script)
    assert ran.output == output
    assert ran.errors == []
    assert ran.stream("warning") == []


@pytest.mark.parametrize(
    ("script", "output"),
    [
        (
            "Write-Complaint -Name b -ErrorVariable e -ErrorAction SilentlyContinue; $e.Count; $e[0].TargetObject",
            ["b", 1, "b"],
        ),
        (
            "foreach ($n in 'b', 'c') { Write-Complaint $n -ErrorVariable +e -ErrorAction SilentlyContinue }; $e.Count",
            ["b", "c", 2],
        ),
        (
            "Write-Complaint b -WarningVariable w -WarningAction Ignore -ErrorAction Ignore; $w.Message; $Error.Count",
            ["b", "about b", 0],
        ),
        ("$null = Get-Probe -Name a -OutVariable o; $o[0]; $o.GetType().Name", ["a", "ArrayList"]),
    ],
)
def test_the_variables_of_common_parameters(trial: Trial, script: str, output: list[Value]) -> None:
    ran = trial.run(script)
    assert ran.output == output
    assert ran.errors == []


@pytest.mark.parametrize(
    ("script", "output"),
    [
        # Only the last command of a pipeline writes to the function's own pipe.
        (
            (
                "function f { [CmdletBinding()] param() Write-Complaint a | Write-Complaint }; "
                "$null = f -ErrorVariable e -ErrorAction SilentlyContinue; $e.Count"
            ),
            [1],
        ),
        (
            (
                "function f { [CmdletBinding()] param() Write-Error a; try { throw 'b' } catch { } }; "
                "f -ErrorVariable e -ErrorAction SilentlyContinue; $e.Count"
            ),
            [2],
        ),
        (
            (
                "function f { [CmdletBinding()] param() Get-Probe a -OutVariable script:v }; "
                "$null = f -OutVariable w; $v[0]; $w[0]"
            ),
            ["a", "a"],
        ),
    ],
)
def test_the_variables_of_a_function_called_with_common_parameters(
    trial: Trial, script: str, output: list[Value]
) -> None:
    assert trial.run(script).output == output


def test_an_error_variable_is_in_doubt_after_an_error_that_ended_its_command(trial: Trial) -> None:
    with pytest.raises(Unsupported):
        trial.run("try { Write-Complaint a -ErrorAction Stop -ErrorVariable e } catch { }; $e.Count")


def test_verbose_overrules_the_preferences(trial: Trial) -> None:
    ran = trial.run(
        "$ErrorActionPreference = 'Stop'; $WarningPreference = 'SilentlyContinue'; Write-Complaint a -Verbose"
    )
    assert ran.errors == ["Complaint,WriteComplaint"]
    assert ran.stream("warning") == ["about a"]
    assert trial.run("Set-Thing -Name a -Verbose").stream("verbose") == [
        'Performing the operation "Change" on target "a".'
    ]


def test_error_action_stop_raises_what_a_catch_sees(trial: Trial) -> None:
    ran = trial.run(
        "try { Write-Complaint -Name b -ErrorAction Stop; 'no' } catch { $_.FullyQualifiedErrorId; $_.TargetObject }"
    )
    assert ran.output == ["Complaint,WriteComplaint", "b"]
    assert ran.errors == []


def test_the_preference_does_the_same_for_all(trial: Trial) -> None:
    ran = trial.run("$ErrorActionPreference = 'Stop'; Write-Complaint -Name b; 'no'")
    assert ran.output == []
    assert ran.ended_by == "Complaint,WriteComplaint"


def test_a_preference_set_in_a_function_is_its_own(trial: Trial) -> None:
    ran = trial.run(
        "function f { $ErrorActionPreference = 'SilentlyContinue'; Write-Complaint -Name in }; f; "
        "Write-Complaint -Name out"
    )
    assert ran.errors == ["Complaint,WriteComplaint"]
    assert ran.output == ["in", "out"]


def test_silent_errors_are_noted_and_ignored_ones_are_not(trial: Trial) -> None:
    ran = trial.run(
        "Write-Complaint -Name a -ErrorAction SilentlyContinue; $Error.Count; "
        "Write-Complaint -Name b -ErrorAction Ignore; $Error.Count"
    )
    assert ran.output == ["a", 1, "b", 1]
    assert ran.errors == []


def test_what_if_changes_nothing(trial: Trial) -> None:
    assert trial.run("Set-Thing -Name a; Set-Thing -Name b -WhatIf; Set-Thing -Name c -Confirm:$false").output == [
        "changed a",
        "changed c",
    ]


def test_a_question_that_nobody_can_answer_is_refused(trial: Trial) -> None:
    with pytest.raises(Unsupported):
        trial.run("Set-Thing -Name a -Confirm")


def test_success_of_the_last_statement(trial: Trial) -> None:
    assert trial.run("$null = Get-Probe -Name a; $?; Write-Complaint -Name b; $?; $?").output == [
        True,
        "b",
        False,
        True,
    ]


def test_a_cmdlet_that_ends_its_statement_does_not_end_the_script(trial: Trial) -> None:
    ran = trial.run("Deny-Everything; 'after'")
    assert ran.output == ["after"]
    assert ran.errors == ["Refusal,DenyEverything"]


def test_warnings_and_verbose_follow_their_preferences(trial: Trial) -> None:
    ran = trial.run(
        "Write-Verbose -Message a; Write-Verbose -Message b -Verbose; Write-Warning -Message c -WarningAction Ignore"
    )
    assert ran.stream("verbose") == ["b"]
    assert ran.stream("warning") == []
