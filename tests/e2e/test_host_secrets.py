"""By SSM a host reads the password itself: the secret is in no command, no history, no journal and no message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from lab_cli import Place, lab

pytestmark = pytest.mark.wire
BROKEN = "Not-For-Anybody-7"
COPY = ("--db", "DB01", "--server", "EX3")
RUN = ("run", "copies-suspend", *COPY, "--mode", "full", "--yes", "--transport", "ssm")
BACK = ("run", "copies-resume", *COPY, "--yes", "--transport", "ssm")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("secrets"), "pa-4x2") as made:
        user = about(made)["users"][0]
        text = json.dumps({"username": user["name"], "password": user["password"]})
        manager, store = aws(made, "secretsmanager"), aws(made, "ssm")
        manager.create_secret(Name="exchange/ops", SecretString=text)
        manager.create_secret(Name="exchange/broken", SecretString=json.dumps({"token": BROKEN}))
        store.put_parameter(Name="/exchange/ops", Value=text, Type="SecureString")
        manager.close()
        store.close()
        yield made


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    """A lab in which DB01/EX3 is Healthy."""
    yield running
    running.calm("EX3")
    keep(running, "secretsmanager:exchange/ops")
    assert running.within(*BACK).code == 0


def about(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.folder / ".starover" / "lab" / "lab.json").read_text("utf-8"))
    return found


def aws(place: Place, service: str) -> Any:
    found = about(place)["aws"]
    return boto3.client(
        service,
        endpoint_url=found["url"],
        region_name=found["region"],
        aws_access_key_id="lab",
        aws_secret_access_key="lab",
        config=Config(proxies={}),
    )


def keep(place: Place, reference: str) -> None:
    """Every server's credential is this reference; Exchange's sessions are a person's, not the snap-in."""
    file = place.folder / ".starover" / "lab" / "inventory.yaml"
    document = yaml.safe_load(file.read_text("utf-8"))
    for server in document["servers"]:
        server["credential"] = reference
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def told(place: Place) -> str:
    """Everything that is kept of what was sent: Run Command's history, journals, plans, and the lab's own log."""
    ssm = aws(place, "ssm")
    commands = ssm.list_commands(MaxResults=50)["Commands"]
    pages = [
        ssm.list_command_invocations(CommandId=one["CommandId"], Details=True)["CommandInvocations"] for one in commands
    ]
    ssm.close()
    assert commands
    files = [one for one in (place.folder / ".starover").rglob("*") if one.is_file() and one.name != "lab.json"]
    kept = [one.read_bytes().decode("utf-8", "replace") for one in files]
    return json.dumps([commands, pages], default=str) + "".join(kept)


@pytest.mark.parametrize("reference", ["secretsmanager:exchange/ops", "ssm:/exchange/ops"])
def test_the_secret_is_on_the_host_alone(place: Place, reference: str) -> None:
    user = about(place)["users"][0]
    keep(place, reference)
    before = len(place.writes())
    done = place.within(*RUN)
    assert done.code == 0, done.words
    assert "changed 1, checked again: holds." in done.words
    (write,) = place.state()["audit"][before:]
    assert write["caller"] == user["name"], "a person's role, not the computer's"
    assert user["password"] not in told(place) + done.words
    assert not [one for one in place.control("events")["events"] if one["kind"] == "secret_in_script"]


def test_what_a_host_may_not_read_is_said_and_nothing_is_done(place: Place) -> None:
    before = len(place.writes())
    keep(place, "secretsmanager:exchange/ops")
    place.control("break", kind="role_denied", target="EX3")
    refused = place.within(*RUN)
    assert refused.code not in (0, 5), refused.words
    assert "not authorized to perform: secretsmanager:GetSecretValue" in refused.words
    assert "role of its instance" in refused.words
    keep(place, "secretsmanager:exchange/nowhere")
    missing = place.within(*RUN)
    assert missing.code not in (0, 5), missing.words
    assert "credential-unread secretsmanager:exchange/nowhere" in missing.words
    assert len(place.writes()) == before


def test_a_secret_of_another_form_is_not_told_either(place: Place) -> None:
    keep(place, "secretsmanager:exchange/broken")
    wrong = place.within(*RUN)
    assert wrong.code not in (0, 5), wrong.words
    assert "it holds no user and password" in wrong.words
    assert BROKEN not in told(place) + wrong.words
