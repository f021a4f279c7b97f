"""The envelope's PowerShell as the lab's evaluator runs it: parts fail alone, a write runs once, receipts tell."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from lab_hosts import Estate, Shell

from starover import envelope
from starover.envelope import Composed, Decoded, Lease, decode, probe, reads, write
from starover.errors import ErrorRecord
from starover.inventory import Exchange, Server
from starover.render import Body, Renderer

NONCE = "0123456789abcdef"
OPERATION = "12345678-1234-1234-1234-123456789abc"
OTHER = OPERATION.replace("1", "2")
FOLDER = "C:\\ProgramData\\Starover"
EX3 = Server(name="EX3", fqdn="EX3.example.com", roles=("mailbox",), exchange=Exchange(), credential="x")


def body(source: str, **arguments: object) -> Body:
    return Renderer({"t": source}).body("t", arguments)  # type: ignore[arg-type]


STATUS = body(
    "# exchange: Get-MailboxDatabaseCopyStatus\n"
    "$copy = Get-MailboxDatabaseCopyStatus -Identity {{ copy }} -ErrorAction Stop\n"
    "[pscustomobject]@{ status = [string]$copy.Status; comment = [string]$copy.SuspendComment }\n",
    copy="DB01\\EX3",
)


def suspend(comment: str = "first") -> Body:
    return body(
        "# exchange: Suspend-MailboxDatabaseCopy\n"
        "Suspend-MailboxDatabaseCopy -Identity {{ copy }} -SuspendComment {{ comment }} -Confirm:$false"
        " -ErrorAction Stop\n",
        copy="DB01\\EX3",
        comment=comment,
    )


RESUME = body(
    "# exchange: Resume-MailboxDatabaseCopy\n"
    "Resume-MailboxDatabaseCopy -Identity {{ copy }} -Confirm:$false -ErrorAction Stop\n",
    copy="DB01\\EX3",
)


@pytest.fixture
def estate() -> Estate:
    return Estate()


@pytest.fixture
def shell(estate: Estate) -> Shell:
    return estate.open("EX3")


def send(shell: Shell, script: Composed, *, credential: bool = True) -> Decoded:
    arguments = [shell.estate.credential] if script.arguments and credential else []
    told = shell.run(script.text, *arguments)
    assert told.ended is None, told.ended.exception.message
    assert told.ids == []
    return decode("\n".join(told.texts), NONCE)


def facts(decoded: Decoded, part: str) -> object:
    result = decoded.results[part]
    assert isinstance(result, bytes), result
    return json.loads(result)


def error(decoded: Decoded, part: str) -> ErrorRecord:
    result = decoded.results[part]
    assert isinstance(result, ErrorRecord), result
    return result


# -- reading -----------------------------------------------------------------------------------------------------------


def test_parts_fail_alone(shell: Shell) -> None:
    parts = [
        ("good", body("[pscustomobject]@{ a = [long]1; list = @('x'); none = $null; yes = [bool]$true }\n")),
        ("thrown", body("throw 'on-purpose'\n")),
        ("none", body("$x = 1\n")),
        ("two", body("[pscustomobject]@{ a = 1 }\n[pscustomobject]@{ a = 2 }\n")),
        ("unknown", body("Get-NoSuchThing\n")),
        ("returns", body("return [pscustomobject]@{ a = 'b' }\n")),
    ]
    got = send(shell, reads(EX3, parts, NONCE))
    assert got.host == "EX3"
    assert got.elevated
    assert facts(got, "good") == {"a": 1, "list": ["x"], "none": None, "yes": True}
    assert error(got, "thrown").fqid == "on-purpose"
    assert error(got, "thrown").line > 0
    assert "not-one-object" in error(got, "none").message
    assert "2" in error(got, "two").message
    assert error(got, "unknown").fqid.startswith("CommandNotFoundException")
    assert error(got, "unknown").category == "ObjectNotFound"
    assert facts(got, "returns") == {"a": "b"}


def test_a_part_leaves_no_variable_to_the_next(shell: Shell) -> None:
    parts = [
        ("one", body("$left = 'x'\n[pscustomobject]@{ a = [string]$left }\n")),
        ("two", body("[pscustomobject]@{ a = [string]$left }\n")),
    ]
    got = send(shell, reads(EX3, parts, NONCE))
    assert (facts(got, "one"), facts(got, "two")) == ({"a": "x"}, {"a": ""})


@pytest.mark.parametrize("text", ["é", "😀", "a\u2028b", "\u2019'\"\\", "<&>", "ß" * 3000])
def test_every_character_comes_back(shell: Shell, text: str) -> None:
    from starover.errors import BadParameter

    template = "[pscustomobject]@{ text = [string]{{ text }}; length = [long]([string]{{ text }}).Length }\n"
    try:
        part = body(template, text=text)
    except BadParameter:
        part = body(template.replace("{{ text }}", "{{ text | text }}"), text=text)
        text = text.replace("\u2028", " ")
    script = reads(EX3, [("a", part)], NONCE)
    told = shell.run(script.text)
    assert "\n".join(told.texts).isascii()
    got = decode("\n".join(told.texts), NONCE)
    assert facts(got, "a") == {"text": text, "length": len(text.encode("utf-16-le")) // 2}


def test_a_script_for_another_host_does_nothing(estate: Estate) -> None:
    shell = estate.open("EX4")
    got = send(shell, reads(EX3, [("a", STATUS), ("b", body("[pscustomobject]@{ a = 1 }\n"))], NONCE))
    assert {error(got, part).message for part in ("a", "b")} == {"wrong-host EX4"}
    done = send(shell, write(EX3, suspend(), OPERATION, NONCE))
    assert error(done, OPERATION).message == "wrong-host EX4"
    assert done.receipts[OPERATION].state == "absent"
    told = shell.run(probe(EX3, [OPERATION], NONCE).text)
    assert told.ids == ["wrong-host EX4"], "an absent receipt on a wrong host would prove nothing"
    assert told.output == []


def test_exchange_is_imported_once_in_a_session(shell: Shell) -> None:
    script = reads(EX3, [("a", STATUS), ("b", STATUS)], NONCE)
    first = shell.run(script.text, shell.estate.credential)
    second = shell.run(script.text, shell.estate.credential)
    assert first.seconds >= 5, "opening and importing takes its time"
    assert second.seconds < 2
    got = decode("\n".join(second.texts), NONCE)
    assert facts(got, "a") == facts(got, "b") == {"status": "Healthy", "comment": ""}
    assert got.provider == "remote"
    assert got.warnings == ()


def test_a_cmdlet_that_rbac_withholds_fails_its_own_part_only(shell: Shell) -> None:
    denied = body("# exchange: Get-NoSuchMailboxThing\nGet-NoSuchMailboxThing\n")
    plain = body("[pscustomobject]@{ a = 1 }\n")
    got = send(shell, reads(EX3, [("a", STATUS), ("b", denied), ("c", plain)], NONCE))
    assert facts(got, "a") == {"status": "Healthy", "comment": ""}
    assert isinstance(got.results["b"], ErrorRecord)
    assert error(got, "b").message == "rbac-missing Get-NoSuchMailboxThing"
    assert facts(got, "c") == {"a": 1}


def test_without_a_credential_exchange_parts_fail_and_others_do_not(shell: Shell) -> None:
    plain = body("[pscustomobject]@{ a = 1 }\n")
    got = send(shell, reads(EX3, [("a", STATUS), ("c", plain)], NONCE), credential=False)
    assert isinstance(got.results["a"], ErrorRecord)
    assert facts(got, "c") == {"a": 1}


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_write_runs_once_however_often_it_is_sent(shell: Shell) -> None:
    first = send(shell, write(EX3, suspend(), OPERATION, NONCE, b'{"status":"Healthy"}'))
    assert first.receipts[OPERATION].state == "ran"
    assert facts(first, OPERATION) is None
    assert facts(send(shell, reads(EX3, [("a", STATUS)], NONCE)), "a") == {"status": "Suspended", "comment": "first"}

    send(shell, write(EX3, RESUME, OTHER, NONCE))
    again = send(shell, write(EX3, suspend(), OPERATION, NONCE))
    assert again.receipts[OPERATION].state == "ran-before"
    assert again.receipts[OPERATION].prev == b'{"status":"Healthy"}', "the first one wins"
    assert facts(again, OPERATION) is None
    now = facts(send(shell, reads(EX3, [("a", STATUS)], NONCE)), "a")
    assert isinstance(now, dict)
    assert now["status"] != "Suspended", "it was not done a second time"


def test_a_write_that_fails_keeps_its_error(shell: Shell) -> None:
    wrong = body("throw 'no-good'\n")
    first = send(shell, write(EX3, wrong, OPERATION, NONCE, b"[1]"))
    assert first.receipts[OPERATION].state == "ran"
    assert error(first, OPERATION).fqid == "no-good"
    again = send(shell, write(EX3, body("[pscustomobject]@{ a = 1 }\n"), OPERATION, NONCE))
    assert again.receipts[OPERATION].state == "ran-before"
    assert error(again, OPERATION) == error(first, OPERATION)


def test_what_keeps_a_write_from_beginning_leaves_no_receipt(shell: Shell) -> None:
    got = send(shell, write(EX3, suspend(), OPERATION, NONCE), credential=False)
    assert got.receipts[OPERATION].state == "absent"
    assert isinstance(got.results[OPERATION], ErrorRecord)
    assert send(shell, probe(EX3, [OPERATION], NONCE)).receipts[OPERATION].state == "absent"


def test_an_earlier_sending_is_found_even_when_exchange_is_not(shell: Shell) -> None:
    send(shell, write(EX3, suspend(), OPERATION, NONCE))
    fresh = shell.estate.open("EX3")
    got = send(fresh, write(EX3, suspend(), OPERATION, NONCE), credential=False)
    assert got.receipts[OPERATION].state == "ran-before"
    assert facts(got, OPERATION) is None


def test_a_probe_tells_receipts_apart(shell: Shell) -> None:
    send(shell, write(EX3, body("$x = 1\n"), OPERATION, NONCE, b'{"a":"\xc3\xa9"}'))
    shell.run(f"New-Item -Path '{FOLDER}\\receipts\\{OTHER}.begin' -ItemType File -Value 'x' | Out-Null")
    third = OPERATION.replace("1", "3")
    got = send(shell, probe(EX3, [OPERATION, OTHER, third], NONCE))
    states = {operation: receipt.state for operation, receipt in got.receipts.items()}
    assert states == {OPERATION: "ran-before", OTHER: "in-progress", third: "absent"}
    prev = got.receipts[OPERATION].prev
    assert prev is not None
    assert json.loads(prev) == {"a": "é"}
    assert list(got.results) == [OPERATION]


def test_a_write_that_is_still_under_way_is_not_begun_again(shell: Shell) -> None:
    shell.run(f"New-Item -Path '{FOLDER}\\receipts' -ItemType Directory -Force | Out-Null")
    shell.run(f"New-Item -Path '{FOLDER}\\receipts\\{OPERATION}.begin' -ItemType File -Value 'x' | Out-Null")
    got = send(shell, write(EX3, suspend(), OPERATION, NONCE))
    assert got.receipts[OPERATION].state == "in-progress"
    assert got.results == {}
    assert facts(send(shell, reads(EX3, [("a", STATUS)], NONCE)), "a") == {"status": "Healthy", "comment": ""}


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        ("8`nRUN/LEG", "lease-lost"),
        ("7`nRUN/LEG", ""),
        ("7`nRUN/OTHER", "lease-lost"),  # the host had lost what it kept, and has counted to 7 anew
        ("6`nRUN/LEG", "lease-lost"),
        ("7", "lease-lost"),
        ("12345678901`nRUN/LEG", "lease-lost"),
        ("", "lease-expired"),  # it has lost what it kept: to be taken anew
    ],
)
def test_what_the_host_does_not_keep_so_is_refused(shell: Shell, kept: str, why: str) -> None:
    shell.run(f"New-Item -Path '{FOLDER}\\lease' -ItemType Directory -Force | Out-Null")
    if kept:
        shell.run(f"New-Item -Path '{FOLDER}\\lease\\dag-DAG1.token' -ItemType File -Value \"{kept}\" | Out-Null")
    lease = Lease(dag="DAG1", token=7, holder="RUN/LEG")
    got = send(shell, write(EX3, body("$x = 1\n"), OPERATION, NONCE, lease=lease))
    assert got.receipts[OPERATION].state == ("refused" if why else "ran")
    if why:
        assert error(got, OPERATION).fqid == why
        assert send(shell, probe(EX3, [OPERATION], NONCE)).receipts[OPERATION].state == "absent"


@pytest.mark.parametrize(("begun", "kept", "state"), [(0, 0, "lost"), (0, 1, "absent"), (1, 0, "in-progress")])
def test_no_receipt_proves_nothing_where_the_lease_beside_it_is_gone(
    shell: Shell, begun: int, kept: int, state: str
) -> None:
    for folder, file in [("lease", "dag-DAG1.token")] * kept + [("receipts", f"{OPERATION}.begin")] * begun:
        shell.run(f"New-Item -Path '{FOLDER}\\{folder}' -ItemType Directory -Force | Out-Null")
        shell.run(f"New-Item -Path '{FOLDER}\\{folder}\\{file}' -ItemType File -Value 'x' | Out-Null")
    assert send(shell, probe(EX3, [OPERATION], NONCE, dag="DAG1")).receipts[OPERATION].state == state
    assert send(shell, probe(EX3, [OPERATION], NONCE)).receipts[OPERATION].state == (
        "in-progress" if begun else "absent"
    )


def aged(shell: Shell, operation: str, days: float) -> None:
    """Have the host's clock be so much further."""
    files = shell.estate.world.server("EX3").files
    for ending in ("begin", "end"):
        entry = files.get(f"{FOLDER}\\receipts\\{operation}.{ending}")
        assert entry is not None
        entry.modified -= timedelta(days=days)


def test_the_oldest_receipts_are_removed_after_ninety_days(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "RECEIPTS", 2)
    operations = [OPERATION.replace(OPERATION[:8], f"{number:08x}") for number in range(4)]
    for number, operation in enumerate(operations):
        send(shell, write(EX3, body("$x = 1\n"), operation, NONCE))
        aged(shell, operation, 95 - number)
    folder = shell.estate.world.server("EX3").files.get(f"{FOLDER}")
    assert folder is not None
    assert folder.owners, "only SYSTEM and Administrators may touch receipts"
    send(shell, write(EX3, body("$x = 1\n"), OTHER, NONCE))
    got = send(shell, probe(EX3, [*operations, OTHER], NONCE))
    states = [got.receipts[operation].state for operation in [*operations, OTHER]]
    assert states == ["absent", "absent", "absent", "ran-before", "ran-before"]


def test_a_clock_that_leaps_takes_no_receipt_away(shell: Shell) -> None:
    send(shell, write(EX3, body("$x = 1\n"), OPERATION, NONCE))
    aged(shell, OPERATION, 91)
    send(shell, write(EX3, body("$x = 1\n"), OTHER, NONCE))
    got = send(shell, probe(EX3, [OPERATION, OTHER], NONCE))
    assert [got.receipts[one].state for one in (OPERATION, OTHER)] == ["ran-before", "ran-before"], "sent never again"


def test_no_secret_is_seen_in_any_script(shell: Shell) -> None:
    script = write(EX3, suspend(), OPERATION, NONCE)
    password = shell.estate.operator.password
    assert password not in script.text
    told = shell.run(script.text, shell.estate.credential)
    assert password not in "\n".join(told.texts)
