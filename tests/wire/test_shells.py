"""Shells by hand: resent and superseded Receives, faults, framing, and what becomes of a shell without its client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starover_lab.wire.endpoint import Emit
from starover_lab.wire.host import Options
from starover_lab.wire.service import Limits
from wire_lab import WireLab
from wire_raw import RawClient, fault_code, fault_message, messages, shown

pytestmark = pytest.mark.wire

STATE, OUTPUT, POOL_STATE = 0x00041006, 0x00041004, 0x00021005


def hold(lab: WireLab) -> None:
    """Time stands until `let_go`."""
    lab.now(lambda: setattr(lab.scheduler, "jump", False))


def let_go(lab: WireLab) -> None:
    lab.now(lambda: (setattr(lab.scheduler, "jump", True), lab.pump.kick()))


def slow(lab: WireLab, *, begun: threading.Event | None = None) -> None:
    """The script `slow` writes, waits, and writes again."""

    def act(_: object, __: object, emit: Emit) -> None:
        if begun is not None:
            begun.set()
        lab.scheduler.wait(60)
        emit("output", "late")

    lab.endpoint.acts["slow"] = act


def test_a_resent_receive_gets_the_same_answer(lab: WireLab) -> None:
    lab.endpoint.says("hello", "once")
    with RawClient(lab) as raw:
        raw.open()
        _, _, command = raw.command("hello")
        first = messages(raw.receive(command, message_id="uuid:11111111-0000-4000-8000-000000000001")[1])
        again = messages(raw.receive(command, message_id="uuid:11111111-0000-4000-8000-000000000001")[1])
    assert [one.kind for one in first] == [OUTPUT, STATE]
    assert again == first
    assert lab.endpoint.executed == ["hello"]


def test_what_was_fetched_is_not_given_to_a_new_receive(lab: WireLab) -> None:
    lab.endpoint.says("hello", "once")
    with RawClient(lab) as raw:
        raw.open()
        _, _, command = raw.command("hello")
        raw.receive(command)
        status, body = raw.receive(command, timeout="PT0.2S")
    assert (status, fault_code(body)) == (500, 2150858793)


@contextmanager
def receiving(lab: WireLab) -> Iterator[tuple[RawClient, str, threading.Thread, list[tuple[int, bytes]]]]:
    """A receive that waits for `slow`: a second client of its shell, the command, its thread, its answers."""
    slow(lab)
    hold(lab)
    with RawClient(lab) as raw, RawClient(lab) as other:
        raw.open()
        _, _, command = raw.command("slow")
        other.shell = raw.shell
        answers: list[tuple[int, bytes]] = []
        thread = threading.Thread(target=lambda: answers.append(raw.receive(command)))
        thread.start()
        lab.until(lambda: waits(lab, raw.shell, command))
        yield other, command, thread, answers


def test_a_newer_receive_takes_the_place_of_the_waiting_one(lab: WireLab) -> None:
    with receiving(lab) as (other, command, thread, answers):
        newer: list[tuple[int, bytes]] = []
        second = threading.Thread(target=lambda: newer.append(other.receive(command)))
        second.start()
        thread.join(10)
        assert [(status, fault_code(body)) for status, body in answers] == [(500, 995)]
        let_go(lab)
        second.join(10)
    assert [one.kind for one in messages(newer[0][1])] == [OUTPUT, STATE]
    assert lab.endpoint.executed == ["slow"]


def waits(lab: WireLab, shell: str, command: str) -> bool:
    outbox = lab.host.service.shells[shell].commands[command].outbox
    return outbox._waiter is not None


def test_delete_ends_waiting_receives(lab: WireLab) -> None:
    with receiving(lab) as (other, command, thread, answers):
        assert other.delete()[0] == 200
        thread.join(10)
        status, body = other.receive(command)
    assert [(one, fault_code(text)) for one, text in answers] == [(500, 995)]
    assert (status, fault_code(body)) == (500, 2150858843)
    assert other.shell in fault_message(body)
    assert lab.endpoint.runspaces[0].closed


def test_nothing_to_give_is_a_time_out_and_the_shell_goes_on(lab: WireLab) -> None:
    slow(lab)
    hold(lab)
    with RawClient(lab) as raw:
        raw.open()
        _, _, command = raw.command("slow")
        status, body = raw.receive(command, timeout="PT0.2S")
        assert (status, fault_code(body)) == (500, 2150858793)
        let_go(lab)
        assert [one.kind for one in messages(raw.receive(command)[1])] == [OUTPUT, STATE]


def test_a_vanished_shell_and_an_unknown_command_differ_in_their_text_only(lab: WireLab) -> None:
    with RawClient(lab) as raw:
        raw.open()
        no_command = raw.receive("0D9F5BD4-2D75-4C0A-9FB6-0E2A5B7E4BBA")
        raw.delete()
        no_shell = raw.receive("0D9F5BD4-2D75-4C0A-9FB6-0E2A5B7E4BBA")
    assert fault_code(no_command[1]) == fault_code(no_shell[1]) == 2150858843
    assert "command identifier that does not exist" in fault_message(no_command[1])
    assert "shell was not found" in fault_message(no_shell[1])
    assert b'Machine="ex1.example.com"' in no_shell[1]


def test_the_shells_of_an_earlier_boot_are_gone(lab: WireLab) -> None:
    with RawClient(lab) as raw:
        raw.open()
        lab.now(lambda: setattr(lab.endpoint, "boots", 1))
        with pytest.raises(ConnectionError):
            raw.receive()
    with RawClient(lab) as after:
        after.shell = raw.shell
        status, body = after.receive()
    assert (status, fault_code(body)) == (500, 2150858843)
    assert lab.endpoint.runspaces[0].closed


def test_opening_is_framed_as_windows_does_it(lab: WireLab) -> None:
    with RawClient(lab) as raw:
        opened = raw.open()
        _, _, command = raw.command("nothing of the kind")
        ended = messages(raw.receive(command)[1])
    assert [one.object_id for one in opened + ended] == [1, 2, 3, 4]
    assert [one.kind for one in opened] == [0x00010002, 0x00021009, POOL_STATE]
    assert [one.rpid for one in opened] == [bytes(16), raw.rpid, raw.rpid], "the client's bytes, whatever their order"
    assert shown(opened[2].payload) == '<Obj RefId="0"><MS><I32 N="RunspaceState">2</I32></MS></Obj>'
    assert ended[0].pid.hex().upper() == command.replace("-", "")
    assert shown(ended[0].payload).startswith('<Obj RefId="0"><MS><I32 N="PipelineState">5</I32><Obj N="ExceptionAs')


def test_the_last_answer_carries_state_and_exit_code(lab: WireLab) -> None:
    lab.endpoint.says("hello", "x")
    with RawClient(lab) as raw:
        raw.open()
        for script in ("hello", "nothing of the kind"):
            _, _, command = raw.command(script)
            body = raw.receive(command)[1].decode()
            assert f'CommandId="{command}" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/' in body
            assert "CommandState/Done" in body
            assert "<rsp:ExitCode>0</rsp:ExitCode>" in body, "also when the pipeline failed"


def test_no_answer_is_longer_than_the_client_takes(lab: WireLab) -> None:
    sizes = [20_000, 10, 10_000, 70_000, 3]
    lab.endpoint.says("texts", *("x" * size for size in sizes))
    answers, found = [], 0
    with RawClient(lab) as raw:
        raw.open()
        _, _, command = raw.command("texts")
        while not answers or b"CommandState/Done" not in answers[-1]:
            answers.append(raw.receive(command, size=32768)[1])  # type: ignore[arg-type]
            found += answers[-1].count(b"xx")
    assert max(len(one) for one in answers) <= 32768
    assert len(messages(answers[0])) == 2, "the third message waits for the next answer"


def test_a_shell_id_that_is_in_use_is_refused(lab: WireLab) -> None:
    with RawClient(lab) as raw, RawClient(lab) as other:
        raw.open()
        other.shell, other.rpid = raw.shell, raw.rpid
        with pytest.raises(AssertionError):
            other.open()
    assert len(lab.host.service.shells) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 0),
        (b"no xml", 2150858817),
        (b'<!DOCTYPE x [<!ENTITY e "boom">]><x>&e;</x>', 2150858817),
        (b"<Envelope/>", 2150858817),
    ],
)
def test_what_is_no_envelope_is_refused(lab: WireLab, body: bytes, code: int) -> None:
    with RawClient(lab) as raw:
        status, answer = raw.post(body)
    if code == 0:
        assert (status, answer) == (200, b"")
    else:
        assert (status, fault_code(answer)) == (500, code)


def test_broken_frames_and_payloads_do_not_break_the_service(lab: WireLab) -> None:
    lab.endpoint.says("hello", 1)
    with RawClient(lab) as raw:
        raw.open()
        for data in ("AAAA", "!!!!", "A" * 200):
            status, body = raw.ask("Send", f'<rsp:Send><rsp:Stream Name="stdin">{data}</rsp:Stream></rsp:Send>')
            assert (status, fault_code(body)) == (500, 2150858817)
        status, body, _ = raw.command("<broken")
        assert status in (200, 500)
        _, _, command = raw.command("hello")
        assert OUTPUT in [one.kind for one in messages(raw.receive(command)[1])]


def test_too_many_shells_of_a_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = Options(limits=Limits(shells_per_user=2))
    with WireLab(tmp_path_factory.mktemp("lab"), options) as lab, RawClient(lab) as raw:
        raw.open()
        for expected in ("ok", "too many"):
            with RawClient(lab) as other:
                if expected == "ok":
                    other.open()
                    continue
                status, body = other.ask(
                    "Create",
                    f'<rsp:Shell ShellId="{other.shell}"></rsp:Shell>',
                    shell="",
                    base="http://schemas.xmlsoap.org/ws/2004/09/transfer/",
                )
                assert (status, fault_code(body)) == (500, 2150859173)
                assert "maximum number of 2 concurrent shells" in fault_message(body)


def test_unknown_doors(lab: WireLab) -> None:
    with RawClient(lab) as raw:
        assert fault_code(raw.ask("Bow", shell="")[1]) == 2150858752
        body = "<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams></rsp:Shell>"
        other = raw.ask("Create", body, shell="", base="http://schemas.xmlsoap.org/ws/2004/09/transfer/", resource="x")
        assert fault_code(other[1]) == 2150858811
        assert fault_code(raw.ask("Receive", timeout="PT-1S")[1]) == 2150858767
