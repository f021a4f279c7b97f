"""One Temporal server for all tests of a process that do not stop it: each test has an estate of its own there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from temporal_server import TemporalServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    with TemporalServer(tmp_path_factory.mktemp("temporal")) as made:
        yield made
