"""The lab as a person reads it: that it is up, its time, its hosts, what happened and what is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starover_cli.views.head import next_block
from starover_cli.views.text import clip, clock_time, moment, plural, table

if TYPE_CHECKING:
    from starover.estate import Estate

__all__ = ["clock_text", "events_text", "faults_text", "status_text", "up_text"]


def up_text(estate: Estate, seconds: float, *, folder: str, detached: bool) -> str:
    """What `lab up` says when the lab is ready; `folder` is empty for the default lab of the directory."""
    zones = {server.az for server in estate.servers if server.az}
    parts = [plural(len(estate.servers), "Windows server"), plural(len(zones), "AZ"), _dags(estate)]
    kinds = sorted({balancer.kind.upper() for balancer in estate.balancers})
    said = f"lab   {estate.name}: {', '.join([*parts, *kinds])}, on 127.0.0.1"
    lines = [
        f"{said.ljust(84)}  ready in {seconds:.1f} s",
        "      WinRM and PSRP answer like the real ones; time is simulated.",
    ]
    option = f" --dir {folder}" if folder else ""
    inventory = f" --inventory {folder}/inventory.yaml" if folder else ""
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


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def clock_text(said: Mapping[str, Any]) -> str:
    """`lab   Fri 20 Nov 14:00:07 (sim)`, and why it stands, if it does."""
    parts = [f"lab   {moment(_time(said['now']), simulated=True)}"]
    if said.get("speed"):
        parts.append(f"{said['speed']:g} simulated seconds a real one")
    if said.get("standsFor"):
        parts.append(f"stands: {said['standsFor']}")
    if said.get("reached") is False:
        parts.append("not moved all the way: a script is in flight")
    return "   ".join(parts)


def status_text(said: Mapping[str, Any], width: int = 100) -> str:
    """Name, time, hosts, faults."""
    hosts = [("host", "line"), *((str(host["name"]), str(host["line"])) for host in said["hosts"])]
    down = [host for host in said["hosts"] if host["line"] != "up"]
    verdict = (
        "Every host answers." if not down else f"{plural(len(down), 'host')} of {len(said['hosts'])} do not answer."
    )
    faults = said.get("faults") or []
    verdict += f" {plural(len(faults), 'fault')} in force." if faults else " Nothing is broken."
    parts = [
        f"LAB   {said['name']}   process {said['pid']}   {clock_text(said).removeprefix('lab   ')}",
        verdict,
        "\n".join(clip(line, width) for line in table(hosts, indent=2)),
    ]
    if faults:
        parts.append("\n".join(_fault(one) for one in faults))
        parts.append(next_block([("starover lab mend", "mend everything")]))
    return "\n\n".join(parts)


def _fault(one: Mapping[str, Any]) -> str:
    given = " ".join(f"{name}={value}" for name, value in (one.get("params") or {}).items())
    words = [f"  {one['number']:>3}  {one['kind']}", str(one.get("target") or ""), given]
    said = str(one.get("text") or "")
    return "  ".join(word for word in [*words, said] if word)


def faults_text(numbers: Sequence[int], word: str, in_force: Sequence[Mapping[str, Any]]) -> str:
    """What was broken or mended, and what is broken now."""
    if not numbers:
        return f"lab   nothing was {word}: no such fault is in force"
    named = {one["number"]: one for one in in_force}
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


def events_text(found: Sequence[Mapping[str, Any]], width: int = 100) -> str:
    """One line each."""
    if not found:
        return "lab   nothing has happened"
    rows = [
        (
            str(one["number"]),
            clock_time(_time(one["time"]), simulated=True),
            str(one["kind"]),
            str(one["subject"]),
            " ".join(f"{name}={value}" for name, value in (one.get("data") or {}).items()),
        )
        for one in found
    ]
    return "\n".join(clip(line, width) for line in table(rows))
