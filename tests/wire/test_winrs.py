"""Command shells by pypsrp and by hand: streams, standard input, interrupts, ends, and what is refused."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable

import pytest
from pypsrp.exceptions import WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan
from starover_lab.powershell.errors import Stopped
from starover_lab.wire.endpoint import Write
from wire_lab import WireLab
from wire_raw import TRANSFER, RawClient, fault_code

pytestmark = pytest.mark.wire
MakeClient = Callable[..., WSMan]
CMD = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
INTERRUPTED = -1073741510


def slow(lab: WireLab) -> threading.Event:
    """The program `slow` says so, waits an hour, and says so again; time stands."""
    begun = threading.Event()

    def program(given: str, write: Write, /) -> int:
        write("stdout", "begun")
        begun.set()
        lab.scheduler.wait(3600)
        if lab.endpoint.command_shells[-1].processes[-1].stopped:
            raise Stopped
        write("stdout", "late")
        return 0

    lab.endpoint.programs["slow"] = program
    lab.now(lambda: setattr(lab.scheduler, "jump", False))
    return begun


class Commands(RawClient):
    """A command shell by hand."""

    def open_shell(self) -> None:
        streams = "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
        body = f"<rsp:Shell>{streams}</rsp:Shell>"
        status, answer = self.ask("Create", body, shell="", base=TRANSFER, resource=CMD)
        assert status == 200
        self.shell = re.findall(rb"<rsp:ShellId>([^<]+)<", answer)[0].decode()

    def run(self, line: str) -> str:
        status, answer = self.ask(
            "Command", f"<rsp:CommandLine><rsp:Command>{line}</rsp:Command></rsp:CommandLine>", resource=CMD
        )
        assert status == 200, answer
        return re.findall(rb"<rsp:CommandId>([^<]+)<", answer)[0].decode()

    def fetch(self, command: str, **options: object) -> tuple[int, bytes]:
        body = f'<rsp:Receive><rsp:DesiredStream CommandId="{command}">stdout stderr</rsp:DesiredStream></rsp:Receive>'
        return self.ask("Receive", body, resource=CMD, **options)  # type: ignore[arg-type]


def test_what_a_program_writes_comes_in_its_order_and_once(lab: WireLab) -> None:
    def program(given: str, write: Write, /) -> int:
        for stream, text in [("stdout", "a"), ("stderr", "b"), ("stdout", "c\r\n")]:
            write(stream, text)  # type: ignore[arg-type]
        return 42

    lab.endpoint.programs["talk"] = program
    with Commands(lab) as raw:
        raw.open_shell()
        command = raw.run("talk")
        resent = "uuid:11111111-0000-4000-8000-000000000001"
        status, answer = raw.fetch(command, message_id=resent)
        assert raw.fetch(command, message_id=resent)[1].partition(b"<s:Body>")[2] == answer.partition(b"<s:Body>")[2]
        streams = re.findall(rb'Name="(\w+)" CommandId="[^"]+"(?: End="(true)")?>([^<]*)<', answer)
        assert [(name, end, base64.b64decode(text)) for name, end, text in streams] == [
            (b"stdout", b"", b"a"),
            (b"stderr", b"", b"b"),
            (b"stdout", b"", b"c\r\n"),
            (b"stdout", b"true", b""),
            (b"stderr", b"true", b""),
        ]
        assert b"<rsp:ExitCode>42</rsp:ExitCode>" in answer
        status, after = raw.fetch(command)
        assert (status, fault_code(after)) == (500, 2150858843)
        terminate = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/Terminate"
        body = f'<rsp:Signal CommandId="{command}"><rsp:Code>{terminate}</rsp:Code></rsp:Signal>'
        assert raw.ask("Signal", body, resource=CMD)[0] == 200
    assert lab.endpoint.executed == ["talk"]


def test_much_output_is_cut_to_what_the_client_takes(lab: WireLab) -> None:
    def program(given: str, write: Write, /) -> int:
        write("stdout", "x" * 100_000)
        return 0

    lab.endpoint.programs["much"] = program
    got, answers = b"", 0
    with Commands(lab) as raw:
        raw.open_shell()
        command = raw.run("much")
        while True:
            _, answer = raw.fetch(command, size=32768)
            answers += 1
            assert len(answer) <= 32768
            for text in re.findall(rb'Name="stdout" CommandId="[^"]+">([^<]*)<', answer):
                got += base64.b64decode(text)
            if b"CommandState/Done" in answer:
                break
            assert b"CommandState/Running" in answer
    assert got == b"x" * 100_000
    assert answers > 3


def test_a_program_is_interrupted(lab: WireLab, client: MakeClient) -> None:
    begun = slow(lab)
    with WinRS(client()) as shell:
        process = Process(shell, "slow")
        process.begin_invoke()
        process.poll_invoke()
        assert (process.stdout, process.rc) == (b"begun", None)
        assert begun.is_set()
        process.signal(SignalCode.CTRL_C)
        process.end_invoke()
        assert (process.stdout, process.rc) == (b"begun", INTERRUPTED)
        process.signal(SignalCode.CTRL_C)
    assert lab.endpoint.command_shells[0].closed


def test_input_is_given_whole_when_it_ends(lab: WireLab, client: MakeClient) -> None:
    def program(given: str, write: Write, /) -> int:
        write("stdout", given.upper())
        return 0

    lab.endpoint.programs["sort /r"] = program
    lab.endpoint.readers.add("sort /r")
    with WinRS(client(), codepage=65001) as shell:
        process = Process(shell, "sort", ["/r"])
        process.begin_invoke()
        process.send("straße ".encode()[:5], end=False)
        assert lab.endpoint.executed == []
        process.send("straße ".encode()[5:], end=True)
        process.end_invoke()
        assert process.stdout.decode() == "STRASSE "
        waiting = Process(shell, "sort", ["/r"])
        waiting.begin_invoke()
        waiting.signal(SignalCode.CTRL_C)
        waiting.end_invoke()
        assert waiting.rc == INTERRUPTED
    assert lab.endpoint.executed == ["sort /r"]


def test_options_reach_the_shell_and_stand_in_its_description(lab: WireLab, client: MakeClient) -> None:
    options = {"STAGE": 'a<b>&"c"'}
    with WinRS(client(), environment=options, working_directory="C:\\Windows", idle_time_out=60) as shell:
        opened = lab.endpoint.command_shells[0]
        assert opened.options.environment == (("STAGE", 'a<b>&"c"'),)
        assert opened.options.working_directory == "C:\\Windows"
        assert (shell.idle_time_out, shell.resource_uri) == ("PT60.000S", CMD)
        described = shell._get_shell()
        assert described["ShellId"] == shell.id
        assert described["WorkingDirectory"] == "C:\\Windows"


def test_running_commands_are_listed_with_their_line(lab: WireLab) -> None:
    slow(lab)
    with Commands(lab) as raw:
        raw.open_shell()
        command = raw.run("slow")
        resource = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Command"
        base = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/"
        _, answer = raw.ask("Enumerate", "<x/>", shell="", resource=resource, base=base)
        assert f"<rsp:CommandId>{command}</rsp:CommandId><rsp:CommandLine>slow</rsp:CommandLine>".encode() in answer
        assert raw.ask("Delete", base=TRANSFER, resource=CMD)[0] == 200
        _, answer = raw.ask("Enumerate", "<x/>", shell="", resource=resource, base=base)
        assert b"CommandId" not in answer
    assert lab.endpoint.command_shells[0].processes[0].stopped


def test_no_command_shell_behind_powershells_own_door(lab: WireLab, client: MakeClient) -> None:
    with pytest.raises(WSManFaultError) as caught:
        WinRS(client(path="powershell")).open()
    assert caught.value.code == 2150858811


def test_a_failing_program_is_an_answer(lab: WireLab, client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    def program(given: str, write: Write, /) -> int:
        raise ZeroDivisionError

    lab.endpoint.programs["boom"] = program
    with WinRS(client()) as shell:
        process = Process(shell, "boom")
        process.invoke()
    assert process.rc == 1
    assert process.stderr == b"The lab failed: ZeroDivisionError\r\n"
    assert "a command ended" in caplog.text
