"""A wrong password is tried on one host only; nothing waits once one host has taken it, and no silent host holds up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from known_credentials import Known
from wire_lab import USER, WireLab

from starover.errors import AuthFailed, ConnectFailed
from starover.inventory import Server
from starover.transport import Answer, Script, line, logons, session
from starover.transport.logons import Logons, logons_of
from starover.transport.psrp import PsrpTransport

pytestmark = pytest.mark.wire
MakeServer = Callable[..., Server]
HOSTS = 6


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(session, "CLOSING_SECONDS", 1.0)


@pytest.fixture
def tried(lab: WireLab) -> list[str]:
    """Whoever the lab was asked to log on, in order."""
    asked: list[str] = []
    authenticate = lab.endpoint.authenticate
    lab.endpoint.authenticate = lambda host, user: (asked.append(user), authenticate(host, user))[1]  # type: ignore[method-assign]
    return asked


def ask(transport: PsrpTransport, servers: list[Server], deadline: float = 20.0) -> list[Answer]:
    batch = [
        Script(id=str(n), server=one, text="hello", deadline=deadline, mutates=False) for n, one in enumerate(servers)
    ]
    return list(transport.run(batch))


def test_a_wrong_password_is_tried_on_one_host_only(
    lab: WireLab, transport: PsrpTransport, server: MakeServer, tried: list[str]
) -> None:
    hosts = [server(f"EX{n}", credential="bad") for n in range(1, HOSTS + 1)]
    answers = ask(transport, hosts)
    assert len(answers) == HOSTS
    assert all(isinstance(answer.error, AuthFailed) for answer in answers), answers
    assert tried == [USER], "every further try counts towards a lock-out"
    spared = [
        answer.error for answer in answers if answer.error and "on no other host" in " ".join(answer.error.certain)
    ]
    assert len(spared) == HOSTS - 1
    assert ask(transport, hosts[:2])[0].error is not None
    assert tried == [USER]


def test_another_credential_is_another_matter(lab: WireLab, transport: PsrpTransport, server: MakeServer) -> None:
    lab.endpoint.says("hello", "x")
    assert isinstance(ask(transport, [server("EX1", credential="bad")])[0].error, AuthFailed)
    assert ask(transport, [server("EX2")])[0].error is None


def test_a_host_that_refuses_a_credential_that_is_good_is_alone_with_it(
    lab: WireLab, transport: PsrpTransport, server: MakeServer
) -> None:
    lab.endpoint.says("hello", "x")
    assert ask(transport, [server("EX1")])[0].error is None
    password = lab.endpoint.users[USER]
    lab.endpoint.users = {}
    assert isinstance(ask(transport, [server("EX2")])[0].error, AuthFailed)
    lab.endpoint.users = {USER: password}
    assert ask(transport, [server("EX3")])[0].error is None


def test_one_road_tells_the_other(lab: WireLab, server: MakeServer, tried: list[str]) -> None:
    known = Known()
    for transport in (PsrpTransport(known), PsrpTransport(known)):
        assert isinstance(ask(transport, [server("EX1", credential="bad")])[0].error, AuthFailed)
        transport.close()
    assert tried == [USER]


def test_a_silent_host_holds_nobody_up(
    lab: WireLab, transport: PsrpTransport, server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.endpoint.says("hello", "x")
    monkeypatch.setattr(line, "CONTACT_SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        dead = [server(f"EX{n}", port=silent.getsockname()[1]) for n in (7, 8)]
        began = time.monotonic()
        first, *rest = iter_of(transport, [*dead, server("EX1"), server("EX2")])
    assert first[0].error is None
    assert first[1] - began < 2.0
    assert sum(isinstance(answer.error, ConnectFailed) for answer, _ in rest) == 2


def iter_of(transport: PsrpTransport, servers: list[Server]) -> list[tuple[Answer, float]]:
    batch = [Script(id=str(n), server=one, text="hello", deadline=20.0, mutates=False) for n, one in enumerate(servers)]
    return [(answer, time.monotonic()) for answer in transport.run(batch)]


def test_who_takes_too_long_with_the_first_logon_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logons, "PATIENCE_SECONDS", 0.05)
    gate = Logons()
    with gate.turn("env:OPS", "EX1", 1.0), gate.turn("env:OPS", "EX2", 1.0) as second:
        second.succeeded()
    with gate.turn("env:OPS", "EX3", 0.0), gate.turn("env:OPS", "EX4", 0.0):
        pass


def test_the_next_one_tries_where_the_first_learned_nothing() -> None:
    gate = Logons()
    order: list[str] = []

    def one(name: str) -> None:
        with gate.turn("env:OPS", name, 5.0):
            order.append(f"{name} in")
            time.sleep(0.02)
            order.append(f"{name} out")

    threads = [threading.Thread(target=one, args=(name,)) for name in ("EX1", "EX2", "EX3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [text.split()[1] for text in order] == ["in", "out"] * 3, "one at a time until somebody got in"


def test_time_runs_out_while_waiting() -> None:
    gate = Logons()
    with gate.turn("env:OPS", "EX1", 1.0), pytest.raises(ConnectFailed, match="EX2"), gate.turn("env:OPS", "EX2", 0.02):
        pass


def test_transports_of_one_resolver_share(tmp_path: Path) -> None:
    known = Known()
    assert logons_of(known) is logons_of(known)
    assert logons_of(known) is not logons_of(Known())
