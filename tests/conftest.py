"""How every run of the tests goes (the collector, the examples) and what it says at its end: what could not be tested
on this machine, so that nobody overlooks it.
"""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import kdc
import pytest
import temporal_server
from hypothesis import settings

# Everybody plays the same examples, so that a change is judged by what it changed; `make shuffled` looks for others,
# and `make test-all` for those of its SEED. No example has a deadline: a loaded machine is slow, and nothing is wrong.
settings.register_profile("any", deadline=None)
settings.register_profile("same", settings.get_profile("any"), derandomize=True)
settings.load_profile("any" if {"STAROVER_SHUFFLED", "STAROVER_STORIES"} & set(os.environ) else "same")


def pytest_configure() -> None:
    """What is started in the background is born deaf to Ctrl-C, and hands that on; tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = tuple(
    """contract/test_three_ways e2e/test_s14 stories/ e2e/test_build steps/test_failback e2e/test_s12
    steps/test_updates_runs e2e/test_demo reliability/test_line_faults e2e/ steps/test_maintenance_runs
    steps/test_force_quorum reliability/ jobs/ steps/test_out_on_purpose cli/test_drill cli/test_end_to_end
    core/test_resume chat/ transport/ steps/test_seed_stall gold/ lease/""".split()  # noqa: SIM905
)
"""How the files begin that take longest, or wait for what is silent: they are begun first, so that at the end nobody
waits for one of them. A file is played in one process.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; whatever order there was otherwise stays."""
    here = Path(__file__).parent.as_posix() + "/"

    def rank(item: pytest.Item) -> int:
        name = item.path.as_posix().removeprefix(here)
        return next((place for place, begin in enumerate(LONGEST) if name.startswith(begin)), len(LONGEST))

    items.sort(key=rank)


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
