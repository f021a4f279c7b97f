"""How Exchange's cmdlets get into a session: one runbook of a team's own under each provider, over the real wires."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

SELECT = " | Select-Object -Property Name, DatabaseCopyAutoActivationPolicy"
CHECK = f"""# exchange: Get-MailboxServer
# single
Get-MailboxServer -Identity {{{{ server }}}} -ErrorAction Stop{SELECT}
"""
APPLY = """# exchange: Set-MailboxServer
# single
Set-MailboxServer -Identity {{ server }} -DatabaseCopyAutoActivationPolicy {{ policy }} -Confirm:$false
"""
SCRIPT = """# exchange: Get-MailboxServer
$one = Get-MailboxServer -Identity {{ server }} -ErrorAction Stop
[pscustomobject]@{ objects = @([pscustomobject]@{ name = [string]$one.Name; databaseCopyAutoActivationPolicy = 'x' }) }
"""
RUNBOOK = '''"""Bar a server's copies from activation."""

from typing import Literal

from starover import Change, Query, Report, Risk, Server, Steps, runbook, step


class One(Report):
    """A mailbox server."""

    name: str
    database_copy_auto_activation_policy: str


class Found(Report):
    """What the reading tells."""

    objects: tuple[One, ...]


found = Query("mine/policy.ps1.j2", Found)


@step(check=found, apply="mine/set_policy.ps1.j2", risk=Risk.LOW)
def barred(now: Found, /, *, server: str, policy: str) -> Change | None:
    """A server with that policy."""
    (one,) = now.objects
    before = one.database_copy_auto_activation_policy
    return None if before == policy else Change(one.name, before, policy)


@runbook
def policy_set(server: Server, policy: Literal["Blocked", "Unrestricted"] = "Blocked") -> Steps:
    """Set a server's policy.

    server: whose
    policy: which
    """
    yield barred.on(server, server=server.name, policy=policy)
'''


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    for name, text in {
        "runbooks/policy.py": RUNBOOK,
        "ps_templates/mine/policy.ps1.j2": CHECK,
        "ps_templates/mine/set_policy.ps1.j2": APPLY,
    }.items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    with lab(tmp_path, "pa-4x2") as made:
        yield made


def provide(place: Place, provider: str) -> None:
    """Let every server of the lab's inventory have that provider."""
    file = place.folder / ".starover" / "lab" / "inventory.yaml"
    more = "\n    allow_unsupported_snapin: true" if provider == "snapin" else ""
    text = file.read_text("utf-8")
    assert "provider: remote\n" in text
    file.write_text(text.replace("provider: remote\n", f"provider: {provider}{more}\n"), "utf-8")


def policy(place: Place, server: str) -> str:
    found: str = place.state()["servers"][server]["exchange"]["activation_policy"]
    return found


WORDS = ("--home", "home", "run", "policy-set", "--server", "EX3", "--yes")


@pytest.mark.parametrize("provider", ["remote", "direct", "snapin"])
def test_a_template_of_one_command_runs_under_every_provider(place: Place, provider: str) -> None:
    provide(place, provider)
    assert policy(place, "EX3") == "Unrestricted"
    first = place.ok(*WORDS)
    assert "changed 1" in first.out
    assert policy(place, "EX3") == "Blocked"
    assert "Nothing to do" in place.ok(*WORDS).out
    assert place.writes() == ["Set-MailboxServer"]
    (entry,) = place.state()["audit"]
    assert (entry["caller"] == "EXAMPLE\\operator") == (provider != "snapin"), "the snap-in acts as the server"
    place.ok("audit", "verify")


def test_direct_opens_no_windows_session_and_imports_nothing(place: Place) -> None:
    provide(place, "direct")
    place.ok(*WORDS)
    kinds = [one["kind"] for one in place.control("events")["events"]]
    assert "exchange_imported" not in kinds
    requests = place.control("requests")["requests"]["EX3"]
    assert requests["Create"] <= 2, "one session at /PowerShell, and one of Windows' own for the DAG's lease"


def test_status_goes_command_by_command_and_says_the_same(place: Place) -> None:
    """All but the first line, which has the time, and the queues, which live on."""
    known = place.ok("status").out.splitlines()
    provide(place, "direct")
    found = place.ok("status").out.splitlines()
    assert [line.split("queue")[0] for line in found[2:8]] == [line.split("queue")[0] for line in known[2:8]]
    assert "DAC DagOnly" in found[0]
    assert "Mail is up. 4 of 4 databases mounted, every passive copy healthy." in found
    report = place.ok("run", "health-report").out
    assert "is well in everything that was looked at" in report


def test_direct_refuses_a_script_before_anything_is_sent(place: Place) -> None:
    provide(place, "direct")
    (place.folder / "home/ps_templates/mine/policy.ps1.j2").write_text(SCRIPT, "utf-8")
    refused = place.type(*WORDS)
    assert refused.code == 2
    assert "carries single commands" in refused.out + refused.err
    assert "provider: remote" in refused.out + refused.err
    assert place.control("requests")["requests"]["EX3"] == {}


def test_what_is_marked_single_and_is_none_is_refused(place: Place) -> None:
    provide(place, "direct")
    (place.folder / "home/ps_templates/mine/policy.ps1.j2").write_text(CHECK.replace(SELECT, ""), "utf-8")
    refused = place.type(*WORDS)
    assert refused.code == 2
    assert "Select-Object -Property" in refused.out + refused.err


def test_an_error_of_a_command_is_told_with_its_own_words(place: Place) -> None:
    provide(place, "direct")
    place.control("break", kind="rbac_missing", target="Set-MailboxServer")
    failed = place.type(*WORDS)
    assert failed.code == 1
    assert "Set-MailboxServer" in failed.out + failed.err
    assert policy(place, "EX3") == "Unrestricted"


def test_a_lost_answer_of_a_direct_write_is_found_by_reading(place: Place) -> None:
    provide(place, "direct")
    process = place.start(*WORDS, accident=("EX3", "reset-after", "Command", 1))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    assert place.writes() == ["Set-MailboxServer"]
