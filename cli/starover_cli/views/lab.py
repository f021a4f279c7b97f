"""The lab as a person reads it: that it is up, its time, its hosts, what happened and what is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from starover_cli.views.head import next_block
from starover_cli.views.text import clip, clock_time, moment, plural, table, wrap

if TYPE_CHECKING:
    from starover.estate import Estate

__all__ = [
    "LabClockSays",
    "LabEvent",
    "LabFault",
    "LabKind",
    "LabStatus",
    "clock_text",
    "events_text",
    "faults_text",
    "kinds_text",
    "said",
    "status_text",
    "up_text",
]

T = TypeVar("T")


class LabClockSays(msgspec.Struct, rename="camel"):
    """The lab's time."""

    now: datetime
    speed: float = 0.0
    """Simulated seconds a real one while nobody waits."""
    stands_for: str = ""
    """Why it may not move now."""
    reached: bool = True


class LabHost(msgspec.Struct):
    """A host of the lab and what its line does: `up`, `silent`, `refused`."""

    name: str
    line: str


class LabFault(msgspec.Struct):
    """A fault in force."""

    number: int
    kind: str
    target: str = ""
    params: dict[str, object] = {}
    text: str = ""


class LabKind(msgspec.Struct):
    """A kind of fault that can be made."""

    kind: str
    does: str
    target: str = ""
    params: dict[str, str] = {}


class LabStatus(LabClockSays, rename="camel"):
    """What `GET status` answers."""

    name: str = ""
    pid: int = 0
    hosts: list[LabHost] = []
    faults: list[LabFault] = []


class LabEvent(msgspec.Struct):
    """One thing that happened in the world."""

    number: int
    time: datetime
    kind: str
    subject: str
    data: dict[str, object] = {}


def said(answer: object, kind: type[T]) -> T:
    """The lab's answer as a struct; what this view does not show is left out."""
    return msgspec.convert(answer, kind)


def up_text(estate: Estate, seconds: float, *, folder: str, detached: bool, aws: str) -> str:
    """What `lab up` says when the lab is ready; `folder` is empty for the default lab of the directory."""
    zones = {server.az for server in estate.servers if server.az}
    parts = [plural(len(estate.servers), "Windows server"), plural(len(zones), "AZ"), _dags(estate)]
    kinds = sorted({balancer.kind.upper() for balancer in estate.balancers})
    line = f"lab   {estate.name}: {', '.join([*parts, *kinds])}, on 127.0.0.1"
    lines = [
        f"{line.ljust(84)}  ready in {seconds:.1f} s",
        "      WinRM and PSRP answer like the real ones; time is simulated.",
    ]
    option = f" --dir {folder}" if folder else ""
    inventory = f" --inventory {folder}/inventory.yaml" if folder else ""
    lines.append(f"      Its AWS answers boto3: export AWS_ENDPOINT_URL={aws}")
    if not folder:
        lines.append("      This lab is now the default estate of this directory (.starover/).")
    if not detached:
        lines.append("      It stays in the foreground: Ctrl-C puts it away.")
    look = (f"starover{inventory} status", "look at the DAG")
    if not estate.dags:
        look = (f"starover lab status{option}", "look at the servers; there is no DAG yet")
    zone = min(zones)[-2:] if zones else "1a"
    following = [
        look,
        (f"starover lab break az {zone}{option}", "take an Availability Zone away"),
        (f"starover lab down{option}", "put everything away"),
    ]
    return "\n".join(lines) + "\n\n" + next_block(following)


def _dags(estate: Estate) -> str:
    if not estate.dags:
        return "no DAG"
    return "one DAG" if len(estate.dags) == 1 else plural(len(estate.dags), "DAG")


def clock_text(clock: LabClockSays) -> str:
    """`lab   Fri 20 Nov 14:00:07 (sim)`, and why it stands, if it does."""
    parts = [f"lab   {moment(clock.now, simulated=True)}"]
    if clock.speed:
        parts.append(f"{clock.speed:g} simulated seconds a real one")
    if clock.stands_for:
        parts.append(f"stands: {clock.stands_for}")
    if not clock.reached:
        parts.append("not moved all the way: a script is in flight")
    return "   ".join(parts)


def status_text(status: LabStatus, width: int = 100) -> str:
    """Name, time, hosts, faults."""
    hosts = [("host", "line"), *((host.name, host.line) for host in status.hosts)]
    down = [host for host in status.hosts if host.line != "up"]
    verdict = f"{len(down)} of {plural(len(status.hosts), 'host')} do not answer." if down else "Every host answers."
    verdict += f" {plural(len(status.faults), 'fault')} in force." if status.faults else " Nothing is broken."
    parts = [
        f"LAB   {status.name}   process {status.pid}   {clock_text(status).removeprefix('lab   ')}",
        verdict,
        "\n".join(clip(line, width) for line in table(hosts, indent=2)),
    ]
    if status.faults:
        parts.append("\n".join(_fault(one) for one in status.faults))
        parts.append(next_block([("starover lab mend", "mend everything")]))
    return "\n\n".join(parts)


def _fault(one: LabFault) -> str:
    words = [f"  {one.number:>3}  {one.kind}", one.target, _pairs(one.params), one.text]
    return "  ".join(word for word in words if word)


def _pairs(values: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def faults_text(numbers: Sequence[int], word: str, in_force: Sequence[LabFault]) -> str:
    """What was broken or mended, and what is broken now."""
    if not numbers:
        return f"lab   nothing was {word}: no such fault is in force"
    named = {one.number: one for one in in_force}
    lines = [
        f"lab   {word}: {_fault(named[number]).strip() if number in named else f'fault {number}'}" for number in numbers
    ]
    rest = [one for number, one in named.items() if number not in numbers]
    if rest:
        lines.append(f"      also broken: {', '.join(_fault(one).strip() for one in rest)}")
    if word == "broken":
        following = [("starover status", "see it"), (f"starover lab mend {numbers[0]}", "put it right")]
        return "\n".join(lines) + "\n\n" + next_block(following)
    return "\n".join(lines)


def kinds_text(found: Sequence[LabKind], width: int = 100) -> str:
    """What can be broken: each kind with its target, what it does, and what more may be said."""
    widest = max((len(f"{one.kind} {_wanted(one)}") for one in found), default=0)
    lines: list[str] = []
    for one in found:
        more = f"  ({', '.join(f'{name}: {says}' for name, says in one.params.items())})" if one.params else ""
        left = f"  {f'{one.kind} {_wanted(one)}'.ljust(min(widest, 40))}  "
        lines += wrap(f"{left}{one.does}{more}", width, " " * 44)
    following = [("starover lab break az 1a", "a whole zone"), ("starover lab break host_off EX1", "one host")]
    return "\n".join(["what can be broken, and where:", *lines]) + "\n\n" + next_block(following)


def _wanted(one: LabKind) -> str:
    return f"<{one.target}>" if one.target else ""


def events_text(found: Sequence[LabEvent], width: int = 100) -> str:
    """One line each."""
    if not found:
        return "lab   nothing has happened"
    rows = [
        (str(one.number), clock_time(one.time, simulated=True), one.kind, one.subject, _pairs(one.data))
        for one in found
    ]
    return "\n".join(clip(line, width) for line in table(rows))
