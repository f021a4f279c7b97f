"""Templates: no way to splice text, the same bytes each time, and the rules of the lint."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.powershell.tokens import Tokenizer

from starover.errors import BadParameter, BadTemplate
from starover.lint import commands, lint
from starover.render import Renderer
from starover.skeleton import VALUE, Spot, code_only, values


def body(source: str, **arguments: object) -> str:
    return Renderer({"t": source}).body("t", arguments).text  # type: ignore[arg-type]


def test_a_template_renders_values_conditions_and_lists() -> None:
    source = (
        "# exchange: Get-Thing, Set-Thing\n"
        "{# a note for authors #}\n"
        "{% if wanted %}\n"
        "Set-Thing -Identity {{ name }} -Names @({% for n in names %}{{ n }}{% if not loop.last %}, {% endif %}"
        "{% endfor %})\n"
        "{% else %}\n"
        "Get-Thing -Identity {{ name }} -Comment {{ comment | text }}\n"
        "{% endif %}\n"
    )
    arguments = {"name": "o'b", "names": ["a", "b"], "comment": "two\nlines", "wanted": True}
    made = Renderer({"t": source}).body("t", arguments)  # type: ignore[arg-type]
    assert made.text == "# exchange: Get-Thing, Set-Thing\nSet-Thing -Identity 'o''b' -Names @('a', 'b')\n"
    assert made.exchange == ("Get-Thing", "Set-Thing")
    assert not made.single
    other = body(source, **(arguments | {"wanted": False}))
    assert other.endswith("Get-Thing -Identity 'o''b' -Comment 'two lines'\n")


def test_the_same_input_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "from starover.render import Renderer\n"
        "b = Renderer({'t': 'A -B {{ x }} -C {{ y }}\\r\\n'}).body('t', {'x': {'k': ['v', 1]}, 'y': 'z'})\n"
        "print(b.text, b.sha256)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout.decode()
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert "\r" not in runs.pop()


def test_a_head_line_marks_a_single_command() -> None:
    assert Renderer({"t": "# single\nGet-Thing\n"}).body("t", {}).single


@pytest.mark.parametrize(
    "source",
    [
        "{% macro m() %}x{% endmacro %}",
        "{% set x = 1 %}",
        "{% set x %}y{% endset %}",
        "{% filter text %}{{ a }}{% endfilter %}",
        "{% include a %}",
        "{% import 't' as u %}",
        "{% extends 't' %}",
        "{% block b %}{% endblock %}",
        "{% raw %}{{ a }}{% endraw %}{{ a | safe }}",
        "{{ a.upper() }}",
        "{{ a.__class__ }}",
        "{{ a['x'] }}",
        "{{ a ~ 'x' }}",
        "{{ a + 'x' }}",
        "{{ a | replace('x', 'y') }}",
        "{{ a | random }}",
        "{{ range(3) }}",
        "{{ lipsum() }}",
        "{{ cycler.next }}",
        "{{ [a, a] }}",
        "{{ a if a else a }}",
        "{% for x in a recursive %}{{ x }}{% endfor %}",
        "{{ loop.changed }}",
        "{{ a",
        "{% if a %}",
    ],
)
def test_what_could_splice_text_is_refused_when_loaded(source: str) -> None:
    with pytest.raises(BadTemplate):
        body(source + "\n", a="b")


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("Get-X -N '{{ a }}'", "in quotes"),
        ('Get-X -N "{{ a }}"', "in quotes"),
        ("Get-X -N \u2019{{ a }}\u2019", "in quotes"),
        ("$x = @'\n{{ a }}\n'@", "in quotes"),
        ("# {{ a }}", "in a comment"),
        ("<# {{ a }} #>", "in a comment"),
        ("Get-X -N DB{{ a }}", "against other text"),
        ("Get-X -N {{ a }}01", "against other text"),
        ("Get-X -N ${{ a }}", "against other text"),
        ("Get-X -N {{ a }}{{ a }}", "against other text"),
        ("Get-X -N `{{ a }}", "against other text"),
    ],
)
def test_a_value_stands_alone(source: str, where: str) -> None:
    with pytest.raises(BadTemplate, match=where):
        body(source + "\n", a="b")


def test_missing_and_bad_values_name_the_template() -> None:
    with pytest.raises(BadTemplate, match="`b`"):
        body("Get-X -N {{ a }} -M {{ b }}\n", a="x")
    with pytest.raises(BadParameter, match="template t"):
        body("Get-X -N {{ a }}\n", a="x\n")
    with pytest.raises(BadTemplate, match="no template"):
        Renderer({}).body("t", {})
    assert body("Get-X -N {{ a }}\n", a=1, unused=2) == "Get-X -N 1\n"


@pytest.mark.parametrize("head", ["# exchange: Get-Thing; Remove-Thing", "# exchange: iex", "# exchange: Get-Thing,"])
def test_a_head_line_that_names_no_cmdlet_is_refused(head: str) -> None:
    with pytest.raises(BadTemplate):
        body(head + "\nx\n")


@given(st.text())
def test_a_name_is_one_argument_whatever_it_holds(text: str) -> None:
    """The lab's tokenizer sees the same tokens for every value: command, parameter, literal, parameter, variable."""
    try:
        script = body("Get-Thing -Name {{ a | text }} -Force:$false\n", a=text)
    except BadParameter:
        return
    tokenizer = Tokenizer(script)
    tokenizer.mode = "command"
    kinds: list[str] = []
    while (token := tokenizer.next_token()).kind != "EndOfInput":
        kinds.append(token.kind)
    harmless = Tokenizer("Get-Thing -Name 'x' -Force:$false\n")
    harmless.mode = "command"
    wanted: list[str] = []
    while (token := harmless.next_token()).kind != "EndOfInput":
        wanted.append(token.kind)
    if "FromBase64String" not in script:
        assert kinds == wanted


def test_spots_are_found() -> None:
    text = f"a {VALUE} '{VALUE}' # {VALUE}\n({VALUE}) x{VALUE}"
    assert [spot.where for spot in values(text)] == [Spot.CODE, Spot.QUOTES, Spot.COMMENT, Spot.CODE, Spot.GLUED]
    assert [spot.line for spot in values(text)] == [1, 1, 1, 2, 2]


def test_code_only_keeps_places() -> None:
    text = "a 'b''c' # d\n<# e\n #> \"f`\"g\" @'\nh'\n'@ i#j\n"
    only = code_only(text)
    assert len(only) == len(text)
    assert only.count("\n") == text.count("\n")
    assert not set("bcdefgh") & set(only)
    assert "i#j" in only


CLEAN = """# exchange: Get-Thing
$facts = @()
$queue = $null
foreach ($one in @(Get-Thing -Identity {{ name }} -ErrorAction Stop)) {
    if ($null -eq $one) { continue }
    if ($null -ne $one.Queue) { $queue = [long]$one.Queue }
    $facts += @([pscustomobject]@{ name = [string]$one.Name; queue = $queue; ok = [bool]($one.A -eq 1) })
}
[pscustomobject]@{
    things = @($facts)
    inner  = [pscustomobject]@{ n = 1; s = 'x'; z = $null }
}
"""


def test_a_clean_template_has_no_complaint() -> None:
    assert lint({"t": CLEAN}, "t") == []
    assert commands({"t": CLEAN}, "t") == {"Get-Thing"}


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("exit 3\n", "exit"),
        ("if (1) { break }\n", "break"),
        ("@(1) | ForEach-Object { continue }\n", "continue"),
        ("param($x)\n", "param"),
        ("$staroverState = 1\n", "name of the wrapper"),
        ("[pscustomobject]@{ a = $x.Name }\n", "`a` has no cast"),
        ("[ordered]@{ 'b' = Get-Thing }\n", "has no cast"),
        ("$y = $z.Count\n[pscustomobject]@{ c = $y }\n", "`c` has no cast"),
        ('$s = "x"\nGet-Thing -N {{ n }}\n', "double quotes"),
        ('$s = @"\nx\n"@\n', "here-string"),
        ("Get-Thing \u2013Name 1\n", "U+2013"),
        ("if (1) { Get-Thing }}\n", "}}"),
        ("Get-Thing", "no end"),
        ("Get-Thing -N '{{ n }}'\n", "in quotes"),
        ("{% macro x() %}{% endmacro %}\n", "macro"),
    ],
)
def test_the_lint_finds(wrong: str, complaint: str) -> None:
    found = lint({"t": wrong}, "t")
    assert any(complaint in one for one in found), found


def test_a_break_in_a_loop_and_a_block_is_fine() -> None:
    assert lint({"t": "foreach ($x in 1..3) { if ($x -eq 2) { break } }\n"}, "t") == []
    assert lint({"t": "switch ('a') { 'a' { break } }\n"}, "t") == []
