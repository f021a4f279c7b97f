"""Every script the content can make stays within the rules: subset, cmdlets, parameters, casts, and its snapshot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from content_scripts import EXCHANGE, NONCE, Made, content, kinds, made, queries
from starover_lab.powershell import subset
from starover_lab.powershell.parser import parse

from starover import envelope, rights
from starover.estate import Exchange
from starover.lint import lint
from starover.transport import Script
from starover.transport.ssm_script import framed, unfit

SNAPSHOTS = Path(__file__).parent.parent / "data" / "snapshots"
CMDLETS = json.loads((SNAPSHOTS.parent / "reference.json").read_text("utf-8"))
"""Every cmdlet of the reference pages (MicrosoftDocs, CC BY 4.0) with its parameters, whether or not the lab has it."""
NATIVE = {"dsacls.exe", "eseutil.exe", "icacls.exe", "net.exe", "powershell.exe", "shutdown.exe"}
SCRIPTS = {
    "StartDagServerMaintenance.ps1": {"ServerName", "MoveComment", "PauseClusterNode", "OverrideMinimumTwoCopies"},
    "StopDagServerMaintenance.ps1": {"ServerName"},
}
"""Of Exchange itself, with the parameters that are documented or were seen."""
COMMON = {"ErrorAction", "ErrorVariable", "WarningAction", "WarningVariable"}
CORE = {"Where-Object", "ForEach-Object", "Sort-Object", "Select-Object", "Out-Null"}
ALL = made()


@pytest.fixture(params=ALL, ids=lambda one: one.label)
def one(request: pytest.FixtureRequest) -> Made:
    made_: Made = request.param
    return made_


def test_the_body_stays_in_the_subset(one: Made) -> None:
    assert subset.check(one.body.text, "body") == []


def test_the_whole_script_stays_in_the_subset_and_parses(one: Made) -> None:
    assert subset.check(one.script, "wrapper") == []
    parse(one.script)


def test_the_script_is_short_and_ascii(one: Made) -> None:
    assert len(one.script.encode("utf-16-le")) < 2 * 32 * 1024
    hostile = any(ord(character) > 126 for value in one.arguments.values() for character in str(value))
    assert hostile or one.script.isascii()


def test_every_command_and_parameter_is_documented(one: Made) -> None:
    for use in subset.commands_used(one.body.text):
        if use.name in CORE | NATIVE:
            continue
        if (script := use.name.rpartition("\\")[2]) in SCRIPTS:
            assert set(use.parameters) <= SCRIPTS[script], f"{one.template}:{use.line} {use.name} {use.parameters}"
            continue
        assert use.name in CMDLETS, f"{one.template}:{use.line} calls {use.name}"
        asks = {"Confirm", "WhatIf"} if CMDLETS[use.name].get("whatif") else set[str]()
        known = set(CMDLETS[use.name]["parameters"]) | COMMON | asks
        assert set(use.parameters) <= known, f"{one.template}:{use.line} {use.name} {use.parameters}"


def test_the_head_names_exactly_the_exchange_cmdlets(one: Made) -> None:
    used = {use.name for use in subset.commands_used(one.body.text)}
    exchange = {name for name in used & CMDLETS.keys() if CMDLETS[name]["family"] == "exchange"}
    assert set(one.body.exchange) == exchange


def test_a_write_never_prompts(one: Made) -> None:
    if not one.writes:
        return
    for use in subset.commands_used(one.body.text):
        if use.name in CMDLETS and CMDLETS[use.name].get("whatif"):
            assert "Confirm" in use.parameters, f"{use.name} would ask"


def test_templates_are_clean() -> None:
    templates = content().templates
    problems = [line for name in templates if "/_" not in name for line in lint(templates, name)]
    assert problems == []


def test_a_template_asks_for_nothing_its_step_does_not_have() -> None:
    bundle = content()
    for kind in kinds():
        names = set(kind.signature.parameters)
        for template in (kind.check, kind.apply):
            assert bundle.variables(template) <= names, f"{template} and the step {kind.name}"


def test_every_template_has_a_user_and_every_user_a_template() -> None:
    used = {one.template for one in queries()} | {t for kind in kinds() for t in (kind.check, kind.apply)}
    there = {name for name in (*content().templates, *content().calls) if not name.rpartition("/")[2].startswith("_")}
    assert used == there | {rights.TEMPLATE}, "that one is made of all the others"


def test_what_looks_for_rights_names_every_exchange_cmdlet_of_the_content() -> None:
    bundle = content()
    body = bundle.body(rights.TEMPLATE, {})
    assert subset.check(body.text, "body") == []
    until_2016 = {"Get-UMActiveCalls"}
    assert set(body.exchange) == {name for one in ALL for name in one.body.exchange} - until_2016
    for name, parameters in rights.needed(bundle.templates).items():
        assert set(parameters) <= set(CMDLETS[name]["parameters"]), name


def test_every_script_can_go_by_run_command(one: Made) -> None:
    server = msgspec.structs.replace(EXCHANGE, exchange=Exchange(provider="snapin", allow_unsupported_snapin=True))
    text = envelope.reads(server, [("1", one.body)], NONCE).text
    script = Script(id="1", server=server, text=text, deadline=30.0, mutates=False, nonce=NONCE)
    assert unfit(script) == ""
    assert subset.check(framed(text), "wrapper") == []


def test_snapshot(one: Made) -> None:
    """A changed script is seen by a person: STAROVER_SNAPSHOTS=write makes them anew."""
    path = SNAPSHOTS / f"{one.label}.ps1"
    if os.environ.get("STAROVER_SNAPSHOTS") == "write":
        path.write_text(one.script, encoding="utf-8-sig", newline="\n")
    assert path.read_text(encoding="utf-8-sig") == one.script


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.ps1")} == {one.label for one in ALL}
