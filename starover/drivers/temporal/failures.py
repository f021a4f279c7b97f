"""Our errors as Temporal carries them, and back; knows no client and no workflow."""

from __future__ import annotations

import msgspec
from temporalio.exceptions import ApplicationError

from starover.errors import Fault, StaroverError

__all__ = ["FAULT", "broken_off", "error_of", "failure"]

FAULT = "starover"
"""Type of the application errors that carry a `Fault`."""


def failure(error: StaroverError) -> ApplicationError:
    """An error of ours as Temporal carries it; nothing tries it again."""
    return ApplicationError(error.what, msgspec.json.encode(Fault.of(error)).decode(), type=FAULT, non_retryable=True)


def error_of(cause: BaseException | None) -> StaroverError:
    """The error that was raised over there."""
    if isinstance(cause, ApplicationError) and cause.type == FAULT and cause.details:
        return msgspec.json.decode(str(cause.details[0]), type=Fault).raised()
    return StaroverError(str(cause) if cause is not None else "it failed and did not say why")


def broken_off(workflow: str, cause: BaseException | None) -> StaroverError:
    """Why a run has no result: it could not go on, or somebody ended it by the server's own tools."""
    if isinstance(cause, ApplicationError) and cause.type == FAULT:
        return error_of(cause)
    return StaroverError(
        f"the run {workflow} was ended from outside: {cause}",
        uncertain=("what was under way then",),
        next=("starover runs show RUN   on the machine of the workers: what its journal holds",),
    )
