"""The lab's sessions over the real protocol: pypsrp as it is, NTLM, message encryption, a credential as argument."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_hosts import OPEN
from pypsrp.complex_objects import PSCredential
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from starover_lab.cmdlets.sessions import Sessions
from starover_lab.server import LabServer, Ready, run
from starover_lab.world.world import World

pytestmark = pytest.mark.wire
STATUS = "Get-MailboxDatabaseCopyStatus"


class Lab:
    """A whole lab in a thread."""

    def __init__(self, folder: Path) -> None:
        self.world = World.from_topology("pa-4x2")
        self._folder = folder
        self._servers: list[LabServer] = []
        self._ready = threading.Event()
        self._clients: list[WSMan] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(20)
        self.about: dict[str, Any] = json.loads((folder / "lab.json").read_text())
        self.user: dict[str, str] = self.about["users"][0]

    def _run(self) -> None:
        def make() -> LabServer:
            self._servers.append(LabServer(self.world, Sessions(self.world), self._folder))
            return self._servers[0]

        def ready(_: Ready) -> None:
            self._loop = asyncio.get_running_loop()
            self._ready.set()

        asyncio.run(run(make, ready))

    def pool(self, host: str, *, path: str = "wsman", configuration: str = "Microsoft.PowerShell") -> RunspacePool:
        found = next(one for one in self.about["hosts"] if one["name"] == host)
        client = WSMan(
            found["address"],
            port=found["http_port"],
            path=path,
            ssl=False,
            auth="negotiate",
            username=self.user["name"],
            password=self.user["password"],
            no_proxy=True,
        )
        self._clients.append(client)
        return RunspacePool(client, configuration_name=configuration)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._loop.call_soon_threadsafe(self._servers[0].down)
        self._thread.join(10)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab") / "lab")
    yield running
    running.close()


def ids(shell: PowerShell) -> list[str]:
    return [str(error.fq_error) for error in shell.streams.error]


def test_a_pool_opens_an_exchange_session_with_a_credential_as_argument(lab: Lab) -> None:
    with lab.pool("EX2") as pool:
        naive = PowerShell(pool)
        naive.add_script(f"{STATUS} -Identity 'DB01'")
        assert list(naive.invoke()) == []
        assert ids(naive) == ["CommandNotFoundException"]
        pool.exchange_keys()
        opening = PowerShell(pool)
        opening.add_script(
            OPEN.format("EX2.example.com")
            + f"; $m = Import-PSSession -Session $s -CommandName '{STATUS}' -DisableNameChecking -AllowClobber; "
            "Import-Module -ModuleInfo $m -Global",
            use_local_scope=True,
        )
        opening.add_argument(PSCredential(username=lab.user["name"], password=lab.user["password"]))
        opening.invoke()
        assert ids(opening) == []
        again = PowerShell(pool)
        again.add_script(
            f"[string]({STATUS} -Identity 'DB01\\EX3').Status; @(Get-PSSession).Count", use_local_scope=True
        )
        assert list(again.invoke()) == ["Healthy", 1]
    assert not [event for event in lab.world.events if event.kind == "secret_in_script"]


def test_direct_gives_objects_and_refuses_scripts(lab: Lab) -> None:
    with lab.pool("EX1", path="PowerShell", configuration="Microsoft.Exchange") as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet(STATUS).add_parameter("Identity", "DB01\\EX3")
        (found,) = shell.invoke()
        assert found.types[0].endswith(".DatabaseCopyStatusEntry")
        assert str(found.adapted_properties["Status"]) == "Healthy"
        assert "bytes)" in str(found.adapted_properties["DiskFreeSpace"])
        script = PowerShell(pool)
        script.add_script(STATUS)
        script.invoke()
        assert ids(script) == ["ScriptsNotAllowed"]
        unknown = PowerShell(pool)
        unknown.add_cmdlet("Get-MailboxDatabase").add_parameter("Identity", "DB09")
        unknown.invoke()
        assert "ManagementObjectNotFoundException" in ids(unknown)[0]
        assert not unknown.had_errors


def test_a_task_of_the_host_outlives_the_session_that_started_it(lab: Lab) -> None:
    folder = "C:\\ProgramData\\DagRunbook"
    start = (
        f"New-Item -ItemType Directory -Force -Path '{folder}' | Out-Null; Set-Content -Encoding UTF8 -LiteralPath "
        f"'{folder}\\w.ps1' -Value 'Start-Sleep -Seconds 900; Set-Content -LiteralPath {folder}\\done.txt -Value yes'; "
        f"$a = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument '-File {folder}\\w.ps1'; "
        "$p = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount; "
        "Register-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'T' -Action $a -Principal $p | Out-Null; "
        "Start-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'T'"
    )
    with lab.pool("EX2") as pool:
        shell = PowerShell(pool)
        shell.add_script(start)
        shell.invoke()
        assert not shell.had_errors
    state = f"[string](Get-ScheduledTask -TaskName 'T').State; Test-Path -LiteralPath '{folder}\\done.txt'"
    with lab.pool("EX2") as pool:
        seen: list[list[object]] = []
        for wait in ("1", "Start-Sleep -Seconds 900"):
            shell = PowerShell(pool)
            shell.add_script(wait + " | Out-Null; " + state)
            seen.append(shell.invoke())
        assert seen == [["Running", False], ["Ready", True]]
