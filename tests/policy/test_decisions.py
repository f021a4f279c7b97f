"""What a policy decides: who, when, with whom; times by the clock on the wall, on nights when it is put back too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from starover.calendar_rules import next_begin, open_spell, spell
from starover.errors import BadInventory
from starover.policy import Approver, Decision, Request, decide
from starover.policy_file import Agreed, check_names, policy_schema, read_policy
from starover.step import Risk

ZURICH = ZoneInfo("Europe/Zurich")
TEXT = r"""
zone: Europe/Zurich
ticket: '(INC|CHG)[0-9]{4,7}'
people:
  anna: {names: ['EXAMPLE\anna', anna@example.com]}
  ben:
  chris: {names: [chris@example.com]}
  patch: {names: ['job:patch']}
groups:
  operators: [anna, ben, patch]
  approvers: [ben, chris]
  all: [operators, approvers]
rules:
  '*':
    L: {by: [all]}
    S: {by: [operators], window: true, ticket: true}
    D: {by: [operators], approved_by: [approvers]}
    X: {by: [operators], approved_by: [approvers], break_glass: true}
  DAG2:
    D: {second: false}
    X: {break_glass: false}
windows:
  - {name: Saturday night, begins: 2026-01-03 22:00, lasts: 8h, rule: FREQ=WEEKLY;BYDAY=SA, except: [2026-12-26]}
freezes:
  - {name: year's end, begins: 2025-12-18 00:00, lasts: 20d, rule: FREQ=YEARLY, classes: [L, S, D], runbooks: [mount]}
""".replace("ben:\n", "ben: {}\n")


def agreed(text: str = TEXT) -> Agreed:
    return read_policy(text, Path("policy.yaml"))


OURS = agreed()
SATURDAY = datetime(2026, 11, 21, 23, 30, tzinfo=ZURICH)
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=ZURICH)


def asked(risk: Risk, who: str = "anna", at: datetime = SATURDAY, **more: object) -> Request:
    given: dict[str, object] = {
        "dag": "DAG1",
        "runbook": "force-quorum",
        "asked_by": "anna",
        "ticket": "INC1234",
        **more,
    }
    return Request(risk=risk, who=who, at=at, **given)  # type: ignore[arg-type]


def decided(risk: Risk, who: str = "anna", at: datetime = SATURDAY, **more: object) -> Decision:
    return decide(OURS.policy, asked(risk, who, at, **more), OURS.spells)


def approver(name: str, *, signed: bool = True, expires: datetime = SATURDAY + timedelta(minutes=30)) -> Approver:
    return Approver(name=name, signed=signed, expires=expires)


def test_reading_is_everybodys() -> None:
    assert decided(Risk.READ, "nobody").verdict == "allowed"


@pytest.mark.parametrize("who", ["anna", "ANNA", "example\\Anna", "anna@example.com", "patch", "job:patch"])
def test_a_person_goes_by_many_names(who: str) -> None:
    assert decided(Risk.SERVICE, who).verdict == "allowed"


@pytest.mark.parametrize(
    ("who", "why"), [("dora", "knows nobody called dora"), ("", "knows nobody"), ("chris", "chris may not")]
)
def test_others_may_not(who: str, why: str) -> None:
    found = decided(Risk.SERVICE, who)
    assert found.verdict == "refused"
    assert why in found.why[0]


def test_outside_the_window_it_says_when_the_next_one_is() -> None:
    found = decided(Risk.SERVICE, at=MONDAY)
    assert (found.verdict, found.outside) == ("refused", True)
    assert "Saturday night, Sat 2026-11-28 22:00 CET" in found.why[0]
    assert decided(Risk.SERVICE).why == ("within Saturday night, until Sun 2026-11-22 06:00 CET",)
    assert decided(Risk.LOW, at=MONDAY).verdict == "allowed"


def test_a_freeze_stops_what_it_names_and_lets_its_runbooks_through() -> None:
    night = datetime(2026, 12, 19, 23, 0, tzinfo=ZURICH)
    assert decided(Risk.LOW, at=night).outside
    assert "a freeze until Thu 2027-01-07 00:00 CET" in decided(Risk.LOW, at=night).why[0]
    assert decided(Risk.LOW, at=night, runbook="mount").verdict == "allowed"
    assert decided(Risk.SPLIT, at=night).verdict == "needs approval"
    assert decided(Risk.LOW, at=night, break_glass="the house is burning").outside, "glass replaces a person, no freeze"


@pytest.mark.parametrize(("ticket", "ok"), [("INC1234", True), ("", False), ("INC12", False), ("xINC1234", False)])
def test_a_ticket_is_of_the_wanted_form(ticket: str, ok: bool) -> None:
    assert (decided(Risk.SERVICE, ticket=ticket).verdict == "allowed") is ok
    assert (decided(Risk.SPLIT, ticket=ticket, second=approver("ben")).verdict == "allowed") is ok


@pytest.mark.parametrize("risk", [Risk.DATA, Risk.SPLIT])
@pytest.mark.parametrize(
    ("second", "why"),
    [
        (None, "needs a second person"),
        (approver("ben", signed=False), "not signed"),
        (approver("dora"), "dora approved it, and the policy knows nobody"),
        (approver("anna"), "cannot be its second person"),
        (approver("anna@example.com"), "cannot be its second person"),
        (approver("patch"), "patch approved it, and may not"),
        (approver("ben", expires=SATURDAY - timedelta(seconds=1)), "is over since"),
        (approver("ben"), ""),
        (approver("CHRIS@example.com"), ""),
    ],
)
def test_four_eyes(risk: Risk, second: Approver | None, why: str) -> None:
    found = decided(risk, second=second)
    assert found.verdict == ("needs approval" if why else "allowed")
    assert why in "".join(found.why)
    assert found.approvers == ("ben", "chris")


def test_who_asked_is_not_the_second_person_for_whoever_applies() -> None:
    found = decided(Risk.SPLIT, "patch", asked_by="ben", second=approver("ben"))
    assert found.verdict == "needs approval"
    assert found.approvers == ("chris",)


def test_broken_glass_replaces_the_second_person_and_nothing_else() -> None:
    found = decided(Risk.SPLIT, break_glass="nobody answers the phone")
    assert found.verdict == "allowed"
    assert found.waivers == ("the second person (risk X): nobody answers the phone",)
    assert decided(Risk.SPLIT, ticket="", break_glass="nobody answers the phone").verdict == "refused"
    assert decided(Risk.SPLIT, "chris", break_glass="nobody answers the phone").verdict == "refused"
    other = decided(Risk.SPLIT, dag="DAG2", break_glass="nobody answers the phone")
    assert (other.verdict, "does not let the glass be broken" in other.why[0]) == ("refused", True)
    assert decided(Risk.DATA, dag="dag2").verdict == "allowed", "this DAG has rules of its own"
    assert decided(Risk.SPLIT, second=approver("ben"), break_glass="x" * 10).waivers == ()


# -- times -------------------------------------------------------------------------------------------------------------


def at(text: str, zone: ZoneInfo = ZURICH) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("begins", "lasts", "inside", "outside"),
    [
        # an ordinary Saturday
        ("2026-01-03 22:00", "8h", ["2026-03-21 22:00", "2026-03-22 05:59"], ["2026-03-21 21:59", "2026-03-22 06:00"]),
        # 29 March: the clock is put forward at 02:00, eight hours end at 07:00
        ("2026-01-03 22:00", "8h", ["2026-03-29 06:59"], ["2026-03-29 07:00"]),
        # 25 October: put back at 03:00, eight hours end at 05:00
        ("2026-01-03 22:00", "8h", ["2026-10-25 04:59"], ["2026-10-25 05:00"]),
        # a day of the calendar ends at the same time of day, be it 23 or 25 hours long
        ("2026-01-03 22:00", "1d", ["2026-03-29 21:59", "2026-10-25 21:59"], ["2026-03-29 22:00", "2026-10-25 22:00"]),
        # 02:30 does not exist on 29 March: the offset before it makes it 03:30
        ("2026-01-04 02:30", "1h", ["2026-03-29 03:30", "2026-03-29 04:29"], ["2026-03-29 03:29", "2026-03-29 04:30"]),
    ],
)
def test_nights_when_the_clock_is_put_forward_or_back(
    begins: str, lasts: str, inside: list[str], outside: list[str]
) -> None:
    day = "SA" if begins.endswith("22:00") else "SU"
    one = spell("w", begins, lasts, f"FREQ=WEEKLY;BYDAY={day}", [], "Europe/Zurich")
    for text in inside:
        assert open_spell([one], at(text)), text
    for text in outside:
        assert not open_spell([one], at(text)), text


def test_an_hour_that_comes_twice_counts_from_the_first_time() -> None:
    one = spell("w", "2026-01-04 02:30", "90m", "RRULE:FREQ=WEEKLY;BYDAY=SU", [], "Europe/Zurich")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert open_spell([one], first - timedelta(seconds=1)) is None
    found = open_spell([one], first)
    assert found is not None
    assert found[:2] == (first, first + timedelta(minutes=90))


def test_the_second_tuesday_and_its_saturday() -> None:
    one = spell("patches", "2026-01-13 20:00", "6h", "FREQ=MONTHLY;BYDAY=2TU", ["2026-12-08"], "America/New_York")
    coming = next_begin([one], at("2026-11-20 12:00"))
    assert coming is not None
    assert coming[0] == datetime(2027, 1, 13, 1, 0, tzinfo=UTC), "8 December is left out"


def test_a_rule_that_never_comes_and_one_that_is_over_end_soon() -> None:
    never = spell("n", "2026-01-01 00:00", "1h", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", [], "UTC")
    over = spell("o", "2026-01-01 00:00", "1h", "FREQ=DAILY;UNTIL=20260301T000000Z", [], "UTC")
    once = spell("p", "2026-11-21 22:00", "2h", "", [], "Europe/Zurich")
    assert next_begin([never, over], MONDAY) is None
    assert open_spell([once], SATURDAY)
    assert next_begin([once], MONDAY) is None


@settings(max_examples=60, deadline=None)
@given(
    now=some.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(lambda one: one.replace(tzinfo=UTC)),  # noqa: DTZ001
    hour=some.integers(0, 23),
    length=some.integers(1, 60),
    zone=some.sampled_from(["Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_open_and_next_agree(now: datetime, hour: int, length: int, zone: str) -> None:
    one = spell("w", f"2024-01-06 {hour:02}:30", f"{length}h", "FREQ=WEEKLY;BYDAY=SA,WE", [], zone)
    found, coming = open_spell([one], now), next_begin([one], now)
    assert coming is not None
    assert now < coming[0] <= now + timedelta(days=5)
    assert open_spell([one], coming[0]) is not None
    if found is not None:
        assert found[0] <= now < found[1]
        assert found[1] - found[0] == timedelta(hours=length)
        assert open_spell([one], found[0]) is not None


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "becomes", "lined", "why"),
    [
        ("zone: Europe/Zurich", "zone: Europe/Zuerich", False, "no time zone `Europe/Zuerich`"),
        ("ben: {}", "ben: {name: [x]}", True, "name"),
        ("operators: [anna, ben, patch]", "operators: [anna, bob]", True, "`bob` is neither a person nor a group"),
        ("chris: {names: [chris@example.com]}", "chris: {names: [ANNA@example.com]}", True, "is two people"),
        ("lasts: 8h", "lasts: 8", True, "`lasts` cannot be"),
        ("FREQ=WEEKLY;BYDAY=SA", "FREQ=SECONDLY", True, "`rule` cannot be"),
        ("FREQ=WEEKLY;BYDAY=SA", "FREQ=WEEKLY;BYDAY=XX", True, "`rule` cannot be"),
        ("begins: 2026-01-03 22:00", "begins: Saturday", True, "`begins` cannot be"),
        ("'(INC|CHG)[0-9]{4,7}'", "'(INC'", True, "no regular expression"),
        ("X: {break_glass: false}", "X: {second: false}", True, "always needs a second person"),
        ("D: {second: false}", "D: {ticket: false}", True, "always needs a ticket"),
        ("year's end", "Saturday night", False, "two are called"),
        ("  DAG2:\n", "  dag2.example.com: {}\n  DAG2:\n", False, "20: DAG2 and dag2.example.com are one DAG"),
        ("rules:\n", "rules: {}\nrules:\n", False, "stands twice"),
        ("freezes:", "frozen:", False, "not known"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(was: str, becomes: str, lined: bool, why: str) -> None:
    assert was in TEXT
    with pytest.raises(BadInventory) as caught:
        agreed(TEXT.replace(was, becomes))
    assert why in caught.value.what
    line = TEXT[: TEXT.index(was)].count("\n") + 1
    assert not lined or f"policy.yaml:{line}:" in caught.value.what


@pytest.mark.parametrize("name", ["DAG2", "dag2", "dag2.example.com"])
def test_a_dag_has_its_rules_windows_and_freezes_however_its_name_is_written(name: str) -> None:
    text = TEXT.replace("DAG2:", f"{name}:").replace("classes: [L, S, D]", f"classes: [L, S, D], dags: [{name}]")
    policy = agreed(text)
    for here in ("DAG2", "Dag2", "dag2.example.com"):
        broken = asked(Risk.SPLIT, dag=here, break_glass="nobody answers the phone")
        assert decide(policy.policy, broken, policy.spells).verdict == "refused", "the glass of DAG2 is not broken"
        new_year = asked(Risk.LOW, at=datetime(2026, 1, 2, 12, tzinfo=ZURICH), dag=here)
        assert decide(policy.policy, new_year, policy.spells).outside
    assert not decide(policy.policy, asked(Risk.LOW, at=datetime(2026, 1, 2, 12, tzinfo=ZURICH)), policy.spells).outside


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("  DAG2:", "  DGA2:", "`DGA2` is no DAG of the inventory: did you mean DAG2"),
        ("BYDAY=SA, ", "BYDAY=SA, dags: [DAG2, Dag-1], ", "`Dag-1` is no DAG of the inventory: did you mean DAG1"),
        ("classes: [L, S, D],", "dags: [elsewhere],", "`elsewhere` is no DAG of the inventory: there are DAG1, DAG2"),
        ("runbooks: [mount]", "runbooks: [monut]", "`monut` is no runbook here: did you mean mount"),
    ],
)
def test_a_name_that_nobody_has_is_told_with_its_line(was: str, becomes: str, why: str) -> None:
    here = (["DAG1", "DAG2"], ["mount", "dismount-all"])
    check_names(OURS, *here)
    assert was in TEXT
    with pytest.raises(BadInventory) as caught:
        check_names(agreed(TEXT.replace(was, becomes)), *here)
    line = TEXT[: TEXT.index(was)].count("\n") + 1
    assert f"policy.yaml:{line}: {why}" in caught.value.what
    check_names(agreed(TEXT.replace("  DAG2:", "  DGA2:")), [], ["mount"])


def test_an_empty_policy_lets_nobody_change_anything() -> None:
    nothing = agreed("people: {}\n")
    assert decide(nothing.policy, asked(Risk.LOW), nothing.spells).verdict == "refused"
    assert "people" in str(policy_schema())


# -- in chat -----------------------------------------------------------------------------------------------------------


def in_chat(name: str, risk: Risk, text: str = TEXT) -> Decision:
    second = Approver(name=name, signed=False, chat=True, expires=SATURDAY + timedelta(minutes=30))
    ours = agreed(text)
    return decide(ours.policy, asked(risk, ticket="INC1234", second=second), ours.spells)


def test_an_approval_in_chat_counts_only_where_the_policy_takes_it() -> None:
    refused = in_chat("chris", Risk.SPLIT)
    assert refused.verdict == "needs approval"
    assert "no approval given there for risk X" in refused.why[0]
    assert in_chat("chris", Risk.SPLIT, TEXT + "unsigned: true\n").verdict == "needs approval", "not by another key"
    takes = TEXT.replace("break_glass: true}", "break_glass: true, chat: true}")
    allowed = in_chat("chris", Risk.SPLIT, takes)
    assert allowed.verdict == "allowed"
    assert allowed.why == ("chris approved it in chat",)
    assert in_chat("chris", Risk.DATA, takes).verdict == "needs approval", "another class"
    assert in_chat("anna", Risk.SPLIT, takes).verdict == "needs approval", "who asked"
    assert in_chat("patch", Risk.SPLIT, takes).verdict == "needs approval", "no approver"
