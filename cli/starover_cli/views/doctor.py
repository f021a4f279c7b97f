"""What a doctor has found as one matrix, host by right, and the missing rights named; decides nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starover.runbook import Finding
from starover_cli.views.findings import findings_text
from starover_cli.views.text import plural, table

__all__ = ["doctor_text", "doctor_verdict"]

_WORDS = {"ok": "ok", "info": "ok", "warn": "~", "fail": "MISSING", "unknown": "?"}
_NOT_HOSTS = ("aws identity", "balancer")


def doctor_verdict(looks: Mapping[str, Sequence[Finding]]) -> str:
    """In one sentence."""
    wrong = [one for found in looks.values() for one in found if one.level != "ok"]
    hosts = {one.on for one in wrong}
    if not wrong:
        return f"Everything opens: {plural(len(looks), 'look')}, {plural(sum(map(len, looks.values())), 'right')}."
    return f"{plural(len(wrong), 'right')} missing on {plural(len(hosts), 'host')}: find out now, not at night."


def doctor_text(
    looks: Mapping[str, Sequence[Finding]],
    hosts: Sequence[str],
    rights: Sequence[str],
    seconds: Mapping[tuple[str, str], float],
    width: int = 100,
) -> str:
    """`looks`: findings by look. `seconds`: how long the Exchange session of a host took, by look and host."""
    parts = [doctor_verdict(looks)]
    for label, found in looks.items():
        cells = {(one.on, one.check): one for one in found}
        shown = [right for right in rights if any(check == right for _, check in cells)]
        rows = [
            [host, *(_cell(cells.get((host, right)), seconds.get((label, host))) for right in shown)]
            for host in hosts
            if any(on == host for on, _ in cells)
        ]
        parts.append("\n".join(table([[label, *shown], *rows], indent=2)))
        others = [one for one in found if one.check in _NOT_HOSTS and one.level == "ok"]
        parts += [f"  {one.check}{_of(one)}: {one.says}" for one in others]
        wrong = _together([one for one in found if one.level != "ok"])
        if wrong:
            parts.append(findings_text(wrong, width, full=True))
    return "\n\n".join(parts)


def _of(one: Finding) -> str:
    """Which one, where there may be several."""
    return "" if one.on == "AWS" else f" {one.on}"


def _together(found: Sequence[Finding]) -> list[Finding]:
    """What several hosts lack for the same reason, once."""
    same: dict[tuple[str, str, str], list[Finding]] = {}
    for one in found:
        same.setdefault((one.check, one.level, one.says), []).append(one)
    return [
        Finding(check=ones[0].check, on=", ".join(one.on for one in ones), level=ones[0].level, says=ones[0].says)
        for ones in same.values()
    ]


def _cell(one: Finding | None, seconds: float | None) -> str:
    if one is None:
        return "-"
    took = f" {seconds:.0f} s" if one.check == "exchange" and one.level == "ok" and seconds is not None else ""
    return f"{_WORDS[one.level]}{took}"
