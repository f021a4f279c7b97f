"""pypsrp's HTTP transport, mended: deadlines of our own, no proxies, a lost connection begun anew; knows no script.

Two facts rule here (`facts/winrm.md` e): message encryption dies with any lost connection, so the transport is reset
before it is used again; and a Receive may be sent again byte by byte, because the host keeps its last answer by
message id, whereas nothing else may.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import requests
from pypsrp.exceptions import WSManFaultError
from pypsrp.wsman import _TransportHTTP  # pyright: ignore[reportPrivateUsage] # the one place to bound its waits
from requests.adapters import HTTPAdapter

from starover.transport.failures import DeadlineOver, broken

__all__ = ["Deadline", "Line", "authorities"]

CONNECT_SECONDS = 3.0
"""For the TCP handshake: a host of the estate that needs longer is not there."""
CONTACT_SECONDS = 6.0
"""For the first sign of life of a web server, its 401: it asks nobody for that, so it takes no time."""
ANSWER_SECONDS = 25.0
"""For an answer to anything but a Receive: WinRM itself gives up after its OperationTimeout of 20."""
MARGIN_SECONDS = 5.0
"""For an answer to a Receive, beyond its own OperationTimeout."""
LOST_SECONDS = 15.0
"""How long a Receive is sent again over new connections before its answer counts as lost."""
IDLE_SECONDS = 50.0
"""Windows closes a connection that was idle for 120."""


def authorities(file: str) -> str | None:
    """What a server's certificate is checked against: this PEM file, else the system's; None: those of `requests`.

    No variable of the environment is asked.
    """
    system = file or ssl.get_default_verify_paths().cafile
    return system if system and (file or Path(system).is_file()) else None


class Deadline:
    """A moment of real time after which an answer no longer counts."""

    def __init__(self, seconds: float) -> None:
        """`seconds` from now."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain, never below zero."""
        return max(0.0, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return self.left() <= 0


class Line(_TransportHTTP):
    """One connection to one host, used by one thread at a time."""

    deadline = Deadline(0)
    name = ""
    """The name on the certificate where that is not what is connected to; empty: the same."""
    on_resend: Callable[[Exception, float], None] | None = None
    """Told of a Receive that is sent again: why, and after how many seconds of waiting."""
    on_logon: Callable[[], None] | None = None
    """Told once, when the host has taken the logon."""
    _used = 0.0
    _contacted = False

    def reset(self) -> None:
        """Forget the connection and its encryption; the next request begins with a new logon."""
        self.close()
        self.session = None
        self.encryption = None
        self._contacted = False

    def send(
        self,
        message: bytes,
        *,
        retries_on_read_timeout: int = 0,
        timeout: float | tuple[float, float] | None = None,
    ) -> bytes:
        """Send one request and return its answer. Raises what pypsrp and requests raise, and `DeadlineOver`."""
        receiving = retries_on_read_timeout > 0  # pypsrp allows itself to repeat a Receive, and only that
        operation = timeout if receiving and isinstance(timeout, int | float) else None
        first_loss: float | None = None
        pause = 0.2
        while True:
            if self.session is not None and time.monotonic() - self._used > IDLE_SECONDS:
                self.reset()
            try:
                self._contact()
                answer = super().send(message, timeout=self._waits(operation))
            except Exception as error:
                if isinstance(error, WSManFaultError):
                    self._logged_on()
                if not broken(error):
                    _release(error)
                    raise
                self.reset()
                now = time.monotonic()
                first_loss = first_loss or now
                if self.deadline.left() <= pause:
                    raise DeadlineOver from error
                if not receiving or now - first_loss > LOST_SECONDS:
                    raise
                if self.on_resend is not None:
                    self.on_resend(error, pause)
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
            else:
                self._used = time.monotonic()
                self._logged_on()
                return answer

    def contact(self) -> None:
        """See whether anybody is there. Raises what requests raises, and `DeadlineOver`."""
        try:
            self._contact()
        except Exception:
            self.reset()
            raise

    def _logged_on(self) -> None:
        told, self.on_logon = self.on_logon, None
        if told is not None:
            told()

    def _contact(self) -> None:
        """See whether anybody is there, before a request that may take its time: one that swallows everything is
        found out in seconds. Whatever comes back is a sign of life.
        """
        if self._contacted:
            return
        if self.session is None:
            self.session = self._build_session()
        hello = requests.Request("POST", self.endpoint, auth=_no_logon)
        connect, answer = self._waits(None)
        self.session.send(self.session.prepare_request(hello), timeout=(connect, min(answer, CONTACT_SECONDS)))
        self._contacted = True

    def _waits(self, operation: float | None) -> tuple[float, float]:
        left = self.deadline.left()
        if left <= 0:
            raise DeadlineOver
        answer = ANSWER_SECONDS if operation is None else operation + MARGIN_SECONDS
        return min(CONNECT_SECONDS, left), min(answer, left)

    def _build_session(self) -> requests.Session:
        session = super()._build_session()
        session.trust_env = False
        if self.ssl and self.name:
            session.mount("https://", _NamedAdapter(self.name))
        return session


def _release(error: Exception) -> None:
    """Give back the connection that a failed logon holds: pypsrp leaves it with an answer that nobody has any more."""
    at = error.__traceback__
    while at is not None:
        response: object = at.tb_frame.f_locals.get("response")
        if isinstance(response, requests.Response):
            response.close()
        at = at.tb_next


def _no_logon(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Instead of the session's own."""
    return request


class _NamedAdapter(HTTPAdapter):
    """Connects to an address and wants the certificate of a name: so that no DNS is needed in an outage."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object) -> None:
        names = {"assert_hostname": self._name, "server_hostname": self._name}
        super().init_poolmanager(connections, maxsize, block=block, **(pool_kwargs | names))
