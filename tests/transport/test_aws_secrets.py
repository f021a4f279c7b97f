"""Credentials that AWS keeps: by name, once, and never told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from starover.errors import AuthFailed, BadInventory, StaroverError, Throttled, Unreachable
from starover.inventory import read
from starover.transport.aws_secrets import aws_secrets
from starover.transport.credentials import Credential, Credentials

SECRET = "Correct-Horse-7"
JSON = f'{{"username": "EXAMPLE\\\\op", "password": "{SECRET}", "engine": "x"}}'


@dataclass
class Aws:
    """What AWS holds under a name, or how it refuses."""

    text: str = JSON
    error: Exception | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])

    def of(self, service: str, **_: object) -> Aws:
        return self

    def get_secret_value(self, **given: Any) -> dict[str, Any]:
        self.asked.append(("secret", given))
        if self.error is not None:
            raise self.error
        return {"SecretString": self.text}

    def get_parameter(self, **given: Any) -> dict[str, Any]:
        self.asked.append(("parameter", given))
        if self.error is not None:
            raise self.error
        return {"Parameter": {"Value": self.text}}


def known(aws: Aws) -> Credentials:
    return Credentials(more=aws_secrets(aws))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("secretsmanager:exchange/ops", ("secret", {"SecretId": "exchange/ops"})),
        ("ssm:/exchange/ops", ("parameter", {"Name": "/exchange/ops", "WithDecryption": True})),
    ],
)
@pytest.mark.parametrize("text", [JSON, f"EXAMPLE\\op\n{SECRET}\n"])
def test_a_reference_is_asked_for_once(reference: str, asked: tuple[str, dict[str, Any]], text: str) -> None:
    aws = Aws(text)
    credentials = known(aws)
    for _ in range(2):
        assert credentials.resolve(reference) == Credential("EXAMPLE\\op", SECRET)
    assert aws.asked == [asked]
    assert credentials.passwords() == [SECRET]
    assert SECRET not in repr(credentials)


@pytest.mark.parametrize(
    "text", ["", SECRET, f'{{"password": "{SECRET}"}}', f'["{SECRET}"]', f'{{"username": 3, "password": "{SECRET}"}}']
)
def test_what_is_no_credential_is_told_without_what_it_is(text: str) -> None:
    with pytest.raises(AuthFailed) as raised:
        known(Aws(text)).resolve("secretsmanager:x")
    told = f"{raised.value} {raised.value.certain} {raised.value.next}"
    assert "secretsmanager:x" in told
    assert SECRET not in told
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "X"), AuthFailed),
        (ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "X"), AuthFailed),
        (ClientError({"Error": {"Code": "ThrottlingException", "Message": "no"}}, "X"), Throttled),
        (EndpointConnectionError(endpoint_url="https://x"), Unreachable),
    ],
)
def test_a_refusal_is_one_of_ours(error: Exception, kind: type[StaroverError]) -> None:
    with pytest.raises(kind):
        known(Aws(error=error)).resolve("ssm:x")


def test_without_aws_the_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInventory):
        Credentials(folder=tmp_path).resolve("secretsmanager:x")


def test_an_inventory_may_name_them() -> None:
    text = "name: x\nservers:\n  - {name: A, fqdn: a.example.com, roles: [dc], credential: 'REF'}\n"
    for reference in ("secretsmanager:exchange/ops", "ssm:/exchange/ops"):
        assert read(text.replace("REF", reference)).servers[0].credential == reference
