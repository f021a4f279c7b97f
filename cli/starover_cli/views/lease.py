"""The lease of a DAG and a team's policy as a person reads them. Data in, text out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from starover.calendar_rules import next_begin, open_spell
from starover_cli.views.findings import findings_text
from starover_cli.views.head import next_block
from starover_cli.views.text import clock_time, label_block, wrap

if TYPE_CHECKING:
    from starover.policy import Rules
    from starover.policy_file import Agreed
    from starover.steps.lease import LeaseReport

__all__ = ["lease_text", "policy_text"]


def lease_text(report: LeaseReport, until: datetime, *, simulated: bool, width: int = 100) -> str:
    """Who has it, and what each host says."""
    hosts = findings_text(report.findings, width, full=True)
    if not report.held:
        return f"Nobody holds the lease of {report.dag}: the next run takes it.\n\n{hosts}"
    since = f"since {report.since[11:19]} UTC" if report.since else "since when is not known"
    who = f"run {report.run or '?'} ({report.who or '?'}, {report.runbook or '?'}, {since})"
    when = clock_time(until, simulated=simulated)
    verdict = f"{report.dag} is leased to {who}. It is over at {when} unless that run renews it before."
    advice = [
        (f"starover runs show {report.run}", "what it is doing, where its journal is"),
        (f"starover lease release {report.run} --dag {report.dag}", "only when it will not come back"),
    ]
    return "\n\n".join(["\n".join(wrap(verdict, width)), hosts, next_block(advice)])


def policy_text(agreed: Agreed | None, signers: Path | None, now: datetime, width: int = 100) -> str:
    """The rules, the windows, the keys."""
    if agreed is None:
        keys = (
            f"approvals are checked against {signers.as_posix()}" if signers is not None else "approvals are not signed"
        )
        return "\n".join(
            wrap(
                "There is no policy.yaml beside the inventory: anybody may do anything, what may split the brain needs "
                f"a second person, whoever that is, and {keys}.",
                width,
            )
        )
    policy = agreed.policy
    pairs = [("file", f"{agreed.file.as_posix()}   sha256 {agreed.sha256[:16]}")]
    exists = "" if signers is not None and signers.is_file() else "   NOT THERE: nobody can approve"
    counted = "; unsigned approvals count too" if policy.unsigned else ""
    pairs.append(("signers", f"{agreed.signers.as_posix()}{counted or exists}"))
    for dag, rules in policy.rules.items():
        pairs += _rules(dag, rules)
    for word, spans in (("window", policy.windows), ("freeze", policy.freezes)):
        for span in spans:
            one = agreed.spells[span.name]
            found, coming = open_spell([one], now), next_begin([one], now)
            says = f"open until {found[1].astimezone(one.zone):%a %Y-%m-%d %H:%M %Z}" if found else "not now"
            if coming:
                says += f"; next {coming[0].astimezone(one.zone):%a %Y-%m-%d %H:%M %Z}"
            about = f" ({', '.join(span.dags)})" if span.dags else ""
            pairs.append((word, f"{span.name}{about}: {says}"))
    return "\n".join(label_block(pairs, width))


def _rules(dag: str, rules: Rules) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for letter, rule in (("L", rules.L), ("S", rules.S), ("D", rules.D), ("X", rules.X)):
        words = [f"by {', '.join(rule.by) or 'everybody in it'}"]
        if letter == "X" or (rule.second if rule.second is not None else letter == "D"):
            words.append(f"approved by {', '.join(rule.approved_by) or 'anybody else in it'}")
            words += [] if rule.break_glass else ["no glass to break"]
        words += ["ticket"] if rule.ticket or letter in "DX" else []
        words += ["in a window"] if rule.window else []
        found.append((f"{dag} {letter}", "; ".join(words)))
    return found
