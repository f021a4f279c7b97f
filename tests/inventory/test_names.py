"""Names of the field: what they may look like, and when two are the same."""

from __future__ import annotations

import re
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starover.errors import BadParameter
from starover.names import (
    CopyId,
    DagName,
    DbName,
    IPv4,
    ServerName,
    SiteName,
    WitnessDirectory,
    WitnessServer,
    same_host,
)


def fits(kind: object, text: str) -> bool:
    try:
        msgspec.convert(text, kind)  # type: ignore[call-overload]
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (
            DagName,
            ["DAG1", "d", "a-b", "1a", "x" * 15],
            ["", "12", "-a", "a-", "a_b", "a.b", "x" * 16, "DAG1\n", "däg"],
        ),
        (
            ServerName,
            ["EX1", "ExchangeNode1", "EX1.corp.example.com", "a"],
            ["", "12", "x" * 16, "a..b", "EX1\n", "-a"],
        ),
        (
            DbName,
            ["DB01", "Mailbox Database 1", "ä\u2019b", "x" * 64, "(1)"],
            [
                "",
                " a",
                "a ",
                "a/b",
                "a\\b",
                "a'b",
                'a"b',
                "a*",
                "a,b",
                "x" * 65,
                "a\n",
                "a\u200b",
                "a\u2028b",
                "\ud800",
            ],
        ),
        (SiteName, ["AZ1", "Default-First-Site-Name"], ["", "a b", "a\\b", "x" * 64]),
        (
            WitnessDirectory,
            [r"C:\DAG", r"D:\a b\DAG1.example.com"],
            ["C:\\", "C:", r"\\server\share", r"C:\a\\b", "C:/a", "dag", "C:\\a\n"],
        ),
        (WitnessServer, ["FS1", "fs1.example.com"], ["", "10.0.0.200", "fd00::1", "FS*", "FS1\n", "a b"]),
        (
            IPv4,
            ["10.0.0.101", "192.168.255.1", "1.2.3.4"],
            ["10.0.0", "10.0.0.256", "010.0.0.1", "169.254.3.4", "127.0.0.1", "0.0.0.0", "255.255.255.255", "::1"],
        ),
    ],
    ids=["dag", "server", "database", "site", "directory", "witness", "address"],
)
def test_rules(kind: object, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not fits(kind, text)] == []
    assert [text for text in wrong if fits(kind, text)] == []


@pytest.mark.parametrize("text", ["DB01/EX4", "DB01\\EX4"])
def test_a_copy_in_both_spellings(text: str) -> None:
    copy = CopyId.parse(text)
    assert str(copy) == "DB01/EX4"
    assert copy.identity == "DB01\\EX4"


@pytest.mark.parametrize(
    "text", ["DB01EX4", "", "/", "DB01/", "/EX4", "DB*/EX4", "DB01/EX_4", "DB01/EX4/x", "DB01/EX4\n"]
)
def test_what_is_no_copy(text: str) -> None:
    with pytest.raises(BadParameter) as raised:
        CopyId.parse(text)
    if "/" not in text:
        assert "backslash" in raised.value.next[0], "bash eats the backslash of DB01\\EX4"


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,14}", fullmatch=True), st.sampled_from(["", ".corp", ".a.b"]))
def test_hosts_are_the_same_by_first_label_in_any_case(name: str, domain: str) -> None:
    assert same_host(name, name.upper() + domain)
    assert not same_host(name, name + "x" + domain)


def test_patterns_mean_the_same_to_javascript() -> None:
    """A JSON Schema is read by editors: no anchors and escapes that only Python has."""
    for kind in (DagName, ServerName, DbName, SiteName, WitnessDirectory, WitnessServer, IPv4):
        (meta,) = (one for one in get_args(kind) if isinstance(one, msgspec.Meta))
        assert meta.pattern
        assert not re.search(r"\\[AZz]|\(\?P|\(\?\(", meta.pattern)
