"""Users and passwords from Secrets Manager and Parameter Store, by name; nothing of what they hold is ever told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from starover.errors import AuthFailed, StaroverError
from starover.transport.aws import Clients, failure, method
from starover.transport.calls import CallFailed
from starover.transport.credentials import Credential

__all__ = ["aws_secrets"]

_SECONDS = 20.0
_USERS, _PASSWORDS = ("username", "user", "UserName"), ("password", "Password")


def aws_secrets(clients: Clients) -> Mapping[str, Callable[[str], Credential]]:
    """What `Credentials` needs for `secretsmanager:NAME` and `ssm:NAME`. Each raises `AuthFailed` and `Unreachable`.

    A secret is JSON with `username` and `password`, as AWS makes them for its own services, or user and password on
    two lines. A name may be an ARN; a parameter is a SecureString.
    """

    def secret(name: str) -> Credential:
        reply = _call(clients, "secretsmanager", "get_secret_value", {"SecretId": name})
        return _read(f"secretsmanager:{name}", reply.get("SecretString"))

    def parameter(name: str) -> Credential:
        reply = _call(clients, "ssm", "get_parameter", {"Name": name, "WithDecryption": True})
        return _read(f"ssm:{name}", cast("Mapping[str, object]", reply.get("Parameter", {})).get("Value"))

    return {"secretsmanager": secret, "ssm": parameter}


def _call(clients: Clients, service: str, operation: str, parameters: Mapping[str, object]) -> Mapping[str, object]:
    try:
        return method(clients.of(service, seconds=_SECONDS, reads=True), operation)(**parameters)
    except Exception as error:
        name = f"{service}:{next(iter(parameters.values()))}"
        found = failure(error, f"{service} {operation}")
        if isinstance(found, CallFailed):  # its message names the secret, and holds none
            raise AuthFailed(
                f"the credential {name} cannot be read: {found.record.message}",
                certain=("nothing was sent to any host",),
                next=("aws sts get-caller-identity   who is asking",),
            ) from None
        if isinstance(found, StaroverError):
            raise found from None
        raise


def _read(reference: str, text: object) -> Credential:
    fields: dict[str, object] = {}
    lines: list[str] = []
    if isinstance(text, str):
        try:
            fields = msgspec.json.decode(text, type=dict[str, object])
        except msgspec.MsgspecError:
            lines = text.splitlines()
    user = next((fields[name] for name in _USERS if name in fields), lines[0].strip() if len(lines) > 1 else "")
    password = next((fields[name] for name in _PASSWORDS if name in fields), lines[1] if len(lines) > 1 else "")
    if not isinstance(user, str) or not isinstance(password, str) or not user or not password:
        raise AuthFailed(
            f"the credential {reference} holds no user and password",
            certain=("nothing was sent to any host",),
            next=('its text is JSON: {"username": "EXAMPLE\\\\operator", "password": "..."}',),
        )
    return Credential(user, password)
