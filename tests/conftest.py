"""How every run of the tests goes (the collector, the examples) and what it says at its end: what could not be tested
on this machine, so that nobody overlooks it.
"""

from __future__ import annotations

import gc
import os

import kdc
import pytest
import temporal_server
from hypothesis import settings

# Everybody plays the same examples, so that a change is judged by what it changed; `make shuffled` and `make test-all`
# look for others.
settings.register_profile("same", derandomize=True)
if not {"STAROVER_SHUFFLED", "STAROVER_STORIES"} & set(os.environ):
    settings.load_profile("same")


def pytest_collection_finish() -> None:
    """What was imported and collected stays for good, and labs come and go: without this the collector, which looks at
    all of it again and again, takes a fifth of the time of the tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for said in (kdc.missing(), temporal_server.missing()):
        skipped = [one for one in terminalreporter.getreports("skipped") if said and said in str(one.longrepr)]
        if skipped:
            terminalreporter.write_sep("!", f"{len(skipped)} tests skipped", red=True, bold=True)
            terminalreporter.write_line(said, red=True, bold=True)
