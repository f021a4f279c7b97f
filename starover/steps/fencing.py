"""Levels of G-FENCE, pure: what is proven about a host that does not answer, and whether it is enough; asks nobody.

Split brain is what a fence prevents: before quorum is forced on one side, nothing of the other may be able to go on
or to come back (catalogue, G-FENCE and S-FENCE). Being unreachable proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from starover.names import same_host
from starover.steps.instances import OFF, Checks
from starover.steps.subnet_rules import NetworkAcl, denies_all

__all__ = [
    "IMPAIRED",
    "PORTS",
    "RECOVERY_TAG",
    "TAG",
    "FenceFacts",
    "FenceLevel",
    "Fenced",
    "level_of",
    "shortfall",
    "strength",
]

TAG = "dag-fenced"
"""Tag of an instance that was fenced; its value is who or what did it. Only failback takes it away."""
RECOVERY_TAG = "dag-auto-recovery"
"""Tag that keeps what automatic recovery of an instance was before its fence turned it off; failback goes by it."""
PORTS = (445, 135, 5985, 64327)
"""On none of them may a fenced host answer: SMB, RPC, WinRM, replication."""
IMPAIRED = 300.0
"""Seconds for which a status check must have been failing (F2)."""
PEOPLE = 2
"""Different people who certify a loss of power (F4)."""

FenceLevel = Literal["", "F1", "F2", "F3", "F4"]
"""F1 is the strongest; empty: none, as for everything that is unreachable and no more."""
_ORDER: tuple[FenceLevel, ...] = ("", "F4", "F3", "F2", "F1")


def strength(level: FenceLevel) -> int:
    """0 for none, 4 for F1."""
    return _ORDER.index(level)


class FenceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one host of the lost side. What nobody could ask is None, and proves nothing."""

    host: str
    instance: str = ""
    """Its EC2 instance; empty: it has none."""
    state: str | None = None
    """Of the instance; None: EC2 did not say."""
    checks: Checks | None = None
    store: str = ""
    """What is said of its instance store, which a stop loses; empty: it has none."""
    now: datetime | None = None
    """The time by a survivor's clock."""
    survivors: tuple[str, ...] = ()
    """Everybody on this side who must not reach it."""
    open: Mapping[str, tuple[int, ...] | None] = {}
    """By place, the ports of `PORTS` that answer from there; None: the place could not tell. Places are survivors and
    others: a witness host, a domain controller, `tool` for where we are."""
    subnet: str = ""
    """Id of its subnet."""
    acl: NetworkAcl | None = None
    """In force for it."""
    stopped_cleanly: bool = False
    """Stop-DatabaseAvailabilityGroup ended without an error on the host itself."""
    power_event: str = ""
    """What AWS Health says of the power of its zone; empty: nothing."""
    certified_by: tuple[str, ...] = ()
    """Who says by name that it has no power."""
    serves: str = ""
    """What shows that it serves: a quorate cluster or a mounted database there; empty: nothing does."""


class Fenced(msgspec.Struct, frozen=True, kw_only=True):
    """How far a host is fenced."""

    host: str
    level: FenceLevel
    why: tuple[str, ...]
    """The raw facts behind it, a sentence each."""
    denied: bool
    """Nothing passes its subnet's network ACL."""
    serves: str = ""
    further: tuple[str, ...] = ()
    """What may bring it to a higher level: to wait for, or to type."""


def level_of(facts: FenceFacts) -> Fenced:
    """The highest level of G-FENCE that the facts prove, with all of the facts."""
    denied = facts.acl is not None and denies_all(facts.acl.entries)
    silent = _silent(facts)
    failing = _failing(facts)
    level: FenceLevel = ""
    if facts.state in OFF or facts.stopped_cleanly:
        level = "F1"
    elif facts.state == "stopping" and silent and failing is not None and failing >= IMPAIRED:
        level = "F2"
    elif denied and silent:
        level = "F3"
    elif _certified(facts) and facts.power_event:
        level = "F4"
    return Fenced(
        host=facts.host,
        level=level,
        why=tuple(_sentences(facts, denied, failing)),
        denied=denied,
        serves=facts.serves,
        further=() if level == "F1" else tuple(_further(facts)),
    )


def _further(facts: FenceFacts) -> Iterator[str]:
    if facts.instance:
        yield "wait, and type this again: EC2 may still get through"
    else:
        yield f"the instance id of {facts.host} in the inventory   then EC2 can stop it"
    if not _certified(facts):
        yield "--certified-by NAME,NAME   two people who have seen it without power, where AWS Health shows that (F4)"
    elif not facts.power_event:
        yield "AWS Health shows no loss of power there: what people have seen counts only with it (F4)"


def _certified(facts: FenceFacts) -> bool:
    return len({name.strip().casefold() for name in facts.certified_by} - {""}) >= PEOPLE


def _silent(facts: FenceFacts) -> bool:
    """Whether no survivor reaches it, nor one more place; whoever could not tell proves nothing."""
    if not facts.survivors:
        return False
    asked = {place: ports for place, ports in facts.open.items() if ports is not None}
    if any(asked.values()):
        return False
    here = [name for name in facts.survivors if any(same_host(name, place) for place in asked)]
    others = [place for place in asked if not any(same_host(place, name) for name in facts.survivors)]
    return len(here) == len(facts.survivors) and bool(others)


def _failing(facts: FenceFacts) -> float | None:
    since = facts.checks.failing if facts.checks is not None else None
    return None if since is None or facts.now is None else (facts.now - since).total_seconds()


def _sentences(facts: FenceFacts, denied: bool, failing: float | None) -> list[str]:
    said: list[str] = []
    if facts.instance:
        state = "EC2 does not say how it is" if facts.state is None else facts.state or "EC2 does not know it"
        said.append(f"instance {facts.instance}: {state}")
    else:
        said.append("no instance id in the inventory: EC2 cannot be asked")
    if facts.store:
        said.append(facts.store)
    if facts.checks is not None:
        checks = f"status checks: system {facts.checks.system}, instance {facts.checks.instance}"
        said.append(checks + (f", failing for {int(failing)} s" if failing is not None else ""))
    for place, ports in sorted(facts.open.items()):
        if ports is None:
            said.append(f"{place} could not say whether it answers")
        elif ports:
            said.append(f"it answers {place} on {', '.join(str(port) for port in ports)}")
    quiet = sorted(place for place, ports in facts.open.items() if ports is not None and not ports)
    if quiet:
        said.append(f"silent on {', '.join(str(port) for port in PORTS)} for {', '.join(quiet)}")
    if facts.acl is not None:
        says = "lets nothing pass" if denied else "lets something pass"
        said.append(f"network ACL {facts.acl.id} of {facts.subnet} {says}")
    if facts.stopped_cleanly:
        said.append("Stop-DatabaseAvailabilityGroup ended without an error there")
    if facts.power_event:
        said.append(f"AWS Health: {facts.power_event}")
    if facts.certified_by:
        said.append(f"seen without power by {' and '.join(facts.certified_by)}")
    if facts.serves:
        said.append(f"IT SERVES: {facts.serves}")
    return said


def shortfall(fenced: Fenced, *, dac: bool, second: bool, break_glass: bool) -> str:
    """Why the level is not enough to force quorum on the other side; empty: it is.

    `dac`: mode DagOnly. `second`: a second person has approved. `break_glass`: given by one who is alone; it lowers
    what is wanted by one level at most, and takes nobody's word for a host that serves.
    """
    host, level = fenced.host, fenced.level
    if not level:
        return f"{host} is fenced at no level: that it cannot be reached proves nothing"
    if level == "F1":
        return ""
    if fenced.serves:
        return f"{host} is at {level} and serves ({fenced.serves}): only F1, stopped, is enough"
    if level == "F2":
        return ""
    if dac:
        return "" if second or (break_glass and level == "F3") else f"{host} is at {level}: a second person must agree"
    if not (break_glass and second):
        return f"{host} is at {level} and DAC is off: nothing there stops a returning node from mounting"
    if level == "F4" and not fenced.denied:
        return f"{host} is at F4 and DAC is off: F4 counts only on top of a network ACL that lets nothing pass"
    return ""
