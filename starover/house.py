"""The house rules at work: an approval held against the policy and the allowed signers, before anything is sent.

Runs ssh-keygen to check a signature; contacts no host. What it decides is `policy.decide`'s, and stands in the journal.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from starover.approval import Second
from starover.approval_signature import binds as bound_by
from starover.approval_signature import differences, signer
from starover.calls import ENDING
from starover.command_line import word
from starover.effects import Approval
from starover.errors import BadParameter, NotApproved, OutsideWindow, Refused
from starover.estate import Estate
from starover.lease import dag_of
from starover.plan import Plan
from starover.policy import Approver, Decision, Request, Rule, decide, not_for, not_to_approve, person_of, rule_for
from starover.policy_file import Agreed, load_policy
from starover.step import Risk

__all__ = ["SIGNERS", "House", "house_of"]

SIGNERS = "allowed_signers"
"""File of allowed signers beside an inventory that has no policy."""


@dataclass(frozen=True, kw_only=True)
class House:
    """What holds in one estate."""

    estate: Estate
    agreed: Agreed | None
    signers: Path | None
    """The allowed signers; None: there is no such file, and no policy that needs one."""
    heard: Callable[[Second], bool] = lambda _second: False
    """Whether this process itself heard the person say so in the team's chat. A file that says so proves nothing."""

    def foresee(
        self, plan: Plan, who: str, at: datetime, *, ticket: str = "", second: Second | None = None
    ) -> Decision | None:
        """What would be decided now; None: there is no policy."""
        given = Approval(by=who, digest=plan.digest, how="digest", at=at, ticket=ticket)
        try:
            return self._decide(plan, given, self._approver(plan, second, at), at)
        except Refused as refused:
            return Decision(verdict="refused", why=(refused.what,))

    def check(self, plan: Plan, approval: Approval, at: datetime) -> Approval:
        """The approval with what it rests on, for the journal. Raises `Refused`: `NotApproved` or `OutsideWindow`."""
        approver = self._approver(plan, approval.second, at)
        decision = self._decide(plan, approval, approver, at)
        if decision is not None and decision.verdict != "allowed":
            raise _refused(plan, approval, decision)
        return msgspec.structs.replace(
            approval,
            signed=approver is not None and approver.signed,
            policy=self.agreed.sha256 if self.agreed is not None else "",
            rests_on=decision.why if decision is not None else (),
            waivers=(*approval.waivers, *(decision.waivers if decision is not None else ())),
        )

    def not_to_approve(self, plan: Plan, second: Second, at: datetime) -> str:
        """Why this approval does not count; empty: it does. Raises `NotApproved` for what is false in itself."""
        if self.agreed is None:
            return ""
        given = Approval(by=plan.by, digest=plan.digest, how="digest", at=at)
        return not_to_approve(self.agreed.policy, self._request(plan, given, self._approver(plan, second, at), at))

    def not_for(self, plan: Plan, who: str) -> str:
        """Why this person may not apply such a plan; empty: they may, or there is no policy."""
        return not_for(self.agreed.policy, self._dag(plan), plan.risk, who) if self.agreed is not None else ""

    def with_heard(self, heard: Callable[[Second], bool]) -> House:
        """The same, where other approvals given in chat are believed."""
        return replace(self, heard=heard)

    def rule(self, plan: Plan) -> Rule | None:
        """What such a plan needs; None: there is no policy, or it only reads."""
        if self.agreed is None or plan.risk is Risk.READ:
            return None
        return rule_for(self.agreed.policy, self._dag(plan), plan.risk)

    def wants_second(self, plan: Plan) -> bool:
        """Whether the policy wants a second person for such a plan; without one it does not say."""
        rule = self.rule(plan)
        return rule is not None and bool(rule.second)

    def may_go_on(self, plan: Plan, who: str) -> None:
        """Raises `NotApproved` where this person may not resume a run of that plan.

        Its time and its approval were held against the rules when it began, and what is half done is better ended.
        """
        if why := self.not_for(plan, who):
            raise NotApproved(
                why, certain=("nothing was sent",), next=("starover policy show   who may: one of them resumes it",)
            )

    def _dag(self, plan: Plan) -> str:
        hosts = [step.host for step in plan.changes if not step.template.endswith(ENDING)]
        dag = dag_of(self.estate, plan.parameters, hosts or [step.host for step in plan.changes])
        return dag.name if dag is not None else ""

    def _decide(self, plan: Plan, given: Approval, approver: Approver | None, at: datetime) -> Decision | None:
        if self.agreed is None:
            return None
        return decide(self.agreed.policy, self._request(plan, given, approver, at), self.agreed.spells)

    def _request(self, plan: Plan, given: Approval, approver: Approver | None, at: datetime) -> Request:
        return Request(
            dag=self._dag(plan),
            runbook=plan.runbook,
            risk=plan.risk,
            who=given.by,
            asked_by=plan.by,
            at=at,
            ticket=given.ticket,
            second=approver,
            break_glass=given.break_glass,
        )

    def _approver(self, plan: Plan, second: Second | None, at: datetime) -> Approver | None:
        """Who approved it, and whether a key of theirs says so. Raises `NotApproved` for what is false in itself."""
        if second is None:
            return None
        if second.digest != plan.digest:
            lines = differences(second.binds, bound_by(plan)) if second.binds else ()
            raise NotApproved(
                f"the approval of {second.by} is for plan {second.plan}, and this one is another: {plan.id}",
                certain=(*lines, "nothing was sent but reads"),
                next=(f"starover approve {plan.id}   for this one",),
            )
        if not second.is_signed or self.signers is None:
            chat = not second.is_signed and self.heard(second)
            return Approver(name=second.by, signed=False, expires=second.expires, chat=chat)
        if shutil.which("ssh-keygen") is None:
            raise NotApproved(
                f"the signature of {second.by} cannot be checked: there is no ssh-keygen here",
                certain=("nothing was sent but reads",),
                next=(
                    "Debian, Ubuntu: apt install openssh-client   Fedora: dnf install openssh-clients",
                    "Windows: Add-WindowsCapability -Online -Name OpenSSH.Client~~~~0.0.1.0   (8.2 or newer)",
                ),
            )
        try:
            name = signer(second, self.signers, at)
        except BadParameter as error:
            raise NotApproved(
                f"the approval of {second.by} does not count: {error.what}",
                certain=("nothing was sent but reads",),
                next=(f"starover approve {plan.id} --key KEY   known as {second.by} in {self.signers.as_posix()}",),
            ) from error
        if not self._same(name, second.by):
            raise NotApproved(
                f"the approval says it is by {second.by}, and the key is {name}'s",
                certain=("nothing was sent but reads",),
                next=(f"starover approve {plan.id} --as {word(name)} --key KEY   {name} runs this",),
            )
        return Approver(name=name, signed=True, expires=second.expires)

    def _same(self, one: str, other: str) -> bool:
        if self.agreed is None:
            return one.casefold() == other.casefold()
        person = person_of(self.agreed.policy, one)
        return person is not None and person == person_of(self.agreed.policy, other)


def house_of(estate: Estate, folder: Path) -> House:
    """What holds for the inventory in this folder. Raises `BadInventory` for a policy that is wrong."""
    agreed = load_policy(folder)
    signers = agreed.signers if agreed is not None else folder / SIGNERS
    return House(estate=estate, agreed=agreed, signers=signers if agreed is not None or signers.is_file() else None)


def _refused(plan: Plan, approval: Approval, decision: Decision) -> Refused:
    what = "; ".join(decision.why)
    if decision.outside:
        return OutsideWindow(what, certain=("nothing was sent but reads",), next=("starover policy show",))
    following: list[str] = []
    if decision.verdict == "needs approval" or decision.approvers:
        others = ", ".join(decision.approvers) or "nobody: the policy leaves nobody else"
        following = [
            f"who may approve: {others} (policy.yaml)",
            f"starover approve {plan.id} --key KEY   one of them runs this",
            f"starover plans show {plan.id} --to FILE   for another machine",
        ]
        if not approval.break_glass:
            following.append(
                '--break-glass "REASON"   if nobody can be reached: it replaces the approval only, stands first in '
                "every report, and every proof of the plan stays"
            )
    return NotApproved(what, certain=("nothing was sent but reads",), next=following)
