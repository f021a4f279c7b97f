"""Canaries in credentials, environment and replies; looked for in everything that is kept, shown, sent or said."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from content_scripts import content
from inner_cli import InnerParts
from inner_lab import InnerLab
from secret_marks import everything_in, found, spread
from starover_cli.main import main
from starover_cli.settings import Settings
from three_ways import CASES

from starover.clock import Clock
from starover.drivers.hosts import reaction_of
from starover.drivers.local import Local
from starover.effects import Script as EffectScript
from starover.errors import AuthFailed, ErrorRecord
from starover.estate import Estate
from starover.journal import path_of, run_ids
from starover.redact import MASK, Redactor, forms
from starover.sinks import LogSink, S3Sink, ship
from starover.transport import Answer, Script, Transport
from starover.transport.credentials import Credential, Credentials

PASSWORD = 'Kx7"q\u00f1/ +Vogel%Zp\\9#Ymw'
"""With whatever is written otherwise in JSON, in a URL and in base64."""
USER = "EXAMPLE\\operator"
VARIABLES = {"AWS_SECRET_ACCESS_KEY": "Rw8/AWS+Env%Kanari", "OPS_PASSWORD": PASSWORD, "MAIL_TOKEN": "Tk-Env-Kanari-55"}
ALL = (PASSWORD, *VARIABLES.values())
COPY = ("--db", "DB01", "--server", "EX3")


@dataclass
class Blabbing:
    """A transport whose hosts repeat the password in warnings and errors, in each of its forms."""

    inner: Transport
    fails: Callable[[Script], bool] = lambda _script: False
    said: int = 0

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        by_id = {script.id: script for script in batch}
        for answer in self.inner.run(batch):
            self.said += 1
            record = ErrorRecord(message=spread(PASSWORD), target=PASSWORD, fqid="Blab", inner=(spread(PASSWORD),))
            if self.fails(by_id[answer.id]):
                yield Answer(id=answer.id, errors=(record,), failed=True)
            else:
                yield replace(answer, warnings=(*answer.warnings, spread(PASSWORD)))

    def secrets(self) -> Sequence[str]:
        return self.inner.secrets()

    def close(self) -> None:
        self.inner.close()


class Blab(InnerParts):
    """The command line's pieces, with such a transport."""

    def __init__(self, lab: InnerLab, transport: Blabbing) -> None:
        super().__init__(lab)
        self.made = transport

    def transport(self, estate: Estate, file: Path, clock: Callable[[], Clock]) -> Transport:
        return self.made


@dataclass
class Told:
    """All that was shown."""

    lab: InnerLab
    transport: Blabbing
    texts: dict[str, str] = field(default_factory=dict[str, str])

    def type(self, *words: str) -> Any:
        from click.testing import CliRunner

        settings = Settings(dir=str(self.lab.folder), parts=Blab(self.lab, self.transport))
        result = CliRunner().invoke(main, list(words), obj=settings)
        self.texts[" ".join(words)] = result.stdout + result.stderr
        return result


def clean(texts: dict[str, str]) -> None:
    """Nothing that must not be known is in any of them."""
    leaks = {name: found(secret, text) for name, text in texts.items() for secret in ALL if found(secret, text)}
    assert not leaks, {name: [one[:80] for one in places] for name, places in leaks.items()}


def owned(lab: InnerLab) -> None:
    """Every account of the lab has the canary for a password, and a copy says it to whoever asks."""

    def act(world: Any) -> None:
        for account in world.state.accounts:
            account.password = PASSWORD

    lab.do(act)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Told]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    with InnerLab("pa-4x2", tmp_path / "state") as lab:
        owned(lab)
        yield Told(lab, Blabbing(lab.transport))
        kept = everything_in(tmp_path)
        assert kept
        clean(kept)
    clean({"log": caplog.text})


def test_what_hosts_repeat_is_in_no_plan_journal_report_evidence_or_copy(told: Told, tmp_path: Path) -> None:
    assert told.type("run", "copies-suspend", *COPY, "--mode", "full", "--yes").exit_code == 0
    assert told.type("--format", "json", "plan", "copies-resume", *COPY).exit_code == 0

    def blab(world: Any) -> None:
        world.state.databases["DB01"].copies["EX3"].comment = spread(PASSWORD)

    told.lab.do(blab)
    told.type("run", "copies-resume", *COPY, "--yes")
    told.type("run", "copies-resume", *COPY, "--force-foreign", "--yes")
    told.type("run", "health-report")
    told.type("status")
    told.type("doctor", "--hosts", "EX1,DC1", "--record", str(tmp_path / "record.json"))
    run = run_ids(told.lab.folder)[0]
    assert told.type("report", run).exit_code == 0
    assert told.type("--format", "json", "report", run).exit_code == 0
    assert told.type("report", run, "--html", str(tmp_path / "run.html")).exit_code == 0
    assert told.type("audit", "export", "--from", "7d", "--to", "tomorrow").exit_code in (0, 1, 2)
    sent: list[Any] = []

    def call(service: str, operation: str, parameters: Any) -> Any:
        sent.append((service, operation, dict(parameters)))
        return {}

    ship(told.lab.folder, [LogSink("/g", "unit"), S3Sink("b", "", "unit", 1, "COMPLIANCE")], call, told.lab.clock.now)
    assert sent
    told.texts["sinks"] = "".join(
        str(part.get("Body", b"").decode() if "Body" in part else part) for _, _, part in sent
    )
    told.texts["scripts"] = "\n".join(script.text for script in told.lab.transport.sent)
    assert told.transport.said > 5
    assert MASK in told.texts["status"] + "".join(everything_in(told.lab.folder).values()), "it was said, and masked"
    clean(told.texts)


def test_an_error_that_holds_it_is_told_without_it(told: Told) -> None:
    told.transport.fails = lambda script: script.mutates
    ended = told.type("run", "copies-suspend", *COPY, "--mode", "full", "--yes")
    assert "answer lost" in ended.stdout, "what a write said was an error, and its receipt tells"
    told.transport.fails = lambda script: not script.mutates
    assert told.type("plan", "copies-resume", *COPY).exit_code not in (0, 2)
    assert told.type("--format", "json", "status").exit_code != 2
    clean(told.texts)


def test_a_traceback_holds_none(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: object, **__: object) -> None:
        raise RuntimeError(f"the library fell over {spread(PASSWORD)}")

    monkeypatch.setattr(Local, "plan", fall)
    ended = told.type("plan", "copies-suspend", *COPY, "--mode", "full")
    assert "a fault in starover itself" in " ".join(ended.stderr.split())
    (crash,) = (told.lab.folder / "crash").glob("*.txt")
    assert "the library fell over" in crash.read_text("utf-8")
    clean(told.texts)


def test_run_commands_history_has_none(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path, roads=("ssm",)) as lab:
        owned(lab)
        ran = lab.run("copies-suspend", db=["DB01"], server="EX3", mode="full")
        assert ran.exit == 0, ran.error
        commands = lab.do(lambda _: lab.transport.cloud.answer("ssm", "list_commands", {"MaxResults": 50})["reply"])
        clean({**everything_in(tmp_path), "history": json.dumps(commands, default=str)})
        assert "AWS-RunPowerShellScript" in json.dumps(commands, default=str)


def test_a_key_travels_under_a_lock_that_is_in_no_text(tmp_path: Path) -> None:
    """certificate-roll carries a private key from server to server: what locks it is the session's password."""
    case = next(one for one in CASES if one.book == "certificate-roll" and "certificate_present" in one.brings)
    with case.lab(tmp_path) as lab:
        owned(lab)
        ran = lab.run(case.book, case.parameters)
        assert ran.exit == 0, ran.error
        importing = [one for one in lab.transport.sent if "Import-ExchangeCertificate" in one.text and one.mutates]
        assert importing
        assert all(one.arguments for one in importing)
        clean({**everything_in(tmp_path), "scripts": "\n".join(one.text for one in lab.transport.sent)})
        assert not [one for one in lab.world.events if one.kind == "secret_in_script"]
        assert path_of(lab.folder, ran.run).exists()


def test_templates_that_take_a_credential_use_it_as_an_object_and_never_as_text() -> None:
    """Its password is a SecureString from the session's argument to the cmdlet's parameter."""
    using = {name: text for name, text in content().templates.items() if "$ExchangeCredential" in text}
    assert set(using) == {name for name, text in content().templates.items() if "# credential" in text.splitlines()}
    for name, text in content().templates.items():
        plain = (
            "ConvertTo-SecureString",
            "GetNetworkCredential",
            "ConvertFrom-SecureString",
            "PtrToString",
            "-AsPlainText",
        )
        assert not [word for word in plain if word.casefold() in text.casefold()], name
        for use in text.split("$ExchangeCredential")[1:]:
            assert use.startswith((".Password ", " ")), f"{name}: the credential as text"


@pytest.mark.parametrize("reference", ["command:{python} -c \"print('{user}')\" '{secret}'", "command:'{secret}"])
def test_a_credential_that_cannot_be_had_is_told_without_what_it_said(reference: str, tmp_path: Path) -> None:
    line = reference.format(python=sys.executable, user="x", secret="Kanari-Kommando-8")
    with pytest.raises(AuthFailed) as caught:
        Credentials(folder=tmp_path).resolve(line)
    told = caught.value
    assert not found("Kanari-Kommando-8", " ".join([told.what, *told.certain, *told.uncertain, *told.next]))


def test_what_a_reference_gives_is_in_no_repr_and_known_to_whoever_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = SimpleNamespace(username=USER, password=PASSWORD)
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_credential=lambda *_: held))  # type: ignore[arg-type]
    file = tmp_path / "asked.py"
    file.write_text(f"print({USER!r})\nprint({PASSWORD.encode()!r}.decode())\n", "utf-8")
    (tmp_path / "lab.json").write_text(json.dumps({"users": [], "keys": [{"name": "lb", "key": PASSWORD}]}), "utf-8")
    known = Credentials(
        folder=tmp_path,
        lab=True,
        environment={"OPS_USER": USER, "OPS_PASSWORD": PASSWORD},
        more={"ssm": lambda _: Credential(USER, PASSWORD)},
    )
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    for reference in ("env:OPS", f"command:{sys.executable} {file}", "keyring:ops", "ssm:/ops", "lab:lb"):
        told = known.resolve(reference)
        assert told.password == PASSWORD, reference
        clean({reference: f"{told!r} {told} {known!r}"})
    assert set(known.passwords()) == {PASSWORD}


@pytest.mark.parametrize("secret", ["Tr0ub4dor-3-correct-horse", "Pässwörter-für-alle"])
def test_a_secret_is_not_shown_in_part_where_an_answer_is_shown_in_part(secret: str) -> None:
    hidden = Redactor(lambda: [secret])
    for before in (300 - len(secret) + 1, 299, 10):
        output = "x" * before + secret + "y" * (1000 - len(secret) - before)
        script = EffectScript(host="EX1", text="", nonce="0" * 16, deadline=1.0)
        told = repr(hidden.reaction(reaction_of(Answer(id="1", output=output), script, hidden.text)))
        assert "what came" in told
        assert not any(part in told for part in (secret[:6], secret[-6:], ascii(secret)[1:-1]))


def test_every_word_of_an_error_record_is_masked() -> None:
    words = {one: "S3cret!" for one in ErrorRecord.__struct_fields__ if one not in ("line", "hresult", "inner")}
    record = ErrorRecord(**words, inner=("S3cret!",))  # type: ignore[arg-type] # a thrown text is its own id
    assert "S3cret!" not in repr(Redactor(lambda: ["S3cret!"]).record(record))


def test_every_form_is_masked_and_nothing_else() -> None:
    hidden = Redactor(lambda: [PASSWORD])
    for text in (spread(PASSWORD), "x" + spread(PASSWORD), "xy" + spread(PASSWORD)):
        assert found(PASSWORD, text)
        assert not found(PASSWORD, hidden.text(text))
        document = hidden.json(json.dumps({"a": text}).encode())
        assert not found(PASSWORD, document.decode())
        json.loads(document)
    assert hidden.text("Suspended by the operator, INC-1") == "Suspended by the operator, INC-1"
    assert not [form for form in forms("abc") if len(form) < 3], "nothing shorter than the secret itself"
