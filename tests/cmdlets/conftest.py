"""An estate for each test."""

from __future__ import annotations

import pytest
from lab_hosts import Estate


@pytest.fixture
def estate() -> Estate:
    return Estate()
