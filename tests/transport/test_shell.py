"""The road winrm: a command shell by pywinrm, against the lab's wire and the lab's PowerShell."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from starover_lab.wire.plans import Accident, Kind
from wire_lab import EstateLab

from starover.errors import AuthFailed, ConnectFailed, OutcomeUnknown, Unreachable
from starover.estate import Road, Server
from starover.transport import Answer, Script, fanout, shell
from starover.transport.credentials import Credential, Credentials
from starover.transport.fanout import Progress
from starover.transport.line import Deadline
from starover.transport.shell import ShellSession, decoded_errors
from starover.transport.winrm import WinrmTransport


class Operator:
    """The lab's own user, or one with a wrong password."""

    def __init__(self, lab: EstateLab) -> None:
        self._lab = lab

    def resolve(self, reference: str, /) -> Credential:
        password = self._lab.user.password if reference == "good" else "wrong"
        return Credential(self._lab.user.down_level, password)

    def passwords(self) -> list[str]:
        return []


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EstateLab]:
    with EstateLab(tmp_path_factory.mktemp("shell")) as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules with shorter waits."""
    monkeypatch.setattr(shell, "POLL_SECONDS", 1)
    monkeypatch.setattr(shell, "MARGIN_SECONDS", 1)


def session(lab: EstateLab, *, credential: str = "good", scheme: str = "http", auth: str = "negotiate") -> ShellSession:
    port = (lab.host.https or lab.host.http).port if scheme == "https" else lab.host.http.port
    road = Road(kind="winrm", scheme=scheme, address="127.0.0.1", port=port, auth=auth, ca_file=str(lab.ca_file))  # type: ignore[arg-type]
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), roads=(road,), credential=credential)
    return ShellSession(server, road, Operator(lab))


def script(text: str, *, mutates: bool = False, **more: object) -> Script:
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",))
    return Script(id="1", server=server, text=text, deadline=20.0, mutates=mutates, **more)  # type: ignore[arg-type]


def run(made: ShellSession, text: str, *, mutates: bool = False, **more: object) -> Answer:
    return made.run(script(text, mutates=mutates, **more), Deadline(20.0), Progress())


class Slow:
    """A line whose shell opens when nobody waits any more."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def run_command(self, *_: object) -> str:
        return "command"

    def send_command_input(self, _shell: str, _command: str, piece: str, end: bool = False) -> None:
        del end
        self.pieces.append(piece)


def test_what_was_said_not_to_be_sent_is_not_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    line, told, tried = Slow(), threading.Event(), threading.Event()

    def ready(made: ShellSession, _deadline: Deadline) -> Slow:
        told.wait(20)
        made._shell = "shell"
        made._leave = tried.set  # type: ignore[method-assign]
        return line

    monkeypatch.setattr(ShellSession, "_ready", ready)
    monkeypatch.setattr(fanout, "GRACE_SECONDS", 0.0)
    road = Road(kind="winrm", address="127.0.0.1", port=1)
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), roads=(road,))
    transport = WinrmTransport(Credentials())
    (answer,) = transport.run([Script(id="1", server=server, text="x", deadline=0.1, mutates=True)])
    assert isinstance(answer.error, ConnectFailed)
    assert "nothing was sent" in answer.error.certain
    told.set()
    assert tried.wait(20)
    assert line.pieces == []


@pytest.mark.wire
@pytest.mark.parametrize(("scheme", "auth"), [("http", "negotiate"), ("https", "ntlm"), ("https", "basic")])
def test_a_script_goes_by_standard_input_and_its_output_comes_back(lab: EstateLab, scheme: str, auth: str) -> None:
    made = session(lab, scheme=scheme, auth=auth)
    answer = run(
        made, "function f {\n param($x)\n\n '{0} é☃' -f $x\n}\nf -x $env:COMPUTERNAME\n\nif (1) {\n 'two'\n}\n"
    )
    made.close()
    assert (answer.error, answer.failed, answer.output) == (None, False, "EX1 é☃\ntwo")
    assert answer.road == f"winrm+{scheme}"


@pytest.mark.wire
def test_a_long_script_is_not_cut_and_the_shell_stays_until_it_is_closed(lab: EstateLab) -> None:
    made = session(lab)
    long = "\n".join(f"# {'x' * 90}" for _ in range(2500)) + "\n$a = 'long'\n$a"
    assert run(made, long).output == "long"
    assert run(made, "'again'").output == "again"
    assert len(lab.host.service.shells) == 1
    made.close()
    assert lab.host.service.shells == {}


@pytest.mark.wire
def test_an_error_comes_back_in_words(lab: EstateLab) -> None:
    made = session(lab)
    answer = run(made, "'before'\nthrow 'no such thing'")
    made.close()
    assert answer.failed
    assert answer.output == "before"
    assert "no such thing" in answer.errors[0].message
    assert "CLIXML" not in answer.errors[0].message


@pytest.mark.wire
def test_a_password_and_objects_are_refused_before_anything_is_sent(lab: EstateLab) -> None:
    made = session(lab)
    before = dict(lab.host.requests)
    for refused in (run(made, "1", arguments=(("Credential", "good"),)), run(made, "1", way="objects")):
        assert isinstance(refused.error, ConnectFailed)
        assert "nothing was sent" in refused.error.certain
    assert dict(lab.host.requests) == before


@pytest.mark.wire
def test_a_wrong_password_is_tried_once(lab: EstateLab) -> None:
    made = session(lab, credential="bad")
    assert isinstance(run(made, "1").error, AuthFailed)
    requests = sum(lab.host.requests.values())
    assert isinstance(run(made, "1").error, AuthFailed)
    assert sum(lab.host.requests.values()) == requests


@pytest.mark.wire
@pytest.mark.parametrize(
    ("kind", "action", "sent"),
    [
        ("reset-before", "Create", False),
        ("reset-after", "Command", False),
        ("reset-after", "Send", True),
        ("half", "Receive", True),
        ("http-503", "Command", False),
    ],
)
def test_a_write_is_handed_over_once(lab: EstateLab, kind: Kind, action: str, sent: bool) -> None:
    made = session(lab)
    lab.now(lambda: lab.host.plans.add(Accident(kind, action)))
    answer = run(made, "'done'", mutates=True)
    lab.now(lab.host.plans.clear)
    made.close()
    if sent:
        assert isinstance(answer.error, OutcomeUnknown), "it was handed over and may have run"
    elif answer.error is not None:
        assert isinstance(answer.error, Unreachable), "nothing of the script can have run"
    else:
        assert answer.output == "done"


@pytest.mark.wire
def test_a_reading_is_asked_again(lab: EstateLab) -> None:
    made = session(lab)
    lab.now(lambda: lab.host.plans.add(Accident("half", "Receive")))
    answer = run(made, "'read'")
    made.close()
    assert (answer.error, answer.output) == (None, "read")
    assert len(answer.attempts) == 1


def test_progress_is_no_error() -> None:
    text = (
        '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        '<Obj S="progress" RefId="0"><MS><I64 N="SourceId">1</I64></MS></Obj>'
        '<S S="Error">bad thing_x000D__x000A_</S><S S="Error">at line 1_x000D__x000A_</S></Objs>'
    )
    assert list(decoded_errors(text)) == ["bad thing\nat line 1"]
    assert list(decoded_errors("'x' is not recognized\r\n")) == ["'x' is not recognized"]
    assert list(decoded_errors("#< CLIXML\n<Objs")) == ["<Objs"]
    assert list(decoded_errors("")) == []


def test_a_script_that_is_to_be_ended_is_ended_at_the_host(lab: EstateLab) -> None:
    made, progress = session(lab), Progress()
    progress.stop.set()
    answer = made.run(script("Start-Sleep -Seconds 3600", mutates=True), Deadline(20.0), progress)
    made.close()
    assert progress.stopped.is_set()
    assert isinstance(answer.error, OutcomeUnknown)
    assert "ended on EX1" in answer.error.what
