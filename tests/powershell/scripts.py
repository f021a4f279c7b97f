"""Running one script for a test, and showing its answer in few characters; holds no test."""

from __future__ import annotations

import json
from typing import Any

from starover_lab.powershell.cases import run_case

__all__ = ["errors", "output", "refused", "run"]


def _shown(value: dict[str, Any]) -> str:
    kind, content = value["t"], value.get("v")
    if kind == "null":
        return "null"
    if kind in ("array", "list"):
        return f"[{', '.join(map(_shown, content))}]"
    if kind in ("hashtable", "ordered"):
        return f"{{{', '.join(f'{_shown(k)}={_shown(v)}' for k, v in content)}}}"
    if kind == "pscustomobject":
        return f"@{{{', '.join(f'{k}={_shown(v)}' for k, v in content)}}}"
    if kind == "string":
        return json.dumps(content, ensure_ascii=False)
    return str(content) if kind == "int" else f"{kind}:{content}"


def run(script: str) -> dict[str, Any]:
    """The answer in canonical form."""
    return run_case("test", script)  # type: ignore[return-value]


def output(script: str) -> str:
    """The output objects, parted by semicolons; a script with an error or a refusal fails the test."""
    found = run(script)
    assert "refused" not in found, found
    assert found["errors"] == [], found["errors"]
    return "; ".join(_shown(value) for value in found["output"])


def errors(script: str) -> list[str]:
    """`id/category` of each error."""
    found = run(script)
    assert "refused" not in found, found
    return [f"{error['fqid']}/{error['category']}" for error in found["errors"]]


def refused(script: str) -> str:
    """The construct that is refused; empty when the script was answered."""
    found = run(script)
    return found["refused"]["construct"] if "refused" in found else ""
