"""On a Windows machine made ready by prepare.ps1: starover says hello to its WinRM service by two roads.

Never run yet. Exits 1 where a road does not carry a script, or carries it otherwise than the lab does.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

INVENTORY = """\
name: runner
region: eu-west-1
forest: {{name: starover.test, netbios: STAROVER}}
sites: [{{name: HERE, az: eu-west-1a}}]
subnets: [{{cidr: 127.0.0.0/8, site: HERE, az: eu-west-1a}}]
servers:
  - name: {name}
    fqdn: {name}.starover.test
    roles: [witness]
    address: 127.0.0.1
    subnet: 127.0.0.0/8
    site: HERE
    credential: env:STAROVER
    roads:
      - {{kind: psrp, scheme: http, auth: ntlm}}
      - {{kind: winrm, scheme: http, auth: ntlm}}
"""


def main() -> int:
    """Try both roads; gives the exit code."""
    Path("runner.yaml").write_text(INVENTORY.format(name=socket.gethostname()), "utf-8")
    good = True
    for road in ("psrp", "winrm"):
        command = [sys.executable, "-m", "starover_cli", "--inventory", "runner.yaml", "--transport", road]
        command += ["--format", "json", "doctor", "--no-aws", "--record", f"runner-{road}.json"]
        ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        print(ended.stdout, ended.stderr, sep="\n")
        looks = json.loads(ended.stdout)["looks"].get(road, []) if ended.stdout.startswith("{") else []
        said = {one["check"]: one["level"] for one in looks}
        print(f"{road}: {said}")
        good = good and said.get("hello") == "ok"
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
