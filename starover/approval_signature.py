"""An approval signed with an SSH key, and what it binds in words; knows no policy, no screen and no clock.

What is signed is a line that says what this is, and the approval as JSON with sorted keys, without its signature: so
`ssh-keygen -Y verify -n starover` checks it anywhere, without starover (docs/policy.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from starover.approval import UNSIGNED, Second
from starover.errors import BadParameter
from starover.guard import FRESH
from starover.plan import Plan
from starover.signatures import check, sign

__all__ = ["NAMESPACE", "agreed", "binds", "differences", "message", "signed", "signer"]

NAMESPACE = "starover"
_SHOWN = 12
"""Differences that a refusal lists."""


def agreed(plan: Plan, by: str, at: datetime) -> Second:
    """The word of `by` for exactly this plan, unsigned; it is good for as long as the plan's facts are."""
    return Second(
        digest=plan.digest,
        plan=plan.id,
        runbook=plan.runbook,
        estate=plan.estate,
        by=by,
        at=at,
        expires=plan.made + FRESH,
        binds=binds(plan),
    )


def message(second: Second) -> bytes:
    """What the signature is of."""
    plain = msgspec.to_builtins(msgspec.structs.replace(second, signature=UNSIGNED))
    del plain["signature"]
    return b"starover approval\n" + msgspec.json.encode(plain, order="sorted") + b"\n"


def signed(second: Second, key: Path) -> Second:
    """The same, signed. Raises `Mistake` when there is no ssh-keygen or the key cannot be used."""
    return msgspec.structs.replace(second, signature=sign(message(second), key, NAMESPACE).decode("ascii"))


def signer(second: Second, signers: Path, at: datetime) -> str:
    """Whose key made it, by the allowed signers that hold at `at`.

    Raises `BadParameter`, and `Mistake` where there is no ssh-keygen.
    """
    if second.signature == UNSIGNED:
        raise BadParameter("nobody has signed it")
    return check(message(second), second.signature.encode("ascii", "replace"), signers, NAMESPACE, at=at)


def binds(plan: Plan) -> tuple[str, ...]:
    """What an approval of this plan is about, line by line: so that another plan's difference can be shown later."""
    lines = [f"runbook {plan.runbook} of estate {plan.estate}", f"content {plan.content[:16]}, starover {plan.version}"]
    lines += [f"{name} = {value}" for name, value in plan.parameters.items()]
    for step in plan.steps:
        change = step.change
        what = f"{change.what}: {change.now} -> {change.wanted} {change.note}".rstrip() if change else "right already"
        lines.append(f"{step.kind} on {step.host}, risk {step.risk.value}: {what}, script {step.sha256[:16] or 'none'}")
    beyond = plan.beyond
    if not plan.complete:
        lines.append(f"then at most {', '.join(beyond.kinds)} on {', '.join(beyond.targets)}, risk {beyond.risk.value}")
    return tuple(lines)


def differences(then: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    """What is not as it was approved: lines that went, and lines that came."""
    found = [f"approved   {line}" for line in then if line not in now]
    found += [f"now        {line}" for line in now if line not in then]
    return (*found[:_SHOWN], *([f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []))
