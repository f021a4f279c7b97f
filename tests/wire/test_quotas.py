"""What a service refuses a user, and what becomes of shells whose client stays away, leaves or is taken over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool, RunspacePoolState
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan
from starover_lab.wire.endpoint import Emit, Write
from starover_lab.wire.host import Options
from starover_lab.wire.service import Limits
from wire_lab import WireLab
from wire_raw import RawClient, fault_code

pytestmark = pytest.mark.wire
MakeClient = Callable[..., WSMan]


def limit(lab: WireLab, **limits: int) -> None:
    lab.now(lambda: lab.host.configure(Options(limits=replace(Limits(), **limits))))


def pass_time(lab: WireLab, **span: float) -> None:
    lab.now(lambda: lab.scheduler.advance_to(lab.scheduler.now + timedelta(**span)))


def slow(lab: WireLab) -> None:
    """The script and the program `slow` wait an hour; time stands."""

    def script(_: object, __: object, emit: Emit) -> None:
        lab.scheduler.wait(3600)
        emit("output", "late")

    def program(given: str, write: Write, /) -> int:
        lab.scheduler.wait(3600)
        return 0

    lab.endpoint.acts["slow"] = script
    lab.endpoint.programs["slow"] = program
    lab.now(lambda: setattr(lab.scheduler, "jump", False))


def let_go(lab: WireLab) -> None:
    lab.now(lambda: (setattr(lab.scheduler, "jump", True), lab.pump.kick()))


# -- quotas


def test_commands_that_were_not_signalled_away_count(lab: WireLab, client: MakeClient) -> None:
    """pypsrp's issue 148, with a smaller quota."""
    limit(lab, commands_per_shell=3)
    lab.endpoint.says("hello", "x")
    with RunspacePool(client()) as pool:
        kept = []
        for _ in range(3):
            kept.append(PowerShell(pool).add_script("hello"))
            assert kept[-1].invoke() == ["x"]
        with pytest.raises(WSManFaultError, match="maximum number of concurrent commands per shell") as caught:
            PowerShell(pool).add_script("hello").invoke()
        assert caught.value.code == 2150859241
        kept[0].close()
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]
    assert len(lab.endpoint.executed) == 4


def test_only_so_many_programs_of_a_shell_run_at_once(lab: WireLab, client: MakeClient) -> None:
    limit(lab, processes_per_shell=2)
    slow(lab)
    with WinRS(client()) as shell:
        running = [Process(shell, "slow") for _ in range(2)]
        for one in running:
            one.begin_invoke()
        with pytest.raises(WSManFaultError, match="Not enough quota"):
            Process(shell, "slow").begin_invoke()
        running[0].signal(SignalCode.CTRL_C)
        running[0].end_invoke()
        Process(shell, "slow").begin_invoke()


def test_commands_of_a_command_shell_count_until_it_is_closed(lab: WireLab, client: MakeClient) -> None:
    """MS-WSMV, note 118: a signal takes nothing back."""
    limit(lab, operations_per_user=6)
    lab.endpoint.program = lambda given, write: 0
    with WinRS(client()) as shell:
        for _ in range(5):
            process = Process(shell, "x")
            process.invoke()
            process.signal(SignalCode.TERMINATE)
        Process(shell, "x").begin_invoke()
        with pytest.raises(WSManFaultError, match="maximum number of 6 concurrent operations") as caught:
            Process(shell, "x").begin_invoke()
        assert caught.value.code == 2150859174
    with WinRS(client()) as shell:
        Process(shell, "x").invoke()


def test_the_configuration_tells_the_quotas(lab: WireLab, client: MakeClient) -> None:
    limit(lab, operations_per_user=77, shells_per_user=5)
    told = client().get("http://schemas.microsoft.com/wbem/wsman/1/config")
    values = {one.tag.rpartition("}")[2]: one.text for one in told.iter()}
    assert (values["MaxConcurrentOperationsPerUser"], values["MaxShellsPerUser"]) == ("77", "5")


# -- idle shells


def test_an_idle_shell_is_disconnected_and_then_removed(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    pool = RunspacePool(client(), idle_timeout=60)
    pool.open()
    pass_time(lab, seconds=50)
    assert PowerShell(pool).add_script("hello").invoke() == ["x"]
    pass_time(lab, seconds=50)
    assert pool.is_alive()
    pass_time(lab, seconds=12)
    state = pool.shell._get_shell()
    assert (state["State"], state["ShellInactivity"]) == ("Disconnected", "P0DT0H1M2S")
    with pytest.raises(WSManFaultError) as caught:
        PowerShell(pool).add_script("hello").invoke()
    assert caught.value.code == 2150859204
    assert not lab.endpoint.runspaces[0].closed
    pass_time(lab, seconds=60)
    with pytest.raises(WSManFaultError, match="shell was not found") as caught:
        PowerShell(pool).add_script("hello").invoke()
    assert caught.value.code == 2150858843
    assert lab.endpoint.runspaces[0].closed


def test_a_shell_whose_client_comes_back_in_time_lives_on(lab: WireLab, client: MakeClient) -> None:
    lab.endpoint.says("hello", "x")
    with RunspacePool(client(), idle_timeout=60) as pool:
        pass_time(lab, seconds=100)
        pool.connection.reconnect(pool.shell.resource_uri, selector_set=pool.shell._selector_set)
        assert PowerShell(pool).add_script("hello").invoke() == ["x"]


def test_a_shell_in_which_something_runs_is_not_idle(lab: WireLab, client: MakeClient) -> None:
    slow(lab)
    with RunspacePool(client(), idle_timeout=60) as pool:
        running = PowerShell(pool).add_script("slow")
        running.begin_invoke()
        pass_time(lab, minutes=30)
        assert pool.shell._get_shell()["State"] == "Connected"
        pass_time(lab, minutes=31)
        assert list(running.end_invoke()) == ["late"]


@pytest.mark.parametrize("seconds", [1, 59, 2147484 + 1])
def test_an_idle_time_has_bounds(client: MakeClient, seconds: int) -> None:
    with pytest.raises(WSManFaultError, match="idle timeout is outside") as caught:
        RunspacePool(client(), idle_timeout=seconds).open()
    assert caught.value.code == 2150859250


# -- leaving and taking over


def test_a_receive_that_waits_is_told_of_the_disconnection(lab: WireLab, client: MakeClient) -> None:
    slow(lab)
    with RawClient(lab) as raw, RawClient(lab) as other:
        raw.open()
        _, _, command = raw.command("slow")
        other.shell = raw.shell
        answers: list[tuple[int, bytes]] = []
        thread = threading.Thread(target=lambda: answers.append(raw.receive(command)))
        thread.start()
        outbox = lab.host.service.shells[raw.shell].commands[command].outbox
        lab.until(lambda: outbox.awaited)
        assert (
            other.ask("Disconnect", "<rsp:Disconnect><rsp:IdleTimeOut>PT120S</rsp:IdleTimeOut></rsp:Disconnect>")[0]
            == 200
        )
        thread.join(10)
        assert [(status, fault_code(body)) for status, body in answers] == [(500, 2150859230)]
        assert fault_code(other.receive(command)[1]) == 2150859204
        assert fault_code(other.command("slow")[1]) == 2150859204
        assert other.ask("Reconnect")[0] == 200
        let_go(lab)
        assert other.receive(command)[0] == 200
        assert lab.host.service.shells[raw.shell].idle_timeout == 120


def test_a_shell_that_its_client_left_is_removed_after_its_idle_time(lab: WireLab, client: MakeClient) -> None:
    pool = RunspacePool(client(), idle_timeout=60)
    pool.open()
    pool.disconnect()
    pass_time(lab, seconds=59)
    pool.connect()
    pool.disconnect()
    pass_time(lab, seconds=61)
    with pytest.raises(WSManFaultError, match="shell was not found"):
        pool.connect()


def test_a_pool_is_taken_over_with_what_runs_in_it(lab: WireLab, client: MakeClient) -> None:
    slow(lab)
    first = RunspacePool(client())
    first.open()
    running = PowerShell(first).add_script("slow")
    running.begin_invoke()
    (taken,) = RunspacePool.get_runspace_pools(client())
    with pytest.raises(WSManFaultError, match="connected to a different client") as caught:
        taken.connect()
    assert caught.value.code == 2150859213
    first.disconnect()
    (pool,) = RunspacePool.get_runspace_pools(client())
    assert pool.state == RunspacePoolState.DISCONNECTED
    pool.connect()
    (found,) = pool.create_disconnected_power_shells()
    found.connect_async()
    let_go(lab)
    assert list(found.end_invoke()) == ["late"]
    pool.close()
    assert lab.endpoint.executed == ["slow"]
    assert lab.host.service.shells == {}
