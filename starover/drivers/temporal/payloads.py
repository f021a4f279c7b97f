"""What goes to and fro between client, workflow and activities, as data; knows no server, no file and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Literal, TypeAlias
from uuid import uuid4

import msgspec

import starover
from starover.calls import read_call
from starover.content import Content
from starover.drivers.local import Why
from starover.effects import Approval, Dead, Done, Facts, Failed, Find, Found, Ok, Script
from starover.errors import BadParameter, Fault, PlanIsStale
from starover.estate import Estate
from starover.events import StepEnded
from starover.journal import Answered, Begun, Recorded, Saved, Sent, Stopped, Tried
from starover.lease import one_dag
from starover.plan import Plan
from starover.step import Settle
from starover.values import Plain
from starover.windows import WindowText

__all__ = [
    "JOB",
    "RUN",
    "Asking",
    "Began",
    "Beginning",
    "Came",
    "Ended",
    "Holding",
    "Kept",
    "Line",
    "Passing",
    "Reading",
    "Saving",
    "Sending",
    "Standing",
    "Story",
    "Submission",
    "Told",
    "Turn",
    "Watching",
    "Written",
    "content_of",
    "dag_name",
    "id_of",
    "memo_of",
    "queue_of",
    "submission",
    "zone_of",
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

    inventory: msgspec.Raw
    """The estate as JSON, without what is empty: as an inventory has it."""
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
    """Scripts go to the workers of each host's Availability Zone (`run_worker(zones=...)`); calls to AWS do not."""
    heartbeat: float = HEARTBEAT
    """Seconds without a sign of life after which a worker is taken for dead, and what it had sent for unknown."""
    confirmed: bool = False
    """Nobody is asked, as in a job: what may be confirmed is confirmed by `who`, and what needs more is refused."""
    window: WindowText = ""
    """It begins within it only (else exit 75), where time is not simulated; empty: whenever a worker takes it."""

    @property
    def estate(self) -> Estate:
        """The estate."""
        return _estate(bytes(self.inventory))


@lru_cache(maxsize=16)
def _estate(data: bytes) -> Estate:
    return msgspec.json.decode(data, type=Estate)


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
    confirmed: bool = False,
    window: str = "",
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
        inventory=msgspec.Raw(msgspec.json.encode(estate)),
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
        confirmed=confirmed,
        window=window,
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


def zone_of(estate: Estate, host: str) -> str:
    """The Availability Zone of a server, or that of its site; empty: nobody says."""
    server = next((one for one in estate.servers if one.name == host), None)
    if server is None or server.az:
        return server.az if server is not None else ""
    return next((site.az for site in estate.sites if site.name == server.site), "")


def zone_for(given: Submission, script: Script) -> str:
    """The zone whose workers send a script; empty: those who take the runs.

    What AWS is asked about a host goes to these too: with a zone that is lost its workers are lost, and its hosts are
    fenced from elsewhere.
    """
    if not given.zoned or (script.way == "call" and read_call(script.text).service != "probe"):
        return ""
    return zone_of(given.estate, script.host)


def dag_name(given: Submission) -> str:
    """The DAG that a run is about; empty: none. Raises `NotSafe` for a plan about members of several."""
    hosts = [step.host for step in given.plan.steps] if given.plan is not None else []
    dag = one_dag(given.estate, given.parameters, hosts)
    if dag is None and len(given.estate.dags) == 1:
        dag = given.estate.dags[0]
    return dag.name if dag is not None else ""


def id_of(given: Submission, unique: str = "") -> str:
    """The id of the workflow: one for each DAG of an estate, so that a second run is refused while one is under way.

    A plan alone changes nothing, and is one of its own: `unique` names it.
    """
    if given.only_plan:
        return f"starover/{given.estate.name}/plan/{unique or uuid4()}"
    return f"starover/{given.estate.name}/{dag_name(given).casefold() or '-'}"


def memo_of(given: Submission) -> dict[str, str]:
    """What the server's list shows of a run."""
    return {
        "estate": given.estate.name,
        "dag": dag_name(given),
        "runbook": given.runbook,
        "who": given.who,
        "ticket": given.ticket,
        "plan": given.plan.id if given.plan is not None else "",
    }


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

Line: TypeAlias = Sent | Answered | Recorded | Saved | Stopped
"""What a workflow has written into the journal."""


class Began(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A journal is there."""

    run: str
    at: datetime
    version: str
    """Of starover, where it was begun: whoever goes on has the same."""
    journal: str


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """A journal is wanted."""

    workflow: str
    stem: str
    """First 8 digits of its run's id."""
    begun: Begun
    epoch: int


class Turn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lines for the journal, idempotent by their place; and what follows, for a clock that stands in between."""

    workflow: str
    run: str
    first: int
    """Place of the first line among those that count."""
    lines: tuple[Line, ...]
    epoch: int
    """Length of the workflow's history: who has an older one writes no more."""
    scripts: int = 0
    """How many scripts are sent next."""
    lost: bool = False
    """A worker was lost: what it had announced will not come."""
    ends: bool = False
    """The run is over: its head is signed, and nobody carries it any more."""


class Written(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The lines are on disk."""

    at: datetime
    unsigned: str = ""
    """Of a run that is over: why its head is not signed."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be looked up where the journals lie."""

    run: str
    digest: str
    effect: Find | Dead


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """An approval to be held against the house rules."""

    plan: Plan
    approval: Approval


class Unbegun(msgspec.Struct, frozen=True, kw_only=True):
    """A start that came to no run, and so has no journal."""

    who: str
    fault: Fault


class Refusing(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker refuses before it is a run: it is kept as one that ends as it begins."""

    key: str
    """UUID: the same refusal is kept once."""
    asked: str
    fault: Fault
    exit: int
    who: str
    estate: str
    lab: bool
    content: str
    runbook: str
    parameters: dict[str, Plain]
    ticket: str = ""
    reason: str = ""
    plan: Plan | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    answer: Found | Ok | Failed | Approval
    digest: str = ""
    """Of the effect that it answers."""


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """A plan to be kept, with what its journal says of other roads."""

    run: str
    plan: Plan


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """It lies in its file."""

    plan: Plan
    saved: Saved


class Sending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One script to be sent once."""

    run: str
    number: int
    digest: str
    script: Script
    operation: str = ""
    mutates: bool = False
    turn: int = 0
    of: int = 1
    """How many were to be sent side by side, in this turn: those that are here go in one batch."""


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a wait is (`settling.Settling`), as data: whoever goes on with it begins here."""

    start: datetime
    readings: int = 0
    next: datetime | None = None
    """When it reads again; None: at once."""
    first: tuple[datetime, int] | None = None
    phase: str = ""
    best: tuple[datetime, int] | None = None


class Watching(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reading to be made until it satisfies."""

    sending: Sending
    workflow: str
    execution: str
    what: str
    step: int
    settle: Settle
    going: Reading | None = None
    """It goes on, in another activity."""
    back: datetime | None = None
    """When to hand it back so that a lease can be renewed."""


class Came(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a script, redacted."""

    digest: str
    """Of the effect that it answers."""
    answer: Facts | Failed
    at: datetime
    road: str = ""
    seconds: float = 0.0
    tries: tuple[Tried, ...] = ()
    readings: int = 0
    going: Reading | None = None
    """A wait that is not over: a lease is to be renewed first."""
    fate: str = ""
    """It was to be ended at its host: what became of that."""


class Passing(msgspec.Struct, frozen=True, kw_only=True):
    """Simulated time to let pass."""

    until: datetime
    digest: str


class Story(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run's machine was given and told: whoever tells it to another machine has the same."""

    begun: Begun
    started: datetime
    told: tuple[Done, ...]
    """From the number that was asked for, and no more of them than can be sent at once."""
    all: int
    """How many there are."""
