"""Talks to a running lab through its own door: HTTP and JSON on loopback; knows neither its world nor how it starts.

The requests are those that the lab's `control` module lists; URL and token stand in its `lab.json`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from starover.errors import BadParameter, ConnectFailed, Mistake, StaroverError

if TYPE_CHECKING:
    import http.client

__all__ = ["FILE", "Lab", "LabGone"]

FILE = "lab.json"
_SECONDS = 120.0
"""A lab is one thread: while it calculates a long script, on a loaded machine, nobody gets an answer."""


class LabGone(ConnectFailed):
    """There is no lab, or it does not run any more."""

    word = "no lab"


@dataclass
class Lab:
    """A lab as its `lab.json` describes it; whether it runs is known when it is asked. Threads may share it."""

    folder: Path
    url: str
    token: str
    pid: int
    about: Mapping[str, Any]
    keep: bool = False
    """Keep the line open between requests, until `close`."""
    _line: http.client.HTTPConnection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def at(cls, folder: Path) -> Lab:
        """The lab whose files lie in `folder`. Raises `LabGone` when there is none."""
        file = folder / FILE
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
            control = about["control"]
            return cls(folder, str(control["url"]).rstrip("/"), str(control["token"]), int(about["pid"]), about)
        except FileNotFoundError:
            raise gone(f"there is no lab in {folder.as_posix()}.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise gone(f"{file.as_posix()} is not what a lab writes ({type(error).__name__}).") from None

    def get(self, path: str, **query: object) -> Any:
        """Ask for something: `get("clock")`. Raises `LabGone` when nobody is there, `ConnectFailed` for silence."""
        given = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path, None)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Have something done. Raises as `get`, and `BadParameter` for what the lab does not understand."""
        return self._ask("POST", path, body or {})

    def hold(self, path: str, body: Mapping[str, object], seconds: float) -> Any | None:
        """As `post`, for what may take long: on a line of its own, given up after `seconds`; None then."""
        import http.client

        line = self._open(seconds)
        try:
            return self._answer(line, "POST", path, body)
        except TimeoutError:
            return None
        except (OSError, http.client.HTTPException):
            raise gone(f"the lab of {self.folder.as_posix()} does not answer: it is not running.") from None
        finally:
            line.close()

    def close(self) -> None:
        """Hang up. What was announced on the line is forgotten by the lab then, as it is when this process dies."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:
        import http.client

        with self._lock:
            try:
                if self._line is None:
                    self._line = self._open(_SECONDS)
                return self._answer(self._line, method, path, body)
            except TimeoutError:
                self._hang_up()
                raise ConnectFailed(
                    f"the lab of {self.folder.as_posix()} is there, and has said nothing for {_SECONDS:g} s.",
                    certain=["its port is open."],
                    uncertain=["whether it still calculates, or hangs."],
                    next=["starover lab status", f"or end process {self.pid}: a lab keeps nothing when it ends"],
                ) from None
            except (OSError, http.client.HTTPException):
                self._hang_up()
                raise gone(f"the lab of {self.folder.as_posix()} does not answer: it is not running.") from None
            finally:
                if not self.keep:
                    self._hang_up()

    def _open(self, seconds: float) -> http.client.HTTPConnection:
        import http.client

        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=seconds)

    def _answer(
        self, line: http.client.HTTPConnection, method: str, path: str, body: Mapping[str, object] | None
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        line.request(method, f"/v1/{path}", data, headers)
        answer = line.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise self._refused(answer.status, text.decode("utf-8", "replace"))
        return json.loads(text)

    def _refused(self, status: int, text: str) -> StaroverError:
        try:
            said = json.loads(text)["error"]
            what, certain, following = str(said["what"]), list(said["certain"]), list(said["next"])
        except (ValueError, KeyError, TypeError):
            what, certain, following = f"the lab answered {status}: {text[:200]}", [], []
        if status == 401:
            return gone(f"{self.url} is another lab's: it does not take the token of {self.folder.as_posix()}.")
        if 400 <= status < 500:
            return BadParameter(what, certain=certain, next=following)
        return Mistake(f"the lab failed: {what}", next=["starover lab events"])


def gone(what: str) -> LabGone:
    """The one message for every way in which a lab can be missing."""
    return LabGone(
        what,
        certain=["nothing was sent; a lab keeps nothing when it ends."],
        next=["starover lab up aws-2az-nodac --detach", "starover lab up pa-4x2 --detach"],
    )
