"""Two parts of one run and its lease: one counts while the other asks again; one is cut off while the other goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from content_scripts import EXCHANGE

from starover.effects import Facts, Failed, Ok, Send
from starover.engine import applying
from starover.engine.applying import Applying
from starover.engine.leasing import Leasing
from starover.errors import ConnectFailed, Fault
from starover.lease import Said, Scope

SCOPE = Scope(dag="DAG1", members=("EX1", "EX2"), every=True, handled=("EX1",))
SILENT = Failed(fault=Fault.of(ConnectFailed("EX1 does not answer", host="EX1")))
MINE = Said(state="mine", token=1, holder="", note="", age=0)


def leasing() -> Leasing:
    run = SimpleNamespace(
        id="00000000.1",
        who="tester",
        started=datetime(2026, 11, 20, tzinfo=UTC),
        bound=SimpleNamespace(runbook="failback"),
        servers={"EX1": msgspec.structs.replace(EXCHANGE, name="EX1")},
        leased={},
    )
    state: Any = SimpleNamespace(run=run, scheduler=SimpleNamespace(nonce=lambda: "0" * 16, answered=0))
    made = Leasing(state, SCOPE)
    made._holder = "/".join(["5f6e0ad5-8f0b-4b13-9d62-0d1c7f1f9a01"] * 2)
    return made


def asked(of: Leasing, answer: Callable[[], Facts | Failed]) -> None:
    """EX1 is asked once, as often as that is tried."""
    process: Any = of._ask("EX1", "take", {})
    try:
        effect = next(process)
        while True:
            effect = process.send(answer() if isinstance(effect, Send) else Ok())
    except StopIteration:
        pass


def test_who_was_silent_counts_as_silent_until_it_answers() -> None:
    one = leasing()
    assert one._lacking({"EX2": MINE}) == 1
    asked(one, lambda: SILENT)
    assert one._lacking({"EX2": MINE}) == 0

    def counted() -> Failed:
        assert one._lacking({"EX2": MINE}) == 0, "the other part counts while this one waits for an answer"
        return SILENT

    asked(one, counted)
    held = msgspec.Raw(msgspec.json.encode(MINE))
    asked(one, lambda: Facts(host="EX1", results={"lease": held}))
    assert one._lacking({"EX2": MINE}) == 1, "it answers again, and its word counts"


class Legs:
    """A lease that is called after its leg, and taken once in each."""

    def __init__(self, state: Any) -> None:
        self.takes, self._leg, self._state = 0, -1, state

    def ready(self, *_: object, **__: object) -> Generator[str, None, str]:
        self.takes += self._leg != self._state.leg
        self._leg = self._state.leg
        yield "taken"
        return f"leg {self._leg}"


def whole(process: Generator[str, None, str]) -> tuple[list[str], str]:
    said: list[str] = []
    try:
        while True:
            said.append(next(process))
    except StopIteration as end:
        return said, end.value


def test_who_was_cut_off_while_it_looked_again_writes_with_the_lease_of_the_leg_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other part's failure ended the leg, so this one's reading is answered in the next."""
    monkeypatch.setattr(applying.envelope, "leaves_receipt", lambda *_: True)
    state: Any = SimpleNamespace(leg=0)
    state.leasing = Legs(state)
    looks = 0

    def look_again() -> Generator[str, None, None]:
        nonlocal looks
        looks += 1
        yield "read"
        state.leg = 1  # the answer came after a resume

    one: Any = object.__new__(Applying)
    one.state, one.step, one.resume, one._look_again = state, SimpleNamespace(server=None), 0, look_again
    said, lease = whole(one._leased(None))
    assert lease == "leg 1"
    assert said == ["taken", "read", "taken", "read"], "and the fact is looked at again under it"
