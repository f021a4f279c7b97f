"""The evaluator against what a real engine answered: right or refused, never wrong."""

import json
import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from starover_lab.powershell.__main__ import main
from starover_lab.powershell.cases import run_case

DATA = Path(__file__).parents[1] / "data"
DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
TABLE = "| Case | Refused because of |\n| --- | --- |\n"


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def answer(row: dict) -> tuple:
    """What is compared: output, ids and categories of errors, warnings, whether the script was ended."""
    return (
        json.dumps(row.get("output", []), sort_keys=True),
        [(error["fqid"], error["category"]) for error in row.get("errors", [])],
        list(row.get("warnings", [])),
        bool(row.get("terminated")),
    )


@cache
def results() -> dict[str, dict]:
    return {row["id"]: run_case(row["id"], row["script"]) for row in rows("powershell.jsonl")}


def verdict(row: dict) -> str:
    found = results()[row["id"]]
    if "refused" in found:
        return "refused"
    return "right" if answer(found) == answer(row) else "wrong"


def test_no_answer_is_wrong() -> None:
    wrong = {row["id"]: results()[row["id"]] for row in rows("powershell.jsonl") if verdict(row) == "wrong"}
    assert wrong == {}


def test_every_case_of_the_subset_that_both_versions_answer_alike_is_right() -> None:
    subset = [row for row in rows("powershell.jsonl") if row["in_subset"] and not row.get("differs_in_51")]
    assert len(subset) == 783
    assert [row["id"] for row in subset if verdict(row) != "right"] == []


def test_what_is_refused_stands_in_the_document() -> None:
    """Case by case, with the reason: STAROVER_SNAPSHOTS=write makes the table anew."""
    refused = {
        row["id"]: results()[row["id"]]["refused"]["construct"]
        for row in rows("powershell.jsonl")
        if verdict(row) == "refused"
    }
    text = DOCUMENT.read_text("utf-8")
    head, _, _ = text.partition(TABLE)
    if os.environ.get("STAROVER_SNAPSHOTS") == "write":
        text = head + TABLE + "".join(f"| {case} | {refused[case]} |\n" for case in sorted(refused))
        DOCUMENT.write_text(text, encoding="utf-8", newline="\n")
    listed = dict(line.strip("| ").split(" | ", 1) for line in text.removeprefix(head + TABLE).splitlines())
    assert listed == refused
    right = Counter(map(verdict, rows("powershell.jsonl")))["right"]
    assert f"{right} of {len(rows('powershell.jsonl'))}" in head


def test_a_refusal_names_construct_and_line() -> None:
    refused = [found["refused"] for found in results().values() if "refused" in found]
    assert all(one["construct"] and one["line"] >= 1 for one in refused)


@pytest.mark.parametrize("row", rows("exit_codes.jsonl"), ids=lambda row: row["id"])
def test_exit_codes(row: dict) -> None:
    found = run_case(row["id"], row["script"])
    code = found.get("exit_code", 1 if found.get("terminated") else 0)
    # Linux keeps the low eight bits, Windows all of them; the lab's hosts are Windows.
    assert code & 0xFF == row["exit_code"]
    assert "".join(f"{one['v']}\n" for one in found["output"]) == row["stdout"]


def test_the_command_writes_one_result_a_line(tmp_path: Path) -> None:
    cases, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    scripts = {"a": "1 + 1", "b": "trap { }"}
    cases.write_text("".join(json.dumps({"id": i, "script": s}) + "\n" for i, s in scripts.items()), encoding="utf-8")
    assert main(["--cases", str(cases), "--out", str(out)]) == 0
    first, second = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    assert (first["id"], first["output"]) == ("a", [{"t": "int", "v": 2}])
    assert (second["id"], second["refused"]) == ("b", {"construct": "trap", "line": 1})
