"""Clients are sent to the service's name, over the real wires: URLs, certificates, providers, MAPI; and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab_cli import Place, lab, seldom

pytestmark = [pytest.mark.wire, seldom]


def named(folder: Path, extends: str, balancer: str) -> str:
    """A topology whose DNS knows the service."""
    file = folder / "named.yaml"
    file.write_text(
        f"name: named\nextends: {extends}\ndns_records:\n"
        f"  - {{name: mail.example.com, type: CNAME, data: {balancer}.elb.eu-west-1.amazonaws.com, ttl: 10m}}\n"
        "  - {name: autodiscover.example.com, type: CNAME, data: mail.example.com, ttl: 5m}\n",
        "utf-8",
    )
    return str(file)


def findings(place: Place, *typed: str) -> dict[tuple[str, str], list[str]]:
    """Levels by check and place."""
    value: Any = place.ok("--format", "json", "run", *typed).json["value"]
    found: dict[tuple[str, str], list[str]] = {}
    for one in value["findings"]:
        found.setdefault((one["check"], one["on"]), []).append(one["level"])
    return found


def test_a_namespace_is_configured_audited_and_undone(tmp_path: Path) -> None:
    configure = ("run", "namespace-configure", "--internal-fqdn", "mail.example.com", "--yes")
    with lab(tmp_path, named(tmp_path, "pa-4x2", "exch-nlb-4x2")) as place:
        before = findings(place, "namespace-audit")
        assert before["P44", "EX1"] == ["warn"], "clients know a server's own name"
        assert before["P44", "owa"] == ["warn"], "every server another URL"
        assert before["P31", "mail.example.com"] == ["warn"], "kept for ten minutes"
        assert before["P53", "EX1"] == ["info"]
        assert before["P42", "EX1"] == ["ok"]

        refused = place.type("run", "namespace-configure", "--internal-fqdn", "post.example.com", "--yes")
        assert refused.code == 4
        assert "P42" in refused.words
        offload = place.type(*configure, "--ssl-offload", "true")
        assert offload.code == 4
        assert "P53" in offload.words
        assert place.writes() == []

        run = place.ok("--format", "json", *configure)
        changed = place.writes()
        assert len(changed) == 4 * 8
        assert "Nothing to do" in place.ok(*configure).out
        assert len(place.writes()) == len(changed)
        after = findings(place, "namespace-audit")
        assert {after["P44", f"EX{n}"][0] for n in range(1, 5)} == {"ok"}
        assert ("P44", "owa") not in after

        provider = ("run", "outlook-provider", "--yes", "--cert-principal-name")
        wrong = place.type(*provider, "msstd:other.example.com")
        assert wrong.code == 4
        assert place.type(*provider, "mail.example.com").code == 2
        place.ok(*provider, "msstd:mail.example.com")
        assert "Nothing to do" in place.ok(*provider, "msstd:mail.example.com").out
        assert findings(place, "cert-check")["P43", "EXPR"] == ["ok"]
        assert findings(place, "cert-check", "--days", "365")["P42", "EX1"] in (["ok"], ["warn"])

        place.ok("undo", run.json["run"], "--yes")
        assert findings(place, "namespace-audit")["P44", "EX1"] == ["warn"]
        assert place.state()["violations"] == []


def test_exchange_2013_has_other_cmdlets_and_no_mapi_over_http_at_first(tmp_path: Path) -> None:
    with lab(tmp_path, named(tmp_path, "rep-net-2013", "exch-nlb-rep")) as place:
        place.ok("run", "namespace-configure", "--internal-fqdn", "mail.example.com", "--oa", "false", "--yes")
        assert "Set-ClientAccessServer" in place.writes()
        assert "Set-ClientAccessService" not in place.writes()
        assert "Set-OutlookAnywhere" not in place.writes()

        enable = ("run", "mapi-http", "--yes")
        run = place.ok("--format", "json", *enable).json["run"]
        assert place.writes()[-1] == "Set-OrganizationConfig"
        assert "Nothing to do" in place.ok(*enable).out
        place.ok("undo", run, "--yes")
        assert findings(place, "namespace-audit")["MAPI", "organization"] == ["warn"]


def test_a_name_that_dns_does_not_know_is_given_to_nobody(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        refused = place.type("run", "namespace-configure", "--internal-fqdn", "mail.example.com", "--yes")
        assert refused.code == 4
        assert "DNS does not know" in refused.words
        assert place.writes() == []
        assert findings(place, "namespace-audit")["P31", "mail.example.com"] == ["fail"]
