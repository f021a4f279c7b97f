"""Operators: the left operand decides, collections are filtered, what 5.1 and 7 see differently is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from powershell.scripts import errors, output, refused
from starover_lab.powershell.collation import compare_text, equal_text
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.operators import binary
from starover_lab.powershell.values import Long, PSArray


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (
            "2147483647 + 1; 6/2; 7/2; 5gb / 1mb; '5' + 3; 5 + '3'; '5' * 3",
            'double:2147483648; 3; double:3.5; long:5120; "53"; 8; "555"',
        ),
        ("-5 % 3; 5 % -3; -5.5 % 2; 1 + '0x10'; 5 + '1kb'", "-2; 2; double:-1.5; 17; 1029"),
        ("1.10d * 2; 1d / 3d; 5d - 5.0d", "decimal:2.20; decimal:0.3333333333333333333333333333; decimal:0.0"),
        ("$null + 1; 1 - $null; $null * 2; 2 * $null; 'a' + $null", '1; 1; null; 0; "a"'),
        ("(1,2) + 3; 'a' + (1,2); @(1,2) * 2", '1; 2; 3; "a1 2"; 1; 2; 1; 2'),
        (
            "[datetime]'2024-01-31' + [timespan]'1:00'; [datetime]'2024-01-02' - [datetime]'2024-01-01'",
            "datetime:2024-01-31T01:00:00.0000000; timespan:1.00:00:00",
        ),
        (
            "'1.0' -eq 1; 1 -eq '1.0'; '' -eq $false; $false -eq ''; 5 -eq 'abc'",
            "bool:False; bool:True; bool:False; bool:True; bool:False",
        ),
        ("$null -lt 0; $null -lt -1; $null -gt -1; 'a' -gt $null", "bool:True; bool:False; bool:True; bool:True"),
        (
            "@($true) -contains 'no'; $true -in @('x'); 2 -in 1,2; 'A' -in 'a','b'",
            "bool:True; bool:False; bool:True; bool:True",
        ),
        ("(1,2) -eq 5; 1,2,3 -gt 1; 'ab','cd' -like 'a*'; (1,2,3 -ne 2).Count", '2; 3; "ab"; 2'),
        (
            "'10' -lt '9'; 10 -lt '9'; '10' -lt 9; 'B' -lt 'a'; 'a' -clt 'A'",
            "bool:True; bool:False; bool:True; bool:False; bool:True",
        ),
        ("'DB-1' -lt 'DB-2'; 'DB10' -lt 'DB2'; 'a1' -lt 'a b'", "bool:True; bool:True; bool:False"),
        ("[version]'1.10' -gt '1.9'; '15.10' -gt [version]'15.9'", "bool:True; bool:False"),
        (
            "'a*c' -like 'a`*c'; 'abc' -like 'a[b-c]c'; 'abc' -like ''; $null -like '*'",
            "bool:True; bool:True; bool:False; bool:True",
        ),
        ("'EX1\\DB' -match '^(?<s>\\w+)\\\\(.+)$'; $Matches.s; $Matches[1]", 'bool:True; "EX1"; "DB"'),
        ("'x1' -match '\\d' | Out-Null; 'q' -match 'z'; $Matches[0]", 'bool:False; "1"'),
        (
            "'abc' -replace '(a)(b)','$2$1'; 'a' -replace 'a','$$'; 'abc' -replace 'b','$9'; 'aaa' -replace 'a*','x'",
            '"bac"; "$"; "a$9c"; "xx"',
        ),
        (
            "'a1b2c' -split '(\\d)'; 'a.b' -split '.',0,'SimpleMatch'; 'a,b,c' -split ',',2",
            '"a"; "1"; "b"; "2"; "c"; "a"; "b"; "a"; "b,c"',
        ),
        ("1,$null,3 -join ','; (1,(2,3)) -join ','; -join ('a','b')", '"1,,3"; "1,System.Object[]"; "ab"'),
        ("'{0:N2}|{1,5}|{2:X8}|{3:0.##}' -f 1234.567,'ab',-2147024891,1.5", '"1,234.57|   ab|80070005|1.5"'),
        ("1..2.5; 1.5..3.5; 3..1; '1'..'3'", "1; 2; 2; 3; 4; 3; 2; 1; 1; 2; 3"),
        (
            "[string[]]@('a') -is [object[]]; @() -is [array]; [ordered]@{} -is [hashtable]; $null -is [object]",
            "bool:False; bool:True; bool:False; bool:False",
        ),
        ("'café' -eq 'cafe\u0301'; 'Σ' -eq 'σ'; 'a–b' -eq 'a-b'", "bool:True; bool:True; bool:False"),
    ],
)
def test_answers(script: str, answer: str) -> None:
    assert output(script) == answer


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("1 % 0", "RuntimeException/NotSpecified"),
        ("5 + 'abc'", "InvalidCastFromStringToInteger/InvalidArgument"),
        ("@(1,2) - 1", "MethodNotFound/InvalidOperation"),
        ("[version]'1.2' + 1", "MethodNotFound/InvalidOperation"),
        ("'abc' * -1", "System.ArgumentOutOfRangeException/OperationStopped"),
        ("@{a=1} + @{a=2}", "System.ArgumentException/OperationStopped"),
        ("@{} + 1", "AddHashTableToNonHashTable/InvalidOperation"),
        ("5 -gt @{}", "ComparisonFailure/InvalidOperation"),
        ("@{a=1} -lt @{b=1}", "NotIcomparable/InvalidOperation"),
        ("'a(b' -replace '(','x'", "InvalidRegularExpression/InvalidOperation"),
        ("'{0} {1}' -f 1", "FormatError/InvalidOperation"),
        ("'{0:X}' -f 1.5", "FormatError/InvalidOperation"),
    ],
)
def test_errors(script: str, error: str) -> None:
    assert errors(script) == [error]


@pytest.mark.parametrize(
    "script",
    [
        '"a`0" -eq "a"',
        "'co-op' -lt 'coop'",
        "'a' -match '['",
        "'{0:F0}' -f 2.5",
        "[timespan]'1:00' * 2",
        "'a'..'c'",
        "'x' -replace 'x',{ 'y' }",
        "'a' -match 'a(?i)b|c'",
        "'a' -match '[a-z-[b]]'",
        "'é\u0301' -match '\\w'",
    ],
)
def test_refusals(script: str) -> None:
    assert refused(script)


_WORDS = st.text("abcdefgABCDEFG0123456789", max_size=6)


@given(_WORDS, _WORDS)
def test_the_order_of_plain_words(left: str, right: str) -> None:
    order = compare_text(left, right, ignore_case=True)
    assert order == -compare_text(right, left, ignore_case=True)
    assert (order == 0) is (left.lower() == right.lower())
    # Digits come before letters, and case does not count.
    assert order == ((left.lower() > right.lower()) - (left.lower() < right.lower()))


@given(st.text(max_size=6), st.text(max_size=6))
def test_equality_is_told_or_refused(left: str, right: str) -> None:
    try:
        same = equal_text(left, right, ignore_case=False)
    except Unsupported:
        return
    assert same == equal_text(right, left, ignore_case=False)
    assert same or left != right


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_sums_keep_their_value_and_widen_to_double(left: int, right: int) -> None:
    total = binary("+", left, right)
    assert total == left + right
    assert isinstance(total, float) is not (-(2**31) <= left + right < 2**31)


@given(st.integers(-(2**62), 2**62), st.integers(1, 2**31 - 1))
def test_remainder_has_the_sign_of_the_left(left: int, right: int) -> None:
    rest = binary("%", Long(left), right)
    assert isinstance(rest, int)
    assert abs(rest) < right
    assert rest == 0 or (rest < 0) is (left < 0)


@given(st.lists(st.integers(0, 5)), st.integers(0, 5))
def test_a_collection_on_the_left_is_filtered(items: list[int], wanted: int) -> None:
    found = binary("-eq", PSArray(list(items)), wanted)
    assert isinstance(found, PSArray)
    assert found.items == [item for item in items if item == wanted]
    assert binary("-contains", PSArray(list(items)), wanted) is (wanted in items)


@pytest.mark.parametrize("ignore_case", [True, False])
def test_a_sharp_s_is_a_letter_to_one_and_two_to_the_other(ignore_case: bool) -> None:
    assert not equal_text("D:\\Größe\\Größe.edb", "", ignore_case=ignore_case), "what can be seen is not nothing"
    assert not equal_text("Größe", "Grüße", ignore_case=ignore_case)
    assert not equal_text("Größe", "c", ignore_case=ignore_case)
    assert equal_text("Größe", "GRÖßE", ignore_case=True)
    with pytest.raises(Unsupported, match="Windows takes it for ss"):
        equal_text("Größe", "Grösse", ignore_case=ignore_case)
    with pytest.raises(Unsupported):
        equal_text("Größe", "Grö\u200bße", ignore_case=ignore_case)
    with pytest.raises(Unsupported):
        equal_text("\u200b", "", ignore_case=ignore_case)
