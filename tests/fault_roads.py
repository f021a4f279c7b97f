"""Runs over Run Command whose calls to SSM are struck, on the lab without wires: the product's own road ssm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from crash_points import CONTENT, Scenario
from fault_points import Tale, go_on, judge, leg
from inner_lab import InnerLab

__all__ = ["KINDS", "Point", "Struck", "play", "points"]

Point: TypeAlias = tuple[str, int, str]
"""Operation of SSM, number of that call from 1, what happens to it."""
OF_A_CALL = ("throttled", "internal", "denied", "unreached", "lost")
"""AWS asks for patience; has an error of its own; denies it; is not reached; is reached, and its answer is lost."""
OF_A_HOST: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "undeliverable": ("ssm_undeliverable", {}),
    "late": ("ssm_slow", {"seconds": 200.0}),
    "cut": ("ssm_output_truncated", {"characters": 400}),
    "dead": ("ssm_agent_dead", {}),
}
"""What befalls the host of a sending, until the run has ended: the lab's own faults."""
KINDS = (*OF_A_CALL, *OF_A_HOST, "unseen")
REST = 7200.0
"""Seconds until copies are well and databases at home again, whoever moved them."""
_CODES = {
    "throttled": ("ThrottlingException", "Rate exceeded"),
    "internal": ("InternalServerError", "Internal server error"),
    "denied": ("AccessDeniedException", "User is not authorized to perform this"),
}


@dataclass
class Struck:
    """A run that was struck, and where."""

    tale: Tale
    calls: Counter[str]
    """To SSM, by operation."""
    struck: list[Point] = field(default_factory=list[Point])


def points(calls: Mapping[str, int]) -> list[Point]:
    """Every accident of every call."""
    return [
        (operation, number, kind)
        for operation, times in sorted(calls.items())
        for number in range(1, times + 1)
        for kind in KINDS
        if (kind not in OF_A_HOST or operation == "send_command")
        and (kind != "unseen" or operation.startswith(("list_", "get_")))
    ]


class _Watch:
    """Stands before the lab's SSM."""

    def __init__(self, lab: InnerLab, wanted: Collection[Point]) -> None:
        self._lab = lab
        self._answer: Callable[[str, str, Mapping[str, object]], dict[str, object]] = lab.transport.cloud.answer
        self.waiting = {(operation, number): kind for operation, number, kind in wanted}
        self.calls: Counter[str] = Counter()
        self.struck: list[Point] = []
        self.when: datetime | None = None
        lab.transport.cloud.answer = self  # type: ignore[method-assign]

    def __call__(self, service: str, operation: str, parameters: Mapping[str, object]) -> dict[str, object]:
        if service != "ssm":
            return self._answer(service, operation, parameters)
        self.calls[operation] += 1
        kind = self.waiting.pop((operation, self.calls[operation]), "")
        if not kind:
            return self._answer(service, operation, parameters)
        self.struck.append((operation, self.calls[operation], kind))
        self.when = self._lab.world.now
        if kind in _CODES:
            code, message = _CODES[kind]
            return {"error": {"code": code, "message": f"An error occurred ({code}): {message}"}}
        if kind == "unreached":
            raise ConnectTimeoutError(endpoint_url="https://ssm.eu-west-1.amazonaws.com")
        if kind in OF_A_HOST:
            fault, more = OF_A_HOST[kind]
            instances = parameters["InstanceIds"]
            assert isinstance(instances, list)
            host = next(one.name for one in self._lab.world.state.servers if one.instance in instances)
            self._lab.world.fault(fault, host, **more)
        if kind == "unseen":
            self._lab.world.fault("ssm_late_to_see", "", questions=2)
        answer = self._answer(service, operation, parameters)
        if kind == "lost":
            raise ReadTimeoutError(endpoint_url="https://ssm.eu-west-1.amazonaws.com")
        return answer


def play(
    scenario: Scenario, folder: Path, wanted: Collection[Point] = (), lived: Tale | None = None, *, bucket: str = ""
) -> Struck:
    """Plan and apply over Run Command, struck at these calls as far as it comes; then all is well, and it is ended.

    `bucket`: outputs are to be kept there, where the agents may not write.
    """
    tale = Tale()
    folder.mkdir(parents=True, exist_ok=True)
    topology: str | Path = scenario.topology
    if "\n" in scenario.topology:
        topology = folder / "topology.yaml"
        topology.write_text(scenario.topology, "utf-8")
    with InnerLab(topology, folder, CONTENT, roads=("ssm",)) as lab:
        if bucket:
            servers = tuple(
                msgspec.structs.replace(
                    one, roads=tuple(msgspec.structs.replace(road, bucket=bucket) for road in one.roads)
                )
                for one in lab.estate.servers
            )
            lab.estate = msgspec.structs.replace(lab.estate, servers=servers)
        watch = _Watch(lab, wanted)
        leg(lab, tale, lambda: lab.run(scenario.book, scenario.parameters))
        struck = Struck(tale, Counter(watch.calls), list(watch.struck))
        if watch.when is not None and tale.exits[0]:
            tale.given_up = (lab.clock.now() - watch.when).total_seconds()
        watch.waiting.clear()
        lab.do(lambda world: [world.mend(int(str(one["number"]))) for one in world.faults()])
        go_on(lab, tale, lambda: lab.run(scenario.book, scenario.parameters), seconds=300)
        lab.later(REST)
        judge(lab, tale, lived)
    tale.writes.clear()  # a move home that comes late is automatic rebalancing's
    return struck
