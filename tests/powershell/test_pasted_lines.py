"""Advice can be pasted: bash and PowerShell read a line of it as starover meant it."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from powershell.scripts import output

from starover.command_line import command_of, with_dag, word

TEXTS = st.text(st.sampled_from("aZ7 .,;&|<>()[]{}@#%^*?~/\\$`\"'!‘’‚‛“”„äя"), min_size=1, max_size=6)


@given(TEXTS)
def test_bash_reads_a_word_as_it_was(text: str) -> None:
    assert shlex.split(word(text)) == [text]


@given(TEXTS)
def test_powershell_reads_it_too_unless_no_spelling_serves_both(text: str) -> None:
    quoted = word(text)
    both = {*"'‘’‚‛"} & {*text} and {*'"“”„$`!\\'} & {*text}
    if quoted != text and not both:  # a bare word goes to a program as it stands
        assert json.loads(output(f"Write-Output {quoted}")) == text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Sales", "starover plan db-switchover --db Sales --to EX2"),
        ("Sales & Co", "starover plan db-switchover --db 'Sales & Co' --to EX2"),
        ("O’Brien DB", 'starover plan db-switchover --db "O’Brien DB" --to EX2'),
        ("O'Brien $1", "starover plan db-switchover --db 'O'\"'\"'Brien $1' --to EX2"),
    ],
)
def test_a_line_with_a_name_that_needs_quotes(name: str, line: str) -> None:
    assert command_of("db-switchover", {"db": name, "to": "EX2", "skip": [], "ticket": ""}) == line


def test_yes_no_and_several() -> None:
    line = command_of("force-quorum", {"now": True, "move_comment": False, "lost_server": ["EX1", "FSW 1"]})
    assert line == "starover plan force-quorum --now --move-comment false --lost-server EX1 --lost-server 'FSW 1'"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("starover run health-report   says why", "starover run health-report --dag DAG2   says why"),
        ("starover plan maintenance-stop --server EX1", "starover plan maintenance-stop --server EX1 --dag DAG2"),
        ("starover assess", "starover assess --dag DAG2"),
        ("starover watch --dag DAG1", "starover watch --dag DAG1"),
        ("starover resume 5e1b.1   looks again", "starover resume 5e1b.1   looks again"),
        ("--to another server", "--to another server"),
    ],
)
def test_advice_names_the_dag_where_there_are_several(line: str, named: str) -> None:
    assert with_dag(line, "DAG2") == named
