"""The same question to the same hosts by five clients: one tiny script for each host and step, every answer checked.

starover's own script carries its whole wrapper (markers, checks, the report as JSON); the others send one line.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import winrm
from places import Cost, Lab, process
from pypsrp.client import Client
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from starover import envelope
from starover.content import find
from starover.estate import Server
from starover.transport import Script
from starover.transport.credentials import Credentials
from starover.transport.psrp import PsrpTransport

NONCE = "0123456789abcdef"
LINE = "[string]$env:COMPUTERNAME"

Way = Callable[[Lab, Sequence[Server], int], None]


def _each(servers: Sequence[Server], act: Callable[[Server], None]) -> None:
    """Every host in a thread of its own."""
    with ThreadPoolExecutor(len(servers)) as threads:
        list(threads.map(act, servers))


def _starover(lab: Lab, servers: Sequence[Server], steps: int, *, merged: bool) -> None:
    transport = PsrpTransport(Credentials(folder=lab.home, lab=True))
    body = find().body("server/hello.ps1.j2", {})
    parts = steps if merged else 1
    for step in range(1 if merged else steps):
        batch = [
            Script(
                id=f"{step}-{server.name}",
                server=server,
                text=envelope.reads(server, [(str(part), body) for part in range(parts)], NONCE).text,
                deadline=60,
                mutates=False,
            )
            for server in servers
        ]
        for answer in transport.run(batch):
            assert answer.error is None, answer.error
            assert len(envelope.decode(answer.output, NONCE).results) == parts
    transport.close()


def starover(lab: Lab, servers: Sequence[Server], steps: int) -> None:
    _starover(lab, servers, steps, merged=False)


def starover_merged(lab: Lab, servers: Sequence[Server], steps: int) -> None:
    _starover(lab, servers, steps, merged=True)


def pooled(lab: Lab, servers: Sequence[Server], steps: int) -> None:
    user, password = lab.user()

    def host(server: Server) -> None:
        road = server.roads[0]
        wsman = WSMan(road.address, port=road.port, ssl=False, auth="negotiate", username=user, password=password)
        with RunspacePool(wsman) as pool:
            for _ in range(steps):
                output = PowerShell(pool).add_script(LINE).invoke()
                assert output == [server.name], output

    _each(servers, host)


def naive(lab: Lab, servers: Sequence[Server], steps: int) -> None:
    user, password = lab.user()

    def host(server: Server) -> None:
        road = server.roads[0]
        for _ in range(steps):
            client = Client(road.address, port=road.port, ssl=False, auth="negotiate", username=user, password=password)
            output, _, failed = client.execute_ps(LINE)
            assert (output, failed) == (server.name, False), output

    _each(servers, host)


def pywinrm(lab: Lab, servers: Sequence[Server], steps: int) -> None:
    user, password = lab.user()

    def host(server: Server) -> None:
        road = server.roads[0]
        session = winrm.Session(f"http://{road.address}:{road.port}/wsman", auth=(user, password), transport="ntlm")
        for _ in range(steps):
            ran = session.run_ps(LINE)
            assert ran.std_out.decode().strip() == server.name, ran.std_err

    _each(servers, host)


def ansible_playbook(lab: Lab, servers: Sequence[Server], steps: int, program: str) -> Cost:
    """`raw` in a playbook, as many forks as hosts."""
    user, password = lab.user()
    hosts = {
        server.name: {"ansible_host": server.roads[0].address, "ansible_port": server.roads[0].port}
        for server in servers
    }
    common = {
        "ansible_connection": "psrp",
        "ansible_psrp_protocol": "http",
        "ansible_psrp_auth": "negotiate",
        "ansible_user": user,
        "ansible_password": password,
    }
    folder = Path(lab.folder)
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}), "utf-8")
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"raw": LINE} for _ in range(steps)]}]
    (folder / "play.json").write_text(json.dumps(play), "utf-8")
    return process([program, "-i", "hosts.json", "-f", str(len(servers)), "play.json"], folder)


WAYS: dict[str, Way] = {
    "starover, steps merged": starover_merged,
    "starover": starover,
    "pypsrp, pooled by hand": pooled,
    "pypsrp, a client a script": naive,
    "pywinrm": pywinrm,
}


def compare(lab: Lab, servers: Sequence[Server], steps: int, *, repeats: int) -> dict[str, Cost]:
    """What each client takes for so many steps on these hosts; medians. Ansible only where it is installed."""
    found: dict[str, Cost] = {}
    for name, way in WAYS.items():
        found[name] = _median(
            [_measured(lab, lambda way=way: way(lab, servers, steps)) for _ in range(repeats + 1)][1:]
        )
    program = shutil.which("ansible-playbook")
    if program is None:
        print(
            "!! ansible-playbook is NOT on the path: it is not compared (pipx install ansible-core, with pypsrp)",
            file=sys.stderr,
        )
    else:
        runs: list[Cost] = []
        for _ in range(repeats):
            before = lab.requests()
            cost = ansible_playbook(lab, servers, steps, program)
            runs.append(Cost(cost.wall, cost.cpu, lab.requests() - before))
        found["ansible-playbook, raw"] = _median(runs)
    return found


def _measured(lab: Lab, act: Callable[[], None]) -> Cost:
    before, cpu, start = lab.requests(), time.process_time(), time.perf_counter()
    act()
    wall, spent = time.perf_counter() - start, time.process_time() - cpu
    return Cost(wall, spent, lab.requests() - before)


def _median(costs: Sequence[Cost]) -> Cost:
    return sorted(costs, key=lambda cost: cost.wall)[len(costs) // 2]
