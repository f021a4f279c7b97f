"""A stranger's boto3 script against a lab as it is started for people: only the environment tells it where AWS is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab_cli import lab

SCRIPT = Path(__file__).parent.parent / "data" / "aws" / "stranger.py"


@pytest.mark.wire
def test_a_strangers_script(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2", "--speed", "200") as place:
        about = json.loads((tmp_path / ".starover" / "lab" / "lab.json").read_text("utf-8"))["aws"]
        own = {
            "AWS_ENDPOINT_URL": about["url"],
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "thing",
            "AWS_DEFAULT_REGION": about["region"],
            "NO_PROXY": "127.0.0.1",
        }
        ended = subprocess.run(
            [sys.executable, str(SCRIPT)],
            env={key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | own,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout) == {
            "account": "123456789012",
            "exchange": ["EX1", "EX2", "EX3", "EX4"],
            "online": 9,
            "secret": "operator",
            "parameter": "DAG1",
            "store": "Running",
            "objects": 4,
            "health": "healthy",
            "answer": ["192.0.2.1"],
            "refused": "InvalidInstanceID.NotFound",
        }
        calls = place.control("calls")["calls"]
        assert {one["by"] for one in calls if one["service"] in ("s3", "sts", "secretsmanager")} == {"moto"}
        assert {one["by"] for one in calls if one["service"] == "ec2"} == {"lab"}
