"""pywinrm logs on like pypsrp; the command shell that it wants then is refused in words."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import winrm
from winrm.exceptions import InvalidCredentialsError, WSManFaultError
from wire_lab import PASSWORD, USER, WireLab

pytestmark = pytest.mark.wire


def session(lab: WireLab, transport: str, *, ssl: bool, **options: Any) -> winrm.Protocol:
    listener = lab.host.https if ssl else lab.host.http
    assert listener is not None
    given = {
        "endpoint": f"{'https' if ssl else 'http'}://127.0.0.1:{listener.port}/wsman",
        "transport": transport,
        "username": USER,
        "password": PASSWORD,
        "ca_trust_path": str(lab.ca_file),
        "read_timeout_sec": 10,
        "operation_timeout_sec": 8,
        "proxy": None,
    } | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return winrm.Protocol(**given)


@pytest.mark.parametrize(
    ("transport", "ssl", "encryption"),
    [("ntlm", False, "auto"), ("ntlm", True, "auto"), ("ntlm", True, "always"), ("ssl", True, "auto")],
)
def test_it_logs_on_and_is_told_what_there_is_not(lab: WireLab, transport: str, ssl: bool, encryption: str) -> None:
    client = session(lab, transport, ssl=ssl, message_encryption=encryption)
    with pytest.raises(WSManFaultError) as caught:
        client.open_shell()
    client.transport.close_session()
    assert caught.value.wsman_fault_code == 2150858811
    assert "windows/shell/cmd" in str(caught.value)
    assert lab.endpoint.runspaces == []


@pytest.mark.parametrize(("transport", "ssl"), [("ntlm", False), ("ntlm", True), ("ssl", True)])
def test_a_wrong_password_is_refused(lab: WireLab, transport: str, ssl: bool) -> None:
    client = session(lab, transport, ssl=ssl, password="wrong")
    with pytest.raises(InvalidCredentialsError):
        client.open_shell()
    client.transport.close_session()
