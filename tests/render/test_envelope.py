"""The envelope: what stands in a script, and the strict reading of what comes back."""

from __future__ import annotations

import hashlib
import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.powershell.parser import parse

from starover.envelope import Lease, decode, probe, reads, write
from starover.errors import BadInventory, BadReport, ErrorRecord, OutputTruncated
from starover.inventory import Exchange, Server
from starover.render import Body, Renderer

NONCE = "0123456789abcdef"
OPERATION = "12345678-1234-1234-1234-123456789abc"
EX1 = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), exchange=Exchange(), credential="env:X")
WITNESS = Server(name="FS1", fqdn="FS1.example.com", roles=("witness",), credential="env:X")


def body(text: str = "[pscustomobject]@{ a = 1 }\n", **arguments: object) -> Body:
    return Renderer({"t": text}).body("t", arguments)  # type: ignore[arg-type]


GET = "# exchange: Get-Thing, Get-Other\nGet-Thing -Name {{ name }}\n"
THING = body(GET, name="o'b")


def report(**fields: object) -> str:
    document = {
        "schema": 1,
        "host": "EX1",
        "utc": "2026-03-07T22:00:00.0000000Z",
        "ps": "5.1.20348.1",
        "elevated": True,
        "provider": "",
        "warnings": [],
        "parts": [],
        "receipts": [],
    }
    return json.dumps(document | fields)


def output(payload: str, nonce: str = NONCE) -> str:
    digest = hashlib.sha256(payload.encode()).hexdigest()[:8]
    return f"@@STAROVER-BEGIN {nonce}\n{payload}\n@@STAROVER-END {nonce} {len(payload)} {digest}"


# -- scripts -----------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "reads": reads(EX1, [("a", THING), ("b", body()), ("c", THING)], NONCE),
    "windows only": reads(WITNESS, [("a", body())], NONCE),
    "write": write(
        EX1, THING, OPERATION, NONCE, b'{"status":"Healthy"}', lease=Lease(dag="DAG1", token=7, holder="RUN/LEG")
    ),
    "write without lease": write(WITNESS, body(), OPERATION, NONCE),
    "probe": probe(EX1, [OPERATION, OPERATION.replace("1", "2")], NONCE),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_parse_and_stay_small(name: str) -> None:
    text = SCRIPTS[name].text
    parse(text)
    assert len(text) < 8500, "the wrapper is meant to be small; 32 KB is the limit of a whole script"
    assert text.isascii()
    assert "\r" not in text
    assert not re.search(r"\{\{|\{%|%\}", text)
    assert not re.search(r"(?i)(?<![\w$-])(exit|iex|Invoke-Expression|Write-Host)\b", text)


def test_the_body_is_in_the_script_as_it_was_hashed() -> None:
    for script in (SCRIPTS["reads"], SCRIPTS["write"]):
        assert THING.text in script.text
    assert THING.sha256 == hashlib.sha256(THING.text.encode()).hexdigest()


def test_a_credential_is_a_name_and_an_argument() -> None:
    assert SCRIPTS["reads"].arguments == (("ExchangeCredential", "env:X"),)
    assert SCRIPTS["reads"].text.startswith("param($ExchangeCredential)\n")
    assert SCRIPTS["windows only"].arguments == ()
    assert "param($ExchangeCredential)" not in SCRIPTS["windows only"].text
    for script in SCRIPTS.values():
        assert "env:X" not in script.text


def test_the_provider_block_asks_the_named_server_with_its_own_credential() -> None:
    exchange = Exchange(server="EX2.example.com", credential="keyring:exchange")
    witness = msgspec.structs.replace(WITNESS, exchange=exchange)
    script = reads(witness, [("a", THING)], NONCE)
    assert "'EX2.example.com'" in script.text
    assert script.arguments == (("ExchangeCredential", "keyring:exchange"),)
    assert "@('Get-Thing', 'Get-Other')" in script.text


def test_the_snapin_needs_no_credential() -> None:
    server = msgspec.structs.replace(EX1, exchange=Exchange(provider="snapin", allow_unsupported_snapin=True))
    script = reads(server, [("a", THING)], NONCE)
    assert script.arguments == ()
    assert "Add-PSSnapin" in script.text
    assert "New-PSSession" not in script.text
    parse(script.text)


@pytest.mark.parametrize(
    ("server", "wish"),
    [
        (WITNESS, "exchange:"),
        (msgspec.structs.replace(EX1, credential=""), "credential"),
        (msgspec.structs.replace(EX1, exchange=Exchange(provider="direct")), "remote"),
    ],
    ids=["no exchange", "no credential", "direct"],
)
def test_what_cannot_be_had_is_refused_before_sending(server: Server, wish: str) -> None:
    for make in (lambda: reads(server, [("a", THING)], NONCE), lambda: write(server, THING, OPERATION, NONCE)):
        with pytest.raises(BadInventory) as raised:
            make()
        assert any(wish in line for line in raised.value.next)


def test_what_was_before_survives_in_ascii() -> None:
    prev = json.dumps({"comment": "é\u2028😀\x7f'\u2019", "n": 12345678901234567890}, ensure_ascii=False).encode()
    text = write(WITNESS, body(), OPERATION, NONCE, prev).text
    assert text.isascii()
    found = re.search(r"-Value '((?:[^']|'')*)' \|", text)
    assert found
    kept = json.loads(found[1].replace("''", "'"))
    assert kept == {"operation": OPERATION, "prev": json.loads(prev)}


def test_bad_ids_never_reach_a_script() -> None:
    with pytest.raises(ValueError, match="UUID"):
        write(WITNESS, body(), "..\\..\\evil", NONCE)
    with pytest.raises(ValueError, match="nonce"):
        reads(WITNESS, [("a", body())], "x'")
    with pytest.raises(ValueError, match="differ"):
        reads(WITNESS, [("a", body()), ("a", body())], NONCE)


# -- answers -----------------------------------------------------------------------------------------------------------


def test_facts_and_errors_by_id() -> None:
    error = {"message": "no", "fqid": "rbac-missing X", "category": "OperationStopped", "line": 3}
    parts = [{"id": "a", "ok": True, "facts": {"x": [1]}}, {"id": "b", "ok": False, "error": error}]
    got = decode("noise\n" + output(report(parts=parts, warnings=["w"], provider="remote")) + "\nmore", NONCE)
    assert json.loads(got.results["a"]) == {"x": [1]}  # type: ignore[arg-type]
    assert got.results["b"] == ErrorRecord(message="no", fqid="rbac-missing X", category="OperationStopped", line=3)
    assert (got.host, got.warnings, got.provider, got.elevated) == ("EX1", ("w",), "remote", True)


@pytest.mark.parametrize(
    ("came", "wanted"),
    [
        ("", BadReport),
        ("some noise", BadReport),
        (output(report(), nonce="f" * 16), BadReport),
        (output(report()) + "\n" + output(report()), BadReport),
        (output(report()).rpartition("\n")[0], OutputTruncated),
        (output(report())[:60], OutputTruncated),
        (output(report()).replace('"EX1"', '"E"'), OutputTruncated),
        (output(report()).replace('"EX1"', '"EX2"'), BadReport),
        (output(report()).replace('"EX1"', '"EX1234"'), BadReport),
        (output("{}"), BadReport),
        (output(report(schema=2)), BadReport),
        (output(report(more=1)), BadReport),
        (output(report(parts=[{"id": "a", "ok": True}])), BadReport),
        (output(report(parts=[{"id": "a", "ok": False, "facts": 1}])), BadReport),
        (output(report(parts=[{"id": "a", "ok": True, "facts": 1, "error": {"message": "x"}}])), BadReport),
        (output(report(parts=[{"id": "a", "ok": True, "facts": 1}] * 2)), BadReport),
        (output(report(host=5)), BadReport),
    ],
)
def test_what_is_not_a_whole_report_is_refused(came: str, wanted: type[Exception]) -> None:
    with pytest.raises(wanted) as raised:
        decode(came, NONCE)
    assert type(raised.value) is wanted
    if came:
        assert ascii(came[:20])[1:-1] in "".join(raised.value.certain), "the error carries what came"


@given(st.integers(0, 500))
def test_a_cut_report_is_never_taken(cut: int) -> None:
    whole = output(report(parts=[{"id": "a", "ok": True, "facts": {"text": "x" * 300}}]))
    with pytest.raises((BadReport, OutputTruncated)):
        decode(whole[: min(cut, len(whole) - 1)], NONCE)


@given(st.text(), st.text())
def test_noise_around_a_report_does_no_harm(before: str, after: str) -> None:
    if NONCE in before + after:
        return
    got = decode(f"{before}\n{output(report())}\n{after}", NONCE)
    assert got.host == "EX1"


def receipt(state: str, begin: object = None, end: object = None) -> dict[str, object]:
    return {"id": OPERATION, "state": state, "begin": begin, "end": end}


def ended(part: dict[str, object], operation: str = OPERATION) -> str:
    return json.dumps({"operation": operation, "prev": {"a": 1}, "result": part})


BEGUN = json.dumps({"operation": OPERATION, "prev": {"a": 1}})
DONE = {"id": OPERATION, "ok": True, "facts": None}


def test_a_write_that_ran() -> None:
    got = decode(output(report(parts=[DONE], receipts=[receipt("ran")])), NONCE)
    assert got.results == {OPERATION: b"null"}
    assert got.receipts[OPERATION].state == "ran"


def test_a_write_that_had_run_before_answers_with_its_first_result() -> None:
    failed = {"id": OPERATION, "ok": False, "error": {"message": "first"}}
    got = decode(output(report(receipts=[receipt("ran-before", BEGUN, ended(failed))])), NONCE)
    assert got.results[OPERATION] == ErrorRecord(message="first")
    assert got.receipts[OPERATION].state == "ran-before"
    assert got.receipts[OPERATION].prev == b'{"a": 1}'


@pytest.mark.parametrize(
    "end",
    [ended(DONE)[:-5], "", ended(DONE, "87654321-1234-1234-1234-123456789abc"), ended(DONE | {"id": "x"}), BEGUN],
)
def test_a_receipt_that_was_cut_proves_no_end(end: str) -> None:
    got = decode(output(report(receipts=[receipt("ran-before", BEGUN, end)])), NONCE)
    assert got.receipts[OPERATION].state == "in-progress"
    assert OPERATION not in got.results
    assert got.receipts[OPERATION].prev == b'{"a": 1}'


def test_a_write_that_never_began() -> None:
    got = decode(output(report(receipts=[receipt("absent")])), NONCE)
    assert got.receipts[OPERATION].state == "absent"
    assert got.receipts[OPERATION].prev is None
    assert got.results == {}
