"""The road psrp against the lab's wire: logons, answers, deadlines, broken lines, and what is never sent twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from known_credentials import Known
from starover_lab.powershell import values as v
from starover_lab.powershell.errors import Terminated
from starover_lab.wire.plans import Accident, Kind
from wire_lab import PASSWORD, USER, FakeRunspace, WireLab, error

from starover.errors import (
    AuthFailed,
    ConnectFailed,
    OutcomeUnknown,
    ReplyLost,
    Throttled,
    TimedOut,
    Unreachable,
)
from starover.inventory import Server
from starover.transport import Answer, Script, fanout, line, session
from starover.transport.credentials import Credential
from starover.transport.psrp import PsrpTransport

pytestmark = pytest.mark.wire
MakeServer = Callable[..., Server]
RunOne = Callable[..., Answer]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules with shorter waits."""
    monkeypatch.setattr(session, "POLL_SECONDS", 1)
    monkeypatch.setattr(line, "MARGIN_SECONDS", 0.3)
    monkeypatch.setattr(line, "LOST_SECONDS", 1.0)
    monkeypatch.setattr(session, "CLOSING_SECONDS", 1.0)
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.02)


def count(lab: WireLab, text: str) -> int:
    return lab.endpoint.executed.count(text)


def plan(lab: WireLab, kind: Kind, action: str, *, times: int = 1) -> None:
    lab.host.plans.add(Accident(kind, action, times=times))


@pytest.mark.parametrize("auth", ["negotiate", "ntlm", "basic"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_logon(lab: WireLab, run_one: RunOne, server: MakeServer, auth: str, scheme: str) -> None:
    lab.endpoint.says("hello", "one", "two")
    answer = run_one("hello", on=server(auth=auth, scheme=scheme))
    if (auth, scheme) == ("basic", "http"):
        assert isinstance(answer.error, AuthFailed)
        assert not lab.host.requests, "nothing may be sent in clear"
        return
    assert answer.error is None, answer.error
    assert answer.output == "one\ntwo"
    assert answer.road == f"psrp+{scheme}"
    assert not answer.failed


def test_the_pool_stays_and_a_script_costs_two_requests(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("hello", "x")
    run_one("hello")
    before = sum(lab.host.requests.values())
    for _ in range(5):
        assert run_one("hello").output == "x"
    assert sum(lab.host.requests.values()) - before == 10
    assert len(lab.endpoint.runspaces) == 1


def test_scripts_run_in_local_scope(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("hello", "x")
    run_one("hello")
    (command,) = lab.endpoint.runspaces[0].ran[0].commands
    assert command.use_local_scope is True
    assert command.is_script


def test_errors_and_warnings_come_as_records(lab: WireLab, run_one: RunOne) -> None:
    def act(_, __, emit) -> None:  # type: ignore[no-untyped-def]
        emit("warning", "look out")
        emit("error", error("first", error_id="One", category="ObjectNotFound"))
        raise Terminated(error("last", error_id="Two", category="PermissionDenied"))

    lab.endpoint.acts["boom"] = act
    answer = run_one("boom")
    assert answer.error is None
    assert answer.failed
    assert answer.warnings == ("look out",)
    assert [(one.message, one.fqid, one.category) for one in answer.errors] == [
        ("first", "One", "ObjectNotFound"),
        ("last", "Two", "PermissionDenied"),
    ]


def test_a_credential_travels_as_an_argument(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("param($ExchangeCredential)", "x")
    answer = run_one("param($ExchangeCredential)", arguments=(("ExchangeCredential", "good"),))
    assert answer.error is None, answer.error
    ((name, given),) = lab.endpoint.runspaces[0].ran[0].commands[0].parameters
    assert (name or "").lstrip("-") == "ExchangeCredential"
    assert isinstance(given, v.PSCredential)
    assert (given.user_name, given.password.secret) == (USER, PASSWORD)


def test_a_wrong_password_is_tried_once(lab: WireLab, run_one: RunOne, server: MakeServer) -> None:
    lab.endpoint.says("hello", "x")
    asked: list[str] = []
    authenticate = lab.endpoint.authenticate
    lab.endpoint.authenticate = lambda host, user: (asked.append(user), authenticate(host, user))[1]  # type: ignore[method-assign]
    on = server(credential="bad")
    first, second = run_one("hello", on=on), run_one("hello", on=on)
    assert isinstance(first.error, AuthFailed)
    assert isinstance(second.error, AuthFailed)
    assert len(asked) == 1, "a second try could lock the account"
    assert first.attempts == ()
    assert "wrong" not in f"{first.error!r} {first.error.certain} {first.error.next}"


def test_a_missing_credential_sends_nothing(lab: WireLab, run_one: RunOne, server: MakeServer) -> None:
    answer = run_one("hello", on=server(credential="none"))
    assert isinstance(answer.error, AuthFailed)
    assert "nothing is behind none" in answer.error.what
    assert not lab.host.requests


def test_an_untrusted_certificate_is_told_and_not_retried(
    lab: WireLab, run_one: RunOne, server: MakeServer, tmp_path: Path
) -> None:
    from starover_lab.tls import Authority

    other = tmp_path / "other.pem"
    other.write_bytes(Authority("another").pem)
    answer = run_one("hello", on=server(scheme="https", ca_file=str(other)))
    assert isinstance(answer.error, ConnectFailed)
    assert "certificate" in answer.error.what
    assert any("ca_file" in line for line in answer.error.next)
    assert answer.attempts == ()


def test_an_address_is_connected_to_and_the_fqdn_verified(lab: WireLab, run_one: RunOne, server: MakeServer) -> None:
    import msgspec

    lab.endpoint.says("hello", "x")
    for fqdn, right in (("ex1.example.com", True), ("ex9.example.com", False)):
        base = server(scheme="https", address="")
        on = msgspec.structs.replace(base, name=fqdn[:3].upper(), address="127.0.0.1", fqdn=fqdn)
        answer = run_one("hello", on=on)
        assert (answer.error is None) is right, answer.error


def test_a_closed_port_is_refused_soon(run_one: RunOne, server: MakeServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it
        answer = run_one("hello", on=server(port=taken.getsockname()[1]))
    assert isinstance(answer.error, ConnectFailed)
    assert "refused" in answer.error.what.lower()
    assert len(answer.attempts) == session.TRIES - 1
    assert not any(attempt.sent for attempt in answer.attempts)


def test_the_wrong_scheme_is_told(lab: WireLab, run_one: RunOne, server: MakeServer) -> None:
    answer = run_one("hello", on=server(scheme="https", port=lab.host.http.port))
    assert isinstance(answer.error, ConnectFailed)
    assert "does not speak https" in answer.error.what
    assert answer.attempts == ()


def test_a_silent_host_costs_its_own_deadline_only(
    lab: WireLab, transport: PsrpTransport, server: MakeServer, tmp_path: Path
) -> None:
    lab.endpoint.says("hello", "x")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        dead = server("EX2", port=silent.getsockname()[1])
        batch = [
            Script(id="dead", server=dead, text="hello", deadline=1.0, mutates=False),
            Script(id="alive", server=server(), text="hello", deadline=20.0, mutates=False),
        ]
        answers = list(transport.run(batch))
    assert [answer.id for answer in answers] == ["alive", "dead"], "the living host does not wait for the silent one"
    assert answers[0].error is None
    assert isinstance(answers[1].error, Unreachable)
    assert not isinstance(answers[1].error, AuthFailed)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_host_is_found_out_long_before_its_deadline(
    lab: WireLab, run_one: RunOne, server: MakeServer, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(line, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(line, "CONTACT_SECONDS", 0.2)
    monkeypatch.setattr(session, "CONTACT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = run_one("hello", on=server(scheme=scheme, port=silent.getsockname()[1]), deadline=30.0)
    assert isinstance(answer.error, ConnectFailed)
    assert "takes the connection and says nothing" in answer.error.what, "not: the deadline has passed"
    assert not any(attempt.sent for attempt in answer.attempts)


def test_scripts_of_one_host_run_one_after_the_other(
    lab: WireLab, transport: PsrpTransport, server: MakeServer
) -> None:
    for text in ("a", "b", "c"):
        lab.endpoint.says(text, text)
    batch = [Script(id=text, server=server(), text=text, deadline=20.0, mutates=False) for text in ("a", "b", "c")]
    assert [answer.output for answer in transport.run(batch)] == ["a", "b", "c"]
    assert len(lab.endpoint.runspaces) == 1


def test_many_threads_may_use_the_transport(lab: WireLab, transport: PsrpTransport, server: MakeServer) -> None:
    lab.endpoint.says("hello", "x")
    seen: list[str] = []

    def work() -> None:
        script = Script(id="1", server=server(), text="hello", deadline=20.0, mutates=False)
        seen.extend(answer.output if answer.error is None else answer.error.what for answer in transport.run([script]))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == ["x"] * 8


def test_a_thread_that_hangs_is_given_up_at_its_deadline(
    transport: PsrpTransport, server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(fanout, "GRACE_SECONDS", 0.1)

    def hang(self: object, script: Script, deadline: object, progress: session.Progress) -> Answer:
        progress.sent = script.id == "write"
        release.wait(30)
        return Answer(id=script.id)

    monkeypatch.setattr(session.Session, "run", hang)
    batch = [
        Script(id=one, server=server(name), text="x", deadline=0.2, mutates=one == "write")
        for one, name in (("read", "EX1"), ("write", "EX2"))
    ]
    answers = {answer.id: answer.error for answer in transport.run(batch)}
    second = list(transport.run([Script(id="next", server=server(), text="x", deadline=0.2, mutates=False)]))
    release.set()
    assert isinstance(answers["read"], ConnectFailed)
    assert isinstance(answers["write"], TimedOut)
    assert isinstance(second[0].error, ConnectFailed), "a script does not wait longer for its host than its deadline"


def test_a_bug_below_is_an_answer_too(
    transport: PsrpTransport, server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, script: Script, deadline: object, progress: session.Progress) -> Answer:
        progress.sent = script.mutates
        raise RuntimeError("Already borrowed")

    monkeypatch.setattr(session.Session, "run", fail)
    batch = [
        Script(id=str(mutates), server=server(), text="x", deadline=5.0, mutates=mutates) for mutates in (True, False)
    ]
    answers = {answer.id: answer.error for answer in transport.run(batch)}
    assert isinstance(answers["True"], OutcomeUnknown)
    assert isinstance(answers["False"], Unreachable)


def test_a_server_without_such_a_road_is_told(run_one: RunOne, server: MakeServer) -> None:
    answer = run_one("x", on=server(kind="ssm"))
    assert isinstance(answer.error, ConnectFailed)
    assert "roads" in answer.error.next[0]


# -- broken lines ------------------------------------------------------------------------------------------------------

LOGONS = [("negotiate", "http"), ("ntlm", "https"), ("basic", "https")]
AUTHS = pytest.mark.parametrize(("auth", "scheme"), LOGONS)


@pytest.mark.parametrize(
    ("auth", "scheme", "kind"),
    [
        *((auth, scheme, kind) for auth, scheme in LOGONS for kind in ("reset-after", "half")),
        ("negotiate", "http", "silent-after"),
    ],
)
def test_a_lost_answer_to_receive_is_fetched_again(
    lab: WireLab, run_one: RunOne, server: MakeServer, auth: str, scheme: str, kind: Kind
) -> None:
    lab.endpoint.says("change", "done")
    run_one("change", on=server(auth=auth, scheme=scheme))  # opens the pool
    plan(lab, kind, "Receive")
    answer = run_one("change", on=server(auth=auth, scheme=scheme), mutates=True)
    assert answer.error is None, answer.error
    assert answer.output == "done"
    assert count(lab, "change") == 2
    assert len(answer.attempts) == 1


@AUTHS
def test_a_write_whose_command_was_taken_is_found_again(
    lab: WireLab, run_one: RunOne, server: MakeServer, auth: str, scheme: str
) -> None:
    lab.endpoint.says("change", "done")
    lab.endpoint.says("look", "x")
    on = server(auth=auth, scheme=scheme)
    run_one("look", on=on)
    plan(lab, "reset-after", "Command")
    answer = run_one("change", on=on, mutates=True)
    assert answer.error is None, answer.error
    assert answer.output == "done"
    assert count(lab, "change") == 1
    assert lab.host.requests["Command"] == 2, "never handed over again"


@AUTHS
def test_a_write_that_never_arrived_is_certainly_not_applied(
    lab: WireLab, run_one: RunOne, server: MakeServer, auth: str, scheme: str
) -> None:
    lab.endpoint.says("change", "done")
    lab.endpoint.says("look", "x")
    on = server(auth=auth, scheme=scheme)
    run_one("look", on=on)
    plan(lab, "reset-before", "Command")
    answer = run_one("change", on=on, mutates=True)
    assert isinstance(answer.error, ConnectFailed)
    assert "never began" in answer.error.what
    assert count(lab, "change") == 0
    assert run_one("look", on=on).error is None, "the host can be used afterwards"


def test_a_read_that_never_arrived_is_sent_again(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("look", "x")
    run_one("look")
    plan(lab, "reset-before", "Command")
    answer = run_one("look")
    assert (answer.output, answer.error) == ("x", None)
    assert answer.attempts, "every retry is told"


@pytest.mark.parametrize("mutates", [True, False])
def test_a_write_is_never_sent_again_when_the_session_is_gone(lab: WireLab, run_one: RunOne, mutates: bool) -> None:
    lab.endpoint.says("change", "done")
    run_one("change")

    def restart(*_: object) -> None:
        lab.endpoint.boots += 1
        raise Terminated(error("the host went down"))

    lab.endpoint.acts["change"] = restart  # the host restarts under the script: its shells are gone
    plan(lab, "reset-after", "Command")
    answer = run_one("change", mutates=mutates, deadline=8.0)
    if mutates:
        assert isinstance(answer.error, ReplyLost)
        assert count(lab, "change") == 2
    else:
        assert count(lab, "change") > 2


def test_after_a_restart_a_new_session_is_opened(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("look", "x")
    run_one("look")
    lab.endpoint.boots += 1
    answer = run_one("look")
    assert (answer.output, answer.error) == ("x", None)
    assert len(lab.endpoint.runspaces) == 2


@pytest.mark.parametrize("hours", [2.1, 5.0])
def test_a_session_that_was_idle_for_too_long_is_replaced_by_a_reading(
    lab: WireLab, run_one: RunOne, hours: float
) -> None:
    """After two hours Windows takes it for disconnected, and in the end removes it."""
    lab.endpoint.says("look", "x")
    run_one("look")
    lab.now(lambda: lab.scheduler.advance_to(lab.scheduler.now + timedelta(hours=hours)))
    answer = run_one("look")
    assert (answer.output, answer.error) == ("x", None)
    assert len(lab.endpoint.runspaces) == 2


def test_a_write_into_a_session_that_is_gone_was_certainly_not_run(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("change", "done")
    lab.endpoint.says("look", "x")
    run_one("look")
    lab.now(lab.host.service.close)  # every shell ended, the connection lives
    answer = run_one("change", mutates=True)
    assert isinstance(answer.error, ConnectFailed)
    assert answer.error.certain == ("nothing was run",)
    assert count(lab, "change") == 0
    assert run_one("look").error is None


def test_a_missing_credential_of_a_script_does_not_close_the_host(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("look", "x")
    assert isinstance(run_one("look", arguments=(("C", "none"),)).error, AuthFailed)
    assert run_one("look").error is None


def test_a_command_that_is_not_answered_leaves_a_write_unknown_or_found(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("change", "done")
    lab.endpoint.says("look", "x")
    run_one("look")
    plan(lab, "silent-after", "Command")
    answer = run_one("change", mutates=True, deadline=2.0)
    assert isinstance(answer.error, OutcomeUnknown)
    assert count(lab, "change") == 1


@pytest.mark.parametrize("mutates", [True, False])
def test_a_script_that_runs_too_long_times_out(lab: WireLab, run_one: RunOne, mutates: bool) -> None:
    lab.endpoint.says("look", "x")
    run_one("look")
    lab.now(lambda: lab.scheduler.expect(2))  # time stands still until a second script comes
    lab.endpoint.acts["long"] = lambda runspace, _, __: runspace.wait(60)
    answer = run_one("long", mutates=mutates, deadline=1.5)
    assert isinstance(answer.error, TimedOut)
    assert answer.error.uncertain
    after = run_one("look")
    assert (after.output, after.error) == ("x", None), "a probe must not wait behind the script that runs"
    assert count(lab, "long") <= 1
    stopped = [runspace for runspace in lab.endpoint.runspaces if runspace.stopping or runspace.closed]
    if mutates:
        assert not stopped, "a write that runs is left alone"


@pytest.mark.parametrize(("kind", "wanted"), [("http-503", Throttled), ("http-401", AuthFailed)])
def test_http_refusals_of_a_write(lab: WireLab, run_one: RunOne, kind: Kind, wanted: type[Exception]) -> None:
    lab.endpoint.says("change", "done")
    lab.endpoint.says("look", "x")
    run_one("look")
    plan(lab, kind, "Command", times=9)
    answer = run_one("change", mutates=True)
    assert isinstance(answer.error, wanted)
    assert count(lab, "change") == 0


@pytest.mark.parametrize("kind", ["http-503", "http-401", "http-400", "http-500"])
def test_a_refusal_after_a_write_was_handed_over_leaves_it_unknown(lab: WireLab, run_one: RunOne, kind: Kind) -> None:
    lab.endpoint.says("change", "done")
    lab.endpoint.says("look", "x")
    run_one("look")
    plan(lab, kind, "Receive", times=99)
    answer = run_one("change", mutates=True)
    assert isinstance(answer.error, OutcomeUnknown), answer.error
    assert answer.error.uncertain
    assert count(lab, "change") == 1
    assert lab.host.requests["Command"] == 2


def test_a_port_that_closes_after_a_write_was_handed_over_leaves_it_unknown(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("look", "x")
    run_one("look")

    def close(*_: object) -> None:
        lab.endpoint.faults = ["refused"]
        raise Terminated(error("power"))

    lab.endpoint.acts["change"] = close
    answer = run_one("change", mutates=True, deadline=5.0)
    assert isinstance(answer.error, OutcomeUnknown), answer.error
    assert count(lab, "change") == 1


@pytest.mark.parametrize("mutates", [True, False])
def test_a_logon_refused_while_waiting_is_not_tried_again(lab: WireLab, run_one: RunOne, mutates: bool) -> None:
    lab.endpoint.says("script", "x")
    run_one("script")
    plan(lab, "http-401", "Receive")
    assert run_one("script", mutates=mutates).error is not None
    before = lab.host.requests.total()
    assert isinstance(run_one("script").error, AuthFailed)
    assert lab.host.requests.total() == before


def test_a_busy_service_is_asked_again_for_reading(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("look", "x")
    plan(lab, "http-503", "Create", times=2)
    answer = run_one("look")
    assert answer.error is None, answer.error
    assert len(answer.attempts) == 2
    assert all("503" in attempt.what for attempt in answer.attempts)


def test_too_many_shells_is_throttling(tmp_path: Path) -> None:
    from starover_lab.wire.host import Options
    from starover_lab.wire.service import Limits

    from starover.inventory import Road

    with WireLab(tmp_path, Options(limits=Limits(shells_per_user=0))) as lab:
        road = Road(scheme="http", address="127.0.0.1", port=lab.host.http.port)
        on = Server(name="EX1", fqdn="ex1.example.com", roles=("mailbox",), roads=(road,), credential="good")
        transport = PsrpTransport(Known())
        (answer,) = transport.run([Script(id="1", server=on, text="x", deadline=1.0, mutates=False)])
        transport.close()
    assert isinstance(answer.error, Throttled)
    assert "30" not in answer.error.what
    assert answer.error.after


def test_a_host_that_goes_down_during_a_write_is_unknown(lab: WireLab, run_one: RunOne) -> None:
    lab.endpoint.says("look", "x")
    run_one("look")

    def die(*_: object) -> None:
        lab.endpoint.faults = ["off"]
        raise Terminated(error("power"))

    lab.endpoint.acts["change"] = die
    answer = run_one("change", mutates=True, deadline=3.0)
    assert isinstance(answer.error, OutcomeUnknown)
    assert count(lab, "change") == 1


# -- giving back -------------------------------------------------------------------------------------------------------


def test_close_deletes_the_shell(lab: WireLab, transport: PsrpTransport, run_one: RunOne) -> None:
    lab.endpoint.says("hello", "x")
    run_one("hello")
    transport.close()
    assert lab.host.requests["Delete"] == 1
    assert not lab.host.service.shells
    assert len(lab.endpoint.executed) == 1, "no Exchange session, nothing to tidy"


def test_close_removes_the_exchange_session_first(lab: WireLab, transport: PsrpTransport, run_one: RunOne) -> None:
    lab.endpoint.says("param($ExchangeCredential)", "x")
    run_one("param($ExchangeCredential)", arguments=(("ExchangeCredential", "good"),))
    transport.close()
    assert "Remove-PSSession" in lab.endpoint.executed[-1]
    assert not lab.host.service.shells


def test_close_never_raises(lab: WireLab, transport: PsrpTransport, run_one: RunOne) -> None:
    lab.endpoint.says("hello", "x")
    run_one("hello")
    lab.set("refused")
    transport.close()
    transport.close()


def test_a_pool_is_given_back_before_the_quota(lab: WireLab, run_one: RunOne, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "RECYCLE", 3)
    lab.endpoint.says("hello", "x")
    for _ in range(7):
        assert run_one("hello").error is None
    assert len(lab.endpoint.runspaces) == 3
    assert len(lab.host.service.shells) == 1


def test_other_credentials_may_be_used_side_by_side(lab: WireLab, server: MakeServer) -> None:
    lab.endpoint.says("hello", "x")
    transport = PsrpTransport(Known(other=Credential("operator@example.com", PASSWORD)))
    batch = [
        Script(id=reference, server=server(name, reference), text="hello", deadline=20.0, mutates=False)
        for name, reference in (("EX1", "good"), ("EX2", "other"))
    ]
    assert {answer.id: answer.output for answer in transport.run(batch)} == {"good": "x", "other": "x"}
    transport.close()
    assert {runspace.principal.name for runspace in lab.endpoint.runspaces} == {USER, "operator@example.com"}


# -- ended by us -------------------------------------------------------------------------------------------------------


def test_a_script_under_way_is_ended_at_its_host_and_one_that_waits_is_not_sent(
    lab: WireLab, transport: PsrpTransport, server: MakeServer
) -> None:
    began = threading.Event()

    def act(runspace: FakeRunspace, _: object, __: object) -> None:
        began.set()
        runspace.wait(3600)

    lab.scheduler.jump = False
    lab.endpoint.acts["long"] = act
    lab.endpoint.says("next", "x")
    batch = [Script(id=text, server=server(), text=text, deadline=60.0, mutates=True) for text in ("long", "next")]
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.extend(transport.run(batch)))
    thread.start()
    assert began.wait(20)
    fates = transport.stop(["long", "next", "somebody else's"], 20)
    thread.join(20)
    assert fates == {"long": "its script there was ended", "next": "its script was not sent any more"}
    assert [runspace.stopping for runspace in lab.endpoint.runspaces] == [True]
    assert lab.endpoint.executed == ["long"]
    long, after = answers
    assert isinstance(long.error, ReplyLost), "what it had done by then is as unknown as after a lost answer"
    assert isinstance(after.error, ConnectFailed)
    assert transport.stop(["long"], 0) == {}


def test_a_host_that_does_not_hear_the_order_is_told_of(
    transport: PsrpTransport, server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, began = threading.Event(), threading.Event()

    def hang(_self: object, script: Script, _deadline: object, progress: session.Progress) -> Answer:
        progress.sent = True
        began.set()
        release.wait(30)
        return Answer(id=script.id)

    monkeypatch.setattr(session.Session, "run", hang)
    script = Script(id="1", server=server(), text="x", deadline=30.0, mutates=True)
    thread = threading.Thread(target=lambda: list(transport.run([script])))
    thread.start()
    assert began.wait(20)
    fates = transport.stop(["1"], 0.2)
    release.set()
    thread.join(20)
    assert fates == {"1": "the host did not take the order to end it: it may still run there"}
