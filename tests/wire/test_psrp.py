"""An unmodified pypsrp against the wire: logons, pools, pipelines, streams, errors, parameters."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from pypsrp.complex_objects import GenericComplexObject, PSCredential
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.host import PSHost
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from starover_lab.powershell import values as v
from starover_lab.powershell.errors import Terminated
from starover_lab.wire.endpoint import Emit
from wire_lab import WireLab, error

pytestmark = pytest.mark.wire
MakeClient = Callable[..., WSMan]

LOGONS = [
    ("ntlm", False),
    ("negotiate", False),
    ("ntlm", True),
    ("negotiate", True),
    ("basic", True),
]


def run(pool: RunspacePool, text: str, *arguments: object, **parameters: object) -> PowerShell:
    shell = PowerShell(pool)
    shell.add_script(text)
    for argument in arguments:
        shell.add_argument(argument)
    shell.add_parameters(parameters)
    shell.invoke()
    return shell


@pytest.mark.parametrize(("auth", "ssl"), LOGONS)
def test_every_logon_runs_a_script(lab: WireLab, client: MakeClient, auth: str, ssl: bool) -> None:
    lab.endpoint.says("hello", "Grüße 𐐷\r\n_x000A_ <&>\"'")
    with RunspacePool(client(auth, ssl=ssl)) as pool:
        assert run(pool, "hello").output == ["Grüße 𐐷\r\n_x000A_ <&>\"'"]
    assert lab.endpoint.runspaces[0].closed
    assert lab.endpoint.runspaces[0].principal.name == "EXAMPLE\\operator"
    assert lab.endpoint.runspaces[0].principal.logon == "network"


def test_message_encryption_can_be_asked_for_on_https(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", 1)
    with RunspacePool(client("ntlm", ssl=True, encryption="always")) as pool:
        assert run(pool, "hello").output == [1]


@pytest.mark.parametrize(("auth", "ssl"), LOGONS)
def test_a_wrong_password_is_refused(client: MakeClient, auth: str, ssl: bool) -> None:
    pool = RunspacePool(client(auth, ssl=ssl, password="wrong"))
    with pytest.raises(AuthenticationError):
        pool.open()


@pytest.mark.parametrize("user", ["EXAMPLE\\nobody", "nobody", "OTHER\\operator"])
def test_an_unknown_user_is_refused(client: MakeClient, user: str) -> None:
    with pytest.raises(AuthenticationError):
        RunspacePool(client("ntlm", username=user)).open()


@pytest.mark.parametrize("user", ["example\\OPERATOR", "operator", "operator@example.com"])
def test_a_user_has_several_spellings(lab: WireLab, client: MakeClient, user: str) -> None:
    lab.endpoint.says("hello", 1)
    with RunspacePool(client("negotiate", username=user)) as pool:
        assert run(pool, "hello").output == [1]


def test_basic_is_not_taken_without_tls(client: MakeClient) -> None:
    with pytest.raises(AuthenticationError):
        RunspacePool(client("basic", encryption="never")).open()


def test_plain_bodies_are_not_taken_without_tls(lab: WireLab, client: MakeClient) -> None:
    with pytest.raises(Exception, match="500"):
        RunspacePool(client("ntlm", encryption="never")).open()
    assert lab.endpoint.runspaces == []


def test_output_keeps_its_types(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says(
        "types",
        1,
        v.Long(2**40),
        2.5,
        True,
        None,
        "",
        v.Byte(7),
        v.UInt32(2**32 - 1),
        v.Guid("e24c68e5-2dfd-4a82-8d6d-a36ddca272c4"),
        v.PSArray([v.Byte(1), v.Byte(255)], "System.Byte[]"),
        v.PSArray([1, "two", None]),
    )
    with RunspacePool(client()) as pool:
        assert run(pool, "types").output == [
            1,
            2**40,
            2.5,
            True,
            None,
            "",
            7,
            2**32 - 1,
            uuid.UUID("e24c68e5-2dfd-4a82-8d6d-a36ddca272c4"),
            b"\x01\xff",
            [1, "two", None],
        ]


def test_objects_come_with_members_types_and_text(lab: WireLab, client: MakeClient) -> None:
    product = v.PSObject(type_names=["Microsoft.Exchange.Data.Thing", "System.Object"], text="EX1\\DB1")
    product.properties["NAME"] = v.Property("Name", "EX1", "Property")
    product.properties["STATUS"] = v.Property("Status", v.PSEnum("A.B.Status", "Mounted", 3), "Property")
    product.set("PSComputerName", "ex1.example.com")
    lab.endpoint.says("objects", v.custom_object([("Name", "x"), ("Inner", v.custom_object([("Deep", 1)]))]), product)
    with RunspacePool(client()) as pool:
        custom, thing = run(pool, "objects").output
    assert isinstance(custom, GenericComplexObject)
    assert custom.to_string is None
    assert custom.extended_properties["Name"] == "x"
    assert custom.extended_properties["Inner"].extended_properties == {"Deep": 1}
    assert custom.types == ["System.Management.Automation.PSCustomObject", "System.Object"]
    assert str(thing) == "EX1\\DB1"
    assert thing.adapted_properties == {"Name": "EX1", "Status": "Mounted"}, "enums of a product object are text"
    assert thing.extended_properties == {"PSComputerName": "ex1.example.com"}


def test_an_enum_is_number_and_text(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("enum", v.PSEnum("System.DayOfWeek", "Friday", 5))
    with RunspacePool(client()) as pool:
        (friday,) = run(pool, "enum").output
    assert str(friday) == "Friday"
    assert friday.types[:2] == ["System.DayOfWeek", "System.Enum"]
    assert "<I32>5</I32>" in friday._xml


def test_streams_arrive_apart_and_in_order(lab: WireLab, client: MakeClient) -> None:
    def act(_: object, __: object, emit: Callable[[str, v.Value], None]) -> None:
        emit("verbose", "v1")
        emit("output", 1)
        emit("warning", "w1")
        emit("error", error("not so good", error_id="NotSoGood,Made"))
        emit("debug", "d1")
        emit("output", 2)
        emit("warning", "w2")
        emit("information", v.custom_object([("MessageData", "i1"), ("Tags", v.PSArray(["PSHOST"]))]))
        emit("progress", v.custom_object([("Activity", "Seeding"), ("PercentComplete", 40)]))

    lab.endpoint.acts["streams"] = act  # type: ignore[assignment]
    with RunspacePool(client()) as pool:
        shell = run(pool, "streams")
    assert shell.output == [1, 2]
    assert [str(one) for one in shell.streams.warning] == ["w1", "w2"]
    assert [str(one) for one in shell.streams.verbose] == ["v1"]
    assert [str(one) for one in shell.streams.debug] == ["d1"]
    assert [str(one) for one in shell.streams.error] == ["not so good"]
    record = shell.streams.error[0]
    assert record.fq_error == "NotSoGood,Made"
    assert record.category == 7
    assert record.message == "InvalidOperation: (:) [], RuntimeException"
    assert str(record.exception).startswith("System.Management.Automation.RuntimeException: not so good")
    assert shell.streams.information[0].message_data == "i1"
    assert list(shell.streams.information[0].tags) == ["PSHOST"]
    assert shell.streams.progress[0].percent_complete == 40
    assert not shell.had_errors, "a non-terminating error does not fail a pipeline"


def test_a_terminating_error_comes_with_the_state_only(lab: WireLab, client: MakeClient) -> None:
    def act(_: object, __: object, emit: Callable[[str, v.Value], None]) -> None:
        emit("output", "before")
        raise Terminated(error("it broke", error_id="it broke", category="OperationStopped"))

    lab.endpoint.acts["boom"] = act  # type: ignore[assignment]
    with RunspacePool(client()) as pool:
        shell = run(pool, "boom")
    assert shell.had_errors
    assert shell.output == ["before"]
    assert [str(one) for one in shell.streams.error] == ["it broke"]
    assert shell.streams.error[0].fq_error == "it broke"


def test_a_million_characters_come_whole(lab: WireLab, client: MakeClient) -> None:
    long = "".join(chr(0x20 + i % 90) for i in range(1_000_003))
    lab.endpoint.says("long", long, "after")
    with RunspacePool(client("ntlm")) as pool:
        assert run(pool, "long").output == [long, "after"]


def test_thousands_of_objects_come_in_order(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("many", *range(5000))
    with RunspacePool(client("basic", ssl=True)) as pool:
        assert run(pool, "many").output == list(range(5000))


def test_parameters_of_commands_reach_the_runspace(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("Get-Thing", "ok")
    with RunspacePool(client()) as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Get-Thing").add_parameter("Name", "x").add_parameter("Switch", True)
        shell.add_parameters({"Numbers": [1, 2], "Table": {"a": 1}}).add_argument("positional")
        shell.add_statement().add_script("second", use_local_scope=True)
        shell.invoke()
    first, second = lab.endpoint.runspaces[0].ran[0].commands
    assert (first.text, first.is_script, first.end_of_statement) == ("Get-Thing", False, True)
    named = dict(first.parameters)
    assert (named["Name"], named["Switch"]) == ("x", True)
    assert isinstance(named["Numbers"], v.PSList)
    assert named["Numbers"].items == [1, 2]
    assert isinstance(named["Table"], v.PSHashtable)
    assert named["Table"].get("A") == 1
    assert first.parameters[-1] == (None, "positional")
    assert (second.text, second.is_script, second.use_local_scope) == ("second", True, True)


def test_secrets_travel_under_the_session_key(lab: WireLab, client: MakeClient) -> None:
    def act(_: object, pipeline: object, emit: Callable[[str, v.Value], None]) -> None:
        emit("output", v.PSCredential("EXAMPLE\\svc", v.SecureString("back ünd 𐐷")))

    lab.endpoint.acts["param($c)"] = act  # type: ignore[assignment]
    with RunspacePool(client()) as pool:
        pool.exchange_keys()
        credential = PSCredential(username="EXAMPLE\\admin", password="p@ss wörd")
        shell = run(pool, "param($c)", c=credential)
    ((name, given),) = lab.endpoint.runspaces[0].ran[0].commands[0].parameters
    assert name == "c"
    assert isinstance(given, v.PSCredential)
    assert (given.user_name, given.password.secret) == ("EXAMPLE\\admin", "p@ss wörd")
    assert shell.output[0].username == "EXAMPLE\\svc"
    assert shell.output[0].password == "back ünd 𐐷"


def test_pipeline_input_arrives_whole(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.acts["$input"] = lambda _, pipeline, emit: [emit("output", one) for one in pipeline.input]  # type: ignore[assignment,return-value]
    with RunspacePool(client()) as pool:
        shell = PowerShell(pool).add_script("$input")
        shell.invoke(input=["a", 2, None])
        assert shell.output == ["a", 2, None]


def test_two_pipelines_of_a_pool_run_one_after_the_other(lab: WireLab, client: MakeClient) -> None:
    story: list[str] = []

    def slow(runspace: object, _: object, emit: Callable[[str, v.Value], None]) -> None:
        story.append("slow begins")
        lab.scheduler.wait(30)
        story.append("slow ends")
        emit("output", "slow")

    def quick(_: object, __: object, emit: Callable[[str, v.Value], None]) -> None:
        story.append("quick")
        emit("output", "quick")

    lab.endpoint.acts |= {"slow": slow, "quick": quick}  # type: ignore[dict-item]
    lab.now(lambda: setattr(lab.scheduler, "jump", False))
    with RunspacePool(client()) as pool:
        first, second = PowerShell(pool).add_script("slow"), PowerShell(pool).add_script("quick")
        first.begin_invoke()
        second.begin_invoke()
        lab.now(lambda: (setattr(lab.scheduler, "jump", True), lab.pump.kick()))
        assert first.end_invoke() == ["slow"]
        assert second.end_invoke() == ["quick"]
    assert story == ["slow begins", "slow ends", "quick"]


def test_one_pool_serves_many_scripts_in_two_requests_each(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", 1)
    with RunspacePool(client()) as pool:
        run(pool, "hello")
        before = sum(lab.host.requests.values())
        for _ in range(5):
            assert run(pool, "hello").output == [1]
        assert sum(lab.host.requests.values()) - before == 10
        assert lab.host.requests["Create"] == 1
    assert [pipeline.invocation for pipeline in lab.endpoint.runspaces[0].ran] == [1, 2, 3, 4, 5, 6]


def test_a_stopped_pipeline_is_told_so(lab: WireLab, client: MakeClient) -> None:
    lab.now(lambda: setattr(lab.scheduler, "jump", False))
    lab.endpoint.acts["for ever"] = lambda runspace, _, __: runspace.wait(1e9)
    with RunspacePool(client()) as pool:
        shell = PowerShell(pool).add_script("for ever")
        shell.begin_invoke()
        shell.stop()
        lab.endpoint.says("hello", 1)
        assert run(pool, "hello").output == [1]


def test_runspace_counts_can_be_asked_and_set(lab: WireLab, client: MakeClient) -> None:
    with RunspacePool(client(), max_runspaces=2) as pool:
        assert pool.get_available_runspaces() == 2
        pool.max_runspaces = 3
        assert pool.get_available_runspaces() == 3
        pool.min_runspaces = 2
        assert pool.min_runspaces == 2
        pool.reset_runspace_state()
        lab.endpoint.says("hello", 1)
        assert run(pool, "hello").output == [1]
    assert len(lab.endpoint.runspaces) == 2, "a reset pool has a new session"
    assert all(one.closed for one in lab.endpoint.runspaces)


def test_a_pool_can_be_left_and_taken_over(lab: WireLab, client: MakeClient) -> None:
    lab.now(lambda: setattr(lab.scheduler, "jump", False))

    def slow(runspace: object, _: object, emit: Callable[[str, v.Value], None]) -> None:
        emit("output", "before")
        lab.scheduler.wait(60)
        emit("output", "after")

    lab.endpoint.acts["slow"] = slow  # type: ignore[assignment]
    mine = RunspacePool(client())
    mine.open()
    PowerShell(mine).add_script("slow").begin_invoke()
    mine.disconnect()
    (found,) = RunspacePool.get_runspace_pools(client())
    found.connect()
    (left,) = found.create_disconnected_power_shells()
    left.connect_async()
    lab.now(lambda: (setattr(lab.scheduler, "jump", True), lab.pump.kick()))
    assert left.end_invoke() == ["before", "after"]
    found.close()
    assert lab.endpoint.executed == ["slow"]


def test_exchange_has_a_door_of_its_own(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("Get-Mailbox", 1)
    with RunspacePool(client(path="PowerShell"), configuration_name="Microsoft.Exchange") as pool:
        assert PowerShell(pool).add_cmdlet("Get-Mailbox").invoke() == [1]
    assert lab.endpoint.runspaces[0].configuration == "Microsoft.Exchange"


def test_a_refused_session_is_a_fault_with_its_code(lab: WireLab, client: MakeClient) -> None:
    from starover_lab.wire.endpoint import EndpointRefused

    lab.endpoint.refusal = EndpointRefused(5, "Access is denied. ")
    with pytest.raises(WSManFaultError, match="Access is denied") as caught:
        RunspacePool(client()).open()
    assert caught.value.code == 5


def test_a_user_may_not_touch_the_shell_of_another(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.users["EXAMPLE\\other"] = "other-password"
    with RunspacePool(client()) as pool:
        other = client(username="EXAMPLE\\other", password="other-password")
        from pypsrp.shell import SignalCode  # noqa: F401
        from pypsrp.wsman import SelectorSet

        selectors = SelectorSet()
        selectors.add_option("ShellId", str(pool.id).upper())
        with pytest.raises(WSManFaultError) as caught:
            other.delete(pool.shell.resource_uri, selector_set=selectors)
        assert caught.value.code == 5


def test_the_code_of_exit_goes_to_a_client_that_has_a_host(lab: WireLab, client: MakeClient) -> None:
    class ExitHost(PSHost):
        code: int | None = None

        def SetShouldExit(self, runspace: object, pipeline: object, code: int) -> None:  # noqa: N802 - pypsrp's name
            self.code = code

    def leaves(_: object, __: object, emit: Emit) -> int:
        emit("output", "bye")
        return 3

    lab.endpoint.acts["exit 3"] = leaves
    host = ExitHost(None, None, False, None, None, None, "1.0")
    with RunspacePool(client(), host=host) as pool:
        shell = run(pool, "exit 3")
    assert shell.output == ["bye"]
    assert host.code == 3
    assert not shell.had_errors
