"""Talks to a running lab over its control port: HTTP and JSON on loopback; knows neither its world nor how it starts.

What it asks for, all with the token of `lab.json` as `Authorization: Bearer`:

    GET  /status                    name, started, now, hosts
    GET  /state                     the whole world as JSON
    GET  /events?since=N            what happened, from number N on
    GET  /clock                     {"now": "2026-11-20T14:00:00Z", ...}
    POST /clock                     {"advance": seconds} | {"until": time} | {"speed": x}
    POST /clock/expect              {"scripts": n}
    POST /clock/wait                {"until": time, "seconds": how long to hold the line} -> {"now": time}
    POST /break, /mend              {"fault": name, "arguments": [...]}
    POST /stop                      answers, then ends
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starover.errors import BadParameter, ConnectFailed, Mistake, StaroverError

__all__ = ["FILE", "Lab", "LabGone"]

FILE = "lab.json"
_SECONDS = 10.0

# A lab listens on loopback; whatever proxy the environment names is not for it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LabGone(ConnectFailed):  # noqa: N818 - the word of the field
    """There is no lab, or it does not run any more."""

    word = "no lab"


@dataclass(frozen=True)
class Lab:
    """A lab as its `lab.json` describes it; whether it runs is known when it is asked."""

    folder: Path
    url: str
    token: str
    pid: int
    about: Mapping[str, Any]

    @classmethod
    def at(cls, folder: Path) -> Lab:
        """The lab whose files lie in `folder`. Raises `LabGone` when there is none."""
        file = folder / FILE
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
            control = about["control"]
            return cls(folder, str(control["url"]).rstrip("/"), str(control["token"]), int(about["pid"]), about)
        except FileNotFoundError:
            raise gone(folder, f"there is no lab in {folder.as_posix()}.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise gone(folder, f"{file.as_posix()} is not what a lab writes ({type(error).__name__}).") from None

    def get(self, path: str, **query: object) -> Any:
        """Ask for something. Raises `LabGone` when nobody answers."""
        tail = f"?{urlencode(query)}" if query else ""
        return self._ask(urllib.request.Request(f"{self.url}{path}{tail}"), _SECONDS)  # noqa: S310 - http on loopback

    def post(self, path: str, body: Mapping[str, object] | None = None, *, seconds: float = _SECONDS) -> Any:
        """Have something done. Raises `LabGone`, and `BadParameter` for what the lab does not understand."""
        request = urllib.request.Request(  # noqa: S310 - http on loopback
            f"{self.url}{path}",
            data=json.dumps(body or {}).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        return self._ask(request, seconds)

    def _ask(self, request: urllib.request.Request, seconds: float) -> Any:
        request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with _OPENER.open(request, timeout=seconds) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None
        except (OSError, http.client.HTTPException):
            raise gone(
                self.folder, f"the lab of {self.folder.as_posix()} does not answer: it is not running."
            ) from None
        return json.loads(text) if text.strip() else {}

    def _refused(self, error: urllib.error.HTTPError) -> StaroverError:
        text = error.read().decode("utf-8", "replace")
        try:
            said = json.loads(text)
        except ValueError:
            said = {}
        what = str(said.get("what") or said.get("error") or text or error.reason) if isinstance(said, dict) else text
        wishes = said.get("next", []) if isinstance(said, dict) else []
        if error.code in (401, 403):
            return gone(self.folder, f"{self.url} is another lab's: it does not take the token of {FILE}.")
        if 400 <= error.code < 500:
            return BadParameter(what, certain=["nothing was changed."], next=[str(wish) for wish in wishes])
        return Mistake(f"the lab failed: {what}", next=["starover lab events"])


def gone(folder: Path, what: str) -> LabGone:
    """The one message for every way in which a lab can be missing."""
    return LabGone(
        what,
        certain=["nothing was sent; a lab keeps nothing when it ends."],
        next=["starover lab up aws-2az-nodac --detach", "starover lab up pa-4x2 --detach"],
    )
