"""Approvals signed with SSH keys by OpenSSH's own ssh-keygen, from `approve --key` to the journal."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cli_danger import dangerous, home
from cli_estate import FakeParts, Hosts, starover
from click.testing import Result
from starover_cli.plan_files import load_plan
from starover_cli.room import Room
from starover_cli.settings import Settings
from starover_cli.team.submitting import answer

from starover.approval import Second, read_approval, write_approval
from starover.approval_signature import NAMESPACE, differences, message, signed, signer
from starover.errors import BadParameter
from starover.evidence import export
from starover.guard import FRESH
from starover.testing import FakeFault

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="NO ssh-keygen HERE: no signature is tested (install openssh-client)"
)
AT = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
MADE = Second(
    digest="ab" * 32,
    plan="abababab",
    runbook="force-quorum",
    estate="mail-prod",
    by="ben",
    at=AT,
    expires=AT + FRESH,
    binds=("runbook force-quorum of estate mail-prod", "loss = DB1=3"),
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of anna, ben and a stranger, and who counts."""
    folder = tmp_path_factory.mktemp("keys")
    lines: list[str] = []
    for name in ("anna", "ben", "chris", "stranger"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)],
            check=True,
            timeout=60,
        )
        if name != "stranger":
            lines.append(f'{name} namespaces="starover" {(folder / f"{name}.pub").read_text()}')
    (folder / "allowed_signers").write_text("".join(lines))
    return folder


def test_what_was_signed_is_whose_key_it_is(keys: Path) -> None:
    made = read_approval(write_approval(signed(MADE, keys / "ben")))
    assert made.is_signed
    assert signer(made, keys / "allowed_signers", AT) == "ben"
    assert MADE.digest.encode() in message(made), "the plan's full digest"
    assert message(made) == message(MADE)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "ac" * 32},
        {"by": "anna"},
        {"expires": AT + timedelta(days=1)},
        {"at": AT - timedelta(seconds=1)},
        {"estate": "mail-test"},
        {"binds": ()},
    ],
)
def test_whatever_is_changed_afterwards_voids_it(keys: Path, change: dict[str, object]) -> None:
    made = msgspec.structs.replace(signed(MADE, keys / "ben"), **change)
    with pytest.raises(BadParameter):
        signer(made, keys / "allowed_signers", AT)


def test_a_stranger_s_key_another_purpose_and_a_key_that_is_over_do_not_count(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(BadParameter):
        signer(signed(MADE, keys / "stranger"), keys / "allowed_signers", AT)
    over = tmp_path / "allowed_signers"
    over.write_text(f'ben valid-before="20261101" {(keys / "ben.pub").read_text()}')
    with pytest.raises(BadParameter):
        signer(signed(MADE, keys / "ben"), over, AT)
    other = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-f", str(keys / "ben"), "-n", "git"],
        input=message(MADE),
        capture_output=True,
        check=True,
        timeout=60,
    )
    with pytest.raises(BadParameter):
        signer(msgspec.structs.replace(MADE, signature=other.stdout.decode()), keys / "allowed_signers", AT)
    with pytest.raises(BadParameter, match="key has expired"):
        signer(signed(MADE, keys / "ben"), over, AT)
    over.write_text(f'ben namespaces="starover-head" {(keys / "ben.pub").read_text()}')
    with pytest.raises(BadParameter, match=r"SHA256:.* does not count: key is not permitted .* namespace .starover"):
        signer(signed(MADE, keys / "ben"), over, AT)
    with pytest.raises(BadParameter, match="nobody has signed it"):
        signer(MADE, keys / "allowed_signers", AT)


def test_anybody_can_check_it_without_starover(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "sig").write_text(signed(MADE, keys / "ben").signature)
    words = [
        "-Y",
        "verify",
        "-n",
        NAMESPACE,
        "-I",
        "ben",
        "-s",
        str(tmp_path / "sig"),
        "-f",
        str(keys / "allowed_signers"),
    ]
    fields = json.loads(write_approval(MADE))
    del fields["signature"]
    plain = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    text = f"starover approval\n{plain}\n".encode()
    assert (
        subprocess.run(["ssh-keygen", *words], input=text, check=False, capture_output=True, timeout=60).returncode == 0
    )


def test_the_difference_is_what_went_and_what_came() -> None:
    assert differences(("a", "b"), ("b", "c")) == ("approved   a", "now        c")


# -- typed -------------------------------------------------------------------------------------------------------------

Do = Callable[..., Result]
APPLY = ("--ticket", "INC1234")
POLICY = """
ticket: 'INC[0-9]{{4}}'
people:
  anna: {{names: [{me}]}}
  ben: {{}}
  chris: {{}}
groups:
  approvers: [ben, anna]
rules:
  '*':
    S: {{second: true, approved_by: [approvers]}}
    D: {{approved_by: [approvers]}}
    X: {{approved_by: [approvers]}}
"""


@pytest.fixture
def hosts() -> Hosts:
    return dangerous(Hosts())


@pytest.fixture
def do(hosts: Hosts, tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Do:
    """A person at a prompt, in a folder with a policy beside the inventory."""
    from starover_cli.room import who

    content = home(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY.format(me=who()))
    (tmp_path / "allowed_signers").write_text((keys / "allowed_signers").read_text())

    def type_in(*line: str) -> Result:
        return starover(hosts, tmp_path / "state", "--home", str(content), *line)

    return type_in


def planned(do: Do, *line: str) -> str:
    result = do("--format", "json", "plan", *(line or ("force", "--server", "EX3")))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["policy"]["verdict"] in ("refused", "needs approval")
    return str(json.loads(result.stdout)["id"])


def approve(do: Do, keys: Path, plan: str, name: str = "ben", *more: str) -> Result:
    return do("approve", plan, "--as", name, "--dag", "DAG1", "--key", str(keys / name), *more)


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_signed_by_one_of_the_approvers_it_is_done_and_told(do: Do, hosts: Hosts, keys: Path) -> None:
    plan = planned(do)
    said = approve(do, keys, plan)
    assert said.exit_code == 0, said.output
    assert "Signed as ben" in words(said)
    result = do("apply", plan, *APPLY, "--approve", plan)
    assert result.exit_code == 0, result.output
    assert hosts.transport.writes == ["danger/do.ps1.j2"]
    shown = do("runs", "show", f"{plan}.1").stdout
    assert "second person (signed)" in shown
    approved = json.loads(do("--format", "json", "runs", "show", f"{plan}.1").stdout)["approved"]
    assert approved["signed"]
    assert len(approved["policy"]) == 64


def test_what_does_not_count_is_refused_and_kept(do: Do, hosts: Hosts, keys: Path, tmp_path: Path) -> None:
    plan = planned(do)
    place = tmp_path / "state" / "approvals" / f"{plan}.json"

    def refused(why: str) -> None:
        result = do("apply", plan, *APPLY, "--approve", plan)
        assert result.exit_code == 4, result.output
        assert why in words(result), result.output
        assert (
            "who may approve: ben" in words(result)
            or "does not count" in words(result)
            or "the key is" in words(result)
        )
        assert hosts.transport.writes == []

    refused("risk X needs a second person")
    assert do("approve", plan, "--as", "ben", "--dag", "DAG1").exit_code == 0
    refused("is not signed by a key of theirs")
    assert approve(do, keys, plan, "chris").exit_code == 0
    refused("chris approved it, and may not: approvers may")
    assert approve(do, keys, plan, "anna").exit_code == 0
    refused("cannot be its second person")
    assert do("approve", plan, "--as", "ben", "--dag", "DAG1", "--key", str(keys / "chris")).exit_code == 0
    refused("the approval says it is by ben, and the key is chris's")
    assert do("approve", plan, "--as", "ben", "--dag", "DAG1", "--key", str(keys / "stranger")).exit_code == 0
    refused("starover approve " + plan + " --key KEY known as ben in")
    assert approve(do, keys, plan).exit_code == 0
    forged = msgspec.structs.replace(read_approval(place.read_bytes()), expires=datetime(2030, 1, 1, tzinfo=UTC))
    place.write_bytes(write_approval(forged))
    refused("does not count")
    ended = [json.loads(do("--format", "json", "runs", "show", f"{plan}.{n}").stdout) for n in range(1, 8)]
    assert {one["state"] for one in ended} == {"refused"}


def test_what_changed_since_is_shown(do: Do, hosts: Hosts, keys: Path, tmp_path: Path) -> None:
    old = planned(do)
    assert approve(do, keys, old).exit_code == 0
    new = planned(do, "force", "--server", "EX3", "--loss", "may lose DB1=3")
    file = tmp_path / "state" / "approvals" / f"{old}.json"
    result = do("apply", new, *APPLY, "--approve", new, "--accept-data-loss", "DB1=3", "--approval", str(file))
    assert result.exit_code == 4
    for text in (f"is for plan {old}", "approved loss = ", "now loss = may lose DB1=3"):
        assert text in words(result), result.output
    assert hosts.transport.writes == []


def test_a_loss_needs_four_eyes_where_there_is_a_policy(do: Do, hosts: Hosts, keys: Path) -> None:
    plan = planned(do, "mount", "--server", "EX3", "--loss", "may lose DB1=3")
    answers = (*APPLY, "--approve", plan, "--accept-data-loss", "DB1=3")
    assert do("apply", plan, *answers).exit_code == 4
    assert approve(do, keys, plan).exit_code == 0
    assert do("apply", plan, *answers).exit_code == 0, hosts.transport.writes


def test_broken_glass_is_loud_and_first(do: Do, hosts: Hosts) -> None:
    plan = planned(do)
    glass = ("--break-glass", "nobody answers the phone")
    assert do("apply", plan, "--ticket", "CHG1", "--approve", plan, *glass, "--dag", "DAG1").exit_code == 4
    result = do("apply", plan, *APPLY, "--approve", plan, *glass, "--dag", "DAG1")
    assert result.exit_code == 0, result.output
    for page in (do("runs", "show", f"{plan}.2"), do("report", f"{plan}.2")):
        text = page.stdout
        assert "nobody answers the phone" in text
    approved = json.loads(do("--format", "json", "runs", "show", f"{plan}.2").stdout)["approved"]
    assert approved["waivers"] == ["the second person (risk X): nobody answers the phone"]


GLASS = ("--break-glass", "nobody answers the phone")


def test_an_interruption_has_four_eyes_where_the_policy_wants_them(do: Do, hosts: Hosts, keys: Path) -> None:
    plan = planned(do, "restart", "--server", "EX3")
    assert f"starover approve {plan}" in do("plans", "show", plan).stdout
    alone = do("apply", plan, "--yes")
    assert alone.exit_code == 4
    assert "risk S needs a second person" in words(alone)
    assert "who may approve: ben" in words(alone)
    assert do("approve", plan, "--as", "ben", "--dag", "DAG1").exit_code == 0
    assert "is not signed by a key of theirs" in words(do("apply", plan, "--yes"))
    assert hosts.transport.writes == []
    assert approve(do, keys, plan).exit_code == 0
    result = do("apply", plan, "--yes")
    assert result.exit_code == 0, result.output
    assert hosts.transport.writes == ["danger/do.ps1.j2"]
    for page in (do("runs", "show", f"{plan}.3").stdout, do("report", f"{plan}.3").stdout):
        assert "signed)" in page, "who else agreed"


def test_the_glass_of_an_interruption_is_broken_as_loudly(do: Do, hosts: Hosts) -> None:
    plan = planned(do, "restart", "--server", "EX3")
    unnamed = do("apply", plan, "--yes", *GLASS)
    assert unnamed.exit_code == 2
    assert "--break-glass 'nobody answers the phone' --dag DAG1" in words(unnamed), "the DAG's name is typed"
    assert "10 to 200" in words(do("apply", plan, "--break-glass", "why not", "--dag", "DAG1"))
    assert hosts.transport.writes == []
    result = do("apply", plan, *GLASS, "--dag", "DAG1")
    assert result.exit_code == 0, result.output
    assert "BREAK GLASS by" in result.stdout
    page = do("runs", "show", f"{plan}.1").stdout
    assert page.index("BREAK GLASS") < page.index("Changed 1")
    approved = json.loads(do("--format", "json", "runs", "show", f"{plan}.1").stdout)["approved"]
    assert approved["waivers"] == ["the second person (risk S): nobody answers the phone"]


def test_it_is_the_same_where_a_run_is_handed_in(do: Do, hosts: Hosts, keys: Path, tmp_path: Path) -> None:
    plan = planned(do, "restart", "--server", "EX3")
    given = {"dir": str(tmp_path / "state"), "home": str(tmp_path / "home"), "dag": "DAG1"}
    settings = Settings(parts=FakeParts(hosts), **given)
    with Room(settings, settings.parts) as room:
        made = load_plan(settings, plan)
        assert answer(room, made, {"yes": True}, plan) is None, "it waits for somebody else"
        broken = answer(room, made, {"break_glass": GLASS[1]}, plan)
        assert broken is not None
        assert broken.break_glass == GLASS[1]
        assert approve(do, keys, plan).exit_code == 0
        agreed = answer(room, made, {"yes": True}, plan)
        assert agreed is not None
        assert agreed.second is not None


def test_whom_the_policy_does_not_know_changes_nothing(do: Do, hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("people: {ben: {}}\n")
    result = do("run", "leave-note", "--server", "EX3", "--yes")
    assert result.exit_code == 4
    assert "the policy knows nobody called" in words(result)
    assert hosts.transport.writes == []
    (tmp_path / "policy.yaml").write_text("peeple: {}\n")
    broken = do("run", "leave-note", "--server", "EX3", "--yes")
    assert broken.exit_code == 2
    assert "policy.yaml:1" in words(broken)
    assert hosts.transport.writes == []


def test_without_ssh_keygen_it_says_what_to_install(
    do: Do, hosts: Hosts, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(do)
    assert approve(do, keys, plan).exit_code == 0
    monkeypatch.setenv("PATH", "")
    result = do("apply", plan, *APPLY, "--approve", plan)
    assert result.exit_code == 4
    assert "apt install openssh-client" in words(result)
    made = approve(do, keys, plan)
    assert made.exit_code == 2
    assert "there is no ssh-keygen here" in words(made)
    assert hosts.transport.writes == []


def test_the_policy_is_shown_and_checked(do: Do) -> None:
    shown = do("policy", "show")
    assert shown.exit_code == 0, shown.output
    assert "approved by approvers" in words(shown)
    assert "3 people" in words(do("policy", "check"))
    assert "freezes" in do("policy", "schema").stdout


def test_rules_of_a_misspelled_dag_are_nobody_s(do: Do, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(file.read_text().replace("  '*':", "  DGA1:"))
    checked = do("policy", "check")
    assert checked.exit_code == 2
    assert "`DGA1` is no DAG of the inventory: did you mean DAG1?" in words(checked)
    shown = do("policy", "show")
    assert shown.exit_code == 0
    assert "did you mean DAG1?" in words(shown)


def test_who_may_not_go_on_with_a_run_is_in_its_journal(do: Do, hosts: Hosts, keys: Path, tmp_path: Path) -> None:
    """Refusals are journalled like actions, and this one changes nothing of the run."""
    lost = (FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    hosts.transport.fail(*lost)
    plan = planned(do, "restart", "--server", "EX3")
    assert approve(do, keys, plan).exit_code == 0
    assert do("apply", plan, "--yes").exit_code == 5
    hosts.transport.heal()
    whole = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(re.sub(r"names: \[.*?\]", "names: [elsewhere]", whole))
    refused = do("resume", plan)
    assert refused.exit_code == 4
    assert "the policy knows nobody called" in words(refused)
    assert "starover policy show" in words(refused), "what to type"
    why = "the policy knows nobody called"
    for page in (do("runs", "show", f"{plan}.1").stdout, do("report", f"{plan}.1").stdout):
        assert why in " ".join(page.split())
    shown = json.loads(do("--format", "json", "runs", "show", f"{plan}.1").stdout)
    assert why in shown["not_resumed"][0]
    assert do("audit", "verify").exit_code == 0
    bundle = export(tmp_path / "state", tmp_path / "bundle", AT - timedelta(days=999), AT + timedelta(days=999))
    kept = json.loads((bundle.folder / "runs" / f"{plan}.1" / "refusals.json").read_bytes() if bundle.runs else b"[]")
    assert [one["body"]["entry"] for one in kept][-1] == "declined"
    (tmp_path / "policy.yaml").write_text(whole)
    assert do("resume", plan).exit_code == 0
    assert hosts.transport.writes == ["danger/do.ps1.j2"], "nothing twice"
