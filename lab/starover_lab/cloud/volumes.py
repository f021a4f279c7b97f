"""EBS: volumes, snapshots and changes of size; a finished snapshot keeps what was on it (simulator.md, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starover_lab.cloud.errors import CloudError, missing, not_simulated
from starover_lab.cloud.given import Given, Looks, Reply, filtered, flag, ident, number, table, tables, tags_of, text
from starover_lab.cloud.given import texts as listed
from starover_lab.cloud.instances import Instance, Instances
from starover_lab.cloud.shapes import OWNER, tag_list
from starover_lab.world.divergence import preserve
from starover_lab.world.entities import Volume
from starover_lab.world.storage import volume_of
from starover_lab.world.world import World

__all__ = ["Volumes"]

_GIB = 1 << 30
_MB = 1_000_000
_VOLUME: Looks = {
    "volume-id": lambda one: [text(one, "VolumeId")],
    "attachment.instance-id": lambda one: [text(part, "InstanceId") for part in tables(one, "Attachments")],
    "attachment.device": lambda one: [text(part, "Device") for part in tables(one, "Attachments")],
}
_SNAPSHOT: Looks = {
    "snapshot-id": lambda one: [text(one, "SnapshotId")],
    "volume-id": lambda one: [text(one, "VolumeId")],
    "status": lambda one: [text(one, "State")],
    "description": lambda one: [text(one, "Description")],
}


@dataclass(eq=False)
class _Ebs:
    """A volume of EBS below one of Windows."""

    id: str
    instance: Instance
    volume: Volume
    device: str
    root: bool
    gib: int
    changed: datetime | None = None
    """When its size was changed last."""
    was: int = 0


@dataclass(eq=False)
class _Snapshot:
    id: str
    ebs: _Ebs
    description: str
    started: datetime
    ends: datetime
    tags: dict[str, str] = field(default_factory=dict[str, str])
    told: bool = False
    """The world knows that it is complete."""


class Volumes:
    """All volumes of all instances."""

    def __init__(self, world: World, instances: Instances) -> None:
        self._world = world
        self._state = world.state
        self._instances = instances
        self._all: dict[str, _Ebs] = {}
        self._snapshots: dict[str, _Snapshot] = {}
        for instance in instances.all.values():
            for at, volume in enumerate(instance.server.volumes):
                name = ident("vol", self._state.dice.text("vol", f"{instance.id} {volume.mount}", 16))
                device = "/dev/sda1" if at == 0 else f"xvd{chr(ord('a') + at)}"
                gib = -(-volume.size // _GIB)
                self._all[name] = _Ebs(name, instance, volume, device, root=at == 0, gib=gib)
        self._state.reviewers.append(self.review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_volumes": self.describe_volumes,
            "create_snapshots": self.create_snapshots,
            "describe_snapshots": self.describe_snapshots,
            "modify_volume": self.modify_volume,
            "describe_volumes_modifications": self.describe_volumes_modifications,
        }

    def review(self) -> None:
        """A snapshot that is complete has kept the copies that lay on its volume."""
        for one in self._snapshots.values():
            if not one.told and self._state.now >= one.ends:
                one.told = True
                self._keep(one)

    def _keep(self, snapshot: _Snapshot) -> None:
        server, volume = snapshot.ebs.instance.server, snapshot.ebs.volume
        for database in self._state.databases:
            copy = database.copies.get(server.name)
            if copy is not None and volume_of(server, database.log_path) is volume:
                preserve(self._state, database, copy.server, "snapshot")

    def _volume(self, name: str) -> _Ebs:
        found = self._all.get(name)
        if found is None:
            raise CloudError("InvalidVolume.NotFound", f"The volume '{name}' does not exist.")
        return found

    # -- calls ---------------------------------------------------------------------------------------------------

    def describe_volumes(self, given: Given) -> Reply:
        """Volumes."""
        names = listed(given, "VolumeIds")
        asked = [self._volume(name) for name in names] if names else [*self._all.values()]
        return {"Volumes": filtered(given, [self._shown(one) for one in asked], _VOLUME)}

    def _shown(self, one: _Ebs) -> Reply:
        return {
            "VolumeId": one.id,
            "Size": one.gib,
            "VolumeType": "gp3",
            "State": "in-use",
            "AvailabilityZone": one.instance.server.az,
            "Encrypted": True,
            "Attachments": [
                {
                    "InstanceId": one.instance.id,
                    "VolumeId": one.id,
                    "Device": one.device,
                    "State": "attached",
                    "DeleteOnTermination": one.root,
                }
            ],
            "Tags": tag_list({"Name": f"{one.instance.server.name} {one.volume.mount}"}),
        }

    def create_snapshots(self, given: Given) -> Reply:
        """All volumes of an instance at one moment."""
        what = table(given, "InstanceSpecification")
        instance = self._instances.get(text(what, "InstanceId"))
        if not self._instances.reachable(instance):
            raise CloudError("Unavailable", "The server is overloaded and can't handle the request.")
        left_out = listed(what, "ExcludeDataVolumeIds")
        tags, made = tags_of(given, "snapshot"), list[_Snapshot]()
        boot = not flag(what, "ExcludeBootVolume")
        for one in self._all.values():
            if one.instance is instance and one.id not in left_out and (boot or not one.root):
                made.append(self._snapshot(one, text(given, "Description"), tags))
        return {"Snapshots": [self._of_set(one) for one in made]}

    def _snapshot(self, ebs: _Ebs, description: str, tags: dict[str, str]) -> _Snapshot:
        digits = self._state.dice.text("snap", f"{ebs.id} {len(self._snapshots)}", 16)
        seconds = ebs.gib * _GIB / (self._state.tuning.snapshot_mb_per_s * _MB)
        ends = self._state.poke_after(seconds)
        made = _Snapshot(ident("snap", digits), ebs, description, self._state.now, ends, dict(tags))
        self._snapshots[made.id] = made
        self._state.log.add("snapshot", ebs.instance.server.name, id=made.id, volume=ebs.volume.mount)
        return made

    def describe_snapshots(self, given: Given) -> Reply:
        """Snapshots."""
        names = listed(given, "SnapshotIds")
        for name in names:
            if name not in self._snapshots:
                raise CloudError("InvalidSnapshot.NotFound", f"The snapshot '{name}' does not exist.")
        asked = [self._snapshots[name] for name in names] if names else [*self._snapshots.values()]
        return {"Snapshots": filtered(given, [self._of_set(one) for one in asked], _SNAPSHOT)}

    def _progress(self, one: _Snapshot) -> tuple[str, str]:
        if self._state.now >= one.ends:
            return "completed", "100%"
        whole = (one.ends - one.started).total_seconds()
        return "pending", f"{int(100 * (self._state.now - one.started).total_seconds() / whole)}%"

    def _of_set(self, one: _Snapshot) -> Reply:
        state, progress = self._progress(one)
        return {
            "SnapshotId": one.id,
            "VolumeId": one.ebs.id,
            "VolumeSize": one.ebs.gib,
            "Description": one.description,
            "StartTime": one.started,
            "State": state,
            "Progress": progress,
            "OwnerId": OWNER,
            "Encrypted": True,
            "Tags": tag_list(one.tags),
        }

    def modify_volume(self, given: Given) -> Reply:
        """Make a volume bigger. Windows sees it only when the partition is resized."""
        for name in given.keys() - {"VolumeId", "Size", "DryRun"}:
            not_simulated(f"modify_volume {name}")
        one, wanted = self._volume(text(given, "VolumeId")), number(given, "Size")
        now = self._state.now
        rest = timedelta(seconds=self._state.tuning.ebs_change_every_s)
        if one.changed is not None and now < one.changed + rest:
            raise CloudError(
                "VolumeModificationRateExceeded",
                "You've reached the maximum modification rate per volume limit. Wait at least 6 hours between "
                "modifications per EBS volume.",
            )
        if wanted < one.gib:
            raise CloudError("InvalidParameterValue", "New size cannot be smaller than existing size")
        one.was, one.gib, one.changed = one.gib, wanted, now
        self._state.scheduler.after(self._state.tuning.ebs_modify_s, lambda: setattr(one.volume, "disk", wanted * _GIB))
        self._state.log.add("ebs", one.instance.server.name, volume=one.volume.mount, gib=wanted)
        return {"VolumeModification": self._modification(one)}

    def describe_volumes_modifications(self, given: Given) -> Reply:
        """Changes of volumes."""
        names = listed(given, "VolumeIds")
        asked = [self._volume(name) for name in names] if names else [*self._all.values()]
        changed = [one for one in asked if one.changed is not None]
        if names and len(changed) < len(asked):
            missing("InvalidVolumeModification.NotFound", "volume modification of", names[0])
        return {"VolumesModifications": [self._modification(one) for one in changed]}

    def _modification(self, one: _Ebs) -> Reply:
        assert one.changed is not None
        tuning, since = self._state.tuning, (self._state.now - one.changed).total_seconds()
        whole = tuning.ebs_modify_s + tuning.ebs_optimize_s
        state = "modifying" if since < tuning.ebs_modify_s else "optimizing" if since < whole else "completed"
        shown: Reply = {
            "VolumeId": one.id,
            "ModificationState": state,
            "OriginalSize": one.was,
            "TargetSize": one.gib,
            "OriginalVolumeType": "gp3",
            "TargetVolumeType": "gp3",
            "Progress": 100 if state == "completed" else int(100 * min(since / whole, 0.99)),
            "StartTime": one.changed,
        }
        if state == "completed":
            shown["EndTime"] = one.changed + timedelta(seconds=whole)
        return shown
