"""Lines that fail, and a client that goes on afterwards: resets, cut answers, silent and refused hosts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from starover_lab.wire.endpoint import Emit
from starover_lab.wire.plans import KINDS, Accident, Plans
from wire_lab import WireLab
from wire_raw import RawClient, messages

pytestmark = pytest.mark.wire
MakeClient = Callable[..., WSMan]


def plan(lab: WireLab, accident: Accident) -> None:
    lab.now(lambda: lab.host.plans.add(accident))


def reset_transport(pool: RunspacePool) -> None:
    """The cure for a connection that broke under message encryption (facts/winrm.md e)."""
    transport = pool.connection.transport
    transport.close()
    transport.session = None
    transport.encryption = None


def resume(shell: PowerShell) -> list[object]:
    """Ask for the output of a command whose answer was lost."""
    shell._command_id = shell.id
    shell.state = PSInvocationState.RUNNING
    return list(shell.end_invoke())


@pytest.mark.parametrize("ssl", [False, True])
def test_a_command_whose_answer_was_lost_runs_once(lab: WireLab, client: MakeClient, ssl: bool) -> None:
    lab.endpoint.says("hello", "x")
    with RunspacePool(client("negotiate", ssl=ssl)) as pool:
        plan(lab, Accident("reset-after", "Command"))
        shell = PowerShell(pool).add_script("hello")
        with pytest.raises(requests.exceptions.ConnectionError):
            shell.begin_invoke()
        reset_transport(pool)
        assert resume(shell) == ["x"]
    assert lab.endpoint.executed == ["hello"]


def test_a_command_that_never_arrived_is_known_not_to_run(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    with RunspacePool(client()) as pool:
        plan(lab, Accident("reset-before", "Command"))
        shell = PowerShell(pool).add_script("hello")
        with pytest.raises(requests.exceptions.ConnectionError):
            shell.begin_invoke()
        reset_transport(pool)
        with pytest.raises(WSManFaultError, match="command identifier that does not exist") as caught:
            resume(shell)
        assert caught.value.code == 2150858843
    assert lab.endpoint.executed == []


@pytest.mark.parametrize(("mode", "ran"), [("drops-before", 0), ("drops-after", 1)])
def test_a_line_that_drops_every_script(lab: WireLab, client: MakeClient, mode: str, ran: int) -> None:
    """The fault `winrm_drop`: the pool opens, and what is sent in it has run or not."""
    lab.endpoint.says("hello", "x")
    with RunspacePool(client()) as pool:
        lab.set(mode)
        with pytest.raises(requests.exceptions.ConnectionError):
            PowerShell(pool).add_script("hello").begin_invoke()
        lab.set()
        reset_transport(pool)
    lab.until(lambda: len(lab.endpoint.executed) == ran)


def test_a_cut_answer_is_seen_as_cut(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x" * 1000)
    with RunspacePool(client("basic", ssl=True)) as pool:
        plan(lab, Accident("half", "Receive"))
        shell = PowerShell(pool).add_script("hello")
        shell.begin_invoke()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            shell.end_invoke()
    assert lab.endpoint.executed == ["hello"]


def test_output_outlives_a_line_that_broke_while_it_was_waited_for(lab: WireLab) -> None:
    def slow(_: object, __: object, emit: Emit) -> None:
        lab.scheduler.wait(60)
        emit("output", "late")

    lab.endpoint.acts["slow"] = slow
    lab.now(lambda: setattr(lab.scheduler, "jump", False))
    with RawClient(lab) as raw, RawClient(lab) as later:
        raw.open()
        _, _, command = raw.command("slow")
        raw.begin_receive(command)
        outbox = lab.host.service.shells[raw.shell].commands[command].outbox
        lab.until(lambda: outbox._waiter is not None)
        raw.hang_up()
        lab.until(lambda: outbox._waiter is None)
        lab.now(lambda: (setattr(lab.scheduler, "jump", True), lab.pump.kick()))
        later.shell = raw.shell
        assert len(messages(later.receive(command)[1])) == 2
    assert lab.endpoint.executed == ["slow"]


@pytest.mark.parametrize("status", [400, 500, 503])
def test_http_errors_can_be_planned(lab: WireLab, client: MakeClient, status: int) -> None:
    kind = next(one for one in KINDS if one == f"http-{status}")
    with RunspacePool(client("basic", ssl=True)) as pool:
        plan(lab, Accident(kind, "Command"))
        with pytest.raises(WinRMTransportError) as caught:
            PowerShell(pool).add_script("hello").begin_invoke()
        assert caught.value.code == status
        lab.endpoint.says("hello", "x")
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]


def test_an_answer_can_stay_away(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    with RunspacePool(client(read_timeout=1)) as pool:
        plan(lab, Accident("silent-after", "Command"))
        shell = PowerShell(pool).add_script("hello")
        with pytest.raises(requests.exceptions.ReadTimeout):
            shell.begin_invoke()
        reset_transport(pool)
        assert resume(shell) == ["x"]
    assert lab.endpoint.executed == ["hello"]


def test_a_401_in_the_middle_is_seen_and_the_logon_goes_on(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    with RunspacePool(client("basic", ssl=True)) as pool:
        plan(lab, Accident("http-401", "Command"))
        with pytest.raises(AuthenticationError):
            PowerShell(pool).add_script("hello").begin_invoke()
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]
    assert lab.endpoint.executed == ["hello"]


@pytest.mark.parametrize("action", ["Create", "Command"])
def test_a_quota_is_a_fault_and_nothing_is_done(lab: WireLab, client: MakeClient, action: str) -> None:
    lab.endpoint.says("hello", "x")
    plan(lab, Accident("quota", action))
    pool = RunspacePool(client())
    if action == "Create":
        with pytest.raises(WSManFaultError, match="concurrent operations") as caught:
            pool.open()
        assert lab.endpoint.runspaces == []
    else:
        pool.open()
        with pytest.raises(WSManFaultError, match="concurrent operations") as caught:
            PowerShell(pool).add_script("hello").begin_invoke()
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]
        pool.close()
    assert caught.value.code == 2150859174


def test_a_request_can_be_swallowed(lab: WireLab, client: MakeClient) -> None:
    with RunspacePool(client(read_timeout=1)) as pool:
        plan(lab, Accident("silent-before", "Command", skip=1))
        lab.endpoint.says("hello", "x")
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]
        shell = PowerShell(pool).add_script("hello")
        with pytest.raises(requests.exceptions.ReadTimeout):
            shell.begin_invoke()
        reset_transport(pool)
        with pytest.raises(WSManFaultError, match="command identifier that does not exist"):
            resume(shell)
    assert lab.endpoint.executed == ["hello"]


def test_plans_count_what_they_match() -> None:
    plans = Plans()
    plans.add(Accident("half", "Receive", skip=1, times=2))
    plans.add(Accident("http-503"))
    struck = [plans.strike(action) for action in ("Command", "Receive", "Receive", "receive", "Receive")]
    assert struck == ["http-503", None, "half", "half", None]


def test_a_refused_host_refuses_the_connection_and_comes_back_on_its_port(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    lab.set("refused")
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        RunspacePool(client()).open()
    lab.set()
    with RunspacePool(client()) as pool:
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]


@pytest.mark.parametrize("ssl", [False, True])
@pytest.mark.parametrize("mode", ["silent", "off"])
def test_a_silent_host_takes_the_connection_and_answers_nothing(
    lab: WireLab, client: MakeClient, ssl: bool, mode: str
) -> None:
    lab.set(mode)
    lab.now(lambda: lab.scheduler.expect(1))
    with pytest.raises((requests.exceptions.ReadTimeout, requests.exceptions.ConnectTimeout)):
        RunspacePool(client(ssl=ssl, read_timeout=1, connection_timeout=1)).open()
    assert lab.now(lambda: lab.scheduler.missing) == 0, "the clock must not wait for what will not come"


def test_a_host_that_goes_down_takes_its_connections_along(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    pool = RunspacePool(client(read_timeout=1))
    pool.open()
    lab.set("off")
    with pytest.raises(requests.exceptions.ReadTimeout):
        PowerShell(pool).add_script("hello").begin_invoke()
    lab.set()
    lab.now(lambda: setattr(lab.endpoint, "boots", 1))
    reset_transport(pool)
    with pytest.raises(WSManFaultError, match="shell was not found"):
        PowerShell(pool).add_script("hello").begin_invoke()
    assert lab.endpoint.executed == []


def test_a_slow_host_answers_after_all(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    lab.set("slow")
    with RunspacePool(client("basic", ssl=True)) as pool:
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]


def test_a_client_that_speaks_the_wrong_protocol_gets_no_traceback(lab: WireLab) -> None:
    port = lab.host.http.port
    assert requests.get(f"http://127.0.0.1:{port}/wsman", timeout=5).status_code == 405
    assert requests.post(f"http://127.0.0.1:{port}/elsewhere", timeout=5).status_code == 404
    answer = requests.post(f"http://127.0.0.1:{port}/wsman", data=b"x", timeout=5)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Negotiate"
    with pytest.raises(requests.exceptions.SSLError):
        requests.post(f"https://127.0.0.1:{port}/wsman", timeout=5, verify=str(lab.ca_file))
