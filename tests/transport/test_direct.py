"""Templates of one command: read back as data, sent to /PowerShell as objects, answered with objects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.complex_objects import GenericComplexObject
from pypsrp.serializer import Serializer
from wire_lab import EstateLab

from starover import envelope
from starover.content import find
from starover.errors import AuthFailed, BadInventory, BadReport, BadTemplate, ErrorRecord
from starover.inventory import Exchange, Road, Server
from starover.render import Renderer, literal
from starover.single import Command, commands
from starover.transport import Answer, Script
from starover.transport.credentials import Credential
from starover.transport.lists import Reader
from starover.transport.psrp import PsrpTransport
from starover.transport.records import json_of

NONCE = "0123456789abcdef"
OPERATION = "00000000-0000-4000-8000-000000000001"
READ = (
    "# exchange: Get-MailboxDatabase\n# single\nGet-MailboxDatabase -Status | Select-Object -Property Name, Mounted\n"
)
WRITE = "# exchange: Set-MailboxServer\n# single\nSet-MailboxServer -Identity {{ who }} -Confirm:$false\n"
SCRIPT = "# exchange: Get-MailboxDatabase\n$x = 1\n$x\n"
TEMPLATES = {"read.ps1.j2": READ, "write.ps1.j2": WRITE, "script.ps1.j2": SCRIPT}
PLAIN = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufffe\uffff"), max_size=40
)


def body(name: str, **arguments: str) -> envelope.Body:
    return Renderer(TEMPLATES).body(f"{name}.ps1.j2", arguments)


def server(provider: str, **fields: object) -> Server:
    given = {"name": "EX1", "fqdn": "EX1.example.com", "roles": ("mailbox",), "credential": "good"} | fields
    return Server(exchange=Exchange(provider=provider), **given)  # type: ignore[arg-type]


# -- reading a command back


@given(st.one_of(PLAIN, st.integers(-(2**63) + 1, 2**63 - 1), st.booleans(), st.none(), st.lists(PLAIN, max_size=4)))
def test_every_literal_is_read_back_as_what_it_was(value: str | int | bool | list[str] | None) -> None:
    (command,) = commands(f"Set-Thing -Value {literal(value)} -Confirm:$false", reads=False)
    wanted = tuple(value) if isinstance(value, list) else value
    assert command.parameters == (("Value", wanted), ("Confirm", False))


def test_switches_words_and_lists() -> None:
    found = commands("# a head\nGet-Thing -Status -ErrorAction Stop | Select-Object -Property Name, Size\n", reads=True)
    assert found == (
        Command("Get-Thing", (("Status", None), ("ErrorAction", "Stop"))),
        Command("Select-Object", (("Property", ("Name", "Size")),)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$x = 1",
        "Get-Thing\nGet-Thing",
        "Get-Thing; Get-Thing",
        "Get-Thing 'positional'",
        'Get-Thing -Name "x"',
        "Get-Thing -Name (Get-Other)",
        "Get-Thing -Name $env:X",
        "Get-Thing -Name @('x'",
        "Get-Thing -Name { 1 }",
        "Get-Thing | Where-Object -Property X",
        "Get-Thing -Name: -Other",
        "Get-Thing > file",
        "& Get-Thing",
        "Get-Thing -Name 'x'y",
    ],
)
@pytest.mark.parametrize("reads", [True, False])
def test_what_is_no_single_command_is_refused(text: str, reads: bool) -> None:
    with pytest.raises(BadTemplate, match="one command with literal parameters"):
        commands(text, reads=reads)


def test_a_reading_names_what_it_tells_and_a_write_does_not() -> None:
    with pytest.raises(BadTemplate, match="Select-Object"):
        commands("Get-Thing -Status", reads=True)
    with pytest.raises(BadTemplate, match="names only"):
        commands("Get-Thing | Select-Object -Property A -First 1", reads=True)
    with pytest.raises(BadTemplate, match="a write is one command"):
        commands("Set-Thing -A 1 | Select-Object -Property A", reads=False)


# -- composing and reading the answer


def test_direct_is_the_command_itself() -> None:
    read = envelope.reads(server("direct"), [("q1", body("read"))], NONCE)
    assert (read.way, read.text, read.arguments) == ("command", READ, ())
    write = envelope.write(server("direct"), body("write", who="EX1"), OPERATION, NONCE)
    assert (write.way, write.arguments) == ("command", ())
    assert "STAROVER" not in write.text
    assert envelope.is_direct(server("direct"), body("write", who="EX1"))


def test_under_remote_a_single_reading_gives_objects_and_a_single_write_keeps_its_receipt() -> None:
    read = envelope.reads(server("remote"), [("q1", body("read"))], NONCE)
    assert read.way == "objects"
    assert "Import-StaroverExchange" in read.text
    write = envelope.write(server("remote"), body("write", who="EX1"), OPERATION, NONCE)
    assert write.way == "script"
    assert OPERATION in write.text


def test_direct_carries_no_script_and_no_merged_readings() -> None:
    with pytest.raises(BadInventory, match="single commands") as caught:
        envelope.reads(server("direct"), [("q1", body("script"))], NONCE)
    assert any("remote" in line for line in caught.value.next)
    assert any("status and health-report" in line for line in caught.value.next)
    with pytest.raises(BadTemplate, match="by itself"):
        envelope.reads(server("remote"), [("q1", body("read")), ("q2", body("script"))], NONCE)


def test_the_answer_of_a_command() -> None:
    answer = Answer(id="1", output='{"name":"DB1"}\n{"name":"DB2"}')
    read = envelope.answered("q1", answer, write=False, host="EX1")
    assert msgspec.json.decode(read.results["q1"]) == {"objects": [{"name": "DB1"}, {"name": "DB2"}]}  # type: ignore[arg-type]
    assert envelope.answered("q1", Answer(id="1"), write=False, host="EX1").results["q1"] == b'{"objects":[]}'
    wrote = envelope.answered(OPERATION, Answer(id="1", output='{"x":1}'), write=True, host="EX1")
    assert (wrote.results[OPERATION], wrote.receipts[OPERATION].state) == (b"null", "ran")
    wrong = ErrorRecord(message="no")
    failed = envelope.answered("q1", Answer(id="1", errors=(wrong,)), write=False, host="EX1")
    assert failed.results["q1"] is wrong, "also an error that ended nothing"
    silent = envelope.answered("q1", Answer(id="1", failed=True), write=False, host="EX1").results["q1"]
    assert isinstance(silent, ErrorRecord)
    with pytest.raises(BadReport):
        envelope.answered("q1", Answer(id="1", output="no json"), write=False, host="EX1")


def test_objects_become_json_with_names_in_camel_case() -> None:
    made = GenericComplexObject()
    made.adapted_properties = {"Name": "DB1", "IPAddress": "10.0.0.1", "EdbFilePath": None}
    inner = GenericComplexObject()
    inner.to_string = "Blocked"
    twice = '<Obj RefId="1"><ToString>Unrestricted</ToString><I32>0</I32></Obj>'
    made.extended_properties = {
        "Mounted": True,
        "Count": 3,
        "Policy": inner,
        "Other": twice,
        "Names": ["a", None],
        "Odd": "<Obj is text",
        "DB": 1,
        "Span": str(timedelta(1)),
    }
    assert msgspec.json.decode(json_of(made)) == {
        "name": "DB1",
        "ipAddress": "10.0.0.1",
        "edbFilePath": None,
        "mounted": True,
        "count": 3,
        "policy": "Blocked",
        "other": "Unrestricted",
        "names": ["a", None],
        "odd": "<Obj is text",
        "db": 1,
        "span": "1 day, 0:00:00",
    }
    assert json_of("x") == '"x"'


# -- over the wire


class Operator:
    """The lab's own user under the reference `good`."""

    def __init__(self, lab: EstateLab) -> None:
        self._lab = lab

    def resolve(self, reference: str, /) -> Credential:
        if reference != "good":
            raise AuthFailed("there is no such credential")
        return Credential(self._lab.user.down_level, self._lab.user.password)

    def passwords(self) -> list[str]:
        return []


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EstateLab]:
    with EstateLab(tmp_path) as running:
        yield running


@pytest.fixture
def transport(lab: EstateLab) -> Iterator[PsrpTransport]:
    made = PsrpTransport(Operator(lab))
    yield made
    made.close()


def script(lab: EstateLab, text: str, **fields: object) -> Script:
    road = {"scheme": "http", "address": "127.0.0.1", "port": lab.host.http.port}
    roads = (Road(**road), Road(kind="exchange", **road))  # type: ignore[arg-type]
    given = {"id": "1", "deadline": 20.0, "mutates": False, "way": "command"} | fields
    return Script(server=server("direct", roads=roads), text=text, **given)  # type: ignore[arg-type]


@pytest.mark.wire
def test_a_command_runs_at_powershells_own_door(lab: EstateLab, transport: PsrpTransport) -> None:
    (answer,) = transport.run([script(lab, READ)])
    assert answer.error is None
    assert answer.road == "exchange+http"
    found = [msgspec.json.decode(line) for line in answer.output.splitlines()]
    assert {one["name"] for one in found} == {database.name for database in lab.world.state.databases}
    assert all(one["mounted"] is True for one in found)
    (change,) = transport.run(
        [script(lab, "Set-MailboxServer -Identity 'EX1' -DatabaseCopyAutoActivationPolicy 'Blocked'", mutates=True)]
    )
    assert (change.error, change.errors) == (None, ())
    shells = {shell.resource.rpartition("/")[2] for shell in lab.host.service.shells.values()}
    assert shells == {"Microsoft.Exchange"}


@pytest.mark.wire
def test_a_script_is_refused_there_and_its_session_lives_beside_the_other(
    lab: EstateLab, transport: PsrpTransport
) -> None:
    (refused,) = transport.run([script(lab, "$x = 1")])
    assert isinstance(refused.error, BadTemplate)
    assert lab.host.requests == {}
    (plain,) = transport.run([script(lab, "1 + 1", way="script")])
    assert plain.output == "2"
    (objects,) = transport.run([script(lab, "[pscustomobject]@{ A = 1 }", way="objects")])
    assert objects.output == '{"a":1}'
    (again,) = transport.run([script(lab, READ)])
    assert again.error is None
    transport.close()
    assert lab.host.service.shells == {}


@pytest.mark.wire
def test_what_a_role_does_not_have_is_an_error_of_the_command(lab: EstateLab, transport: PsrpTransport) -> None:
    (answer,) = transport.run([script(lab, "Get-Process -Name 'x' | Select-Object -Property Name")])
    assert answer.error is None
    assert answer.failed
    assert "Get-Process" in answer.errors[-1].message


def test_what_status_reads_is_single_and_the_rest_is_not_as_the_refusal_says() -> None:
    templates = find().templates
    single = {name for name, text in templates.items() if "# single" in text.splitlines()}
    assert single == {name for name in templates if name.startswith("direct/")}
    assert len(single) == 6


# -- lists that pypsrp leaves as XML


def test_a_list_of_exchange_s_own_type_is_a_list_and_its_types_are_remembered() -> None:
    types = '<TN RefId="2"><T>Microsoft.Exchange.Id</T><T>System.Object</T></TN>'
    inner = f'<LST><Obj RefId="2">{types}<ToString>EX1</ToString></Obj></LST>'
    many = '<TN RefId="1"><T>Microsoft.Exchange.Many</T><T>System.Object</T></TN>'
    after = '<Obj N="ActiveManager" RefId="3"><TNRef RefId="2" /><ToString>EX2</ToString></Obj>'
    text = f'<Obj RefId="0"><MS><Obj N="Servers" RefId="1">{many}{inner}</Obj>{after}</MS></Obj>'
    with pytest.raises(KeyError):  # pypsrp's own; when it reads this, our reader may go
        Serializer().deserialize(text)
    assert json_of(Reader().deserialize(text)) == '{"servers":["EX1"],"activeManager":"EX2"}'
