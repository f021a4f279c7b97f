"""The driver for a team: the same machine as a Temporal workflow; the only package that knows temporalio.

Whoever does not need it does not import it: `import starover` does not. What is decided stands in
docs/decisions/temporal.md.
"""

from starover.drivers.temporal.client import (
    Client,
    Handle,
    Listed,
    approve,
    connect,
    decline,
    ended,
    list_runs,
    standing,
    stop,
    submit,
)
from starover.drivers.temporal.codec import Codec, codec, new_key
from starover.drivers.temporal.payloads import (
    JOB,
    RUN,
    Ended,
    Standing,
    Submission,
    id_of,
    memo_of,
    queue_of,
    submission,
)
from starover.drivers.temporal.worker import Site, run_worker

__all__ = [
    "JOB",
    "RUN",
    "Client",
    "Codec",
    "Ended",
    "Handle",
    "Listed",
    "Site",
    "Standing",
    "Submission",
    "approve",
    "codec",
    "connect",
    "decline",
    "ended",
    "id_of",
    "list_runs",
    "memo_of",
    "new_key",
    "queue_of",
    "run_worker",
    "standing",
    "stop",
    "submission",
    "submit",
]
