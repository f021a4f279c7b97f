"""Every script the content can make, over sample arguments: what contract tests and snapshots look at."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import starover.steps
from starover import envelope
from starover.content import Content, find
from starover.inventory import Exchange, Server
from starover.names import CopyId
from starover.render import Arg, Body
from starover.step import Query, StepKind

NONCE = "0123456789abcdef"
OPERATION = "6d2b4f4e-5d0c-5c0e-9a55-2f1d7a1c0b11"
HOSTILE = "O\u2019Brien \u201cDB\u201d $(exit) `; 'x' \u2013 {0}"
EXCHANGE = Server(
    name="EX3",
    fqdn="EX3.example.com",
    roles=("mailbox",),
    credential="env:OPERATOR",
    exchange=Exchange(version="15.2.2562.37"),
)

SAMPLES: Mapping[str, tuple[Arg, ...]] = {
    "holder": ("5f6e0ad5-8f0b-4b13-9d62-0d1c7f1f9a01/5f6e0ad5-8f0b-4b13-9d62-0d1c7f1f9a01",),
    "identity": (CopyId("DB01", "EX3"), CopyId("O\u2019Brien DB", "EX3")),
    "database": ("DB01", "O\u2019Brien DB"),
    "name": ("EX3",),
    "dag": ("DAG1",),
    "comment": ("[starover] disk swap", HOSTILE),
    "activation_only": (False, True),
    "keep_block": (False, True),
    "block_comment": (None, "lagged copy", ""),
    "override": (False, True),
    "blocks": ((), ("DB04\\EX3", "O\u2019Brien DB\\EX3")),
    "folder": ("starover 2026-11-20",),
    "until": ("2026-11-20T14:30:00Z", None),
    "comments": (("lagged", HOSTILE),),
    "protect": (2,),
    "feature": ("FS-FileServer",),
    "management": (False, True),
    "member": ("EXAMPLE\\Exchange Trusted Subsystem",),
    "groups": (("@FirewallAPI.dll,-28502", "@FirewallAPI.dll,-34251"),),
    "names": (("FPS-SMB-In-TCP", "WMI-WINMGMT-In-TCP"),),
    "address": ("FSW3.example.com",),
    "ports": ((445, 135),),
    "witness_server": ("FSW3",),
    "witness_directory": ("C:\\DAGFileShareWitnesses\\DAG1.example.com",),
    "addresses": ("255.255.255.255", ("10.0.0.101", "10.0.32.101")),
    "file_system": ("", "ReFS"),
    "server": ("EX3",),
    "directory": ("C:\\DAG\u2019s witness",),
    "mode": ("DagOnly",),
    "controller": ("DC1.example.com",),
    "databases": (("DB01", "O\u2019Brien DB"),),
    "preference": (2, None),
    "replay_lag": (timedelta(days=7), None),
    "truncation_lag": (timedelta(0), None),
    "max_delay": (timedelta(days=1), None),
    "source": ("", "EX1"),
    "thumbprint": ("A1B2C3D4E5F60718293A4B5C6D7E8F9001122334",),
    "services": ("IIS, SMTP",),
    "serial": ("1A2B3C4D5E6F",),
    "ahead": (176_400,),
    "files": ("keep", "safe-delete", "delete"),
    "what": ("all", "database"),
    "order": ((CopyId("DB01", "EX2"), CopyId("DB01", "EX4")), (CopyId("O\u2019Brien DB", "EX3"),)),
    "policy": ("Blocked",),
    "zone": ("example.com",),
    "target": ("exch-nlb-0a1b.elb.eu-west-1.amazonaws.com.",),
    "ttl": (timedelta(seconds=300),),
    "fqdn": ("mail.example.com",),
    "domain": ("example.com",),
    "away": (("10.0.0.50",),),
    "to": (("10.0.32.50", "10.0.32.51"),),
    "kind": ("CNAME",),
    "legacy": (False, True),
    "protocol": ("owa", "ecp", "ews", "activesync", "oab", "mapi"),
    "vdir": ("EX3\\owa (Default Web Site)",),
    "internal": ("https://mail.example.com/owa", None),
    "external": ("https://mail.example.com/owa",),
    "internal_ssl": (True,),
    "external_ssl": (True,),
    "external_auth": ("Negotiate",),
    "offloading": (False,),
    "uri": ("https://autodiscover.example.com/Autodiscover/Autodiscover.xml",),
    "provider": ("EXPR",),
    "principal": ("msstd:mail.example.com", None),
    "enabled": (True,),
    "component": ("ServerWideOffline",),
    "state": ("Active",),
    "requester": ("Maintenance",),
    "frequency": (timedelta(hours=1), None),
    "queue": ("EX3\\Submission",),
    "dial": ("Lossless",),
    "skip": ((), ("active-copy", "health", "lag", "client-experience", "max-active")),
    "service": ("MSExchangeIS",),
    "forest": ("example.com",),
    "manual": (True, False),
    "dag_network": ("DAG1\\ReplicationDagNetwork01",),
    "subnets": (("10.0.0.0/24", "10.0.32.0/24"),),
    "replication": (True,),
    "ignored": (False,),
    "compression": ("", "InterSubnetOnly"),
    "encryption": ("", "Enabled"),
    "port": (0, 64400),
    "adapter": ("Replication",),
    "client": (False, True),
    "file_sharing": (False, True),
    "registers": (False,),
    "dns": ((), ("10.0.0.10",)),
    "prefix": ("10.10.2.0/24",),
    "hop": ("10.10.1.1",),
    "path": ("", "OU=Clusters,DC=example,DC=com"),
    "grant": ("EXAMPLE\\Exchange Trusted Subsystem:GA",),
    "servers": (("EX3", "EX4"),),
    "site": ("AZ2", ""),
    "node": ("EX1",),
    "accept": (False, True),
    "primary": (False, True),
    "alternate": ("", "FSW2"),
    "alternate_directory": ("C:\\DAG2",),
    "connector": ("Internet",),
    "key": ("0123456789abcdef",),
    "letter": ("E",),
    "gib": (625,),
    "starts": ({"MSExchangeIS": "Automatic", "MSExchangeImap4": "Manual"},),
    "ids": (("e74e3ef9-7239-4643-aa51-b3aee969bd17", "d413936b-c975-4893-b714-c9c39fc34dca"),),
    "sources": (("EX3", "EX4"),),
    "excluded": (("DC1.example.com",), ()),
    "wipe": (False, True),
    "hold": (True, False),
    "test_file": ("C:\\DAG2-starover-write-test.txt",),
    "guid": ("8a6f9e2c-64a7-4e14-9a0e-0c5d4a6a5d11",),
    "start": ("2026-11-20T13:59:10Z",),
    "end": ("2026-11-20T15:02:00Z",),
    "unresponsive": (("EX1.example.com", "EX2.example.com"),),
}
"""Values by the name of a template's variable; the first ones make the snapshot."""


@dataclass(frozen=True)
class Made:
    """A template rendered for one choice of values."""

    template: str
    label: str
    """Names the choice, for a file."""
    arguments: Mapping[str, Arg]
    body: Body
    writes: bool

    @property
    def script(self) -> str:
        """The whole script as it is sent."""
        if self.writes:
            return envelope.write(EXCHANGE, self.body, OPERATION, NONCE, b'{"status":"Healthy"}').text
        parts = [("1", self.body), ("2", self.body)]
        return envelope.reads(EXCHANGE, parts[:1] if self.body.single else parts, NONCE).text


def content() -> Content:
    """The content of this checkout."""
    return find()


def kinds() -> list[StepKind[..., ...]]:  # type: ignore[type-arg]
    """Every step kind of the step library."""
    return [one for one in _members() if isinstance(one, StepKind)]


def queries() -> list[Query[object]]:  # type: ignore[type-var]
    """Every query of the step library."""
    return [one for one in _members() if isinstance(one, Query)]


def _members() -> Iterator[object]:
    seen: set[int] = set()
    for module in pkgutil.iter_modules(starover.steps.__path__, "starover.steps."):
        for one in vars(importlib.import_module(module.name)).values():
            if id(one) not in seen:
                seen.add(id(one))
                yield one


def made() -> list[Made]:
    """Every template in every combination of the samples."""
    scripts: list[Made] = []
    bundle = content()
    writing = {kind.apply for kind in kinds()}
    for template in sorted(bundle.templates):
        if template.rpartition("/")[2].startswith("_"):
            continue
        names = sorted(bundle.variables(template))
        for choice in itertools.product(*(range(len(SAMPLES[name])) for name in names)):
            arguments = {name: SAMPLES[name][at] for name, at in zip(names, choice, strict=True)}
            label = template.removesuffix(".ps1.j2").replace("/", ".") + "".join(f"-{at}" for at in choice)
            scripts.append(Made(template, label, arguments, bundle.body(template, arguments), template in writing))
    return scripts
