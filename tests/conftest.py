"""What a run of the tests says at its end: what could not be tested on this machine, so that nobody overlooks it."""

from __future__ import annotations

import pytest
from kdc import missing


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    said = missing()
    skipped = [one for one in terminalreporter.getreports("skipped") if said and said in str(one.longrepr)]
    if skipped:
        terminalreporter.write_sep("!", f"{len(skipped)} tests skipped", red=True, bold=True)
        terminalreporter.write_line(said, red=True, bold=True)
