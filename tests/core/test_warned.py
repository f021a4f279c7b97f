"""What a person should know and what moves with the facts is shown with a plan and binds nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from dag_facts import status

from starover.changes import Change, Risk
from starover.engine.fits import check_change
from starover.errors import PlanIsStale
from starover.estate import Server
from starover.names import CopyId
from starover.plan import Plan, PlannedStep, digest_of
from starover.steps.copies import DatabaseCopies, suspended

EX3 = Server(name="EX3", fqdn="ex3.example.com", roles=("exchange",))


def _plan(change: Change) -> Plan:
    step = PlannedStep(number=1, position=(0,), kind="k", title="", host="EX3", risk=Risk.LOW, change=change)
    bare = Plan(
        digest="",
        runbook="r",
        summary="",
        parameters={},
        content="",
        version="",
        estate="e",
        made=datetime(2026, 11, 20, tzinfo=UTC),
        steps=(step,),
    )
    return msgspec.structs.replace(bare, digest=digest_of(bare))


def test_a_warning_is_shown_and_in_no_digest() -> None:
    plain = Change("DB01/EX3", "Healthy", "Suspended", "comment x")
    warned = plain.warned("one good copy left").warned("outside every window")
    assert warned.shown == "comment x; one good copy left; outside every window"
    assert _plan(plain).digest == _plan(warned).digest
    assert _plan(plain).digest != _plan(msgspec.structs.replace(plain, note="comment y")).digest


def test_a_step_whose_warning_alone_became_another_still_fits_its_plan() -> None:
    was = Change("DB01/EX3", "Healthy", "Suspended").warned("one good copy left")
    plan = _plan(was)
    check_change(plan, was.bound, was, "EX3", known=True)
    check_change(plan, was.bound.warned("two left"), was, "EX3", known=True)
    with pytest.raises(PlanIsStale):
        check_change(plan, msgspec.structs.replace(was, note="otherwise"), was, "EX3", known=True)


def test_what_a_runbook_warns_of_stands_behind_what_the_kind_found() -> None:
    copies = DatabaseCopies(copies=(status("EX1", "Mounted"), status("EX3")))
    step = suspended.on(
        EX3, identity=CopyId("DB01", "EX3"), database="DB01", activation_only=False, comment="[starover] x"
    )
    payload = msgspec.json.encode(copies)
    bare, warned = step.change(payload), step.warned("by --now", "").change(payload)
    assert isinstance(bare, Change)
    assert isinstance(warned, Change)
    assert warned.warning.endswith("by --now")
    assert warned.bound == bare.bound
    assert step.warned("") == replace(step)
