"""The road ssm against an AWS of a few lines: what is called, how often, and what becomes of each invocation."""

from __future__ import annotations

import base64
import gzip
import io
import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from starover_lab.powershell import subset
from starover_lab.powershell.parser import parse

from starover import envelope
from starover.errors import (
    AuthFailed,
    BadInventory,
    ConnectFailed,
    OutcomeUnknown,
    OutputTruncated,
    StaroverError,
    Throttled,
    TimedOut,
    Unreachable,
)
from starover.estate import Road, Server
from starover.inventory import load
from starover.render import Renderer
from starover.transport import Answer, Script, ssm_answers, ssm_errand
from starover.transport.rate import Rate
from starover.transport.ssm import SsmTransport
from starover.transport.ssm_script import framed, grouped, unfit, unpacked

START = datetime(2026, 3, 7, 22, 0, tzinfo=UTC)
BODY = Renderer({"t.ps1.j2": "[pscustomobject]@{ here = [bool]$true }\n"}).body("t.ps1.j2", {})
OPERATION = "00000000-0000-4000-8000-000000000001"


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self._now = START
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def wait_until(self, when: datetime, /) -> None:
        with self._lock:
            self._now = max(self._now, when)

    def expect(self, scripts: int, /) -> None:
        raise AssertionError("a transport announces nothing")


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "X"
    )


def packed(text: str) -> str:
    data = base64.b64encode(gzip.compress(text.encode())).decode()
    lines = "\n".join(data[at : at + 76] for at in range(0, len(data), 76))
    return f"noise\n@@STAROVER-PACKED {len(data)}\n{lines}\n@@STAROVER-UNPACK\n"


@dataclass
class Aws:
    """Run Command: every script ends after `seconds` with what `says` gives, unless `ends` names another end."""

    clock: Clock
    seconds: float = 3.0
    says: Callable[[str, str], str] = lambda text, instance: packed(f"{instance} said it")
    ends: dict[str, tuple[str, str, int]] = field(default_factory=dict[str, tuple[str, str, int]])
    """By instance: status, details, exit code; status Pending: it never begins."""
    unseen: int = 0
    online: Mapping[str, str] | None = None
    fails: dict[str, list[Exception]] = field(default_factory=dict[str, list[Exception]])
    """By operation: what the next calls raise."""
    taken: bool = False
    """A failing SendCommand is taken all the same."""
    full: dict[str, str] = field(default_factory=dict[str, str])
    stored: dict[str, bytes] = field(default_factory=dict[str, bytes])
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    commands: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def of(self, service: str, **_: object) -> Aws:
        return self

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.calls)

    def _call(self, operation: str, given: dict[str, Any]) -> None:
        self.calls.append((operation, given))
        if operation != "send_command" and self.fails.get(operation):
            raise self.fails[operation].pop(0)

    def describe_instance_information(self, **given: Any) -> dict[str, Any]:
        self._call("describe_instance_information", given)
        asked = given["Filters"][0]["Values"]
        online = dict.fromkeys(asked, "Online") if self.online is None else self.online
        return {"InstanceInformationList": [{"InstanceId": one, "PingStatus": ping} for one, ping in online.items()]}

    def send_command(self, **given: Any) -> dict[str, Any]:
        self._call("send_command", given)
        command = {"CommandId": f"c-{len(self.commands) + 1}", "at": self.clock.now(), **given}
        if self.fails.get("send_command"):
            error = self.fails["send_command"].pop(0)
            if self.taken:
                self.commands.append(command)
            raise error
        self.commands.append(command)
        return {"Command": command}

    def list_commands(self, **given: Any) -> dict[str, Any]:
        self._call("list_commands", given)
        of = given.get("InstanceId")
        found = [one for one in reversed(self.commands) if of is None or of in one["InstanceIds"]]
        return {"Commands": [one | self._counted(one) for one in found]}

    def _counted(self, command: dict[str, Any]) -> dict[str, Any]:
        shown = [self._shown(command, instance)["Status"] for instance in command["InstanceIds"]]
        done = sum(one not in ("Pending", "Delayed", "InProgress") for one in shown)
        return {"CompletedCount": done, "Status": "Success" if done == len(shown) else "InProgress"}

    def list_command_invocations(self, **given: Any) -> dict[str, Any]:
        self._call("list_command_invocations", given)
        if self.unseen:
            self.unseen -= 1
            return {"CommandInvocations": []}
        (command,) = [one for one in self.commands if one["CommandId"] == given["CommandId"]]
        return {"CommandInvocations": [self._shown(command, instance) for instance in command["InstanceIds"]]}

    def _shown(self, command: dict[str, Any], instance: str) -> dict[str, Any]:
        status, details, code = self.ends.get(instance, ("Success", "Success", 0))
        if status not in ("Pending", "Delayed") and self.clock.now() < command["at"] + timedelta(seconds=self.seconds):
            status = details = "InProgress"
            code = -1
        over = status not in ("Pending", "Delayed", "InProgress")
        text = "\n".join(command["Parameters"]["commands"])
        output = self.says(text, instance) if over else ""
        return {
            "InstanceId": instance,
            "Status": status,
            "StatusDetails": details,
            "CommandPlugins": [{"ResponseCode": code, "Output": output}],
        }

    def get_command_invocation(self, **given: Any) -> dict[str, Any]:
        self._call("get_command_invocation", given)
        return {"StandardOutputContent": self.full.get(given["InstanceId"], ""), "StandardErrorContent": ""}

    def get_object(self, **given: Any) -> dict[str, Any]:
        self._call("get_object", given)
        return {"Body": io.BytesIO(self.stored[given["Key"]])}

    def cancel_command(self, **given: Any) -> dict[str, Any]:
        self._call("cancel_command", given)
        return {}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setattr(ssm_errand, "SEND_PAUSE", 0.001)
    monkeypatch.setattr(ssm_errand, "LOOK_PAUSE", 0.001)
    return Aws(Clock())  # type: ignore[return-value]


def server(number: int = 1, bucket: str = "") -> Server:
    return Server(
        name=f"EX{number}",
        fqdn=f"EX{number}.example.com",
        roles=("mailbox",),
        instance=f"i-{number:04d}",
        roads=(Road(kind="ssm", bucket=bucket),),
    )


def reading(number: int = 1, *, bucket: str = "", deadline: float = 60.0, **more: Any) -> Script:
    """A reading as the engine makes it: the host's name and a nonce of its own in the prologue."""
    of, nonce = server(number, bucket), f"{number:016x}"
    text = envelope.reads(of, [("q1", BODY)], nonce).text
    return Script(id=str(number), server=of, text=text, deadline=deadline, mutates=False, nonce=nonce, **more)


def writing(number: int = 1, **more: Any) -> Script:
    of, nonce = server(number), f"{number:016x}"
    text = envelope.write(of, BODY, OPERATION, nonce).text
    given = {"deadline": 60.0, "operation": OPERATION} | more
    return Script(id=str(number), server=of, text=text, mutates=True, nonce=nonce, **given)


def run(aws: Aws, *scripts: Script) -> dict[str, Answer]:
    made = SsmTransport(aws, lambda: aws.clock, Rate(100_000, burst=1000))  # type: ignore[arg-type]
    answers = {answer.id: answer for answer in made.run(scripts)}
    assert len(answers) == len(scripts)
    made.close()
    return answers


def one(aws: Aws, script: Script) -> Answer:
    return run(aws, script)[script.id]


# -- what is sent


def test_equal_readings_of_many_hosts_are_one_command_for_fifty(aws: Aws) -> None:
    answers = run(aws, *(reading(number) for number in range(1, 121)))
    assert [len(one["InstanceIds"]) for one in sorted(aws.commands, key=lambda one: -len(one["InstanceIds"]))] == [
        50,
        50,
        20,
    ]
    assert aws.count("list_command_invocations") <= 3 * (aws.seconds / 0.9 + 1)
    assert all(answers[f"{number}"].output == f"i-{number:04d} said it" for number in range(1, 121))
    text = "\n".join(aws.commands[0]["Parameters"]["commands"])
    assert f"'ex1' = '{1:016x}'" in text
    assert subset.check(text, "wrapper") == []


def test_writes_and_different_scripts_are_commands_of_their_own() -> None:
    other = Renderer({"t.ps1.j2": "[pscustomobject]@{ here = 1 }\n"}).body("t.ps1.j2", {})
    of = server(3)
    third = Script(
        id="3", server=of, text=envelope.reads(of, [("q1", other)], "3" * 16).text, deadline=9.0, mutates=False
    )
    assert [len(one.scripts) for one in grouped([writing(1), writing(2), reading(4), third, reading(5)])] == [
        1,
        1,
        2,
        1,
    ]
    assert grouped([writing(1)])[0].text == writing(1).text, "a write is sent as it was journalled"
    assert grouped([reading(1)])[0].text == reading(1).text
    assert len(grouped([reading(1), reading(1)])) == 2, "one host, two answers"


def test_both_time_outs_and_the_operation_are_in_every_call(aws: Aws) -> None:
    one(aws, writing(deadline=240.0))
    one(aws, reading(2, deadline=4.0))
    write, read = aws.commands
    assert (write["TimeoutSeconds"], write["Parameters"]["executionTimeout"]) == (60, ["240"])
    assert (read["TimeoutSeconds"], read["Parameters"]["executionTimeout"]) == (30, ["5"])
    assert OPERATION in write["Comment"]
    assert all(len(given["Comment"]) <= 100 and given["MaxErrors"] == "100%" for given in (write, read))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ({"arguments": (("C", "ref"),)}, "password"),
        ({"way": "objects"}, "objects"),
        ({"text": "'{{ssm:/x}}'"}, "{{"),
        ({"text": "#" * 70_000}, "60,000"),
    ],
)
def test_what_cannot_be_carried_is_refused_before_anything_is_sent(aws: Aws, script: dict[str, Any], why: str) -> None:
    import dataclasses

    given = dataclasses.replace(reading(), **script)
    assert why in unfit(given)
    assert isinstance(one(aws, given).error, ConnectFailed)
    assert aws.calls == []


def test_a_credential_that_aws_keeps_is_read_on_the_host_and_the_script_has_its_name_alone(aws: Aws) -> None:
    import msgspec

    from starover.estate import Exchange

    body = Renderer({"t.ps1.j2": "# exchange: Get-MailboxServer\n[pscustomobject]@{ a = 1 }\n"}).body("t.ps1.j2", {})
    for reference, kind in (("secretsmanager:exchange/ops", "secretsmanager"), ("ssm:/exchange/ops", "ssm")):
        of = msgspec.structs.replace(server(), exchange=Exchange(), credential=reference)
        composed = envelope.reads(of, [("q1", body)], "1" * 16)
        script = Script(
            id="1", server=of, text=composed.text, arguments=composed.arguments, deadline=9.0, mutates=False
        )
        assert unfit(script) == ""
        assert one(aws, script).error is None
        text = "\n".join(aws.commands[-1]["Parameters"]["commands"])
        name = reference.partition(":")[2]
        assert f"'ExchangeCredential' = Get-StaroverCredential -Kind '{kind}' -Name '{name}'" in text
        parse(text)
    by_password = msgspec.structs.replace(server(), exchange=Exchange(), credential="env:OPS")
    with pytest.raises(BadInventory, match="cannot carry the password"):
        envelope.reads(by_password, [("q1", body)], "1" * 16)
    quoted = msgspec.structs.replace(server(), exchange=Exchange(), credential="ssm:it's")
    with pytest.raises(BadInventory):
        envelope.reads(quoted, [("q1", body)], "1" * 16)


def test_the_frame_keeps_line_numbers_and_its_output_is_found_in_noise() -> None:
    text = reading().text
    assert framed(text).splitlines()[1:4] == text.splitlines()[1:4]
    assert unpacked("WARNING: x\r\n" + packed("é and\nmore").replace("\n", "\r\n") + "\r\nbye") == "é and\nmore"
    assert unpacked(packed("x" * 3000)[:-30]) is None
    assert unpacked(packed("abc").replace("H4sI", "H4sJ")) is None
    assert unpacked("nothing of ours") is None


# -- how each ends


@pytest.mark.parametrize(
    ("status", "details", "code", "kind"),
    [
        ("Failed", "Undeliverable", -1, ConnectFailed),
        ("TimedOut", "DeliveryTimedOut", -1, ConnectFailed),
        ("Cancelled", "Terminated", -1, ConnectFailed),
        ("TimedOut", "ExecutionTimedOut", -1, TimedOut),
        ("Cancelled", "Cancelled", -1, OutcomeUnknown),
        ("Failed", "Failed", -1, OutcomeUnknown),
    ],
)
def test_each_invocation_is_judged_by_itself(
    aws: Aws, status: str, details: str, code: int, kind: type[StaroverError]
) -> None:
    aws.ends = {"i-0002": (status, details, code)}
    answers = run(aws, *(reading(number) for number in (1, 2, 3)))
    assert answers["1"].output == "i-0001 said it"
    assert isinstance(answers["2"].error, kind)
    assert "EX2" in answers["2"].error.what
    assert answers["3"].error is None
    assert answers["3"].road == "ssm c-1"


def test_an_exit_code_is_an_error_of_powershell(aws: Aws) -> None:
    aws.ends = {"i-0001": ("Failed", "Failed", 1)}
    more = "    + CategoryInfo          : X\r\n    + FullyQualifiedErrorId : Bad"
    aws.says = lambda *_: f"\n----------ERROR-------\nno such\r\nthing\r\n{more}"
    answer = one(aws, reading())
    assert answer.failed
    assert [(record.message, record.fqid) for record in answer.errors] == [("no such thing", "Bad")]


def test_not_seen_yet_is_not_failed(aws: Aws) -> None:
    aws.unseen = 3
    assert one(aws, reading()).output == "i-0001 said it"


def test_only_what_was_cut_is_asked_for_again(aws: Aws) -> None:
    long = random.Random(1).randbytes(4500).hex()
    aws.says = lambda _, instance: (
        packed(long)[:2400] + "\n---Output truncated---" if instance == "i-0001" else packed("x")
    )
    aws.full = {"i-0001": packed(long)}
    answers = run(aws, reading(1), reading(2))
    assert (answers["1"].output, answers["2"].output) == (long, "x")
    assert aws.count("get_command_invocation") == 1


def test_what_is_cut_even_then_is_in_s3_or_told_as_cut(aws: Aws) -> None:
    cut = packed(random.Random(1).randbytes(4500).hex())[:300] + "--output truncated--"
    aws.says = lambda *_: cut
    aws.full = {"i-0001": cut}
    key = "c-1/i-0001/awsrunPowerShellScript/0.awsrunPowerShellScript/stdout"
    aws.stored = {key: packed("the whole").encode()}
    assert one(aws, reading(bucket="answers")).output == "the whole"
    assert aws.commands[0]["OutputS3BucketName"] == "answers"
    assert aws.count("get_command_invocation") == 0, "one question for what was cut, and none at the rate of SSM"
    aws.fails = {"get_object": [refused("AccessDenied")]}
    without = reading()
    for script in (without, reading(bucket="answers")):
        answer = one(aws, script)
        with pytest.raises(OutputTruncated):
            envelope.decode(answer.output, script.nonce)


# -- before and while it is sent


def test_a_silent_agent_is_left_out_and_asked_for_once_a_minute(aws: Aws) -> None:
    aws.online = {"i-0001": "Online", "i-0002": "ConnectionLost"}
    answers = run(aws, *(reading(number) for number in (1, 2, 3)))
    assert answers["1"].error is None
    for number in ("2", "3"):
        assert isinstance(answers[number].error, ConnectFailed)
        assert "nothing was sent" in (answers[number].error or StaroverError("")).certain
    assert aws.commands[0]["InstanceIds"] == ["i-0001"]
    made = SsmTransport(aws, lambda: aws.clock, Rate(100_000, burst=1000))  # type: ignore[arg-type]
    before = aws.count("describe_instance_information")
    for _ in range(3):
        list(made.run([reading(1)]))
    assert aws.count("describe_instance_information") == before + 1


def test_without_the_right_to_ask_for_agents_it_goes_on(aws: Aws) -> None:
    aws.fails = {"describe_instance_information": [refused("AccessDeniedException")]}
    assert one(aws, reading()).error is None


def test_one_bad_instance_does_not_stop_the_others(aws: Aws) -> None:
    aws.fails = {"send_command": [refused("InvalidInstanceId", "Instances [[i-0002]] not in a valid state")]}
    answers = run(aws, *(reading(number) for number in (1, 2, 3)))
    assert isinstance(answers["2"].error, ConnectFailed)
    assert {answers["1"].error, answers["3"].error} == {None}


def test_a_throttled_sending_is_tried_again_unless_there_is_another_road(aws: Aws) -> None:
    aws.fails = {"send_command": [refused("ThrottlingException")] * 2}
    answer = one(aws, writing())
    assert answer.error is None
    assert [tried.sent for tried in answer.attempts] == [False, False]
    aws.fails = {"send_command": [refused("ThrottlingException")] * 9}
    assert isinstance(one(aws, writing()).error, Throttled)
    before = aws.count("send_command")
    assert isinstance(one(aws, writing(elsewhere=True)).error, Throttled)
    assert aws.count("send_command") == before + 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="https://ssm"), ConnectFailed),
        (refused("AccessDeniedException"), AuthFailed),
        (refused("ExpiredTokenException"), AuthFailed),
        (refused("MaxDocumentSizeExceeded"), ConnectFailed),
    ],
)
def test_what_aws_did_not_take_was_not_sent(aws: Aws, error: Exception, kind: type[StaroverError]) -> None:
    aws.fails = {"send_command": [error]}
    answer = one(aws, writing())
    assert isinstance(answer.error, kind)
    assert isinstance(answer.error, Unreachable)
    assert aws.count("send_command") == 1


@pytest.mark.parametrize(
    "error", [ReadTimeoutError(endpoint_url="https://ssm"), refused("InternalServerError", "x", 500)]
)
@pytest.mark.parametrize("made", [reading, writing])
def test_a_sending_without_an_answer_is_looked_for_and_found(aws: Aws, made: Any, error: Exception) -> None:
    aws.fails, aws.taken = {"send_command": [error]}, True
    answer = one(aws, made())
    assert (answer.error, answer.output) == (None, "i-0001 said it")
    assert aws.count("send_command") == 1
    assert [tried.sent for tried in answer.attempts] == [True]


def test_one_that_is_not_found_is_sent_again_only_if_it_reads(aws: Aws) -> None:
    lost = ReadTimeoutError(endpoint_url="https://ssm")
    aws.fails = {"send_command": [lost]}
    assert isinstance(one(aws, writing()).error, OutcomeUnknown)
    assert aws.count("send_command") == 1
    assert aws.count("list_commands") == ssm_errand.LOOKS
    aws.fails = {"send_command": [lost]}
    assert one(aws, reading()).error is None
    assert aws.count("send_command") == 3


def test_a_reading_that_is_tried_again_is_not_answered_by_its_first_sending(aws: Aws) -> None:
    assert one(aws, reading()).error is None
    aws.fails = {"send_command": [ReadTimeoutError(endpoint_url="https://ssm")]}
    assert one(aws, reading()).error is None
    assert len(aws.commands) == 2


def test_looks_that_fail_are_no_answer(aws: Aws) -> None:
    aws.fails = {"list_command_invocations": [refused("ThrottlingException"), ReadTimeoutError(endpoint_url="x")]}
    assert one(aws, writing()).output == "i-0001 said it"


def test_an_aws_that_cannot_be_reached_is_left_at_once(aws: Aws) -> None:
    aws.fails = {"describe_instance_information": [EndpointConnectionError(endpoint_url="https://ssm")]}
    answer = one(aws, writing())
    assert isinstance(answer.error, ConnectFailed)
    assert "nothing was sent" in answer.error.certain
    assert [name for name, _ in aws.calls] == ["describe_instance_information"]


def test_an_instance_is_known_by_its_whole_id(aws: Aws) -> None:
    aws.fails = {"send_command": [refused("InvalidInstanceId", "Instances [[i-00020, i-0003]] not in a valid state")]}
    answers = run(aws, *(reading(number) for number in (2, 3)))
    assert answers["2"].error is None
    assert isinstance(answers["3"].error, ConnectFailed)


def test_what_was_sent_is_looked_for_on_every_page(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.fails, aws.taken = {"send_command": [ReadTimeoutError(endpoint_url="https://ssm")]}, True
    whole = Aws.list_commands

    def paged(self: Aws, **given: Any) -> dict[str, Any]:
        found = whole(self, **given)
        return found if "NextToken" in given else {"Commands": [], "NextToken": "2"}

    monkeypatch.setattr(Aws, "list_commands", paged)
    assert one(aws, writing()).output == "i-0001 said it"
    assert aws.count("send_command") == 1


@pytest.mark.parametrize(("made", "looks"), [(reading, 1), (writing, ssm_errand.BLIND)])
def test_what_is_lost_sight_of_is_asked_for_on_the_other_road(aws: Aws, made: Any, looks: int) -> None:
    aws.fails = {"list_command_invocations": [EndpointConnectionError(endpoint_url="https://ssm")] * 99}
    answer = one(aws, made(elsewhere=True))
    assert isinstance(answer.error, OutcomeUnknown)
    assert aws.count("list_command_invocations") == looks
    alone = one(aws, made(deadline=30.0))
    assert isinstance(alone.error, OutcomeUnknown), "without another road it is looked for until its time is over"
    assert aws.count("list_command_invocations") > looks + 10


# -- when the time is over


def test_a_reading_that_is_late_is_cancelled_and_says_what_is_known(aws: Aws) -> None:
    aws.seconds = 999.0
    aws.ends = {"i-0002": ("Pending", "Pending", -1)}
    answers = run(aws, *(reading(number, deadline=20.0) for number in (1, 2)))
    assert isinstance(answers["1"].error, TimedOut)
    assert isinstance(answers["2"].error, ConnectFailed), "its agent never took it"
    cancelled = [given["InstanceIds"] for name, given in aws.calls if name == "cancel_command"]
    assert cancelled == [["i-0002"], ["i-0001"]]
    assert aws.clock.now() - START <= timedelta(seconds=21)


def test_a_reading_that_no_agent_begins_leaves_the_road_early_where_there_is_another(aws: Aws) -> None:
    aws.ends = {"i-0001": ("Pending", "Pending", -1)}
    answer = one(aws, reading(deadline=60.0, elsewhere=True))
    assert isinstance(answer.error, ConnectFailed)
    assert aws.clock.now() - START < timedelta(seconds=15)
    assert aws.count("cancel_command") == 1


def test_a_write_that_runs_is_left_alone_and_one_that_waits_is_cancelled(aws: Aws) -> None:
    aws.seconds = 999.0
    assert isinstance(one(aws, writing(deadline=20.0)).error, OutcomeUnknown)
    assert aws.count("cancel_command") == 0
    aws.ends = {"i-0001": ("Pending", "Pending", -1)}
    assert isinstance(one(aws, writing(deadline=20.0)).error, OutcomeUnknown)
    assert aws.count("cancel_command") == 1


def test_whoever_stops_has_it_cancelled_and_is_told_what_that_is_worth(aws: Aws) -> None:
    made = SsmTransport(aws, lambda: aws.clock, Rate(100_000, burst=1000))  # type: ignore[arg-type]
    fates: dict[str, str] = {}

    def look(instance: str) -> str:
        """While a page is looked at, somebody presses Ctrl-C twice."""
        if not fates:
            fates.update(made.stop([*scripts, "somebody else's"], 1))
        return instance

    scripts = {"1": writing(1)}
    aws.says = lambda text, instance: packed(look(instance))
    assert len(list(made.run(list(scripts.values())))) == 1
    assert fates == {"1": "Run Command was asked to cancel it: it may have run, or still run"}
    (asked,) = [given for name, given in aws.calls if name == "cancel_command"]
    assert asked["InstanceIds"] == ["i-0001"]
    assert made.stop(scripts, 1) == {}, "it is over"


@pytest.mark.parametrize("other", [0, 1])
def test_whoever_stops_while_aws_throttles_has_nothing_sent_any_more(aws: Aws, other: int) -> None:
    """In the pause before the second try; what others in the same sending want is sent."""
    made = SsmTransport(aws, lambda: aws.clock, Rate(100_000, burst=1000))  # type: ignore[arg-type]
    fates: dict[str, str] = {}

    class Throttling(Aws):
        def send_command(self, **given: Any) -> dict[str, Any]:
            if not fates:
                aws._call("send_command", given)
                fates.update(made.stop(["1"], 1))  # it is under way: nobody knows yet
                fates.update(again=made.stop(["1"], 1).get("1", ""))
                raise refused("ThrottlingException")
            return aws.send_command(**given)

    made.clients = Sending(aws, Throttling(aws.clock))  # type: ignore[assignment]
    scripts = [reading(number) for number in range(1, 2 + other)] if other else [writing(1)]
    answers = {answer.id: answer for answer in made.run(scripts)}
    error = answers["1"].error
    assert isinstance(error, ConnectFailed)
    assert error.certain == ("nothing was sent",)
    assert [one["InstanceIds"] for one in aws.commands] == ([["i-0002"]] if other else [])
    assert [answers[one].error for one in answers if one != "1"] == [None] * other


@dataclass
class Sending:
    """SendCommand goes to somebody else."""

    aws: Aws
    sends: Aws

    def of(self, service: str, **_: object) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sends if name == "send_command" else self.aws, name)


def test_what_is_stopped_before_it_is_its_turn_is_not_sent(aws: Aws) -> None:
    """The calls of a second are used up; meanwhile somebody presses Ctrl-C."""
    made = SsmTransport(aws, lambda: aws.clock)  # type: ignore[arg-type]
    taken = threading.Event()
    fates: list[dict[str, str]] = []

    class Waiting(Rate):
        def take(self, operation: str) -> None:
            if operation == "send_command":
                fates.append(dict(made.stop(["1"], 1)))
                taken.set()

    made.rate = Waiting()
    (answer,) = made.run([writing(1)])
    assert taken.is_set()
    assert fates == [{"1": "its script was not sent any more"}]
    assert isinstance(answer.error, ConnectFailed)
    assert aws.count("send_command") == 0


def test_what_was_just_handed_over_when_somebody_stops_is_cancelled_then(aws: Aws) -> None:
    made = SsmTransport(aws, lambda: aws.clock, Rate(100_000, burst=1000))  # type: ignore[arg-type]
    fates: dict[str, str] = {}

    class Late(Aws):
        def send_command(self, **given: Any) -> dict[str, Any]:
            fates.update(made.stop(["1"], 1))
            return aws.send_command(**given)

    made.clients = Sending(aws, Late(aws.clock))  # type: ignore[assignment]
    list(made.run([writing(1)]))
    assert "may have run" in fates["1"]
    assert [given["InstanceIds"] for name, given in aws.calls if name == "cancel_command"] == [["i-0001"]]


def test_several_commands_share_a_page_of_counts(aws: Aws) -> None:
    """Eight writes of a minute: each looks for itself at the beginning and at its end, and one page tells of all."""
    aws.seconds, aws.clock = 60.0, Together(8)
    answers = run(aws, *(writing(number, deadline=300.0) for number in range(1, 9)))
    assert {answer.error for answer in answers.values()} == {None}
    looks, pages = aws.count("list_command_invocations"), aws.count("list_commands")
    assert looks <= 8 * 4, (looks, pages)
    assert pages <= 60 / 0.8 + 3


class Together(Clock):
    """Time that passes when all wait, as a lab's does: for all as far as the last one wants."""

    def __init__(self, waiters: int) -> None:
        super().__init__()
        self._wanted: list[datetime] = []
        self._barrier = threading.Barrier(waiters, self._pass)

    def _pass(self) -> None:
        self._now = max(self._now, *self._wanted)
        self._wanted.clear()

    def wait_until(self, when: datetime, /) -> None:
        self._wanted.append(when)
        self._barrier.wait(60)


def test_without_the_page_of_counts_each_looks_for_itself(aws: Aws) -> None:
    aws.fails = {"list_commands": [refused("AccessDeniedException")] * 99}
    answers = run(aws, *(writing(number) for number in range(1, 5)))
    assert {answer.error for answer in answers.values()} == {None}


def test_the_looks_come_as_measured() -> None:
    waits = ssm_answers.pauses("c-1")
    first = [next(waits) for _ in range(60)]
    assert 0.7 <= first[0] <= 0.9
    assert all(0.85 <= wait <= 1.15 for wait in first[1:12])
    assert max(first) <= ssm_answers.SLOWEST * 1.1
    assert sum(first[:20]) < 35
    assert first == [wait for wait, _ in zip(ssm_answers.pauses("c-1"), range(60), strict=False)], "no chance in it"


def test_a_rate_is_kept_for_each_operation() -> None:
    import time

    rate = Rate(50, burst=50)
    began = time.monotonic()
    for _ in range(60):
        rate.take("a")
    for _ in range(50):
        rate.take("b")
    assert 0.15 <= time.monotonic() - began < 2


def test_whoever_is_throttled_goes_slower_and_comes_back_within_a_minute() -> None:
    passed = 0.0
    rate = Rate(8, simulated=lambda: passed)
    rate.slower("a")
    assert rate.pace("a") == pytest.approx(4, abs=0.2)
    for _ in range(9):
        rate.slower("a")
    assert rate.pace("a") == pytest.approx(0.8, abs=0.2), "it is never stopped"
    assert rate.pace("b") == 8
    passed = 30.0
    assert rate.pace("a") == pytest.approx(4.8, abs=0.3)
    passed = 90.0
    assert rate.pace("a") == 8


def test_a_throttled_operation_is_asked_less_often_from_then_on(aws: Aws) -> None:
    rate = Rate(100_000, burst=1000)
    made = SsmTransport(aws, lambda: aws.clock, rate)  # type: ignore[arg-type]
    aws.fails = {"send_command": [refused("ThrottlingException")]}
    list(made.run([writing()]))
    assert rate.pace("send_command") < 60_000
    assert rate.pace("list_command_invocations") == 100_000
    own = Aws.list_command_invocations

    def twice(self: Aws, **given: Any) -> dict[str, Any]:
        return own(self, **given) | {"ResponseMetadata": {"RetryAttempts": 1}}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "list_command_invocations", twice)
        list(made.run([writing(2)]))
    assert rate.pace("list_command_invocations") < 60_000


def test_a_lab_that_is_quicker_than_time_is_not_waited_for() -> None:
    """Polls are a simulated second apart: a bucket that fills by real time alone made a plan three times as long."""
    import time

    seconds = iter(range(1000))
    rate = Rate(1, burst=1, simulated=lambda: float(next(seconds)))
    began = time.monotonic()
    for _ in range(200):
        rate.take("a")
    assert time.monotonic() - began < 10


def test_nonces_find_their_hosts() -> None:
    (sending,) = grouped([reading(number) for number in (1, 2)])
    assert len(re.findall(r"\$staroverNonces = @\{'ex1' = '0{15}1'; 'ex2' = '0{15}2'\}", sending.text)) == 1
    assert "wrong-host" in sending.text
    assert "-ne 'ex1'" not in sending.text


def test_the_inventory_says_how_often_run_command_may_be_called(tmp_path: Path) -> None:
    from starover_cli.room import Parts

    text = "name: x\nregion: eu-west-1\nrun_command: {calls_per_second: 12.5}\n"
    (tmp_path / "inventory.yaml").write_text(text, "utf-8")
    estate = load(tmp_path / "inventory.yaml")
    made = Parts().transport(estate, tmp_path / "inventory.yaml", Clock)
    ssm = made._scripts._carriers["ssm"]  # type: ignore[attr-defined]
    assert ssm.rate.pace("send_command") == 12.5
    (tmp_path / "inventory.yaml").write_text(text.replace("12.5", "0"), "utf-8")
    with pytest.raises(BadInventory):
        load(tmp_path / "inventory.yaml")
