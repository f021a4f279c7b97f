"""`policy.yaml`, beside the inventory: read strictly, with the line of everything that is wrong; contacts nothing."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from starover.calendar_rules import Spell, spell
from starover.errors import BadInventory
from starover.expressions import why_not
from starover.policy import Policy, Rule, person_of, same_dag
from starover.yaml_lines import Path as Place
from starover.yaml_lines import Problem, Text, parse

__all__ = ["NAME", "Agreed", "check_names", "load_policy", "policy_schema", "read_policy"]

NAME = "policy.yaml"


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """A policy that was read."""

    policy: Policy
    spells: dict[str, Spell]
    """Its windows and freezes as times, by name."""
    sha256: str
    """Of the file, for the journal."""
    file: Path
    lines: Mapping[Place, int] = field(repr=False)
    """Where what stands in it."""

    @property
    def signers(self) -> Path:
        """The file of the keys that approvals are signed with."""
        return self.file.parent / self.policy.signers


def load_policy(folder: Path) -> Agreed | None:
    """The policy of an inventory's folder; None: there is none. Raises `BadInventory`."""
    file = folder / NAME
    try:
        source = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInventory(f"the policy {file} cannot be read: {error.strerror or error}") from None
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInventory(f"{file} is not UTF-8: byte {error.start} cannot be read") from None
    return read_policy(text, file)


def read_policy(source: str, file: Path) -> Agreed:
    """Read a policy's text. Raises `BadInventory` with every line that is wrong: half a policy is none."""
    text = parse(source)
    policy, spells = None, dict[str, Spell]()
    if not text.problems:
        try:
            policy = msgspec.convert(text.tree, Policy, strict=False)
        except msgspec.ValidationError as error:
            said, _, where = str(error).partition(" - at ")
            place = _place(where)
            named = re.search(r"field `(.*)`", said)
            full = (*place, named[1]) if named else place
            if "[...]" in where:  # which entry of a table it is msgspec does not say: the first that ends like it
                ends = [one for one in text.lines if one[:1] == full[:1] and one[-1:] == full[-1:]]
                full = min(ends, key=text.line, default=full)
            text.problems.append(Problem(text.line(full), _words(said, place)))
    if policy is not None:
        spells = _spells(policy, text)
        text.problems += _contradictions(policy, text)
    if policy is None or text.problems:
        raise _mistakes(file, text.problems, certain="nothing was contacted, and nothing is allowed by half a policy")
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    return Agreed(policy=policy, spells=spells, sha256=sha256, file=file, lines=text.lines)


def check_names(agreed: Agreed, dags: Collection[str], runbooks: Collection[str]) -> None:
    """Hold the names of DAGs and runbooks against those there are. Raises `BadInventory` with every line.

    A rule, a window or a freeze of a DAG that is not there is about nothing: the DAG that was meant has the rules of
    `*`. An inventory without DAGs says nothing about their names.
    """
    found = list(_strangers(agreed, dags, runbooks))
    if found:
        certain = "nothing was contacted; what these lines say holds for nothing"
        raise _mistakes(agreed.file, found, certain=certain)


def _strangers(agreed: Agreed, dags: Collection[str], runbooks: Collection[str]) -> Iterator[Problem]:
    text, policy = Text(lines=dict(agreed.lines)), agreed.policy
    named: list[tuple[Place, str]] = [(("rules", name), name) for name in policy.rules if name != "*"]
    for key, spans in (("windows", policy.windows), ("freezes", policy.freezes)):
        for at, span in enumerate(spans):
            named += [((key, at, "dags", number), name) for number, name in enumerate(span.dags)]
            for number, name in enumerate(span.runbooks):
                if name not in runbooks:
                    line = text.line((key, at, "runbooks", number))
                    yield Problem(line, f"`{name}` is no runbook here: {_near(name, runbooks)}")
    for place, name in named:
        if dags and not any(same_dag(name, dag) for dag in dags):
            yield Problem(text.line(place), f"`{name}` is no DAG of the inventory: {_near(name, dags)}")


def _near(name: str, known: Collection[str]) -> str:
    by_fold = {one.casefold(): one for one in known}
    near = [by_fold[one] for one in difflib.get_close_matches(name.casefold(), by_fold, 3, 0.5)]
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"


def _mistakes(file: Path, problems: Collection[Problem], *, certain: str) -> BadInventory:
    lines = [f"{file.name}:{one.line}: {one.text}" for one in sorted(set(problems))]
    what = lines[0] if len(lines) == 1 else "\n".join([f"{file.name} has mistakes:", *(f"  {one}" for one in lines)])
    return BadInventory(what, certain=(certain,), next=("docs/policy.md",))


def policy_schema() -> dict[str, object]:
    """The JSON Schema of a policy file (draft 2020-12)."""
    made = msgspec.json.schema(Policy)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "starover policy", **made}


def _spells(policy: Policy, text: Text) -> dict[str, Spell]:
    found: dict[str, Spell] = {}
    for key, spans in (("windows", policy.windows), ("freezes", policy.freezes)):
        for at, one in enumerate(spans):
            if one.name in found:
                text.problems.append(Problem(text.line((key, at, "name")), f"two are called {one.name}"))
            try:
                found[one.name] = spell(one.name, one.begins, one.lasts, one.rule, one.but_not, one.zone or policy.zone)
            except ValueError as error:
                named = re.match(r"`(\w+)`", str(error))
                text.problems.append(Problem(text.line((key, at, named[1] if named else "")), str(error)))
    return found


def _contradictions(policy: Policy, text: Text) -> Iterator[Problem]:
    known = {*policy.people, *policy.groups}
    for group, names in policy.groups.items():
        if group in policy.people:
            yield Problem(text.line(("groups", group)), f"{group} is a person and a group")
        yield from _unknown(names, known, text, ("groups", group))
    for at, dag in enumerate(policy.rules):
        if twin := next((one for one in list(policy.rules)[:at] if same_dag(one, dag)), None):
            yield Problem(text.line(("rules", dag)), f"{dag} and {twin} are one DAG: which rules are its own?")
    for dag, rules in policy.rules.items():
        for letter in ("L", "S", "D", "X"):
            rule: Rule = getattr(rules, letter)
            place: Place = ("rules", dag, letter)
            yield from _unknown(rule.by, known, text, (*place, "by"))
            yield from _unknown(rule.approved_by, known, text, (*place, "approved_by"))
            if letter == "X" and rule.second is False:
                yield Problem(text.line((*place, "second")), "what may split the brain always needs a second person")
            if letter in "DX" and rule.ticket is False:
                yield Problem(text.line((*place, "ticket")), "what may lose data always needs a ticket")
            if rule.window and not policy.windows:
                yield Problem(text.line((*place, "window")), "there is no window: it could never be done")
    for key, person in policy.people.items():
        for name in person.names:
            if person_of(policy, name) != key:
                yield Problem(
                    text.line(("people", key)), f"`{name}` is two people: {person_of(policy, name)} and {key}"
                )
    if why := why_not(policy.ticket):
        yield Problem(text.line(("ticket",)), f"`ticket` is no regular expression that is taken: {why}")


def _unknown(names: tuple[str, ...], known: set[str], text: Text, place: Place) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            yield Problem(text.line(place), f"`{name}` is neither a person nor a group of this policy")


def _place(where: str) -> Place:
    found: list[tuple[str, str]] = re.findall(r"\.([A-Za-z_]\w*)|\[(\d+)\]", where)
    return tuple(key or int(index) for key, index in found)


def _words(said: str, place: Place) -> str:
    key = next((f"`{one}`: " for one in reversed(place) if isinstance(one, str)), "")
    return key + said.replace("Object contains unknown field", "the key is not known here:").replace(
        "Object missing required field", "the key is missing:"
    )
