"""The road `ssm`: Run Command, one sending for up to 50 instances, looked after by pages; knows no step and no plan.

Facts and numbers are those of facts/ssm.md. Waiting goes by the clock that was handed in, as a lab's time is not this
machine's; a pause before anything has been sent goes by real time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from queue import SimpleQueue
from typing import cast

from starover.clock import Clock
from starover.errors import ConnectFailed, Throttled
from starover.transport import Answer, Script
from starover.transport.aws import Clients, failure, method
from starover.transport.rate import PER_SECOND, Rate
from starover.transport.ssm_agents import Agents
from starover.transport.ssm_counts import Counts
from starover.transport.ssm_errand import Errand
from starover.transport.ssm_script import grouped, unfit

__all__ = ["SsmTransport"]

CALL_SECONDS = 20.0
ASK_SECONDS = 5.0
"""For an answer that only spares a wait."""


class SsmTransport:
    """Runs scripts by Run Command. Safe to call from several threads."""

    def __init__(
        self,
        clients: Clients,
        clock: Callable[[], Clock],
        rate: Rate | None = None,
        *,
        per_second: float = PER_SECOND,
    ) -> None:
        """Contacts nobody yet. `clock` gives the time that the hosts have; `per_second`: calls of each operation."""
        self.clients = clients
        self.clock = clock
        self.rate = rate or Rate(per_second, simulated=lambda: clock().now().timestamp())
        self.agents = Agents(self._describe, lambda: clock().now())
        self.counts = Counts(self._commands, lambda: clock().now())
        self._errands: list[Errand] = []

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        """As `transport.Transport.run`: equal scripts go as one command, and each instance is judged by itself."""
        came: SimpleQueue[Answer] = SimpleQueue()
        able: list[Script] = []
        for script in batch:
            why = unfit(script) or ("" if script.server.instance else "the inventory does not say which instance it is")
            if why:
                error = ConnectFailed(
                    f"{script.server.name}: {why}", certain=("nothing was sent",), host=script.server.name
                )
                yield Answer(id=script.id, error=error, road="ssm")
            else:
                able.append(script)
        for number, sending in enumerate(grouped(able)):
            errand = Errand(self, sending, came.put)
            self._errands = [*(one for one in self._errands if one.open), errand]
            threading.Thread(target=errand.run, name=f"ssm-{number}", daemon=True).start()
        for _ in able:
            yield came.get()

    def stop(self, ids: Collection[str], seconds: float, /) -> Mapping[str, str]:
        """As `transport.Ending.stop`: Run Command is asked to cancel; its agents end a script when they hear of it."""
        del seconds
        return {id_: words for errand in self._errands for id_, words in errand.end(ids).items()}

    def under_way(self) -> list[datetime]:
        """When each command was sent that AWS has and that is not over."""
        return [one.started for one in list(self._errands) if one.command and one.open]

    def secrets(self) -> Sequence[str]:
        """None: it carries no password."""
        return ()

    def close(self) -> None:
        """Nothing is kept open."""

    def call(
        self,
        operation: str,
        parameters: Mapping[str, object],
        *,
        service: str = "ssm",
        tries: int = 8,
        seconds: float = CALL_SECONDS,
        paced: bool = True,
    ) -> Mapping[str, object]:
        """One call of AWS's, at the rate of its operation. Raises the library's errors, and `CallFailed`.

        `paced` False: its turn was waited for already.
        """
        if service == "ssm" and paced:
            self.rate.take(operation)
        try:
            client = self.clients.of(service, seconds=seconds, reads=tries > 1, tries=tries)
            reply = method(client, operation)(**parameters)
        except Exception as error:
            found = failure(error, f"{service} {operation}")
            if service == "ssm" and isinstance(found, Throttled):
                self.rate.slower(operation)
            raise found from error
        if service == "ssm" and _tried_again(reply):
            self.rate.slower(operation)
        return reply

    def _commands(self, **parameters: object) -> Mapping[str, object]:
        return self.call("list_commands", parameters, tries=1, seconds=ASK_SECONDS)

    def _describe(self, **parameters: object) -> Mapping[str, object]:
        return self.call("describe_instance_information", parameters, tries=1, seconds=ASK_SECONDS)


def _tried_again(reply: Mapping[str, object]) -> bool:
    """Whether boto3 had to call more than once, which it does when it is throttled."""
    told = cast("Mapping[str, object]", reply.get("ResponseMetadata", {}))
    return bool(told.get("RetryAttempts"))
