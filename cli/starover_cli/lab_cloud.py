"""A lab's part in calls: where its AWS answers boto3, and looks at what it has on loopback; knows no service."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from starover.transport.probe import Probes
from starover_cli.lab_client import Lab, gone

__all__ = ["lab_aws", "lab_probes"]

_FORGOTTEN = (
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
"""Variables that would lead boto3 to a real account."""


class _Port(msgspec.Struct):
    address: str
    port: int
    at: int


PATIENCE = 2.0
"""Real seconds for a look at something in a lab: whoever answers there does so at once."""


def lab_probes(folder: Path) -> Probes:
    """Looks over the network of a lab: addresses of its estate are ports of loopback, and its own time passes.

    Raises `LabGone` when there is no lab, with the first look.
    """

    def place(address: str, port: int) -> tuple[str, int]:
        known = msgspec.convert(Lab.at(folder).about.get("ports", []), list[_Port])
        found = next((one for one in known if (one.address, one.port) == (address, port)), None)
        if found is None:
            raise LookupError(address)
        return "127.0.0.1", found.at

    def told(seconds: float) -> None:
        Lab.at(folder).hold("probed", {"seconds": seconds}, 60)

    return Probes(place, patience=PATIENCE, told=told)


class _Aws(msgspec.Struct):
    url: str
    region: str


def lab_aws(folder: Path) -> Callable[[], None]:
    """What makes boto3 in this process call a lab's AWS, and nobody else's, by its own variables.

    Raises `LabGone`, when it is called, where there is no lab.
    """

    def ready() -> None:
        about = Lab.at(folder).about.get("aws")
        if about is None:
            raise gone(f"the lab of {folder.as_posix()} was started by an older version: it has no AWS.")
        aws = msgspec.convert(about, _Aws)
        for name in [*_FORGOTTEN, *(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL_"))]:
            os.environ.pop(name, None)
        loopback = ("127.0.0.1", "localhost")
        around = [one for one in os.environ.get("NO_PROXY", "").split(",") if one and one not in loopback]
        os.environ |= {
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": "lab",
            "AWS_DEFAULT_REGION": aws.region,
            "AWS_REGION": aws.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": ",".join((*around, *loopback)),
        }

    return ready
