"""AWS-RunPatchBaseline on the lab's hosts, and what Patch Manager then knows of them; knows no Run Command and no wire.

Sources: facts/ssm.md (d, documents), the user guide of Patch Manager. The baseline is AWS-DefaultPatchBaseline without
its seven days of patience: critical and security updates of the operating system; no optional ones, no other products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from starover_lab.cloud.errors import CloudError, not_simulated
from starover_lab.cloud.given import Given, Reply, number, tables, text, texts
from starover_lab.cloud.instances import Instances
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.update_parts import Update
from starover_lab.world.world import World

__all__ = ["DOCUMENT", "Patching", "checked"]

DOCUMENT = "AWS-RunPatchBaseline"
REBOOT = 3010
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "Operation": ("Scan", "Install"),
    "RebootOption": ("RebootIfNeeded", "NoReboot"),
}
_KNOWN = {*_ALLOWED, "SnapshotId", "AssociationId"}
_CLASSES = {"critical updates", "security updates"}
_BASELINE = "pb-0lab000000000default"
State = Literal["Installed", "InstalledPendingReboot", "Missing", "Failed", "NotApplicable"]


def checked(given: Mapping[str, Sequence[str]]) -> None:
    """Refuse parameters that the document does not have. Raises `CloudError`."""
    for name, values in given.items():
        if name in ("InstallOverrideList", "BaselineOverride") and any(values):
            not_simulated(f"{DOCUMENT} with {name}")
        allowed = _ALLOWED.get(name)
        if name not in _KNOWN or (allowed is not None and (len(values) != 1 or values[0] not in allowed)):
            raise CloudError("InvalidParameters", f"Parameters of {DOCUMENT}: {name} {', '.join(values)}")
    if "Operation" not in given:
        raise CloudError("InvalidParameters", f"{DOCUMENT} needs Operation")


@dataclass
class _Known:
    """What the last operation on an instance told."""

    operation: str
    option: str
    began: datetime
    ended: datetime
    states: dict[str, tuple[Update, State]] = field(default_factory=dict[str, tuple[Update, State]])
    """By article."""

    def count(self, *states: State) -> int:
        return sum(state in states for _, state in self.states.values())


class Patching:
    """Patch Manager in one region."""

    def __init__(self, world: World, instances: Instances) -> None:
        self._world = world
        self._instances = instances
        self._known: dict[str, _Known] = {}
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_instance_patch_states": self.describe_instance_patch_states,
            "describe_instance_patches": self.describe_instance_patches,
        }

    def run(self, server: Server, instance: str, parameters: Mapping[str, Sequence[str]]) -> tuple[str, int]:
        """The document at work, in the caller's coroutine; what it prints and its exit code."""
        world, operation = self._world, parameters["Operation"][0]
        option = next(iter(parameters.get("RebootOption", ())), "RebootIfNeeded")
        known = _Known(operation, option, world.now, world.now)
        world.scheduler.wait(world.state.tuning.update_search_s)
        done = 0
        if operation == "Install":
            for update in [one for one in world.updates.offered(server.name) if _approved(one)]:
                done += self._install(server, update)
        for update in world.updates.all(server.name):
            if _approved(update) or update.state in ("installed", "pending_reboot"):
                known.states[update.kb] = (update, _state(update))
        known.ended = world.now
        self._known[instance] = known
        failed = known.count("Failed")
        said = (
            f"Patch Summary for {instance}\n\nPatchGroup          : None\nBaselineId          : {_BASELINE}\n"
            f"OperationType       : {operation}\nRebootOption        : {option}\n"
            f"InstalledCount      : {known.count('Installed', 'InstalledPendingReboot')}\n"
            f"FailedCount         : {failed}\nMissingCount        : {known.count('Missing')}\n"
        )
        waits = "wu" in server.pending_reboot
        if option == "RebootIfNeeded" and (done or waits):
            return said, REBOOT
        return said, 1 if failed else 0

    def _install(self, server: Server, update: Update) -> int:
        """Fetch and install one; how many are installed by that."""
        world = self._world
        world.scheduler.wait((world.updates.download(server.name, update) - world.now).total_seconds())
        try:
            operation = world.updates.install(server.name, update)
            if operation is None:
                world.scheduler.pause()  # it never ends
                return 0
            world.scheduler.wait((operation.ends - world.now).total_seconds())
            operation.result()
        except WorldError:
            return 0
        finally:
            world.updates.abort(server.name)
        return 1

    # -- what is known -------------------------------------------------------------------------------------------

    def describe_instance_patch_states(self, given: Given) -> Reply:
        """Counts of the last operation; of an instance that none was run on nothing is said."""
        found = [(name, self._known[name]) for name in texts(given, "InstanceIds") if name in self._known]
        return {
            "InstancePatchStates": [
                {
                    "InstanceId": name,
                    "PatchGroup": "",
                    "BaselineId": _BASELINE,
                    "InstalledCount": one.count("Installed"),
                    "InstalledOtherCount": 0,
                    "InstalledPendingRebootCount": one.count("InstalledPendingReboot"),
                    "InstalledRejectedCount": 0,
                    "MissingCount": one.count("Missing"),
                    "FailedCount": one.count("Failed"),
                    "NotApplicableCount": 0,
                    "OperationStartTime": one.began,
                    "OperationEndTime": one.ended,
                    "Operation": one.operation,
                    "RebootOption": one.option,
                }
                for name, one in found
            ]
        }

    def describe_instance_patches(self, given: Given) -> Reply:
        """The patches of one instance as its last operation found them."""
        name = text(given, "InstanceId")
        self._instances.get(name)
        one = self._known.get(name)
        shown = list(one.states.values()) if one is not None else []
        for asked in tables(given, "Filters"):
            key, wanted = text(asked, "Key"), set(texts(asked, "Values"))
            if key == "State":
                shown = [each for each in shown if each[1] in wanted]
            elif key == "KBId":
                shown = [each for each in shown if each[0].kb in wanted]
            else:
                not_simulated(f"patches by {key}")
        at, most = int(text(given, "NextToken") or 0), number(given, "MaxResults", 50)
        page = [
            {
                "Title": update.title,
                "KBId": update.kb,
                "Classification": next(iter(update.categories), "").replace(" ", ""),
                "Severity": update.severity or "Unspecified",
                "State": state,
                "InstalledTime": update.installed_at or datetime.fromtimestamp(0, self._world.now.tzinfo),
            }
            for update, state in shown[at : at + most]
        ]
        return {"Patches": page, **({"NextToken": str(at + most)} if at + most < len(shown) else {})}


def _approved(update: Update) -> bool:
    title = update.title.casefold()
    ours = "exchange server" not in title and ".net framework" not in title
    return ours and not update.browse_only and bool(_CLASSES & {one.casefold() for one in update.categories})


def _state(update: Update) -> State:
    if update.state == "installed":
        return "Installed"
    if update.state == "pending_reboot":
        return "InstalledPendingReboot"
    return "Failed" if update.state == "failed" else "Missing"
