"""What a command does with a Temporal server: submit, ask, approve, stop, list; performs nothing itself."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
from temporalio.client import (
    Client,
    RPCError,
    RPCStatusCode,
    TLSConfig,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from starover.drivers.temporal.codec import Codec, converter
from starover.drivers.temporal.failures import broken_off, error_of
from starover.drivers.temporal.payloads import RUN, Ended, Standing, Submission, id_of, memo_of, queue_of
from starover.effects import Approval
from starover.errors import BadParameter, ConnectFailed, Locked, StaroverError

__all__ = [
    "Client",
    "Handle",
    "Listed",
    "NoWorker",
    "approve",
    "connect",
    "decline",
    "ended",
    "id_of",
    "list_runs",
    "memo_of",
    "standing",
    "stop",
    "submit",
]

_SECONDS = timedelta(seconds=30)
"""For one question to the server."""
_AGAIN = 1.0
"""Seconds before a server that is gone is asked again."""
_PASSING = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.INTERNAL,
)
"""What a server says that is not up, or not yet."""
_WORKER = timedelta(seconds=10)
"""For one that a worker has to answer."""
_WORK = ("starover worker   on a machine that reaches the hosts",)


class NoWorker(StaroverError):
    """No worker answered in time for a run: none is up, or none has taken it yet."""


@dataclass(frozen=True, kw_only=True)
class Handle:
    """A run that was submitted."""

    workflow: str
    """Its id at the server, such as `starover/prod/dag1`."""
    execution: str
    """The server's own id of this one: the next run of the DAG has the same `workflow`."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One run as the server lists it."""

    workflow: str
    execution: str
    state: str
    """`running`, or Temporal's word: completed, failed, canceled, terminated, timed_out."""
    began: datetime
    ended: datetime | None
    estate: str
    dag: str
    runbook: str
    who: str
    ticket: str
    plan: str
    """Id of the plan that was submitted; empty: it was planned by the run itself."""


async def connect(
    address: str,
    *,
    namespace: str = "default",
    sealing: Codec | None = None,
    tls: bool | TLSConfig = False,
    api_key: str = "",
) -> Client:
    """A client whose payloads are ours. Raises `ConnectFailed`."""
    try:
        return await Client.connect(
            address,
            namespace=namespace,
            data_converter=converter(sealing or Codec()),
            tls=tls,
            api_key=api_key or None,
            runtime=_runtime(),
        )
    except (RuntimeError, RPCError, OSError) as error:
        said = re.findall(r'message: "([^"]+)"', str(error)) or [str(error)]  # what is around it is about Rust
        raise _gone(f"the Temporal server at {address} does not answer: {said[-1]}") from error


@lru_cache(maxsize=1)
def _runtime() -> Runtime:
    """The client's own machinery. What it logs goes to Python's logger: by itself it would write to stdout."""
    words = LogForwardingConfig(
        logging.getLogger("temporalio.core"),
        append_target_to_name=False,
        append_log_fields_to_message=False,
        prepend_target_on_message=False,
    )
    level = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=level, forwarding=words)))


async def submit(client: Client, given: Submission, /) -> Handle:
    """Have it done by whichever worker takes it.

    Raises `Locked` (exit 75) while another run of the same DAG is under way, and `BadParameter` where the content
    is too large for the server.
    """
    workflow = id_of(given)
    async with asking():
        try:
            handle = await client.start_workflow(
                RUN,
                given,
                id=workflow,
                task_queue=queue_of(given.estate.name),
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                memo=memo_of(given),
                rpc_timeout=_SECONDS,
            )
        except WorkflowAlreadyStartedError:
            raise await _under_way(client, workflow) from None
    return Handle(workflow=workflow, execution=handle.result_run_id or "")


async def ended(client: Client, handle: Handle, /) -> Ended:
    """Wait until a run has ended, and say how; a server that is gone for a while is waited for.

    Raises `StaroverError` when it was ended from outside (terminated), or could not go on.
    """
    of = client.get_workflow_handle(handle.workflow, run_id=handle.execution or None, result_type=Ended)
    while True:
        try:
            result: Ended = await of.result()
        except WorkflowFailureError as error:
            raise broken_off(handle.workflow, error.cause) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise BadParameter(
                    f"the server knows no run {handle.workflow}", next=("starover runs --engine temporal",)
                ) from error
            if error.status not in _PASSING:
                raise _gone(f"the Temporal server refuses: {error.message or error.status.name}") from error
            await asyncio.sleep(_AGAIN)
        else:
            return result


async def standing(client: Client, handle: Handle, /) -> Standing:
    """Where a run is.

    Raises `NoWorker` where none answers in time, `StaroverError` with a worker's words where it cannot go on with the
    run, `ConnectFailed` where no server answers.
    """
    of = client.get_workflow_handle(handle.workflow, run_id=handle.execution or None)
    async with asking():
        try:
            found: Standing = await of.query("standing", result_type=Standing, rpc_timeout=_WORKER)
        except RPCError as error:
            if error.status not in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
                raise
            await of.describe(rpc_timeout=_WORKER)  # the server is there
            raise NoWorker(f"no worker answers for {handle.workflow}", next=_WORK) from error
    return found


async def approve(client: Client, handle: Handle, approval: Approval, /) -> None:
    """Approve the plan that a run waits with.

    Raises `NotApproved` and `OutsideWindow` where it does not count, and then the run waits on; `BadParameter` where it
    waits for nothing.
    """
    of = client.get_workflow_handle(handle.workflow, run_id=handle.execution or None)
    async with asking():
        await _update(of, "approve", [approval], timedelta(minutes=2))


async def decline(client: Client, handle: Handle, /, *, by: str, reason: str) -> None:
    """Say no: the run ends refused, and nothing was changed. Raises as `approve`."""
    of = client.get_workflow_handle(handle.workflow, run_id=handle.execution or None)
    async with asking():
        await _update(of, "decline", [by, reason])


async def stop(client: Client, handle: Handle, /, *, now: bool = False) -> tuple[str, ...]:
    """End a run after the steps under way; `now`: at once. Gives what is under way, in words.

    What Ctrl-C does once, and twice. Raises `BadParameter` when it has ended.
    """
    of = client.get_workflow_handle(handle.workflow, run_id=handle.execution or None)
    async with asking():
        return tuple(msgspec.convert(await _update(of, "stop", [now]), list[str]))


async def _update(
    of: WorkflowHandle[Any, Any], name: str, arguments: Sequence[object], within: timedelta = _SECONDS
) -> object:
    update: Callable[..., Awaitable[object]] = of.execute_update  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # temporalio leaves a type open
    return await update(name, args=arguments, rpc_timeout=within)


async def list_runs(client: Client, /, *, estate: str = "", limit: int = 50) -> list[Listed]:
    """The runs that the server knows, newest first. Raises `ConnectFailed`."""
    found: list[Listed] = []
    async with asking():
        async for one in client.list_workflows(f"WorkflowType = '{RUN}'"):
            if estate and not one.id.startswith(f"starover/{estate}/"):
                continue  # another estate may have another key
            memo = {name: str(value) for name, value in (await one.memo()).items()}
            running = one.status in (None, WorkflowExecutionStatus.RUNNING)
            found.append(
                Listed(
                    workflow=one.id,
                    execution=one.run_id,
                    state="running" if running or one.status is None else one.status.name.casefold(),
                    began=one.start_time,
                    ended=one.close_time,
                    estate=memo.get("estate", ""),
                    dag=memo.get("dag", ""),
                    runbook=memo.get("runbook", ""),
                    who=memo.get("who", ""),
                    ticket=memo.get("ticket", ""),
                    plan=memo.get("plan", ""),
                )
            )
            if len(found) == limit:
                break
    return found


# -- errors ------------------------------------------------------------------------------------------------------------


async def _under_way(client: Client, workflow: str) -> Locked:
    """Why a second run is refused, in words."""
    by = "it does not say whose"
    try:
        about = await client.get_workflow_handle(workflow).describe(rpc_timeout=_SECONDS)
        memo = {name: str(value) for name, value in (await about.memo()).items()}
        since = f"since {about.start_time:%H:%M} UTC"
        by = f"{memo.get('who', 'nobody knows whom')}, {memo.get('runbook', '?')}, {since}"
    except (RPCError, BadParameter):
        pass
    return Locked(
        f"another run of this DAG is under way: {workflow} ({by})",
        certain=("nothing was sent",),
        next=("starover runs --engine temporal   where it is",),
    )


@asynccontextmanager
async def asking() -> AsyncGenerator[None]:
    """Temporal's errors as ours."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise error_of(error.cause) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise StaroverError("no worker took this in time", next=_WORK) from error
    except WorkflowQueryFailedError as error:
        raise StaroverError(f"no worker answers for this run: {error}") from error
    except RPCError as error:
        if error.status is RPCStatusCode.FAILED_PRECONDITION:
            raise StaroverError(
                "no worker that is up can go on with this run: it asks for something else than what was answered",
                certain=("nothing is sent meanwhile",),
                next=("start a worker of the starover that began it: the run goes on there",),
            ) from error
        if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
            raise StaroverError("nobody answered in time: neither a worker nor the server", next=_WORK) from error
        if error.status is RPCStatusCode.NOT_FOUND:
            raise BadParameter(
                f"there is no such run under way: {error.message}", next=("starover runs --engine temporal",)
            ) from error
        raise _gone(f"the Temporal server does not answer: {error.message or error.status.name}") from error


def _gone(what: str) -> ConnectFailed:
    return ConnectFailed(
        what,
        certain=("nothing was sent by this command",),
        next=("starover apply PLAN   needs no server: this machine, the inventory and WinRM are enough",),
    )
