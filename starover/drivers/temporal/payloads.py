"""What goes to and fro between client, workflow and activities, as data; knows no server, no file and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

import starover
from starover.content import Content
from starover.drivers.local import Why
from starover.effects import Approval, Facts, Failed, Script
from starover.errors import BadParameter, Fault, PlanIsStale
from starover.estate import Estate
from starover.events import StepEnded
from starover.journal import Answered, Recorded, Sent, Stopped, Tried
from starover.lease import dag_of
from starover.plan import Plan
from starover.values import Plain

__all__ = [
    "JOB",
    "RUN",
    "Began",
    "Came",
    "Ended",
    "Line",
    "Sending",
    "Standing",
    "Submission",
    "Turn",
    "content_of",
    "queue_of",
    "submission",
]

RUN = "starover-run"
"""Type of the workflow: one run, from its plan (where none is given) to its end. Input: `Submission`; gives `Ended`."""
JOB = "starover-job"
"""Type of the workflow that a schedule starts: it has `RUN` done as the one run of its DAG, or says that another is
under way (exit 75). The same input and result. A schedule adds the time to the id of what it starts, so that two of its
runs would not exclude each other.
"""
PATIENCE = 86_400.0
"""Seconds for which an approval is waited for, unless somebody says otherwise."""
HEARTBEAT = 30.0
"""Seconds without a sign of life after which a worker is taken for dead."""


class Submission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What somebody wants done, with all that it takes: nothing is read from a disk while it is under way.

    The estate holds references to credentials and no secret. Roads are the worker's own: it goes by its own inventory.
    """

    estate: Estate
    files: dict[str, str]
    """The content: text by path such as `runbooks/operate/copies.py`."""
    content: str
    """Its hash."""
    version: str
    """Of starover."""
    runbook: str
    parameters: dict[str, Plain] = {}
    plan: Plan | None = None
    """Apply exactly this; None: plan it first."""
    only_plan: bool = False
    """End with the plan."""
    who: str
    ticket: str = ""
    reason: str = ""
    approval: Approval | None = None
    """Given beforehand; None: somebody gives it while the run waits (`approve`)."""
    patience: float = PATIENCE
    """Seconds for which an approval is waited for."""
    leased: bool = True
    zoned: bool = False
    """Scripts go to the workers of each host's Availability Zone (`run_worker(zones=...)`)."""
    heartbeat: float = HEARTBEAT
    """Seconds without a sign of life after which a worker is taken for dead, and what it had sent for unknown."""


def submission(
    content: Content,
    estate: Estate,
    why: Why,
    *,
    runbook: str = "",
    parameters: Mapping[str, Plain] | None = None,
    plan: Plan | None = None,
    only_plan: bool = False,
    approval: Approval | None = None,
    patience: float = PATIENCE,
    leased: bool = True,
    zoned: bool = False,
    heartbeat: float = HEARTBEAT,
) -> Submission:
    """A run of `plan`, or of a runbook that is planned first. Its parameters are bound here once, to see that they can.

    Raises `BadParameter`, and `PlanIsStale` for a plan of other content or another version of starover.
    """
    if plan is None:
        bound = content.runbook(runbook).bind(parameters or {}, estate)
        runbook, parameters = bound.runbook, bound.parameters
    else:
        runbook, parameters = plan.runbook, plan.parameters
        content.runbook(runbook)
        if plan.estate != estate.name:
            raise BadParameter(
                f"plan {plan.id} is for the estate {plan.estate}; this inventory is {estate.name}",
                certain=("nothing was sent",),
            )
        if (plan.content, plan.version) != (content.sha256, starover.__version__):
            raise PlanIsStale(
                f"plan {plan.id} was made with other runbooks, templates or another starover",
                certain=("nothing was sent",),
                next=("make a new plan, or use the content of then (--home)",),
            )
    try:
        files = {name: data.decode() for name, data in content.files.items()}
    except UnicodeDecodeError as error:
        raise BadParameter(f"the content is not UTF-8: {error}", certain=("nothing was sent",)) from None
    return Submission(
        estate=estate,
        files=files,
        content=content.sha256,
        version=starover.__version__,
        runbook=runbook,
        parameters=dict(parameters),
        plan=plan,
        only_plan=only_plan,
        who=why.who,
        ticket=why.ticket,
        reason=why.reason,
        approval=approval,
        patience=patience,
        leased=leased,
        zoned=zoned,
        heartbeat=heartbeat,
    )


_CONTENTS: dict[str, Content] = {}


def content_of(given: Submission) -> Content:
    """The content that a run carries, loaded once in a process. Raises `BadParameter` when it is not what it says."""
    if (known := _CONTENTS.get(given.content)) is not None:
        return known
    content = Content({name: text.encode() for name, text in given.files.items()})
    if content.sha256 != given.content:
        raise BadParameter(
            f"the content of this run has the hash {content.sha256[:12]}, not {given.content[:12]} as it says",
            certain=("nothing was sent",),
        )
    return _CONTENTS.setdefault(given.content, content)


def queue_of(estate: str, zone: str = "") -> str:
    """The task queue of an estate's runs; with a zone, that of the scripts for hosts there."""
    return f"starover-{estate}/{zone}" if zone else f"starover-{estate}"


def dag_name(given: Submission) -> str:
    """The DAG that a run is about; empty: none."""
    hosts = [step.host for step in given.plan.steps] if given.plan is not None else []
    dag = dag_of(given.estate, given.parameters, hosts)
    if dag is None and len(given.estate.dags) == 1:
        dag = given.estate.dags[0]
    return dag.name if dag is not None else ""


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a run is, as it says itself."""

    state: Literal["planning", "waits for approval", "applying", "stopping", "ended"]
    run: str = ""
    """Id of its journal, `9d20e6f4.1`; of the planning while it plans."""
    plan: Plan | None = None
    """What is to be approved, or is applied."""
    until: datetime | None = None
    """When the patience for an approval ends."""
    under_way: tuple[str, ...] = ()
    """Steps that were sent and are not known to be done, in words."""
    ended: tuple[StepEnded, ...] = ()


class Ended(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a run ended, or stopped; as `drivers.local.Ran`."""

    state: Literal["done", "nothing", "planned", "looked", "failed", "refused", "unreachable", "unknown", "stopped"]
    exit: int
    run: str = ""
    """Empty: it never had a journal."""
    plan: Plan | None = None
    steps: tuple[StepEnded, ...] = ()
    changed: int = 0
    fault: Fault | None = None
    under_way: tuple[str, ...] = ()
    """What is unknown, in words."""
    resumable: bool = False
    value: msgspec.Raw = msgspec.Raw(b"null")
    """What the runbook returned, as JSON."""
    journal: str = ""
    """File on the machine of the workers."""
    unsigned: str = ""
    """Why the head is not signed; empty: it is."""


# -- between workflow and activities -----------------------------------------------------------------------------------

Line: TypeAlias = Sent | Answered | Recorded | Stopped
"""What a workflow has written into the journal."""


class Began(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A journal is there."""

    run: str
    at: datetime
    version: str
    """Of starover, where it was begun: whoever goes on has the same."""
    journal: str
    refusal: Fault | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lines for the journal, idempotent by their place; and what follows, for a clock that stands in between."""

    run: str
    first: int
    """Place of the first line among those that count."""
    lines: tuple[Line, ...]
    epoch: int
    """Length of the workflow's history: who has an older one writes no more."""
    scripts: int = 0
    """How many scripts are sent next, side by side."""
    lost: bool = False
    """A worker was lost: what it had announced will not come."""


class Sending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One script to be sent once."""

    workflow: str
    number: int
    digest: str
    script: Script
    operation: str = ""
    mutates: bool = False


class Came(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a script, redacted."""

    number: int
    digest: str
    """Of the effect that it answers."""
    answer: Facts | Failed
    at: datetime
    road: str = ""
    seconds: float = 0.0
    tries: tuple[Tried, ...] = ()
    readings: int = 0
    going: Settled | None = None
    """Of a poll: it is not over, and goes on from here after leases were renewed."""


class Settled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a wait is (`settling.Settling`), as data."""

    start: datetime
    readings: int = 0
    next: datetime | None = None
    first: tuple[datetime, int] | None = None
    phase: str = ""
    best: tuple[datetime, int] | None = None
    since: float = 0.0
