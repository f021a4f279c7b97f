"""What the bot says, as data: a card of plain text, with buttons; pure, knows no chat's markup and no estate."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from starover_cli.views.plan import RISKS

from starover.policy import Approver, Policy, Request, Rule, not_for, not_to_approve, person_of, rule_for
from starover.step import Risk

__all__ = ["Button", "Card", "Part", "help_card", "in_chat", "masked", "short", "stranger"]

CLASSES = (Risk.LOW, Risk.SERVICE, Risk.DATA, Risk.SPLIT)


@dataclass(frozen=True, kw_only=True)
class Button:
    """Something to press."""

    name: Literal["apply", "approve", "scripts", "drop", "stop", "resume", "report"]
    text: str
    value: str
    """The card or the run that it is about."""
    sure: str = ""
    """What is asked before it counts; empty: nothing."""
    grave: bool = False


@dataclass(frozen=True)
class Part:
    """A piece of text."""

    text: str
    fixed: bool = True
    """Columns matter: it is shown in letters of one width."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One message."""

    title: str
    """One line: also what a notification shows."""
    parts: tuple[Part, ...] = ()
    buttons: tuple[Button, ...] = ()
    foot: str = ""


def short(title: str, text: str = "") -> Card:
    """A card of a few words."""
    return Card(title=title, parts=(Part(text),) if text.strip() else ())


def masked(card: Card, mask: Callable[[str], str]) -> Card:
    """The card with every text of it gone through `mask`."""
    return replace(
        card,
        title=mask(card.title),
        parts=tuple(replace(part, text=mask(part.text)) for part in card.parts),
        buttons=tuple(replace(button, sure=mask(button.sure)) for button in card.buttons),
        foot=mask(card.foot),
    )


_HERE = "status|assess|plan|apply|approve|runs|cancel|report|resume|help|run|runbooks"
_TYPED = re.compile(rf"^(?P<before> *)starover (?P<line>(?:{_HERE})\b.*)$", re.MULTILINE)
_OTHERWISE = (("runs show ", "runs "), ("run ", "plan "), ("runbooks show ", "plan "), ("runbooks", "plan"))
"""How the chat says what the command line says: runs are planned first here."""
_NOT_HERE = re.compile(r" --(?:key|to|html|approval|as|scripts)\b")


def in_chat(text: str) -> str:
    """What is to be typed, as it is typed here: the chat's commands begin with a slash, the others are a terminal's."""

    def slashed(found: re.Match[str]) -> str:
        line = found["line"]
        if _NOT_HERE.search(line):
            return found[0]
        for there, here in _OTHERWISE:
            if line.startswith(there):
                line = here + line.removeprefix(there)
                break
        return f"{found['before']}/starover {line}"

    return _TYPED.sub(slashed, text)


def stranger(who: str, *, policy: bool) -> Card:
    """Somebody who has no rights here, and how they get some."""
    if not policy:
        return short(
            "! refused: there is no policy.yaml beside the inventory",
            "In chat everybody acts with their own rights, and nobody's are written down yet.\n"
            f"You are {who} here: docs/policy.md says how to name you.",
        )
    return short(
        f"! refused: the policy knows nobody called {who}",
        f"Whoever keeps policy.yaml can add it to your names:\n  people:\n    YOU: {{names: ['{who}']}}",
    )


def help_card(policy: Policy, dags: Sequence[str], who: str) -> Card:
    """What this person may do here, and what to type for it."""
    person = person_of(policy, who)
    if person is None:
        return stranger(who, policy=True)
    applies = approves = False
    lines: list[str] = []
    for dag in dags or ("",):
        lines.append(f"on {dag or 'this estate'}")
        for risk in CLASSES:
            rule = rule_for(policy, dag, risk)
            may = not not_for(policy, dag, risk, who)
            agree = rule.second is True and not not_to_approve(policy, _asked_of(dag, risk, who))
            applies, approves = applies or may, approves or (agree and rule.chat)
            lines.append(f"  {risk.value}  {RISKS[risk].ljust(20)}  apply: {_apply(rule, may)}{_approve(rule, agree)}")
    typed = [
        ("status", "the DAG as a map"),
        ("assess", "what is wrong, what is safe, and the plan that mends it"),
        ("plan NAME --option value", "what a runbook would change; plan NAME --help: its options"),
    ]
    if applies:
        typed.append(("apply ID", "your own plan; D and X: --ticket ID --approve ID, or --accept-data-loss DB=LOGS"))
    if approves:
        typed.append(("approve ID --dag NAME", "somebody else's plan, as the second person"))
    typed.append(("runs [RUN]", "what was done"))
    if applies:
        typed.append(("cancel RUN|PLAN", "stop after the step under way, or drop a plan"))
        typed.append(("resume RUN", "go on with what was cut off: looks first, sends nothing twice"))
    typed.append(("report RUN", "the whole story as a page"))
    width = max(len(left) for left, _ in typed)
    commands = [f"/starover {left.ljust(width)}  {right}" for left, right in typed]
    return Card(title=f"You are {person} here ({who})", parts=(Part("\n".join(lines)), Part("\n".join(commands))))


def _asked_of(dag: str, risk: Risk, who: str) -> Request:
    """Somebody else's plan, which this person would approve with their key."""
    from datetime import UTC, datetime

    now = datetime(2000, 1, 1, tzinfo=UTC)  # nothing here is about time
    second = Approver(name=who, signed=True, expires=now)
    return Request(dag=dag, runbook="", risk=risk, who="", asked_by="", at=now, second=second)


def _apply(rule: Rule, may: bool) -> str:
    if not may:
        return f"no, {', '.join(rule.by)} may"
    needs = [
        *(["a ticket"] if rule.ticket else []),
        *(["a second person"] if rule.second else []),
        *(["a change window"] if rule.window else []),
    ]
    return f"yes{', with ' if needs else ''}{', '.join(needs)}"


def _approve(rule: Rule, agree: bool) -> str:
    if not rule.second or not agree:
        return "   approve: no" if rule.second else ""
    return "   approve: yes" if rule.chat else "   approve: not here, by starover approve --key"
