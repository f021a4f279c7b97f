"""A WinRM host for each test, and pypsrp clients for it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pypsrp.wsman import WSMan
from wire_lab import PASSWORD, USER, WireLab

MakeClient = Callable[..., WSMan]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[WireLab]:
    with WireLab(tmp_path) as running:
        yield running


@pytest.fixture
def client(lab: WireLab) -> Iterator[MakeClient]:
    """`client(auth='ntlm', ssl=False, ...)`: a pypsrp connection that is closed at the end."""
    made: list[WSMan] = []

    def make(auth: str = "negotiate", *, ssl: bool = False, **options: Any) -> WSMan:
        options = {
            "username": USER,
            "password": PASSWORD,
            "port": (lab.host.https or lab.host.http).port if ssl else lab.host.http.port,
            "auth": auth,
            "ssl": ssl,
            "cert_validation": str(lab.ca_file) if ssl else True,
            "connection_timeout": 10,
            "read_timeout": 10,
            "operation_timeout": 8,
            "reconnection_retries": 0,
            "no_proxy": True,
        } | options
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.append(WSMan("127.0.0.1", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
