"""Binding arguments as PowerShell does: names, positions, sets, the pipeline, and the engine's own error ids."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from powershell.evaluating import Ran
from starover_lab.powershell.command import CommandSpec, InSet, Invocation, Parameter
from starover_lab.powershell.core import core_commands
from starover_lab.powershell.session import Session
from starover_lab.powershell.values import PSArray, Value, custom_object


def _body(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        yield custom_object([("Set", call.set_name), *sorted(bound.items())])


SUSPEND = CommandSpec(
    name="Suspend-MailboxDatabaseCopy",
    body=_body,
    class_name="Suspend-MailboxDatabaseCopy",
    parameters=(
        Parameter(
            name="Identity",
            type="string",
            sets=dict.fromkeys(
                ("Identity", "EnableReplayLag"), InSet(mandatory=True, position=0, by_value=True, by_property=True)
            ),
            aliases=("Name",),
        ),
        Parameter.of("ActivationOnly", "switch", sets=["Identity"]),
        Parameter.of("SuspendComment", "string", sets=["Identity"]),
        Parameter.of("EnableReplayLag", "switch", sets=["EnableReplayLag"], mandatory=True),
        Parameter.of("DomainController", "string"),
        Parameter.of("Servers", "string[]"),
        Parameter.of("Count", "int", not_null=True),
        Parameter.of("Label", "string", not_empty=True),
    ),
    default_set="Identity",
    should_process=True,
    kind="Cmdlet",
)


def ask(line: str, spec: CommandSpec = SUSPEND) -> Ran:
    commands = core_commands()
    commands.add(spec)
    session = Session(commands)
    ran = Ran()
    session.run_script(line, emit=ran.emit)
    return ran


def shown(line: str, spec: CommandSpec = SUSPEND) -> list[dict[str, object]]:
    ran = ask(line, spec)
    assert ran.errors == []
    rows: list[dict[str, object]] = []
    for value in ran.output:
        pairs = {p.name: p.value for p in value.properties.values()}  # type: ignore[union-attr]
        rows.append({k: list(v.items) if isinstance(v, PSArray) else v for k, v in pairs.items()})
    return rows


COPY = "Suspend-MailboxDatabaseCopy"


def test_names_positions_and_switches() -> None:
    assert shown(f"{COPY} 'DB\\EX1' -SuspendComment 'x' -ActivationOnly -DomainController:dc1") == [
        {
            "Set": "Identity",
            "Identity": "DB\\EX1",
            "SuspendComment": "x",
            "ActivationOnly": True,
            "DomainController": "dc1",
        }
    ]
    assert shown(f"{COPY} -Identity a -ActivationOnly:$false") == [
        {"Set": "Identity", "Identity": "a", "ActivationOnly": False}
    ]


def test_a_name_may_be_an_alias_or_a_beginning() -> None:
    assert shown(f"{COPY} -name a")[0]["Identity"] == "a"
    assert shown(f"{COPY} -Id a -Susp c")[0]["SuspendComment"] == "c"


def test_the_set_follows_from_what_is_given() -> None:
    assert shown(f"{COPY} -Identity a -EnableReplayLag") == [
        {"Set": "EnableReplayLag", "Identity": "a", "EnableReplayLag": True}
    ]


def test_arguments_are_converted() -> None:
    assert shown(f"{COPY} -Identity 5 -Servers a -Count '7'") == [
        {"Set": "Identity", "Identity": "5", "Servers": ["a"], "Count": 7}
    ]


def test_each_pipeline_object_is_bound_by_value_or_by_property() -> None:
    assert [row["Identity"] for row in shown(f"'a','b' | {COPY}")] == ["a", "b"]
    objects = "[pscustomobject]@{Identity='p'; Other=1},[pscustomobject]@{Name='q'}"
    assert [row["Identity"] for row in shown(f"{objects} | {COPY}")] == ["p", "q"]


def test_a_table_of_arguments() -> None:
    assert shown(f"$p = @{{Identity='a'; ActivationOnly=$true}}; {COPY} @p") == [
        {"Set": "Identity", "Identity": "a", "ActivationOnly": True}
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("-Identity a -Bogus 1", "NamedParameterNotFound"),
        ("a b", "PositionalParameterNotFound"),
        ("-Identity", "MissingArgument"),
        ("-Identity a -Identity b", "ParameterAlreadyBound"),
        ("-S x", "AmbiguousParameter"),
        ("-ActivationOnly", "MissingMandatoryParameter"),
        ("-Identity a -ActivationOnly -EnableReplayLag", "AmbiguousParameterSet"),
        ("-Identity a -Count x", "CannotConvertArgumentNoMessage"),
        ("-Identity ''", "ParameterArgumentValidationErrorEmptyStringNotAllowed"),
        ("-Identity $null", "ParameterArgumentValidationErrorNullNotAllowed"),
        ("-Identity a -Label ''", "ParameterArgumentValidationError"),
    ],
)
def test_errors_have_the_engines_ids(line: str, error: str) -> None:
    assert ask(f"{COPY} {line}").errors == [f"{error},{COPY}"]


def test_a_function_reports_conversion_in_its_own_way() -> None:
    function = replace(SUSPEND, kind="Function")
    assert ask(f"{COPY} -Identity a -Count x", function).errors == [f"ParameterArgumentTransformationError,{COPY}"]


def test_an_object_that_fits_nothing_is_reported_and_left_out() -> None:
    strict = replace(
        SUSPEND, parameters=(Parameter.of("Number", "int", mandatory=True, by_value=True),), default_set=""
    )
    ran = ask(f"1,'x',3 | {COPY}", strict)
    assert [value.get("Number") for value in ran.output] == [1, 3]  # type: ignore[union-attr]
    assert ran.errors == [f"InputObjectNotBound,{COPY}"]


def test_nothing_runs_when_a_later_command_cannot_be_bound() -> None:
    ran = ask(f"'a' | {COPY} | Select-Object -Bogus 1")
    assert ran.output == []
    assert ran.errors == ["NamedParameterNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand"]


def test_a_validation_speaks_for_itself() -> None:
    def positive(value: Value) -> str | None:
        return None if isinstance(value, int) and value > 0 else "must be positive"

    spec = replace(SUSPEND, parameters=(Parameter.of("Count", "int", validations=(positive,)),), default_set="")
    assert shown(f"{COPY} -Count 1", spec)[0]["Count"] == 1
    assert ask(f"{COPY} -Count 0", spec).errors == [f"ParameterArgumentValidationError,{COPY}"]
