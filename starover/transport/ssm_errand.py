"""One sending of Run Command on its way: handed over once, looked after, each invocation judged; knows no other one.

Facts and numbers are those of facts/ssm.md.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from starover.errors import AuthFailed, ConnectFailed, OutcomeUnknown, ReplyLost, StaroverError, Throttled, TimedOut
from starover.transport import Answer, Attempt, Script
from starover.transport.aws import failure
from starover.transport.calls import CallFailed
from starover.transport.ssm_answers import (
    Invocation,
    code_of,
    comment_of,
    error_of,
    is_over,
    needs_more,
    pauses,
    said,
)
from starover.transport.ssm_script import Sending, framed, road_of, unpacked

if TYPE_CHECKING:
    from starover.transport.ssm import SsmTransport

__all__ = ["Errand"]

DOCUMENT = "AWS-RunPowerShellScript"
LEAST_DELIVERY, MOST_DELIVERY = 30, 60
"""`TimeoutSeconds`: what has not begun by then never begins."""
LEAST_EXECUTION, MOST_EXECUTION = 5, 172_800
"""`executionTimeout`: anything else silently becomes an hour."""
PATIENCE = 12.0
"""Seconds after which a reading that no agent has begun goes by another road, where there is one."""
SEND_TRIES = 3
"""Of a sending that AWS throttles."""
SEND_PAUSE = 0.5
"""Seconds of real time before the second one; twice as long each time."""
LOOKS = 3
"""How often a sending without an answer is looked for: a command is not seen everywhere at once."""
LOOK_PAUSE = 1.0
SKEW = timedelta(minutes=5)
"""By how much this machine's clock may be ahead of AWS's."""
POLL_TRIES = 3
"""Of one look: the next one follows anyway, and a road that is dead has to be left soon."""
BLIND = 3
"""Looks in a row at which AWS could not be reached: what runs is lost sight of, where another road can tell of it."""
_INSTANCE = re.compile(r"m?i-[0-9A-Za-z]+")
_NOT_ALLOWED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired")


@dataclass
class Errand:
    """One sending on its way, in a thread of its own."""

    road: SsmTransport
    sending: Sending
    put: Callable[[Answer], None]
    command: str = ""
    """Its id, once AWS has taken it."""
    open: dict[str, Script] = field(default_factory=dict[str, Script])
    """Those without an answer, by instance."""
    last: dict[str, Invocation] = field(default_factory=dict[str, Invocation])
    """What was last seen of each."""
    tried: list[Attempt] = field(default_factory=list[Attempt])
    began: float = field(default_factory=time.monotonic)
    blind: int = 0
    """Looks in a row at which AWS could not be reached."""
    counted: tuple[str, int] | None = None
    """What the page of counts said of it last."""
    ended: set[str] = field(default_factory=set[str])
    """Instances for which somebody wants it ended."""
    handed: bool = False
    """AWS may have it."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Of `ended` and `handed`: nothing is handed over after somebody was told that it would not be."""
    woken: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open = {script.server.instance: script for script in self.sending.scripts}
        self.clock = self.road.clock()
        self.started = self.clock.now()
        first = self.sending.scripts[0]
        self.mutates = first.mutates
        self.comment = comment_of(first, uuid4().hex[:8])
        self.deadline = max(script.deadline for script in self.sending.scripts)
        self.elsewhere = all(script.elsewhere for script in self.sending.scripts)

    def run(self) -> None:
        """To the last answer. Never raises."""
        try:
            self._leave_out_the_silent()
            if self.open and self._send(self.started):
                self._watch(self.started)
        except Exception as error:
            sent = f"; command {self.command}" if self.command else ""
            found = failure(error, "Run Command")
            if not isinstance(found, StaroverError) or (self.command and not isinstance(found, OutcomeUnknown)):
                found = TimedOut(
                    f"Run Command was lost sight of: {type(error).__name__}: {error}{sent}",
                    certain=("the script was sent at most once",),
                    uncertain=("whether it was run",),
                )
            self._fail(self.open, found)

    # -- sending -------------------------------------------------------------------------------------------------

    def _leave_out_the_silent(self) -> None:
        for instance, why in self.road.agents.silent(self.open).items():
            self._fail([instance], ConnectFailed(why, certain=("nothing was sent",)))

    def _send(self, started: datetime) -> bool:
        """Hand it over once; whether AWS has it. What cannot be sent has its answer then."""
        throttled, unanswered = 0, 0
        while self.open:
            self.road.rate.take("send_command")
            if not self._may_be_sent():
                return False
            try:
                reply = self.road.call("send_command", self._parameters(), tries=1, paced=False)
            except CallFailed as refused:
                self.handed = False
                if not self._refused(refused):
                    return False
            except Throttled as error:
                throttled += 1
                self.handed = False
                if self.elsewhere or throttled >= SEND_TRIES:
                    self._fail(self.open, error)
                    return False
                self._note(error, sent=False, pause=SEND_PAUSE * 2 ** (throttled - 1))
            except OutcomeUnknown as error:
                self._note(error, sent=True, pause=0.0)
                self.command = self._find(started)
                if self.command:
                    return True
                unanswered += 1
                if (
                    self.mutates or unanswered > 1 or self.ended
                ):  # a write is not sent again on a guess: its receipt is looked for
                    self._fail(self.open, error)
                    return False
            except StaroverError as error:
                self._fail(self.open, error)
                return False
            else:
                with self.lock:
                    self.command = str(cast("Mapping[str, object]", reply["Command"])["CommandId"])
                    late = [one for one in self.open if one in self.ended]
                if late:  # somebody wanted it ended while it was handed over
                    self._cancel(late)
                return True
        return False

    def _may_be_sent(self) -> bool:
        """Whether there is anybody left whom nobody wants ended; from here on AWS may have it."""
        with self.lock:
            stopped = [one for one in self.open if one in self.ended]
            self.handed = len(stopped) < len(self.open)
        self._fail(stopped, ConnectFailed("stopped before it was sent", certain=("nothing was sent",)))
        return self.handed

    def _parameters(self) -> dict[str, object]:
        seconds = math.ceil(self.deadline)
        given: dict[str, object] = {
            "DocumentName": DOCUMENT,
            "InstanceIds": list(self.open),
            "Comment": self.comment,
            "TimeoutSeconds": min(max(LEAST_DELIVERY, seconds), MOST_DELIVERY),
            "MaxConcurrency": "50",
            "MaxErrors": "100%",
            "Parameters": {
                "commands": framed(self.sending.text, self.sending.scripts[0].arguments).split("\n"),
                "executionTimeout": [str(min(max(LEAST_EXECUTION, seconds), MOST_EXECUTION))],
            },
        }
        road = road_of(self.sending.scripts[0])
        if road is not None and road.bucket:
            given["OutputS3BucketName"] = road.bucket
        return given

    def _refused(self, refused: CallFailed) -> bool:
        """AWS said no. Whether it is worth asking for the others."""
        code, message = refused.record.fqid, refused.record.message
        named = set(_INSTANCE.findall(message)) if code == "InvalidInstanceId" else set[str]()
        bad = [one for one in self.open if one in named]
        if bad:
            self.road.agents.forget(bad)
            self._fail(
                bad, ConnectFailed(f"Run Command does not reach the instance: {message}", certain=("nothing was sent",))
            )
            return bool(self.open)
        error: StaroverError
        if code in _NOT_ALLOWED:
            error = AuthFailed(
                f"AWS does not allow Run Command: {message}",
                certain=("nothing was sent",),
                next=("starover doctor   which rights are missing",),
            )
        else:
            error = ConnectFailed(f"Run Command did not take the script: {message}", certain=("nothing was sent",))
        self._fail(self.open, error)
        return False

    def _find(self, started: datetime) -> str:
        """Id of a command that AWS took without our hearing of it; empty: none is seen."""
        filters = [{"key": "InvokedAfter", "value": f"{started - SKEW:%Y-%m-%dT%H:%M:%SZ}"}]
        asked: dict[str, object] = {"InstanceId": next(iter(self.open)), "Filters": filters, "MaxResults": 50}
        for look in range(LOOKS):
            if look:
                threading.Event().wait(LOOK_PAUSE)
            page = dict(asked)
            try:
                while page:
                    reply = self.road.call("list_commands", page, tries=POLL_TRIES)
                    for one in cast("list[Mapping[str, object]]", reply.get("Commands", [])):
                        if one.get("Comment") == self.comment:
                            return str(one["CommandId"])
                    page = {**asked, "NextToken": reply["NextToken"]} if reply.get("NextToken") else {}
            except (StaroverError, CallFailed):
                continue
        return ""

    # -- looking after it ----------------------------------------------------------------------------------------

    def _watch(self, started: datetime) -> None:
        end = started + timedelta(seconds=self.deadline)
        for pause in pauses(self.command):
            now = self.clock.now()
            last = now >= end
            if not last:
                self.clock.wait_until(min(now + timedelta(seconds=pause), end))
            impatient = self.elsewhere and not self.mutates and now - started >= timedelta(seconds=PATIENCE)
            if last or impatient or self._moved():
                self._judge_all()
            if impatient:
                self._not_taken(PATIENCE)
            if not self.open:
                return
            if last:  # also after a page whose long answers took their time
                self._too_late()
                return

    def _moved(self) -> bool:
        """Whether a look is worth its call: where several are under way, one page tells who is as he was."""
        under_way = self.road.under_way()
        if len(under_way) < 2:
            return True
        now = self.road.counts.of(self.command, min(under_way) - SKEW)
        before, self.counted = self.counted, now
        return now is None or now != before

    def _judge_all(self) -> None:
        """Look once, and answer for all that are over."""
        try:
            found = self._look()
        except (StaroverError, CallFailed) as error:
            self._note(error, sent=True, pause=0.0)
            self._blind(error)
            return
        self.blind = 0
        for one in found:
            instance = one.get("InstanceId", "")
            if instance in self.open:
                self.last[instance] = one
                if is_over(one):
                    self._judge(instance, one)

    def _blind(self, error: Exception) -> None:
        """AWS cannot be reached: a reading is asked for elsewhere at once, of a write another road has the receipt."""
        self.blind = self.blind + 1 if isinstance(error, ConnectFailed) else 0
        if self.elsewhere and (self.blind >= BLIND or (self.blind and not self.mutates)):
            self._fail(
                self.open,
                ReplyLost(
                    f"Run Command was lost sight of: {error}",
                    certain=(f"the script was sent once (command {self.command})",),
                    uncertain=("whether it was run, and whether it still runs",),
                ),
            )

    def _look(self) -> list[Invocation]:
        """One page: a command has at most 50 instances."""
        asked = {"CommandId": self.command, "Details": True, "MaxResults": 50}
        reply = self.road.call("list_command_invocations", asked, tries=POLL_TRIES)
        return cast("list[Invocation]", reply.get("CommandInvocations", []))

    def _judge(self, instance: str, one: Invocation) -> None:
        script = self.open[instance]
        error = error_of(one, script.server.name)
        if error is not None:
            self.road.agents.forget([instance])
            self._answer(instance, Answer(id=script.id, error=error))
            return
        full = self._whole(instance, one) if needs_more(one) else {}
        told = said(one, full, script.nonce)
        self._answer(instance, Answer(id=script.id, output=told.output, failed=told.failed, errors=told.errors))

    def _whole(self, instance: str, one: Invocation) -> dict[str, str]:
        """More of an output that was cut; what cannot be had is left out, and then the answer counts as cut.

        Where a bucket has it whole it is read there, at no rate; an error's other stream is Run Command's alone.
        """
        road = road_of(self.open[instance])
        stored = self._stored(road.bucket, instance) if road is not None and road.bucket and code_of(one) == 0 else ""
        if unpacked(stored) is not None:
            return {"stdout": stored, "stderr": ""}
        try:
            reply = self.road.call("get_command_invocation", {"CommandId": self.command, "InstanceId": instance})
        except (StaroverError, CallFailed) as error:
            self._note(error, sent=True, pause=0.0)
            return {}
        out, err = str(reply.get("StandardOutputContent", "")), str(reply.get("StandardErrorContent", ""))
        return {"stdout": out, "stderr": err}

    def _stored(self, bucket: str, instance: str) -> str:
        """The output in S3; empty: it cannot be had. Its address in a reply is a text, never to be fetched."""
        step = "awsrunPowerShellScript"
        key = f"{self.command}/{instance}/{step}/0.{step}/stdout"
        try:
            reply = self.road.call("get_object", {"Bucket": bucket, "Key": key}, service="s3")
            read = getattr(reply.get("Body"), "read", None)
            content: object = read() if callable(read) else b""
        except Exception as error:  # its stream breaks with errors of its own
            self._note(error, sent=True, pause=0.0)
            return ""
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""

    def _waiting(self) -> list[str]:
        """Those whose agents have not taken it."""
        return [one for one in self.open if self.last.get(one, {}).get("Status", "") in ("Pending", "Delayed")]

    def _cancel(self, instances: list[str]) -> None:
        if instances:
            try:
                self.road.call("cancel_command", {"CommandId": self.command, "InstanceIds": instances}, tries=1)
            except (StaroverError, CallFailed) as error:
                self._note(error, sent=True, pause=0.0)
        self.road.agents.forget(self.open)

    def end(self, ids: Collection[str]) -> dict[str, str]:
        """Have it cancelled, whoever of `ids` is among them."""
        mine = {instance: script.id for instance, script in dict(self.open).items() if script.id in ids}
        if not mine:
            return {}
        with self.lock:
            self.ended |= set(mine)
            sent = self.handed or bool(self.command)
        self.woken.set()
        if not sent:
            return dict.fromkeys(mine.values(), "its script was not sent any more")
        tried = len(self.tried)
        if self.command:
            self._cancel(list(mine))
        asked = bool(self.command) and len(self.tried) == tried
        said = "Run Command was asked to cancel it" if asked else "Run Command could not be asked to cancel it"
        return dict.fromkeys(mine.values(), f"{said}: it may have run, or still run")

    def _not_taken(self, seconds: float) -> None:
        """Readings that no agent has begun will do without an answer."""
        waiting = self._waiting()
        self._cancel(waiting)
        self._fail(waiting, ConnectFailed(f"its agent did not take the script within {seconds:g} s"))

    def _too_late(self) -> None:
        """The deadline has passed: end what only reads and what has not begun, and say what is known."""
        if self.mutates:
            self._cancel(self._waiting())
        else:
            self._not_taken(self.deadline)
            self._cancel(list(self.open))
        self._fail(
            self.open,
            TimedOut(
                f"no result of Run Command within {self.deadline:g} s",
                certain=("the script was sent once",),
                uncertain=("whether it was run, and whether it still runs",),
            ),
        )

    # -- answers -------------------------------------------------------------------------------------------------

    def _fail(self, instances: Sequence[str] | Mapping[str, object], error: StaroverError) -> None:
        """The same end for several; each in words of its own host."""
        for instance in list(instances):
            script = self.open.get(instance)
            if script is not None:
                self._answer(instance, Answer(id=script.id, error=_about(error, script.server.name)))

    def _answer(self, instance: str, answer: Answer) -> None:
        script = self.open.pop(instance)
        self.put(
            Answer(
                id=script.id,
                output=answer.output,
                errors=answer.errors,
                failed=answer.failed,
                error=answer.error,
                road=f"ssm {self.command}".strip(),
                attempts=tuple(self.tried),
                seconds=round(time.monotonic() - self.began, 3),
            )
        )

    def _note(self, error: Exception, *, sent: bool, pause: float) -> None:
        self.tried.append(Attempt(what=str(error), sent=sent, waited=pause))
        if pause:
            self.woken.wait(pause)


def _about(error: StaroverError, host: str) -> StaroverError:
    """The same error, of one host."""
    what = error.what if host.casefold() in error.what.casefold() else f"{host}: {error.what}"
    if isinstance(error, Throttled):
        return Throttled(what, after=error.after, host=host, next=error.next)
    return type(error)(what, certain=error.certain, uncertain=error.uncertain, next=error.next, host=host)
