"""What a command does not need it does not load; measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("boto3", "pypsrp", "rich", "jinja2", "winrm", "tenacity", "requests", "temporalio", "starover_lab")
SLOW = ("starover.calendar_rules", "starover.remote_patterns", "importlib.resources", "http.client")
"""Of our own and of Python's: what is slow to load, and a page of help has no use for."""
PROGRAM = """
import sys
from starover_cli.main import main
try:
    main({line!r})
except SystemExit:
    pass
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
assert "starover_cli.main" in sys.modules
"""


@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        ["runbooks", "--help"],
        [],
        ["--version"],
        ["lab", "--help"],
        ["runbooks"],
        ["plan", "copies-suspend", "--help"],
        ["submit", "copies-suspend", "--help"],
    ],
)
def test_looking_around_loads_nothing_heavy(line: list[str], tmp_path: object) -> None:
    program = PROGRAM.format(line=line, heavy=HEAVY + SLOW if "--help" in line else HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=str(tmp_path), check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_module_of_one_system_only_is_imported() -> None:
    import ast
    from pathlib import Path

    import starover_cli

    posix = {"fcntl", "pwd", "grp", "termios", "tty", "pty", "resource", "msvcrt", "winreg", "curses", "readline"}
    (folder,) = starover_cli.__path__
    for file in Path(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.partition(".")[0] for name in names} & posix, file


def test_every_word_of_our_own_is_ascii() -> None:
    import ast
    from pathlib import Path

    import starover_cli

    (folder,) = starover_cli.__path__
    for file in Path(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and file.name != "text.py":
                assert node.value.isascii(), (file, node.lineno)
