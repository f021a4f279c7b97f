"""Partitions of a host's disks and what they may grow to; knows no volume's content and no EBS.

A disk that has become bigger is seen by Windows after Update-HostStorageCache (or a reboot), and its volume is bigger
after Resize-Partition only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starover_lab.cmdlets.cim_objects import chosen, cim, objects_of
from starover_lab.cmdlets.machine import Machine, machine, reading, switch
from starover_lab.cmdlets.objects import guid_of, text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Char, PSObject, UInt32, UInt64, Unsupported, Value
from starover_lab.world.entities import Volume
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]

_SPACE = "ROOT/Microsoft/Windows/Storage"


def _letter(volume: Volume) -> str:
    plain = volume.mount.rstrip("\\")
    return plain[0].upper() if len(plain) == 2 and plain.endswith(":") else ""


def _volumes(here: Machine) -> list[Volume]:
    return sorted(here.server.volumes, key=lambda one: one.mount.casefold())


def _partition(here: Machine, number: int, volume: Volume) -> PSObject:
    """One partition for each disk."""
    letter = _letter(volume)
    return cim(
        "MSFT_Partition",
        [
            ("OperationalStatus", "Online"),
            ("Type", "Basic"),
            ("DiskPath", f"\\\\?\\scsi#disk&ven_nvme#{number}"),
            ("AccessPaths", None),
            ("DiskId", f"\\\\?\\scsi#disk&ven_nvme#{number}"),
            ("DiskNumber", UInt32(number)),
            ("DriveLetter", Char(letter) if letter else None),
            ("Guid", f"{{{guid_of('partition', here.host, volume.mount).text}}}"),
            ("IsActive", False),
            ("IsBoot", letter == "C"),
            ("IsSystem", False),
            ("Offset", UInt64(1024 * 1024)),
            ("PartitionNumber", UInt32(1)),
            ("Size", UInt64(volume.size)),
        ],
        namespace=_SPACE,
        text="MSFT_Partition",
    )


def _asked(call: Invocation, bound: Mapping[str, Value]) -> list[tuple[PSObject, Volume]]:
    """The partitions that are meant, each with its volume; what is missed is reported."""
    here = machine(call)
    every = [(_partition(here, number, volume), volume) for number, volume in enumerate(_volumes(here))]
    if bound.get("InputObject") is not None:
        names = {text_of(one.get("Guid")) for one in objects_of(bound["InputObject"])}
        return [(one, volume) for one, volume in every if text_of(one.get("Guid")) in names]
    for other in ("DiskId", "UniqueId", "Disk", "Volume", "StorageSubSystem", "Offset"):
        if bound.get(other) is not None:
            raise Unsupported(f"{call.spec.name} -{other}: the lab does not simulate it")
    kept = chosen(
        call, bound, "MSFT_Partition", [one for one, _ in every], "DriveLetter", "DiskNumber", "PartitionNumber"
    )
    return [(one, volume) for one, volume in every if one in kept]


def get_partition(call: Invocation) -> Iterator[Value]:
    """Get-Partition."""
    for bound in call.records():
        reading(call)
        yield from (one for one, _ in _asked(call, bound))


def get_disk(call: Invocation) -> Iterator[Value]:
    """Get-Disk: on EC2 the serial number of an NVMe disk is the id of its EBS volume without the hyphen."""
    for bound in call.records():
        here = reading(call)
        shown = [
            cim(
                "MSFT_Disk",
                [
                    ("Number", UInt32(number)),
                    ("FriendlyName", "NVMe Amazon Elastic B"),
                    ("SerialNumber", _serial(here, volume)),
                    ("Size", UInt64(volume.disk or volume.size)),
                    ("OperationalStatus", "Online"),
                ],
                namespace=_SPACE,
                text=f"MSFT_Disk (Number = {number})",
            )
            for number, volume in enumerate(_volumes(here))
        ]
        yield from chosen(call, bound, "MSFT_Disk", shown, "Number", "SerialNumber", "FriendlyName")


def _serial(here: Machine, volume: Volume) -> str:
    if not here.server.instance:
        return ""
    digits = here.world.state.dice.text("vol", f"{here.server.instance} {volume.mount}", 16)
    return f"vol0{digits}_00000001."


def get_supported_size(call: Invocation) -> Iterator[Value]:
    """Get-PartitionSupportedSize."""
    for bound in call.records():
        here = reading(call)
        for _, volume in _asked(call, bound):
            space = here.world.space(here.host, volume.mount)
            used = volume.size - space.free if space is not None else volume.size
            yield cim(
                "MSFT_PartitionSupportedSize",
                [("SizeMin", UInt64(used)), ("SizeMax", UInt64(here.world.windows.most_size(volume)))],
                namespace=_SPACE,
            )


def resize(call: Invocation) -> Iterator[Value]:
    """Resize-Partition: the file system grows with it."""
    for bound in call.records():
        here = machine(call)
        size = bound.get("Size")
        if not isinstance(size, int):
            raise Unsupported("Resize-Partition without -Size")
        for _, volume in _asked(call, bound):
            if not may(call, volume.mount, "Resize-Partition"):
                continue
            call.wait(here.pace(here.world.state.tuning.write_s))
            try:
                here.world.windows.resize(here.host, volume.mount, int(size))
            except WorldError as error:
                number, text = "4097", "Size Not Supported"
                if error.data.get("parameter") == "busy":
                    number, text = "40000", error.message
                kind = "Microsoft.Management.Infrastructure.CimException"
                call.error(call.record(f"StorageWMI {number}", "InvalidArgument", text, type_name=kind))
                continue
            if switch(bound.get("PassThru")):
                yield from (one for one, again in _asked(call, {"DriveLetter": _letter(volume)}) if again is volume)


def update_cache(call: Invocation) -> Iterator[Value]:
    """Update-HostStorageCache: Windows looks at its disks anew."""
    here = reading(call)
    here.world.windows.look_at_disks(here.host)
    del call
    yield from ()


BODIES: dict[str, Body] = {
    "Get-Disk": get_disk,
    "Get-Partition": get_partition,
    "Get-PartitionSupportedSize": get_supported_size,
    "Resize-Partition": resize,
    "Update-HostStorageCache": update_cache,
}
