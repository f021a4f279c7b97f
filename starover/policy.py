"""What a team has agreed on: who may do what to which DAG and when; pure: facts in, a decision out, no file, no clock.

Danger classes are those of step kinds (catalogue, section 1). The floor of the tool stays whatever a policy says: SPLIT
needs a second person, DATA and SPLIT a ticket and the digest. Broken glass replaces the second person and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from starover.calendar_rules import Spell, next_begin, open_spell
from starover.names import same_host
from starover.step import Risk

__all__ = [
    "Approver",
    "Decision",
    "Person",
    "Policy",
    "Request",
    "Rule",
    "Rules",
    "Span",
    "decide",
    "not_for",
    "not_to_approve",
    "person_of",
    "rule_for",
    "same_dag",
]


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who asks, approves or applies."""

    names: tuple[str, ...] = ()
    """What else this person is called: `EXAMPLE\\anna`, `anna@example.com`, the account of a jump host."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one danger class needs."""

    by: tuple[str, ...] = ()
    """People and groups who may apply it; empty: everybody whom the policy knows."""
    approved_by: tuple[str, ...] = ()
    """People and groups of whom one must approve it, too; empty: anybody else whom the policy knows."""
    second: bool | None = None
    """Whether it needs a second person; not said: DATA and SPLIT do. SPLIT always does."""
    ticket: bool | None = None
    """Whether it needs a ticket; not said: DATA and SPLIT do, and always."""
    window: bool = False
    """Whether it may be done within a change window only."""
    break_glass: bool = True
    """Whether a reason may stand for the second person."""
    chat: bool = False
    """Whether an approval counts that was given in the team's chat: its word for who pressed, no key."""


Class = Literal["L", "S", "D", "X"]


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The danger classes of one DAG, or of every one that has no rules of its own (`*`)."""

    L: Rule = Rule()
    S: Rule = Rule()
    D: Rule = Rule()
    X: Rule = Rule()


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"but_not": "except"}):
    """A change window or a freeze, as iCalendar has events: when it first begins, how long it lasts, how it recurs."""

    name: str
    begins: str
    """By the clock on the wall there: `2026-01-03 22:00`."""
    lasts: str
    """Such as `8h`, `90m` or `14d`. Days are days of the calendar, hours and minutes are as long as they are."""
    rule: str = ""
    """RFC 5545's RRULE: `FREQ=WEEKLY;BYDAY=SA`; empty: once."""
    but_not: tuple[str, ...] = ()
    """Days on which it does not begin: `2026-12-26`."""
    zone: str = ""
    """IANA's name; empty: the policy's."""
    dags: tuple[str, ...] = ()
    """Empty: every DAG."""
    classes: Annotated[tuple[Class, ...], msgspec.Meta(min_length=1)] = ("L", "S", "D", "X")
    """Of a freeze: what must not be done."""
    runbooks: tuple[str, ...] = ()
    """Of a freeze: runbooks that it lets through, such as force-quorum."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy."""

    zone: str = "UTC"
    signers: str = "allowed_signers"
    """File of the keys that approvals are signed with (ssh-keygen's ALLOWED SIGNERS), beside the policy; its
    principals are the names of `people`."""
    unsigned: bool = False
    """Whether an approval counts that nobody signed."""
    ticket: str = ""
    """Regular expression of a whole ticket; empty: any."""
    people: dict[str, Person] = {}
    groups: dict[str, tuple[str, ...]] = {}
    """Names of people, or of other groups."""
    rules: dict[str, Rules] = {}
    """By DAG; `*`: every other."""
    windows: tuple[Span, ...] = ()
    freezes: tuple[Span, ...] = ()


class Approver(msgspec.Struct, frozen=True, kw_only=True):
    """The second person, as far as that is known."""

    name: str
    signed: bool
    """By a key that the allowed signers have under this name."""
    expires: datetime
    chat: bool = False
    """Given in the team's chat, to this very process."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a decision rests on."""

    dag: str
    runbook: str
    risk: Risk
    who: str
    """Applies it, or would."""
    asked_by: str
    """Asked for the plan."""
    at: datetime
    ticket: str = ""
    second: Approver | None = None
    break_glass: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What follows."""

    verdict: Literal["allowed", "needs approval", "refused"]
    why: tuple[str, ...] = ()
    """What stands in the way, the gravest first; of what is allowed: what it rests on."""
    outside: bool = False
    """It is a matter of time: outside a window, or within a freeze."""
    approvers: tuple[str, ...] = ()
    """Who may approve it."""
    waivers: tuple[str, ...] = ()
    """What was given away, and why."""


def decide(policy: Policy, request: Request, spells: Mapping[str, Spell]) -> Decision:
    """Whether it may be done now. `spells`: the windows and freezes of the policy as times, by name."""
    if request.risk is Risk.READ:
        return Decision(verdict="allowed")
    rule = _rule(policy, request.dag, request.risk)
    letter = request.risk.value
    applies, asked = person_of(policy, request.who), person_of(policy, request.asked_by)
    if why := not_for(policy, request.dag, request.risk, request.who):
        return _no(why)
    times = _times(policy, request, rule, spells)
    if isinstance(times, Decision):
        return times
    missing: list[str] = []
    if _needs_ticket(rule, request.risk) and not request.ticket:
        missing.append(f"risk {letter} needs the change or incident that it belongs to: --ticket ID")
    if request.ticket and policy.ticket and not re.fullmatch(policy.ticket, request.ticket):
        missing.append(f"{request.ticket} is no ticket: the policy wants {policy.ticket}")
    if missing:
        return Decision(verdict="refused", why=tuple(missing))
    if not _needs_second(rule, request.risk):
        return Decision(verdict="allowed", why=times)
    approvers = _approvers(policy, rule, {applies, asked})
    against = _against(policy, request, rule, approvers, {applies, asked})
    if not against:
        second = request.second
        said = (f"{person_of(policy, second.name)} approved it in chat",) if second is not None and second.chat else ()
        return Decision(verdict="allowed", why=(*times, *said), approvers=approvers)
    if request.break_glass and rule.break_glass:
        waived = f"the second person (risk {letter}): {request.break_glass}"
        return Decision(verdict="allowed", why=times, approvers=approvers, waivers=(waived,))
    if request.break_glass:
        return _no(f"the policy does not let the glass be broken for risk {letter} on {request.dag}", approvers)
    return Decision(verdict="needs approval", why=(against,), approvers=approvers)


def not_for(policy: Policy, dag: str, risk: Risk, who: str) -> str:
    """Why this person may not apply a plan of that risk; empty: they may."""
    person = person_of(policy, who)
    if person is None:
        return f"the policy knows nobody called {who}"
    if risk is Risk.READ:
        return ""
    rule = _rule(policy, dag, risk)
    if rule.by and person not in _people(policy, rule.by):
        return f"{person} may not do what has risk {risk.value} to {dag or 'this estate'}: {_named(rule.by)} may"
    return ""


def rule_for(policy: Policy, dag: str, risk: Risk) -> Rule:
    """What a class above READ needs there, with the floor of the tool: `second` and `ticket` are said."""
    rule = _rule(policy, dag, risk)
    return msgspec.structs.replace(rule, second=_needs_second(rule, risk), ticket=_needs_ticket(rule, risk))


def not_to_approve(policy: Policy, request: Request) -> str:
    """Why the approval of the request does not count, whatever else it lacks; empty: it does."""
    rule = _rule(policy, request.dag, request.risk)
    involved = {person_of(policy, request.who), person_of(policy, request.asked_by)}
    return _against(policy, request, rule, _approvers(policy, rule, involved), involved)


def person_of(policy: Policy, name: str) -> str | None:
    """The person of the policy who goes by this name; case does not count. None: it knows nobody called so."""
    wanted = name.strip().casefold()
    if not wanted:
        return None
    for key, person in policy.people.items():
        if wanted == key.casefold() or any(wanted == one.casefold() for one in person.names):
            return key
    return None


def _against(
    policy: Policy, request: Request, rule: Rule, approvers: Sequence[str], involved: Iterable[str | None]
) -> str:
    """Why nobody else's approval counts; empty: one does."""
    second, letter = request.second, request.risk.value
    if second is None:
        return f"risk {letter} needs a second person"
    if second.chat and not rule.chat:
        return (
            f"{second.name} approved it in chat, and the policy takes no approval given there for risk {letter} on "
            f"{request.dag or 'this estate'}"
        )
    if not (second.signed or second.chat or policy.unsigned):
        return f"the approval of {second.name} is not signed by a key of theirs, and the policy takes signed ones only"
    person = person_of(policy, second.name)
    if person is None:
        return f"{second.name} approved it, and the policy knows nobody called so"
    if person in involved:
        return f"{person} asked for this plan or applies it, and cannot be its second person"
    if person not in approvers:
        return f"{person} approved it, and may not: {_named(rule.approved_by)} may"
    if request.at > second.expires:
        return f"the approval of {person} is over since {second.expires:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def _approvers(policy: Policy, rule: Rule, involved: set[str | None]) -> tuple[str, ...]:
    """Who may be the second person, beside those who ask and apply."""
    able = _people(policy, rule.approved_by) if rule.approved_by else set(policy.people)
    return tuple(sorted(able - involved))


def _times(policy: Policy, request: Request, rule: Rule, spells: Mapping[str, Spell]) -> Decision | tuple[str, ...]:
    """A refusal, or the window that is open."""
    for freeze in _about(policy.freezes, request.dag):
        found = open_spell([spells[freeze.name]], request.at)
        stops = request.risk.value in freeze.classes and request.runbook not in freeze.runbooks
        if found is not None and stops:
            return Decision(
                verdict="refused",
                outside=True,
                why=(f"{freeze.name}: a freeze until {_local(found[1], spells[freeze.name])}",),
            )
    if not rule.window:
        return ()
    windows = [spells[one.name] for one in _about(policy.windows, request.dag)]
    found = open_spell(windows, request.at)
    if found is not None:
        return (f"within {found[2].name}, until {_local(found[1], found[2])}",)
    coming = next_begin(windows, request.at)
    when = (
        f"the next one is {coming[1].name}, {_local(coming[0], coming[1])}" if coming else "none is to come in a year"
    )
    return Decision(
        verdict="refused",
        outside=True,
        why=(f"what has risk {request.risk.value} is done to {request.dag} within a change window only; {when}",),
    )


def _about(spans: Iterable[Span], dag: str) -> list[Span]:
    return [one for one in spans if not one.dags or any(same_dag(name, dag) for name in one.dags)]


def _rule(policy: Policy, dag: str, risk: Risk) -> Rule:
    found = next((rules for name, rules in policy.rules.items() if same_dag(name, dag)), None)
    rules = found or policy.rules.get("*") or Rules()
    return {Risk.LOW: rules.L, Risk.SERVICE: rules.S, Risk.DATA: rules.D, Risk.SPLIT: rules.X}[risk]


def same_dag(one: str, other: str) -> bool:
    """Whether a policy's name of a DAG means this one: as everywhere, case does not count, nor a domain after it."""
    return same_host(one, other)


def _needs_second(rule: Rule, risk: Risk) -> bool:
    return risk is Risk.SPLIT or (rule.second if rule.second is not None else risk is Risk.DATA)


def _needs_ticket(rule: Rule, risk: Risk) -> bool:
    return risk in (Risk.DATA, Risk.SPLIT) or bool(rule.ticket)


def _people(policy: Policy, named: Iterable[str]) -> set[str]:
    """People and members of groups, however deep."""
    found: set[str] = set()
    seen: set[str] = set()
    todo = list(named)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in policy.groups:
            todo += policy.groups[name]
        elif name in policy.people:
            found.add(name)
    return found


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) or "anybody else whom the policy knows"


def _local(when: datetime, spell: Spell) -> str:
    return f"{when.astimezone(spell.zone):%a %Y-%m-%d %H:%M %Z}"


def _no(why: str, approvers: tuple[str, ...] = ()) -> Decision:
    return Decision(verdict="refused", why=(why,), approvers=approvers)
