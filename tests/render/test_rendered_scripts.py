"""Scripts beside those that the contract tests make of the content: other providers, probes, closing; odd values."""

from __future__ import annotations

import contextlib
from importlib import resources
from pathlib import Path

import pytest
from starover_lab.powershell.subset import check

from starover import content, envelope
from starover.errors import BadTemplate
from starover.inventory import Exchange, Server
from starover.render import Body

CONTENT = content.find(Path(__file__).parents[2])
TEMPLATES = [name for name in CONTENT.templates if not name.rpartition("/")[2].startswith("_")]
FRAGMENTS = [name for name in CONTENT.templates if name not in TEMPLATES]
NONCE = "0123456789abcdef"
OPERATION = "12345678-1234-1234-1234-123456789abc"
ODD = ("it\u2019s ' \" $(x) `n {{ y }}", True, False, None, 3, ["a", "b"])


def bodies(name: str) -> list[Body]:
    """A template rendered with values of several kinds, so that each branch is taken."""
    values = CONTENT.variables(name)
    made: list[Body] = []
    for value in ODD:
        with contextlib.suppress(BadTemplate):  # a loop over what is no list
            made.append(CONTENT.body(name, dict.fromkeys(values, value)))
    assert made
    return made


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_value_takes_a_body_out_of_the_subset(name: str) -> None:
    for body in bodies(name):
        assert check(body.text, "body") == []


@pytest.mark.parametrize("provider", ["remote", "snapin"])
def test_a_whole_script_keeps_to_the_wrapper_s_subset(provider: str) -> None:
    exchange = Exchange(provider=provider, allow_unsupported_snapin=True)  # type: ignore[arg-type]
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), exchange=exchange, credential="env:X")
    for body in (bodies(name)[0] for name in TEMPLATES):
        parts = [("a", body), ("b", body)]
        two = envelope.reads(server, parts[:1] if body.single else parts, NONCE)
        one = envelope.write(
            server, body, OPERATION, NONCE, b'{"a":1}', lease=envelope.Lease(dag="DAG1", token=1, holder="RUN/LEG")
        )
        assert check(two.text, "wrapper") == []
        assert check(one.text, "wrapper") == []
        assert len(one.text.encode()) < 32 * 1024, "what a road with a limit could not carry"


def test_a_probe_and_the_closing_script_keep_to_it_too() -> None:
    server = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",))
    assert check(envelope.probe(server, [OPERATION], NONCE).text, "wrapper") == []
    closing = resources.files("starover.transport").joinpath("close.ps1").read_text("utf-8")
    assert check(closing, "wrapper") == []


def test_every_fragment_is_included_somewhere() -> None:
    sources = "".join(CONTENT.templates[name] for name in (*TEMPLATES, *FRAGMENTS))
    assert [name for name in FRAGMENTS if f'"{name}"' not in sources] == []
