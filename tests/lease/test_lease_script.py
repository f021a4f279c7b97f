"""The script of the lease on one host: subset, size, and each of its verbs on the lab's PowerShell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from inner_lab import InnerLab
from starover_lab.powershell import subset
from starover_lab.powershell.parser import parse

from starover import envelope
from starover.lease import Note, Said, note_of
from starover.lease_script import GRACE, Verb, compose
from starover.transport import Script

NONCE = "0123456789abcdef"
A, A2, B = (f"{UUID(int=run)}/{UUID(int=leg)}" for run, leg in ((1, 1), (1, 2), (2, 2)))
FOLDER = "C:\\ProgramData\\Starover\\lease"
OVER = envelope.LEASE_TTL + GRACE


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(autouse=True)
def empty(lab: InnerLab) -> None:
    """Every test begins on a host that knows of no lease."""

    def clear() -> None:
        files = lab.world.server("EX1").files
        for entry in files.children(FOLDER):
            files.remove(entry.path)

    lab.do(lambda _: clear() if lab.world.server("EX1").files.get(FOLDER) else None)


def ask(lab: InnerLab, verb: Verb, holder: str = "", run: str = "") -> Said:
    server = lab.estate.server("EX1")
    text = compose(server, "DAG1", verb, NONCE, holder, Note(run=run, who="Zoë’s"))
    (answer,) = lab.transport.run([Script(id="1", server=server, text=text, deadline=9, mutates=False)])
    facts = envelope.decode(answer.output, NONCE).results["lease"]
    assert isinstance(facts, bytes), facts
    return msgspec.json.decode(facts, type=Said)


def older(lab: InnerLab, seconds: float) -> None:
    def act() -> None:
        for entry in lab.world.server("EX1").files.children(FOLDER):
            entry.modified -= timedelta(seconds=seconds)

    lab.do(lambda _: act())


@pytest.mark.parametrize("verb", ["take", "renew", "release", "look"])
def test_it_keeps_to_the_subset_and_is_small(lab: InnerLab, verb: Verb) -> None:
    text = compose(lab.estate.server("EX1"), "DAG1", verb, NONCE, A, Note(who="Zoë’s"))
    assert subset.check(text, "wrapper") == []
    parse(text)
    assert len(text) < 8500
    assert text.isascii()


def test_taken_renewed_given_back_and_taken_by_another(lab: InnerLab) -> None:
    assert (ask(lab, "take", A, "a.1").state, ask(lab, "take", A, "a.1").token) == ("mine", 1)
    seen = ask(lab, "take", B)
    assert (seen.state, seen.token, seen.holder) == ("held", 1, A)
    assert note_of(seen.note) == Note(run="a.1", who="Zoë’s")
    assert ask(lab, "renew", B).state == "held"
    assert ask(lab, "release", B).state == "held"
    assert ask(lab, "look").state == "held"
    assert ask(lab, "renew", A).state == "mine"
    assert ask(lab, "release", A).state == "mine"
    assert ask(lab, "look").holder == "-"
    assert (ask(lab, "take", B).state, ask(lab, "take", B).token) == ("mine", 2)
    assert ask(lab, "renew", A).state == "held"


def test_it_is_over_for_its_holder_before_anybody_else_can_have_it(lab: InnerLab) -> None:
    ask(lab, "take", A)
    older(lab, envelope.LEASE_TTL + 10)
    assert ask(lab, "renew", A).state == "expired"
    assert ask(lab, "take", B).state == "held"
    older(lab, GRACE)
    taken = ask(lab, "take", B)
    assert (taken.state, taken.token) == ("mine", 2)


def test_another_leg_of_the_same_run_need_not_wait(lab: InnerLab) -> None:
    ask(lab, "take", A)
    assert (ask(lab, "take", A2).state, ask(lab, "take", A2).token) == ("mine", 2)
    assert ask(lab, "renew", A).state == "free", "the leg before it has it no more"
    assert ask(lab, "take", B).state == "held"


def test_of_two_who_try_at_once_one_gets_it(lab: InnerLab) -> None:
    server = lab.estate.server("EX1")

    def claim() -> None:
        files = lab.world.server("EX1").files
        files.make_folder(FOLDER)
        files.create_new(f"{FOLDER}\\dag-DAG1.1.claim", B.encode())

    lab.do(lambda _: claim())
    assert ask(lab, "take", A).state == "held", f"{server.name} is being taken at this moment"
    assert ask(lab, "take", B).state == "mine", "asked again after a lost answer"
    ask(lab, "release", B)
    older(lab, OVER + 1)
    assert ask(lab, "take", A).token == 2


def test_a_claim_that_came_to_nothing_is_passed_over(lab: InnerLab) -> None:
    def claim() -> None:
        files = lab.world.server("EX1").files
        files.make_folder(FOLDER)
        files.create_new(f"{FOLDER}\\dag-DAG1.1.claim", B.encode())

    lab.do(lambda _: claim())
    older(lab, OVER + 1)
    taken = ask(lab, "take", A)
    assert (taken.state, taken.token) == ("mine", 2)


def test_a_file_that_is_being_written_is_nobody_s(lab: InnerLab, tmp_path: Path) -> None:
    ask(lab, "take", A)
    lab.do(lambda _: lab.world.server("EX1").files.write(f"{FOLDER}\\dag-DAG1.token", b""))
    server = lab.estate.server("EX1")
    text = compose(server, "DAG1", "take", NONCE, B)
    (answer,) = lab.transport.run([Script(id="1", server=server, text=text, deadline=9, mutates=False)])
    facts = envelope.decode(answer.output, NONCE).results["lease"]
    assert not isinstance(facts, bytes)
    assert facts.message == "lease-busy"
