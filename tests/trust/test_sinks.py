"""Copies in CloudWatch Logs and S3: all comes there whatever breaks, nothing waits for it, no limit is passed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_lab import AwsLab
from core_site import Site
from signing import Person

from starover.errors import ConnectFailed, ReplyLost
from starover.estate import AuditCopies, Estate
from starover.journal import path_of, run_ids
from starover.sinks import BATCH_BYTES, EVENT_BYTES, LogSink, S3Sink, ship, sinks_of
from starover.transport.aws import Clients, calling
from starover.transport.calls import CallFailed

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LOGS, S3 = LogSink("/starover", "unit"), S3Sink("evidence", "starover", "unit", 30, "COMPLIANCE")


class Service:
    """CloudWatch Logs and S3 as far as they are called."""

    def __init__(self) -> None:
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.objects: dict[str, Mapping[str, Any]] = {}
        self.down: set[str] = set()
        self.lost = False
        """Calls are done, and their answers do not come."""
        self.calls = 0

    def __call__(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls += 1
        if service in self.down:
            raise ConnectFailed(f"AWS cannot be reached for {service}")
        if operation == "create_log_stream":
            self.streams[parameters["logStreamName"]] = []
        elif operation == "put_log_events":
            if parameters["logStreamName"] not in self.streams:
                raise CallFailed("ResourceNotFoundException", "the stream does not exist")
            self.streams[parameters["logStreamName"]] += parameters["logEvents"]
        else:
            self.objects[parameters["Key"]] = parameters
        if self.lost:
            raise ReplyLost("the connection to AWS broke")
        return {}


def journal_of(state: Path) -> dict[str, bytes]:
    return {run: path_of(state, run).read_bytes() for run in run_ids(state)}


def in_logs(service: Service) -> dict[str, bytes]:
    """The journals as the log group has them."""
    found: dict[str, bytes] = {}
    for stream, events in service.streams.items():
        lines = [event["message"] for event in events if "signed" not in json.loads(event["message"])]
        found[stream.partition("/")[2]] = "".join(f"{line}\n" for line in lines).encode()
    return found


def in_bucket(service: Service) -> dict[str, bytes]:
    """The same of the bucket."""
    found: dict[str, bytes] = {}
    for key in sorted(service.objects):
        if key.endswith(".jsonl"):
            run = key.split("/")[2]
            found[run] = found.get(run, b"") + service.objects[key]["Body"]
    return found


def hand_over(state: Path, service: Any) -> list[Any]:
    return ship(state, [LOGS, S3], service, lambda: NOW)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.run("lamps-on", "EX1")
    return made


def test_everything_comes_there_once_and_what_is_new_later(site: Site) -> None:
    service = Service()
    for one in hand_over(site.folder, service):
        assert (one.error, one.left) == ("", 0)
        assert one.runs == run_ids(site.folder)
    assert in_logs(service) == in_bucket(service) == journal_of(site.folder)
    calls = service.calls
    assert [one.records for one in hand_over(site.folder, service)] == [0, 0]
    assert service.calls == calls, "what is there is not asked for"
    site.run("lamps-on", "EX2")
    hand_over(site.folder, service)
    assert in_logs(service) == in_bucket(service) == journal_of(site.folder)


def test_what_is_down_holds_up_nobody_and_loses_nothing(site: Site) -> None:
    service = Service()
    service.down = {"logs"}
    logs, bucket = hand_over(site.folder, service)
    assert "cannot be reached" in logs.error
    assert logs.left == sum(data.count(b"\n") for data in journal_of(site.folder).values())
    assert (bucket.error, in_bucket(service)) == ("", journal_of(site.folder))
    site.run("lamps-on", "EX2")
    service.down = set()
    assert [one.error for one in hand_over(site.folder, service)] == ["", ""]
    assert in_logs(service) == in_bucket(service) == journal_of(site.folder)


def test_an_answer_that_is_lost_leaves_the_same_again_and_never_a_gap(site: Site) -> None:
    service = Service()
    service.lost = True
    assert all(one.error for one in hand_over(site.folder, service))
    service.lost = False
    assert not any(one.error for one in hand_over(site.folder, service))
    assert in_bucket(service) == journal_of(site.folder), "the same records have the same key"
    for run, data in in_logs(service).items():
        assert set(data.splitlines()) == set(journal_of(site.folder)[run].splitlines())


def test_a_journal_that_was_altered_behind_its_copy_is_named(site: Site) -> None:
    service = Service()
    hand_over(site.folder, service)
    run = run_ids(site.folder)[0]
    file, head = path_of(site.folder, run), site.folder / "index" / f"{run}.head"
    lines = file.read_bytes().splitlines()[:-1]
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    head.write_text(f"{len(lines):012d} {'0' * 64}\n", "ascii")
    before = in_logs(service)
    assert [one.altered for one in hand_over(site.folder, service)] == [[run], [run]]
    assert in_logs(service) == before


def test_the_time_is_bounded(site: Site) -> None:
    service = Service()
    (logs,) = ship(site.folder, [LOGS], service, lambda: NOW, seconds=0)
    assert service.calls == 0
    assert "no more time" in logs.error
    assert not hand_over(site.folder, service)[0].error


def test_signed_heads_go_with_them_when_they_change(tmp_path: Path) -> None:
    site = Site(tmp_path / "state")
    local = site.local()
    local.sign = Person.new("oncall-a", tmp_path / "keys").sign
    local.plan("lamps-on", {"servers": ["EX1"], "names": ["a"]})
    service = Service()
    hand_over(site.folder, service)
    (signed,) = (one["Body"] for key, one in service.objects.items() if key.endswith(".signed"))
    assert signed == next((site.folder / "index").glob("*.signed")).read_bytes()
    calls = service.calls
    hand_over(site.folder, service)
    assert service.calls == calls


def test_an_object_is_locked_for_as_long_as_the_inventory_says(site: Site) -> None:
    service = Service()
    hand_over(site.folder, service)
    for one in service.objects.values():
        assert one["ObjectLockMode"] == "COMPLIANCE"
        assert one["ObjectLockRetainUntilDate"] == NOW + timedelta(days=30)


def test_no_limit_of_the_service_is_passed() -> None:
    sizes = (10, 400_000, 300, *([EVENT_BYTES - 200] * 9), 70)
    lines = [
        json.dumps({"n": n, "at": f"2026-11-{10 + n}T00:00:00Z", "x": "\u00e9" * (size // 6)}).encode()
        for n, size in enumerate(sizes)
    ]
    assert any(len(line) > EVENT_BYTES for line in lines)
    service = Service()
    batches: list[list[dict[str, Any]]] = []

    def call(name: str, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation == "put_log_events":
            batches.append(parameters["logEvents"])
        return service(name, operation, parameters)

    LOGS.put(call, "00000000.1", 0, lines, NOW)
    for batch in batches:
        times = [event["timestamp"] for event in batch]
        assert times == sorted(times)
        assert times[-1] - times[0] <= 24 * 3600 * 1000
        assert sum(len(event["message"].encode()) + 26 for event in batch) <= BATCH_BYTES
        assert all(len(event["message"].encode()) <= EVENT_BYTES for event in batch)
        assert all(NOW - timedelta(days=14) < datetime.fromtimestamp(one / 1000, UTC) <= NOW for one in times)
    told = [json.loads(event["message"]) for event in service.streams["unit/00000000.1"]]
    pieces = [one for one in told if "piece" in one]
    assert [one["piece"] for one in pieces] == list(range(pieces[0]["of"]))
    assert "".join(one["text"] for one in pieces) == lines[1].decode()
    assert len(told) - len(pieces) == len(lines) - 1


def test_events_that_the_service_leaves_out_are_not_taken_for_copied(site: Site) -> None:
    service = Service()

    def call(name: str, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        service(name, operation, parameters)
        return {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1}}

    (logs,) = ship(site.folder, [LOGS], call, lambda: NOW)
    assert "left out events" in logs.error
    assert logs.records == 0


def test_the_inventory_names_the_sinks() -> None:
    assert sinks_of(Estate(name="unit")) == []
    copies = AuditCopies(log_group="/starover", bucket="evidence", retain_days=30)
    assert sinks_of(Estate(name="unit", audit=copies)) == [LOGS, S3]


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsLab]:
    with AwsLab("pa-4x2") as lab:
        lab.client("logs").create_log_group(logGroupName="/starover")
        lab.client("s3").create_bucket(
            Bucket="evidence",
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
            ObjectLockEnabledForBucket=True,
        )
        yield lab


def test_over_boto3_it_lies_in_both_and_cannot_be_deleted(
    site: Site, aws: AwsLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": aws.port.url,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
    }.items():
        monkeypatch.setenv(name, value)
    call = calling(Clients("eu-west-1"), 20)
    now = datetime.now(UTC)
    told = ship(site.folder, [LOGS, S3, S3Sink("missing", "", "unit", 1, "GOVERNANCE")], call, lambda: now)
    assert [one.error for one in told[:2]] == ["", ""]
    assert "NoSuchBucket" in told[2].error or "does not exist" in told[2].error
    for run, data in journal_of(site.folder).items():
        events = aws.client("logs").get_log_events(
            logGroupName="/starover", logStreamName=f"unit/{run}", startFromHead=True
        )["events"]
        assert "".join(f"{one['message']}\n" for one in events).encode() == data
        (found,) = aws.client("s3").list_objects_v2(Bucket="evidence", Prefix=f"starover/unit/{run}/")["Contents"]
        got = aws.client("s3").get_object(Bucket="evidence", Key=found["Key"])
        assert got["Body"].read() == data
        assert got["ObjectLockMode"] == "COMPLIANCE"
        with pytest.raises(Exception, match=r"AccessDenied|[Oo]bject [Ll]ock"):
            aws.client("s3").delete_object(Bucket="evidence", Key=found["Key"], VersionId=got["VersionId"])


def test_a_folder_that_cannot_be_locked_is_told_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "spool" / "ship.lock").mkdir(parents=True)
    (logs,) = ship(tmp_path, [LOGS], lambda *_: {}, lambda: NOW)
    assert "cannot be locked" in logs.error
