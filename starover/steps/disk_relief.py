"""A log volume that fills: what keeps its logs, and room made for it (catalogue, disk-relief); never deletes a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from starover.errors import NotSafe
from starover.estate import Dag, Estate, Server
from starover.names import DbName, same_host
from starover.runbook import Finding, Steps, attempt, together
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step
from starover.steps.copies import CopyStatus, Tag, resumed
from starover.steps.dag import DatabaseInfo, Databases, databases
from starover.steps.disaster import Heard, MemberCopies, Survey, member_copies
from starover.steps.instances import OneInstance, instance_of, is_off
from starover.steps.losses import LogSpace, log_space
from starover.steps.out_on_purpose import left_of, out_by_dag, put_out

__all__ = [
    "Disks",
    "circular_logging",
    "database_rested",
    "disks_of",
    "grow",
    "growth",
    "keepers",
    "partition_grown",
    "proven_gone",
    "proven_lost",
    "rest",
    "resume_ours",
    "space_of",
    "volume_grown",
    "volume_of",
    "why_kept",
]

GIB = 2**30


class Disk(Report):
    """A partition with a letter; sizes in bytes."""

    letter: str
    size: int
    most: int
    serial: str

    @property
    def volume(self) -> str:
        """The id of its EBS volume; empty: it is on none."""
        digits = self.serial.partition("_")[0].removeprefix("vol").removeprefix("-")
        return f"vol-{digits}" if self.serial.startswith("vol") and digits else ""


class Disks(Report):
    """The partitions of a host (`relief/disks.ps1.j2`)."""

    disks: tuple[Disk, ...]

    def at(self, mount: str) -> Disk | None:
        """The partition of a mount point such as `E:\\`."""
        return next((one for one in self.disks if mount.upper().startswith(f"{one.letter.upper()}:")), None)


class EbsVolume(Report):
    """An EBS volume (`ec2/volume.call.j2`)."""

    id: str | None
    size: int | None
    """GiB."""


disks_of = Query("relief/disks.ps1.j2", Disks)
"""Of the host that is asked."""
volume_of = Query("ec2/volume.call.j2", EbsVolume)
"""Argument: `volume`."""


# -- why ---------------------------------------------------------------------------------------------------------------


def space_of(server: Server, seen: Survey) -> tuple[Heard, list[LogSpace]]:
    """A server as the survey saw it, and its log volumes. Raises `NotSafe` where it did not answer."""
    host = seen.host(server.name)
    if host is None or host.copies is None:
        raise NotSafe(
            f"{server.name} does not say what is on its volumes",
            certain=(*(host.errors if host is not None else ()), "nothing was changed"),
            next=("starover assess",),
            host=server.name,
        )
    return host, log_space(host, seen)


def keepers(database: str, seen: Survey) -> list[tuple[str, CopyStatus | None]]:
    """Members whose copy keeps the logs of a database from being truncated, each with its copy; None: it is silent."""
    found: list[tuple[str, CopyStatus | None]] = []
    servers = next((one.servers for one in seen.databases or () if one.name.casefold() == database.casefold()), ())
    for name in servers:
        host = next((one for one in seen.members if same_host(one.server, name)), None)
        copy = host.copies.copy(database) if host is not None and host.copies is not None else None
        if copy is None or (not copy.active and copy.status not in ("Healthy", "SeedingSource")):
            found.append((name, copy))
    return found


def why_kept(space: LogSpace, seen: Survey, known: Sequence[DatabaseInfo]) -> Iterator[Finding]:
    """Why the logs on a volume are not truncated, database by database."""
    for name in space.databases:
        info = next((one for one in known if one.name.casefold() == name.casefold()), None)
        for server, copy in keepers(name, seen):
            if copy is None:
                says = f"{server} does not say how its copy is, which keeps every log; {_if_lost(server, seen)}"
            elif copy.replication_suspended:
                ours = "by us: --option resume" if Tag(copy.suspend_comment).ours else "not by us: ask who did"
                says = f"{copy.id} is {copy.status} ({ours})"
            else:
                says = f"{copy.id} is {copy.status}: starover plan copy-seed --copy {copy.id}"
            yield Finding(check="keeps logs", on=name, level="warn", says=says)
        if info is not None and not info.circular_logging:
            says = "logs go with a backup only (circular logging is off): run one, or --option crcl"
            yield Finding(check="keeps logs", on=name, level="info", says=says)


def _if_lost(server: str, seen: Survey) -> str:
    host = seen.host(server)
    if host is not None and host.answers:
        return "look why: Windows on it answers"
    return "lost for good and proven so: --option remove-lost"


def proven_lost(dag: Dag, estate: Estate, databases: Sequence[str], seen: Survey) -> Steps[Mapping[str, str]]:
    """The servers whose copies may be removed as lost, each with what proves that it is: silence alone never does.

    Raises `NotSafe` for a server that keeps logs, says nothing of its copies and is not proven to be gone.
    """
    silent = list(dict.fromkeys(name for one in databases for name, copy in keepers(one, seen) if copy is None))
    return (yield from proven_gone(dag, estate, silent, seen))


def proven_gone(dag: Dag, estate: Estate, silent: Sequence[str], seen: Survey) -> Steps[Mapping[str, str]]:
    """What proves of each of these that it is gone: the DAG and its cluster (stopped, evicted), or EC2 (off, fenced).

    Raises `NotSafe` for one that answers, and for one of which nothing proves it.
    """
    known = [one for one in estate.members(dag) if any(same_host(one.name, name) for name in silent)]
    off = yield from _off(known)
    left = left_of(known, seen.object) if seen.object is not None else ()
    fenced = yield from put_out(known, left, estate.members(dag))
    proof: dict[str, str] = {}
    for name in silent:
        host = seen.host(name)
        server = next((one.name for one in known if same_host(one.name, name)), name)
        if host is not None and host.answers:
            raise NotSafe(
                f"{name} is not lost: Windows on it answers, only its copies could not be read",
                certain=(*host.errors, "nothing was changed"),
                next=("starover run health-report",),
                host=name,
            )
        listed = out_by_dag(name, seen.object) if seen.object is not None else ""
        why = off.get(server, "") or listed or fenced.get(server, "")
        if not why:
            raise NotSafe(
                f"{name} does not answer, and nothing proves that it is lost: silence is not down",
                certain=(
                    "neither stopped nor evicted as the DAG has it, and EC2 does not say that its instance is off",
                    "nothing was changed",
                ),
                uncertain=(f"whether {name} runs; its copy may be well, and removed it would need a whole seed",),
                next=(f"starover plan fence --lost-server {name}", "starover assess"),
                host=name,
            )
        proof[name] = why
    return proof


def _off(servers: Sequence[Server]) -> Steps[dict[str, str]]:
    """Of these, those whose instance EC2 says is off."""
    asked = [one for one in servers if one.instance]
    found = yield from together(attempt(instance_of.read(one, instance=one.instance)) for one in asked)
    return {
        server.name: f"EC2: {server.instance} is {one.state}"
        for server, one in zip(asked, found, strict=True)
        if isinstance(one, OneInstance) and is_off(one)
    }


def growth(size: int, asked: int | None) -> int:
    """The size to grow to, in GiB: what was asked for, else a quarter more. Raises `NotSafe` for less than now."""
    if asked is None:
        return -(-size * 5 // 4)
    if asked < size:
        raise NotSafe(
            f"--size {asked}: the volume has {size} GiB, and an EBS volume never shrinks",
            certain=("nothing was changed",),
            next=(f"--size {-(-size * 5 // 4)}",),
        )
    return asked


# -- room --------------------------------------------------------------------------------------------------------------


@step(check=volume_of, apply="ec2/grow_volume.call.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=300))
def volume_grown(now: EbsVolume, /, *, volume: str, gib: int) -> Change | Blocked | None:
    """An EBS volume has at least so many GiB. Windows sees it later (`partition_grown`)."""
    if now.id is None or now.size is None:
        return Blocked(f"EC2 has no volume {volume}", guard="G-INV", certain=("nothing was changed",))
    if now.size >= gib:
        return None
    return Change(volume, f"{now.size} GiB", f"{gib} GiB", note="AWS allows one change in six hours")


@step(
    check=disks_of,
    apply="relief/grow_partition.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=120),
    deadline=900,
)
def partition_grown(now: Disks, /, *, server: str, letter: str, gib: int) -> Change | Blocked | None:
    """A partition fills its disk of so many GiB."""
    one = now.at(f"{letter}:\\")
    if one is None:
        return Blocked(f"{server} has no partition {letter}:", certain=("nothing was changed",))
    if one.size + GIB >= gib * GIB:
        return None
    return Change(f"{letter}: of {server}", f"{one.size / GIB:.0f} GiB", f"{gib} GiB")


def _circular_back(prev: Databases, at: Server, /, *, database: DbName, enabled: bool, note: str) -> Step | None:
    del note
    was = next((one for one in prev.databases if one.name.casefold() == database.casefold()), None)
    if was is None or was.circular_logging == enabled:
        return None
    return circular_logging.on(at, database=database, enabled=was.circular_logging, note="")


@step(check=databases, apply="relief/circular.ps1.j2", risk=Risk.DATA, undo=_circular_back)
def circular_logging(now: Databases, /, *, database: DbName, enabled: bool, note: str) -> Change | Blocked | None:
    """Logs of a database go as soon as every copy has them, or not before a backup (disk-relief, CRCL)."""
    one = next((one for one in now.databases if one.name.casefold() == database.casefold()), None)
    if one is None:
        return Blocked(f"there is no database {database}", certain=("nothing was changed",))
    if one.circular_logging == enabled:
        return None
    words = {True: "on", False: "off"}
    return Change(f"circular logging of {database}", words[one.circular_logging], words[enabled], note=note)


@step(check=member_copies, apply="recovery/dismount.ps1.j2", risk=Risk.DATA, settle=Settle(every=5, limit=120))
def database_rested(now: MemberCopies, /, *, name: str, database: DbName, note: str) -> Change | Blocked | None:
    """A database is dismounted in order, before its volume is full (disk-relief)."""
    copy = now.copy(database)
    if copy is None or not copy.mounted:
        return None
    return Change(f"{database} on {name}", "Mounted", "Dismounted: its mail is down", note=note)


def grow(server: Server, spaces: Sequence[LogSpace], size: int | None) -> Steps:
    """The log volume that is full soonest becomes bigger, in EBS and in Windows. Raises `NotSafe`."""
    first = min(spaces, key=lambda one: one.hours, default=None)
    disks = yield from disks_of.read(server)
    disk = disks.at(first.volume) if first is not None else None
    if first is None or disk is None or not disk.volume:
        raise NotSafe(
            f"which EBS volume carries the logs of {server.name} is not known",
            certain=(f"log volume: {first.volume if first is not None else 'none was seen'}", "nothing was changed"),
            next=("grow it in the EC2 console, then Update-HostStorageCache and Resize-Partition on the host",),
            host=server.name,
        )
    if size is None and not first.low:
        return
    now = yield from volume_of.read(server, volume=disk.volume)
    gib = growth(now.size or 0, size)
    yield volume_grown.on(server, volume=disk.volume, gib=gib)
    yield partition_grown.on(server, server=server.name, letter=disk.letter, gib=gib)


def resume_ours(estate: Estate, spaces: Sequence[LogSpace], seen: Survey) -> Steps:
    """Copies that we had suspended replicate again, so that logs can be truncated."""
    for name in [name for one in spaces for name in one.databases]:
        for server, copy in keepers(name, seen):
            if copy is None or not copy.replication_suspended or not Tag(copy.suspend_comment).ours:
                continue
            yield resumed.on(
                estate.server(server),
                identity=copy.id,
                database=copy.database,
                keep_block=Tag(copy.suspend_comment).blocked or bool(copy.lag),
                block_comment=None,
                force_foreign=False,
            )


def rest(server: Server, database: str, host: Heard, seen: Survey) -> Steps:
    """A database of this server is dismounted, where no other copy could take it over. Raises `NotSafe`."""
    own = host.copies.copy(database) if host.copies is not None else None
    if own is None or not own.mounted:
        return
    others = [
        copy
        for one in seen.members
        if one is not host and one.copies is not None and (copy := one.copies.copy(database)) is not None and copy.good
    ]
    if others:
        raise NotSafe(
            f"{database} need not go down: {others[0].id} can take it over (G-COPIES)",
            certain=("nothing was changed",),
            next=(f"starover run db-switchover --db {database} --to {others[0].server}",),
            host=server.name,
        )
    yield database_rested.on(server, name=server.name, database=database, note="in order, before 1 GB is left")
