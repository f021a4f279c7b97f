"""The road psrp against the lab's wire: logons, answers, deadlines, broken lines, and what is never sent twice."""

from __future__ import annotations

import pytest

from wire_lab import WireLab

pytestmark = pytest.mark.wire


@pytest.mark.parametrize("auth", ["negotiate", "ntlm", "basic"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_logon(lab: WireLab, run_one, server, auth: str, scheme: str) -> None:
    lab.endpoint.says("hello", "one", "two")
    answer = run_one("hello", on=server(auth=auth, scheme=scheme))
    if (auth, scheme) == ("basic", "http"):
        assert answer.error is not None
        assert "clear" in answer.error.what
        assert not lab.host.requests
        return
    assert answer.error is None, answer.error
    assert answer.output == "one\ntwo"
    assert answer.road == f"psrp+{scheme}"
    assert not answer.failed
