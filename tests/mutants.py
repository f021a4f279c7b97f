"""Guards taken away one by one: what each removal is, and the test or story that notices it.

Loaded as a pytest plugin (`-p mutants`) in a process of its own, with `STAROVER_MUTANT` naming what to remove; then the
named test must fail. Nothing of the product knows of it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Mutant:
    """One guard, receipt check, re-read or fence level that is removed."""

    name: str
    removes: str
    """In the field's words, for the table."""
    where: str
    """`module:attribute`, or `module:Class.attribute`."""
    instead: Callable[[Any], Any]
    """What stands there instead, made from what stood there."""
    noticed_by: str
    """Node id of the test that fails then."""


def nothing(_: Any) -> Any:
    """A function that does nothing and returns None."""
    return lambda *_args, **_kwargs: None


def always(value: object) -> Callable[[Any], Any]:
    """A function that returns this."""
    return lambda _before: lambda *_args, **_kwargs: value


def passes(guard: str) -> Callable[[Any], Any]:
    """A guard that lets everything pass."""

    def make(_: Any) -> Any:
        from starover.steps.gate import Judged

        return lambda *_args, **_kwargs: Judged(guard)

    return make


def _wrapped(replacing: str, by: str) -> Callable[[Any], Any]:
    """`envelope.write` whose text lacks something."""

    def change(before: Any) -> Any:
        def write(*args: Any, **kwargs: Any) -> Any:
            made = before(*args, **kwargs)
            assert replacing in made.text, f"{replacing!r} is not in a write any more"
            changed = made.text.replace(replacing, by)
            return type(made)(text=changed, arguments=made.arguments, way=made.way)

        return write

    return change


def _without_receipt(before: Any) -> Any:
    """`envelope.write` that neither looks for an earlier sending nor minds one."""
    looks = "if (Test-Path -LiteralPath $staroverBegin) { $staroverState = 'in-progress' }"
    blind = _wrapped(looks, "")(before)
    return _wrapped("-ItemType File -Value", "-Force -ItemType File -Value")(blind)


def _always_again(_: Any) -> Any:
    """A retry policy that sends everything again."""
    from starover.retry import Again

    return lambda *_args, **kwargs: Again(1.0) if kwargs.get("attempt", 1) < 3 else _give_up()


def _give_up() -> Any:
    from starover.retry import GiveUp

    return GiveUp()


def _level(level: str) -> Callable[[Any], Any]:
    """A fence level that needs no proof."""

    def change(before: Any) -> Any:
        import msgspec

        return lambda facts: msgspec.structs.replace(before(facts), level=level)

    return change


CORE = "tests/core"
STEPS = "tests/steps"
GUARDS = f"{STEPS}/test_guards.py"
FENCING = f"{STEPS}/test_fencing.py"
FORCE = f"{STEPS}/test_force_quorum.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "re-read-before-apply",
        "apply compares what it reads again with what was planned (law 4)",
        "starover.engine.applying:Applying._check_change",
        nothing,
        "tests/core/test_applying.py::test_what_was_right_and_is_not_any_more_is_refused",
    ),
    Mutant(
        "only-foreseen-steps",
        "apply refuses a step that the plan did not foresee",
        "starover.engine.applying:check_foreseen",
        nothing,
        "tests/core/test_applying.py::test_a_runbook_that_wants_something_else_now_is_refused",
    ),
    Mutant(
        "script-as-planned",
        "apply refuses a script that is not the planned one",
        "starover.engine.applying:check_script",
        nothing,
        "tests/core/test_applying.py::test_another_script_than_the_planned_one_is_refused",
    ),
    Mutant(
        "plan-is-fresh",
        "facts older than 30 minutes make a plan void",
        "starover.guard:check_fresh",
        nothing,
        "tests/core/test_applying.py::test_old_facts_are_refused_before_anything_is_read",
    ),
    Mutant(
        "approval-is-for-this-plan",
        "an approval binds the plan's digest, and X needs a second person",
        "starover.guard:check_approval",
        nothing,
        "tests/core/test_applying.py::test_approvals_by_risk",
    ),
    Mutant(
        "second-person",
        "the requester's own approval does not count for X",
        "starover.guard:same_person",
        always(False),
        "tests/cli/test_approvals.py",
    ),
    Mutant(
        "blocked-plans-are-refused",
        "a plan with a step that needs a human is not applied",
        "starover.guard:check_applicable",
        nothing,
        "tests/core/test_local.py::test_a_blocked_plan_is_saved_shown_and_refused",
    ),
    Mutant(
        "quiet-after-unreachable",
        "after Unreachable or OutcomeUnknown nothing more is changed (law 6)",
        "starover.engine.state:State.check_not_quiet",
        nothing,
        "tests/core/test_applying.py::test_after_a_host_went_quiet_nothing_more_is_changed",
    ),
    Mutant(
        "a-write-is-never-sent-again",
        "a lost answer is looked for, not sent again (law 5)",
        "starover.retry:decide",
        _always_again,
        "tests/core/test_calls.py::test_a_lost_answer_is_settled_by_the_fact_alone",
    ),
    Mutant(
        "receipt-on-the-host",
        "the host itself refuses an operation that it has begun before",
        "starover.envelope:write",
        _without_receipt,
        "tests/render/test_envelope_in_lab.py::test_a_write_runs_once_however_often_it_is_sent",
    ),
    Mutant(
        "receipt-is-looked-at",
        "what a receipt says decides before anything is sent again",
        "starover.engine.applying:Applying._known",
        lambda _before: lambda self, facts: _Absent(),
        "tests/core/test_lost_answers.py::test_done_but_not_heard_of_is_found_out_by_its_receipt",
    ),
    Mutant(
        "right-host",
        "a script refuses to run on a host of another name",
        "starover.envelope:write",
        _wrapped("$env:COMPUTERNAME -ne", "$env:COMPUTERNAME -eq 'nobody' -and $env:COMPUTERNAME -ne"),
        "tests/render/test_envelope_in_lab.py::test_a_script_for_another_host_does_nothing",
    ),
    Mutant(
        "G-QUORUM",
        "quorum stays while a member is away",
        "starover.steps.guards:quorum_without",
        nothing,
        "tests/steps/test_guards.py::test_an_even_dag_without_its_witness_stays_together_and_says_who_else_could_not_go",
    ),
    Mutant(
        "G-WITNESS",
        "an even DAG has a working witness",
        "starover.steps.guards:witness_well",
        passes("G-WITNESS"),
        "tests/steps/test_guards.py::test_an_even_dag_without_its_witness_stays_together_and_says_who_else_could_not_go",
    ),
    Mutant(
        "G-SINGLE",
        "no other member is out of service",
        "starover.steps.guards:nobody_else_out",
        passes("G-SINGLE"),
        "tests/steps/test_guards.py::test_nobody_goes_while_another_is_out",
    ),
    Mutant(
        "G-SETUP",
        "no setup runs",
        "starover.steps.guards:no_setup",
        passes("G-SETUP"),
        "tests/steps/test_guards.py::test_setups_are_waited_for",
    ),
    Mutant(
        "G-WINDOW",
        "inside a maintenance window",
        "starover.steps.guards:window_open",
        passes("G-WINDOW"),
        "tests/steps/test_guards.py::test_windows",
    ),
    Mutant(
        "G-LASTVIP",
        "another target takes clients",
        "starover.steps.guards:another_remains",
        passes("G-LASTVIP"),
        "tests/steps/test_guards.py::test_the_last_address_stays",
    ),
    Mutant(
        "G-LAG",
        "lagged and barred copies stay so",
        "starover.steps.guards:stays_behind",
        nothing,
        "tests/steps/test_guards.py::test_a_lagged_or_barred_copy_is_left_alone",
    ),
    Mutant(
        "G-REBAL",
        "the rebalance's return is told",
        "starover.steps.guards:rebalanced",
        always(""),
        "tests/steps/test_guards.py::test_what_automatic_rebalancing_will_undo",
    ),
    Mutant(
        "G-SETDAG",
        "no bare Set-DAG after a restore",
        "starover.steps.guards:set_dag_unless_alternate",
        nothing,
        "tests/steps/test_dag_build.py::test_after_a_restore_only_the_witness_in_use_may_be_named",
    ),
    Mutant(
        "G-COPIES",
        "every database keeps good copies",
        "starover.steps.redundancy:copies_without",
        passes("G-COPIES"),
        "tests/steps/test_guards.py::test_one_of_two_is_allowed_and_said_and_none_is_refused",
    ),
    Mutant(
        "G-COPIES-suspend",
        "the last good copy is not suspended",
        "starover.steps.copies:redundancy",
        always((None, "")),
        "tests/steps/test_copies.py::test_what_may_not_be_suspended",
    ),
    Mutant(
        "G-SEED",
        "nothing is seeded meanwhile",
        "starover.steps.redundancy:no_seed",
        passes("G-SEED"),
        "tests/steps/test_guards.py::test_seeds_are_not_broken_off",
    ),
    Mutant(
        "seed-of-the-active-copy",
        "a seed never goes over the active copy",
        "starover.steps.seeding:_active",
        nothing,
        "tests/steps/test_seeding.py::test_what_forbids_a_copy",
    ),
    Mutant(
        "seed-needs-room",
        "a seed needs room on the volume",
        "starover.steps.seeding:_room",
        nothing,
        "tests/steps/test_seeding.py::test_what_forbids_a_copy",
    ),
    Mutant(
        "seed-over-diverged",
        "a diverged copy is kept before it is seeded over (I16)",
        "starover.steps.seeding:may_have_diverged",
        always(False),
        "tests/steps/test_seeding.py::test_what_is_not_seeded",
    ),
    Mutant(
        "move-to-a-fit-copy",
        "a database moves to a healthy copy only",
        "starover.steps.moves:_unfit",
        nothing,
        "tests/steps/test_moves.py::test_what_does_not_take_over_unless_its_check_is_left_out",
    ),
    Mutant(
        "G-FENCE",
        "force waits for a proven fence",
        "starover.steps.fencing:shortfall",
        always(""),
        "tests/steps/test_fencing.py::test_what_is_enough",
    ),
    Mutant(
        "G-FENCE-in-force-quorum",
        "force-quorum asks for the fence",
        "starover.steps.fence_first:_proven",
        lambda _before: _no_steps,
        "tests/steps/test_force_quorum.py::test_without_a_word_of_ec2_nothing_is_forced",
    ),
    Mutant(
        "fence-level-F1",
        "only what is stopped is F1",
        "starover.steps.fencing:level_of",
        _level("F1"),
        "tests/steps/test_fencing.py::test_a_level_is_reached_by_its_own_facts",
    ),
    Mutant(
        "fence-silence",
        "silence is proven from every side",
        "starover.steps.fencing:_silent",
        always(True),
        "tests/steps/test_fencing.py::test_silence_is_proven_by_every_survivor_and_one_place_more",
    ),
    Mutant(
        "fence-checks",
        "status checks fail for five minutes",
        "starover.steps.fencing:_failing",
        always(1e9),
        "tests/steps/test_fencing.py::test_a_level_is_reached_by_its_own_facts",
    ),
    Mutant(
        "G-LOSS",
        "a loss beyond the dial is accepted by name",
        "starover.steps.losses:verdict_on",
        always(""),
        "tests/steps/test_force_quorum.py::test_what_loses_more_than_its_dial_stays_down_until_a_person_has_said_so",
    ),
    Mutant(
        "lost-logs-are-counted",
        "stale log counts are unknown, not zero",
        "starover.steps.losses:_missing",
        always((0, "")),
        "tests/steps/test_force_quorum.py::test_the_default_deployment_gets_its_mail_back_and_a_second_run_changes_nothing",
    ),
    Mutant(
        "force-by-the-table",
        "force-quorum obeys the decision table",
        "starover.steps.forcing:_refuse_by_table",
        nothing,
        "tests/steps/test_force_quorum.py::test_where_quorum_is_kept_nothing_is_forced",
    ),
    Mutant(
        "force-never-beside-a-living-cluster",
        "nothing is forced while the lost side serves",
        "starover.steps.forcing:_refuse_living",
        nothing,
        f"{STEPS}/test_forcing.py::test_nothing_is_forced_while_a_database_serves",
    ),
    Mutant(
        "running-is-not-lost",
        "an instance that runs and is merely silent is not taken for down",
        "starover.steps.situation:_down",
        always((True, "silent")),
        "tests/steps/test_force_quorum.py::test_a_node_that_runs_behind_a_broken_network_is_never_taken_for_lost",
    ),
)


class _Absent:
    """A receipt that says: never begun."""

    done = False
    holds = False
    note = ""
    record = None
    earlier = False


def _no_steps(*_args: Any, **_kwargs: Any) -> Any:
    """A part of a runbook that asks nothing."""
    yield from ()


def pytest_configure(config: pytest.Config) -> None:
    """Take the guard away before any test is collected."""
    del config
    wanted = os.environ.get("STAROVER_MUTANT", "")
    for one in MUTANTS:
        if one.name == wanted:
            module, _, path = one.where.partition(":")
            owner: Any = importlib.import_module(module)
            *outer, last = path.split(".")
            for name in outer:
                owner = getattr(owner, name)
            setattr(owner, last, one.instead(getattr(owner, last)))
            return
    raise pytest.UsageError(f"there is no mutant {wanted!r}")
