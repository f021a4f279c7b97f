"""Properties, methods and brackets of values; static members; what a missing member gives."""

# ruff: noqa: E501 - a case stays on one line

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from powershell.scripts import errors, output, refused
from starover_lab.powershell import members
from starover_lab.powershell.values import PSArray, PSObject, Value, custom_object


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (
            "'abc'[-1]; 'abc'[5]; 'abc'[0..1] -join ''; (1,2,3)[1..9] -join ','; (1,2,3)['1']; (1,2)['x']",
            'char:c; null; "ab"; "2,3"; 2; null',
        ),
        (
            "$null.Count; $null.Foo.Bar; (5).Count; 'abc'.Count; @{a=1;b=2}.Count; @{Count=9}.Count",
            "0; null; 1; 1; 2; 9",
        ),
        (
            "@([pscustomobject]@{n=1},[pscustomobject]@{m=2}).n; ('a','bb').ToUpper(); ('a','bb').Length",
            '1; null; "A"; "BB"; 2',
        ),
        ("$h=[ordered]@{z=1;a=2}; $h[0]; $h['a']; $h[9]; $h.Insert(0,'c',3); $h.Keys -join ''", '1; 2; null; "cza"'),
        (
            "$h=@{}; $h.a.b; $h['k'] += 1; $h.k++; $h.k; $h.ContainsKey('K'); $h.Remove('k'); $h.Count",
            "null; 2; bool:True; 0",
        ),
        (
            "$o=[pscustomobject]@{a=1}; $o.A = 5; $o.a; $o.PSObject.Properties['a'].Value; $o.PSObject.Properties.Name",
            '5; 5; "a"',
        ),
        (
            "'a,b'.Split(','); ' x '.Trim(); 'xxaxx'.Trim('x'); 'aXb'.Replace('X','-'); 'abc'.Substring(1,1)",
            '"a"; "b"; "x"; "a"; "a-b"; "b"',
        ),
        (
            "'ABC'.StartsWith('ab','OrdinalIgnoreCase'); 'abc'.IndexOf('c'); 'ß'.ToUpperInvariant(); '5'.PadLeft(3,'0')",
            'bool:True; 2; "ß"; "005"',
        ),
        (
            "([datetime]'2024-01-31').AddMonths(1).ToString('s'); ([datetime]'2024-01-02T03:04:05Z').ToUniversalTime().ToString('o')",
            '"2024-02-29T00:00:00"; "2024-01-02T03:04:05.0000000Z"',
        ),
        (
            "([timespan]'1.02:03:04.5').TotalSeconds; ([timespan]'00:05:00').ToString('mm'); [timespan]::FromSeconds(1.5)",
            'double:93784.5; "05"; timespan:00:00:01.5000000',
        ),
        (
            "[math]::Max(1,2); [math]::Floor(-1.5); [math]::Round(2.5); [string]::Join('-','a','b'); [regex]::Escape('a.b')",
            '2; double:-2; double:2; "a-b"; "a\\\\.b"',
        ),
        (
            "[regex]::Replace('a1b2','\\d',{ param($m) \"<$($m.Value)>\" }); [regex]::IsMatch('A','a')",
            '"a<1>b<2>"; bool:False',
        ),
        (
            "[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('w6k=')); [BitConverter]::ToString([byte[]](1,171))",
            '"é"; "01-AB"',
        ),
        (
            "[Net.IPAddress]::Parse('010.0.0.1').ToString(); [Threading.Timeout]::InfiniteTimeSpan",
            '"8.0.0.1"; timespan:-00:00:00.0010000',
        ),
        (
            "$l=[System.Collections.ArrayList]@(1); $l.Add(2); $l.RemoveAt(0); $l -join ','; $l.ToArray().GetType().Name",
            '1; "2"; "Object[]"',
        ),
        (
            "[System.ArgumentException]::new('m').Message; try { [int]'x' } catch { $_.Exception.InnerException.GetType().Name }",
            '"m"; "PSInvalidCastException"',
        ),
        (
            "try { 1/0 } catch { $_.CategoryInfo.Category; '0x{0:X8}' -f $_.Exception.HResult; $_.Exception.InnerException.GetType().FullName }",
            'other:NotSpecified; "0x80131501"; "System.DivideByZeroException"',
        ),
    ],
)
def test_answers(script: str, answer: str) -> None:
    assert output(script) == answer


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("'abc'.NoSuch()", "MethodNotFound/InvalidOperation"),
        ("(1,2).NoSuch()", "MethodNotFound/InvalidOperation"),
        ("$null.Foo()", "InvokeMethodOnNull/InvalidOperation"),
        ("'abc'.Substring(1,2,3)", "MethodCountCouldNotFindBest/NotSpecified"),
        ("'abc'.Substring('x')", "MethodArgumentConversionInvalidCastArgument/NotSpecified"),
        ("'abc'.Substring(5)", "ArgumentOutOfRangeException/NotSpecified"),
        ("'abc'.Replace('','x')", "ArgumentException/NotSpecified"),
        ("(1,2).Add(3)", "NotSupportedException/NotSpecified"),
        ("$null[0]", "NullArray/InvalidOperation"),
        ("@{a=1}[$null]", "NullArrayIndex/InvalidOperation"),
        ("$a = 1,2; $a[5] = 1", "System.IndexOutOfRangeException/OperationStopped"),
        ("$o = [pscustomobject]@{a=1}; $o.b = 1", "ExceptionWhenSetting/NotSpecified"),
        ("$x = $null; $x.Prop = 1", "PropertyNotFound/InvalidOperation"),
        ("[string]$s = 'a'; $s.Length = 1", "PropertyAssignmentException/InvalidOperation"),
        ("Set-StrictMode -Version 2.0; (5).Count", "PropertyNotFoundStrict/NotSpecified"),
        ("$h = @{}; $h.Add('a',1); $h.Add('A',2)", "ArgumentException/NotSpecified"),
        ("[math]::NoSuch(1)", "MethodNotFound/InvalidOperation"),
        ("[Convert]::FromBase64String('@@@')", "FormatException/NotSpecified"),
        ("(5).ToString('Q')", "FormatException/NotSpecified"),
    ],
)
def test_errors(script: str, error: str) -> None:
    assert errors(script) == [error]


@pytest.mark.parametrize(
    "script",
    [
        "'abc'.Split('--')",
        "'abc'.Contains(1)",
        "'abc'.GetHashCode()",
        "([pscustomobject]@{a=1}).Count",
        "$true[0]",
        "[math]::Floor(5)",
        "[guid]::NewGuid()",
        "[System.IO.File]::ReadAllText('x')",
        "@(@{a=1},@{b=2}).a",
    ],
)
def test_refusals(script: str) -> None:
    assert refused(script)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_the_gzip_wrapper_of_reports(text: str) -> None:
    quoted = text.replace("'", "''").replace("\u2018", "\u2018\u2018").replace("\u2019", "\u2019\u2019")
    quoted = quoted.replace("\u201a", "\u201a\u201a").replace("\u201b", "\u201b\u201b")
    script = f"""$bytes = [Text.Encoding]::UTF8.GetBytes('{quoted}')
        $target = New-Object System.IO.MemoryStream
        $zip = New-Object System.IO.Compression.GZipStream $target,([System.IO.Compression.CompressionMode]::Compress)
        $zip.Write($bytes, 0, $bytes.Length); $zip.Close(); [Convert]::ToBase64String($target.ToArray())"""
    found = output(script).strip('"')
    assert gzip.decompress(base64.b64decode(found)).decode() == text


def test_a_live_object_may_have_methods_of_its_own() -> None:
    size = PSObject([("Value", 5)], type_names=["Microsoft.Exchange.Data.ByteQuantifiedSize"], text="5 B (5 bytes)")

    def to_bytes(arguments: list[Value]) -> Value:
        return 5 if not arguments else None

    size.methods["tobytes"] = to_bytes
    assert members.call(size, "ToBytes", []) == 5
    assert members.get(PSArray([size, size]), "Value") is not None
    assert members.get(size, "Count") == 1


def test_setting_a_member_of_a_custom_object_keeps_its_spelling() -> None:
    value = custom_object([("Name", 1)])
    members.set(value, "NAME", 2)
    assert [(p.name, p.value) for p in value.properties.values()] == [("Name", 2)]
