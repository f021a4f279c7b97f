"""Every template of the content, and every script made of it: parses, keeps to the subset, names its cmdlets."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from starover_lab.powershell.subset import check, commands_used

from starover import content, envelope
from starover.inventory import Exchange, Server
from starover.lint import lint
from starover.render import Body

REPO = Path(__file__).parents[2]
CONTENT = content.find(REPO)
TEMPLATES = [name for name in CONTENT.templates if not name.rpartition("/")[2].startswith("_")]
FRAGMENTS = [name for name in CONTENT.templates if name not in TEMPLATES]
CMDLETS = json.loads(resources.files("starover_lab.cmdlets").joinpath("data/cmdlets.json").read_text("utf-8"))
EXCHANGE = {name for name, fields in CMDLETS.get("cmdlets", CMDLETS).items() if fields.get("family") == "exchange"}
NONCE = "0123456789abcdef"
OPERATION = "12345678-1234-1234-1234-123456789abc"
HOSTILE = "it\u2019s ' \" $(x) `n {{ y }}"


def bodies(name: str) -> list[Body]:
    """A template rendered with values of several kinds, so that each branch is taken."""
    values = CONTENT.variables(name)
    return [CONTENT.body(name, dict.fromkeys(values, value)) for value in (HOSTILE, True, False, None, 3, ["a", "b"])]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_keeps_to_the_rules(name: str) -> None:
    assert lint(CONTENT.templates, name) == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_body_keeps_to_the_subset(name: str) -> None:
    for body in bodies(name):
        assert check(body.text, "body") == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_head_names_the_exchange_cmdlets_and_no_others(name: str) -> None:
    used = {use.name for body in bodies(name) for use in commands_used(body.text)} & EXCHANGE
    assert {cmdlet for body in bodies(name) for cmdlet in body.exchange} == used


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("provider", ["remote", "snapin"])
def test_a_whole_script_keeps_to_the_wrapper_s_subset(name: str, provider: str) -> None:
    exchange = Exchange(provider=provider, allow_unsupported_snapin=True)  # type: ignore[arg-type]
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), exchange=exchange, credential="env:X")
    for body in bodies(name)[:2]:
        two = envelope.reads(server, [("a", body), ("b", body)], NONCE)
        one = envelope.write(server, body, OPERATION, NONCE, b'{"a":1}', lease=envelope.Lease(dag="DAG1", token=1))
        for script in (two, one):
            assert check(script.text, "wrapper") == []
            assert len(script.text.encode()) < 32 * 1024


def test_a_probe_and_the_closing_script_keep_to_it_too() -> None:
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",))
    assert check(envelope.probe(server, [OPERATION], NONCE).text, "wrapper") == []
    closing = resources.files("starover.transport").joinpath("close.ps1").read_text("utf-8")
    assert check(closing, "wrapper") == []


def test_every_fragment_is_included_somewhere() -> None:
    sources = "".join(CONTENT.templates[name] for name in TEMPLATES)
    assert [name for name in FRAGMENTS if f'"{name}"' not in sources] == []
