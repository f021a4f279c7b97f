"""Unmodified pywinrm against the lab's own sessions: logging on, commands, scripts, standard input, limits."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import winrm
from winrm.exceptions import InvalidCredentialsError, WSManFaultError
from wire_lab import EstateLab

pytestmark = pytest.mark.wire
Make = Callable[..., winrm.Protocol]
WAYS = [("ntlm", False, "auto"), ("ntlm", True, "auto"), ("ntlm", True, "always"), ("ssl", True, "auto")]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EstateLab]:
    with EstateLab(tmp_path) as running:
        yield running


@pytest.fixture
def protocol(lab: EstateLab) -> Iterator[Make]:
    made: list[winrm.Protocol] = []

    def make(transport: str = "ntlm", *, ssl: bool = False, **options: Any) -> winrm.Protocol:
        listener = lab.host.https if ssl else lab.host.http
        assert listener is not None
        given = {
            "endpoint": f"{'https' if ssl else 'http'}://127.0.0.1:{listener.port}/wsman",
            "transport": transport,
            "username": lab.user.down_level,
            "password": lab.user.password,
            "ca_trust_path": str(lab.ca_file),
            "read_timeout_sec": 10,
            "operation_timeout_sec": 8,
            "proxy": None,
        } | options
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.append(winrm.Protocol(**given))
        return made[-1]

    yield make
    for one in made:
        one.transport.close_session()


@pytest.fixture
def session(lab: EstateLab, protocol: Make) -> winrm.Session:
    found = winrm.Session("127.0.0.1", auth=(lab.user.down_level, lab.user.password), transport="ntlm")
    found.protocol = protocol()
    return found


@pytest.mark.parametrize(("transport", "ssl", "encryption"), WAYS)
def test_it_runs_commands_over_every_logon(
    lab: EstateLab, protocol: Make, transport: str, ssl: bool, encryption: str
) -> None:
    client = protocol(transport, ssl=ssl, message_encryption=encryption)
    shell = client.open_shell()
    command = client.run_command(shell, "hostname")
    assert client.get_command_output(shell, command) == (b"EX1\r\n", b"", 0)
    client.cleanup_command(shell, command)
    client.close_shell(shell)
    assert lab.host.service.shells == {}


@pytest.mark.parametrize(("transport", "ssl"), [("ntlm", False), ("ntlm", True), ("ssl", True)])
def test_a_wrong_password_is_refused(protocol: Make, transport: str, ssl: bool) -> None:
    client = protocol(transport, ssl=ssl, password="wrong")
    with pytest.raises(InvalidCredentialsError):
        client.open_shell()


def test_run_cmd(session: winrm.Session) -> None:
    for command, arguments, expected in [
        ("echo", ["abc"], (b"abc\r\n", b"", 0)),
        ("cmd", ["/c", "echo", "hi"], (b"hi\r\n", b"", 0)),
        ("exit", ["7"], (b"", b"", 7)),
    ]:
        found = session.run_cmd(command, arguments)
        assert (found.std_out, found.std_err, found.status_code) == expected
    unknown = session.run_cmd("frobnicate", ["-x"])
    assert unknown.status_code == 1
    assert unknown.std_err.startswith(b"'frobnicate' is not recognized as an internal or external command,")
    addresses = session.run_cmd("ipconfig")
    assert b"Windows IP Configuration" in addresses.std_out


def test_run_ps(lab: EstateLab, session: winrm.Session) -> None:
    found = session.run_ps("$x = 20; 'a' + ($x + 3); [Environment]::MachineName; Write-Host 'shown'")
    assert (found.status_code, found.std_err) == (0, b"")
    assert found.std_out == b"a23\r\nEX1\r\nshown\n"
    assert session.run_ps("$x").std_out == b"", "every script is a session of its own"
    assert [session.run_ps(f"exit {code}").status_code for code in (0, 3, 3010, -1)] == [0, 3, 3010, -1]


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("throw 'no way'", 1, "no way\nAt line:1 char:1\n+ throw 'no way'\n"),
        ("Write-Error 'odd'; 'after'", 0, "odd"),
        ("'before'; Write-Error 'odd'", 1, "odd"),
        ("Get-Nothing", 1, "Get-Nothing : The term 'Get-Nothing' is not recognized as the name of a cmdlet"),
        ("if (", 1, "IfStatementMissingCondition"),
    ],
)
def test_what_goes_wrong_in_a_script_is_told(session: winrm.Session, script: str, code: int, said: str) -> None:
    found = session.run_ps(script)
    assert found.status_code == code
    assert said in found.std_err.decode().replace(" \n", " "), "pywinrm reads the CLIXML"


def test_errors_are_clixml_with_an_encoded_command_and_text_otherwise(protocol: Make) -> None:
    client = protocol()
    shell = client.open_shell()
    encoded = base64.b64encode("Get-Foo".encode("utf-16-le")).decode()
    command = client.run_command(shell, f"powershell -NoProfile -enc {encoded}")
    raw = client.get_command_output(shell, command)[1].decode()
    assert raw.startswith(
        '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><S'
    )
    assert raw.endswith('<S S="Error"> _x000D__x000A_</S></Objs>')
    assert '<S S="Error">function, script file, or operable program. Check the spelling of the name, or _x000D' in raw
    command = client.run_command(shell, "powershell.exe", ["-Command", "Get-Foo"])
    plain = client.get_command_output(shell, command)[1].decode()
    assert plain.startswith("Get-Foo : The term 'Get-Foo' is not recognized as the name of a cmdlet, \r\n")
    assert "CLIXML" not in plain
    client.close_shell(shell)


def test_the_session_is_a_network_logon_without_exchange(session: winrm.Session) -> None:
    assert (
        session.run_ps("(Get-Command -Name Get-MailboxDatabase -ErrorAction SilentlyContinue) -eq $null").std_out
        == b"True\r\n"
    )
    hop = session.run_ps(
        "New-PSSession -ConfigurationName Microsoft.Exchange -Authentication Kerberos "
        "-ConnectionUri http://ex1.example.com/PowerShell/"
    )
    assert hop.status_code == 1
    assert b"denied" in hop.std_err.lower()


def test_a_line_may_have_8191_characters(protocol: Make) -> None:
    client = protocol()
    shell = client.open_shell()
    for length, code in ((8191, 0), (8192, 1)):
        command = client.run_command(shell, "echo " + "x" * (length - 5))
        out, err, found = client.get_command_output(shell, command)
        assert found == code
        assert (err == b"The command line is too long.\r\n") == (code == 1)
        assert len(out) == (8188 if code == 0 else 0)
    client.close_shell(shell)


def test_a_script_comes_by_standard_input(protocol: Make) -> None:
    client = protocol()
    shell = client.open_shell()
    command = client.run_command(shell, "powershell", ["-NoProfile", "-NonInteractive", "-Command", "-"])
    client.send_command_input(shell, command, "$a = 4\r\nfunction Get-Twice {\r\n  param($n)\r\n  $n * 2\r\n}\r\n\r\n")
    client.send_command_input(
        shell, command, "Get-Twice -n $a\r\nthrow 'x'\r\n'goes on'\r\nexit 5\r\n'never'\r\n", end=True
    )
    out, err, code = client.get_command_output(shell, command)
    assert (out, code) == (b"8\r\ngoes on\r\n", 5)
    assert err.startswith(b"x\r\nAt line:1 char:1\r\n+ throw 'x'")
    client.close_shell(shell)


def test_a_block_that_no_empty_line_ends_is_not_run(protocol: Make) -> None:
    client = protocol()
    shell = client.open_shell()
    command = client.run_command(shell, "powershell -")
    client.send_command_input(shell, command, "'first'\nif ($true) {\n'second'\n}\n'third'", end=True)
    assert client.get_command_output(shell, command) == (b"first\r\n", b"", 0)
    command = client.run_command(shell, "powershell -")
    client.send_command_input(shell, command, "'first'\nthrow 'x'\nfunction f\n", end=True)
    out, err, code = client.get_command_output(shell, command)
    assert (out, code) == (b"first\r\n", 1), "of the last statement that could be read"
    assert b"MissingFunctionBody" in err, "a block may not begin on the next line"
    command = client.run_command(shell, "powershell -File -")
    client.send_command_input(shell, command, "1 + 1\n", end=True)
    prompt = b"PS C:\\Users\\operator> "
    assert client.get_command_output(shell, command)[0] == prompt + b"1 + 1\n2\r\n" + prompt
    command = client.run_command(shell, "powershell", ["-Command", "$input | ForEach-Object { 'got ' + $_ }"])
    client.send_command_input(shell, command, "a\nb\n", end=True)
    # cmd.exe would take the pipe for its own
    assert b"does not simulate | on a command line" in client.get_command_output(shell, command)[1]
    command = client.run_command(shell, "powershell -Command \"$input | ForEach-Object { 'got ' + $_ }\"")
    client.send_command_input(shell, command, "a\nb\n", end=True)
    assert client.get_command_output(shell, command)[0] == b"got a\r\ngot b\r\n"
    client.close_shell(shell)


def test_a_shell_keeps_its_variables_and_codepage(protocol: Make) -> None:
    client = protocol()
    shell = client.open_shell(
        env_vars={"STAGE": "d'r & b", "Odd": "1"}, codepage=65001, working_directory="C:\\Windows"
    )
    command = client.run_command(shell, "powershell -Command \"$env:STAGE; 'über'\"")
    assert client.get_command_output(shell, command)[0] == "d'r & b\r\nüber\r\n".encode()
    command = client.run_command(shell, "set o")
    assert client.get_command_output(shell, command)[0].splitlines() == [b"Odd=1", b"OS=Windows_NT"]
    command = client.run_command(shell, "echo %odd% %nothing%")
    assert client.get_command_output(shell, command)[0] == b"1 %nothing%\r\n"
    client.close_shell(shell)


def test_large_output_comes_whole(session: winrm.Session) -> None:
    found = session.run_ps("'x' * 300000")
    assert found.std_out == b"x" * 300000 + b"\r\n"


def test_what_is_not_simulated_says_so(session: winrm.Session) -> None:
    for line in ("powershell", "cmd", "dir > x.txt", "powershell -Version 2 -Command 1", "ipconfig /all"):
        found = session.run_cmd(line)
        assert (found.status_code, found.std_out) == (1, b"")
        assert found.std_err.startswith(b"The lab does not simulate ")
    table = session.run_ps("Get-Service -Name clussvc")
    assert table.status_code == 1
    assert b"The lab refuses this script" in table.std_err


def test_a_shell_that_is_gone_is_a_fault(protocol: Make) -> None:
    client = protocol()
    shell = client.open_shell()
    client.close_shell(shell, close_session=False)
    with pytest.raises(WSManFaultError) as caught:
        client.run_command(shell, "hostname")
    assert caught.value.wsman_fault_code == 2150858843
