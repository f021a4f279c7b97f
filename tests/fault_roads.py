"""Runs over Run Command whose calls to SSM are struck, on the lab without wires: the product's own road ssm.

A call is known by its operation and by the script whose command it sends or asks after (`fault_choice`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from crash_points import CONTENT, Scenario
from fault_choice import Call, Chooser, about
from fault_points import LEGS, Tale, go_on, judge, leg, open_run, put_back
from inner_lab import InnerLab

from starover.transport import Script, ssm_errand

__all__ = ["KINDS", "Struck", "grave", "kinds", "play", "sends"]

OF_A_CALL = ("throttled", "internal", "denied", "unreached", "lost")
"""AWS asks for patience; has an error of its own; denies it; is not reached; is reached, and its answer is lost."""
OF_A_HOST: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "undeliverable": ("ssm_undeliverable", {}),
    "late": ("ssm_slow", {"seconds": 200.0}),
    "cut": ("ssm_output_truncated", {"characters": 400}),
    "dead": ("ssm_agent_dead", {}),
}
"""What befalls a host of a sending, until the leg has ended: the lab's own faults."""
UNSEEN: Mapping[str, dict[str, object]] = {
    "list_commands": {"reply": {"Commands": []}},
    "list_command_invocations": {"reply": {"CommandInvocations": []}},
    "get_command_invocation": {"error": {"code": "InvocationDoesNotExist", "message": ""}},
}
"""What who asks about a command hears while it is not to be seen everywhere."""
KINDS = (*OF_A_CALL, *OF_A_HOST, "unseen")
REST = 7200.0
"""Seconds until copies are well and databases at home again, whoever moved them."""
BETWEEN = 300.0
"""Seconds until somebody goes on."""
_CODES = {
    "throttled": ("ThrottlingException", "Rate exceeded"),
    "internal": ("InternalServerError", "Internal server error"),
    "denied": ("AccessDeniedException", "User is not authorized to perform this"),
}


def kinds(call: Call) -> tuple[str, ...]:
    """What may befall a call: operation of SSM, and what it is about."""
    operation, _ = call
    of_a_host = tuple(OF_A_HOST) if operation == "send_command" else ()
    return (*OF_A_CALL, *of_a_host, *(("unseen",) if operation in UNSEEN else ()))


def grave(call: Call, kind: str) -> bool:
    """Whether a leg may end by it: all else is asked again, or done without."""
    operation, what = call
    if operation == "send_command":
        return kind not in ("throttled", "lost") and (kind != "internal" or what.startswith("write"))
    return operation == "describe_instance_information" and kind == "unreached"


def sends(call: Call) -> bool:
    """Whether it hands a script over: who looks after one calls much more often."""
    return call[0] == "send_command"


@dataclass
class Struck:
    """A run that was struck, and where."""

    tale: Tale
    struck: list[tuple[int, Call, str]] = field(default_factory=list[tuple[int, Call, str]])
    """Leg from 1, call, what befell it."""


class _Watch:
    """Stands before the lab's SSM."""

    def __init__(self, lab: InnerLab, choose: Chooser) -> None:
        self._lab, self._choose = lab, choose
        self._answer: Callable[[str, str, Mapping[str, object]], dict[str, object]] = lab.transport.cloud.answer
        self._scripts: dict[str, Script] = {}
        """By nonce."""
        self._known = 0
        self._commands: dict[str, str] = {}
        """What it is about, by the command's id."""
        self.leg = 1
        self.struck: list[tuple[int, Call, str]] = []
        self.when: datetime | None = None
        """Of the last stroke of this leg, where there was none that may end it; else of the last of those."""
        self._grave = False
        self.calm = False
        """All is well."""
        lab.transport.cloud.answer = self  # type: ignore[method-assign]

    def next_leg(self) -> None:
        self.leg += 1
        self.when, self._grave = None, False

    def __call__(self, service: str, operation: str, parameters: Mapping[str, object]) -> dict[str, object]:
        if service != "ssm" or self.calm:
            return self._answer(service, operation, parameters)
        call = (operation, self._about(operation, parameters))
        kind = self._choose(call)
        if kind is None:
            return self._heard(call, self._answer(service, operation, parameters))
        self._note(call, kind)
        if kind in _CODES:
            code, message = _CODES[kind]
            return {"error": {"code": code, "message": f"An error occurred ({code}): {message}"}}
        if kind == "unreached":
            raise ConnectTimeoutError(endpoint_url="https://ssm.eu-west-1.amazonaws.com")
        if kind == "unseen":
            return UNSEEN[operation]
        if kind in OF_A_HOST:
            fault, more = OF_A_HOST[kind]
            instances = parameters["InstanceIds"]
            assert isinstance(instances, list)
            host = next(one.name for one in self._lab.world.state.servers if one.instance in instances)
            self._lab.world.fault(fault, host, **more)
        answer = self._heard(call, self._answer(service, operation, parameters))
        if kind == "lost":
            raise ReadTimeoutError(endpoint_url="https://ssm.eu-west-1.amazonaws.com")
        return answer

    def _note(self, call: Call, kind: str) -> None:
        self.struck.append((self.leg, call, kind))
        if grave(call, kind) or not self._grave:
            self.when = self._lab.world.now
            self._grave = grave(call, kind)

    def _about(self, operation: str, parameters: Mapping[str, Any]) -> str:
        if operation == "send_command":
            sent = self._lab.transport.sent
            self._scripts |= {one.nonce: one for one in sent[self._known :]}
            self._known = len(sent)
            script = self._scripts[str(parameters["Comment"]).split()[-2]]
            return f"{about(script)} {sorted(parameters['InstanceIds'])}"
        if "CommandId" in parameters:
            return self._commands[parameters["CommandId"]]
        if operation == "describe_instance_information":
            return str(sorted(parameters["Filters"][0]["Values"]))
        return str(parameters.get("InstanceId", ""))

    def _heard(self, call: Call, answer: dict[str, object]) -> dict[str, object]:
        if call[0] == "send_command" and "reply" in answer:
            reply = cast("dict[str, dict[str, str]]", answer["reply"])
            self._commands[reply["Command"]["CommandId"]] = call[1]
        return answer


def play(scenario: Scenario, folder: Path, choose: Chooser, lived: Tale | None = None, *, bucket: str = "") -> Struck:
    """Plan and apply over Run Command, struck as `choose` says, and gone on with, struck again; then all is well, and
    it is ended.

    `bucket`: outputs are to be kept there, where the agents may not write.
    """
    tale = Tale()
    folder.mkdir(parents=True, exist_ok=True)
    topology: str | Path = scenario.topology
    if "\n" in scenario.topology:
        topology = folder / "topology.yaml"
        topology.write_text(scenario.topology, "utf-8")
    with InnerLab(topology, folder, CONTENT, roads=("ssm",)) as lab, pytest.MonkeyPatch.context() as patch:
        for name in ("SEND_PAUSE", "LOOK_PAUSE"):  # of real time
            patch.setattr(ssm_errand, name, 0.001)
        if bucket:
            servers = tuple(
                msgspec.structs.replace(
                    one, roads=tuple(msgspec.structs.replace(road, bucket=bucket) for road in one.roads)
                )
                for one in lab.estate.servers
            )
            lab.estate = msgspec.structs.replace(lab.estate, servers=servers)
        watch = _Watch(lab, choose)

        def begin() -> Any:
            if told := re.search(r"maintenance-stop --server (\S+)   puts back", "\n".join(tale.next)):
                calm, watch.calm = watch.calm, True
                assert lab.run("maintenance-stop", {"server": told[1]}).exit == 0
                watch.calm = calm
            tale.next = ()
            return lab.run(scenario.book, scenario.parameters)

        act, idle = begin, 0
        while True:
            last, before = choose.over, len(watch.struck)
            leg(lab, tale, act)
            idle = idle + 1 if len(watch.struck) == before else 0
            if watch.when is not None and tale.exits[-1]:
                tale.given_up = max(tale.given_up, (lab.clock.now() - watch.when).total_seconds())
            lab.do(lambda world: [world.mend(int(str(one["number"]))) for one in world.faults()])
            if not tale.exits[-1] or last or idle >= LEGS:
                break
            lab.later(BETWEEN)
            watch.next_leg()
            left = "" if put_back(tale.words[-1]) else open_run(lab.folder)
            act = partial(lab.resume, left) if left else begin
        watch.calm = True
        go_on(lab, tale, begin, seconds=BETWEEN, legs=len(tale.exits) + LEGS - 1)
        lab.later(REST)
        if lived is not None and any(
            map(put_back, tale.words)
        ):  # then more is done than by a run that came through at once
            lived = replace(lived, writes=Counter())
        judge(lab, tale, lived)
    return Struck(tale, watch.struck)
