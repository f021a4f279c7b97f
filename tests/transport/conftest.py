"""A WinRM host of the lab's wire, and our transport for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from known_credentials import Known
from wire_lab import WireLab

from starover.inventory import Road, Server
from starover.transport import Answer, Script
from starover.transport.psrp import PsrpTransport

RunOne = Callable[..., Answer]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[WireLab]:
    with WireLab(tmp_path) as running:
        yield running


@pytest.fixture
def transport() -> Iterator[PsrpTransport]:
    made = PsrpTransport(Known())
    yield made
    made.close()


@pytest.fixture
def server(lab: WireLab) -> Callable[..., Server]:
    """`server(auth='ntlm', scheme='https', ...)`: the lab's host as an inventory has it."""

    def make(name: str = "EX1", credential: str = "good", **road: object) -> Server:
        scheme = str(road.get("scheme", "http"))
        port = (lab.host.https or lab.host.http).port if scheme == "https" else lab.host.http.port
        fields = {"scheme": scheme, "address": "127.0.0.1", "port": port, "ca_file": str(lab.ca_file)} | road
        return Server(
            name=name,
            fqdn=f"{name.lower()}.example.com",
            roles=("mailbox",),
            roads=(Road(**fields),),  # type: ignore[arg-type]
            credential=credential,
        )

    return make


@pytest.fixture
def run_one(transport: PsrpTransport, server: Callable[..., Server]) -> RunOne:
    """`run_one(text, on=server(), ...)`: one script, one answer."""
    serial = itertools.count()

    def run(text: str, *, on: Server | None = None, **fields: object) -> Answer:
        given = {"deadline": 20.0, "mutates": False} | fields
        script = Script(id=str(next(serial)), server=on or server(), text=text, **given)  # type: ignore[arg-type]
        (answer,) = transport.run([script])
        assert answer.id == script.id
        return answer

    return run
