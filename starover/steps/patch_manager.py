"""Updates by AWS-RunPatchBaseline: installed as a patch baseline says, never restarted; knows no other way, no verdict.

The SSM way of catalogue 5.6, S-WU-INSTALL. Everything is a call of AWS's about the instance; the host is not contacted.
"""

from __future__ import annotations

from collections.abc import Sequence

from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step, wait
from starover.steps.update_task import Offer, UpdateResult

__all__ = ["LeftPatch", "PatchCommands", "patched_by_baseline", "patches_left", "patching_ended", "told_by_baseline"]

FOUR_HOURS = 4 * 3600.0
_OVER = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})
_FAILED = 4
_SUCCEEDED = 2


class PatchCommand(Report):
    """One time that Patch Manager was sent to an instance."""

    comment: str | None
    status: str
    details: str


class PatchCommands(Report):
    """All of them, the latest first (`ssm/patch_commands.call.j2`)."""

    commands: tuple[PatchCommand, ...]

    def of(self, comment: str) -> PatchCommand | None:
        """The one with this comment."""
        return next((one for one in self.commands if one.comment == comment), None)


class LeftPatch(Report):
    """A patch that is approved and not installed."""

    article: str
    """`KB5044411`."""
    title: str
    state: str
    """`Missing` or `Failed`."""


class LeftPatches(Report):
    """What an instance lacks by its own baseline (`ssm/patches_left.call.j2`)."""

    patches: tuple[LeftPatch, ...]


patch_commands = Query("ssm/patch_commands.call.j2", PatchCommands)
"""Of the instance that is named."""
patches_left = Query("ssm/patches_left.call.j2", LeftPatches)
"""Of the instance that is named."""


@step(check=patch_commands, apply="ssm/patch.call.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=120))
def patched_by_baseline(
    now: PatchCommands, /, *, server: str, instance: str, comment: str, names: Sequence[str]
) -> Change | Blocked | None:
    """Patch Manager was sent to an instance, with this comment, which names the order (S-WU-INSTALL).

    What came of it only a search can tell.
    """
    del instance
    if now.of(comment) is not None:
        return None
    if any(one.status not in _OVER for one in now.commands):
        return Blocked(
            f"Patch Manager is at work on {server} already, by an order of somebody else",
            guard="G-SETUP",
            next=("wait until it has ended, then look again",),
        )
    return Change(f"updates of {server}: {', '.join(names)}", "offered", "installed as the patch baseline says")


def patching_ended(server: Server, comment: str) -> Steps:
    """Wait until Patch Manager has ended there: every 20 s, four hours at most."""

    def over(now: PatchCommands) -> bool:
        found = now.of(comment)
        return found is not None and found.status in _OVER

    yield from wait(
        patch_commands,
        server,
        until=over,
        settle=Settle(every=20, limit=FOUR_HOURS),
        what=f"Patch Manager on {server.name} to end",
        expected=True,
        instance=server.instance,
    )


def told_by_baseline(
    wanted: Sequence[Offer], offered: Sequence[Offer], left: Sequence[LeftPatch]
) -> tuple[tuple[UpdateResult, ...], tuple[Offer, ...]]:
    """What came of updates, and which of those that are still offered the baseline leaves out; pure.

    `offered`: what our own search finds afterwards, as far as it is wanted. `left`: what the baseline approves and the
    instance lacks.
    """
    lacking = {one.article.upper(): one.state for one in left}
    still = {one.id: next((lacking[kb.upper()] for kb in one.articles if kb.upper() in lacking), "") for one in offered}
    results: list[UpdateResult] = []
    for one in wanted:
        if one.id not in still:
            results.append(UpdateResult(id=one.id, code=_SUCCEEDED, hresult="0x00000000", reboot=False, problem=""))
        elif still[one.id]:
            problem = f"Patch Manager calls it {still[one.id]}"
            results.append(UpdateResult(id=one.id, code=_FAILED, hresult="", reboot=False, problem=problem))
    return tuple(results), tuple(one for one in offered if not still[one.id])
