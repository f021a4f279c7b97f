"""What lives over several invocations of one session, and how an invocation is fed, stopped and ended."""

import pytest
from powershell.evaluating import Trial
from starover_lab.powershell.errors import Stopped, Unsupported
from starover_lab.powershell.session import ParseError, SessionCommand


@pytest.fixture
def trial() -> Trial:
    return Trial()


def test_variables_and_functions_stay(trial: Trial) -> None:
    trial.run("$kept = 3; function Get-Twice { param($Of) $Of * 2 }")
    assert trial.run("Get-Twice -Of $kept").output == [6]


def test_a_local_scope_takes_its_variables_along(trial: Trial) -> None:
    trial.run("$a = 1; $global:b = 2", local_scope=True)
    ran = trial.run("Set-StrictMode -Off; $null -eq $a; $b")
    assert ran.output == [True, 2]


def test_sessions_share_nothing(trial: Trial) -> None:
    trial.run("$a = 1; Set-StrictMode -Version 2.0; function Get-Mine { 1 }")
    other = Trial()
    assert other.run("$null -eq $a").output == [True]
    assert other.run("Get-Mine").errors == ["CommandNotFoundException"]


def test_strict_mode_stays_and_a_local_one_does_not(trial: Trial) -> None:
    trial.run("Set-StrictMode -Version Latest", local_scope=True)
    assert trial.run("$unknown; 'on'").output == [None, "on"]
    trial.run("Set-StrictMode -Version Latest")
    assert trial.run("$unknown; 'on'").errors == ["VariableIsUndefined"]


def test_named_and_positional_parameters(trial: Trial) -> None:
    script = 'param([string]$Name, [int]$Count) "$Name $Count"; $args.Count'
    assert trial.run(script, {"count": "4"}, ("db",)).output == ["db 4", 0]
    assert trial.run(script, {}, ("db", 5, "x")).output == ["db 5", 1]


def test_a_parameter_that_cannot_be_converted_ends_the_invocation(trial: Trial) -> None:
    ran = trial.run("param([int]$Count) 'ran'", {"Count": "many"})
    assert ran.output == []
    assert ran.ended_by == "ParameterArgumentTransformationError"


def test_input_arrives_in_the_process_block_of_a_script(trial: Trial) -> None:
    ran = trial.run("begin { 'b' } process { $_ + 1 } end { 'e' }", input_=(1, 2))
    assert ran.output == ["b", 2, 3, "e"]


def test_the_error_list_stays(trial: Trial) -> None:
    trial.run("Write-Error 'first'")
    assert trial.run("$Error.Count; $Error[0].Exception.Message").output == [1, "first"]


def test_a_throw_ends_the_invocation_and_the_session_goes_on(trial: Trial) -> None:
    ran = trial.run("'before'; throw 'bad'; 'after'")
    assert ran.output == ["before"]
    assert ran.ended_by == "bad"
    assert trial.run("'again'").output == ["again"]


def test_a_script_that_does_not_parse_runs_nothing(trial: Trial) -> None:
    with pytest.raises(ParseError) as wrong:
        trial.run("Get-Probe -Name a\n'b")
    assert (wrong.value.error_id, wrong.value.line) == ("TerminatorExpectedAtEndOfString", 2)
    assert trial.notes == []


@pytest.mark.parametrize(
    "construct",
    [
        "trap { 'x' }",
        "class Thing { }",
        "enum Kind { A }",
        "data { 'x' }",
        "'x' > out.txt",
        "workflow w { }",
    ],
)
def test_what_is_not_known_is_refused_before_anything_runs(trial: Trial, construct: str) -> None:
    with pytest.raises((Unsupported, ParseError)):
        trial.run(f"Get-Probe -Name a\n{construct}")
    assert trial.notes == [], "something ran before the refusal"


@pytest.mark.parametrize(
    "construct",
    ["Get-ChildItem -Path C:\\", "ls", "1 | % { $_ }", "[System.IO.StreamReader]::new('a')", "Out-Default", "gci"],
)
def test_a_real_command_or_type_that_the_lab_lacks_is_refused_not_missing(trial: Trial, construct: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        trial.run(f"'a'\ntry {{ {construct} }} catch {{ Get-Probe -Name caught }}")
    assert refusal.value.line == 2
    assert trial.notes == []


def test_a_refusal_names_its_line(trial: Trial) -> None:
    with pytest.raises(Unsupported) as refusal:
        trial.run("'a'\n'b'\ntrap { 'x' }")
    assert refusal.value.line == 3


def test_stop_holds_at_the_next_statement(trial: Trial) -> None:
    trial.stop_in_wait = True
    with pytest.raises(Stopped):
        trial.run("Get-Probe -Name a; Wait-Pause -Seconds 1; Get-Probe -Name b")
    assert trial.notes == ["a"]


def test_a_stopped_script_runs_its_finally_but_no_catch(trial: Trial) -> None:
    trial.stop_in_wait = True
    with pytest.raises(Stopped):
        trial.run("try { Wait-Pause -Seconds 1 } catch { Get-Probe -Name caught } finally { $left = 1 }")
    assert trial.notes == []


def test_a_session_lives_after_a_stop(trial: Trial) -> None:
    trial.stop_in_wait = True
    with pytest.raises(Stopped):
        trial.run("$kept = 1; Wait-Pause -Seconds 1")
    assert trial.run("$kept").output == [1]


def test_waiting_goes_through_the_host(trial: Trial) -> None:
    trial.run("Wait-Pause -Seconds 3; 1, 2 | Wait-Pause; Start-Sleep -Seconds 5")
    assert trial.waits == [3, 1, 2, 5]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("'x'", None),
        ("exit", 0),
        ("exit 7", 7),
        ("function f { exit 3 }; f; 'no'", 3),
        ("try { exit 4 } catch { 'no' } finally { 'yes' }", 4),
        ("1, 2 | ForEach-Object -Process { exit $_ }", 1),
    ],
)
def test_exit_ends_the_script(trial: Trial, script: str, code: int | None) -> None:
    ran = trial.run(script)
    assert ran.code == code
    assert "no" not in ran.output


def test_commands_without_a_script(trial: Trial) -> None:
    ran = trial.commands(
        SessionCommand(name="Get-Probe", parameters=(("Name", "a"),)), SessionCommand(name="Write-Complaint")
    )
    assert ran.output == ["a"]
    assert ran.errors == ["Complaint,WriteComplaint"]
    assert ran.stream("warning") == ["about a"]


@pytest.mark.parametrize(
    ("command", "fqid"),
    [
        (SessionCommand(name="Get-Nothing"), "CommandNotFoundException"),
        (SessionCommand(name="Get-Probe", parameters=(("Nam3", "a"),)), "NamedParameterNotFound,GetProbe"),
        (SessionCommand(name="Get-Probe", parameters=(("Name", ""),)), None),
        (SessionCommand(name="Wait-Pause", parameters=(("Seconds", "x"),)), "CannotConvertArgumentNoMessage,WaitPause"),
    ],
)
def test_a_command_that_cannot_be_bound(trial: Trial, command: SessionCommand, fqid: str | None) -> None:
    ran = trial.commands(command)
    assert ran.ended_by == (fqid or "ParameterArgumentValidationErrorEmptyStringNotAllowed,GetProbe")
    assert trial.notes == []


def test_commands_take_input(trial: Trial) -> None:
    assert trial.commands(SessionCommand(name="Get-Probe"), input_=("x", "y")).output == ["x", "y"]


def test_a_literal_argument_is_never_read_as_script(trial: Trial) -> None:
    assert trial.commands(SessionCommand(name="Get-Probe", parameters=(("Name", "$(1+1)"),))).output == ["$(1+1)"]
