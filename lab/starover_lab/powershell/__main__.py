"""`python -m starover_lab.powershell --cases IN.jsonl --out OUT.jsonl`: run measured scripts, write the answers."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from starover_lab.powershell.cases import run_case

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run every case in a session of its own; a refused one says which construct was refused, and on which line."""
    parser = argparse.ArgumentParser(prog="python -m starover_lab.powershell", description=main.__doc__)
    parser.add_argument("--cases", type=Path, required=True, help="one JSON object per line, with id and script")
    parser.add_argument("--out", type=Path, required=True, help="where the results go, one JSON object per line")
    given = parser.parse_args(arguments)
    with given.cases.open(encoding="utf-8") as cases, given.out.open("w", encoding="utf-8") as out:
        for line in cases:
            if line.strip():
                row = json.loads(line)
                out.write(json.dumps(run_case(row["id"], row["script"])) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
