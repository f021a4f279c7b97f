"""A run that was refused because too few hosts granted the lease asks all of them again when it is resumed."""

from __future__ import annotations

from pathlib import Path

from inner_lab import InnerLab

from starover.errors import NotSafe
from starover.transport import Script


def _of_the_lease(script: Script) -> bool:
    return any(part.template.startswith("lease/") for part in script.parts)


def test_a_lease_that_too_few_granted_is_asked_for_again(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        plan = lab.plan("copies-suspend", db="DB01", server="EX2", mode="full").plan
        lab.transport.accident = lambda script: None if _of_the_lease(script) else "before"
        begun = lab.apply(plan)
        assert begun.exit == 6
        lab.transport.accident = lambda one: "before" if _of_the_lease(one) and one.server.name != "EX1" else None
        refused = lab.resume(begun.run)
        assert isinstance(refused.error, NotSafe)
        assert "must grant it" in refused.error.what
        lab.transport.accident = lambda _script: None
        assert lab.resume(begun.run).exit == 0
        assert max(lab.transport.ran.values()) == 1
