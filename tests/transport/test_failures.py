"""What an error means at each stage of the handing over: pure, no wire."""

from __future__ import annotations

import pytest
from pypsrp.exceptions import WSManFaultError
from requests.exceptions import SSLError

from starover.errors import ConnectFailed, ReplyLost
from starover.transport.failures import failure


def fault(code: int, reason: str) -> WSManFaultError:
    return WSManFaultError(code, "EX1", reason, None, None, None)


NEVER = fault(2150858843, "The command identifier is not known")
SLOW = [
    fault(2150858793, "The service cannot complete the operation within the time specified in OperationTimeout."),
    fault(995, "The I/O operation has been aborted"),
    SSLError("[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed or bad record mac"),
]


@pytest.mark.parametrize("error", SLOW)
def test_a_slow_host_may_have_taken_what_it_was_being_handed(error: Exception) -> None:
    found = failure(error, "command", "EX1", "10.0.0.1:5985")
    assert isinstance(found.error, ReplyLost)
    assert found.sent
    assert not failure(error, "open", "EX1", "10.0.0.1:5985").sent


def test_what_the_host_does_not_know_it_has_not_taken() -> None:
    found = failure(NEVER, "command", "EX1", "10.0.0.1:5985")
    assert isinstance(found.error, ConnectFailed)
    assert not found.sent
