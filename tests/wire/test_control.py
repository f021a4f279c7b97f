"""The lab's process from outside: its files, its hosts on the line, its control door and its clock."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dns.message
import dns.query
import pytest
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from starover_lab import __main__ as command
from starover_lab.server import LabServer, Ready, refuse_second, run
from starover_lab.wire.endpoint import Emit, Pipeline, Principal
from starover_lab.world.world import World

from starover import inventory
from starover.errors import Mistake
from starover.transport.credentials import Credentials

pytestmark = pytest.mark.wire


class Echo:
    """Waits as many simulated seconds as the script says, then says where and when it is."""

    def __init__(self, world: World, host: str) -> None:
        self.world = world
        self.host = host

    def invoke(self, pipeline: Pipeline, emit: Emit, /) -> None:
        self.world.scheduler.wait(float(pipeline.commands[0].text))
        emit("output", f"{self.host} {self.world.now:%H:%M:%S}")

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Endpoint:
    def __init__(self, world: World) -> None:
        self.world = world

    def authenticate(self, host: str, user: str, /) -> str | None:
        account = self.world.account(user)
        return None if account is None else account.password

    def open(self, host: str, configuration: str, principal: Principal, /) -> Echo:
        return Echo(self.world, host)

    def boot(self, host: str, /) -> int:
        return int(self.world.server(host).boot_time.timestamp())

    def modes(self, host: str, /) -> Sequence[str]:
        return self.world.listener(host)


class Door:
    """The control door, one connection each."""

    def __init__(self, folder: Path) -> None:
        self.about: dict[str, Any] = json.loads((folder / "lab.json").read_text())
        self.token: str = self.about["control"]["token"]
        parts = urlsplit(self.about["control"]["url"])
        self.line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        self.line.request(method, path, data, {"Authorization": f"Bearer {self.token}"})
        answer = self.line.getresponse()
        return answer.status, json.loads(answer.read())

    def now(self) -> datetime:
        return datetime.fromisoformat(self.ask("GET", "/v1/clock")[1]["now"])


class Process:
    """A lab server in a thread."""

    def __init__(self, folder: Path, topology: str) -> None:
        self.folder = folder
        self.doors: list[Door] = []
        self.clients: list[WSMan] = []
        self.ready = threading.Event()
        self.topology = topology
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(20)

    def _run(self) -> None:
        def make() -> LabServer:
            world = World.from_topology(self.topology)
            return LabServer(world, Endpoint(world), self.folder)

        def ready(_: Ready) -> None:
            self.ready.set()

        asyncio.run(run(make, ready))

    def door(self) -> Door:
        self.doors.append(Door(self.folder))
        return self.doors[-1]

    def end(self) -> None:
        for client in self.clients:
            client.close()
        if self.thread.is_alive():
            self.door().ask("POST", "/v1/down")
        self.thread.join(10)
        for door in self.doors:
            door.line.close()
        assert not self.thread.is_alive()

    def pool(self, host: str, **options: Any) -> RunspacePool:
        about = json.loads((self.folder / "lab.json").read_text())
        found = next(one for one in about["hosts"] if one["name"] == host)
        user = about["users"][0]
        given = {
            "port": found["http_port"],
            "username": user["name"],
            "password": user["password"],
            "ssl": False,
            "auth": "negotiate",
            "no_proxy": True,
            "read_timeout": 10,
            "operation_timeout": 8,
            "reconnection_retries": 0,
        } | options
        self.clients.append(WSMan(found["address"], **given))
        return RunspacePool(self.clients[-1])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path / "lab", "pa-4x2")
    yield running
    running.end()


def test_the_files_lead_a_client_to_the_name_servers(lab: Process) -> None:
    found = lab.door().about["dns"]
    assert {one["name"] for one in found} == {"DC1", "DC2", "DC3"}
    question = dns.message.make_query("ex1.example.com", "A")
    for one in found:
        assert dns.query.udp(question, one["address"], port=one["port"], timeout=5).answer
    lab.end()
    with pytest.raises(ConnectionRefusedError):
        dns.query.tcp(question, found[0]["address"], port=found[0]["port"], timeout=5)


def test_the_files_lead_a_client_to_the_hosts(lab: Process) -> None:
    estate = inventory.load(lab.folder / "inventory.yaml")
    assert estate.lab
    assert stat.S_IMODE((lab.folder / "lab.json").stat().st_mode) == 0o600
    secrets = [user["password"] for user in lab.door().about["users"]]
    assert secrets
    assert not any(secret in (lab.folder / "inventory.yaml").read_text() for secret in secrets)
    credentials = Credentials(folder=lab.folder, lab=True)
    for server in estate.servers[:3]:
        assert [road.scheme for road in server.roads] == ["http", "https"]
        credential = credentials.resolve(server.credential)
        for road in server.roads:
            host, port = road.endpoint(server)
            client = WSMan(
                host,
                port=port,
                username=credential.user,
                password=credential.password,
                ssl=road.scheme == "https",
                auth=road.auth,
                cert_validation=road.ca_file or True,
                no_proxy=True,
            )
            lab.clients.append(client)
            with RunspacePool(client) as pool:
                (said,) = PowerShell(pool).add_script("0").invoke()
                assert said.startswith(server.name)


def test_the_certificates_name_the_hosts(lab: Process) -> None:
    import socket
    import ssl

    context = ssl.create_default_context(cafile=str(lab.folder / "ca.pem"))
    for host in lab.door().about["hosts"]:
        for name in (host["fqdn"], "localhost", "127.0.0.1"):
            with (
                socket.create_connection((host["address"], host["https_port"]), 5) as line,
                context.wrap_socket(line, server_hostname=name),
            ):
                pass
    with (
        socket.create_connection((host["address"], host["https_port"]), 5) as line,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(line, server_hostname="elsewhere.example.com")


def test_a_wrong_password_is_refused(lab: Process) -> None:
    with pytest.raises(AuthenticationError):
        lab.pool("EX1", password="wrong").open()


def test_scripts_that_were_announced_run_side_by_side_in_simulated_time(lab: Process) -> None:
    door = lab.door()
    began = door.now()
    assert door.ask("POST", "/v1/clock/expect", {"scripts": 3})[0] == 200
    pools = [lab.pool(name) for name in ("EX1", "EX2", "EX3")]
    shells = []
    for pool, seconds in zip(pools, ("150", "30", "150"), strict=True):
        pool.open()
        assert door.now() == began, "the clock stands until the batch is there"
        shells.append(PowerShell(pool).add_script(seconds))
        shells[-1].begin_invoke()
    for shell in shells:
        shell.end_invoke()
    assert door.now() == began + timedelta(seconds=150)
    for pool in pools:
        pool.close()


def test_an_announcement_dies_with_its_client(lab: Process) -> None:
    door = lab.door()
    door.ask("POST", "/v1/clock/expect", {"scripts": 5})
    door.line.close()
    with lab.pool("EX1") as pool:
        assert PowerShell(pool).add_script("60").invoke()
    assert lab.door().ask("GET", "/v1/clock")[1]["standsFor"] == ""


def test_one_of_two_clients_that_goes_away_owing_a_word_holds_nobody(lab: Process) -> None:
    going, staying = lab.door(), lab.door()
    for door in (going, staying):
        door.ask("POST", "/v1/clock/expect", {"scripts": 1, "answers": True})
    began = staying.now()
    with lab.pool("EX1") as quick, lab.pool("EX2") as slow:
        shell = PowerShell(slow).add_script("60")
        shell.begin_invoke()
        assert PowerShell(quick).add_script("0").invoke()
        assert "has not said" in staying.ask("GET", "/v1/clock")[1]["standsFor"]
        going.line.close()
        shell.end_invoke()
    assert staying.now() == began + timedelta(seconds=60)


def test_a_wait_ends_when_the_simulated_time_is_there(lab: Process) -> None:
    door = lab.door()
    until = door.now() + timedelta(hours=6)
    status, said = door.ask("POST", "/v1/clock/wait", {"until": until.isoformat()})
    assert status == 200
    assert datetime.fromisoformat(said["now"]) == until


def test_a_wait_whose_client_has_gone_holds_nobody(lab: Process) -> None:
    door, other = lab.door(), lab.door()
    other.ask("POST", "/v1/clock/expect", {"scripts": 1})
    until = door.now() + timedelta(hours=6)
    body = json.dumps({"until": until.isoformat()})
    door.line.request("POST", "/v1/clock/wait", body, {"Authorization": f"Bearer {door.token}"})
    door.line.close()
    before = other.now()
    other.ask("POST", "/v1/clock/withdraw", {})
    assert other.ask("GET", "/v1/status")[1]["inFlight"] == 0
    assert other.now() in (before, until)


def test_the_clock_is_moved_by_hand_and_never_back(lab: Process) -> None:
    door = lab.door()
    began = door.now()
    status, said = door.ask("POST", "/v1/clock/advance", {"seconds": 90})
    assert (status, said["reached"], door.now()) == (200, True, began + timedelta(seconds=90))
    status, said = door.ask("POST", "/v1/clock/advance", {"until": began.isoformat()})
    assert status == 400
    assert said["error"]["what"] == "time does not go back"


def test_the_world_is_told_that_files_were_kept_safe(lab: Process) -> None:
    door = lab.door()
    told = {"server": "EX2", "how": "copy-aside", "database": "DB01"}
    assert door.ask("POST", "/v1/preserved", told)[0] == 200
    _, said = door.ask("GET", "/v1/events?kind=preserved")
    assert [(one["subject"], one["data"]) for one in said["events"]] == [("DB01\\EX2", {"how": "copy-aside"})]
    assert door.ask("POST", "/v1/preserved", {"server": "EX9", "how": "snapshot"})[0] == 400


def test_a_host_is_broken_and_mended(lab: Process) -> None:
    door = lab.door()
    status, said = door.ask("POST", "/v1/break", {"kind": "winrm_refused", "target": "EX2"})
    assert status == 200, said
    number = said["number"]
    lines = {one["name"]: one["line"] for one in door.ask("GET", "/v1/status")[1]["hosts"]}
    assert (lines["EX1"], lines["EX2"]) == ("up", "refused")
    with pytest.raises(Exception, match="refused"):
        lab.pool("EX2").open()
    assert door.ask("POST", "/v1/mend", {"number": number})[1]["numbers"] == [number]
    with lab.pool("EX2") as pool:
        assert PowerShell(pool).add_script("0").invoke()
    kinds = [one["kind"] for one in door.ask("GET", "/v1/events?after=1")[1]["events"]]
    assert "mended" in kinds
    assert door.ask("GET", "/v1/faults")[1] == {"faults": []}
    assert door.ask("GET", "/v1/violations")[1] == {"violations": []}


def test_accidents_are_planned_over_the_door(lab: Process) -> None:
    door = lab.door()
    assert door.ask("POST", "/v1/accidents", {"host": "ex1", "kind": "http-503", "action": "Create"})[0] == 200
    with pytest.raises(Exception, match="503"):
        lab.pool("EX1").open()
    door.ask("POST", "/v1/accidents", {"host": "EX1", "kind": "http-503"})
    door.ask("POST", "/v1/accidents/clear", {"host": "EX1"})
    with lab.pool("EX1") as pool:
        assert PowerShell(pool).add_script("0").invoke()
    assert door.ask("GET", "/v1/requests")[1]["requests"]["EX1"]["Create"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/nowhere", None, 404),
        ("POST", "/v1/status", {}, 404),
        ("POST", "/v1/break", {"kind": "nonsense"}, 400),
        ("POST", "/v1/break", {"type": "x"}, 400),
        ("POST", "/v1/clock/expect", {"scripts": "many"}, 400),
        ("POST", "/v1/clock/expect", {"scripts": -1}, 400),
        ("POST", "/v1/clock/speed", {"speed": -1}, 400),
        ("POST", "/v1/accidents", {"host": "nobody", "kind": "half"}, 400),
        ("POST", "/v1/accidents", {"host": "EX1", "kind": "flood"}, 400),
    ],
)
def test_wrong_requests_get_an_answer_with_words(
    lab: Process, method: str, path: str, body: object, status: int
) -> None:
    found, said = lab.door().ask(method, path, body)
    assert found == status
    assert said["error"]["what"]


def test_the_door_is_closed_without_the_token(lab: Process) -> None:
    door = lab.door()
    for token in ("", "x", door.token[:-1]):
        door.token = token
        assert door.ask("GET", "/v1/status")[0] == 401
    assert door.ask("POST", "/v1/down")[0] == 401


def test_state_is_the_world_as_data(lab: Process) -> None:
    status, said = lab.door().ask("GET", "/v1/state")
    assert status == 200
    assert "EX1" in json.dumps(said["state"])


def test_the_clock_runs_by_itself_for_those_who_announce_nothing(lab: Process) -> None:
    door = lab.door()
    began = door.now()
    door.ask("POST", "/v1/clock/speed", {"speed": 1000})
    for _ in range(200):
        if door.now() > began:
            break
        threading.Event().wait(0.02)
    assert door.now() > began
    door.ask("POST", "/v1/clock/speed", {"speed": 0})


def test_a_lab_that_went_down_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    running = Process(folder, "aws-2az")
    with pytest.raises(Mistake, match="is up in"):
        refuse_second(folder)
    running.end()
    assert list(folder.iterdir()) == []
    refuse_second(folder)


def test_the_remains_of_a_lab_that_died_are_swept_away(tmp_path: Path) -> None:
    dead = {"name": "old", "pid": os.getpid(), "control": {"url": "http://127.0.0.1:9", "token": "x"}}
    (tmp_path / "lab.json").write_text(json.dumps(dead))
    refuse_second(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_topology_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["up", "no-such-estate", "--dir", str(tmp_path / "lab")]) == 2
    said = capsys.readouterr().err
    assert "no-such-estate" in said
    assert "Traceback" not in said


def test_a_refused_host_holds_the_others_of_its_batch_for_a_moment_only(lab: Process) -> None:
    door = lab.door()
    door.ask("POST", "/v1/break", {"kind": "winrm_refused", "target": "EX2"})
    door.ask("POST", "/v1/clock/expect", {"scripts": 2})
    with pytest.raises(Exception, match="refused"):
        lab.pool("EX2").open()
    with lab.pool("EX1") as pool:
        assert PowerShell(pool).add_script("30").invoke()


def test_a_wrong_password_holds_nobody(lab: Process) -> None:
    door = lab.door()
    door.ask("POST", "/v1/clock/expect", {"scripts": 2})
    with pytest.raises(AuthenticationError):
        lab.pool("EX2", password="wrong").open()
    assert "1 announced" in door.ask("GET", "/v1/clock")[1]["standsFor"]
    with lab.pool("EX1") as pool:
        assert PowerShell(pool).add_script("30").invoke()


def test_a_host_that_goes_off_takes_its_scripts_along(lab: Process) -> None:
    door = lab.door()
    began = door.now()
    door.ask("POST", "/v1/clock/expect", {"scripts": 2})
    pool = lab.pool("EX1", read_timeout=1)
    pool.open()
    PowerShell(pool).add_script("600").begin_invoke()
    door.ask("POST", "/v1/clock/expect", {"scripts": 1})
    status, said = door.ask("POST", "/v1/break", {"kind": "host_off", "target": "EX1"})
    assert status == 200, said
    door.ask("POST", "/v1/clock/dismiss", {})
    assert door.ask("GET", "/v1/status")[1]["inFlight"] == 0
    assert door.now() == began
    with pytest.raises(Exception, match="timed out"):
        PowerShell(pool).add_script("0").begin_invoke()


def test_the_winrm_service_is_configured_while_it_runs(lab: Process) -> None:
    door = lab.door()
    before = door.ask("GET", "/v1/winrm")[1]["winrm"]
    assert before["EX1"]["shellsPerUser"] == 30
    assert before["EX1"]["allowUnencrypted"] is False
    with pytest.raises(AuthenticationError):
        lab.pool("EX1", auth="basic", encryption="never").open()
    status, after = door.ask("POST", "/v1/winrm", {"host": "ex1", "allowUnencrypted": True, "shellsPerUser": 1})
    assert status == 200
    assert after["winrm"]["EX2"] == before["EX2"]
    with lab.pool("EX1", auth="basic", encryption="never") as pool:
        assert len(PowerShell(pool).add_script("0").invoke()) == 1
        with pytest.raises(WSManFaultError, match="maximum number of 1 concurrent shells"):
            lab.pool("EX1").open()
    assert door.ask("POST", "/v1/winrm", {"shellsPerUser": -1})[0] == 400
    assert door.ask("POST", "/v1/winrm", {"host": "nobody"})[0] == 400
    assert door.ask("POST", "/v1/winrm", {"requestSeconds": 0.001, "shellSeconds": 0.001})[0] == 200
    with lab.pool("EX2") as pool:
        assert len(PowerShell(pool).add_script("0").invoke()) == 1
