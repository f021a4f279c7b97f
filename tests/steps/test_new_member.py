"""What clients would meet on a new member and not on its peers is said with its joining; nothing is changed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from inner_lab import InnerLab

from starover.steps.certificates import Certificate, Certificates
from starover.steps.client_access import ClientSettings, Directory, Protection
from starover.steps.new_member import NOT_CHECKED, Serves, unlike

TOPOLOGY = """
name: growing
extends: aws-2az
dags:
  - {name: DAG, members: [ExchangeNode1], witness: FileServer3, witness_directory: 'C:\\DAG'}
"""


def serves(host: str = "mail.example.com", thumbprint: str = "AA", *protected: str, scp: str = "") -> Serves:
    one = Certificate(
        thumbprint=thumbprint,
        subject=f"CN={host}",
        self_signed=False,
        names=(host,),
        days=90,
        expired=False,
        serial="0A",
        key=True,
        back=False,
        shown=True,
    )
    owa = Directory(protocol="owa", vdir="X\\owa", internal=f"https://{host}/owa", external="")
    settings = ClientSettings(directories=(owa,), anywhere=(), autodiscover=scp or f"https://{host}/Autodiscover")
    return Serves(settings, Certificates(certificates=(one,)), Protection(protected=tuple(protected)))


def test_alike_is_nothing_to_say() -> None:
    assert unlike(serves(), serves(), "EX1") == []


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (serves(thumbprint="BB"), ["P42"]),
        (serves("ex2.example.com"), ["P44", "Autodiscover"]),
        (serves("mail.example.com", "AA", "owa"), ["P53"]),
        (Serves("no answer", "no answer", "no answer"), ["P42", "P44", "P53"]),
    ],
)
def test_what_differs_is_named(new: Serves, words: list[str]) -> None:
    said = unlike(new, serves(), "EX1")
    assert len(said) == len(words), said
    assert all(word in one for word, one in zip(words, said, strict=True))


def test_a_certificate_that_is_not_shown_is_said() -> None:
    (hidden,) = serves().certificates.certificates  # type: ignore[union-attr]
    none = Certificates(certificates=(msgspec.structs.replace(hidden, shown=False),))
    assert unlike(Serves(serves().settings, none, Protection(protected=())), serves(), "EX1") == [
        "P42 shows clients no certificate"
    ]


def test_it_stands_with_the_new_members_step(tmp_path: Path) -> None:
    file = tmp_path / "growing.yaml"
    file.write_text(TOPOLOGY, "utf-8")
    with InnerLab(file, tmp_path) as lab:
        plan = lab.plan("dag-add-members", members=["ExchangeNode2"]).plan
        (step,) = [one for one in plan.steps if one.kind == "member_of"]
        assert step.change is not None
        assert NOT_CHECKED in step.change.note
        assert "P42" in step.change.note or "P44" in step.change.note, step.change.note
        assert lab.apply(plan).exit == 0
        assert lab.plan("dag-add-members", members=["ExchangeNode2"]).plan.changes == ()
