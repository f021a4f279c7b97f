"""The parser against what a real one said of 179 scripts, and of every script that a real engine ran."""

import json
from pathlib import Path

import pytest
from starover_lab.powershell import nodes
from starover_lab.powershell.parser import ParseError, parse

DATA = Path(__file__).parents[1] / "data"


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def verdict(script: str) -> tuple[str, int, int] | None:
    try:
        parse(script)
    except ParseError as error:
        return error.error_id, error.line, error.column
    return None


@pytest.mark.parametrize("row", rows("parse.jsonl"), ids=lambda row: row["id"])
def test_the_first_error_is_the_engines(row: dict) -> None:
    found = verdict(row["script"])
    if row.get("not_in_51"):
        assert found is not None, "7 takes it, 5.1 does not"
    else:
        first = None if row["ok"] else row["errors"][0]
        assert found == (first and (first["id"], first["line"], first["column"]))


def test_every_script_that_ran_parses() -> None:
    wrong = {row["id"]: found for row in rows("powershell.jsonl") if (found := verdict(row["script"])) is not None}
    assert wrong == {}


def shape(node: object) -> object:
    """The tree without places, short enough to read."""
    if isinstance(node, nodes.Constant):
        return node.value
    if isinstance(node, nodes.Variable):
        return ("@" if node.splatted else "$") + node.name
    if isinstance(node, nodes.Binary):
        return [node.operator, shape(node.left), shape(node.right)]
    if isinstance(node, nodes.ArrayLiteral):
        return [",", *(shape(item) for item in node.items)]
    if isinstance(node, nodes.Unary):
        return [node.operator, shape(node.operand)]
    if isinstance(node, nodes.Convert):
        return [f"[{node.type}]", shape(node.operand)]
    if isinstance(node, nodes.Paren):
        return shape(node.pipeline)
    if isinstance(node, nodes.Pipeline):
        inner = [shape(element) for element in node.elements]
        return inner[0] if len(inner) == 1 else ["|", *inner]
    if isinstance(node, nodes.ExpressionCommand):
        return shape(node.expression)
    if isinstance(node, nodes.Command):
        return ["call", *(shape(element) for element in node.elements)]
    if isinstance(node, nodes.ParameterElement):
        return ["-" + node.name, *([] if node.argument is None else [shape(node.argument)])]
    raise AssertionError(node)


def tree(script: str) -> object:
    block = parse(script).end_block
    assert block is not None
    return shape(block.statements[0])


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("$a -or $b -and $c", ["-and", ["-or", "$a", "$b"], "$c"]),
        ("5 -band 3 -eq 1", ["-band", 5, ["-eq", 3, 1]]),
        ("1,2+3,4", ["+", [",", 1, 2], [",", 3, 4]]),
        ("-join 'a','b'", [",", ["-join", "a"], "b"]),
        ("[int]'5' + 1", ["+", ["[int]", "5"], 1]),
        ("10 - 2 - 3", ["-", ["-", 10, 2], 3]),
        ("1+1..3+1", ["+", ["+", 1, ["..", 1, 3]], 1]),
        ("'{0}' + 'x' -f 'y'", ["+", "{0}", ["-f", "x", "y"]]),
        ("-5..5", ["..", -5, 5]),
        ("!$a -ieq $b", ["-eq", ["-not", "$a"], "$b"]),
        ("f -a:1 -b 2,3 @p", ["call", "f", ["-a", 1], ["-b"], [",", 2, 3], "@p"]),
        ("1 | f a=b", ["|", 1, ["call", "f", "a=b"]]),
    ],
)
def test_what_binds_tighter(script: str, expected: object) -> None:
    assert tree(script) == expected


def test_a_script_blocks_text_is_what_stands_between_its_braces() -> None:
    blocks = [node for node in nodes.walk(parse("& { a + b } { c }")) if isinstance(node, nodes.ScriptBlockExpression)]
    assert [block.script.text for block in blocks] == [" a + b ", " c "]


def test_lines_are_those_of_the_script_also_inside_strings() -> None:
    script = "'a'\n\n\"x\n$(\n$y)\""
    variables = [node for node in nodes.walk(parse(script)) if isinstance(node, nodes.Variable)]
    assert [(node.name, node.line) for node in variables] == [("y", 5)]


@pytest.mark.parametrize(
    ("script", "error_id", "column"),
    [
        ("[string]$args = 1", "AssignmentStatementToAutomaticNotSupported", 1),
        ("[object[]]$args = 1", None, 0),
        ("[void]$x = 1", "VoidTypeConstraintNotAllowed", 1),
        ("param([int]$a, [void]$b)", "VoidTypeConstraintNotAllowed", 16),
        ("param([int]$a, [int]$A)", "DuplicateFormalParameter", 21),
        ("[ref][ref]$x", "ReferenceNeedsToBeByItselfInTypeSequence", 6),
        ("[int][ref]$x", "ReferenceNeedsToBeLastTypeInTypeConversion", 6),
        ("[int][ref]$x = 1", "ReferenceNeedsToBeByItselfInTypeConstraint", 6),
        ("f ([ref]$x)", None, 0),
        ("[ValidateNotNull()]'a'", "UnexpectedAttribute", 1),
        ("[ValidateNotNull()][string]$x = 'a'", None, 0),
        ("data -supported a, { 1 }", "MissingStatementBlockForDataSection", 25),
        ("data -other a { 1 }", "InvalidParameterForDataSectionStatement", 6),
    ],
)
def test_what_is_checked_beyond_the_grammar(script: str, error_id: str | None, column: int) -> None:
    if error_id is None:
        parse(script)
        return
    with pytest.raises(ParseError) as wrong:
        parse(script)
    assert (wrong.value.error_id, wrong.value.column) == (error_id, column)
