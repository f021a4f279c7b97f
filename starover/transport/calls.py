"""Calls on their way: each to whoever performs its service, scripts to the road of scripts; knows no service itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Protocol

import msgspec

from starover.calls import Call, projected, read_call
from starover.errors import ConnectFailed, ErrorRecord, Mistake, ReplyLost, StaroverError
from starover.estate import Server
from starover.transport import Answer, Ending, Script, Transport

__all__ = ["CallFailed", "Caller", "WithCalls"]


class CallFailed(Exception):
    """The service answered, and its answer is an error."""

    def __init__(self, code: str, message: str) -> None:
        """`code` as the service gives it (`IncorrectInstanceState`), `message` as botocore prints it."""
        super().__init__(message)
        self.record = ErrorRecord(message=message, fqid=code)


class Caller(Protocol):
    """One who performs calls. Used by several threads at once."""

    @property
    def road(self) -> str:
        """What is used, for the journal, such as `aws`."""
        ...

    def call(self, call: Call, server: Server, deadline: float, /) -> Mapping[str, object]:
        """boto3's reply. `server` is the one that the call is about; `deadline` is in seconds from now.

        Raises `CallFailed`, `Unreachable` (nothing was sent: also for throttling, `Throttled`) and `OutcomeUnknown`.
        """
        ...


class WithCalls:
    """A transport whose calls go to callers by service, everything else to `scripts`."""

    def __init__(self, scripts: Transport, callers: Mapping[str, Caller], others: Caller | None = None) -> None:
        """`callers` by service, `others` for the services it does not name; None: those cannot be called."""
        self._scripts = scripts
        self._callers = callers
        self._others = others
        self._under_way: set[str] = set()

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        """As `transport.Transport.run`: calls side by side with the scripts, whoever is slow."""
        scripts = [script for script in batch if script.way != "call"]
        calls = [script for script in batch if script.way == "call"]
        if not calls:
            yield from self._scripts.run(scripts)
            return
        came: SimpleQueue[Answer | None] = SimpleQueue()
        for script in calls:
            threading.Thread(target=self._run_call, args=(script, came), daemon=True).start()
        if scripts:
            threading.Thread(target=self._run_scripts, args=(scripts, came), daemon=True).start()
        waiting = {script.id: script for script in batch}
        while waiting:
            answer = came.get()
            if answer is None:  # no more comes for the scripts
                for script in scripts:
                    if waiting.pop(script.id, None) is not None:
                        lost = ReplyLost("the transport gave no answer", host=script.server.name)
                        yield Answer(id=script.id, error=lost)
            elif waiting.pop(answer.id, None) is not None:
                yield answer

    def stop(self, ids: Collection[str], seconds: float, /) -> Mapping[str, str]:
        """As `transport.Ending.stop`. A call that was made cannot be taken back."""
        calls = {id_: "a call that was made cannot be taken back" for id_ in ids if id_ in self._under_way}
        return {**(self._scripts.stop(ids, seconds) if isinstance(self._scripts, Ending) else {}), **calls}

    def secrets(self) -> Sequence[str]:
        """As `transport.Transport.secrets`."""
        return self._scripts.secrets()

    def close(self) -> None:
        """As `transport.Transport.close`."""
        self._scripts.close()

    # -- in threads ----------------------------------------------------------------------------------------------

    def _run_call(self, script: Script, came: SimpleQueue[Answer | None]) -> None:
        self._under_way.add(script.id)
        answer = self._perform(script)
        self._under_way.discard(script.id)
        came.put(answer)

    def _run_scripts(self, scripts: Sequence[Script], came: SimpleQueue[Answer | None]) -> None:
        try:
            for answer in self._scripts.run(scripts):
                came.put(answer)
        finally:
            came.put(None)

    def _perform(self, script: Script) -> Answer:
        began = time.monotonic()
        road = ""
        try:
            call = read_call(script.text)
            caller = self._callers.get(call.service, self._others)
            if caller is None:
                raise _nobody(call)
            road = caller.road
            facts = projected(call, caller.call(call, script.server, script.deadline))
            output = msgspec.json.encode(facts).decode()
        except CallFailed as failed:
            return Answer(
                id=script.id, errors=(failed.record,), failed=True, road=road, seconds=time.monotonic() - began
            )
        except StaroverError as error:
            return Answer(id=script.id, error=error, road=road, seconds=time.monotonic() - began)
        except Exception as bug:  # nothing is known of what it had sent
            why = ReplyLost(f"the call failed in itself: {type(bug).__name__}: {bug}", host=script.server.name)
            return Answer(id=script.id, error=why, road=road, seconds=time.monotonic() - began)
        return Answer(id=script.id, output=output, road=road, seconds=time.monotonic() - began)


def _nobody(call: Call) -> StaroverError:
    if call.service == "probe":
        return Mistake("this transport looks at nothing over the network", certain=("nothing was sent",))
    return ConnectFailed(
        f"nobody here can call {call.service}",
        certain=("nothing was sent",),
        next=("what the step would do: starover plans show PLAN --script",),
    )
