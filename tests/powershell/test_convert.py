"""Casts, truth and text, as Windows PowerShell and 7 both have them."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from powershell.scripts import errors, output, refused
from starover_lab.powershell.convert import cast, to_bool, to_string
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.numbers import general, round_trip
from starover_lab.powershell.values import Long, PSArray


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("[int]''; [int]$null; [int]'1e3'; [int]'0x10'; [int]'1,000'", "0; 0; 1000; 16; 1000"),
        ("[int]2.5; [int]3.5; [int]-2.5; [int]'2.5'; [int]5.9999", "2; 4; -2; 2; 6"),
        ("[long]'9223372036854775807'; [long]''; [long]$true", "long:9223372036854775807; long:0; long:1"),
        ("[double]''; [double]'1e3'; [double]' 1.5 '", "double:0; double:1000; double:1.5"),
        (
            "[bool]'False'; [bool]@(0); [bool]@(0,0); [bool]@{}; [bool]@(,@(0,0))",
            "bool:True; bool:False; bool:True; bool:True; bool:True",
        ),
        (
            "[string]@(1,@(2,3)); [string]@{}; [string]1e15; [string](0.1+0.2)",
            '"1 System.Object[]"; "System.Collections.Hashtable"; "1E+15"; "0.3"',
        ),
        ("[string][datetime]'2024-01-02'; [string]1.50d; [string]$null", '"01/02/2024 00:00:00"; "1.50"; ""'),
        ("[datetime]'2024-01-02T03:04:05+02:00'", "datetime:2024-01-02T01:04:05.0000000+00:00"),
        (
            "[timespan]'25:00:00'; [timespan]'5'; [timespan]'1.02:03:04'",
            "timespan:25.00:00:00; timespan:5.00:00:00; timespan:1.02:03:04",
        ),
        ("'5' -as [int]; 'x' -as [int]; @(1) -as [int]", "5; null; null"),
        (
            "([string[]]@(1,$null)).Count; ([int[]]@('1')).GetType().Name; ([array]1).GetType().Name",
            '2; "Int32[]"; "Object[]"',
        ),
        ('"$([pscustomobject]@{a=@(1);b=$null;d=[pscustomobject]@{e=1}})"', '"@{a=System.Object[]; b=; d=}"'),
    ],
)
def test_casts(script: str, answer: str) -> None:
    assert output(script) == answer


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("[int]'5a'", "InvalidCastFromStringToInteger/InvalidArgument"),
        ("[int]1.5e10", "InvalidCastIConvertible/InvalidArgument"),
        ("[int]@(5)", "ConvertToFinalInvalidCastException/InvalidArgument"),
        ("[datetime]''", "InvalidCastParseTargetInvocationWithFormatProvider/InvalidArgument"),
        ("[version]'1.x'", "InvalidCastParseTargetInvocation/InvalidArgument"),
        ("[type]'nosuch'", "InvalidCastFromStringToType/InvalidArgument"),
        ("[nosuch]5", "TypeNotFound/InvalidOperation"),
    ],
)
def test_failed_casts(script: str, error: str) -> None:
    assert errors(script) == [error]


@pytest.mark.parametrize(
    "script",
    [
        "(2/3).ToString()",
        "[string]-0.0",
        "[int]' '",
        "[datetime]'noon, more or less 3'",
        "[xml]'<a/>'",
        "[System.Data.DataTable]5",
    ],
)
def test_what_differs_or_is_unknown_is_refused(script: str) -> None:
    assert refused(script)


@given(st.integers(-(2**31), 2**31 - 1))
def test_integers_survive_as_text(number: int) -> None:
    assert cast(to_string(number), "System.Int32") == number


@given(st.integers(2**31, 2**63 - 1))
def test_what_does_not_fit_is_an_error(number: int) -> None:
    with pytest.raises(Terminated) as failed:
        cast(Long(number), "System.Int32")
    assert failed.value.record.fqid == "InvalidCastIConvertible"
    assert cast(Long(number), "System.Int64") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_round_trip_text_reads_back(number: float) -> None:
    assert float(round_trip(number)) == number


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_general_keeps_fifteen_digits(number: float) -> None:
    assert math.isclose(float(general(number)), number, rel_tol=1e-14)
    digits = general(number).partition("E")[0].replace(".", "").strip("0")
    assert len(digits) <= 15


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-1000, max_value=1000))
def test_decimals_keep_their_scale(number: Decimal) -> None:
    assert to_string(number) == format(number, "f")


@given(st.lists(st.integers(-1, 1), max_size=3))
def test_the_truth_of_arrays(items: list[int]) -> None:
    expected = bool(items[0]) if len(items) == 1 else bool(items)
    assert to_bool(PSArray(list(items))) is expected


def test_unknown_conversions_are_not_guessed() -> None:
    with pytest.raises(Unsupported):
        cast(5, "System.Uri")
